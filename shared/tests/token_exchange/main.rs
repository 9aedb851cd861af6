//! What an issued token must be: what servers give, what they must not give, and that authority only narrows.

mod failures;
mod fixtures;
mod laws;
mod references;
mod servers;
