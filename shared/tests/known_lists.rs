//! A list that came before is the same list: reading it by its bytes says what reading it says (rules.md 1.5).
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::prelude::*;
use wardpoint_core::json::Limits;
use wardpoint_core::mcp::{KnownLists, read_answer, read_answer_knowing};

/// A result with a list, and other members of results in any order.
fn results() -> impl Strategy<Value = String> {
    let item = ("[a-c\\\\]{0,3}", 0..4_usize).prop_map(|(name, more)| {
        let name = name.replace('\\', "\\n");
        let more = [r#""x":{"y":[1,2,null]}"#, r#""title":"a \"b\" ü""#, r#""k":-1.5e3"#, r#""Name":1"#]
            .get(more)
            .copied()
            .unwrap_or_default();
        format!(r#"{{{more},"name":"{name}"}}"#)
    });
    let member = prop_oneof![
        Just(r#""cacheScope":"public""#),
        Just(r#""cacheScope":"private""#),
        Just(r#""ttlMs":5000"#),
        Just(r#""nextCursor":"x""#),
        Just(r#""resultType":"complete""#),
        Just(r#""resultType":"odd""#),
        Just(r#""contents":[{"uri":"a"}]"#),
        Just(r#""prompts":[{"name":"p"}]"#),
        Just(r#""result":{"content":[]}"#),
        Just(r#""inputRequests":{"a":{"method":"ping"}}"#),
        Just(r#""Tools":1"#),
    ];
    (prop::collection::vec(item, 0..6), prop::collection::vec(member, 0..3), 0..4_usize).prop_map(
        |(items, mut members, place)| {
            let pad = "p".repeat(2 << 10);
            let items = [format!(r#"{{"name":"pad","d":"{pad}"}}"#)].into_iter().chain(items).collect::<Vec<_>>();
            let list = format!(r#""tools":[{}]"#, items.join(","));
            let pad = format!(r#""_meta":{{"pad":"{pad}"}}"#);
            members.insert(place.min(members.len()), &list);
            members.push(&pad);
            format!("{{{}}}", members.join(","))
        },
    )
}

fn answer(id: u32, result: &str, behind: &str) -> String {
    format!(r#"{{"id":{id}, "jsonrpc":"2.0","result": {result}{behind}}}"#)
}

/// All that was read, or why not.
fn said(text: &str, known: Option<&KnownLists>) -> String {
    let read = match known {
        None => read_answer(text.as_bytes(), Limits::default()),
        Some(known) => read_answer_knowing(text.as_bytes(), Limits::default(), known),
    };
    format!("{read:?}")
}

proptest! {
    #[test]
    fn what_is_known_is_what_is_read(
        results in prop::collection::vec(results(), 1..7),
        asked in prop::collection::vec((0..7_usize, 1..1000_u32, prop_oneof![Just(""), Just(r#","x":[1]"#), Just(r#","result":1"#), Just("x")], any::<Option<(prop::sample::Index, u8)>>()), 1..20),
    ) {
        let known = KnownLists::default();
        for (which, id, behind, other) in asked {
            let mut result = results[which % results.len()].clone().into_bytes();
            // One byte is another one.
            if let Some((at, byte)) = other {
                let at = at.index(result.len());
                result[at] = byte & 0x7f;
            }
            let text = answer(id, &String::from_utf8(result).unwrap_or_default(), behind);
            prop_assert_eq!(said(&text, Some(&known)), said(&text, None), "{}", text);
        }
    }
}

/// Else the law above says nothing.
#[test]
fn lists_are_known_and_the_last_few_only() {
    let list = |tool: usize| format!(r#"{{"tools":[{{"name":"tool_{tool}","description":"{}"}}]}}"#, "d".repeat(3000));
    let known = KnownLists::default();
    for tool in 0..9 {
        for id in 1..3 {
            let text = answer(id, &list(tool), "");
            assert_eq!(said(&text, Some(&known)), said(&text, None));
        }
        assert_eq!(format!("{known:?}"), format!("KnownLists({})", (tool + 1).min(4)), "kept once, and four at the most");
    }
    // Short ones and what is no list are not kept.
    let known = KnownLists::default();
    for result in [r#"{"tools":[]}"#.to_owned(), format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, "d".repeat(3000))] {
        said(&answer(1, &result, ""), Some(&known));
    }
    assert_eq!(format!("{known:?}"), "KnownLists(0)");
}
