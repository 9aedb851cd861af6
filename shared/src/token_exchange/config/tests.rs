use super::super::Policy;

const GOOD: &str = r#"{"version":1,
    "identity":{"direction":"outbound","peer":"waypoint","claims":{"provider":"p"},"agents":[{"spiffe":"spiffe://d/planner","client":"planner"}]},
    "audiences":["gate"],
    "servers":[{"name":"keycloak","profile":"keycloak","issuer":"https://idp.example.com/realms/agents",
        "token":{"cluster":"keycloak","authority":"idp.example.com","path":"/realms/agents/protocol/openid-connect/token"},
        "clients":[{"id":"planner","auth":{"method":"client_secret_basic","secret":{"env":"PLANNER_SECRET"}}}]}],
    "routes":[{"host":"mcp-tools.example.com","path":"/mcp","server":"keycloak","audience":"mcp-tools","scopes":["files:read"]}]}"#;

/// The good configuration with one text in the place of another.
fn said(from: &str, to: &str) -> String {
    assert!(from.is_empty() || GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    match Policy::configure(text.as_bytes()) {
        Ok(policy) => policy.warnings().iter().map(|(path, text)| format!("warning: {path}: {text}\n")).collect(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn a_good_one_is_good() {
    assert_eq!(said("", ""), "");
    let policy = Policy::configure(GOOD.as_bytes()).unwrap();
    assert_eq!(policy.servers.len(), 1);
    assert_eq!(policy.settings().policy.name.as_ref(), "token-exchange");
}

#[test]
fn all_problems_come_at_once_with_their_paths() {
    let text = r#"{"version":2,"identity":{"peer":"none"},"audiences":[],"chain":{"depth":9},
        "servers":[
            {"name":"a","profile":"rfc8693","issuer":"idp","token":{"cluster":"","authority":"a b","path":"token?x","timeout":"10s"},
             "clients":[{"id":"","auth":{"method":"client_secret_post"}},{"id":"x","auth":{"method":"cluster","secret":{"env":"A B"}}}]},
            {"name":"a","profile":"thunderid","issuer":"https://t","client":{"of":"gate","id":"z"},
             "token":{"cluster":"t","authority":"t","path":"/t"},"clients":[]}],
        "routes":[
            {"host":"A.example","port":70000,"path":"x","server":"b","scopes":[]},
            {"host":"b.example","server":"a","scopes":["a b"]},
            {"host":"b.example","path":"/","id":"twin","action":"strip","server":"a"},
            {"host":"c.example","server":"a","resource":"x#y","scopes":["s"],"maxLifetime":"0s"}],
        "cache":{"tokens":1000000,"refusals":"1m"},"audit":{"to":[]}}"#;
    insta::assert_snapshot!(Policy::configure(text.as_bytes()).unwrap_err().to_string(), @"
        token-exchange: 29 problems in the configuration
          version: `2` is not known. Write 1
          identity: without `claims` or `tokens` no token is verified, and none may be exchanged then. Write one of them
          audiences: names nobody. Write the `aud` of the tokens that requests bring: no issued token may have it
          chain.depth: a chain has from 1 to 8 actors
          servers[0].issuer: `idp` is not an issuer. Write `https://host/path`
          servers[0].clients[0].id: is not a client identifier (RFC 6749 appendix A.1)
          servers[0].clients[0].auth.secret: is required. Write `{env: NAME}`, or `{fetch: …}` to have it by callout
          servers[0].clients[1].auth.secret: is not for this method. Take it away
          servers[0].client.of: `peer: none` names no calling agent. Write `of: gate` and an `id`
          servers[0].token.cluster: is empty
          servers[0].token.authority: `a b` is not `host` or `host:port`
          servers[0].token.path: `token?x` is not the path of an endpoint. Write `/path`, without query
          servers[0].token.timeout: a call may take from 1ms to 9s
          servers[1].name: `a` is there twice
          servers[1].client.id: `z` is not among `clients`
          routes[0].host: `A.example` is not a host. Write it in lower case and without port, with `*.` before it for any one label
          routes[0].port: `70000` is not a port
          routes[0].path: `x` is not a path. Write `/path`
          routes[0].server: `b` is not among `servers`
          routes[0].scopes: is empty. Name all scopes that the token is to have: what is not asked for is not accepted
          routes[1]: names no target. Write `audience` or `resource`
          routes[1].scopes[0]: `a b` is not one scope
          routes[2].server: no token is asked for here. Take it away, or write `action: exchange`
          routes[3].resource: `x#y` is not an absolute URI without fragment (RFC 8707 section 2)
          routes[3].maxLifetime: a token has to live for 1s at the least
          routes: `b-example` and `twin` are for the same destination. Take one away
          cache.tokens: 100000 is the limit: every worker keeps so many
          cache.refusals: 10s is the limit: what was refused may be granted a moment later
          audit.to: is empty: no decision would be recorded. Write `log`, `accessLog` or both
        ");
}

#[test]
fn each_profile_wants_its_target_in_its_way() {
    insta::assert_snapshot!(said(r#""audience":"mcp-tools""#, r#""resource":"https://t""#), @"
        token-exchange: 2 problems in the configuration
          routes[0].audience: is required by the profile of `keycloak`
          routes[0].resource: the profile of `keycloak` does not honour it. Take it away
        ");
    insta::assert_snapshot!(said(r#""profile":"keycloak""#, r#""profile":"thunderid""#), @"
        token-exchange: 2 problems in the configuration
          routes[0].audience: the profile of `keycloak` does not honour it. Take it away
          routes[0].resource: is required by the profile of `keycloak`
        ");
    insta::assert_snapshot!(said(r#","audience":"mcp-tools""#, ""), @"
        token-exchange: 1 problem in the configuration
          routes[0].audience: is required by the profile of `keycloak`
        ");
}

#[test]
fn a_route_says_where_it_goes_by_what_the_proxy_or_the_caller_says() {
    let host = r#""host":"mcp-tools.example.com""#;
    for good in [
        r#""service":"files.tools.svc.cluster.local""#,
        r#""service":"files.tools.svc.cluster.local","host":"files.example","port":80"#,
        r#""upstreamCluster":"inbound-vip|8080|http|files.tools.svc.cluster.local""#,
    ] {
        assert_eq!(said(host, good), "", "{good}");
    }
    let of = |text: &str| Policy::configure(GOOD.replacen(host, text, 1).as_bytes()).unwrap().settings().properties.len();
    assert_eq!(of(r#""service":"files.tools.svc.cluster.local""#), of(host) + 1, "asked for where it is needed only");
    insta::assert_snapshot!(said(&format!("{host},"), ""), @"
        token-exchange: 1 problem in the configuration
          routes[0]: is for no destination. Write `service`, `upstreamCluster` or `host`
        ");
    insta::assert_snapshot!(said(host, r#""port":80"#), @"
        token-exchange: 2 problems in the configuration
          routes[0]: is for no destination. Write `service`, `upstreamCluster` or `host`
          routes[0].port: is that of `host`, and there is none. Take it away, or write `upstreamCluster`, whose name has its port in Istio
        ");
    insta::assert_snapshot!(said(host, r#""service":"files.tools.svc.cluster.local","port":80"#), @"
        token-exchange: 1 problem in the configuration
          routes[0].port: is that of `host`, and there is none. Take it away, or write `upstreamCluster`, whose name has its port in Istio
        ");
    insta::assert_snapshot!(said(host, r#""service":"files","upstreamCluster":"x""#), @"
        token-exchange: 1 problem in the configuration
          routes[0].service: is part of the name of the cluster. Write one of both
        ");
    insta::assert_snapshot!(said(host, r#""service":"inbound-vip|8080|http|files""#), @"
        token-exchange: 1 problem in the configuration
          routes[0].service: `inbound-vip|8080|http|files` is not the host name of a service, such as `files.tools.svc.cluster.local`
        ");
    insta::assert_snapshot!(said(host, r#""upstreamCluster":"a b""#), @"
        token-exchange: 1 problem in the configuration
          routes[0].upstreamCluster: `a b` is not the name of a cluster
        ");
}

#[test]
fn the_client_is_that_of_the_caller_unless_it_is_said_otherwise() {
    insta::assert_snapshot!(said(r#","agents":[{"spiffe":"spiffe://d/planner","client":"planner"}]"#, ""), @"
        token-exchange: 1 problem in the configuration
          servers[0].client.of: `identity.agents` maps no agent to a client. Map them, or write `of: gate` and an `id`
        ");
    insta::assert_snapshot!(said(r#""profile":"keycloak""#, r#""profile":"keycloak","client":{"of":"caller","id":"planner"}"#), @"
        token-exchange: 1 problem in the configuration
          servers[0].client.id: is that of a gate. Take it away, or write `of: gate`
        ");
    insta::assert_snapshot!(said(r#""profile":"keycloak""#, r#""profile":"keycloak","client":{"of":"gate"}"#), @"
        token-exchange: 1 problem in the configuration
          servers[0].client.id: is required with `of: gate`
        ");
}

#[test]
fn what_had_better_be_looked_at_is_told() {
    insta::assert_snapshot!(said(r#""version":1"#, r#""version":1,"unmatched":"passthrough","mode":"observe""#), @"
        warning: mode: every request keeps the token that it brought, wherever it goes
        warning: unmatched: tokens go to every destination that no route is for
        ");
    insta::assert_snapshot!(said(
        r#""profile":"keycloak""#,
        r#""profile":"keycloak","client":{"of":"gate","id":"planner"},"answer":{"agent":"none","opaque":true}"#
    ), @"
        warning: servers[0].client: the token service cannot tell agents apart
        warning: servers[0].answer.agent: nothing in a token then says that an agent uses it
        warning: servers[0].answer.opaque: audience, subject and agent of an opaque token are not checked
        ");
    insta::assert_snapshot!(said(r#""client":"planner""#, r#""client":"other""#), @"warning: servers[0].clients (other): this client of `identity.agents` is not here: its agent will be refused");
}

/// The good configuration with another `auth` of its client.
fn with_auth(auth: &str) -> String {
    said(r#"{"method":"client_secret_basic","secret":{"env":"PLANNER_SECRET"}}"#, auth)
}

#[test]
fn what_a_client_shows_may_come_by_callout() {
    let fetch = r#"{"fetch":{"cluster":"vault","authority":"vault.local","path":"/planner"}}"#;
    let svid = r#"{"cluster":"spiffe","authority":"bridge.local","path":"/svid?audience=idp"}"#;
    for auth in [
        format!(r#"{{"method":"client_secret_basic","secret":{fetch}}}"#),
        format!(r#"{{"method":"client_secret_post","secret":{fetch}}}"#),
        format!(r#"{{"method":"private_key_jwt","key":{fetch},"keyId":"k1"}}"#),
        format!(r#"{{"method":"jwt-spiffe","svid":{svid}}}"#),
        format!(
            r#"{{"method":"jwt-spiffe","svid":{svid},"spiffe":"spiffe://d/other","audience":"https://idp.example.com/token"}}"#
        ),
    ] {
        assert_eq!(with_auth(&auth), "", "{auth}");
    }
}

#[test]
fn what_a_client_shows_must_be_said() {
    let mut all = String::new();
    for auth in [
        r#"{"method":"client_secret_basic","secret":{"fetch":{"cluster":"","authority":"a b","path":"x","timeout":"6s","refresh":"9s","keep":"8s"}}}"#,
        r#"{"method":"client_secret_basic","secret":{"env":"A","fetch":{"cluster":"v","authority":"v","path":"/"}}}"#,
        r#"{"method":"client_secret_basic","secret":{"env":"A B"}}"#,
        r#"{"method":"private_key_jwt"}"#,
        r#"{"method":"jwt-spiffe","secret":{"env":"A"},"key":{"env":"A"},"keyId":"k"}"#,
        r#"{"method":"jwt-spiffe","svid":{"cluster":"s","authority":"s","path":"/"},"spiffe":"planner"}"#,
        r#"{"method":"client_secret_post","secret":{"env":"A"},"svid":{"cluster":"s","authority":"s","path":"/"},"spiffe":"spiffe://d/p","audience":"x"}"#,
    ] {
        all += &with_auth(auth);
        all.push('\n');
    }
    let nobody = GOOD.replace(r#","agents":[{"spiffe":"spiffe://d/planner","client":"planner"}]"#, "").replace(
        r#"{"method":"client_secret_basic","secret":{"env":"PLANNER_SECRET"}}}]"#,
        r#"{"method":"jwt-spiffe","svid":{"cluster":"s","authority":"s","path":"/"}}}],"client":{"of":"gate","id":"planner"}"#,
    );
    all += &Policy::configure(nobody.as_bytes()).unwrap_err().to_string();
    insta::assert_snapshot!(all, @"
    token-exchange: 6 problems in the configuration
      servers[0].clients[0].auth.secret.fetch.cluster: is empty, or has blanks or characters that are not ASCII
      servers[0].clients[0].auth.secret.fetch.authority: is empty, or has blanks or characters that are not ASCII
      servers[0].clients[0].auth.secret.fetch.path: `x` is no path. Write it from the first `/` on
      servers[0].clients[0].auth.secret.fetch.timeout: is not between `1ms` and `5s`
      servers[0].clients[0].auth.secret.fetch.refresh: is less than `10s`
      servers[0].clients[0].auth.secret.fetch.keep: is less than `refresh`: there would be none between two fetches
    token-exchange: 1 problem in the configuration
      servers[0].clients[0].auth.secret: comes from two places. Leave out `env` or `fetch`
    token-exchange: 1 problem in the configuration
      servers[0].clients[0].auth.secret.env: `A B` is not the name of a variable
    token-exchange: 1 problem in the configuration
      servers[0].clients[0].auth.key: is required. Write `{env: NAME}`, or `{fetch: …}` to have it by callout
    token-exchange: 4 problems in the configuration
      servers[0].clients[0].auth.secret: is not for this method. Take it away
      servers[0].clients[0].auth.key: is not for this method. Take it away
      servers[0].clients[0].auth.keyId: is not for this method. Take it away
      servers[0].clients[0].auth.svid: is required. Write where a bridge to the SPIFFE Workload API gives it
    token-exchange: 1 problem in the configuration
      servers[0].clients[0].auth.spiffe: `planner` is not a SPIFFE id. Write `spiffe://trust.domain/path`
    token-exchange: 3 problems in the configuration
      servers[0].clients[0].auth.svid: is not for this method. Take it away
      servers[0].clients[0].auth.spiffe: is not for this method. Take it away
      servers[0].clients[0].auth.audience: is not for this method. Take it away
    token-exchange: 1 problem in the configuration
      servers[0].clients[0].auth.spiffe: is required: `identity.agents` has not one agent that is this client. Write the SPIFFE id of its SVID
    ");
}

const AGENTS: &str = r#"{"version":1,"audiences":["gate"],
    "identity":{"direction":"inbound","peer":"waypoint","claims":{"provider":"p"}},
    "references":{"keys":[{"id":"k1","secret":{"env":"KEY_1"}}]},
    "routes":[{"host":"planner.example","action":"reference","agent":"spiffe://d/planner"}]}"#;

fn of_agents(changes: &[(&str, &str)]) -> String {
    let text = changes.iter().fold(AGENTS.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    match Policy::configure(text.as_bytes()) {
        Ok(policy) => policy.warnings().iter().map(|(path, text)| format!("warning: {path}: {text}\n")).collect(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn on_the_way_to_an_agent_references_are_made() {
    assert_eq!(of_agents(&[]), "");
    insta::assert_snapshot!(of_agents(&[(
        r#""action":"reference","agent":"spiffe://d/planner""#,
        r#""action":"strip","agent":"spiffe://d/planner""#
    )]), @"
        token-exchange: 2 problems in the configuration
          routes[0].agent: nothing is made for an agent here. Take it away, or write `action: reference`
          references: no route has `action: reference`, and with `direction: inbound` none is opened
        ");
    insta::assert_snapshot!(of_agents(&[("spiffe://d/planner", "planner"), (r#"{"id":"k1","secret":{"env":"KEY_1"}}"#, "")]), @"
        token-exchange: 2 problems in the configuration
          routes[0].agent: `planner` is not a SPIFFE id. Write that of the agent behind this route: `spiffe://trust-domain/path`
          references.keys: is empty: no other replica could open what a caller brings. Name a key
        ");
    insta::assert_snapshot!(of_agents(&[(r#""references":{"keys":[{"id":"k1","secret":{"env":"KEY_1"}}]},"#, "")]), @"
        token-exchange: 1 problem in the configuration
          references: is required by `action: reference`. Name the keys that seal
        ");
    insta::assert_snapshot!(of_agents(&[(
        r#""KEY_1"}}]"#,
        r#""KEY_1"}},{"id":"k1","secret":{"env":"A B"}}],"maxLifetime":"0s","plainTokens":"accept""#
    )]), @"
        token-exchange: 4 problems in the configuration
          references.maxLifetime: a reference has to live for 1s at the least
          references.plainTokens: only `direction: outbound` opens references. Take it away
          references.keys[1].id: `k1` is empty or there twice
          references.keys[1].secret.env: `A B` is not the name of a variable
        ");
    let from = r#""keysFrom":{"cluster":"vault","authority":"vault.local","path":"/keys"}"#;
    assert_eq!(of_agents(&[(r#""keys":[{"id":"k1","secret":{"env":"KEY_1"}}]"#, from)]), "");
    insta::assert_snapshot!(of_agents(&[(r#""KEY_1"}}]"#, &format!(r#""KEY_1"}}}}],{}"#, from.replace("/keys", "keys")))]), @"
        token-exchange: 2 problems in the configuration
          references.keysFrom: keys come from two places. Leave out this, or `keys`
          references.keysFrom.path: `keys` is no path. Write it from the first `/` on
        ");
    insta::assert_snapshot!(of_agents(&[(r#""KEY_1"}}]"#, r#""KEY_1"}}],"maxLifetime":"25h""#)]), @"warning: references.maxLifetime: an agent holds what it was given for more than a day");
}

#[test]
fn on_the_way_out_of_an_agent_they_are_opened() {
    let outbound = (r#""direction":"inbound","peer":"waypoint""#, r#""direction":"outbound","peer":"none""#);
    insta::assert_snapshot!(of_agents(&[
        outbound,
        (r#""routes":["#, r#""unmatched":"passthrough","routes":[{"host":"a.example","action":"passthrough"},"#)
    ]), @"
        token-exchange: 5 problems in the configuration
          routes[1].action: `reference` is for the way to an agent: write `direction: inbound`
          identity.peer: `none` names nobody for whom a reference could have been made
          identity.tokens: is required with `references`: the proxy sees no token that it could verify, only what stands for one
          routes[0].action: `passthrough` would send a reference where nobody can open it. Write `strip`
          unmatched: `passthrough` would send a reference where nobody can open it. Write `strip`
        ");
}

#[test]
fn a_route_can_only_depend_on_a_tool_where_headers_wait() {
    let read = r#""path":"/mcp","tools":["read_file","list_files"],"#;
    insta::assert_snapshot!(said(r#""path":"/mcp","#, read), @"
        token-exchange: 1 problem in the configuration
          routes[0].tools: needs `hostProfile: {holdHeaders: true}`: else the headers have gone before the body says which tool it is
        ");
    let text =
        GOOD.replacen(r#""version":1,"#, r#""version":1,"hostProfile":{"holdHeaders":true},"limits":{"maxBodyBytes":0},"#, 1);
    let text = text.replacen(r#""path":"/mcp","#, r#""path":"/mcp","tools":["a","","b*","a"],"#, 1);
    insta::assert_snapshot!(Policy::configure(text.as_bytes()).unwrap_err().to_string(), @"
        token-exchange: 4 problems in the configuration
          routes[0].tools[1]: `` is not the exact name of one more tool
          routes[0].tools[2]: `b*` is not the exact name of one more tool
          routes[0].tools[3]: `a` is not the exact name of one more tool
          limits.maxBodyBytes: is 0: every call would be refused
        ");
    let text = GOOD.replacen(r#""version":1,"#, r#""version":1,"hostProfile":{"holdHeaders":true},"#, 1).replacen(
        r#""path":"/mcp","#,
        read,
        1,
    );
    let policy = Policy::configure(text.as_bytes()).unwrap();
    assert_eq!(policy.max_body, 1_000_000);
}
