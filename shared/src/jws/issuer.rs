//! What tokens of one issuer must be.

use super::claims::Claims;
use super::compact::media_type;
use super::verified::Verified;
use super::{Algorithm, Claimed, Jws, KeySet, TokenError, Verifier};
use crate::json::same;
use crate::time::{Duration, Timestamp};

/// Most that clocks may differ (OA-J-08).
pub const MAX_SKEW: Duration = Duration::from_secs(60);

/// What tokens of one issuer must be. A key set belongs to one issuer; which one is for its owner to keep (OA-J-06, BY-T-14).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    name: String,
    audiences: Vec<String>,
    only_us: bool,
    algorithms: Vec<Algorithm>,
    kinds: Vec<String>,
    untyped: bool,
    skew: Duration,
    longest: Option<Duration>,
    roles: Vec<String>,
}

/// The kind of RFC 9068: such a token says itself that it is an access token.
const ACCESS_TOKEN: &str = "at+jwt";

/// A token whose signature is right under a key of its issuer: only [`Issuer::authenticate`] makes one.
pub struct Signed<'t>(&'t Jws<'t>);

impl Issuer {
    /// Tokens of RFC 9068 by this issuer for one of these audiences, signed with RS256, ES256 or Ed25519; clocks may differ by
    /// 60 seconds. `None` without a name or an audience: who is meant must be said.
    pub fn new(name: &str, audiences: &[&str]) -> Option<Self> {
        if name.is_empty() || audiences.is_empty() || audiences.contains(&"") {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            audiences: audiences.iter().map(|&audience| audience.to_owned()).collect(),
            only_us: false,
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519],
            kinds: vec![ACCESS_TOKEN.to_owned()],
            untyped: false,
            skew: MAX_SKEW,
            longest: None,
            roles: Vec::new(),
        })
    }

    /// The algorithms that it signs with (OA-J-02).
    #[must_use]
    pub fn with_algorithms(self, algorithms: &[Algorithm]) -> Self {
        Self { algorithms: algorithms.to_vec(), ..self }
    }

    /// The values of `typ` that its access tokens have; `untyped` where they may have none (OA-J-05).
    ///
    /// Where `typ` does not say `at+jwt`, claims that only other kinds of tokens have are refused.
    #[must_use]
    pub fn with_kinds(self, kinds: &[&str], untyped: bool) -> Self {
        Self { kinds: kinds.iter().map(|kind| media_type(kind)).collect(), untyped, ..self }
    }

    /// Whether `aud` may name nobody but us (OA-J-07).
    #[must_use]
    pub fn with_only_us(self, only_us: bool) -> Self {
        Self { only_us, ..self }
    }

    /// How far its clock may be from ours; more than [`MAX_SKEW`] is taken for that.
    #[must_use]
    pub fn with_skew(self, skew: Duration) -> Self {
        Self { skew: skew.min(MAX_SKEW), ..self }
    }

    /// How long a token may live, from `iat` to `exp`; `iat` is then required.
    #[must_use]
    pub fn with_longest_life(self, longest: Duration) -> Self {
        Self { longest: Some(longest), ..self }
    }

    /// The way to the claim that holds roles or groups: `["groups"]`, `["realm_access", "roles"]`.
    #[must_use]
    pub fn with_roles(self, path: &[&str]) -> Self {
        Self { roles: path.iter().map(|&name| name.to_owned()).collect(), ..self }
    }

    /// `iss`, byte for byte.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is its name.
    pub fn is(&self, name: &str) -> bool {
        same(self.name.as_bytes(), name.as_bytes())
    }

    /// Whether it signs with this algorithm.
    pub fn signs_with(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// How far its clock may be from ours.
    pub fn skew(&self) -> Duration {
        self.skew
    }

    /// Checks a token. What comes first wins:
    ///
    /// 1. Its form: three parts, strict base64url, a header that can be read in one way only.
    /// 2. `alg` and `typ` are allowed.
    /// 3. `keys` has the key that is meant, and the signature is right. Nothing that the claims say is believed before.
    /// 4. The claims are of their types, and `iss`, `aud`, `exp`, `nbf`, `iat`, `cnf`, `sub` are as they must be.
    pub fn verify(
        &self,
        token: &[u8],
        keys: &KeySet,
        now: Timestamp,
        verifier: &mut dyn Verifier,
    ) -> Result<Verified, TokenError> {
        let token = Jws::read(token)?;
        let signed = self.authenticate(&token, keys, verifier)?;
        self.judge(signed, token.claimed()?, now)
    }

    /// The second and the third step of [`Issuer::verify`].
    pub fn authenticate<'t>(
        &self,
        token: &'t Jws<'t>,
        keys: &KeySet,
        verifier: &mut dyn Verifier,
    ) -> Result<Signed<'t>, TokenError> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(TokenError::AlgorithmRefused);
        }
        let known = match &token.kind {
            Some(kind) => self.kinds.contains(kind),
            None => self.untyped,
        };
        if !known {
            return Err(TokenError::TypeRefused);
        }
        token.authenticate(keys, verifier)?;
        Ok(Signed(token))
    }

    /// The fourth step of [`Issuer::verify`], with what the same token says.
    pub fn judge(&self, Signed(token): Signed<'_>, claimed: Claimed, now: Timestamp) -> Result<Verified, TokenError> {
        let claims = claimed.0.sound()?;
        let groups = if self.roles.is_empty() { Vec::new() } else { Claims::read_groups(&token.payload, &self.roles)? };
        claims.judge(self, token.kind.as_deref() == Some(ACCESS_TOKEN), groups, now)
    }

    /// Judges the dates of a token that was verified before.
    pub fn check_again(&self, verified: &Verified, now: Timestamp) -> Result<(), TokenError> {
        self.judge_dates(verified.expires, None, verified.issued, now)
    }

    pub(super) fn is_meant(&self, audience: &[String]) -> bool {
        let ours = |name: &String| self.audiences.iter().any(|own| same(own.as_bytes(), name.as_bytes()));
        audience.iter().any(ours) && (!self.only_us || audience.iter().all(ours))
    }

    /// RFC 7519 sections 4.1.4 to 4.1.6: good from `nbf` to before `exp`, and not made in the future (OA-J-08, BY-T-13).
    pub(super) fn judge_dates(
        &self,
        expires: Timestamp,
        begins: Option<Timestamp>,
        issued: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let latest = now + self.skew;
        if now >= expires + self.skew {
            return Err(TokenError::Expired);
        }
        if begins.is_some_and(|begins| begins > latest) {
            return Err(TokenError::NotYetValid);
        }
        if issued.is_some_and(|issued| issued > latest) {
            return Err(TokenError::IssuedInFuture);
        }
        match (self.longest, issued) {
            (Some(_), None) => Err(TokenError::ClaimMissing("iat")),
            (Some(longest), Some(issued)) if expires.since(issued) > longest => Err(TokenError::LivesTooLong),
            _ => Ok(()),
        }
    }
}
