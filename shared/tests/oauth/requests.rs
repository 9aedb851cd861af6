//! What is sent, byte for byte (rules.md A.3, A.4).

use wardpoint_core::oauth::{AssertionType, ClientAuth, Exchange, Post, Target, TokenRequest, TokenType, TypedToken};
use wardpoint_core::secret::Secret;

const CLUSTER: ClientAuth<'static> = ClientAuth::Cluster { id: None };
const GRANT: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A";
const TYPE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3A";

fn token(text: &str, kind: TokenType) -> TypedToken<'_> {
    TypedToken { text: Secret::new(text), kind }
}

fn exchange<'a>(target: Target<'a>, scopes: &'a [&'a str]) -> Exchange<'a> {
    Exchange { subject: token("s.u.b", TokenType::AccessToken), actor: None, target, scopes, requested: None }
}

fn form(request: Exchange<'_>) -> String {
    TokenRequest::Exchange(request).post(&CLUSTER).form.as_str().to_owned()
}

#[test]
fn an_exchange_has_its_parameters_and_no_others() {
    let scopes = ["files:read", "files:list"];
    let subject = format!("{GRANT}token-exchange&subject_token=s.u.b&subject_token_type={TYPE}access_token");
    for (target, sent) in [
        (Target::Audience("mcp tools"), "&audience=mcp+tools"),
        (Target::Resource("https://tool.example/mcp"), "&resource=https%3A%2F%2Ftool.example%2Fmcp"),
        (Target::Both { audience: "tool", resource: "urn:tool" }, "&audience=tool&resource=urn%3Atool"),
        (Target::Scopes, ""),
    ] {
        assert_eq!(form(exchange(target, &scopes)), format!("{subject}{sent}&scope=files%3Aread+files%3Alist"));
    }
    let whole = Exchange {
        actor: Some(token("a.c.t", TokenType::Jwt)),
        requested: Some(TokenType::AccessToken),
        ..exchange(Target::Scopes, &[])
    };
    let actor = format!("&actor_token=a.c.t&actor_token_type={TYPE}jwt&requested_token_type={TYPE}access_token");
    assert_eq!(form(whole), format!("{subject}{actor}"));
}

/// rules.md A.3: both steps.
#[test]
fn an_identity_assertion_takes_two_steps() {
    let first = Exchange {
        subject: token("i.d.t", TokenType::IdToken),
        requested: Some(TokenType::IdJag),
        ..exchange(Target::Both { audience: "https://as.example/", resource: "https://mcp.example/mcp" }, &["orders:read"])
    };
    assert_eq!(
        form(first),
        format!(
            "{GRANT}token-exchange&subject_token=i.d.t&subject_token_type={TYPE}id_token&requested_token_type={TYPE}id-jag\
             &audience=https%3A%2F%2Fas.example%2F&resource=https%3A%2F%2Fmcp.example%2Fmcp&scope=orders%3Aread"
        )
    );
    let second = TokenRequest::JwtBearer { assertion: Secret::new("j.a.g"), scopes: &["orders:read"] };
    assert_eq!(second.post(&CLUSTER).form.as_str(), format!("{GRANT}jwt-bearer&assertion=j.a.g&scope=orders%3Aread"));
}

#[test]
fn a_client_asks_for_its_own_token() {
    let form = |scopes| TokenRequest::ClientCredentials { scopes }.post(&ClientAuth::Cluster { id: Some("gate") }).form;
    assert_eq!(form(&["a", "b"]).as_str(), "grant_type=client_credentials&scope=a+b&client_id=gate");
    assert_eq!(form(&[]).as_str(), "grant_type=client_credentials&client_id=gate");
    let approval = TokenRequest::Approval { id: Secret::new("a.b_c") }.post(&CLUSTER);
    assert_eq!(approval.form.as_str(), "grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id=a.b_c");
}

/// rules.md A.4.
#[test]
fn entra_has_a_form_of_its_own() {
    let request = TokenRequest::OnBehalfOf { assertion: Secret::new("u.s.r"), scopes: &["api://orders/.default"] };
    let client = ClientAuth::Assertion { id: Some("gate"), kind: AssertionType::JwtBearer, text: Secret::new("c.l.i") };
    assert_eq!(
        request.post(&client).form.as_str(),
        format!(
            "{GRANT}jwt-bearer&assertion=u.s.r&scope=api%3A%2F%2Forders%2F.default&requested_token_use=on_behalf_of\
             &client_id=gate&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=c.l.i"
        )
    );
}

#[test]
fn a_request_goes_where_the_configuration_says() {
    let client = ClientAuth::Basic { id: "gate", secret: Secret::new("canary") };
    let post: Post = TokenRequest::Exchange(exchange(Target::Audience("a"), &["b"])).post(&client);
    assert!(!format!("{post:?} {:?} {client:?}", post.form).contains("s.u.b"), "a token shows");
    let (headers, body) = post.into_request("idp.example", "/token");
    let headers: Vec<(String, String)> = headers.into_iter().map(|(n, v)| (n, String::from_utf8(v).unwrap())).collect();
    let want = [
        (":method", "POST"),
        (":authority", "idp.example"),
        (":path", "/token"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
        ("authorization", "Basic Z2F0ZTpjYW5hcnk="),
    ];
    assert_eq!(headers, want.map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert!(!String::from_utf8(body).unwrap().contains("client"), "the secret is sent once");
}
