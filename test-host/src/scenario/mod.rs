//! Scenarios: exchanges as YAML, each with what an outsider must see.
//!
//! `scenarios/README.md` is the reference of the format.
//!
//! | module | does |
//! |---|---|
//! | [`yaml`], `fields` | text to values with places; every problem at once |
//! | `load`, `exchange`, `message`, `next` | values to a [`Scenario`]: exchanges and the bytes that they send |
//! | [`expect`], [`compare`](mod@compare) | what must be seen, and the differences |
//! | [`invariants`] | what holds for every exchange |
//! | [`run`](mod@run), `queue` | plays all of that on engines, in parallel |
//! | [`bless`] | writes what was seen back into the text |
//! | [`cut`], [`play`](mod@play) | a case, a profile and a cut to an [`crate::engine::Play`] |

mod before;
pub mod bless;
pub mod compare;
pub mod cut;
mod exchange;
pub mod expect;
mod fields;
pub mod invariants;
mod json;
mod load;
mod made;
mod message;
mod model;
mod next;
pub mod play;
mod queue;
pub mod run;
mod scalar;
mod sse;
mod token;
pub mod yaml;

pub use fields::{LoadError, Problem};
pub use load::{Expectations, load, load_all, merge, parse, parse_exchange, read_yaml};
pub use model::{Case, Exchange, Expect, Profile, Scenario, Span};
