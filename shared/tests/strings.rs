//! Strings of JSON against a reader that looks at one byte after the other. Natively the loop over bytes runs, in Node the one
//! over vectors (`.cargo/config.toml`): both must find the same end.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use wardpoint_core::json::{Limits, Reader};

/// What may make a difference: an end, an escape, the last byte that is refused and those around it, what is not ASCII.
const MARKS: [&[u8]; 12] = [b"", b"\"", b"\\n", b"\\", b"\x1f", b" ", b"\x7f", "é".as_bytes(), b"\x80", b"\xff", b"!", b"#"];

/// Where the string ends whose inside starts at 1; `None`: it is none.
fn end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => break,
            b'\\' if matches!(text.get(at + 1)?, b'n' | b'"' | b'\\' | b'/') => at += 2,
            0..=0x1f | b'\\' => return None,
            _ => at += 1,
        }
    }
    core::str::from_utf8(text.get(1..at)?).ok().map(|_| at + 1)
}

fn read(text: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(text, Limits::default());
    reader.skip().ok().map(|span| span.end)
}

#[test]
fn a_string_ends_where_it_ends() {
    // Strings that end in the first block of 64 bytes, in the next one, and so close to the end that there is no whole block.
    for length in (0..20).chain(54..70).chain(118..134) {
        for place in 0..=length {
            for mark in MARKS {
                for second in [&b""[..], b"\"", "ü".as_bytes()] {
                    for behind in [2, 80] {
                        let mut text = vec![b'"'];
                        text.resize(1 + place, b'a');
                        text.extend_from_slice(mark);
                        text.resize(text.len() + length - place, b'z');
                        text.extend_from_slice(second);
                        text.push(b'"');
                        text.resize(text.len() + behind, b' ');
                        assert_eq!(read(&text), end(&text), "{:?}", String::from_utf8_lossy(&text));
                    }
                }
            }
        }
    }
}
