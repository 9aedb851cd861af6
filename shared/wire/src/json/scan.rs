//! The loops over bytes: strings and numbers.

use super::{Error, ErrorKind};

/// The inside of a string that was checked.
#[derive(Clone, Copy)]
pub(super) struct Body {
    /// Where the closing quote stands.
    pub(super) end: usize,
    /// Whether it has escapes.
    pub(super) escaped: bool,
}

pub(super) const ONES: u64 = 0x0101_0101_0101_0101;
pub(super) const HIGH: u64 = 0x8080_8080_8080_8080;

/// Checks a string from the byte behind its opening quote on.
///
/// Most are short names and words: those of up to seven plain characters are done in one step.
#[inline(always)]
pub(super) fn string(text: &[u8], start: usize) -> Result<Body, Error> {
    if let Some(chunk) = text.get(start..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let end = start + (stops(word) | word & HIGH).trailing_zeros() as usize / 8;
        if end < start + 8 && text.get(end) == Some(&b'"') {
            return Ok(Body { end, escaped: false });
        }
    }
    long_string(text, start)
}

#[inline(never)]
fn long_string(text: &[u8], start: usize) -> Result<Body, Error> {
    let (mut at, mut high, mut escaped) = (start, 0, false);
    loop {
        at = plain(text, at, &mut high);
        match text.get(at) {
            Some(b'"') => break,
            Some(b'\\') => {
                escaped = true;
                at = match text.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'n') => at + 2,
                    _ => escape(text, at)?,
                };
            }
            Some(_) => return Err(Error { kind: ErrorKind::ControlCharacter, at }),
            None => return Err(Error { kind: ErrorKind::Truncated, at }),
        }
    }
    if high != 0
        && let Err(error) = core::str::from_utf8(text.get(start..at).unwrap_or_default())
    {
        return Err(Error { kind: ErrorKind::InvalidUtf8, at: start + error.valid_up_to() });
    }
    Ok(Body { end: at, escaped })
}

/// The next quote, backslash or control character. `high` gets a bit when a byte before it is not ASCII.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn plain(text: &[u8], mut at: usize, high: &mut u64) -> usize {
    let mut words = 0;
    let mut rest = text.get(at..).unwrap_or_default();
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let stops = stops(word);
        if stops != 0 {
            *high |= word & HIGH & (stops & stops.wrapping_neg()).wrapping_sub(1);
            return at + stops.trailing_zeros() as usize / 8;
        }
        *high |= word & HIGH;
        (rest, at, words) = (behind, at + 8, words + 1);
        if words == 2 {
            while let Some((block, behind)) = rest.split_first_chunk::<32>()
                && let Some(bits) = plain_block(block)
            {
                *high |= u64::from(bits & 0x80);
                (rest, at) = (behind, at + 32);
            }
            words = 0;
        }
    }
    for byte in rest {
        if *byte < b' ' || *byte == b'"' || *byte == b'\\' {
            return at;
        }
        *high |= u64::from(*byte & 0x80);
        at += 1;
    }
    at
}

/// The same in vectors, which find the place at once.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn plain(text: &[u8], mut at: usize, high: &mut u64) -> usize {
    use core::arch::wasm32::{i8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128_or};

    let mut rest = text.get(at..).unwrap_or_default();
    while let Some((chunk, behind)) = rest.split_first_chunk::<16>() {
        let ([low, up], _) = chunk.as_chunks::<8>() else { break };
        let bytes = u64x2(u64::from_le_bytes(*low), u64::from_le_bytes(*up));
        let ends = v128_or(u8x16_eq(bytes, u8x16_splat(b'"')), u8x16_eq(bytes, u8x16_splat(b'\\')));
        let stops = i8x16_bitmask(v128_or(ends, u8x16_lt(bytes, u8x16_splat(b' '))));
        let foreign = i8x16_bitmask(bytes);
        if stops != 0 {
            *high |= u64::from(foreign & (stops & stops.wrapping_neg()).wrapping_sub(1));
            return at + stops.trailing_zeros() as usize;
        }
        *high |= u64::from(foreign);
        (rest, at) = (behind, at + 16);
    }
    for byte in rest {
        if *byte < b' ' || *byte == b'"' || *byte == b'\\' {
            return at;
        }
        *high |= u64::from(*byte & 0x80);
        at += 1;
    }
    at
}

/// The high bit of each byte that ends a run; exact up to the lowest one, which is the only one that is used.
pub(super) fn stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    ((word.wrapping_sub(ONES * 0x20) & !word) | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash))
        & HIGH
}

/// Whether a block has no stop; if so, a bit that says whether all of it is ASCII.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn plain_block(block: &[u8; 32]) -> Option<u8> {
    let (mut stop, mut bits) = (0, 0);
    for byte in block {
        stop |= u8::from(*byte < b' ') | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
        bits |= *byte;
    }
    (stop == 0).then_some(bits)
}

/// Checks the escape whose backslash stands at `at`; where it ends.
fn escape(text: &[u8], at: usize) -> Result<usize, Error> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match unit(text, at + 2).ok_or(Error { kind: ErrorKind::InvalidEscape, at })? {
            0xd800..=0xdbff => match (text.get(at + 6..at + 8), unit(text, at + 8)) {
                (Some(b"\\u"), Some(0xdc00..=0xdfff)) => Ok(at + 12),
                _ => Err(Error { kind: ErrorKind::LoneSurrogate, at }),
            },
            0xdc00..=0xdfff => Err(Error { kind: ErrorKind::LoneSurrogate, at }),
            _ => Ok(at + 6),
        },
        Some(_) => Err(Error { kind: ErrorKind::InvalidEscape, at }),
        None => Err(Error { kind: ErrorKind::Truncated, at: at + 1 }),
    }
}

/// Four hexadecimal digits.
pub(super) fn unit(text: &[u8], at: usize) -> Option<u32> {
    text.get(at..at + 4)?.iter().try_fold(0, |unit, byte| Some(unit << 4 | char::from(*byte).to_digit(16)?))
}

/// Where a number ends that starts at `at` (RFC 8259 section 6).
#[inline]
pub(super) fn number(text: &[u8], start: usize) -> Result<usize, Error> {
    let mut at = start + usize::from(text.get(start) == Some(&b'-'));
    at = if text.get(at) == Some(&b'0') { at + 1 } else { digits(text, at)? };
    match text.get(at) {
        Some(b'.' | b'e' | b'E') => fraction(text, at),
        _ => Ok(at),
    }
}

/// What stands behind the integer part.
fn fraction(text: &[u8], mut at: usize) -> Result<usize, Error> {
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at = digits(text, at + 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-'))))?;
    }
    Ok(at)
}

#[inline]
fn digits(text: &[u8], start: usize) -> Result<usize, Error> {
    let mut at = start;
    while let Some(b'0'..=b'9') = text.get(at) {
        at += 1;
    }
    if at == start { Err(Error { kind: ErrorKind::InvalidNumber, at }) } else { Ok(at) }
}

/// The first byte from `at` on that is no white space.
#[inline(always)]
pub(super) fn blanks(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at)
        && *byte <= b' '
        && let b' ' | b'\n' | b'\r' | b'\t' = byte
    {
        at += 1;
    }
    at
}
