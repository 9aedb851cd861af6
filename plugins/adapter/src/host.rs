//! What the proxy offers to all contexts: clock, counters, log, shared data, random bytes, signatures.

use wardpoint_core::audit::Record;
use wardpoint_core::filter::{Cas, Counted, Counter, ServiceError, Services, Shared, Signature};
use wardpoint_core::time::{Duration, Timestamp};

use crate::abi::{self, Level, Status};
use crate::verify;

/// Names that a plugin may count under. They come from its configuration; beyond this bound counts are dropped, since a
/// proxy never forgets a name.
const COUNTERS: usize = 4096;

/// The counters that were used, defined in the proxy when they were first; sorted by [`key`].
#[derive(Default)]
pub(crate) struct Counters {
    defined: Vec<(Counted, u32)>,
    /// The property that takes audit records.
    property: Vec<u8>,
}

/// [`Services`] by host calls.
pub(crate) struct HostServices;

/// Now, as the proxy tells it.
pub(crate) fn now() -> Result<Timestamp, Status> {
    abi::now().map(Timestamp::from_nanos)
}

/// Writes a line to the log. A proxy that cannot log is no reason to stop.
pub(crate) fn log(level: Level, line: &str) {
    let _written = abi::log(level, line);
}

impl Counters {
    /// Adds to a counter. A proxy that cannot count is no reason to stop.
    pub(crate) fn add(&mut self, counter: Counter, by: u64) {
        let place = self.defined.binary_search_by(|(known, _)| key(known).cmp(&key(&counter.what)));
        let id = match place {
            Ok(place) => self.defined.get(place).map(|(_, id)| *id),
            Err(_) if self.defined.len() >= COUNTERS => None,
            Err(place) => abi::define_counter(counter.to_string().as_bytes()).ok().inspect(|id| {
                self.defined.insert(place, (counter.what, *id));
            }),
        };
        if let Some(id) = id {
            let _counted = abi::increment(id, i64::try_from(by).unwrap_or(i64::MAX));
        }
    }

    /// Writes a record to the log and to filter state, where the access log finds it. What gets lost is counted.
    pub(crate) fn audit(&mut self, record: &Record, began: Timestamp) {
        const PREFIX: &str = "wardpoint.audit ";
        let took = now().map_or(Duration::ZERO, |now| now.since(began));
        let mut line = String::with_capacity(768);
        line.push_str(PREFIX);
        record.push_json(&mut line, took);
        let lost = |what: &str| Counter { plugin: record.plugin, what: Counted::Other(format!("audit_lost.{what}")) };
        if abi::log(Level::Info, &line).is_err() {
            self.add(lost("log"), 1);
        }
        if self.property.is_empty() {
            self.property = format!("wardpoint_{}", record.plugin.replace('-', "_")).into_bytes();
        }
        let json = line.as_bytes().get(PREFIX.len()..).unwrap_or_default();
        if abi::set_property(&self.property, json).is_err() {
            self.add(lost("filter_state"), 1);
        }
    }
}

/// What tells the counters of a plugin apart.
fn key(counted: &Counted) -> (u8, &str, &str) {
    match counted {
        Counted::Decisions(outcome) => (0, outcome.as_str(), ""),
        Counted::Other(name) => (1, name, ""),
        Counted::Reasons(reason) => (2, reason.code(), ""),
        Counted::Rules(rule, outcome) => (3, rule.as_str(), outcome.as_str()),
    }
}

impl Services for HostServices {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        abi::random(into).map_err(service_error)
    }

    fn shared_get(&mut self, key: &str) -> Result<Option<Shared>, ServiceError> {
        match abi::shared_data(key.as_bytes()) {
            Ok((value, cas)) => Ok(Some(Shared { value, cas: Cas(cas) })),
            Err(Status::NOT_FOUND) => Ok(None),
            Err(status) => Err(service_error(status)),
        }
    }

    fn shared_set(&mut self, key: &str, value: &[u8], cas: Option<Cas>) -> Result<(), ServiceError> {
        abi::set_shared_data(key.as_bytes(), value, cas.map_or(0, |cas| cas.0)).map_err(service_error)
    }

    fn verify_signature(&mut self, signature: &Signature<'_>, message: &[u8]) -> Result<bool, ServiceError> {
        let answer =
            abi::foreign(b"verify_signature", &verify::arguments(signature, message)).map_err(|status| match status {
                Status::NOT_FOUND => ServiceError::Unsupported,
                status => service_error(status),
            })?;
        verify::result(&answer).ok_or(ServiceError::Failed)
    }
}

fn service_error(status: Status) -> ServiceError {
    match status {
        Status::CAS_MISMATCH => ServiceError::CasMismatch,
        Status::UNIMPLEMENTED => ServiceError::Unsupported,
        _ => ServiceError::Failed,
    }
}
