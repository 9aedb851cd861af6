//! What this plugin counts beside what all of them do (OT-02).

use crate::filter::Counting;

/// Its own counters.
pub const COUNTERS: &[Counting] = &[
    Counting { name: "cache.hits", doc: "requests that went on with a token that was kept" },
    Counting { name: "cache.refusals", doc: "requests that were refused by a refusal that was kept" },
    Counting { name: "calls.made", doc: "requests for which a token service was, or was to be, called" },
    Counting { name: "calls.shared", doc: "requests that waited for a call that another one had made" },
    Counting {
        name: "alarms",
        doc: "failures for which somebody has to look at the configuration: client refused, cluster missing, no SVID, no key that seals",
    },
    Counting { name: "consent.untold", doc: "users who could not be told where to consent: `consent.tell` failed" },
    Counting { name: "references.made", doc: "requests that went on to an agent with a reference in the place of their token" },
    Counting {
        name: "references.opened",
        doc: "requests of agents with a reference that opened; a request that waits opens it again",
    },
    Counting { name: "references.refused.expired", doc: "references that were over" },
    Counting {
        name: "references.refused.not_opened",
        doc: "references that are none, were changed, or were made for another agent: somebody tries what was not given to them",
    },
    Counting {
        name: "references.refused.unknown_key",
        doc: "references with a key that is not configured here: keys were rotated too early, or replicas have different ones",
    },
    // What clients show and what seals, where it is fetched: SVIDs, secrets, keys.
    Counting { name: "secrets.fetched", doc: "SVIDs, client secrets and keys that were fetched" },
    Counting {
        name: "secrets.fetch_failed",
        doc: "fetches of them that failed: no answer, not status 200, or not what it must be. The log says which and why",
    },
    Counting {
        name: "secrets.missed",
        doc: "fetches because a server did not accept a client, or a reference or ticket names a key that is not there",
    },
    // Tokens that are verified here, and what is revoked.
    Counting { name: "keys.fetched", doc: "key sets that were fetched" },
    Counting { name: "keys.fetch_failed", doc: "fetches of key sets that failed: no answer, not status 200, or no usable set" },
    Counting { name: "keys.shared_data_failed", doc: "times that key sets could not be shared with the other workers" },
    Counting { name: "keys.missed", doc: "fetches because of tokens with a key that is not in the set" },
    Counting { name: "status.fetched", doc: "lists of statuses that were fetched" },
    Counting {
        name: "status.fetch_failed",
        doc: "fetches of such lists that failed: no answer, not status 200, or no signed list",
    },
    Counting { name: "status.shared_data_failed", doc: "times that such lists could not be shared with the other workers" },
    Counting { name: "introspection.active", doc: "answers of issuers that a token still holds" },
    Counting { name: "introspection.inactive", doc: "answers of issuers that it does not" },
    Counting { name: "introspection.failed", doc: "questions to issuers without an answer that says so" },
    Counting { name: "keys.host_verifies.<what>", doc: "workers whose proxy checks signatures (`rsa`, `ecdsa`) as it should" },
    Counting { name: "keys.host_lacks.<what>", doc: "workers whose proxy does not" },
    Counting { name: "tokens.refused.<why>", doc: "tokens that were not accepted, by `TokenError`" },
    Counting { name: "revocation.fetched", doc: "lists of what is revoked that were fetched" },
    Counting {
        name: "revocation.fetch_failed",
        doc: "fetches that failed: no answer, not status 200, no good list, or an older one",
    },
    Counting { name: "revocation.shared_data_failed", doc: "times that a list could not be shared with the other workers" },
];
