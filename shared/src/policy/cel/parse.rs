//! Tokens to a tree, by precedence (CEL specification, "Syntax").

use super::lex::{Lexer, Token, TokenKind};
use super::node::{Arithmetic, Constant, Relation};
use super::problem::Problems;
use super::syntax::{Expr, ExprKind};
use super::value::Num;
use super::{MAX_DEPTH, MAX_TEXT};

/// Words that CEL keeps for itself.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Reads a whole text. `None` only if a problem was added.
pub(super) fn parse(text: &str, problems: &mut Problems<'_>) -> Option<Expr> {
    if text.len() > MAX_TEXT {
        problems.add(0, format!("the condition has {} bytes; at most {MAX_TEXT} are read", text.len()));
        return None;
    }
    let mut lexer = Lexer::new(text);
    let token = lexer.next();
    let mut parser = Parser { lexer, token, level: 0 };
    let parsed = parser.expression().and_then(|tree| match parser.token.kind {
        TokenKind::End => Ok(tree),
        _ => Err(parser.unexpected("the end, or an operator")),
    });
    parsed.map_err(|(at, text)| problems.add(at, text)).ok()
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    token: Token<'t>,
    level: usize,
}

/// Where the text is wrong, and how. Reading ends there: what follows would be guesswork.
type Wrong = (usize, String);

impl<'t> Parser<'t> {
    fn expression(&mut self) -> Result<Expr, Wrong> {
        self.level += 1;
        if self.level > MAX_DEPTH {
            return Err((self.token.at, too_deep()));
        }
        let tree = self.choice();
        self.level -= 1;
        tree
    }

    fn choice(&mut self) -> Result<Expr, Wrong> {
        let condition = self.or()?;
        let at = self.token.at;
        if !self.take("?") {
            return Ok(condition);
        }
        let yes = self.or()?;
        self.expect(":", "between the two values of `? :`")?;
        let no = self.expression()?;
        let depth = condition.depth.max(yes.depth).max(no.depth);
        node(at, depth, ExprKind::If(Box::new([condition, yes, no])))
    }

    fn or(&mut self) -> Result<Expr, Wrong> {
        self.chain("||", Self::and, ExprKind::Or)
    }

    fn and(&mut self) -> Result<Expr, Wrong> {
        self.chain("&&", |parser| parser.binary(0), ExprKind::And)
    }

    /// Any number of operands in one node, so that a long chain is not deep.
    fn chain(
        &mut self,
        sign: &'static str,
        operand: fn(&mut Self) -> Result<Expr, Wrong>,
        kind: fn(Vec<Expr>) -> ExprKind,
    ) -> Result<Expr, Wrong> {
        let first = operand(self)?;
        let at = self.token.at;
        if self.token.kind != TokenKind::Sign(sign) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.take(sign) {
            operands.push(operand(self)?);
        }
        let depth = operands.iter().map(|operand| operand.depth).max().unwrap_or_default();
        node(at, depth, kind(operands))
    }

    /// Relations, sums and products, which group from the left.
    fn binary(&mut self, power: usize) -> Result<Expr, Wrong> {
        let mut left = self.unary()?;
        loop {
            let TokenKind::Sign(sign) = self.token.kind else { return Ok(left) };
            let Some((strength, make)) = operator(sign).filter(|(strength, _)| *strength >= power) else { return Ok(left) };
            let at = self.token.at;
            self.advance();
            let right = self.binary(strength + 1)?;
            let depth = left.depth.max(right.depth);
            left = node(at, depth, make(Box::new([left, right])))?;
        }
    }

    fn unary(&mut self) -> Result<Expr, Wrong> {
        let at = self.token.at;
        let (sign, kind): (_, fn(Box<Expr>) -> ExprKind) = match self.token.kind {
            TokenKind::Sign("!") => ("!", ExprKind::Not),
            TokenKind::Sign("-") => ("-", ExprKind::Negate),
            _ => return self.member(false),
        };
        let mut count = 0;
        while self.take(sign) {
            count += 1;
        }
        let negative = sign == "-" && matches!(self.token.kind, TokenKind::Literal(_));
        let mut operand = self.member(negative)?;
        if negative
            && let ExprKind::Literal(Constant::Number(number)) = &mut operand.kind
            && let Some(negative) = number.negated()
        {
            *number = negative;
            count -= 1;
        }
        // Two of them are none but for the type check, which one pair is enough for.
        for _ in 0..if count > 2 { 2 - count % 2 } else { count } {
            let depth = operand.depth;
            operand = node(at, depth, kind(Box::new(operand)))?;
        }
        Ok(operand)
    }

    fn member(&mut self, negative: bool) -> Result<Expr, Wrong> {
        let mut of = self.primary(negative)?;
        loop {
            let at = self.token.at;
            let depth = of.depth;
            if self.take(".") {
                let name_at = self.token.at;
                let name = self.name("a name behind `.`")?;
                if self.token.kind == TokenKind::Sign("(") {
                    let arguments = self.arguments()?;
                    let depth = deepest(&arguments).max(depth);
                    of = node(name_at, depth, ExprKind::Call(Some(Box::new(of)), name, arguments))?;
                } else {
                    of = node(name_at, depth, ExprKind::Member(Box::new(of), name))?;
                }
            } else if self.take("[") {
                let index = self.expression()?;
                self.expect("]", "behind an index")?;
                let depth = depth.max(index.depth);
                of = node(at, depth, ExprKind::Index(Box::new(of), Box::new(index)))?;
            } else if self.token.kind == TokenKind::Sign("{") {
                return Err((at, "messages of a type are not supported".to_owned()));
            } else {
                return Ok(of);
            }
        }
    }

    fn primary(&mut self, negative: bool) -> Result<Expr, Wrong> {
        let at = self.token.at;
        match self.token.kind.clone() {
            TokenKind::Literal(Constant::Number(Num::Int(i64::MIN))) if !negative => {
                Err((at, "9223372036854775808 is too large for an integer. Write it with a `u` behind".to_owned()))
            }
            TokenKind::Literal(constant) => {
                self.advance();
                node(at, 0, ExprKind::Literal(constant))
            }
            // A member may be called so: `source.identity.namespace`.
            TokenKind::Name(name) if RESERVED.contains(&name) => Err((at, format!("`{name}` is a reserved word")))?,
            TokenKind::Name(_) => {
                let name = self.name("a value")?;
                if self.token.kind == TokenKind::Sign("(") {
                    let arguments = self.arguments()?;
                    node(at, deepest(&arguments), ExprKind::Call(None, name, arguments))
                } else {
                    node(at, 0, ExprKind::Name(name))
                }
            }
            TokenKind::Sign("(") => {
                self.advance();
                let inside = self.expression()?;
                self.expect(")", "behind a group")?;
                Ok(inside)
            }
            TokenKind::Sign("[") => {
                self.advance();
                let items = self.items("]", Self::expression)?;
                node(at, deepest(&items), ExprKind::List(items))
            }
            TokenKind::Sign("{") => {
                self.advance();
                let entries = self.items("}", |parser| {
                    let key = parser.expression()?;
                    parser.expect(":", "between key and value")?;
                    Ok((key, parser.expression()?))
                })?;
                let depth = entries.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or_default();
                node(at, depth, ExprKind::Map(entries))
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, Wrong> {
        self.advance();
        if self.take(")") {
            return Ok(Vec::new());
        }
        let mut items = vec![self.expression()?];
        while self.take(",") {
            items.push(self.expression()?);
        }
        self.expect(")", "behind the arguments")?;
        Ok(items)
    }

    /// Items with commas between them, and maybe one behind the last.
    fn items<T>(&mut self, close: &'static str, item: fn(&mut Self) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(item(self)?);
            if !self.take(",") {
                self.expect(close, "or `,` behind an item")?;
                break;
            }
        }
        Ok(items)
    }

    fn name(&mut self, wanted: &str) -> Result<String, Wrong> {
        match self.token.kind {
            TokenKind::Name(name) => {
                self.advance();
                Ok(name.to_owned())
            }
            TokenKind::Literal(_) | TokenKind::Sign(_) | TokenKind::End | TokenKind::Wrong(_) => Err(self.unexpected(wanted)),
        }
    }

    fn advance(&mut self) {
        self.token = self.lexer.next();
    }

    fn take(&mut self, sign: &'static str) -> bool {
        let there = self.token.kind == TokenKind::Sign(sign);
        if there {
            self.advance();
        }
        there
    }

    fn expect(&mut self, sign: &'static str, place: &str) -> Result<(), Wrong> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}` {place}"))) }
    }

    #[cold]
    fn unexpected(&self, wanted: &str) -> Wrong {
        let text = match &self.token.kind {
            TokenKind::Wrong(text) => text.clone(),
            TokenKind::End => format!("expected {wanted}, but the text ends"),
            TokenKind::Literal(_) => format!("expected {wanted}, found a literal"),
            TokenKind::Name(name) => format!("expected {wanted}, found `{name}`{}", word_operator(name)),
            TokenKind::Sign(sign) => format!("expected {wanted}, found `{sign}`"),
        };
        (self.token.at, text)
    }
}

/// What the operators of other languages are here.
fn word_operator(name: &str) -> &'static str {
    match name {
        "and" | "AND" => ". Write `&&`",
        "or" | "OR" => ". Write `||`",
        "not" | "NOT" => ". Write `!`",
        _ => "",
    }
}

type Make = fn(Box<[Expr; 2]>) -> ExprKind;

/// How strongly an operator holds, and what it makes.
fn operator(sign: &str) -> Option<(usize, Make)> {
    macro_rules! make {
        ($kind:ident $of:expr) => {
            |operands| ExprKind::$kind($of, operands)
        };
    }
    Some(match sign {
        "==" => (1, make!(Compare Relation::Equal)),
        "!=" => (1, make!(Compare Relation::NotEqual)),
        "<" => (1, make!(Compare Relation::Less)),
        "<=" => (1, make!(Compare Relation::LessOrEqual)),
        ">" => (1, make!(Compare Relation::Greater)),
        ">=" => (1, make!(Compare Relation::GreaterOrEqual)),
        "in" => (1, ExprKind::In),
        "+" => (2, make!(Arithmetic Arithmetic::Add)),
        "-" => (2, make!(Arithmetic Arithmetic::Subtract)),
        "*" => (3, make!(Arithmetic Arithmetic::Multiply)),
        "/" => (3, make!(Arithmetic Arithmetic::Divide)),
        "%" => (3, make!(Arithmetic Arithmetic::Remainder)),
        _ => return None,
    })
}

fn deepest(items: &[Expr]) -> usize {
    items.iter().map(|item| item.depth).max().unwrap_or_default()
}

fn node(at: usize, below: usize, kind: ExprKind) -> Result<Expr, Wrong> {
    if below >= MAX_DEPTH { Err((at, too_deep())) } else { Ok(Expr { at, depth: below + 1, kind }) }
}

fn too_deep() -> String {
    format!("nested too deeply: at most {MAX_DEPTH} levels are read")
}
