//! Transcripts as text, and what two texts differ in.

use similar::{ChangeTag, TextDiff};

use crate::scenario::compare::{ending, text};
use crate::transcript::{Transcript, UpstreamSaw};

/// A transcript, one fact a line.
pub fn sketch(seen: &Transcript) -> String {
    let mut out = String::new();
    let mut add = |name: &str, value: &str| {
        for line in value.split('\n') {
            out.push_str(&format!("{name}: {line}\n"));
        }
    };
    add("client.status", &seen.client.status.map_or("no answer".to_owned(), |status| status.to_string()));
    pairs(&mut add, "client.headers", &seen.client.headers);
    add("client.body", &text(&seen.client.body));
    add("client.end", ending(seen.client.end));
    match &seen.upstream {
        UpstreamSaw::Nothing => add("upstream", "nothing"),
        UpstreamSaw::Complete { headers, body } => {
            pairs(&mut add, "upstream.headers", headers);
            add("upstream.body", &text(body));
        }
        UpstreamSaw::Partial { body } => add("upstream.partial", &text(body)),
    }
    for (index, call) in seen.callouts.iter().enumerate() {
        add(&format!("callouts[{index}].cluster"), &call.cluster);
        pairs(&mut add, &format!("callouts[{index}].headers"), &call.headers);
        add(&format!("callouts[{index}].body"), &text(&call.body));
    }
    for (index, record) in seen.audit.iter().enumerate() {
        add(&format!("audit[{index}]"), &record.to_string());
    }
    for (name, count) in &seen.counters {
        add(&format!("counters.{name}"), &count.to_string());
    }
    if let Some(trap) = &seen.trapped {
        add("trapped", trap);
    }
    out
}

fn pairs(add: &mut impl FnMut(&str, &str), name: &str, pairs: &[(String, String)]) {
    for (header, value) in pairs {
        add(&format!("{name}.{header}"), value);
    }
}

/// The lines in which two transcripts differ.
pub fn diff(expected: &Transcript, seen: &Transcript, expected_by: &str, seen_by: &str) -> String {
    let (expected, seen) = (sketch(expected), sketch(seen));
    let diff = TextDiff::from_lines(&expected, &seen);
    diff.unified_diff().context_radius(0).header(expected_by, seen_by).to_string().trim_end().to_owned()
}

/// A line diff of two texts, `-` expected and `+` seen; everything if they have one line each.
pub fn lines(expected: &str, seen: &str) -> Vec<(ChangeTag, String)> {
    const CONTEXT: usize = 3;
    let diff = TextDiff::from_lines(expected, seen);
    let mut out = Vec::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            out.push((ChangeTag::Equal, "…".to_owned()));
        }
        for op in group {
            out.extend(diff.iter_changes(op).map(|change| (change.tag(), change.value().trim_end_matches('\n').to_owned())));
        }
    }
    out
}
