"""A token service of another kind: `oidc-provider` with resource indicators (RFC 8707), and `act` as RFC 8693 has it. No Keycloak here."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack

import jwt
import pytest
from gate import HOSTS, Service, mesh_of, refused, secret_of, shown, start
from peers import NODE, Peer, accepts, free_port

ISSUER = "https://sts.example.com"
RESOURCES = {f"https://{HOSTS['mcp-files']}/mcp": ["files:read"], f"https://{HOSTS['mcp-mail']}/mcp": ["mail:send"], f"https://{HOSTS['reviewer']}/mcp": ["agent:reviewer", "files:read"]}
SECRETS = {name: secrets.token_urlsafe(24) for name in ("PLANNER_SECRET", "REVIEWER_SECRET")}


class TokenService:
    def __init__(self, folder) -> None:
        self.port, self._key = free_port(), folder / "sts-key.json"
        clients = {"planner": {"secret": SECRETS["PLANNER_SECRET"]}, "reviewer": {"secret": SECRETS["REVIEWER_SECRET"], "serves": f"https://{HOSTS['reviewer']}/mcp"}}
        command = [NODE, "servers/token_service.mjs", str(self.port), ISSUER, str(self._key)]
        peer = Peer("token service", command, folder / "sts.log", {"CLIENTS": json.dumps(clients), "RESOURCES": json.dumps(RESOURCES)})
        self.stop = peer.stop
        peer.wait_for(lambda: accepts(self.port))

    def login(self, audience: str, *scopes: str, **more) -> str:
        """A token that it never issued, but could have."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": audience, "sub": "alice", "client_id": "chat-ui", "scope": " ".join(scopes), "iat": now, "exp": now + 300, "jti": secrets.token_hex(8)}
        key = jwt.PyJWK(json.loads(self._key.read_text()))
        return jwt.encode(claims | more, key.key, "ES256", headers={"kid": "sts", "typ": "at+jwt"})


@pytest.fixture(scope="module")
def sts(folder) -> Iterator[TokenService]:
    made = TokenService(folder)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def tools(folder, sts):
    targets = {tool: ({"resource": f"https://{HOSTS[tool]}/mcp"}, RESOURCES[f"https://{HOSTS[tool]}/mcp"]) for tool in HOSTS}
    service = Service("sts", "rfc8693", ISSUER, "/token", "/jwks", sts.port, "ES256", "at+jwt", targets)
    with ExitStack() as stack:
        yield mesh_of(stack, folder, service)


@pytest.fixture(scope="module", params=["jwt_authn", "token-exchange"])
def gate(request, tools):
    with ExitStack() as stack:
        yield start(stack, tools, SECRETS, ours=["planner"], clients=[secret_of("planner")], proves=request.param)


def test_the_resource_is_the_audience_and_the_agent_acts(gate, sts):
    claims = shown(gate.ask("planner", sts.login("planner", "files:read", "mail:send")))
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("alice", f"https://{HOSTS['mcp-files']}/mcp", "files:read")
    assert claims["act"] == {"sub": "planner"}


def test_a_token_for_one_resource_is_none_for_another(gate, tools, sts):
    alice = sts.login("planner", "files:read", "mail:send")
    shown(gate.ask("planner", alice, "mcp-mail"))
    token = tools.tools["mcp-mail"].token()
    assert tools.tools["mcp-mail"].ask(token).status_code == 200, "the control"
    assert tools.tools["mcp-files"].ask(token).status_code == 401


def test_who_acted_is_in_the_token_of_the_last_hop(gate, tools, sts):
    """Three hops: Alice's agent calls an agent that calls a tool, and the tool sees all of them in their order."""
    with ExitStack() as stack:
        own = f"https://{HOSTS['reviewer']}/mcp"
        second = start(stack, tools, SECRETS, ours=[own], clients=[secret_of("reviewer")])
        shown(gate.ask("planner", sts.login("planner", "agent:reviewer", "files:read"), "reviewer"))
        answer = second.ask("reviewer", tools.tools["reviewer"].token())
        assert shown(answer)["act"] == {"sub": "reviewer", "act": {"sub": "planner"}}


def test_a_service_that_refuses_the_login_sends_the_user_to_log_in_again(gate, sts):
    """Good for the gate, but too old for the service: it was revoked there, say."""
    assert refused(gate.ask("planner", sts.login("planner", "files:read", client_id="chat-ui", aud=["planner", "other"]))) == (401, "subject_refused")
