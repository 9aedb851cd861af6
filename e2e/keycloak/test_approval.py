"""Alice is away: before anything is shredded she is asked on her phone (CIBA), and the agent hears nothing but pending, approved, denied."""

import json
import secrets
import time

import httpx2
import pytest
from gate import refused, secret_of, shown
from stand_ins import Vault
from test_secrets import wait_for

KEY = secrets.token_hex(32)
WITHIN = 20.0
# What she approves may write, which her login may not; and it is for whoever asked her.
OUTGOING = {"token": "outgoing", "scopes": ["approved", "files:write"], "audiences": ["planner"]}


@pytest.fixture
def start_asking(start_gate):
    return lambda: start_gate(clients=[secret_of("planner")], secrets={"TICKET_KEY": KEY}, approval={}, workers=1)


def shred(gate, alice: str, file: str, ticket: str | None = None, agent: str = "planner") -> httpx2.Response:
    headers = {"wardpoint-approval": ticket} if ticket else {}
    return gate.ask(agent, alice, name="shred", file=file, headers=headers)


def pending(answer: httpx2.Response) -> str:
    """What the agent comes back with."""
    assert refused(answer)[1] == "approval_pending", answer.text
    assert int(answer.headers["retry-after"]) >= 1
    return answer.json()["error"]["data"]["ticket"]


def becomes(ask, settled) -> httpx2.Response:
    """Comes back when it was told to, until it is not pending any more."""
    deadline = time.monotonic() + WITHIN
    while (answer := ask()).status_code != 200 and refused(answer)[1] == "approval_pending":
        assert time.monotonic() < deadline, answer.text
        time.sleep(int(answer.headers["retry-after"]))
    assert settled(answer), answer.text
    return answer


def test_what_was_approved_passes_once_it_was_and_nothing_else_does(start_asking, mesh, keycloak):
    gate, alice = start_asking(), keycloak.login("alice", "files:read")
    before, asked = len(mesh.tools["mcp-files"].requests()), len(keycloak.phones.messages())
    ticket = pending(shred(gate, alice, "old"))
    pending(shred(gate, alice, "old", ticket))
    assert len(mesh.tools["mcp-files"].requests()) == before
    (message,) = keycloak.phones.messages()[asked:]
    assert len(message) <= 50 and keycloak.phones.shown(message)["login_hint"] == "alice"
    keycloak.press(message, "SUCCEED")
    answer = becomes(lambda: shred(gate, alice, "old", ticket), lambda answer: answer.status_code == 200)
    assert answer.json()["result"]["content"][0]["text"] == "shredded old"
    # Another file is another question, ticket or not; and what needs no approval needs none.
    assert shred(gate, alice, "new", ticket).status_code != 200
    shown(gate.ask("planner", alice))
    text = json.dumps(mesh.tools["mcp-files"].requests()[before:])
    assert ticket not in text and "wardpoint-approval" not in text


@pytest.mark.parametrize("button", ["UNAUTHORIZED", "CANCELLED"])
def test_no_is_no(start_asking, mesh, keycloak, button):
    gate, alice = start_asking(), keycloak.login("alice", "files:read")
    before, asked = len(mesh.tools["mcp-files"].requests()), len(keycloak.phones.messages())
    ticket = pending(shred(gate, alice, f"never {button}"))
    keycloak.press(keycloak.phones.messages()[asked], button)
    becomes(lambda: shred(gate, alice, f"never {button}", ticket), lambda answer: refused(answer) == (403, "approval_denied"))
    assert len(mesh.tools["mcp-files"].requests()) == before


def test_another_replica_goes_on_with_the_ticket(start_asking, keycloak):
    first, second, alice = start_asking(), start_asking(), keycloak.login("alice", "files:read")
    asked = len(keycloak.phones.messages())
    ticket = pending(shred(first, alice, "there"))
    pending(shred(second, alice, "there", ticket))
    (message,) = keycloak.phones.messages()[asked:]
    keycloak.press(message, "SUCCEED")
    becomes(lambda: shred(second, alice, "there", ticket), lambda answer: answer.status_code == 200)
    assert keycloak.phones.messages()[asked:] == [message], "she was asked once"


def test_without_a_phone_nobody_approves(start_asking, mesh, keycloak):
    gate, alice = start_asking(), keycloak.login("alice", "files:read")
    before = len(mesh.tools["mcp-files"].requests())
    keycloak.phones.stop()
    try:
        answer = shred(gate, alice, "unasked")
        assert refused(answer) == (503, "approval_unavailable") and "retry-after" in answer.headers
    finally:
        keycloak.phones.start()
    assert len(mesh.tools["mcp-files"].requests()) == before


def scopes(claims: dict) -> set[str]:
    return set(claims["scope"].split())


def approved(gate, keycloak, alice: str, file: str) -> httpx2.Response:
    """What becomes of a call that she approves."""
    asked = len(keycloak.phones.messages())
    ticket = pending(shred(gate, alice, file))
    keycloak.press(keycloak.phones.messages()[asked], "SUCCEED")
    return becomes(lambda: shred(gate, alice, file, ticket), lambda answer: answer.status_code == 200)


def test_the_token_of_the_approval_is_the_one_that_goes_to_the_tool(start_gate, mesh, keycloak):
    """Without an exchange behind it: as the server gave it, with the one call that she approved, and nowhere else."""
    gate = start_gate(clients=[secret_of("planner")], secrets={"TICKET_KEY": KEY}, approval=OUTGOING, exchange=False, workers=1)
    alice, tool = keycloak.login("alice", "files:read"), mesh.tools["mcp-files"]
    before = {name: len(each.requests()) for name, each in mesh.tools.items()}
    assert approved(gate, keycloak, alice, "for good").json()["result"]["content"][0]["text"] == "shredded for good"
    token = tool.token()
    claims = keycloak.claims(token)
    assert (claims["sub"], claims["azp"]) == (keycloak.user("alice"), "planner") and {"planner", "mcp-files"} <= set(claims["aud"])
    assert "files:write" in scopes(claims) and "files:write" not in scopes(keycloak.claims(alice))
    # The same call once more is another question, and she is asked it: nothing of the first answer is left.
    pending(shred(gate, alice, "for good"))
    came = [headers for name, each in mesh.tools.items() for headers in each.requests()[before[name] :]]
    assert [headers["authorization"] for headers in came] == [f"Bearer {token}"]
    assert keycloak.introspect("mcp-files", token).json()["active"] is True, "it was not used up: nobody has used it again"
    gate.stop()
    assert gate.has_written("for good") is False and not any(gate.has_written(part) for part in token.split(".")[1:])


def test_the_token_of_the_approval_is_exchanged_for_the_one_call(start_gate, mesh, keycloak):
    """What the tool is shown is made of it. It goes to the token service, once, and calls before and after it go with her login."""
    gate = start_gate(clients=[secret_of("planner")], secrets={"TICKET_KEY": KEY}, approval=OUTGOING, proves="both", workers=1)
    alice, tool, came = keycloak.login("alice", "files:read"), mesh.tools["mcp-files"], {name: len(each.requests()) for name, each in mesh.tools.items()}
    first = shown(gate.ask("planner", alice))
    approved(gate, keycloak, alice, "exchanged")
    claims = keycloak.claims(tool.token())
    last = shown(gate.ask("planner", alice))
    login, of_the_approval = gate.line.subjects
    assert login == alice and of_the_approval != alice
    said = keycloak.claims(of_the_approval)
    assert (said["sub"], said["azp"]) == (keycloak.user("alice"), "planner") and "files:write" in scopes(said)
    assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), "planner", "mcp-files")
    assert scopes(claims) == {"files:write", "profile"} and claims["sid"] == said["sid"]
    assert scopes(first) == {"files:read", "profile"} and last["jti"] == first["jti"], "the login's own token is kept beside it"
    pending(shred(gate, alice, "exchanged"))
    assert len(gate.line.subjects) == 2, "and the one of the approval is for no other call"
    text = json.dumps([headers for name, each in mesh.tools.items() for headers in each.requests()[came[name] :]])
    gate.stop()
    for part in of_the_approval.split(".")[1:]:
        assert part not in text and not gate.has_written(part)


def test_who_asks_her_and_what_seals_come_by_callout(start_gate, keycloak):
    """The secret of the client and the keys of tickets change while she thinks. Nothing is started again, and she is asked once."""
    vault = Vault(keycloak.secrets["PLANNER_SECRET"])
    vault.keys = {"first": secrets.token_urlsafe(32)}
    keycloak.secrets |= {"FIRST_KEY": vault.keys["first"], "SECOND_KEY": secrets.token_urlsafe(32)}
    fetched = {"cluster": "bridge", "authority": "vault.local"}
    client = {"id": "planner", "method": "client_secret_basic", "secret": {"fetch": fetched | {"path": "/planner"}}}
    approval = {"client": client, "tickets": None, "ticketsFrom": fetched | {"path": "/keys"}}
    # Who asks her is the planner's client, whose secret changes; the tool's token is that of another.
    options = {"clients": [secret_of("reviewer")], "bridge": vault, "approval": approval, "workers": 1}
    try:
        gate, alice, asked = start_gate(**options), keycloak.login("alice", "files:read"), len(keycloak.phones.messages())
        ask = lambda of: shred(of, alice, "sealed", ticket, "reviewer")  # noqa: E731
        ticket = pending(shred(gate, alice, "sealed", agent="reviewer"))
        assert ticket.startswith("1.first.")
        with keycloak.another_secret("planner") as another:
            vault.secret, vault.keys = another, {"second": keycloak.secrets["SECOND_KEY"]} | vault.keys
            time.sleep(1.2)
            assert refused(ask(gate)) == (503, "approval_unavailable"), "Keycloak takes the new secret alone"
            # A replica that starts now seals with the new key, and opens what the old one has sealed.
            second = start_gate(**options)
            assert pending(ask(second)).startswith("1.second.")
            (message,) = keycloak.phones.messages()[asked:]
            # The first one has not heard of the new key. It fetches that when it is brought what was sealed with it.
            ticket = pending(ask(second))
            assert ticket.startswith("1.second.")
            wait_for(lambda: refused(back(lambda: ask(gate)))[1] == "approval_pending", WITHIN, "the new key comes when it is missed")
            keycloak.press(message, "SUCCEED")
            becomes(lambda: back(lambda: ask(gate)), lambda answer: answer.status_code == 200)
        assert sum(gate.stats("mcp-authz-approval.secrets.missed").values()) > 0
    finally:
        vault.stop()


def back(ask) -> httpx2.Response:
    """Comes back while nobody can be asked."""
    deadline = time.monotonic() + WITHIN
    while (answer := ask()).status_code == 503:
        assert time.monotonic() < deadline, answer.text
        time.sleep(int(answer.headers["retry-after"]))
    return answer
