//! One question from the first refusal to the user's answer; several workers, several replicas.

use std::collections::HashMap;

use super::*;
use crate::filter::{Cas, Shared, Signature};
use crate::secret::Secret;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SCOPES: [&str; 2] = ["files:read", "files:write"];

/// The shared data of one proxy.
#[derive(Default)]
struct Proxy {
    data: HashMap<String, (Vec<u8>, u32)>,
    drawn: u8,
}

impl Services for Proxy {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        self.drawn += 1;
        into.fill(self.drawn);
        Ok(())
    }
    fn shared_get(&mut self, name: &str) -> Result<Option<Shared>, ServiceError> {
        Ok(self.data.get(name).map(|(value, cas)| Shared { value: value.clone(), cas: Cas(*cas) }))
    }
    fn shared_set(&mut self, name: &str, value: &[u8], cas: Option<Cas>) -> Result<(), ServiceError> {
        let old = self.data.get(name).map(|(_, cas)| *cas);
        if old.is_some_and(|old| cas.is_some_and(|Cas(cas)| cas != old)) {
            return Err(ServiceError::CasMismatch);
        }
        self.data.insert(name.to_owned(), (value.to_vec(), old.unwrap_or_default() + 1));
        Ok(())
    }
    fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
        Err(ServiceError::Unsupported)
    }
}

fn consent() -> Consent {
    let secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    Consent {
        door: Door {
            url: "https://gate.example/consent".to_owned(),
            authority: "gate.example".to_owned(),
            path: "/consent".to_owned(),
        },
        within: Duration::from_secs(600),
        retry_after: Duration::from_secs(5),
        refusal: Duration::from_secs(3600),
        tell: None,
        keys: Sealer::new(&[("k", Secret::new(secret.to_owned()))]).unwrap().into(),
        calls: Rc::default(),
    }
}

fn scopes() -> Vec<String> {
    SCOPES.map(str::to_owned).to_vec()
}

fn wish(scopes: &[String]) -> Wish<'_> {
    Wish {
        issuer: "https://idp.example",
        user: "alice",
        agent: "spiffe://d/planner",
        service: "https://idp.example",
        client: "planner",
        scopes,
        page: "https://idp.example/auth",
    }
}

/// What the agent hears of its first call: a ticket; and the page that the user is told.
fn first(proxy: &mut Proxy) -> (String, Asked) {
    match consent().look(&wish(&scopes()), None, NOW, proxy) {
        Ok(Standing::Pending { ticket, asked: Some(asked) }) => (ticket, asked),
        other => panic!("{other:?}"),
    }
}

fn again(proxy: &mut Proxy, ticket: Option<&str>, now: Timestamp) -> Standing {
    consent().look(&wish(&scopes()), ticket, now, proxy).unwrap()
}

/// What the page gives back.
fn state(asked: &Asked) -> &str {
    parameter(&asked.url, "state")
}

fn parameter<'a>(url: &'a str, name: &str) -> &'a str {
    let query = url.split_once('?').unwrap().1;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

fn back(proxy: &mut Proxy, query: &str, now: Timestamp) -> door::Back {
    consent().back(query, now, proxy).0
}

fn pending(ticket: &str) -> Standing {
    Standing::Pending { ticket: ticket.to_owned(), asked: None }
}

#[test]
fn the_page_has_all_that_it_needs_and_a_challenge_that_nobody_can_answer() {
    let (ticket, asked) = first(&mut Proxy::default());
    assert!(asked.url.starts_with("https://idp.example/auth?response_type=code&client_id=planner&"), "{}", asked.url);
    assert_eq!(parameter(&asked.url, "redirect_uri"), "https%3A%2F%2Fgate.example%2Fconsent");
    assert_eq!(parameter(&asked.url, "scope"), "openid+files%3Aread+files%3Awrite");
    assert_eq!((parameter(&asked.url, "code_challenge").len(), parameter(&asked.url, "code_challenge_method")), (43, "S256"));
    assert_eq!(asked.until, NOW + Duration::from_secs(600));
    // The agent's ticket does not open the door, and what the page has is no ticket.
    assert_ne!(ticket, state(&asked));
    let mut proxy = Proxy::default();
    assert_eq!(back(&mut proxy, &format!("error=access_denied&state={ticket}"), NOW), door::Back::Stale);
    assert_eq!(again(&mut proxy, Some(state(&asked)), NOW), Standing::Blocked("ticket"));
}

#[test]
fn the_user_is_told_once_whoever_comes_back() {
    let mut proxy = Proxy::default();
    let (ticket, _) = first(&mut proxy);
    for brought in [None, Some(&*ticket)] {
        assert_eq!(again(&mut proxy, brought, NOW + Duration::from_secs(60)), pending(&ticket));
    }
    // Another replica has the ticket only; from then on it knows, too.
    let mut other = Proxy::default();
    assert!(matches!(again(&mut other, Some(&ticket), NOW), Standing::Pending { asked: None, .. }));
    assert!(matches!(again(&mut other, None, NOW), Standing::Pending { asked: None, .. }));
}

#[test]
fn what_differs_is_another_question() {
    let (all, one) = (scopes(), vec!["files:read".to_owned()]);
    let base = wish(&all);
    let others = [
        Wish { user: "bob", ..base },
        Wish { agent: "spiffe://d/writer", ..base },
        Wish { client: "writer", ..base },
        Wish { service: "https://other.example", ..base },
        Wish { scopes: &one, ..base },
    ];
    let mut proxy = Proxy::default();
    let (ticket, _) = first(&mut proxy);
    for other in others {
        assert_ne!(other.key(), base.key());
        let standing = consent().look(&other, Some(&ticket), NOW, &mut proxy);
        assert_eq!(standing, Ok(Standing::Blocked("ticket")), "{other:?}");
    }
}

#[test]
fn a_no_is_remembered_and_ends() {
    let mut proxy = Proxy::default();
    let (ticket, asked) = first(&mut proxy);
    assert_eq!(back(&mut proxy, &format!("error=access_denied&state={}", state(&asked)), NOW), door::Back::Refused);
    for brought in [None, Some(&*ticket)] {
        assert_eq!(again(&mut proxy, brought, NOW), Standing::Blocked("denied"));
    }
    let later = NOW + Duration::from_secs(3601);
    assert!(matches!(again(&mut proxy, None, later), Standing::Pending { asked: Some(_), .. }));
}

#[test]
fn after_a_yes_nobody_is_told_again_until_it_must_have_settled() {
    let mut proxy = Proxy::default();
    let (ticket, asked) = first(&mut proxy);
    assert_eq!(back(&mut proxy, &format!("state={}&code=worthless", state(&asked)), NOW), door::Back::Agreed);
    assert_eq!(again(&mut proxy, None, NOW + Duration::from_secs(1)), pending(&ticket));
    // The token service still refuses: it was somebody else who agreed, or less was agreed to.
    assert!(matches!(again(&mut proxy, None, NOW + SETTLES), Standing::Pending { asked: Some(_), .. }));
}

#[test]
fn a_question_ends_and_its_ticket_with_it() {
    let mut proxy = Proxy::default();
    let (ticket, asked) = first(&mut proxy);
    let late = NOW + Duration::from_secs(600);
    assert_eq!(again(&mut proxy, Some(&ticket), late), Standing::Blocked("ticket"));
    assert_eq!(back(&mut proxy, &format!("error=access_denied&state={}", state(&asked)), late), door::Back::Stale);
    assert!(matches!(again(&mut proxy, None, late), Standing::Pending { asked: Some(_), .. }));
}

#[test]
fn what_comes_back_is_believed_only_if_it_was_sealed_and_says_one_thing() {
    let mut proxy = Proxy::default();
    let (ticket, asked) = first(&mut proxy);
    let state = state(&asked);
    let broken = state.replace(state.get(40..41).unwrap(), "_");
    for query in [
        String::new(),
        "code=c".to_owned(),
        format!("state={broken}&error=access_denied"),
        format!("state={state}"),
        format!("state={state}&code=c&error=access_denied"),
        format!("state={state}&error=server_error"),
        format!("state={state}&state={state}&error=access_denied"),
    ] {
        assert_eq!(back(&mut proxy, &query, NOW), door::Back::Stale, "{query}");
        assert_eq!(again(&mut proxy, None, NOW), pending(&ticket), "{query}");
    }
}

#[test]
fn an_old_page_says_nothing_about_a_new_question() {
    let mut proxy = Proxy::default();
    let (_, old) = first(&mut proxy);
    proxy.data.clear();
    let (ticket, new) = first(&mut proxy);
    assert_ne!(old.id, new.id);
    assert_eq!(back(&mut proxy, &format!("error=access_denied&state={}", state(&old)), NOW), door::Back::Stale);
    assert_eq!(again(&mut proxy, None, NOW), pending(&ticket));
}

#[test]
fn a_user_has_a_few_questions_at_a_time() {
    let mut proxy = Proxy::default();
    let base = scopes();
    let clients: Vec<String> = (0..5).map(|number| format!("client-{number}")).collect();
    let standings = clients.iter().map(|client| consent().look(&Wish { client, ..wish(&base) }, None, NOW, &mut proxy).unwrap());
    let told = standings.filter(|standing| matches!(standing, Standing::Pending { asked: Some(_), .. })).count();
    assert_eq!(told, 4);
}

#[test]
fn nothing_shared_is_nothing_asked() {
    struct Bare;
    impl Services for Bare {
        fn random(&mut self, _: &mut [u8]) -> Result<(), ServiceError> {
            Err(ServiceError::Failed)
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
    assert!(consent().look(&wish(&scopes()), None, NOW, &mut Bare).is_err());
}
