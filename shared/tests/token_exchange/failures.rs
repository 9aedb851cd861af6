//! What a failure of each server means for the caller (OA-TE-07).
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use serde_json::json;
use wardpoint_core::http::Headers;
use wardpoint_core::oauth::{Issued, StepUp};
use wardpoint_core::time::Duration;
use wardpoint_core::token_exchange::profile::Told;

fn told(status: u16, error: &str, words: &str) -> Told {
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    let body = json!({"error": error, "error_description": words}).to_string();
    Told::of(Issued::read(status, &headers, body.as_bytes()).unwrap_err())
}

/// parts.md 1, the table of Keycloak.
#[test]
fn keycloak() {
    for (status, error, words, want) in [
        (400, "invalid_client", "Audience not found", Told::Misconfigured),
        (400, "invalid_request", "Requested audience not available: tool-c", Told::Denied),
        (400, "invalid_scope", "Invalid scopes: foo:bar", Told::Denied),
        (400, "invalid_scope", "Missing consents for Token Exchange in client planner", Told::Consent),
        (403, "access_denied", "Client is not within the token audience", Told::Denied),
        (400, "invalid_request", "Invalid token", Told::SubjectRefused),
        // Neither a wrong secret nor a client without the right to exchange is the user's fault: a login would change nothing.
        (401, "unauthorized_client", "Invalid client or Invalid client credentials", Told::Misconfigured),
        (400, "invalid_request", "Standard token exchange is not enabled for the requested client", Told::Misconfigured),
    ] {
        assert_eq!(told(status, error, words), want, "{error} {words}");
    }
}

#[test]
fn entra_says_consent_beside_any_code() {
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    for (error, suberror, want) in [
        ("invalid_grant", "consent_required", Told::Consent),
        ("interaction_required", "consent_required", Told::Consent),
        ("invalid_grant", "bad_token", Told::SubjectRefused),
    ] {
        for body in [
            json!({"error": error, "suberror": suberror, "error_description": "AADSTS65001: words"}),
            json!({"suberror": suberror, "error_description": "AADSTS65001: words", "error": error}),
        ] {
            let failure = Issued::read(400, &headers, body.to_string().as_bytes()).unwrap_err();
            assert_eq!(Told::of(failure), want, "{body}");
        }
    }
}

#[test]
fn every_code_has_one_meaning() {
    let step_up = Told::StepUp(StepUp::default());
    for (error, want) in [
        ("invalid_request", Told::SubjectRefused),
        ("invalid_grant", Told::SubjectRefused),
        ("invalid_target", Told::Denied),
        ("invalid_scope", Told::Denied),
        ("access_denied", Told::Denied),
        ("unauthorized_client", Told::Denied),
        ("interaction_required", step_up.clone()),
        ("insufficient_user_authentication", step_up.clone()),
        ("consent_required", Told::Consent),
        ("login_required", step_up.clone()),
        ("mfa_required", step_up),
        ("invalid_client", Told::Misconfigured),
        ("unsupported_grant_type", Told::Misconfigured),
        ("use_dpop_nonce", Told::Misconfigured),
        ("never heard of", Told::Misconfigured),
        ("server_error", Told::Unavailable { retry_after: None }),
        ("temporarily_unavailable", Told::Unavailable { retry_after: None }),
    ] {
        assert_eq!(told(400, error, ""), want, "{error}");
        assert_eq!(want.is_lasting(), matches!(want, Told::Consent | Told::Denied));
    }
    assert_eq!(told(400, "invalid_request", "Delegation chain depth exceeds 5"), Told::Denied);
    assert_eq!(told(500, "invalid_grant", ""), Told::Unavailable { retry_after: None });
    let headers: Headers = [("retry-after", "3")].into_iter().collect();
    let busy = Told::of(Issued::read(429, &headers, b"").unwrap_err());
    assert_eq!(busy, Told::Unavailable { retry_after: Some(Duration::from_secs(3)) });
}

/// Entra sends `claims` with more codes than one.
#[test]
fn claims_are_a_challenge_whatever_the_code() {
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    for error in ["interaction_required", "invalid_grant"] {
        let body = json!({"error": error, "claims": r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#}).to_string();
        let told = Told::of(Issued::read(400, &headers, body.as_bytes()).unwrap_err());
        assert!(matches!(told, Told::StepUp(StepUp { claims: Some(_), .. })), "{told:?}");
    }
}
