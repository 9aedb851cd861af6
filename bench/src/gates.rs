//! What must hold, and what we aim at. A ratio counts by the upper end of its interval.

use crate::start::Start;
use crate::suite::{NATIVE, OURS, counted};
use crate::table::Table;
use crate::tokens;

/// What a gate says in the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Met,
    NotMet,
    /// The machine was too restless to say.
    None,
}

/// One gate.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) what: String,
    /// If not, it is an aim.
    pub(crate) must: bool,
    pub(crate) limit: f64,
    pub(crate) found: f64,
    pub(crate) verdict: Verdict,
}

/// Where a gate's figure is found.
enum Figure<'a> {
    Ratio(&'a str, &'a str),
    Added(&'a str),
}

/// All gates of what was measured.
pub(crate) fn all(tables: &[Table], starts: &[Start]) -> Vec<Gate> {
    let native = || Figure::Ratio(OURS, NATIVE);
    let exchanges = || Figure::Ratio(tokens::EXCHANGE, tokens::EXT_PROC_HEADERS);
    let forged = || Figure::Ratio(tokens::FORGED, tokens::COLD);
    let (one, thousand) = (counted(OURS, 1), counted(OURS, 1000));
    let wanted = [
        ("calls", "2 KiB", native(), 0.50, Some(0.25)),
        ("large", "64 KiB, one text", native(), 0.12, Some(0.07)),
        ("large", "64 KiB, many members", native(), 0.12, Some(0.07)),
        ("rules", "2 KiB", Figure::Ratio(&thousand, &one), 1.5, None),
        (tokens::NAME, "ES256", exchanges(), 0.25, None),
        (tokens::NAME, "RS256", exchanges(), 0.25, None),
        (tokens::NAME, "RS256", Figure::Added(tokens::EXCHANGE), f64::INFINITY, Some(3.5)),
        (tokens::NAME, "RS256", Figure::Ratio(tokens::COLD, tokens::NATIVE), 1.0, Some(0.70)),
        (tokens::NAME, "RS256", forged(), 1.0, None),
        (tokens::NAME, "ES256", forged(), 1.0, None),
        (tokens::NAME, "EdDSA", forged(), 1.0, None),
        ("lists", "tools/list, 52 KB", Figure::Added(OURS), f64::INFINITY, Some(20.0)),
    ];
    let mut gates = Vec::new();
    for (suite, work, figure, must, aim) in wanted {
        let Some(table) = tables.iter().find(|table| table.suite == suite) else { continue };
        let (what, found) = match figure {
            Figure::Ratio(over, under) => {
                let ratio = table.ratios.iter().find(|ratio| ratio.work == work && ratio.over == over && ratio.under == under);
                (format!("{work}: {over} / {under}"), ratio.map(|ratio| ratio.is.high))
            }
            Figure::Added(variant) => {
                let row = table.rows.iter().find(|row| row.work == work && row.variant == variant);
                (format!("{work}: CPU-µs that {variant} adds"), row.map(|row| row.added.high))
            }
        };
        // What was not measured does not hold.
        let found = found.unwrap_or(f64::NAN);
        gates.extend(pair(&what, must, aim, found, table.doubt.is_none()));
    }
    for start in starts.iter().filter(|start| start.variant == OURS) {
        let kilobytes = start.bytes as f64 / 1000.0;
        gates.extend(pair("size of the module in KB", 400.0, Some(300.0), kilobytes, true));
    }
    gates
}

fn pair(what: &str, must: f64, aim: Option<f64>, found: f64, sure: bool) -> Vec<Gate> {
    let gate = |limit: f64, must: bool| {
        let verdict = match (sure, found <= limit) {
            (false, _) => Verdict::None,
            (true, true) => Verdict::Met,
            (true, false) => Verdict::NotMet,
        };
        Gate { what: what.to_owned(), must, limit, found, verdict }
    };
    let must = must.is_finite().then(|| gate(must, true));
    must.into_iter().chain(aim.map(|aim| gate(aim, false))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(found: f64, sure: bool) -> Vec<(bool, Verdict)> {
        pair("x", 0.5, Some(0.25), found, sure).iter().map(|gate| (gate.must, gate.verdict)).collect()
    }

    #[test]
    fn a_gate_is_met_only_by_a_figure_that_is_sure() {
        assert_eq!(verdicts(0.25, true), [(true, Verdict::Met), (false, Verdict::Met)]);
        assert_eq!(verdicts(0.5, true), [(true, Verdict::Met), (false, Verdict::NotMet)]);
        assert_eq!(verdicts(0.51, true), [(true, Verdict::NotMet), (false, Verdict::NotMet)]);
        assert_eq!(verdicts(0.1, false), [(true, Verdict::None), (false, Verdict::None)]);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        assert_eq!(verdicts(f64::NAN, true), [(true, Verdict::NotMet), (false, Verdict::NotMet)]);
    }

    #[test]
    fn an_aim_alone_fails_nothing() {
        let gates = pair("x", f64::INFINITY, Some(20.0), 30.0, true);
        assert!(gates.iter().all(|gate| !gate.must));
    }
}
