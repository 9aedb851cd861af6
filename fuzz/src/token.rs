//! Tokens: what is verified is what another reader reads in it, and a key set is keys and what was skipped.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use wardpoint_core::filter::ServiceError;
use wardpoint_core::jws::{Algorithm, Family, Issuer, Jws, Key, KeySet, MAX_KEY_SET, MAX_TOKEN, Verified, Verifier};
use wardpoint_core::time::Timestamp;

pub(crate) const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\n",
    "null",
    "0",
    "-1",
    "1e308",
    "1e400",
    "1795251660.5",
    "\"alg\":\"ES256\"",
    "\"alg\":\"none\"",
    "\"typ\":\"at+jwt\"",
    "\"typ\":\"JWT\"",
    "\"kid\":\"a\"",
    "\"crit\":[]",
    "\"jwk\":{}",
    "\"iss\":\"https://idp\"",
    "\"sub\":\"alice\"",
    "\"aud\":\"https://tool\"",
    "\"aud\":[\"https://tool\",\"b\"]",
    "\"exp\":1795251660",
    "\"nbf\":1795251600",
    "\"iat\":1795251600",
    "\"client_id\":\"app\"",
    "\"azp\":\"app\"",
    "\"scope\":\"a b\"",
    "\"scp\":[\"a\",\"b\"]",
    "\"act\":{\"sub\":\"b\",\"act\":{\"sub\":\"c\"}}",
    "\"cnf\":{\"jkt\":\"a\"}",
    "\"groups\":[\"g\"]",
    "\"nonce\":\"n\"",
    "\\u0061",
    "\"keys\":[",
    "\"kty\":\"EC\"",
    "\"crv\":\"P-256\"",
    "\"use\":\"sig\"",
    "\"key_ops\":[\"verify\"]",
];

const NOW: u64 = 1_795_251_600;
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"a"}]}"#;

/// Takes every signature, so that the claims are reached.
struct Gullible;

impl Verifier for Gullible {
    fn verify(&mut self, _: &Key, _: Algorithm, _: &[u8], _: &[u8]) -> Result<bool, ServiceError> {
        Ok(true)
    }
}

/// The text is a key set, a token, and the header and claims of one, with a line end between them.
pub(crate) fn run(text: &[u8]) {
    key_set(text);
    if Jws::read(text).is_ok() {
        let url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        assert!(text.len() <= MAX_TOKEN && text.iter().all(url), "a token has other characters");
        assert_eq!(text.iter().filter(|byte| **byte == b'.').count(), 2, "a token has three parts");
    }
    let mut parts = text.splitn(2, |byte| *byte == b'\n');
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let token = format!("{}.{}.{}", encode(header), encode(claims), encode(&[1; 64]));
    let issuer = Issuer::new("https://idp", &["https://tool"])
        .map(|issuer| issuer.with_kinds(&["at+jwt", "JWT"], true).with_roles(&["groups"]));
    let (Some(issuer), Ok(keys)) = (issuer, KeySet::read(KEYS.as_bytes())) else { panic!("what is fixed here is wrong") };
    if let Ok(found) = issuer.verify(token.as_bytes(), &keys, Timestamp::from_secs(NOW), &mut Gullible) {
        match (serde_json::from_slice(header), serde_json::from_slice(claims)) {
            (Ok(header), Ok(claims)) => agree(&found, &header, &claims),
            // A number that nobody asked for stays text.
            (Err(error), _) | (_, Err(error)) => assert!(error.to_string().contains("out of range"), "verified, but {error}"),
        }
    }
}

fn agree(found: &Verified, header: &Value, claims: &Value) {
    assert_eq!(header["alg"], "ES256");
    assert!(header.get("kid").is_none_or(|kid| kid == "a") && header.get("crit").is_none() && header.get("jwk").is_none());
    assert_eq!(claims["iss"], "https://idp");
    assert_eq!(claims["sub"].as_str(), found.bearer.subject.as_deref());
    assert_eq!(texts(&claims["aud"]), found.audience);
    assert!(found.audience.iter().any(|name| name == "https://tool"));
    assert!(claims["exp"].as_f64().is_some_and(|exp| exp + 60.0 > NOW as f64), "expired");
    for claim in ["nbf", "iat"] {
        assert!(claims.get(claim).is_none_or(|date| date.as_f64().is_some_and(|date| date < (NOW + 61) as f64)), "in the future");
    }
    assert!(claims.get("cnf").is_none(), "bound");
    assert_eq!(texts(&claims["groups"]), found.bearer.groups);
    for client in ["client_id", "azp", "cid", "appid"].iter().filter_map(|name| claims.get(name)) {
        assert_eq!(client.as_str(), found.bearer.client.as_deref());
    }
    let mut actor = claims.get("act");
    for name in &found.bearer.actors {
        assert_eq!(actor.and_then(|actor| actor["sub"].as_str()), Some(name.as_str()));
        actor = actor.and_then(|actor| actor.get("act"));
    }
    assert_eq!(actor, None, "an actor was lost");
    let granted = claims.get("scope").or(claims.get("scp")).map(texts).unwrap_or_default().join(" ");
    let granted: Vec<&str> = granted.split(' ').filter(|scope| !scope.is_empty()).collect();
    assert_eq!(granted, found.bearer.scopes.iter().collect::<Vec<_>>());
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(Into::into).collect(),
        _ => Vec::new(),
    }
}

fn key_set(text: &[u8]) {
    let Ok(set) = KeySet::read(text) else { return };
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return };
    let given = value["keys"].as_array().map_or(0, Vec::len);
    assert!(text.len() <= MAX_KEY_SET && !set.keys().is_empty());
    assert_eq!(set.keys().len() + set.skipped().len(), given, "a key was lost");
    for key in set.keys() {
        let fits = Algorithm::ALL.iter().filter(|algorithm| key.fits(**algorithm)).count();
        assert!(fits == 1 || (fits == 4 && key.family() == Family::Rsa), "a key for {fits} algorithms");
        assert!(key.spki().starts_with(&[0x30]));
    }
}
