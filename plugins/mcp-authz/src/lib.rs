//! Which agent and user may call which MCP tool, as a plugin for proxies. All of it is [`wardpoint_core::mcp_authz`].
#![forbid(unsafe_code)]

wardpoint_proxy_wasm::export!(wardpoint_core::mcp_authz::McpAuthz);
