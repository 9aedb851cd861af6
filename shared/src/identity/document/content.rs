//! What is fetched, as a document sees it.

use crate::filter::CalloutError;
use crate::time::Timestamp;

/// What a text is read as.
pub(in crate::identity) trait Content: PartialEq + Sized {
    /// What it is called in counters and in shared data.
    const NAME: &'static str;
    /// Whether VMs tell each other.
    const SHARED: bool = true;
    /// What it must be, beyond what all of its kind are.
    type Rule;

    /// Reads a whole text. What cannot be used is an error, a word for it, and does not take the place of what can.
    fn read(text: &[u8], rule: &Self::Rule, now: Timestamp) -> Result<Self, &'static str>;

    /// Whether it may take the place of this one.
    fn follows(&self, before: &Self) -> bool {
        let _ = before;
        true
    }

    /// When it ends by itself.
    fn ends(&self) -> Option<Timestamp> {
        None
    }
}

/// Why a fetch brought nothing that can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::identity) enum Fault {
    /// There was no answer.
    Call(CalloutError),
    /// An answer with another status than 200.
    Status,
    /// What came is not what it must be; a word for it.
    Content(&'static str),
}
