"""A real login: 401, metadata, PKCE, call, `insufficient_scope`, step-up, call; and what is refused before the policy is asked.

The gate is the one of `examples/oauth-login`, the authorization server is `oidc-provider`, the clients are the SDKs' own.
"""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from conversation import LEGACY, MODERN, call
from oauth import AuthorizationServer, Gate
from peers import E2E, GO, NODE, environment, free_port, start_go

CLIENTS = [
    ("typescript-v1", LEGACY), ("typescript-v2", LEGACY), ("typescript-v2", MODERN), ("python", LEGACY), ("python", MODERN), ("go", LEGACY), ("go", MODERN),
]
COMMANDS = {"python": [sys.executable, "clients/oauth.py"], "go": [str(GO / "login")]}
ENDS_WITHIN = 90.0
BOTH = {"tools:read", "tools:delete"}


class Place(NamedTuple):
    idp: AuthorizationServer
    gates: dict[str, Gate]
    authority: Path
    deleted: Path

    @property
    def metadata(self) -> str:
        return f"{self.gates['shipped'].origin}/.well-known/oauth-protected-resource/mcp"

    def post(self, token: str | None, gate: str = "shipped", tool: str = "echo") -> httpx2.Response:
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": LEGACY}
        headers |= {"authorization": f"Bearer {token}"} if token else {}
        body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {"message": "hello"}}}
        with self.http() as http:
            return http.post(f"{self.gates[gate].origin}/mcp", headers=headers, json=body)

    def http(self) -> httpx2.Client:
        return httpx2.Client(verify=ssl.create_default_context(cafile=str(self.authority)), timeout=10)


@pytest.fixture(scope="module")
def place(world) -> Iterator[Place]:
    """`shipped` is the example as it is; in `forgiving` jwt_authn leaves the refusal of a bad token to the plugin."""
    with ExitStack() as stack:
        setting, folder = world.setting, world.setting.folder / "oauth"
        folder.mkdir()
        deleted = folder / "deleted"
        deleted.touch()
        server, server_port = start_go(folder, deleted)
        stack.callback(server.stop)
        port = free_port()
        idp = AuthorizationServer(folder, setting.certificate, setting.authority.path, f"https://localhost:{port}/mcp")
        stack.callback(idp.stop)
        changes = {
            "https://tools.example.com": f"https://localhost:{port}",
            "https://idp.example.com": idp.issuer,
            "address: idp.example.com, port_value: 443": f"address: 127.0.0.1, port_value: {idp.port}",
            "idp.example.com": "localhost",
            "/etc/ssl/certs/ca-certificates.crt": str(setting.authority.path),
            "/etc/envoy/tls.crt": str(setting.certificate.cert),
            "/etc/envoy/tls.key": str(setting.certificate.key),
            "/etc/envoy/mcp-authz.wasm": str(setting.module),
            "port_value: 8000": f"port_value: {server_port}",
        }
        gates = {}
        for name, own in (("shipped", {}), ("forgiving", {"allow_missing: {}": "allow_missing_or_failed: {}"})):
            listens = port if name == "shipped" else free_port()
            gates[name] = Gate(folder, name, listens, setting.authority.path, {"port_value: 8443": f"port_value: {listens}", **changes, **own})
            stack.callback(gates[name].stop)
        yield Place(idp, gates, setting.authority.path, deleted)


class Login(NamedTuple):
    """What a client saw, and what the gate and the authorization server saw of it."""

    client: str
    said: dict[str, dict]
    gate: list[dict]
    idp: list[dict]


def log_in(place: Place, client: str, era: str, steps: list[dict], token: str | None = None) -> Login:
    gate = place.gates["shipped"]
    before = len(gate.requests()), len(place.idp.requests())
    plan = {"sdk": client, "url": f"{gate.origin}/mcp", "era": era, "ca": str(place.authority), "token": token, "steps": steps}
    done = subprocess.run(
        COMMANDS.get(client, [NODE, "clients/oauth.mjs"]), cwd=E2E, env=environment(NODE_EXTRA_CA_CERTS=str(place.authority)),
        input=json.dumps(plan), capture_output=True, text=True, timeout=ENDS_WITHIN, check=False,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    # The stream of a session is logged when it ends, which may be after the client before has ended.
    at_gate = [line for line in gate.requests()[before[0] :] if (line["method"], line["path"]) != ("GET", "/mcp")]
    idp = place.idp.requests(before[1])
    assert done.returncode == 0 and len(said) == len(steps) + 1, f"{said}\n{done.stderr[-3000:]}\n{at_gate}\n{idp}"
    return Login(client, {step.get("name") or step["step"]: step for step in said}, at_gate, idp)


@pytest.fixture(scope="module", params=CLIENTS, ids="-".join)
def login(request, place) -> Login:
    place.deleted.write_text("")
    steps = [{"do": "list"}, call("read", "echo", message="hello"), call("step up", "delete_repo", name="old")]
    return log_in(place, *request.param, [*steps, call("after", "echo", message="again")])


def test_the_user_logs_in_and_calls(login):
    said = login.said
    assert said["read"].get("text") == "Echo: hello", said
    assert set(said["list"]["tools"]) == {"echo", "count"}, "before the step-up the list lacks what the token does not reach"


def test_the_step_up_makes_the_other_call_possible(login, place):
    said = login.said
    assert said["step up"].get("text") == "deleted old", said
    assert said["after"].get("text") == "Echo: again", said
    assert [said[name]["logins"] for name in ("open", "list", "read", "step up", "after")] == [1, 1, 1, 2, 2], said
    assert BOTH <= set(said["after"]["scope"].split()), said
    assert place.deleted.read_text() == "old\n", "only once"


def test_each_leg_at_the_gate(login, place):
    lines = [(line["method"], line["path"], line["status"], line["challenge"]) for line in login.gate]
    first = lines[0]
    assert first[:3] == ("POST", "/mcp", 401), lines
    assert f'resource_metadata="{place.metadata}"' in first[3] and "error=" not in first[3], first
    assert ("GET", "/.well-known/oauth-protected-resource/mcp", 200, None) in lines, lines
    assert [line[2] for line in lines if line[2] >= 400] == [401, 403], lines
    (refused,) = [line for line in lines if line[2] == 403]
    assert 'error="insufficient_scope"' in refused[3] and f'resource_metadata="{place.metadata}"' in refused[3], refused
    assert set(refused[3].partition('scope="')[2].partition('"')[0].split()) == BOTH, refused


def test_each_leg_at_the_authorization_server(login, place):
    asked = login.idp
    assert asked[0]["path"] in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"), asked
    # Go's registers anew for each login, so the agent is another one afterwards; the session goes on (`sessions: user`).
    assert [line["status"] for line in asked if line["path"] == "/reg"] == [201] * (2 if login.client == "go" else 1), asked
    starts = [line for line in asked if line["path"] == "/auth"]
    assert len(starts) == 2 and all(line["code_challenge_method"] == "S256" for line in starts), asked
    assert {line["resource"] for line in starts} == {f"{place.gates['shipped'].origin}/mcp"}, asked
    assert BOTH <= set(starts[1]["scope"].split()), "all scopes at once"
    tokens = [line for line in asked if line["path"] == "/token"]
    assert [(line["grant_type"], line["status"], line["verified"]) for line in tokens] == [("authorization_code", 200, True)] * 2, asked


def test_the_records_name_user_and_client_and_hold_no_token(login, place):
    audits = [record for line in login.gate if line["audit"] for record in json.loads(line["audit"])]
    allowed = [audit for audit in audits if audit.get("resource") == {"tool": "delete_repo"} and audit["decision"] == "allow"]
    assert len(allowed) == 1 and allowed[0]["subject"]["user"] == "alice" and allowed[0]["rule"] == "delete", audits
    assert "eyJ" not in place.gates["shipped"].log()


@pytest.mark.parametrize(("client", "era"), [pytest.param(*client, id="-".join(client)) for client in CLIENTS])
def test_who_comes_with_an_expired_token_logs_in_again(place, client, era):
    """The gate's jwt_authn answers it, and its challenge leads the client to the login as one of the policy does."""
    seen = log_in(place, client, era, [call("read", "echo", message="hello")], token=TOKENS["expired"](place.idp))
    assert seen.said["read"].get("text") == "Echo: hello" and seen.said["read"]["logins"] == 1, seen
    first = seen.gate[0]
    assert first["status"] == 401 and first["details"].startswith("jwt_authn_access_denied"), first
    assert 'error="invalid_token"' in first["challenge"] and f'resource_metadata="{place.metadata}"' in first["challenge"], first
    assert [line["status"] for line in seen.gate if line["status"] >= 400] == [401], seen.gate
    assert [line["path"] for line in seen.idp].count("/token") == 1, seen.idp


TOKENS = {
    "expired": lambda idp: idp.token(lives=-600),
    "for another server": lambda idp: idp.token(audience="https://other.example.com/mcp"),
    "of another signer": lambda idp: idp.token()[:-8] + "AAAAAAAA",
    "no token at all": lambda _: "not-a-token",
}


@pytest.mark.parametrize("gate", ["shipped", "forgiving"])
@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_that_is_not_accepted_is_challenged_with_the_metadata(place, gate, kind):
    """MCP-Z-01: 401 with the place of the metadata, whoever answers; the policy's plugin or jwt_authn before it."""
    before = len(place.gates[gate].requests())
    answer = place.post(TOKENS[kind](place.idp), gate)
    assert answer.status_code == 401, answer.text
    challenges = answer.headers.get_list("www-authenticate")
    assert len(challenges) == 1 and challenges[0].startswith("Bearer "), challenges
    assert 'error="invalid_token"' in challenges[0] and f'resource_metadata="{place.metadata}"' in challenges[0], challenges
    (line,) = place.gates[gate].requests()[before:]
    assert line["details"].startswith("jwt_authn_access_denied") is (gate == "shipped"), line


@pytest.mark.parametrize("gate", ["shipped", "forgiving"])
def test_the_challenges_of_the_policy_are_not_touched(place, gate):
    missing = place.post(None, gate)
    assert missing.status_code == 401 and missing.json()["error"]["data"]["reason"] == "no_user", missing.text
    challenge = missing.headers["www-authenticate"]
    assert "error=" not in challenge and f'resource_metadata="{place.metadata}"' in challenge, challenge
    narrow = place.post(place.idp.token(scope="tools:read"), gate, tool="delete_repo")
    assert narrow.status_code == 403, narrow.text
    challenge = narrow.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge and f'resource_metadata="{place.metadata}"' in challenge, challenge
    unknown = place.post(place.idp.token(), gate, tool="no_such_tool")
    assert unknown.status_code == 403 and "www-authenticate" not in unknown.headers, unknown.headers


def test_anybody_may_read_the_metadata(place):
    """Also who comes with a token that has expired."""
    with place.http() as http:
        answer = http.get(place.metadata, headers={"authorization": f"Bearer {TOKENS['expired'](place.idp)}"})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["resource"] == f"{place.gates['shipped'].origin}/mcp"
    assert document["authorization_servers"] == [place.idp.issuer]
    assert document["scopes_supported"] == ["tools:read"]
