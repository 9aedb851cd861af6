//! The loops over bytes: strings and numbers.

use super::plain::plain_from;
use super::{Error, ErrorKind};

/// The inside of a string that was checked.
#[derive(Clone, Copy)]
pub(super) struct Body {
    /// Where the closing quote stands.
    pub(super) end: usize,
    escapes: Escapes,
}

/// Whether there are escapes in a string.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Escapes {
    No,
    Yes,
    /// They were not looked for: most long strings are skipped.
    Perhaps,
}

impl Body {
    /// Whether the string, whose inside begins at `start`, has escapes.
    #[inline]
    pub(super) fn is_escaped(&self, text: &[u8], start: usize) -> bool {
        match self.escapes {
            Escapes::No => false,
            Escapes::Yes => true,
            Escapes::Perhaps => memchr::memchr(b'\\', text.get(start..self.end).unwrap_or_default()).is_some(),
        }
    }
}

pub(super) const ONES: u64 = 0x0101_0101_0101_0101;
pub(super) const HIGH: u64 = 0x8080_8080_8080_8080;

/// Checks a string from the byte behind its opening quote on.
///
/// Most are names and words: those of up to 15 plain characters are done in one step.
#[inline(always)]
pub(super) fn string(text: &[u8], start: usize) -> Result<Body, Error> {
    if let Some(chunk) = text.get(start..).and_then(|rest| rest.first_chunk::<16>()) {
        let place = Marks::new().special(chunk);
        if chunk.get(place) == Some(&b'"') {
            return Ok(Body { end: start.wrapping_add(place), escapes: Escapes::No });
        }
    }
    long_string(text, start)
}

/// Bytes that are looked at in one step: a bit for each.
pub(super) const BLOCK: usize = 64;

#[inline(never)]
fn long_string(text: &[u8], start: usize) -> Result<Body, Error> {
    let (mut at, mut foreign, mut escaped, mut plain) = (start, false, false, 0);
    // Most end soon, and would pay for a loop of their own; what goes on here is likely to go on for long.
    let mut near = start.wrapping_add(8 * BLOCK);
    loop {
        let run = run(text, at, near);
        (at, foreign, escaped) = (run.end, foreign | run.foreign, escaped | run.escaped);
        match text.get(at) {
            Some(b'"') => break,
            Some(b'\\') => (at, escaped) = (escape(text, at)?, true),
            Some(byte) if *byte >= b' ' && at >= near => {
                plain = text.get(at..).map_or(0, plain_from);
                at = at.wrapping_add(plain);
                near = usize::MAX;
            }
            Some(byte) if *byte >= b' ' => {
                // So close to the end of the text that there is no whole block.
                let rest = text.get(at..).unwrap_or_default().iter();
                for byte in rest.take_while(|byte| !is_stop(**byte)) {
                    foreign |= !byte.is_ascii();
                    at += 1;
                }
            }
            Some(_) => return Err(Error { kind: ErrorKind::ControlCharacter, at }),
            None => return Err(Error { kind: ErrorKind::Truncated, at }),
        }
    }
    if foreign && let Err(error) = core::str::from_utf8(text.get(start..at).unwrap_or_default()) {
        return Err(Error { kind: ErrorKind::InvalidUtf8, at: start + error.valid_up_to() });
    }
    let escapes = match () {
        () if escaped => Escapes::Yes,
        () if plain > 0 => Escapes::Perhaps,
        () => Escapes::No,
    };
    Ok(Body { end: at, escapes })
}

/// Whether a byte ends a run of plain characters.
#[inline(always)]
fn is_stop(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\')
}

/// Plain characters and the usual escapes.
struct Run {
    end: usize,
    escaped: bool,
    /// A byte is beyond ASCII, or one close behind it.
    foreign: bool,
}

/// Goes on to what is neither a plain character nor a usual escape, or to `near`, block by block. It calls nothing, so that all of it stays in
/// registers.
#[inline(never)]
fn run(text: &[u8], start: usize, near: usize) -> Run {
    let (mut at, mut foreign, mut escaped) = (start, 0, false);
    while at < near
        && let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>())
    {
        let mut stops = stops_in(block, &mut foreign);
        let mut behind = BLOCK;
        while stops != 0 {
            let place = stops.trailing_zeros() as usize;
            behind = place + 2;
            let end = at.wrapping_add(place);
            let pair = (block.get(place), text.get(end.wrapping_add(1)));
            let (Some(b'\\'), Some(b'n' | b'"' | b'\\' | b'/')) = pair else {
                return Run { end, escaped, foreign: foreign != 0 };
            };
            escaped = true;
            stops &= (u64::MAX << 2) << place;
        }
        at = at.wrapping_add(behind.max(BLOCK));
    }
    Run { end: at, escaped, foreign: foreign != 0 }
}

/// What is looked for in sixteen bytes.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Clone, Copy)]
pub(super) struct Marks;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl Marks {
    pub(super) const fn new() -> Self {
        Self
    }

    pub(super) const fn kept() -> Self {
        Self
    }

    /// Where the first byte stands that is not plain ASCII: a quote, a backslash, a control character, or one beyond ASCII; 16 if all are.
    #[inline(always)]
    pub(super) fn special(self, chunk: &[u8; 16]) -> usize {
        let (words, _) = chunk.as_chunks::<8>();
        let mut before = 0;
        for word in words.iter().map(|word| u64::from_le_bytes(*word)) {
            let marks = stops(word) | word & HIGH;
            if marks != 0 {
                return before + marks.trailing_zeros() as usize / 8;
            }
            before += 8;
        }
        before
    }
}

/// A bit for each quote, backslash and control character; `foreign` gets one where a byte is beyond ASCII.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn stops_in(block: &[u8; BLOCK], foreign: &mut u32) -> u64 {
    let mut stops = 0;
    for (place, byte) in block.iter().enumerate() {
        stops |= u64::from(is_stop(*byte)) << place;
        *foreign |= u32::from(*byte & 0x80);
    }
    stops
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use vectors::stops_in;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use vectors::{Marks, load};

/// The same in vectors.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vectors {
    use core::arch::wasm32::{i8x16_bitmask, u8x16_eq, u8x16_splat, u8x16_sub_sat, v128, v128_or, v128_xor};
    use core::hint::black_box;

    use super::BLOCK;

    /// What bytes are held against.
    #[derive(Clone, Copy)]
    pub(in crate::json) struct Marks {
        two: v128,
        backslash: v128,
        last: v128,
    }

    impl Marks {
        #[inline(always)]
        pub(in crate::json) fn new() -> Self {
            Self { two: u8x16_splat(2), backslash: u8x16_splat(b'\\'), last: u8x16_splat(0xa0) }
        }

        /// For a loop: what is known to be constant would be made anew in each round.
        #[inline(always)]
        pub(in crate::json) fn kept() -> Self {
            let splat = |byte: u8| u8x16_splat(black_box(byte));
            Self { two: splat(2), backslash: splat(b'\\'), last: splat(0xa0) }
        }

        #[inline(always)]
        pub(in crate::json) fn special(self, chunk: &[u8; 16]) -> usize {
            let bytes = load(chunk);
            // No bit: 16, which is not in the chunk either.
            i8x16_bitmask(v128_or(self.stops(bytes), bytes)).trailing_zeros() as usize
        }

        /// The high bit of each quote, backslash and control character.
        #[inline(always)]
        fn stops(self, bytes: v128) -> v128 {
            // The quote changes places with the blank: it and the control characters are up to 0x20. What is left of 0xa0 has its high
            // bit where no more was taken; one step where a comparison is four.
            let ends = u8x16_sub_sat(self.last, v128_xor(bytes, self.two));
            v128_or(ends, u8x16_eq(bytes, self.backslash))
        }
    }

    #[inline(always)]
    pub(super) fn stops_in(block: &[u8; BLOCK], foreign: &mut u32) -> u64 {
        let ([a, b, c, d], _) = block.as_chunks::<16>() else { return u64::MAX };
        let (a, b, c, d) = (load(a), load(b), load(c), load(d));
        *foreign |= u32::from(i8x16_bitmask(v128_or(v128_or(a, b), v128_or(c, d))));
        let marks = Marks::new();
        let mask = |bytes| u64::from(i8x16_bitmask(marks.stops(bytes)));
        mask(a) | mask(b) << 16 | mask(c) << 32 | mask(d) << 48
    }

    #[inline(always)]
    pub(in crate::json) fn load(chunk: &[u8; 16]) -> v128 {
        bytemuck::must_cast(*chunk)
    }
}

/// The high bit of each byte that ends a run; exact up to the lowest one, which is the only one that is used.
pub(super) fn stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    ((word.wrapping_sub(ONES * 0x20) & !word) | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash))
        & HIGH
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

/// Behind up to eight digits; where it starts if the text ends there.
#[inline(always)]
pub(super) fn short_integer(text: &[u8], at: usize) -> usize {
    let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { return at };
    at.wrapping_add(digits_in(chunk))
}

/// How many digits it begins with.
#[inline(always)]
pub(super) fn digits_in(chunk: &[u8; 8]) -> usize {
    let word = u64::from_le_bytes(*chunk) ^ (ONES * b'0' as u64);
    // No carry goes from one byte to the next: 0x7f and 0x76 are less than 0x100.
    let others = (((word & !HIGH) + ONES * 0x76) | word) & HIGH;
    others.trailing_zeros() as usize / 8
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
pub(super) fn blanks(text: &[u8], at: usize) -> usize {
    token(text, at).0
}

/// The same, and what stands there; 0 at the end of the text.
#[inline(always)]
pub(super) fn token(text: &[u8], at: usize) -> (usize, u8) {
    match text.get(at) {
        Some(byte) if *byte > b' ' => (at, *byte),
        _ => behind_blanks(text, at),
    }
}

#[inline(never)]
fn behind_blanks(text: &[u8], mut at: usize) -> (usize, u8) {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = text.get(at) {
        at += 1;
    }
    (at, text.get(at).copied().unwrap_or_default())
}

/// What is wrong with what stands at `at`.
#[cold]
pub(super) fn unexpected(text: &[u8], at: usize) -> Error {
    Error { kind: if at < text.len() { ErrorKind::UnexpectedByte } else { ErrorKind::Truncated }, at }
}

/// Where `word` ends, which must stand at `at`.
#[inline]
pub(super) fn literal(text: &[u8], at: usize, word: &[u8]) -> Result<usize, Error> {
    if text.get(at..at + word.len()) != Some(word) {
        return Err(Error { kind: ErrorKind::UnexpectedByte, at });
    }
    Ok(at + word.len())
}
