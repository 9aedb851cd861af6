//! What a token grants: `scope` or `scp`.

use super::{Value, ValueError};

/// The scopes of a `scope` claim: separated by one space each (RFC 6749 section 3.3); a set, never a substring (OA-J-11, BY-T-15).
pub(crate) fn scopes(text: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::with_capacity(4), text);
    // `split` is made for long texts.
    while let Some(end) = rest.bytes().position(|byte| byte == b' ') {
        found.extend(rest.get(..end).filter(|part| !part.is_empty()).map(Into::into));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    found.extend(Some(rest).filter(|part| !part.is_empty()).map(Into::into));
    found
}

/// `scope` or `scp`: one string, or a list in which no item is two. Okta lists `scp`; Istio makes a list of every `scope`
/// (`normalize_payload_in_metadata`).
pub(super) fn granted(value: Value<'_>) -> Result<Option<Vec<String>>, ValueError> {
    if value.is_absent() {
        return Ok(None);
    }
    if let Ok(text) = value.clone().into_text() {
        return Ok(text.as_deref().map(scopes));
    }
    let items = value.into_texts()?;
    if items.iter().any(|item| item.contains(' ')) { Err(ValueError) } else { Ok(Some(items)) }
}
