// Asks the OpenAI API at argv[2] with the official client: my_llama, its adapters a and b, and
// my_embedder.
const assert = require("node:assert");
const OpenAI = require("openai");

async function main([url]) {
  const client = new OpenAI({ baseURL: url + "/v1", apiKey: "unused", maxRetries: 0 });
  const texts = new Set();
  for (const model of ["my_llama", "my_llama:a", "my_llama:b"]) {
    const ask = { model, messages: [{ role: "user", content: "Hello" }], temperature: 0, max_tokens: 16 };
    const whole = await client.chat.completions.create(ask);
    assert.strictEqual(whole.model, model);
    texts.add(whole.choices[0].message.content);
    let parts = "";
    for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
      parts += chunk.choices[0]?.delta?.content ?? "";
    }
    assert.strictEqual(parts, whole.choices[0].message.content);
    const answer = await client.responses.create({ model, input: "Hello", temperature: 0, max_output_tokens: 16 });
    assert(answer.output_text, answer);
    const events = [];
    for await (const e of await client.responses.create({ model, input: "Hello", temperature: 0, max_output_tokens: 16, stream: true })) events.push(e.type);
    assert.strictEqual(events[0], "response.created");
    assert.match(events.at(-1), /^response\.(completed|incomplete)$/);
  }
  assert.strictEqual(texts.size, 3);

  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  for (const id of ["my_llama", "my_llama:a", "my_llama:b", "my_embedder"]) assert(ids.includes(id), ids);

  const { data } = await client.embeddings.create({ model: "my_embedder", input: ["Hello", "Good bye", "Hello"] });
  assert.strictEqual(data[0].embedding.length, 256);
  assert.deepStrictEqual(data[0].embedding, data[2].embedding);
  assert.notDeepStrictEqual(data[0].embedding, data[1].embedding);

  for (const model of ["my_llama:missing", "other"]) {
    await assert.rejects(client.completions.create({ model, prompt: "Hello" }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found" && !!e.requestID);
  }
  console.log("every answer was right");
}

main(process.argv.slice(2)).catch((e) => { console.error(e); process.exit(1); });
