"""What a run shares: one Keycloak, and the stand-ins around it; everything that was started is stopped, also when a test fails."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from server import Keycloak
from stand_ins import Mesh, Phones

STARTED = pytest.StashKey[float]()


def pytest_configure() -> None:
    # A run that is told to stop leaves no process behind either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter, config) -> None:
    if STARTED in config.stash:
        terminalreporter.write_line(f"Keycloak was ready after {config.stash[STARTED]:.0f} s")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wardpoint-keycloak-") as made:
        yield Path(made)


@pytest.fixture(scope="session")
def keycloak(request, folder: Path) -> Iterator[Keycloak]:
    with ExitStack() as stack:
        mesh, phones = Mesh(), Phones()
        stack.callback(mesh.stop)
        stack.callback(phones.stop)
        server = Keycloak(folder, mesh, phones)
        stack.callback(server.stop)
        request.config.stash[STARTED] = server.took
        yield server
