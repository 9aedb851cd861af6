//! Long runs of plain ASCII, which are most of a large text.

use super::scan::BLOCK;

/// Bytes that are looked at in one step.
const STRIDE: usize = 2 * BLOCK;

/// How many bytes from the start of `text` on are plain characters of ASCII and escaped line ends (`\n`), in whole steps: there may be
/// more. It ends with the first step that has something else in it: a quote, a control character, another escape, a byte beyond ASCII.
///
/// The `n` of the last escape may be the first byte behind; it is plain there.
#[inline(never)]
pub(super) fn plain_from(text: &[u8]) -> usize {
    let marks = Marks::new();
    let mut rest = text;
    // In steps, so that a loop of little else than vectors costs less for each.
    while let Some(block) = rest.first_chunk::<{ STRIDE + 1 }>() {
        let (Some(first), Some(last)) = (block.first_chunk(), block.last_chunk()) else { break };
        if !(marks.fit(first) && marks.fit(last)) {
            break;
        }
        rest = rest.get(STRIDE..).unwrap_or_default();
    }
    text.len().wrapping_sub(rest.len())
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use bytes::Marks;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use vectors::Marks;

/// One byte after the other.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod bytes {
    use super::BLOCK;

    pub(super) struct Marks;

    impl Marks {
        pub(super) const fn new() -> Self {
            Self
        }

        /// Whether all but the last byte are plain or such an escape; the last one only says what is escaped.
        #[inline]
        pub(super) fn fit(&self, block: &[u8; BLOCK + 1]) -> bool {
            block.iter().zip(block.iter().skip(1)).all(|(byte, next)| match byte {
                b'\\' => *next == b'n',
                _ => (b' '..0x80).contains(byte) && *byte != b'"',
            })
        }
    }
}

/// The same in vectors.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vectors {
    use core::arch::wasm32::{
        i8x16_lt, i8x16_min, i8x16_shuffle, u8x16_eq, u8x16_splat, v128, v128_and, v128_any_true, v128_or, v128_xor,
    };
    use core::hint::black_box;

    use super::super::scan::load;
    use super::BLOCK;

    /// What bytes are held against. What is known to be constant would be made anew in each step.
    pub(super) struct Marks {
        two: v128,
        backslash: v128,
        n: v128,
        first: v128,
    }

    impl Marks {
        #[inline(always)]
        pub(super) fn new() -> Self {
            let splat = |byte: u8| u8x16_splat(black_box(byte));
            Self { two: splat(2), backslash: splat(b'\\'), n: splat(b'n'), first: splat(0x21) }
        }

        #[inline(always)]
        pub(super) fn fit(&self, block: &[u8; BLOCK + 1]) -> bool {
            let (([a, b, c, d], _), Some(end)) = (block.as_chunks::<16>(), block.last_chunk::<16>()) else { return false };
            let [a, b, c, d, end] = [a, b, c, d, end].map(load);
            // The quote changes places with the blank: it and the control characters are up to 0x20, the rest of ASCII above, and
            // what is beyond is negative.
            let swap = |byte: v128| v128_xor(byte, self.two);
            let least = i8x16_min(i8x16_min(swap(a), swap(b)), i8x16_min(swap(c), swap(d)));
            // Not 0 where a backslash has no `n` behind it.
            let alone = |byte: v128, next: v128| v128_and(u8x16_eq(byte, self.backslash), v128_xor(next, self.n));
            let (e, f, g, h) = (alone(a, behind(a, b)), alone(b, behind(b, c)), alone(c, behind(c, d)), alone(d, end));
            !v128_any_true(v128_or(i8x16_lt(least, self.first), v128_or(v128_or(e, f), v128_or(g, h))))
        }
    }

    /// What stands one byte behind `a`, if `b` comes next.
    #[inline(always)]
    fn behind(a: v128, b: v128) -> v128 {
        i8x16_shuffle::<1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16>(a, b)
    }
}
