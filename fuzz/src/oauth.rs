//! Answers of token services: what is read is what another reader reads in it, and what is let through is no wider than asked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use wardpoint_core::http::Headers;
use wardpoint_core::identity::Scopes;
use wardpoint_core::jws::{Actor, Stated};
use wardpoint_core::oauth::ciba::{Polled, Started};
use wardpoint_core::oauth::{Failure, Introspected, Issued, MAX_ANSWER};
use wardpoint_core::time::{Duration, Timestamp};
use wardpoint_core::token_exchange::authority::{Askable, ChainLimits, ScopeMap};
use wardpoint_core::token_exchange::issued::{Expected, Narrowed};
use wardpoint_core::token_exchange::profile::{Profile, Told};

pub(crate) const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\n",
    "null",
    "true",
    "false",
    "300",
    "-1",
    "1795251900",
    "\"access_token\":\"t\"",
    "\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\"",
    "\"token_type\":\"Bearer\"",
    "\"token_type\":\"N_A\"",
    "\"expires_in\":300",
    "\"scope\":\"a b\"",
    "\"error\":\"invalid_grant\"",
    "\"error\":\"authorization_pending\"",
    "\"claims\":\"{}\"",
    "\"acr_values\":\"gold\"",
    "\"max_age\":60",
    "\"active\":true",
    "\"auth_req_id\":\"x\"",
    "\"interval\":5",
    "\"iss\":\"https://idp\"",
    "\"sub\":\"alice\"",
    "\"oid\":\"o\"",
    "\"aud\":\"tool\"",
    "\"aud\":[\"tool\",\"gate\"]",
    "\"exp\":1795251900",
    "\"azp\":\"planner\"",
    "\"scp\":[\"a\"]",
    "\"act\":{\"sub\":\"planner\",\"act\":{\"sub\":\"before\"}}",
    "\"cnf\":{\"jkt\":\"a\"}",
    "\\u0061",
    "profile",
];

const NOW: u64 = 1_795_251_600;
const STATUSES: [u16; 8] = [200, 400, 401, 403, 429, 500, 302, 201];
const PROFILES: [Profile; 6] =
    [Profile::RFC8693, Profile::KEYCLOAK, Profile::THUNDERID, Profile::AUTH0, Profile::OKTA, Profile::ENTRA_OBO];

/// A byte that says status and profile, an answer, a line end, and the claims of the token that it brings.
pub(crate) fn run(text: &[u8]) {
    let Some((head, rest)) = text.split_first() else { return };
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (body, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let status = STATUSES.get(usize::from(head & 7)).copied().unwrap_or(200);
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    let seen: Option<Value> = serde_json::from_slice(body).ok();
    let read = Issued::read(status, &headers, body);
    issued(status, &read, seen.as_ref(), body);
    introspected(Introspected::read(status, &headers, body), seen.as_ref());
    match Started::read(status, &headers, body) {
        Ok(started) => {
            assert!(status == 200 && started.id.reveal().bytes().all(|c| c.is_ascii_graphic()));
            assert!(!started.expires_in.is_zero() && !started.interval.is_zero());
        }
        Err(failure) => drop(Told::of(failure)),
    }
    if let Polled::Approved(_) = Polled::read(status, &headers, body) {
        assert!(read.is_ok(), "approved without a token");
    }
    let profile = PROFILES.get(usize::from(head >> 3) % PROFILES.len()).copied().unwrap_or(Profile::RFC8693);
    if let Some(narrowed) = read.ok().and_then(|issued| judged(&profile, issued, claims, &headers)) {
        narrow(&profile, &narrowed, claims);
    }
}

fn issued(status: u16, read: &Result<Issued, Failure>, seen: Option<&Value>, body: &[u8]) {
    let Ok(issued) = read else { return };
    assert!(status == 200 && body.len() <= MAX_ANSWER);
    let token = issued.token.reveal();
    assert!(!token.is_empty() && token.bytes().all(|c| c.is_ascii_graphic() && !b"\",;\\".contains(&c)), "not for a header");
    // A number that nobody asked for stays text.
    let Some(seen) = seen else { return };
    assert_eq!(seen["access_token"].as_str(), Some(token.as_str()));
    assert_eq!(seen.get("issued_token_type").and_then(Value::as_str), issued.kind.map(|kind| kind.urn()));
    assert_eq!(seen.get("scope").is_some(), issued.scopes.is_some());
    let joined = issued.scopes.as_ref().map(|scopes| scopes.join(" "));
    let spaced = |text: &str| text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    assert_eq!(seen["scope"].as_str().map(spaced), joined);
    assert_eq!(seen.get("expires_in").is_some(), issued.expires_in.is_some());
    assert!(seen.get("error").is_none());
    // An answer may also name a scope like its token, and scopes are shown.
    let named = joined.is_some_and(|scopes| scopes.contains(token.as_str()));
    let canary = format!("{issued:?}");
    assert!(token.len() < 12 || named || !canary.contains(token.as_str()), "a token shows");
}

fn introspected(read: Result<Introspected, Failure>, seen: Option<&Value>) {
    let (Ok(introspected), Some(seen)) = (read, seen) else { return };
    match introspected {
        Introspected::Inactive => assert_eq!(seen["active"], false),
        Introspected::Active(described) => {
            assert_eq!(seen["active"], true);
            assert_eq!(seen["sub"].as_str(), described.subject.as_deref());
            assert_eq!(seen["iss"].as_str(), described.issuer.as_deref());
            assert_eq!(seen["exp"].as_u64().map(Timestamp::from_secs), described.expires);
            assert_eq!(seen.get("cnf").is_some(), described.bound);
        }
    }
}

/// The answer, with a token of these claims in it.
fn judged(profile: &Profile, issued: Issued, claims: &[u8], headers: &Headers) -> Option<Narrowed> {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let token = format!("{}.{}.c2ln", part(br#"{"alg":"ES256"}"#), part(claims));
    let mut around = serde_json::json!({"access_token": token, "token_type": "Bearer"});
    let members = around.as_object_mut()?;
    members.extend(issued.kind.map(|kind| ("issued_token_type".to_owned(), kind.urn().into())));
    members.extend(issued.scopes.map(|scopes| ("scope".to_owned(), scopes.join(" ").into())));
    members.extend(issued.expires_in.map(|life| ("expires_in".to_owned(), life.as_secs().into())));
    let issued = Issued::read(200, headers, around.to_string().as_bytes()).ok()?;
    let subject = subject();
    let expected = Expected {
        profile,
        issuer: "https://idp",
        subject: &subject,
        actor: None,
        agent: &["planner"],
        client: "planner",
        audience: Some("tool"),
        resource: None,
        beside: &[],
        ours: &["gate".to_owned()],
        asked: &Askable::new(&["a".to_owned(), "b".to_owned()], &subject, &ScopeMap::default()),
        besides: profile.besides,
        max_life: Duration::from_secs(300),
        opaque: false,
        chain: &ChainLimits::default(),
        now: Timestamp::from_secs(NOW),
    };
    expected.judge(issued).ok()
}

fn subject() -> Stated {
    Stated {
        issuer: Some("https://idp".into()),
        subject: Some("alice".into()),
        object: Some("o".to_owned()),
        scopes: Some(Scopes::read("a")),
        actors: vec![Actor { subject: "before".to_owned(), issuer: None }],
        expires: Some(Timestamp::from_secs(NOW + 200)),
        ..Stated::default()
    }
}

/// What was let through, as another reader sees it.
fn narrow(profile: &Profile, narrowed: &Narrowed, claims: &[u8]) {
    assert_eq!(narrowed.scopes, ["a"]);
    assert!(narrowed.expires > Timestamp::from_secs(NOW) && narrowed.expires <= Timestamp::from_secs(NOW + 200));
    let Ok(claims) = serde_json::from_slice::<Value>(claims) else { return };
    assert_eq!(claims["iss"], "https://idp");
    assert!(
        claims["aud"] == "tool"
            || claims["aud"].as_array().is_some_and(|aud| !aud.is_empty() && aud.iter().all(|name| name == "tool"))
    );
    if *profile == Profile::ENTRA_OBO {
        assert_eq!(claims["oid"], "o");
    } else {
        assert_eq!(claims["sub"], "alice");
    }
    let spaced = claims["scope"].as_str().or(claims["scp"].as_str()).map(|text| text.split(' ').collect::<Vec<_>>());
    let listed = claims["scp"].as_array().map(|list| list.iter().filter_map(Value::as_str).collect());
    for scope in spaced.or(listed).unwrap_or_default() {
        assert!(["", "a"].contains(&scope) || profile.besides.contains(&scope), "wider: {scope}");
    }
    for client in ["client_id", "azp", "cid", "appid"].iter().filter_map(|name| claims.get(name)) {
        assert_eq!(client, "planner");
    }
    match claims.get("act") {
        Some(act) => {
            assert_eq!(act["sub"], "planner");
            let before = [Profile::RFC8693, Profile::AUTH0].contains(profile);
            assert_eq!(act.get("act").is_some(), before, "those who acted before");
            assert!(!before || (act["act"]["sub"] == "before" && act["act"].get("act").is_none()));
        }
        None => assert!(["client_id", "azp", "cid", "appid"].iter().any(|name| claims.get(name).is_some()), "nobody acts"),
    }
    assert!(claims.get("cnf").is_none() && claims["exp"].as_f64().is_some_and(|exp| exp <= (NOW + 360) as f64));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_seeds_are_let_through() {
        let headers: Headers = [("content-type", "application/json")].into_iter().collect();
        for (seed, profile) in crate::seeds::oauth().iter().zip(PROFILES) {
            let text = std::str::from_utf8(&seed[1..]).unwrap();
            let (body, claims) = text.split_once('\n').unwrap();
            let issued = Issued::read(200, &headers, body.as_bytes()).unwrap();
            assert!(judged(&profile, issued, claims.as_bytes(), &headers).is_some(), "{text}");
        }
    }
}
