//! Types, as far as they are known when a condition is read.

/// What an expression may give.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Type {
    /// Anything: JSON.
    Any,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    /// One of the three kinds of numbers.
    Number,
    Text,
    List(Box<Type>),
    Map,
}

impl Type {
    /// What may be said about it in a problem.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Null => "null",
            Self::Bool => "a truth value",
            Self::Int => "an integer",
            Self::Uint => "an unsigned integer",
            Self::Double => "a double",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List(_) => "a list",
            Self::Map => "a map",
        }
    }

    pub(super) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double | Self::Number)
    }

    /// Whether a value may be of both types.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Number, other) | (other, Self::Number) => other.is_number(),
            (Self::List(_), Self::List(_)) => true,
            _ => self == other,
        }
    }

    /// Whether two values of these types may be equal. Numbers of different kinds may.
    pub(super) fn may_equal(&self, other: &Self) -> bool {
        self.meets(other) || self.is_number() && other.is_number()
    }

    /// The type of a value that is of one of these types.
    pub(super) fn join(self, other: Self) -> Self {
        if self == other {
            self
        } else if self.is_number() && other.is_number() {
            Self::Number
        } else {
            match (self, other) {
                (Self::List(a), Self::List(b)) => Self::list(a.join(*b)),
                _ => Self::Any,
            }
        }
    }
}
