//! Text to tokens (CEL specification, "Syntax").

use super::double;
use super::node::Constant;
use super::value::Num;

/// One token and where it starts.
#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub(super) at: usize,
    pub(super) kind: TokenKind<'t>,
}

/// The kinds of tokens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind<'t> {
    End,
    Literal(Constant),
    Name(&'t str),
    /// An operator or a bracket.
    Sign(&'static str),
    /// What is wrong with the text here.
    Wrong(String),
}

/// Longest first where one begins another.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "!", "-", "+", "*", "/", "%", "<", ">",
];

/// Reads tokens one by one.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; after the last one, `End` again and again.
    pub(super) fn next(&mut self) -> Token<'t> {
        self.blanks();
        let at = self.at;
        let rest = self.text.get(at..).unwrap_or_default();
        let bytes = rest.as_bytes();
        let kind = match bytes.first() {
            None => TokenKind::End,
            Some(b'0'..=b'9') => self.number(rest),
            Some(b'.') if bytes.get(1).is_some_and(u8::is_ascii_digit) => self.number(rest),
            Some(b'"' | b'\'') => self.string(rest, 0),
            Some(b'r' | b'R') if matches!(bytes.get(1), Some(b'"' | b'\'')) => self.string(rest, 1),
            Some(c) if c.is_ascii_alphabetic() || *c == b'_' => self.word(rest),
            Some(_) => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    TokenKind::Sign(sign)
                }
                None => {
                    let c = rest.chars().next().unwrap_or_default();
                    self.at += c.len_utf8();
                    TokenKind::Wrong(match c {
                        '=' => "`=` is no operator. Write `==`".to_owned(),
                        '&' | '|' => format!("`{c}` is no operator. Write `{c}{c}`"),
                        '`' => "names in backticks are not supported. Write `x[\"name\"]`".to_owned(),
                        _ => format!("`{c}` has no meaning here"),
                    })
                }
            },
        };
        Token { at, kind }
    }

    fn blanks(&mut self) {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let text = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
            self.at += rest.len() - text.len();
            if !text.starts_with("//") {
                return;
            }
            self.at += text.find('\n').unwrap_or(text.len());
        }
    }

    fn word(&mut self, rest: &'t str) -> TokenKind<'t> {
        let length = rest.bytes().take_while(|c| c.is_ascii_alphanumeric() || *c == b'_').count();
        self.at += length;
        match rest.get(..length).unwrap_or_default() {
            "true" => TokenKind::Literal(Constant::Bool(true)),
            "false" => TokenKind::Literal(Constant::Bool(false)),
            "null" => TokenKind::Literal(Constant::Null),
            "in" => TokenKind::Sign("in"),
            "b" | "B" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB"
                if rest.get(length..).is_some_and(|r| r.starts_with(['"', '\''])) =>
            {
                // The text itself is read, so that one mistake is told once.
                let inside = self.text.get(self.at..).unwrap_or_default();
                self.string(inside, 0);
                TokenKind::Wrong("bytes are not supported, as no field has any. Write a string".to_owned())
            }
            name => TokenKind::Name(name),
        }
    }

    fn number(&mut self, rest: &'t str) -> TokenKind<'t> {
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes.get(from..).unwrap_or_default().iter().take_while(|c| c.is_ascii_digit()).count();
        let hex = matches!(bytes.get(..2), Some(b"0x" | b"0X"));
        let mut double = false;
        let mut end = if hex {
            2 + bytes.get(2..).unwrap_or_default().iter().take_while(|c| c.is_ascii_hexdigit()).count()
        } else {
            let mut end = digits(0);
            if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
                end += 1 + digits(end + 1);
                double = true;
            }
            if let Some(b'e' | b'E') = bytes.get(end) {
                end += 1;
                end += usize::from(matches!(bytes.get(end), Some(b'+' | b'-')));
                end += digits(end);
                double = true;
            }
            end
        };
        let number = rest.get(..end).unwrap_or_default();
        let uint = !double && matches!(bytes.get(end), Some(b'u' | b'U'));
        end += usize::from(uint);
        let behind = bytes.get(end..).unwrap_or_default().iter().take_while(|c| c.is_ascii_alphanumeric() || **c == b'_').count();
        self.at += end + behind;
        let whole = rest.get(..end + behind).unwrap_or_default();
        let wrong = || TokenKind::Wrong(format!("`{whole}` is no number, or too large for one"));
        if behind > 0 {
            return wrong();
        }
        let (digits, radix) = if hex { (number.get(2..).unwrap_or_default(), 16) } else { (number, 10) };
        let value = if double {
            double::read(number).map(Num::Double)
        } else if uint {
            u64::from_str_radix(digits, radix).ok().map(Num::Uint)
        } else {
            // The magnitude of the smallest integer is one more than that of the largest: the parser puts the sign to it.
            u64::from_str_radix(digits, radix).ok().filter(|value| *value <= 1 << 63).map(|value| match i64::try_from(value) {
                Ok(value) => Num::Int(value),
                Err(_) => Num::Int(i64::MIN),
            })
        };
        // `i64::MIN` as a literal stands for 2^63, which only the parser may take, behind a `-`.
        value.map_or_else(wrong, |value| TokenKind::Literal(Constant::Number(value)))
    }

    /// A string, from its quote on; `prefix` bytes stand before that, and mean that it is raw.
    fn string(&mut self, rest: &'t str, prefix: usize) -> TokenKind<'t> {
        let raw = prefix > 0;
        let body = rest.get(prefix..).unwrap_or_default();
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| body.starts_with(quote)).unwrap_or("\"");
        let inside = body.get(quote.len()..).unwrap_or_default();
        let mut out = String::new();
        let mut wrong = None;
        let mut at = 0;
        loop {
            let here = inside.get(at..).unwrap_or_default();
            if here.starts_with(quote) {
                break;
            }
            match here.chars().next() {
                None | Some('\n' | '\r') if here.is_empty() || quote.len() == 1 => {
                    self.at += prefix + quote.len() + at;
                    return TokenKind::Wrong(format!("this string has no end: `{quote}` is missing"));
                }
                Some('\\') if !raw => match escape(here) {
                    Ok((c, length)) => {
                        out.push(c);
                        at += length;
                    }
                    Err(problem) => {
                        wrong.get_or_insert(problem);
                        at += 1 + here.chars().nth(1).map_or(0, char::len_utf8);
                    }
                },
                c => {
                    let c = c.unwrap_or_default();
                    out.push(c);
                    at += c.len_utf8();
                }
            }
        }
        self.at += prefix + 2 * quote.len() + at;
        wrong.map_or(TokenKind::Literal(Constant::Text(out)), TokenKind::Wrong)
    }
}

/// The character that an escape means, and the length of the escape.
fn escape(text: &str) -> Result<(char, usize), String> {
    let coded = |from: usize, digits: usize, radix| {
        let code = text.get(from..from + digits).filter(|code| code.bytes().all(|c| c.is_ascii_alphanumeric()))?;
        Some((char::from_u32(u32::from_str_radix(code, radix).ok()?)?, from + digits))
    };
    let found = match text.as_bytes().get(1) {
        Some(b'a') => Some(('\u{7}', 2)),
        Some(b'b') => Some(('\u{8}', 2)),
        Some(b'f') => Some(('\u{c}', 2)),
        Some(b'n') => Some(('\n', 2)),
        Some(b'r') => Some(('\r', 2)),
        Some(b't') => Some(('\t', 2)),
        Some(b'v') => Some(('\u{b}', 2)),
        Some(c @ (b'\\' | b'?' | b'"' | b'\'' | b'`')) => Some((char::from(*c), 2)),
        Some(b'x' | b'X') => coded(2, 2, 16),
        Some(b'u') => coded(2, 4, 16),
        Some(b'U') => coded(2, 8, 16),
        Some(b'0'..=b'3') => coded(1, 3, 8),
        _ => None,
    };
    found.ok_or_else(|| {
        let start: String = text.chars().take(2).collect();
        format!("`{start}` is no escape. Write `\\\\` for a backslash")
    })
}
