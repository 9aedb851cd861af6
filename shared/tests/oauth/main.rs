//! OAuth on the wire: requests byte for byte, answers strictly.

mod answers;
mod ciba;
mod introspection;
mod requests;

use wardpoint_core::http::Headers;

/// The headers of an answer in JSON.
pub(crate) fn json() -> Headers {
    [("content-type", "application/json;charset=UTF-8")].into_iter().collect()
}
