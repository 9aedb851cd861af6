//! Whose a legacy session is: `Mcp-Session-Id` belongs to who began it (MCP-G-01, BY-S-01).
//!
//! The id is a bearer handle that no proof goes with, so it must not be enough to join somebody's session. The owner is kept
//! in data that all VMs of this proxy share, in a fixed number of slots: memory is bounded, and no session is ever a reason
//! to refuse a stranger's new one. A session whose slot another one took, or that began at another replica, belongs to who
//! uses it first here.
//!
//! What stands in a slot are digests. Those of the sessions last used are remembered with what they are of, for they cost
//! a good part of a small call; whose the session is, is looked up every time.

use core::cell::RefCell;
use core::fmt;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::policy::Policy;
use crate::digest;
use crate::filter::{ServiceError, Services};
use crate::identity::Caller;
use crate::json::same;
use crate::policy::Reason;

/// A slot takes about a hundred bytes of the proxy's memory.
const SLOTS: u64 = 4096;
/// How often a write is tried that other workers come in between of.
const TRIES: usize = 3;
/// Bytes of a digest that are kept: 128 bits cannot be found by trying.
const KEPT: usize = 16;

/// Longest session id that is looked at; a longer one is refused. No server is known that makes longer ones.
const MAX_ID: usize = 4096;

/// Sessions whose digests are remembered in a worker: a place each by the end of its id.
const REMEMBERED: usize = 64;
/// Longer ids are not remembered.
const SHORT_ID: usize = 128;

/// The sessions last used, by place.
#[derive(Clone)]
pub(super) struct Remembered(Rc<RefCell<[Option<Rc<Used>>; REMEMBERED]>>);

/// What stands in the slot of a session if it is the caller's.
struct Used {
    /// The session and the caller.
    of: Vec<u8>,
    slot: Slot,
    own: Vec<u8>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self(Rc::new(RefCell::new([const { None }; REMEMBERED])))
    }
}

impl Remembered {
    #[inline(never)]
    fn used(&self, policy: &Policy, id: &[u8], caller: &Caller) -> Rc<Used> {
        let mut places = self.0.borrow_mut();
        let end = id.iter().rev().take(4).fold(0_usize, |end, byte| end * 31 + usize::from(*byte));
        let mut of = owner(policy, caller);
        let owner = of.len();
        of.extend_from_slice(id);
        let place = places.get_mut(end % REMEMBERED);
        if let Some(Some(used)) = &place
            && same(&used.of, &of)
        {
            return used.clone();
        }
        let slot = Slot::of(policy, id);
        let own = slot.value(of.get(..owner).unwrap_or_default());
        let used = Rc::new(Used { of, slot, own });
        if let Some(place) = place.filter(|_| id.len() <= SHORT_ID) {
            *place = Some(used.clone());
        }
        used
    }
}

/// Shows nothing of the sessions.
impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}

/// Whose a session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// The user's with that agent.
    Caller,
    /// The user's; the agent's where there is no user.
    User,
}

/// The server gave `caller` this session.
pub(super) fn begin(policy: &Policy, services: &mut dyn Services, id: &[u8], caller: &Caller) -> Result<(), Reason> {
    let used = policy.sessions_used.used(policy, id, caller);
    services.shared_set(&used.slot.key, &used.own, None).map_err(|_| Reason::HostFailed)
}

/// Whether `caller` may use this session; who comes first takes it.
pub(super) fn join(policy: &Policy, services: &mut dyn Services, id: &[u8], caller: &Caller) -> Result<(), Reason> {
    if id.is_empty() || id.len() > MAX_ID || !id.iter().all(u8::is_ascii_graphic) {
        return Err(Reason::SessionMismatch);
    }
    let used = policy.sessions_used.used(policy, id, caller);
    let Used { slot, own, .. } = &*used;
    for _ in 0..TRIES {
        let held = services.shared_get(&slot.key).map_err(|_| Reason::HostFailed)?;
        if let Some(held) = &held
            && held.value.starts_with(&slot.id)
        {
            return if held.value == *own { Ok(()) } else { Err(Reason::SessionMismatch) };
        }
        match services.shared_set(&slot.key, own, held.map(|held| held.cas)) {
            Ok(()) => return Ok(()),
            // Another worker was quicker; it may have been about this very session.
            Err(ServiceError::CasMismatch) => {}
            Err(_) => return Err(Reason::HostFailed),
        }
    }
    Err(Reason::HostFailed)
}

/// Where the owner of a session stands.
struct Slot {
    key: String,
    id: [u8; KEPT],
}

/// Who owns a session that is this caller's: issuer, user and agent, each with its length before it.
fn owner(policy: &Policy, caller: &Caller) -> Vec<u8> {
    let issuer = caller.user.as_ref().and_then(|user| user.issuer.as_deref());
    let user = caller.user.as_ref().map(|user| &*user.user);
    let agent = caller.agent.as_deref().filter(|_| policy.sessions != Some(Owner::User) || user.is_none());
    let mut owner = Vec::with_capacity(256);
    for part in [issuer, user, agent] {
        let text = part.unwrap_or_default();
        owner.extend_from_slice(&(text.len() as u64 + 1).to_le_bytes());
        owner.push(u8::from(part.is_some()));
        owner.extend_from_slice(text.as_bytes());
    }
    owner
}

impl Slot {
    /// Not by the policy's digest: a session outlives a change of policy.
    fn of(policy: &Policy, id: &[u8]) -> Self {
        let id = kept(digest::of(&[policy.id.name.as_bytes(), id]));
        let [a, b, c, d, e, f, g, h, ..] = id;
        let number = u64::from_le_bytes([a, b, c, d, e, f, g, h]) % SLOTS;
        Self { key: format!("wardpoint.mcp-authz.session.{number}"), id }
    }

    fn value(&self, owner: &[u8]) -> Vec<u8> {
        [self.id, kept(Sha256::digest(owner).into())].concat()
    }
}

/// What is kept of a digest.
fn kept(digest: [u8; 32]) -> [u8; KEPT] {
    let mut out = [0; KEPT];
    out.copy_from_slice(digest.split_at(KEPT).0);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::audit::Subject;
    use crate::filter::{Cas, Shared, Signature};

    /// Shared data that others may write to in between.
    #[derive(Default)]
    struct Proxy {
        data: HashMap<String, Shared>,
        /// Writes that come too late.
        races: usize,
        broken: bool,
    }

    impl Services for Proxy {
        fn random(&mut self, _: &mut [u8]) -> Result<(), ServiceError> {
            Err(ServiceError::Unsupported)
        }

        fn shared_get(&mut self, key: &str) -> Result<Option<Shared>, ServiceError> {
            if self.broken { Err(ServiceError::Failed) } else { Ok(self.data.get(key).cloned()) }
        }

        fn shared_set(&mut self, key: &str, value: &[u8], cas: Option<Cas>) -> Result<(), ServiceError> {
            if self.broken {
                return Err(ServiceError::Failed);
            }
            if self.races > 0 {
                self.races -= 1;
                return Err(ServiceError::CasMismatch);
            }
            let before = self.data.get(key).map_or(0, |shared| shared.cas.0);
            assert!(cas.is_none_or(|cas| cas.0 == before));
            self.data.insert(key.to_owned(), Shared { value: value.to_vec(), cas: Cas(before + 1) });
            Ok(())
        }

        fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
            Err(ServiceError::Unsupported)
        }
    }

    fn policy() -> Policy {
        let text = br#"{"version":1,"identity":{"peer":"mtls"},"rules":[{"id":"r","allow":{"agents":["*"],"user":"none","tools":["*"]}}]}"#;
        Policy::configure(text).unwrap()
    }

    fn caller(agent: &str, user: Option<&str>) -> Caller {
        let subject = |user: &str| Subject { issuer: Some("https://idp".into()), user: user.into(), owner: None };
        Caller { agent: Some(agent.into()), user: user.map(subject), ..Caller::default() }
    }

    #[test]
    fn a_session_is_its_owners_alone() {
        let (policy, mut proxy) = (policy(), Proxy::default());
        let alice = caller("planner", Some("alice"));
        begin(&policy, &mut proxy, b"s-1", &alice).unwrap();
        assert_eq!(join(&policy, &mut proxy, b"s-1", &alice), Ok(()));
        for other in [caller("planner", Some("bob")), caller("writer", Some("alice")), caller("planner", None)] {
            assert_eq!(join(&policy, &mut proxy, b"s-1", &other), Err(Reason::SessionMismatch), "{other:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_looked_up_all_the_same() {
        let (policy, mut proxy) = (policy(), Proxy::default());
        let (alice, bob) = (caller("planner", Some("alice")), caller("planner", Some("bob")));
        for _ in 0..3 {
            assert_eq!(join(&policy, &mut proxy, b"s-1", &alice), Ok(()));
            assert_eq!(join(&policy, &mut proxy, b"s-1", &bob), Err(Reason::SessionMismatch));
        }
        // The server gives the id anew, to somebody else.
        begin(&policy, &mut proxy, b"s-1", &bob).unwrap();
        assert_eq!(join(&policy, &mut proxy, b"s-1", &alice), Err(Reason::SessionMismatch));
        assert_eq!(join(&policy, &mut proxy, b"s-1", &bob), Ok(()));
        // Ids that end alike share a place.
        for id in [&b"a-s-1"[..], b"b-s-1", b"a-s-1"] {
            assert_eq!(join(&policy, &mut proxy, id, &alice), Ok(()));
        }
        assert_eq!(join(&policy, &mut proxy, b"b-s-1", &bob), Err(Reason::SessionMismatch));
    }

    #[test]
    fn an_unknown_session_is_the_first_comers() {
        let (policy, mut proxy) = (policy(), Proxy::default());
        assert_eq!(join(&policy, &mut proxy, b"s-2", &caller("planner", None)), Ok(()));
        assert_eq!(join(&policy, &mut proxy, b"s-2", &caller("writer", None)), Err(Reason::SessionMismatch));
    }

    #[test]
    fn memory_is_bounded_and_a_stranger_is_never_in_the_way() {
        let (policy, mut proxy) = (policy(), Proxy::default());
        for number in 0..20_000 {
            let (id, owner) = (format!("s-{number}"), caller(&format!("agent-{number}"), None));
            assert_eq!(join(&policy, &mut proxy, id.as_bytes(), &owner), Ok(()));
            assert_eq!(join(&policy, &mut proxy, id.as_bytes(), &caller("mallory", None)), Err(Reason::SessionMismatch));
        }
        assert!(proxy.data.len() <= 4096);
    }

    #[test]
    fn a_race_is_tried_again_and_a_broken_host_refuses() {
        let (policy, owner) = (policy(), caller("planner", None));
        let mut racing = Proxy { races: 2, ..Proxy::default() };
        assert_eq!(join(&policy, &mut racing, b"s", &owner), Ok(()));
        let mut racing = Proxy { races: 3, ..Proxy::default() };
        assert_eq!(join(&policy, &mut racing, b"s", &owner), Err(Reason::HostFailed));
        let mut broken = Proxy { broken: true, ..Proxy::default() };
        assert_eq!(join(&policy, &mut broken, b"s", &owner), Err(Reason::HostFailed));
        assert_eq!(begin(&policy, &mut broken, b"s", &owner), Err(Reason::HostFailed));
    }

    #[test]
    fn what_is_no_session_id_is_nobodys() {
        let (policy, mut proxy) = (policy(), Proxy::default());
        for id in [&b""[..], b"a b", b"a\x7f", &[b'a'; 4097]] {
            assert_eq!(join(&policy, &mut proxy, id, &caller("planner", None)), Err(Reason::SessionMismatch));
        }
        assert!(proxy.data.is_empty());
    }

    #[test]
    fn parts_of_an_owner_do_not_run_together() {
        let slot = Slot::of(&policy(), b"s");
        let owner = |issuer: Option<&str>, user: &str, agent: &str| {
            let user = Some(Subject { issuer: issuer.map(Into::into), user: user.into(), owner: None });
            let caller = Caller { agent: Some(agent.into()), user, ..Caller::default() };
            slot.value(&super::owner(&policy(), &caller))
        };
        let all = [
            owner(Some("a"), "b", "c"),
            owner(Some("ab"), "", "c"),
            owner(None, "ab", "c"),
            owner(Some(""), "ab", "c"),
            owner(Some("a"), "bc", ""),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
    }
}
