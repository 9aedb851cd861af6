//! Tokens against the grammar, byte by byte. Natively the loop over bytes runs, in Node the one over vectors.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use wardpoint_wire::token68::is_token68;

#[test]
fn each_byte_in_each_place() {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    for byte in 0..=u8::MAX {
        for length in 1..40 {
            for place in 0..length {
                let mut text = vec![b'a'; length];
                text[place] = byte;
                let padding = byte == b'=' && place > 0 && place + 1 == length;
                assert_eq!(is_token68(&text), named(byte) || padding, "{byte} at {place} of {length}");
            }
        }
    }
}

#[test]
fn padding_stands_behind_something() {
    for good in ["a=", "a==", "abcdefghijklmnop=", "abcdefghijklmnopq=="] {
        assert!(is_token68(good.as_bytes()), "{good}");
    }
    for bad in ["", "=", "==", "=a", "a=b", "abcdefghijklmno=p"] {
        assert!(!is_token68(bad.as_bytes()), "{bad}");
    }
}
