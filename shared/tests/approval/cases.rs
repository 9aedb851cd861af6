//! One thing at a time.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use serde_json::json;

use crate::world::{Fault, Heard, INTERVAL, LIFE, Says, Want, World, seal_with, token, want};

/// The ticket of a request that must wait.
pub(crate) fn ticket(heard: Heard) -> String {
    match heard {
        Heard::Pending(Some(ticket), _) => ticket,
        other => panic!("{other:?}"),
    }
}

impl World {
    /// Asks for the first time.
    fn start(&mut self, worker: usize, want: &Want) -> String {
        ticket(self.ask(worker, want))
    }

    /// Comes back after so many seconds.
    fn back(&mut self, after: u64, worker: usize, want: &Want, ticket: &str) -> Heard {
        self.now += after;
        self.ask(worker, &want.with(ticket))
    }

    fn says(&mut self, index: usize, says: Says) {
        self.idp.asked.get_mut(index).unwrap().says = says;
    }
}

#[test]
fn pending_then_approved_once() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let Heard::Pending(Some(ticket), INTERVAL) = world.ask(0, &want) else { panic!("it is pending") };
    let asked = world.idp.asked.first().unwrap().clone();
    assert_eq!(asked.user, "alice");
    assert!(asked.message.starts_with("delete_repo#") && asked.message.len() == 28, "{}", asked.message);
    let Heard::Pending(Some(second), INTERVAL) = world.back(INTERVAL, 0, &want, &ticket) else { panic!("still pending") };
    world.says(0, Says::Yes);
    assert_eq!(world.back(INTERVAL, 0, &want, &second), Heard::Approved(token("alice", 0)));
    for ticket in [&ticket, &second] {
        assert_eq!(world.back(1, 0, &want, ticket), Heard::Expired, "an approval is used once");
    }
    assert_eq!((world.idp.asked.len(), world.idp.polls, world.idp.tokens), (1, 2, 1));
    // The next time the user is asked anew.
    assert!(matches!(world.ask(0, &want), Heard::Pending(Some(_), INTERVAL)));
    assert_eq!(world.idp.asked.len(), 2);
}

#[test]
fn a_no_is_final_for_its_time() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let ticket = world.start(0, &want);
    world.says(0, Says::No);
    assert_eq!(world.back(INTERVAL, 0, &want, &ticket), Heard::Denied);
    for _ in 0..3 {
        assert_eq!(world.ask(0, &want), Heard::Denied, "nobody is asked again and again");
        assert_eq!(world.back(10, 0, &want, &ticket), Heard::Denied);
    }
    assert_eq!((world.idp.asked.len(), world.idp.polls), (1, 1));
    world.now += LIFE;
    assert!(matches!(world.ask(0, &want), Heard::Pending(..)));
}

#[test]
fn one_question_for_one_thing_and_proxy() {
    let (mut world, want) = (World::new(&[2]), want("delete_repo"));
    // Two requests at one worker, one at another, before the server has answered.
    let numbers = [world.begin(0, &want), world.begin(0, &want), world.begin(1, &want)];
    assert_eq!(world.heard(numbers[2]), Some(Heard::Pending(None, 4)), "the other worker is asking");
    world.land();
    let first = ticket(world.heard(numbers[0]).unwrap());
    assert_eq!(first, ticket(world.heard(numbers[1]).unwrap()));
    // Without a ticket the other worker finds the same question.
    let second = ticket(world.ask(1, &want));
    world.says(0, Says::Yes);
    assert_eq!(world.back(INTERVAL, 1, &want, &second), Heard::Approved(token("alice", 0)));
    assert_eq!(world.idp.asked.len(), 1);
    // Another user, agent, tool or other arguments: another question.
    let other = [
        Want { user: "bob", ..want.clone() },
        Want { agent: "writer", ..want.clone() },
        Want { arguments: [2; 32], ..want.clone() },
        Want { tool: "delete_rep".into(), ..want.clone() },
    ];
    for (index, other) in other.iter().enumerate() {
        world.start(0, other);
        assert_eq!(world.idp.asked.len(), index + 2);
    }
}

#[test]
fn a_ticket_is_for_its_action_alone() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let ticket = world.start(0, &want);
    world.says(0, Says::Yes);
    world.now += INTERVAL;
    for other in [
        Want { user: "bob", ..want.clone() },
        Want { agent: "writer", ..want.clone() },
        Want { arguments: [2; 32], ..want.clone() },
        Want { tool: "delete_all".into(), ..want.clone() },
    ] {
        assert_eq!(world.ask(0, &other.with(&ticket)), Heard::Expired, "{other:?}");
    }
    for forged in ["", ".", "a.b", &ticket.replacen('A', "B", 1), &format!("{ticket}x")] {
        assert_eq!(world.ask(0, &want.with(forged)), Heard::Expired);
    }
    assert_eq!(world.idp.polls, 0, "nothing is asked for such a ticket");
    assert!(matches!(world.ask(0, &want.with(&ticket)), Heard::Approved(_)));
}

#[test]
fn the_interval_is_kept_by_all_workers_together() {
    let (mut world, want) = (World::new(&[3]), want("delete_repo"));
    let ticket = world.start(0, &want);
    for second in 0..30 {
        world.now += 1;
        for worker in [0, 1, 2] {
            assert!(matches!(world.ask(worker, &want.with(&ticket)), Heard::Pending(Some(_), 1..=5)), "second {second}");
        }
    }
    assert_eq!((world.idp.too_early, world.idp.polls), (0, 6));
}

#[test]
fn slow_down_is_for_good() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let first = world.start(0, &want);
    world.idp.faults.push_back(Fault::Answer(400, "/token", json!({"error": "slow_down"})));
    let Heard::Pending(Some(second), 10) = world.back(5, 0, &want, &first) else { panic!("five more seconds") };
    assert!(matches!(world.back(9, 0, &want, &second), Heard::Pending(Some(_), 1)));
    // The old ticket does not make it forget.
    assert!(matches!(world.back(0, 0, &want, &first), Heard::Pending(Some(_), 1)));
    let polls = world.idp.polls;
    let Heard::Pending(Some(third), 10) = world.back(1, 0, &want, &second) else { panic!("ten it stays") };
    assert_eq!(world.idp.polls, polls + 1);
    world.idp.faults.push_back(Fault::Answer(429, "/token", json!({})));
    assert!(matches!(world.back(10, 0, &want, &third), Heard::Pending(Some(_), 15)));
}

/// RFC 9110 section 10.2.3, RFC 6585 section 4.
#[test]
fn a_busy_server_is_left_alone_as_long_as_it_says() {
    for status in [429, 503] {
        let mut world = World::new(&[2]);
        world.idp.faults.push_back(Fault::Busy(status, "/bc-authorize", "17"));
        assert_eq!(world.ask(0, &want("delete_repo")), Heard::Unavailable(17));
        for (worker, tool) in [(0, "delete_repo"), (1, "delete_repo"), (1, "delete_user"), (0, "b"), (0, "c"), (0, "d")] {
            world.now += 2;
            let left = 17 - (world.now - 1_795_251_600);
            assert_eq!(world.ask(worker, &want(tool)), Heard::Unavailable(left), "{status} {tool}");
        }
        assert_eq!(world.idp.asked.len(), 0);
        let bob = Want { user: "bob", ..want("delete_repo") };
        assert!(matches!(world.ask(0, &bob), Heard::Pending(Some(_), _)), "nobody else is silenced by it");
        world.now += 5;
        assert!(matches!(world.ask(0, &want("delete_repo")), Heard::Pending(Some(_), _)), "then it is asked again");
        // A moment it is in any case, an hour at the most, and a date is not read.
        for (said, waits) in [("0", 2), ("999999", 3600), ("Fri, 31 Dec 1999 23:59:59 GMT", 2)] {
            let mut world = World::new(&[1]);
            world.idp.faults.push_back(Fault::Busy(status, "/bc-authorize", said));
            assert_eq!(world.ask(0, &want("delete_repo")), Heard::Unavailable(waits), "{said}");
            world.now += waits - 1;
            assert_eq!(world.ask(0, &want("delete_repo")), Heard::Unavailable(1), "{said}");
            assert_eq!(world.idp.asked.len(), 0);
            world.now += 1;
            assert!(matches!(world.ask(0, &want("delete_repo")), Heard::Pending(Some(_), _)), "{said}");
        }
    }
}

#[test]
fn a_busy_server_is_polled_when_it_says() {
    for status in [429, 503] {
        let (mut world, want) = (World::new(&[1, 1]), want("delete_repo"));
        let first = world.start(0, &want);
        world.says(0, Says::Yes);
        world.idp.faults.push_back(Fault::Busy(status, "/token", "30"));
        let Heard::Pending(Some(second), 30) = world.back(INTERVAL, 0, &want, &first) else { panic!("as it says") };
        assert!(matches!(world.back(29, 0, &want, &first), Heard::Pending(Some(_), 1)), "here it is known");
        assert!(matches!(world.back(0, 1, &want, &second), Heard::Pending(Some(_), 1)), "elsewhere by the ticket");
        assert!(matches!(world.ask(0, &want), Heard::Pending(Some(_), 1)));
        assert_eq!(world.idp.polls, 0);
        assert_eq!(world.back(1, 1, &want, &second), Heard::Approved(token("alice", 0)));
        // Shorter than what it wants between two polls anyway.
        let (mut world, want) = (World::new(&[1]), want);
        let ticket = world.start(0, &want);
        world.idp.faults.push_back(Fault::Busy(status, "/token", "3"));
        let Heard::Pending(Some(ticket), 10) = world.back(INTERVAL, 0, &want, &ticket) else { panic!("five more seconds") };
        // Longer than the user has.
        world.idp.faults.push_back(Fault::Busy(status, "/token", "600"));
        let Heard::Pending(Some(ticket), 105) = world.back(10, 0, &want, &ticket) else { panic!("until it ends") };
        assert!(matches!(world.back(104, 0, &want, &ticket), Heard::Pending(Some(_), 1)));
        assert_eq!(world.back(1, 0, &want, &ticket), Heard::Expired);
        assert_eq!(world.idp.polls, 0);
    }
}

#[test]
fn who_is_not_answered_in_time_has_no_approval() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let ticket = world.start(0, &want);
    world.says(0, Says::Yes);
    assert_eq!(world.back(LIFE, 0, &want, &ticket), Heard::Expired, "too late");
    assert_eq!(world.idp.polls, 0);
    // The server may end it earlier.
    let ticket = world.start(0, &want);
    world.idp.faults.push_back(Fault::Answer(400, "/token", json!({"error": "expired_token"})));
    assert_eq!(world.back(INTERVAL, 0, &want, &ticket), Heard::Expired);
    assert_eq!(world.back(INTERVAL, 0, &want, &ticket), Heard::Expired);
}

/// The second replica goes on with the question of the first.
#[test]
fn any_replica_goes_on() {
    let (mut world, want) = (World::new(&[1, 1]), want("delete_repo"));
    let mut ticket = world.start(0, &want);
    for (round, replica) in [1, 0, 1, 1, 0].into_iter().enumerate() {
        let Heard::Pending(Some(next), _) = world.back(INTERVAL, replica, &want, &ticket) else { panic!("round {round}") };
        ticket = next;
    }
    world.says(0, Says::Yes);
    assert_eq!(world.back(INTERVAL, 1, &want, &ticket), Heard::Approved(token("alice", 0)));
    assert_eq!(world.back(INTERVAL, 0, &want, &ticket), Heard::Expired, "once, whoever asks");
    assert_eq!((world.idp.asked.len(), world.idp.too_early, world.idp.tokens), (1, 0, 1));
    // Each replica has its own question where no ticket comes.
    world.start(0, &want);
    let here = world.start(1, &want);
    assert_eq!(world.idp.asked.len(), 3);
    // And the ticket of one does not touch what the other has.
    world.says(2, Says::Yes);
    assert_eq!(world.back(INTERVAL, 0, &want, &here), Heard::Approved(token("alice", 2)));
    world.says(1, Says::No);
    assert_eq!(world.ask(0, &want), Heard::Denied);
}

#[test]
fn a_restart_of_a_vm_loses_nothing_and_that_of_a_proxy_neither() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let ticket = world.start(0, &want);
    world.reload(0);
    assert!(matches!(world.ask(0, &want), Heard::Pending(Some(_), _)), "the board has it");
    world.proxies[0].data.clear();
    world.reload(0);
    world.says(0, Says::Yes);
    assert!(matches!(world.back(INTERVAL, 0, &want, &ticket), Heard::Approved(_)), "the ticket has it");
    assert_eq!(world.idp.asked.len(), 1);
}

#[test]
fn a_restart_in_the_middle_fails_closed() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    // While the user is being asked.
    let lost = world.begin(0, &want);
    world.reload(0);
    assert_eq!(world.heard(lost), None);
    assert_eq!(world.ask(0, &want), Heard::Pending(None, 4), "somebody may be asking");
    world.now += 4;
    let ticket = world.start(0, &want);
    // While the server gives the token.
    world.says(0, Says::Yes);
    world.now += INTERVAL;
    world.begin(0, &want.with(&ticket));
    world.reload(0);
    assert!(matches!(world.ask(0, &want.with(&ticket)), Heard::Pending(..)), "it was asked for just now");
    assert_eq!(world.idp.tokens, 0);
}

/// The clock goes on while nothing else does, as where a machine is moved.
#[test]
fn nobody_is_asked_twice_because_of_a_halt() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let halted = world.begin(0, &want);
    world.now += 60;
    world.land();
    assert!(matches!(world.heard(halted), Some(Heard::Pending(Some(_), INTERVAL))));
    assert!(matches!(world.ask(0, &want), Heard::Pending(Some(_), INTERVAL)), "the board has it");
    assert_eq!(world.idp.asked.len(), 1);
}

#[test]
fn tickets_of_a_key_that_is_gone_do_not_open() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let ticket = world.start(0, &want);
    seal_with("k2");
    world.reload(0);
    assert_eq!(world.back(INTERVAL, 0, &want, &ticket), Heard::Expired);
    assert!(matches!(world.ask(0, &want), Heard::Unavailable(_)), "what stands on the board cannot be read");
    world.now += LIFE;
    assert!(matches!(world.ask(0, &want), Heard::Pending(..)));
}

#[test]
fn every_fault_of_the_server_is_no_approval() {
    let faults = || {
        let error = |code: &str| Fault::Answer(400, "/bc-authorize", json!({"error": code}));
        vec![
            Fault::TimedOut,
            Fault::NoReply,
            Fault::NotDispatched,
            Fault::Html,
            Fault::Answer(500, "/bc-authorize", json!({})),
            Fault::Answer(503, "/bc-authorize", json!({"error": "server_error"})),
            Fault::Answer(429, "/bc-authorize", json!({})),
            Fault::Answer(200, "/bc-authorize", json!({"auth_req_id": "x"})),
            Fault::Answer(200, "/bc-authorize", json!([])),
            Fault::Answer(200, "/bc-authorize", json!({"auth_req_id": "x", "expires_in": 9, "pad": "x".repeat(70_000)})),
            Fault::Answer(302, "/bc-authorize", json!({})),
            error("unknown_user_id"),
            error("invalid_client"),
            error("invalid_binding_message"),
        ]
    };
    for fault in faults() {
        let (mut world, want) = (World::new(&[1]), want("delete_repo"));
        world.idp.faults.push_back(fault.clone());
        assert_eq!(world.ask(0, &want), Heard::Unavailable(2), "{fault:?}");
        assert_eq!(world.ask(0, &want), Heard::Unavailable(2), "and for a moment nobody tries again: {fault:?}");
        assert_eq!(world.idp.asked.len(), 0);
        world.now += 2;
        assert!(matches!(world.ask(0, &want), Heard::Pending(Some(_), _)), "{fault:?}");
    }
    for fault in faults() {
        let (mut world, want) = (World::new(&[1]), want("delete_repo"));
        let ticket = world.start(0, &want);
        world.says(0, Says::Yes);
        let fault = match fault {
            Fault::Answer(status, _, body) => Fault::Answer(status, "/token", body),
            other => other,
        };
        world.idp.faults.push_back(fault.clone());
        let heard = world.back(INTERVAL, 0, &want, &ticket);
        assert!(matches!(heard, Heard::Unavailable(_) | Heard::Pending(..)), "{fault:?}: {heard:?}");
        assert_eq!(world.back(2 * INTERVAL, 0, &want, &ticket), Heard::Approved(token("alice", 0)), "{fault:?}");
        assert!(!world.log.concat().contains("canary"));
    }
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    world.idp.faults.push_back(Fault::Answer(403, "/bc-authorize", json!({"error": "access_denied"})));
    assert_eq!((world.ask(0, &want), world.ask(0, &want)), (Heard::Denied, Heard::Denied));
}

#[test]
fn the_token_must_be_the_users() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    let ticket = world.start(0, &want);
    world.idp.gives = Some("mallory");
    world.says(0, Says::Yes);
    assert_eq!(world.back(INTERVAL, 0, &want, &ticket), Heard::Denied);
    assert_eq!(world.log, ["approval: a token was refused: it is another user's"]);
    for body in [
        json!({"access_token": "0paque", "token_type": "Bearer"}),
        json!({"access_token": token("alice", 0), "token_type": "N_A"}),
        json!({"access_token": token("alice", 0).replacen("ey", "fy", 1), "token_type": "Bearer"}),
    ] {
        world.now += LIFE;
        let ticket = world.start(0, &want);
        world.idp.faults.push_back(Fault::Answer(200, "/token", body.clone()));
        assert_eq!(world.back(INTERVAL, 0, &want, &ticket), Heard::Denied, "{body}");
    }
}

#[test]
fn a_user_has_few_questions_at_a_time() {
    let mut world = World::new(&[2]);
    for index in 0..4 {
        world.start(index % 2, &want(&format!("tool_{index}")));
    }
    for index in 4..20 {
        assert_eq!(world.ask(index % 2, &want(&format!("tool_{index}"))), Heard::TooMany);
    }
    assert_eq!(world.idp.asked.len(), 4);
    assert!(matches!(world.ask(0, &Want { user: "bob", ..want("tool_9") }), Heard::Pending(..)), "bob has his own");
    world.now += LIFE;
    assert!(matches!(world.ask(0, &want("tool_9")), Heard::Pending(..)));
}

#[test]
fn a_broken_host_is_no_approval() {
    let (mut world, want) = (World::new(&[1]), want("delete_repo"));
    world.proxies[0].broken = true;
    assert_eq!(world.ask(0, &want), Heard::Unavailable(2));
    assert_eq!(world.idp.asked.len(), 0);
    world.proxies[0].broken = false;
    let ticket = world.start(0, &want);
    // The board breaks while a call is out: the ticket goes on.
    world.says(0, Says::Yes);
    world.now += INTERVAL;
    let number = world.begin(0, &want.with(&ticket));
    world.proxies[0].broken = true;
    world.land();
    assert!(matches!(world.heard(number), Some(Heard::Approved(_))));
    assert_eq!(world.ask(0, &want.with(&ticket)), Heard::Unavailable(2));
}

#[test]
fn two_who_wait_for_one_approval_get_it_once() {
    let (mut world, want) = (World::new(&[2]), want("delete_repo"));
    let ticket = world.start(0, &want);
    world.says(0, Says::Yes);
    world.now += INTERVAL;
    let numbers = [(0, true), (0, true), (1, true), (0, false)]
        .map(|(worker, with)| world.begin(worker, &if with { want.with(&ticket) } else { want.clone() }));
    world.land();
    let heard = numbers.map(|number| world.heard(number).unwrap());
    let approved = heard.iter().filter(|heard| matches!(heard, Heard::Approved(_))).count();
    assert_eq!((approved, world.idp.tokens), (1, 1), "{heard:?}");
}

/// Memory is bounded: outcomes go, and the board has a fixed number of places.
#[test]
fn what_is_over_is_forgotten() {
    let mut world = World::new(&[1]);
    for index in 0..300 {
        let want = Want { arguments: [index as u8; 32], tool: format!("t{index}"), ..want("") };
        assert!(!matches!(world.ask(0, &want), Heard::Unavailable(_)), "{index}");
        world.now += 30;
        world.tick();
    }
    assert!(world.proxies[0].data.len() <= 4);
    let mut busy = World::new(&[1]);
    let heard: Vec<Heard> = (0..300).map(|index| busy.ask(0, &Want { user: USERS[index % 300], ..want("t") })).collect();
    assert!(
        heard.iter().filter(|heard| matches!(heard, Heard::Unavailable(_))).count() >= 40,
        "a worker has so many calls at a time"
    );
    busy.now += 10;
    busy.tick();
    assert!(matches!(busy.ask(0, &Want { user: "zoe", ..want("t") }), Heard::Pending(..)));
}

/// Three hundred users.
static USERS: std::sync::LazyLock<Vec<&'static str>> =
    std::sync::LazyLock::new(|| (0..300).map(|index| &*Box::leak(format!("user-{index}").into_boxed_str())).collect());
