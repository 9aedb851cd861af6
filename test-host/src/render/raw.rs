//! The declaration as it is written.

use wardpoint_core::config::{choice, record};

choice! {
    /// Whether an agent acts for a user.
    pub enum RawUser {
        /// A verified token of a user is needed.
        Any = "any",
        /// The agent acts for itself.
        None = "none",
    }
}

record! {
    /// Who may reach which server and which of its tools.
    pub struct Raw {
        /// Version of this format; 1.
        version: u32 = "version";
        /// What all paths have in common.
        mesh: RawMesh = "mesh";
        /// The module that decides: `mcp-authz`, as `wardpoint push` printed it.
        module: RawModule = "module";
        /// Who calls, by a name of its own.
        agents: Vec<(String, RawAgent)> = "agents";
        /// What is called, by the name of its Service.
        servers: Vec<(String, RawServer)> = "servers";
        /// The paths. What is not here is nowhere.
        access: Vec<RawPath> = "access";
    }
}

record! {
    /// What all paths have in common.
    pub struct RawMesh {
        /// The trust domain of the mesh.
        trust_domain: String = "trustDomain", "cluster.local".to_owned();
        /// Who issues the tokens of users; needed if a path is for users.
        issuer: Option<String> = "issuer", None;
        /// `aud` of these tokens must name one of these; whomever, if absent.
        audiences: Vec<String> = "audiences", Vec::new();
        /// The namespace in which names are resolved; agents may ask there.
        dns: String = "dns", "kube-system".to_owned();
    }
}

record! {
    /// The module that decides.
    pub struct RawModule {
        /// Where waypoints pull it from: `oci://…`, with a tag or a digest.
        url: String = "url";
        /// The digest of its manifest, 64 hexadecimal digits; not needed if `url` has one.
        sha256: Option<String> = "sha256", None;
    }
}

record! {
    /// Who calls.
    pub struct RawAgent {
        /// Its namespace. All pods of this namespace lose every way out that is not declared.
        namespace: String = "namespace";
        /// Its service account: its identity is `spiffe://<trustDomain>/ns/<namespace>/sa/<serviceAccount>`.
        service_account: String = "serviceAccount";
        /// The labels of its pods.
        labels: Vec<(String, String)> = "labels";
        /// Its OAuth client, if it has one.
        client: Option<String> = "client", None;
    }
}

record! {
    /// What is called.
    pub struct RawServer {
        /// Its namespace, in which its waypoint stands too.
        namespace: String = "namespace";
        /// The labels of its pods.
        labels: Vec<(String, String)> = "labels";
        /// The port of its Service, and of its pods.
        port: u32 = "port";
        /// Its waypoint; servers of a namespace may share one.
        waypoint: String = "waypoint", "waypoint".to_owned();
    }
}

record! {
    /// A path: one agent, one server, and what may be done there.
    pub struct RawPath {
        /// Its name in audit records; `<agent>-<server>` if absent.
        id: Option<String> = "id", None;
        /// Who.
        agent: String = "agent";
        /// Where.
        server: String = "server";
        /// For whom.
        user: RawUser = "user", RawUser::Any;
        /// Which tools: names, or a beginning with `*`.
        tools: Vec<String> = "tools";
        /// Scopes that the user's token must have, all of them.
        scopes: Vec<String> = "scopes", Vec::new();
    }
}
