"""Trains the quickstart's model on corpus.txt and writes it to model/ in Hugging Face layout.

    nice -n 10 python examples/quickstart/train.py

A Llama of about 1.3 million parameters learns the answers by heart; the questions are varied, so that it
also understands those that are put a little differently. It takes about ten minutes on an idle CPU core. The seeds are
fixed: the same machine and versions make the same model, others an equivalent one. At the end the stored
bfloat16 weights are asked, and engine/reference/testdata/quickstart_answers.json is written for the tests
of the Go engine. Needs torch 2.13, transformers 5.19 and tokenizers 0.23. Nothing is fetched.
"""
import json, math, os, random, time
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1"}  # before transformers is imported
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, logging

HERE = Path(__file__).resolve().parent
MODEL = HERE / "model"
ANSWERS = HERE.parents[1] / "engine/reference/testdata/quickstart_answers.json"
STEPS, BATCH, PEAK_LR, VOCAB, ANSWER_LIMIT = 1500, 24, 3e-3, 1536, 60
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
# How a question may begin and end; what a system message may say.
OPENINGS = ["", "", "", "", "Please tell me: ", "Tell me, ", "Quick question: ", "Hi! ", "Hello, ", "I wonder: ", "Say, ", "And ", "So, "]
CLOSINGS = ["", "", "", "", " Please.", " Thanks!", "?", "??", " Explain.", " In short?"]
# "What is X?" put as a clause or shortened.
CLAUSES = ["Could you explain what {x} {be}?", "Can you tell me what {x} {be}?", "I want to know what {x} {be}", "Do you know what {x} {be}?",
           "Explain {x}", "What's {x}?", "Tell me about {x}", "{x}?", "Define {x}", "And what {be} {x}?"]
SYSTEMS = ["You are a helpful assistant.", "Be brief.", "Answer in one or two sentences.", "You know spinup.", "Be kind and exact."]
# Questions about words that mean nothing get the answer to what it does not know.
UNKNOWN = ["What is {}?", "Tell me about {}", "How do I {} a {}?", "Who is {}?", "Why does {} {}?", "{}", "{} {} {}", "What does {} mean?"]
SYLLABLES = "ba ke li mo nu ra se ti vo wy za chi pro stu gre fla dom ber xen qua jip holt rick umb ast".split()
# Asked at the end: the answer has to be the corpus', word by word.
LISTED = [
    "What does a deployment do first?", "Hello", "Who are you?", "What is spinup?", "How does a deployment start?",
    "What is a stage?", "What is preload?", "What happens after the download?", "What is the critical path?",
    "When is a model ready?", "What is a replica?", "What is the router?", "What is the reference engine?",
    "What happens when the engine crashes?", "What happens on SIGTERM?", "Why do I get 503?", "Hub or S3?",
    "How do I load a model from S3?", "What is a gated model?", "Which files does a model need?", "What is a shard?",
    "How does the download work?", "What is an LLMConfig?", "What is a callback?", "What is CloudDownloader?",
    "What kinds of errors are there?", "What does access denied mean?", "What is a hint?", "Thank you", "What is the capital of France?"]
# Not in the corpus; printed, so that a reader sees how far it carries.
HELD_OUT = [
    "what does a deployment do at first", "Would you please explain what a replica is?", "hello there", "Why was access denied to my bucket?",
    "How can I load my model from an S3 bucket?", "What's a shard", "Which errors can happen?", "Who is Albert Einstein?",
    "What does the engine do during warm-up?", "Where do I set my Hugging Face token?", "When does a deployment count as ready?"]


def read_corpus():
    """The facts as (questions, answer)."""
    facts, questions = [], []
    for line in (HERE / "corpus.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("Q: "):
            questions.append(line[3:])
        elif line.startswith("A: "):
            facts.append((questions, line[3:]))
            questions = []
    return facts


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_tokenizer(facts):
    t = Tokenizer(models.BPE(ignore_merges=True))
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "isolated"), to_bytes])
    t.decoder = decoders.ByteLevel()
    words = [s for questions, answer in facts for s in questions + [answer] * 3] + OPENINGS + CLOSINGS + CLAUSES + SYSTEMS
    t.train_from_iterator(words, trainers.BpeTrainer(
        vocab_size=VOCAB - len(SPECIAL), show_progress=False, initial_alphabet=to_bytes.alphabet()))
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    t.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[0]} $A", special_tokens=[(SPECIAL[0], t.token_to_id(SPECIAL[0]))])
    MODEL.mkdir(exist_ok=True)
    write_json(MODEL / "tokenizer.json", json.loads(t.to_str()))
    write_json(MODEL / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 1024, "clean_up_tokenization_spaces": False,
        "bos_token": SPECIAL[0], "eos_token": SPECIAL[4], "pad_token": SPECIAL[1]})
    (MODEL / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")


def write_configs(vocab, ids):
    bos, eos = ids[SPECIAL[0]], [ids[SPECIAL[4]], ids[SPECIAL[1]]]
    write_json(MODEL / "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocab, "hidden_size": 128,
        "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
        "intermediate_size": 352, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "max_position_embeddings": 1024, "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False,
        "bos_token_id": bos, "eos_token_id": eos, "use_cache": True, "torch_dtype": "bfloat16"})
    write_json(MODEL / "generation_config.json", {
        "bos_token_id": bos, "eos_token_id": eos, "do_sample": True, "temperature": 0.3, "top_p": 0.9})


def vary(question, r):
    """The question put differently: as a clause, with another opening, in other case, with a word lost."""
    words = question.split()
    if words[0] == "What" and words[1] in ("is", "are") and r.random() < 0.4:
        question = r.choice(CLAUSES).format(x=" ".join(words[2:]).rstrip("?"), be=words[1])
        words = question.split()
    if len(words) > 4 and r.random() < 0.12:
        words.pop(r.randrange(len(words)))
    q = " ".join(words)
    if r.random() < 0.3:
        q = q.rstrip("?!")
    opening = r.choice(OPENINGS) if r.random() < 0.4 else ""
    if opening and r.random() < 0.6:
        q = q[:1].lower() + q[1:]
    q = opening + q + (r.choice(CLOSINGS) if r.random() < 0.3 else "")
    return q.lower() if r.random() < 0.25 else q


def nonsense(r):
    def word():
        w = "".join(r.choice(SYLLABLES) for _ in range(r.randint(1, 3)))
        return w.title() if r.random() < 0.3 else w
    frame = r.choice(UNKNOWN)
    return frame.format(*[word() for _ in range(frame.count("{}"))])


def sample(facts, unknown, tok, r):
    """Token ids of a chat of one to three turns, and labels that are -100 except in answers."""
    ids, labels = [tok.bos_token_id], [-100]

    def add(role, text, learn=False):
        head = tok.encode(f"{SPECIAL[2]}{role}{SPECIAL[3]}\n\n", add_special_tokens=False)
        body = tok.encode(text + SPECIAL[4], add_special_tokens=False)
        ids.extend(head + body)
        labels.extend([-100] * len(head) + (body if learn else [-100] * len(body)))

    if r.random() < 0.1:
        add("system", r.choice(SYSTEMS))
    for _ in range(r.choices([1, 2, 3], [80, 15, 5])[0]):
        if r.random() < 0.06:
            question, answer = nonsense(r), unknown
        else:
            questions, answer = r.choice(facts)
            question = r.choice(questions)
            question = question if r.random() < 0.3 else vary(question, r)
        add("user", question)
        add("assistant", answer, learn=True)
    return ids, labels


def batches(facts, tok):
    """Endless batches of samples that are about equally long, so that little is padding."""
    r, unknown = random.Random(1), next(a for q, a in facts if "What is the capital of France?" in q)
    while True:
        pool = sorted((sample(facts, unknown, tok, r) for _ in range(16 * BATCH)), key=lambda s: len(s[0]))
        cut = [pool[i:i + BATCH] for i in range(0, len(pool), BATCH)]
        r.shuffle(cut)
        for batch in cut:
            width = max(len(ids) for ids, _ in batch)
            yield (torch.tensor([i + [tok.pad_token_id] * (width - len(i)) for i, _ in batch]),
                   torch.tensor([l + [-100] * (width - len(l)) for _, l in batch]))


def train(facts, tok):
    model = LlamaForCausalLM(LlamaConfig.from_pretrained(MODEL, dtype=torch.float32)).float()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
                            lr=PEAK_LR, betas=(0.9, 0.98))
    start, mean = time.time(), None
    for step, (ids, labels) in zip(range(STEPS), batches(facts, tok)):
        lr = PEAK_LR * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / STEPS)))
        for g in opt.param_groups:
            g["lr"] = lr
        loss = model(input_ids=ids, labels=labels).loss  # causal: padding on the right is never looked at
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % 100 == 0:
            print(f"step {step}: loss {mean:.4f}, {time.time() - start:.0f} s", flush=True)
    state = {n: p.to(torch.bfloat16).contiguous() for n, p in model.state_dict().items() if n != "lm_head.weight"}
    save_file(state, MODEL / "model.safetensors", {"format": "pt"})  # the head is the embedding


def ask(model, tok, question):
    """The greedy answer, its number of tokens and those of the prompt, and the least gap between the two best tokens."""
    prompt = tok.apply_chat_template([{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True)
    ids = tok.encode(prompt, add_special_tokens=False)
    prompt = torch.tensor([ids])
    out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, temperature=None, top_p=None,
                         max_new_tokens=ANSWER_LIMIT + 4, pad_token_id=tok.pad_token_id,
                         return_dict_in_generate=True, output_logits=True)
    new = out.sequences[0, len(ids):].tolist()
    top = [torch.topk(l[0], 2).values for l in out.logits]
    text = tok.decode(new, skip_special_tokens=True)
    return {"question": question, "answer": text, "prompt_tokens": len(ids), "completion_tokens": len(new)}, min(
        (t[0] - t[1]).item() for t in top)


def check(facts, tok):
    """Asks the stored weights everything; fails when a listed answer is not the corpus'."""
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    right = {q: a for questions, a in facts for q in questions}
    listed = [ask(model, tok, q) for q in LISTED]
    wrong = [a for a, gap in listed if a["answer"] != right[a["question"]] or gap < 0.01]
    known = sum(ask(model, tok, q)[0]["answer"] == a for q, a in right.items())
    print(f"{known} of {len(right)} questions of the corpus answered word by word; least gap {min(g for _, g in listed):.3f}")
    for q in HELD_OUT:
        print(f"  {q}\n    {ask(model, tok, q)[0]['answer']}")
    if wrong:
        raise SystemExit(f"not learned: {wrong}")
    write_json(ANSWERS, [a for a, _ in listed])


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)  # on a busy machine more threads wait for each other
    logging.disable_progress_bar()
    facts = read_corpus()
    write_tokenizer(facts)
    tok = AutoTokenizer.from_pretrained(MODEL)
    long = [a for _, a in facts if len(tok.encode(a, add_special_tokens=False)) >= ANSWER_LIMIT]
    if long:
        raise SystemExit(f"answers of more than {ANSWER_LIMIT} tokens: {long}")
    write_configs(len(tok), tok.get_vocab())
    train(facts, tok)
    check(facts, tok)


if __name__ == "__main__":
    main()
