//! `application/x-www-form-urlencoded` (RFC 6749 appendix B), and a form that is ready to be sent.

use core::fmt;

/// A form. It holds tokens: its `Debug` shows names only.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Form(String);

/// A form with how its sender proves itself. It holds secrets: its `Debug` shows nothing.
#[derive(Clone, Eq, PartialEq)]
pub struct Post {
    /// The value of `authorization`, where the client proves itself there.
    pub authorization: Option<String>,
    /// The body.
    pub form: Form,
}

impl Form {
    /// A form without parameters.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Adds a parameter behind the others.
    pub fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        push_encoded(&mut self.0, name);
        self.0.push('=');
        push_encoded(&mut self.0, value);
    }

    /// Adds a parameter, if it has a value.
    pub fn push_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// Adds texts as one parameter, separated by spaces; no texts are no parameter.
    pub fn push_list(&mut self, name: &str, texts: &[&str]) {
        if !texts.is_empty() {
            self.push(name, &texts.join(" "));
        }
    }

    /// The form as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Post {
    /// The headers and the body of the request. `authority` and `path` come from the configuration only (BY-X-13).
    pub fn into_request(self, authority: &str, path: &str) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
        let mut headers: Vec<(String, Vec<u8>)> = [
            (":method", "POST"),
            (":authority", authority),
            (":path", path),
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.into()))
        .into();
        headers.extend(self.authorization.map(|value| ("authorization".to_owned(), value.into_bytes())));
        (headers, self.form.0.into_bytes())
    }
}

/// Appends `text` as a name or a value of a form: what is not a letter, a digit or one of `*-._` is escaped, a space is `+`.
pub(super) fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'*' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'_' | b'a'..=b'z' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.split('&').map(|pair| pair.split('=').next().unwrap_or_default())).finish()
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn speaks_the_examples_of_rfc_6749_appendix_b() {
        let mut form = Form::new();
        form.push("key", "\u{20}\u{25}\u{26}\u{2B}\u{A3}\u{20AC}");
        assert_eq!(form.as_str(), "key=+%25%26%2B%C2%A3%E2%82%AC");
    }

    proptest! {
        /// Another reader, written for this test, finds what was put in.
        #[test]
        fn what_is_put_in_comes_back(pairs in proptest::collection::vec((".{0,12}", ".{0,12}"), 1..5)) {
            let mut form = Form::new();
            for (name, value) in &pairs {
                form.push(name, value);
            }
            let decode = |text: &str| {
                let (mut bytes, mut rest) = (Vec::new(), text.bytes());
                while let Some(byte) = rest.next() {
                    bytes.push(match byte {
                        b'+' => b' ',
                        b'%' => {
                            let digits = [rest.next().unwrap(), rest.next().unwrap()];
                            u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap()
                        }
                        byte => byte,
                    });
                }
                String::from_utf8(bytes).unwrap()
            };
            let read: Vec<(String, String)> =
                form.as_str().split('&').map(|pair| pair.split_once('=').unwrap()).map(|(n, v)| (decode(n), decode(v))).collect();
            prop_assert_eq!(read, pairs);
        }
    }
}
