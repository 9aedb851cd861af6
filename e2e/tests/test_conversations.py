"""Real clients, real servers, both eras, both versions of HTTP: what each client sees of the policy."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import pytest
from conversation import LEGACY, MODERN, Conversation, Seen, call

DENIED_WITHIN_MS = 2000


class Talk(NamedTuple):
    """Who speaks with whom, and how."""

    profile: str
    client: str
    server: str
    era: str
    http: str

    def __str__(self) -> str:
        return f"{self.profile}-{self.client}-{self.server}-{self.era}-http{self.http}"

    @property
    def id(self) -> str:
        return str(self).replace(".", "")


# server-everything ends at 2025-11-25, and so does the v1 line of the TypeScript SDK.
PAIRS = [(client, server, LEGACY) for server in ("everything", "dual") for client in ("python", "typescript-v1", "typescript-v2")]
PAIRS += [(client, "dual", MODERN) for client in ("python", "typescript-v2")]
TALKS = [Talk(profile, *pair, http) for profile in ("hold", "late") for pair in PAIRS for http in ("1.1", "2")]
# Not the full product: each client, server, era, version of HTTP and profile meets each other one at least once.
TALKS += [
    Talk("hold", "go", "everything", LEGACY, "1.1"),
    Talk("late", "go", "dual", LEGACY, "2"),
    Talk("hold", "go", "dual", MODERN, "2"),
    Talk("late", "go", "go", MODERN, "1.1"),
    Talk("hold", "go", "fastmcp", MODERN, "1.1"),
    Talk("late", "go", "fastmcp", LEGACY, "2"),
    Talk("late", "fastmcp", "everything", LEGACY, "2"),
    Talk("hold", "fastmcp", "dual", MODERN, "2"),
    Talk("late", "fastmcp", "go", MODERN, "1.1"),
    Talk("hold", "fastmcp", "go", LEGACY, "1.1"),
    Talk("hold", "fastmcp", "fastmcp", LEGACY, "2"),
    Talk("late", "fastmcp", "fastmcp", MODERN, "1.1"),
    Talk("hold", "python", "go", MODERN, "2"),
    Talk("late", "python", "fastmcp", LEGACY, "1.1"),
    Talk("late", "typescript-v1", "go", LEGACY, "1.1"),
    Talk("hold", "typescript-v1", "fastmcp", LEGACY, "2"),
    Talk("late", "typescript-v2", "go", MODERN, "2"),
    Talk("hold", "typescript-v2", "fastmcp", MODERN, "1.1"),
]
# server: (denied tool, its arguments, streaming tool, its arguments)
TOOLS = {"everything": ("get-env", {}, "trigger-long-running-operation", {"duration": 0.6, "steps": 3})}
OWN_TOOLS = ("delete_repo", {"name": "crown-jewels"}, "count", {"seconds": 0.6, "steps": 3})


def plan(talk: Talk) -> list[dict]:
    denied, denied_with, streams, streams_with = TOOLS.get(talk.server, OWN_TOOLS)
    steps = [{"do": "list"}, call("allowed", "echo", message="hello"), call("denied", denied, **denied_with)]
    steps += [call("streamed", streams, stream=True, **streams_with), call("after", "echo", message="again")]
    return [*steps, {"do": "end"}]


@pytest.fixture(scope="module")
def under_way(request, world, proxies):
    """The conversations that the chosen tests need, two at a time."""
    params = [item.callspec.params.get("talk") for item in request.session.items if hasattr(item, "callspec")]
    with ThreadPoolExecutor(max_workers=2) as pool:

        def run(talk: Talk) -> Seen:
            url = proxies[talk.profile].url(talk.server, talk.id)
            caller = world.callers["planner"]
            conversation = Conversation(talk.client, url, caller, era=talk.era, http=talk.http, steps=plan(talk))
            try:
                return conversation.seen()
            finally:
                conversation.stop()

        futures: dict[Talk, Future[Seen]] = {talk: pool.submit(run, talk) for talk in dict.fromkeys(filter(None, params))}
        yield futures
        for future in futures.values():
            future.cancel()


def is_complete(lines: list[dict]) -> bool:
    """Whether the access log has all steps of a plan: each but the end is a POST."""
    return sum(line["method"] == "POST" for line in lines) >= 5


@pytest.fixture(params=TALKS, ids=str)
def talk(request) -> Talk:
    return request.param


@pytest.fixture
def seen(talk, under_way) -> Seen:
    return under_way[talk].result()


def test_an_allowed_call_is_answered(seen):
    assert seen["allowed"].get("text") == "Echo: hello", seen["allowed"]


def test_a_denied_call_is_a_clear_error_at_once(seen, talk):
    denied = seen["denied"]
    # Each SDK shows it in its own way, but code, text and reason get through; with Go's the text and the status.
    parts = ("not allowed", "Forbidden") if talk.client == "go" else ("-32003", "not allowed", "no_matching_rule")
    shown = str(denied.get("error"))
    assert all(part in shown for part in parts), shown
    assert denied["ms"] < DENIED_WITHIN_MS, denied


def test_the_session_goes_on_after_a_denial(seen):
    assert seen["after"].get("text") == "Echo: again", seen["after"]


def test_the_list_shows_what_may_be_called(seen, talk):
    streams = TOOLS.get(talk.server, OWN_TOOLS)[2]
    assert set(seen["list"].get("tools", [])) == {"echo", streams}, seen["list"]


def test_a_streamed_answer_arrives_in_parts(seen):
    streamed = seen["streamed"]
    assert streamed.get("progress") == 3, streamed
    assert "completed" in streamed["text"] or streamed["text"] == "counted to 3", streamed


def test_the_session_ends(seen, talk, proxies):
    """The modern era has no sessions: no stream of their own, nothing to end (rules.md 1.1)."""
    assert "error" not in seen["end"], seen["end"]
    deleted = 204 if talk.server == "go" else 200
    expected = {"GET": [200], "DELETE": [deleted]} if talk.era == LEGACY else {"GET": [], "DELETE": []}

    def statuses(lines: list[dict]) -> dict[str, list[int]]:
        return {method: [line["status"] for line in lines if line["method"] == method] for method in expected}

    lines = proxies[talk.profile].requests(talk.id, lambda lines: is_complete(lines) and statuses(lines) == expected)
    assert statuses(lines) == expected, lines


def test_the_proxy_saw_the_agent_and_the_version_of_http(seen, talk, proxies):
    lines = proxies[talk.profile].requests(talk.id, is_complete)
    assert {line["protocol"] for line in lines} == {"HTTP/2" if talk.http == "2" else "HTTP/1.1"}
    assert {line["agent"] for line in lines} == {"spiffe://cluster.local/ns/agents/sa/planner"}
    assert [line["status"] for line in lines if line["status"] == 403] == [403], lines


def test_nothing_was_deleted(world, under_way):
    for future in under_way.values():
        future.result()
    assert world.deleted.read_text() == ""
