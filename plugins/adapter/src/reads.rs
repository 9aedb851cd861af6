//! Reading the host properties that a plugin declares, in as few calls as their paths let us.

use wardpoint_core::filter::{PropertyError, PropertyPath};
use wardpoint_core::http::tag;
use wardpoint_core::json::same;

use crate::abi::{self, Status};
use crate::pairs;

/// The value of a property.
pub(crate) type Value = Result<Option<Vec<u8>>, PropertyError>;

/// How the declared properties are read, in their order.
pub(crate) struct Reads(Vec<Read>);

enum Read {
    /// Several members of one map. The host says the map as a whole, which costs it less than to find each of them; it
    /// cannot say one that holds a null, then each is read by itself: a claim that cannot be said must not hide the others.
    Members { map: Vec<u8>, names: Vec<Name> },
    /// One by its path, whose segments are joined with NUL.
    One(Vec<u8>),
}

/// A name, and what tells it from nearly all others.
type Name = (u16, Vec<u8>);

/// From so many members on their map is read as a whole.
const SEVERAL: usize = 3;

impl Reads {
    pub(crate) fn new(paths: &[PropertyPath]) -> Self {
        let mut reads = Vec::new();
        let mut rest = paths;
        while let Some(first) = rest.first() {
            let (map, run) = match first.0.split_last() {
                // Only metadata are known to have one encoding either way (envoy-istio.md 3.3).
                Some((_, map)) if map.len() > 2 && map.first().is_some_and(|segment| segment == "metadata") => {
                    (map, rest.iter().take_while(|path| path.0.split_last().is_some_and(|(_, other)| other == map)).count())
                }
                _ => (&[][..], 1),
            };
            let (now, later) = rest.split_at(run);
            if run >= SEVERAL {
                let names = now.iter().filter_map(|path| path.0.last()).map(|name| tagged(name)).collect();
                reads.push(Read::Members { map: map.join("\0").into_bytes(), names });
            } else {
                reads.extend(now.iter().map(|path| Read::One(path.0.join("\0").into_bytes())));
            }
            rest = later;
        }
        Self(reads)
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        let mut values = Vec::with_capacity(12);
        for read in &self.0 {
            match read {
                Read::One(path) => values.push(one(path)),
                Read::Members { map, names } => match abi::property(map) {
                    Err(Status::NOT_FOUND) => values.extend(names.iter().map(|_| Ok(None))),
                    Ok(block) if members(&block, names, &mut values) => {}
                    _ => values.extend(names.iter().map(|name| one(&[map.as_slice(), name.1.as_slice()].join(&0)))),
                },
            }
        }
        values
    }
}

fn tagged(name: &str) -> Name {
    (tag(name.as_bytes()), name.as_bytes().to_vec())
}

/// The value of one property.
pub(crate) fn one(path: &[u8]) -> Value {
    match abi::property(path) {
        Ok(value) => Ok(Some(value)),
        Err(Status::NOT_FOUND) => Ok(None),
        Err(_) => Err(PropertyError),
    }
}

/// Adds the values of `names`; nothing if `block` is no map.
fn members(block: &[u8], names: &[Name], values: &mut Vec<Value>) -> bool {
    let start = values.len();
    values.extend(names.iter().map(|_| Ok(None)));
    let read = pairs::walk(block, &mut |name, value| {
        let name = name.of(block);
        let tag = tag(name);
        for ((_, known), slot) in names.iter().zip(values.iter_mut().skip(start)).filter(|((known, _), _)| *known == tag) {
            if same(known, name) {
                *slot = Ok(Some(value.of(block).to_vec()));
            }
        }
    });
    if read.is_err() {
        values.truncate(start);
    }
    read.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PropertyPath {
        PropertyPath(text.split('/').map(str::to_owned).collect())
    }

    #[test]
    fn members_of_one_map_are_read_together_and_in_order() {
        let paths =
            ["connection/mtls", "metadata/f/jwt/p/iss", "metadata/f/jwt/p/sub", "metadata/f/jwt/p/act", "metadata/f/jwt/p/r/x"];
        let reads = Reads::new(&paths.map(path));
        let shown: Vec<String> = reads
            .0
            .iter()
            .map(|read| match read {
                Read::One(path) => String::from_utf8_lossy(path).replace('\0', "/"),
                Read::Members { map, names } => format!("{} of {}", names.len(), String::from_utf8_lossy(map).replace('\0', "/")),
            })
            .collect();
        assert_eq!(shown, ["connection/mtls", "3 of metadata/f/jwt/p", "metadata/f/jwt/p/r/x"]);
    }

    #[test]
    fn a_map_gives_what_its_members_are() {
        let block = pairs::encode([(&b"sub"[..], &b"alice"[..]), (b"exp", b"12345678"), (b"iss", b"")]);
        let names = ["iss", "sub", "azp"].map(tagged);
        let mut values = Vec::new();
        assert!(members(&block, &names, &mut values));
        assert_eq!(values, [Ok(Some(vec![])), Ok(Some(b"alice".to_vec())), Ok(None)]);
        assert!(!members(b"plain text", &names, &mut values), "no map");
        assert_eq!(values.len(), 3);
    }
}
