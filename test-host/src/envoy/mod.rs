//! The engine `envoy`: a real Envoy, around which it plays client, upstream and called services.
//!
//! One Envoy lives as long as the engine. Each distinct configuration is a listener of it, added while it runs (file-based
//! LDS), so starting is paid once. Whether the plugin's VM is shared between plays: see `listeners`.

mod admin;
mod bootstrap;
mod client;
mod engine;
mod identity;
mod listeners;
mod log;
mod message;
mod proxy;
mod servers;
mod stage;
mod steady;

pub use engine::Envoy;
