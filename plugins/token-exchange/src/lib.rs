//! A call leaves with a token for its destination, and never with the one that it brought. The decisions are in
//! `wardpoint_core::token_exchange`; README.md has the configuration.
#![forbid(unsafe_code)]

wardpoint_proxy_wasm::export!(wardpoint_core::token_exchange::TokenExchange);
