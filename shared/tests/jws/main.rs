//! Tokens that are verified here (`jws`): form, keys, claims, vectors of others, and laws.

mod claims;
mod corpora;
mod forms;
mod host;
mod key_sets;
mod laws;
mod module;
mod signer;
mod signers;
mod vectors;
