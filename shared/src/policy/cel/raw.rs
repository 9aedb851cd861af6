//! JSON as it stands in a message: one path is read, the rest is skipped. The text was checked before.

use super::double;
use super::value::{Num, Stop, Value};
use crate::json::{Error, Kind, Limits, Reader};

/// What stands at a path.
pub(super) enum Found<'a> {
    /// A value.
    Value(Value<'a>),
    /// The last object on the way has no such member.
    NoMember,
    /// There is no way to it: a member before the last is missing, or is no object.
    NoWay,
}

impl From<Error> for Stop {
    fn from(_: Error) -> Self {
        Self::Error
    }
}

/// The value at `path`, from the top of the text.
pub(super) fn find<'a>(text: &'a [u8], path: &[String]) -> Result<Found<'a>, Stop> {
    let mut reader = Reader::new(text, Limits::default());
    let found = walk(text, &mut reader, path)?;
    reader.finish()?;
    Ok(found)
}

fn walk<'a>(text: &'a [u8], reader: &mut Reader<'a>, path: &[String]) -> Result<Found<'a>, Error> {
    let Some((first, rest)) = path.split_first() else { return value(text, reader).map(Found::Value) };
    if reader.peek()? != Kind::Map {
        reader.skip()?;
        return Ok(Found::NoWay);
    }
    let mut found = if rest.is_empty() { Found::NoMember } else { Found::NoWay };
    reader.object(|name, reader| {
        if name.eq_str(first) {
            found = walk(text, reader, rest)?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// The next value; a list or map as text.
fn value<'a>(text: &'a [u8], reader: &mut Reader<'a>) -> Result<Value<'a>, Error> {
    Ok(match reader.peek()? {
        Kind::Null => reader.null().map(|()| Value::Null)?,
        Kind::Bool => Value::Bool(reader.bool()?),
        Kind::String => Value::Text(reader.string()?.text()),
        Kind::Number => number(reader.number()?).map_or(Value::Unfit, Value::Number),
        Kind::List => Value::JsonList(reader.skip()?.of(text)),
        Kind::Map => Value::JsonMap(reader.skip()?.of(text)),
    })
}

/// Integers stay integers; what is written with a point or an exponent is a double. `None` if it is larger than any: an
/// integer is not made imprecise.
fn number(text: &str) -> Option<Num> {
    if !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return text.parse().map(Num::Int).or_else(|_| text.parse().map(Num::Uint)).ok();
    }
    double::read(text).map(Num::Double)
}

/// The items of a list.
pub(super) fn items(text: &[u8]) -> Result<Vec<Value<'_>>, Stop> {
    let mut reader = Reader::new(text, Limits::default());
    let mut items = Vec::new();
    reader.array(|_, reader| {
        items.push(value(text, reader)?);
        Ok(())
    })?;
    reader.finish()?;
    Ok(items)
}

/// The members of an object.
pub(super) fn entries(text: &[u8]) -> Result<Vec<(Value<'_>, Value<'_>)>, Stop> {
    let mut reader = Reader::new(text, Limits::default());
    let mut entries = Vec::new();
    reader.object(|name, reader| {
        entries.push((Value::Text(name.text()), value(text, reader)?));
        Ok(())
    })?;
    reader.finish()?;
    Ok(entries)
}

/// The member `name` of an object.
pub(super) fn member<'a>(text: &'a [u8], name: &str) -> Result<Option<Value<'a>>, Stop> {
    let mut reader = Reader::new(text, Limits::default());
    let mut found = None;
    reader.object(|key, reader| {
        if key.eq_str(name) {
            found = Some(value(text, reader)?);
        }
        Ok(())
    })?;
    reader.finish()?;
    Ok(found)
}
