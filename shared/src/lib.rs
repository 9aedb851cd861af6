//! Every decision of the Wardpoint plugins, as a sans-IO machine.
//!
//! A policy is told what happened ([`filter::Filter`]) and says how to go on ([`filter::Step`]); it never calls anybody.
//! Time and randomness are inputs. The one law of driving it: one event into [`filter::Stream::handle`], then drain
//! [`filter::Stream::poll_op`] before the next.
//!
//! | layer | modules | knows |
//! |---|---|---|
//! | 5 | `mcp_authz`, [`token_exchange`] | one plugin each; they never use each other |
//! | 4 | [`identity`], [`jws`], [`approval`] | who: verified claims, agent mapping; tokens that are verified here; users who are asked |
//! | 3 | [`filter`] | the contract between a policy and a proxy |
//! | 2 | [`audit`], [`config`] | the record of a decision; text to policy |
//! | 1 | [`policy`] | decision, reason, rule, subject |
//! | 0 | [`http`], [`pairs`], `token68`, `keyed`, [`mod@path`], [`time`], [`secret`], [`seal`], `order`, `digest`, `base64`, `json`, `sse`, `jsonrpc`, `mcp`, [`oauth`] | wire formats; nothing of policy |
//!
//! A lower layer never uses a higher one (`tests/layers.rs`).
#![forbid(unsafe_code)]

pub mod approval;
pub mod audit;
pub mod config;
mod digest;
pub mod filter;
pub mod identity;
pub mod json;
pub mod jsonrpc;
pub mod jws;
pub mod mcp;
pub mod mcp_authz;
pub mod oauth;
pub mod path;
pub mod policy;
pub mod seal;
pub mod secret;
pub mod sse;
pub mod time;
pub mod token_exchange;

use wardpoint_wire::{base64, keyed, order, token68};
// What each request needs most, compiled for speed.
pub use wardpoint_wire::{http, pairs};
