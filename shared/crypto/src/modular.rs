//! The public operation of RSA (RFC 8017 section 5.2.2). Nothing here is secret, and nothing takes care to hide it.

/// Bits of a limb. A product of two has 56 bits, so that many sums fit into 64 before a carry: wasm multiplies no wider.
const BITS: u32 = 28;
const MASK: u64 = (1 << BITS) - 1;
/// Rounds after which carries are due. Each adds two products to a limb: 2^57 · 60 and what was there stay below 2^63.
const LAZY: usize = 60;

/// A modulus, made ready for Montgomery's multiplication with R = 2^(28 · limbs) > 4n, where what goes in may be anything below 2n.
#[derive(Clone, Debug)]
pub struct Modulus {
    /// Lowest first.
    limbs: Box<[u64]>,
    /// -1/n modulo 2^28.
    inverse: u64,
    /// R² modulo n.
    square: Box<[u64]>,
    size: usize,
}

impl Modulus {
    /// Takes a number, highest byte first; `None` for one that is even, or below 2^64.
    pub fn new(number: &[u8]) -> Option<Self> {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let number = number.get(zeros..)?;
        let (first, last) = (number.first()?, number.last()?);
        if last % 2 == 0 || number.len() <= 8 {
            return None;
        }
        let bits = number.len() * 8 - usize::try_from(first.leading_zeros()).ok()?;
        // Room for any base of as many bytes, too.
        let count = (bits + 2).max(number.len() * 8).div_ceil(28);
        let limbs = limbs(number, count);
        // Newton: each step doubles the bits that are right, beginning with three.
        let low = *limbs.first()?;
        let inverse = (0..4).fold(low, |x, _| x.wrapping_mul(2_u64.wrapping_sub(low.wrapping_mul(x))));
        let mut modulus = Self { limbs, inverse: inverse.wrapping_neg() & MASK, square: Box::default(), size: number.len() };
        modulus.square = modulus.r_squared(bits, count * 28);
        Some(modulus)
    }

    /// `base` to the power of `exponent`, of the size of the modulus; `None` for a base that is not below the modulus.
    pub fn power(&self, base: &[u8], exponent: u32) -> Option<Vec<u8>> {
        let base = base.get(base.iter().take_while(|byte| **byte == 0).count()..)?;
        let base = if base.len() <= self.size { limbs(base, self.limbs.len()) } else { return None };
        if !less(&base, &self.limbs) || exponent == 0 {
            return None;
        }
        let base = self.multiply(&base, &self.square);
        let mut power = base.clone();
        for bit in (0..exponent.ilog2()).rev() {
            power = self.multiply(&power, &power);
            if exponent >> bit & 1 == 1 {
                power = self.multiply(&power, &base);
            }
        }
        let mut one = vec![0; self.limbs.len()];
        *one.first_mut()? = 1;
        let mut power = self.multiply(&power, &one);
        self.reduce(&mut power);
        Some(bytes(&power, self.size))
    }

    /// R is 2^`shift`. 2R is the form of 2; the form of 2^shift, which is R², comes from it by squaring and doubling.
    fn r_squared(&self, bits: usize, shift: usize) -> Box<[u64]> {
        let top = bits - 1;
        let mut one: Box<[u64]> = (0..self.limbs.len()).map(|i| if i == top / 28 { 1 << (top % 28) } else { 0 }).collect();
        for _ in top..shift {
            self.double(&mut one);
        }
        let mut power = one;
        for bit in (0..=shift.ilog2()).rev() {
            power = self.multiply(&power, &power);
            self.reduce(&mut power);
            if shift >> bit & 1 == 1 {
                self.double(&mut power);
            }
        }
        power
    }

    /// a · b / R modulo n, below 2n.
    fn multiply(&self, a: &[u64], b: &[u64]) -> Box<[u64]> {
        let count = self.limbs.len();
        let mut sum = vec![0_u64; 2 * count + 1];
        let (low, b_low) = (self.limbs.first().copied().unwrap_or_default(), b.first().copied().unwrap_or_default());
        for (round, a) in a.iter().enumerate() {
            let Some((first, rest)) = sum.get_mut(round..).and_then(<[u64]>::split_first_mut) else { break };
            let begin = first.wrapping_add(a.wrapping_mul(b_low));
            let times = begin.wrapping_mul(self.inverse) & MASK;
            // The lowest limb is zero now; what it carries goes up.
            let mut carry = begin.wrapping_add(times.wrapping_mul(low)) >> BITS;
            for ((sum, b), n) in rest.iter_mut().zip(b.iter().skip(1)).zip(self.limbs.iter().skip(1)) {
                *sum = sum.wrapping_add(a.wrapping_mul(*b)).wrapping_add(times.wrapping_mul(*n));
            }
            if let Some(next) = rest.first_mut() {
                *next = next.wrapping_add(carry);
            }
            if round % LAZY == LAZY - 1 {
                carry = 0;
                rest.iter_mut().take(count).for_each(|limb| carried(limb, &mut carry));
            }
        }
        let mut carry = 0;
        let mut product: Box<[u64]> = sum.get(count..2 * count).unwrap_or_default().into();
        product.iter_mut().for_each(|limb| carried(limb, &mut carry));
        product
    }

    fn double(&self, number: &mut [u64]) {
        let mut carry = 0;
        for limb in number.iter_mut() {
            *limb <<= 1;
            carried(limb, &mut carry);
        }
        self.reduce(number);
    }

    /// To below n, from below 2n.
    fn reduce(&self, number: &mut [u64]) {
        if !less(number, &self.limbs) {
            let mut borrow = 0;
            for (limb, n) in number.iter_mut().zip(&self.limbs) {
                let left = limb.wrapping_sub(*n).wrapping_sub(borrow);
                *limb = left & MASK;
                borrow = left >> 63;
            }
        }
    }
}

fn carried(limb: &mut u64, carry: &mut u64) {
    let sum = limb.wrapping_add(*carry);
    *limb = sum & MASK;
    *carry = sum >> BITS;
}

/// Whether a is below b; both have the same number of limbs.
fn less(a: &[u64], b: &[u64]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

fn limbs(number: &[u8], count: usize) -> Box<[u64]> {
    let (mut rest, mut bits) = (0_u64, 0);
    let mut limbs = Vec::with_capacity(count);
    for byte in number.iter().rev() {
        rest |= u64::from(*byte) << bits;
        bits += 8;
        if bits >= BITS {
            limbs.push(rest & MASK);
            rest >>= BITS;
            bits -= BITS;
        }
    }
    limbs.push(rest);
    limbs.resize(count, 0);
    limbs.into()
}

fn bytes(limbs: &[u64], size: usize) -> Vec<u8> {
    let (mut rest, mut bits) = (0_u64, 0);
    let mut bytes = Vec::with_capacity(size + 8);
    for limb in limbs {
        rest |= limb << bits;
        bits += BITS;
        while bits >= 8 {
            bytes.extend(u8::try_from(rest & 0xff));
            rest >>= 8;
            bits -= 8;
        }
    }
    bytes.resize(size, 0);
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Schoolbook, bit by bit.
    fn slow(base: &[u8], exponent: u32, modulus: &[u8]) -> Vec<u8> {
        let add = |a: &[u8], b: &[u8]| {
            let mut carry = 0;
            let mut sum: Vec<u8> = a
                .iter()
                .zip(b)
                .rev()
                .map(|(a, b)| {
                    let sum = u16::from(*a) + u16::from(*b) + carry;
                    carry = sum >> 8;
                    sum as u8
                })
                .collect();
            sum.reverse();
            (sum, carry == 1)
        };
        let reduce = |(mut sum, carried): (Vec<u8>, bool)| {
            if carried || sum.as_slice() >= modulus {
                let mut borrow = 0;
                for (a, b) in sum.iter_mut().zip(modulus).rev() {
                    let left = i16::from(*a) - i16::from(*b) - borrow;
                    borrow = i16::from(left < 0);
                    *a = left as u8;
                }
            }
            sum
        };
        let times = |a: &[u8], b: &[u8]| {
            let mut product = vec![0; modulus.len()];
            for bit in (0..b.len() * 8).rev() {
                product = reduce(add(&product, &product));
                if b[b.len() - 1 - bit / 8] >> (bit % 8) & 1 == 1 {
                    product = reduce(add(&product, a));
                }
            }
            product
        };
        (1..exponent).fold(base.to_vec(), |power, _| times(&power, base))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn powers_are_those_of_the_schoolbook(
            mut modulus in proptest::collection::vec(any::<u8>(), 9..70),
            extreme in 0..5_u8,
            seed in proptest::collection::vec(any::<u8>(), 70),
            exponent in 1..20_u32,
        ) {
            let size = modulus.len();
            match extreme {
                0 => modulus.fill(0xff),
                1 => modulus[1..].fill(0),
                3 => modulus[0] = 1,
                _ => {}
            }
            modulus[0] |= 1;
            modulus[size - 1] |= 1;
            let mut base = seed[..size].to_vec();
            if extreme == 2 {
                base.clone_from(&modulus);
                base[size - 1] -= 1;
            }
            let found = Modulus::new(&modulus).unwrap().power(&base, exponent);
            if base >= modulus {
                prop_assert_eq!(found, None);
            } else {
                prop_assert_eq!(found, Some(slow(&base, exponent, &modulus)));
            }
        }
    }

    /// Enough limbs that carries come due within a multiplication, several times.
    #[test]
    fn large_numbers() {
        for (size, fill) in [(256, 0xff), (257, 0xab), (512, 0xff), (1024, 0xff), (1024, 0x01)] {
            let modulus = vec![fill | 1; size];
            let mut base = modulus.clone();
            base[size - 1] -= 1;
            // (n - 1)² = 1, (n - 1)³ = n - 1.
            let ready = Modulus::new(&modulus).unwrap();
            let mut one = vec![0; size];
            one[size - 1] = 1;
            assert_eq!(ready.power(&base, 2), Some(one.clone()), "{size}");
            assert_eq!(ready.power(&base, 65_537), Some(base.clone()), "{size}");
            assert_eq!(ready.power(&one, 3), Some(one));
            base[1] &= 0x55;
            assert_eq!(ready.power(&base, 2), Some(slow(&base, 2, &modulus)), "{size}");
        }
    }

    #[test]
    fn what_is_no_modulus() {
        for number in [&[][..], &[0; 9], &[3], &[1, 0, 0, 0, 0, 0, 0, 0, 2], &[0, 1, 0, 0, 0, 0, 0, 0, 1]] {
            assert!(Modulus::new(number).is_none(), "{number:?}");
        }
        let ready = Modulus::new(&[0xff; 16]).unwrap();
        assert_eq!(ready.power(&[1; 17], 3), None);
        assert_eq!(ready.power(&[0xff; 16], 3), None);
        assert_eq!(ready.power(&[2], 0), None);
    }
}
