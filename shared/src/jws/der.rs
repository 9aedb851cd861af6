//! DER (X.690): public keys and ECDSA signatures for the host, and private keys of clients.

const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]` and `[1]` of an ECPrivateKey (RFC 5915 section 3).
pub(super) const PARAMETERS: u8 = 0xa0;
pub(super) const PUBLIC: u8 = 0xa1;

/// AlgorithmIdentifier of rsaEncryption, with the NULL that it must have (RFC 3279 section 2.3.1).
pub(super) const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// AlgorithmIdentifier of id-ecPublicKey on secp256r1 (RFC 5480 section 2.1.1).
pub(super) const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// secp256r1.
pub(super) const P256_NAME: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// AlgorithmIdentifier of id-ecPublicKey on secp384r1.
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
/// AlgorithmIdentifier of id-Ed25519 (RFC 8410 section 3).
pub(super) const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";

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

/// Reads definite lengths in their shortest form; what else BER allows is an error.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// What is in a SEQUENCE that is all there is.
    pub(super) fn sequence_to_end(mut self) -> Option<Self> {
        let content = self.take(SEQUENCE)?;
        self.0.is_empty().then_some(Self(content))
    }

    /// What is in the next element, if it has this tag; else it stays.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (head, size) = self.next(tag)?;
        let (element, rest) = self.0.split_at_checked(head + size)?;
        self.0 = rest;
        element.get(head..)
    }

    /// The next element with its tag and length.
    pub(super) fn raw(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (head, size) = self.next(tag)?;
        let (element, rest) = self.0.split_at_checked(head + size)?;
        self.0 = rest;
        Some(element)
    }

    /// A number that is not negative, without the zero that only keeps the first bit clear.
    pub(super) fn integer(&mut self) -> Option<&'a [u8]> {
        match self.take(INTEGER)? {
            [0, number @ ..] if number.first().is_some_and(|byte| *byte >= 0x80) => Some(number),
            [0] => Some(&[0]),
            number if number.first().is_some_and(|byte| (1..0x80).contains(byte)) => Some(number),
            _ => None,
        }
    }

    /// Sizes of tag with length, and of content.
    fn next(&self, tag: u8) -> Option<(usize, usize)> {
        match *self.0 {
            [found, ..] if found != tag => None,
            [_, size, ..] if size < 0x80 => Some((2, usize::from(size))),
            [_, 0x81, size, ..] if size >= 0x80 => Some((3, usize::from(size))),
            [_, 0x82, high, low, ..] if high > 0 => Some((4, usize::from(high) << 8 | usize::from(low))),
            _ => None,
        }
    }
}
