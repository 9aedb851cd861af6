//! Base64 of RFC 4648, as strict as that allows: there is one text for any bytes.

/// The bytes that `text` stands for in the alphabet of section 4: padded, and no bits that mean nothing.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|c| **c == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    bytes(text.get(..text.len() - padding)?, &STANDARD)
}

/// The bytes that `text` stands for in the alphabet of section 5, without padding (RFC 7515 section 2), and no bits that
/// mean nothing (BY-T-08).
pub fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 == 1 { None } else { bytes(text, &URL) }
}

/// The text of these bytes in the alphabet of section 4, padded.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = text(bytes, STANDARD.last);
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

/// The text of these bytes in the alphabet of section 5, without padding.
pub fn encode_url(bytes: &[u8]) -> String {
    text(bytes, URL.last)
}

/// The two characters in which the alphabets differ.
type Last = [u8; 2];

/// The character of these six bits.
const fn character(six: u8, last: Last) -> u8 {
    match six {
        0..=25 => b'A' + six,
        26..=51 => b'a' + six - 26,
        52..=61 => b'0' + six - 52,
        62 => last[0],
        _ => last[1],
    }
}

fn text(bytes: &[u8], last: Last) -> String {
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let six = (word >> (18 - 6 * place)) as u8 & 63;
            out.push(char::from(character(six, last)));
        }
    }
    out
}

/// What each character stands for; [`NONE`] where it is not of the alphabet.
type Table = [u8; 256];

/// One alphabet.
struct Alphabet {
    table: Table,
    last: Last,
}

const NONE: u8 = 0x80;
static STANDARD: Alphabet = alphabet([b'+', b'/']);
static URL: Alphabet = alphabet([b'-', b'_']);

#[expect(clippy::indexing_slicing, reason = "it runs when this is compiled")]
const fn alphabet(last: Last) -> Alphabet {
    let mut table = [NONE; 256];
    let mut six = 0;
    while six < 64 {
        table[character(six, last) as usize] = six;
        six += 1;
    }
    Alphabet { table, last }
}

/// Whether a character is wrong is asked at the end.
#[inline(never)]
fn bytes(text: &[u8], alphabet: &Alphabet) -> Option<Vec<u8>> {
    let six = |character: u8| alphabet.table.get(usize::from(character)).copied().unwrap_or(NONE);
    let mut out = vec![0; text.len() / 4 * 3 + text.len() % 4 * 3 / 4];
    let (text, place, good) = blocks(text, &mut out, alphabet);
    // Four characters are three bytes.
    let ((fours, rest), (threes, end)) = (text.as_chunks::<4>(), place.as_chunks_mut::<3>());
    let mut wrong = 0;
    for (three, four) in threes.iter_mut().zip(fours) {
        let [a, b, c, d] = four.map(six);
        wrong |= a | b | c | d;
        *three = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    }
    // Two characters are one byte, three are two; the last bits mean nothing.
    let sixes: [u8; 3] = core::array::from_fn(|place| rest.get(place).map_or(0, |character| six(*character)));
    let [a, b, c] = sixes;
    wrong |= a | b | c;
    let (bytes, bits) = match end.len() {
        2 => ([a << 2 | b >> 4, b << 4 | c >> 2], c << 6),
        1 => ([a << 2 | b >> 4, 0], b << 4),
        _ => ([0; 2], 0),
    };
    end.iter_mut().zip(bytes).for_each(|(end, byte)| *end = byte);
    (good && wrong & NONE == 0 && bits == 0).then_some(out)
}

/// Reads what can be read in large steps: the text and the place that are left, and whether all was of the alphabet.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn blocks<'t, 'o>(text: &'t [u8], out: &'o mut [u8], _: &Alphabet) -> (&'t [u8], &'o mut [u8], bool) {
    (text, out, true)
}

/// The same in vectors: sixteen characters are twelve bytes.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn blocks<'t, 'o>(text: &'t [u8], out: &'o mut [u8], alphabet: &Alphabet) -> (&'t [u8], &'o mut [u8], bool) {
    use core::arch::wasm32::{
        i8x16_shuffle, i16x8_shl, i32x4_shl, u8x16_add, u8x16_all_true, u8x16_eq, u8x16_lt, u8x16_splat, u8x16_sub, u16x8_shr,
        u16x8_splat, u32x4_extract_lane, u32x4_shr, u64x2_extract_lane, v128, v128_and, v128_or,
    };

    let [second_last, last] = alphabet.last;
    let ((sixteens, rest), (twelves, place)) = (text.as_chunks::<16>(), out.as_chunks_mut::<12>());
    let mut good = u8x16_splat(0xff);
    for (sixteen, twelve) in sixteens.iter().zip(twelves) {
        let text: v128 = bytemuck::must_cast(*sixteen);
        let among = |first, count| u8x16_lt(u8x16_sub(text, u8x16_splat(first)), u8x16_splat(count));
        let is = |byte| u8x16_eq(text, u8x16_splat(byte));
        // How far each character is from what it stands for; nothing is of two kinds. Not in a loop: it would stay one.
        let by = |first, six| u8x16_splat(u8::wrapping_sub(six, first));
        let (upper, lower, digit) = (among(b'A', 26), among(b'a', 26), among(b'0', 10));
        let (is_second_last, is_last) = (is(second_last), is(last));
        let letters = v128_or(v128_and(upper, by(b'A', 0)), v128_and(lower, by(b'a', 26)));
        let others = v128_or(v128_and(is_second_last, by(second_last, 62)), v128_and(is_last, by(last, 63)));
        let known = v128_or(v128_or(upper, lower), v128_or(digit, v128_or(is_second_last, is_last)));
        good = v128_and(good, known);
        let sixes = u8x16_add(text, v128_or(v128_or(letters, others), v128_and(digit, by(b'0', 52))));
        // Two of six bits are one of twelve, two of those one of 24, whose bytes then stand in their order.
        let twelves = v128_and(v128_or(i16x8_shl(sixes, 6), u16x8_shr(sixes, 8)), u16x8_splat(0x0fff));
        let words = v128_or(i32x4_shl(twelves, 12), u32x4_shr(twelves, 16));
        let bytes = i8x16_shuffle::<2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 3, 7, 11, 15>(words, words);
        if let Some(eight) = twelve.first_chunk_mut() {
            *eight = u64x2_extract_lane::<0>(bytes).to_le_bytes();
        }
        if let Some(four) = twelve.last_chunk_mut() {
            *four = u32x4_extract_lane::<2>(bytes).to_le_bytes();
        }
    }
    (rest, place, u8x16_all_true(good))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::{decode, decode_url, encode, encode_url};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn reads_what_the_crate_reads(text in "[A-Da-d0189+/_-]{0,9}={0,3}") {
            prop_assert_eq!(decode(text.as_bytes()), STANDARD.decode(&text).ok());
            prop_assert_eq!(decode_url(text.as_bytes()), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn reads_what_the_crate_reads_of_any_bytes(text in "[A-Za-z0-9_-]{0,90}", place in 0_usize..90, byte in any::<u8>()) {
            let mut text = text.into_bytes();
            if let Some(there) = text.get_mut(place) {
                *there = byte;
            }
            prop_assert_eq!(decode(&text), STANDARD.decode(&text).ok());
            prop_assert_eq!(decode_url(&text), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(encode(&bytes), STANDARD.encode(&bytes));
            prop_assert_eq!(encode_url(&bytes), URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(decode(STANDARD.encode(&bytes).as_bytes()), Some(bytes.clone()));
            prop_assert_eq!(decode_url(URL_SAFE_NO_PAD.encode(&bytes).as_bytes()), Some(bytes));
        }
    }
}
