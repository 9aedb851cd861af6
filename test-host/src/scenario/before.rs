//! What the same worker has served before.

use super::exchange::exchange;
use super::fields::{Fields, Problems};
use super::model::Before;
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
