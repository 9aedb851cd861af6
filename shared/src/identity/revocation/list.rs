//! The list of what is revoked: its format, and who is on it.

use super::Bearing;
use crate::config::{Decode, Problems, record};
use crate::identity::Content;
use crate::json::{Limits, parse_tree};
use crate::time::Timestamp;

record! {
    /// What is revoked. Whoever suspends somebody writes it anew, and serves it where the proxies fetch it.
    pub struct RawRevocations {
        /// Version of this format; 1. A list of another version is not taken.
        version: u32 = "version";
        /// When it was written, in seconds since the Unix epoch. A list that is older than the last one is not taken.
        issued: u32 = "issued";
        /// When it is no longer good, in seconds since the Unix epoch.
        expires: Option<u32> = "expires", None;
        /// What is revoked.
        revoked: Vec<RawRevoked> = "revoked";
    }
}

record! {
    /// One revocation: tokens for which all of it is true, and at least one member.
    pub struct RawRevoked {
        /// `iss`; alone it is all tokens of this issuer.
        issuer: Option<String> = "issuer", None;
        /// `sub`: a user, or the subject of a machine's own token.
        user: Option<String> = "user", None;
        /// An agent: the SPIFFE id of the peer, or an actor of the token.
        agent: Option<String> = "agent", None;
        /// The OAuth client: that of the token, or the one that is mapped to the peer.
        client: Option<String> = "client", None;
        /// `jti`: one token.
        token: Option<String> = "token", None;
        /// Tokens whose `iat` is before, in seconds since the Unix epoch. A token without `iat` is one of them.
        issued_before: Option<u32> = "issuedBefore", None;
        /// When this revocation is over, in seconds since the Unix epoch.
        until: Option<u32> = "until", None;
    }
}

/// Most bytes of a list.
const MAX_BYTES: usize = 1 << 20;
/// Most revocations in a list.
const MAX_REVOKED: usize = 10_000;
const LIMITS: Limits = Limits { depth: 8, number: 16, nodes: 100_000 };

/// A list, ordered so that who is on it is found without reading all of it.
#[derive(Debug, PartialEq)]
pub struct Revocations {
    pub(super) issued: Timestamp,
    pub(super) expires: Option<Timestamp>,
    /// By the name that says most.
    revoked: Vec<(Name, RawRevoked)>,
}

/// The name by which a revocation is found.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Name {
    Agent(String),
    Client(String),
    /// None: it is about all, or all of an issuer.
    None,
    Token(String),
    User(String),
}

impl Revocations {
    fn of(raw: RawRevocations) -> Option<Self> {
        let RawRevocations { version, issued, expires, revoked } = raw;
        if version != 1 || revoked.len() > MAX_REVOKED {
            return None;
        }
        let date = |secs: u32| Timestamp::from_secs(secs.into());
        let mut named = revoked.into_iter().map(|raw| raw.name().map(|name| (name, raw))).collect::<Option<Vec<_>>>()?;
        named.sort_by(|a, b| a.0.cmp(&b.0));
        Some(Self { issued: date(issued), expires: expires.map(date), revoked: named })
    }

    /// Reads a whole list; `None`: it is none that is taken.
    pub fn read(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let node = parse_tree(text, LIMITS).ok()?;
        let mut problems = Problems::new();
        let raw = RawRevocations::decode(&node, &mut problems).filter(|_| problems.is_empty())?;
        Self::of(raw)
    }

    /// Whether this is on it.
    pub fn has(&self, who: &Bearing<'_>, now: Timestamp) -> bool {
        let text = |text: &str| text.to_owned();
        let names = [who.subject.map(text).map(Name::User), who.token.map(text).map(Name::Token), Some(Name::None)];
        let clients = who.clients.iter().flatten().map(|name| Name::Client(text(name)));
        let agents = who.agents().map(|name| Name::Agent(text(name)));
        names.into_iter().flatten().chain(clients).chain(agents).any(|name| {
            let from = self.revoked.partition_point(|(known, _)| *known < name);
            let named = self.revoked.iter().skip(from).take_while(|(known, _)| *known == name);
            named.map(|(_, revoked)| revoked).any(|revoked| revoked.is_of(who, now))
        })
    }
}

impl Content for Revocations {
    const NAME: &'static str = "revocation";
    type Rule = ();

    fn read(text: &[u8], (): &(), _: Timestamp) -> Result<Self, &'static str> {
        Self::read(text).ok_or("unreadable")
    }

    /// Who was suspended must not come back by an old copy.
    fn follows(&self, before: &Self) -> bool {
        self.issued >= before.issued
    }
}

impl RawRevoked {
    /// `None`: it says nothing, so it was meant otherwise.
    fn name(&self) -> Option<Name> {
        let Self { issuer, user, agent, client, token, issued_before, until: _ } = self;
        let texts = [issuer, user, agent, client, token];
        if texts.iter().any(|text| text.as_ref().is_some_and(String::is_empty)) {
            return None;
        }
        let named = token.clone().map(Name::Token).or(user.clone().map(Name::User)).or(agent.clone().map(Name::Agent));
        let named = named.or(client.clone().map(Name::Client));
        let about_all = (issuer.is_some() || issued_before.is_some()).then_some(Name::None);
        named.or(about_all)
    }

    fn is_of(&self, who: &Bearing<'_>, now: Timestamp) -> bool {
        let date = |secs: u32| Timestamp::from_secs(secs.into());
        let fits = |wanted: &Option<String>, given: Option<&str>| wanted.is_none() || wanted.as_deref() == given;
        let agent = self.agent.as_deref().is_none_or(|agent| who.agents().any(|name| name == agent));
        let client = self.client.as_deref().is_none_or(|client| who.clients.contains(&Some(client)));
        let before = self.issued_before.is_none_or(|before| who.issued.is_none_or(|issued| issued < date(before)));
        let over = self.until.is_some_and(|until| now >= date(until));
        let names = fits(&self.issuer, who.issuer) && fits(&self.user, who.subject) && fits(&self.token, who.token);
        names && agent && client && before && !over
    }
}

/// The JSON Schema of a list.
pub fn schema() -> String {
    let title = r#""$schema":"https://json-schema.org/draft/2020-12/schema","title":"What is revoked, version 1","#;
    RawRevocations::schema().replacen('{', &format!("{{{title}"), 1)
}
