//! `approval: required` in the rules of `mcp-authz`: from a call to an answer.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use serde_json::{Value, json};
use wardpoint_core::filter::{
    Callout, Chunk, Direction, Event, Head, HttpCall, Op, Plugin as _, Properties, PropertyError, Reply, Root, Stream,
};
use wardpoint_core::http::Headers;
use wardpoint_core::mcp_authz::{McpAuthz, McpAuthzApproval};
use wardpoint_core::secret::Secret;
use wardpoint_core::time::Timestamp;

use crate::world::{IDP, INTERVAL, Idp, LIFE, Proxy, Says, read_form};

type Filter = <McpAuthzApproval as wardpoint_core::filter::Plugin>::Filter;

fn policy() -> Value {
    let agents = json!(["spiffe://cluster.local/ns/agents/sa/planner"]);
    json!({
        "version": 1,
        "identity": {"peer": "waypoint", "claims": {"provider": "payload"}},
        "approval": {
            "server": {"issuer": IDP, "cluster": "idp", "authority": "idp.example", "ask": "/bc-authorize", "token": "/token"},
            "client": {"id": "gate", "method": "client_secret_basic", "secret": {"env": "GATE_SECRET"}},
            "hint": "preferred_username",
            "tickets": [{"id": "k1", "secret": {"env": "TICKET_KEY"}}],
        },
        "rules": [
            {"id": "reads", "allow": {"agents": agents, "tools": ["read_*"]}},
            {"id": "deletes", "allow": {"agents": agents, "tools": ["delete_repo"], "approval": "required"}},
        ],
    })
}

fn environment(name: &str) -> Option<Secret<String>> {
    match name {
        "GATE_SECRET" => Some(Secret::new("gate-secret".into())),
        "TICKET_KEY" => Some(Secret::new("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".into())),
        _ => None,
    }
}

/// One worker with its proxy, and the server.
struct Gate {
    root: Root<McpAuthzApproval>,
    proxy: Proxy,
    idp: Idp,
    now: u64,
    calls: Vec<HttpCall>,
}

/// What came of a call.
#[derive(Debug)]
struct Came {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Value,
    audit: Vec<String>,
    removed: Vec<String>,
}

impl Gate {
    fn new(policy: &Value) -> Self {
        let root = Root::equipped(policy.to_string().as_bytes(), &mut environment).unwrap_or_else(|errors| panic!("{errors}"));
        Self { root, proxy: Proxy::default(), idp: Idp::default(), now: 1_795_251_600, calls: Vec::new() }
    }

    fn call(&mut self, user: &str, tool: &str, arguments: &Value, ticket: Option<&str>) -> Came {
        let mut came = Came { status: 200, headers: Vec::new(), body: Value::Null, audit: Vec::new(), removed: Vec::new() };
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
        let mut headers: Headers = [
            (":method", "POST"),
            (":path", "/mcp"),
            ("content-type", "application/json"),
            ("mcp-protocol-version", "2025-11-25"),
        ]
        .into_iter()
        .collect();
        if let Some(ticket) = ticket {
            headers.push("wardpoint-approval", ticket);
        }
        let subject = format!("id-of-{user}");
        let expires = 4_000_000_000_f64.to_le_bytes();
        let values: Vec<Result<Option<Vec<u8>>, PropertyError>> = self
            .root
            .settings()
            .properties
            .iter()
            .map(|path| {
                Ok(match path.0.last().map(String::as_str) {
                    Some("io.istio.peer_principal") => Some(b"spiffe://cluster.local/ns/agents/sa/planner".to_vec()),
                    Some("iss") => Some(IDP.into()),
                    Some("sub") => Some(subject.clone().into_bytes()),
                    Some("exp") => Some(expires.to_vec()),
                    Some("preferred_username") if user != "nameless" => Some(user.into()),
                    _ => None,
                })
            })
            .collect();
        let mut stream = self.root.stream();
        let head = Head { headers: &headers, properties: Properties::new(&values), end_of_stream: false };
        self.feed(&mut stream, Event::RequestHeaders(head), &mut came);
        let text = body.to_string();
        self.feed(&mut stream, Event::RequestBody(Chunk { bytes: text.as_bytes(), end_of_stream: true }), &mut came);
        came
    }

    fn feed(&mut self, stream: &mut Stream<Filter>, event: Event<'_>, came: &mut Came) {
        let now = Timestamp::from_secs(self.now);
        let _flow = stream.handle(event, now, &mut self.proxy);
        let mut made = None;
        while let Some(op) = stream.poll_op() {
            match op {
                Op::Audit(record) => {
                    let reason = record.reason.map_or("-", |reason| reason.code());
                    let rule = record.rule.as_ref().map_or("-", |rule| rule.as_str());
                    came.audit.push(format!("{} {reason} {rule}", record.outcome.as_str()));
                }
                Op::Respond(answer) => {
                    (came.status, came.headers) = (answer.status, answer.headers);
                    came.body = serde_json::from_slice(&answer.body).unwrap();
                }
                Op::CallOutShared(id, Callout::Http(call)) => made = Some((id, call)),
                Op::RemoveHeader(Direction::Request, name) => came.removed.push(name),
                Op::Count(..) | Op::Mark | Op::Resume(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let Some((id, call)) = made else { return };
        let path =
            call.headers.iter().find(|(name, _)| name == ":path").map(|(_, path)| String::from_utf8(path.clone()).unwrap());
        let (status, body) = self.idp.answer(&path.unwrap(), &read_form(&call.body), self.now);
        self.calls.push(call);
        let json: Headers = [("content-type", "application/json")].into_iter().collect();
        let body = body.to_string();
        let reply = Ok(Reply { status, headers: &json, body: body.as_bytes() });
        self.root.on_reply(id, now, reply, &mut self.proxy);
        self.feed(stream, Event::CalloutReply(id, reply), came);
    }

    fn says(&mut self, says: Says) {
        self.idp.asked.last_mut().unwrap().says = says;
        self.idp.gives = Some("id-of-alice");
    }
}

#[test]
fn a_call_waits_for_its_user_and_goes_through_once() {
    let mut gate = Gate::new(&policy());
    let arguments = json!({"repo": "a", "force": true});
    let came = gate.call("alice", "delete_repo", &arguments, None);
    assert_eq!((came.status, came.audit), (403, vec!["deny approval_pending deletes".to_owned()]));
    assert!(came.headers.contains(&("retry-after", INTERVAL.to_string())));
    let error = came.body.get("error").unwrap();
    let data = error.get("data").unwrap();
    assert_eq!(
        (&came.body["id"], &error["code"], &error["message"]),
        (&json!(7), &json!(-32003), &json!("waiting for approval"))
    );
    assert_eq!((&data["reason"], &data["retryAfter"]), (&json!("approval_pending"), &json!(INTERVAL)));
    let ticket = data["ticket"].as_str().unwrap().to_owned();
    let asked = gate.idp.asked.first().unwrap();
    assert_eq!(asked.user, "alice", "by the claim that the server knows");
    assert!(asked.message.starts_with("delete_repo#"));
    let secret = gate.calls.first().unwrap().headers.iter().find(|(name, _)| name == "authorization").unwrap();
    assert_eq!(secret.1, b"Basic Z2F0ZTpnYXRlLXNlY3JldA==");

    gate.now += INTERVAL;
    gate.says(Says::Yes);
    // The same arguments in another form.
    let same = serde_json::from_str(r#"{ "force":true,  "r\u0065po":"a"}"#).unwrap();
    let came = gate.call("alice", "delete_repo", &same, Some(&ticket));
    assert_eq!((came.status, came.audit), (200, vec!["allow - deletes".to_owned()]));
    assert!(came.removed.contains(&"wardpoint-approval".to_owned()), "the ticket goes no further");
    let came = gate.call("alice", "delete_repo", &arguments, Some(&ticket));
    assert_eq!((came.status, came.audit), (403, vec!["deny approval_expired deletes".to_owned()]));
}

#[test]
fn other_tools_are_unaffected_and_other_arguments_are_another_question() {
    let mut gate = Gate::new(&policy());
    assert_eq!(gate.call("alice", "read_file", &json!({}), None).status, 200);
    assert_eq!(gate.call("alice", "write_file", &json!({}), None).status, 403);
    assert!(gate.calls.is_empty(), "nobody is asked for what is allowed or refused");
    let came = gate.call("alice", "delete_repo", &json!({"repo": "a"}), None);
    let ticket = came.body["error"]["data"]["ticket"].as_str().unwrap().to_owned();
    gate.now += INTERVAL;
    gate.says(Says::Yes);
    let swapped = gate.call("alice", "delete_repo", &json!({"repo": "b"}), Some(&ticket));
    assert_eq!(swapped.audit, ["deny approval_expired deletes"]);
    assert_eq!(gate.call("alice", "delete_repo", &json!({"repo": "a"}), Some(&ticket)).status, 200);
}

#[test]
fn each_end_has_its_reason() {
    let said = |says: Says| {
        let mut gate = Gate::new(&policy());
        gate.call("alice", "delete_repo", &json!({}), None);
        gate.says(says);
        gate.now += if says == Says::Nothing { LIFE } else { INTERVAL };
        gate.call("alice", "delete_repo", &json!({}), None)
    };
    let no = said(Says::No);
    assert_eq!((no.status, no.audit), (403, vec!["deny approval_denied deletes".to_owned()]));
    assert_eq!(said(Says::Nothing).audit, ["deny approval_pending deletes"], "asked anew");
    // Another user's approval is none.
    let mut gate = Gate::new(&policy());
    gate.call("bob", "delete_repo", &json!({}), None);
    gate.says(Says::Yes);
    gate.now += INTERVAL;
    assert_eq!(gate.call("bob", "delete_repo", &json!({}), None).audit, ["deny approval_denied deletes"]);
    // Nobody knows whom to ask; the host is broken.
    let mut gate = Gate::new(&policy());
    let came = gate.call("nameless", "delete_repo", &json!({}), None);
    assert_eq!((came.status, came.audit), (503, vec!["deny approval_unavailable deletes".to_owned()]));
    gate.proxy.broken = true;
    assert_eq!(gate.call("alice", "delete_repo", &json!({}), None).status, 503);
    gate.proxy.broken = false;
    for index in 0..4 {
        gate.call("alice", "delete_repo", &json!({"n": index}), None);
    }
    let came = gate.call("alice", "delete_repo", &json!({"n": 4}), None);
    assert_eq!((came.status, came.audit), (429, vec!["deny approvals_exceeded deletes".to_owned()]));
    assert_eq!(gate.idp.asked.len(), 4);
}

/// A tier narrows: what it wants approved must be, whatever the other rules say.
#[test]
fn a_tier_can_want_an_approval() {
    let Value::Object(mut members) = policy() else { panic!("a policy is an object") };
    let allow = |more: Value| json!([{"id": "t", "allow": more}]);
    members.insert("rules".into(), json!([{"id": "all", "allow": {"agents": ["*"], "tools": ["*"]}}]));
    members.insert("tiers".into(), json!({"global": allow(json!({"agents": ["*"], "tools": ["*"], "approval": "required"}))}));
    let mut gate = Gate::new(&Value::Object(members));
    assert_eq!(gate.call("alice", "read_file", &json!({}), None).audit, ["deny approval_pending all"]);
}

#[test]
fn what_nobody_could_approve_is_an_error_of_the_configuration() {
    let problems = |change: fn(&mut Value)| {
        let mut policy = policy();
        change(&mut policy);
        McpAuthzApproval::configure(policy.to_string().as_bytes()).err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    assert_eq!(problems(|_| {}), "");
    let told = problems(|policy| {
        let rule = policy.pointer_mut("/rules/1/allow").unwrap();
        *rule = json!({"agents": ["*"], "prompts": ["p"], "user": "none", "approval": "required"});
        policy.as_object_mut().unwrap().remove("approval");
    });
    for line in [
        "rules[1].allow.approval: `user: none`",
        "rules[1].allow.approval: is for calls of tools",
        "rules[1].allow.approval: nobody is asked",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let told = problems(|policy| {
        *policy.pointer_mut("/approval/tickets").unwrap() = json!([]);
        *policy.pointer_mut("/approval/client/method").unwrap() = json!("cluster");
        policy.pointer_mut("/approval").unwrap().as_object_mut().unwrap().insert("messageBytes".into(), json!(16));
        *policy.pointer_mut("/approval/server/ask").unwrap() = json!("bc");
    });
    for line in [
        "approval.tickets: is empty",
        "approval.client.secret: the cluster",
        "approval.messageBytes: has no place",
        "approval.server.ask: `bc`",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let told = problems(|policy| {
        let from = json!({"cluster": "vault", "authority": "vault.local", "path": "/x", "keep": "1s"});
        policy["approval"]["ticketsFrom"] = from.clone();
        policy["approval"]["client"]["secret"] = json!({"env": "GATE_SECRET", "fetch": from});
    });
    for line in [
        "approval.ticketsFrom: keys come from two places. Leave out this, or `tickets`",
        "approval.ticketsFrom.keep: is less than `refresh`",
        "approval.client.secret: comes from two places",
    ] {
        assert!(told.contains(line), "{told}");
    }
    // The module that asks nobody says so, and not only when it is called.
    let told = McpAuthz::configure(policy().to_string().as_bytes()).err().map(|errors| errors.to_string()).unwrap_or_default();
    assert!(told.contains("approval: this module asks nobody"), "{told}");
    // Secrets that are not there, or are none.
    let equip = |key: &'static str| {
        let mut environment = |name: &str| if name == "TICKET_KEY" { Some(Secret::new(key.to_owned())) } else { None };
        let root = Root::<McpAuthzApproval>::equipped(policy().to_string().as_bytes(), &mut environment);
        root.err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    let told = equip("c2hvcnQ=");
    assert!(told.contains("approval.client.secret: `GATE_SECRET` is not in the environment"), "{told}");
    assert!(told.contains("approval.tickets: a key is 32 random bytes"), "{told}");
    assert!(!told.contains("c2hvcnQ"), "a secret shows");
}

#[test]
fn its_token_can_only_go_on_where_headers_wait_and_it_can_be_read() {
    let problems = |change: Value| {
        let mut policy = policy();
        policy["approval"]["token"] = "outgoing".into();
        for (name, value) in change.as_object().unwrap() {
            match name.as_str() {
                "opaque" => policy["approval"]["opaque"] = value.clone(),
                _ => policy[name] = value.clone(),
            }
        }
        McpAuthzApproval::configure(policy.to_string().as_bytes()).err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    assert_eq!(problems(json!({"hostProfile": {"holdHeaders": true}})), "");
    let text = problems(json!({"opaque": true}));
    assert!(text.contains("approval.token: `outgoing` needs `hostProfile: {holdHeaders: true}`"), "{text}");
    assert!(text.contains("approval.opaque: with `token: outgoing` nobody would know what goes on"), "{text}");
}
