//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): nonces are so long that random ones never meet.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};

/// Bytes that sealing adds.
pub const TAG: usize = 16;

/// Seals `text`, and binds it to `about`, which is not in it; `None` for a text that is too long.
pub fn seal(key: &[u8; 32], nonce: &[u8; 24], about: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
    XChaCha20Poly1305::new(key.into()).encrypt_in_place(nonce.into(), about, &mut text).ok()?;
    Some(text)
}

/// Opens what was sealed with the same key, nonce and `about`; `None` for anything else.
pub fn open(key: &[u8; 32], nonce: &[u8; 24], about: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    XChaCha20Poly1305::new(key.into()).decrypt_in_place(nonce.into(), about, &mut sealed).ok()?;
    Some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix A.3.1 of the draft.
    #[test]
    fn the_vector_of_the_draft() {
        let key = core::array::from_fn(|i| 0x80 + i as u8);
        let nonce = core::array::from_fn(|i| 0x40 + i as u8);
        let about = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let text =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let sealed = seal(&key, &nonce, &about, text.to_vec()).unwrap();
        assert_eq!(sealed.get(..8), Some(&[0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b][..]));
        let tag = [0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49];
        assert_eq!(sealed.get(text.len()..), Some(&tag[..]));
        assert_eq!(open(&key, &nonce, &about, sealed.clone()), Some(text.to_vec()));
        assert_eq!(open(&key, &nonce, &about[1..], sealed.clone()), None);
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert_eq!(open(&key, &nonce, &about, other), None);
        }
        for size in 0..TAG {
            assert_eq!(open(&key, &nonce, &about, sealed[..size].to_vec()), None);
        }
    }
}
