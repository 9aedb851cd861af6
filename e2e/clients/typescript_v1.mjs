// The v1 line of the TypeScript SDK; it ends at 2025-11-25.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { converse } from "./conversation.mjs";

await converse({
  makeClient: () => new Client({ name: "wardpoint-e2e", version: "1" }),
  makeTransport: (url, options) => new StreamableHTTPClientTransport(url, options),
  listTools: (client) => client.listTools(),
  callTool: (client, name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
});
