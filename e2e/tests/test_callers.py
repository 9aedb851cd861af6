"""Who may do what: the rights of one agent are not those of another, and nobody is believed without proof."""

import pytest
from conversation import LEGACY, MODERN, call
from identity import Provider

# Each client, era, version of HTTP and host profile is among them.
CLIENTS = [
    ("hold", "python", LEGACY, "2"),
    ("late", "python", MODERN, "1.1"),
    ("late", "typescript-v1", LEGACY, "1.1"),
    ("hold", "typescript-v2", MODERN, "2"),
]


@pytest.fixture(params=CLIENTS, ids=lambda client: "-".join(client))
def speak(request, converse, proxies):
    profile, client, era, http = request.param

    def speak(caller, *steps: dict, proxy: str = profile):
        url = proxies[proxy].url("dual", "callers")
        return converse(client, url, caller, era=era, http=http, steps=list(steps)).seen()

    return speak


def test_without_the_policy_everything_is_open(speak, world):
    """The control: what is refused elsewhere is refused by the policy, not by the server."""
    caller = world.callers["other"]
    seen = speak(caller, {"do": "list"}, call("denied elsewhere", "count", steps=1, seconds=0), proxy="open")
    assert set(seen["list"]["tools"]) == {"echo", "count", "delete_repo"}
    assert seen["denied elsewhere"]["text"] == "counted to 1"


def test_another_agent_has_other_rights(speak, world):
    """`count` is the planner's; the other agent may only echo, and needs no user for it."""
    steps = call("echo", "echo", message="x"), call("count", "count", steps=1, seconds=0)
    seen = speak(world.callers["other"], {"do": "list"}, *steps)
    assert seen["list"]["tools"] == ["echo"]
    assert seen["echo"]["text"] == "Echo: x"
    assert "no_matching_rule" in str(seen["count"]["error"])


def test_an_agent_that_no_rule_speaks_of_does_not_get_in(speak, world):
    seen = speak(world.callers["stranger"], {"do": "list"})
    assert "no_matching_rule" in seen.first_error
    assert not any("tools" in step for step in seen.steps)


def test_a_rule_that_asks_for_a_user_asks_for_a_token(speak, world):
    """MCP-Z-01: 401, not 403; RFC 6750 section 3.1."""
    seen = speak(world.caller("planner", None), {"do": "list"})
    # The TypeScript SDKs make their own text of a 401.
    assert any(part in seen.first_error for part in ("no_user", "nauthorized", "requires authorization")), seen


def test_a_token_without_the_scope_is_not_enough(speak, world):
    token = world.setting.provider.token(scope="tools:list tools:call:not")
    seen = speak(world.caller("planner", token), {"do": "list"}, call("echo", "echo", message="x"))
    assert seen["list"]["tools"] == []
    assert "insufficient_scope" in str(seen["echo"]["error"])


def test_a_token_of_another_signer_is_refused_by_the_proxy(speak, world):
    seen = speak(world.caller("planner", Provider().token()), {"do": "list"})
    assert seen.first_error
    assert not any("tools" in step for step in seen.steps)
