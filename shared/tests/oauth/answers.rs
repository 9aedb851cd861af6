//! What is read, and what is not (BY-X-07, BY-X-09, BY-X-10).
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use serde_json::{Value, json};
use wardpoint_core::http::Headers;
use wardpoint_core::oauth::{ErrorCode, Failure, Hint, Issued, MAX_ANSWER, StepUp, TokenType, Unreadable, Usage};
use wardpoint_core::secret::Secret;

fn good() -> Value {
    json!({
        "access_token": "a.b-c_d~e+f/g==", "issued_token_type": TokenType::AccessToken.urn(), "token_type": "bearer",
        "expires_in": 300, "scope": "files:read profile", "refresh_token": "canary", "refresh_expires_in": 0,
    })
}

fn with(name: &str, value: Value) -> Value {
    let Value::Object(mut members) = good() else { return Value::Null };
    members.insert(name.to_owned(), value);
    Value::Object(members)
}

fn read(answer: &Value) -> Result<Issued, Failure> {
    Issued::read(200, &crate::json(), answer.to_string().as_bytes())
}

fn refused(status: u16, body: &str) -> Failure {
    Issued::read(status, &crate::json(), body.as_bytes()).unwrap_err()
}

#[test]
fn a_good_answer_is_read_and_its_refresh_token_dropped() {
    let issued = read(&good()).unwrap();
    let want = Issued {
        token: Secret::new("a.b-c_d~e+f/g==".into()),
        kind: Some(TokenType::AccessToken),
        usage: Usage::Bearer,
        expires_in: Some(Duration::from_secs(300)),
        scopes: Some(vec!["files:read".into(), "profile".into()]),
    };
    assert_eq!(issued, want);
    assert!(!format!("{issued:?}").contains("a.b") && !format!("{issued:?}").contains("canary"));
}

#[test]
fn what_may_be_left_out_may_be_left_out() {
    let issued = read(&json!({"access_token": "t", "token_type": "N_A"})).unwrap();
    assert_eq!((issued.kind, issued.usage, issued.expires_in, issued.scopes), (None, Usage::NotApplicable, None, None));
    assert_eq!(read(&with("scope", json!(""))).unwrap().scopes, Some(Vec::new()));
    assert_eq!(read(&with("token_type", json!("dpop"))).unwrap().usage, Usage::Dpop);
}

#[test]
fn an_answer_that_could_be_read_in_two_ways_is_not_read() {
    for (name, value) in [
        ("access_token", json!("")),
        ("access_token", json!("==")),
        ("access_token", json!("a\r\nx-admin: 1")),
        ("access_token", json!("a b")),
        ("access_token", json!("grün")),
        ("access_token", json!("a=b")),
        ("access_token", json!("x".repeat(16 * 1024 + 1))),
        ("issued_token_type", json!("urn:other")),
        ("token_type", json!("mac")),
        ("expires_in", json!(-1)),
        ("expires_in", json!(1.5)),
        ("scope", json!("files:read\tadmin")),
        ("scope", json!("files:\"read")),
        ("scope", json!(vec!["a"; 257].join(" "))),
        ("error", json!("invalid_grant")),
    ] {
        assert_eq!(read(&with(name, value.clone())), Err(Failure::Unreadable(Unreadable::Member(name))), "{name}: {value}");
    }
    for (name, value) in [
        ("access_token", json!(["t"])),
        ("access_token", json!(null)),
        ("issued_token_type", json!(null)),
        ("expires_in", json!("300")),
        ("scope", json!(["files:read"])),
    ] {
        assert_eq!(read(&with(name, value.clone())), Err(Failure::Unreadable(Unreadable::Malformed)), "{name}: {value}");
    }
    for name in ["access_token", "token_type"] {
        let mut answer = good();
        answer.as_object_mut().unwrap().remove(name);
        assert_eq!(read(&answer), Err(Failure::Unreadable(Unreadable::Member(name))));
    }
}

#[test]
fn only_one_strict_json_text_is_read() {
    let text = good().to_string();
    for body in [
        "",
        "[]",
        "<html>",
        &format!("{text}{text}"),
        &format!("\u{feff}{text}"),
        &text.replacen('{', r#"{"access_\u0074oken":"other","#, 1),
        text.strip_suffix('}').unwrap(),
    ] {
        assert_eq!(refused(200, body), Failure::Unreadable(Unreadable::Malformed), "{body}");
    }
    let long = text.replacen('{', &format!(r#"{{"pad":"{}","#, "x".repeat(MAX_ANSWER)), 1);
    assert_eq!(refused(200, &long), Failure::Unreadable(Unreadable::TooLarge));
    for headers in [
        vec![],
        vec![("content-type", "text/html")],
        vec![("content-type", "application/json"), ("content-type", "application/json")],
        vec![("content-type", "application/json"), ("content-encoding", "gzip")],
    ] {
        let headers: Headers = headers.into_iter().collect();
        let read = Issued::read(200, &headers, text.as_bytes());
        assert_eq!(read, Err(Failure::Unreadable(Unreadable::MediaType)), "{headers:?}");
    }
}

#[test]
fn a_refusal_is_one_of_a_closed_set() {
    let plain = |error| Failure::Refused { error, hint: None, step_up: StepUp::default() };
    for error in ErrorCode::ALL {
        let body = json!({"error": error.code(), "error_description": "canary"}).to_string();
        let want = match error {
            ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => Failure::Unavailable,
            error => plain(*error),
        };
        for status in [400, 401, 403] {
            let failure = refused(status, &body);
            let unproven = (status, *error) == (401, ErrorCode::UnauthorizedClient);
            assert_eq!(failure, if unproven { plain(ErrorCode::InvalidClient) } else { want.clone() });
            assert!(!format!("{failure:?}").contains("canary"));
        }
    }
    assert_eq!(refused(400, r#"{"error":"something else"}"#), plain(ErrorCode::Unknown));
    assert_eq!(refused(400, r#"{"error":"INVALID_GRANT"}"#), plain(ErrorCode::Unknown));
}

#[test]
fn a_broken_server_is_not_a_refusal() {
    for (status, body, want) in [
        (500, r#"{"error":"invalid_grant"}"#, Failure::Unavailable),
        (503, "", Failure::Unavailable),
        (429, r#"{"error":"slow_down"}"#, Failure::Busy { retry_after: None }),
        (302, "", Failure::Unreadable(Unreadable::Status)),
        (201, r#"{"access_token":"t","token_type":"Bearer"}"#, Failure::Unreadable(Unreadable::Status)),
        (204, "", Failure::Unreadable(Unreadable::Status)),
        (0, "", Failure::Unreadable(Unreadable::Status)),
        (400, "{}", Failure::Unreadable(Unreadable::Member("error"))),
        (400, r#"{"error":1}"#, Failure::Unreadable(Unreadable::Malformed)),
        (400, r#"{"error":"invalid_grant","error":"access_denied"}"#, Failure::Unreadable(Unreadable::Malformed)),
    ] {
        assert_eq!(refused(status, body), want, "{status} {body}");
    }
    for (value, want) in
        [("7", Some(7)), ("999999", Some(3600)), ("-1", None), ("+1", None), ("Fri, 31 Dec 1999 23:59:59 GMT", None)]
    {
        let headers: Headers = [("retry-after", value)].into_iter().collect();
        let want = Failure::Busy { retry_after: want.map(Duration::from_secs) };
        assert_eq!(Issued::read(429, &headers, b""), Err(want.clone()));
        // It is busy if it says for how long; else it may be anything.
        let want = if want == (Failure::Busy { retry_after: None }) { Failure::Unavailable } else { want };
        assert_eq!(Issued::read(503, &headers, b""), Err(want));
        assert_eq!(Issued::read(500, &headers, b""), Err(Failure::Unavailable));
    }
}

#[test]
fn what_the_user_has_to_do_is_handed_on() {
    let step_up = |body: &str| match refused(400, body) {
        Failure::Refused { step_up, .. } => step_up,
        other => panic!("{other:?}"),
    };
    let asked = step_up(r#"{"error":"insufficient_user_authentication","acr_values":"gold silver","max_age":60}"#);
    assert_eq!(asked, StepUp { acr_values: vec!["gold".into(), "silver".into()], max_age: Some(60), claims: None });
    // Entra; the text is JSON in JSON.
    let asked = step_up(r#"{"error":"interaction_required","claims":"{\"access_token\":{}}"}"#);
    assert_eq!(asked.claims.as_deref(), Some("eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="));
    for broken in [r#""acr_values":"a\"b""#, r#""claims":"not json""#, r#""max_age":-1"#, r#""max_age":"60""#] {
        assert_eq!(step_up(&format!(r#"{{"error":"interaction_required",{broken}}}"#)), StepUp::default(), "{broken}");
    }
}

#[test]
fn what_a_server_says_in_words_only_is_one_of_a_closed_set() {
    for (words, want) in [
        ("Invalid token", Some(Hint::Subject)),
        ("invalid token", None),
        ("Requested audience not available: canary", Some(Hint::Audience)),
        ("Audience not found", Some(Hint::Audience)),
        ("Standard token exchange is not enabled for the requested client", Some(Hint::Client)),
        ("Delegation chain canary depth exceeds", Some(Hint::Depth)),
        ("canary", None),
    ] {
        let failure = refused(400, &json!({"error": "invalid_request", "error_description": words}).to_string());
        assert_eq!(failure, Failure::Refused { error: ErrorCode::InvalidRequest, hint: want, step_up: StepUp::default() });
        assert!(!format!("{failure:?}").contains("canary"));
    }
}
