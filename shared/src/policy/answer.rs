//! From a refusal to the bytes that the client gets: the one place that knows them.

use super::{Deny, Reason};
use crate::json::{push_ascii_bounded, push_number, push_string};

/// Longest version, in characters, that is repeated to a client: any that exists has ten.
const VERSION: usize = 32;

/// How refusals are shown to clients.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Denial {
    /// As `Later`, and `data` has what to come back with.
    Approval {
        /// A text for the next try; opaque.
        ticket: Option<String>,
        /// Seconds until it is worth to try again.
        retry_after: u32,
    },
    /// HTTP error status and, where the protocol has one, its error body.
    #[default]
    Refuse,
    /// As if the thing did not exist: HTTP 200 and `-32602` with this message (MCP-L-05).
    Hide(String),
    /// As `Refuse`, with `retry-after`: so many seconds.
    Later(u32),
    /// As `Refuse`, with these HTTP methods in `allow` (RFC 9110 section 15.5.6).
    Methods(&'static str),
    /// As `Refuse`, with HTTP status 404: how a modern server lacks a method (MCP-T-10).
    NotFound,
    /// As `Refuse`, and `data` says which protocol versions would do and which one was asked for (MCP-T-10).
    Versions {
        /// What would do.
        supported: Vec<&'static str>,
        /// What the client asked for.
        requested: String,
    },
}

/// The protocol that the client speaks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Wire {
    /// Plain HTTP; nothing is known of the body.
    #[default]
    Http,
    /// JSON-RPC 2.0 in the events of an answer that has begun.
    Events(Option<Box<str>>),
    /// JSON-RPC 2.0, with the raw text of the request's id if it is known.
    JsonRpc(Option<Box<str>>),
}

/// A `WWW-Authenticate: Bearer` challenge (RFC 6750 section 3, RFC 9728 section 5.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Challenge {
    /// `error`; none where the request had no credential at all (RFC 6750 section 3.1).
    pub error: Option<&'static str>,
    /// All scopes that the operation needs, at once (MCP-Z-02).
    pub scopes: Vec<String>,
    /// Where the protected-resource metadata stands.
    pub resource_metadata: Option<String>,
    /// Further parameters, such as those of RFC 9470 section 3.
    pub more: Vec<(&'static str, String)>,
}

/// An HTTP answer of our own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header pairs without `:status`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// What the client gets for `deny`. `decision_id` is that of the audit record.
    pub fn new(deny: &Deny, wire: &Wire, denial: &Denial, challenge: Option<&Challenge>, decision_id: &str) -> Self {
        let reason = deny.reason;
        let hidden = match denial {
            Denial::Hide(message) if matches!(wire, Wire::JsonRpc(_)) => Some(message.as_str()),
            _ => None,
        };
        let status = match denial {
            _ if hidden.is_some() => 200,
            Denial::NotFound => 404,
            _ => reason.status(),
        };
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(challenge) = challenge.filter(|_| hidden.is_none()) {
            headers.push(("www-authenticate", challenge.to_string()));
        }
        if let Denial::Methods(methods) = denial {
            headers.push(("allow", (*methods).to_owned()));
        }
        if let Denial::Later(seconds) | Denial::Approval { retry_after: seconds, .. } = denial {
            headers.push(("retry-after", seconds.to_string()));
        }
        let mut body = body(reason, wire, hidden, denial, decision_id);
        if let Wire::Events(_) = wire {
            body = format!("event: message\ndata: {body}\n\n");
        }
        Self { status, headers, body: body.into_bytes() }
    }
}

/// The JSON-RPC error that takes the place of one message of an answer; `id` is the raw id of that message.
pub fn rpc_error(reason: Reason, id: Option<&str>, decision_id: &str) -> String {
    body(reason, &Wire::JsonRpc(id.map(Into::into)), None, &Denial::Refuse, decision_id)
}

fn body(reason: Reason, wire: &Wire, hidden: Option<&str>, denial: &Denial, decision_id: &str) -> String {
    let mut out = String::with_capacity(192);
    if let Wire::Events(id) | Wire::JsonRpc(id) = wire {
        out.push_str(r#"{"jsonrpc":"2.0","#);
        // JSON-RPC 2.0 section 5: null where the id is not known. The Python SDK shows no text of an error without the member.
        out.push_str(r#""id":"#);
        out.push_str(id.as_deref().unwrap_or("null"));
        out.push(',');
        let (code, message) = hidden.map_or((reason.rpc_code(), reason.message()), |message| (-32602, message));
        out.push_str(r#""error":{"code":"#);
        out.push_str(&code.to_string());
        out.push_str(r#","message":"#);
        push_string(&mut out, message);
    } else {
        out.push_str(r#"{"error":{"message":"#);
        push_string(&mut out, reason.message());
    }
    if hidden.is_none() {
        out.push_str(r#","data":{"reason":"#);
        push_string(&mut out, reason.code());
        out.push_str(r#","decisionId":"#);
        push_string(&mut out, decision_id);
        if let Denial::Approval { ticket, retry_after } = denial {
            out.push_str(r#","retryAfter":"#);
            push_number(&mut out, (*retry_after).into());
            if let Some(ticket) = ticket {
                out.push_str(r#","ticket":"#);
                push_string(&mut out, ticket);
            }
        }
        if let Denial::Versions { supported, requested } = denial {
            out.push_str(r#","supported":["#);
            for (index, version) in supported.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                push_string(&mut out, version);
            }
            out.push_str(r#"],"requested":"#);
            push_ascii_bounded(&mut out, requested, VERSION);
        }
        out.push('}');
    }
    out.push_str("}}");
    out
}

impl core::fmt::Display for Challenge {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Bearer")?;
        let scope = Some(self.scopes.join(" ")).filter(|s| !s.is_empty());
        let parts =
            [("error", self.error), ("scope", scope.as_deref()), ("resource_metadata", self.resource_metadata.as_deref())];
        let more = self.more.iter().map(|(name, value)| (*name, Some(value.as_str())));
        let mut separator = " ";
        for (name, value) in parts.into_iter().chain(more) {
            let Some(value) = value else { continue };
            // RFC 6750 section 3: no quote, backslash or control character inside a quoted value.
            let clean: String = value.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
            write!(f, "{separator}{name}=\"{clean}\"")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deny(reason: Reason) -> Deny {
        Deny { reason, rule: None, tier: None }
    }

    fn text(answer: &Answer) -> String {
        format!("{} {:?} {}", answer.status, answer.headers, String::from_utf8_lossy(&answer.body))
    }

    #[test]
    fn a_refusal_has_the_request_s_id_and_a_decision_id() {
        let answer = Answer::new(&deny(Reason::NoMatchingRule), &Wire::JsonRpc(Some("7".into())), &Denial::Refuse, None, "d1");
        insta::assert_snapshot!(text(&answer), @r#"403 [("content-type", "application/json")] {"jsonrpc":"2.0","id":7,"error":{"code":-32003,"message":"not allowed","data":{"reason":"no_matching_rule","decisionId":"d1"}}}"#);
    }

    #[test]
    fn a_hidden_tool_looks_unknown() {
        let answer = Answer::new(
            &deny(Reason::NoMatchingRule),
            &Wire::JsonRpc(Some("\"a\"".into())),
            &Denial::Hide("Unknown tool: x".into()),
            None,
            "d1",
        );
        insta::assert_snapshot!(text(&answer), @r#"200 [("content-type", "application/json")] {"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"Unknown tool: x"}}"#);
    }

    #[test]
    fn an_http_method_that_is_not_allowed_is_answered_with_those_that_are() {
        let answer = Answer::new(&deny(Reason::UnsupportedMethod), &Wire::JsonRpc(None), &Denial::Methods("POST"), None, "d1");
        assert_eq!((answer.status, answer.headers.get(1)), (405, Some(&("allow", "POST".to_owned()))));
    }

    #[test]
    fn an_error_takes_the_place_of_one_message() {
        insta::assert_snapshot!(rpc_error(Reason::ResultWithheld, Some("\"a\""), "d1"), @r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32003,"message":"result withheld","data":{"reason":"result_withheld","decisionId":"d1"}}}"#);
    }

    #[test]
    fn a_version_that_is_not_spoken_is_answered_with_those_that_are() {
        let denial = Denial::Versions { supported: vec!["2025-11-25", "2026-07-28"], requested: "x".repeat(40) };
        let answer = Answer::new(&deny(Reason::UnsupportedVersion), &Wire::JsonRpc(Some("7".into())), &denial, None, "d1");
        insta::assert_snapshot!(text(&answer), @r#"400 [("content-type", "application/json")] {"jsonrpc":"2.0","id":7,"error":{"code":-32022,"message":"unsupported protocol version","data":{"reason":"unsupported_version","decisionId":"d1","supported":["2025-11-25","2026-07-28"],"requested":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\u2026"}}}"#);
    }

    #[test]
    fn a_challenge_names_all_scopes_and_cannot_be_broken_out_of() {
        let challenge = Challenge {
            error: Some("insufficient_scope"),
            scopes: vec!["files:read".into(), "files:\"x\\\r\n".into()],
            resource_metadata: Some("https://a.example/.well-known/oauth-protected-resource".into()),
            more: Vec::new(),
        };
        assert_eq!(
            challenge.to_string(),
            "Bearer error=\"insufficient_scope\", scope=\"files:read files:x\", resource_metadata=\"https://a.example/.well-known/oauth-protected-resource\""
        );
        assert_eq!(Challenge::default().to_string(), "Bearer");
    }
}
