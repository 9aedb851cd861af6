//! What the proxy offers to all contexts: clock, counters, log, shared data, random bytes, signatures.

use core::marker::PhantomData;

use wardpoint_core::filter::{Cas, Counted, Counter, Plugin, ServiceError, Services, Shared, Signature, Sink};
use wardpoint_core::secret::Secret;
use wardpoint_core::time::Timestamp;

use crate::abi::{self, Level, Status};
use crate::verify;

/// Names that a plugin may count under. They come from its configuration; beyond this bound counts are dropped, since a
/// proxy never forgets a name.
const COUNTERS: usize = 4096;

/// The counters that were used, defined in the proxy when they were first; sorted by [`key`].
#[derive(Default)]
pub(crate) struct Counters {
    defined: Vec<(Counted, u32)>,
}

/// [`Services`] by host calls, for one plugin: what it does not use is not in its module.
pub(crate) struct HostServices<P>(PhantomData<P>);

/// Now, as the proxy tells it.
pub(crate) fn now() -> Result<Timestamp, Status> {
    abi::now().map(Timestamp::from_nanos)
}

/// Writes a line to the log. A proxy that cannot log is no reason to stop.
pub(crate) fn log(level: Level, line: &str) {
    let _written = abi::log(level, line);
}

/// A variable of an environment, if it is there and is text.
pub(crate) fn variable(environment: &[u8], name: &str) -> Option<Secret<String>> {
    let value = |entry: &[u8]| {
        let value = core::str::from_utf8(entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?).ok()?;
        Some(Secret::new(value.to_owned()))
    };
    environment.split(|byte| *byte == 0).find_map(value)
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
}

impl Sink for Counters {
    fn log(&mut self, line: &str) -> bool {
        abi::log(Level::Info, line).is_ok()
    }

    fn leave(&mut self, property: &str, list: &str) -> bool {
        abi::set_property(property.as_bytes(), list.as_bytes()).is_ok()
    }

    fn count(&mut self, counter: Counter) {
        self.add(counter, 1);
    }
}

/// What tells the counters of a plugin apart.
fn key(counted: &Counted) -> (u8, u8, &str) {
    match counted {
        Counted::Decisions(outcome) => (0, *outcome as u8, ""),
        Counted::Other(name) => (1, 0, name),
        Counted::Reasons(reason) => (2, 0, reason.code()),
        Counted::Rules(rule, outcome) => (3, *outcome as u8, rule.as_str()),
    }
}

impl<P> HostServices<P> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<P: Plugin> Services for HostServices<P> {
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
        if !P::SIGNATURES {
            return Err(ServiceError::Unsupported);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environment = b"AB=1\0A=x=y\0B=\0C=\xff\0";
        let value = |name| variable(environment, name).map(|value| value.reveal().clone());
        assert_eq!(value("A").as_deref(), Some("x=y"));
        assert_eq!(value("AB").as_deref(), Some("1"));
        assert_eq!(value("B").as_deref(), Some(""));
        assert_eq!((value("C"), value("D"), value("")), (None, None, None));
        assert!(variable(b"", "A").is_none());
    }
}
