//! What routes say of filters of their chain: one can be passed by there, or be another one.

use super::spot::Spot;

/// What a route configuration, a virtual host, a route or a weighted cluster has for filters, by their names.
pub(super) const MEMBER: &str = "typed_per_filter_config";

/// What is said of one filter.
#[derive(Clone, Debug)]
pub(super) enum Said<'d> {
    /// It is passed by.
    Off,
    /// It is asked, as its chain has it.
    On,
    /// It is asked with this configuration.
    Other(Spot<'d>),
}

impl<'d> Said<'d> {
    /// Reads one entry.
    pub(super) fn read(entry: &Spot<'d>) -> Self {
        if entry.is_true("disabled") {
            return Self::Off;
        }
        if !entry.is("FilterConfig") {
            return Self::Other(entry.clone());
        }
        entry.get("config").filter(|config| config.get("@type").is_some()).map_or(Self::On, Self::Other)
    }
}
