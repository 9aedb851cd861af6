//! What an RSA signature is of: the digest, in one of two paddings (RFC 8017 section 9).

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::Algorithm;

/// DigestInfo up to the digest (section 9.2, note 1).
const SHA256: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
const SHA384: &[u8] = b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
const SHA512: &[u8] = b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

/// EMSA-PKCS1-v1_5-ENCODE (section 9.2) of a message, `size` bytes long. To compare with it is the only safe way to verify: what
/// reads a padding also finds one in forgeries. `None` for an algorithm with another padding, or a size that has no room.
pub(super) fn pkcs1(algorithm: Algorithm, message: &[u8], size: usize) -> Option<Vec<u8>> {
    let info = match algorithm {
        Algorithm::Rs256 => [SHA256, &Sha256::digest(message)].concat(),
        Algorithm::Rs384 => [SHA384, &Sha384::digest(message)].concat(),
        Algorithm::Rs512 => [SHA512, &Sha512::digest(message)].concat(),
        Algorithm::Ed25519 | Algorithm::Es256 | Algorithm::Es384 | Algorithm::Ps256 => return None,
    };
    let filling = size.checked_sub(info.len() + 3).filter(|filling| *filling >= 8)?;
    Some([b"\x00\x01", &*vec![0xff; filling], b"\x00", &*info].concat())
}

/// EMSA-PSS-VERIFY (section 9.1.2) with SHA-256 and a salt of as many bytes, which is what PS256 means (RFC 7518 section 3.5).
/// `bits` are those of the modulus; `encoded` is as long as that.
pub(super) fn is_pss(message: &[u8], encoded: &[u8], bits: usize) -> bool {
    const HASH: usize = 32;
    // The encoding has one bit less than the modulus, and so perhaps one byte less, which must be zero.
    let size = (bits - 1).div_ceil(8);
    let Some((before, encoded)) = encoded.len().checked_sub(size).and_then(|at| encoded.split_at_checked(at)) else {
        return false;
    };
    let Some((masked, rest)) = size.checked_sub(HASH + 1).and_then(|at| encoded.split_at_checked(at)) else { return false };
    let (Some((hash, [0xbc])), [0] | []) = (rest.split_at_checked(HASH), before) else { return false };
    let unused = 0xff_u8.checked_shl(u32::try_from(8 - (8 * size + 1 - bits)).unwrap_or_default()).unwrap_or_default();
    if masked.first().is_none_or(|first| first & unused != 0) {
        return false;
    }
    let mut block: Vec<u8> = masked.iter().zip(mask(hash)).map(|(a, b)| a ^ b).collect();
    if let Some(first) = block.first_mut() {
        *first &= !unused;
    }
    let Some((filling, salt)) = block.len().checked_sub(HASH).and_then(|at| block.split_at_checked(at)) else { return false };
    let filled = filling.split_last().is_some_and(|(last, zeros)| *last == 1 && zeros.iter().all(|byte| *byte == 0));
    let digest = Sha256::new().chain_update([0; 8]).chain_update(Sha256::digest(message)).chain_update(salt).finalize();
    filled && digest.as_slice() == hash
}

/// MGF1 with SHA-256 (appendix B.2.1), without end.
fn mask(seed: &[u8]) -> impl Iterator<Item = u8> {
    (0_u32..).flat_map(move |count| Sha256::new().chain_update(seed).chain_update(count.to_be_bytes()).finalize())
}
