"""What a run shares: identities, servers, proxies; everything that was started is stopped, also when a test fails."""

import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from conversation import Caller, Conversation
from identity import Authority, Provider
from peers import start_dual_era, start_everything, start_fastmcp, start_go
from policies import FIRST
from proxy import Proxy, Setting

HOLD = {"hold": True, "late": False}
COUNTS = pytest.StashKey[dict[str, Counter[str]]]()


def pytest_configure() -> None:
    # A run that is told to stop leaves no process behind either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture
def count(request) -> Callable[..., None]:
    """What a test has compared; the sums are printed when the run ends."""
    counts = request.config.stash.setdefault(COUNTS, {})
    return lambda what, **more: counts.setdefault(what, Counter()).update(more)


def pytest_terminal_summary(terminalreporter, config) -> None:
    for what, sums in config.stash.get(COUNTS, {}).items():
        terminalreporter.write_line(f"{what}: " + ", ".join(f"{number} {name}" for name, number in sums.items()) + " equal")


@dataclass(frozen=True)
class World:
    setting: Setting
    callers: dict[str, Caller]
    deleted: Path

    def caller(self, agent: str, token: str | None) -> Caller:
        return Caller(self.setting.authority, self.callers[agent].certificate, token)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wardpoint-e2e-")))
        authority, provider = Authority(folder, "authority"), Provider()
        deleted = folder / "deleted"
        deleted.touch()
        servers = {}
        starts = {"dual": start_dual_era, "go": start_go, "fastmcp": start_fastmcp}
        for name, start in {"everything": start_everything, **{name: partial(start, deleted=deleted) for name, start in starts.items()}}.items():
            peer, servers[name] = start(folder)
            stack.callback(peer.stop)
        setting = Setting(folder, Path(os.environ["WARDPOINT_PLUGINS"]) / "mcp-authz.wasm", authority, authority.server(), provider, servers)
        tokens = {"planner": provider.token(), "other": None, "stranger": provider.token()}
        callers = {agent: Caller(authority, authority.agent(agent), token) for agent, token in tokens.items()}
        yield World(setting, callers, deleted)


@pytest.fixture(scope="session")
def proxies(world: World) -> Iterator[dict[str, Proxy]]:
    """One proxy for each host profile, and one without the policy, as the control."""
    with ExitStack() as stack:
        found = {}
        for name, policy in (("hold", FIRST), ("late", FIRST), ("open", None)):
            found[name] = Proxy(world.setting, name, hold=HOLD.get(name, False), policy=policy)
            stack.callback(found[name].stop)
        yield found


@pytest.fixture(params=["hold", "late"])
def profile(request) -> str:
    return request.param


@pytest.fixture
def start_proxy(world: World, profile: str) -> Iterator:
    """Starts a proxy of its own for a test that changes or tries it; stops it with the test."""
    with ExitStack() as stack:

        def start(**options) -> Proxy:
            proxy = Proxy(world.setting, f"{profile}-{time.monotonic_ns()}", hold=HOLD[profile], policy=FIRST, **options)
            stack.callback(proxy.stop)
            return proxy

        yield start


@pytest.fixture
def converse() -> Iterator:
    """Starts conversations of a test and ends them with it."""
    with ExitStack() as stack:

        def start(*args, **kwargs) -> Conversation:
            conversation = Conversation(*args, **kwargs)
            stack.callback(conversation.stop)
            return conversation

        yield start
