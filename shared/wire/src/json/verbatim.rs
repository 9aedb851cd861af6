//! Text that is written as it stands.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use vectors::fits;

use super::scan::{HIGH, ONES, stops};

/// ASCII without anything to escape. Now and then one that is plain is not told to be.
#[inline(never)]
pub(super) fn is_plain(text: &str) -> bool {
    let text = text.as_bytes();
    match (text.last_chunk::<16>(), text.first_chunk::<8>(), text.last_chunk::<8>()) {
        // The last chunk has some bytes again that were looked at.
        (Some(last), _, _) => fits(last) && text.as_chunks().0.iter().all(fits),
        (None, Some(first), Some(last)) => odd(u64::from_le_bytes(*first)) | odd(u64::from_le_bytes(*last)) == 0,
        _ => odd(text.iter().fold(0x2020_2020_2020_2020, |word, byte| word << 8 | u64::from(*byte))) == 0,
    }
}

/// The high bit of bytes that are not plain.
#[inline(always)]
fn odd(word: u64) -> u64 {
    let delete = word ^ 0x7f7f_7f7f_7f7f_7f7f;
    (stops(word) | word | delete.wrapping_sub(ONES) & !delete) & HIGH
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn fits(chunk: &[u8; 16]) -> bool {
    chunk.as_chunks::<8>().0.iter().all(|word| odd(u64::from_le_bytes(*word)) == 0)
}

/// The same in vectors.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vectors {
    use core::arch::wasm32::{i8x16_lt, i8x16_splat, u8x16_eq, u8x16_splat, v128_any_true, v128_or};

    use super::super::scan::load;

    #[inline(always)]
    pub(super) fn fits(chunk: &[u8; 16]) -> bool {
        let bytes = load(chunk);
        let is = |byte| u8x16_eq(bytes, u8x16_splat(byte));
        // With its sign a byte beyond ASCII is less than any other.
        let below = i8x16_lt(bytes, i8x16_splat(0x20));
        !v128_any_true(v128_or(v128_or(below, is(0x7f)), v128_or(is(b'"'), is(b'\\'))))
    }
}
