//! Where EnvoyFilters put filters that ask for records of plugins, and where a plugin stands that they may be behind.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::extension::{Extension, Form, gateways, targets};
use super::manifest::{Manifest, World};
use super::rbac::{asks_for, is_unclear};
use super::spot::Spot;
use super::target::ALWAYS;
use crate::guard::extension_filter;
use crate::scenario::yaml::{Data, Node};

/// A filter that lets pass only what has records of plugins, or may.
pub(super) struct Guard<'w> {
    /// What it is called in its chain.
    pub(super) name: &'w str,
    pub(super) manifest: &'w Manifest,
    /// Where what it asks for is said: in what object, and where in that.
    pub(super) said: (&'w Manifest, String),
    /// What it asks for.
    pub(super) records: BTreeSet<String>,
    /// It may ask for more, in a way that is not understood here.
    pub(super) is_unclear: bool,
    put: Put<'w>,
}

/// A patch that puts a filter beside another one, or does something to that one.
#[derive(Clone, Copy)]
pub(super) struct Put<'w> {
    pub(super) index: usize,
    pub(super) operation: &'w str,
    pub(super) beside: &'w str,
}

/// A name under which a plugin stands in a chain, and, if an EnvoyFilter put it there, beside what.
pub(super) struct Place<'w> {
    pub(super) filter: String,
    pub(super) operation: &'w str,
    pub(super) beside: &'w str,
    /// The number of the patch.
    pub(super) index: usize,
    /// Whether it is asked only where a route says so.
    pub(super) is_off: bool,
    /// Which versions of Istio call it so, if not all do.
    pub(super) versions: &'static str,
}

/// The guards that are put into the chains of a waypoint.
pub(super) fn guards<'w>(world: &'w World, gateway: (&str, &str)) -> Vec<Guard<'w>> {
    let wide = |it: &&Manifest| targets(it).iter().all(|target| matches!(target.kind, "Gateway" | "GatewayClass"));
    let about = filters(world, gateway).filter(wide);
    let read = |manifest| puts(manifest).filter_map(move |(put, value)| Guard::read(world, gateway, (manifest, put, value)));
    about.flat_map(read).collect()
}

/// The EnvoyFilters about a waypoint.
pub(super) fn filters<'w>(world: &'w World, gateway: (&str, &str)) -> impl Iterator<Item = &'w Manifest> {
    world.of("EnvoyFilter").filter(move |it| gateways(world, it).contains(&gateway))
}

/// Where a plugin stands. Of one WasmPlugin Istio has two names: before 1.30 one of its own.
pub(super) fn places<'w>(extension: &Extension<'w>) -> Vec<Place<'w>> {
    let Manifest { namespace, name, .. } = extension.manifest;
    let named = |filter, versions| Place { filter, operation: "", beside: "", index: 0, is_off: false, versions };
    let full = extension_filter(namespace, name);
    match (extension.form, extension.manifest.kind.as_str()) {
        (Form::Istio, "WasmPlugin") => vec![
            named(format!("{full}~istio-translated-wasmplugin"), "since Istio 1.30"),
            named(format!("extensions.istio.io/wasmplugin/{namespace}.{name}"), "before Istio 1.30"),
        ],
        (Form::Istio, _) => vec![named(full, "")],
        (Form::EnvoyFilter, _) => {
            let value = extension.base.strip_suffix(".typed_config.config").unwrap_or(&extension.base);
            let filter = extension.manifest.text(&format!("{value}.name")).unwrap_or_default();
            let own = puts(extension.manifest).filter(|(_, value)| value.get("name").and_then(Node::as_str) == Some(filter));
            let place = |(Put { index, operation, beside }, value)| {
                let (filter, is_off) = (filter.to_owned(), is_off(value));
                Place { filter, operation, beside, index, is_off, versions: "" }
            };
            own.map(place).collect()
        }
    }
}

/// The filters that an EnvoyFilter puts into the chains of a waypoint.
fn puts(manifest: &Manifest) -> impl Iterator<Item = (Put<'_>, &Node)> {
    patches(manifest).filter_map(|(put, value)| Some((put, value?)))
}

/// What an EnvoyFilter does to filters in the chains of a waypoint.
pub(super) fn patches(manifest: &Manifest) -> impl Iterator<Item = (Put<'_>, Option<&Node>)> {
    manifest.list("spec.configPatches").iter().enumerate().filter_map(|(index, patch)| {
        let text = |path: &str| patch.locate_node(path).and_then(Node::as_str);
        let here = text("match.context").is_none_or(|context| matches!(context, "SIDECAR_INBOUND" | "ANY"))
            && text("match.listener.name").is_none_or(|name| name == "main_internal");
        let beside = text("match.listener.filterChain.filter.subFilter.name");
        let beside = beside.filter(|_| here && text("applyTo") == Some("HTTP_FILTER"))?;
        Some((Put { index, operation: text("patch.operation")?, beside }, patch.locate_node("patch.value")))
    })
}

/// In which order two patches are applied, each with its number: the mesh's objects come first, then it goes by priority. Of equal rank
/// the older object comes first, and how old they are is not known.
pub(super) fn order(world: &World, one: (&Manifest, usize), other: (&Manifest, usize)) -> Option<Ordering> {
    let rank = |manifest: &Manifest| match manifest.at("spec.priority").map(|node| &node.data) {
        Some(Data::Number(priority)) => (manifest.namespace != world.root(), priority.as_i64().unwrap_or_default()),
        _ => (manifest.namespace != world.root(), 0),
    };
    if std::ptr::eq(one.0, other.0) {
        return Some(one.1.cmp(&other.1));
    }
    Some(rank(one.0).cmp(&rank(other.0))).filter(|order| order.is_ne())
}

/// What an EnvoyFilter gives for a filter of that name whose configuration is to come, and with which patch.
fn extension_config<'w>(manifest: &'w Manifest, name: &str) -> Option<(&'w Manifest, usize, &'w Node)> {
    manifest.list("spec.configPatches").iter().enumerate().find_map(|(index, patch)| {
        let is = |path: &str, wanted: &str| patch.locate_node(path).and_then(Node::as_str) == Some(wanted);
        let gives = is("applyTo", "EXTENSION_CONFIG") && is("patch.operation", "ADD") && is("patch.value.name", name);
        Some((manifest, index, patch.locate_node("patch.value.typed_config").filter(|_| gives)?))
    })
}

/// Whether a filter is put there so that it is asked only where a route says so.
fn is_off(value: &Node) -> bool {
    value.get("disabled").is_some_and(|it| it.data == Data::Bool(true))
}

impl Place<'_> {
    /// Under which versions of Istio, to be said behind what happens there.
    pub(super) fn when(&self) -> String {
        if self.versions.is_empty() { String::new() } else { format!(" ({})", self.versions) }
    }
}

impl<'w> Guard<'w> {
    fn read(world: &'w World, gateway: (&str, &str), filter: (&'w Manifest, Put<'w>, &'w Node)) -> Option<Self> {
        let (manifest, put, value) = filter;
        if is_off(value) {
            return None;
        }
        let name = value.get("name").and_then(Node::as_str).unwrap_or_default();
        let (said, index, config) = match (value.get("typed_config"), value.get("config_discovery")) {
            (Some(config), _) => (manifest, put.index, config),
            (None, discovery) => discovery.and_then(|_| filters(world, gateway).find_map(|it| extension_config(it, name)))?,
        };
        let config = config.to_json();
        let root = Spot::root(&config);
        let records: BTreeSet<String> = asks_for(&root).into_iter().map(str::to_owned).collect();
        let is_unclear = is_unclear(&root);
        let said = (said, format!("spec.configPatches[{index}].patch.value"));
        (is_unclear || !records.is_empty()).then_some(Self { name, manifest, said, records, is_unclear, put })
    }

    /// Whether it is put where it is for this plugin and no other.
    pub(super) fn is_for(&self, extension: &Extension<'_>, place: &Place<'_>) -> bool {
        self.put.beside == place.filter || std::ptr::eq(self.manifest, extension.manifest)
    }

    /// Whether it stands behind a plugin in every chain that has it.
    pub(super) fn is_behind(&self, world: &World, extension: &Extension<'_>, place: &Place<'_>) -> bool {
        let Put { operation, beside, .. } = self.put;
        let last = (operation, beside) == ("INSERT_BEFORE", "envoy.filters.http.router");
        let after = operation == "INSERT_AFTER" && beside == place.filter;
        match extension.form {
            Form::Istio => {
                let decides = extension.manifest.text("spec.phase") == Some("AUTHZ");
                after || last || decides && beside == ALWAYS && operation.starts_with("INSERT_")
            }
            Form::EnvoyFilter => {
                // Of what is put before one filter the last stands nearest to it.
                let near = operation == "INSERT_BEFORE" && (operation, beside) == (place.operation, place.beside);
                let beyond = operation == "INSERT_AFTER" && beside == place.beside && place.operation == "INSERT_BEFORE";
                (after || near) && self.is_later(world, extension, place) || beyond || last && place.beside == ALWAYS
            }
        }
    }

    /// The patch that puts it there.
    pub(super) fn patch(&self) -> (&'w Manifest, usize) {
        (self.manifest, self.put.index)
    }

    /// Whether its patch is surely applied behind that of a plugin.
    fn is_later(&self, world: &World, extension: &Extension<'_>, place: &Place<'_>) -> bool {
        order(world, self.patch(), (extension.manifest, place.index)).is_some_and(Ordering::is_gt)
    }
}
