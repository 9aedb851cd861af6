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

/// The same, cut after `limit` characters with an ellipsis: for text that a peer chose (OT-03).
pub fn push_string_bounded(out: &mut String, text: &str, limit: usize) {
    match text.char_indices().nth(limit) {
        None => push_string(out, text),
        Some((end, _)) => push_string(out, &format!("{}…", text.get(..end).unwrap_or_default())),
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
    fn long_text_is_cut_between_characters() {
        let mut out = String::new();
        push_string_bounded(&mut out, "ääää", 3);
        assert_eq!(out, "\"äää…\"");
    }
}
