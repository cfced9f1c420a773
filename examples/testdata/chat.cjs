// Asks the OpenAI API at argv[2] for model argv[3] with the official client and the key
// argv[4], whole and streamed.
const assert = require("node:assert");
const OpenAI = require("openai");

async function main([url, model, apiKey]) {
  const client = new OpenAI({ baseURL: url + "/v1", apiKey, maxRetries: 0 });
  const ask = { model, messages: [{ role: "user", content: "Hello" }], temperature: 0, max_tokens: 24 };

  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert(ids.includes(model), ids);
  const whole = await client.chat.completions.create(ask);
  const text = whole.choices[0].message.content;
  assert(text, whole);
  assert(whole._request_id, whole);

  let parts = "";
  for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
    parts += chunk.choices[0]?.delta?.content ?? "";
  }
  assert.strictEqual(parts, text);

  const stranger = new OpenAI({ baseURL: url + "/v1", apiKey: "wrong", maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create(ask), (e) => e instanceof OpenAI.AuthenticationError && e.code === "invalid_api_key" && !!e.requestID);
  await assert.rejects(client.chat.completions.create({ ...ask, model: "other" }), (e) => e instanceof OpenAI.NotFoundError && /known models/.test(e.message));
  await assert.rejects(client.embeddings.create({ model, input: "Hello" }), (e) => e instanceof OpenAI.NotFoundError && /POST .v1.embeddings/.test(e.message));
  console.log("answer:", text);
}

main(process.argv.slice(2)).catch((e) => { console.error(e); process.exit(1); });
