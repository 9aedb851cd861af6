//! RFC 7662 (OA-R-05).

use serde_json::{Value, json};
use wardpoint_core::oauth::{ClientAuth, Described, ErrorCode, Failure, Introspected, Unreadable, Usage, introspect};
use wardpoint_core::secret::Secret;
use wardpoint_core::time::Timestamp;

fn read(answer: &Value) -> Result<Introspected, Failure> {
    Introspected::read(200, &crate::json(), answer.to_string().as_bytes())
}

#[test]
fn the_token_is_asked_about_and_shows_nowhere() {
    let post = introspect("a.b.c", &ClientAuth::Post { id: "gate", secret: Secret::new("s") });
    assert_eq!(post.form.as_str(), "token=a.b.c&token_type_hint=access_token&client_id=gate&client_secret=s");
    assert!(!format!("{post:?}{:?}", post.form).contains("a.b.c"));
}

#[test]
fn active_is_a_plain_yes_or_no() {
    assert_eq!(read(&json!({"active": false})), Ok(Introspected::Inactive));
    assert_eq!(read(&json!({"active": false, "sub": ""})), Ok(Introspected::Inactive), "the rest of a no is of no interest");
    assert_eq!(read(&json!({"active": true})), Ok(Introspected::Active(Box::default())));
    assert_eq!(read(&json!({})), Err(Failure::Unreadable(Unreadable::Member("active"))));
    for other in [json!("true"), json!(1), json!(null), json!([true])] {
        assert_eq!(read(&json!({"active": other})), Err(Failure::Unreadable(Unreadable::Malformed)), "{other}");
    }
    for body in [r#"{"active":false,"active":true}"#, r#"{"active":true,"activ\u0065":false}"#, "true", ""] {
        let read = Introspected::read(200, &crate::json(), body.as_bytes());
        assert_eq!(read, Err(Failure::Unreadable(Unreadable::Malformed)), "{body}");
    }
}

#[test]
fn what_a_token_is_is_read_as_section_2_2_says() {
    let answer = json!({
        "active": true, "iss": "https://idp", "sub": "alice", "aud": ["tool", "gate"], "client_id": "planner", "azp": "planner",
        "scope": "a b", "exp": 1_795_251_660, "nbf": 1_795_251_600, "iat": 1_795_251_601, "jti": "1", "token_type": "Bearer",
        "username": "alice", "cnf": {"jkt": "x"}, "realm_access": {"roles": ["reader"]},
    });
    let secs = |n| Some(Timestamp::from_secs(n));
    let want = Described {
        issuer: Some("https://idp".into()),
        subject: Some("alice".into()),
        audience: vec!["tool".into(), "gate".into()],
        client: Some("planner".into()),
        scopes: Some(vec!["a".into(), "b".into()]),
        expires: secs(1_795_251_660),
        begins: secs(1_795_251_600),
        issued: secs(1_795_251_601),
        id: Some("1".into()),
        usage: Some(Usage::Bearer),
        bound: true,
    };
    assert_eq!(read(&answer), Ok(Introspected::Active(Box::new(want))));
}

#[test]
fn a_yes_with_anything_odd_is_no_answer() {
    for (name, value) in [
        ("iss", json!("")),
        ("sub", json!("a\nb")),
        ("aud", json!(["a", ""])),
        ("exp", json!(1.5)),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("scope", json!("a\tb")),
        ("token_type", json!("mac")),
    ] {
        let answer = json!({"active": true, name: value});
        assert_eq!(read(&answer), Err(Failure::Unreadable(Unreadable::Member(name))), "{answer}");
    }
    for (name, value) in
        [("sub", json!(null)), ("aud", json!([1])), ("aud", json!({})), ("exp", json!("1")), ("scope", json!(["a"]))]
    {
        let answer = json!({"active": true, name: value});
        assert_eq!(read(&answer), Err(Failure::Unreadable(Unreadable::Malformed)), "{answer}");
    }
}

/// Fails closed: nothing but 200 says that a token is good, or that it is not.
#[test]
fn other_statuses_say_nothing_about_the_token() {
    let yes = br#"{"active":true}"#;
    for (status, want) in [
        (201, Failure::Unreadable(Unreadable::Status)),
        (302, Failure::Unreadable(Unreadable::Status)),
        (400, Failure::Unreadable(Unreadable::Member("error"))),
        (503, Failure::Unavailable),
        (429, Failure::Busy { retry_after: None }),
    ] {
        assert_eq!(Introspected::read(status, &crate::json(), yes), Err(want));
    }
    let refused = Introspected::read(401, &crate::json(), br#"{"error":"invalid_client"}"#);
    assert!(matches!(refused, Err(Failure::Refused { error: ErrorCode::InvalidClient, .. })));
}
