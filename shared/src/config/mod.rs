//! Text to policy: every problem at once, each with its path.

mod error;

pub use error::{ConfigErrors, Problem};
