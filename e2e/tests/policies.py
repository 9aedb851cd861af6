"""The policies of the run. `hostProfile` is added by the proxy, which knows what it can do."""

from identity import AGENTS
from proxy import CLAIMS

_FRAME = {"version": 1, "identity": {"direction": "inbound", "peer": "mtls", "claims": {"provider": CLAIMS}}}

_OTHER = {"id": "other-echoes", "allow": {"agents": [AGENTS["other"]], "user": "none", "tools": ["echo"]}}


def _planner(*tools: str) -> dict:
    allow = {"agents": [AGENTS["planner"]], "user": "any", "tools": list(tools), "scopes": ["tools:call"]}
    return {"id": "planner-works", "allow": allow}


# The planner may echo and count for a user whose token grants it; the other agent may echo.
FIRST = {**_FRAME, "rules": [_planner("echo", "count", "trigger-long-running-operation"), _OTHER]}
# The planner may no longer count, but delete.
SECOND = {**_FRAME, "rules": [_planner("echo", "delete_repo"), _OTHER]}
# A field is misspelt.
WRONG = {**_FRAME, "rules": [{"id": "planner-works", "alow": {"agents": ["*"], "tools": ["*"]}}]}
# Without certificates: the agent is the client that the token was issued to.
BY_TOKEN = {
    "version": 1,
    "identity": {"direction": "inbound", "peer": "none", "claims": {"provider": CLAIMS}},
    "rules": [{"id": "chat-works", "allow": {"agents": ["chat-ui"], "user": "any", "tools": ["echo", "count"], "scopes": ["tools:call"]}}],
}


def allow_all(port: int) -> dict:
    """Everything, for everybody; nothing is asked but that it is MCP, and that a browser comes from the server's own origin."""
    return _open(port, prompts=["*"])


def allow_no_prompts(port: int) -> dict:
    """The same without prompts."""
    return _open(port)


def _open(port: int, **more: list[str]) -> dict:
    allow = {"agents": ["*"], "user": "none", "tools": ["*"], "resources": ["*"], "methods": ["tasks/list"], **more}
    identity = {"direction": "inbound", "peer": "none", "claims": {"provider": CLAIMS}}
    return {"version": 1, "identity": identity, "origins": [f"http://127.0.0.1:{port}"], "rules": [{"id": "all", "allow": allow}]}
