//! The token that a request brings, and every place where it or another credential may stand.

use super::consent;
use crate::http::Headers;
use crate::policy::Reason;
use crate::token68::is_token68;

/// Longest token in bytes (OA-J-13).
pub(super) const MAX_TOKEN: usize = 16 * 1024;
/// Credentials beside `authorization` that must not go on beside an issued token (OA-TE-08).
const STRIPPED: &[&str] = &["proxy-authorization", "txn-token", "dpop", consent::TICKET];
/// All headers of workload credentials begin so (OA-D-05).
const WORKLOAD: &[u8] = b"workload-";

/// The bearer token of a request: one header line, one credential, one space (RFC 6750 section 2.1, BY-T-17).
pub(super) fn bearer(headers: &Headers) -> Result<&[u8], Reason> {
    let value = headers.one("authorization").map_err(|_| Reason::RepeatedHeader)?.ok_or(Reason::NoToken)?;
    // A comma is how a proxy joins two lines; no token has one.
    credential(value).map_err(|reason| if value.contains(&b',') { Reason::RepeatedHeader } else { reason })
}

fn credential(value: &[u8]) -> Result<&[u8], Reason> {
    let end = memchr::memchr(b' ', value).unwrap_or(value.len());
    let (scheme, token) = (value.get(..end).unwrap_or_default(), value.get(end + 1..).unwrap_or_default());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        // All characters of a token68 are ASCII: no need to look at them twice.
        return if token.len() <= MAX_TOKEN && is_token68(token) { Ok(token) } else { Err(Reason::MalformedCredential) };
    }
    if core::str::from_utf8(value).is_err() {
        return Err(Reason::MalformedCredential);
    }
    if scheme.eq_ignore_ascii_case(b"dpop") {
        return Err(Reason::SenderConstrained);
    }
    // Other schemes say nothing that could be exchanged; what is no scheme at all is malformed.
    let known = scheme.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'-') && !token.is_empty();
    Err(if known { Reason::NoToken } else { Reason::MalformedCredential })
}

/// The headers that must not go on: credentials, and whatever else has one of these tokens in it.
pub(super) fn others(headers: &Headers, tokens: &[&[u8]]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (name, value) in headers.iter() {
        let listed = STRIPPED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
            || name.get(..WORKLOAD.len()).is_some_and(|start| start.eq_ignore_ascii_case(WORKLOAD));
        let alias = || !name.eq_ignore_ascii_case(b"authorization") && tokens.iter().any(|token| holds(value, token));
        if (listed || alias())
            && let Ok(name) = core::str::from_utf8(name)
            // A pseudo header cannot be taken away; `:path` was looked at before.
            && !name.starts_with(':')
            && !found.iter().any(|known| known == name)
        {
            found.push(name.to_owned());
        }
    }
    found
}

/// Whether a header's value has this token in it.
pub(super) fn holds(value: &[u8], token: &[u8]) -> bool {
    value.len() >= token.len() && memchr::memmem::find(value, token).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, Reason> {
        let headers: Headers = values.iter().map(|value| ("authorization", value)).collect();
        bearer(&headers).map(|token| String::from_utf8_lossy(token).into_owned())
    }

    #[test]
    fn one_bearer_token_and_nothing_else() {
        assert_eq!(read(&["Bearer a.b-c_d~e+f/g=="]).as_deref(), Ok("a.b-c_d~e+f/g=="));
        assert_eq!(read(&["bEARER x"]).as_deref(), Ok("x"));
        for (values, want) in [
            (&[][..], Reason::NoToken),
            (&["Bearer a", "Bearer a"], Reason::RepeatedHeader),
            (&["Bearer"], Reason::MalformedCredential),
            (&["Bearer "], Reason::MalformedCredential),
            (&["Bearer  a"], Reason::MalformedCredential),
            (&["Bearer a "], Reason::MalformedCredential),
            (&["Bearer\ta"], Reason::MalformedCredential),
            (&["Bearer a, Bearer b"], Reason::RepeatedHeader),
            (&["Bearer a=b"], Reason::MalformedCredential),
            (&["Bearer é"], Reason::MalformedCredential),
            (&["Basic YTpi"], Reason::NoToken),
            (&["DPoP a"], Reason::SenderConstrained),
            (&["DPoP"], Reason::SenderConstrained),
        ] {
            assert_eq!(read(values), Err(want), "{values:?}");
        }
        for value in [&b"Bearer a\xff"[..], b"DPoP a\xff", b"Basic a\xff", b"\xff"] {
            let headers: Headers = [("authorization", value)].into_iter().collect();
            assert_eq!(bearer(&headers), Err(Reason::MalformedCredential), "{value:?}");
        }
        assert_eq!(read(&[&format!("Bearer {}", "a".repeat(MAX_TOKEN + 1))]), Err(Reason::MalformedCredential));
    }

    #[test]
    fn credentials_and_copies_of_the_token_are_found_wherever_they_are() {
        let headers: Headers = [
            (":path", "/secret-token"),
            ("authorization", "Bearer secret-token"),
            ("Proxy-Authorization", "Basic x"),
            ("x-copy", "a=secret-token;b"),
            ("x-copy", "again secret-token"),
            ("workload-identity-token", "w"),
            ("Workload-Proof-Token", "w"),
            ("txn-token", "t"),
            ("dpop", "p"),
            ("x-other", "secret-toke"),
        ]
        .into_iter()
        .collect();
        let all = ["Proxy-Authorization", "x-copy", "workload-identity-token", "Workload-Proof-Token", "txn-token", "dpop"];
        assert_eq!(others(&headers, &[b"secret-token"]), all);
        assert!(!others(&headers, &[]).contains(&"x-copy".to_owned()));
    }
}
