"""How an agent's client proves who it is: what Keycloak takes, and what it refuses."""

import time

import pytest
from server import ISSUER, JWT_BEARER, JWT_SPIFFE, ORIGIN, TOKEN_PATH
from stand_ins import TRUST_DOMAIN, SigningKey

WRITER = f"{TRUST_DOMAIN}/ns/agents/sa/writer"


def ask(keycloak, kind: str, assertion: str, **more):
    return keycloak.ask({"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion, **more})


def refusal(answer) -> tuple[int, str, str | None]:
    said = answer.json()
    return answer.status_code, said["error"], said.get("error_description")


@pytest.mark.parametrize("audience", [ISSUER, ORIGIN + TOKEN_PATH], ids=["issuer", "token endpoint"])
def test_an_assertion_is_for_the_issuer_or_the_token_endpoint(keycloak, audience):
    assert ask(keycloak, JWT_BEARER, keycloak.researcher.assertion("researcher", audience)).status_code == 200


def test_an_assertion_has_one_audience_and_is_used_once(keycloak):
    sign = keycloak.researcher.assertion
    assert refusal(ask(keycloak, JWT_BEARER, sign("researcher", [ISSUER, "https://other.example.com"])))[:2] == (400, "invalid_client")
    assert refusal(ask(keycloak, JWT_BEARER, sign("researcher", "https://other.example.com")))[:2] == (400, "invalid_client")
    once = sign("researcher", ISSUER)
    assert ask(keycloak, JWT_BEARER, once).status_code == 200
    assert refusal(ask(keycloak, JWT_BEARER, once)) == (400, "invalid_client", "Token reuse detected")


def test_an_assertion_of_another_time_or_another_key_is_refused(keycloak):
    assert refusal(ask(keycloak, JWT_BEARER, keycloak.researcher.assertion("researcher", ISSUER, lives=-60)))[:2] == (400, "invalid_client")
    another = SigningKey(keycloak.researcher.kid).assertion("researcher", ISSUER)
    assert refusal(ask(keycloak, JWT_BEARER, another))[1] in ("invalid_client", "unauthorized_client")
    # It is the server that is lenient here: an hour ahead is taken.
    assert ask(keycloak, JWT_BEARER, keycloak.researcher.assertion("researcher", ISSUER, lives=3600)).status_code == 200


def test_an_svid_says_who_the_workload_is(keycloak):
    """No `client_id`, no secret: the SPIFFE id in the SVID is the client's. It may be used again."""
    svid = keycloak.spire.svid(WRITER, ISSUER)
    for _ in range(2):
        answer = ask(keycloak, JWT_SPIFFE, svid)
        assert answer.status_code == 200, answer.text
        assert keycloak.claims(answer.json()["access_token"])["azp"] == "writer"
    assert ask(keycloak, JWT_SPIFFE, svid, client_id="writer").status_code == 200


def test_an_svid_is_for_the_issuer_only(keycloak):
    for audience in (ORIGIN + TOKEN_PATH, "https://other.example.com"):
        assert refusal(ask(keycloak, JWT_SPIFFE, keycloak.spire.svid(WRITER, audience))) == (400, "invalid_client", "Invalid token audience")


@pytest.mark.parametrize(
    ("workload", "kind"),
    [(f"{TRUST_DOMAIN}/ns/agents/sa/nobody", JWT_SPIFFE), ("spiffe://other.example.com/ns/agents/sa/writer", JWT_SPIFFE), (WRITER, JWT_BEARER)],
    ids=["unknown workload", "another trust domain", "as another kind of assertion"],
)
def test_an_svid_of_somebody_else_is_refused(keycloak, workload, kind):
    assert refusal(ask(keycloak, kind, keycloak.spire.svid(workload, ISSUER)))[:2] == (401, "invalid_client")


def test_an_svid_that_has_ended_or_of_a_key_that_is_not_in_the_bundle_is_refused(keycloak):
    assert ask(keycloak, JWT_SPIFFE, keycloak.spire.svid(WRITER, ISSUER, lives=-60)).status_code >= 400
    forged = SigningKey(keycloak.spire.keys[0].kid).sign({"sub": WRITER, "aud": [ISSUER], "exp": int(time.time()) + 300})
    assert ask(keycloak, JWT_SPIFFE, forged).status_code >= 400


def test_when_the_mesh_rotates_its_key_the_bundle_is_read_again(keycloak):
    old = keycloak.spire.svid(WRITER, ISSUER)
    assert ask(keycloak, JWT_SPIFFE, old).status_code == 200
    asked = keycloak.spire.asked
    keycloak.spire.rotate()
    deadline = time.monotonic() + 40
    # A key that it does not know makes it look again, but not more often than its own limit.
    while (answer := ask(keycloak, JWT_SPIFFE, keycloak.spire.svid(WRITER, ISSUER))).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.5)
    assert keycloak.spire.asked > asked
    assert ask(keycloak, JWT_SPIFFE, old).status_code == 200, "the key before is still in the bundle"
