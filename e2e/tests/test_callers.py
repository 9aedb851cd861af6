"""Who may do what: the rights of one agent are not those of another, and nobody is believed without proof."""

import pytest
from conversation import LEGACY, call
from identity import Provider

CLIENTS = ["python", "typescript-v1", "typescript-v2"]


@pytest.fixture(params=CLIENTS)
def client(request) -> str:
    return request.param


@pytest.fixture
def speak(converse, proxies, client):
    def speak(profile: str, caller, *steps: dict):
        url = proxies[profile].url("dual", "callers")
        return converse(client, url, caller, era=LEGACY, http="1.1", steps=list(steps)).seen()

    return speak


def test_without_the_policy_everything_is_open(speak, proxies, world):
    """The control: what is refused elsewhere is refused by the policy, not by the server."""
    caller = world.callers["planner"]
    seen = speak("open", caller, {"do": "list"}, call("denied elsewhere", "count", steps=1, seconds=0))
    assert set(seen["list"]["tools"]) == {"echo", "count", "delete_repo"}
    assert seen["denied elsewhere"]["text"] == "counted to 1"


def test_another_agent_has_other_rights(speak, profile, world):
    """`count` is the planner's; the other agent may only echo, and needs no user for it."""
    steps = call("echo", "echo", message="x"), call("count", "count", steps=1, seconds=0)
    seen = speak(profile, world.callers["other"], {"do": "list"}, *steps)
    assert seen["list"]["tools"] == ["echo"]
    assert seen["echo"]["text"] == "Echo: x"
    assert "no_matching_rule" in str(seen["count"]["error"])


def test_an_agent_that_no_rule_speaks_of_does_not_get_in(speak, profile, world):
    seen = speak(profile, world.callers["stranger"], {"do": "list"})
    assert "no_matching_rule" in str(seen["open"]["error"])
    assert "list" not in [step["step"] for step in seen.steps]


def test_a_rule_that_asks_for_a_user_asks_for_a_token(speak, profile, world):
    """MCP-Z-01: 401, not 403; RFC 6750 section 3.1."""
    seen = speak(profile, world.caller("planner", None), {"do": "list"})
    # The Python SDK shows the JSON-RPC error, the TypeScript SDKs the status and the text.
    assert any(part in str(seen["open"]["error"]) for part in ("no_user", "401", "nauthorized")), seen["open"]


def test_a_token_without_the_scope_is_not_enough(speak, profile, world):
    token = world.setting.provider.token(scope="tools:list tools:call:not")
    seen = speak(profile, world.caller("planner", token), {"do": "list"}, call("echo", "echo", message="x"))
    assert seen["list"]["tools"] == []
    assert "insufficient_scope" in str(seen["echo"]["error"])


def test_a_token_of_another_signer_is_refused_by_the_proxy(speak, profile, world):
    seen = speak(profile, world.caller("planner", Provider().token()), {"do": "list"})
    assert "error" in seen["open"]
