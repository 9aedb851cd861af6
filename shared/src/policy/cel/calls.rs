//! Functions and macros.

use super::FieldKind;
use super::lower::{Lower, Typed};
use super::names::nearest;
use super::node::{Constant, Conversion, Each, Node, Test};
use super::regex;
use super::syntax::{Expr, ExprKind};
use super::types::Type;

/// Called as `f(x)`.
const FUNCTIONS: &[&str] = &["bool", "double", "has", "int", "matches", "size", "string"];
/// Called as `x.f()`.
const METHODS: &[&str] =
    &["all", "contains", "endsWith", "exists", "exists_one", "filter", "lowerAscii", "map", "matches", "size", "startsWith"];

impl Lower<'_, '_> {
    pub(super) fn call(&mut self, at: usize, target: Option<&Expr>, name: &str, arguments: &[Expr]) -> Typed {
        match (target, name, arguments) {
            (None, "has", _) => self.has(at, arguments),
            (None, "size", [of]) | (Some(of), "size", []) => self.size(at, of),
            (None, "string", [of]) => self.convert(at, Conversion::Text, of),
            (None, "int", [of]) => self.convert(at, Conversion::Int, of),
            (None, "double", [of]) => self.convert(at, Conversion::Double, of),
            (None, "bool", [of]) => self.convert(at, Conversion::Bool, of),
            (None, "matches", [of, pattern]) | (Some(of), "matches", [pattern]) => self.matches(at, of, pattern),
            (Some(of), "lowerAscii", []) => {
                let of = self.expr(of);
                let fixed = of.fixed;
                let node = Node::LowerAscii(Box::new(self.want(of, &Type::Text, "what `lowerAscii` is called on")));
                self.fold(Typed { fixed, ..Typed::new(at, node, Type::Text) })
            }
            (Some(of), "contains", [part]) => self.test(at, Test::Contains, of, part),
            (Some(of), "endsWith", [part]) => self.test(at, Test::EndsWith, of, part),
            (Some(of), "startsWith", [part]) => self.test(at, Test::StartsWith, of, part),
            (Some(of), "all", [variable, step]) => self.each(at, Each::All, of, variable, step),
            (Some(of), "exists", [variable, step]) => self.each(at, Each::Exists, of, variable, step),
            (Some(of), "exists_one", [variable, step]) => self.each(at, Each::ExistsOne, of, variable, step),
            (Some(of), "filter", [variable, step]) => self.each(at, Each::Filter, of, variable, step),
            (Some(of), "map", [variable, step]) => self.each(at, Each::Map, of, variable, step),
            (Some(of), "map", [variable, condition, step]) => self.map_some(at, of, variable, condition, step),
            _ => self.unknown(at, target.is_some(), name, arguments.len()),
        }
    }

    #[cold]
    fn unknown(&mut self, at: usize, method: bool, name: &str, count: usize) -> Typed {
        let (here, there) = if method { (METHODS, FUNCTIONS) } else { (FUNCTIONS, METHODS) };
        let problem = if here.contains(&name) {
            format!("`{name}` does not take {count} argument{}", if count == 1 { "" } else { "s" })
        } else if there.contains(&name) {
            if method { format!("write `{name}(x)`, not `x.{name}()`") } else { format!("write `x.{name}()`, not `{name}(x)`") }
        } else {
            match nearest(name, here.iter().copied()) {
                Some(near) => format!("there is no function `{name}`. Did you mean `{near}`?"),
                None => format!("there is no function `{name}`. There are {}", here.join(", ")),
            }
        };
        self.wrong(at, problem)
    }

    fn size(&mut self, at: usize, of: &Expr) -> Typed {
        let of = self.expr(of);
        let of = self.settle(of);
        if !matches!(of.ty, Type::Any | Type::Text | Type::List(_) | Type::Map) {
            return self.wrong(of.at, format!("{} has no size", of.ty.name()));
        }
        self.fold(Typed { fixed: of.fixed, ..Typed::new(at, Node::Size(Box::new(of.node)), Type::Int) })
    }

    fn convert(&mut self, at: usize, to: Conversion, of: &Expr) -> Typed {
        let of = self.expr(of);
        let (ty, kind) = match to {
            Conversion::Bool => (Type::Bool, FieldKind::Bool),
            Conversion::Double => (Type::Double, FieldKind::Number),
            Conversion::Int => (Type::Int, FieldKind::Number),
            Conversion::Text => (Type::Text, FieldKind::Text),
        };
        let of = self.decide(of, kind);
        let fits = match to {
            Conversion::Bool => of.ty.meets(&Type::Bool),
            Conversion::Double | Conversion::Int => of.ty == Type::Any || of.ty == Type::Text || of.ty.is_number(),
            Conversion::Text => !matches!(of.ty, Type::Double | Type::List(_) | Type::Map | Type::Null),
        };
        if !fits {
            return self.wrong(of.at, format!("{} is not made {}", of.ty.name(), ty.name()));
        }
        self.fold(Typed { fixed: of.fixed, ..Typed::new(at, Node::Convert(to, Box::new(of.node)), ty) })
    }

    fn test(&mut self, at: usize, test: Test, of: &Expr, part: &Expr) -> Typed {
        let (of, part) = (self.expr(of), self.expr(part));
        if let (Test::Contains, Type::List(_)) = (test, &of.ty) {
            return self.wrong(at, "`contains` is for strings. Write `x in list`");
        }
        let fixed = of.fixed && part.fixed;
        let of = self.want(of, &Type::Text, "what this is called on");
        let part = self.want(part, &Type::Text, "the argument");
        self.fold(Typed { fixed, ..Typed::new(at, Node::Test(test, Box::new([of, part])), Type::Bool) })
    }

    fn matches(&mut self, at: usize, of: &Expr, pattern: &Expr) -> Typed {
        let of = self.expr(of);
        let fixed = of.fixed;
        let of = self.want(of, &Type::Text, "what `matches` is called on");
        let ExprKind::Literal(Constant::Text(text)) = &pattern.kind else {
            return self.wrong(pattern.at, "the pattern of `matches` must be a literal");
        };
        match regex::read(text) {
            Ok(regex) => self.fold(Typed { fixed, ..Typed::new(at, Node::Matches(Box::new(of), regex), Type::Bool) }),
            Err(error) => self.wrong(pattern.at, format!("not a pattern: {error}")),
        }
    }

    fn each(&mut self, at: usize, each: Each, of: &Expr, variable: &Expr, step: &Expr) -> Typed {
        let (of, item) = self.range(of);
        let Some(name) = self.variable(variable) else { return Typed::new(at, Node::Constant(Constant::Null), Type::Any) };
        self.scope.push((name, item.clone()));
        let step = self.expr(step);
        let (step, ty) = if each == Each::Map {
            let step = self.settle(step);
            (step.node, Type::list(step.ty))
        } else {
            let ty = if each == Each::Filter { Type::list(item) } else { Type::Bool };
            (self.want(step, &Type::Bool, "the condition of a macro"), ty)
        };
        self.scope.pop();
        Typed::new(at, Node::Each(each, Box::new([of, step])), ty)
    }

    fn map_some(&mut self, at: usize, of: &Expr, variable: &Expr, condition: &Expr, step: &Expr) -> Typed {
        let (of, item) = self.range(of);
        let Some(name) = self.variable(variable) else { return Typed::new(at, Node::Constant(Constant::Null), Type::Any) };
        self.scope.push((name, item));
        let condition = self.expr(condition);
        let condition = self.want(condition, &Type::Bool, "the condition of a macro");
        let step = self.expr(step);
        let step = self.settle(step);
        self.scope.pop();
        Typed::new(at, Node::MapSome(Box::new([of, condition, step.node])), Type::list(step.ty))
    }

    /// What a macro goes through, and the type of each.
    fn range(&mut self, of: &Expr) -> (Node, Type) {
        let of = self.expr(of);
        let of = self.decide(of, FieldKind::Texts);
        match &of.ty {
            Type::List(each) => (of.node, (**each).clone()),
            Type::Map => (of.node, Type::Text),
            Type::Any => (of.node, Type::Any),
            other => {
                let problem = format!("a macro needs a list or a map, but this is {}", other.name());
                (self.wrong(of.at, problem).node, Type::Any)
            }
        }
    }

    fn variable(&mut self, expr: &Expr) -> Option<String> {
        if let ExprKind::Name(name) = &expr.kind {
            return Some(name.clone());
        }
        self.problems.add(expr.at, "the first argument of a macro is the name of its variable");
        None
    }
}
