//! Durations: a whole number and its unit, `250ms`, `2s`, `5m`, `1h`, `7d`.

use super::{Decode, Problems};
use crate::json::Node;
use crate::time::Duration;

/// Units, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Decode for Duration {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = String::decode(node, problems)?;
        let read = read(&text);
        if read.is_none() {
            problems.add(format!("`{text}` is no duration. Write a whole number and `ms`, `s`, `m`, `h` or `d`: `2s`"));
        }
        read
    }

    fn schema() -> String {
        r#"{"type":"string","pattern":"^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$"}"#.to_owned()
    }

    fn shown(&self) -> Option<String> {
        let millis = u64::try_from(self.as_millis()).ok()?;
        let (unit, size) = UNITS.iter().find(|(_, size)| millis >= *size && millis % size == 0).unwrap_or(&("s", 1_000));
        Some(format!("\"{}{unit}\"", millis / size))
    }
}

fn read(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    if number.len() > 9 || (number.len() > 1 && number.starts_with('0')) {
        return None;
    }
    let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(Duration::from_millis(number.parse::<u64>().ok()? * size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for (text, millis) in [
            ("0s", 0),
            ("1ms", 1),
            ("250ms", 250),
            ("2s", 2_000),
            ("90s", 90_000),
            ("5m", 300_000),
            ("36h", 129_600_000),
            ("7d", 604_800_000),
        ] {
            let duration = Duration::from_millis(millis);
            assert_eq!(read(text), Some(duration), "{text}");
            assert_eq!(duration.shown(), Some(format!("\"{text}\"")));
        }
        assert_eq!(read("120s").and_then(|duration| duration.shown()), Some("\"2m\"".into()));
        assert_eq!(read("999999999d"), Some(Duration::from_millis(999_999_999 * 86_400_000)));
    }

    #[test]
    fn anything_else_is_a_problem_that_says_what_to_write() {
        for text in ["", "2", "s", "2 s", "-2s", "+2s", "02s", "2.5s", "2S", "2sec", "1000000000ms", "1h30m", "é"] {
            let mut problems = Problems::new();
            assert_eq!(Duration::decode(&Node::String(text.into()), &mut problems), None, "{text}");
            assert!(problems.into_list().iter().all(|problem| problem.text.contains("whole number and `ms`")));
        }
        assert_eq!(Duration::decode(&Node::Number("2".into()), &mut Problems::new()), None);
    }
}
