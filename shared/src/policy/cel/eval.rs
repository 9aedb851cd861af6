//! From facts to truth.

use core::cell::Cell;
use std::borrow::Cow;

use super::double;
use super::node::{Arithmetic, Conversion, Each, Node, Relation, Test};
use super::raw::{self, Found};
use super::value::{Num, Stop, Value, find};
use super::{Fact, Facts, MAX_STEPS, Truth};

/// The truth of a whole tree.
pub(super) fn truth(root: &Node, facts: &dyn Facts) -> Truth {
    let run = Run { facts, steps: Cell::new(MAX_STEPS) };
    match run.bool(root, None) {
        Ok(true) => Truth::True,
        Ok(false) => Truth::False,
        Err(Stop::Unknown) => Truth::Unknown,
        Err(Stop::Error) => Truth::Error,
    }
}

/// The value of a tree that reads no field and no variable.
pub(super) fn constant(root: &Node) -> Result<Value<'_>, Stop> {
    Run { facts: &Nothing, steps: Cell::new(MAX_STEPS) }.value(root, None)
}

struct Nothing;

impl Facts for Nothing {
    fn get(&self, _: usize) -> Fact<'_> {
        Fact::Unreadable
    }
}

struct Run<'a> {
    facts: &'a dyn Facts,
    steps: Cell<u32>,
}

/// The variables of the macros around a node, innermost first.
struct Scope<'s, 'a> {
    value: &'s Value<'a>,
    outer: Option<&'s Scope<'s, 'a>>,
}

type Outer<'s, 'a> = Option<&'s Scope<'s, 'a>>;

impl<'a> Run<'a> {
    fn value(&self, node: &'a Node, scope: Outer<'_, 'a>) -> Result<Value<'a>, Stop> {
        self.pay(0)?;
        match node {
            Node::Constant(constant) => Ok(Value::constant(constant)),
            Node::Field(field, path) => self.field(*field, path),
            Node::Variable(between) => variable(*between, scope),
            Node::Member(of, name) => self.member(self.value(of, scope)?, name)?.ok_or(Stop::Error),
            Node::Index(parts) => {
                let [of, index] = &**parts;
                self.index(self.value(of, scope)?, self.value(index, scope)?)
            }
            Node::List(items) => items.iter().map(|item| self.value(item, scope)).collect::<Result<_, _>>().map(Value::List),
            Node::Map(entries) => self.map(entries, scope),
            Node::If(parts) => {
                let [condition, yes, no] = &**parts;
                self.value(if self.bool(condition, scope)? { yes } else { no }, scope)
            }
            Node::Negate(of) => match self.value(of, scope)? {
                Value::Number(Num::Int(value)) => value.checked_neg().map(Num::Int).map(Value::Number).ok_or(Stop::Error),
                Value::Number(Num::Double(value)) => Ok(Value::Number(Num::Double(-value))),
                _ => Err(Stop::Error),
            },
            Node::Arithmetic(operator, sides) => {
                let [left, right] = &**sides;
                self.arithmetic(*operator, self.value(left, scope)?, self.value(right, scope)?)
            }
            Node::Size(of) => self.size(&self.value(of, scope)?),
            Node::LowerAscii(of) => match self.value(of, scope)? {
                Value::Text(text) if text.bytes().any(|c| c.is_ascii_uppercase()) => {
                    self.pay(text.len())?;
                    Ok(Value::Text(Cow::Owned(text.to_ascii_lowercase())))
                }
                Value::Text(text) => Ok(Value::Text(text)),
                _ => Err(Stop::Error),
            },
            Node::Convert(to, of) => convert(*to, self.value(of, scope)?),
            Node::Each(each @ (Each::Filter | Each::Map), parts) => {
                let [of, step] = &**parts;
                let mut out = Vec::new();
                for item in self.items(self.value(of, scope)?)? {
                    let inner = Scope { value: &item, outer: scope };
                    match each {
                        Each::Map => out.push(self.value(step, Some(&inner))?),
                        _ if self.bool(step, Some(&inner))? => out.push(item),
                        _ => {}
                    }
                }
                Ok(Value::List(out))
            }
            Node::MapSome(parts) => {
                let [of, condition, step] = &**parts;
                let mut out = Vec::new();
                for item in self.items(self.value(of, scope)?)? {
                    let inner = Scope { value: &item, outer: scope };
                    if self.bool(condition, Some(&inner))? {
                        out.push(self.value(step, Some(&inner))?);
                    }
                }
                Ok(Value::List(out))
            }
            Node::And(_)
            | Node::Compare(..)
            | Node::Each(..)
            | Node::Has(..)
            | Node::HasMember(..)
            | Node::In(_)
            | Node::Matches(..)
            | Node::Not(_)
            | Node::Or(_)
            | Node::Test(..) => self.bool(node, scope).map(Value::Bool),
        }
    }

    fn bool(&self, node: &'a Node, scope: Outer<'_, 'a>) -> Result<bool, Stop> {
        self.pay(0)?;
        match node {
            Node::Not(of) => self.bool(of, scope).map(|value| !value),
            Node::And(operands) => decide(operands.iter().map(|operand| self.bool(operand, scope)), false),
            Node::Or(operands) => decide(operands.iter().map(|operand| self.bool(operand, scope)), true),
            Node::Has(field, path) => self.has(*field, path),
            Node::HasMember(of, name) => Ok(self.member(self.value(of, scope)?, name)?.is_some()),
            Node::Compare(relation, sides) => {
                let [left, right] = &**sides;
                let (left, right) = (self.value(left, scope)?, self.value(right, scope)?);
                self.pay(left.weight().min(right.weight()))?;
                match relation {
                    Relation::Equal => left.same(&right),
                    Relation::NotEqual => left.same(&right).map(|same| !same),
                    _ => match (&left, &right) {
                        // A number that stands nowhere is neither less nor more than any.
                        (Value::Number(a), Value::Number(b)) => Ok(a.compare(*b).is_some_and(|order| relation.holds(order))),
                        (Value::Text(a), Value::Text(b)) => Ok(relation.holds(a.cmp(b))),
                        (Value::Bool(a), Value::Bool(b)) => Ok(relation.holds(a.cmp(b))),
                        _ => Err(Stop::Error),
                    },
                }
            }
            Node::In(sides) => {
                let [item, of] = &**sides;
                self.contains(&self.value(item, scope)?, self.value(of, scope)?)
            }
            Node::Test(test, sides) => {
                let [text, part] = &**sides;
                let (Value::Text(text), Value::Text(part)) = (self.value(text, scope)?, self.value(part, scope)?) else {
                    return Err(Stop::Error);
                };
                self.pay(text.len())?;
                Ok(match test {
                    Test::Contains => text.contains(&*part),
                    Test::EndsWith => text.ends_with(&*part),
                    Test::StartsWith => text.starts_with(&*part),
                })
            }
            Node::Matches(of, pattern) => {
                let Value::Text(text) = self.value(of, scope)? else { return Err(Stop::Error) };
                // A byte costs the more the longer the pattern is.
                self.pay(text.len().saturating_mul(pattern.length()))?;
                Ok(pattern.is_match(&text))
            }
            Node::Each(each @ (Each::All | Each::Exists | Each::ExistsOne), parts) => {
                let [of, step] = &**parts;
                let items = self.items(self.value(of, scope)?)?;
                let mut each_one = items.iter().map(|item| self.bool(step, Some(&Scope { value: item, outer: scope })));
                match each {
                    Each::All => decide(each_one, false),
                    Each::Exists => decide(each_one, true),
                    _ => each_one.try_fold(0, |count, one| Ok(count + usize::from(one?))).map(|count: usize| count == 1),
                }
            }
            _ => match self.value(node, scope)? {
                Value::Bool(value) => Ok(value),
                _ => Err(Stop::Error),
            },
        }
    }

    fn field(&self, field: usize, path: &[String]) -> Result<Value<'a>, Stop> {
        match self.facts.get(field) {
            Fact::Unknown => Err(Stop::Unknown),
            Fact::Absent | Fact::Unreadable => Err(Stop::Error),
            Fact::Text(text) => Ok(Value::Text(text)),
            Fact::Number(number) => Ok(Value::Number(number)),
            Fact::Bool(value) => Ok(Value::Bool(value)),
            Fact::Texts(items) => Ok(Value::Texts(items)),
            Fact::Json(text) => {
                self.pay(text.len())?;
                match raw::find(text, path)? {
                    Found::Value(value) => Ok(value),
                    Found::NoMember | Found::NoWay => Err(Stop::Error),
                }
            }
        }
    }

    fn has(&self, field: usize, path: &[String]) -> Result<bool, Stop> {
        match self.facts.get(field) {
            Fact::Unknown => Err(Stop::Unknown),
            Fact::Absent if path.is_empty() => Ok(false),
            Fact::Absent | Fact::Unreadable => Err(Stop::Error),
            Fact::Json(text) => {
                self.pay(text.len())?;
                match raw::find(text, path)? {
                    Found::Value(_) => Ok(true),
                    Found::NoMember => Ok(false),
                    Found::NoWay => Err(Stop::Error),
                }
            }
            Fact::Bool(_) | Fact::Number(_) | Fact::Text(_) | Fact::Texts(_) => Ok(true),
        }
    }

    fn member(&self, of: Value<'a>, name: &str) -> Result<Option<Value<'a>>, Stop> {
        self.pay(of.weight())?;
        match of {
            Value::JsonMap(text) => raw::member(text, name),
            Value::Map(entries) => {
                Ok(entries.into_iter().find(|(key, _)| matches!(key, Value::Text(key) if key == name)).map(|(_, value)| value))
            }
            _ => Err(Stop::Error),
        }
    }

    fn index(&self, of: Value<'a>, index: Value<'a>) -> Result<Value<'a>, Stop> {
        match (of, index) {
            (of @ (Value::JsonMap(_) | Value::Map(_)), Value::Text(name)) => self.member(of, &name)?.ok_or(Stop::Error),
            (of, Value::Number(Num::Int(index))) if of.is_list() => {
                let index = usize::try_from(index).map_err(|_| Stop::Error)?;
                self.items(of)?.into_iter().nth(index).ok_or(Stop::Error)
            }
            _ => Err(Stop::Error),
        }
    }

    fn contains(&self, item: &Value<'a>, of: Value<'a>) -> Result<bool, Stop> {
        self.pay(of.weight().saturating_add(item.weight()))?;
        match (item, &of) {
            (Value::Text(text), Value::Texts(items)) => return Ok(items.iter().any(|item| item == text)),
            (item, Value::Constants(items)) => {
                return decide(items.iter().map(|other| item.same(&Value::constant(other))), true);
            }
            (Value::Text(name), Value::JsonMap(_) | Value::Map(_)) => return self.member(of, name).map(|found| found.is_some()),
            // CEL has such keys; a map of ours has none of them.
            (Value::Bool(_) | Value::Number(_), Value::JsonMap(_) | Value::Map(_)) => return Ok(false),
            _ => {}
        }
        decide(of.items()?.iter().map(|other| item.same(other)), true)
    }

    fn map(&self, entries: &'a [(Node, Node)], scope: Outer<'_, 'a>) -> Result<Value<'a>, Stop> {
        let mut map: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.value(key, scope)?;
            if !matches!(key, Value::Text(_)) || find(&map, &key)?.is_some() {
                return Err(Stop::Error);
            }
            map.push((key, self.value(value, scope)?));
        }
        Ok(Value::Map(map))
    }

    /// What a macro goes through: the items of a list, the names of a map.
    fn items(&self, of: Value<'a>) -> Result<Vec<Value<'a>>, Stop> {
        self.pay(of.weight())?;
        if of.is_map() { Ok(of.entries()?.into_iter().map(|(name, _)| name).collect()) } else { of.items() }
    }

    fn size(&self, of: &Value<'a>) -> Result<Value<'a>, Stop> {
        self.pay(of.weight())?;
        let size = match of {
            Value::Text(text) => text.chars().count(),
            of if of.is_map() => of.clone().entries()?.len(),
            of => of.clone().items()?.len(),
        };
        i64::try_from(size).map(Num::Int).map(Value::Number).map_err(|_| Stop::Error)
    }

    fn arithmetic(&self, operator: Arithmetic, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Stop> {
        match (left, right) {
            (Value::Number(left), Value::Number(right)) => number(operator, left, right).map(Value::Number).ok_or(Stop::Error),
            (Value::Text(left), Value::Text(right)) if operator == Arithmetic::Add => {
                self.pay(left.len().saturating_add(right.len()))?;
                Ok(Value::Text(Cow::Owned(left.into_owned() + &right)))
            }
            (left, right) if operator == Arithmetic::Add && left.is_list() && right.is_list() => {
                self.pay(left.weight().saturating_add(right.weight()))?;
                let mut items = left.items()?;
                items.extend(right.items()?);
                Ok(Value::List(items))
            }
            _ => Err(Stop::Error),
        }
    }

    /// Takes a step, and more for what is to be looked through.
    fn pay(&self, bytes: usize) -> Result<(), Stop> {
        let steps = u32::try_from(bytes / 64).unwrap_or(u32::MAX).saturating_add(1);
        self.steps.set(self.steps.get().checked_sub(steps).ok_or(Stop::Error)?);
        Ok(())
    }
}

/// What `&&` (`decisive` is false) or `||` (it is true) makes of its operands: one that decides does, whatever the others
/// are; else what is not known may yet decide; else an error is one.
fn decide(operands: impl Iterator<Item = Result<bool, Stop>>, decisive: bool) -> Result<bool, Stop> {
    let mut open = Ok(!decisive);
    for operand in operands {
        match operand {
            Ok(value) if value == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(Stop::Unknown) => open = Err(Stop::Unknown),
            Err(Stop::Error) => open = open.and(Err(Stop::Error)),
        }
    }
    open
}

fn variable<'a>(between: usize, mut scope: Outer<'_, 'a>) -> Result<Value<'a>, Stop> {
    for _ in 0..between {
        scope = scope.and_then(|inner| inner.outer);
    }
    scope.map(|scope| scope.value.clone()).ok_or(Stop::Error)
}

/// Checked: no number is made that does not fit. Doubles follow IEEE 754.
fn number(operator: Arithmetic, left: Num, right: Num) -> Option<Num> {
    match (left, right) {
        (Num::Int(a), Num::Int(b)) => match operator {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide => a.checked_div(b),
            Arithmetic::Remainder => a.checked_rem(b),
        }
        .map(Num::Int),
        (Num::Uint(a), Num::Uint(b)) => match operator {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide => a.checked_div(b),
            Arithmetic::Remainder => a.checked_rem(b),
        }
        .map(Num::Uint),
        (Num::Double(a), Num::Double(b)) => match operator {
            Arithmetic::Add => Some(a + b),
            Arithmetic::Subtract => Some(a - b),
            Arithmetic::Multiply => Some(a * b),
            Arithmetic::Divide => Some(a / b),
            Arithmetic::Remainder => None,
        }
        .map(Num::Double),
        _ => None,
    }
}

fn convert(to: Conversion, value: Value<'_>) -> Result<Value<'_>, Stop> {
    let converted = match (to, value) {
        (Conversion::Bool, value @ Value::Bool(_)) | (Conversion::Text, value @ Value::Text(_)) => Some(value),
        (Conversion::Text, Value::Bool(value)) => Some(Value::Text(Cow::Borrowed(if value { "true" } else { "false" }))),
        (Conversion::Text, Value::Number(Num::Int(value))) => Some(Value::Text(Cow::Owned(value.to_string()))),
        (Conversion::Text, Value::Number(Num::Uint(value))) => Some(Value::Text(Cow::Owned(value.to_string()))),
        (Conversion::Int, Value::Number(value)) => int(value).map(|value| Value::Number(Num::Int(value))),
        (Conversion::Int, Value::Text(text)) => text.parse().ok().map(|value| Value::Number(Num::Int(value))),
        (Conversion::Double, Value::Number(value)) => Some(Value::Number(Num::Double(double(value)))),
        (Conversion::Double, Value::Text(text)) => double::read(&text).map(|value| Value::Number(Num::Double(value))),
        _ => None,
    };
    converted.ok_or(Stop::Error)
}

/// Towards zero; `None` where it does not fit.
#[expect(clippy::cast_possible_truncation, reason = "only where the whole part fits")]
fn int(value: Num) -> Option<i64> {
    match value {
        Num::Int(value) => Some(value),
        Num::Uint(value) => i64::try_from(value).ok(),
        Num::Double(value) => {
            (value > -9_223_372_036_854_775_808.0 && value < 9_223_372_036_854_775_808.0).then_some(value as i64)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "asked for in so many words")]
fn double(value: Num) -> f64 {
    match value {
        Num::Int(value) => value as f64,
        Num::Uint(value) => value as f64,
        Num::Double(value) => value,
    }
}
