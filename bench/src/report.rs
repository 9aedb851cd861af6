//! The figures as text: for a terminal, as a page, as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::gates::{Gate, Verdict};
use crate::load::CONNECTIONS;
use crate::machine::Machine;
use crate::measure::Plan;
use crate::start::Start;
use crate::stats::Estimate;
use crate::suite::BASE;
use crate::table::Table;

/// All that a run found.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// RFC 3339.
    pub(crate) date: String,
    pub(crate) plan: Plan,
    pub(crate) tables: Vec<Table>,
    pub(crate) starts: Vec<Start>,
    pub(crate) gates: Vec<Gate>,
}

/// What the page says of the method.
const METHOD: &str = include_str!("method.md");

impl Report {
    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut out = String::from("# What a policy costs in Envoy\n\nWritten by `make bench`; not by hand.\n\n");
        let Machine { processor, model, cores, memory_mib, kernel, load } = &self.machine;
        let _written = writeln!(
            out,
            "{}. Envoy {}. {processor} ({model}), {cores} cores, {memory_mib} MiB, Linux {kernel}, load {load} before.\n",
            self.date,
            self.envoy()
        );
        out.push_str(&gates(&self.gates));
        for table in &self.tables {
            out.push('\n');
            out.push_str(&suite(table));
        }
        if !self.starts.is_empty() {
            out.push('\n');
            out.push_str(&starts(&self.starts));
        }
        out.push('\n');
        out.push_str(METHOD);
        out
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        let Machine { processor, model, cores, memory_mib, kernel, load } = &self.machine;
        let plan = json!({
            "rounds": self.plan.rounds,
            "slot_s": self.plan.slot.as_secs_f64(),
            "connections": CONNECTIONS,
            "seed": self.plan.seed,
            "unit": self.plan.meter.unit(),
        });
        json!({
            "machine": {
                "processor": processor, "model": model, "cores": cores, "memory_mib": memory_mib, "kernel": kernel, "load": load,
            },
            "envoy": self.envoy(),
            "date": self.date,
            "plan": plan,
            "suites": self.tables.iter().map(suite_json).collect::<Vec<_>>(),
            "rows": self.tables.iter().flat_map(rows_json).collect::<Vec<_>>(),
            "start": self.starts.iter().map(start_json).collect::<Vec<_>>(),
            "gates": self.gates.iter().map(gate_json).collect::<Vec<_>>(),
        })
    }

    fn envoy(&self) -> &str {
        // commit/version/…
        let full = self.tables.first().map_or("", |table| table.measured.envoy.as_str());
        full.split('/').nth(1).unwrap_or(full)
    }
}

/// A suite's table.
pub(crate) fn suite(table: &Table) -> String {
    let mut out = format!("## {}\n\n", table.suite);
    let mut rows = vec![
        ["work", "variant", table.measured.meter.unit(), "added", "95 %", "peer adds", "p50 µs", "rounds"].map(str::to_owned),
    ];
    for row in &table.rows {
        let base = row.variant == BASE;
        let unless = |not: bool, text: String| if not { String::new() } else { text };
        rows.push([
            row.work.to_owned(),
            row.variant.clone(),
            format!("{:.1}", row.whole),
            unless(base, format!("{:.2}", row.added.median)),
            unless(base, format!("{:.2} to {:.2}", row.added.low, row.added.high)),
            unless(row.peer == 0.0, format!("{:.1}", row.peer)),
            format!("{:.0}", row.latency),
            format!("{} of {}", row.rounds - row.dropped, row.rounds),
        ]);
    }
    aligned(&mut out, &rows);
    if !table.ratios.is_empty() {
        out.push('\n');
        let mut rows = vec![["work", "ratio of what is added", "is", "95 %"].map(str::to_owned)];
        for ratio in &table.ratios {
            let Estimate { median, low, high } = ratio.is;
            let name = format!("{} / {}", ratio.over, ratio.under);
            rows.push([ratio.work.to_owned(), name, format!("{median:.3}"), format!("{low:.3} to {high:.3}")]);
        }
        aligned(&mut out, &rows);
    }
    let measured = &table.measured;
    let _written = write!(
        out,
        "\n{} requests in {:.0} s; fixed loop {:.0} µs; {} ticks stolen, {} involuntary switches of the proxy.\n",
        measured.requests,
        measured.took.as_secs_f64(),
        measured.canary / 1000.0,
        measured.disturbance.steal,
        measured.disturbance.switches,
    );
    if !measured.called.is_empty() {
        let called: Vec<String> = measured.called.iter().map(|(name, count)| format!("{name} {count} times")).collect();
        let _written = writeln!(out, "Called: {}.", called.join(", "));
    }
    if !measured.fooled.is_empty() {
        let _written =
            writeln!(out, "\nLet a call pass that names a forbidden tool behind an allowed one: {}.", measured.fooled.join(", "));
    }
    if let Some(doubt) = &table.doubt {
        let _written = writeln!(out, "\n**No verdict**: {doubt}.");
    }
    out
}

/// The table of the suite `start`.
pub(crate) fn starts(starts: &[Start]) -> String {
    let mut out = "## start\n\n".to_owned();
    let mut rows = vec![["variant", "bytes", "CPU-ms to load", "95 %", "MiB, 1 worker", "MiB, 2 workers"].map(str::to_owned)];
    for start in starts {
        let [one, two] = start.resident;
        let Estimate { median, low, high } = start.load;
        let unless_none = |text: String| if start.bytes == 0 { String::new() } else { text };
        rows.push([
            start.variant.to_owned(),
            unless_none(start.bytes.to_string()),
            unless_none(format!("{median:.0}")),
            unless_none(format!("{low:.0} to {high:.0}")),
            format!("{one:.1}"),
            format!("{two:.1}"),
        ]);
    }
    aligned(&mut out, &rows);
    out
}

/// The gates.
pub(crate) fn gates(gates: &[Gate]) -> String {
    let mut out = String::new();
    let mut rows = vec![["", "gate", "at most", "is (upper bound)", ""].map(str::to_owned)];
    for gate in gates {
        rows.push([
            if gate.must { "must" } else { "aim" }.to_owned(),
            gate.what.clone(),
            gate.limit.to_string(),
            format!("{:.3}", gate.found),
            verdict(gate.verdict).to_owned(),
        ]);
    }
    aligned(&mut out, &rows);
    out
}

/// In words.
pub(crate) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::NotMet => "NOT MET",
        Verdict::None => "no verdict",
    }
}

/// A Markdown table that can also be read in a terminal: figures to the right.
fn aligned<const N: usize>(out: &mut String, rows: &[[String; N]]) {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0).max(3);
    let widths: [usize; N] = std::array::from_fn(width);
    let is_figure = |column: usize| {
        let mut cells = rows.iter().skip(1).filter_map(|row| row.get(column));
        cells.all(|cell| cell.is_empty() || cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == 'N'))
    };
    for (number, row) in rows.iter().enumerate() {
        out.push('|');
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _written = if is_figure(column) { write!(out, " {cell:>width$} |") } else { write!(out, " {cell:<width$} |") };
        }
        out.push('\n');
        if number == 0 {
            out.push('|');
            for (column, width) in widths.into_iter().enumerate() {
                let _written = write!(out, " {}{} |", "-".repeat(width - 1), if is_figure(column) { ':' } else { '-' });
            }
            out.push('\n');
        }
    }
}

fn suite_json(table: &Table) -> Value {
    let measured = &table.measured;
    json!({
        "suite": table.suite,
        "took_s": rounded(measured.took.as_secs_f64()),
        "requests": measured.requests,
        "canary_ns": rounded(measured.canary),
        "steal_ticks": measured.disturbance.steal,
        "involuntary_switches": measured.disturbance.switches,
        "fooled_by_two_names": measured.fooled,
        "called": measured.called.iter().copied().collect::<BTreeMap<_, _>>(),
        "no_verdict": table.doubt,
    })
}

/// A row for each variant, without a base, and one for each ratio, with the base that it is over.
fn rows_json(table: &Table) -> Vec<Value> {
    let row = |row: &crate::table::Row, over: Option<(&str, Estimate)>| {
        json!({
            "suite": table.suite, "work": row.work, "variant": row.variant,
            "added_us": rounded(row.added.median), "added_lo": rounded(row.added.low), "added_hi": rounded(row.added.high),
            "base": over.map(|(base, _)| base),
            "ratio": over.map(|(_, is)| rounded(is.median)),
            "ratio_lo": over.map(|(_, is)| rounded(is.low)),
            "ratio_hi": over.map(|(_, is)| rounded(is.high)),
            "whole_us": rounded(row.whole), "peer_us": rounded(row.peer), "p50_us": rounded(row.latency),
            "rounds": row.rounds, "dropped": row.dropped,
        })
    };
    let mut found: Vec<Value> = table.rows.iter().map(|of| row(of, None)).collect();
    for ratio in &table.ratios {
        let over = table.rows.iter().find(|row| row.work == ratio.work && row.variant == ratio.over);
        found.extend(over.map(|of| row(of, Some((&ratio.under, ratio.is)))));
    }
    found
}

fn start_json(start: &Start) -> Value {
    json!({
        "variant": start.variant, "module_bytes": start.bytes,
        "load_cpu_ms": rounded(start.load.median), "load_lo": rounded(start.load.low), "load_hi": rounded(start.load.high),
        "resident_mib": start.resident.map(rounded),
    })
}

fn gate_json(gate: &Gate) -> Value {
    let kind = if gate.must { "must" } else { "aim" };
    json!({ "gate": gate.what, "kind": kind, "limit": gate.limit, "found": rounded(gate.found), "verdict": verdict(gate.verdict) })
}

/// No more digits than mean something.
fn rounded(value: f64) -> Value {
    json!((value * 1000.0).round() / 1000.0)
}
