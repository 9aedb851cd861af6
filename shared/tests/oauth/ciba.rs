//! CIBA, poll mode (rules.md 3.6).

use proptest::prelude::*;
use serde_json::json;
use wardpoint_core::oauth::ciba::{AuthRequest, BindingMessage, Polled, Started, User};
use wardpoint_core::oauth::{ClientAuth, ErrorCode, Failure, Unreadable};
use wardpoint_core::secret::Secret;
use wardpoint_core::time::Duration;

const DIGEST: [u8; 32] = [0xab; 32];

fn started(body: &str) -> Result<Started, Failure> {
    Started::read(200, &crate::json(), body.as_bytes())
}

fn polled(status: u16, body: &str) -> Polled {
    Polled::read(status, &crate::json(), body.as_bytes())
}

#[test]
fn a_request_has_what_section_7_1_wants() {
    let message = BindingMessage::new("delete_repo", &DIGEST, 50).unwrap();
    let request = |user| AuthRequest {
        scopes: &["tools:write"],
        user,
        message: &message,
        acr_values: &["gold"],
        expires_in: Some(Duration::from_secs(90)),
    };
    let form = |user| request(user).post(&ClientAuth::Cluster { id: Some("gate") }).form;
    let rest = "&binding_message=delete_repo%23abababababababab&acr_values=gold&requested_expiry=90&client_id=gate";
    assert_eq!(form(User::LoginHint("alice b")).as_str(), format!("scope=openid+tools%3Awrite&login_hint=alice+b{rest}"));
    assert_eq!(
        form(User::IdToken(Secret::new("i.d.t"))).as_str(),
        format!("scope=openid+tools%3Awrite&id_token_hint=i.d.t{rest}")
    );
    let token = form(User::LoginHintToken(Secret::new("h.n.t")));
    assert_eq!(token.as_str(), format!("scope=openid+tools%3Awrite&login_hint_token=h.n.t{rest}"));
    assert!(!format!("{token:?} {:?}", request(User::LoginHintToken(Secret::new("h.n.t")))).contains("h.n.t"));
    let bare = AuthRequest { scopes: &[], acr_values: &[], expires_in: None, ..request(User::LoginHint("a")) };
    let bare = bare.post(&ClientAuth::Cluster { id: None }).form;
    assert_eq!(bare.as_str(), "scope=openid&login_hint=a&binding_message=delete_repo%23abababababababab");
}

proptest! {
    /// Keycloak: `^[a-zA-Z0-9-._+/!?#]{1,50}$`, whatever the action is called; and the digest is always whole.
    #[test]
    fn a_binding_message_is_one_that_every_server_takes(action in ".{0,80}", digest in any::<[u8; 32]>(), longest in 17..=256_usize) {
        let message = BindingMessage::new(&action, &digest, longest).unwrap();
        let text = message.as_str();
        prop_assert!(text.len() <= longest);
        prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-._+/!?#".contains(c)), "{text}");
        let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let suffix = format!("#{digits}");
        prop_assert!(text.ends_with(&suffix));
        prop_assert_eq!(text.matches('#').count(), 1);
    }
}

#[test]
fn a_message_without_its_digest_is_none() {
    assert_eq!(BindingMessage::new("a", &DIGEST, 16), None);
    assert_eq!(BindingMessage::new("tool", &DIGEST, 17).unwrap().as_str(), "#abababababababab");
}

#[test]
fn what_was_taken_says_how_to_wait() {
    let secs = Duration::from_secs;
    for (body, expires_in, interval) in [
        (r#"{"auth_req_id":"a.b-c_1","expires_in":120,"interval":2}"#, secs(120), secs(2)),
        (r#"{"auth_req_id":"x","expires_in":120}"#, secs(120), secs(5)),
        (r#"{"auth_req_id":"x","expires_in":999999,"interval":0}"#, secs(3600), secs(1)),
        (r#"{"auth_req_id":"x","expires_in":1,"interval":999}"#, secs(1), secs(300)),
    ] {
        let got = started(body).unwrap();
        assert_eq!((got.expires_in, got.interval), (expires_in, interval), "{body}");
        assert!(!format!("{got:?}").contains("a.b-c"));
    }
    for (body, want) in [
        (r#"{"expires_in":120}"#, Unreadable::Member("auth_req_id")),
        (r#"{"auth_req_id":"","expires_in":120}"#, Unreadable::Member("auth_req_id")),
        (r#"{"auth_req_id":"a b","expires_in":120}"#, Unreadable::Member("auth_req_id")),
        (r#"{"auth_req_id":"x"}"#, Unreadable::Member("expires_in")),
        (r#"{"auth_req_id":"x","expires_in":0}"#, Unreadable::Member("expires_in")),
        (r#"{"auth_req_id":"x","expires_in":9,"interval":-1}"#, Unreadable::Member("interval")),
        (r#"{"auth_req_id":"x","expires_in":9,"error":"x"}"#, Unreadable::Member("error")),
        (r#"{"auth_req_id":1,"expires_in":9}"#, Unreadable::Malformed),
        (r#"{"auth_req_id":"x","auth_req_id":"y","expires_in":9}"#, Unreadable::Malformed),
    ] {
        assert_eq!(started(body), Err(Failure::Unreadable(want)), "{body}");
    }
    let long = json!({"auth_req_id": "x".repeat(4097), "expires_in": 9}).to_string();
    assert_eq!(started(&long), Err(Failure::Unreadable(Unreadable::Member("auth_req_id"))));
    let refused = Started::read(400, &crate::json(), br#"{"error":"unknown_user_id"}"#);
    assert!(matches!(refused, Err(Failure::Refused { error: ErrorCode::UnknownUserId, .. })));
}

#[test]
fn a_poll_has_one_of_six_ends() {
    let error = |code: &str| polled(400, &json!({"error": code, "error_description": "canary"}).to_string());
    assert_eq!(error("authorization_pending"), Polled::Pending);
    assert_eq!(error("slow_down"), Polled::SlowDown);
    assert_eq!(error("access_denied"), Polled::Denied);
    assert_eq!(error("expired_token"), Polled::Expired);
    assert_eq!(error("invalid_grant"), Polled::Expired);
    assert!(matches!(error("invalid_client"), Polled::Failed(Failure::Refused { error: ErrorCode::InvalidClient, .. })));
    assert_eq!(polled(503, ""), Polled::Failed(Failure::Unavailable));
    assert_eq!(polled(429, ""), Polled::Failed(Failure::Busy { retry_after: None }));
    let Polled::Approved(issued) =
        polled(200, r#"{"access_token":"t","token_type":"Bearer","expires_in":60,"refresh_token":"r"}"#)
    else {
        panic!("a token is an approval")
    };
    assert_eq!(issued.token.reveal(), "t");
    // An answer that cannot be read is no approval.
    assert_eq!(polled(200, "{}"), Polled::Failed(Failure::Unreadable(Unreadable::Member("access_token"))));
    assert_eq!(
        polled(200, r#"{"error":"authorization_pending"}"#),
        Polled::Failed(Failure::Unreadable(Unreadable::Member("error")))
    );
}
