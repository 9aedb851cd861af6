//! Kubernetes objects, and where they stand.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::scenario::yaml::{Data, Node, YamlError, parse_all};

/// One object of a manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The file that it stands in.
    pub(super) file: PathBuf,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) node: Node,
}

/// All objects that are looked at together.
#[derive(Clone, Debug)]
pub struct World {
    manifests: Vec<Manifest>,
    /// Where resources for the whole mesh stand.
    root: String,
    plugins: Vec<Known>,
}

/// Paths in a configuration, and what is wrong there.
pub type Problems = Vec<(String, String)>;

/// A plugin that manifests may attach.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Every problem of a configuration of the plugin of that name: its path, and what is wrong there.
    pub problems: fn(&str, &[u8]) -> Problems,
}

/// A file that is no list of Kubernetes objects.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}:{problem}", file.display())]
pub struct Unreadable {
    /// The file.
    pub file: PathBuf,
    /// Where and why.
    #[source]
    pub problem: YamlError,
}

/// Reads the objects of one file: YAML documents, and `List`s of them.
pub fn read(file: &Path, text: &str) -> Result<Vec<Manifest>, Unreadable> {
    let bad = |problem| Unreadable { file: file.to_owned(), problem };
    let mut found = Vec::new();
    for node in parse_all(text).map_err(bad)? {
        let items = match node.get("items").map(|items| &items.data) {
            Some(Data::List(items)) if node.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List")) => {
                items.clone()
            }
            _ => vec![node],
        };
        for node in items {
            let at = node.place;
            let object = Manifest::new(file, node);
            found.push(object.ok_or_else(|| {
                bad(YamlError { place: at, text: "no Kubernetes object: `kind` and `metadata.name` are needed".to_owned() })
            })?);
        }
    }
    Ok(found)
}

impl Manifest {
    fn new(file: &Path, node: Node) -> Option<Self> {
        let text = |path: &str| node.locate_node(path).and_then(Node::as_str).map(str::to_owned);
        let (kind, name) = (text("kind")?, text("metadata.name")?);
        let namespace = text("metadata.namespace").unwrap_or_else(|| "default".to_owned());
        Some(Self { file: file.to_owned(), kind, namespace, name, node })
    }

    /// The node at `path`.
    pub(super) fn at(&self, path: &str) -> Option<&Node> {
        self.node.locate_node(path)
    }

    /// The text at `path`.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The items of the list at `path`.
    pub(super) fn list(&self, path: &str) -> &[Node] {
        items(self.at(path))
    }

    /// A label, or an annotation, by its whole name.
    pub(super) fn meta(&self, of: &str, name: &str) -> Option<&str> {
        self.node.get("metadata")?.get(of)?.get(name)?.as_str()
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl World {
    /// Of these objects. `root`: the namespace whose resources are for the whole mesh, `istio-system` mostly.
    pub fn new(manifests: Vec<Manifest>, root: impl Into<String>, plugins: Vec<Known>) -> Self {
        Self { manifests, root: root.into(), plugins }
    }

    /// The plugin of that name, as we call it.
    pub(super) fn plugin(&self, name: &str) -> Option<&'static str> {
        self.plugins.iter().find(|known| known.name == name).map(|known| known.name)
    }

    /// What is wrong with a plugin's configuration.
    pub(super) fn problems(&self, plugin: &str, config: &[u8]) -> Problems {
        let known = self.plugins.iter().find(|known| known.name == plugin);
        known.map(|known| (known.problems)(known.name, config)).unwrap_or_default()
    }

    pub(super) fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Objects of one kind.
    pub(super) fn of<'w>(&'w self, kind: &'static str) -> impl Iterator<Item = &'w Manifest> {
        self.manifests.iter().filter(move |manifest| manifest.kind == kind)
    }

    /// One object. Of classes and namespaces there is one for the whole cluster.
    pub(super) fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Option<&Manifest> {
        let everywhere = matches!(kind, "GatewayClass" | "Namespace");
        self.of(kind).find(|manifest| manifest.name == name && (everywhere || manifest.namespace == namespace))
    }

    /// The waypoint that stands before a Service or ServiceEntry: namespace and name, as its labels or those of its namespace say.
    pub(super) fn waypoint_of<'w>(&'w self, manifest: &'w Manifest) -> Option<(&'w str, &'w str)> {
        const USE: &str = "istio.io/use-waypoint";
        let namespace = self.find("Namespace", "", &manifest.namespace);
        let labelled = [Some(manifest), namespace].into_iter().flatten().find(|object| object.meta("labels", USE).is_some())?;
        let name = labelled.meta("labels", USE).filter(|name| *name != "none")?;
        Some((labelled.meta("labels", "istio.io/use-waypoint-namespace").unwrap_or(&manifest.namespace), name))
    }
}

/// The items, if this is a list.
pub(super) fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.data) {
        Some(Data::List(items)) => items,
        _ => &[],
    }
}

/// Shows every node below `node`, itself first, with its path.
pub(super) fn each<'n>(node: &'n Node, path: &str, visit: &mut dyn FnMut(&'n Node, &str)) {
    visit(node, path);
    match &node.data {
        Data::Map(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                each(&entry.value, &format!("{path}{dot}{}", entry.key), visit);
            }
        }
        Data::List(items) => {
            for (index, item) in items.iter().enumerate() {
                each(item, &format!("{path}[{index}]"), visit);
            }
        }
        _ => {}
    }
}
