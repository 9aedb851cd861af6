//! What this plugin counts beside what all of them do (OT-02).

use crate::filter::Counting;

/// Its own counters.
pub const COUNTERS: &[Counting] = &[
    Counting { name: "cache.hits", doc: "requests that went on with a token that was kept" },
    Counting { name: "cache.refusals", doc: "requests that were refused by a refusal that was kept" },
    Counting { name: "calls.made", doc: "requests for which a token service was, or was to be, called" },
    Counting { name: "calls.shared", doc: "requests that waited for a call that another one had made" },
    Counting {
        name: "alarms",
        doc: "failures for which somebody has to look at the configuration: client refused, cluster missing",
    },
];
