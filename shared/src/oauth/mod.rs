//! OAuth on the wire: what is sent to a token service, and what it answers. Pure functions over bytes.
//!
//! - A request is a [`Form`] with a [`ClientAuth`]: [`TokenRequest::post`], [`introspect`], [`ciba::AuthRequest::post`].
//! - An answer is read strictly: one JSON text without a name twice, members of their types, sizes bounded, nothing that
//!   could not stand in a header. Free text of the server (`error_description`, `error_uri`) is never kept, only compared with what is known ([`Hint`], BY-X-09).
//! - Nothing here signs, knows the time, or says what is allowed; tokens show in no `Debug`.

mod answer;
pub mod ciba;
mod client;
mod failure;
mod form;
mod introspection;
mod request;
mod token_type;

pub use answer::{Issued, MAX_ANSWER, Usage};
pub use client::{AssertionType, ClientAuth};
pub use failure::{ErrorCode, Failure, Hint, StepUp, Unreadable};
pub use form::{Form, Post};
pub use introspection::{Described, Introspected, introspect};
pub use request::{Exchange, Target, TokenRequest, TypedToken};
pub use token_type::TokenType;
