"""What istiod made of manifests, fitted to a stock Envoy on one machine. All that differs from a cluster is here:

- what only Istio's own Envoy has is left out (peer metadata, metadata exchange), and its kind of text in filter state is Envoy's;
- discovery, extensions, endpoints and secrets come from files in place of istiod and its agent;
- modules are files, for it is the agent that pulls them; the keys of the identity provider are those of the run;
- HBONE comes in on a port of the loopback address, and what stands behind services and for hosts outside is there too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TYPES = "type.googleapis.com/envoy"
LISTENER, CLUSTER = f"{TYPES}.config.listener.v3.Listener", f"{TYPES}.config.cluster.v3.Cluster"
EXTENSION, ENDPOINTS = f"{TYPES}.config.core.v3.TypedExtensionConfig", f"{TYPES}.config.endpoint.v3.ClusterLoadAssignment"
SECRET = f"{TYPES}.extensions.transport_sockets.tls.v3.Secret"
ISTIOS_OWN = {"type.googleapis.com/io.istio.http.peer_metadata.Config", f"{TYPES}.tcp.metadataexchange.config.MetadataExchange"}


@dataclass(frozen=True)
class Machine:
    """What is there instead of a cluster."""

    modules: Path
    keys: str
    # By name, as waypoints ask for them.
    secrets: dict[str, dict]
    # Of the waypoint's door, of what stands behind every service, and of each host outside.
    hbone: int
    pod: int
    outside: dict[str, int]


class Fitted:
    """The files of a waypoint, in a folder of their own."""

    def __init__(self, golden: Path, folder: Path, machine: Machine) -> None:
        self._folder, self._machine = folder, machine
        made = {kind: json.loads((golden / f"{kind}.json").read_text()) for kind in ("lds", "cds", "eds", "ecds")}
        self.vips = dict(_vips(made["lds"]))
        self.extensions = [extension["name"] for extension in made["ecds"]]
        for name, secret in machine.secrets.items():
            self._write(name, [{"name": name, **secret}], SECRET)
        for extension in made["ecds"]:
            self._write(extension["name"], [self._fit(extension)], EXTENSION)
        for cluster in made["cds"]:
            if cluster["type"] == "EDS":
                name = cluster["edsClusterConfig"]["serviceName"]
                self._write(name, [{"clusterName": name, "endpoints": [_endpoint(machine.pod)]}], ENDPOINTS)
        self.lds = self._write("lds", [self._listener(listener) for listener in made["lds"]], LISTENER)
        self.cds = self._write("cds", [self._cluster(cluster) for cluster in made["cds"]], CLUSTER)

    def _listener(self, listener: dict) -> dict:
        fitted = self._fit(listener)
        if listener["name"] == "connect_terminate":
            fitted["address"] = _address(self._machine.hbone)
        return fitted

    def _cluster(self, cluster: dict) -> dict:
        fitted = self._fit(cluster)
        if cluster["type"] == "EDS":
            fitted["edsClusterConfig"]["edsConfig"] = self._source(cluster["edsClusterConfig"]["serviceName"])
        elif cluster["type"] == "STRICT_DNS":
            host = cluster["name"].rpartition("|")[2]
            fitted |= {"type": "STATIC", "loadAssignment": {"clusterName": cluster["name"], "endpoints": [_endpoint(self._machine.outside[host])]}}
        return fitted

    def _fit(self, value: Any) -> Any:
        match value:
            case {"configDiscovery": {"typeUrls": types}, "name": name}:
                return {"name": name, "configDiscovery": {"configSource": self._source(name), "typeUrls": types}}
            case {"sdsConfig": _, "name": name}:
                return {"name": name, "sdsConfig": self._source(name)}
            case {"code": {"remote": {"httpUri": {"uri": uri}}}}:
                module = uri.rpartition("/")[2].partition(":")[0]
                return value | {"code": {"local": {"filename": str(self._machine.modules / f"{module}.wasm")}}}
            case {"localJwks": _}:
                return value | {"localJwks": {"inlineString": self._machine.keys}}
            case {"factoryKey": "istio.hashable_string"}:
                return value | {"factoryKey": "envoy.hashable_string"}
            case dict():
                return {name: self._fit(part) for name, part in value.items()}
            case list():
                return [self._fit(part) for part in value if not _is_istios_own(part)]
            case _:
                return value

    def _source(self, name: str) -> dict:
        return {"resourceApiVersion": "V3", "initialFetchTimeout": "0s", "pathConfigSource": {"path": str(self._path(name))}}

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.replace('/', '_').replace('|', '_')}.json"

    def _write(self, name: str, resources: list[dict], kind: str) -> dict:
        text = json.dumps({"versionInfo": "1", "resources": [{"@type": kind, **resource} for resource in resources]})
        # What still asks istiod or its agent would wait for ever.
        assert '"ads"' not in text and '"apiConfigSource"' not in text, name
        self._path(name).write_text(text)
        return self._source(name)


def bootstrap(fitted: Fitted) -> dict:
    """Of an Envoy as the waypoint."""
    internal = {"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": f"{TYPES}.extensions.bootstrap.internal_listener.v3.InternalListener"}}
    return {
        "node": {"id": "waypoint", "cluster": "waypoint"},
        "admin": {"address": _address(0)},
        "bootstrap_extensions": [internal],
        "dynamic_resources": {"lds_config": fitted.lds, "cds_config": fitted.cds},
    }


def caller(doors: dict[int, str], hbone: int, tls: dict) -> dict:
    """The bootstrap of an Envoy that brings what comes to each door to the waypoint by HBONE, as ztunnel does for a pod."""
    listeners = []
    for port, to in doors.items():
        proxy = {"@type": f"{TYPES}.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "hbone", "cluster": "waypoint", "tunneling_config": {"hostname": to}}
        listeners.append({"name": to, "address": _address(port), "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}]})
    options = {"@type": f"{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": {"http2_protocol_options": {}}}
    waypoint = {
        "name": "waypoint",
        "type": "STATIC",
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": "waypoint", "endpoints": [_endpoint(hbone)]},
        "transport_socket": {"name": "tls", "typed_config": {"@type": f"{TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext", "common_tls_context": tls}},
    }
    return {"node": {"id": "caller", "cluster": "caller"}, "admin": {"address": _address(0)}, "static_resources": {"listeners": listeners, "clusters": [waypoint]}}


def _vips(listeners: list[dict]) -> Iterator[tuple[str, str]]:
    """Where each service is reached, by its host: what the waypoint chooses a chain by."""
    (internal,) = [listener for listener in listeners if listener["name"] == "main_internal"]
    for place in internal["filterChainMatcher"]["matcherTree"]["customMatch"]["typedConfig"]["rangeMatchers"]:
        for port, match in place["onMatch"]["matcher"]["matcherTree"]["exactMatchMap"]["map"].items():
            yield match["action"]["name"].rpartition("|")[2], f"{place['ranges'][0]['addressPrefix']}:{port}"


def _is_istios_own(part: Any) -> bool:
    return isinstance(part, dict) and part.get("typedConfig", {}).get("typeUrl") in ISTIOS_OWN


def _endpoint(port: int) -> dict:
    return {"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}


def _address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
