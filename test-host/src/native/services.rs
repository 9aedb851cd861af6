//! Host services on the model.

use wardpoint_core::filter::{Cas, ServiceError, Services, Shared, Signature};

use crate::host::{Host, Status};

/// Lends the core what the model has.
pub(super) struct HostServices<'a> {
    pub(super) host: &'a mut Host,
    pub(super) random: &'a mut Random,
}

/// A seeded source, so that two runs are equal (splitmix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn fill(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            for (byte, random) in chunk.iter_mut().zip(z.to_le_bytes()) {
                *byte = random;
            }
        }
    }
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

    fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
        Err(ServiceError::Unsupported)
    }
}
