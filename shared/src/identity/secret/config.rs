//! Where a secret comes from, as it is written.

use crate::config::{Decode, Problems, RawVariable, record};
use crate::identity::{Fetching, RawFrom};
use crate::json::Node;
use crate::time::Duration;

/// Where a secret comes from. Never the secret itself.
#[derive(Clone, Debug, PartialEq)]
pub enum RawSecret {
    /// The proxy's environment.
    Env(RawVariable),
    /// A call.
    Fetch(RawFetched),
}

record! {
    /// Where a secret is fetched, with GET. The answer is the secret and nothing else; one line end after it is no part of it.
    pub struct RawSecretFetch {
        /// The proxy's name of the upstream cluster.
        cluster: String = "cluster";
        /// `:authority` of the request; with TLS also the name that the certificate must have.
        authority: String = "authority";
        /// `:path` of the request.
        path: String = "path";
        /// How long to wait for the answer; at most `5s`.
        timeout: Duration = "timeout", Duration::from_secs(2);
        /// How long it is fresh; then it is fetched again, in the background.
        refresh: Duration = "refresh", Duration::from_secs(300);
        /// How long the last good one may be used where no fetch succeeds. Then there is none.
        keep: Duration = "keep", Duration::from_secs(3600);
    }
}

record! {
    /// A secret that is fetched.
    pub struct RawFetched {
        /// Where.
        fetch: RawSecretFetch = "fetch";
    }
}

impl Decode for RawSecret {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node {
            Node::Map(members) if members.iter().any(|(name, _)| name == "fetch") => {
                RawFetched::decode(node, problems).map(Self::Fetch)
            }
            _ => RawVariable::decode(node, problems).map(Self::Env),
        }
    }

    fn schema() -> String {
        format!(r#"{{"oneOf":[{},{}]}}"#, RawVariable::schema(), RawFetched::schema())
    }
}

/// An SVID is fetched again after so long, if half of its life has not passed before.
const LONGEST_REFRESH: Duration = Duration::from_secs(3600);
/// The least time between two fetches because a token service did not take what there is.
const COOL_DOWN: Duration = Duration::from_secs(10);

impl RawSecretFetch {
    /// The fetches; only good if no problem was added.
    pub(super) fn compile(&self, problems: &mut Problems) -> Fetching {
        let Self { cluster, authority, path, timeout, refresh, keep } = self.clone();
        let call = RawFrom { cluster, authority, path, timeout }.compile("text/plain, */*", problems);
        if refresh < Duration::from_secs(10) {
            problems.field("refresh", |p| p.add("is less than `10s`"));
        }
        if keep < refresh {
            problems.field("keep", |p| p.add("is less than `refresh`: there would be none between two fetches"));
        }
        Fetching { call, refresh, keep, cool_down: COOL_DOWN, name: String::new() }
    }
}

/// The fetches of an SVID: it says itself how long it may be used.
pub(super) fn of_svid(from: &RawFrom, problems: &mut Problems) -> Fetching {
    let call = from.compile("application/jwt, text/plain", problems);
    Fetching { call, refresh: LONGEST_REFRESH, keep: Duration::MAX, cool_down: COOL_DOWN, name: String::new() }
}
