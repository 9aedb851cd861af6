//! The tree as it is written.

use super::node::{Arithmetic, Constant, Relation};

/// One expression.
#[derive(Debug)]
pub(super) struct Expr {
    /// Where it stands: for an operator, the operator.
    pub(super) at: usize,
    /// Levels below it, itself included.
    pub(super) depth: usize,
    pub(super) kind: ExprKind,
}

/// The forms of an expression.
#[derive(Debug)]
pub(super) enum ExprKind {
    Literal(Constant),
    Name(String),
    Member(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    /// `name(…)` or `target.name(…)`
    Call(Option<Box<Expr>>, String, Vec<Expr>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    If(Box<[Expr; 3]>),
    Compare(Relation, Box<[Expr; 2]>),
    In(Box<[Expr; 2]>),
    Arithmetic(Arithmetic, Box<[Expr; 2]>),
}
