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
    use core::arch::wasm32::{u8x16_all_true, u8x16_eq, u8x16_lt, u8x16_splat, u8x16_sub, v128, v128_or};

    let bytes: v128 = bytemuck::must_cast(*chunk);
    let is = |byte| u8x16_eq(bytes, u8x16_splat(byte));
    let among = |bytes, first, count| u8x16_lt(u8x16_sub(bytes, u8x16_splat(first)), u8x16_splat(count));
    let letter = among(v128_or(bytes, u8x16_splat(0x20)), b'a', 26);
    // `-`, `.`, `/` and the digits.
    let digit = among(bytes, b'-', 13);
    u8x16_all_true(v128_or(v128_or(letter, digit), v128_or(v128_or(is(b'+'), is(b'_')), is(b'~'))))
}
