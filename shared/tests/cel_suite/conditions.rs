//! What conditions mean, and what is said about those that mean nothing.
#![expect(clippy::panic, clippy::expect_used, reason = "a test fails by it")]

use crate::words::{Known, Words, json, text, texts};
use wardpoint_core::policy::cel::{Condition, Fact, FieldKind, MAX_DEPTH, Num, Truth};

fn condition(source: &str) -> Condition {
    Condition::compile(source, &Words).unwrap_or_else(|problems| panic!("{source}: {problems:?}"))
}

fn facts() -> Known {
    Known::default()
        .with("mcp.tool.name", text("list_files"))
        .with(
            "mcp.tool.arguments",
            json(
                r#"{"path":"/srv/data/a.txt","n":3,"big":9007199254740993,"huge":18446744073709551615,"half":0.5,"more":18446744073709551616,
                    "deep":{"a":{"b":[1,"two",null,true,{"c":1}]}},"tags":["a","b"],"nil":null,"na\u006de":"x","empty":{}}"#,
            ),
        )
        .with("mcp.resultBytes", Fact::Number(Num::Int(2000)))
        .with("request.headers.x-team", text("blue"))
        .with("request.secure", Fact::Bool(true))
        .with("request.tags", texts(&["one", "two"]))
        .with("jwt.scope", text("files:read files:write"))
        .with("jwt.groups", texts(&["admins", "writers"]))
        .with("jwt.level", Fact::Number(Num::Double(4.0)))
        .with("jwt.verified", Fact::Bool(true))
        .with("jwt.later", Fact::Unknown)
        .with("jwt.broken", Fact::Unreadable)
}

fn truth(source: &str) -> Truth {
    let condition = condition(source);
    condition.eval(&facts().of(&condition))
}

fn problems(source: &str) -> String {
    let problems = Condition::compile(source, &Words).expect_err(source);
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn conditions_hold() {
    for source in [
        r#"mcp.tool.name == "list_files" && jwt.scope.contains("files:read")"#,
        r#"mcp.tool.name in ["x", "list_files"]"#,
        r#"mcp.tool.name.startsWith("list_") && mcp.tool.name.endsWith("files") && !mcp.tool.name.contains("delete")"#,
        r#"mcp.tool.name.matches("^list_[a-z]+$") && matches(mcp.tool.name, "files")"#,
        r#""admins" in jwt.groups && jwt.groups.exists(g, g == "writers") && jwt.groups[1] == "writers""#,
        "jwt.level > 3 && jwt.level == 4 && jwt.level < 4.5 && jwt.verified && jwt.verified == true",
        r#"string(jwt.scope) == string(jwt.scope) && jwt["scope"] != "x" && size(string(jwt.scope)) == 22"#,
        r#"request.headers["x-team"] == "blue" && "x-team" in request.headers && !("x-other" in request.headers)"#,
        "request.secure && mcp.resultBytes > 1000 && mcp.resultBytes * 2 == 4000 && size(request.tags) == 2",
        r#"mcp.tool.arguments.path.startsWith("/srv/") && mcp.tool.arguments["path"].size() == 15"#,
        "mcp.tool.arguments.n + 1 == 4 && mcp.tool.arguments.n / 2 == 1 && mcp.tool.arguments.n % 2 == 1 && -mcp.tool.arguments.n < 0",
        "mcp.tool.arguments.big == 9007199254740993 && mcp.tool.arguments.big != 9007199254740992.0",
        "mcp.tool.arguments.huge == 18446744073709551615u && mcp.tool.arguments.half * 2.0 == 1",
        "mcp.tool.arguments.deep.a.b[0] == 1 && mcp.tool.arguments.deep.a.b[4].c == 1 && mcp.tool.arguments.nil == null",
        r#"mcp.tool.arguments.tags == ["a", "b"] && mcp.tool.arguments.tags + ["c"] == ["a", "b", "c"] && "a" in mcp.tool.arguments.tags"#,
        r#"mcp.tool.arguments.tags.all(t, t in ["a", "b"]) && mcp.tool.arguments.tags.exists_one(t, t == "a")"#,
        r#"mcp.tool.arguments.tags.map(t, t + "!") == ["a!", "b!"] && mcp.tool.arguments.tags.filter(t, t != "a") == ["b"]"#,
        r#"mcp.tool.arguments.deep.exists(k, k == "a") && mcp.tool.arguments.name == "x" && "nil" in mcp.tool.arguments"#,
        "has(mcp.tool.arguments.path) && !has(mcp.tool.arguments.none) && has(mcp.tool.name) && has(jwt.scope) && !has(jwt.none)",
        r#"mcp.tool.arguments.empty == {} && mcp.tool.arguments.deep.a.b[4] == {"c": 1} && {"k": mcp.tool.name}["k"] == "list_files""#,
        r#"["x", "y"].exists(x, ["y"].exists(y, x == y)) && (mcp.tool.name == "a" ? false : true)"#,
        r#""ABC".lowerAscii() == "abc" && string(5) + "x" == "5x" && int("7") == 7 && int(7.9) == 7 && double(2) == 2.0"#,
        "-9223372036854775808 < 0 && 0x10 == 16 && 1u == 1 && 1e2 == 100 && .5 < 1",
        "true || jwt.broken == \"x\" || jwt.later",
        "!(false && jwt.broken) && (jwt.later || true)",
        "'it\\'s' == r'''it's''' && \"\\u00e9\\x41\" == 'éA' // and a remark\n",
    ] {
        assert_eq!(truth(source), Truth::True, "{source}");
    }
}

#[test]
fn what_is_absent_is_an_error_and_what_is_not_known_is_not() {
    for (source, want) in [
        ("jwt.none == \"a\"", Truth::Error),
        ("!(jwt.none == \"a\")", Truth::Error),
        ("jwt.broken == \"a\"", Truth::Error),
        ("has(jwt.broken)", Truth::Error),
        ("has(mcp.tool.arguments.none.x)", Truth::Error),
        ("has(mcp.tool.arguments.path.x)", Truth::Error),
        ("mcp.tool.arguments.none == 1", Truth::Error),
        ("mcp.tool.arguments.path > 1", Truth::Error),
        ("mcp.tool.arguments.path", Truth::Error),
        ("mcp.tool.arguments.path && true", Truth::Error),
        ("mcp.tool.arguments.more > 1", Truth::Error),
        ("mcp.tool.arguments.n + 0.5 > 1", Truth::Error),
        ("mcp.tool.arguments.n / 0 == 1", Truth::Error),
        ("mcp.tool.arguments.big * mcp.tool.arguments.big > 1", Truth::Error),
        ("mcp.tool.arguments.tags[2] == \"a\"", Truth::Error),
        ("mcp.tool.arguments.tags[-1] == \"a\"", Truth::Error),
        ("mcp.tool.arguments.path == 1", Truth::False),
        ("jwt.later", Truth::Unknown),
        ("!jwt.later", Truth::Unknown),
        ("jwt.later && jwt.broken", Truth::Unknown),
        ("jwt.broken || jwt.later", Truth::Unknown),
        ("jwt.later && false", Truth::False),
        ("jwt.later && mcp.tool.name == \"other\"", Truth::False),
        ("jwt.later ? true : true", Truth::Unknown),
        ("has(jwt.later)", Truth::Unknown),
        ("mcp.tool.arguments.tags.exists(t, t > 1 || t == \"b\")", Truth::True),
        ("mcp.tool.arguments.tags.exists(t, t > 1)", Truth::Error),
        ("mcp.tool.arguments.tags.all(t, t == \"x\" && t > 1)", Truth::False),
    ] {
        assert_eq!(truth(source), want, "{source}");
    }
}

#[test]
fn what_a_condition_reads_is_listed_once_with_the_type_of_its_use() {
    let condition = condition(
        r#"jwt.scope == "a" || jwt.scope.contains("b") || "c" in jwt.scope || has(jwt.scope) || jwt["https://x/y"].z > 1 || mcp.tool.arguments.a == mcp.tool.arguments.b || request.headers["x-a"] == "b""#,
    );
    let fields: Vec<String> = condition.fields().iter().map(|f| format!("{:?} {:?} {}", f.path, f.kind, f.claim)).collect();
    insta::assert_snapshot!(fields.join("\n"), @r#"
    ["jwt", "scope"] Text true
    ["jwt", "scope"] Texts true
    ["jwt", "scope"] Claim true
    ["jwt", "https://x/y", "z"] Number true
    ["mcp", "tool", "arguments"] Json false
    ["request", "headers", "x-a"] Text false
    "#);
    assert_eq!(condition.fields()[3].kind, FieldKind::Number);
}

#[test]
fn constants_are_folded() {
    for (source, want) in [
        ("1 + 1 == 2", Some(true)),
        ("false && mcp.tool.name == \"x\"", Some(false)),
        ("mcp.tool.name == \"x\" || true", Some(true)),
        ("true && mcp.tool.name == \"x\"", None),
        ("\"a\" in [\"b\"]", Some(false)),
        ("{\"a\": 1}[\"a\"] == 1", Some(true)),
        ("\"abc\".matches(\"b\")", Some(true)),
    ] {
        assert_eq!(condition(source).constant(), want, "{source}");
    }
}

#[test]
fn what_must_hold_is_told() {
    let condition = condition(
        r#"mcp.tool.name in ["a", "b"] && ("x" == mcp.tool.arguments.p.q && jwt.scope != "y") && (request.path == "/" || request.secure)"#,
    );
    let told: Vec<_> = condition.requires().into_iter().map(|r| (r.field, r.path.join("."), r.any_of.join(","))).collect();
    assert_eq!(told, [(0, String::new(), "a,b".to_owned()), (1, "p.q".to_owned(), "x".to_owned())]);
}

#[test]
fn problems_say_what_to_do() {
    insta::assert_snapshot!(problems(r#"mcp.tool.nmae == "x" &&
  mcp.tool.name.startswith("y") &&
  jwt.a == jwt.b"#), @r#"
    1:1: `mcp.tool.nmae` is not known
    2:17: there is no function `startswith`. Did you mean `startsWith`?
    3:3: the type of the claim `jwt.a` does not follow from its use. Write `string(jwt.a)`, `double(jwt.a)` or `bool(jwt.a)`
    3:12: the type of the claim `jwt.b` does not follow from its use. Write `string(jwt.b)`, `double(jwt.b)` or `bool(jwt.b)`
    "#);
    insta::assert_snapshot!(problems("mcp.tool.name = 'x'"), @"1:15: `=` is no operator. Write `==`");
    insta::assert_snapshot!(problems("mcp.tool.name == 'x' and true"), @"1:22: expected the end, or an operator, found `and`. Write `&&`");
    insta::assert_snapshot!(problems("mcp.tool.name == 3"), @"1:15: a string and an integer are never equal");
    insta::assert_snapshot!(problems("mcp.tool.name"), @"1:1: a condition must be a truth value, but this is a string");
    insta::assert_snapshot!(problems("mcp.tool"), @"1:1: `mcp.tool` is no value. Name a field of it");
    insta::assert_snapshot!(problems("mcp.tool.name.first == 'x'"), @"1:1: `mcp.tool.name` is a string, which has no `first`");
    insta::assert_snapshot!(problems("request.headers['X-Team'] == 'x'"), @r#"1:1: names in `request.headers` are in lower case. Write `request.headers["x-team"]`"#);
    insta::assert_snapshot!(problems("request.headers[mcp.tool.name] == 'x'"), @r#"1:1: `request.headers` is no value. Name one of it: `request.headers["name"]`"#);
    insta::assert_snapshot!(problems("size(jwt.groups) > 1"), @"1:6: the type of the claim `jwt.groups` does not follow from its use. Write `string(jwt.groups)`, `double(jwt.groups)` or `bool(jwt.groups)`");
    insta::assert_snapshot!(problems("jwt.sub == mcp.tool.arguments.owner"), @"1:1: the type of the claim `jwt.sub` does not follow from its use. Write `string(jwt.sub)`, `double(jwt.sub)` or `bool(jwt.sub)`");
    insta::assert_snapshot!(problems("jwt.level + 1 > 2"), @"1:11: `+` does not go with a double and an integer. Numbers are not converted: write `double(x)` or `int(x)`");
    insta::assert_snapshot!(problems("'x' + 1 == 'x1'"), @"1:5: `+` does not go with a string and an integer");
    insta::assert_snapshot!(problems("request.tags.contains('x')"), @"1:14: `contains` is for strings. Write `x in list`");
    insta::assert_snapshot!(problems("contains(mcp.tool.name, 'x')"), @"1:1: write `x.contains()`, not `contains(x)`");
    insta::assert_snapshot!(problems("mcp.tool.name.matches(request.path)"), @"1:31: the pattern of `matches` must be a literal");
    insta::assert_snapshot!(problems("mcp.tool.name.matches('(')"), @"1:23: not a pattern: a `(` has no `)`");
    insta::assert_snapshot!(problems("has(mcp.tool.arguments['x'])"), @r#"1:1: `has` takes one member: `has(x.name)`. Where `x["name"]` is meant, write `"name" in x`"#);
    insta::assert_snapshot!(problems("mcp.tool.arguments.x.exists(1, true)"), @"1:29: the first argument of a macro is the name of its variable");
    insta::assert_snapshot!(problems("1 / 0 == 1"), @"1:3: this is an error, whatever is asked");
    insta::assert_snapshot!(problems("9223372036854775808 > 1"), @"1:1: 9223372036854775808 is too large for an integer. Write it with a `u` behind");
    insta::assert_snapshot!(problems("99999999999999999999 > 1"), @"1:1: `99999999999999999999` is no number, or too large for one");
    insta::assert_snapshot!(problems("mcp.tool.name == 'x"), @"1:18: this string has no end: `'` is missing");
    insta::assert_snapshot!(problems(r"mcp.tool.name == '\d'"), @r#"1:18: `\d` is no escape. Write `\\` for a backslash"#);
    insta::assert_snapshot!(problems("b'x' == 'x'"), @"1:1: bytes are not supported, as no field has any. Write a string");
    insta::assert_snapshot!(problems("mcp.tool.name == 'a' && mcp.tool.name in ['b', 'c']"), @"1:22: never true: no value of `mcp.tool.name` is all that is asked for here");
    insta::assert_snapshot!(problems("(mcp.tool.name == 'a'"), @"1:22: expected `)` behind a group, but the text ends");
    insta::assert_snapshot!(problems(""), @"1:1: expected a value, but the text ends");
    insta::assert_snapshot!(problems("if == 'a'"), @"1:1: `if` is a reserved word");
    insta::assert_snapshot!(problems("Type{a: 1} == 'a'"), @"1:5: messages of a type are not supported");
    insta::assert_snapshot!(problems("mcp.tool.name in 'abc'"), @"1:18: behind `in` there must be a list or a map, but this is a string");
    insta::assert_snapshot!(problems("3 in ['a']"), @"1:3: an integer is never in there");
}

#[test]
fn depth_and_size_are_bounded() {
    for (open, close) in [("(", ")"), ("[", "]"), ("!(", ")"), ("{'a': ", "}")] {
        let deep = format!("{}true{}", open.repeat(MAX_DEPTH + 1), close.repeat(MAX_DEPTH + 1));
        assert!(problems(&deep).contains("nested too deeply"), "{}", problems(&deep));
    }
    assert!(problems(&"mcp.tool.arguments".to_owned().to_string().replace("mcp", &"!".repeat(9000))).contains("at most 8192"));
    assert!(problems(&format!("mcp.tool.arguments{} == 1", ".a[0]".repeat(40))).contains("nested too deeply"));
    assert_eq!(truth(&vec!["request.secure"; 300].join(" && ")), Truth::True);
    assert_eq!(truth(&format!("{}request.secure", "!".repeat(4001))), Truth::False);
}

#[test]
fn steps_are_bounded() {
    let list = format!("[{}]", vec!["1"; 200].join(","));
    let deep = format!("{list}.all(a, {list}.all(b, {list}.all(c, a == b && b == c)))");
    assert_eq!(truth(&deep), Truth::Error);
}
