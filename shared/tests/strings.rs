//! Strings of JSON against a reader that looks at one byte after the other. Natively the loop over bytes runs, in Node the one
//! over vectors (`.cargo/config.toml`): both must find the same end.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use wardpoint_core::json::{Limits, Reader};

/// What may make a difference: an end, an escape, the last byte that is refused and those around it, what is not ASCII.
const MARKS: [&[u8]; 14] =
    [b"", b"\"", b"\\n", b"\\\\n", b"\\/", b"\\", b"\x1f", b" ", b"\x7f", "é".as_bytes(), b"\x80", b"\xff", b"!", b"#"];

#[test]
fn what_is_read_of_a_long_string_is_what_it_says() {
    let line = "the quick brown fox jumps over the lazy dog\n";
    for (length, mark) in (0..1100).flat_map(|length| ["", "\\", "\"", "\t", "ü"].map(|mark| (length, mark))) {
        let before: String = line.chars().cycle().take(length).collect();
        let said = format!("{before}{mark}{}", "z".repeat(length % 3 * 100));
        let text = said.replace('\\', r"\\").replace('\n', r"\n").replace('"', "\\\"").replace('\t', r"\t");
        let text = format!("\"{text}\"");
        let mut reader = Reader::new(text.as_bytes(), Limits::default());
        assert_eq!(reader.string().map(|string| string.text().into_owned()), Ok(said), "{text}");
    }
}

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
    // Strings that end in the first block of 64 bytes, in the next one, behind the larger steps that come then, and so
    // close to the end that there is no whole block.
    for length in (0..20).chain(54..70).chain(118..134).chain([511, 512, 600, 639, 640, 641, 767, 768, 769]) {
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

#[test]
fn members_are_the_same_one_by_one_and_many_at_a_time() {
    let member = |index: usize| {
        if index.is_multiple_of(2) { format!("\"f{index}\":{index}") } else { format!("\"g{index}\":\"v{index}\"") }
    };
    let plain: Vec<String> = (0..80).map(member).collect();
    let one_by_one = |text: &[u8]| {
        let mut reader = Reader::new(text, Limits::default());
        reader.object(|_, reader| reader.skip().map(drop)).map(|span| span.end)
    };
    let at_a_time = |text: &[u8]| Reader::new(text, Limits::default()).skip().map(|span| span.end);
    for length in 0..20 {
        for place in 0..=length {
            for mark in MARKS {
                let text = [&b"aaaaaaaaaaaaaaaaaaaa"[..place], mark, &b"zzzzzzzzzzzzzzzzzzzz"[..length - place]].concat();
                for (before, behind) in [(&b"\""[..], &b"\":1"[..]), (b"\"n\":\"", b"\""), (b"\"n\":", b"")] {
                    let other = [before, &text, behind].concat();
                    for at in [40, 71] {
                        let mut all: Vec<&[u8]> = plain.iter().map(String::as_bytes).collect();
                        all.insert(at, &other);
                        let text = [b"{", all.join(&b","[..]).as_slice(), b"}"].concat();
                        assert_eq!(at_a_time(&text), one_by_one(&text), "{:?}", String::from_utf8_lossy(&other));
                    }
                }
            }
        }
    }
}
