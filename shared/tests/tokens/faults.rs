//! What goes wrong: the key server, shared data, chance, the clock, and the host's signatures.

use serde_json::json;
use wardpoint_core::filter::{CalloutError, ServiceError};
use wardpoint_core::jws::{Family, MAX_KEY_SET};
use wardpoint_core::time::{Duration, Timestamp};

use crate::world::{SECS, World, fetching, set, token, token_of, usual};

const SECOND: Duration = Duration::from_secs(1);

fn large() -> String {
    format!("{}{}", usual(), " ".repeat(MAX_KEY_SET))
}

#[test]
fn an_answer_that_is_no_good_key_set_is_none() {
    let symmetric = json!({"keys": [{"kty": "oct", "k": "AAAA"}]}).to_string();
    let twice = r#"{"keys":[],"keys":[]}"#;
    let answers = [
        Err(CalloutError::NoReply),
        Err(CalloutError::NotDispatched),
        Err(CalloutError::TimedOut),
        Ok((500, usual())),
        Ok((504, String::new())),
        Ok((302, usual())),
        Ok((204, String::new())),
        Ok((206, usual())),
        Ok((200, String::new())),
        Ok((200, "<html>".into())),
        Ok((200, "[]".into())),
        Ok((200, "{}".into())),
        Ok((200, r#"{"keys":[]}"#.into())),
        Ok((200, symmetric)),
        Ok((200, twice.into())),
        Ok((200, large())),
    ];
    for answer in answers {
        let answer = answer.as_ref().map(|(status, body)| (*status, body.as_str())).map_err(|error| *error);
        let mut world = World::new(2, &fetching());
        assert_eq!(world.ask(0, &token(json!({}))), "waits");
        assert_eq!(world.answer(answer), ["keys_unavailable"], "{answer:?}");
        assert_eq!(world.ask(0, &token(json!({}))), "keys_unavailable", "and it is not asked again at once");
        assert_eq!((world.calls.len(), world.count("keys.fetch_failed")), (0, 1));
        world.pass(SECOND);
        assert_eq!(world.calls.len(), 1, "but a second later");
        let _nobody_waits = world.answer(Ok((200, &usual())));
        assert_eq!((world.ask(0, &token(json!({}))), world.ask(1, &token(json!({})))), ("alice".into(), "alice".into()));

        let mut warm = World::new(1, &fetching());
        warm.pass(Duration::ZERO);
        let _nobody_waits = warm.answer(Ok((200, &usual())));
        warm.pass(Duration::from_secs(300));
        let _nobody_waits = warm.answer(answer);
        assert_eq!(warm.ask(0, &token(json!({}))), "alice", "what is good stays: {answer:?}");
    }
}

#[test]
fn fetches_that_fail_are_repeated_later_each_time() {
    let mut world = World::new(3, &fetching());
    let mut waits = Vec::new();
    for _ in 0..10 {
        waits.push(world.until_call().as_secs_f64());
        assert_eq!(world.calls.len(), 1, "one VM of three");
        let _nobody_waits = world.answer(Ok((503, "")));
    }
    let most = [0.5, 1.5, 2.5, 4.5, 8.5, 16.5, 32.5, 60.5, 60.5, 60.5];
    for ((index, wait), most) in waits.iter().enumerate().zip(most) {
        assert!(*wait <= most && *wait >= most / 2.0 - 1.0, "wait {index}: {wait} of {most}");
    }
}

#[test]
fn a_call_that_never_ends_is_given_up() {
    let mut world = World::new(2, &fetching());
    world.pass(Duration::ZERO);
    world.calls.clear();
    world.pass(SECOND * 2);
    assert_eq!(world.calls.len(), 0);
    world.pass(SECOND * 2);
    assert_eq!(world.calls.len(), 1, "another turn");
}

#[test]
fn without_shared_data_each_vm_fetches_for_itself_and_no_more_often() {
    for (no_get, no_set) in [(true, None), (false, Some("state")), (false, Some("text")), (false, Some("e")), (true, Some("t"))] {
        let mut world = World::new(3, &fetching());
        (world.proxy.no_get, world.proxy.no_set) = (no_get, no_set);
        let mut fetches = 0;
        for _ in 0..200 {
            while !world.calls.is_empty() {
                let _nobody_waits = world.answer(Ok((200, &usual())));
                fetches += 1;
            }
            world.pass(SECOND);
        }
        for vm in 0..3 {
            assert_eq!(world.ask(vm, &token(json!({}))), "alice", "{no_get} {no_set:?}");
        }
        assert_eq!(fetches, 3, "{no_get} {no_set:?}");
        assert!(world.count("keys.shared_data_failed") > 0);
    }
}

#[test]
fn shared_data_that_others_wrote_is_not_believed() {
    let far = u64::MAX.to_le_bytes();
    for state in [vec![], vec![0; 47], [&far[..]; 6].concat(), [&5_u64.to_le_bytes()[..], &far, &far, &far, &far, &far].concat()]
    {
        for set in [vec![], b"1234567".to_vec(), [&far[..], b"<html>"].concat()] {
            let mut world = World::new(2, &fetching());
            world.pass(Duration::ZERO);
            let _nobody_waits = world.answer(Ok((200, &usual())));
            world.pass(Duration::ZERO);
            let names: Vec<String> = world.proxy.data.keys().cloned().collect();
            for name in names {
                let value = if name.ends_with("state") { &state } else { &set };
                world.proxy.data.insert(name, (value.clone(), 1_000));
            }
            let mut fetches = 0;
            for _ in 0..60 {
                world.pass(SECOND);
                while !world.calls.is_empty() {
                    let _nobody_waits = world.answer(Ok((200, &usual())));
                    fetches += 1;
                }
                assert_eq!(world.ask(1, &token(json!({}))), "alice");
            }
            assert!(fetches <= 6, "{fetches} for {state:?} {set:?}");
        }
    }
}

#[test]
fn without_chance_nothing_is_remembered_and_all_else_goes_on() {
    let mut world = World::new(1, &fetching());
    world.proxy.no_random = true;
    world.pass(Duration::ZERO);
    let _nobody_waits = world.answer(Ok((200, &usual())));
    let _probe = world.checks();
    for _ in 0..3 {
        assert_eq!(world.ask(0, &token(json!({}))), "alice");
    }
    assert_eq!(world.checks(), 3);
}

#[test]
fn a_clock_that_goes_back_blocks_nothing() {
    let mut world = World::new(2, &fetching());
    world.now = Timestamp::from_secs(SECS + 3_000_000);
    world.pass(Duration::ZERO);
    let _nobody_waits = world.answer(Ok((500, "")));
    world.now = Timestamp::from_secs(SECS);
    world.pass(SECOND);
    assert_eq!(world.calls.len(), 1);
    let _nobody_waits = world.answer(Ok((200, &usual())));
    assert_eq!(world.ask(0, &token(json!({}))), "alice");
}

#[test]
fn a_host_that_says_yes_to_all_is_asked_nothing() {
    for says in [Ok(true), Ok(false), Err(ServiceError::Unsupported)] {
        let mut world = World::new(1, &fetching());
        world.proxy.says = Some(says);
        world.pass(Duration::ZERO);
        let _nobody_waits = world.answer(Ok((200, &usual())));
        let _probe = world.checks();
        assert_eq!(world.ask(0, &token(json!({}))), "unsupported");
        assert_eq!(world.checks(), 0);
        assert_eq!((world.count("keys.host_lacks.rsa"), world.count("keys.host_lacks.ecdsa")), (1, 1));
    }
}

#[test]
fn a_host_that_fails_for_a_moment_refuses_only_then() {
    let mut world = World::new(1, &fetching());
    world.pass(Duration::ZERO);
    let _nobody_waits = world.answer(Ok((200, &usual())));
    world.proxy.says = Some(Err(ServiceError::Failed));
    assert_eq!(world.ask(0, &token(json!({}))), "host_failed");
    world.proxy.says = None;
    assert_eq!(world.ask(0, &token(json!({}))), "alice");
}

#[test]
fn a_set_of_another_source_is_never_taken() {
    let mut elsewhere = fetching();
    elsewhere["tokens"][0]["jwks"]["path"] = json!("/other");
    let mut world = World::new(1, &fetching());
    world.pass(Duration::ZERO);
    let _nobody_waits = world.answer(Ok((200, &set(&[(Family::Rsa, "new")]))));
    let mut other = World::new(1, &elsewhere);
    other.proxy.data = world.proxy.data;
    other.pass(Duration::ZERO);
    assert_eq!(other.calls.len(), 1, "it fetches its own");
    let _nobody_waits = other.answer(Ok((200, &usual())));
    assert_eq!(other.ask(0, &token_of("new")), "unknown_key");
}
