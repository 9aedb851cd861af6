//! The token of an approval: whether it is what it should be.

use super::Server;
use crate::jws::{MAX_SKEW, Stated, TokenError};
use crate::oauth::{Issued, Usage};
use crate::time::Timestamp;

impl Server {
    /// Whether a token is the one of the user who was asked. The server knows users by hints; what it says is held against
    /// who the caller's token says it is.
    pub(super) fn vouches_for(&self, issued: &Issued, user: &str, now: Timestamp) -> Result<(), &'static str> {
        if issued.usage != Usage::Bearer {
            return Err("it is not a bearer token");
        }
        let stated = match Stated::read(issued.token.reveal().as_bytes()) {
            Ok(stated) => stated,
            Err(TokenError::Encrypted | TokenError::Parts) if self.opaque => return Ok(()),
            Err(error) => return Err(error.code()),
        };
        let audiences = &self.audiences;
        let others = [
            (stated.issuer.as_deref() != Some(&self.issuer), "it is another issuer's"),
            (stated.subject.as_deref() != Some(user), "it is another user's"),
            (!audiences.is_empty() && !stated.audience.iter().any(|name| audiences.contains(name)), "it is for others"),
        ];
        // What is only a proof is used by nobody.
        let used = self.outgoing.as_ref().map(|client| {
            [
                (stated.client.as_deref() != Some(client), "it is another client's"),
                (stated.expires.is_none_or(|expires| expires <= now), "it is over"),
                (stated.begins.is_some_and(|begins| begins > now + MAX_SKEW), "it is not good yet"),
                (stated.bound, "it is good with a key only"),
                (stated.foreign, "it is no access token"),
            ]
        });
        others.into_iter().chain(used.into_iter().flatten()).find(|(holds, _)| *holds).map_or(Ok(()), |(_, why)| Err(why))
    }
}
