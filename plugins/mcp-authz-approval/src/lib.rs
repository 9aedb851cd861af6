//! `mcp-authz` that also asks users who are away. The decisions are in `wardpoint_core::mcp_authz`; README.md has the
//! configuration.
#![forbid(unsafe_code)]

wardpoint_proxy_wasm::export!(wardpoint_core::mcp_authz::McpAuthzApproval);
