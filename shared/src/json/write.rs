//! Writing JSON strings.

/// Appends `text` as a JSON string with its quotes (RFC 8259 section 7); control characters are escaped.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' || c == '\u{7f}' => {
                let code = u32::from(c);
                out.push_str("\\u00");
                out.push(char::from_digit(code >> 4, 16).unwrap_or('0'));
                out.push(char::from_digit(code & 15, 16).unwrap_or('0'));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The same in ASCII, cut after `limit` characters with an ellipsis: for text that a peer chose and that goes to a log, which
/// may escape, split or drop what is not ASCII (OT-03).
pub fn push_ascii_bounded(out: &mut String, text: &str, limit: usize) {
    let (text, rest) = match text.char_indices().nth(limit) {
        None => (text, ""),
        Some((end, _)) => (text.get(..end).unwrap_or_default(), "…"),
    };
    let start = out.len();
    push_string(out, text);
    let quoted = out.split_off(start);
    let inner = quoted.strip_suffix('"').unwrap_or(&quoted);
    for c in inner.chars().chain(rest.chars()) {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out.push('"');
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
    fn long_text_is_cut_between_characters() {
        let mut out = String::new();
        push_ascii_bounded(&mut out, "ää🦀ä", 3);
        assert_eq!(out, r#""\u00e4\u00e4\ud83e\udd80\u2026""#);
    }
}
