//! The counters that there are: a closed set, so that dashboards can be written before anything has happened (OT-02).

/// One counter, or a family of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counting {
    /// Its name behind `wardpoint.<plugin>.`; a part in angle brackets stands for the members of a family.
    pub name: &'static str,
    /// What it counts.
    pub doc: &'static str,
}

/// Those of every plugin.
pub const COUNTERS: &[Counting] = &[
    Counting { name: "decisions.<decision>", doc: "decisions, by `decision` of the audit record" },
    Counting { name: "reasons.<reason>", doc: "decisions that have this reason: refused, would have been refused, or undecided" },
    Counting { name: "rules.<rule>.<decision>", doc: "decisions that this rule made; also those of a `builtin:` rule" },
    Counting {
        name: "lost_at_trailers",
        doc: "streams that were reset because the proxy could not send what was held back behind trailers",
    },
    Counting { name: "audit_lost.log", doc: "audit records that could not be written to the log" },
    Counting {
        name: "audit_lost.filter_state",
        doc: "audit records that could not be left for the access log; they went to the log",
    },
];
