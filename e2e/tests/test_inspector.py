"""The MCP inspector on the command line: no client certificate, so the agent is the client that the token was issued to."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from conversation import LEGACY, MODERN
from peers import E2E, NODE, environment
from policies import BY_TOKEN
from proxy import Proxy

COMMAND = [NODE, "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js", "--cli"]
# Its start takes most of it.
ENDS_WITHIN = 90.0


class Said(NamedTuple):
    code: int
    result: str
    error: str
    seconds: float


@pytest.fixture(scope="module")
def proxy(world) -> Iterator[Proxy]:
    found = Proxy(world.setting, "inspector", hold=False, policy=BY_TOKEN, tls=False)
    yield found
    found.stop()


DUAL = [("dual", LEGACY), ("dual", MODERN)]
OTHERS = [("everything", LEGACY), ("go", MODERN), ("fastmcp", LEGACY)]


@pytest.fixture(params=DUAL, ids="-".join)
def inspect(request, proxy, world, tmp_path):
    (server, era), valid = request.param, world.setting.provider.token()

    def inspect(*arguments: str, token: str | None = valid) -> Said:
        command = [*COMMAND, proxy.url(server, "inspector"), "--transport", "http"]
        command += ["--header", f"Authorization: Bearer {token}"] if token else []
        command += ["--protocol-era", {LEGACY: "legacy", MODERN: "modern"}[era], "--stored-auth-only", "--format", "json", *arguments]
        started = time.monotonic()
        # A home of its own: nothing that was stored elsewhere plays a part.
        done = subprocess.run(command, cwd=E2E, env=environment(HOME=str(tmp_path)), capture_output=True, text=True, timeout=ENDS_WITHIN, check=False)
        return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    return inspect


@pytest.mark.parametrize("inspect", DUAL + OTHERS, ids="-".join, indirect=True)
def test_the_list_shows_what_may_be_called(inspect, request):
    said = inspect("--method", "tools/list")
    assert said.code == 0, said
    offered = {"echo"} if "everything" in request.node.callspec.id else {"echo", "count"}
    assert {tool["name"] for tool in json.loads(said.result)["result"]["tools"]} == offered


@pytest.mark.parametrize("inspect", DUAL + OTHERS, ids="-".join, indirect=True)
def test_an_allowed_call_is_answered(inspect):
    said = inspect("--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello")
    assert said.code == 0 and "Echo: hello" in said.result, said


def test_a_denied_call_is_a_clear_error(inspect, world):
    """It looks into the list first, and the tool is not there."""
    said = inspect("--method", "tools/call", "--tool-name", "delete_repo", "--tool-arg", "name=everything")
    assert said.code != 0, said
    assert "'delete_repo' not found" in said.error, said
    assert world.deleted.read_text() == ""


def test_without_a_token_it_is_told_to_log_in(inspect):
    said = inspect("--method", "tools/list", token=None)
    assert said.code != 0, said
    assert "auth_required" in said.error, said
