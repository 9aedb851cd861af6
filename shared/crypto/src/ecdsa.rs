//! ECDSA on the curves of NIST (FIPS 186-5 section 6). Signatures are r and then s, both of the size of the field.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;

/// Whether `signature` is that of a message with this SHA-256 digest under the point `key` (`x` and then `y`) of P-256.
///
/// `false` also for a point that is not on the curve, and for r or s that are not from 1 to the order less 1.
pub fn verify_p256(key: &[u8; 64], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let Ok(key) = p256::ecdsa::VerifyingKey::from_sec1_bytes(&uncompressed::<65>(key)) else { return false };
    let Ok(signature) = p256::ecdsa::Signature::from_slice(signature) else { return false };
    key.verify_prehash(digest, &signature).is_ok()
}

/// The same with SHA-384 on P-384.
pub fn verify_p384(key: &[u8; 96], digest: &[u8; 48], signature: &[u8; 96]) -> bool {
    let Ok(key) = p384::ecdsa::VerifyingKey::from_sec1_bytes(&uncompressed::<97>(key)) else { return false };
    let Ok(signature) = p384::ecdsa::Signature::from_slice(signature) else { return false };
    key.verify_prehash(digest, &signature).is_ok()
}

/// A private key on P-256.
#[derive(Clone)]
pub struct P256(p256::ecdsa::SigningKey);

impl P256 {
    /// The key of this number; `None` unless it is from 1 to the order less 1.
    pub fn new(number: &[u8; 32]) -> Option<Self> {
        p256::ecdsa::SigningKey::from_slice(number).ok().map(Self)
    }

    /// Its point, `x` and then `y`.
    pub fn public(&self) -> Option<[u8; 64]> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().get(1..)?.try_into().ok()
    }

    /// Signs a message, with SHA-256. The same message always gives the same signature (RFC 6979): no random number is
    /// needed, and none can be bad.
    pub fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        let signature: p256::ecdsa::Signature = self.0.try_sign(message).ok()?;
        signature.to_bytes().as_slice().try_into().ok()
    }
}

/// A point as SEC 1 section 2.3.3 writes it.
fn uncompressed<const N: usize>(point: &[u8]) -> [u8; N] {
    let mut text = [4; N];
    text.iter_mut().skip(1).zip(point).for_each(|(to, from)| *to = *from);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6979 appendix A.2.5, with SHA-256.
    #[test]
    fn the_vectors_of_rfc_6979() {
        let hex = |text: &str| -> Vec<u8> {
            let digit = |c: &u8| char::from(*c).to_digit(16).unwrap() as u8;
            text.as_bytes().chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
        };
        let number = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let key = P256::new(number.as_slice().try_into().unwrap()).unwrap();
        let public = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
        assert_eq!(key.public().map(Vec::from), Some(hex(public)));
        for (message, signature) in [
            (
                &b"sample"[..],
                "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
            ),
            (
                b"test",
                "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
            ),
        ] {
            assert_eq!(key.sign(message).map(Vec::from), Some(hex(signature)));
        }
        let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
        for none in [&[0; 32], <&[u8; 32]>::try_from(order.as_slice()).unwrap()] {
            assert!(P256::new(none).is_none());
        }
    }
}
