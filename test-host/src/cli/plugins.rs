//! The plugins that are linked into this program.

use wardpoint_core::config::ConfigErrors;
use wardpoint_core::filter::Plugin as _;
use wardpoint_core::mcp_authz::{self, McpAuthz, McpAuthzApproval};
use wardpoint_core::token_exchange::{self, TokenExchange};

use super::explain::{Trace, mcp_authz_trace};
use crate::host::Manners;
use crate::native::Native;

/// What had better be looked at in a good configuration: the path, and why.
pub(super) type Warnings = Vec<(String, &'static str)>;

/// One of them.
pub(super) struct Plugin {
    /// Its name.
    pub(super) name: &'static str,
    /// Reads a configuration.
    pub(super) configure: fn(&[u8]) -> Result<Warnings, ConfigErrors>,
    /// The JSON Schema of its configuration.
    pub(super) schema: fn() -> String,
    /// What its rules say.
    pub(super) trace: Trace,
}

const PLUGINS: &[Plugin] = &[
    Plugin {
        name: mcp_authz::NAME,
        configure: |text| McpAuthz::configure(text).map(|_| Vec::new()),
        schema: mcp_authz::config::schema,
        trace: mcp_authz_trace,
    },
    Plugin {
        name: McpAuthzApproval::NAME,
        configure: |text| McpAuthzApproval::configure(text).map(|_| Vec::new()),
        schema: mcp_authz::config::schema,
        trace: mcp_authz_trace,
    },
    Plugin {
        name: token_exchange::NAME,
        configure: |text| token_exchange::Policy::configure(text).map(|policy| policy.warnings().to_vec()),
        schema: token_exchange::config::schema,
        trace: |_, kind, _| Err(format!("a route decides by destination, not by its {kind}")),
    },
];

/// The engine `native` with all of them.
pub(super) fn native() -> Native {
    Native::new(Manners::default()).with::<McpAuthz>().with::<McpAuthzApproval>().with::<TokenExchange>()
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PLUGINS.iter().map(|plugin| plugin.name)
}

/// The plugin of that name.
pub(super) fn plugin(name: &str) -> Option<&'static Plugin> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}
