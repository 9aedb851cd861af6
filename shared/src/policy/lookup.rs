//! Finding numbers by texts.

use crate::order::sorted;

/// Texts, each with the numbers that were put to it. One kind of map for all: those of the standard library come as 6 KB of code
/// for each kind of value.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    /// In ascending order; a text with several numbers stands here as often.
    texts: Vec<Box<str>>,
    numbers: Vec<usize>,
}

impl Lookup {
    /// All pairs; what comes twice counts once. The numbers of a text keep their order.
    pub fn new(pairs: &[(&str, usize)]) -> Self {
        let mut lookup = Self::default();
        let text = |at: usize| pairs.get(at).map(|pair| pair.0);
        let mut last = None;
        for pair in sorted(pairs.len(), &|a, b| text(a).cmp(&text(b))).iter().filter_map(|at| pairs.get(*at)) {
            if last.replace(pair) != Some(pair) {
                lookup.texts.push(pair.0.into());
                lookup.numbers.push(pair.1);
            }
        }
        lookup
    }

    /// The numbers of `text`.
    pub fn get(&self, text: &str) -> &[usize] {
        let start = self.texts.partition_point(|known| **known < *text);
        let count = self.texts.iter().skip(start).take_while(|known| ***known == *text).count();
        self.numbers.get(start..start + count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Lookup;

    #[test]
    fn finds_what_was_put() {
        let lookup = Lookup::new(&[("b", 3), ("a", 1), ("b", 2), ("", 7), ("b", 2)]);
        assert_eq!(lookup.get("b"), [3, 2]);
        assert_eq!(lookup.get("a"), [1]);
        assert_eq!(lookup.get(""), [7]);
        assert_eq!(lookup.get("c"), [0; 0]);
        assert_eq!(Lookup::default().get(""), [0; 0]);
    }
}
