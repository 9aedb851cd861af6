//! base64 against a reader of single characters. Natively the table reads, in Node the vectors.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use wardpoint_wire::base64::{decode, decode_url, encode, encode_url};

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The bytes of a text without padding, six bits at a time.
fn of_characters(text: &[u8], last: [u8; 2]) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for character in text {
        let six = LETTERS.iter().chain(&last).position(|known| known == character)?;
        bits = bits << 6 | u32::try_from(six).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    (count < 6 && bits == 0).then_some(out)
}

/// Some bytes, of which no two stretches are alike.
fn some(length: usize) -> Vec<u8> {
    (0..length)
        .scan(1_u32, |state, _| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes().first().copied()
        })
        .collect()
}

#[test]
fn bytes_come_back() {
    for length in 0..200 {
        let bytes = some(length);
        assert_eq!(decode(encode(&bytes).as_bytes()).as_ref(), Some(&bytes), "{length}");
        assert_eq!(decode_url(encode_url(&bytes).as_bytes()).as_ref(), Some(&bytes), "{length}");
        assert_eq!(of_characters(encode_url(&bytes).as_bytes(), *b"-_").as_ref(), Some(&bytes), "{length}");
    }
}

#[test]
fn every_byte_at_every_place() {
    for length in [4, 15, 16, 17, 18, 19, 32, 35, 64] {
        let text: Vec<u8> = LETTERS.iter().copied().cycle().skip(7).take(length).collect();
        for place in 0..length {
            for byte in 0..=u8::MAX {
                let mut text = text.clone();
                text[place] = byte;
                assert_eq!(decode_url(&text), of_characters(&text, *b"-_"), "{length} {place} {byte}");
                if length % 4 == 0 && byte != b'=' {
                    assert_eq!(decode(&text), of_characters(&text, *b"+/"), "{length} {place} {byte}");
                }
            }
        }
    }
}
