//! The algorithms that `wardpoint-core` computes itself: signatures of public and private keys, and sealing.
//!
//! Bytes to bytes, and nothing of tokens or keys as texts. A package of its own only because a package is what has an
//! optimization level: here each byte is bought for time.
//!
//! | what | by | why |
//! |---|---|---|
//! | sealing | `chacha20poly1305` | 10 KB less than AES, which wasm has no instructions for; time does not depend on the key |
//! | ECDSA | `p256`, `p384` | kept by RustCrypto; 80 KB for both with signing |
//! | Ed25519 | `ed25519-dalek` | twice as fast in wasm as `ed25519-compact`, and no larger |
//! | RSA, private | `crypto-bigint` | kept by RustCrypto, with one way through it for all numbers; under `p256` in any case |
//! | RSA, public | [`modular`] | nothing is secret; wasm multiplies 32 by 32 bits, for which no library has its limbs: four times as fast |
//!
//! `jwt-compact` was to be the library for tokens. It fits nowhere here: it reads headers and claims with `serde_json`, which takes
//! the last of two members of one name where a token must have one meaning only; its `rsa` is the one of RUSTSEC-2023-0071 with
//! private keys, and eight times as slow as what is here with public ones; and with its parts it is 310 KB large. It signs and
//! verifies in the test host, where it is a second opinion.
#![forbid(unsafe_code)]

pub mod aead;
pub mod ecdsa;
pub mod ed25519;
pub mod modular;
pub mod rsa;
