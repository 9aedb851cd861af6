"""What Keycloak's standard token exchange does and does not: the profile `keycloak` relies on it, so it is a test.

What it does *not* check is as important: each of those checks is the plugin's.
"""

import base64
import json
import time

import pytest
from server import ACCESS_TOKEN, ISSUER

JWT = "urn:ietf:params:oauth:token-type:jwt"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
REFRESH_TOKEN = "urn:ietf:params:oauth:token-type:refresh_token"
SAML2 = "urn:ietf:params:oauth:token-type:saml2"


@pytest.fixture(scope="module")
def alice(keycloak) -> str:
    return keycloak.login("alice", "files:read")


def issued(keycloak, client: str, subject: str, **form) -> dict:
    answer = keycloak.exchange(client, subject, **form)
    assert answer.status_code == 200, answer.text
    return keycloak.claims(answer.json()["access_token"])


def test_the_login_is_for_the_agents_and_for_no_tool(keycloak, alice):
    claims = keycloak.claims(alice)
    assert set(claims["aud"]) == {"planner", "researcher", "reviewer", "writer", "assistant", "unprepared"}, claims
    assert (claims["iss"], claims["sub"], claims["azp"]) == (ISSUER, keycloak.user("alice"), "chat-ui")
    assert set(claims["scope"].split()) == {"openid", "files:read", "profile"}


@pytest.mark.parametrize("client", ["planner", "researcher", "writer"])
def test_the_token_is_for_the_audience_and_says_alice_through_the_agent(keycloak, alice, client):
    """With a secret, with `private_key_jwt`, with a JWT-SVID: `azp` is the client that asked, `act` there is none."""
    answer = keycloak.exchange(client, alice, audience="mcp-files", scope="files:read")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["issued_token_type"], said["token_type"]) == (ACCESS_TOKEN, "Bearer")
    assert "refresh_token" not in said and 0 < said["expires_in"] <= 300
    token, before = keycloak.claims(said["access_token"]), keycloak.claims(alice)
    assert (token["sub"], token["azp"], token["aud"], token["sid"]) == (before["sub"], client, "mcp-files", before["sid"])
    assert "act" not in token and "may_act" not in token
    assert set(said["scope"].split()) == set(token["scope"].split()) == {"files:read", "profile"}, "a default scope is always added"
    assert token["preferred_username"] == "alice" and token["typ"] == "Bearer"


def test_the_type_of_the_token_is_not_in_its_header(keycloak, alice):
    said = keycloak.exchange("planner", alice, audience="mcp-files", scope="files:read").json()
    header = said["access_token"].split(".")[0]
    header = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    assert (header["alg"], header["typ"]) == ("RS256", "JWT"), "not `at+jwt`; the claim `typ` says `Bearer`"


def test_scopes_are_not_narrowed_to_those_of_the_subject(keycloak, alice):
    """Alice's login may only read: what comes back may write."""
    assert "files:write" in issued(keycloak, "planner", alice, audience="mcp-files", scope="files:write")["scope"].split()


def test_the_role_of_the_user_decides_where_the_audience_comes_from_roles(keycloak):
    bob = keycloak.login("bob", "files:read")
    answer = keycloak.exchange("planner", bob, audience="mcp-files", scope="files:read")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.json()["error_description"] == "Requested audience not available: mcp-files"


def test_a_scope_that_brings_its_audience_needs_no_role_and_opens_the_tool_to_the_login_itself(keycloak):
    """Hence roles for the tools of the tests at the gate: a login that is good for a tool is what nobody wants."""
    assert issued(keycloak, "planner", keycloak.login("bob"), audience="mcp-wiki", scope="wiki:read")["aud"] == "mcp-wiki"
    assert "mcp-wiki" in keycloak.claims(keycloak.login("bob", "wiki:read"))["aud"]


def test_the_audience_filters_and_scopes_of_others_stay(keycloak, alice):
    token = issued(keycloak, "planner", alice, audience="mcp-files", scope="files:read mail:send")
    assert token["aud"] == "mcp-files"
    assert "mail:send" in token["scope"].split()


def test_two_audiences_are_a_list(keycloak, alice):
    token = issued(keycloak, "planner", alice, audience=["mcp-files", "mcp-mail"], scope="files:read mail:send")
    assert sorted(token["aud"]) == ["mcp-files", "mcp-mail"]


def test_without_an_audience_it_is_for_all_that_the_scopes_and_roles_give(keycloak, alice):
    assert sorted(issued(keycloak, "planner", alice, scope="files:read mail:send")["aud"]) == ["mcp-files", "mcp-mail"]


def test_the_token_may_outlive_the_subject(keycloak, alice):
    """The login ends in a few seconds, what is exchanged for it five minutes later."""
    subject = keycloak.login("alice", "files:read", lives=20)
    assert keycloak.claims(subject)["exp"] - time.time() <= 20
    token = issued(keycloak, "planner", subject, audience="mcp-files", scope="files:read")
    assert token["exp"] > keycloak.claims(subject)["exp"] + 120


def test_an_actor_and_a_resource_are_passed_over_in_silence(keycloak, alice):
    form = {"audience": "mcp-files", "scope": "files:read"}
    actor = keycloak.token("researcher", grant_type="client_credentials").json()["access_token"]
    for more in ({"actor_token": actor, "actor_token_type": ACCESS_TOKEN}, {"actor_token": "garbage", "actor_token_type": ACCESS_TOKEN}, {"resource": "https://mail.example.com/mcp"}):
        token = issued(keycloak, "planner", alice, **form, **more)
        assert (token["aud"], token["azp"]) == ("mcp-files", "planner") and "act" not in token, more


def test_the_second_agent_leaves_no_trace_of_the_first(keycloak, alice):
    first = keycloak.exchange("planner", alice, audience="reviewer", scope="agent:reviewer").json()["access_token"]
    assert keycloak.claims(first)["azp"] == "planner"
    token = issued(keycloak, "reviewer", first, audience="mcp-files", scope="files:read")
    assert (token["azp"], token["sub"]) == ("reviewer", keycloak.user("alice"))
    assert "planner" not in json.dumps(token)


def test_an_agent_may_exchange_its_own_token_again(keycloak, alice):
    own = keycloak.exchange("planner", alice, audience="mcp-mail", scope="mail:send").json()["access_token"]
    assert issued(keycloak, "planner", own, audience="mcp-files", scope="files:read")["aud"] == "mcp-files"


def test_what_may_be_asked_for(keycloak, alice):
    form = {"audience": "mcp-files", "scope": "files:read"}
    assert issued(keycloak, "planner", alice, requested_token_type=ACCESS_TOKEN, **form)["aud"] == "mcp-files"
    id_token = keycloak.exchange("planner", alice, requested_token_type=ID_TOKEN, scope="openid")
    assert (id_token.status_code, id_token.json()["token_type"], id_token.json()["issued_token_type"]) == (200, "N_A", ID_TOKEN)
    for kind in (JWT, REFRESH_TOKEN, SAML2):
        answer = keycloak.exchange("planner", alice, requested_token_type=kind, **form)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request", "error_description": "requested_token_type unsupported"}), kind
    for kind in (JWT, REFRESH_TOKEN, ID_TOKEN):
        answer = keycloak.exchange("planner", alice, subject_token_type=kind, **form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), kind


FORM = {"audience": "mcp-files", "scope": "files:read"}
REFUSED = {
    "unknown audience": ("planner", {"audience": "nowhere"}, 400, "invalid_client", "Audience not found"),
    "unreachable audience": ("planner", {"audience": "mcp-wiki"}, 400, "invalid_request", "Requested audience not available: mcp-wiki"),
    "unknown scope": ("planner", {"scope": "files:shred"}, 400, "invalid_scope", "Invalid scopes: files:shred"),
    "scope of others": ("researcher", {"scope": "mail:send"}, 400, "invalid_scope", "Invalid scopes: mail:send"),
    "not enabled": ("unprepared", {}, 400, "invalid_request", "Standard token exchange is not enabled for the requested client"),
    "public client": ("chat-ui", {}, 400, "invalid_request", "Standard token exchange is not enabled for the requested client"),
    "garbage": ("planner", {"subject_token": "garbage"}, 400, "invalid_request", "Invalid token"),
    "wrong secret": ("planner", {"client_secret": "wrong"}, 401, "unauthorized_client", "Invalid client or Invalid client credentials"),
    "requested subject": ("planner", {"requested_subject": "bob"}, 400, "invalid_request", "Parameter 'requested_subject' is not supported for standard token exchange"),
    "subject issuer": ("planner", {"subject_issuer": "mesh"}, 400, "invalid_request", "Parameter 'subject_issuer' is not supported for standard token exchange"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_how_it_refuses(keycloak, alice, case):
    client, change, status, error, description = REFUSED[case]
    answer = keycloak.exchange(client, alice, **FORM | change) if "subject_token" not in change else keycloak.exchange(client, change["subject_token"], **FORM)
    assert (answer.status_code, answer.json()) == (status, {"error": error, "error_description": description})


def test_who_is_not_in_the_audience_of_the_subject_gets_nothing(keycloak, alice):
    """What a tool was given it cannot pass on; nor can another agent."""
    for_mail = keycloak.exchange("planner", alice, audience="mcp-mail", scope="mail:send").json()["access_token"]
    answer = keycloak.exchange("researcher", for_mail, **FORM)
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert answer.json()["error_description"] == "Client is not within the token audience"


def test_whoever_has_logged_out_or_was_disabled_is_not_exchanged_and_what_was_issued_ends(keycloak):
    subject = keycloak.login("alice", "files:read")
    token = keycloak.exchange("planner", subject, **FORM).json()["access_token"]
    assert keycloak.introspect("mcp-files", token).json()["active"] is True
    alice = keycloak.user("alice")
    keycloak.administer("POST", f"/admin/realms/agents/users/{alice}/logout", {})
    assert keycloak.introspect("mcp-files", token).json() == {"active": False}
    answer = keycloak.exchange("planner", subject, **FORM)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "Invalid token")

    subject = keycloak.login("alice", "files:read")
    token = keycloak.exchange("planner", subject, **FORM).json()["access_token"]
    whole = keycloak.administer("GET", f"/admin/realms/agents/users/{alice}").json()
    keycloak.administer("PUT", f"/admin/realms/agents/users/{alice}", whole | {"enabled": False})
    try:
        assert keycloak.introspect("mcp-files", token).json() == {"active": False}
        assert keycloak.exchange("planner", subject, **FORM).status_code == 400
    finally:
        keycloak.administer("PUT", f"/admin/realms/agents/users/{alice}", whole | {"enabled": True})


def test_a_token_survives_the_revocation_of_its_subject(keycloak):
    """Hence a revocation list of our own: nobody asks Keycloak, and it would say yes."""
    subject = keycloak.login("alice", "files:read")
    token = keycloak.exchange("planner", subject, **FORM).json()["access_token"]
    assert keycloak.revoke("chat-ui", subject).status_code == 200
    assert keycloak.exchange("planner", subject, **FORM).json()["error_description"] == "Invalid token"
    assert keycloak.introspect("mcp-files", token).json()["active"] is True


def test_introspection_is_for_the_audience(keycloak):
    subject = keycloak.login("alice", "files:read")
    token = keycloak.exchange("planner", subject, **FORM).json()["access_token"]
    seen = keycloak.introspect("mcp-files", token).json()
    assert (seen["active"], seen["client_id"], seen["username"]) == (True, "planner", "alice")
    assert keycloak.introspect("mcp-mail", token).json() == {"active": False}
    # It says more than the token, which has one audience: do not take audiences from here.
    assert seen["aud"] == ["mcp-files", "mcp-mail"] and keycloak.claims(token)["aud"] == "mcp-files"
    wrong = keycloak.introspect("mcp-files", "garbage")
    assert (wrong.status_code, wrong.json()) == (200, {"active": False})


def test_every_exchange_is_in_its_event_log(keycloak):
    before = len(keycloak.events("TOKEN_EXCHANGE"))
    keycloak.exchange("planner", keycloak.login("alice"), **FORM)
    assert len(keycloak.events("TOKEN_EXCHANGE")) == before + 1
