//! How a module came, how it fails, and whether it and the proxy agree.

use super::Found;
use super::chain::{Chain, Filter, Plugin};
use crate::lint::delivery::{PIN, refused};
use crate::lint::finding::Check;
use crate::lint::manifest::Known;

const RELOAD: &str = "failure_policy: FAIL_RELOAD   # Istio: failStrategy";

pub(super) fn check(chain: &Chain<'_>, filter: &Filter<'_>, plugin: &Plugin<'_>, plugins: &[Known], found: &mut Found<'_>) {
    let (object, settings) = (chain.says(filter), &plugin.settings);
    let mut add = |check, path: &str, text: String, fix: String| found.add(check, &object, path, text, fix);
    let at = |name: &str| format!("{}.{name}", settings.path);

    match settings.text("failure_policy") {
        Some("FAIL_RELOAD") => {}
        _ if settings.is_true("fail_open") => {
            add(Check::FailStrategy, &at("fail_open"), "it fails open".to_owned(), "failure_policy: FAIL_RELOAD".to_owned());
        }
        Some(other) => add(Check::FailStrategy, &at("failure_policy"), format!("it says {other}"), RELOAD.to_owned()),
        None => add(Check::FailStrategy, &settings.path, "there is no failure_policy".to_owned(), RELOAD.to_owned()),
    }
    let remote = settings.at("vm_config.code.remote");
    if let Some(remote) = remote.filter(|remote| remote.text("sha256").is_none_or(str::is_empty)) {
        let pinned = remote.text("http_uri.uri").is_some_and(|uri| uri.contains("@sha256:"));
        if !pinned {
            add(Check::DigestMissing, &remote.path, "there is no sha256".to_owned(), PIN.to_owned());
        }
    }
    let Some(config) = &plugin.config else {
        let fix = "configuration:\n  \"@type\": type.googleapis.com/google.protobuf.StringValue\n  value: '{\"version\":1}'";
        add(Check::PluginConfig, &plugin.place, "there is no configuration that can be read".to_owned(), fix.to_owned());
        return;
    };
    // The text itself: two members of one name are one in a tree.
    let text = settings.text("configuration.value").unwrap_or_default();
    let known = plugins.iter().find(|known| known.name == plugin.name);
    for (path, problem) in known.map(|known| (known.problems)(known.name, text.as_bytes())).unwrap_or_default() {
        let (said, fix) = refused(plugin.name, &path, problem);
        add(Check::PluginConfig, &plugin.place, said, fix);
    }
    if plugin.holds_headers() && !settings.is_true("allow_on_headers_stop_iteration") {
        let fix = "allow_on_headers_stop_iteration: true   # or hostProfile: {holdHeaders: false}";
        let text = "hostProfile.holdHeaders is true and this proxy does not hold headers";
        add(Check::HoldHeaders, &settings.path, text.to_owned(), fix.to_owned());
    }
    let wants = config.pointer("/limits/maxBodyBytes").and_then(serde_json::Value::as_u64).unwrap_or_default();
    if wants > chain.buffer {
        let fix = format!("per_connection_buffer_limit_bytes: {wants}   # of the listener {}", chain.listener);
        let text = format!("limits.maxBodyBytes: {wants} bytes are to be read and {} are buffered", chain.buffer);
        add(Check::BufferLimit, &plugin.place, text, fix);
    }
}
