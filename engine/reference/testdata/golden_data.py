"""What golden.py works on: the models' shapes, what the tokenizers are trained on, what is tokenized and asked."""
import random

# vocab counts merged and byte tokens; special tokens come after them. old_config writes rope_theta and
# torch_dtype as published models have them, else rope_parameters and dtype as transformers 5 writes them.
FAMILIES = {
    "llama": dict(kind="llama", dtype="bfloat16", shards=2, vocab=700, old_config=True, theta=10000.0,
                  size=dict(hidden_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                            intermediate_size=80, rms_norm_eps=1e-5)),
    "qwen2": dict(kind="qwen2", dtype="float32", shards=1, vocab=640, old_config=True, theta=50000.0,
                  size=dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=1,
                            intermediate_size=72, rms_norm_eps=1e-6, use_sliding_window=False, sliding_window=64,
                            max_window_layers=2)),
    "qwen3": dict(kind="qwen3", dtype="bfloat16", shards=1, vocab=680, old_config=False, theta=1000000.0,
                  size=dict(hidden_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                            head_dim=24, intermediate_size=96, rms_norm_eps=1e-6, attention_bias=False)),
    "llama3rope": dict(kind="llama", dtype="float16", shards=1, vocab=620, old_config=True, theta=500000.0,
                       scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                    original_max_position_embeddings=64),
                       size=dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
                                 intermediate_size=64, rms_norm_eps=1e-5)),
}

TRAINING = [
    "A deployment starts with a configuration. The configuration names a model, and the model has files.",
    "The files are fetched, their size and digest are checked, and only then do they get their final names.",
    "An engine loads the weights, warms up, and says that it is ready. The router sends it the first request.",
    "We don't wait for what we don't need; it's the critical path that you'll see in the timeline.",
    "I'm sure they're here, he'd say, and I've seen that she'll go. IT'S LOUD. WE'RE DONE. YOU'LL SEE.",
    "func main() {\n\tfmt.Println(\"ready in\", 12.5, \"seconds\")\n}\n\nif err != nil {\n\treturn err\n}\n",
    "model_id: my_model\nmodel_source:\n  bucket_uri: s3://bucket/folder/model\nmax_model_len: 8192\n",
    "0 1 2 10 25 64 100 128 255 256 512 999 1000 1024 2026 4096 8192 65536 3.14 1e-6\r\n\r\n",
    "Größe, Straße, müde, über, déjà vu, façade, naïve, señor, mañana, København, Łódź, İstanbul",
    "Модель загружена. Сервер готов. Первый запрос получил ответ.",
    "モデルを読み込みます。準備ができました。模型已经加载，服务准备好了。모델이 준비되었습니다.",
    "النموذج جاهز الآن. המודל מוכן עכשיו. Το μοντέλο είναι έτοιμο. मॉडल तैयार है।",
    "🙂 🚀 ✅ ⚠️ 👩‍💻 → ← ≤ ≥ … “quoted” ‘quoted’ — dash",
]

WRITTEN = [
    "", " ", "a", "hello", "Hello, world!", " leading", "trailing ", "  two  spaces  ", "\t", "\n", "\n\n", "\n\n\n\n",
    "\r\n", "\r", "line\r\nline\r\n", "a\n b\n  c\n   d", "tab\tin\tthe\tmiddle", " \n \n ", "x \n\n y", "end   \n", "   \t  x",
    "            twelve", "it's", "IT'S", "It'S", "don't can't won't", "DON'T CAN'T", "I'll we've they're he'd I'm",
    "I'LL WE'VE THEY'RE HE'D I'M", "'s", "'S", "'tis 'twas 'll", "''s", "rock'n'roll", "l'été d'un s'il", "it’s curly", "'ſ x'ſ", "'K",
    "1", "12", "123", "1234", "12345678", "1,234,567.89", "3.14159e-10", "v1.2.3", "2026-11-23T16:47:05Z", "a1b2c3", "٣٤٥٦ ४५६ 一二三",
    "½ ² ³ Ⅷ ⑨ ㊈", "x²+y²=z²", "100%", "$5.00 €7 £8 ¥900", "C++ C# F#", "a_b_c __init__", "snake_case camelCase PascalCase",
    "http://localhost:8000/v1/models?x=1&y=2#z", "s3://bucket/a b/c.json", "user@example.com", "/usr/bin/env -S x", "C:\\temp\\new",
    "!!!", "...", "…", "---", "=== ===", "(a) [b] {c} <d>", "a,b;c:d", "?!?!\n\n?!", ".\n.\r\n.", " !\n", "\"q\" 'q' `q`", "``` \ncode\n```",
    "func f(x int) error {\n\treturn nil\n}", "SELECT * FROM t WHERE a<>'b';", "{\"a\": [1, 2.5, null, true]}", "<p class=\"x\">&amp;</p>",
    "é", "e\u0301", "cafe\u0301 café", "\u212b \u00c5 A\u030a", "q\u0307\u0323 q\u0323\u0307", "\u1112\u1161\u11ab \ud55c", "\u0958 \u0915\u093c", "o\u0302\u0323\u0301",
    "\u0301leading mark", "ﬁ ﬂ ﬀ", "\u2126 \u03a9 \u1fbe", "Å\u0301\u0327", "가각힣", "\uac00\u11a8", "żółć ŁÓDŹ", "ÄÖÜ äöü ß ẞ", "ǅ ǆ Ǆ", "İstanbul ıI i̇",
    "模型已经加载", "服务器 准备好了。", "日本語のテキスト、です。", "カタカナ ｶﾀｶﾅ ﾞ", "모델이 준비되었습니다", "𠮷野家 𝒳𝓎 𝟙𝟚", "Привет, мир!", "Καλημέρα κόσμε", "שלום עולם", "שָׁלוֹם",
    "مرحبا بالعالم", "العَرَبِيَّةُ ١٢٣", "नमस्ते दुनिया", "สวัสดีชาวโลก", "ကမ္ဘာ", "ქართული ენა", "Հայերեն", "አማርኛ",
    "🙂", "🙂🙂 🙂", "👩‍💻👨‍👩‍👧‍👦", "🏳️‍🌈🇩🇪🇯🇵", "👍🏽", "❤️ ❤", "ok✅done🚀", "1️⃣2️⃣", "☃ ★ → ∑ √2 ≤ ∞", "\u200b zero\u200bwidth\u200d \ufeffbom",
    "\u00a0nbsp\u00a0\u00a0x", "\u3000ideographic\u3000", "\u2028line\u2029para", "\u0085next", "\u1680\u2003\u202f\u205f", "a\u001cb\u001fc\u000bd\u000ce", "\u0000nul\u0001\u007f",
    "\u00ad soft\u00adhyphen", "\ufffd \ue000 \U0010fffd", "unmergeable", " unmergeable", "say unmergeable twice unmergeable",
    "<|begin_of_text|>", "<|eot_id|>", "<|im_start|>user\nhi<|im_end|>\n", "a<|eot_id|>b", "a <|im_end|> b", "<|im_start|><|im_start|>",
    "<|IM_END|>", "<|im_end", "<|im_end|", "<|start_header_id|>user<|end_header_id|>\n\nx", "<tool_call>\n{\"n\": 1}\n</tool_call>", "x<tool_call>y",
    "<|endoftext|>é<|endoftext|>e\u0301", "<|nothing|>", "<| im_end |>", "it<|im_end|>'s", "12<|eot_id|>345", "e<|im_end|>\u0301",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the the the the", "thethethethe", "configurationconfiguration", "ABCabcABC", "wordſword K",
]
PIECES = ["the", " model", "Ready", "'s", "'LL", "'t", "don't", " ", "  ", "\n", "\r\n", "\t", "7", "42", "2026", "1000000", ".", ",", "!?", "...",
          "é", "e\u0301", "ü", "ß", "模", "型", "🙂", "👍🏽", "م", "ا", "П", "н", "\u00a0", "\u3000", "<|im_end|>", "<|eot_id|>", "_", "-", "(", "\")"]


def mixed(seed, n):
    r = random.Random(seed)
    return ["".join(r.choices(PIECES, k=r.randint(3, 24))) for _ in range(n)]


def tokenizer_cases():
    """The written cases and random strings of pieces that tokenizers treat differently."""
    return WRITTEN + mixed(1, 60)


def training():
    return TRAINING * 8 + WRITTEN * 2 + mixed(2, 60)


def user(s):
    return {"role": "user", "content": s}


def assistant(s):
    return {"role": "assistant", "content": s}


def system(s):
    return {"role": "system", "content": s}


CHATS = [
    [user("Hi")],
    [user("What does a deployment do first?")],
    [system("You answer in one sentence."), user("  Which files does a model need?\n")],
    [user("Count to 3."), assistant("1, 2, 3."), user("And on to 12345?")],
    [system("Be kind."), user("Größe, cafe\u0301 und 模型: 🙂?"), assistant("نعم — ja."), user("It's GOOD, isn't IT'S?\r\nYes!")],
    [user("Here is a program:\n```go\nfunc main() {\n\tfmt.Println(\"ready\")\n}\n```\nWhat does it print, and when is it done?" * 2)],
    [system("You are careful."), user("one"), assistant("two"), user("three"), assistant("four"),
     user("The files are fetched, their size and digest are checked, and only then do they get their final names. " * 4)],
]
COMPLETIONS = ["The engine", " ", "A deployment starts with a configuration.\nThe", "12345 \n\n🙂"]

LLAMA_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
CHATML_TEMPLATE = """\
{%- if messages[0]['role'] != 'system' %}
    {{- '<|im_start|>system\\nYou are a small random model.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
