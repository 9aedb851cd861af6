//! The body of an answer: one JSON text, or a stream of events.

use super::Inspection;
use super::judge::{Fate, Note, Withheld};
use crate::audit::About;
use crate::filter::Chunk;
use crate::policy::{Decision, Reason, Wire, rpc_error};
use crate::sse::{Event, EventFilter, Output, Rewrite, Rewriter};
use crate::time::Timestamp;

/// The body of an answer that is inspected.
pub(in crate::mcp_authz) struct Body {
    form: Form,
    about: About,
    id: Option<Box<str>>,
    limit: usize,
    /// From then on nothing more goes on.
    ends: Option<Timestamp>,
}

enum Form {
    /// Events, each judged when it is whole.
    Events(Box<Rewriter<Events>>),
    /// One JSON text, judged when it is whole.
    Whole(Box<Inspection>, Vec<u8>),
}

/// What is to be sent in place of a chunk, and what is to be recorded.
pub(in crate::mcp_authz) struct Pushed {
    /// In place of all that the proxy holds; `None`: as it is.
    pub(in crate::mcp_authz) text: Option<Vec<u8>>,
    pub(in crate::mcp_authz) notes: Vec<Note>,
    /// Nothing behind `text` may be sent, for this reason.
    pub(in crate::mcp_authz) failed: Option<(Decision, About)>,
}

impl Body {
    pub(in crate::mcp_authz) fn whole(inspection: Inspection) -> Self {
        Self::new(inspection, None, |inspection| Form::Whole(Box::new(inspection), Vec::new()))
    }

    /// Events that begin at `now`.
    pub(in crate::mcp_authz) fn events(inspection: Inspection, now: Timestamp) -> Self {
        let limit = inspection.policy.max_body;
        let ends = inspection.ends(now);
        Self::new(inspection, ends, |inspection| {
            Form::Events(Box::new(Rewriter::new(limit, Events { inspection, notes: Vec::new(), failed: None })))
        })
    }

    fn new(inspection: Inspection, ends: Option<Timestamp>, form: impl FnOnce(Inspection) -> Form) -> Self {
        let (about, id, limit) = (inspection.about.clone(), inspection.asked.id.clone(), inspection.policy.max_body);
        Self { form: form(inspection), about, id, limit, ends }
    }

    /// Whether the proxy has to hold the answer until it is whole.
    pub(in crate::mcp_authz) fn is_whole(&self) -> bool {
        matches!(self.form, Form::Whole(..))
    }

    /// The protocol in which an error has to be said from now on.
    pub(in crate::mcp_authz) fn wire(&self) -> Wire {
        match self.form {
            Form::Events(_) => Wire::Events(self.id.clone()),
            Form::Whole(..) => Wire::JsonRpc(self.id.clone()),
        }
    }

    /// Takes the next part of the answer, which came at `now`.
    pub(in crate::mcp_authz) fn push(&mut self, chunk: Chunk<'_>, now: Timestamp) -> Pushed {
        let fail = |reason| Some((Decision::deny(reason), self.about.clone()));
        // The end itself is nothing that would be sent.
        if self.ends.is_some_and(|ends| ends <= now) && !chunk.bytes.is_empty() {
            return Pushed { text: Some(Vec::new()), notes: Vec::new(), failed: fail(Reason::StreamExpired) };
        }
        match &mut self.form {
            Form::Events(rewriter) => {
                let mut text = match rewriter.push(chunk.bytes) {
                    Output::Bytes(bytes) => Some(bytes.into_owned()),
                    Output::Unchanged => None,
                };
                if chunk.end_of_stream {
                    let rest = rewriter.finish();
                    if !rest.is_empty() {
                        text.get_or_insert_with(|| chunk.bytes.to_vec()).extend(rest);
                    }
                }
                let events = rewriter.filter();
                Pushed { text, notes: core::mem::take(&mut events.notes), failed: events.failed.and_then(fail) }
            }
            Form::Whole(_, held) if held.len() + chunk.bytes.len() > self.limit => {
                Pushed { text: None, notes: Vec::new(), failed: fail(Reason::ResponseTooLarge) }
            }
            Form::Whole(inspection, held) => {
                held.extend_from_slice(chunk.bytes);
                let mut pushed = Pushed { text: None, notes: Vec::new(), failed: None };
                if chunk.end_of_stream {
                    match inspection.judge(held, &mut pushed.notes) {
                        Fate::Keep => {}
                        Fate::Text(text) => pushed.text = Some(text),
                        Fate::Withhold(withheld) => pushed.failed = Some((withheld.note.decision, withheld.note.about)),
                        Fate::Unreadable(reason) => pushed.failed = fail(reason),
                    }
                }
                pushed
            }
        }
    }
}

/// Judges the messages in events of any name (BY-E-06).
struct Events {
    inspection: Inspection,
    notes: Vec<Note>,
    failed: Option<Reason>,
}

impl EventFilter for Events {
    fn on_event(&mut self, event: Event<'_>) -> Rewrite {
        let fate = match &event.data {
            // Also where there is no data for us: there may be some for another client.
            _ if event.ambiguous => Fate::Unreadable(Reason::ResponseUnreadable),
            // Keep-alives, and the event that only brings an id to resume from (MCP-T-07, MCP-G-03).
            None => Fate::Keep,
            Some(data) if data.is_empty() => Fate::Keep,
            Some(data) => self.inspection.judge(data, &mut self.notes),
        };
        match fate {
            Fate::Keep => Rewrite::Keep,
            Fate::Text(text) => Rewrite::Data(text),
            // The client waits for an answer, and gets one; what else the stream brings goes on.
            Fate::Withhold(withheld) => {
                let Withheld { note, id, answers } = *withheld;
                let reason = match &note.decision {
                    Decision::Deny(deny) => deny.reason,
                    Decision::Allow(_) => Reason::ResultWithheld,
                };
                self.notes.push(note);
                let error = || rpc_error(reason, id.as_deref(), &self.inspection.decision_id).into_bytes();
                if answers { Rewrite::Data(error()) } else { Rewrite::Drop }
            }
            Fate::Unreadable(reason) => {
                self.failed = Some(reason);
                Rewrite::Cut(Vec::new())
            }
        }
    }

    fn on_too_large(&mut self) -> Vec<u8> {
        self.failed = Some(Reason::ResponseTooLarge);
        Vec::new()
    }
}
