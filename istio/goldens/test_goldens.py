"""What istiod made of the manifests, kept as JSON, does its work in a stock Envoy: no istiod, and no Go to make one."""

from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import jwt
import pytest

GOLDEN = Path(__file__).parent.parent / "xds" / "golden"
WAYPOINTS = sorted(path.parent for path in GOLDEN.glob("*/*/lds.json"))


@dataclass(frozen=True)
class Set:
    """What the planner may call, what not, and what it is shown when it lists."""

    allowed: str
    denied: str
    listed: set[str]
    # Whether the tool is shown the user's own token.
    own: bool
    # Whether the proxy holds headers until the last plugin has seen the body.
    hold: bool = False


EVERYTHING = Set("read_file", "wipe_disk", {"delete_repo", "read_file"}, own=False)
# Every way to attach something: for istiod, and not all of its configurations are policies.
MATRIX = "matrix"
TAKEN = "listener_manager.lds", "cluster_manager.cds"
SETS = {
    "mcp-authz.traffic-extension": Set("search_docs", "delete_repo", {"read_file", "search_docs"}, own=True),
    "tiers.traffic-extension": Set("read_file", "delete_repo", {"read_file", "search_docs"}, own=True),
    "all.traffic-extension": EVERYTHING,
    "all.wasm-plugin": EVERYTHING,
    "all.envoy-filter": replace(EVERYTHING, hold=True),
}


def is_asked(path: Path) -> bool:
    return path.parent.name in SETS and path.name == "tools.waypoint"


def taken(waypoint, *, extensions: bool) -> None:
    """Envoy has all listeners, and has refused nothing."""
    waypoint.peer.wait_for(lambda: waypoint.stats("total_listeners_active") == {"listener_manager.total_listeners_active": 3})
    assert [waypoint.stats(f"{kind}.update_rejected") for kind in TAKEN] == [{f"{kind}.update_rejected": 0} for kind in TAKEN], waypoint.peer.last_words()
    fetched = waypoint.stats("extension_config_discovery")
    for name in waypoint.fitted.extensions if extensions else ():
        counts = {stat.rpartition(".")[2]: value for stat, value in fetched.items() if f".{name}." in stat}
        assert counts["config_reload"] > 0 and counts["config_fail"] == 0, waypoint.peer.last_words()


def test_there_are_goldens():
    assert {path.parent.name for path in WAYPOINTS} == {*SETS, MATRIX}


@pytest.mark.parametrize("golden", [path for path in WAYPOINTS if not is_asked(path)], ids=lambda path: "/".join(path.parts[-2:]))
def test_envoy_takes_what_nobody_asks(start, golden):
    taken(start(golden), extensions=golden.parent.name != MATRIX)


@pytest.mark.parametrize("name", SETS)
def test_what_may_be_called_is_and_nothing_else(start, world, name):
    wanted, waypoint = SETS[name], start(GOLDEN / name / "tools.waypoint")
    taken(waypoint, extensions=True)
    answer = waypoint.ask("planner", wanted.allowed)
    assert (answer.status_code, answer.json()["result"]["content"][0]["text"]) == (200, wanted.allowed), answer.text
    shown = world.tool.tokens[-1]
    assert (shown == world.tokens["alice"]) == wanted.own
    claims = jwt.decode(shown, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"]) == ("alice", "agents-gate" if wanted.own else "files")
    if not wanted.own:
        assert waypoint.ask("planner", wanted.allowed, host="elsewhere.example").status_code == 200, "the route is the service's, whatever the caller says"
        assert jwt.decode(world.tool.tokens[-1], options={"verify_signature": False})["aud"] == "files"
    answer = waypoint.ask("planner", None)
    assert {tool["name"] for tool in answer.json()["result"]["tools"]} == wanted.listed, answer.text

    before, begun = len(world.tool.tokens), world.tool.begun
    refused = waypoint.ask("planner", wanted.denied)
    assert refused.status_code == 403 and "not allowed" in refused.text, refused.text
    assert waypoint.ask("researcher", wanted.allowed).status_code == 403
    assert waypoint.ask("planner", wanted.allowed, token="forged").status_code == 401
    assert waypoint.ask("planner", wanted.allowed, token=None).status_code == 401
    assert waypoint.ask("outsider", wanted.allowed).status_code == 403
    for who in ("forger", "nobody"):
        with pytest.raises(httpx2.TransportError):
            waypoint.ask(who, wanted.allowed)
    assert len(world.tool.tokens) == before, "none of these calls reaches the tool"
    assert not wanted.hold or world.tool.begun == begun, "nor do its headers"
    assert waypoint.records("mcp_authz", lambda record: record["decision"] == "deny")["reason"]
