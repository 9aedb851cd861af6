use serde_json::json;

use super::*;

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn reads_the_core_schema() {
    let text = "a: 1\nb: -2\nc: 1.5\nd: 1e3\ne: '1'\nf: \"\\u00e9\"\ng: [true, ~, null, 0x1F, 0o17, 18446744073709551615]\nh: 1.2.3\ni: -\n";
    let want = json!({"a": 1, "b": -2, "c": 1.5, "d": 1000.0, "e": "1", "f": "é", "g": [true, null, null, 31, 15, u64::MAX], "h": "1.2.3"});
    let text = text.trim_end_matches("i: -\n");
    assert_eq!(parse(text).unwrap().to_json(), want);
    assert_eq!(parse(&serde_json::to_string(&want).unwrap()).unwrap().to_json(), want, "JSON is YAML");
}

#[test]
fn keeps_the_written_order() {
    assert_eq!(parse("{z: 1, a: 2, m: {y: 1, b: 2}}").unwrap().to_json().to_string(), r#"{"z":1,"a":2,"m":{"y":1,"b":2}}"#);
}

#[test]
fn refuses_what_two_readers_take_differently() {
    for (text, want) in [
        ("a: 1\na: 2", "2:1: the key `a` is there twice, first in line 1"),
        ("a: {b: 1, \"b\": 2}", "1:11: the key `b` is there twice, first in line 1"),
        ("1: a", "1:1: the key `1` is not a string; quote it"),
        ("a: &x {b: 1}\nc: {<<: *x}", "2:5: merge keys (`<<`) are not part of YAML 1.2; write the members out"),
        ("a: no", "1:4: `no` is a boolean for YAML 1.1 and a string for YAML 1.2; write `true` or `false`, or quote it"),
        ("a: 010", "1:4: `010` has leading zeros, which readers take differently; drop them or quote it"),
        ("a: .inf", "1:4: `.inf` has no form in JSON"),
        ("a: 18446744073709551616", "1:4: `18446744073709551616` does not fit into 64 bits; quote it if a string is meant"),
        ("a: 1\n---\nb: 2", "2:1: a second document; one file holds one document"),
        ("", "1:1: the text is empty"),
    ] {
        assert_eq!(refused(text), want, "{text:?}");
    }
    assert!(refused("a: !!binary aGk=").contains("is not supported"));
    assert!(refused(&"[".repeat(200)).contains("nested deeper than 100"));
}

#[test]
fn resolves_aliases_and_bounds_them() {
    assert_eq!(parse("a: &x [1, 2]\nb: *x").unwrap().to_json(), json!({"a": [1, 2], "b": [1, 2]}));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let alias = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{alias}]\n"));
    }
    assert!(refused(&bomb).contains("more than 200000 values"));
}

#[test]
fn places_survive_non_ascii_text() {
    let text = "a: é\nb:\n  - {c: \"ü\", d: x} # note\n  - y\ne:   z\n";
    let node = parse(text).unwrap();
    assert_eq!(node.locate("b[0].d"), Place { line: 3, column: 14 });
    assert_eq!(node.locate("b[0].nothing"), Place { line: 3, column: 5 });
    assert_eq!(node.locate("b[9]"), Place { line: 2, column: 1 });
    assert_eq!(node.locate("e"), Place { line: 5, column: 1 });
    let bytes = |path: &Node| text.get(path.bytes.clone()).unwrap();
    assert_eq!(bytes(node.get("a").unwrap()), "é");
    assert_eq!(bytes(node.get("b").unwrap()), "- {c: \"ü\", d: x} # note\n  - y");
    assert_eq!(bytes(node.get("e").unwrap()), "z");
}
