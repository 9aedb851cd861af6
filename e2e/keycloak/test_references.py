"""What an agent holds in the place of Alice's login: a reference, sealed on the way to it and opened on the way out of it, for the exchange alone."""

import json
import secrets
import threading
import time

import pytest
from gate import refused, secret_of, shown
from stand_ins import Agent, Vault
from test_secrets import wait_for

# A gate fetches keys once more for a reference, but not more often than every ten seconds.
KEYS_COME_WITHIN = 30.0
FRONT = "assistant"


@pytest.fixture
def agent():
    made = Agent("planner")
    yield made
    made.stop()


@pytest.fixture
def vault(keycloak):
    """Has the keys that seal; none of them may be in a file."""
    made = Vault("no secret of a client")
    made.keys = {"first": key(keycloak, "FIRST_REFERENCE_KEY")}
    yield made
    made.stop()


@pytest.fixture
def start_way_in(start_gate, agent, vault):
    """A gate on the way to the agent."""
    return lambda **more: start_gate(clients=[], ours=["planner"], before=agent, bridge=vault, references=keys_of("5m"), **{"proves": "token-exchange", **more})


@pytest.fixture
def start_way_out(start_gate, agent, vault):
    """A gate on the way out of agents, with nothing of that on the way in but where the keys are."""

    def begin(**more):
        clients = [secret_of("planner"), secret_of("reviewer")]
        gate = start_gate(clients=clients, ours=["planner", "reviewer"], proves="token-exchange", bridge=vault, references=keys_of("5m"), **more)
        agent.calls = lambda token: gate.ask(agent.name, token)
        return gate

    return begin


def key(keycloak, name: str) -> str:
    keycloak.secrets[name] = secrets.token_urlsafe(32)
    return keycloak.secrets[name]


def keys_of(refresh: str) -> dict:
    return {"keysFrom": {"cluster": "bridge", "authority": "vault.local", "path": "/keys", "refresh": refresh}}


def call_of(way_in, agent: Agent, login: str):
    """Alice calls the agent, who calls a tool."""
    return way_in.ask(FRONT, login, host=agent.host)


def parts(token: str) -> list[str]:
    """What shows that a token is there: its head is that of others too."""
    return token.split(".")[1:]


@pytest.mark.parametrize("proves", ["jwt_authn", "token-exchange"])
def test_the_agent_holds_a_reference_and_the_tool_is_shown_alice_through_it(start_way_in, start_way_out, agent, mesh, keycloak, proves):
    way_in, way_out = start_way_in(proves=proves), start_way_out()
    alice, tool, before = keycloak.login("alice", "files:read"), mesh.tools["mcp-files"], len(keycloak.events("TOKEN_EXCHANGE"))
    claims = shown(call_of(way_in, agent, alice))
    assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), "planner", "mcp-files")
    assert agent.holds().startswith("wpr_1.first."), "what the agent was given"
    assert way_out.line.count == 1 and way_out.line.subjects == [alice], "what it stands for was exchanged"
    assert way_in.line.count == 0 and len(keycloak.events("TOKEN_EXCHANGE")) == before + 1
    upstream = json.dumps([agent.given, tool.requests()])
    assert not [part for part in parts(alice) if part in upstream], "her login is neither at the agent nor at the tool"
    assert not [part for part in parts(agent.holds()) if part in json.dumps(tool.requests())], "nor is what the agent holds at the tool"
    for gate in (way_in, way_out):
        gate.stop()
        assert gate.has_written(keycloak.user("alice")), "the control"
        assert not [part for token in (alice, agent.holds()) for part in parts(token)[-1:] if gate.has_written(part)]


def test_any_gate_on_the_way_out_opens_it(start_way_in, start_way_out, agent, keycloak):
    way_in, first, second = start_way_in(), start_way_out(), start_way_out()
    shown(call_of(way_in, agent, keycloak.login("alice", "files:read")))
    assert (first.line.count, second.line.count) == (0, 1)
    assert shown(first.ask("planner", agent.holds()))["azp"] == "planner"


def test_stolen_it_is_worth_nothing(start_way_in, start_way_out, agent, mesh, keycloak):
    way_in, way_out, tool = start_way_in(), start_way_out(), mesh.tools["mcp-files"]
    shown(call_of(way_in, agent, keycloak.login("alice", "files:read")))
    stolen, before = agent.holds(), (way_out.line.count, len(tool.requests()), len(agent.given))
    for thief in ("reviewer", "writer"):
        answer = way_out.ask(thief, stolen)
        assert refused(answer) == (401, "reference_refused") and 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert "not_opened" not in answer.text, "why is not the thief's business"
    assert refused(call_of(way_in, agent, stolen)) == (401, "invalid_token"), "nor does it get anybody to the agent"
    assert tool.ask(stolen).status_code == 401
    assert keycloak.exchange("reviewer", stolen, audience="mcp-files", scope="files:read").status_code == 400
    assert (way_out.line.count, len(tool.requests()), len(agent.given)) == before
    assert sum(way_out.stats("references.refused.not_opened").values()) == 2
    assert shown(way_out.ask("planner", stolen))["azp"] == "planner", "the control"


def test_an_agent_that_has_her_login_cannot_use_it(start_way_out, mesh, keycloak):
    way_out, before = start_way_out(), len(mesh.tools["mcp-files"].requests())
    assert refused(way_out.ask("planner", keycloak.login("alice", "files:read"))) == (401, "reference_required")
    assert way_out.line.count == 0 and len(mesh.tools["mcp-files"].requests()) == before


def test_it_ends_with_her_login(start_way_in, start_way_out, agent, keycloak):
    way_in, way_out = start_way_in(), start_way_out()
    alice = keycloak.login("alice", "files:read", lives=8)
    shown(call_of(way_in, agent, alice))
    held, ends = agent.holds(), keycloak.claims(alice)["exp"]
    time.sleep(max(0.0, ends - time.time()) + 1)
    assert refused(way_out.ask("planner", held)) == (401, "reference_refused"), "though a token for the tool is kept"
    assert sum(way_out.stats("references.refused.expired").values()) == 1


def test_keys_are_rotated_under_traffic(start_way_in, start_way_out, agent, vault, keycloak):
    """The way in begins with the new key at once, of which the way out has not heard. Who called before and who calls after: nobody is refused
    for longer than it takes to fetch, and nobody who holds a reference of before at all."""
    way_in, way_out = start_way_in(), start_way_out(cache={"tokens": 0}, patience="9s", workers=1)
    alice, stop, seen = keycloak.login("alice", "files:read"), threading.Event(), []
    shown(call_of(way_in, agent, alice))
    of_before = agent.holds()

    def traffic() -> None:
        while not stop.is_set():
            seen.append(way_out.ask("planner", of_before).status_code)

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        vault.keys = {"second": key(keycloak, "SECOND_REFERENCE_KEY")} | vault.keys
        another = start_way_in()
        wait_for(lambda: call_of(another, agent, alice).status_code == 200, KEYS_COME_WITHIN, "the new key comes when it is missed")
        of_after = agent.holds()
        assert of_before.startswith("wpr_1.first.") and of_after.startswith("wpr_1.second.")
        assert sum(way_out.stats("secrets.missed").values()) > 0
    finally:
        stop.set()
        thread.join()
    assert len(seen) > 3 and set(seen) == {200}, {status: seen.count(status) for status in set(seen)}
    # The old key is taken away: what it has sealed opens nowhere where it is gone.
    vault.keys = {"second": vault.keys["second"]}
    last = start_way_out()
    assert refused(last.ask("planner", of_before)) == (401, "reference_refused")
    assert sum(last.stats("references.refused.unknown_key").values()) == 1
    assert shown(last.ask("planner", of_after))["azp"] == "planner"


def test_a_replica_that_reads_the_keys_anew_seals_with_the_new_one(start_gate, start_way_out, agent, vault, keycloak):
    """By the book: behind the old one, then first. The same gate all the time, and nothing is started again."""
    start_way_out()
    way_in = start_gate(clients=[], ours=["planner"], proves="token-exchange", before=agent, bridge=vault, references=keys_of("10s"), workers=1)
    alice, second = keycloak.login("alice", "files:read"), key(keycloak, "THIRD_REFERENCE_KEY")
    shown(call_of(way_in, agent, alice))
    assert agent.holds().startswith("wpr_1.first.")
    vault.keys = {"third": second} | vault.keys

    def seals_with_it() -> bool:
        return call_of(way_in, agent, alice).status_code == 200 and agent.holds().startswith("wpr_1.third.")

    wait_for(seals_with_it, KEYS_COME_WITHIN, "the new key is read")
