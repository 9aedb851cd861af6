//! A reference opens for the agent that it was made for, before its end and with a key that is there; and else never.
#![expect(clippy::expect_used, reason = "a test fails by it")]

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use wardpoint_core::filter::{Cas, ServiceError, Services, Shared, Signature};
use wardpoint_core::seal::{NotOpened, Sealer};
use wardpoint_core::secret::Secret;
use wardpoint_core::time::{Duration, Timestamp};
use wardpoint_core::token_exchange::reference::{References, Referred, is_reference};

const NOW: u64 = 1_800_000_000;

/// A host that has these random bytes and nothing else.
struct Dice(u64);

impl Services for Dice {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        for byte in into {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = self.0.to_be_bytes()[0];
        }
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

/// A gate with these keys; what a key is, its name says.
fn gate(keys: &[&str], longest: u64) -> References {
    let key = |id: &str| Secret::new(id.bytes().cycle().take(32).map(|byte| format!("{byte:02x}")).collect::<String>());
    let keys: Vec<(&str, Secret<String>)> = keys.iter().map(|id| (*id, key(id))).collect();
    References::new(Sealer::new(&keys).expect("good keys"), Duration::from_secs(longest))
}

fn agent() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["spiffe://d/ns/a/sa/planner", "spiffe://d/ns/a/sa/planner2", "spiffe://d/ns/a/sa/Planner", "spiffe://e/x"])
            .prop_map(str::to_owned),
        "spiffe://[a-z]{1,8}/[ -~]{1,20}",
    ]
}

/// A token of this form. One that is a reference itself is never taken for another one.
fn token(form: &'static str) -> impl Strategy<Value = String> {
    form.prop_filter("a reference", |token| !is_reference(token))
}

/// Keys in any order, one at the least.
fn keys() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(vec!["ab", "cd", "ef", "gh"], 1..=4).prop_shuffle()
}

#[test]
fn there_is_no_reference_to_a_reference() {
    let (now, agent) = (Timestamp::from_secs(NOW), "spiffe://d/planner");
    let (gate, expires) = (gate(&["ab"], 60), now + Duration::from_secs(60));
    let made = |token: &str| gate.issue(&Referred { token: Secret::new(token), expires, agent }, now, &mut Dice(0));
    let first = made("eyJ.e30.c2ln").expect("it is made");
    for token in [first.reveal(), "wpr_", "WPr_x"] {
        assert!(made(token).is_err(), "{token}");
    }
    assert!(made("wpr-x").is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn it_opens_exactly_for_its_agent_before_its_end(
        token in token("[A-Za-z0-9._-]{1,1500}"),
        (to, by) in (agent(), agent(), any::<bool>()).prop_map(|(to, other, same)| (to.clone(), if same { to } else { other })),
        (sealing, opening) in (keys(), keys()),
        (life, longest, after) in (1..2000_u64, 1..2000_u64, 0..2500_u64),
        seed: u64,
    ) {
        let now = Timestamp::from_secs(NOW);
        let what = Referred { token: Secret::new(&token), expires: now + Duration::from_secs(life), agent: &to };
        let made = gate(&sealing, longest).issue(&what, now, &mut Dice(seed));
        let Ok(reference) = made else { return Err(TestCaseError::fail("none was made")) };
        let text = reference.reveal();
        prop_assert!(!text.contains(&token) || token.len() < 4, "nothing of the token is in it");
        let opened = gate(&opening, longest).redeem(text, &by, now + Duration::from_secs(after));
        let known = sealing.first().is_some_and(|first| opening.contains(first));
        let expected = match (known, by == to, after < life.min(longest)) {
            (false, ..) => Err(NotOpened::UnknownKey),
            (true, false, _) => Err(NotOpened::Other),
            (true, true, false) => Err(NotOpened::Expired),
            (true, true, true) => Ok(token),
        };
        prop_assert_eq!(opened.map(|token| token.reveal().clone()), expected);
    }

    #[test]
    fn no_other_text_opens(token in token("[A-Za-z0-9._-]{1,60}"), at: Index, character in "[A-Za-z0-9._-]", cut: Index, seed: u64) {
        let (now, agent) = (Timestamp::from_secs(NOW), "spiffe://d/planner");
        let gate = gate(&["ab"], 60);
        let what = Referred { token: Secret::new(&token), expires: now + Duration::from_secs(60), agent };
        let reference = gate.issue(&what, now, &mut Dice(seed)).expect("it is made").reveal().clone();
        let at = at.index(reference.len());
        let mut changed = reference.clone();
        changed.replace_range(at..=at, &character);
        prop_assert!(changed == reference || gate.redeem(&changed, agent, now).is_err());
        prop_assert!(gate.redeem(reference.split_at(cut.index(reference.len())).0, agent, now).is_err());
        let longer = [reference, character].concat();
        prop_assert!(gate.redeem(&longer, agent, now).is_err());
    }
}
