//! Who pushes: the environment, then Docker's configuration, then nobody.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::reference::Reference;

const USER: &str = "WARDPOINT_REGISTRY_USER";
const PASSWORD: &str = "WARDPOINT_REGISTRY_PASSWORD";
const TOKEN: &str = "WARDPOINT_REGISTRY_TOKEN";

/// What is shown to a registry that asks.
#[derive(Clone, Eq, PartialEq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// Name and password; also for the service that gives tokens.
    Basic {
        /// Name.
        user: String,
        /// Password, or what a registry calls an access token.
        password: String,
    },
    /// A token as registries want it, got elsewhere.
    Token(String),
}

/// Credentials that are there and cannot be used. To push as nobody instead would only hide that.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// One without the other.
    #[error("{USER} and {PASSWORD} are needed both")]
    Half,
    /// Docker's configuration cannot be read.
    #[error("{}: {problem}", file.display())]
    Docker {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl Credentials {
    /// Those for the registry of `reference`.
    pub fn find(reference: &Reference) -> Result<Self, Unusable> {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        match (set(TOKEN), set(USER), set(PASSWORD)) {
            (Some(token), _, _) => Ok(Self::Token(token)),
            (None, Some(user), Some(password)) => Ok(Self::Basic { user, password }),
            (None, None, None) => Self::docker(reference),
            _ => Err(Unusable::Half),
        }
    }

    fn docker(reference: &Reference) -> Result<Self, Unusable> {
        let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
        let Some(folder) = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".docker"))) else {
            return Ok(Self::None);
        };
        let file = folder.join("config.json");
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::None),
            Err(error) => return Err(Unusable::Docker { file, problem: error.to_string() }),
        };
        // Not what is wrong with the text: a message could show a secret.
        let config = serde_json::from_slice(&text);
        let config = config.map_err(|_| Unusable::Docker { file: file.clone(), problem: "this is not JSON".to_owned() })?;
        Self::of_docker(&config, &reference.host).map_err(|problem| Unusable::Docker { file, problem })
    }

    /// What a `config.json` has for a host.
    fn of_docker(config: &Value, host: &str) -> Result<Self, String> {
        let names = if host == "docker.io" { vec!["https://index.docker.io/v1/", host] } else { vec![host] };
        let entry = names.iter().find_map(|name| {
            let auths = config.get("auths")?;
            auths
                .get(name)
                .or_else(|| auths.get(format!("https://{name}")))
                .filter(|it| it.as_object().is_some_and(|it| !it.is_empty()))
        });
        let Some(entry) = entry else {
            let helper = names
                .iter()
                .find_map(|name| config.get("credHelpers")?.get(name)?.as_str())
                .or_else(|| text(config, "credsStore"));
            return match helper {
                Some(helper) => Err(format!(
                    "credentials of {host} are in the helper `{helper}`, which is not asked: set {USER} and {PASSWORD}"
                )),
                None => Ok(Self::None),
            };
        };
        if let Some(token) = text(entry, "registrytoken") {
            return Ok(Self::Token(token.to_owned()));
        }
        let pair = text(entry, "auth").and_then(|auth| String::from_utf8(STANDARD.decode(auth).ok()?).ok());
        match pair.as_deref().and_then(|pair| pair.split_once(':')) {
            Some((user, password)) if !password.is_empty() => {
                Ok(Self::Basic { user: user.to_owned(), password: password.to_owned() })
            }
            _ => Err(format!("the entry of {host} has no `auth` with name and password: set {USER} and {PASSWORD}")),
        }
    }
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// Without what is secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Token(_) => "Token",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn basic(user: &str, password: &str) -> Credentials {
        Credentials::Basic { user: user.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn dockers_configuration_is_read_by_host() {
        let config = json!({
            "auths": {
                "a.example.com": { "auth": STANDARD.encode("ci:pa:ss") },
                "https://b.example.com": { "auth": STANDARD.encode("b:b") },
                "https://index.docker.io/v1/": { "auth": STANDARD.encode("hub:hub") },
                "t.example.com": { "registrytoken": "opaque" },
            },
        });
        for (host, want) in [
            ("a.example.com", basic("ci", "pa:ss")),
            ("b.example.com", basic("b", "b")),
            ("docker.io", basic("hub", "hub")),
            ("t.example.com", Credentials::Token("opaque".to_owned())),
            ("c.example.com", Credentials::None),
            ("a.example.com:5000", Credentials::None),
        ] {
            assert_eq!(Credentials::of_docker(&config, host), Ok(want), "{host}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_and_shows_no_secret() {
        let config = json!({
            "auths": { "a.example.com": { "auth": "s3cret" }, "i.example.com": { "auth": "", "identitytoken": "s3cret" }, "h.example.com": {} },
            "credHelpers": { "h.example.com": "vault" },
        });
        for (host, why) in [("a.example.com", "no `auth`"), ("i.example.com", "no `auth`"), ("h.example.com", "helper `vault`")] {
            let error = Credentials::of_docker(&config, host).unwrap_err();
            assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
        }
        let store = json!({ "credsStore": "desktop" });
        assert!(Credentials::of_docker(&store, "a.example.com").unwrap_err().contains("helper `desktop`"));
        assert_eq!(format!("{:?}", basic("ci", "s3cret")), "Basic");
    }
}
