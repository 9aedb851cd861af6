//! What is counted beside what all plugins count (OT-02).

use crate::filter::Counting;

/// What the plugin counts that asks users.
pub const COUNTERS_OF_ASKING: &[Counting] = &[
    Counting { name: "secrets.fetched", doc: "secrets of the client that asks users, and keys of tickets, that were fetched" },
    Counting {
        name: "secrets.fetch_failed",
        doc: "fetches of them that failed: no answer, not status 200, or not what it must be. The log says which and why",
    },
    Counting {
        name: "secrets.missed",
        doc: "fetches because the server did not accept the client, or because a ticket names a key that is not there",
    },
];
