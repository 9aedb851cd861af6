//! One message of a server: what becomes of it.

use super::super::policy::{Ask, Item, Outcome, Verdict};
use super::super::surface::Hygiene;
use super::url::may_be_opened;
use super::{Inspection, OwnedItem};
use crate::audit::{About, Resource};
use crate::json::{Limits, Reader, parse_tree};
use crate::mcp::{self, Era, List, Method, Payload, ServerMessage, Shape, Want, WantedUrl, read_answer_knowing};
use crate::policy::{Decision, Deny, Reason};

/// What becomes of a message.
#[derive(Debug)]
pub(in crate::mcp_authz) enum Fate {
    /// It goes on byte for byte.
    Keep,
    /// This text goes on in place of it.
    Text(Vec<u8>),
    /// It does not go on.
    Withhold(Box<Withheld>),
    /// It cannot be read, so neither it nor what follows may go on.
    Unreadable(Reason),
}

/// A message that does not go on.
#[derive(Debug)]
pub(in crate::mcp_authz) struct Withheld {
    pub(in crate::mcp_authz) note: Note,
    /// The raw id of the answer that an error takes the place of; `None` for what is no answer.
    pub(in crate::mcp_authz) id: Option<Box<str>>,
    /// It is an answer, so its client waits for one.
    pub(in crate::mcp_authz) answers: bool,
}

/// A decision about a part of an answer, for the record.
#[derive(Clone, Debug)]
pub(in crate::mcp_authz) struct Note {
    pub(in crate::mcp_authz) decision: Decision,
    pub(in crate::mcp_authz) about: About,
    /// Not carried out, whatever the mode is.
    pub(in crate::mcp_authz) observed: bool,
}

impl Inspection {
    /// Judges one message. What is only recorded is put into `notes`.
    pub(super) fn judge(&self, text: &[u8], notes: &mut Vec<Note>) -> Fate {
        let Ok(message) = read_answer_knowing(text, Limits::default(), &self.policy.known_lists) else {
            return Fate::Unreadable(Reason::ResponseUnreadable);
        };
        let answers = matches!(message.shape, Shape::Result | Shape::Error);
        // A response to another request cannot be told from a forged one (BY-S-04).
        if let (true, Some(asked), Some(got)) = (answers, &self.asked.id, &message.id)
            && !same_id(asked, got.raw())
        {
            return Fate::Unreadable(Reason::ResponseUnreadable);
        }
        // What it is cannot be told, so neither what is in it (MCP-A-01).
        if message.odd_type && self.asked.era == Era::Modern {
            return Fate::Unreadable(Reason::ResponseUnreadable);
        }
        let refused = self
            .refused_want(&message)
            .or_else(|| self.refused_update(&message))
            .or_else(|| self.refused_content(&message))
            .or_else(|| self.withheld_result(&message, text, notes));
        if let Some(note) = refused {
            let id = message.id.filter(|_| answers).map(|id| id.raw().into());
            return Fate::Withhold(Box::new(Withheld { note, id, answers }));
        }
        match self.shown(&message, text, notes) {
            Ok(Ok(None)) => Fate::Keep,
            Ok(Ok(Some(text))) => Fate::Text(text),
            Ok(Err(note)) => {
                let id = message.id.map(|id| id.raw().into());
                Fate::Withhold(Box::new(Withheld { note, id, answers }))
            }
            Err(_) => Fate::Unreadable(Reason::ResponseUnreadable),
        }
    }

    /// Something that the server may not want from the client (F10, MCP-S-04, MCP-T-06).
    fn refused_want(&self, message: &ServerMessage<'_>) -> Option<Note> {
        let refuse = |want: &Want<'_>, reason| self.note(deny(reason), Some(want.method), None);
        if self.asked.era == Era::Modern && message.shape == Shape::Request {
            return message.wants.first().map(|want| refuse(want, Reason::ServerRequestRefused));
        }
        let allowed = self.policy.server_requests.as_ref()?;
        message.wants.iter().find_map(|want| {
            if want.method != Method::Ping && !allowed.methods.contains(&want.method) {
                return Some(refuse(want, Reason::ServerRequestRefused));
            }
            let opens = match want.url {
                WantedUrl::None => true,
                WantedUrl::Text(url) => may_be_opened(&url.text(), allowed.elicitation_hosts.as_deref()),
                WantedUrl::Unreadable => false,
            };
            (!opens).then(|| refuse(want, Reason::ElicitationRefused))
        })
    }

    /// News of a resource that the caller may not read.
    fn refused_update(&self, message: &ServerMessage<'_>) -> Option<Note> {
        if message.method != Method::NotifyResourceUpdated {
            return None;
        }
        let uri = message.uri.map(|uri| uri.text()).unwrap_or_default();
        self.refused(Method::NotifyResourceUpdated, &uri)
            .map(|verdict| self.note(verdict.decision, Some(Method::NotifyResourceUpdated), Some(Item::Resource(&uri))))
    }

    /// Contents of a resource that is not the one which was asked for, and which the caller may not read.
    fn refused_content(&self, message: &ServerMessage<'_>) -> Option<Note> {
        message.contents.iter().find_map(|uri| {
            let uri = uri.map(|uri| uri.text()).unwrap_or_default();
            if let OwnedItem::Resource(asked) = &self.asked.item
                && *asked == uri
            {
                return None;
            }
            self.refused(Method::ResourcesRead, &uri)?;
            Some(self.note(deny(Reason::ResultWithheld), None, Some(Item::Resource(&uri))))
        })
    }

    fn refused(&self, method: Method, uri: &str) -> Option<Verdict> {
        let ask = Ask { method, request: self.asked.facts.as_ref(), ..Ask::about(Item::Resource(uri)) };
        let verdict = self.policy.decide(&self.caller, &ask);
        matches!(verdict.decision, Decision::Deny(_)).then_some(verdict)
    }

    /// A result that a response rule withholds.
    fn withheld_result(&self, message: &ServerMessage<'_>, text: &[u8], notes: &mut Vec<Note>) -> Option<Note> {
        if !self.results {
            return None;
        }
        // What a task brings in a notification is that notification's.
        let method = (message.shape == Shape::Notification).then_some(message.method);
        message.results.iter().filter(|payload| self.carries(payload)).find_map(|payload| {
            let of = if payload.nested && payload.of == Method::Unknown { Method::None } else { payload.of };
            let json = payload.span.of(text);
            let verdict = self
                .policy
                .withholds(&self.caller, &Ask { result: Some(Outcome { json, bytes: json.len() }), ..self.asked.ask(of) })?;
            if let Some(observed) = verdict.observed {
                notes.push(Note { observed: true, ..self.note(Decision::Deny(observed), method, None) });
            }
            matches!(verdict.decision, Decision::Deny(_)).then(|| self.note(verdict.decision, method, None))
        })
    }

    /// Whether the result of a call, or of the like, may stand in this payload.
    fn carries(&self, payload: &Payload) -> bool {
        let content =
            matches!(payload.of, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead | Method::CompletionComplete);
        let list = matches!(
            payload.of,
            Method::ToolsList | Method::PromptsList | Method::ResourcesList | Method::ResourcesTemplatesList
        );
        match self.asked.method {
            _ if content => true,
            _ if list => false,
            _ if payload.nested => true,
            // Of an unknown shape: it is what was asked for, or nobody can say what it is.
            Method::ToolsCall
            | Method::PromptsGet
            | Method::ResourcesRead
            | Method::CompletionComplete
            | Method::TasksResult
            | Method::None => true,
            // The state of a task is no result.
            _ => false,
        }
    }

    /// Lists as the caller may see them.
    fn shown(
        &self,
        message: &ServerMessage<'_>,
        text: &[u8],
        notes: &mut Vec<Note>,
    ) -> Result<Result<Option<Vec<u8>>, Note>, mcp::Fault> {
        let hygiene = self.policy.tools.as_ref();
        let shown = message.show(self.policy.list_ttl, |list, key, item| {
            let asked = match list {
                List::Prompts => Item::Prompt(key),
                List::ResourceTemplates => Item::Template(key),
                List::Resources => Item::Resource(key),
                List::Tools => Item::Tool(key),
            };
            if !self.policy.shows(&self.caller, asked) {
                return false;
            }
            let pin = hygiene.filter(|_| list == List::Tools).and_then(|hygiene| hygiene.pin(key));
            let Some(pin) = pin else { return true };
            let changed = pin_of(item.span.of(text)).as_ref() != Some(&pin.digest);
            pin.changed.set(changed);
            if changed {
                notes.push(self.note(deny(Reason::ToolChanged), Some(Method::ToolsList), Some(asked)));
            }
            !changed
        });
        let tools = message.lists.iter().zip(&shown.shown).filter(|(list, _)| list.list == List::Tools);
        let too_many = |hygiene: &Hygiene| tools.map(|(_, count)| count).any(|count| hygiene.max.is_some_and(|max| *count > max));
        if let Some(hygiene) = hygiene.filter(|hygiene| too_many(hygiene)) {
            let note = self.note(deny(Reason::TooManyTools), Some(Method::ToolsList), None);
            if hygiene.refuses {
                return Ok(Err(note));
            }
            notes.push(Note { observed: true, ..note });
        }
        shown.apply(text).map(Ok)
    }

    /// `method`: what the server did; else what was asked for.
    fn note(&self, decision: Decision, method: Option<Method>, item: Option<Item<'_>>) -> Note {
        let mut about = self.about.clone();
        if let Some(method) = method {
            about.action = method.text().map(str::to_owned);
            about.resource = None;
        }
        if let Some((kind, name)) = item.and_then(Item::resource) {
            about.resource = Some(Resource { kind, name });
        }
        Note { decision, about, observed: false }
    }
}

fn deny(reason: Reason) -> Decision {
    Decision::Deny(Deny { reason, rule: None, tier: None })
}

/// What `tools.pins` has to say of a tool that is to stay as it is in this item of a list: `sha256:` and the hex digest of its
/// canonical form (RFC 8785). `None` if it is no JSON that can be read in one way only.
pub fn pin_of(tool: &[u8]) -> Option<String> {
    Some(parse_tree(tool, Limits::default()).ok()?.digest())
}

/// Whether two raw ids are one: `1` and `"1"` are not, and an escape makes no difference.
fn same_id(a: &str, b: &str) -> bool {
    let text = |raw: &str| Reader::new(raw.as_bytes(), Limits::default()).string().ok().map(|text| text.text().into_owned());
    a == b || text(a).is_some_and(|a| text(b) == Some(a))
}
