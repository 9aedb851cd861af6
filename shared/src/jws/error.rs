//! Why a token was not accepted.

use core::fmt;

use crate::policy::Reason;

macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        /// Why a token was not accepted. Shows nothing of the token; codes are for the audit record and never renamed.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum TokenError {
            $($(#[doc = $doc])+ $name,)+
            /// A claim is there, but is not what its definition says (RFC 7519 section 4.1, BY-T-12, BY-T-13).
            ClaimMalformed(&'static str),
            /// A claim that must be there is not (RFC 9068 section 2.2).
            ClaimMissing(&'static str),
        }

        impl TokenError {
            /// All that name no claim.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable machine code.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                    Self::ClaimMalformed(_) => "claim_malformed",
                    Self::ClaimMissing(_) => "claim_missing",
                }
            }
        }
    };
}

errors! {
    /// `alg` is missing, unknown, or not allowed for this issuer (OA-J-02, BY-T-01, BY-T-02).
    AlgorithmRefused = "algorithm_refused";
    /// No `kid`, and more than one key fits; or more keys of one `kid` fit than are tried (BY-T-03).
    AmbiguousKey = "ambiguous_key";
    /// `aud` does not name us, or, where only we may be named, others too (OA-J-07).
    AudienceRefused = "audience_refused";
    /// The signature is not that of the token under the key.
    BadSignature = "bad_signature";
    /// A part is not base64url, or not the one text for its bytes (OA-J-01, BY-T-08).
    Base64 = "base64";
    /// `cnf` binds the token to a client certificate, and it came as a bearer token (RFC 8705 section 3, OA-J-12).
    BoundToCertificate = "bound_to_certificate";
    /// `cnf` binds the token to a key, and it came as a bearer token (RFC 9449 section 7.1, OA-J-12).
    BoundToKey = "bound_to_key";
    /// `cnf` has a member that is not known, or none (OA-J-12).
    BoundUnknown = "bound_unknown";
    /// The claims are not one strict JSON object (BY-T-09, BY-J-01).
    ClaimsUnreadable = "claims_unreadable";
    /// Two claims that say which client it is, or two that say which scopes, disagree.
    ClaimsDisagree = "claims_disagree";
    /// The user did not log in as strongly as is asked for: `acr` (RFC 9470, OA-R-02).
    AuthenticationTooWeak = "authentication_too_weak";
    /// The user logged in longer ago than is asked for: `auth_time` (RFC 9470, OA-R-02).
    AuthenticationTooOld = "authentication_too_old";
    /// The header has `zip` (BY-T-19).
    Compressed = "compressed";
    /// The header has `crit`; no extension is understood here (RFC 7515 section 4.1.11, OA-J-04, BY-T-05).
    Critical = "critical";
    /// A JWE: five parts, or a header of one (OA-J-13, BY-T-07, BY-T-19).
    Encrypted = "encrypted";
    /// `exp` has passed (OA-J-08).
    Expired = "expired";
    /// The header is not one strict JSON object with members of their types (BY-T-09).
    HeaderUnreadable = "header_unreadable";
    /// The host could not say whether the signature is right.
    HostFailed = "host_failed";
    /// `iat` has not come yet (OA-J-08, BY-T-13).
    IssuedInFuture = "issued_in_future";
    /// `iss` is not byte for byte the configured one (OA-J-06, BY-T-14).
    IssuerRefused = "issuer_refused";
    /// `kid` is empty or longer than any is (BY-T-03).
    KeyIdRefused = "key_id_refused";
    /// The header brings a key or says where one is: `jwk`, `jku`, `x5c`, `x5u` (OA-J-03, BY-T-04).
    KeyInHeader = "key_in_header";
    /// The key that `kid` names is not one for `alg` (OA-J-02, BY-T-02).
    KeyMismatch = "key_mismatch";
    /// The keys of the issuer are not there: none could be fetched yet, or the last good ones are too old (BY-T-18).
    KeysUnavailable = "keys_unavailable";
    /// The token lives longer than is allowed (OA-J-08).
    LivesTooLong = "lives_too_long";
    /// The header has `cty`: a token in a token (BY-T-07).
    Nested = "nested";
    /// It cannot be told whether it was revoked: there is no list that is recent enough, or the server that knows does not say.
    RevocationUnknown = "revocation_unknown";
    /// It was revoked, or who bears it suspended, before it expired.
    Revoked = "revoked";
    /// Too many requests wait for the keys of the issuer.
    TooManyWaiting = "too_many_waiting";
    /// Its claims are those of another kind of token: an ID token, a logout token, a proof (OA-J-05, BY-T-11).
    NotAccessToken = "not_access_token";
    /// `nbf` has not come yet (OA-J-08).
    NotYetValid = "not_yet_valid";
    /// Not three parts (OA-J-01, BY-T-07).
    Parts = "parts";
    /// The token or its header is longer than allowed (OA-J-13).
    TooLong = "too_long";
    /// More prior actors than are read (rules.md 3.9).
    TooManyActors = "too_many_actors";
    /// `typ` is not one of the configured ones (OA-J-05, BY-T-11).
    TypeRefused = "type_refused";
    /// The header has `b64` (RFC 7797, OA-J-04, BY-T-06).
    Unencoded = "unencoded";
    /// No key of this `kid`, or without a `kid` none that fits. The set may be old: fetch it again, once (BY-T-18).
    UnknownKey = "unknown_key";
    /// Nothing here can check signatures of this algorithm.
    Unsupported = "unsupported";
}

impl TokenError {
    /// What the caller is told.
    pub fn reason(self) -> Reason {
        match self {
            Self::AuthenticationTooOld | Self::AuthenticationTooWeak => Reason::StepUpRequired,
            Self::BoundToCertificate | Self::BoundToKey | Self::BoundUnknown => Reason::SenderConstrained,
            Self::HostFailed | Self::Unsupported => Reason::HostFailed,
            Self::KeysUnavailable | Self::TooManyWaiting => Reason::CalloutFailed,
            Self::RevocationUnknown => Reason::RevocationUnknown,
            Self::Revoked => Reason::Revoked,
            _ => Reason::InvalidToken,
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClaimMalformed(claim) | Self::ClaimMissing(claim) => write!(f, "{}: {claim}", self.code()),
            _ => f.write_str(self.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_speak_snake_case() {
        let mut seen = std::collections::HashSet::new();
        for error in TokenError::ALL.iter().chain(&[TokenError::ClaimMalformed("a"), TokenError::ClaimMissing("a")]) {
            assert!(seen.insert(error.code()), "{} twice", error.code());
            assert!(error.code().chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()));
        }
    }
}
