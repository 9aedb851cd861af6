//! RSA keys: which are fit for use, and what they open.

use core::cell::OnceCell;
use core::fmt;
use std::rc::Rc;

use wardpoint_crypto::modular::Modulus;

use super::KeyError;

/// The numbers of a public key.
#[derive(Clone)]
pub(super) struct Public {
    modulus: Box<[u8]>,
    exponent: u32,
    /// Made when the first signature comes that the host does not check.
    ready: OnceCell<Option<Rc<Modulus>>>,
}

impl Public {
    /// Of numbers that [`check`] has found fit.
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Self {
        let exponent = exponent.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        Self { modulus: modulus.into(), exponent, ready: OnceCell::new() }
    }

    pub(super) fn open(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let ready = self.ready.get_or_init(|| Modulus::new(&self.modulus).map(Rc::new)).as_ref()?;
        if signature.len() == self.modulus.len() { ready.power(signature, self.exponent) } else { None }
    }

    pub(super) fn bits(&self) -> usize {
        let zeros = self.modulus.first().map_or(0, |byte| byte.leading_zeros());
        self.modulus.len() * 8 - usize::try_from(zeros).unwrap_or_default()
    }
}

impl PartialEq for Public {
    fn eq(&self, other: &Self) -> bool {
        (&self.modulus, self.exponent) == (&other.modulus, other.exponent)
    }
}

impl Eq for Public {}

impl fmt::Debug for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Public({} bits)", self.bits())
    }
}

/// Refuses a modulus of fewer than 2048 or more than 8192 bits or an even one, an exponent that is even, below 3 or above 32
/// bits (the host takes no longer one), and moduli of a generator that is known to be broken.
pub(super) fn check(modulus: &[u8], exponent: &[u8]) -> Result<(), KeyError> {
    let leading = |number: &[u8]| number.first().copied().unwrap_or_default();
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    if leading(modulus) == 0 || leading(exponent) == 0 {
        return Err(KeyError::Number);
    }
    let bits = modulus.len() * 8 - usize::try_from(leading(modulus).leading_zeros()).unwrap_or_default();
    let exponent_fits = odd(exponent) && exponent != [1] && exponent.len() <= 4;
    if !(2048..=8192).contains(&bits) || !odd(modulus) || !exponent_fits || is_of_roca(modulus) {
        return Err(KeyError::Weak);
    }
    Ok(())
}

/// Whether the primes are of the form that CVE-2017-15361 breaks: modulo each small prime the modulus is a power of 65537
/// (Nemec et al., "The Return of Coppersmith's Attack", section 2.2). One good key in 2^27 looks so too.
fn is_of_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
        127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % prime);
        let mut power = 1;
        // The powers come round within as many steps as there are residues.
        (0..*prime).any(|_| {
            power = power * (65_537 % prime) % prime;
            power == rest
        })
    })
}
