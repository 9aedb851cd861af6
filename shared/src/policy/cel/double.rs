//! Text to double, exactly rounded. That of the standard library has 12 KB of tables, for a speed that conditions do not need.

use core::cmp::Ordering;

/// The double nearest to a decimal number, the even one of two. `None`: not a number, or larger than any double.
pub(super) fn read(text: &str) -> Option<f64> {
    let (negative, text) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        text => (false, text),
    };
    let decimal = Decimal::read(text)?;
    let value = decimal.value();
    value.is_finite().then_some(if negative { -value } else { value })
}

/// More digits than this say no more about where a double is, only that it is not just there.
const DIGITS: u32 = 780;

/// `digits * 10^exponent`
struct Decimal {
    digits: Big,
    /// How many digits there are.
    count: u32,
    exponent: i64,
}

impl Decimal {
    fn read(text: &[u8]) -> Option<Self> {
        let mut decimal = Self { digits: Big(Vec::new()), count: 0, exponent: 0 };
        let (mut any, mut point) = (false, false);
        let mut rest = text.iter();
        while let Some(c) = rest.next() {
            match c {
                b'0'..=b'9' => {
                    any = true;
                    decimal.push(c - b'0', point);
                }
                b'.' if !point => point = true,
                b'e' | b'E' if any => {
                    decimal.exponent = decimal.exponent.saturating_add(exponent(rest.as_slice())?);
                    return Some(decimal);
                }
                _ => return None,
            }
        }
        any.then_some(decimal)
    }

    fn push(&mut self, digit: u8, behind_point: bool) {
        if self.count < DIGITS {
            self.count += u32::from(self.count > 0 || digit > 0);
            self.digits.multiply(10, digit.into());
            self.exponent -= i64::from(behind_point);
        } else {
            // What is cut off makes the last digit odd: not just there, and not just in the middle of two.
            self.digits.0.iter_mut().take(1).for_each(|word| *word |= u32::from(digit > 0));
            self.exponent += i64::from(!behind_point);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "this is the rounding")]
    fn value(self) -> f64 {
        let Self { digits, count, exponent } = self;
        let magnitude = exponent.saturating_add(count.into());
        if count == 0 || magnitude < -330 {
            return 0.0;
        }
        let (Ok(exponent), true) = (i32::try_from(exponent), magnitude < 330) else { return f64::INFINITY };
        // Both numbers are doubles, so one operation rounds once.
        let whole = digits.0.iter().rev().fold(0, |whole: u64, word| whole << 32 | u64::from(*word));
        if digits.bits() <= 53 && exponent.unsigned_abs() <= 22 {
            let power = (0..exponent.unsigned_abs()).fold(1.0, |power: f64, _| power * 10.0);
            return if exponent < 0 { whole as f64 / power } else { whole as f64 * power };
        }
        // digits * 10^exponent = above / below * 2^exponent
        let (mut above, mut below) = (digits, Big(vec![1]));
        (if exponent < 0 { &mut below } else { &mut above }).multiply_power_of_five(exponent.unsigned_abs());
        let lead = above.bits() - below.bits();
        (if lead < 0 { &mut above } else { &mut below }).shift(lead.unsigned_abs());
        // Now above / below is more than 1/2 and less than 2; bit by bit, down to one bit below the last of the double.
        let scale = lead + exponent;
        let count = (scale + 1076).clamp(0, 55);
        let mut quotient = 0_u64;
        for _ in 0..count {
            quotient <<= 1;
            if above.compare(&below) != Ordering::Less {
                above.subtract(&below);
                quotient |= 1;
            }
            above.shift(1);
        }
        let quotient = quotient << 1 | u64::from(!above.is_zero());
        if count == 55 {
            let power = scale - 55;
            return quotient as f64 * two_to(power / 2) * two_to(power - power / 2);
        }
        // The doubles near zero are evenly spaced, and their bits count them.
        let (whole, rest) = (quotient >> 2, quotient & 3);
        f64::from_bits(whole + u64::from(rest == 3 || (rest == 2 && whole & 1 == 1)))
    }
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        text => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_i64, |value, digit| value.saturating_mul(10).saturating_add((digit - b'0').into()));
    Some(if negative { -value } else { value })
}

/// `power` is an exponent of normal doubles.
fn two_to(power: i32) -> f64 {
    f64::from_bits(u64::from((power + 1023).unsigned_abs()) << 52)
}

/// A whole number, in words from low to high, without leading zeros.
struct Big(Vec<u32>);

impl Big {
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn bits(&self) -> i32 {
        let words = i32::try_from(self.0.len()).unwrap_or(i32::MAX / 64);
        words * 32 - self.0.last().map_or(0, |top| i32::try_from(top.leading_zeros()).unwrap_or(0))
    }

    /// Times `by`, plus `plus`.
    fn multiply(&mut self, by: u32, plus: u32) {
        let mut carry = u64::from(plus);
        for word in &mut self.0 {
            carry += u64::from(*word) * u64::from(by);
            *word = low(carry);
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(low(carry));
        }
    }

    fn multiply_power_of_five(&mut self, mut power: u32) {
        const STEP: u32 = 13;
        while power > 0 {
            let step = power.min(STEP);
            self.multiply(5_u32.pow(step), 0);
            power -= step;
        }
    }

    /// Times two, `bits` times.
    fn shift(&mut self, bits: u32) {
        if bits >= 32 && !self.is_zero() {
            self.0.splice(0..0, (0..bits / 32).map(|_| 0));
        }
        if !bits.is_multiple_of(32) {
            self.multiply(1 << (bits % 32), 0);
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Minus `other`, which is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0;
        for (at, word) in self.0.iter_mut().enumerate() {
            let minus = u64::from(other.0.get(at).copied().unwrap_or_default()) + borrow;
            let have = u64::from(*word);
            borrow = u64::from(have < minus);
            *word = low(have.wrapping_sub(minus));
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

/// The low word.
#[expect(clippy::cast_possible_truncation, reason = "the high word is meant to go")]
fn low(wide: u64) -> u32 {
    wide as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::read;

    fn same(text: &str) {
        let want = text.parse().ok().filter(|value: &f64| value.is_finite());
        assert_eq!(read(text).map(f64::to_bits), want.map(f64::to_bits), "{text}");
    }

    #[test]
    fn corners_are_those_of_the_standard_library() {
        for text in [
            "0",
            "-0.0",
            "0e999999999999999999999",
            "1e309",
            "1e-400",
            "-1.7976931348623157e308",
            "1.7976931348623159e308",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "4.9e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "9007199254740993",
            "9007199254740993.0000000000000000000000000001",
            "1e22",
            "1e23",
            "4294967295e22",
            ".5",
            "5.",
            "+1",
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "1e5x",
            "1.2.3",
            "inf",
            "NaN",
            "0x10",
            "1_0",
            " 1",
            "1e99999999999999999999",
            "00012.500e-01",
        ] {
            same(text);
        }
        for digits in [770, 790, 2000] {
            same(&format!("0.{}1e{digits}", "0".repeat(digits)));
            same(&format!("{}e-{digits}", "7".repeat(digits)));
            same(&format!("9007199254740993{}1", "0".repeat(digits)));
            same(&format!("9007199254740993{}e-{digits}", "0".repeat(digits)));
            same(&format!("9007199254740993.{}1", "0".repeat(digits)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn every_double_is_read_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            same(&format!("{value:e}"));
            // Just in the middle between it and the next one, and beside.
            let bits = bits & !(1 << 63);
            let next = f64::from_bits(bits + 1);
            prop_assume!(next.is_finite() && next < 1e300 && next > 1e-290);
            let middle = format!("{:.800e}", f64::from_bits(bits) / 2.0 + next / 2.0);
            same(&middle);
        }

        #[test]
        fn what_is_written_is_read_alike(text in "[+-]?[0-9]{0,40}(\\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?") {
            same(&text);
        }

        #[test]
        fn the_middle_of_two_goes_to_the_even_one(whole in (1_u64 << 53)..(1 << 60), zeros in 0..900_usize, beyond in 0..3_u8) {
            let middle = (u128::from(whole) << 1 | 1) << 7;
            same(&format!("{middle}.{}{beyond}", "0".repeat(zeros)));
        }
    }
}
