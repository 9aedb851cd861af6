//! Reference tokens: what an agent holds in place of the token of a user (F22).
//!
//! On the way to an agent the user's token is sealed and bound to that agent's SPIFFE id; on the way out of that agent, and only
//! there, it is opened, for the exchange. The agent itself holds nothing that is worth anything anywhere else: not at another
//! agent, not at a tool, not after its end. Nothing is kept, so any replica opens what another has sealed.

use std::rc::Rc;

use super::credential::MAX_TOKEN;
use crate::filter::{ServiceError, Services};
use crate::policy::Reason;
use crate::seal::{Bound, NONCE, NotOpened, Sealer};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// Every reference token begins with it, so that it is told from others: by gates, and by those who find one in a log.
pub const PREFIX: &str = "wpr_";
/// What they are sealed for.
const PURPOSE: &str = "reference token";

/// Makes and opens reference tokens.
#[derive(Debug)]
pub struct References {
    sealer: Rc<Sealer>,
    longest: Duration,
}

/// What is to become a reference token.
#[derive(Clone, Debug)]
pub struct Referred<'a> {
    /// A token that was verified.
    pub token: Secret<&'a str>,
    /// Its end.
    pub expires: Timestamp,
    /// The SPIFFE id of the agent that will hold the reference.
    pub agent: &'a str,
}

/// Whether a credential is a reference token, or looks like one.
pub fn is_reference(token: &str) -> bool {
    token.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

impl References {
    /// With these keys; no reference lives longer than `longest`.
    pub fn new(sealer: impl Into<Rc<Sealer>>, longest: Duration) -> Self {
        Self { sealer: sealer.into(), longest }
    }

    /// The reference for a token. It ends with the token, or earlier.
    ///
    /// # Errors
    /// [`Reason::InvalidToken`] for a token that is over, is itself a reference, or is so long that its reference would not be
    /// taken back; [`Reason::NoAgent`] if nobody is to hold it; [`Reason::HostFailed`] without random bytes.
    pub fn issue(&self, what: &Referred<'_>, now: Timestamp, services: &mut dyn Services) -> Result<Secret<String>, Reason> {
        let token = *what.token.reveal();
        let expires = what.expires.min(now + self.longest);
        if is_reference(token) || expires <= now {
            return Err(Reason::InvalidToken);
        }
        if what.agent.is_empty() {
            return Err(Reason::NoAgent);
        }
        let mut nonce = [0; NONCE];
        services.random(&mut nonce).map_err(|_: ServiceError| Reason::HostFailed)?;
        let sealed = self.sealer.seal(bound(what.agent), expires, token.as_bytes(), nonce).ok_or(Reason::InvalidToken)?;
        let reference = [PREFIX, &sealed].concat();
        if reference.len() > MAX_TOKEN { Err(Reason::InvalidToken) } else { Ok(Secret::new(reference)) }
    }

    /// The token that a reference stands for, if the agent that brings it is the one that it was made for.
    ///
    /// # Errors
    /// Why not, for the operator; the agent is not to hear it.
    pub fn redeem(&self, reference: &str, agent: &str, now: Timestamp) -> Result<Secret<String>, NotOpened> {
        let sealed = reference.strip_prefix(PREFIX).filter(|_| !agent.is_empty()).ok_or(NotOpened::Other)?;
        let opened = self.sealer.open(bound(agent), sealed, now)?;
        let token = core::str::from_utf8(opened.payload.reveal()).map_err(|_| NotOpened::Other)?;
        Ok(Secret::new(token.to_owned()))
    }
}

fn bound(agent: &str) -> Bound<'_> {
    Bound { purpose: PURPOSE, to: agent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Cas, Shared, Signature};

    const NOW: Timestamp = Timestamp::from_secs(1_795_251_600);
    const HOUR: Timestamp = Timestamp::from_secs(1_795_255_200);
    const PLANNER: &str = "spiffe://cluster.local/ns/agents/sa/planner";
    const ALICE: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

    struct Dice(Option<u8>);

    impl Services for Dice {
        fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
            let byte = self.0.as_mut().ok_or(ServiceError::Failed)?;
            *byte += 1;
            into.fill(*byte);
            Ok(())
        }

        fn shared_get(&mut self, _: &str) -> Result<Option<Shared>, ServiceError> {
            Err(ServiceError::Unsupported)
        }

        fn shared_set(&mut self, _: &str, _: &[u8], _: Option<Cas>) -> Result<(), ServiceError> {
            Err(ServiceError::Unsupported)
        }

        fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
            Err(ServiceError::Unsupported)
        }
    }

    fn references(keys: &[&str]) -> References {
        let key = |id: &str| Secret::new(format!("{:0<64}", id.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()));
        let keys: Vec<_> = keys.iter().map(|id| (*id, key(id))).collect();
        References::new(Sealer::new(&keys).unwrap(), Duration::from_secs(600))
    }

    fn issued(by: &References, token: &str, expires: Timestamp) -> Result<String, Reason> {
        let what = Referred { token: Secret::new(token), expires, agent: PLANNER };
        by.issue(&what, NOW, &mut Dice(Some(0))).map(|reference| reference.reveal().clone())
    }

    fn redeemed(by: &References, reference: &str, agent: &str, now: Timestamp) -> Result<String, NotOpened> {
        by.redeem(reference, agent, now).map(|token| token.reveal().clone())
    }

    #[test]
    fn the_agent_that_it_is_for_brings_it_back_to_any_replica() {
        let reference = issued(&references(&["a"]), ALICE, HOUR).unwrap();
        assert!(reference.starts_with("wpr_1.a."), "{reference}");
        for part in ALICE.split('.') {
            assert!(!reference.contains(part));
        }
        assert_eq!(redeemed(&references(&["a"]), &reference, PLANNER, NOW).as_deref(), Ok(ALICE));
        assert_eq!(redeemed(&references(&["b", "a"]), &reference, PLANNER, NOW).as_deref(), Ok(ALICE), "while keys are rotated");
    }

    #[test]
    fn stolen_it_is_worth_nothing() {
        let gate = references(&["a"]);
        let reference = issued(&gate, ALICE, HOUR).unwrap();
        for agent in ["spiffe://cluster.local/ns/agents/sa/researcher", "spiffe://cluster.local/ns/agents/sa/Planner", "planner"]
        {
            assert_eq!(redeemed(&gate, &reference, agent, NOW), Err(NotOpened::Other), "{agent}");
        }
        assert_eq!(redeemed(&gate, &reference, "", NOW), Err(NotOpened::Other), "who has no name holds nothing");
        assert_eq!(redeemed(&references(&["b"]), &reference, PLANNER, NOW), Err(NotOpened::UnknownKey));
        let bare = reference.strip_prefix(PREFIX).unwrap();
        for other in [bare, ALICE, "", "wpr_", &reference.replace("wpr_", "WPR_"), &format!("{reference}A")] {
            assert_eq!(redeemed(&gate, other, PLANNER, NOW), Err(NotOpened::Other), "{other}");
        }
    }

    #[test]
    fn it_ends_with_the_token_or_before() {
        let gate = references(&["a"]);
        let at = |seconds| NOW + Duration::from_secs(seconds);
        for (expires, end) in [(at(60), 60), (HOUR, 600)] {
            let reference = issued(&gate, ALICE, expires).unwrap();
            assert!(redeemed(&gate, &reference, PLANNER, at(end - 1)).is_ok());
            assert_eq!(redeemed(&gate, &reference, PLANNER, at(end)), Err(NotOpened::Expired));
        }
        assert_eq!(issued(&gate, ALICE, NOW), Err(Reason::InvalidToken), "there is no reference to what is over");
    }

    #[test]
    fn what_gets_no_reference() {
        let gate = references(&["a"]);
        let reference = issued(&gate, ALICE, HOUR).unwrap();
        assert_eq!(issued(&gate, &reference, HOUR), Err(Reason::InvalidToken), "a reference to a reference");
        assert_eq!(issued(&gate, &reference.replace("wpr_", "WpR_"), HOUR), Err(Reason::InvalidToken));
        let long = |length| issued(&gate, &"x".repeat(length), HOUR);
        let longest = (12_000..MAX_TOKEN).rev().find(|length| long(*length).is_ok()).unwrap();
        assert_eq!(long(longest).unwrap().len().div_ceil(4), MAX_TOKEN.div_ceil(4), "what is made can be brought back");
        assert_eq!(long(crate::seal::MAX_PAYLOAD + 1), Err(Reason::InvalidToken));
        let what = Referred { token: Secret::new(ALICE), expires: HOUR, agent: "" };
        assert_eq!(gate.issue(&what, NOW, &mut Dice(Some(0))), Err(Reason::NoAgent));
        let what = Referred { agent: PLANNER, ..what };
        assert_eq!(gate.issue(&what, NOW, &mut Dice(None)), Err(Reason::HostFailed));
        assert!(!format!("{what:?} {gate:?}").contains("eyJ"));
    }

    /// Two for the same token differ: who sees both does not learn that.
    #[test]
    fn no_two_are_the_same() {
        let gate = references(&["a"]);
        let mut dice = Dice(Some(0));
        let what = Referred { token: Secret::new(ALICE), expires: HOUR, agent: PLANNER };
        let (one, two) = (gate.issue(&what, NOW, &mut dice).unwrap(), gate.issue(&what, NOW, &mut dice).unwrap());
        assert_ne!(one, two);
    }
}
