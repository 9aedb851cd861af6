//! Tokens as people write them: claims, and the compact text that they are (RFC 7515 section 3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::fields::Problems;
use super::yaml::{Data, Node};

/// What stands behind the second dot: nobody here looks at it.
const SIGNATURE: &[u8] = b"signature";

/// `{jwt: claims}`, or with members of its `header` beside it; `None`: it is something else.
pub(super) fn token(value: &Value) -> Option<String> {
    let members = value.as_object()?;
    let claims = members.get("jwt")?;
    if !claims.is_object() || members.keys().any(|name| name != "jwt" && name != "header") {
        return None;
    }
    let mut header = json!({"alg": "RS256", "typ": "at+jwt", "kid": "play"});
    super::load::merge(&mut header, members.get("header").unwrap_or(&json!({})));
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    Some([part(header.to_string()), part(claims.to_string()), URL_SAFE_NO_PAD.encode(SIGNATURE)].join("."))
}

/// A header value `{bearer: claims}`, or with members of the token's `header` beside it.
pub(super) fn bearer(node: &Node) -> Option<String> {
    let mut value = node.to_json();
    let members = value.as_object_mut()?;
    let claims = members.shift_remove("bearer")?;
    members.insert("jwt".to_owned(), claims);
    token(&value).map(|token| format!("Bearer {token}"))
}

/// JSON with a token in the place of each `{jwt: …}`.
pub(super) fn minted(value: Value) -> Value {
    match value {
        Value::Object(_) if token(&value).is_some() => token(&value).unwrap_or_default().into(),
        Value::Object(members) => Value::Object(members.into_iter().map(|(name, value)| (name, minted(value))).collect()),
        Value::Array(items) => Value::Array(items.into_iter().map(minted).collect()),
        other => other,
    }
}

/// The parameters of a form, in ascending order: names to texts, or to `{jwt: …}`.
pub(super) fn form(node: &Node, path: &str, problems: &mut Problems) -> Vec<(String, String)> {
    let Data::Map(entries) = &node.data else {
        problems.expected(node, path, "a mapping from names to texts");
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for entry in entries {
        match minted(entry.value.to_json()) {
            Value::String(text) => pairs.push((entry.key.clone(), text)),
            Value::Number(number) => pairs.push((entry.key.clone(), number.to_string())),
            _ => problems.expected(&entry.value, path, "a text, or a token `{jwt: claims}`"),
        }
    }
    pairs.sort();
    pairs
}

/// The parameters that a form has, in ascending order. `None`: it is none.
pub(super) fn read_form(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let word = |text: &str| wardpoint_core::path::decode(&text.replace('+', " "));
    let pair = |pair: &str| pair.split_once('=').and_then(|(name, value)| Some((word(name)?, word(value)?)));
    let mut pairs = text.split('&').map(pair).collect::<Option<Vec<_>>>()?;
    pairs.sort();
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_its_claims_say() {
        let text = token(&json!({"jwt": {"sub": "alice"}, "header": {"typ": "JWT", "kid": null}})).unwrap();
        let parts: Vec<String> =
            text.split('.').map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()).collect();
        assert_eq!(parts, [r#"{"alg":"RS256","typ":"JWT"}"#, r#"{"sub":"alice"}"#, "signature"]);
        assert_eq!(token(&json!({"jwt": "x"})), None);
        assert_eq!(token(&json!({"jwt": {}, "more": 1})), None);
        assert_eq!(
            minted(json!({"a": [{"jwt": {"sub": "alice"}, "header": {"typ": "JWT", "kid": null}}]})),
            json!({"a": [text]})
        );
    }

    #[test]
    fn a_form_is_read_back() {
        let want = [("a".to_owned(), "x y".to_owned()), ("b".to_owned(), "ü&=".to_owned())];
        assert_eq!(read_form(b"b=%C3%BC%26%3D&a=x+y").as_deref(), Some(&want[..]));
        assert_eq!(read_form(b"a"), None);
    }
}
