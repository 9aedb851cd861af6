//! The configuration as it is written.

use super::super::surface::{RawMetadata, RawServerRequests, RawTools};
use super::rules::{RawRule, RawTiers};
use crate::approval::config::RawApproval;
use crate::config::{Undecoded, choice, record};
use crate::filter::{RawAudit, RawHostProfile, RawMode};
use crate::identity::{ClaimPath, RawIdentity};

choice! {
    /// How a refused call looks to the client.
    pub enum RawDenial {
        /// HTTP 403 and a JSON-RPC error with reason and decision id.
        Refuse = "refuse",
        /// HTTP 200 and `-32602`, as for an unknown tool.
        Hide = "hide",
        /// As `refuse`, and where scopes are missing a `WWW-Authenticate` challenge that names all of them.
        StepUp = "stepUp",
    }
}

choice! {
    /// Whether a legacy session (`Mcp-Session-Id`) is its owner's alone.
    pub enum RawSessions {
        /// It is: a request of another user or agent in it is refused. What began at another replica is the first comer's.
        Bound = "bound",
        /// It is its user's, through whichever agent; without a user its agent's. For clients that register anew at every login,
        /// so that the agent, which is then the client of the token, is another one after a step-up.
        User = "user",
        /// Whoever has the id may use it.
        Unbound = "unbound",
    }
}

record! {
    /// Configuration of `mcp-authz`.
    pub struct Raw {
        /// Version of this format; 1.
        version: u32 = "version";
        /// What the policy is called in the audit record.
        name: String = "name", super::super::NAME.to_owned();
        /// Whether decisions are carried out.
        mode: RawMode = "mode", RawMode::Enforce;
        /// What the proxy can do.
        host_profile: RawHostProfile = "hostProfile", RawHostProfile { hold_headers: false };
        /// Who the caller is and where that is read from.
        identity: RawIdentity = "identity";
        /// Groups of a claim, mapped to roles.
        roles: Option<RawRoles> = "roles", None;
        /// What scopes stand for.
        scopes: RawScopes = "scopes", RawScopes { implies: Vec::new() };
        /// How a refused call looks to the client.
        denial: RawDenial = "denial", RawDenial::Refuse;
        /// What is too large.
        limits: RawLimits = "limits", RawLimits { max_body_bytes: DEFAULT_BODY, list_ttl_ms: None, stream_ms: None };
        /// Where audit records go.
        audit: RawAudit = "audit", RawAudit::default();
        /// Protocol versions of MCP that may be spoken; all that are known, if absent.
        versions: Option<Vec<String>> = "versions", None;
        /// Values of `Origin` that may come in; a request with any other is refused.
        origins: Vec<String> = "origins", Vec::new();
        /// Whether a legacy session is its owner's alone.
        sessions: RawSessions = "sessions", RawSessions::Bound;
        /// Who issues tokens for this server; served by the plugin and named in challenges.
        resource_metadata: Option<RawMetadata> = "resourceMetadata", None;
        /// What the server may ask of the client. If absent, its requests pass unread.
        server_requests: Option<RawServerRequests> = "serverRequests", None;
        /// Hygiene of the tools that a client is shown.
        tools: Option<RawTools> = "tools", None;
        /// How users approve calls while they are away.
        approval: Option<Undecoded<RawApproval>> = "approval", None;
        /// Rules that can only narrow what `rules` grants.
        tiers: RawTiers = "tiers", RawTiers { global: None, namespaces: Vec::new(), clients: Vec::new() };
        /// What may be done. Nothing that no rule allows.
        rules: Vec<RawRule> = "rules";
    }
}

record! {
    /// Groups of a claim, mapped to roles.
    pub struct RawRoles {
        /// The claim that lists the user's groups: its name, or the names that lead to it (`[realm_access, roles]`).
        claim: ClaimPath = "claim";
        /// Group to roles; a group that is not here has none.
        map: Vec<(String, Vec<String>)> = "map";
    }
}

record! {
    /// What scopes stand for.
    pub struct RawScopes {
        /// Scope to the scopes that it includes; these in turn include theirs (MCP-Z-02).
        implies: Vec<(String, Vec<String>)> = "implies", Vec::new();
    }
}

record! {
    /// What is too large.
    pub struct RawLimits {
        /// Largest body in bytes, of a request and of a list answer. Below the proxy's buffer limit (1 MiB by default).
        max_body_bytes: u32 = "maxBodyBytes", DEFAULT_BODY;
        /// Longest time in milliseconds that a client may keep a list; as long as the server says, if absent.
        list_ttl_ms: Option<u32> = "listTtlMs", None;
        /// Longest time in milliseconds that a server may send by a stream that a client opened to listen (`GET`,
        /// `subscriptions/listen`). It ends with the token in any case.
        stream_ms: Option<u32> = "streamMs", None;
    }
}

/// Below Envoy's default buffer limit of 1 MiB, so that the answer is ours and not a bare 413 of the proxy.
const DEFAULT_BODY: u32 = 1_000_000;
