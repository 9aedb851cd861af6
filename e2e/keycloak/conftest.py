"""What a run shares: one Keycloak, the stand-ins around it, tools that take its tokens; everything that was started is stopped, also
when a test fails."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from gate import Gate, Mesh, Service, mesh_of, secret_of, start
from server import ISSUER, KEYS_PATH, TOKEN_PATH, Keycloak
from stand_ins import Bridge, Phones, Spire, Suspended

STARTED = pytest.StashKey[float]()


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
        yield mesh_of(stack, folder, keycloak_as_a_service(keycloak))


def keycloak_as_a_service(keycloak: Keycloak) -> Service:
    scopes = {"mcp-files": ["files:read", "files:write"], "mcp-mail": ["mail:send"], "reviewer": ["agent:reviewer", "files:read"]}
    targets = {name: ({"audience": name}, scopes[name]) for name in scopes}
    return Service("keycloak", "keycloak", ISSUER, TOKEN_PATH, KEYS_PATH, keycloak.port, "RS256", "JWT", targets)


@pytest.fixture(scope="session")
def secrets(keycloak: Keycloak) -> dict[str, str]:
    """The environment of a gate."""
    return {name: keycloak.secrets[name] for name in ("PLANNER_SECRET", "REVIEWER_SECRET")}


@pytest.fixture(scope="session")
def gate(mesh: Mesh, secrets: dict[str, str]) -> Iterator[Gate]:
    """Two agents behind it, each with a client of its own. Shared: its line stays as it is."""
    with ExitStack() as stack:
        # Clients whose names cannot be chosen, and a route that no token of Keycloak lives short enough for.
        routes = mesh.service.route("127.0.0.1", "mcp-files"), mesh.service.route("brief.example.com", "mcp-files", maxLifetime="60s")
        yield start(stack, mesh, secrets, clients=[secret_of("planner"), secret_of("reviewer", "client_secret_post")], routes=routes)


@pytest.fixture
def start_gate(mesh: Mesh, secrets: dict[str, str]) -> Iterator[Callable[..., Gate]]:
    """Starts a gate with nothing in its memory and a line that a test may do to what it likes; stops it with the test."""
    with ExitStack() as stack:
        yield partial(start, stack, mesh, secrets)


@pytest.fixture
def start_bridge(keycloak: Keycloak) -> Iterator[Callable[..., Bridge]]:
    """Starts a bridge that gives SVIDs of a workload for Keycloak; stops it with the test."""
    with ExitStack() as stack:

        def begin(workload: str, **options) -> Bridge:
            made = Bridge(keycloak.spire, workload, ISSUER, **options)
            stack.callback(made.stop)
            return made

        yield begin


@pytest.fixture
def suspended() -> Iterator[Suspended]:
    made = Suspended()
    yield made
    made.stop()
