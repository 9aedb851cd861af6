//! What a bearer token is made of.

/// Whether a text is a `token68` (RFC 9110 section 11.2), which RFC 6750 section 2.1 calls `b64token`.
#[inline(never)]
pub fn is_token68(text: &[u8]) -> bool {
    let filled = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = text.len().checked_sub(filled).and_then(|end| text.get(..end)).unwrap_or_default();
    match body.last_chunk() {
        // The last chunk has some bytes again that were looked at.
        Some(last) => all_fit(last) && body.as_chunks().0.iter().all(all_fit),
        None => !body.is_empty() && body.iter().all(|byte| fits(*byte)),
    }
}

#[inline(always)]
const fn fits(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn all_fit(chunk: &[u8; 16]) -> bool {
    chunk.iter().all(|byte| fits(*byte))
}

/// The same in vectors.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn all_fit(chunk: &[u8; 16]) -> bool {
    use core::arch::wasm32::{i8x16_swizzle, u8x16_all_true, u8x16_shr, u8x16_splat, v128, v128_and};

    const BITS: ([u8; 16], [u8; 16]) = bits();
    let bytes: v128 = bytemuck::must_cast(*chunk);
    // Each half of a byte has a set of upper halves, a bit each: it fits where both sets have one in common.
    let low = i8x16_swizzle(bytemuck::must_cast(BITS.0), v128_and(bytes, u8x16_splat(0x0f)));
    let high = i8x16_swizzle(bytemuck::must_cast(BITS.1), u8x16_shr(bytes, 4));
    u8x16_all_true(v128_and(low, high))
}

/// For each lower half of a byte, the upper ones with which it [`fits`], a bit each; and the bit of each upper half. Beyond ASCII there is
/// none.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[expect(clippy::indexing_slicing, reason = "it runs when this is compiled")]
const fn bits() -> ([u8; 16], [u8; 16]) {
    let (mut low, mut high) = ([0; 16], [0; 16]);
    let mut byte = 0_u8;
    while byte < 0x80 {
        high[byte as usize >> 4] = 1 << (byte >> 4);
        if fits(byte) {
            low[byte as usize & 15] |= 1 << (byte >> 4);
        }
        byte += 1;
    }
    (low, high)
}
