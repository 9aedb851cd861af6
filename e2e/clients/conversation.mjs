// One conversation of a TypeScript client: a plan comes in on standard input, one JSON line goes out for everything seen.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { Agent, fetch } from "undici";

// `makeClient({era})` and `makeTransport(url, options)` are what differs between the two generations of the SDK.
export async function converse({ makeClient, makeTransport, listTools, callTool }) {
  const plan = JSON.parse(await text(process.stdin));
  const connect = { ca: readFileSync(plan.ca), cert: readFileSync(plan.cert), key: readFileSync(plan.key) };
  const dispatcher = new Agent({ connect, allowH2: plan.http === "2" });
  const headers = plan.token ? { authorization: `Bearer ${plan.token}` } : {};
  const transport = makeTransport(new URL(plan.url), {
    requestInit: { headers },
    fetch: (url, init) => fetch(url, { ...init, dispatcher }),
  });
  const client = makeClient({ era: plan.era });

  for (const step of [{ do: "open" }, ...plan.steps]) {
    const started = performance.now();
    const seen = { step: step.do, name: step.name };
    try {
      if (step.do === "open") {
        await client.connect(transport);
        seen.session = transport.sessionId ?? null;
      } else if (step.do === "list") {
        seen.tools = (await listTools(client)).tools.map((tool) => tool.name);
      } else if (step.do === "call") {
        seen.progress = 0;
        const onprogress = () => say({ event: "progress", name: step.name, progress: ++seen.progress });
        const result = await callTool(client, step.tool, step.arguments, step.stream ? { onprogress } : {});
        seen.text = result.content.map((block) => block.text).join("");
        seen.isError = result.isError ?? false;
      } else if (step.do === "end") {
        await transport.terminateSession();
        seen.session = transport.sessionId ?? null;
      }
    } catch (error) {
      seen.error = { name: error.name, code: error.code ?? null, message: error.message, data: error.data ?? null };
    }
    seen.ms = Math.round(performance.now() - started);
    say(seen);
    if (step.do === "open" && seen.error) break;
  }
  await client.close();
  await dispatcher.destroy();
}

function say(seen) {
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}
