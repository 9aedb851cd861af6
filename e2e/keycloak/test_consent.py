"""Alice is there, and has never agreed to what the agent wants: a real browser, Keycloak's own page, the bootstrap of `examples/consent`."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2
import pytest
from gate import refused, shown
from server import ORIGIN
from shipped import IDP, FrontDoor, Shipped, browse
from stand_ins import Notices

CALLS, DOOR, TOOL, PORTAL = 8443, 9443, 8000, 8010
HOST = "files.tools.example"
WITHIN = 30.0


class Place:
    """The example between an agent, a tool and Keycloak."""

    def __init__(self, stack: ExitStack, mesh, keycloak) -> None:
        self.keycloak, self.notices, self.front = keycloak, Notices(), FrontDoor(mesh, keycloak)
        stack.callback(self.notices.stop)
        stack.callback(self.front.stop)
        changes = {
            f"port_value: {TOOL}": f"port_value: {mesh.tools['mcp-files'].port}",
            f"port_value: {PORTAL}": f"port_value: {self.notices.port}",
            "/etc/envoy/agents.pem": str(mesh.authority.path),
            "agents-gate": "assistant",
            "sa/planner": "sa/assistant",
            '"planner"': '"assistant"',
            '"audience": "files"': '"audience": "mcp-files"',
            '"retryAfter": "5s"': '"retryAfter": "1s"',
        }
        env = {"PLANNER_SECRET": keycloak.secrets["ASSISTANT_SECRET"], "CONSENT_KEY": "0f" * 16 + "1e" * 16}
        self.gate = Shipped(mesh, self.front, "consent", [CALLS, DOOR], changes, env)
        stack.callback(self.gate.stop)

    def ask(self, token: str, ticket: str | None = None) -> httpx2.Response:
        return self.gate.ask(CALLS, "assistant", token, HOST, ticket)

    def open(self, url: str, *steps: dict) -> list[dict]:
        """Somebody opens a link in a browser."""
        return browse({IDP: self.front.port, "gate.example.com": self.gate.ports[DOOR]}, {"do": "go", "url": url}, *steps)

    def log_in(self, user: str) -> dict:
        return {"do": "log in", "user": user, "password": self.keycloak.secrets[f"{user.upper()}_PASSWORD"]}


@pytest.fixture
def place(mesh, keycloak) -> Iterator[Place]:
    keycloak.forget_consents("alice")
    with ExitStack() as stack:
        yield Place(stack, mesh, keycloak)


def pending(answer: httpx2.Response) -> str:
    """What the agent comes back with, and all that it hears."""
    assert refused(answer) == (403, "consent_pending"), answer.text
    error = answer.json()["error"]
    assert set(error["data"]) == {"reason", "decisionId", "retryAfter", "ticket"} and int(answer.headers["retry-after"]) >= 1
    assert "idp.example.com" not in answer.text and "http" not in answer.text
    return error["data"]["ticket"]


def becomes(ask, reason: str | None) -> httpx2.Response:
    """Comes back until it is not pending any more."""
    deadline = time.monotonic() + WITHIN
    while (answer := ask()).status_code == 403 and refused(answer)[1] == "consent_pending":
        assert time.monotonic() < deadline, answer.text
        time.sleep(int(answer.headers["retry-after"]))
    assert (answer.status_code == 200) if reason is None else (refused(answer)[1] == reason), answer.text
    return answer


def test_she_agrees_in_her_browser_and_the_same_call_succeeds(place, mesh, keycloak):
    alice, before = keycloak.login("alice", "files:read"), len(mesh.tools["mcp-files"].requests())
    ticket = pending(place.ask(alice))
    (notice,) = place.notices.got()
    assert (notice["user"], notice["agent"], notice["client"]) == (keycloak.user("alice"), "spiffe://cluster.local/ns/agents/sa/assistant", "assistant")
    assert notice["scopes"] == ["files:read"] and notice["url"].startswith(f"{ORIGIN}/realms/agents/protocol/openid-connect/auth?")
    for brought in (ticket, None):
        pending(place.ask(alice, brought))
    assert place.notices.got() == [notice], "she is told once"
    (told,) = place.gate.records(lambda record: "consent" in (record.get("exchange") or {}))
    assert (told["exchange"]["consent"]["id"], told["exchange"]["consent"]["url"]) == (notice["id"], notice["url"])
    asked, consent, back = place.open(notice["url"], place.log_in("alice"), {"do": "press", "name": "accept"})
    assert asked["url"].startswith(ORIGIN) and "files:read" in consent["text"], consent
    assert back["url"].startswith("https://gate.example.com/consent?") and "Thank you" in back["text"], back
    assert len(mesh.tools["mcp-files"].requests()) == before, "until now nothing has reached the tool"
    claims = shown(becomes(lambda: place.ask(alice, ticket), None))
    assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), "assistant", "mcp-files")
    assert ticket not in json.dumps(mesh.tools["mcp-files"].requests()[before:])
    (agreed,) = place.gate.records(lambda record: record["action"] == "consent.agreed")
    assert agreed["resource"] == {"consent": notice["id"]}
    # The code that her browser brought back is of no use to whoever has read it.
    code = dict(pair.split("=", 1) for pair in back["url"].split("?", 1)[1].split("&"))["code"]
    redeemed = keycloak.token("assistant", grant_type="authorization_code", code=code, redirect_uri="https://gate.example.com/consent")
    assert redeemed.status_code == 400, redeemed.text
    assert place.notices.got() == [notice]


def test_she_refuses_and_the_agent_is_blocked(place, mesh, keycloak):
    alice, before = keycloak.login("alice", "files:read"), len(mesh.tools["mcp-files"].requests())
    ticket = pending(place.ask(alice))
    (notice,) = place.notices.got()
    *_, back = place.open(notice["url"], place.log_in("alice"), {"do": "press", "name": "cancel"})
    assert "error=access_denied" in back["url"] and "You have refused" in back["text"], back
    for brought in (ticket, None):
        answer = becomes(lambda brought=brought: place.ask(alice, brought), "consent_blocked")
        assert "ticket" not in answer.json()["error"]["data"] and "retry-after" not in answer.headers
    assert len(mesh.tools["mcp-files"].requests()) == before and len(place.notices.got()) == 1


def test_somebody_else_who_opens_the_link_agrees_for_himself_only(place, mesh, keycloak):
    alice, before = keycloak.login("alice", "files:read"), len(mesh.tools["mcp-files"].requests())
    ticket = pending(place.ask(alice))
    (notice,) = place.notices.got()
    place.open(notice["url"], place.log_in("bob"), {"do": "press", "name": "accept"})
    pending(place.ask(alice, ticket))
    assert len(mesh.tools["mcp-files"].requests()) == before
