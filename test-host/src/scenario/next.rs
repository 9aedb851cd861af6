//! The plugin behind the first in a chain.

use std::path::Path;

use serde_json::Value;

use super::fields::{Fields, Problems};
use super::load::{file_config, merge};
use super::yaml::Node;

/// The plugin behind the first: its name and its configuration.
pub(super) fn of_file(file: &Path, node: &Node, path: &str, problems: &mut Problems) -> Option<(String, Value)> {
    let mut fields = Fields::of(node, path, problems)?;
    let plugin = fields.take("plugin").and_then(|(node, path)| problems.string(node, &path));
    let config = fields.take("config").and_then(|(node, path)| file_config(file, node, &path, problems));
    fields.finish(problems);
    if node.get("plugin").is_none() || node.get("config").is_none() {
        problems.add(node, path, "a plugin behind the first is `{plugin: name, config: …}`");
    }
    Some((plugin?, config?))
}

/// The plugin behind, with what the case says of its configuration merged over that of the file.
pub(super) fn of_case(
    own: Option<(&Node, String)>,
    of_file: Option<&(String, Value)>,
    problems: &mut Problems,
) -> Option<(String, Value)> {
    let mut next = of_file.cloned();
    if let Some((node, path)) = own {
        match &mut next {
            Some((_, config)) => merge(config, &node.to_json()),
            None => problems.add(node, &path, "the file names no plugin behind the first: `next: {plugin: name, config: …}`"),
        }
    }
    next
}
