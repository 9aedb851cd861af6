//! JSON-RPC 2.0: what one message is, told strictly.
//!
//! A body on a guarded route is either one valid message or refused; nothing is waved through because "it is not
//! JSON-RPC" (BY-J-10…12).

use std::borrow::Cow;

use crate::json::{self, Kind, Limits, Reader, Span, Str};

/// One message.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// What it is.
    pub shape: Shape,
    /// Its id. `None` for notifications, and for errors whose sender could not tell the id.
    pub id: Option<Id<'a>>,
    /// The method; empty for responses.
    pub method: Cow<'a, str>,
    /// Where `params` stand.
    pub params: Option<Span>,
}

/// What a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// A response with `error`.
    Error,
    /// A method without an id.
    Notification,
    /// A method with an id.
    Request,
    /// A response with `result`.
    Result,
}

/// The id of a message: a string or an integer, as it stands in the text (BY-J-08).
#[derive(Clone, Copy, Debug)]
pub struct Id<'a>(IdText<'a>);

#[derive(Clone, Copy, Debug)]
enum IdText<'a> {
    Integer(&'a str),
    String { inner: Str<'a>, raw: &'a str },
}

impl<'a> Id<'a> {
    /// The JSON text, to be put into an answer as it is.
    pub fn raw(&self) -> &'a str {
        match self.0 {
            IdText::Integer(raw) | IdText::String { raw, .. } => raw,
        }
    }
}

/// `1` and `"1"` are two ids (BY-S-04); an escape makes no difference.
impl PartialEq for Id<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (IdText::Integer(a), IdText::Integer(b)) => a == b,
            (IdText::String { inner: a, .. }, IdText::String { inner: b, .. }) => a.text() == b.text(),
            _ => false,
        }
    }
}

impl Eq for Id<'_> {}

/// A text that is not one message, and the id to answer with if it has a usable one (MCP-H-08).
#[derive(Clone, Debug)]
pub struct BadMessage<'a> {
    /// Why.
    pub fault: Fault,
    /// The id that the message has.
    pub id: Option<Id<'a>>,
}

/// Why a text is not one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// An array at the top (MCP-T-11).
    Batch,
    /// A member name that another parser may take for one that counts (BY-J-02, BY-J-03).
    CaseTwin,
    /// An id that is neither string nor integer (BY-J-08, BY-J-12).
    InvalidId,
    /// Not strict JSON.
    Json(json::Error),
    /// JSON, but not a JSON-RPC 2.0 message; what is wrong with it.
    Malformed(&'static str),
    /// A message whose `params` are not those of its method (MCP-T-10: `-32602`); what is wrong with them.
    Params(&'static str),
}

/// What reads on inside a message. A part that is left is skipped, and checked all the same.
pub trait Parts<'a> {
    /// At the value of `params`, an object.
    fn params(&mut self, _: &mut Reader<'a>) -> Result<(), json::Error> {
        Ok(())
    }

    /// At the value of `error`, an object.
    fn error(&mut self, _: &mut Reader<'a>) -> Result<(), json::Error> {
        Ok(())
    }

    /// At the value of `result`.
    fn result(&mut self, _: &mut Reader<'a>) -> Result<(), json::Error> {
        Ok(())
    }
}

/// For who wants no more than the envelope.
impl Parts<'_> for () {}

const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

/// Reads a text that must be one message. `parts` is called before the end of the text was seen: use nothing of what it
/// read when this is an error.
pub fn read<'a>(text: &'a [u8], limits: Limits, parts: &mut impl Parts<'a>) -> Result<Envelope<'a>, BadMessage<'a>> {
    let mut seen = Seen::default();
    match read_members(text, limits, parts, &mut seen) {
        Err(error) => Err(BadMessage { fault: Fault::Json(error), id: None }),
        Ok(()) => seen.judge(),
    }
}

fn read_members<'a>(text: &'a [u8], limits: Limits, parts: &mut impl Parts<'a>, seen: &mut Seen<'a>) -> Result<(), json::Error> {
    let mut reader = Reader::new(text, limits);
    match reader.peek()? {
        Kind::Map => {}
        kind => {
            reader.skip()?;
            seen.fault(if kind == Kind::List { Fault::Batch } else { Fault::Malformed("not an object") });
            return reader.finish();
        }
    }
    reader.object(|name, reader| match () {
        () if name.eq_str("jsonrpc") => seen.version(reader),
        () if name.eq_str("id") => seen.id(text, reader),
        () if name.eq_str("method") => seen.method(reader),
        () if name.eq_str("params") => seen.params(reader, parts),
        () if name.eq_str("result") => {
            seen.result = true;
            parts.result(reader)
        }
        () if name.eq_str("error") => {
            seen.error = true;
            if reader.peek()? != Kind::Map {
                seen.fault(Fault::Malformed("error is not an object"));
                return Ok(());
            }
            parts.error(reader)
        }
        () => {
            let text = name.text();
            if !text.is_ascii() || is_twin(&text, ENVELOPE) {
                seen.fault(Fault::CaseTwin);
            }
            Ok(())
        }
    })?;
    reader.finish()
}

/// What was seen of the members, in whatever order they came.
#[derive(Default)]
struct Seen<'a> {
    fault: Option<Fault>,
    version: bool,
    id: Option<IdSeen<'a>>,
    method: Option<Str<'a>>,
    params: Option<Span>,
    result: bool,
    error: bool,
}

enum IdSeen<'a> {
    Null,
    Other,
    Valid(Id<'a>),
}

impl<'a> Seen<'a> {
    fn fault(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn version(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? == Kind::String {
            self.version = reader.string()?.eq_str("2.0");
        }
        Ok(())
    }

    fn id(&mut self, text: &'a [u8], reader: &mut Reader<'a>) -> Result<(), json::Error> {
        self.id = Some(match reader.peek()? {
            Kind::String => {
                let inner = reader.string()?;
                let raw = core::str::from_utf8(inner.span().of(text)).unwrap_or_default();
                IdSeen::Valid(Id(IdText::String { inner, raw }))
            }
            Kind::Number => {
                let raw = reader.number()?;
                // `-0` is an integer that comes back as another text from most parsers.
                let integer = raw != "-0" && !raw.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
                if integer { IdSeen::Valid(Id(IdText::Integer(raw))) } else { IdSeen::Other }
            }
            Kind::Null => IdSeen::Null,
            _ => IdSeen::Other,
        });
        Ok(())
    }

    fn method(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? == Kind::String {
            self.method = Some(reader.string()?);
        } else {
            self.fault(Fault::Malformed("method is not a string"));
        }
        Ok(())
    }

    fn params(&mut self, reader: &mut Reader<'a>, parts: &mut impl Parts<'a>) -> Result<(), json::Error> {
        let start = match reader.peek()? {
            Kind::Map => reader.position(),
            _ => {
                self.fault(Fault::Malformed("params is not an object"));
                return Ok(());
            }
        };
        parts.params(reader)?;
        if reader.position() == start {
            reader.skip()?;
        }
        self.params = Some(Span { start, end: reader.position() });
        Ok(())
    }

    fn judge(self) -> Result<Envelope<'a>, BadMessage<'a>> {
        let (id, null, invalid) = match self.id {
            Some(IdSeen::Valid(id)) => (Some(id), false, false),
            Some(IdSeen::Null) => (None, true, false),
            Some(IdSeen::Other) => (None, false, true),
            None => (None, false, false),
        };
        let bad = |fault| Err(BadMessage { fault, id });
        if let Some(fault) = self.fault {
            return bad(fault);
        }
        if !self.version {
            return bad(Fault::Malformed("jsonrpc is not \"2.0\""));
        }
        let shape = match (&self.method, self.result, self.error) {
            (Some(_), false, false) if id.is_some() || null || invalid => Shape::Request,
            (Some(_), false, false) => Shape::Notification,
            (None, true, false) => Shape::Result,
            (None, false, true) => Shape::Error,
            (None, false, false) => return bad(Fault::Malformed("neither method nor result nor error")),
            _ => return bad(Fault::Malformed("more than one of method, result and error")),
        };
        if invalid || (null && shape != Shape::Error) || (shape == Shape::Result && id.is_none()) {
            return bad(Fault::InvalidId);
        }
        if self.params.is_some() && matches!(shape, Shape::Result | Shape::Error) {
            return bad(Fault::Malformed("a response with params"));
        }
        let method = self.method.map(|method| method.text()).unwrap_or_default();
        Ok(Envelope { shape, id, method, params: self.params })
    }
}

/// Whether another parser may take `name` for one of `known` that it is not (BY-J-02, BY-J-03).
///
/// Simple Unicode folding takes two letters outside ASCII to ASCII ones, `ſ` and the Kelvin sign (Go); upper-casing and
/// lower-casing add the two Turkish i (Java).
pub fn is_twin(name: &str, known: &[&str]) -> bool {
    let is_other = |other: &&&str| **other != name;
    if name.is_ascii() {
        return known.iter().filter(|other| other.eq_ignore_ascii_case(name)).any(|other| is_other(&other));
    }
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        '\u{130}' | '\u{131}' => 'i',
        c => c.to_ascii_lowercase(),
    };
    known.iter().filter(is_other).any(|other| name.chars().map(fold).eq(other.chars().map(fold)))
}
