//! How a client proves itself to a token service (RFC 6749 section 2.3, RFC 7521 section 4.2).

use super::form::{Form, Post, push_encoded};
use crate::base64;
use crate::secret::Secret;

/// How a client proves itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientAuth<'a> {
    /// `client_secret_basic`: in the `authorization` header.
    Basic {
        /// The client.
        id: &'a str,
        /// Its secret.
        secret: Secret<&'a str>,
    },
    /// `client_secret_post`: in the form.
    Post {
        /// The client.
        id: &'a str,
        /// Its secret.
        secret: Secret<&'a str>,
    },
    /// An assertion that is ready.
    Assertion {
        /// The client; may be left out where the assertion names it (RFC 7521 section 4.2).
        id: Option<&'a str>,
        /// What kind of assertion it is.
        kind: AssertionType,
        /// The assertion.
        text: Secret<&'a str>,
    },
    /// The cluster does it: a client certificate (RFC 8705 section 2) or Envoy's `credential_injector`.
    Cluster {
        /// The client, where the service must be told (RFC 8705 section 2).
        id: Option<&'a str>,
    },
}

/// Kinds of client assertions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AssertionType {
    /// `private_key_jwt`, or a token of a federated issuer (RFC 7523 section 2.2).
    JwtBearer,
    /// A JWT-SVID (draft-ietf-oauth-spiffe-client-auth).
    JwtSpiffe,
}

impl AssertionType {
    /// Its name on the wire.
    pub const fn urn(self) -> &'static str {
        match self {
            Self::JwtBearer => "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            Self::JwtSpiffe => "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe",
        }
    }
}

impl ClientAuth<'_> {
    /// The form with what proves the client, in the one place where it belongs.
    pub(super) fn sign(&self, mut form: Form) -> Post {
        let mut authorization = None;
        match self {
            Self::Basic { id, secret } => {
                // RFC 6749 section 2.3.1: both are encoded as in a form before they are joined.
                let mut pair = String::new();
                push_encoded(&mut pair, id);
                pair.push(':');
                push_encoded(&mut pair, secret.reveal());
                authorization = Some(format!("Basic {}", base64::encode(pair.as_bytes())));
            }
            Self::Post { id, secret } => {
                form.push("client_id", id);
                form.push("client_secret", secret.reveal());
            }
            Self::Assertion { id, kind, text } => {
                form.push_some("client_id", *id);
                form.push("client_assertion_type", kind.urn());
                form.push("client_assertion", text.reveal());
            }
            Self::Cluster { id } => form.push_some("client_id", *id),
        }
        Post { authorization, form }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(client: &ClientAuth<'_>) -> (Option<String>, String) {
        let post = client.sign(Form::new());
        (post.authorization, post.form.as_str().to_owned())
    }

    #[test]
    fn a_secret_goes_into_the_header_or_the_form_and_never_both() {
        let (id, secret) = ("s6BhdRkqt3", Secret::new("gX1fBat3bV"));
        // RFC 6749 section 2.3.1.
        let basic = Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW".to_owned());
        assert_eq!(sent(&ClientAuth::Basic { id, secret: secret.clone() }), (basic, String::new()));
        let form = "client_id=s6BhdRkqt3&client_secret=gX1fBat3bV".to_owned();
        assert_eq!(sent(&ClientAuth::Post { id, secret }), (None, form));
    }

    #[test]
    fn basic_encodes_what_would_end_the_name_early() {
        let (header, _) = sent(&ClientAuth::Basic { id: "spiffe://a/b", secret: Secret::new("a:b%+ ü") });
        let text = base64::decode(header.unwrap().strip_prefix("Basic ").unwrap().as_bytes()).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "spiffe%3A%2F%2Fa%2Fb:a%3Ab%25%2B+%C3%BC");
    }

    #[test]
    fn an_assertion_says_its_kind() {
        for (kind, id, want) in [
            (
                AssertionType::JwtBearer,
                Some("gate"),
                "client_id=gate&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c",
            ),
            (
                AssertionType::JwtSpiffe,
                None,
                "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-spiffe&client_assertion=a.b.c",
            ),
        ] {
            assert_eq!(sent(&ClientAuth::Assertion { id, kind, text: Secret::new("a.b.c") }), (None, want.to_owned()));
        }
        assert_eq!(sent(&ClientAuth::Cluster { id: None }), (None, String::new()));
        assert_eq!(sent(&ClientAuth::Cluster { id: Some("gate") }), (None, "client_id=gate".to_owned()));
    }

    #[test]
    fn debug_shows_no_secret() {
        let client = ClientAuth::Post { id: "gate", secret: Secret::new("canary") };
        assert!(!format!("{client:?} {:?} {:?}", client.sign(Form::new()), client.sign(Form::new()).form).contains("canary"));
    }
}
