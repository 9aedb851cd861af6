//! What a policy makes with the clock and the dice of its engine: of two engines no two are the same.
//!
//! Each stands for a mark of its kind, and what is around it is compared: who signs and for whom, the name of a key, a page. That it
//! is what it should be, each engine shows by itself, in what the scenario expects.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex_lite::{Captures, Regex};
use serde_json::Value;

use crate::transcript::{Transcript, UpstreamSaw};

/// Texts of one kind, and what stands for them.
static KINDS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let kinds = [
        // What is sealed is longer than a nonce and a tag.
        (r"\b((?:wpr_)?1\.[A-Za-z0-9_-]{1,32})\.[A-Za-z0-9_-]{64,}", "$1.sealed"),
        (r"\b(code_challenge)=[A-Za-z0-9_-]{43}", "$1=drawn"),
        (r#""(id|consent)":"[0-9a-f]{16}""#, r#""$1":"drawn""#),
        (r#""(until)":"[0-9T:.-]+Z""#, r#""$1":"later""#),
    ];
    kinds.into_iter().filter_map(|(pattern, mark)| Some((Regex::new(pattern).ok()?, mark))).collect()
});

static ASSERTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(client_assertion=[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+").ok());

/// The transcript without what its engine made.
pub(super) fn unmade(seen: &mut Transcript) {
    let bytes = |bytes: &mut Vec<u8>| {
        if let Ok(text) = str::from_utf8(bytes) {
            *bytes = marked(text).into_bytes();
        }
    };
    let values = |headers: &mut Vec<(String, String)>| headers.iter_mut().for_each(|(_, value)| *value = marked(value));
    values(&mut seen.client.headers);
    bytes(&mut seen.client.body);
    if let UpstreamSaw::Complete { headers, body } = &mut seen.upstream {
        values(headers);
        bytes(body);
    }
    for call in &mut seen.callouts {
        values(&mut call.headers);
        bytes(&mut call.body);
    }
    for record in &mut seen.audit {
        if let Ok(marked) = serde_json::from_str(&marked(&record.to_string())) {
            *record = marked;
        }
    }
}

fn marked(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(assertion) = &*ASSERTION {
        text =
            assertion.replace_all(&text, |found: &Captures<'_>| signed_here(found).unwrap_or_else(|| found[0].to_owned())).into();
    }
    for (kind, mark) in &*KINDS {
        text = kind.replace_all(&text, *mark).into();
    }
    text
}

/// An assertion without its dates, its number and its signature; `None`: it has no number, so it was not made here.
fn signed_here(found: &Captures<'_>) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(&found[2]).ok()?;
    let Ok(Value::Object(mut claims)) = serde_json::from_slice(&claims) else { return None };
    claims.shift_remove("jti")?;
    for date in ["exp", "iat", "nbf"] {
        claims.shift_remove(date);
    }
    Some(format!("{}.{}.signed", &found[1], Value::Object(claims)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jws(claims: &str) -> String {
        format!("a=b&client_assertion=eyJhbGciOiJFUzI1NiJ9.{}.c2lnbmVk", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn what_was_made_is_marked_and_what_is_around_it_stays() {
        let sealed = "A".repeat(64);
        for (text, want) in [
            (format!("Bearer wpr_1.k1.{sealed}"), "Bearer wpr_1.k1.sealed"),
            (format!(r#"{{"ticket":"1.k1.{sealed}_-"}}"#), r#"{"ticket":"1.k1.sealed"}"#),
            (
                format!("?state=1.k1.{sealed}&code_challenge={}&x=y", "B".repeat(43)),
                "?state=1.k1.sealed&code_challenge=drawn&x=y",
            ),
            (r#"{"id":"5e5532fbeea293f8","until":"2026-11-22T11:00:00.5Z"}"#.to_owned(), r#"{"id":"drawn","until":"later"}"#),
            (
                jws(r#"{"iss":"c","sub":"c","aud":"i","iat":1,"exp":2,"jti":"x"}"#),
                r#"a=b&client_assertion=eyJhbGciOiJFUzI1NiJ9.{"iss":"c","sub":"c","aud":"i"}.signed"#,
            ),
        ] {
            assert_eq!(marked(&text), want);
        }
    }

    #[test]
    fn what_others_made_is_compared() {
        let svid = jws(r#"{"sub":"spiffe://d/planner","aud":"i","exp":2}"#);
        for text in [&*svid, r#"{"id":7,"x":"5e5532fbeea293f8"}"#, "1.k1.short", "code_challenge=short", "Bearer eyJ.eyJ.sig"] {
            assert_eq!(marked(text), text);
        }
    }
}
