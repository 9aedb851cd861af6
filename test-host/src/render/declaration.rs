//! A declaration without problems.

use std::collections::BTreeMap;

use wardpoint_core::config::{ConfigErrors, Decode as _, Problems, parse};

use super::raw::{Raw, RawAgent, RawMesh, RawModule, RawPath, RawServer, RawUser};

/// What such a file is called.
pub const NAME: &str = "access";

/// Who may reach which server and which of its tools.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub(super) mesh: RawMesh,
    pub(super) module: RawModule,
    pub(super) agents: BTreeMap<String, RawAgent>,
    pub(super) servers: BTreeMap<String, RawServer>,
    pub(super) paths: Vec<Path>,
}

/// One path, its ends known.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// A rule's name.
    pub(super) id: String,
    pub(super) agent: String,
    pub(super) server: String,
    /// It is for users.
    pub(super) user: bool,
    pub(super) tools: Vec<String>,
    pub(super) scopes: Vec<String>,
}

impl Declaration {
    /// Reads JSON text; every problem at once.
    pub fn read(text: &[u8]) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::new();
        let raw = parse(text, &mut problems).and_then(|(node, _)| Raw::decode(&node, &mut problems));
        let declaration = raw.map(|raw| Self::compile(raw, &mut problems));
        match declaration {
            Some(declaration) if problems.is_empty() => Ok(declaration),
            _ => Err(ConfigErrors::new(NAME, problems.into_list())),
        }
    }

    fn compile(raw: Raw, problems: &mut Problems) -> Self {
        if raw.version != 1 {
            problems.field("version", |problems| problems.add(format!("`{}` is not known; write 1", raw.version)));
        }
        problems.field("mesh", |problems| mesh(&raw.mesh, &raw.access, problems));
        problems.field("module", |problems| module(&raw.module, problems));
        problems.field("agents", |problems| agents(&raw, problems));
        problems.field("servers", |problems| servers(&raw, problems));
        let paths = problems.field("access", |problems| paths(&raw, problems));
        let Raw { mesh, module, agents, servers, .. } = raw;
        Self { mesh, module, agents: agents.into_iter().collect(), servers: servers.into_iter().collect(), paths }
    }

    /// The paths to a server.
    pub(super) fn paths_to<'d>(&'d self, server: &'d str) -> impl Iterator<Item = &'d Path> {
        self.paths.iter().filter(move |path| path.server == server)
    }

    /// The agents that may reach a server, each once.
    pub(super) fn agents_of(&self, server: &str) -> impl Iterator<Item = &RawAgent> {
        self.agents.iter().filter(|(name, _)| self.paths_to(server).any(|path| path.agent == **name)).map(|(_, agent)| agent)
    }

    /// Each waypoint, namespace and name, with the servers behind it.
    pub(super) fn waypoints(&self) -> BTreeMap<(&str, &str), Vec<&str>> {
        let mut found: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for (name, server) in &self.servers {
            found.entry((server.namespace.as_str(), server.waypoint.as_str())).or_default().push(name);
        }
        found
    }

    /// Who an agent is to the mesh and to plugins.
    pub(super) fn spiffe(&self, agent: &RawAgent) -> String {
        format!("spiffe://{}", self.principal(&agent.namespace, &agent.service_account))
    }

    /// The identity of a service account, without `spiffe://`.
    pub(super) fn principal(&self, namespace: &str, account: &str) -> String {
        format!("{}/ns/{namespace}/sa/{account}", self.mesh.trust_domain)
    }
}

fn mesh(mesh: &RawMesh, access: &[RawPath], problems: &mut Problems) {
    let domain = !mesh.trust_domain.is_empty() && mesh.trust_domain.split('.').all(is_label);
    if !domain {
        problems.field("trustDomain", |problems| problems.add(format!("`{}` is not a trust domain", mesh.trust_domain)));
    }
    if mesh.issuer.is_none() && access.iter().any(|path| path.user == RawUser::Any) {
        problems.field("issuer", |problems| problems.add("is required: a path is for users, and somebody must have named them"));
    }
    problems.field("dns", |problems| label(&mesh.dns, problems));
}

fn module(module: &RawModule, problems: &mut Problems) {
    let last = module.url.rsplit('/').next().unwrap_or_default();
    problems.field("url", |problems| {
        if !module.url.starts_with("oci://") {
            problems.add(format!("`{}` has no `oci://`: without it Istio refuses a host with a port", module.url));
        }
        let plugin = last.split([':', '@']).next();
        if plugin != Some("mcp-authz") {
            problems.add(format!("`{last}` is not an image of mcp-authz"));
        }
        if last.ends_with(":latest") || !last.contains(':') {
            problems.add("names no tag that stays");
        }
    });
    match &module.sha256 {
        None if last.contains("@sha256:") => {}
        None => problems.field("sha256", |problems| problems.add("is required: wardpoint push prints it")),
        Some(hex) if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {}
        Some(_) => problems.field("sha256", |problems| problems.add("is not 64 hexadecimal digits")),
    }
}

fn agents(raw: &Raw, problems: &mut Problems) {
    for (name, agent) in &raw.agents {
        problems.field(name, |problems| {
            label(name, problems);
            problems.field("namespace", |problems| label(&agent.namespace, problems));
            problems.field("serviceAccount", |problems| {
                label(&agent.service_account, problems);
                let same = |(other, it): &&(String, RawAgent)| {
                    other < name && it.namespace == agent.namespace && it.service_account == agent.service_account
                };
                if let Some((other, _)) = raw.agents.iter().find(same) {
                    problems.add(format!("is that of `{other}`: the two could not be told apart"));
                }
            });
            labels(&agent.labels, problems);
            if raw.access.iter().all(|path| path.agent != *name) {
                problems.add("has no path: leave it out, or say in `access` where it goes");
            }
        });
    }
}

fn servers(raw: &Raw, problems: &mut Problems) {
    for (name, server) in &raw.servers {
        problems.field(name, |problems| {
            label(name, problems);
            problems.field("namespace", |problems| label(&server.namespace, problems));
            problems.field("waypoint", |problems| label(&server.waypoint, problems));
            labels(&server.labels, problems);
            if !(1..=65535).contains(&server.port) {
                problems.field("port", |problems| problems.add(format!("`{}` is not a port", server.port)));
            }
            if raw.access.iter().all(|path| path.server != *name) {
                problems.add("is reached by no path: leave it out, or say in `access` who may reach it");
            }
        });
    }
}

fn paths(raw: &Raw, problems: &mut Problems) -> Vec<Path> {
    let mut found: Vec<Path> = Vec::new();
    for (index, path) in raw.access.iter().enumerate() {
        problems.item(index, |problems| {
            if raw.agents.iter().all(|(name, _)| *name != path.agent) {
                problems.field("agent", |problems| problems.add(format!("`{}` is not among `agents`", path.agent)));
            }
            if raw.servers.iter().all(|(name, _)| *name != path.server) {
                problems.field("server", |problems| problems.add(format!("`{}` is not among `servers`", path.server)));
            }
            if path.tools.is_empty() {
                problems.field("tools", |problems| problems.add("names no tool: a path to nothing is no path"));
            }
            if path.user == RawUser::None && !path.scopes.is_empty() {
                problems.field("scopes", |problems| problems.add("are those of a user's token, and this path is for no user"));
            }
            let id = path.id.clone().unwrap_or_else(|| format!("{}-{}", path.agent, path.server));
            if found.iter().any(|other| other.id == id) {
                problems.field("id", |problems| problems.add(format!("`{id}` is there twice: give each path an id of its own")));
            }
            found.push(Path {
                id,
                agent: path.agent.clone(),
                server: path.server.clone(),
                user: path.user == RawUser::Any,
                tools: path.tools.clone(),
                scopes: path.scopes.clone(),
            });
        });
    }
    found
}

fn labels(labels: &[(String, String)], problems: &mut Problems) {
    if labels.is_empty() {
        problems.field("labels", |problems| problems.add("are needed: without them every pod of the namespace would be meant"));
    }
}

/// RFC 1123 2.1: what Kubernetes takes as a name.
fn label(text: &str, problems: &mut Problems) {
    if !is_label(text) {
        problems.add(format!("`{text}` is not a name: small letters, digits and `-` between them, 63 at most"));
    }
}

fn is_label(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(word) && text.bytes().last().is_some_and(word);
    ends && text.len() <= 63 && text.bytes().all(|byte| word(byte) || byte == b'-')
}
