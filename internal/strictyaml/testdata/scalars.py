#!/usr/bin/env python3
"""Writes what PyYAML's SafeLoader makes of many YAML texts, as the table that the Go decoder must equal.

    python scalars.py > golden.json          # needs PyYAML 6.0.3; internal/setup/python.sh has it

Each row is a document and either its value or "error". Values are encoded so that nothing is lost on the
way: integers as decimal text, floats as hexadecimal text, dates as the text that was written (the decoder's
own rule), keys of mappings as JSON writes them.
"""
import datetime
import json
import random
import sys

import yaml

SCALARS = """
yes Yes YES yEs no No NO on On ON off Off OFF oFF y Y n N true True TRUE tRUE false False FALSE t f
null Null NULL nULL ~ ~~ none None nil
0 1 -1 +1 00 01 010 0o10 0O10 0o2 08 09 017 -017 +017 0_7 0_ 0__ _1 1_ 1_000 1__0 -1_0 1,000 1'000
0x0 0x1F 0x1f 0X1F 0xg 0x_ 0x_1 0x -0x10 +0xA 0b0 0b1 0b10 0b12 0B1 0b 0b_ -0b11 0b1_0
123456789012345678901234567890 -9223372036854775808 9223372036854775807 9223372036854775808 18446744073709551616
12:30 1:2 1:02 01:02 0:1 0:0 1:60 1:59 1:0:0 190:20:30 -12:30 +12:30 1:2:3:4 12:3a 12:30:45 1_0:30 1: 10:5 1:5:61 24:00 0x1:2
12:30.5 1:2. 01:02.5 -1:30.25 1:60.5 1:0:0.0 1:2.5e+3 +1:30.5_0 0:0.0
1.0 1. .5 -.5 +.5 0.1 -0.0 +1.5 1.5.2 1_0.5 1_0.5_5 ._5 .5_ 5._ 1._5 . .. ... -. +.
1e3 1E3 1e+3 1e-3 1.e3 1.0e3 1.0e+3 1.0e-3 1.0E+3 1.5e+03 .5e+1 .5e1 -.5e+1 -1.5e+3 1.e+3 1.0e+400 -1.0e+400 1.0e-400 0.0e+0 1_0.0e+1
.inf .Inf .INF -.inf +.inf .iNF -.INF inf -inf Infinity .nan .NaN .NAN -.nan +.nan nan NaN .Nan
2024-01-02 2024-1-2 2024-01-02T03:04:05 2024-01-02T03:04:05Z 2024-1-2T3:04:05 2024-01-02t03:04:05.678+01:00 2001-12-14T21:59:43.10-05:00
2024-01-02T03:04 20240102 2024-001 12-31-1999 2024-01-02T03:04:05+1 2024-01-02T03:04:05-11:30 2024-01-02T3:4:5 99-01-01 2024-01-0a
= == << <<< < =1 -- --- +-1 -+1 - + -a +a 1a a1 0a 1-2 1+2 1/2 50% 8k 1.5.0 v1.0 1.2.3 1.2-rc 0.9b
s3://bucket/prefix org/name org/name@main a:b a=b meta-llama/Meta-Llama-3-8B-Instruct auto bfloat16 fp8 A10G 4xH100
!!str !!str"" !!null !!null"x"
""".split()

TAGGED = """
!!str yes|!!str 12|!!str 12:30|!!str ~|!!str null|!!str 2024-01-02|!!str 1.5|!!str 'x'|!!str "1"|!!str <<|!!str =|!!str
!!int 12|!!int "12"|!!int '0x1F'|!!int 1_000|!!int 12:30|!!int 010|!!int 0o17|!!int 1.5|!!int abc|!!int ""|!!int -5|!!int +5|!!int "0b101"|!!int 1e3|!!int ~|!!int true
!!float 1|!!float "1"|!!float 1e3|!!float 1.5|!!float 12:30|!!float .inf|!!float -.INF|!!float .nan|!!float abc|!!float ""|!!float 1_0|!!float 010|!!float 0x10|!!float inf|!!float -Infinity|!!float nan
!!bool yes|!!bool "no"|!!bool TRUE|!!bool yEs|!!bool 1|!!bool ""|!!bool maybe
!!null ~|!!null x|!!null ""|!!null 12|!!null
!!timestamp 2024-01-02|!!timestamp "2024-01-02"|!!timestamp x|!!timestamp 12
!!binary aGk=|!!foo x|!foo x|!!python/tuple [1, 2]|!!python/name:os.system|!!set {a, b}|!!omap [a: 1]|!!pairs [a: 1]|!<tag:yaml.org,2002:str> 12|!<tag:yaml.org,2002:int> "12"
! 12|! yes|! "12"|! ~|! 1.5|!!seq [1]|!!map {a: 1}|!!seq {a: 1}|!!map [1]|!!str [1]|!!str {a: 1}|!!int [1]
"12"|'12'|"yes"|'~'|""|''|"1.5"|"\\u00e9\\n"|'it''s'|"a\\tb"|"<<"|"="|"2024-01-02"
""".replace("\n", "|").strip("|").split("|")

DOCUMENTS = """
[1, 2, 3]
---
a: 1
b: [yes, no, 'yes']
---
{a: 1, b: {c: [~, 1e3]}}
---
yes: 1
no: 2
---
1: a
2: b
---
~: a
---
0x10: a
---
=: a
---
'<<': a
---
? a
: b
---
? [a, b]
: c
---
? {a: b}
: c
---
a: &x [1, 2]
b: *x
---
a: &x {k: 1, l: 2}
b:
  <<: *x
  k: 3
---
a: &x {k: 1}
b: &y {k: 2, l: 5}
c: {<<: [*x, *y]}
---
a: &x {k: 1}
b: &y {k: 2, l: 5}
c: {<<: [*y, *x]}
---
a: &x {k: 1, m: 0}
b: &y {k: 2}
c:
  <<: *x
  <<: *y
---
a: &x {k: 1}
b: &y {<<: *x, l: 2}
c: {<<: *y, m: 3}
---
a: {<<: {b: 1}, c: 2}
---
<<: {a: 1}
b: 2
---
<<: 5
---
<<: [1]
---
<<: ~
---
<<: [[{a: 1}]]
---
a: {<<: []}
---
&k a: 1
*k : 2
---
a: &x 12
b: *x
---
a: *nothing
---
- |
  line one
  line two
- >
  folded
  text
- |-
  no newline
- >+
  kept

- end
---
- plain
  over two lines
- 1
  2
---
a: b # comment
# another
c: "#no comment"
---
- - 1
  - 2
- - 3
---
a:
b:
c: x
---
[a, , b]
---
{a, b: 1}
---
[a: 1, b: 2]
---
a: 'x
  y'
---
"a": 1
'b': 2
---
a: {b: c: d}
---
a: b: c
---
- a
b: c
---
a: [1
---
a: "x
---
@a
---
`a
---
%a
---
- *
---
- &
---
a: !
---
{a: 1}}
---
? a
? b
---
12
---
yes
---
"text"
---
~
---
a: 0123
b: 0129
c: 1e3
d: 12:30:00
e: 2024-01-01
---
engine_kwargs:
  max_model_len: 8_192
  gpu_memory_utilization: .9
  rope_scaling: {factor: 1e1, type: dynamic}
  hf_overrides: {1: on, off: 2}
  compilation_config: {cudagraph_capture_sizes: [1, 2, 4, 010]}
""".strip("\n").split("\n---\n")


def generated(count):
    """Texts near the borders of the number formats, the same in each run."""
    rng = random.Random(11)
    pieces = ["0", "1", "7", "8", "9", "00", "12", "30", "59", "60", "_", "_", ".", ".", ":", ":", "+", "-",
              "e", "E", "e+", "E-", "0x", "0b", "0o", "f", "A", "inf", "nan", "T", "Z", "-01", "2024-01-02"]
    seen = set()
    while len(seen) < count:
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 6)))
        if text not in seen:
            seen.add(text)
            yield text


class Loader(yaml.SafeLoader):
    """SafeLoader, with dates kept as text."""


Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: timestamp(loader, node))


def timestamp(loader, node):
    text = loader.construct_scalar(node)
    if loader.timestamp_regexp.match(text) is None:
        raise ValueError("not a date")
    return Date(text)


class Date(str):
    pass


def encode(value):
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, Date):
        return ["date", str(value)]
    if isinstance(value, str):
        return ["text", value]
    if isinstance(value, list):
        return ["list", [encode(v) for v in value]]
    if isinstance(value, dict):
        return ["map", {key(k): encode(v) for k, v in value.items()}]
    raise ValueError(f"no place for a {type(value).__name__} in a configuration")


def key(k):
    if isinstance(k, Date):
        return str(k)
    if isinstance(k, float):
        raise ValueError("no place for a float as a key")
    return next(iter(json.loads(json.dumps({k: 0}))))


def row(document):
    try:
        return {"yaml": document, "value": encode(yaml.load(document, Loader))}
    except Exception as e:  # whatever stops PyYAML is an error for us too
        return {"yaml": document, "error": type(e).__name__}


def main():
    assert yaml.__version__ == "6.0.3", yaml.__version__
    rows = [row(f"k: {s}\n") for s in [*SCALARS, *TAGGED, *generated(1500)]]
    rows += [row(f"- {s}\n") for s in SCALARS]
    rows += [row(d + "\n") for d in DOCUMENTS]
    sys.stdout.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=True) for r in rows) + "\n]\n")


if __name__ == "__main__":
    main()
