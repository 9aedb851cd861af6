//! Host properties, in the encodings that Envoy's Wasm extension gives them.

use serde_json::Value;

use super::Status;
use super::map::write_block;
use crate::engine::{CLUSTERS, NOWHERE, Play};

/// The namespace in which Envoy's `jwt_authn` leaves verified claims.
const JWT: [&str; 3] = ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn"];

/// The properties of one exchange.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    peer: Option<String>,
    claims: Option<Value>,
    provider: String,
    extra: Vec<(Vec<String>, Vec<u8>)>,
    details: Option<Vec<u8>>,
    /// By whether a message has trailers.
    upstream: &'static str,
    /// The cluster of the route that the proxy has taken.
    cluster: &'static str,
}

impl Properties {
    /// Those that a play gives. `provider` is the name under which `jwt_authn` leaves the claims ([`provider`]).
    pub fn new(play: &Play, provider: &str) -> Self {
        let [http1, http2, _] = CLUSTERS;
        let mut properties = Self {
            upstream: if play.has_trailers() { http2 } else { http1 },
            cluster: "",
            peer: play.peer.clone(),
            claims: play.claims.clone(),
            provider: provider.to_owned(),
            extra: play.properties.clone(),
            details: None,
        };
        let authority = play.request.headers.iter().find(|(name, _)| name == b":authority").map(|(_, value)| value.as_slice());
        properties.set_route(authority);
        properties
    }

    /// The route that this host has. It is taken before the filters run; where they change the headers, anew behind them.
    pub(super) fn set_route(&mut self, authority: Option<&[u8]>) {
        let [.., nowhere] = CLUSTERS;
        self.cluster = if authority == Some(NOWHERE.as_bytes()) { nowhere } else { self.upstream };
    }

    /// How the answer that is on its way came about.
    pub(super) fn set_details(&mut self, details: Vec<u8>) {
        self.details = Some(details);
    }

    /// What was set so.
    pub(super) fn details(&self) -> Option<&[u8]> {
        self.details.as_deref()
    }

    /// The raw bytes of a property.
    ///
    /// Without a waypoint there is no filter state, and inside a waypoint there is no mTLS (`envoy-istio` 3.1); a play gives
    /// both for its peer, because a plugin may read only the one that its configuration names.
    pub fn get(&self, path: &[&str]) -> Result<Vec<u8>, Status> {
        if let Some((_, value)) = self.extra.iter().find(|(known, _)| known.iter().eq(path.iter())) {
            return Ok(value.clone());
        }
        match (path, &self.peer) {
            (["filter_state", "io.istio.peer_principal"] | ["connection", "uri_san_peer_certificate"], Some(peer)) => {
                Ok(peer.clone().into_bytes())
            }
            (["connection", "mtls" | "peer_certificate_valid"], peer) => Ok(vec![u8::from(peer.is_some())]),
            (["xds", "cluster_name"], _) => Ok(self.cluster.into()),
            (["response", "code_details"], _) => self.details.clone().ok_or(Status::NOT_FOUND),
            (["filter_state"], _) => Err(Status::SERIALIZATION_FAILURE),
            ([a, b, c, provider, claim @ ..], _) if [*a, *b, *c] == JWT && *provider == self.provider => {
                encode(find(self.claims.as_ref().ok_or(Status::NOT_FOUND)?, claim)?)
            }
            _ => Err(Status::NOT_FOUND),
        }
    }
}

/// The provider that a configuration names (`identity.claims.provider`): the real engine sets up `jwt_authn` with it too.
/// Istio's name, `payload`, if there is none.
pub fn provider(config: &[u8]) -> String {
    let config: Value = serde_json::from_slice(config).unwrap_or_default();
    config.pointer("/identity/claims/provider").and_then(Value::as_str).unwrap_or("payload").to_owned()
}

fn find<'a>(value: &'a Value, path: &[&str]) -> Result<&'a Value, Status> {
    let Some((first, rest)) = path.split_first() else { return Ok(value) };
    let next = match value {
        Value::Object(map) => map.get(*first),
        Value::Array(list) => first.parse::<usize>().ok().and_then(|index| list.get(index)),
        _ => None,
    };
    find(next.ok_or(Status::NOT_FOUND)?, rest)
}

/// `envoy-istio` 3.3: string raw, number f64 in little endian, bool one byte, list and map as pairs, null an error of whatever
/// holds it.
fn encode(value: &Value) -> Result<Vec<u8>, Status> {
    match value {
        Value::Null => Err(Status::SERIALIZATION_FAILURE),
        Value::Bool(flag) => Ok(vec![u8::from(*flag)]),
        Value::Number(number) => Ok(number.as_f64().ok_or(Status::SERIALIZATION_FAILURE)?.to_le_bytes().to_vec()),
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Array(list) => {
            let items = list.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
            Ok(write_block(items.iter().map(|item| (item.as_slice(), &b""[..]))))
        }
        Value::Object(map) => {
            let pairs = map.iter().map(|(name, value)| Ok((name.as_bytes(), encode(value)?))).collect::<Result<Vec<_>, _>>()?;
            Ok(write_block(pairs.iter().map(|(name, value)| (*name, value.as_slice()))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Map;

    fn claims(claims: Value) -> Properties {
        Properties::new(&Play { claims: Some(claims), peer: Some("spiffe://a/b".into()), ..Play::default() }, "p")
    }

    fn claim(properties: &Properties, path: &[&str]) -> Result<Vec<u8>, Status> {
        properties.get(&[&JWT[..], &["p"], path].concat())
    }

    #[test]
    fn claims_have_the_encodings_of_envoy_istio_3_3() {
        let given = claims(serde_json::json!({"sub": "alice", "exp": 1.5, "ok": true, "aud": ["a", "b"], "act": {"sub": "x"}}));
        assert_eq!(claim(&given, &["sub"]), Ok(b"alice".to_vec()));
        assert_eq!(claim(&given, &["exp"]), Ok(1.5_f64.to_le_bytes().to_vec()));
        assert_eq!(claim(&given, &["ok"]), Ok(vec![1]));
        assert_eq!(claim(&given, &["aud", "1"]), Ok(b"b".to_vec()));
        assert_eq!(claim(&given, &["act", "sub"]), Ok(b"x".to_vec()));
        let list = Map::from_block(&claim(&given, &["aud"]).unwrap()).unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [(&b"a"[..], &b""[..]), (b"b", b"")]);
        assert_eq!(claim(&given, &["nope"]), Err(Status::NOT_FOUND));
        assert_eq!(given.get(&[JWT[0], JWT[1], JWT[2], "other", "sub"]), Err(Status::NOT_FOUND));
    }

    #[test]
    fn a_null_spoils_whatever_holds_it() {
        let given = claims(serde_json::json!({"sub": "alice", "x": {"n": null}}));
        assert_eq!(claim(&given, &[]), Err(Status::SERIALIZATION_FAILURE));
        assert_eq!(claim(&given, &["x"]), Err(Status::SERIALIZATION_FAILURE));
        assert_eq!(claim(&given, &["sub"]), Ok(b"alice".to_vec()));
    }

    #[test]
    fn the_peer_is_known_in_both_places() {
        let given = claims(Value::Null);
        assert_eq!(given.get(&["filter_state", "io.istio.peer_principal"]), Ok(b"spiffe://a/b".to_vec()));
        assert_eq!(given.get(&["connection", "uri_san_peer_certificate"]), Ok(b"spiffe://a/b".to_vec()));
        assert_eq!(given.get(&["connection", "peer_certificate_valid"]), Ok(vec![1]));
        assert_eq!(given.get(&["filter_state"]), Err(Status::SERIALIZATION_FAILURE));
        assert_eq!(Properties::default().get(&["connection", "mtls"]), Ok(vec![0]));
        assert_eq!(Properties::default().get(&["connection", "uri_san_peer_certificate"]), Err(Status::NOT_FOUND));
    }
}
