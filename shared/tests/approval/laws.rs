//! Whatever happens in whatever order, nothing is approved that its user did not approve, and nothing twice.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::world::{Fault, Heard, Says, Want, World, token, want};

#[derive(Clone, Debug)]
enum Happens {
    Ask { worker: usize, who: usize, ticket: Option<prop::sample::Index> },
    Begin { worker: usize, who: usize, ticket: Option<prop::sample::Index> },
    Broken(usize, bool),
    Fault(u8),
    Land,
    Lost(usize),
    Reload(usize),
    Says(prop::sample::Index, bool),
    Tick,
    Time(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let ticket = || proptest::option::weighted(0.7, any::<prop::sample::Index>());
    prop_oneof![
        8 => (0..4_usize, 0..4_usize, ticket()).prop_map(|(worker, who, ticket)| Happens::Ask { worker, who, ticket }),
        4 => (0..4_usize, 0..4_usize, ticket()).prop_map(|(worker, who, ticket)| Happens::Begin { worker, who, ticket }),
        3 => Just(Happens::Land),
        6 => select(vec![1, 4, 5, 10, 40]).prop_map(Happens::Time),
        4 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(which, yes)| Happens::Says(which, yes)),
        1 => (0..4_usize).prop_map(Happens::Reload),
        1 => (0..2_usize).prop_map(Happens::Lost),
        1 => (0..2_usize, any::<bool>()).prop_map(|(proxy, broken)| Happens::Broken(proxy, broken)),
        2 => (0..6_u8).prop_map(Happens::Fault),
        1 => Just(Happens::Tick),
    ]
}

fn who(index: usize) -> Want {
    match index {
        0 => want("delete_repo"),
        1 => Want { arguments: [9; 32], ..want("delete_repo") },
        2 => Want { agent: "writer", ..want("delete_repo") },
        _ => Want { user: "bob", ..want("delete_repo") },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn nothing_is_approved_that_its_user_did_not_approve(script in proptest::collection::vec(happens(), 1..60)) {
        let mut world = World::new(&[2, 2]);
        let (mut tickets, mut open, mut approved) = (Vec::<String>::new(), Vec::<(u32, usize)>::new(), HashMap::<String, usize>::new());
        // Which question is about what, by the message that its user was shown.
        let mut messages = HashMap::<String, usize>::new();
        for step in script {
            match step {
                Happens::Ask { worker, who: index, ticket } | Happens::Begin { worker, who: index, ticket } => {
                    let ticket = ticket.filter(|_| !tickets.is_empty()).map(|at| tickets.get(at.index(tickets.len())).unwrap().clone());
                    let number = world.begin(worker, &Want { ticket, ..who(index) });
                    open.push((number, index));
                    if matches!(step, Happens::Ask { .. }) {
                        world.land();
                    }
                }
                Happens::Land => world.land(),
                Happens::Time(seconds) => world.now += seconds,
                Happens::Says(which, yes) if !world.idp.asked.is_empty() => {
                    let at = which.index(world.idp.asked.len());
                    let asked = world.idp.asked.get_mut(at).unwrap();
                    if asked.says == Says::Nothing {
                        asked.says = if yes { Says::Yes } else { Says::No };
                    }
                }
                Happens::Says(..) => {}
                Happens::Reload(worker) => world.reload(worker),
                Happens::Lost(proxy) => world.proxies.get_mut(proxy).unwrap().data.clear(),
                Happens::Broken(proxy, broken) => world.proxies.get_mut(proxy).unwrap().broken = broken,
                Happens::Tick => world.tick(),
                Happens::Fault(kind) => world.idp.faults.push_back(match kind {
                    0 => Fault::TimedOut,
                    1 => Fault::Html,
                    2 => Fault::Answer(500, "/token", json!({})),
                    3 => Fault::Answer(400, "/token", json!({"error": "slow_down"})),
                    4 => Fault::Answer(400, "/bc-authorize", json!({"error": "server_error"})),
                    _ => Fault::NoReply,
                }),
            }
            let mut still = Vec::new();
            for (number, index) in open {
                match world.heard(number) {
                    None => still.push((number, index)),
                    Some(Heard::Pending(ticket, _)) => tickets.extend(ticket),
                    Some(Heard::Approved(bearer)) => {
                        let question = (0..world.idp.asked.len()).find(|at| {
                            ["alice", "bob"].iter().any(|user| token(user, *at) == bearer)
                        }).unwrap();
                        let asked = world.idp.asked.get(question).unwrap();
                        prop_assert_eq!(asked.says, Says::Yes);
                        prop_assert_eq!(&asked.user, who(index).user, "another user's approval");
                        let known = messages.entry(asked.message.clone()).or_insert(index);
                        prop_assert_eq!(*known, index, "an approval of something else");
                        prop_assert!(approved.insert(bearer, question).is_none(), "one approval, used twice");
                    }
                    Some(_) => {}
                }
            }
            open = still;
        }
        prop_assert!(approved.len() <= world.idp.tokens);
        // What was never approved never got a token.
        prop_assert!(world.idp.tokens <= world.idp.asked.iter().filter(|asked| asked.says == Says::Yes).count());
    }
}
