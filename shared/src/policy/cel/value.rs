//! Values of an evaluation.

use core::cmp::Ordering;
use std::borrow::Cow;

use super::node::Constant;
use super::raw;

/// A number, as CEL has them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Num {
    /// A 64 bit integer.
    Int(i64),
    /// A 64 bit integer without a sign.
    Uint(u64),
    /// A double.
    Double(f64),
}

/// A value. Lists and maps of JSON stay text until something in them is asked for.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(Num),
    Text(Cow<'a, str>),
    Texts(Cow<'a, [String]>),
    Constants(&'a [Constant]),
    List(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    JsonList(&'a [u8]),
    JsonMap(&'a [u8]),
    /// A number that no kind of number holds. It may be passed over; whatever else is done with it is an error.
    Unfit,
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    Error,
    Unknown,
}

// === impl Num ===

impl Num {
    /// The number with the other sign, if it is one of the same kind.
    pub(super) fn negated(self) -> Option<Self> {
        match self {
            // As a literal this is 2^63 without its sign (see the lexer).
            Self::Int(i64::MIN) => Some(self),
            Self::Int(value) => value.checked_neg().map(Self::Int),
            Self::Uint(_) => None,
            Self::Double(value) => Some(Self::Double(-value)),
        }
    }

    /// How two numbers stand to each other on the line of all numbers, whatever their kinds; exact. NaN stands nowhere.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Uint(a), Self::Uint(b)) => Some(a.cmp(&b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b),
            (Self::Int(a), Self::Uint(b)) => Some(u64::try_from(a).map_or(Ordering::Less, |a| a.cmp(&b))),
            (Self::Int(a), Self::Double(b)) => int_double(a, b),
            (Self::Uint(a), Self::Double(b)) => uint_double(a, b),
            (Self::Uint(_) | Self::Double(_), _) => other.compare(self).map(Ordering::reverse),
        }
    }
}

/// 2^63
const TOP: f64 = 9_223_372_036_854_775_808.0;

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the whole part is in range, and exact")]
fn int_double(a: i64, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        None
    } else if b >= TOP {
        Some(Ordering::Less)
    } else if b < -TOP {
        Some(Ordering::Greater)
    } else {
        let whole = b as i64;
        Some(a.cmp(&whole).then_with(|| (whole as f64).partial_cmp(&b).unwrap_or(Ordering::Equal)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the whole part is in range, and exact"
)]
fn uint_double(a: u64, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        None
    } else if b >= 2.0 * TOP {
        Some(Ordering::Less)
    } else if b < 0.0 {
        Some(Ordering::Greater)
    } else {
        let whole = b as u64;
        Some(a.cmp(&whole).then_with(|| (whole as f64).partial_cmp(&b).unwrap_or(Ordering::Equal)))
    }
}

// === impl Value ===

impl<'a> Value<'a> {
    /// A constant, as it stands in the tree.
    pub(super) fn constant(constant: &'a Constant) -> Self {
        match constant {
            Constant::Null => Self::Null,
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Number(value) => Self::Number(*value),
            Constant::Text(value) => Self::Text(Cow::Borrowed(value)),
            Constant::List(items) => Self::Constants(items),
        }
    }

    /// The constant that this is, for folding. Maps stay as they are written.
    pub(super) fn into_constant(self) -> Option<Constant> {
        Some(match self {
            Self::Null => Constant::Null,
            Self::Bool(value) => Constant::Bool(value),
            Self::Number(value) => Constant::Number(value),
            Self::Text(value) => Constant::Text(value.into_owned()),
            Self::Constants(items) => Constant::List(items.to_vec()),
            Self::List(items) => Constant::List(items.into_iter().map(Self::into_constant).collect::<Option<_>>()?),
            Self::Texts(_) | Self::Map(_) | Self::JsonList(_) | Self::JsonMap(_) | Self::Unfit => return None,
        })
    }

    /// The items of a list.
    pub(super) fn items(self) -> Result<Vec<Self>, Stop> {
        match self {
            Self::List(items) => Ok(items),
            Self::Constants(items) => Ok(items.iter().map(Self::constant).collect()),
            Self::Texts(Cow::Borrowed(items)) => Ok(items.iter().map(|item| Self::Text(Cow::Borrowed(item))).collect()),
            Self::Texts(Cow::Owned(items)) => Ok(items.into_iter().map(|item| Self::Text(Cow::Owned(item))).collect()),
            Self::JsonList(text) => raw::items(text),
            _ => Err(Stop::Error),
        }
    }

    /// The entries of a map.
    pub(super) fn entries(self) -> Result<Vec<(Self, Self)>, Stop> {
        match self {
            Self::Map(entries) => Ok(entries),
            Self::JsonMap(text) => raw::entries(text),
            _ => Err(Stop::Error),
        }
    }

    /// How much there is to look through, in bytes or items.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Unfit => 0,
            Self::Text(text) => text.len(),
            Self::Texts(items) => items.iter().map(|item| item.len() + 8).sum(),
            Self::Constants(items) => items.len() * 8,
            Self::List(items) => items.iter().map(|item| item.weight() + 8).sum(),
            Self::Map(entries) => entries.iter().map(|(key, value)| key.weight() + value.weight() + 16).sum(),
            Self::JsonList(text) | Self::JsonMap(text) => text.len(),
        }
    }

    /// Whether both are the same: things of different kinds are not, and that is no error.
    pub(super) fn same(&self, other: &Self) -> Result<bool, Stop> {
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a.compare(*b) == Some(Ordering::Equal),
            (Self::Text(a), Self::Text(b)) => a == b,
            (a, b) if a.is_list() && b.is_list() => {
                let (a, b) = (a.clone().items()?, b.clone().items()?);
                a.len() == b.len() && all(a.iter().zip(&b).map(|(a, b)| a.same(b)))?
            }
            (a, b) if a.is_map() && b.is_map() => {
                let (a, b) = (a.clone().entries()?, b.clone().entries()?);
                a.len() == b.len()
                    && all(a.iter().map(|(key, value)| find(&b, key)?.map_or(Ok(false), |found| found.same(value))))?
            }
            (Self::Unfit, _) | (_, Self::Unfit) => return Err(Stop::Error),
            _ => false,
        })
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::Texts(_) | Self::Constants(_) | Self::List(_) | Self::JsonList(_))
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_) | Self::JsonMap(_))
    }
}

/// The value of `key`.
pub(super) fn find<'e, 'a>(entries: &'e [(Value<'a>, Value<'a>)], key: &Value<'a>) -> Result<Option<&'e Value<'a>>, Stop> {
    for (name, value) in entries {
        if name.same(key)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn all(mut each: impl Iterator<Item = Result<bool, Stop>>) -> Result<bool, Stop> {
    each.try_fold(true, |yes, one| Ok(yes && one?))
}
