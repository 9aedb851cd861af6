//! MCP: what a message asks for, in either era (rules.md 1).
//!
//! The body decides; headers are only compared with it (MCP-E-01, MCP-H-05).

mod answer;
mod headers;
mod known;
mod listing;
mod method;
mod request;
mod version;
mod wanted;

pub use crate::jsonrpc::{BadMessage, Fault, Id, Shape};
pub use answer::{Item, ItemList, Lifetime, Payload, ServerMessage, read_answer, read_answer_knowing};
pub use headers::{HeaderFault, check_headers};
pub use known::KnownLists;
pub use listing::{Filtered, List, Shown, filter_lists, filter_tools};
pub use method::{Key, Method};
pub use request::{Message, read_request};
pub use version::{Era, Version};
pub use wanted::{Want, WantedUrl};
