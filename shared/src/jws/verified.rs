//! What a token that was verified says.

use crate::identity::Bearer;
use crate::time::Timestamp;

/// A token that was verified: its signature and all that is configured of its claims.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// Who bears it, for [`identity::Source::read_with`].
    pub bearer: Bearer,
    /// All whom it is for.
    pub audience: Vec<String>,
    /// `jti`, for revocation.
    pub id: Option<String>,
    /// When it was made, for revocation of all that is older.
    pub issued: Option<Timestamp>,
    /// When it is no longer good, without the skew that clocks are allowed.
    pub expires: Timestamp,
    /// `acr`: how the user was authenticated (RFC 9470 section 6). One that is no string is none.
    pub context: Option<String>,
    /// `auth_time`: when. One that is no number is none.
    pub authenticated: Option<Timestamp>,
    /// `may_act`: the names of the one party that may act (RFC 8693 section 4.4).
    pub may_act: Option<Vec<String>>,
    /// `status.status_list`: where its issuer says whether it still holds.
    pub status: Option<StatusRef>,
}

/// A place in a list of statuses (draft-ietf-oauth-status-list section 6.2, OA-R-06).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusRef {
    /// `uri`: which list.
    pub list: String,
    /// `idx`: the entry.
    pub index: u32,
}
