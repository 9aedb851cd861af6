//! Server-sent events: whole events out of chunks, and chunks again.
//!
//! Two laws, both tested: a filter that keeps everything yields the input byte for byte, and the output does not depend
//! on where the chunks were cut. What has been sent on cannot be taken back: an event goes on when its blank line has
//! come, and no sooner.

mod event;
mod frame;
mod rewrite;

pub use event::Event;
pub use frame::{EventTooLarge, Framer, Piece};
pub use rewrite::{EventFilter, Output, Rewrite, Rewriter};
