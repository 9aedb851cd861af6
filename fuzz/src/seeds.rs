//! Inputs to begin with: each takes a target far into what it judges.

use crate::stream::BETWEEN;

fn all(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(crate) fn json() -> Vec<Vec<u8>> {
    all(&[
        "",
        " {\"a\":[1,-0,1.5e+10,true,false,null,\"\"],\"b\":{\"\\u0061\":\"\\ud83e\\udd80\\n\\/\",\"longer-than-eight-1\":{}}} ",
        "{\"a\":1,\"b\":2,\"\\u0061\":3}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "[\"ü🦀\u{7f}\u{2028}\",\"\\u0000\",\"some text that is longer than a block of the scanner ..................\"]",
        "[1E400,-1.25,0.000000001,18446744073709551615,-9223372036854775808]",
        "\u{feff}{}",
    ])
}

pub(crate) fn sse() -> Vec<Vec<u8>> {
    let streams = [
        "data: a\n\ndata: drop\n\ndata: other\n\ndata: cut\n\ndata: b\n\n",
        "event: e\r\nid: 1\r\n: c\r\ndata: other\r\ndata: x\r\n\r\ndata:b\r\n\r\n",
        "\u{feff}data: a\rdata: b\r\rdata: drop\r\rdata\r\r",
        ": keep-alive\n\nretry: 5\n\ndata: a: b\ndata\n\nx",
        "data: drop\n\n\u{feff}data: drop\n\ndata: a",
    ];
    let heads: [&[u8]; 3] = [&[255, 2, 7, 20], &[2, 3, 1, 12, 13], &[10, 0]];
    streams.iter().flat_map(|stream| heads.iter().map(|head| [head, stream.as_bytes()].concat())).collect()
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}"#;

/// Requests of both eras: header lines, an empty line, a body.
fn requests() -> Vec<String> {
    let modern = |method: &str, name: &str, params: &str| {
        let name = if name.is_empty() { String::new() } else { format!("mcp-name: {name}\n") };
        format!(
            "mcp-protocol-version: 2026-07-28\nmcp-method: {method}\n{name}\n{{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"{method}\",\"params\":{{{params}{META}}}}}"
        )
    };
    let legacy = |method: &str, params: &str| {
        format!(
            "mcp-protocol-version: 2025-11-25\n\n{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\",\"params\":{{{params}}}}}"
        )
    };
    vec![
        legacy("tools/call", r#""name":"read_file","arguments":{"path":"/a","n":1.5}"#),
        legacy("tools/call", r#""n\u0061me":"secret_tool""#),
        legacy("tools/list", r#""cursor":"x""#),
        legacy("initialize", r#""protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}"#),
        legacy("prompts/get", r#""name":"p","arguments":{}"#),
        legacy("resources/read", r#""uri":"file:///a""#),
        legacy("completion/complete", r#""ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"b"}"#),
        legacy("completion/complete", r#""ref":{"type":"ref/resource","uri":"file:///{x}"}"#),
        legacy("tasks/get", r#""taskId":"t""#),
        legacy("notifications/cancelled", r#""requestId":1"#).replace("\"id\":1,", ""),
        modern("tools/call", "read_file", r#""name":"read_file","arguments":{},"#),
        modern("tools/call", "=?base64?cmVhZF9maWxl?=", r#""name":"read_file","#),
        modern("tools/list", "", ""),
        modern("server/discover", "", ""),
        modern("resources/read", "file:///a", r#""uri":"file:///a","#),
        modern("subscriptions/listen", "", r#""notifications":{"resourceSubscriptions":["file:///a"],"taskIds":["t"]},"#),
        "\n{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"roots\":[]}}".to_owned(),
        "\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"m\"}}".to_owned(),
        "\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]".to_owned(),
    ]
}

/// Answers: header lines, an empty line, a body.
fn answers() -> Vec<String> {
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_file","description":"d"},{"name":"secret_tool"},{"inputSchema":{},"name":"write_file"}],"cacheScope":"public","ttlMs":1,"nextCursor":"x"}}"#;
    vec![
        format!("\n{list}"),
        format!("\n{}", list.replace("\"id\":1", "\"id\":\"a\"")),
        format!("content-type: text/event-stream\n\nid: 1\ndata: \n\n: k\n\nevent: message\ndata: {list}\n\n"),
        "\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"t\"}]}}".to_owned(),
        "\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"prompts\":[{\"name\":\"p\"}],\"resources\":[{\"uri\":\"file:///a\"}],\"resourceTemplates\":[{\"uriTemplate\":\"file:///{x}\"}]}}".to_owned(),
        ":status: 401\nwww-authenticate: Bearer\ncontent-type: text/plain\n\nno".to_owned(),
        "content-encoding: gzip\n\nxx".to_owned(),
    ]
}

pub(crate) fn messages() -> Vec<Vec<u8>> {
    requests().into_iter().chain(answers()).map(String::into_bytes).collect()
}

pub(crate) fn exchanges() -> Vec<Vec<u8>> {
    let (answers, mut out) = (answers(), Vec::new());
    for (index, request) in requests().into_iter().enumerate() {
        for (other, answer) in answers.iter().enumerate() {
            let head = [
                [0x00, 0x11, 0x02, 0x12, 0x01, 0x60, 0x03][(index + other) % 7],
                0,
                u8::try_from(index * other % 64).unwrap_or(0),
                if other == 5 { 0x81 } else { 0 },
                0,
            ];
            out.push([&head, request.as_bytes(), BETWEEN, answer.as_bytes()].concat());
        }
    }
    out
}

pub(crate) fn configs() -> Vec<Vec<u8>> {
    all(&[
        r#"{"version":1,"identity":{"peer":"waypoint"},"rules":[{"id":"r","allow":{"agents":["*"],"user":"none","tools":["read_*"]}}]}"#,
        r#"{"version":1,"name":"n","mode":"observe","hostProfile":{"holdHeaders":true},"identity":{"direction":"outbound","peer":"mtls","claims":{"provider":"p"},
            "agents":[{"spiffe":"spiffe://a/b","client":"c"}]},"roles":{"claim":"groups","map":{"admins":["admin"]}},"denial":"stepUp","limits":{"maxBodyBytes":5},
            "versions":["2025-11-25","2026-07-28"],"origins":["https://a"],"rules":[{"id":"a","allow":{"agents":["spiffe://a/*"],"user":"any","tools":["a"],"scopes":["s"],"roles":["admin"]}},
            {"id":"d","deny":{"agents":["*"],"tools":["*b"]}}]}"#,
        r#"{"version":2,"identity":{"peer":"none"},"rules":[{"id":"r","allow":{"agents":[],"tools":["**"]},"deny":{}}],"x":1}"#,
    ])
}

/// Flags, a script with its length, events; see `stream::script`.
pub(crate) fn orders() -> Vec<Vec<u8>> {
    let exchange = [0u8, 4, 0x84, 11, 15, 0x8f, 31];
    let scripts: [&[u8]; 10] = [
        &[7],
        &[2, 2, 7],
        &[2, 9],
        &[4, 15, 7],
        &[5, 6, 7],
        &[7, 17, 0, 11, 2, 13, 0],
        &[7, 17, 0, 11, 0, 13, 18],
        &[4, 2, 9],
        &[0, 0, 0],
        &[11, 2, 13, 7],
    ];
    let mut out = Vec::new();
    for script in scripts {
        for flags in [0u8, 1, 6] {
            let head = [flags, u8::try_from(script.len()).unwrap_or(0)];
            out.push([&head, script, &exchange].concat());
            let odd = [0, 21, 4, 27, 0x9b, 21, 1, 0x84, 10, 11, 0x95, 0, 15, 20, 31];
            out.push([&head, script, &odd].concat());
        }
    }
    out
}

/// Choices with their number, then a condition.
pub(crate) fn conditions() -> Vec<Vec<u8>> {
    let texts = [
        "mcp.tool.arguments.path.startsWith(\"/public/\") && !mcp.tool.arguments.path.contains(\"..\")",
        "has(mcp.tool.arguments.n) ? mcp.tool.arguments.n <= 100 : request.secure",
        "jwt.sub == \"a\" || \"a\" in jwt.groups || jwt.level > 3",
        "mcp.resultBytes > 1024 * 4 || mcp.tool.name in [\"a\", \"b\"]",
        "request.tags.exists(x, x == \"a\") && request.tags.all(x, size(x) < 3)",
        "request.headers[\"x\"].lowerAscii().matches(\"^a+$\")",
        "mcp.tool.arguments.a.b.filter(x, x > 1).map(x, x * 2).size() == 1",
        "int(mcp.tool.arguments.n) / 0 == 1 || true",
        "{\"a\": 1}[\"a\"] == 1 && [1, 2][0] == 1 && -1 % 2 == -1 && 1.5 + 1.5 == 3.0",
    ];
    let heads: [&[u8]; 3] = [&[0], &[4, 2, 3, 4, 5], &[6, 7, 0, 6, 1, 3, 2]];
    texts.iter().flat_map(|text| heads.iter().map(|head| [head, text.as_bytes()].concat())).collect()
}

/// Header and claims of a token, and key sets.
pub(crate) fn tokens() -> Vec<Vec<u8>> {
    [
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"a\"}\n{\"iss\":\"https://idp\",\"sub\":\"alice\",\"aud\":[\"https://tool\",\"b\"],\"exp\":1795251660,\"iat\":1795251600,\"client_id\":\"app\",\"scope\":\"a b\",\"act\":{\"sub\":\"b\",\"act\":{\"sub\":\"c\"}}}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\"}\n{\"iss\":\"https://idp\",\"sub\":\"alice\",\"aud\":\"https://tool\",\"exp\":1795251660.5,\"nbf\":1795251600,\"azp\":\"app\",\"appid\":\"app\",\"scp\":[\"a\",\"b\"],\"groups\":[\"g\"],\"typ\":\"Bearer\"}",
        "{\"alg\":\"ES256\"}\n{\"iss\":\"https://idp\",\"sub\":\"alice\",\"aud\":\"https://tool\",\"exp\":1e308,\"iat\":-1,\"cid\":\"alice\",\"groups\":\"g\",\"idtyp\":\"app\"}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"use\":\"sig\",\"alg\":\"EdDSA\"},{\"kty\":\"oct\",\"k\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"key_ops\":[\"verify\"],\"kid\":\"a\"}]}",
        "eyJhbGciOiJFUzI1NiJ9.e30.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Answers of bridges, and what SVIDs are made of.
pub(crate) fn secrets() -> Vec<Vec<u8>> {
    let claims = r#"{"sub":"spiffe://d/planner","aud":["https://idp"],"iat":1795251600,"exp":1795251660}"#;
    let texts = [
        format!("{{\"alg\":\"ES256\",\"kid\":\"mesh-1\",\"typ\":\"JWT\"}}\n{claims}"),
        format!("{{\"alg\":\"RS256\"}}\n{claims}"),
        "a secret\n".to_owned(),
        r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#.to_owned(),
        r#"{"keys":[{"kty":"oct","use":"enc","kid":"a","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}"#.to_owned(),
        "<html>".to_owned(),
    ];
    texts.map(String::into_bytes).to_vec()
}

/// Lists of what is revoked, and of statuses.
pub(crate) fn revoked() -> Vec<Vec<u8>> {
    let list = |revoked: &str| format!(r#"{{"version":1,"issued":1795251600,"expires":1795251660,"revoked":[{revoked}]}}"#);
    let statuses = |bits: u8, packed: &str| {
        format!(
            r#"{{"iss":"https://idp","sub":"https://idp/1","iat":1,"exp":2,"ttl":3,"status_list":{{"bits":{bits},"lst":"{packed}"}}}}"#
        )
    };
    [
        list(r#"{"user":"u"},{"issuer":"i","user":"v","issuedBefore":1795251601},{"agent":"a"}"#),
        list(r#"{"token":"t"},{"client":"c","until":1795251601},{"client":"c","agent":"a"}"#),
        list(r#"{"issuedBefore":1795251600},{"issuer":"i"},{"issuer":"j","token":"t"}"#),
        statuses(1, "eNrbuRgAAhcBXQ"),
        statuses(2, "eNo76fITAAPfAgc"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Status and profile, an answer, the claims of its token.
pub(crate) fn oauth() -> Vec<Vec<u8>> {
    let answer = r#"{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":100,"scope":"a"}"#;
    let plain = r#""iss":"https://idp","sub":"alice","oid":"o","aud":"tool","exp":1795251800"#;
    let before = r#""act":{"sub":"planner","act":{"sub":"before"}}"#;
    let profile = |index: u8| char::from(index << 3);
    let mut texts = vec![
        format!("{}{answer}\n{{{plain},{before},\"client_id\":\"planner\",\"scope\":\"a\"}}", profile(0)),
        format!("{}{answer}\n{{{plain},\"azp\":\"planner\",\"scope\":\"a profile\"}}", profile(1)),
        format!("{}{answer}\n{{{plain},\"client_id\":\"planner\",\"act\":{{\"sub\":\"planner\"}}}}", profile(2)),
        format!("{}{answer}\n{{{plain},{before},\"azp\":\"planner\"}}", profile(3)),
        format!("{}{answer}\n{{{plain},\"cid\":\"planner\",\"scp\":[\"a\"]}}", profile(4)),
        format!(
            "{}{{\"access_token\":\"t\",\"token_type\":\"Bearer\"}}\n{{{plain},\"azp\":\"planner\",\"scp\":\"a\"}}",
            profile(5)
        ),
        "\u{0}{\"active\":true,\"sub\":\"alice\",\"aud\":[\"a\"],\"exp\":1795251900,\"scope\":\"a\",\"cnf\":{}}".to_owned(),
        "\u{0}{\"auth_req_id\":\"x\",\"expires_in\":120,\"interval\":5}".to_owned(),
    ];
    for error in ["invalid_grant", "authorization_pending", "slow_down", "interaction_required", "unheard"] {
        texts.push(format!(
            "\u{1}{{\"error\":\"{error}\",\"error_description\":\"Invalid token\",\"claims\":\"{{}}\",\"acr_values\":\"a\"}}"
        ));
    }
    texts.into_iter().map(String::into_bytes).collect()
}
