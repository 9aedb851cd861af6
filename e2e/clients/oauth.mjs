// A TypeScript client whose user logs in with OAuth: a plan comes in on standard input, one JSON line goes out for everything seen.
import { randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";

const plan = JSON.parse(await text(process.stdin));
const SDKS = {
  "typescript-v1": async () => ({
    ...(await import("@modelcontextprotocol/sdk/client/index.js")),
    ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
    ...(await import("@modelcontextprotocol/sdk/client/auth.js")),
  }),
  "typescript-v2": () => import("@modelcontextprotocol/client"),
};
const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await SDKS[plan.sdk]();

// Keeps what the SDK learns, and is the user's browser: it follows redirects with cookies until they lead back to the client.
class Login {
  logins = 0;
  redirectUrl = "http://127.0.0.1:1/callback";
  clientMetadata = {
    client_name: "wardpoint-e2e",
    application_type: "native",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  // A token that it kept from an earlier day.
  kept = plan.token ? { access_token: plan.token, token_type: "Bearer" } : undefined;
  cookies = new Map();
  clientInformation = () => this.client;
  saveClientInformation = (client) => void (this.client = client);
  tokens = () => this.kept;
  saveTokens = (tokens) => void (this.kept = tokens);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);
  state = () => randomBytes(16).toString("hex");

  async redirectToAuthorization(asked) {
    this.logins++;
    let url = asked;
    for (let hops = 0; !url.href.startsWith(this.redirectUrl); hops++) {
      if (hops > 10) throw new Error("the login does not end");
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const answer = await fetch(url, { redirect: "manual", headers: { cookie } });
      for (const set of answer.headers.getSetCookie()) {
        const [name, value] = set.split(";")[0].split(/=(.*)/s);
        this.cookies.set(name, value);
      }
      const next = answer.headers.get("location");
      if (!next) throw new Error(`the login stopped with ${answer.status}: ${await answer.text()}`);
      url = new URL(next, url);
    }
    this.back = url.searchParams;
    if (this.back.get("state") !== asked.searchParams.get("state")) throw new Error("not the state that was sent");
  }
}

const login = new Login();
let client, transport;

async function open() {
  client = new Client({ name: "wardpoint-e2e", version: "1" }, plan.era === "2026-07-28" ? { versionNegotiation: { mode: { pin: plan.era } } } : {});
  transport = new StreamableHTTPClientTransport(new URL(plan.url), { authProvider: login });
  await client.connect(transport);
}

// As an application does it: where the SDK has sent the user to log in, it waits for them to come back and asks again.
async function withLogin(act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(plan.sdk === "typescript-v2" ? login.back : login.back.get("code"));
    return await act();
  }
}

for (const step of [{ do: "open" }, ...plan.steps]) {
  const seen = { step: step.do, name: step.name };
  try {
    if (step.do === "open") {
      await withLogin(open);
    } else if (step.do === "list") {
      seen.tools = (await withLogin(() => client.listTools())).tools.map((tool) => tool.name);
    } else {
      const result = await withLogin(() => client.callTool({ name: step.tool, arguments: step.arguments }));
      seen.text = result.content.map((block) => block.text).join("");
    }
  } catch (error) {
    seen.error = { name: error.name, message: error.message };
  }
  seen.logins = login.logins;
  seen.scope = login.kept?.scope;
  process.stdout.write(`${JSON.stringify(seen)}\n`);
  if (step.do === "open" && seen.error) break;
}
await client?.close();
