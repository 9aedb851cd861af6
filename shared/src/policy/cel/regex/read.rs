//! From a pattern to its program, in one pass.

use super::Regex;
use super::program::Step;
use super::set::Set;

/// Most steps of a program.
const STEPS: usize = 10_000;
/// Deepest nesting of groups.
const DEPTH: usize = 50;
/// The flags that there are; a flag is the bit of its place. Greed (`U`) and Unicode (`u`) are no difference here.
const FLAGS: &str = "imsxRUu";
pub(super) const ANY_CASE: u8 = 1;
pub(super) const LINES: u8 = 1 << 1;
pub(super) const DOT_IS_ALL: u8 = 1 << 2;
const SPACED: u8 = 1 << 3;
pub(super) const CRLF: u8 = 1 << 4;

pub(super) const TOO_LARGE: &str = "it becomes too large";
const NO_BRACE: &str = "a `{` has no `}`";

pub(super) type Read<T> = Result<T, &'static str>;

/// Reads a pattern; the error says what is wrong with it.
pub(in super::super) fn read(pattern: &str) -> Read<Regex> {
    let mut reader = Reader { rest: pattern, flags: 0, names: Vec::new(), sets: Vec::new() };
    let steps = reader.branches(0)?;
    Ok(Regex { steps, sets: reader.sets, length: pattern.len() })
}

pub(super) struct Reader<'a> {
    pub(super) rest: &'a str,
    pub(super) flags: u8,
    names: Vec<&'a str>,
    pub(super) sets: Vec<Set>,
}

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let next = rest.next();
        self.rest = rest.as_str();
        next
    }

    pub(super) fn skip(&mut self, what: &str) -> bool {
        let behind = self.rest.strip_prefix(what);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    /// Under `x` a pattern may have white space and comments.
    pub(super) fn skip_space(&mut self) {
        while self.flags & SPACED != 0 {
            self.rest = self.rest.trim_start();
            if !self.skip("#") {
                return;
            }
            while !matches!(self.next(), None | Some('\n')) {}
        }
    }

    pub(super) fn next_and_space(&mut self) -> Option<char> {
        let next = self.next();
        self.skip_space();
        next
    }

    /// Branches up to the end of a group or of the pattern.
    fn branches(&mut self, depth: usize) -> Read<Vec<Step>> {
        if depth > DEPTH {
            return Err("groups are nested too deeply");
        }
        let (mut steps, mut branch, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        // Where the last item of the branch begins, which is what a repetition repeats.
        let mut item = None;
        loop {
            self.skip_space();
            let from = branch.len();
            match self.peek() {
                None => break,
                Some(')') if depth == 0 => return Err("a `)` has no `(`"),
                Some(')') => break,
                Some('|') => {
                    self.next();
                    steps.push(Step::Split(distance(from.saturating_add(2))));
                    steps.append(&mut branch);
                    ends.push(steps.len());
                    steps.push(Step::Jump(0));
                    item = None;
                }
                Some('(') => {
                    if let Some(mut group) = self.group(depth)? {
                        branch.append(&mut group);
                        item = Some(from);
                    }
                }
                Some('?' | '*' | '+' | '{') => {
                    let from = item.ok_or("there is nothing that `?`, `*`, `+` or `{` repeats")?;
                    let (least, most) = self.times()?;
                    repeat(&mut branch, from, least, most)?;
                }
                Some(_) => {
                    let step = self.item()?;
                    branch.push(step);
                    item = Some(from);
                }
            }
            if steps.len().saturating_add(branch.len()) > STEPS {
                return Err(TOO_LARGE);
            }
        }
        steps.append(&mut branch);
        let end = steps.len();
        for at in ends {
            if let Some(step) = steps.get_mut(at) {
                *step = Step::Jump(distance(end.saturating_sub(at)));
            }
        }
        Ok(steps)
    }

    /// From `(`. Nothing if only flags are set, for what follows in this group.
    fn group(&mut self, depth: usize) -> Read<Option<Vec<Step>>> {
        let outer = self.flags;
        self.next_and_space();
        if ["?=", "?!", "?<=", "?<!"].iter().any(|look| self.rest.starts_with(look)) {
            return Err("look-around is not there");
        }
        let mut is_group = true;
        if self.skip("?P<") || self.skip("?<") {
            self.name()?;
        } else if self.skip("?") {
            is_group = self.flags()?;
        }
        let group = if is_group { Some(self.branches(depth.saturating_add(1))?) } else { None };
        if !self.skip(")") {
            return Err("a `(` has no `)`");
        }
        if is_group {
            self.flags = outer;
        }
        Ok(group)
    }

    fn name(&mut self) -> Read<()> {
        let (name, rest) = self.rest.split_once('>').ok_or("the name of a group has no `>`")?;
        let inside = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']');
        if !name.starts_with(|c: char| inside(c) && !matches!(c, '0'..='9' | '.' | '[' | ']')) || !name.chars().all(inside) {
            return Err("a group's name begins with a letter or `_`, and goes on with letters, digits, `_`, `.`, `[` and `]`");
        }
        if self.names.contains(&name) {
            return Err("two groups have one name");
        }
        self.names.push(name);
        self.rest = rest;
        Ok(())
    }

    /// Behind `(?`, up to `:`, which is passed, or `)`. Whether a group follows.
    fn flags(&mut self) -> Read<bool> {
        let (mut seen, mut is_off, mut last) = (0, false, '?');
        loop {
            let flag = self.peek().ok_or("flags `(?…` end with `:` or `)`")?;
            if matches!(flag, ':' | ')') {
                if last == '-' || (flag, last) == (')', '?') {
                    return Err("a flag is missing");
                }
                return Ok(self.skip(":"));
            }
            self.next();
            last = flag;
            if flag == '-' && !is_off {
                is_off = true;
                continue;
            }
            let bit = FLAGS.find(flag).map_or(0, |place| 1_u8 << place);
            if bit == 0 {
                return Err("there is no such flag: there are `i`, `m`, `s`, `x`, `R`, `U` and `u`");
            }
            if seen & bit != 0 {
                return Err("a flag stands twice");
            }
            seen |= bit;
            self.flags = if is_off { self.flags & !bit } else { self.flags | bit };
        }
    }

    /// How often: at least, and at most if there is such a number.
    fn times(&mut self) -> Read<(usize, Option<usize>)> {
        let times = match self.next() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            _ => {
                self.skip_space();
                let least = self.number()?;
                let mut most = Some(least);
                if self.skip(",") {
                    self.skip_space();
                    most = if self.peek() == Some('}') { None } else { Some(self.number()?) };
                }
                if self.next_and_space() != Some('}') {
                    return Err(NO_BRACE);
                }
                if most.is_some_and(|most| least > most) {
                    return Err("a repetition's first number is the larger one");
                }
                (least, most)
            }
        };
        self.skip("?");
        Ok(times)
    }

    fn number(&mut self) -> Read<usize> {
        self.rest = self.rest.trim_start();
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            // What is larger than any program is too large in any case.
            number = Some(number.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit as usize));
            self.next_and_space();
        }
        self.rest = self.rest.trim_start();
        self.skip_space();
        number.ok_or(if self.rest.is_empty() { NO_BRACE } else { "a `{` that is meant as itself is written `\\{`" })
    }
}

/// Repeats what stands from `from` on.
fn repeat(steps: &mut Vec<Step>, from: usize, least: usize, most: Option<usize>) -> Read<()> {
    let piece = steps.split_off(from);
    let long = piece.len().saturating_add(1);
    if piece.is_empty() {
        return Ok(());
    }
    if long.saturating_mul(most.unwrap_or(least).max(1)) > STEPS {
        return Err(TOO_LARGE);
    }
    for _ in 0..least {
        steps.extend_from_slice(&piece);
    }
    match most {
        None if least == 0 => {
            steps.push(Step::Split(distance(long.saturating_add(1))));
            steps.extend_from_slice(&piece);
            steps.push(Step::Jump(-distance(long)));
        }
        None => steps.push(Step::Split(-distance(piece.len()))),
        // Each may be the last.
        Some(most) => {
            for left in (1..=most.saturating_sub(least)).rev() {
                steps.push(Step::Split(distance(long.saturating_mul(left))));
                steps.extend_from_slice(&piece);
            }
        }
    }
    Ok(())
}

/// No program is so large that this does not fit.
fn distance(steps: usize) -> isize {
    isize::try_from(steps).unwrap_or(isize::MAX)
}
