//! What a host call answers when it does not do what it was asked.

/// A proxy-wasm status that is not `Ok` (proxy-wasm ABI 0.2.1, `proxy_status_t`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status(pub u32);

impl Status {
    /// Nothing is there under that name.
    pub const NOT_FOUND: Self = Self(1);
    /// An argument makes no sense, or the thing is not there in this phase.
    pub const BAD_ARGUMENT: Self = Self(2);
    /// The value cannot be written as bytes: Envoy says so of a null in metadata.
    pub const SERIALIZATION_FAILURE: Self = Self(3);
    /// The argument cannot be read.
    pub const PARSE_FAILURE: Self = Self(4);
    /// A pointer outside the module's memory.
    pub const INVALID_MEMORY_ACCESS: Self = Self(6);
    /// The queue is empty.
    pub const EMPTY: Self = Self(7);
    /// Somebody else has written since.
    pub const CAS_MISMATCH: Self = Self(8);
    /// The host is out of order.
    pub const INTERNAL_FAILURE: Self = Self(10);
    /// This host does not have it.
    pub const UNIMPLEMENTED: Self = Self(12);
}
