//! Keys that are fetched: by whom, when, and what requests see of it (BY-T-18).

use serde_json::json;
use wardpoint_core::filter::CalloutError;
use wardpoint_core::jws::Family;
use wardpoint_core::time::Duration;

use crate::world::{World, fetching, set, token, token_of, usual};

const SECOND: Duration = Duration::from_secs(1);

/// Four VMs that all have the usual keys.
fn warm() -> World {
    let mut world = World::new(4, &fetching());
    world.pass(Duration::ZERO);
    let _nobody_waits = world.answer(Ok((200, &usual())));
    world.pass(Duration::ZERO);
    world
}

#[test]
fn of_all_vms_one_fetches_and_the_others_take_what_it_found() {
    let mut world = World::new(4, &fetching());
    world.pass(Duration::from_secs(2));
    assert_eq!(world.calls.len(), 1);
    let call = &world.calls[0].2;
    let header = |name: &str| call.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice());
    assert_eq!((call.cluster.as_str(), header(":path")), ("idp", Some(&b"/jwks"[..])));
    assert_eq!((header(":method"), header(":authority")), (Some(&b"GET"[..]), Some(&b"idp.example"[..])));
    let _nobody_waits = world.answer(Ok((200, &usual())));
    world.pass(Duration::ZERO);
    for vm in 0..4 {
        assert_eq!(world.ask(vm, &token(json!({}))), "alice");
    }
    assert_eq!((world.calls.len(), world.count("keys.fetched")), (0, 1));
}

#[test]
fn a_request_before_the_first_tick_waits_for_the_keys() {
    let mut world = World::new(2, &fetching());
    assert_eq!(world.ask(0, &token(json!({}))), "waits");
    assert_eq!(world.ask(0, &token(json!({"sub": "bob"}))), "waits");
    assert_eq!(world.calls.len(), 1, "one call for both");
    assert_eq!(world.ask(1, &token(json!({"sub": "carol"}))), "waits");
    assert_eq!(world.calls.len(), 2, "nothing is heard of another VM's call");
    world.pass(SECOND);
    assert_eq!(world.calls.len(), 2, "ticks wait too");
    assert_eq!(world.answer(Ok((200, &usual()))), ["alice", "bob"]);
    assert_eq!(world.ask(1, &token(json!({"sub": "dave"}))), "dave", "what the first found is there for the second");
    assert_eq!(world.answer(Ok((200, &usual()))), ["carol"]);
}

#[test]
fn requests_that_wait_are_bounded() {
    let mut world = World::new(1, &fetching());
    let token = token(json!({}));
    let said: Vec<String> = (0..1_003).map(|_| world.ask(0, &token)).collect();
    assert_eq!(said.iter().filter(|said| *said == "waits").count(), 1_000);
    assert_eq!(said.iter().filter(|said| *said == "too_many_waiting").count(), 3);
    assert_eq!(world.answer(Ok((200, &usual()))).len(), 1_000);
    assert_eq!(world.ask(0, &token), "alice");
}

#[test]
fn keys_are_refreshed_in_the_background_with_chance() {
    let mut world = warm();
    world.pass(Duration::from_secs(239));
    assert_eq!(world.calls.len(), 0, "four fifths of `refresh` are sure");
    let waited = world.until_call() + Duration::from_secs(239);
    assert!(waited >= SECOND * 240 && waited <= SECOND * 300, "{waited:?}");
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.ask(0, &token(json!({}))), "alice", "nobody waits for it");
    let _nobody_waits = world.answer(Ok((200, &usual())));
    world.pass(Duration::from_secs(200));
    assert_eq!(world.calls.len(), 0);
}

#[test]
fn an_unknown_key_brings_one_fetch_a_cool_down() {
    let mut world = warm();
    let strangers: Vec<String> = (0..500).map(|number| token_of(&format!("stranger-{number}"))).collect();
    let stranger = |number: usize| &strangers[number];
    for number in 0..50 {
        assert_eq!(world.ask(number % 4, stranger(number)), "unknown_key", "somebody has just fetched");
    }
    assert_eq!(world.calls.len(), 0);
    for round in 0..3 {
        world.pass(Duration::from_secs(30));
        assert_eq!(world.ask(0, stranger(0)), "waits");
        for number in 1..500 {
            assert_eq!(world.ask(0, stranger(number)), "waits");
        }
        assert_eq!(world.calls.len(), 1, "round {round}");
        assert_eq!(world.ask(0, &token(json!({}))), "alice", "others are not blocked");
        assert_eq!(world.answer(Ok((200, &usual()))), vec!["unknown_key"; 500]);
        for number in 0..500 {
            assert_eq!(world.ask(number % 4, stranger(number)), "unknown_key");
        }
        assert_eq!(world.calls.len(), 0, "round {round}");
    }
    assert_eq!(world.checks(), 4 * 4 + 1, "probes, and alice once: a token without a key costs no signature");
}

#[test]
fn a_new_key_is_found_by_the_first_who_needs_it() {
    let mut world = warm();
    world.pass(Duration::from_secs(30));
    assert_eq!(world.ask(2, &token_of("new")), "waits");
    let rotated = set(&[(Family::Rsa, "new"), (Family::Rsa, "Rsa")]);
    assert_eq!(world.answer(Ok((200, &rotated))), ["alice"]);
    assert_eq!(world.ask(3, &token_of("new")), "alice", "without a tick and without a call");
    assert_eq!(world.calls.len(), 0);
}

#[test]
fn two_vms_that_need_a_new_key_at_once_both_get_it() {
    let mut world = warm();
    world.pass(Duration::from_secs(30));
    assert_eq!(world.ask(0, &token_of("new")), "waits");
    assert_eq!(world.ask(1, &token_of("new")), "waits");
    assert_eq!(world.calls.len(), 2);
    let rotated = set(&[(Family::Rsa, "new")]);
    assert_eq!(world.answer(Ok((200, &rotated))), ["alice"]);
    assert_eq!(world.answer(Ok((200, &rotated))), ["alice"]);
}

#[test]
fn a_key_that_was_withdrawn_takes_its_remembered_tokens_along() {
    let mut world = warm();
    assert_eq!(world.ask(0, &token(json!({}))), "alice");
    world.until_call();
    let _nobody_waits = world.answer(Ok((200, &set(&[(Family::Rsa, "new")]))));
    for vm in 0..4 {
        world.tick(vm);
        assert_eq!(world.ask(vm, &token(json!({}))), "unknown_key", "VM {vm}");
    }
}

#[test]
fn the_last_good_set_is_kept_for_its_time_and_then_nothing_is_accepted() {
    let mut world = warm();
    assert_eq!(world.ask(0, &token(json!({}))), "alice");
    let (mut fetches, token) = (0, token(json!({})));
    for second in 1..3_600 {
        world.pass(SECOND);
        while !world.calls.is_empty() {
            let _nobody_waits = world.answer(Err(CalloutError::NoReply));
            fetches += 1;
        }
        assert_eq!(world.ask(second % 4, &token), "alice", "second {second}");
    }
    assert!((55..=130).contains(&fetches), "{fetches}");
    world.pass(SECOND);
    for vm in 0..4 {
        assert_eq!(world.ask(vm, &token), "keys_unavailable", "remembered or not");
    }
    world.until_call();
    let _nobody_waits = world.answer(Ok((200, &usual())));
    for vm in 0..4 {
        assert_eq!(world.ask(vm, &token), "alice");
    }
}
