//! Answers of bridges: what is taken for an SVID is one for another reader too, and what is shown to a token service is what came.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use wardpoint_core::identity::secret::{MAX_KEY, MAX_SECRET, Wanted};
use wardpoint_core::jws::MAX_TOKEN;
use wardpoint_core::time::Timestamp;

pub(crate) const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\n",
    "\r\n",
    "\"alg\":\"ES256\"",
    "\"alg\":\"RS256\"",
    "\"alg\":\"none\"",
    "\"typ\":\"JWT\"",
    "\"typ\":\"JOSE\"",
    "\"typ\":\"at+jwt\"",
    "\"kid\":\"mesh-1\"",
    "\"sub\":\"spiffe://d/planner\"",
    "\"sub\":\"spiffe://d/writer\"",
    "\"aud\":\"https://idp\"",
    "\"aud\":[\"https://idp\"]",
    "\"aud\":[\"https://idp\",\"b\"]",
    "\"exp\":1795251660",
    "\"exp\":1795251600",
    "\"exp\":1795251660.5",
    "\"nbf\":1795251601",
    "\"iat\":1795251600",
    "\\u0061",
    "-----BEGIN PRIVATE KEY-----",
    "\"kty\":\"OKP\"",
    "\"kty\":\"oct\"",
    "\"keys\":[",
    "\"use\":\"enc\"",
    "\"use\":\"sig\"",
    "\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"",
    "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"",
];

const NOW: u64 = 1_795_251_600;
const SUBJECT: &str = "spiffe://d/planner";
const AUDIENCE: &str = "https://idp";

/// The text is an answer, and header and claims of an SVID with a line end between them.
pub(crate) fn run(text: &[u8]) {
    let (svid, now) = (Wanted::Svid { subject: SUBJECT.into(), audience: AUDIENCE.into() }, Timestamp::from_secs(NOW));
    let shown = |wanted: &Wanted, body: &[u8], longest: usize| {
        let text = wanted.read(body, now).ok()?.text().reveal().clone();
        let rest = body.strip_prefix(text.as_bytes()).unwrap_or_else(|| panic!("another text is shown than came"));
        assert!(["", "\n", "\r", "\r\n"].map(str::as_bytes).contains(&rest) && text.len() <= longest, "{rest:?} was cut off");
        Some(text)
    };
    if let Some(secret) = shown(&Wanted::Secret, text, MAX_SECRET) {
        assert!(!secret.is_empty() && secret.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{secret:?} is no secret");
    }
    // A key is read or not; its text is not kept.
    if let Ok(key) = Wanted::key(None).read(text, now) {
        assert!(key.text().reveal().is_empty() && text.len() <= MAX_KEY + 2);
    }
    if let Ok(keys) = Wanted::Sealing.read(text, now) {
        assert!(keys.text().reveal().is_empty() && text.len() <= MAX_KEY + 2);
        let is_one = |key: &Value| {
            key["kty"] == "oct" && key["kid"].is_string() && key["k"].as_str().is_some_and(|k| decoded(k).len() == 32)
        };
        let is_set = |keys: &Vec<Value>| (1..=8).contains(&keys.len()) && keys.iter().all(is_one);
        if let Some(set) = parsed(text) {
            assert!(set["keys"].as_array().is_some_and(is_set), "{set}");
        }
    }
    let mut parts = text.splitn(2, |byte| *byte == b'\n');
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let token = [header, claims, &[1; 64]].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    for body in [text, token.as_bytes(), format!("{token}\r\n").as_bytes()] {
        let Some(token) = shown(&svid, body, MAX_TOKEN) else { continue };
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, _] = parts.as_slice() else { panic!("{} parts", parts.len()) };
        let Some((header, claims)) = parsed(&decoded(header)).zip(parsed(&decoded(claims))) else { continue };
        assert!(header["alg"].is_string() && header["alg"] != "none", "{header}");
        let alone = claims["aud"] == AUDIENCE || claims["aud"].as_array().is_some_and(|all| all == &[AUDIENCE]);
        assert!(claims["sub"] == SUBJECT && alone, "{claims}");
        assert!(claims["exp"].as_f64().is_some_and(|ends| ends > NOW as f64), "{claims}");
        assert!(claims["nbf"].as_f64().is_none_or(|begins| begins <= NOW as f64), "{claims}");
    }
}

/// What was taken as JSON, read by another reader; nothing if that has no place for a number that nobody asked for.
fn parsed(text: &[u8]) -> Option<Value> {
    let value = serde_json::from_slice(text);
    if let Err(error) = &value {
        assert!(error.to_string().contains("out of range"), "taken, but {error}");
    }
    value.ok()
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_else(|error| panic!("taken, but {error}"))
}
