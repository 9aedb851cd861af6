"""Alice comes with a browser: Envoy's own login, the bootstrap of `examples/browser-login`; the app is shown a token for itself."""

import base64
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2
import pytest
from gate import HEADERS, call
from server import ORIGIN
from shipped import IDP, FrontDoor, Shipped, browse

GATE, APP = 8443, 8000
HOST = "app.example.com"
POST = {"do": "post", "path": "/mcp", "headers": HEADERS | {"content-type": "application/json"}, "body": call("who")}


@pytest.fixture(scope="module")
def place(mesh, keycloak) -> Iterator[tuple[FrontDoor, Shipped]]:
    changes = {
        f"port_value: {APP}": f"port_value: {mesh.tools['mcp-files'].port}",
        "audiences: [portal]": "audiences: [planner]",
        '"portal"': '"planner"',
        '"audience": "app"': '"audience": "mcp-files"',
    }
    env = {"WEB_SECRET": keycloak.secrets["WEB_SECRET"], "PORTAL_SECRET": keycloak.secrets["PLANNER_SECRET"], "COOKIE_SECRET": "3c" * 32}
    with ExitStack() as stack:
        front = FrontDoor(mesh, keycloak)
        stack.callback(front.stop)
        gate = Shipped(mesh, front, "browser-login", [GATE], changes, env)
        stack.callback(gate.stop)
        yield front, gate


def tokens(headers: dict[str, str]) -> list[dict]:
    """The claims of all tokens that are anywhere in a request."""
    found = re.findall(r"eyJ[\w-]+\.(eyJ[\w-]+)\.[\w-]+", json.dumps(headers))
    return [json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))) for claims in found]


def test_she_logs_in_and_the_app_is_shown_a_token_for_itself(place, mesh, keycloak):
    (front, gate), tool = place, mesh.tools["mcp-files"]
    before = len(tool.requests())
    at = {IDP: front.port, HOST: gate.ports[GATE]}
    log_in = {"do": "log in", "user": "alice", "password": keycloak.secrets["ALICE_PASSWORD"]}
    page, back, answer = browse(at, {"do": "go", "url": f"https://{HOST}/mcp"}, log_in, POST)
    assert page["url"].startswith(f"{ORIGIN}/realms/agents/protocol/openid-connect/auth?") and "code_challenge=" in page["url"], page
    assert back["url"] == f"https://{HOST}/mcp", back
    assert back["cookies"] and all(cookie["httpOnly"] and cookie["secure"] for cookie in back["cookies"]), back
    assert answer["status"] == 200, answer
    claims = json.loads(json.loads(answer["text"])["result"]["content"][0]["text"])
    assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), "planner", "mcp-files")
    assert set(claims["scope"].split()) == {"files:read", "profile"}
    seen = tool.requests()[before:]
    assert seen and all("cookie" not in headers for headers in seen)
    assert {(token["azp"], token["aud"]) for headers in seen for token in tokens(headers)} == {("planner", "mcp-files")}
    # What the app was shown is of no use elsewhere.
    assert tool.ask(tool.token()).status_code == 200, "the control"
    assert mesh.tools["mcp-mail"].ask(tool.token()).status_code == 401
    (allowed, *_) = gate.records(lambda record: record["decision"] == "allow")
    assert (allowed["agent"], allowed["subject"]["user"], allowed["exchange"]["client"]) == ("web", keycloak.user("alice"), "planner")


@pytest.mark.parametrize("mode", ["navigate", "cors"])
def test_without_a_session_nobody_gets_in_not_even_with_a_good_token(place, mesh, keycloak, mode):
    (_, gate), before = place, len(mesh.tools["mcp-files"].requests())
    headers = HEADERS | {"host": HOST, "sec-fetch-mode": mode, "authorization": f"Bearer {keycloak.login('alice', 'files:read')}"}
    with httpx2.Client(verify=ssl.create_default_context(cafile=str(mesh.authority.path)), timeout=20) as http:
        answer = http.post(f"https://127.0.0.1:{gate.ports[GATE]}/mcp", headers=headers, json=call("who"))
    if mode == "navigate":
        assert answer.status_code == 302 and answer.headers["location"].startswith(f"{ORIGIN}/realms/agents/protocol/openid-connect/auth?")
    else:
        assert answer.status_code == 401
    assert len(mesh.tools["mcp-files"].requests()) == before
