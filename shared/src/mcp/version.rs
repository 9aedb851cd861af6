//! Protocol versions and the two eras.

/// A revision of MCP that is known here.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Version {
    /// `2025-03-26`
    V20250326,
    /// `2025-06-18`
    V20250618,
    /// `2025-11-25`
    V20251125,
    /// `2026-07-28`
    V20260728,
}

/// How a server is spoken to (rules.md 1.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Era {
    /// `initialize`, sessions; up to 2025-11-25.
    Legacy,
    /// Stateless, with metadata in every request; from 2026-07-28 on.
    Modern,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: &'static [Self] = &[Self::V20250326, Self::V20250618, Self::V20251125, Self::V20260728];

    /// The revision of this date, if it is known.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|version| version.text() == text)
    }

    /// Its date.
    pub fn text(self) -> &'static str {
        match self {
            Self::V20250326 => "2025-03-26",
            Self::V20250618 => "2025-06-18",
            Self::V20251125 => "2025-11-25",
            Self::V20260728 => "2026-07-28",
        }
    }

    /// The era that it belongs to.
    pub fn era(self) -> Era {
        if self < Self::V20260728 { Era::Legacy } else { Era::Modern }
    }
}
