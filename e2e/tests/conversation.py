"""A real client in a process of its own: a plan goes in, what it saw comes out line by line."""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from queue import Empty, Queue

from identity import Authority, Certificate
from peers import E2E, GO, NODE, environment

CLIENTS = {
    "python": [sys.executable, "clients/python_sdk.py"],
    "fastmcp": [sys.executable, "clients/fast.py"],
    "go": [str(GO / "client")],
    "typescript-v1": [NODE, "clients/typescript_v1.mjs"],
    "typescript-v2": [NODE, "clients/typescript_v2.mjs"],
}
LEGACY, MODERN = "2025-11-25", "2026-07-28"
ENDS_WITHIN = 90.0


@dataclass(frozen=True)
class Caller:
    """What a client proves who it is with."""

    authority: Authority
    certificate: Certificate
    token: str | None


class Conversation:
    """A client that is under way."""

    def __init__(self, client: str, url: str, caller: Caller, *, era: str, http: str, steps: list[dict]) -> None:
        tls = {"ca": caller.authority.path, "cert": caller.certificate.cert, "key": caller.certificate.key}
        plan = {"url": url, "token": caller.token, "era": era, "http": http, "steps": steps}
        plan |= {name: str(path) for name, path in tls.items()}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(CLIENTS[client], cwd=E2E, env=environment(), text=True, **pipes)
        self._events: Queue[dict] = Queue()
        self._seen: list[dict] = []
        self._stderr = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()
        self._timer = threading.Timer(ENDS_WITHIN, self._process.kill)
        self._timer.start()
        try:
            self._process.stdin.write(json.dumps(plan))
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # It ended early: `seen` says why.

    def wait_for_progress(self) -> None:
        """Until the first part of a streamed answer has come."""
        try:
            self._events.get(timeout=ENDS_WITHIN)
        except Empty:
            raise AssertionError(f"no progress was seen: {self._seen} {self._stderr}") from None

    def seen(self) -> "Seen":
        """Everything, once the client has ended."""
        self._process.wait()
        for reader in self._readers:
            reader.join()
        self._timer.cancel()
        if self._process.returncode != 0:
            code = self._process.returncode
            raise AssertionError(f"the client ended with {code} after {self._seen}\n{self._stderr[-3000:]}")
        return Seen(self._seen)

    def stop(self) -> None:
        self._timer.cancel()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        for line in self._process.stdout:
            step = json.loads(line)
            (self._events.put if "event" in step else self._seen.append)(step)

    def _read_errors(self) -> None:
        self._stderr = self._process.stderr.read()


@dataclass(frozen=True)
class Seen:
    """What a client saw."""

    steps: list[dict]

    def __getitem__(self, name: str) -> dict:
        """The step of that name, or of that kind if it has none."""
        found = [step for step in self.steps if name in (step.get("name"), step["step"])]
        assert len(found) == 1, f"{name}: {self.steps}"
        return found[0]

    @property
    def first_error(self) -> str:
        """What the user of the client gets to read first: at the opening, or at the first call where a pinned era needs none."""
        return str(next(step["error"] for step in self.steps if "error" in step))


def call(name: str, tool: str, /, *, stream: bool = False, **arguments) -> dict:
    return {"do": "call", "name": name, "tool": tool, "arguments": arguments, "stream": stream}
