"""MCP's conformance suite comes to the same checks through a policy that allows all as it does without a proxy.

The server is the Go SDK's own for this suite: with sessions for 2025-11-25, without for 2026-07-28.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from conformance import LEGACY_SUITE, MODERN_SUITE, Checks
from peers import start_go_conformance
from policies import allow_all
from proxy import Proxy

# The Go SDK has no tasks; the suite does not count them either, but how they fail is compared as well.
NOT_BUILT = "tasks-"
AT_LEAST = {"legacy": 32, "modern": 48}


@cache
def legacy_scenarios() -> list[str]:
    return LEGACY_SUITE.scenarios()


@pytest.fixture(scope="module")
def ways(world, request) -> Iterator[dict[str, dict[str, str]]]:
    """For each era, the URLs that lead to its server: directly, and through each host profile."""
    found: dict[str, dict[str, str]] = {}
    stops = []
    try:
        for era in ("legacy", "modern"):
            peer, port = start_go_conformance(world.setting.folder, sessions=era == "legacy")
            stops.append(peer.stop)
            setting = world.setting.facing({era: port})
            found[era] = {"direct": f"http://127.0.0.1:{port}/mcp"}
            for profile, hold in (("hold", True), ("late", False)):
                proxy = Proxy(setting, f"conformance-{era}-{profile}", hold=hold, policy=allow_all, tls=False)
                stops.append(proxy.stop)
                found[era][profile] = proxy.url(era, "conformance")
        yield found
    finally:
        for stop in reversed(stops):
            stop()


@pytest.fixture(scope="module")
def one_by_one(ways, request, tmp_path_factory) -> Iterator[dict[tuple[str, str], Future[Checks]]]:
    """Each chosen scenario without a proxy and through one, two processes at a time."""
    chosen = [item.callspec.params.get("scenario") for item in request.session.items if hasattr(item, "callspec")]
    with ThreadPoolExecutor(max_workers=2) as pool:

        def run(scenario: str, way: str) -> Checks:
            return LEGACY_SUITE.one(scenario, ways["legacy"][way], tmp_path_factory.mktemp(f"{way}-{scenario}"))

        wanted = [(scenario, way) for scenario in dict.fromkeys(filter(None, chosen)) for way in ("direct", "late")]
        futures = {one: pool.submit(run, *one) for one in wanted}
        yield futures
        for future in futures.values():
            future.cancel()


@pytest.mark.parametrize("scenario", legacy_scenarios())
def test_a_scenario_is_the_same_through_the_policy(scenario, one_by_one):
    direct, through = (one_by_one[scenario, way].result() for way in ("direct", "late"))
    assert direct and not direct.failed(), direct
    assert through == direct


def test_all_scenarios_are_there():
    assert len(legacy_scenarios()) >= AT_LEAST["legacy"]


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_whole_run_is_the_same_through_the_policy(era, ways, tmp_path):
    """All in one process, through both host profiles."""
    suite = {"legacy": LEGACY_SUITE, "modern": MODERN_SUITE}[era]
    found = {way: suite.all(url, folder(tmp_path, way)) for way, url in ways[era].items()}
    assert len(found["direct"]) >= AT_LEAST[era], sorted(found["direct"])
    failed = {scenario for scenario, checks in found["direct"].items() if checks.failed()}
    assert not {scenario for scenario in failed if not scenario.startswith(NOT_BUILT)}
    for profile in ("hold", "late"):
        assert set(found[profile]) == set(found["direct"])
        differs = {scenario: (checks - found[profile][scenario], found[profile][scenario] - checks) for scenario, checks in found["direct"].items()}
        assert not {scenario: both for scenario, both in differs.items() if any(both)}, profile


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made
