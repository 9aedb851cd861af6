//! What a registry asks for: `WWW-Authenticate` (RFC 9110 11.6.1), and what goes into the query for a token.

/// What follows the scheme of a challenge.
pub(super) fn of_scheme<'c>(challenge: &'c str, scheme: &str) -> Option<&'c str> {
    let (name, rest) = challenge.trim().split_once(' ').unwrap_or((challenge.trim(), ""));
    name.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// A parameter of a challenge (RFC 9110 11.2), quoted or not.
pub(super) fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge.trim_start_matches([',', ' ']);
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            None => after.split_once(',').map_or((after.trim().to_owned(), ""), |(value, rest)| (value.trim().to_owned(), rest)),
            Some(quoted) => unquoted(quoted)?,
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after.trim_start_matches([',', ' ']);
    }
    None
}

/// Up to the closing quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.chars();
    loop {
        match letters.next()? {
            '"' => return Some((value, letters.as_str())),
            '\\' => value.push(letters.next()?),
            letter => value.push(letter),
        }
    }
}

/// For a query: everything that is not unreserved (RFC 3986 2.3) as `%XX`.
pub(super) fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_challenge_are_read_as_rfc_9110_writes_them() {
        let challenge = r#"realm="https://auth.example.com/token",service="reg, \"one\"", scope="repository:a:pull,push",error=insufficient_scope"#;
        for (name, value) in [
            ("realm", "https://auth.example.com/token"),
            ("SERVICE", "reg, \"one\""),
            ("scope", "repository:a:pull,push"),
            ("error", "insufficient_scope"),
        ] {
            assert_eq!(parameter(challenge, name).as_deref(), Some(value));
        }
        assert_eq!(parameter(challenge, "push"), None);
        assert_eq!(parameter(r#"realm="open"#, "realm"), None);
        assert_eq!(of_scheme("Bearer realm=x", "bearer"), Some("realm=x"));
        assert_eq!(of_scheme("Bearers realm=x", "bearer"), None);
    }

    #[test]
    fn a_scope_is_escaped() {
        assert_eq!(escaped("repository:a/b:pull,push"), "repository%3Aa%2Fb%3Apull%2Cpush");
    }
}
