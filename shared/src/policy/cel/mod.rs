//! Conditions: the `when` of a rule, in the Common Expression Language (CEL).
//!
//! [`Condition::compile`] reads a text with all its problems at once; [`Condition::eval`] says [`Truth`] over [`Facts`]. What a
//! condition may speak of is not known here: the plugin says it with a [`Vocabulary`].
//!
//! Where this differs from other evaluators of CEL, and why:
//!
//! * Types are checked when the configuration is read: what cannot be is a problem there, not a surprise in traffic.
//! * There is *not known yet* next to true, false and error, so that a list can be filtered by rules about a later call.
//! * The claims of a token come without types ([`FieldKind::Claim`]): the type follows from what is done with one.
//! * Numbers are never made imprecise: comparison between integers and doubles is exact.
//! * Cost is bounded twice: size and depth of the text, and steps of an evaluation.
//!
//! The language: literals (no bytes), lists, maps, `.` and `[]`, `? :`, `||`, `&&`, `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`,
//! `+ - * / %` (checked), `has`, `size`, `startsWith`, `endsWith`, `contains`, `matches` (a literal pattern), `lowerAscii`,
//! `string`, `int`, `double`, `bool`, and the macros `all`, `exists`, `exists_one`, `filter`, `map`. Nothing else.

mod calls;
mod double;
mod eval;
mod lex;
mod lower;
mod names;
mod node;
mod parse;
mod place;
mod problem;
mod raw;
mod regex;
mod requires;
mod syntax;
mod types;
mod value;

pub use names::nearest;
pub use problem::Problem;
pub use requires::Requirement;
pub use value::Num;

use std::borrow::Cow;
use std::rc::Rc;

use node::{Constant, Node};

/// Longest text, in bytes.
pub const MAX_TEXT: usize = 8 * 1024;
/// Deepest nesting of a text.
pub const MAX_DEPTH: usize = 32;
/// Steps of one evaluation. A step is a node of the tree, or 64 bytes of text that are looked through.
pub const MAX_STEPS: u32 = 200_000;

/// What a condition may speak of.
pub trait Vocabulary {
    /// What stands at `path`, as `mcp.tool.name` is `["mcp", "tool", "name"]`. It is asked from the first word on, one more
    /// at a time, until the answer is no [`FieldKind::Group`].
    ///
    /// # Errors
    ///
    /// There is no such field here; the text says so, and what to do: `` `mcp.tool.nmae` is not known ``.
    fn field(&self, path: &[&str]) -> Result<FieldKind, String>;
}

/// What kind of thing a field is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FieldKind {
    /// No value: a word that others follow.
    Group,
    /// A string.
    Text,
    /// An integer or a double.
    Number,
    /// True or false.
    Bool,
    /// A list of strings.
    Texts,
    /// Strings by name, of which one must be asked for by a literal: `request.headers["x-team"]` is the field
    /// `["request", "headers", "x-team"]`, of kind `Text`. Names are in lower case.
    TextMap,
    /// JSON of any kind, with all that is in it.
    Json,
    /// A claim of a token, by path, of a type that only its use tells. In [`FieldRef`] the kind is what the use made of it;
    /// where it is still `Claim` there, only its presence is asked for: any [`Fact`] but `Absent`, `Unknown` and `Unreadable`.
    Claim,
}

/// A field that a condition reads. A claim that is read as two types is two of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldRef {
    /// Its words.
    pub path: Vec<String>,
    /// What it is read as.
    pub kind: FieldKind,
    /// Whether the plugin called it [`FieldKind::Claim`].
    pub claim: bool,
}

/// The values of one evaluation.
pub trait Facts {
    /// The value of a field, by its index in [`Condition::fields`].
    fn get(&self, field: usize) -> Fact<'_>;
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<'a> {
    /// Not known yet.
    Unknown,
    /// Known not to be there: an error, unless only `has` asks.
    Absent,
    /// There, but not of the kind that the field has: an error.
    Unreadable,
    /// For `Text`.
    Text(Cow<'a, str>),
    /// For `Number`.
    Number(Num),
    /// For `Bool`.
    Bool(bool),
    /// For `Texts`.
    Texts(Cow<'a, [String]>),
    /// For `Json`: the text of one value that was checked ([`crate::json::check`]).
    Json(&'a [u8]),
}

/// What a condition is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It depends on what is not known yet.
    Unknown,
    /// It cannot be told: a field is absent, types do not fit, a number is too large, steps are used up.
    Error,
}

/// A condition that was checked. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Condition(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    text: Box<str>,
    root: Node,
    fields: Vec<FieldRef>,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, in the order of the text; at least one.
    pub fn compile(text: &str, words: &dyn Vocabulary) -> Result<Self, Vec<Problem>> {
        let mut problems = problem::Problems::new(text);
        let tree = parse::parse(text, &mut problems);
        let lowered = tree.map(|tree| lower::lower(&tree, words, &mut problems));
        match lowered {
            Some((root, fields)) if problems.is_empty() => Ok(Self(Rc::new(Inner { text: text.into(), root, fields }))),
            _ => Err(problems.into_list()),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What it reads; each once.
    pub fn fields(&self) -> &[FieldRef] {
        &self.0.fields
    }

    /// Its value, where that depends on nothing.
    pub fn constant(&self) -> Option<bool> {
        match self.0.root {
            Node::Constant(Constant::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// What must hold for it to be true, as far as its outermost `&&` says so.
    pub fn requires(&self) -> Vec<Requirement<'_>> {
        requires::requires(&self.0.root)
    }

    /// Its truth. Of two things that are joined by `&&` or `||` one that decides does so, whatever the other is.
    pub fn eval(&self, facts: &dyn Facts) -> Truth {
        eval::truth(&self.0.root, facts)
    }
}
