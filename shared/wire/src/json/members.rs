//! Objects of many small members, which are most of some large texts.

use super::names::{Entry, ROOM};
use super::{Reader, scan};

/// The longest plain member: a name and a text of sixteen characters each, and what stands around them.
const LONGEST: usize = 40;
/// Once in so many values plain members are looked for: where there are few, they are not worth it.
pub(super) const TRY: usize = 32;
/// So many at once are worth a look.
const WORTH: usize = 8;
/// Digits of the longest plain number.
const DIGITS: usize = 8;

/// How often plain members are looked for: half as often each time that there were hardly any.
#[derive(Default)]
pub(super) struct Patience {
    /// Looks that were left out.
    waited: u32,
    /// Looks to leave out.
    waits: u32,
}

impl Reader<'_> {
    /// Takes plain members from `at` on, where a member is to begin, no more than `most`: how many there were, and where the next member
    /// is to begin. It says nothing of what stands there.
    #[inline(never)]
    pub(super) fn plain_members(&mut self, mut at: usize, most: usize, patience: &mut Patience) -> (usize, usize) {
        let mut count = 0;
        if patience.waited < patience.waits {
            patience.waited = patience.waited.wrapping_add(1);
            return (count, at);
        }
        while self.limits.number >= DIGITS {
            let room = self.names.room();
            let lot = room.len().min(most.wrapping_sub(count));
            let (taken, behind) = plain_members(self.text, at, room.get_mut(..lot).unwrap_or_default());
            self.names.keep(taken);
            (count, at) = (count.wrapping_add(taken), behind);
            if taken < ROOM {
                break;
            }
        }
        let waits = if count < WORTH { patience.waits.saturating_mul(2).saturating_add(1) } else { 0 };
        *patience = Patience { waited: 0, waits };
        (count, at)
    }
}

/// The names of plain members: how many there are, and where the next member is to begin.
///
/// A plain member is `"name":"text",` or `"name":123,` without a blank; the name and the text are up to sixteen plain characters of ASCII.
/// It calls nothing, so that all of it stays in registers.
#[inline(never)]
fn plain_members(text: &[u8], start: usize, entries: &mut [Entry]) -> (usize, usize) {
    let (mut at, mut count, marks) = (start, 0, scan::Marks::kept());
    for entry in entries {
        let Some(member) = text.get(at..).and_then(|rest| rest.first_chunk::<LONGEST>()) else { break };
        let (Some(b'"'), Some(name)) = (member.first(), part(member, 1)) else { break };
        let length = marks.special(name);
        let value = length + 3;
        if part(member, length + 1) != Some(b"\":") {
            break;
        }
        let first = member.get(value).copied().unwrap_or_default();
        let behind = if first == b'"' {
            let Some(inside) = part(member, value + 1) else { break };
            let quote = value + 1 + marks.special(inside);
            if part(member, quote) != Some(b"\",") {
                break;
            }
            quote + 2
        } else {
            let Some(number) = part(member, value) else { break };
            let comma = value + scan::digits_in(number);
            if first.wrapping_sub(b'1') >= 9 || member.get(comma) != Some(&b',') {
                break;
            }
            comma + 1
        };
        *entry = Entry::first_of(member, at, length);
        at = at.wrapping_add(behind);
        count += 1;
    }
    (count, at)
}

#[inline(always)]
fn part<const LENGTH: usize>(member: &[u8; LONGEST], at: usize) -> Option<&[u8; LENGTH]> {
    member.get(at..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Error, ErrorKind, Kind, Limits, check};
    use super::*;

    /// Reads value by value, so that no member is a plain one.
    fn walk(reader: &mut Reader<'_>) -> Result<(), Error> {
        match reader.peek()? {
            Kind::Map => reader.object(|_, reader| walk(reader)).map(drop),
            Kind::List => reader.array(|_, reader| walk(reader)).map(drop),
            Kind::String => reader.string().map(drop),
            _ => reader.skip().map(drop),
        }
    }

    fn slowly(text: &[u8], limits: Limits) -> Result<(), Error> {
        let mut reader = Reader::new(text, limits);
        walk(&mut reader)?;
        reader.finish()
    }

    /// The same whether members are plain or not, and where it is an error the same error.
    fn agree(text: &str, limits: Limits) {
        let (fast, slow) = (check(text.as_bytes(), limits), slowly(text.as_bytes(), limits));
        assert_eq!(fast, slow, "{text}");
    }

    fn members(count: usize) -> Vec<String> {
        (0..count)
            .map(
                |index| if index % 2 == 0 { format!("\"f{index}\":{}", index + 1) } else { format!("\"g{index}\":\"v{index}\"") },
            )
            .collect()
    }

    #[test]
    fn plain_members_are_taken() {
        let text = format!("{},", members(100).join(","));
        let read = |most, limits| Reader::new(text.as_bytes(), limits).plain_members(0, most, &mut Patience::default());
        let (count, behind) = read(1000, Limits::default());
        // The last few are too close to the end of the text.
        assert!((90..100).contains(&count), "{count}");
        assert_eq!(text.bytes().take(behind).filter(|byte| *byte == b',').count(), count);
        assert_eq!(read(40, Limits::default()).0, 40, "no more than are left");
        assert_eq!(read(1000, Limits { number: 7, ..Limits::default() }).0, 0, "a number of eight digits would be too long");
    }

    #[test]
    fn what_is_wrong_among_them_is_found() {
        let wrong = [
            "\"f0\":1",
            "\"f10\":1",
            "\"g11\":2",
            "\"\\u006611\":1",
            "\"f\\u0031\":1",
            "\"ab\" :1",
            " \"ab\": 1 ",
            "\"ab\":01",
            "\"ab\":-1",
            "\"ab\":1.5",
            "\"ab\":1e",
            "\"ab\":0",
            "\"ab\":123456789",
            "\"ab\":12345678",
            "\"ab\":true",
            "\"ab\":nul",
            "\"ab\":\"a\nb\"",
            "\"a\tb\":1",
            "\"ab\":\"\u{e4}\"",
            "\"\u{e4}\":1",
            "\"ab\":\"0123456789abcdef\"",
            "\"ab\":\"0123456789abcdefg\"",
            "\"0123456789abcdef\":1",
            "\"0123456789abcdefg\":1",
            "\"ab\":{\"a\":1}",
            "\"ab\":[1,2]",
            "\"ab\":{\"a\":1,\"a\":2}",
            "ab:1",
            "\"ab\"1",
            "\"ab\":",
            "\"\":\"\"",
            "\"ab\":\"\\\"\"",
            "\"ab\":\"\\x\"",
            "\"ab\":1}",
            "\"ab\":1,",
            "",
            "\"ab\":1\"c\":2",
            "\"ab\":\"c\"\"d\":2",
            "\"ab:1",
            "\"ab\":\"c",
            "\"ab\":x",
            "\"ab\":1x",
        ];
        for wrong in wrong {
            for at in (0..60).step_by(3) {
                let mut all = members(60);
                all.insert(at, wrong.into());
                agree(&format!("{{{}}}", all.join(",")), Limits::default());
            }
        }
    }

    #[test]
    fn limits_hold_among_them() {
        let text = format!("{{{}}}", members(100).join(","));
        for nodes in 0..103 {
            let limits = Limits { nodes, ..Limits::default() };
            agree(&text, limits);
            assert_eq!(check(text.as_bytes(), limits).is_ok(), nodes > 100);
        }
        for number in 0..9 {
            agree(&text.replace(":9,", ":12345678,"), Limits { number, ..Limits::default() });
        }
    }

    #[test]
    fn a_name_that_comes_again_is_an_error_wherever_both_stand() {
        let all = members(90);
        for (first, second) in (0..89).flat_map(|first| (first + 1..90).map(move |second| (first, second))) {
            let mut all = all.clone();
            all[second] = all[first].clone();
            let text = format!("{{{}}}", all.join(","));
            let at = all[..second].iter().map(|member| member.len() + 1).sum::<usize>() + 1;
            assert_eq!(check(text.as_bytes(), Limits::default()), Err(Error { kind: ErrorKind::DuplicateMember, at }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_byte_makes_no_difference_between_them(at in any::<prop::sample::Index>(), byte in prop::sample::select(&b"\"\\,:{}[]019ax-. \n\x1f"[..])) {
            let mut text = format!("{{{}}}", members(70).join(",")).into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            agree(core::str::from_utf8(&text).unwrap(), Limits::default());
        }
    }
}
