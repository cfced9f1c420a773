"""Asks the OpenAI API at argv[1] for model argv[2] with the official client, whole and streamed."""
import sys
from openai import OpenAI

client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0)
ask = dict(model=sys.argv[2], messages=[{"role": "user", "content": "Hello"}], temperature=0, max_tokens=24)

assert sys.argv[2] in [m.id for m in client.models.list()]
whole = client.chat.completions.create(**ask)
text = whole.choices[0].message.content
assert text, whole
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens

parts, usage = [], None
for chunk in client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}):
    parts += [c.delta.content or "" for c in chunk.choices]
    usage = chunk.usage or usage
assert "".join(parts) == text, (parts, text)
assert usage.completion_tokens == whole.usage.completion_tokens
print("answer:", text)
