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
    let mut out = text(bytes, STANDARD_LAST);
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

/// The text of these bytes in the alphabet of section 5, without padding.
pub fn encode_url(bytes: &[u8]) -> String {
    text(bytes, URL_LAST)
}

/// The two characters in which the alphabets differ.
type Last = [u8; 2];

const STANDARD_LAST: Last = [b'+', b'/'];
const URL_LAST: Last = [b'-', b'_'];

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

const NONE: u8 = 0x80;
static STANDARD: Table = table(STANDARD_LAST);
static URL: Table = table(URL_LAST);

#[expect(clippy::indexing_slicing, reason = "it runs when this is compiled")]
const fn table(last: Last) -> Table {
    let mut table = [NONE; 256];
    let mut six = 0;
    while six < 64 {
        table[character(six, last) as usize] = six;
        six += 1;
    }
    table
}

/// Four characters are three bytes. Whether one of them is wrong is asked at the end.
#[inline(never)]
fn bytes(text: &[u8], table: &Table) -> Option<Vec<u8>> {
    let six = |character: u8| table.get(usize::from(character)).copied().unwrap_or(NONE);
    let mut out = vec![0; text.len() / 4 * 3 + text.len() % 4 * 3 / 4];
    let ((fours, rest), (threes, end)) = (text.as_chunks::<4>(), out.as_chunks_mut::<3>());
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
    (wrong & NONE == 0 && bits == 0).then_some(out)
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
