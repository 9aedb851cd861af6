//! What is wrong with a message of MCP, as a reason to refuse it.

use super::Reason;
use crate::json::ErrorKind;
use crate::mcp::{Fault, HeaderFault};

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Batch => Self::Batch,
            Fault::CaseTwin => Self::CaseTwin,
            Fault::InvalidId => Self::InvalidId,
            Fault::Json(error) => match error.kind {
                ErrorKind::DuplicateMember => Self::DuplicateMember,
                ErrorKind::TooDeep | ErrorKind::TooManyNodes => Self::TooDeep,
                _ => Self::MalformedJson,
            },
            Fault::Params(_) => Self::InvalidParams,
            Fault::Malformed(_) => Self::MalformedMessage,
        }
    }
}

impl From<HeaderFault> for Reason {
    fn from(fault: HeaderFault) -> Self {
        match fault {
            HeaderFault::AmbiguousEra
            | HeaderFault::Illegal(_)
            | HeaderFault::Mismatch(_)
            | HeaderFault::Missing(_)
            | HeaderFault::Repeated(_) => Self::HeaderMismatch,
            HeaderFault::MissingMeta => Self::MissingMeta,
            HeaderFault::ResponseRefused => Self::MalformedMessage,
            HeaderFault::UnsupportedVersion => Self::UnsupportedVersion,
        }
    }
}
