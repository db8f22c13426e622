// OpenAI's library for Node, with base URL and key changed. Prints {"name": text} of what it was answered.
import OpenAI from "openai";

const [origin, token, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: token, maxRetries: 0 });
const asked = { model, messages: [{ role: "user", content: "Where does the line go?" }] };
const whole = await client.chat.completions.create(asked);
let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
}
const response = await client.responses.create({ model, input: "Where does the line go?", store: false });
console.log(
  JSON.stringify({
    "openai (Node), whole": whole.choices[0].message.content,
    "openai (Node), streamed": streamed,
    "openai (Node), responses": response.output_text,
  }),
);
