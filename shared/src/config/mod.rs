//! Text to policy: every problem at once, each with its path.
//!
//! A plugin declares its raw types with [`record!`] and [`choice!`]; the same declaration reads them and makes their JSON
//! Schema. What the raw types mean is the plugin's `compile`.

mod decode;
mod duration;
mod error;
mod problems;
mod ring;
mod variable;

pub use decode::{Decode, Fields, Undecoded, choice_schema, object_schema, shown_map, with_default, word};
pub use error::{ConfigErrors, Problem};
pub use problems::Problems;
pub use ring::{RawSealingKey, Ring};
pub use variable::{RawVariable, Variable};

pub use crate::{choice, record};

use crate::json::{self, Node};

/// Largest configuration, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// Reads JSON text into a tree, and gives it with `sha256:` and the digest of its canonical form.
pub fn parse(text: &[u8], problems: &mut Problems) -> Option<(Node, String)> {
    if text.is_empty() {
        problems.add("the configuration is empty. An empty policy is an error, not an allow");
        return None;
    }
    if text.len() > MAX_BYTES {
        problems.add(format!("the configuration has {} bytes; {MAX_BYTES} is the limit", text.len()));
        return None;
    }
    match json::parse_tree(text, json::Limits::default()) {
        Ok(node) => {
            let digest = node.digest();
            Some((node, digest))
        }
        Err(error) => {
            problems.add(format!("not valid JSON at byte {}: {error}", error.at));
            None
        }
    }
}
