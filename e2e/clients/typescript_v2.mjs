// The v2 line of the TypeScript SDK, in both eras.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { converse } from "./conversation.mjs";

await converse({
  makeClient: ({ era }) => {
    const mode = era === "2026-07-28" ? { pin: era } : "legacy";
    return new Client({ name: "wardpoint-e2e", version: "1" }, { versionNegotiation: { mode } });
  },
  makeTransport: (url, options) => new StreamableHTTPClientTransport(url, options),
  listTools: (client) => client.listTools(),
  callTool: (client, name, args, options) => client.callTool({ name, arguments: args }, options),
});
