"""Makes chat_templates.json: what transformers renders from templates that use Jinja as real models do.

    python engine/reference/testdata/golden_templates.py

The templates are our own; a key names the family of published models whose Jinja constructs it takes.
A case has messages, and where they matter tools, kwargs and add_generation_prompt (true unless said), and
either the exact text or the message of the error that the template raises. Needs transformers 5.19.
"""
import json
from pathlib import Path

from jinja2.exceptions import TemplateError
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

# Style of Llama 3: headers, trimmed content, bos_token once.
HEADERS = r"""
{%- set history = messages %}
{%- for turn in history %}
    {%- set block = '<|start_header_id|>' ~ turn['role'] ~ '<|end_header_id|>

' ~ turn['content'] | trim ~ '<|eot_id|>' %}
    {{- (bos_token if loop.index0 == 0 else '') + block }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""

# Style of Llama 3.1: a date, tools as indented JSON, the system message cut off the list by a slice.
HEADERS_TOOLS = r"""{#- A head for every block, then its body. #}
{%- macro head(who) %}{{ '<|start_header_id|>' + who + '<|end_header_id|>\n\n' }}{% endmacro %}
{{- bos_token + head('system') }}
{%- if date_string is not defined %}
    {%- if strftime_now is not defined %}{{- raise_exception('no clock') }}{%- endif %}
    {%- set date_string = '05 Mar 2031' %}
{%- endif %}
{{- 'Day: ' + date_string + '\n' }}
{%- set first = messages[0] %}
{%- if first['role'] == 'system' %}
    {{- '\n' + first['content']|trim }}
    {%- set messages = messages[1:] %}
{%- endif %}
{%- if tools is defined and tools is not none %}
    {{- '\nCallable, one at a time:\n' }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) + '\n' }}
    {%- endfor %}
{%- endif %}
{{- '<|eot_id|>' }}
{%- for m in messages %}
    {%- if m.role in ['tool', 'ipython'] %}
        {{- head('ipython') }}
        {%- if m.content is mapping or (m.content is iterable and m.content is not string) %}
            {{- m.content | tojson }}
        {%- else %}
            {{- m.content }}
        {%- endif %}
    {%- elif 'tool_calls' in m %}
        {%- if m.tool_calls|length != 1 %}
            {{- raise_exception('One call at a time, not ' ~ m.tool_calls|length) }}
        {%- endif %}
        {%- set f = m.tool_calls[0].function %}
        {{- head(m.role) -}}
        {"call": "{{ f.name }}", "with": {{ f.arguments | tojson -}} }
    {%- else %}
        {{- head(m['role']) + m['content'] | trim }}
    {%- endif %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- head('assistant') }}{%- endif %}
"""

# ChatML on few lines, with line breaks inside string literals.
CHATML = r"""{% for m in messages %}{{'<|im_start|>' + m['role'] + '
' + m['content'] + '<|im_end|>
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

# Style of Qwen 2.5: a default system prompt, tool calls, neighbouring tool results put into one turn.
CHATML_TOOLS = r"""{%- set own = messages[0]['role'] == 'system' %}
{{- '<|im_start|>system\n' + (messages[0]['content'] if own else 'You are a tidy helper.') }}
{%- if tools %}
    {{- "\n\nFunctions, called as {\"fn\": name, \"args\": object}:" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- for m in messages %}
    {%- if m.role == 'tool' %}
        {%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\n<result>' ~ m.content ~ '</result>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- '<|im_end|>\n' }}{%- endif %}
    {%- elif m.role == 'assistant' and m.tool_calls %}
        {{- '<|im_start|>' + m.role }}
        {%- if m.content %}{{- '\n' + m.content }}{%- endif %}
        {%- for call in m.tool_calls %}
            {%- if call.function is defined %}
                {%- set call = call.function %}
            {%- endif %}
            {{- '\n<call>{"fn": "' }}{{- call.name }}{{- '", "args": ' }}
            {{- call.arguments | tojson }}
            {{- '}</call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif not (own and loop.first) %}
        {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""

# Style of Qwen 3: a namespace filled by a backward loop, thoughts cut out of all turns but the last ones.
THINKING_CHATML = r"""{%- set seen = namespace(at=messages|length - 1, open=true) %}
{%- for m in messages[::-1] %}
    {%- if seen.open and m.role == 'user' and m.content is string and not (m.content.startswith('<result>') and m.content.endswith('</result>')) %}
        {%- set seen.open = false %}
        {%- set seen.at = messages|length - loop.index %}
    {%- endif %}
{%- endfor %}
{%- for m in messages %}
    {%- set body = m.content if m.content is string else '' %}
    {{- '<|im_start|>' + m.role + '\n' }}
    {%- if m.role == 'assistant' %}
        {%- set thought = '' %}
        {%- if m.reasoning_content is string %}
            {%- set thought = m.reasoning_content %}
        {%- elif '</think>' in body %}
            {%- set thought = body.split('</think>')[0].split('<think>')[-1].strip('\n') %}
            {%- set body = body.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {%- if loop.index0 > seen.at and (loop.last or thought) %}
            {{- '<think>\n' + thought + '\n</think>\n\n' }}
        {%- endif %}
    {%- endif %}
    {{- body.rstrip('\n') }}
    {%- for call in m.tool_calls or [] %}
        {%- if not loop.first or body %}{{- '\n' }}{%- endif %}
        {%- set f = call.function or call %}
        {{- '<call>' + f.name + ' ' }}
        {%- if f.arguments is string %}{{- f.arguments }}{%- else %}{{- f.arguments | tojson }}{%- endif %}
        {{- '</call>' }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}
"""

# Style of Mistral: the system message joins the first question; a wrong order of roles is an error.
INST = r"""{{- bos_token }}
{%- if messages[0]["role"] == "system" %}
    {%- set rules, rest = messages[0]["content"], messages[1:] %}
{%- else %}
    {%- set rest = messages %}
{%- endif %}
{%- for m in rest %}
    {%- if m["role"] not in ("user", "assistant") %}
        {{- raise_exception("Nobody called " + m["role"] + " may speak here.") }}
    {%- elif (m["role"] == "user") != (loop.index0 % 2 == 0) %}
        {{- raise_exception("Roles must take turns: user, assistant, user, assistant, and so on.") }}
    {%- endif %}
    {%- if m["role"] == "assistant" %}
        {{- " " + m["content"] + eos_token }}
    {%- else %}
        {{- "[INST] " }}{% if loop.first and rules is defined %}{{ rules + "\n\n" }}{% endif %}{{ m["content"] + " [/INST]" }}
    {%- endif %}
{%- endfor %}
"""

# Style of later Mistral: filters over the list, tools before the last question only, ids that are checked.
INST_TOOLS = r"""{{- bos_token }}
{%- set asked = messages | selectattr("role", "equalto", "user") | list %}
{%- set others = messages | rejectattr("role", "in", ["user", "tool"]) | list %}
{%- set count = namespace(turns=0) %}
{%- for m in messages if m.role != "tool" and not (m.tool_calls is defined and m.tool_calls is not none) %}
    {%- set count.turns = count.turns + (1 if m.role == "user" else -1) %}
    {%- if count.turns not in [0, 1] %}{{- raise_exception("Take turns, user first.") }}{%- endif %}
{%- endfor %}
{{- asked | length }}/{{ others | length }}
{%- for m in messages %}
    {%- if m.role == "user" %}
        {%- if tools is not none and m == asked[-1] %}
            {{- "[TOOLS]" }}
            {%- for tool in tools %}
                {%- for key, val in tool.function.items() if key != "description" %}
                    {{- key + "=" }}
                    {%- if val is string %}{{- '"' + val + '"' }}{%- else %}{{- val|tojson }}{%- endif %}
                    {{- ", " if not loop.last }}
                {%- endfor %}
                {{- "; " if not loop.last else "[/TOOLS]" }}
            {%- endfor %}
        {%- endif %}
        {{- "[INST]" + m["content"] + "[/INST]" }}
    {%- elif m.role == "tool" %}
        {{- "[RESULT]" + m.tool_call_id + "=" + m.content|string + "[/RESULT]" }}
    {%- elif m.tool_calls is defined and m.tool_calls is not none %}
        {%- for call in m.tool_calls %}
            {%- if call.id is not defined or call.id|length != 9 %}{{- raise_exception("A call's id has nine characters!") }}{%- endif %}
            {%- set text = call.function|tojson %}
            {{- text[:-1] + ', "id": "' + call.id + '"}' }}
        {%- endfor %}
        {{- eos_token }}
    {%- else %}
        {{- m["content"]|trim + eos_token }}
    {%- endif %}
{%- endfor %}
"""

# Style of Gemma: all on one line, the assistant is called model, no system role.
ONE_LINE = r"""{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('There is no system role') }}{% endif %}{% for m in messages %}{% if m['role'] == 'assistant' %}{% set who = 'model' %}{% else %}{% set who = m['role'] %}{% endif %}{% if loop.previtem is defined and loop.previtem['role'] == m['role'] %}{{ raise_exception(who ~ ' spoke twice') }}{% endif %}{{ '<start_of_turn>' + who + '
' + m['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model
'}}{% endif %}
"""

# Style of Zephyr: no dashes at all, the text depends on trim_blocks and lstrip_blocks.
NO_DASHES = """{% for m in messages %}
{% if m['role'] == 'user' %}
{{ '<|user|>\\n' + m['content'] + eos_token }}
{% elif m['role'] == 'system' %}
{{ '<|system|>\\n' + m['content'] + eos_token }}
    {% else %}
  {{ '<|' + m['role'] + '|>\\n'  + m['content'] + eos_token }}
    {% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

# Style of DeepSeek: system messages from anywhere are collected first; ~ joins; thoughts are dropped.
COLLECT = r"""{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(rules='') %}{%- for m in messages if m['role'] == 'system' %}{% set ns.rules = ns.rules ~ ('\n\n' if ns.rules) ~ m['content'] %}{%- endfor %}{{ bos_token ~ ns.rules }}{%- for m in messages if m['role'] != 'system' %}{%- if m['role'] == 'user' %}{{ '<|User|>' ~ m['content'] }}{%- elif m['content'] is not none %}{{ '<|Assistant|>' ~ m['content'].split('</think>')[-1] ~ eos_token }}{%- endif %}{%- endfor -%}{% if add_generation_prompt %}{{ '<|Assistant|><think>\n' }}{% endif %}"""

# Macros that call themselves, get with a default, chained filters, a dictionary as a switch.
MACROS = r"""{%- macro kind(spec, depth=0) -%}
    {%- if spec.type == "array" -%}
        {{- kind(spec['items'], depth + 1) + "[]" -}}
    {%- elif spec.type == "object" -%}
        {{- "{" }}
        {%- for name, field in spec.properties.items() -%}
            {{- name ~ ("" if name in spec.get('required', []) else "?") ~ ": " ~ kind(field, depth + 1) }}
            {%- if not loop.last %}{{ ", " }}{% endif %}
        {%- endfor -%}
        {{- "}" }}
    {%- elif spec.enum is defined -%}
        {%- for e in spec.enum %}{{ '"' ~ e ~ '"' }}{% if not loop.last %}{{ " | " }}{% endif %}{% endfor -%}
    {%- else -%}
        {{- {"integer": "number"}[spec.type] if spec.type in {"integer": 1} else spec.type -}}
    {%- endif -%}
{%- endmacro -%}
{%- macro turn(role, body) %}
<turn {{ role | upper }}>{{ body }}</turn>
{%- endmacro -%}
{%- if tools %}
// {{ tools | length }} functions: {{ tools | map(attribute='function') | map(attribute='name') | join(', ') }}
{% for tool in tools -%}
{% set fn = tool.function -%}
type {{ fn.name }} = (_: {{ kind(fn.parameters) }}) => any; // {{ fn.description | default('no description', true) | capitalize }}
{% endfor -%}
{% endif -%}
{%- for m in messages %}{{ turn(m.role, m.content) }}{% endfor %}
{%- if add_generation_prompt %}
<turn ASSISTANT>{% endif -%}
"""

# Content as a list of parts; methods of strings; loop.index and loop.length.
MIXED_PARTS = r"""{%- for message in messages -%}
    {%- if message.content is string -%}
        {%- set parts = [{'type': 'text', 'text': message.content}] -%}
    {%- else -%}
        {%- set parts = message.content -%}
    {%- endif -%}
    {{ loop.index }}/{{ loop.length }} {{ message.role.title() }}{{ ":" -}}
    {%- for part in parts -%}
        {%- if part['type'] == 'text' -%}
            {{ ' ' + part['text'].strip() }}
        {%- elif part['type'] == 'image' or 'image_url' in part -%}
            {{ ' <image>' }}
        {%- else -%}
            {{ raise_exception('Cannot show a part of type ' ~ part['type']) }}
        {%- endif -%}
    {%- endfor -%}
    {{ '\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ messages | length + 1 }} Assistant:{%- endif -%}
"""

# Whitespace control in both directions, comments, arithmetic, printing of values, break and continue.
CORNERS = """  {% if true %}
  kept indent
  {% endif %}
{% for m in messages %}
    {{ m.role }}:   {{ m.content | replace("a", "4") }}
	{%- if not loop.last %} |
	{% endif %}
{% endfor %}

{# a comment
   of two lines #}
tail {%+ if true %} plus {% endif +%}
{% set n = [3, 1, 2] | sort %}{{ n[0] }}{{ n[-1] }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 2 ** 3 }} {{ 10 / 4 }} {{ [1, 2] + [3] }} {{ {"a": none, "b": true} }} {{ undefined_name }}!
{% raw %}{{ not rendered }}{% endraw %}
{% filter upper %}loud {{ messages[-1].content }}{% endfilter %}
{% set block %}in a block{% endset %}
[{{ block }}] {{ "%s is %d" | format("x", 3) }} {{ 'a,b'.split(',') | join('+') }} {{ 'x' * 3 }} {{ 'no' if false }}
{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% else %}never{% endfor %}
{% for i in [] %}x{% else %}empty{% endfor %}
end
"""

TEMPLATES = {"llama3": HEADERS, "llama3-tools": HEADERS_TOOLS, "chatml": CHATML, "qwen2.5": CHATML_TOOLS, "qwen3": THINKING_CHATML,
             "mistral": INST, "mistral-tools": INST_TOOLS, "gemma": ONE_LINE, "zephyr": NO_DASHES, "deepseek": COLLECT,
             "macros": MACROS, "parts": MIXED_PARTS, "corners": CORNERS}


def say(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


WEATHER = {"type": "function", "function": {"name": "weather", "description": "the weather of a place", "parameters": {
    "type": "object", "properties": {"place": {"type": "string", "description": "A town & its <country>, 'é' or \"ü\""},
                                     "days": {"type": "integer"}, "unit": {"type": "string", "enum": ["C", "F"]}},
    "required": ["place"]}}}
SUM = {"type": "function", "function": {"name": "sum", "description": "", "parameters": {
    "type": "object", "properties": {"zeta": {"type": "array", "items": {"type": "number"}}, "alpha": {"type": "boolean"}},
    "required": []}}}

HELLO = [say("user", "Hello")]
SYSTEM = [say("system", "  Be short.\n"), say("user", " What is a shard? \n\n")]
TURNS = [say("user", "One & <two>?"), say("assistant", " Three's \"a\" crowd.\n"), say("user", "Größe 模型 🙂\tا")]
SYSTEM_TURNS = [say("system", "Rules."), *TURNS]
THINKING = [say("user", "a"), say("assistant", "<think>\nhm\n</think>\n\nb"), say("user", "c"),
            say("assistant", "<think>\n\nmore\n\n</think>\n\nd")]
ARGS = {"place": "Köln", "days": 2, "share": 0.5, "big": 1e20, "whole": 3.0, "on": True, "none": None, "list": [1, [], {}]}
CALLED = [say("user", "Rain?"), say("assistant", "", tool_calls=[call("weather", ARGS, id="call00001")]),
          say("tool", "21.5", tool_call_id="call00001"), say("assistant", "No."), say("user", "And 1+2?")]
TWO_CALLS = [say("user", "Both!"), say("assistant", "Yes:", tool_calls=[
                call("weather", {"place": "<Oslo>"}, id="call00001"), call("sum", {"zeta": [1, 2]}, id="call00002")]),
             say("tool", "3", tool_call_id="call00001"), say("tool", "{\"sum\": 3}", tool_call_id="call00002")]
PARTS = [say("user", [{"type": "text", "text": " look "}, {"type": "image"}, {"type": "text", "text": "here"}])]
PLAIN = [{"messages": m} for m in (HELLO, SYSTEM, TURNS, SYSTEM_TURNS)] + [{"messages": TURNS[:2], "add_generation_prompt": False}]
TOOLS = [{"messages": m, "tools": [WEATHER, SUM]} for m in (HELLO, SYSTEM_TURNS, CALLED, TWO_CALLS)]
ORDER = [{"messages": TURNS[1:]}, {"messages": [say("user", "a"), say("user", "b")]}, {"messages": [say("user", "a"), say("critic", "b")]}]

CASES = {
    "llama3-tools": PLAIN + TOOLS + [{"messages": HELLO, "kwargs": {"date_string": "01 Jan 2030"}}],
    "qwen2.5": PLAIN + TOOLS + [{"messages": CALLED}],
    "qwen3": PLAIN + [{"messages": m} for m in (CALLED, TWO_CALLS)] + [
        {"messages": THINKING, "add_generation_prompt": False}, {"messages": THINKING[:3]},
        {"messages": HELLO, "kwargs": {"enable_thinking": False}}, {"messages": HELLO, "kwargs": {"enable_thinking": True}}],
    "mistral": PLAIN + ORDER, "gemma": PLAIN + ORDER, "mistral-tools": PLAIN[:1] + TOOLS[:1] + TOOLS[2:] + ORDER[:2],
    "deepseek": PLAIN + [{"messages": THINKING}, {"messages": [*SYSTEM_TURNS, say("system", "Late rule.")]}],
    "macros": PLAIN + TOOLS[:2],
    "parts": PLAIN + [{"messages": PARTS}, {"messages": [say("user", [{"type": "sound"}])]}],
}


def render(name, case):
    tok = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token="<s>", eos_token="</s>")
    case = {"add_generation_prompt": True, **case}
    try:
        return case | {"text": tok.apply_chat_template(
            case["messages"], tools=case.get("tools"), chat_template=TEMPLATES[name], tokenize=False,
            add_generation_prompt=case["add_generation_prompt"], **case.get("kwargs", {}))}
    except TemplateError as e:
        return case | {"error": str(e)}


if __name__ == "__main__":
    out = [{"name": n, "bos_token": "<s>", "eos_token": "</s>", "template": t,
            "cases": [render(n, c) for c in CASES.get(n, PLAIN)]} for n, t in TEMPLATES.items()]
    lines = [json.dumps(o | {"cases": 0}, ensure_ascii=False)[:-2] + "[\n   "
             + ",\n   ".join(json.dumps(c, ensure_ascii=False) for c in o["cases"]) + "\n  ]}" for o in out]
    Path(__file__).with_name("chat_templates.json").write_text("[\n  " + ",\n  ".join(lines) + "\n]\n", encoding="utf-8")
