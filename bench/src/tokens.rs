//! The suite about tokens: to verify them, to exchange them.

use serde_json::{Value, json};

use crate::config::{self, CLAIMS};
use crate::filters::{self, STS, Sees, TARGET};
use crate::suite::{BASE, Modules, NOOP, NOOP_AUDITS, SAME_CALLS, Service, Suite, Variant, Want, variant};
use crate::token::{AGENT, AUDIENCE, Algorithm, ISSUER, Keys, SCOPE, USER, claims};
use crate::work::{Load, Request, Work};

/// Its name.
pub(crate) const NAME: &str = "token";
/// Envoy's own, which verifies every time.
pub(crate) const NATIVE: &str = "jwt_authn";
/// Envoy's own, which remembers; and what stands behind it in others.
const NATIVE_WARM: &str = "jwt_authn, cache";
const NATIVE_FORGED: &str = "jwt_authn, forged";
const INJECTOR: &str = "credential_injector";
const NATIVE_INJECTOR: &str = "jwt_authn, cache + credential_injector";
/// Our plugin verifies and lets the token pass; of tokens that it has never seen.
pub(crate) const COLD: &str = "verify, cold";
/// The same with one that it remembers.
const WARM: &str = "verify, warm";
/// The same with tokens never seen, every tenth forged.
pub(crate) const FORGED: &str = "verify, forged";
/// The same with a hundred that it remembers, and a key set that changes every ten seconds.
const ROTATES: &str = "verify, keys rotate";
/// Our plugin verifies and exchanges; it has the issued token already.
pub(crate) const EXCHANGE: &str = "exchange";
/// The same where `jwt_authn` has verified, and remembers.
const EXCHANGE_BEHIND: &str = "jwt_authn, cache + exchange";
/// The name of ext_proc here: it sees headers only, as all others do.
pub(crate) const EXT_PROC_HEADERS: &str = "ext_proc, headers";

/// What an exchange calls the proxy for when the issued token is there already.
const CALLS_OF_OURS: &str = "clock headers put state count count count answer";

/// The cluster of the server of keys.
const KEYS: &str = "keys";
/// Tokens that are remembered at once, where it is more than one.
const SEVERAL: usize = 100;
/// Where our records are.
const AUDITS: &str = "wasm.wardpoint_token_exchange";

/// Who calls.
pub(crate) struct Callers<'a> {
    pub(crate) keys: &'a Keys,
    /// Seconds since the Unix epoch.
    pub(crate) now: u64,
    /// How many tokens there are of each algorithm; more than a plugin remembers, for cold to be cold.
    pub(crate) count: usize,
    /// Variants of ours that need none of their own are in one VM. Valgrind has room for 14, with those that Envoy keeps for
    /// itself, and a worker whose VM cannot be made lets all pass.
    pub(crate) few_vms: bool,
}

/// The suite.
pub(crate) fn suite(modules: &Modules, callers: &Callers<'_>) -> anyhow::Result<Suite> {
    let Callers { keys, now, .. } = *callers;
    let set = keys.set();
    let issued = issued(keys, now)?;
    let own = |jwks: &Value| {
        json!({
            "peer": "none",
            "tokens": [{
                "issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": Algorithm::ALL.map(Algorithm::name), "jwks": jwks,
            }],
        })
    };
    let fetched = json!({ "cluster": KEYS, "authority": "idp.example.com", "path": "/keys", "refresh": "10s", "keep": "1h" });
    let of_proxy = json!({ "peer": "none", "claims": { "provider": CLAIMS } });
    let ours = |vm: &str, identity: &Value, exchanges: bool| {
        // What one of the two has seen would not be new to the other.
        let vm = if callers.few_vms && ![COLD, FORGED].contains(&vm) { NAME } else { vm };
        filters::exchange(&modules.exchange, vm, identity, exchanges)
    };
    let native = |remembers: bool| config::jwt_authn(&set.to_string(), remembers);
    let injector = || filters::credential_injector(STS);
    let pass = |name: &str, filters: Vec<Value>| Variant { verifies: false, ..variant(name, filters, Want::Pass) };
    let exchanged = |of: Variant| Variant { want: Want::Exchanged, ..of };
    let audited = |of: Variant| Variant { audits: Some(AUDITS), ..of };
    let mut variants = vec![
        pass(BASE, Vec::new()),
        pass(NOOP, filters::noop(&modules.noop, "")),
        Variant { audits: Some(NOOP_AUDITS), ..pass(SAME_CALLS, filters::noop(&modules.noop, CALLS_OF_OURS)) },
        pass(EXT_PROC_HEADERS, filters::ext_proc(Sees::Headers)),
        Variant { load: Load::Cold, ..pass(NATIVE, vec![native(false)]) },
        pass(NATIVE_WARM, vec![native(true)]),
        Variant { load: Load::Forged, forged: "Jwt verification fails", ..pass(NATIVE_FORGED, vec![native(false)]) },
        exchanged(pass(INJECTOR, vec![injector()])),
        exchanged(pass(NATIVE_INJECTOR, vec![native(true), injector()])),
        audited(Variant { load: Load::Cold, ..pass(COLD, ours(COLD, &own(&set), false)) }),
        audited(pass(WARM, ours(WARM, &own(&set), false))),
        audited(Variant { load: Load::Forged, forged: "invalid_token", ..pass(FORGED, ours(FORGED, &own(&set), false)) }),
        audited(Variant { load: Load::Several, ..pass(ROTATES, ours(ROTATES, &own(&fetched), false)) }),
        audited(exchanged(pass(EXCHANGE, ours(EXCHANGE, &own(&set), true)))),
        audited(exchanged(pass(EXCHANGE_BEHIND, [vec![native(true)], ours(EXCHANGE_BEHIND, &of_proxy, true)].concat()))),
    ];
    for (name, module) in &modules.other_exchanges {
        variants.push(audited(exchanged(pass(name, filters::exchange(module, name, &own(&set), true)))));
    }
    let ratios = [
        (EXCHANGE, EXT_PROC_HEADERS),
        (EXCHANGE, NATIVE_INJECTOR),
        (SAME_CALLS, EXT_PROC_HEADERS),
        (COLD, NATIVE),
        (WARM, NATIVE_WARM),
        (FORGED, COLD),
        (FORGED, NATIVE_FORGED),
        (ROTATES, WARM),
    ];
    let ratios = ratios.map(|(over, under)| (over.to_owned(), under.to_owned())).into();
    let works = Algorithm::ALL.into_iter().map(|algorithm| work(algorithm, callers)).collect::<anyhow::Result<_>>()?;
    let answer = json!({
        "access_token": issued,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 86_400,
        "scope": SCOPE,
    });
    let services = vec![
        Service { name: STS, answers: vec![answer.to_string().into_bytes()] },
        Service { name: KEYS, answers: rotated(&set) },
    ];
    Ok(Suite { services, issued, pace: 0.4, ..Suite::plain(NAME, works, variants, ratios) })
}

/// The token that the token service issues for the upstream.
fn issued(keys: &Keys, now: u64) -> anyhow::Result<String> {
    let claims = json!({
        "iss": ISSUER, "aud": TARGET, "sub": USER, "azp": AGENT, "scope": SCOPE, "iat": now, "exp": now + 86_400, "jti": "issued",
    });
    keys.sign(Algorithm::Es256, &claims)
}

/// The set, and the same with one more key: whoever takes the one for the other judges everything again.
fn rotated(set: &Value) -> Vec<Vec<u8>> {
    let mut other = set.clone();
    if let Some(keys) = other.get_mut("keys").and_then(Value::as_array_mut) {
        let mut next = keys.first().cloned().unwrap_or_default();
        if let Some(next) = next.as_object_mut() {
            next.insert("kid".to_owned(), "next".into());
        }
        keys.push(next);
    }
    [set.clone(), other].map(|set| set.to_string().into_bytes()).into()
}

/// Requests with tokens that are signed so. They have no body: who is answered before a body has come loses an HTTP/1.1
/// connection, which costs more than a token.
fn work(algorithm: Algorithm, callers: &Callers<'_>) -> anyhow::Result<Work> {
    let body = "";
    let tokens = (0..callers.count)
        .map(|number| callers.keys.sign(algorithm, &claims(callers.now, number)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let good = |token: &String| Request::new(body, token);
    let forged = tokens.iter().zip(tokens.iter().cycle().skip(1)).enumerate().map(|(number, (token, next))| {
        if number % 10 != 9 {
            return good(token);
        }
        let parts = token.rsplit_once('.').zip(next.rsplit_once('.'));
        let text = parts.map(|((text, _), (_, signature))| format!("{text}.{signature}")).unwrap_or_default();
        Request { forged: true, ..Request::new(body, &text) }
    });
    Ok(Work {
        name: algorithm.name(),
        usual: tokens.iter().take(1).map(good).collect(),
        several: tokens.iter().take(SEVERAL).map(good).collect(),
        cold: tokens.iter().map(good).collect(),
        forged: forged.collect(),
        body: body.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_token_is_forged_and_no_token_is_there_twice() {
        let keys = Keys::new().unwrap();
        for algorithm in Algorithm::ALL {
            let work = work(algorithm, &Callers { keys: &keys, now: 1, count: 40, few_vms: false }).unwrap();
            assert_eq!((work.usual.len(), work.several.len(), work.cold.len(), work.forged.len()), (1, 40, 40, 40));
            let numbers: Vec<usize> = (0..40).filter(|number| work.forged[*number].forged).collect();
            assert_eq!(numbers, [9, 19, 29, 39]);
            for (good, forged) in work.cold.iter().zip(work.forged.iter()) {
                assert_eq!(good.bytes == forged.bytes, !forged.forged);
                assert_eq!(good.bytes.len(), forged.bytes.len());
            }
            let mut all: Vec<&[u8]> = work.cold.iter().map(|request| request.bytes.as_slice()).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 40);
        }
    }

    #[test]
    fn rotated_sets_differ_and_have_all_keys() {
        let keys = Keys::new().unwrap();
        let sets = rotated(&keys.set());
        let count = |set: &[u8]| serde_json::from_slice::<Value>(set).unwrap()["keys"].as_array().unwrap().len();
        assert_eq!((count(&sets[0]), count(&sets[1])), (3, 4));
    }
}
