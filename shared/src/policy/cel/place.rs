//! Names: fields, what is in them, and the variables of macros.

use super::FieldKind;
use super::lower::{Lower, Typed, shown};
use super::node::{Constant, Node};
use super::syntax::{Expr, ExprKind};
use super::types::Type;

/// What a path leads to.
enum Place {
    /// A field, and what is left of the path in its JSON.
    Field(usize, Vec<String>, Type),
    Claim(Vec<String>),
    /// A problem was added.
    Nothing,
}

impl Lower<'_, '_> {
    /// A name, a member or an item.
    pub(super) fn place(&mut self, expr: &Expr) -> Typed {
        if let Some((at, path)) = self.path(expr) {
            return match self.field(at, &path) {
                Place::Field(field, rest, ty) => Typed::new(at, Node::Field(field, rest), ty),
                Place::Claim(path) => Typed { claim: Some(path), ..Typed::new(at, Node::Constant(Constant::Null), Type::Any) },
                Place::Nothing => Typed::new(at, Node::Constant(Constant::Null), Type::Any),
            };
        }
        let at = expr.at;
        match &expr.kind {
            ExprKind::Name(name) => {
                // Not a path, so it is a variable.
                let found = self.scope.iter().rev().enumerate().find(|(_, (known, _))| known == name);
                match found {
                    Some((between, (_, ty))) => Typed::new(at, Node::Variable(between), ty.clone()),
                    None => self.wrong(at, format!("`{name}` is not known")),
                }
            }
            ExprKind::Member(of, name) => {
                let of = self.expr(of);
                let of = self.settle(of);
                if !of.ty.meets(&Type::Map) {
                    return self.wrong(at, format!("{} has no members", of.ty.name()));
                }
                self.fold(Typed { fixed: of.fixed, ..Typed::new(at, Node::Member(Box::new(of.node), name.clone()), Type::Any) })
            }
            ExprKind::Index(of, index) => self.index(at, of, index),
            _ => self.wrong(at, "a name is expected here"),
        }
    }

    fn index(&mut self, at: usize, of: &Expr, index: &Expr) -> Typed {
        let (of, index) = (self.expr(of), self.expr(index));
        let of = if index.ty == Type::Int { self.decide(of, FieldKind::Texts) } else { of };
        let of = self.settle(of);
        let fixed = of.fixed && index.fixed;
        let (ty, index) = match &of.ty {
            Type::List(each) => ((**each).clone(), self.want(index, &Type::Int, "the index of a list")),
            Type::Map => (Type::Any, self.want(index, &Type::Text, "the key of a map")),
            Type::Any => (Type::Any, self.settle(index).node),
            other => return self.wrong(at, format!("{} has no items", other.name())),
        };
        self.fold(Typed { fixed, ..Typed::new(at, Node::Index(Box::new([of.node, index])), ty) })
    }

    /// `has(x.y)`
    pub(super) fn has(&mut self, at: usize, arguments: &[Expr]) -> Typed {
        let [Expr { kind: ExprKind::Member(of, name), .. }] = arguments else {
            return self.wrong(at, "`has` takes one member: `has(x.name)`. Where `x[\"name\"]` is meant, write `\"name\" in x`");
        };
        let [whole] = arguments else { return self.wrong(at, "`has` takes one member") };
        let node = match self.path(whole) {
            Some((at, path)) => match self.field(at, &path) {
                Place::Field(field, rest, _) => Node::Has(field, rest),
                Place::Claim(path) => Node::Has(self.intern(path, FieldKind::Claim, true), Vec::new()),
                Place::Nothing => Node::Constant(Constant::Null),
            },
            None => {
                let of = self.expr(of);
                Node::HasMember(Box::new(self.want(of, &Type::Map, "what `has` looks into")), name.clone())
            }
        };
        Typed::new(at, node, Type::Bool)
    }

    /// `"name" in request.headers`: whether a field is there.
    pub(super) fn header(&mut self, at: usize, item: &Expr, of: &Expr) -> Option<Typed> {
        let (_, mut path) = self.path(of)?;
        for length in 1..=path.len() {
            match self.words.field(path.get(..length)?) {
                Ok(FieldKind::Group) => {}
                Ok(FieldKind::TextMap) if length == path.len() => break,
                _ => return None,
            }
            if length == path.len() {
                return None;
            }
        }
        let ExprKind::Literal(Constant::Text(name)) = &item.kind else {
            return Some(self.wrong(item.at, format!("the name in `{}` must be a literal", shown(&path))));
        };
        path.push(name);
        let node = match self.field(item.at, &path) {
            Place::Field(field, rest, _) => Node::Has(field, rest),
            Place::Claim(_) | Place::Nothing => Node::Constant(Constant::Null),
        };
        Some(Typed::new(at, node, Type::Bool))
    }

    /// The words of `a.b["c"]` and where it starts, unless `a` is a variable.
    fn path<'e>(&self, expr: &'e Expr) -> Option<(usize, Vec<&'e str>)> {
        match &expr.kind {
            ExprKind::Name(name) if self.scope.iter().all(|(known, _)| known != name) => Some((expr.at, vec![name.as_str()])),
            ExprKind::Member(of, name) => self.path(of).map(|(at, path)| (at, [path, vec![name.as_str()]].concat())),
            ExprKind::Index(of, index) => match &index.kind {
                ExprKind::Literal(Constant::Text(name)) => {
                    self.path(of).map(|(at, path)| (at, [path, vec![name.as_str()]].concat()))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn field(&mut self, at: usize, path: &[&str]) -> Place {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        let nothing = |lower: &mut Self, problem: String| {
            lower.problems.add(at, problem);
            Place::Nothing
        };
        for length in 1..=path.len() {
            let (head, rest) = path.split_at_checked(length).unwrap_or((path, &[]));
            let kind = match self.words.field(head) {
                Ok(kind) => kind,
                Err(problem) => return nothing(self, problem),
            };
            let ty = match kind {
                FieldKind::Group => continue,
                FieldKind::Claim => return Place::Claim(owned(path)),
                FieldKind::Json => return Place::Field(self.intern(owned(head), kind, false), owned(rest), Type::Any),
                FieldKind::TextMap => {
                    let head = shown(head);
                    let [name] = rest else {
                        return nothing(self, format!("`{head}` is no value. Name one of it: `{head}[\"name\"]`"));
                    };
                    if name.bytes().any(|c| c.is_ascii_uppercase()) {
                        let lower_case = name.to_ascii_lowercase();
                        return nothing(self, format!("names in `{head}` are in lower case. Write `{head}[\"{lower_case}\"]`"));
                    }
                    return Place::Field(self.intern(owned(path), FieldKind::Text, false), Vec::new(), Type::Text);
                }
                FieldKind::Bool => Type::Bool,
                FieldKind::Number => Type::Number,
                FieldKind::Text => Type::Text,
                FieldKind::Texts => Type::list(Type::Text),
            };
            if let Some(first) = rest.first() {
                return nothing(self, format!("`{}` is {}, which has no `{first}`", shown(head), ty.name()));
            }
            return Place::Field(self.intern(owned(head), kind, false), Vec::new(), ty);
        }
        nothing(self, format!("`{}` is no value. Name a field of it", shown(path)))
    }
}
