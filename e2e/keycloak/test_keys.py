"""The plugin verifies Alice's login itself, with the keys that Keycloak publishes; no `jwt_authn` in front."""

import base64
import json
import threading
import time

import jwt
import pytest
from gate import refused, secret_of, shown
from stand_ins import SigningKey


@pytest.fixture
def gate(start_gate):
    return start_gate(clients=[secret_of("planner"), secret_of("reviewer")], proves="token-exchange")


def test_the_tool_is_shown_the_same_as_behind_jwt_authn(gate, keycloak):
    alice = keycloak.login("alice", "files:read")
    for agent in ("planner", "reviewer"):
        claims = shown(gate.ask(agent, alice))
        assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), agent, "mcp-files")
    assert sum(gate.stats("keys.host_verifies.rsa").values()) > 0, "Envoy's own check of signatures is what is used"


def test_what_keycloak_did_not_sign_is_challenged(gate, keycloak):
    head, claims, signature = keycloak.login("alice", "files:read").split(".")
    mallory = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))) | {"sub": "mallory"}
    forged = base64.urlsafe_b64encode(json.dumps(mallory).encode()).decode().rstrip("=")
    unsigned = jwt.encode(mallory, None, "none", headers={"typ": "JWT"})
    with_its_public_key = jwt.encode(mallory, "a secret of thirty-two bytes or more", "HS256", headers={"kid": jwt.get_unverified_header(f"{head}.{claims}.{signature}")["kid"]})
    for token in (f"{head}.{forged}.{signature}", f"{head}.{claims}.{signature[:-8]}AAAAAAAA", unsigned, with_its_public_key, "garbage"):
        answer = gate.ask("planner", token)
        assert answer.status_code == 401 and "www-authenticate" in answer.headers, answer.text
    assert gate.line.count == 0


def test_other_tokens_of_keycloak_are_not_logins(gate, keycloak):
    """An ID token, a refresh token, a token for a tool: each signed by the same server."""
    answer = keycloak.token("chat-ui", grant_type="password", username="alice", password=keycloak.secrets["ALICE_PASSWORD"], scope="openid files:read").json()
    for_agent = keycloak.exchange("planner", answer["access_token"], requested_token_type="urn:ietf:params:oauth:token-type:id_token", scope="openid")
    for_tool = keycloak.exchange("planner", answer["access_token"], audience="mcp-files", scope="files:read")
    for token in (answer["id_token"], answer["refresh_token"], for_agent.json()["access_token"], for_tool.json()["access_token"]):
        assert gate.ask("planner", token).status_code in (401, 403)
    assert gate.line.count == 0


@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
def test_a_login_that_is_bound_to_a_key_is_refused(gate, keycloak, scheme):
    """Who shows it must prove the key at every hop, and the gate has no key of Alice's: it says so, and asks nobody."""
    key, before = SigningKey("alice's"), gate.line.count
    alice = keycloak.login("alice", "files:read", bound_to=key)
    assert keycloak.claims(alice)["cnf"]["jkt"]
    answer = gate.ask("planner", alice, scheme=scheme)
    assert refused(answer) == (401, "sender_constrained") and gate.line.count == before


def test_keys_change_under_traffic(gate, keycloak):
    """Who logged in before and who logs in after: nobody is refused, though the gate never saw the new key before."""
    before = keycloak.login("alice", "files:read")
    shown(gate.ask("planner", before))  # From here on it has the keys of now.
    stop, seen = threading.Event(), []

    def traffic() -> None:
        while not stop.is_set():
            seen.append(gate.ask("planner", before).status_code)

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        time.sleep(1.5)
        with keycloak.another_key():
            after = keycloak.login("alice", "files:read")
            assert jwt.get_unverified_header(after)["kid"] != jwt.get_unverified_header(before)["kid"]
            for agent in ("planner", "reviewer"):
                assert shown(gate.ask(agent, after))["azp"] == agent
    finally:
        stop.set()
        thread.join()
    assert seen and set(seen) == {200}, seen


def test_a_key_that_nobody_knows_is_looked_for_once(gate, keycloak):
    """Forged key names do not make the gate ask Keycloak again and again, but once in a second (`coolDown`)."""
    started = time.monotonic()
    shown(gate.ask("planner", keycloak.login("alice", "files:read")))
    _, claims, signature = keycloak.login("alice", "files:read").split(".")
    for number in range(20):
        head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "typ": "JWT", "kid": f"nobody-{number}"}).encode()).decode().rstrip("=")
        assert refused(gate.ask("planner", f"{head}.{claims}.{signature}"))[0] == 401
    assert sum(gate.stats("token-exchange.keys.missed").values()) <= time.monotonic() - started, gate.stats("token-exchange.keys")
