//! Items of a pattern: characters, escapes, classes.

use super::program::{Look, Step};
use super::read::{ANY_CASE, CRLF, DOT_IS_ALL, LINES, Read, Reader, TOO_LARGE};
use super::set::Set;

const NO_BRACKET: &str = "a `[` has no `]`";

/// What one item of a pattern or of a class is.
enum Item {
    Char(char),
    Set(Set),
    Look(Look),
}

impl Reader<'_> {
    /// One item outside of a class, which is one step.
    pub(super) fn item(&mut self) -> Read<Step> {
        let has = |flag: u8| self.flags & flag != 0;
        let look = |all, line, crlf| match (has(LINES), has(CRLF)) {
            (false, _) => all,
            (true, false) => line,
            (true, true) => crlf,
        };
        let (start, end) = (look(Look::Start, Look::LineStart, Look::CrlfStart), look(Look::End, Look::LineEnd, Look::CrlfEnd));
        let (lf, cr) = ((0x0A, 0x0A), (0x0D, 0x0D));
        let dot: &[_] = if has(DOT_IS_ALL) {
            &[]
        } else if has(CRLF) {
            &[lf, cr]
        } else {
            &[lf]
        };
        let set = match self.next() {
            Some('^') => return Ok(Step::Look(start)),
            Some('$') => return Ok(Step::Look(end)),
            Some('.') => Set::all_but(dot),
            Some('[') => self.class()?,
            Some('\\') => match self.escape()? {
                Item::Look(look) => return Ok(Step::Look(look)),
                Item::Set(set) => set,
                Item::Char(c) => return Ok(self.char(c)),
            },
            Some(c) => return Ok(self.char(c)),
            None => return Err(TOO_LARGE),
        };
        Ok(self.set(set))
    }

    fn set(&mut self, set: Set) -> Step {
        self.sets.push(set);
        Step::Set(self.sets.len().saturating_sub(1))
    }

    fn char(&mut self, c: char) -> Step {
        if self.flags & ANY_CASE == 0 || !c.is_ascii_alphabetic() {
            return Step::Char(c);
        }
        let mut set = Set::one(c);
        set.fold();
        self.set(set)
    }

    /// Behind a backslash.
    fn escape(&mut self) -> Read<Item> {
        let c = self.next().ok_or("it ends with a backslash")?;
        let word = |which| Item::Look(Look::Word(which));
        Ok(match c {
            '0'..='9' => return Err("back-references are not there"),
            'p' | 'P' => return Err("Unicode classes are not there"),
            'x' => Item::Char(self.hex(2)?),
            'u' => Item::Char(self.hex(4)?),
            'U' => Item::Char(self.hex(8)?),
            'd' | 'D' => class("digit", c == 'D'),
            's' | 'S' => class("space", c == 'S'),
            'w' | 'W' => class("word", c == 'W'),
            'a' => Item::Char('\x07'),
            'f' => Item::Char('\x0C'),
            't' => Item::Char('\t'),
            'n' => Item::Char('\n'),
            'r' => Item::Char('\r'),
            'v' => Item::Char('\x0B'),
            'A' => Item::Look(Look::Start),
            'z' => Item::Look(Look::End),
            'b' => word(self.boundary()?),
            'B' => word(0b1001),
            '<' => word(0b0010),
            '>' => word(0b0100),
            c if c.is_ascii() && !c.is_ascii_alphabetic() => Item::Char(c),
            _ => return Err("there is no such escape"),
        })
    }

    /// Behind `\b`: one of four sides of a word in braces, or else a repetition follows.
    fn boundary(&mut self) -> Read<u8> {
        let before = self.rest;
        let is_name = |c: &char| c.is_ascii_alphabetic() || *c == '-';
        let mut name = String::new();
        if self.peek() == Some('{') {
            self.next_and_space();
            while let Some(c) = self.peek().filter(is_name) {
                name.push(c);
                self.next_and_space();
            }
        }
        if name.is_empty() {
            self.rest = before;
            return Ok(0b0110);
        }
        match (&*name, self.skip("}")) {
            ("start", true) => Ok(0b0010),
            ("end", true) => Ok(0b0100),
            ("start-half", true) => Ok(0b0011),
            ("end-half", true) => Ok(0b0101),
            _ => Err("behind `\\b` stands `{start}`, `{end}`, `{start-half}` or `{end-half}`"),
        }
    }

    /// Behind `\x` and its like.
    fn hex(&mut self, digits: usize) -> Read<char> {
        self.skip_space();
        let in_braces = self.skip("{");
        let mut number = Some(0_u32);
        let mut count = 0_usize;
        while in_braces || count < digits {
            self.skip_space();
            if in_braces && count > 0 && self.peek() == Some('}') {
                break;
            }
            let digit = self.next().and_then(|c| c.to_digit(16)).ok_or("a hexadecimal digit is missing")?;
            number = number.and_then(|number| number.checked_mul(16)?.checked_add(digit));
            count = count.saturating_add(1);
        }
        if in_braces {
            self.next();
        }
        self.skip_space();
        number.and_then(char::from_u32).ok_or("a hexadecimal number is no character")
    }

    /// Behind `[`.
    fn class(&mut self) -> Read<Set> {
        self.skip_space();
        let mut set = Set { outside: self.skip("^"), ..Set::default() };
        self.skip_space();
        while self.skip("-") {
            set.add(&Set::one('-'));
            self.skip_space();
        }
        // An empty class cannot be written.
        if set.ranges.is_empty() && self.skip("]") {
            set.add(&Set::one(']'));
        }
        loop {
            self.skip_space();
            match self.peek().ok_or(NO_BRACKET)? {
                ']' => break,
                '[' => set.add(&self.named().ok_or("a class in a class is not there, but for `[:alpha:]` and its like")?),
                _ if ["&&", "--", "~~"].iter().any(|set| self.rest.starts_with(set)) => {
                    return Err("in a class `&&`, `--` and `~~` are not there");
                }
                _ => self.range(&mut set)?,
            }
        }
        self.next();
        if self.flags & ANY_CASE != 0 {
            set.fold();
        }
        Ok(set)
    }

    /// One item of a class, or two and what is between.
    fn range(&mut self, set: &mut Set) -> Read<()> {
        let first = self.class_item()?;
        self.skip_space();
        let before = self.rest;
        if self.skip("-") {
            self.skip_space();
            if !matches!(self.peek(), Some(']' | '-')) {
                let (Item::Char(first), Item::Char(last)) = (first, self.class_item()?) else {
                    return Err("a range in a class begins and ends with a single character");
                };
                if first > last {
                    return Err("a range in a class ends before it begins");
                }
                set.ranges.push((first.into(), last.into()));
                return Ok(());
            }
            self.rest = before;
        }
        match first {
            Item::Char(c) => set.add(&Set::one(c)),
            Item::Set(other) => set.add(&other),
            Item::Look(_) => return Err("a class has characters only"),
        }
        Ok(())
    }

    fn class_item(&mut self) -> Read<Item> {
        match self.next().ok_or(NO_BRACKET)? {
            '\\' => self.escape(),
            c => Ok(Item::Char(c)),
        }
    }

    /// `[:name:]` or `[:^name:]`, if that stands here.
    fn named(&mut self) -> Option<Set> {
        let (name, rest) = self.rest.strip_prefix("[:")?.split_once(":]")?;
        let outside = name.strip_prefix('^');
        let set = Set::named(outside.unwrap_or(name), outside.is_some())?;
        self.rest = rest;
        Some(set)
    }
}

fn class(name: &str, outside: bool) -> Item {
    Item::Set(Set::named(name, outside).unwrap_or_default())
}
