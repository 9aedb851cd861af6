"""Alice is away: before anything is shredded she is asked on her phone (CIBA), and the agent hears nothing but pending, approved, denied."""

import json
import secrets
import time

import httpx2
import pytest
from gate import refused, secret_of, shown

KEY = secrets.token_hex(32)
WITHIN = 20.0


@pytest.fixture
def start_asking(start_gate):
    return lambda: start_gate(clients=[secret_of("planner")], secrets={"TICKET_KEY": KEY}, approval=True, workers=1)


def shred(gate, alice: str, file: str, ticket: str | None = None) -> httpx2.Response:
    headers = {"wardpoint-approval": ticket} if ticket else {}
    return gate.ask("planner", alice, name="shred", file=file, headers=headers)


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
