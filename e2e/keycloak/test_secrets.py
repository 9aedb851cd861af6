"""What a client shows comes by callout: an SVID, which a bridge to the mesh gives the gate, or a secret that somebody keeps."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import jwt
import pytest
from gate import refused, shown, svid_of
from identity import AGENTS
from server import ISSUER, JWT_SPIFFE
from stand_ins import Injected, Vault

# Keycloak reads the bundle again when it meets a key that it does not know, but not more often than every ten seconds.
BUNDLE_IS_READ_WITHIN = 60.0
RENEWED_WITHIN = 60.0
# In seconds; a gate fetches the next one when half of it is over.
LIVES = 12


@pytest.fixture
def vault(keycloak):
    made = Vault(keycloak.secrets["REVIEWER_SECRET"])
    yield made
    made.stop()


@pytest.fixture
def start_svid_gate(start_gate, start_bridge):
    def begin(workload: str = AGENTS["writer"], lives: int = LIVES, **options):
        bridge = start_bridge(workload, lives=lives)
        return start_gate(clients=[svid_of("writer", ISSUER)], ours=["writer"], bridge=bridge, **options), bridge

    return begin


def wait_for(fact: Callable[[], bool], within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while not fact():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def kid(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


def alarms(gate) -> int:
    return sum(gate.stats("wardpoint.token-exchange.alarms").values())


def test_the_tool_is_shown_alice_through_the_workload_that_the_svid_names(start_svid_gate, mesh, keycloak):
    gate, bridge = start_svid_gate()
    alice = keycloak.login("alice", "files:read")
    claims = shown(gate.ask("writer", alice))
    assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), "writer", "mcp-files")
    assert gate.line.assertions and set(gate.line.assertions) <= set(bridge.given)
    assert all(token not in value for headers in mesh.tools["mcp-files"].requests() for value in headers.values() for token in (alice, *bridge.given))
    assert refused(gate.ask("planner", alice)) == (403, "no_client"), "the SVID is the writer's and nobody else's"


def test_the_key_of_the_mesh_changes_under_traffic(start_svid_gate, keycloak):
    """Each call is an exchange, so each shows an SVID. No call fails, and nothing is started again."""
    gate, spire = start_svid_gate(lives=24, cache={"tokens": 0}, patience="9s")[0], keycloak.spire
    alice, stop, before = keycloak.login("alice", "files:read"), Event(), spire.keys[0].kid

    def traffic() -> list[int]:
        statuses = []
        while not stop.is_set():
            statuses.append(gate.ask("writer", alice).status_code)
        return statuses

    with ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(traffic) for _ in range(3)]
        try:
            wait_for(lambda: len(gate.line.assertions) > 20, RENEWED_WITHIN, "traffic flows")
            coming = spire.prepare()
            proof = lambda: {"grant_type": "client_credentials", "client_assertion_type": JWT_SPIFFE, "client_assertion": spire.svid(AGENTS["writer"], ISSUER, by=coming)}  # noqa: E731
            wait_for(lambda: keycloak.ask(proof()).status_code == 200, BUNDLE_IS_READ_WITHIN, "Keycloak has the new key")
            spire.rotate()
            latest = lambda: gate.line.assertions[-20:]  # noqa: E731
            wait_for(lambda: {kid(svid) for svid in latest()} == {coming.kid}, RENEWED_WITHIN, "all workers have an SVID by the new key")
        finally:
            stop.set()
        statuses = [status for caller in callers for status in caller.result()]
    assert set(statuses) == {200}, {status: statuses.count(status) for status in set(statuses)}
    assert {kid(svid) for svid in gate.line.assertions} == {before, coming.kid} and len(set(gate.line.assertions)) > 2
    assert alarms(gate) == 0 and sum(gate.stats("secrets.fetched").values()) > 2, gate.stats("wardpoint.token-exchange")


def test_while_the_bridge_is_down_the_last_svid_is_used_to_its_end_and_then_nothing_leaves(start_svid_gate, mesh, keycloak):
    gate, bridge = start_svid_gate(cache={"tokens": 0}, workers=1)
    alice = keycloak.login("alice", "files:read")
    shown(gate.ask("writer", alice))
    bridge.stop()
    last = jwt.decode(bridge.given[-1], options={"verify_signature": False})["exp"]
    answer = gate.ask("writer", alice)
    assert answer.status_code == 200 or time.time() >= last, answer.text
    wait_for(lambda: gate.ask("writer", alice).status_code == 503, RENEWED_WITHIN, "it has ended")
    before = len(mesh.tools["mcp-files"].requests())
    answer = gate.ask("writer", alice)
    assert time.time() >= last and refused(answer) == (503, "exchange_unavailable") and int(answer.headers["retry-after"]) > 0
    assert "www-authenticate" not in answer.headers and alarms(gate) > 0
    assert len(mesh.tools["mcp-files"].requests()) == before, "least of all with her own token"
    bridge.start()
    wait_for(lambda: gate.ask("writer", alice).status_code == 200, RENEWED_WITHIN, "it comes back with the bridge")


def test_an_svid_of_another_workload_is_never_shown(start_svid_gate, mesh, keycloak):
    gate, _ = start_svid_gate(workload=AGENTS["planner"])
    before = len(mesh.tools["mcp-files"].requests())
    answer = gate.ask("writer", keycloak.login("alice", "files:read"))
    assert refused(answer) == (500, "exchange_misconfigured") and "www-authenticate" not in answer.headers
    assert gate.line.count == 0 and alarms(gate) > 0 and len(mesh.tools["mcp-files"].requests()) == before
    (record,) = [record for record in gate.records(answer.json()["error"]["data"]["decisionId"]) if record["plugin"] == "token-exchange"]
    assert record["exchange"]["detail"] == "svid_other_subject"


def test_the_secret_of_a_client_changes_and_nothing_is_started_again(start_gate, vault, keycloak):
    """Keycloak takes the new one alone: a call that comes before it was fetched is refused, and brings it."""
    fetched = {"fetch": {"cluster": "bridge", "authority": "vault.local", "path": "/reviewer"}}
    client = {"id": "reviewer", "auth": {"method": "client_secret_basic", "secret": fetched}}
    gate, alice = start_gate(clients=[client], bridge=vault, cache={"tokens": 0}, workers=1), keycloak.login("alice", "files:read")
    assert shown(gate.ask("reviewer", alice))["azp"] == "reviewer"
    with keycloak.another_secret("reviewer") as another:
        vault.secret = another
        assert refused(gate.ask("reviewer", alice)) == (500, "exchange_misconfigured") and alarms(gate) > 0
        wait_for(lambda: gate.ask("reviewer", alice).status_code == 200, RENEWED_WITHIN, "the new one is fetched")
        assert sum(gate.stats("secrets.missed").values()) > 0


def test_the_cluster_shows_the_secret_and_the_plugin_never_has_it(start_gate, mesh, keycloak, tmp_path):
    """Envoy's own `credential_injector` on the cluster of the token service, fed by SDS; what it shows changes without a restart."""
    injected, client = Injected(tmp_path, "reviewer", keycloak.secrets["REVIEWER_SECRET"]), {"id": "reviewer", "auth": {"method": "cluster"}}
    environment = {"REVIEWER_SECRET": "of-no-use-to-anybody", "PLANNER_SECRET": "nor-is-this"}
    gate = start_gate(clients=[client], secrets=environment, injects=injected, cache={"tokens": 0}, workers=1)
    alice = keycloak.login("alice", "files:read")
    claims = shown(gate.ask("reviewer", alice))
    assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), "reviewer", "mcp-files")
    basic = json.loads(injected.path.read_text())["resources"][0]["generic_secret"]["secret"]["inline_string"].removeprefix("Basic ")
    assert basic not in gate.admin("config_dump?include_eds") and not gate.has_written(basic)
    with keycloak.another_secret("reviewer") as another:
        assert refused(gate.ask("reviewer", alice)) == (500, "exchange_misconfigured") and alarms(gate) > 0
        injected.now(another)
        wait_for(lambda: gate.ask("reviewer", alice).status_code == 200, RENEWED_WITHIN, "Envoy has the new one")


def test_a_client_signs_who_it_is(start_gate, keycloak):
    """`private_key_jwt`: the plugin signs, Keycloak has the public half. Each assertion is for the issuer alone, and another one."""
    key = keycloak.researcher.private()
    keycloak.secrets["RESEARCHER_D"] = key["d"]
    client = {"id": "researcher", "auth": {"method": "private_key_jwt", "key": {"env": "RESEARCHER_KEY"}, "keyId": key["kid"]}}
    gate = start_gate(clients=[client], ours=["researcher"], secrets={"RESEARCHER_KEY": json.dumps(key)}, cache={"tokens": 0}, workers=1)
    alice = keycloak.login("alice", "files:read")
    for _ in range(2):
        claims = shown(gate.ask("researcher", alice))
        assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), "researcher", "mcp-files")
    said = [jwt.decode(assertion, options={"verify_signature": False}) for assertion in gate.line.assertions]
    assert [(one["iss"], one["sub"], one["aud"]) for one in said] == [("researcher", "researcher", ISSUER)] * 2
    assert len({one["jti"] for one in said}) == 2 and {kid(assertion) for assertion in gate.line.assertions} == {key["kid"]}
