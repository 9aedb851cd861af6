//! `token-exchange`: a call leaves with a token for its destination, and never with the one that it brought (RFC 8693).

pub mod authority;
pub mod issued;
pub mod profile;
