//! The counters that there are: a closed set, so that dashboards can be written before anything has happened (OT-02).

/// One counter, or a family of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counter {
    /// Its name behind `wardpoint.<plugin>.`; a part in angle brackets stands for the members of a family.
    pub name: &'static str,
    /// What it counts.
    pub doc: &'static str,
}

/// Those of every plugin.
pub const COUNTERS: &[Counter] = &[
    Counter { name: "decisions.<decision>", doc: "decisions, by `decision` of the audit record" },
    Counter { name: "reasons.<reason>", doc: "decisions that have this reason: refused, would have been refused, or undecided" },
    Counter { name: "rules.<rule>.<decision>", doc: "decisions that this rule made; also those of a `builtin:` rule" },
    Counter {
        name: "lost_at_trailers",
        doc: "streams that were reset because the proxy could not send what was held back behind trailers",
    },
    Counter { name: "audit_lost.log", doc: "audit records that could not be written to the log" },
    Counter {
        name: "audit_lost.filter_state",
        doc: "audit records that could not be written to filter state, for the access log",
    },
];
