//! Reading the host properties that a plugin declares, in as few calls as their paths let us.

use wardpoint_core::filter::{PropertyError, PropertyPath, Values};
use wardpoint_core::http::{Part, Places, tag};
use wardpoint_core::json::same;

use crate::abi::{self, Status};
use crate::pairs;

/// How the declared properties are read, in their order.
pub(crate) struct Reads(Vec<Read>);

enum Read {
    /// Several members of one map. The host says the map as a whole, which costs it less than to find each of them; it
    /// cannot say one that holds a null, then each is read by itself: a claim that cannot be said must not hide the others.
    Members { map: Vec<u8>, names: Names },
    /// One by its path, whose segments are joined with NUL.
    One(Vec<u8>),
}

/// Names, and where they are found.
struct Names {
    places: Places,
    texts: Vec<Vec<u8>>,
}

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
                let names = Names::new(now.iter().filter_map(|path| path.0.last()));
                reads.push(Read::Members { map: map.join("\0").into_bytes(), names });
            } else {
                reads.extend(now.iter().map(|path| Read::One(path.0.join("\0").into_bytes())));
            }
            rest = later;
        }
        Self(reads)
    }

    pub(crate) fn values(&self) -> Values {
        let mut values = Values { texts: Vec::with_capacity(4), places: Vec::with_capacity(16) };
        for read in &self.0 {
            match read {
                Read::One(path) => one(path, &mut values),
                Read::Members { map, names } => {
                    let said = match abi::property(map) {
                        Err(Status::NOT_FOUND) => {
                            values.places.extend(names.texts.iter().map(|_| Ok(None)));
                            true
                        }
                        Ok(block) => members(block, names, &mut values),
                        Err(_) => false,
                    };
                    if !said {
                        names.texts.iter().for_each(|name| one(&[map.as_slice(), name.as_slice()].join(&0), &mut values));
                    }
                }
            }
        }
        values
    }
}

impl Names {
    fn new<'a>(names: impl Iterator<Item = &'a String>) -> Self {
        let texts: Vec<Vec<u8>> = names.map(|name| name.as_bytes().to_vec()).collect();
        let mut places = Places::new();
        for (number, name) in texts.iter().enumerate() {
            places.note(number, tag(name));
        }
        Self { places, texts }
    }
}

/// Adds the value of one property.
pub(crate) fn one(path: &[u8], values: &mut Values) {
    let place = match abi::property(path) {
        Ok(value) => {
            let all = Part { start: 0, end: value.len() };
            values.texts.push(value);
            Ok(Some((values.texts.len() - 1, all)))
        }
        Err(Status::NOT_FOUND) => Ok(None),
        Err(_) => Err(PropertyError),
    };
    values.places.push(place);
}

/// Adds the values of `names`; nothing if `block` is no map.
fn members(block: Vec<u8>, names: &Names, values: &mut Values) -> bool {
    let (start, text) = (values.places.len(), values.texts.len());
    values.places.extend(names.texts.iter().map(|_| Ok(None)));
    let places = values.places.get_mut(start..).unwrap_or_default();
    let read = pairs::walk(&block, &mut |name, value| {
        let name = name.of(&block);
        let Some((mut at, more)) = names.places.find(tag(name)) else { return };
        while let (Some(known), Some(place)) = (names.texts.get(at), places.get_mut(at)) {
            if same(known, name) {
                *place = Ok(Some((text, value)));
            }
            if !more {
                return;
            }
            at += 1;
        }
    });
    if read.is_err() {
        values.places.truncate(start);
    }
    values.texts.push(block);
    read.is_ok()
}

#[cfg(test)]
mod tests {
    use wardpoint_core::filter::Properties;

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
                Read::Members { map, names } => {
                    format!("{} of {}", names.texts.len(), String::from_utf8_lossy(map).replace('\0', "/"))
                }
            })
            .collect();
        assert_eq!(shown, ["connection/mtls", "3 of metadata/f/jwt/p", "metadata/f/jwt/p/r/x"]);
    }

    #[test]
    fn a_map_gives_what_its_members_are() {
        let block = pairs::encode([(&b"sub"[..], &b"alice"[..]), (b"exp", b"12345678"), (b"iss", b"")]);
        let names = Names::new(["iss", "sub", "azp", "sub"].map(str::to_owned).iter());
        let mut values = Values { texts: vec![b"other".to_vec()], places: vec![Err(PropertyError)] };
        assert!(members(block, &names, &mut values));
        assert!(!members(b"plain text".to_vec(), &names, &mut values), "no map");
        let given = Properties::inside(&values);
        let shown: Vec<_> = (0..6).map(|at| given.get(at)).collect();
        let alice = Ok(Some(&b"alice"[..]));
        assert_eq!(shown, [Err(PropertyError), Ok(Some(&b""[..])), alice, Ok(None), alice, Ok(None)]);
        assert_eq!(values.places.len(), 5);
    }
}
