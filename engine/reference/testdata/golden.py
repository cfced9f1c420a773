"""Makes the models and golden files that the reference engine is held against.

Four tiny models with random, untied weights (one folder each, in Hugging Face layout) and for each a
golden.json: what the tokenizer, the chat template and greedy decoding of transformers make of it. The
weights are scaled so that greedy output is varied and never near a tie, else another seed is taken.
splits.json holds what the two split patterns alone make of the tokenizer's cases.

    python engine/reference/testdata/golden.py          # writes into its own folder

Needs torch 2.13, transformers 5.19 and tokenizers 0.23; other versions may write other bytes. Nothing is
fetched: the tokenizers are trained on the text in golden_data.py.
"""
import json, math, os, sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1"}  # before transformers is imported
sys.dont_write_bytecode = True  # leave no cache in the checkout
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, logging

import golden_data as data

HERE = Path(__file__).parent
STEPS, MARGIN, VARIETY = 32, 0.02, 16  # tokens per answer, least logit gap, least number of different tokens

# The split patterns of the published Llama 3 and Qwen 2 tokenizers: they differ in how digits are grouped.
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
         r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA_SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_cases(path, groups):
    """One case per line, so that a difference between two versions can be read."""
    body = [f' "{k}": [\n  ' + ",\n  ".join(json.dumps(c, ensure_ascii=False) for c in v) + "\n ]" for k, v in groups.items()]
    path.write_text("{\n" + ",\n".join(body) + "\n}\n", encoding="utf-8")


def split(qwen):
    return pre_tokenizers.Split(Regex(SPLIT % ("" if qwen else "{1,3}")), "isolated")


def make_tokenizer(kind, vocab):
    """A byte-level BPE tokenizer with the split pattern, normaliser and special tokens of its kind."""
    qwen = kind != "llama"
    t = Tokenizer(models.BPE(ignore_merges=not qwen))
    if qwen:
        t.normalizer = normalizers.NFC()
    t.decoder = decoders.ByteLevel()
    # Trained on text that is not split, so that merges cross the borders and a wrong split shows in the ids.
    t.pre_tokenizer = to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t.train_from_iterator(data.training(), trainers.BpeTrainer(
        vocab_size=vocab, max_token_length=10, show_progress=False, initial_alphabet=to_bytes.alphabet()))
    t.pre_tokenizer = pre_tokenizers.Sequence([split(qwen), to_bytes])
    special = QWEN_SPECIAL if qwen else LLAMA_SPECIAL
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in special])
    if qwen:
        t.add_tokens([AddedToken(s, normalized=False) for s in ["<tool_call>", "</tool_call>"]])
        t.post_processor = processors.ByteLevel(trim_offsets=False)
    else:
        bos = special[0]
        t.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, t.token_to_id(bos))])])
    return t


def write_tokenizer(folder, kind, vocab):
    t = json.loads(make_tokenizer(kind, vocab).to_str())
    if kind == "llama":
        # With ignore_merges a word of the vocabulary is one token although no merge leads to it.
        v, last = t["model"]["vocab"], "".join(t["model"]["merges"].pop())
        v["\u0120unmergeable"] = v.pop(last)
    if kind == "qwen2":
        t["model"]["merges"] = [" ".join(m) for m in t["model"]["merges"]]  # as older files have them
    write_json(folder / "tokenizer.json", t)
    special = LLAMA_SPECIAL if kind == "llama" else QWEN_SPECIAL
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 2048, "clean_up_tokenization_spaces": False,
        "bos_token": special[0] if kind == "llama" else None,
        "eos_token": special[-1], "pad_token": special[1] if kind == "llama" else special[0]})
    template = data.LLAMA_TEMPLATE if kind == "llama" else data.CHATML_TEMPLATE
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return {a["content"]: a["id"] for a in t["added_tokens"]}


def write_model(folder, f, ids, seed):
    """Writes config.json and the weights: every tensor random, norms and biases included."""
    vocab = max(ids.values()) + 1
    eos = [ids[QWEN_SPECIAL[2]], ids[QWEN_SPECIAL[0]]] if "<|im_end|>" in ids else [ids[LLAMA_SPECIAL[4]], ids[LLAMA_SPECIAL[1]]]
    bos = ids.get(LLAMA_SPECIAL[0], ids.get(QWEN_SPECIAL[0]))
    config = {"architectures": [f["kind"].capitalize() + "ForCausalLM"], "model_type": f["kind"], "vocab_size": vocab,
              "hidden_act": "silu", "max_position_embeddings": 2048, "tie_word_embeddings": False,
              "bos_token_id": bos, "eos_token_id": eos[0], "use_cache": True, **f["size"]}
    if f["old_config"]:
        config |= {"rope_theta": f["theta"], "rope_scaling": f.get("scaling"), "torch_dtype": f["dtype"]}
    else:
        config |= {"rope_parameters": {"rope_theta": f["theta"], "rope_type": "default"}, "dtype": f["dtype"]}
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {
        "bos_token_id": bos, "eos_token_id": eos, "do_sample": True, "temperature": 0.7, "top_p": 0.9})

    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    g = torch.Generator().manual_seed(seed)
    state = {name: random_tensor(name, p.shape, g).to(getattr(torch, f["dtype"])) for name, p in sorted(model.state_dict().items())}
    save(folder, state, f["shards"])


def random_tensor(name, shape, g):
    x = torch.randn(shape, generator=g)
    if name.endswith("norm.weight"):
        return 1 + 0.3 * x
    if name.endswith("bias"):
        return 0.5 * x
    if "embed_tokens" in name:
        return x
    gain = 6.0 if "lm_head" in name else 1.5  # wide logits keep clear of ties
    return x * gain / math.sqrt(shape[1])


def save(folder, state, shards):
    for old in folder.glob("*.safetensors*"):
        old.unlink()
    if shards == 1:
        return save_file(state, folder / "model.safetensors", {"format": "pt"})
    names, where = sorted(state), {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = {n: state[n] for n in names[i::shards]}
        save_file(part, folder / file, {"format": "pt"})
        where |= dict.fromkeys(part, file)
    size = sum(t.nbytes for t in state.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": where})


def greedy(model, tok, ids):
    """The answer to a prompt, or None when it is too dull or too near a tie to compare by."""
    prompt = torch.tensor([ids])  # the mask is given, else generate hides every token 0 as padding
    out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, temperature=None, top_p=None,
                         max_new_tokens=STEPS, return_dict_in_generate=True, output_logits=True, pad_token_id=0)
    new = out.sequences[0, len(ids):].tolist()
    best = [torch.topk(logits[0], 2).values for logits in out.logits]
    gap = min((b[0] - b[1]).item() for b in best)
    if len(new) < STEPS or gap < MARGIN or len(set(new)) < VARIETY:
        return None
    first = torch.topk(out.logits[0][0], 5)
    return {"greedy": new, "text": tok.decode(new, skip_special_tokens=True),
            "first_logits": [[i, round(v, 4)] for i, v in zip(first.indices.tolist(), first.values.tolist())]}


def answers(folder, tok):
    """Chats and completions with their answers, or None when one of them is unfit."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    chats, completions = [], []
    for messages in data.CHATS:
        prompt = tok.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        chats.append({"messages": messages, "prompt": prompt, "ids": tok.encode(prompt, add_special_tokens=False)})
    for prompt in data.COMPLETIONS:
        completions.append({"prompt": prompt, "ids": tok.encode(prompt)})  # with the tokenizer's own special tokens
    for case in chats + completions:
        answer = greedy(model, tok, case["ids"])
        if answer is None:
            return None
        case |= answer
    return {"chat": chats, "completion": completions}


def make(family, f):
    folder = HERE / family
    folder.mkdir(exist_ok=True)
    ids = write_tokenizer(folder, f["kind"], f["vocab"])
    for seed in range(500):
        write_model(folder, f, ids, seed)
        tok = AutoTokenizer.from_pretrained(folder)
        golden = answers(folder, tok)
        if golden:
            break
    else:
        raise SystemExit(f"{family}: no seed gives answers that can be compared")
    cases = [{"text": s, "ids": tok.encode(s, add_special_tokens=False)} for s in data.tokenizer_cases()]
    for c in cases:
        c["decoded"] = tok.decode(c["ids"])
    write_cases(folder / "golden.json", {"tokenizer": cases} | golden)
    print(f"{family}: seed {seed}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    write_cases(HERE / "splits.json", {name: [
        {"text": s, "pieces": [p for p, _ in split(qwen).pre_tokenize_str(s)]} for s in data.tokenizer_cases()]
        for name, qwen in [("llama", False), ("qwen", True)]})
    for family, f in data.FAMILIES.items():
        make(family, f)
