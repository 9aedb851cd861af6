//! Lengths of time as people write them.

use super::decode::Decode;
use super::problems::Problems;
use crate::json::{Node, push_number};
use crate::time::Duration;

/// Units, the largest first, and their milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// `250ms`, `2s`, `5m`, `1h`: a whole number and one unit.
impl Decode for Duration {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let found = match node {
            Node::String(text) => read(text),
            _ => None,
        };
        if found.is_none() {
            problems.add("expected a length of time such as `250ms`, `2s`, `5m` or `1h`");
        }
        found
    }

    fn schema() -> String {
        r#"{"type":"string","pattern":"^[0-9]+(ms|s|m|h)$"}"#.to_owned()
    }

    fn shown(&self) -> Option<String> {
        let millis = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let (unit, size) = UNITS.into_iter().find(|(_, size)| millis > 0 && millis.is_multiple_of(*size)).unwrap_or(("s", 1_000));
        let mut out = String::from("\"");
        push_number(&mut out, millis / size);
        out.push_str(unit);
        out.push('"');
        Some(out)
    }
}

fn read(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit)?.parse::<u64>().ok()?;
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit() {
        for (text, millis) in [("250ms", 250), ("2s", 2_000), ("5m", 300_000), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(read(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(read(text).and_then(|d| d.shown()), Some(format!("\"{text}\"")));
        }
        for text in ["", "2", "s", "2 s", "-2s", "2S", "2d", "1h30m", "1.5s", "99999999999999999999s", "9999999999999999999h"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
