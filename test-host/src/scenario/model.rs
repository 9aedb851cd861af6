//! What a scenario file says, read and complete.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::expect::Expected;
use super::yaml::Place;
use crate::engine::{Callouts, Leaves, Need, Sent, have_trailers};

/// A scenario file.
#[derive(Debug)]
pub struct Scenario {
    /// Where it stands, as it was named.
    pub file: PathBuf,
    /// Its text, for [`super::bless`].
    pub text: String,
    /// The plugin that it is about.
    pub plugin: String,
    /// The cases in their order.
    pub cases: Vec<Case>,
}

/// One exchange and what must be seen of it.
#[derive(Debug)]
pub struct Case {
    /// A sentence: what must happen.
    pub name: String,
    /// Where the case begins.
    pub place: Place,
    /// Ids of the rules that it shows.
    pub cites: Vec<String>,
    /// What an engine must offer.
    pub needs: Vec<Need>,
    /// The profiles in which it makes sense.
    pub profiles: Vec<Profile>,
    /// The configuration of the file with that of the case merged over it (RFC 7396).
    pub config: Value,
    /// The case itself says what `hostProfile` is.
    pub own_host_profile: bool,
    /// The plugin behind it in the chain, and its configuration.
    pub next: Option<(String, Value)>,
    /// The environment that the proxy lends to the plugin. Its values are canaries.
    pub environment: Vec<(String, String)>,
    /// What hands over the token or the ticket of the request.
    pub handed: Option<Handed>,
    /// What the same worker has served before.
    pub before: Vec<Before>,
    /// The exchange, all but what profile and cut decide.
    pub exchange: Exchange,
    /// What must be seen, by profile; `None` where it does not run.
    pub expect: Expect,
    /// Texts that must never appear in log or audit.
    pub canaries: Vec<String>,
    /// The bytes of the `expect` value, and of the whole case.
    pub span: Span,
}

/// An exchange through another VM of the plugin: the request of the case brings what its upstream got, or its client as a ticket.
#[derive(Debug)]
pub struct Handed {
    /// The configuration of the case with its own merged over it.
    pub config: Value,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// The exchange.
    pub exchange: Exchange,
}

/// An exchange before that which a case is about.
#[derive(Debug)]
pub struct Before {
    /// Where it begins.
    pub place: Place,
    /// The exchange.
    pub exchange: Exchange,
    /// The status that its client must get.
    pub status: u16,
}

/// What must be seen in the two profiles.
#[derive(Debug, Default)]
pub struct Expect {
    /// Where headers can be held.
    pub hold: Option<Expected>,
    /// Where they cannot.
    pub no_hold: Option<Expected>,
}

/// Where the parts of a case stand in the text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// Of the key `expect`, if it is there.
    pub expect_key: Option<std::ops::Range<usize>>,
    /// Of its value.
    pub expect: Option<std::ops::Range<usize>>,
    /// Of the case.
    pub case: std::ops::Range<usize>,
    /// Column, from 1, of the case's first key.
    pub column: usize,
}

/// Client, upstream and called services.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// SPIFFE id of the peer.
    pub peer: Option<String>,
    /// Verified claims.
    pub claims: Option<Value>,
    /// Further host properties.
    pub properties: Vec<(Vec<String>, Vec<u8>)>,
    /// The request.
    pub request: Sent,
    /// When the client goes away.
    pub leaves: Option<Leaves>,
    /// The upstream's answer.
    pub upstream: Option<Sent>,
    /// It comes as soon as the headers are there.
    pub early: bool,
    /// Answers to callouts.
    pub callouts: Callouts,
    /// Host calls that fail.
    pub faults: Vec<(String, u32)>,
    /// How long the exchange lasts.
    pub time: Duration,
    /// The proxy's buffer limit.
    pub buffer_limit: Option<usize>,
    /// HTTP/2 from the client.
    pub http2: bool,
}

impl Exchange {
    /// Whether any message of it has trailers.
    pub fn has_trailers(&self) -> bool {
        have_trailers(&self.request, self.upstream.as_ref())
    }
}

/// Whether the proxy can hold headers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Profile {
    /// It can.
    Hold,
    /// It cannot.
    NoHold,
}

impl Profile {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hold, Self::NoHold];

    /// Its name on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::NoHold => "no-hold",
        }
    }
}

impl Case {
    /// What must be seen in `profile`.
    pub fn expected(&self, profile: Profile) -> Option<&Expected> {
        match profile {
            Profile::Hold => self.expect.hold.as_ref(),
            Profile::NoHold => self.expect.no_hold.as_ref(),
        }
    }
}
