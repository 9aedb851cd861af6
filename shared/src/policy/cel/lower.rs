//! From the tree as it is written to the tree that is evaluated: names, types, constants.

use super::eval;
use super::node::{Arithmetic, Constant, Node, Relation};
use super::problem::Problems;
use super::requires::contradiction;
use super::syntax::{Expr, ExprKind};
use super::types::Type;
use super::value::{Num, Stop};
use super::{FieldKind, FieldRef, Vocabulary};
use crate::json::push_string;

/// Lowers a whole tree. It is only good if no problem was added.
pub(super) fn lower(tree: &Expr, words: &dyn Vocabulary, problems: &mut Problems<'_>) -> (Node, Vec<FieldRef>) {
    let mut lower = Lower { words, problems, fields: Vec::new(), scope: Vec::new() };
    let root = lower.expr(tree);
    let node = lower.want(root, &Type::Bool, "a condition");
    if let Some((field, path)) = contradiction(&node) {
        let place = lower.fields.get(field).map_or_else(String::new, |field| shown(field.path.iter().chain(path)));
        lower.problems.add(tree.at, format!("never true: no value of `{place}` is all that is asked for here"));
    }
    (node, lower.fields)
}

/// The state of lowering.
pub(super) struct Lower<'l, 't> {
    pub(super) words: &'l dyn Vocabulary,
    pub(super) problems: &'l mut Problems<'t>,
    fields: Vec<FieldRef>,
    /// The variables of the macros around, outermost first.
    pub(super) scope: Vec<(String, Type)>,
}

/// A node and what is known of it.
pub(super) struct Typed {
    pub(super) at: usize,
    pub(super) node: Node,
    pub(super) ty: Type,
    /// It reads nothing, so it can be evaluated now.
    pub(super) fixed: bool,
    /// The path of a claim that no use has given a type yet; `node` means nothing then.
    pub(super) claim: Option<Vec<String>>,
}

impl Typed {
    pub(super) fn new(at: usize, node: Node, ty: Type) -> Self {
        Self { at, node, ty, fixed: false, claim: None }
    }
}

impl Lower<'_, '_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> Typed {
        let at = expr.at;
        match &expr.kind {
            ExprKind::Literal(constant) => fixed(at, constant.clone()),
            ExprKind::Name(_) | ExprKind::Member(..) | ExprKind::Index(..) => self.place(expr),
            ExprKind::Call(target, name, arguments) => self.call(at, target.as_deref(), name, arguments),
            ExprKind::List(items) => self.list(at, items),
            ExprKind::Map(entries) => {
                let mut fixed = true;
                let mut nodes = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = self.expr(key);
                    let value = self.expr(value);
                    let value = self.settle(value);
                    fixed &= key.fixed && value.fixed;
                    nodes.push((self.want(key, &Type::Text, "a key"), value.node));
                }
                self.fold(Typed { fixed, ..Typed::new(at, Node::Map(nodes), Type::Map) })
            }
            ExprKind::Not(of) => {
                let of = self.expr(of);
                let fixed = of.fixed;
                let node = Node::Not(Box::new(self.want(of, &Type::Bool, "what stands behind `!`")));
                self.fold(Typed { fixed, ..Typed::new(at, node, Type::Bool) })
            }
            ExprKind::Negate(of) => self.negate(at, of),
            ExprKind::And(operands) => self.join(at, operands, false),
            ExprKind::Or(operands) => self.join(at, operands, true),
            ExprKind::If(parts) => self.choice(at, parts),
            ExprKind::Compare(relation, sides) => self.compare(at, *relation, sides),
            ExprKind::In(sides) => self.contained(at, sides),
            ExprKind::Arithmetic(operator, sides) => self.arithmetic(at, *operator, sides),
        }
    }

    fn list(&mut self, at: usize, items: &[Expr]) -> Typed {
        let mut typed: Vec<Typed> = items.iter().map(|item| self.expr(item)).collect();
        if typed.iter().any(|item| item.claim.is_none() && item.ty == Type::Text) {
            typed = typed.into_iter().map(|item| self.decide(item, FieldKind::Text)).collect();
        }
        let typed: Vec<Typed> = typed.into_iter().map(|item| self.settle(item)).collect();
        let fixed = typed.iter().all(|item| item.fixed);
        let ty = typed.iter().map(|item| item.ty.clone()).reduce(Type::join).unwrap_or(Type::Any);
        let node = Node::List(typed.into_iter().map(|item| item.node).collect());
        self.fold(Typed { fixed, ..Typed::new(at, node, Type::list(ty)) })
    }

    fn negate(&mut self, at: usize, of: &Expr) -> Typed {
        let of = self.expr(of);
        let of = self.decide(of, FieldKind::Number);
        let ty = of.ty.clone();
        if !matches!(ty, Type::Any | Type::Number | Type::Int | Type::Double) {
            return self.wrong(at, format!("`-` does not go with {}", ty.name()));
        }
        self.fold(Typed { fixed: of.fixed, ..Typed::new(at, Node::Negate(Box::new(of.node)), ty) })
    }

    /// `&&` and `||`. A constant that decides is all there is; one that does not is left out.
    fn join(&mut self, at: usize, operands: &[Expr], or: bool) -> Typed {
        let role = if or { "each side of `||`" } else { "each side of `&&`" };
        let mut nodes = Vec::with_capacity(operands.len());
        let (mut decided, mut any) = (false, false);
        for operand in operands {
            let operand = self.expr(operand);
            any |= operand.ty == Type::Any;
            match (self.want(operand, &Type::Bool, role), or) {
                (Node::Constant(Constant::Bool(value)), _) => decided |= value == or,
                (Node::And(inner), false) | (Node::Or(inner), true) => nodes.extend(inner),
                (node, _) => nodes.push(node),
            }
        }
        if decided || nodes.is_empty() {
            return fixed(at, Constant::Bool(decided == or));
        }
        let node = match nodes.pop() {
            // Alone, a value that may be no truth value would lose its check.
            Some(only) if nodes.is_empty() && !any => only,
            last => {
                nodes.extend(last);
                if or { Node::Or(nodes) } else { Node::And(nodes) }
            }
        };
        Typed::new(at, node, Type::Bool)
    }

    fn choice(&mut self, at: usize, [condition, yes, no]: &[Expr; 3]) -> Typed {
        let (condition, yes, no) = (self.expr(condition), self.expr(yes), self.expr(no));
        let (yes, no) = self.pair(yes, no);
        let all = condition.fixed && yes.fixed && no.fixed;
        let condition = self.want(condition, &Type::Bool, "what stands before `?`");
        let ty = yes.ty.join(no.ty);
        self.fold(Typed { fixed: all, ..Typed::new(at, Node::If(Box::new([condition, yes.node, no.node])), ty) })
    }

    fn compare(&mut self, at: usize, relation: Relation, [left, right]: &[Expr; 2]) -> Typed {
        let (left, right) = (self.expr(left), self.expr(right));
        let (left, right) = self.pair(left, right);
        let same = matches!(relation, Relation::Equal | Relation::NotEqual);
        let (a, b) = (&left.ty, &right.ty);
        if same && !a.may_equal(b) {
            return self.wrong(at, format!("{} and {} are never equal", a.name(), b.name()));
        }
        let ordered = |ty: &Type| ty.is_number() || matches!(ty, Type::Any | Type::Bool | Type::Text);
        if !(same || ordered(a) && ordered(b) && a.may_equal(b)) {
            return self.wrong(at, format!("{} and {} have no order", a.name(), b.name()));
        }
        let all = left.fixed && right.fixed;
        self.fold(Typed { fixed: all, ..Typed::new(at, Node::Compare(relation, Box::new([left.node, right.node])), Type::Bool) })
    }

    fn contained(&mut self, at: usize, [item, of]: &[Expr; 2]) -> Typed {
        if let Some(has) = self.header(at, item, of) {
            return has;
        }
        let (item, of) = (self.expr(item), self.expr(of));
        let of = self.decide(of, FieldKind::Texts);
        let item = match &of.ty {
            Type::List(each) => match kind_of(each) {
                Some(kind) => self.decide(item, kind),
                None => item,
            },
            Type::Map => self.decide(item, FieldKind::Text),
            _ => item,
        };
        let item = self.settle(item);
        let fits = match &of.ty {
            Type::Any => true,
            Type::List(each) => each.may_equal(&item.ty),
            Type::Map => item.ty.meets(&Type::Text),
            other => {
                let problem = format!("behind `in` there must be a list or a map, but this is {}", other.name());
                return self.wrong(of.at, problem);
            }
        };
        if !fits {
            return self.wrong(at, format!("{} is never in there", item.ty.name()));
        }
        let all = item.fixed && of.fixed;
        self.fold(Typed { fixed: all, ..Typed::new(at, Node::In(Box::new([item.node, of.node])), Type::Bool) })
    }

    fn arithmetic(&mut self, at: usize, operator: Arithmetic, [left, right]: &[Expr; 2]) -> Typed {
        let (left, right) = (self.expr(left), self.expr(right));
        let (left, right) = self.pair(left, right);
        let (a, b) = (&left.ty, &right.ty);
        let alone = |ty: &Type| match operator {
            Arithmetic::Add => ty.is_number() || matches!(ty, Type::Any | Type::Text | Type::List(_)),
            Arithmetic::Subtract | Arithmetic::Multiply | Arithmetic::Divide => ty.is_number() || *ty == Type::Any,
            Arithmetic::Remainder => matches!(ty, Type::Any | Type::Number | Type::Int | Type::Uint),
        };
        if !(alone(a) && alone(b) && a.meets(b)) {
            let advice =
                if a.is_number() && b.is_number() { ". Numbers are not converted: write `double(x)` or `int(x)`" } else { "" };
            return self.wrong(at, format!("`{}` does not go with {} and {}{advice}", sign(operator), a.name(), b.name()));
        }
        let ty = if *a == Type::Any { b.clone() } else { a.clone().join(b.clone()) };
        let all = left.fixed && right.fixed;
        self.fold(Typed { fixed: all, ..Typed::new(at, Node::Arithmetic(operator, Box::new([left.node, right.node])), ty) })
    }

    // === what all of them need ===

    /// Two that must be of one type: a claim takes that of the other.
    fn pair(&mut self, left: Typed, right: Typed) -> (Typed, Typed) {
        let (left, right) = match (&left.claim, &right.claim) {
            (Some(_), None) => match kind_of(&right.ty) {
                Some(kind) => (self.decide(left, kind), right),
                None => (left, right),
            },
            (None, Some(_)) => match kind_of(&left.ty) {
                Some(kind) => (left, self.decide(right, kind)),
                None => (left, right),
            },
            _ => (left, right),
        };
        (self.settle(left), self.settle(right))
    }

    /// Gives a claim its type.
    pub(super) fn decide(&mut self, typed: Typed, kind: FieldKind) -> Typed {
        let Some(path) = typed.claim else { return typed };
        let ty = match kind {
            FieldKind::Bool => Type::Bool,
            FieldKind::Number => Type::Double,
            FieldKind::Texts => Type::list(Type::Text),
            _ => Type::Text,
        };
        let field = self.intern(path, kind, true);
        Typed::new(typed.at, Node::Field(field, Vec::new()), ty)
    }

    /// Where any type would do, a claim has none.
    pub(super) fn settle(&mut self, typed: Typed) -> Typed {
        let Some(path) = &typed.claim else { return typed };
        let claim = shown(path);
        let problem = format!(
            "the type of the claim `{claim}` does not follow from its use. Write `string({claim})`, `double({claim})` or `bool({claim})`"
        );
        self.wrong(typed.at, problem)
    }

    /// The node, if its type is or may be `ty`.
    pub(super) fn want(&mut self, typed: Typed, ty: &Type, role: &str) -> Node {
        let typed = match kind_of(ty) {
            Some(kind) => self.decide(typed, kind),
            None => self.settle(typed),
        };
        if !typed.ty.meets(ty) {
            self.problems.add(typed.at, format!("{role} must be {}, but this is {}", ty.name(), typed.ty.name()));
        }
        typed.node
    }

    /// Adds a problem; what is given back fits everywhere, so that one mistake is told once.
    pub(super) fn wrong(&mut self, at: usize, problem: impl Into<String>) -> Typed {
        self.problems.add(at, problem);
        Typed::new(at, Node::Constant(Constant::Null), Type::Any)
    }

    /// Evaluates what reads nothing.
    pub(super) fn fold(&mut self, typed: Typed) -> Typed {
        if !typed.fixed || !self.problems.is_empty() {
            return typed;
        }
        match eval::constant(&typed.node).map(super::value::Value::into_constant) {
            Ok(Some(constant)) => Typed { node: Node::Constant(constant), ..typed },
            Ok(None) => typed,
            Err(Stop::Error | Stop::Unknown) => self.wrong(typed.at, "this is an error, whatever is asked"),
        }
    }

    pub(super) fn intern(&mut self, path: Vec<String>, kind: FieldKind, claim: bool) -> usize {
        let field = FieldRef { path, kind, claim };
        self.fields.iter().position(|known| *known == field).unwrap_or_else(|| {
            self.fields.push(field);
            self.fields.len() - 1
        })
    }
}

fn fixed(at: usize, constant: Constant) -> Typed {
    let ty = match &constant {
        Constant::Null => Type::Null,
        Constant::Bool(_) => Type::Bool,
        Constant::Number(Num::Int(_)) => Type::Int,
        Constant::Number(Num::Uint(_)) => Type::Uint,
        Constant::Number(Num::Double(_)) => Type::Double,
        Constant::Text(_) => Type::Text,
        Constant::List(_) => Type::list(Type::Any),
    };
    Typed { fixed: true, ..Typed::new(at, Node::Constant(constant), ty) }
}

/// What a claim is that stands against this type.
fn kind_of(ty: &Type) -> Option<FieldKind> {
    match ty {
        Type::Bool => Some(FieldKind::Bool),
        Type::Int | Type::Uint | Type::Double | Type::Number => Some(FieldKind::Number),
        Type::Text => Some(FieldKind::Text),
        Type::List(_) => Some(FieldKind::Texts),
        Type::Any | Type::Null | Type::Map => None,
    }
}

fn sign(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::Remainder => "%",
    }
}

/// A path as it is written.
pub(super) fn shown<S: AsRef<str>>(path: impl IntoIterator<Item = S>) -> String {
    let mut out = String::new();
    for word in path {
        let word = word.as_ref();
        if word.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
            out.push_str(if out.is_empty() { "" } else { "." });
            out.push_str(word);
        } else {
            out.push('[');
            push_string(&mut out, word);
            out.push(']');
        }
    }
    out
}
