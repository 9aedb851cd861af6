//! What a pattern becomes, and how it is run: all places in the program at once, so the work is at most steps times characters.

use super::set::Set;

/// Where a step goes is said as a distance from it, so that a piece of a program can be put anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Takes this character.
    Char(char),
    /// Takes a character of the set of this number.
    Set(usize),
    /// Takes nothing.
    Look(Look),
    /// Goes on behind itself and there.
    Split(isize),
    /// Goes on there.
    Jump(isize),
}

/// What stands before and behind a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    Start,
    End,
    LineStart,
    LineEnd,
    /// With `\r\n` as one end of a line.
    CrlfStart,
    CrlfEnd,
    /// Bit `2 b + a` says whether it holds if a letter of a word stands before (b) and behind (a).
    Word(u8),
}

impl Look {
    fn holds(self, before: Option<char>, behind: Option<char>) -> bool {
        match self {
            Self::Start => before.is_none(),
            Self::End => behind.is_none(),
            Self::LineStart => matches!(before, None | Some('\n')),
            Self::LineEnd => matches!(behind, None | Some('\n')),
            Self::CrlfStart => matches!(before, None | Some('\n')) || before == Some('\r') && behind != Some('\n'),
            Self::CrlfEnd => matches!(behind, None | Some('\r')) || behind == Some('\n') && before != Some('\r'),
            Self::Word(where_) => where_ >> (2 * is_word(before) + is_word(behind)) & 1 == 1,
        }
    }
}

fn is_word(c: Option<char>) -> u8 {
    u8::from(c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// One run of a program. Its end is the place behind its last step.
pub(super) struct Run<'a> {
    steps: &'a [Step],
    sets: &'a [Set],
    /// For each step, the last place of the text at which it was reached, from 1 on.
    reached: Vec<usize>,
    /// Steps to go on with.
    next: Vec<usize>,
    /// Steps that take a character, at this place of the text.
    takers: Vec<usize>,
}

impl<'a> Run<'a> {
    pub(super) fn new(steps: &'a [Step], sets: &'a [Set]) -> Self {
        Self { steps, sets, reached: vec![0; steps.len()], next: Vec::new(), takers: Vec::new() }
    }

    /// Whether the program comes to its end in some part of the text.
    pub(super) fn finds(mut self, text: &str) -> bool {
        // A pattern that begins with `^` begins nowhere else.
        let is_anchored = matches!(self.steps.first(), Some(Step::Look(Look::Start)));
        let mut before = None;
        let mut rest = text.chars();
        for place in 1_usize.. {
            let behind = rest.next();
            if place == 1 || !is_anchored {
                self.next.push(0);
            }
            if self.ends(place, before, behind) {
                return true;
            }
            let Some(c) = behind else { return false };
            for at in self.takers.drain(..) {
                let takes = match self.steps.get(at) {
                    Some(Step::Char(one)) => *one == c,
                    Some(Step::Set(set)) => self.sets.get(*set).is_some_and(|set| set.has(c)),
                    _ => false,
                };
                if takes {
                    self.next.push(at.wrapping_add(1));
                }
            }
            if is_anchored && self.next.is_empty() {
                return false;
            }
            before = Some(c);
        }
        false
    }

    /// Goes from all that is next as far as no character is taken. Whether the end is reached.
    fn ends(&mut self, place: usize, before: Option<char>, behind: Option<char>) -> bool {
        while let Some(at) = self.next.pop() {
            let (Some(step), Some(reached)) = (self.steps.get(at), self.reached.get_mut(at)) else { return true };
            if *reached == place {
                continue;
            }
            *reached = place;
            let behind_it = at.wrapping_add(1);
            match step {
                Step::Char(_) | Step::Set(_) => self.takers.push(at),
                Step::Look(look) if look.holds(before, behind) => self.next.push(behind_it),
                Step::Look(_) => {}
                Step::Split(far) => self.next.extend([behind_it, at.wrapping_add_signed(*far)]),
                Step::Jump(far) => self.next.push(at.wrapping_add_signed(*far)),
            }
        }
        false
    }
}
