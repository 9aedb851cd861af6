//! Writing JSON strings.

use super::verbatim::is_plain;

/// Appends `text` as a JSON string with its quotes (RFC 8259 section 7); control characters are escaped.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

/// The same in ASCII, cut after `limit` characters with an ellipsis: for text that a peer chose and that goes to a log, which
/// may escape, split or drop what is not ASCII (OT-03).
pub fn push_ascii_bounded(out: &mut String, text: &str, limit: usize) {
    out.push('"');
    if text.len() <= limit && is_plain(text) {
        out.push_str(text);
    } else if text.len() <= limit && text.is_ascii() {
        push_escaped(out, text);
    } else {
        push_bounded(out, text, limit);
    }
    out.push('"');
}

/// Appends a number in decimal digits.
pub fn push_number(out: &mut String, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
    }
    let shown = digits.get(20 - count.max(1)..).unwrap_or_default();
    out.push_str(core::str::from_utf8(shown).unwrap_or_default());
}

/// Appends bytes in lower-case hexadecimal.
pub fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
}

/// Plain runs go over in one piece.
fn push_escaped(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    let mut rest = text;
    while let Some(end) = rest.bytes().position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f)) {
        out.push_str(rest.get(..end).unwrap_or_default());
        match rest.as_bytes().get(end) {
            Some(b'"') => out.push_str("\\\""),
            Some(b'\\') => out.push_str("\\\\"),
            Some(b'\n') => out.push_str("\\n"),
            Some(b'\r') => out.push_str("\\r"),
            Some(b'\t') => out.push_str("\\t"),
            other => {
                out.push_str("\\u00");
                push_hex(out, &[other.copied().unwrap_or_default()]);
            }
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// Whether there is a control character, of ASCII or beyond.
pub fn has_control(text: &str) -> bool {
    !is_plain(text) && text.chars().any(char::is_control)
}

#[cold]
fn push_bounded(out: &mut String, text: &str, limit: usize) {
    let (text, rest) = match text.char_indices().nth(limit) {
        None => (text, ""),
        Some((end, _)) => (text.get(..end).unwrap_or_default(), "…"),
    };
    for c in text.chars().chain(rest.chars()) {
        if c.is_ascii() {
            push_escaped(out, c.encode_utf8(&mut [0; 4]));
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str("\\u");
                push_hex(out, &unit.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["", "a\"b\\c", "\u{0}\u{1f}\u{7f}\n\r\t", "grüße 🦀"] {
            let mut out = String::new();
            push_string(&mut out, text);
            assert_eq!(serde_json::from_str::<String>(&out).ok().as_deref(), Some(text));
        }
    }

    #[test]
    fn numbers_have_no_zero_before_them() {
        for (number, want) in [(0, "0"), (7, "7"), (120, "120"), (u64::MAX, "18446744073709551615")] {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, want);
        }
    }

    #[test]
    fn control_characters_are_found_wherever_they_stand() {
        for c in (0..0x500).filter_map(char::from_u32) {
            for text in [
                format!("{c}"),
                format!("more than eight bytes before {c}"),
                format!("grün{c}grün"),
                format!("{c} and more behind"),
            ] {
                assert_eq!(has_control(&text), c.is_control(), "{text:?}");
            }
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let mut out = String::new();
        push_ascii_bounded(&mut out, "ää🦀ä", 3);
        assert_eq!(out, r#""\u00e4\u00e4\ud83e\udd80\u2026""#);
    }
}
