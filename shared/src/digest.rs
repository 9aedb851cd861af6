//! Digests of several parts.

use sha2::{Digest as _, Sha256};

/// SHA-256 of the parts, each with its length before it, so that no two lists of parts are one text.
pub(crate) fn of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
