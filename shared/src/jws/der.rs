//! DER (X.690) of what the host wants: public keys and ECDSA signatures.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// AlgorithmIdentifier of rsaEncryption, with the NULL that it must have (RFC 3279 section 2.3.1).
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// AlgorithmIdentifier of id-ecPublicKey on secp256r1 (RFC 5480 section 2.1.1).
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// AlgorithmIdentifier of id-ecPublicKey on secp384r1.
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
/// AlgorithmIdentifier of id-Ed25519 (RFC 8410 section 3).
const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";

/// SubjectPublicKeyInfo of an RSA key (RFC 8017 appendix A.1.1).
pub(super) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = tagged(SEQUENCE, &[integer(modulus), integer(exponent)].concat());
    public_key(RSA, &[], &key)
}

/// SubjectPublicKeyInfo of a point on P-256, x and then y.
pub(super) fn p256_key(point: &[u8]) -> Vec<u8> {
    public_key(P256, &[4], point)
}

/// SubjectPublicKeyInfo of a point on P-384, x and then y.
pub(super) fn p384_key(point: &[u8]) -> Vec<u8> {
    public_key(P384, &[4], point)
}

/// SubjectPublicKeyInfo of an Ed25519 key.
pub(super) fn ed25519_key(point: &[u8]) -> Vec<u8> {
    public_key(ED25519, &[], point)
}

/// ECDSA-Sig-Value (RFC 3279 section 2.2.3) of r and s, which a JWS has one behind the other (RFC 7518 section 3.4).
pub(super) fn ecdsa_signature(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    tagged(SEQUENCE, &[integer(r), integer(s)].concat())
}

fn public_key(algorithm: &[u8], form: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = tagged(BIT_STRING, &[&[0], form, key].concat());
    tagged(SEQUENCE, &[algorithm, &bits].concat())
}

/// A number that is not negative: no zeros in front but the one that keeps the first bit clear.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    tagged(INTEGER, &[sign, digits].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let size = content.len().to_be_bytes();
    let zeros = size.iter().take_while(|byte| **byte == 0).count();
    let digits = size.get(zeros..).unwrap_or_default();
    let mut out = Vec::with_capacity(content.len() + 4);
    out.push(tag);
    match digits {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}
