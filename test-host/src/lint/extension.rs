//! One of our plugins in a manifest, whichever of the three forms brings it.

use super::manifest::{Manifest, World, items};
use crate::scenario::yaml::{Data, Node, parse};
use crate::transcript::filter_state;

/// The form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// `TrafficExtension` or `WasmPlugin`.
    Istio,
    /// A patch of an `EnvoyFilter`.
    EnvoyFilter,
}

/// A plugin as one object attaches it.
#[derive(Clone, Debug)]
pub(super) struct Extension<'w> {
    pub(super) manifest: &'w Manifest,
    pub(super) form: Form,
    /// The plugin's name.
    pub(super) plugin: &'static str,
    /// Where the settings of the module stand: `spec.wasm`.
    pub(super) base: String,
    /// The plugin's configuration.
    pub(super) config: Option<Config>,
}

/// The plugin's configuration.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) node: Node,
    /// Where it stands in the manifest.
    path: String,
    /// It is a text in the manifest, so its parts have no lines of their own.
    is_text: bool,
}

/// A reference of `targetRefs`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Target<'w> {
    pub(super) kind: &'w str,
    pub(super) name: &'w str,
}

impl<'w> Extension<'w> {
    /// Our plugins that this object attaches. What is not ours is not looked at.
    pub(super) fn of<'a: 'w>(world: &'a World, manifest: &'w Manifest) -> Vec<Self> {
        let extension = |form, base: String, config: &str, names: &[&str]| {
            let url = manifest.text(&format!("{base}.{}", if form == Form::Istio { "url" } else { URI }));
            let named = names.iter().filter_map(|name| manifest.text(&format!("{base}.{name}")));
            let plugin =
                url.map(module).into_iter().chain(named).chain([manifest.name.as_str()]).find_map(|name| world.plugin(name))?;
            let config = Config::read(manifest, format!("{base}.{config}"));
            Some(Self { manifest, form, plugin, base, config })
        };
        match manifest.kind.as_str() {
            "TrafficExtension" if manifest.at("spec.wasm").is_some() => {
                extension(Form::Istio, "spec.wasm".to_owned(), "pluginConfig", &["pluginName"]).into_iter().collect()
            }
            "WasmPlugin" => extension(Form::Istio, "spec".to_owned(), "pluginConfig", &["pluginName"]).into_iter().collect(),
            "EnvoyFilter" => {
                let patches = manifest.list("spec.configPatches");
                let wasm = patches.iter().enumerate().filter(|(_, patch)| {
                    let kind = patch.locate_node("patch.value.typed_config.@type").and_then(Node::as_str);
                    kind.is_some_and(|kind| kind.ends_with("/envoy.extensions.filters.http.wasm.v3.Wasm"))
                });
                wasm.filter_map(|(index, _)| {
                    let base = format!("spec.configPatches[{index}].patch.value.typed_config.config");
                    extension(Form::EnvoyFilter, base, "configuration.value", &["root_id", "name"])
                })
                .collect()
            }
            _ => Vec::new(),
        }
    }

    /// A setting of the module.
    pub(super) fn setting(&self, istio: &str, envoy: &str) -> Option<&'w str> {
        let name = if self.form == Form::Istio { istio } else { envoy };
        self.manifest.text(&format!("{}.{name}", self.base))
    }

    /// Where the module comes from.
    pub(super) fn url(&self) -> Option<&'w str> {
        self.setting("url", URI)
    }

    /// Its routes that put tokens into requests.
    pub(super) fn exchanging(&self) -> Vec<&Node> {
        let puts = |route: &&Node| route.get("action").and_then(Node::as_str).is_none_or(|action| action == "exchange");
        let config = self.config.as_ref().filter(|_| self.plugin == "token-exchange");
        config.map(|config| items(config.at("routes")).iter().filter(puts).collect()).unwrap_or_default()
    }

    /// Whether it leaves its records where an access log finds them.
    pub(super) fn leaves_records(&self) -> bool {
        let to = self.config.as_ref().map(|config| items(config.at("audit.to"))).unwrap_or_default();
        to.is_empty() || to.iter().any(|place| place.as_str() == Some("accessLog"))
    }

    /// What its records are left in.
    pub(super) fn filter_state(&self) -> String {
        filter_state(self.plugin, &self.config.as_ref().map(|config| config.node.to_json()).unwrap_or_default())
    }

    /// What it is attached to.
    pub(super) fn targets(&self) -> Vec<Target<'w>> {
        targets(self.manifest)
    }

    /// The waypoints in whose chains it is, as far as they can be told.
    pub(super) fn gateways(&self, world: &'w World) -> Vec<(&'w str, &'w str)> {
        gateways(world, self.manifest)
    }

    /// What of the manifests has it in its chain: Services and ServiceEntries.
    pub(super) fn behind(&self, world: &'w World) -> Vec<&'w Manifest> {
        let all = world.of("Service").chain(world.of("ServiceEntry"));
        let is_target = |object: &&Manifest| {
            let same = |target: &Target<'_>| {
                target.kind == object.kind && target.name == object.name && self.manifest.namespace == object.namespace
            };
            self.targets().iter().any(same)
        };
        let wide = self.targets().into_iter().filter(|target| matches!(target.kind, "Gateway" | "GatewayClass"));
        let wide: Vec<_> = wide.flat_map(|target| gateways_of(world, self.manifest, &target)).collect();
        all.filter(|object| is_target(object) || world.waypoint_of(object).is_some_and(|waypoint| wide.contains(&waypoint)))
            .collect()
    }
}

impl Config {
    fn read(manifest: &Manifest, path: String) -> Option<Self> {
        let node = manifest.at(&path)?;
        match &node.data {
            Data::String(text) => Some(Self { node: parse(text).ok()?, path, is_text: true }),
            _ => Some(Self { node: node.clone(), path, is_text: false }),
        }
    }

    /// Where `inner` of it stands in the manifest.
    pub(super) fn path(&self, inner: &str) -> String {
        if self.is_text || inner.is_empty() { self.path.clone() } else { format!("{}.{inner}", self.path) }
    }

    /// A part of it.
    pub(super) fn at(&self, path: &str) -> Option<&Node> {
        self.node.locate_node(path)
    }
}

/// The references of an object.
pub(super) fn targets(manifest: &Manifest) -> Vec<Target<'_>> {
    let single = manifest.at("spec.targetRef").into_iter();
    let many = items(manifest.at("spec.targetRefs")).iter();
    single
        .chain(many)
        .filter_map(|node| Some(Target { kind: node.get("kind")?.as_str()?, name: node.get("name")?.as_str()? }))
        .collect()
}

/// The waypoints that an object with references is about: namespace and name.
pub(super) fn gateways<'w>(world: &'w World, manifest: &'w Manifest) -> Vec<(&'w str, &'w str)> {
    let mut found: Vec<_> = targets(manifest).iter().flat_map(|target| gateways_of(world, manifest, target)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Those that one reference leads to.
fn gateways_of<'w>(world: &'w World, manifest: &'w Manifest, target: &Target<'w>) -> Vec<(&'w str, &'w str)> {
    let before = |object: Option<&'w Manifest>| object.and_then(|object| world.waypoint_of(object)).into_iter().collect();
    match target.kind {
        "Gateway" => vec![(manifest.namespace.as_str(), target.name)],
        "GatewayClass" => {
            let of_class = world.of("Gateway").filter(|gateway| gateway.text("spec.gatewayClassName") == Some(target.name));
            of_class.map(|gateway| (gateway.namespace.as_str(), gateway.name.as_str())).collect()
        }
        "Service" => before(world.find("Service", &manifest.namespace, target.name)),
        "ServiceEntry" => before(world.find("ServiceEntry", &manifest.namespace, target.name)),
        _ => Vec::new(),
    }
}

/// What Istio calls a Service or a ServiceEntry: the last part of the names of its clusters.
pub(super) fn hosts(object: &Manifest) -> Vec<String> {
    if object.kind == "Service" {
        return vec![format!("{}.{}.svc.cluster.local", object.name, object.namespace)];
    }
    items(object.at("spec.hosts")).iter().filter_map(Node::as_str).map(str::to_owned).collect()
}

const URI: &str = "vm_config.code.remote.http_uri.uri";

/// The name of a module: the last part of its address without tag, digest and ending.
pub(super) fn module(url: &str) -> &str {
    let last = url.rsplit('/').next().unwrap_or(url);
    let name = last.split(['@', ':']).next().unwrap_or(last);
    name.strip_suffix(".wasm").unwrap_or(name)
}
