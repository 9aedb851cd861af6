//! Listeners, chains and filters, each plugin with the configuration that it really has.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lint::delivery::DEFAULT_BUFFER;
use crate::lint::extension::module;
use crate::lint::manifest::Known;
use crate::lint::spot::Spot;
use crate::transcript::filter_state;

/// What of a dump is looked at.
pub(super) struct Dump<'d> {
    /// Every HTTP chain of every listener.
    pub(super) chains: Vec<Chain<'d>>,
    /// By name.
    pub(super) clusters: BTreeMap<&'d str, Spot<'d>>,
    /// Routes that came by discovery; the others stand in their chains.
    pub(super) routes: Vec<Spot<'d>>,
    /// What the proxy was told and does not run: the thing, and why.
    pub(super) refused: Vec<(Spot<'d>, String)>,
}

/// One chain of network filters that ends in HTTP.
pub(super) struct Chain<'d> {
    /// The name of its listener.
    pub(super) listener: &'d str,
    /// Its own name, or its number.
    pub(super) name: String,
    /// The chain.
    pub(super) spot: Spot<'d>,
    /// What reads HTTP.
    pub(super) manager: Spot<'d>,
    /// What a request may have in memory, in bytes.
    pub(super) buffer: u64,
    /// HTTP filters in their order.
    pub(super) filters: Vec<Filter<'d>>,
}

/// One HTTP filter.
pub(super) struct Filter<'d> {
    pub(super) name: &'d str,
    pub(super) spot: Spot<'d>,
    /// Its configuration, wherever it came from; none if it is to come and is not there.
    pub(super) config: Option<Spot<'d>>,
    pub(super) plugin: Option<Plugin<'d>>,
    /// It is to come and is not there: what stands in its place, or nothing.
    pub(super) missing: Option<Missing>,
}

/// What there is in the place of a module.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Missing {
    /// Nothing came yet.
    Waits,
    /// Istio's agent could not fetch it; all requests are refused.
    Refuses,
    /// The same with FAIL_OPEN.
    Passes,
}

/// One of our plugins.
pub(super) struct Plugin<'d> {
    pub(super) name: &'static str,
    /// Envoy's PluginConfig.
    pub(super) settings: Spot<'d>,
    /// The plugin's own configuration, if it can be read.
    pub(super) config: Option<Value>,
    /// Where that stands: a text, so its parts have no path of their own.
    pub(super) place: String,
}

impl<'d> Dump<'d> {
    /// Reads a dump; none if it has no listeners.
    pub(super) fn read(root: Spot<'d>, plugins: &[Known]) -> Option<Self> {
        let sections = |name: &str| root.items("configs").into_iter().filter(|it| it.is(name)).collect::<Vec<_>>();
        let (listeners, mut refused) = (sections("ListenersConfigDump"), Vec::new());
        if listeners.is_empty() {
            return None;
        }
        let extensions = extensions(&sections("EcdsConfigDump"), &mut refused);
        let mut chains = Vec::new();
        for section in &listeners {
            for listener in section.items("static_listeners").iter().filter_map(|it| it.get("listener")) {
                chains.extend(chains_of(&listener, &extensions, plugins));
            }
            for dynamic in section.items("dynamic_listeners") {
                if let Some(why) = refusal(&dynamic) {
                    refused.push((dynamic.clone(), why));
                }
                if let Some(listener) = dynamic.at("active_state.listener").or_else(|| dynamic.at("warming_state.listener")) {
                    chains.extend(chains_of(&listener, &extensions, plugins));
                }
            }
        }
        let routes = sections("RoutesConfigDump").iter().flat_map(|it| it.items("dynamic_route_configs")).collect();
        Some(Self { chains, clusters: clusters(&sections("ClustersConfigDump")), routes, refused })
    }

    /// The routes that a chain takes: its own, or those that it asks for. Which those of scopes are, is not looked at.
    pub(super) fn routes_of(&self, chain: &Chain<'d>) -> Vec<Spot<'d>> {
        let named = chain.manager.text("rds.route_config_name");
        let scoped = chain.manager.get("scoped_routes");
        let came = self.routes.iter().filter(|it| scoped.is_some() || named.is_some() && it.text("route_config.name") == named);
        chain.manager.get("route_config").into_iter().chain(came.cloned()).chain(scoped.clone()).collect()
    }
}

impl Chain<'_> {
    /// Its name in a finding.
    pub(super) fn label(&self) -> String {
        format!("listener {}, chain {}", self.listener, self.name)
    }

    /// A filter's name in a finding.
    pub(super) fn says(&self, filter: &Filter<'_>) -> String {
        format!("{}, filter {}", self.label(), filter.name)
    }

    /// Whether it has a plugin, or a place for one.
    pub(super) fn is_guarded(&self) -> bool {
        self.filters.iter().any(|filter| filter.plugin.is_some() || filter.missing.is_some())
    }
}

impl Plugin<'_> {
    /// A value of its configuration.
    pub(super) fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self.config.as_ref()?, |value, name| value.get(name))
    }

    /// What its records are left in.
    pub(super) fn filter_state(&self) -> String {
        filter_state(self.name, self.config.as_ref().unwrap_or(&Value::Null))
    }

    /// Whether its records go to a place.
    pub(super) fn records_to(&self, place: &str) -> bool {
        let places = self.at("audit.to").and_then(Value::as_array);
        places.is_none_or(|places| places.iter().any(|it| it.as_str() == Some(place)))
    }

    /// Its routes that put tokens into requests.
    pub(super) fn exchanging(&self) -> Vec<&Value> {
        let routes = self.at("routes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let puts = |route: &&Value| route.get("action").and_then(Value::as_str).is_none_or(|action| action == "exchange");
        routes.iter().filter(puts).filter(|_| self.name == "token-exchange").collect()
    }

    /// Whether it leaves its records in filter state.
    pub(super) fn leaves_records(&self) -> bool {
        self.records_to("accessLog")
    }

    /// Whether it counts on headers that wait.
    pub(super) fn holds_headers(&self) -> bool {
        self.at("hostProfile.holdHeaders").and_then(Value::as_bool) == Some(true)
    }
}

/// What came by extension discovery, by name.
fn extensions<'d>(sections: &[Spot<'d>], refused: &mut Vec<(Spot<'d>, String)>) -> BTreeMap<&'d str, Spot<'d>> {
    let mut found = BTreeMap::new();
    for filter in sections.iter().flat_map(|section| section.items("ecds_filters")) {
        if let Some(details) = filter.text("error_state.details") {
            refused.push((filter.clone(), details.to_owned()));
        }
        let named = filter.text("ecds_filter.name");
        found.extend(named.zip(filter.at("ecds_filter.typed_config")));
    }
    found
}

/// Why a listener does not run as it was told to.
fn refusal(dynamic: &Spot<'_>) -> Option<String> {
    let waits = dynamic.get("warming_state").is_some() && dynamic.get("active_state").is_none();
    let error = dynamic.text("error_state.details").map(str::to_owned);
    error.or_else(|| waits.then(|| "it waits for something that it needs and does not serve".to_owned()))
}

fn clusters<'d>(sections: &[Spot<'d>]) -> BTreeMap<&'d str, Spot<'d>> {
    let of = |list: &str| sections.iter().flat_map(|section| section.items(list)).collect::<Vec<_>>();
    let all = of("static_clusters").into_iter().chain(of("dynamic_active_clusters"));
    all.filter_map(|it| it.get("cluster")).filter_map(|it| Some((it.text("name")?, it))).collect()
}

fn chains_of<'d>(listener: &Spot<'d>, extensions: &BTreeMap<&'d str, Spot<'d>>, plugins: &[Known]) -> Vec<Chain<'d>> {
    let name = listener.text("name").unwrap_or("without a name");
    let buffer = listener.number("per_connection_buffer_limit_bytes").unwrap_or(DEFAULT_BUFFER);
    let chains = listener.items("filter_chains").into_iter().chain(listener.get("default_filter_chain"));
    let mut found = Vec::new();
    for (index, spot) in chains.enumerate() {
        let own = spot.text("name").map_or_else(|| index.to_string(), str::to_owned);
        for manager in spot.items("filters").iter().filter_map(|it| it.get("typed_config")) {
            if manager.is("HttpConnectionManager") {
                let filters = manager.items("http_filters");
                let filters = filters.into_iter().map(|filter| Filter::read(filter, extensions, plugins)).collect();
                found.push(Chain { listener: name, name: own.clone(), spot: spot.clone(), manager, buffer, filters });
            }
        }
    }
    found
}

impl<'d> Filter<'d> {
    fn read(spot: Spot<'d>, extensions: &BTreeMap<&'d str, Spot<'d>>, plugins: &[Known]) -> Self {
        let name = spot.text("name").unwrap_or_default();
        let config = spot.get("typed_config").or_else(|| extensions.get(name).cloned());
        let plugin = config.as_ref().filter(|config| config.is("Wasm")).and_then(|config| Plugin::read(config, name, plugins));
        let missing = match &config {
            None => spot.get("config_discovery").map(|_| Missing::Waits),
            Some(config) => Missing::read(config),
        };
        Self { name, spot, config, plugin, missing }
    }

    /// Whether it is asked where no route says otherwise.
    pub(super) fn is_on(&self) -> bool {
        !self.spot.is_true("disabled")
    }
}

impl Missing {
    /// The names are those that Istio's agent gives to what it puts in the place of a module that it could not fetch.
    fn read(config: &Spot<'_>) -> Option<Self> {
        let prefix = config.text("rules_stat_prefix").or_else(|| config.text("stat_prefix"));
        match prefix.filter(|_| config.is("RBAC"))? {
            "wasm-default-deny" => Some(Self::Refuses),
            "wasm-default-allow" => Some(Self::Passes),
            _ => None,
        }
    }
}

impl<'d> Plugin<'d> {
    fn read(config: &Spot<'d>, filter: &str, plugins: &[Known]) -> Option<Self> {
        let settings = config.get("config")?;
        let code = ["vm_config.code.remote.http_uri.uri", "vm_config.code.local.filename"];
        let names = ["root_id", "name"].into_iter().filter_map(|name| settings.text(name));
        let modules = code.into_iter().filter_map(|path| settings.text(path).map(module));
        // Istio names filter and configuration `NAMESPACE.NAME`.
        let last = |name: &str| plugins.iter().find(|it| name.rsplit(['.', '/']).next() == Some(it.name)).map(|it| it.name);
        let name = names.chain(modules).find_map(|name| plugins.iter().find(|it| it.name == name).map(|it| it.name));
        let name = name.or_else(|| settings.text("name").and_then(last)).or_else(|| last(filter))?;
        let place = settings.at("configuration.value").map_or_else(|| settings.path.clone(), |value| value.path);
        let config = settings.text("configuration.value").and_then(|text| serde_json::from_str(text).ok());
        Some(Self { name, settings, config, place })
    }
}
