//! Records and counters.

use std::collections::HashMap;

use wardpoint_core::filter::{Counter, Sink};

use crate::host::Host;

/// A level of the ABI's log.
const INFO: u32 = 2;

/// Where records and counts go.
pub(super) struct Records<'a> {
    pub(super) host: &'a mut Host,
    pub(super) counters: &'a mut HashMap<String, u32>,
}

impl Records<'_> {
    /// A proxy that cannot count is no reason to stop.
    pub(super) fn add(&mut self, counter: &Counter, by: u64) {
        let name = counter.to_string();
        let id = match self.counters.get(&name) {
            Some(id) => *id,
            None => {
                let Ok(id) = self.host.define_metric(0, &name) else { return };
                self.counters.insert(name, id);
                id
            }
        };
        let _counted = self.host.increment_metric(id, i64::try_from(by).unwrap_or(i64::MAX));
    }
}

impl Sink for Records<'_> {
    fn log(&mut self, line: &str) -> bool {
        self.host.log(INFO, line).is_ok()
    }

    fn leave(&mut self, property: &str, list: &str) -> bool {
        self.host.set_property(property, list.as_bytes()).is_ok()
    }

    fn count(&mut self, counter: Counter) {
        self.add(&counter, 1);
    }
}
