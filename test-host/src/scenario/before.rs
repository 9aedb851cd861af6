//! What the same worker has served before.
//!
//! In a real Envoy the same worker is the same listener. What decides which listener serves an exchange must be as in the case, or what is to
//! last would be looked for in another VM than the one that has it.

use super::exchange::exchange;
use super::fields::{Fields, Problems};
use super::model::{Before, Exchange};
use super::yaml::Node;

/// The exchanges, in their order.
pub(super) fn read(node: &Node, path: &str, problems: &mut Problems) -> Vec<Before> {
    let items = problems.list(node, path).iter().enumerate();
    let before = |(index, item): (usize, &Node)| {
        let mut fields = Fields::of(item, &format!("{path}[{index}]"), problems)?;
        let status = fields.take("status").and_then(|(node, path)| problems.integer(node, &path)).unwrap_or(200);
        let exchange = exchange(&mut fields, problems);
        fields.finish(problems);
        Some(Before { place: item.place, exchange, status: u16::try_from(status).unwrap_or(u16::MAX) })
    };
    items.filter_map(before).collect()
}

/// Adds a problem for each that another listener than that of the case would serve.
pub(super) fn one_listener(case: &Exchange, before: &[Before], path: &str, problems: &mut Problems) {
    for (index, Before { place, exchange, .. }) in before.iter().enumerate() {
        let same = [
            ("peer", exchange.peer.is_some() == case.peer.is_some()),
            ("bufferLimit", exchange.buffer_limit == case.buffer_limit),
            ("trailers", exchange.has_trailers() == case.has_trailers()),
        ];
        for (name, _) in same.into_iter().filter(|(_, same)| !same) {
            let text = match name {
                "bufferLimit" => "`bufferLimit` must be that of the case".to_owned(),
                _ => format!("either it and the case have `{name}`, or neither"),
            };
            problems.at(*place, &format!("{path}.before[{index}]"), format!("{text}: another VM would serve it"));
        }
    }
}
