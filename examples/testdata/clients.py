"""Asks the OpenAI API at argv[1] with the official client: my_llama, its adapters a and b, and my_embedder."""
import sys
from openai import OpenAI, NotFoundError

client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0)
texts = {}
for model in ["my_llama", "my_llama:a", "my_llama:b"]:
    ask = dict(model=model, messages=[{"role": "user", "content": "Hello"}], temperature=0, max_tokens=16)
    whole = client.chat.completions.create(**ask)
    assert whole.model == model, whole
    texts[model] = whole.choices[0].message.content
    streamed = "".join(c.choices[0].delta.content or "" for c in client.chat.completions.create(**ask, stream=True) if c.choices)
    assert streamed == texts[model], (streamed, texts)
    written = client.completions.create(model=model, prompt="Hello", temperature=0, max_tokens=4)
    assert written.usage.completion_tokens > 0, written
    answer = client.responses.create(model=model, input="Hello", temperature=0, max_output_tokens=16)
    assert answer.output_text, answer
    events = [e.type for e in client.responses.create(model=model, input="Hello", temperature=0, max_output_tokens=16, stream=True)]
    assert events[0] == "response.created" and events[-1] in ("response.completed", "response.incomplete"), events
assert len(set(texts.values())) == 3, texts
assert {"my_llama", "my_llama:a", "my_llama:b", "my_embedder"} <= {m.id for m in client.models.list()}

vectors = [d.embedding for d in client.embeddings.create(model="my_embedder", input=["Hello", "Good bye", "Hello"]).data]
assert len(vectors[0]) == 256 and vectors[0] == vectors[2] != vectors[1], vectors
short = client.embeddings.create(model="my_embedder", input="Hello", encoding_format="float").data[0].embedding
assert max(abs(a - b) for a, b in zip(short, vectors[0])) < 1e-2, short

for model in ["my_llama:missing", "other"]:
    try:
        client.completions.create(model=model, prompt="Hello")
        raise SystemExit(f"{model} answered")
    except NotFoundError as e:
        assert e.code == "model_not_found" and e.request_id, e
print("every answer was right")
