//! How the module comes, how it fails, and what surrounds it.

use super::extension::{Extension, Form, gateways};
use super::finding::{Check, Finding};
use super::manifest::{World, items};
use crate::scenario::yaml::{Data, Node};

/// What Envoy buffers if nobody says otherwise, in bytes.
pub(super) const DEFAULT_BUFFER: u64 = 1 << 20;

pub(super) fn check(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let manifest = extension.manifest;
    let at = |name: &str| format!("{}.{name}", extension.base);
    let mut add = |check, path: &str, text: String, fix: String| found.push(Finding::new(check, manifest, path, text, fix));

    let strategy = if extension.form == Form::Istio { "failStrategy" } else { "failure_policy" };
    let fix = format!("{strategy}: FAIL_RELOAD");
    match extension.setting("failStrategy", "failure_policy") {
        Some("FAIL_RELOAD") => {}
        Some(other) => add(Check::FailStrategy, &at(strategy), format!("it says {other}"), fix),
        None => add(Check::FailStrategy, &extension.base, format!("there is no {strategy}"), fix),
    }
    if extension.form == Form::Istio {
        if manifest.at("spec.priority").is_none() {
            let fix = format!("spec:\n  priority: {}", priority(extension.plugin));
            add(Check::PriorityUnset, "spec", "there is no priority".to_owned(), fix);
        }
        if manifest.text("spec.phase") == Some("AUTHN") {
            add(Check::PhaseSeesNoClaims, "spec.phase", "the phase is AUTHN".to_owned(), "spec:\n  phase: AUTHZ".to_owned());
        }
    }
    module(extension, &mut add);
    config(world, extension, &mut add);
    buffer(world, extension, &mut add);
}

/// What to do about a module that no digest pins.
pub(super) const PIN: &str = "sha256: \"<digest of the manifest, 64 hexadecimal digits: make oci prints it>\"";

/// What is said of a problem with a configuration, and what to do about it.
pub(super) fn refused(plugin: &str, path: &str, text: String) -> (String, String) {
    let said = if path.is_empty() { text } else { format!("{path}: {text}") };
    (said, format!("wardpoint check --plugin {plugin} POLICY   # and see its reference page"))
}

/// The order in a chain, from high to low: what decides stands before what asks others.
pub(super) fn priority(plugin: &str) -> u32 {
    match plugin {
        "prompt-guard" => 200,
        "token-exchange" => 100,
        _ => 300,
    }
}

fn module(extension: &Extension<'_>, add: &mut impl FnMut(Check, &str, String, String)) {
    let url = extension.url().unwrap_or_default();
    let is_file = url.starts_with("file://") || extension.form == Form::EnvoyFilter && url.is_empty();
    if is_file {
        return;
    }
    let path = match extension.form {
        Form::Istio => format!("{}.url", extension.base),
        Form::EnvoyFilter => format!("{}.vm_config.code.remote", extension.base),
    };
    let name = url.rsplit('/').next().unwrap_or_default();
    let pinned = url.contains("@sha256:");
    if name.ends_with(":latest") || url.starts_with("oci://") && !name.contains(':') && !pinned {
        add(Check::LatestTag, &path, format!("`{url}` has no tag that stays"), "url: oci://REGISTRY/NAME:VERSION".to_owned());
    }
    if !pinned && extension.setting("sha256", "vm_config.code.remote.sha256").is_none() {
        add(Check::DigestMissing, &path, "there is no sha256".to_owned(), PIN.to_owned());
    }
}

fn config(world: &World, extension: &Extension<'_>, add: &mut impl FnMut(Check, &str, String, String)) {
    let Some(config) = &extension.config else {
        add(
            Check::PluginConfig,
            &extension.base,
            "there is no configuration that can be read".to_owned(),
            "pluginConfig: {version: 1}".to_owned(),
        );
        return;
    };
    for (path, text) in world.problems(extension.plugin, config.node.to_json().to_string().as_bytes()) {
        let (said, fix) = refused(extension.plugin, &path, text);
        add(Check::PluginConfig, &config.path(&path), said, fix);
    }
    let hold = "hostProfile.holdHeaders";
    if extension.form == Form::Istio && config.at(hold).map(|node| &node.data) == Some(&Data::Bool(true)) {
        let fix = "hostProfile: {holdHeaders: false}   # or the EnvoyFilter form, which can hold headers".to_owned();
        add(Check::HoldHeaders, &config.path(hold), format!("this {} cannot hold headers", extension.manifest.kind), fix);
    }
}

fn buffer(world: &World, extension: &Extension<'_>, add: &mut impl FnMut(Check, &str, String, String)) {
    let wanted = "limits.maxBodyBytes";
    let Some(config) = &extension.config else { return };
    let Some(Data::Number(wants)) = config.at(wanted).map(|node| &node.data) else { return };
    let reached = extension.gateways(world);
    let least = reached.iter().map(|gateway| buffered(world, *gateway)).min().unwrap_or(DEFAULT_BUFFER);
    let wants = wants.as_u64().unwrap_or_default();
    if wants > least {
        let fix = format!(
            "- applyTo: LISTENER\n  match: {{context: SIDECAR_INBOUND, listener: {{name: main_internal}}}}\n  \
             patch: {{operation: MERGE, value: {{per_connection_buffer_limit_bytes: {wants}}}}}"
        );
        add(Check::BufferLimit, &config.path(wanted), format!("{wants} bytes are to be read and {least} are buffered"), fix);
    }
}

/// What a waypoint buffers, in bytes.
fn buffered(world: &World, (namespace, name): (&str, &str)) -> u64 {
    let filters = world.of("EnvoyFilter").filter(|filter| filter.namespace == namespace || filter.namespace == world.root());
    let about = filters.filter(|filter| gateways(world, filter).contains(&(namespace, name)));
    let patches = about.flat_map(|filter| items(filter.at("spec.configPatches")));
    let limit = patches.filter_map(|patch| {
        let text = |path: &str| patch.locate_node(path).and_then(Node::as_str);
        let listener = text("match.listener.name").is_none_or(|name| name == "main_internal");
        match patch.locate_node("patch.value.per_connection_buffer_limit_bytes").map(|node| &node.data) {
            Some(Data::Number(limit)) if listener && text("applyTo") == Some("LISTENER") => limit.as_u64(),
            _ => None,
        }
    });
    limit.max().unwrap_or(DEFAULT_BUFFER)
}
