"""What a run shares: one Keycloak, the stand-ins around it, tools that take its tokens; everything that was started is stopped, also
when a test fails."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from gate import HOSTS, Gate, Mesh, Tool, secret_of
from server import Keycloak
from stand_ins import Line, Phones, Spire

STARTED = pytest.StashKey[float]()
NUMBERS = count(1)


def pytest_configure() -> None:
    # A run that is told to stop leaves no process behind either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter, config) -> None:
    if STARTED in config.stash:
        terminalreporter.write_line(f"Keycloak was ready after {config.stash[STARTED]:.0f} s")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """All that the run writes: what must be in no log is looked for here."""
    with tempfile.TemporaryDirectory(prefix="wardpoint-keycloak-") as made:
        yield Path(made)


@pytest.fixture(scope="session")
def keycloak(request, folder: Path) -> Iterator[Keycloak]:
    with ExitStack() as stack:
        spire, phones = Spire(), Phones()
        stack.callback(spire.stop)
        stack.callback(phones.stop)
        server = Keycloak(folder, spire, phones)
        stack.callback(server.stop)
        request.config.stash[STARTED] = server.took
        yield server


@pytest.fixture(scope="session")
def mesh(folder: Path, keycloak: Keycloak) -> Iterator[Mesh]:
    with ExitStack() as stack:
        tools = {}
        for name in HOSTS:
            tools[name] = Tool(folder, name, keycloak)
            stack.callback(tools[name].stop)
        yield Mesh(folder, Path(os.environ["WARDPOINT_PLUGINS"]), tools, keycloak)


@pytest.fixture(scope="session")
def gate(mesh: Mesh) -> Iterator[Gate]:
    """Two agents behind it, each with a client of its own. Shared: its line stays as it is."""
    with ExitStack() as stack:
        yield _start(stack, mesh, clients=[secret_of("planner"), secret_of("reviewer", "client_secret_post")])


@pytest.fixture
def start_gate(mesh: Mesh) -> Iterator[Callable[..., Gate]]:
    """Starts a gate with nothing in its memory and a line that a test may do to what it likes; stops it with the test."""
    with ExitStack() as stack:
        yield partial(_start, stack, mesh)


def _start(stack: ExitStack, mesh: Mesh, *, ours: tuple[str, ...] = ("planner", "reviewer"), secrets: dict[str, str] | None = None, **options) -> Gate:
    line = Line(mesh.keycloak.origin)
    stack.callback(line.stop)
    known = {name: mesh.keycloak.secrets[name] for name in ("PLANNER_SECRET", "REVIEWER_SECRET")}
    gate = Gate(mesh, f"gate-{next(NUMBERS)}", line, ours=list(ours), secrets=known | (secrets or {}), **options)
    stack.callback(gate.stop)
    return gate
