"""MCP's conformance suite comes to the same checks through a policy that allows all as it does without a proxy.

The server is the Go SDK's own for this suite: with sessions for 2025-11-25, without for 2026-07-28.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache

import pytest
from conformance import LEGACY_SUITE, MODERN_SUITE, Checks
from conversation import LEGACY, MODERN
from peers import start_go_conformance
from policies import allow_all, allow_no_prompts
from proxy import Proxy

SUITES = {LEGACY: LEGACY_SUITE, MODERN: MODERN_SUITE}
PATHS = {LEGACY: "legacy", MODERN: "modern"}
# The Go SDK has no tasks; the suite does not count them either, but how they fail is compared as well.
NOT_BUILT = "tasks-"
# Scenarios and checks: fewer would mean that something was left out.
AT_LEAST = {LEGACY: (32, 50), MODERN: (50, 196)}
OF_PROMPTS = {f"prompts-get-{kind}" for kind in ("simple", "with-args", "embedded-resource", "with-image")}
OF_PROMPTS |= {"completion-complete", "input-required-result-non-tool-request"}
# Who refuses an origin may say so in a body; the server says nothing.
OWN_BODY = {"localhost-host-rebinding-rejected"}


@cache
def legacy_scenarios() -> list[str]:
    return LEGACY_SUITE.scenarios()


@pytest.fixture(scope="module")
def ways(world) -> Iterator[dict[tuple[str, str], str]]:
    """The URLs that lead to the server of an era: directly, through each host profile, and through a narrower policy."""
    with ExitStack() as stack:

        def start(era: str) -> int:
            # One server for each: a scenario changes what it offers.
            peer, port = start_go_conformance(world.setting.folder, sessions=era == LEGACY)
            stack.callback(peer.stop)
            return port

        found = {(era, "direct"): f"http://127.0.0.1:{start(era)}/mcp" for era in SUITES}
        for way, hold, policy in (("hold", True, allow_all), ("late", False, allow_all), ("narrow", True, allow_no_prompts)):
            setting = world.setting.facing({name: start(era) for era, name in PATHS.items()})
            proxy = Proxy(setting, f"conformance-{way}", hold=hold, policy=policy, tls=False)
            stack.callback(proxy.stop)
            found |= {(era, way): proxy.url(name, "conformance") for era, name in PATHS.items()}
        yield found


@pytest.fixture(scope="module")
def one_by_one(ways, request, tmp_path_factory) -> Iterator[dict[tuple[str, str], Future[Checks]]]:
    """Each chosen scenario without a proxy and through one, two processes at a time."""
    chosen = [item.callspec.params.get("scenario") for item in request.session.items if hasattr(item, "callspec")]
    # Made here: two threads that ask pytest for its first folder get two roots, and one of them an error.
    folder = tmp_path_factory.mktemp("one-by-one")
    with ThreadPoolExecutor(max_workers=2) as pool:

        def run(scenario: str, way: str) -> Checks:
            own = folder / f"{way}-{scenario}"
            own.mkdir()
            return LEGACY_SUITE.one(scenario, ways[LEGACY, way], own)

        wanted = [(scenario, way) for scenario in dict.fromkeys(filter(None, chosen)) for way in ("direct", "late")]
        futures = {one: pool.submit(run, *one) for one in wanted}
        yield futures
        for future in futures.values():
            future.cancel()


@pytest.mark.parametrize("scenario", legacy_scenarios())
def test_a_scenario_is_the_same_through_the_policy(scenario, one_by_one, count):
    direct, through = (one_by_one[scenario, way].result() for way in ("direct", "late"))
    assert direct and not direct.failed(), direct
    assert not differences(direct, through)
    count(f"conformance {LEGACY}, a process a scenario", scenarios=1, checks=direct.total())


def test_all_scenarios_are_there():
    assert len(legacy_scenarios()) >= AT_LEAST[LEGACY][0]


@pytest.fixture(scope="module")
def whole(ways, tmp_path_factory) -> Callable[[str, str], dict[str, Checks]]:
    """All scenarios of an era in one process, on one of the ways."""
    return cache(lambda era, way: SUITES[era].all(ways[era, way], tmp_path_factory.mktemp(way)))


@pytest.mark.parametrize("era", SUITES)
@pytest.mark.parametrize("way", ["hold", "late"])
def test_a_whole_run_is_the_same_through_the_policy(era, way, whole, count):
    direct, through = whole(era, "direct"), whole(era, way)
    made = len(direct), sum(checks.total() for checks in direct.values())
    assert made[0] >= AT_LEAST[era][0] and made[1] >= AT_LEAST[era][1], made
    failed = {scenario for scenario, checks in direct.items() if checks.failed()}
    assert not {scenario for scenario in failed if not scenario.startswith(NOT_BUILT)}
    assert set(through) == set(direct)
    differs = {scenario: differences(checks, through[scenario]) for scenario, checks in direct.items()}
    assert not {scenario: both for scenario, both in differs.items() if both}
    count(f"conformance {era}, {way}", scenarios=made[0], checks=made[1])


@pytest.mark.parametrize("era", SUITES)
def test_a_narrower_policy_is_noticed(era, whole):
    """The control: where the policy forbids prompts, the scenarios that ask for one fail, and no others."""
    direct, narrow = whole(era, "direct"), whole(era, "narrow")
    assert {scenario for scenario, checks in narrow.items() if checks.failed() - direct[scenario].failed()} == OF_PROMPTS & set(direct)


def differences(direct: Checks, through: Checks) -> list:
    """What the one has and the other has not."""
    return [sorted(counted(one) - counted(other)) for one, other in ((direct, through), (through, direct)) if counted(one) - counted(other)]


def counted(checks: Checks) -> Checks:
    return Checks({check._replace(found="") if check.id in OWN_BODY else check: times for check, times in checks.items()})
