//! Lists of what is revoked: who is on one is who another reader finds on it. Lists of statuses: each has its place.

use serde_json::Value;
use wardpoint_core::identity::revocation::{Bearing, Revocations};
use wardpoint_core::identity::tokens::Statuses;
use wardpoint_core::time::Timestamp;

pub(crate) const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"version\":1",
    "\"issued\":1795251600",
    "\"expires\":1795251660",
    "\"revoked\":[",
    "\"issuer\":\"i\"",
    "\"user\":\"u\"",
    "\"agent\":\"a\"",
    "\"client\":\"c\"",
    "\"token\":\"t\"",
    "\"issuedBefore\":1795251600",
    "\"until\":1795251600",
    "\"sub\":\"https://idp/1\"",
    "\"iat\":1",
    "\"status_list\":{",
    "\"bits\":1",
    "\"lst\":\"eNrbuRgAAhcBXQ\"",
];

const NOW: u64 = 1_795_251_600;

/// The text is a list of either kind.
pub(crate) fn run(text: &[u8]) {
    if let Some((list, _)) = Statuses::read(text) {
        assert!((0..8).all(|index| list.get(index).is_some() || list.get(index + 1).is_none()), "a hole");
    }
    let Some(list) = Revocations::read(text) else { return };
    let value: Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => panic!("taken, but {error}"),
    };
    assert_eq!(value["version"], 1);
    let Some(revoked) = value["revoked"].as_array() else { panic!("taken without a list") };
    let texts = ["issuer", "user", "agent", "client", "token"].map(|name| revoked.iter().find_map(|entry| entry[name].as_str()));
    let now = Timestamp::from_secs(NOW);
    for mask in 0..64_u32 {
        let of = |bit: usize| texts[bit].filter(|_| mask & 1 << bit != 0);
        let issued = (mask & 32 != 0).then_some(NOW);
        let who = Bearing {
            issuer: of(0),
            subject: of(1),
            agent: of(2),
            clients: [of(3), None],
            token: of(4),
            issued: issued.map(Timestamp::from_secs),
            ..Bearing::default()
        };
        let is_of = |entry: &Value| {
            let fits = ["issuer", "user", "agent", "client", "token"]
                .iter()
                .enumerate()
                .all(|(bit, name)| entry[*name].as_str().is_none_or(|text| of(bit) == Some(text)));
            let before = entry["issuedBefore"].as_u64().is_none_or(|before| issued.is_none_or(|issued| issued < before));
            fits && before && entry["until"].as_u64().is_none_or(|until| NOW < until)
        };
        assert_eq!(list.has(&who, now), revoked.iter().any(is_of), "{who:?}");
    }
}
