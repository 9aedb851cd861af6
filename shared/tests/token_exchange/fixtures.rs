//! Each server as it is, and each way in which an answer can be wrong.

use serde_json::{Value, json};
use wardpoint_core::jws::TokenError;
use wardpoint_core::oauth::{ClientAuth, TokenType};
use wardpoint_core::time::Timestamp;
use wardpoint_core::token_exchange::authority::{Askable, ChainLimits, ScopeMap, may_act};
use wardpoint_core::token_exchange::issued::Refusal;
use wardpoint_core::token_exchange::profile::{AgentClaim, Asking, Profile};

use crate::servers::{
    AUTH0, ENTRA, GATE, HONEST, Hop, IDP, KEYCLOAK, NOW, OKTA, Server, THUNDERID, alice, answer, merge, stated, texts, token,
};

fn hop(server: &Server) -> Hop {
    Hop::new(server, alice("tools:read tools:write"), "planner", "tools:read")
}

#[test]
fn what_each_server_issues_is_accepted() {
    for (server, actors) in [
        (HONEST, vec!["planner"]),
        (KEYCLOAK, vec![]),
        (THUNDERID, vec!["planner"]),
        (AUTH0, vec!["planner"]),
        (OKTA, vec![]),
        (ENTRA, vec![]),
    ] {
        let narrowed = hop(&server).with(&server, json!({})).unwrap();
        assert_eq!(narrowed.scopes, ["tools:read"]);
        assert_eq!(narrowed.actors, actors);
        assert_eq!(narrowed.expires, Timestamp::from_secs(NOW + 300));
    }
}

/// What a gate sends in each dialect (rules.md A.4), `client_secret_post` left out.
#[test]
fn each_server_is_asked_in_its_own_words() {
    let sent = |profile: Profile, audience, resource, actor: Option<&str>| {
        let scopes = texts("tools:read tools:list");
        let actor = actor.map(|actor| (actor, TokenType::AccessToken));
        let asking = Asking { subject: "s.u.b", actor, audience, resource, scopes: &scopes };
        let form = profile.post(&asking, &ClientAuth::Cluster { id: None }).form;
        form.as_str().replace("urn%3Aietf%3Aparams%3Aoauth%3A", "~").replace("%3A", ":").replace("%2F", "/")
    };
    let exchange = "grant_type=~grant-type:token-exchange&subject_token=s.u.b&subject_token_type=~token-type:access_token";
    let wants = "&requested_token_type=~token-type:access_token";
    let scope = "&scope=tools:read+tools:list";
    // What a server ignores is not sent, even if somebody configured it.
    assert_eq!(
        sent(Profile::KEYCLOAK, Some("tool"), Some("https://t"), Some("a")),
        format!("{exchange}{wants}&audience=tool{scope}")
    );
    assert_eq!(sent(Profile::AUTH0, Some("tool"), None, None), format!("{exchange}{wants}&audience=tool{scope}"));
    assert_eq!(sent(Profile::OKTA, Some("tool"), None, None), format!("{exchange}{wants}&audience=tool{scope}"));
    let actor = "&actor_token=a&actor_token_type=~token-type:access_token";
    let target = "&audience=tool&resource=https://t";
    assert_eq!(
        sent(Profile::RFC8693, Some("tool"), Some("https://t"), Some("a")),
        format!("{exchange}{actor}{wants}{target}{scope}")
    );
    assert_eq!(sent(Profile::RFC8693, None, Some("https://t"), None), format!("{exchange}{wants}&resource=https://t{scope}"));
    let thunder = exchange.replace("access_token", "jwt");
    assert_eq!(
        sent(Profile::THUNDERID, Some("x"), Some("https://t"), Some("a")),
        format!("{thunder}{actor}{wants}&resource=https://t{scope}")
    );
    let obo = "grant_type=~grant-type:jwt-bearer&assertion=s.u.b&scope=api://t/tools:read+api://t/tools:list&requested_token_use=on_behalf_of";
    assert_eq!(sent(Profile::ENTRA_OBO, Some("api://t"), None, None), obo);
    assert_eq!(sent(Profile::ENTRA_OBO, Some("guid"), Some("api://t/"), None), obo);
    let jag = exchange.replace("access_token", "id_token");
    let jag = format!("{jag}&requested_token_type=~token-type:id-jag&audience=https://as&resource=https://t{scope}");
    assert_eq!(sent(Profile::ID_JAG, Some("https://as"), Some("https://t"), None), jag);
}

/// parts.md 1: the token of a requester may have more than the subject had, and lives on after it.
#[test]
fn keycloak_does_not_narrow_so_we_do() {
    let hop = Hop::new(&KEYCLOAK, merge(alice("tools:read"), json!({"exp": NOW + 3})), "planner", "tools:read tools:write");
    assert_eq!(hop.request().scopes, ["tools:read"], "what the user lacks is not even asked for");
    let narrowed = hop.with(&KEYCLOAK, json!({})).unwrap();
    assert_eq!(narrowed.expires, Timestamp::from_secs(NOW + 3), "it ends with the user's token");
    assert_eq!(hop.with(&KEYCLOAK, json!({"scope": "tools:read tools:write profile"})), Err(Refusal::ScopeWider));
    // parts.md 1: two scopes, one audience.
    assert_eq!(hop.with(&KEYCLOAK, json!({"scope": "tools:read other:read"})), Err(Refusal::ScopeWider));
}

/// Keycloak 26.8 will say `act`; then the profile says that it must.
#[test]
fn a_profile_says_where_the_agent_is() {
    let mut hop = hop(&KEYCLOAK);
    hop.profile.agent = AgentClaim::Act;
    assert_eq!(hop.with(&KEYCLOAK, json!({})), Err(Refusal::AgentOther));
    assert!(hop.with(&KEYCLOAK, json!({"act": {"sub": "planner"}})).is_ok());
    hop.profile.agent = AgentClaim::Client;
    assert!(hop.with(&KEYCLOAK, json!({"act": {"sub": "planner"}})).is_ok());
    assert_eq!(hop.with(&KEYCLOAK, json!({"act": {"sub": "other"}})), Err(Refusal::AgentOther), "what is said must be so");
    hop.profile.agent = AgentClaim::Unsaid;
    hop.client = "gate".into();
    assert!(hop.with(&KEYCLOAK, json!({})).is_ok());
    assert_eq!(hop.with(&KEYCLOAK, json!({"act": {"sub": "other"}})), Err(Refusal::AgentOther));
}

/// capabilities.md 1.3.
#[test]
fn thunderid_drops_scopes_in_silence_and_sets_the_audience_by_resource_only() {
    let mut wide = hop(&THUNDERID);
    wide.route = texts("tools:read tools:write");
    let narrowed = wide.with(&THUNDERID, json!({"scope": "tools:read"})).unwrap();
    assert_eq!(narrowed.scopes, ["tools:read"], "what was dropped is not taken for granted");
    assert_eq!(wide.with(&THUNDERID, json!({"scope": ""})), Err(Refusal::NothingGranted));
    let mut named = hop(&THUNDERID);
    (named.audience, named.resource) = (Some("tool".into()), None);
    assert_eq!(
        named.with(&THUNDERID, json!({})),
        Err(Refusal::AudienceMissing),
        "`audience` gives a token for the client itself"
    );
    let mut alone = hop(&THUNDERID);
    alone.actor = None;
    assert!(alone.with(&THUNDERID, json!({})).is_ok(), "without an actor token the client says it");
    let told = hop(&THUNDERID);
    let silent = (THUNDERID.issue)(&told.subject, None, &told.request());
    assert_eq!(told.judge(answer(&silent, json!({}))), Err(Refusal::AgentOther), "it was told who acts and does not say so");
    // Its own name for the agent is the subject of the actor token.
    let mut own = hop(&THUNDERID);
    own.actor = Some(merge(own.actor.unwrap(), json!({"sub": "0192-agent"})));
    assert_eq!(own.with(&THUNDERID, json!({})).unwrap().actors, ["0192-agent"]);
    own.actor = Some(merge(own.actor.unwrap(), json!({"client_id": "other"})));
    assert_eq!(own.with(&THUNDERID, json!({})), Err(Refusal::AgentOther), "a token of another agent names nobody here");
}

#[test]
fn entra_names_the_user_by_object() {
    let hop = hop(&ENTRA);
    assert_eq!(hop.with(&ENTRA, json!({"oid": "oid-2"})), Err(Refusal::UserOther));
    assert_eq!(hop.with(&ENTRA, json!({"sub": "alice", "oid": "oid-2"})), Err(Refusal::UserOther));
    let none = Hop { subject: merge(alice("tools:read"), json!({"oid": "x"})), ..hop };
    assert_eq!(none.with(&ENTRA, json!({"oid": "oid-1"})), Err(Refusal::UserOther));
}

/// Every claim of a good answer, changed.
#[test]
fn every_claim_is_held_against_what_was_asked() {
    let (server, hop) = (HONEST, hop(&HONEST));
    let actor = |value: Value| json!({"act": value});
    for (claims, want) in [
        (json!({"iss": "https://other"}), Refusal::IssuerOther),
        (json!({"iss": format!("{IDP}/")}), Refusal::IssuerOther),
        (json!({"aud": "other"}), Refusal::AudienceMissing),
        (json!({"aud": []}), Refusal::AudienceMissing),
        (json!({"aud": ["tool", GATE]}), Refusal::AudienceOurs),
        (json!({"aud": GATE}), Refusal::AudienceOurs),
        (json!({"aud": ["tool", "account"]}), Refusal::AudienceWider),
        (json!({"sub": "bob"}), Refusal::UserOther),
        (json!({"sub": "Alice"}), Refusal::UserOther),
        (json!({"scope": "tools:read admin"}), Refusal::ScopeWider),
        (json!({"scope": "tools:readonly"}), Refusal::ScopeWider),
        (json!({"scope": ""}), Refusal::NothingGranted),
        (json!({"client_id": "other"}), Refusal::ClientOther),
        (actor(json!({"sub": "other"})), Refusal::AgentOther),
        (actor(json!({"sub": "planner", "iss": "https://other"})), Refusal::AgentOther),
        (actor(json!({"sub": "planner", "act": {"sub": "unheard"}})), Refusal::ChainOther),
        (actor(json!({"sub": "planner", "act": {"sub": "planner"}})), Refusal::ChainLoop),
        (actor(json!("planner")), Refusal::Unreadable(TokenError::ClaimMalformed("act"))),
        (actor(json!({"name": "planner"})), Refusal::Unreadable(TokenError::ClaimMalformed("act"))),
        (json!({"exp": NOW}), Refusal::Expired),
        (json!({"exp": NOW + 661}), Refusal::LivesTooLong),
        (json!({"nbf": NOW + 61}), Refusal::NotYetValid),
        (json!({"cnf": {"jkt": "x"}}), Refusal::Bound),
        (json!({"at_hash": "x"}), Refusal::KindOther),
        (json!({"typ": "ID"}), Refusal::KindOther),
        (json!({"exp": "soon"}), Refusal::Unreadable(TokenError::ClaimMalformed("exp"))),
    ] {
        assert_eq!(hop.with(&server, claims.clone()), Err(want), "{claims}");
    }
    for claim in ["iss", "aud", "sub", "act", "exp"] {
        let mut claims = hop.issue(&server);
        claims.as_object_mut().unwrap().remove(claim);
        assert!(hop.judge(answer(&claims, json!({}))).is_err(), "without {claim}");
    }
    let spiffe = actor(json!({"sub": "spiffe://example.org/planner", "iss": "https://spire"}));
    assert!(hop.with(&server, spiffe).is_ok(), "an agent's other name");
    let beside = Hop { beside: vec!["account".into(), GATE.into()], ..hop };
    assert!(beside.with(&server, json!({"aud": ["tool", "account"]})).is_ok());
    assert_eq!(beside.with(&server, json!({"aud": ["tool", GATE]})), Err(Refusal::AudienceOurs), "no configuration lets us in");
}

#[test]
fn the_answer_around_the_token_counts_too() {
    let hop = Hop { route: texts("tools:read tools:write"), ..hop(&HONEST) };
    let judge = |members| hop.judge(answer(&hop.issue(&HONEST), members));
    for (members, want) in [
        (json!({"issued_token_type": TokenType::Jwt.urn()}), Refusal::KindOther),
        (json!({"issued_token_type": TokenType::IdJag.urn(), "token_type": "N_A"}), Refusal::KindOther),
        (json!({"token_type": "N_A"}), Refusal::UsageRefused),
        (json!({"token_type": "DPoP"}), Refusal::UsageRefused),
        (json!({"scope": "tools:read admin"}), Refusal::ScopeWider),
        (json!({"scope": "profile"}), Refusal::ScopeWider),
        (json!({"expires_in": 0}), Refusal::Expired),
        (json!({"access_token": "opaque"}), Refusal::Opaque),
        (json!({"access_token": "a.b.c.d.e"}), Refusal::Opaque),
        (json!({"access_token": "a.b.c"}), Refusal::Unreadable(TokenError::Base64)),
        (json!({"access_token": token(Some("oauth-id-jag+jwt"), &hop.issue(&HONEST))}), Refusal::KindOther),
        (json!({"access_token": token(Some("dpop+jwt"), &hop.issue(&HONEST))}), Refusal::KindOther),
    ] {
        assert_eq!(judge(members.clone()), Err(want), "{members}");
    }
    assert_eq!(judge(json!({"scope": "tools:write"})).unwrap().scopes, ["tools:write"], "the narrower of both");
    assert_eq!(judge(json!({"expires_in": 5})).unwrap().expires, Timestamp::from_secs(NOW + 5));
    for kind in [Some("at+jwt"), Some("application/at+jwt"), None] {
        assert!(judge(json!({"access_token": token(kind, &hop.issue(&HONEST))})).is_ok(), "{kind:?}");
    }
}

#[test]
fn an_opaque_token_is_let_through_by_choice_only_and_for_a_short_time() {
    let hop = Hop { opaque: true, ..hop(&HONEST) };
    let judge = |members| hop.judge(answer(&json!({}), merge(json!({"access_token": "0paque"}), members)));
    let narrowed = judge(json!({})).unwrap();
    assert!(narrowed.opaque && narrowed.actors.is_empty());
    assert_eq!((narrowed.scopes, narrowed.expires), (texts("tools:read"), Timestamp::from_secs(NOW + 300)));
    assert_eq!(judge(json!({"scope": "admin"})), Err(Refusal::ScopeWider));
    assert_eq!(judge(json!({"expires_in": 3600})), Err(Refusal::LivesTooLong));
    assert_eq!(judge(json!({"token_type": "N_A"})), Err(Refusal::UsageRefused));
    // A token that can be read is read.
    assert_eq!(hop.with(&HONEST, json!({"sub": "bob"})), Err(Refusal::UserOther));
}

/// capabilities.md 0.31: three agents, one after the other, and `act` is exactly this.
#[test]
fn three_hops_nest_and_narrow() {
    let mut subject = alice("reports:read reports:share rows:read");
    let hops = [
        ("reporting_agent", "reports:read rows:read", 1),
        ("analytics_agent", "reports:read rows:read", 2),
        ("warehouse_agent", "rows:read", 3),
    ];
    for (agent, route, depth) in hops {
        let hop = Hop::new(&HONEST, subject.clone(), agent, route);
        let issued = hop.issue(&HONEST);
        let narrowed = hop.judge(answer(&issued, json!({}))).unwrap();
        assert_eq!(narrowed.scopes, texts(route));
        assert_eq!((narrowed.actors.first().map(String::as_str), narrowed.actors.len()), (Some(agent), depth));
        subject = merge(issued, json!({"aud": GATE}));
    }
    assert_eq!(
        subject["act"],
        json!({"sub": "warehouse_agent", "act": {"sub": "analytics_agent", "act": {"sub": "reporting_agent"}}})
    );
    assert_eq!(subject["sub"], "alice");
}

#[test]
fn chains_have_limits() {
    let long = json!({"sub": "a", "act": {"sub": "b", "act": {"sub": "c", "act": {"sub": "d"}}}});
    let subject = |act: Value| merge(alice("tools:read"), json!({"act": act}));
    let judge = |act: Value, chain: ChainLimits| {
        let hop = Hop { chain, ..Hop::new(&HONEST, subject(act), "planner", "tools:read") };
        hop.with(&HONEST, json!({})).map(|narrowed| narrowed.actors)
    };
    let five = ChainLimits { depth: 5, known: None };
    assert_eq!(judge(long.clone(), ChainLimits::default()), Err(Refusal::ChainTooLong));
    assert_eq!(judge(long.clone(), five.clone()), Ok(texts("planner a b c d")));
    assert_eq!(judge(json!({"sub": "a", "act": {"sub": "planner"}}), five), Err(Refusal::ChainLoop));
    let known = |names| ChainLimits { depth: 5, known: Some(texts(names)) };
    assert_eq!(judge(long.clone(), known("planner a b c")), Err(Refusal::ActorUnknown));
    assert!(judge(long, known("planner a b c d")).is_ok());
    // One name at two issuers is two actors.
    let two = json!({"sub": "planner", "iss": "https://other"});
    assert_eq!(judge(two, ChainLimits::default()), Ok(texts("planner planner")));
    // What the server says of those before must be what the caller's token said.
    let hop = Hop::new(&HONEST, subject(json!({"sub": "a"})), "planner", "tools:read");
    for act in [
        json!({"sub": "planner"}),
        json!({"sub": "planner", "act": {"sub": "b"}}),
        json!({"sub": "planner", "act": {"sub": "a", "iss": "https://other"}}),
    ] {
        assert_eq!(hop.with(&HONEST, json!({"act": act.clone()})), Err(Refusal::ChainOther), "{act}");
    }
    assert!(hop.with(&HONEST, json!({"act": {"sub": "planner", "act": {"sub": "a", "iss": IDP}}})).is_ok());
}

#[test]
fn a_token_may_say_who_acts() {
    let judge =
        |claims: Value, required| may_act(&stated(&merge(alice("a"), claims)), &["planner", "spiffe://x/planner"], required);
    assert_eq!(judge(json!({}), false), Ok(()));
    assert_eq!(judge(json!({}), true), Err(Refusal::MayNotAct));
    for required in [false, true] {
        assert_eq!(judge(json!({"may_act": {"sub": "planner", "iss": IDP}}), required), Ok(()));
        assert_eq!(judge(json!({"may_act": {"sub": "spiffe://x/planner", "client_id": "planner"}}), required), Ok(()));
        for other in [json!({"sub": "other"}), json!({}), json!({"sub": "planner", "client_id": "other"})] {
            assert_eq!(judge(json!({"may_act": other}), required), Err(Refusal::MayNotAct));
        }
    }
}

#[test]
fn a_map_says_which_scopes_stand_for_which() {
    let subject = stated(&alice("user:reader"));
    let map = ScopeMap::new(vec![("user:reader".into(), texts("tools:read tools:list")), ("*".into(), texts("tools:ping"))]);
    let route = texts("tools:read tools:ping tools:write");
    let asked = Askable::new(&route, &subject, &map);
    assert_eq!(asked.scopes(), ["tools:read", "tools:ping"]);
    assert_eq!(asked.missing(&route), ["tools:write"]);
    assert!(Askable::new(&route, &subject, &ScopeMap::default()).scopes().is_empty());
    assert!(Askable::new(&texts("user:reader"), &subject, &map).scopes().is_empty(), "a map says all");
}
