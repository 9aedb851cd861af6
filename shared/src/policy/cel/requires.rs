//! What a condition cannot do without.

use super::node::{Constant, Node, Relation};

/// For the condition to be true, what stands at this place must be one of these strings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement<'c> {
    /// The field, by its index in [`fields`](super::Condition::fields).
    pub field: usize,
    /// Where in its JSON; empty for the field itself.
    pub path: &'c [String],
    /// One of these.
    pub any_of: Vec<&'c str>,
}

/// Those of the outermost `&&`, or of the one comparison that the condition is.
pub(super) fn requires(root: &Node) -> Vec<Requirement<'_>> {
    match root {
        Node::And(operands) => operands.iter().filter_map(requirement).collect(),
        _ => requirement(root).into_iter().collect(),
    }
}

fn requirement(node: &Node) -> Option<Requirement<'_>> {
    match node {
        Node::Compare(Relation::Equal, sides) => match &**sides {
            [Node::Field(field, path), Node::Constant(Constant::Text(text))]
            | [Node::Constant(Constant::Text(text)), Node::Field(field, path)] => {
                Some(Requirement { field: *field, path, any_of: vec![text] })
            }
            _ => None,
        },
        Node::In(sides) => match &**sides {
            [Node::Field(field, path), Node::Constant(Constant::List(items))] => {
                // Items that are no strings would let other values through.
                let texts = items.iter().map(|item| match item {
                    Constant::Text(text) => Some(text.as_str()),
                    Constant::Null | Constant::Bool(_) | Constant::Number(_) | Constant::List(_) => None,
                });
                Some(Requirement { field: *field, path, any_of: texts.collect::<Option<_>>()? })
            }
            _ => None,
        },
        _ => None,
    }
}

/// A place that two of them leave no string for.
pub(super) fn contradiction(root: &Node) -> Option<(usize, &[String])> {
    let mut open: Vec<Requirement<'_>> = Vec::new();
    for next in requires(root) {
        match open.iter_mut().find(|seen| (seen.field, seen.path) == (next.field, next.path)) {
            Some(seen) => {
                seen.any_of.retain(|text| next.any_of.contains(text));
                if seen.any_of.is_empty() {
                    return Some((next.field, next.path));
                }
            }
            None => open.push(next),
        }
    }
    None
}
