//! Which agent and user may call which MCP tool. The decisions are in `wardpoint_core::mcp_authz`; README.md has the
//! configuration.
#![forbid(unsafe_code)]

wardpoint_proxy_wasm::export!(wardpoint_core::mcp_authz::McpAuthz);
