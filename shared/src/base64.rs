//! Base64 of RFC 4648, as strict as that allows: there is one text for any bytes.

/// The bytes that `text` stands for in the alphabet of section 4: padded, and no bits that mean nothing.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|c| **c == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    bytes(text.get(..text.len() - padding)?, [b'+', b'/'])
}

/// The bytes that `text` stands for in the alphabet of section 5, without padding (RFC 7515 section 2), and no bits that
/// mean nothing (BY-T-08).
pub(crate) fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 == 1 { None } else { bytes(text, [b'-', b'_']) }
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

    use super::{decode, decode_url};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn reads_what_the_crate_reads(text in "[A-Da-d0189+/_-]{0,9}={0,3}") {
            prop_assert_eq!(decode(text.as_bytes()), STANDARD.decode(&text).ok());
            prop_assert_eq!(decode_url(text.as_bytes()), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(STANDARD.encode(&bytes).as_bytes()), Some(bytes.clone()));
            prop_assert_eq!(decode_url(URL_SAFE_NO_PAD.encode(&bytes).as_bytes()), Some(bytes));
        }
    }
}
