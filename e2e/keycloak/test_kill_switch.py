"""An agent or a user is suspended: within the stated time nothing of it passes, tokens that are kept included. Keycloak would say yes."""

import time

import pytest
from gate import REVOCATION, refused, secret_of, shown

# `poll`, one fetch, two ticks of the plugin; and a machine that does something else, too.
T = 8.0


@pytest.fixture
def gate(start_gate, suspended):
    return start_gate(clients=[secret_of("planner"), secret_of("reviewer")], suspended=suspended)


def becomes(gate, agent: str, token: str, want: int, within: float = T + 4) -> float:
    """How long it takes until every worker says so."""
    started, in_a_row = time.monotonic(), 0
    # A worker that is a little later than the others must not be missed: which one answers is chance.
    while in_a_row < 20:
        in_a_row = in_a_row + 1 if gate.ask(agent, token).status_code == want else 0
        assert time.monotonic() - started < within, f"no {want} within {within:.0f} s"
    return time.monotonic() - started


@pytest.mark.parametrize("who", ["agent", "client", "user", "token", "issuedBefore"])
def test_what_is_suspended_does_not_pass_and_what_is_not_does(gate, suspended, keycloak, who):
    alice, bystander = keycloak.login("alice", "files:read"), keycloak.login("alice", "files:read")
    shown(gate.ask("planner", alice))
    time.sleep(1.1)
    entry = {
        "agent": {"agent": "spiffe://cluster.local/ns/agents/sa/planner"},
        "client": {"client": "planner"},
        "user": {"user": keycloak.user("alice")},
        "token": {"token": keycloak.claims(alice)["jti"]},
        "issuedBefore": {"issuer": "https://idp.example.com/realms/agents", "issuedBefore": int(time.time())},
    }[who]
    suspended.now(entry)
    assert becomes(gate, "planner", alice, 401) < T
    assert refused(gate.ask("planner", alice)) == (401, "revoked")
    # The very token that was issued for it is still good at the tool: it is the gate that stands in between.
    if who in ("agent", "client"):
        assert shown(gate.ask("reviewer", alice))["azp"] == "reviewer"
    if who == "token":
        shown(gate.ask("planner", bystander))
    if who == "issuedBefore":
        shown(gate.ask("planner", keycloak.login("alice", "files:read")))
    suspended.now()
    becomes(gate, "planner", alice, 200)


def test_without_a_list_nothing_passes_after_a_while(gate, suspended, keycloak):
    alice = keycloak.login("alice", "files:read")
    shown(gate.ask("planner", alice))
    suspended.stop()
    shown(gate.ask("planner", alice))
    time.sleep(float(REVOCATION["within"].removesuffix("s")))
    becomes(gate, "planner", alice, 503)
    assert refused(gate.ask("planner", alice)) == (503, "revocation_unknown")
    suspended.start()
    # A fetch that fails is repeated later each time.
    becomes(gate, "planner", alice, 200, within=90)


def test_the_issuer_is_asked_whether_a_login_still_holds(start_gate, keycloak):
    """Introspection (RFC 7662) in the place of a list: what Keycloak has revoked ends within `cache`, the token that was kept for it too."""
    client = {"id": "planner", "method": "client_secret_basic", "secret": {"env": "PLANNER_SECRET"}}
    endpoint = {"cluster": "keys", "authority": "idp.example.com", "path": "/realms/agents/protocol/openid-connect/token/introspect"}
    gate = start_gate(clients=[secret_of("planner")], proves="token-exchange", introspects={"endpoint": endpoint, "client": client, "cache": "2s"})
    alice, bystander = keycloak.login("alice", "files:read"), keycloak.login("alice", "files:read")
    for login in (alice, bystander):
        shown(gate.ask("planner", login))
    assert keycloak.revoke("chat-ui", alice).status_code == 200
    assert becomes(gate, "planner", alice, 401) < T
    assert refused(gate.ask("planner", alice)) == (401, "revoked")
    shown(gate.ask("planner", bystander))
    assert all(sum(gate.stats(f"introspection.{said}").values()) > 0 for said in ("active", "inactive"))
