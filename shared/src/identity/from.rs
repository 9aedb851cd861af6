//! Where something is fetched.

use sha2::{Digest as _, Sha256};

use crate::config::{Problems, record};
use crate::filter::HttpCall;
use crate::json::push_hex;
use crate::time::Duration;

record! {
    /// Where something is fetched, with GET.
    pub struct RawFrom {
        /// The proxy's name of the upstream cluster.
        cluster: String = "cluster";
        /// `:authority` of the request; with TLS also the name that the certificate must have.
        authority: String = "authority";
        /// `:path` of the request.
        path: String = "path";
        /// How long to wait for the answer; at most `5s`.
        timeout: Duration = "timeout", Duration::from_secs(2);
    }
}

/// A waiting stream is given up after ten seconds.
const MAX_TIMEOUT: Duration = Duration::from_secs(5);

impl RawFrom {
    /// The request; only good if no problem was added.
    pub(super) fn compile(&self, accept: &str, problems: &mut Problems) -> HttpCall {
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic());
        for (name, text) in [("cluster", &self.cluster), ("authority", &self.authority)] {
            if !visible(text) {
                problems.field(name, |p| p.add("is empty, or has blanks or characters that are not ASCII"));
            }
        }
        if !visible(&self.path) || !self.path.starts_with('/') || self.path.contains('#') {
            problems.field("path", |p| p.add(format!("`{}` is no path. Write it from the first `/` on", self.path)));
        }
        if self.timeout == Duration::ZERO || self.timeout > MAX_TIMEOUT {
            problems.field("timeout", |p| p.add("is not between `1ms` and `5s`"));
        }
        let headers = [(":method", "GET"), (":path", &self.path), (":authority", &self.authority), ("accept", accept)];
        HttpCall {
            cluster: self.cluster.clone(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec(),
            body: Vec::new(),
            timeout: self.timeout,
        }
    }

    /// What tells its shared data from that of other sources, and of others who fetch for another `owner` (BY-T-14, BY-X-03).
    pub(super) fn name(&self, owner: &str) -> String {
        let source = [owner, &self.cluster, &self.authority, &self.path].join("\n");
        let mut name = String::new();
        push_hex(&mut name, &Sha256::digest(source));
        name
    }
}
