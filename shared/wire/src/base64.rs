//! Base64 of RFC 4648, as strict as that allows: there is one text for any bytes.

/// The bytes that `text` stands for in the alphabet of section 4: padded, and no bits that mean nothing.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|c| **c == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    bytes(text.get(..text.len() - padding)?, [b'+', b'/'])
}

/// The bytes that `text` stands for in the alphabet of section 5, without padding (RFC 7515 section 2), and no bits that
/// mean nothing (BY-T-08).
pub fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 == 1 { None } else { bytes(text, [b'-', b'_']) }
}

/// The text of these bytes in the alphabet of section 4, padded.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = text(bytes, ['+', '/']);
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

/// The text of these bytes in the alphabet of section 5, without padding.
pub fn encode_url(bytes: &[u8]) -> String {
    text(bytes, ['-', '_'])
}

fn text(bytes: &[u8], last: [char; 2]) -> String {
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let six = (word >> (18 - 6 * place)) as u8 & 63;
            out.push(match six {
                0..=25 => char::from(b'A' + six),
                26..=51 => char::from(b'a' + six - 26),
                52..=61 => char::from(b'0' + six - 52),
                62 => last[0],
                _ => last[1],
            });
        }
    }
    out
}

fn bytes(text: &[u8], last: [u8; 2]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut rest, mut bits) = (0_u32, 0_u32);
    for c in text {
        let six = match *c {
            c @ b'A'..=b'Z' => c - b'A',
            c @ b'a'..=b'z' => c - b'a' + 26,
            c @ b'0'..=b'9' => c - b'0' + 52,
            c if c == last[0] => 62,
            c if c == last[1] => 63,
            _ => return None,
        };
        rest = rest << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.extend(u8::try_from(rest >> bits));
            rest &= (1 << bits) - 1;
        }
    }
    (rest == 0).then_some(out)
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
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(encode(&bytes), STANDARD.encode(&bytes));
            prop_assert_eq!(encode_url(&bytes), URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(decode(STANDARD.encode(&bytes).as_bytes()), Some(bytes.clone()));
            prop_assert_eq!(decode_url(URL_SAFE_NO_PAD.encode(&bytes).as_bytes()), Some(bytes));
        }
    }
}
