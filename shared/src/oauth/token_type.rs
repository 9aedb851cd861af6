//! Token types (RFC 8693 section 3 and its registry).

/// What kind of token a text is. A closed set: a kind that is not known here cannot be asked for or used.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TokenType {
    /// An OAuth access token.
    AccessToken,
    /// An identity assertion grant (draft-ietf-oauth-identity-assertion-authz-grant).
    IdJag,
    /// An ID token of OpenID Connect.
    IdToken,
    /// A JWT of any kind.
    Jwt,
    /// A refresh token.
    RefreshToken,
    /// A SAML 2.0 assertion.
    Saml2,
    /// A transaction token (draft-ietf-oauth-transaction-tokens).
    TxnToken,
}

impl TokenType {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::AccessToken, Self::IdJag, Self::IdToken, Self::Jwt, Self::RefreshToken, Self::Saml2, Self::TxnToken];

    /// Its name on the wire.
    pub const fn urn(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::IdJag => "urn:ietf:params:oauth:token-type:id-jag",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
            Self::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
            Self::TxnToken => "urn:ietf:params:oauth:token-type:txn_token",
        }
    }

    /// The type of this name, byte for byte.
    pub fn from_urn(urn: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.urn() == urn)
    }
}
