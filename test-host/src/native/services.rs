//! Host services on the model.

use wardpoint_core::filter::{Cas, ServiceError, Services, Shared, Signature};

use crate::host::{Host, Status};
use crate::random::Random;

/// Lends the core what the model has.
pub(super) struct HostServices<'a> {
    pub(super) host: &'a mut Host,
    pub(super) random: &'a mut Random,
}

impl Services for HostServices<'_> {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        self.host.check("random_get").map_err(|_| ServiceError::Failed)?;
        self.random.fill(into);
        Ok(())
    }

    fn shared_get(&mut self, key: &str) -> Result<Option<Shared>, ServiceError> {
        match self.host.shared_get(key.as_bytes()) {
            Ok((value, cas)) => Ok(Some(Shared { value, cas: Cas(cas) })),
            Err(Status::NOT_FOUND) => Ok(None),
            Err(_) => Err(ServiceError::Failed),
        }
    }

    fn shared_set(&mut self, key: &str, value: &[u8], cas: Option<Cas>) -> Result<(), ServiceError> {
        let cas = cas.map_or(0, |Cas(cas)| cas);
        self.host.shared_set(key.as_bytes(), value, cas).map_err(|status| match status {
            Status::CAS_MISMATCH => ServiceError::CasMismatch,
            _ => ServiceError::Failed,
        })
    }

    fn verify_signature(&mut self, signature: &Signature<'_>, message: &[u8]) -> Result<bool, ServiceError> {
        self.host.verify_signature(signature.digest.name().as_bytes(), signature.key, signature.bytes, message).map_err(
            |status| match status {
                Status::NOT_FOUND | Status::UNIMPLEMENTED => ServiceError::Unsupported,
                Status::CAS_MISMATCH => ServiceError::CasMismatch,
                _ => ServiceError::Failed,
            },
        )
    }
}
