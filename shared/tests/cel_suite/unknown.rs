//! What is said while something is not known yet stays true when it is.
#![expect(clippy::string_slice, reason = "a test fails by it")]

use crate::generate::{Chance, choices, condition, facts};
use crate::words::{Known, Words};
use wardpoint_core::policy::cel::{Condition, Fact, Truth};

/// Facts of which some are hidden, and six ways in which these may turn out.
fn hidden(chance: &mut Chance) -> (Known, Vec<Known>) {
    let mut partial = facts(chance);
    let mut later = vec![partial.clone(); 6];
    for (path, choices) in choices() {
        if chance.below(3) == 0 {
            partial.0.insert(path.to_owned(), Fact::Unknown);
            for known in &mut later {
                known.0.insert(path.to_owned(), chance.of(&choices));
            }
        }
    }
    (partial, later)
}

#[test]
fn what_is_told_early_stays_so() {
    let mut chance = Chance(0xbad_5eed);
    let mut seen = [0; 4];
    for _ in 0..10_000 {
        let source = condition(&mut chance, 3, &[]);
        let Ok(condition) = Condition::compile(&source, &Words) else { continue };
        let (partial, later) = hidden(&mut chance);
        let early = condition.eval(&partial.of(&condition));
        seen[early as usize] += 1;
        for known in later {
            let late = condition.eval(&known.of(&condition));
            assert_ne!(late, Truth::Unknown, "{source}: all is known\n{known:?}");
            assert!(early == Truth::Unknown || early == late, "{source}: {early:?}, then {late:?}\n{partial:?}\n{known:?}");
        }
    }
    assert!(seen.iter().all(|count| *count > 500), "one truth is hardly ever seen: {seen:?}");
}

#[test]
fn not_turns_true_and_false_and_nothing_else() {
    let mut chance = Chance(7);
    for _ in 0..3_000 {
        let source = condition(&mut chance, 3, &[]);
        let (Ok(plain), Ok(not)) = (Condition::compile(&source, &Words), Condition::compile(&format!("!({source})"), &Words))
        else {
            continue;
        };
        let (partial, _) = hidden(&mut chance);
        let want = match plain.eval(&partial.of(&plain)) {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            open @ (Truth::Unknown | Truth::Error) => open,
        };
        assert_eq!(not.eval(&partial.of(&not)), want, "{source}");
    }
}

#[test]
fn a_constant_is_what_an_evaluation_gives() {
    let mut chance = Chance(11);
    let mut constants = 0;
    for _ in 0..6_000 {
        let source = condition(&mut chance, 2, &[]);
        let Ok(condition) = Condition::compile(&source, &Words) else { continue };
        let Some(value) = condition.constant() else { continue };
        constants += 1;
        let truth = condition.eval(&facts(&mut chance).of(&condition));
        assert_eq!(truth, if value { Truth::True } else { Truth::False }, "{source}");
    }
    assert!(constants > 200, "{constants}");
}

#[test]
fn what_is_required_is_required() {
    let mut chance = Chance(13);
    let mut checked = 0;
    for _ in 0..20_000 {
        let head = chance.of(&["mcp.tool.name in ['read', '']", "'alice' == string(jwt.sub)", "jwt.sub == 'read'"]);
        let source = format!("{head} && ({})", condition(&mut chance, 2, &[]));
        let Ok(condition) = Condition::compile(&source, &Words) else { continue };
        let known = facts(&mut chance);
        if condition.eval(&known.of(&condition)) != Truth::True {
            continue;
        }
        for requirement in condition.requires().iter().filter(|requirement| requirement.path.is_empty()) {
            let path = condition.fields()[requirement.field].path.join(".");
            if let Some(Fact::Text(text)) = known.0.get(&path) {
                checked += 1;
                assert!(requirement.any_of.contains(&&**text), "{source}: {path} is {text}");
            }
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn no_text_makes_the_reader_fail() {
    let mut chance = Chance(17);
    let bits = [
        "mcp", ".", "tool", "name", "(", ")", "[", "]", "{", "}", "'", "\"", "\\", "&&", "||", "!", "-", "1", "u", "é", "\n",
        "?", ":", "r'", "0x", "has", ",", "in", "1e", "//", "`", "\u{0}", "==",
    ];
    for _ in 0..20_000 {
        let source: String = (0..chance.below(14)).map(|_| chance.of(&bits)).collect();
        if let Err(problems) = Condition::compile(&source, &Words) {
            assert!(!problems.is_empty() && problems.iter().all(|p| p.line > 0 && p.column > 0), "{source}");
        }
    }
    for _ in 0..3_000 {
        let source = condition(&mut chance, 3, &[]);
        let ends: Vec<usize> = source.char_indices().map(|(at, _)| at).collect();
        let _either = Condition::compile(&source[..chance.of(&ends)], &Words);
    }
}
