//! Strings that are written against a writer of single characters. Natively words are looked at, in Node vectors.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use wardpoint_wire::json::{has_control, push_ascii_bounded, push_string};

/// One character as it stands in a string; `ascii`: what is beyond is escaped too.
fn written(c: char, ascii: bool) -> String {
    match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        c if c < ' ' || c == '\x7f' => format!("\\u{:04x}", u32::from(c)),
        c if ascii && !c.is_ascii() => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        c => c.to_string(),
    }
}

#[test]
fn every_character_at_every_place() {
    let beyond = ['\u{80}', '\u{9f}', '\u{a0}', 'ü', '\u{fff}', '\u{ffff}', '🦀'];
    for c in (0..0x80).map(char::from).chain(beyond) {
        for length in 0..36 {
            for place in 0..=length {
                let (before, behind) = ("a".repeat(place), "z".repeat(length - place));
                let text = format!("{before}{c}{behind}");
                let (mut whole, mut ascii) = (String::new(), String::new());
                push_string(&mut whole, &text);
                push_ascii_bounded(&mut ascii, &text, 100);
                assert_eq!(whole, format!("\"{before}{}{behind}\"", written(c, false)), "{text:?}");
                assert_eq!(ascii, format!("\"{before}{}{behind}\"", written(c, true)), "{text:?}");
                assert_eq!(has_control(&text), c.is_control(), "{text:?}");
            }
        }
    }
}
