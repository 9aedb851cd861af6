//! Who calls, as the proxy tells it: host properties in Envoy's encodings.

use serde_json::Value;
use wardpoint_core::filter::{PropertyError, PropertyPath};

/// One caller.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// SPIFFE id of the peer.
    pub peer: Option<String>,
    /// The claims of the verified token.
    pub claims: Option<Value>,
}

/// The value of one property.
pub type Property = Result<Option<Vec<u8>>, PropertyError>;

impl Who {
    /// The values of these properties, in their order.
    pub fn properties(&self, paths: &[PropertyPath]) -> Vec<Property> {
        paths.iter().map(|path| self.property(&path.0)).collect()
    }

    fn property(&self, path: &[String]) -> Property {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["filter_state", "io.istio.peer_principal"] | ["connection", "uri_san_peer_certificate"] => {
                Ok(self.peer.clone().map(String::into_bytes))
            }
            ["connection", "mtls" | "peer_certificate_valid"] => Ok(Some(vec![u8::from(self.peer.is_some())])),
            ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", _, claim @ ..] => {
                let found = claim.iter().try_fold(self.claims.as_ref(), |value, name| Some(value?.get(*name)));
                found.flatten().map(encode).transpose()
            }
            _ => Ok(None),
        }
    }
}

fn encode(value: &Value) -> Result<Vec<u8>, PropertyError> {
    match value {
        Value::Null => Err(PropertyError),
        Value::Bool(flag) => Ok(vec![u8::from(*flag)]),
        Value::Number(number) => Ok(number.as_f64().ok_or(PropertyError)?.to_le_bytes().to_vec()),
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Array(list) => Ok(block(list.iter().map(|item| Ok((encode(item)?, Vec::new()))).collect::<Result<_, _>>()?)),
        Value::Object(map) => {
            Ok(block(map.iter().map(|(name, value)| Ok((name.clone().into_bytes(), encode(value)?))).collect::<Result<_, _>>()?))
        }
    }
}

/// Pairs as the ABI writes them.
fn block(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = size(pairs.len()).to_vec();
    for (name, value) in &pairs {
        out.extend(size(name.len()));
        out.extend(size(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(text);
        out.push(0);
    }
    out
}
