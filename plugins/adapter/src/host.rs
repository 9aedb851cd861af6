//! What the proxy offers to all contexts: clock, counters, log, shared data, random bytes, signatures.

use std::collections::BTreeMap;

use wardpoint_core::audit::Record;
use wardpoint_core::filter::{Cas, ServiceError, Services, Shared, Signature};
use wardpoint_core::time::{Duration, Timestamp};

use crate::abi::{self, Level, Status};
use crate::verify;

/// Names that a plugin may count under. They come from its configuration; beyond this bound counts are dropped, since a
/// proxy never forgets a name.
const COUNTERS: usize = 4096;

/// Counters by name, defined in the proxy when they are first used.
#[derive(Default)]
pub(crate) struct Counters(BTreeMap<String, u32>);

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
    pub(crate) fn add(&mut self, name: String, by: u64) {
        let id = match self.0.get(&name) {
            Some(id) => *id,
            None if self.0.len() < COUNTERS => {
                let Ok(id) = abi::define_counter(name.as_bytes()) else { return };
                self.0.insert(name, id);
                id
            }
            None => return,
        };
        let _counted = abi::increment(id, i64::try_from(by).unwrap_or(i64::MAX));
    }

    /// Writes a record to the log and to filter state, where the access log finds it. What gets lost is counted.
    pub(crate) fn audit(&mut self, record: &Record, began: Timestamp) {
        let took = now().map_or(Duration::ZERO, |now| now.since(began));
        let json = record.to_json(took);
        if abi::log(Level::Info, &format!("wardpoint.audit {json}")).is_err() {
            self.add(format!("wardpoint.{}.audit_lost.log", record.plugin), 1);
        }
        let property = format!("wardpoint_{}", record.plugin.replace('-', "_"));
        if abi::set_property(property.as_bytes(), json.as_bytes()).is_err() {
            self.add(format!("wardpoint.{}.audit_lost.filter_state", record.plugin), 1);
        }
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
