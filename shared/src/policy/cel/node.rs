//! The tree that is evaluated: names resolved to fields, types checked, constants folded.

use super::regex::Regex;
use super::value::Num;

/// One node.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Constant(Constant),
    /// A field; with a path, what stands there in its JSON.
    Field(usize, Vec<String>),
    /// Whether that is there.
    Has(usize, Vec<String>),
    /// A variable of a macro: how many macros are between.
    Variable(usize),
    Member(Box<Node>, String),
    HasMember(Box<Node>, String),
    Index(Box<[Node; 2]>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    If(Box<[Node; 3]>),
    Compare(Relation, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Test(Test, Box<[Node; 2]>),
    Matches(Box<Node>, Regex),
    Size(Box<Node>),
    LowerAscii(Box<Node>),
    Convert(Conversion, Box<Node>),
    /// A macro over the items of the first; the second is what is asked of each.
    Each(Each, Box<[Node; 2]>),
    /// `map` with a condition: list, condition, value.
    MapSome(Box<[Node; 3]>),
}

/// A value that is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Number(Num),
    Text(String),
    List(Vec<Constant>),
}

/// `==` and its like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// `+` and its like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// What is asked of two strings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Test {
    Contains,
    EndsWith,
    StartsWith,
}

/// `string(x)` and its like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Conversion {
    Bool,
    Double,
    Int,
    Text,
}

/// The macros.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Each {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Relation {
    /// Whether it holds between two that stand so to each other.
    pub(super) fn holds(self, order: core::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}
