//! `token-exchange`: a call leaves with a token for its destination, and never with the one that it brought (RFC 8693).
//!
//! 1. With the headers: the caller is named, the destination finds its route, and what has no token is refused.
//! 2. A token of the cache is used, or one is asked for; requests that need the same one wait for one call.
//! 3. The answer is judged before it is used: type, audience, subject, scopes, agent, expiry (OA-TE-02 to 04).
//! 4. The token that the request brought is taken away wherever it stands, and the new one is set.
//!
//! All of it is decided in the header phase, so it holds on a proxy that cannot hold headers too.

pub mod config;
mod policy;
mod routes;

pub use policy::Policy;

/// The plugin's name.
pub const NAME: &str = "token-exchange";
