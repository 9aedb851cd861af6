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
pub(super) fn bearer(headers: &Headers) -> Result<&str, Reason> {
    let value = headers.one("authorization").map_err(|_| Reason::RepeatedHeader)?.ok_or(Reason::NoToken)?;
    // A comma is how a proxy joins two lines; no token has one.
    credential(value).map_err(|reason| if value.contains(&b',') { Reason::RepeatedHeader } else { reason })
}

fn credential(value: &[u8]) -> Result<&str, Reason> {
    let text = core::str::from_utf8(value).map_err(|_| Reason::MalformedCredential)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("dpop") {
        return Err(Reason::SenderConstrained);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        // Other schemes say nothing that could be exchanged; what is no scheme at all is malformed.
        let known = scheme.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') && !token.is_empty();
        return Err(if known { Reason::NoToken } else { Reason::MalformedCredential });
    }
    if token.len() <= MAX_TOKEN && is_token68(token.as_bytes()) { Ok(token) } else { Err(Reason::MalformedCredential) }
}

/// The headers that must not go on: credentials, and whatever else has one of these tokens in it.
pub(super) fn others(headers: &Headers, tokens: &[&str]) -> Vec<String> {
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
pub(super) fn holds(value: &[u8], token: &str) -> bool {
    value.len() >= token.len() && memchr::memmem::find(value, token.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, Reason> {
        let headers: Headers = values.iter().map(|value| ("authorization", value)).collect();
        bearer(&headers).map(str::to_owned)
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
        ] {
            assert_eq!(read(values), Err(want), "{values:?}");
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
        assert_eq!(others(&headers, &["secret-token"]), all);
        assert!(!others(&headers, &[]).contains(&"x-copy".to_owned()));
    }
}
