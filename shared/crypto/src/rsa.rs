//! The private operation of RSA (RFC 8017 section 5.2.1), by the remainders modulo both primes.
//!
//! `crypto-bigint` takes the same steps whatever the numbers are, so nothing is blinded: blinding hides the base from a timing
//! that depends on it, and here none does. A result is checked with the public key before it leaves: one fault in one of the
//! two halves would show the primes.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, ConcatenatingMul as _, NonZero, Odd, Resize as _};

use crate::modular::Modulus;

/// The numbers of a private key with two primes (RFC 8017 section 3.2), highest byte first. The private exponent itself is not used.
#[derive(Clone, Copy)]
pub struct Numbers<'a> {
    /// The modulus.
    pub n: &'a [u8],
    /// The public exponent.
    pub e: u32,
    /// The first prime.
    pub p: &'a [u8],
    /// The second prime.
    pub q: &'a [u8],
    /// The private exponent modulo p - 1.
    pub dp: &'a [u8],
    /// The private exponent modulo q - 1.
    pub dq: &'a [u8],
    /// The inverse of q modulo p.
    pub qi: &'a [u8],
}

/// A private key.
pub struct PrivateKey {
    public: Modulus,
    exponent: u32,
    size: usize,
    p: Half,
    q: Half,
    /// The inverse of q modulo p.
    inverse: BoxedMontyForm,
}

/// What is done modulo one prime.
struct Half {
    prime: NonZero<BoxedUint>,
    parameters: BoxedMontyParams,
    exponent: BoxedUint,
}

impl PrivateKey {
    /// Takes numbers that fit one another; `None` for others, and unless the modulus has a whole number of bytes, from 256 to
    /// 512, and each prime half as many.
    pub fn new(numbers: &Numbers<'_>) -> Option<Self> {
        let size = numbers.n.len();
        let whole = |number: &[u8]| number.first().is_some_and(|byte| *byte >= 0x80);
        let halves = [numbers.p, numbers.q].iter().all(|prime| prime.len() * 2 == size && whole(prime));
        if !(256..=512).contains(&size) || !whole(numbers.n) || !halves {
            return None;
        }
        let bits = u32::try_from(size * 4).ok()?;
        let (p, q) = (Half::new(numbers.p, numbers.dp, bits)?, Half::new(numbers.q, numbers.dq, bits)?);
        let inverse = BoxedMontyForm::new(number(numbers.qi, bits)?, &p.parameters);
        let is_inverse = BoxedMontyForm::new(q.prime.rem(&p.prime), &p.parameters).mul(&inverse).retrieve()
            == BoxedUint::one_with_precision(bits);
        let is_product = p.prime.as_ref().concatenating_mul(q.prime.as_ref()) == number(numbers.n, 2 * bits)?;
        let key = Self { public: Modulus::new(numbers.n)?, exponent: numbers.e, size, p, q, inverse };
        // That the exponents are right shows when it signs.
        (is_inverse && is_product && key.power(&[2]).is_some()).then_some(key)
    }

    /// The size of its signatures in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// `base` to the power of the private exponent, of the size of the modulus; `None` for a base that is not below the modulus.
    pub fn power(&self, base: &[u8]) -> Option<Vec<u8>> {
        let bits = u32::try_from(self.size * 8).ok()?;
        let number = number(base, bits)?;
        let (modulo_p, modulo_q) = (self.p.power(&number), self.q.power(&number).retrieve());
        let other = BoxedMontyForm::new(modulo_q.rem(&self.p.prime), &self.p.parameters);
        let times = modulo_p.sub(&other).mul(&self.inverse).retrieve();
        let power = times.concatenating_mul(self.q.prime.as_ref()).wrapping_add(modulo_q.resize(bits)).to_be_bytes().into_vec();
        let padded = [&*vec![0; self.size.checked_sub(base.len())?], base].concat();
        (self.public.power(&power, self.exponent)? == padded).then_some(power)
    }
}

impl Half {
    fn new(prime: &[u8], exponent: &[u8], bits: u32) -> Option<Self> {
        let (prime, exponent) = (number(prime, bits)?, number(exponent, bits)?);
        let parameters = BoxedMontyParams::new(Odd::new(prime.clone()).into_option()?);
        Some(Self { prime: NonZero::new(prime).into_option()?, parameters, exponent })
    }

    fn power(&self, base: &BoxedUint) -> BoxedMontyForm {
        BoxedMontyForm::new(base.rem(&self.prime), &self.parameters).pow(&self.exponent)
    }
}

fn number(bytes: &[u8], bits: u32) -> Option<BoxedUint> {
    BoxedUint::from_be_slice(bytes, bits).ok()
}
