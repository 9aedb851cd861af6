//! Sets of characters.

/// Characters by ranges. What is in none of them, if `outside`.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    pub(super) ranges: Vec<(u32, u32)>,
    pub(super) outside: bool,
}

/// Classes by their names: the first and the last of each range.
const NAMED: &[(&str, &[u8])] = &[
    ("alnum", b"09AZaz"),
    ("alpha", b"AZaz"),
    ("ascii", b"\0\x7f"),
    ("blank", b"\t\t  "),
    ("cntrl", b"\0\x1f\x7f\x7f"),
    ("digit", b"09"),
    ("graph", b"!~"),
    ("lower", b"az"),
    ("print", b" ~"),
    ("punct", b"!/:@[`{~"),
    ("space", b"\t\r  "),
    ("upper", b"AZ"),
    ("word", b"09AZ__az"),
    ("xdigit", b"09AFaf"),
];

impl Set {
    /// One character.
    pub(super) fn one(c: char) -> Self {
        Self { ranges: vec![(c.into(), c.into())], outside: false }
    }

    /// All but these.
    pub(super) fn all_but(ranges: &[(u32, u32)]) -> Self {
        Self { ranges: ranges.to_vec(), outside: true }
    }

    /// The class of a name, or what is not in it.
    pub(super) fn named(name: &str, outside: bool) -> Option<Self> {
        let (_, bounds) = NAMED.iter().find(|(known, _)| *known == name)?;
        let ranges = bounds.chunks(2).filter_map(|pair| Some((u32::from(*pair.first()?), u32::from(*pair.last()?))));
        Some(Self { ranges: ranges.collect(), outside })
    }

    pub(super) fn has(&self, c: char) -> bool {
        let c = u32::from(c);
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != self.outside
    }

    /// Puts in what `other` has. Its ranges are in order if it has what is outside of them.
    pub(super) fn add(&mut self, other: &Self) {
        if !other.outside {
            self.ranges.extend_from_slice(&other.ranges);
            return;
        }
        let mut from = 0;
        for (first, last) in &other.ranges {
            if *first > from {
                self.ranges.push((from, first.saturating_sub(1)));
            }
            from = last.saturating_add(1);
        }
        self.ranges.push((from, u32::from(char::MAX)));
    }

    /// Puts in the letters of the other case, ASCII only.
    pub(super) fn fold(&mut self) {
        for at in 0..self.ranges.len() {
            let Some((first, last)) = self.ranges.get(at).copied() else { return };
            for (a, z, case) in [(b'a', b'z', 0), (b'A', b'Z', 0x20)] {
                let (first, last) = (first.max(a.into()), last.min(z.into()));
                if first <= last {
                    // The bit 0x20 is the difference.
                    self.ranges.push((first & !0x20 | case, last & !0x20 | case));
                }
            }
        }
    }
}
