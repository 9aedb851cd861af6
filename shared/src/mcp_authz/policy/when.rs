//! The condition of a rule, and the facts that it is asked with.

use std::borrow::Cow;

use super::ask::{Ask, Item};
use crate::filter::upstream;
use crate::identity::Caller;
use crate::policy::cel::{Condition, Fact, Facts, FieldKind, Num, Truth};

/// A condition, and where each of its fields stands.
#[derive(Clone, Debug)]
pub(in crate::mcp_authz) struct When {
    pub(in crate::mcp_authz) condition: Condition,
    /// In the order of the condition's fields.
    pub(in crate::mcp_authz) fields: Vec<Field>,
}

/// Where a field of a condition stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::mcp_authz) enum Field {
    Arguments,
    /// By its index in [`Caller::claims`].
    Claim(usize, FieldKind),
    Cluster,
    Header(String),
    Host,
    HttpMethod,
    Method,
    Name,
    Namespace,
    Path,
    Result,
    ResultBytes,
    Service,
    ServiceAccount,
    SpiffeId,
    TrustDomain,
}

/// A condition in one evaluation.
struct Asked<'a> {
    when: &'a When,
    caller: &'a Caller,
    /// `None`: nothing of the request is known but who sends it.
    ask: Option<&'a Ask<'a>>,
}

impl When {
    /// Its truth. Without `ask` nothing is known but the caller.
    pub(super) fn truth(&self, caller: &Caller, ask: Option<&Ask<'_>>) -> Truth {
        self.condition.eval(&Asked { when: self, caller, ask })
    }
}

impl Facts for Asked<'_> {
    fn get(&self, field: usize) -> Fact<'_> {
        let Some(field) = self.when.fields.get(field) else { return Fact::Unreadable };
        match field {
            Field::Claim(index, kind) => claim(self.caller, *index, *kind),
            Field::Namespace => text(self.caller.namespace()),
            Field::ServiceAccount => text(self.caller.service_account()),
            Field::SpiffeId => text(self.caller.agent.as_deref()),
            Field::TrustDomain => text(self.caller.trust_domain()),
            Field::Arguments
            | Field::Cluster
            | Field::Header(_)
            | Field::Host
            | Field::HttpMethod
            | Field::Method
            | Field::Name
            | Field::Path
            | Field::Result
            | Field::ResultBytes
            | Field::Service => self.ask.map_or(Fact::Unknown, |ask| of_request(field, ask)),
        }
    }
}

fn of_request<'a>(field: &Field, ask: &'a Ask<'_>) -> Fact<'a> {
    match field {
        Field::Arguments => ask.arguments.map_or(Fact::Unknown, Fact::Json),
        Field::Method => ask.method.text().map_or(Fact::Unknown, |method| Fact::Text(method.into())),
        Field::Name => match ask.item {
            Item::Prompt(name) | Item::Resource(name) | Item::Tool(name) => Fact::Text(name.into()),
            // Some URI of it; or a result of unknown origin.
            Item::Method | Item::Task(_) | Item::Template(_) => Fact::Unknown,
        },
        Field::Result => ask.result.map_or(Fact::Unknown, |result| Fact::Json(result.json)),
        Field::ResultBytes => match ask.result.map(|result| i64::try_from(result.bytes)) {
            None => Fact::Unknown,
            Some(bytes) => bytes.map_or(Fact::Unreadable, |bytes| Fact::Number(Num::Int(bytes))),
        },
        _ => {
            let Some(request) = ask.request else { return Fact::Unknown };
            match field {
                Field::Cluster | Field::Service => match request.cluster.as_deref() {
                    // It goes somewhere, and nobody has said where.
                    None => Fact::Unreadable,
                    Some(cluster) if *field == Field::Cluster => Fact::Text(cluster.into()),
                    Some(cluster) => text(upstream::service(cluster)),
                },
                Field::Host => bytes(&request.host),
                Field::HttpMethod => bytes(&request.method),
                Field::Path => bytes(&request.path),
                Field::Header(name) => {
                    let mut lines = request.headers.iter().filter(|(known, _)| known == name);
                    match (lines.next(), lines.next()) {
                        (None, _) => Fact::Absent,
                        (Some((_, value)), None) => bytes(value),
                        // Which of the lines the server takes is not known (BY-H-07).
                        (Some(_), Some(_)) => Fact::Unreadable,
                    }
                }
                _ => Fact::Unreadable,
            }
        }
    }
}

/// A claim, as its use wants it.
fn claim(caller: &Caller, index: usize, kind: FieldKind) -> Fact<'_> {
    let Some(value) = caller.claims.get(index) else { return Fact::Absent };
    let Ok(value) = value.value() else { return Fact::Unreadable };
    if value.is_absent() {
        return Fact::Absent;
    }
    let fact = match kind {
        FieldKind::Bool => value.into_bool().map(|value| value.map(Fact::Bool)),
        FieldKind::Number => value.into_number().map(|value| value.map(|value| Fact::Number(Num::Double(value)))),
        FieldKind::Text => value.into_text().map(|value| value.map(|value| Fact::Text(Cow::Borrowed(value)))),
        FieldKind::Texts => value.into_texts().map(|value| Some(Fact::Texts(Cow::Owned(value)))),
        // Only whether it is there.
        _ => Ok(Some(Fact::Bool(true))),
    };
    fact.ok().flatten().unwrap_or(Fact::Unreadable)
}

fn text(text: Option<&str>) -> Fact<'_> {
    text.map_or(Fact::Absent, |text| Fact::Text(text.into()))
}

fn bytes(bytes: &[u8]) -> Fact<'_> {
    core::str::from_utf8(bytes).map_or(Fact::Unreadable, |text| Fact::Text(text.into()))
}
