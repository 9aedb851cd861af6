"""Alice's login goes in, a token for one tool through one agent goes out; before a real identity provider and a tool that checks for itself."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conversation import LEGACY, MODERN, Caller, Conversation, call
from gate import refused, secret_of, shown
from identity import AGENTS

TWO = ["planner", "reviewer"]


@pytest.mark.parametrize("agent", TWO)
def test_the_tool_is_shown_alice_through_this_agent_for_itself(gate, mesh, keycloak, agent):
    alice = keycloak.login("alice", "files:read", "mail:send")
    claims = shown(gate.ask(agent, alice))
    assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), agent, "mcp-files")
    assert set(claims["scope"].split()) == {"files:read", "profile"}, "the route has files:write too, the login has mail:send too"
    assert claims["exp"] <= keycloak.claims(alice)["exp"] + 5
    assert all(alice not in value for headers in mesh.tools["mcp-files"].requests() for value in headers.values())


def test_each_tool_has_a_token_of_its_own_and_takes_no_other(gate, mesh, keycloak):
    alice = keycloak.login("alice", "files:read", "mail:send")
    assert shown(gate.ask("planner", alice, "mcp-files"))["aud"] == "mcp-files"
    assert shown(gate.ask("planner", alice, "mcp-mail"))["aud"] == "mcp-mail"
    for_files, for_mail = (mesh.tools[tool].token() for tool in ("mcp-files", "mcp-mail"))
    assert mesh.tools["mcp-files"].ask(for_files).status_code == 200, "the control"
    for token in (for_files, alice):
        assert mesh.tools["mcp-mail"].ask(token).status_code == 401
    for token in (for_mail, alice):
        assert mesh.tools["mcp-files"].ask(token).status_code == 401
    # Nor does it come back through the gate: it is not for us.
    assert gate.ask("planner", for_files, "mcp-mail").status_code in (401, 403)


def test_an_agent_gets_no_more_than_its_client_may_have(gate, keycloak):
    """The login and the route have files:write; the reviewer's client has not. Keycloak refuses, and nothing goes on."""
    alice = keycloak.login("alice", "files:read", "files:write")
    assert set(shown(gate.ask("planner", alice))["scope"].split()) == {"files:read", "files:write", "profile"}
    assert refused(gate.ask("reviewer", alice)) == (403, "exchange_refused")


def test_a_login_without_the_scope_is_told_which(gate, mesh, keycloak):
    before = gate.line.count, len(mesh.tools["mcp-files"].requests())
    answer = gate.ask("planner", keycloak.login("alice", "mail:send"))
    assert refused(answer) == (403, "insufficient_scope")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ") and 'error="insufficient_scope"' in challenge and 'scope="files:read files:write"' in challenge, challenge
    assert (gate.line.count, len(mesh.tools["mcp-files"].requests())) == before, "nobody else was asked"


def test_a_user_without_the_role_is_refused_by_the_provider(gate, mesh, keycloak):
    before = len(mesh.tools["mcp-files"].requests())
    assert refused(gate.ask("planner", keycloak.login("bob", "files:read"))) == (403, "exchange_refused")
    assert len(mesh.tools["mcp-files"].requests()) == before


def test_who_may_not_call_the_tool_costs_no_exchange(gate, keycloak):
    before = gate.line.count
    assert refused(gate.ask("planner", keycloak.login("alice", "files:read"), name="shred")) == (403, "no_matching_rule")
    assert gate.line.count == before


def test_an_agent_without_a_client_gets_nothing(gate, keycloak):
    before = gate.line.count
    assert refused(gate.ask("writer", keycloak.login("alice", "files:read"))) == (403, "no_client")
    assert gate.line.count == before


def test_a_destination_that_no_route_is_for_gets_nothing(gate, mesh, keycloak):
    before = gate.line.count, len(mesh.tools["mcp-files"].requests())
    assert refused(gate.ask("planner", keycloak.login("alice", "files:read"), host="elsewhere.example.com")) == (403, "route_unmatched")
    assert (gate.line.count, len(mesh.tools["mcp-files"].requests())) == before


def test_a_token_that_lives_longer_than_the_route_allows_goes_nowhere(gate, mesh, keycloak):
    """Keycloak gives five minutes, this route takes one: no proxy can make a token shorter."""
    before = len(mesh.tools["mcp-files"].requests())
    assert refused(gate.ask("planner", keycloak.login("alice", "files:read"), host="brief.example.com")) == (502, "issued_expiry")
    assert len(mesh.tools["mcp-files"].requests()) == before


def test_the_second_call_makes_no_exchange(start_gate, keycloak):
    gate = start_gate(clients=[secret_of("planner"), secret_of("reviewer")], workers=1)
    alice, before = keycloak.login("alice", "files:read"), len(keycloak.events("TOKEN_EXCHANGE"))
    first, second = (shown(gate.ask("planner", alice)) for _ in range(2))
    assert first["jti"] == second["jti"] and gate.line.count == 1
    assert len(keycloak.events("TOKEN_EXCHANGE")) == before + 1
    # Neither another agent nor another login of the same user gets what is kept.
    assert shown(gate.ask("reviewer", alice))["azp"] == "reviewer"
    assert shown(gate.ask("planner", keycloak.login("alice", "files:read")))["jti"] != first["jti"]
    assert gate.line.count == 3


def test_ten_calls_at_once_make_one_exchange(start_gate, keycloak):
    gate = start_gate(clients=[secret_of("planner")], workers=1, patience="9s")
    alice, gate.line.delay = keycloak.login("alice", "files:read"), 1.0
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: gate.ask("planner", alice), range(10)))
    assert len({shown(answer)["jti"] for answer in answers}) == 1 and gate.line.count == 1


def test_without_the_provider_what_is_kept_goes_on_and_nothing_else(start_gate, mesh, keycloak):
    gate = start_gate(clients=[secret_of("planner")], workers=1)
    alice, other = (keycloak.login("alice", "files:read", "mail:send") for _ in range(2))
    shown(gate.ask("planner", alice))
    gate.line.stop()
    before = len(mesh.tools["mcp-mail"].requests()), len(mesh.tools["mcp-files"].requests())
    shown(gate.ask("planner", alice))
    for token, tool in ((alice, "mcp-mail"), (other, "mcp-files")):
        answer = gate.ask("planner", token, tool)
        assert refused(answer) == (503, "exchange_unavailable") and int(answer.headers["retry-after"]) > 0
    gate.line.start()
    deadline = time.monotonic() + 20
    while gate.ask("planner", other).status_code != 200:
        assert time.monotonic() < deadline, "it comes back with the provider"
        time.sleep(0.2)
    assert len(mesh.tools["mcp-mail"].requests()) == before[0]


def test_a_provider_that_is_too_slow_is_not_waited_for(start_gate, keycloak):
    gate = start_gate(clients=[secret_of("planner")])
    gate.line.delay, started = 6.0, time.monotonic()
    answer = gate.ask("planner", keycloak.login("alice", "files:read"))
    assert refused(answer) == (503, "exchange_unavailable") and "retry-after" in answer.headers
    assert time.monotonic() - started < 5.5


def test_a_wrong_secret_is_our_fault_and_raises_an_alarm(start_gate, mesh, keycloak):
    gate = start_gate(clients=[secret_of("planner")], secrets={"PLANNER_SECRET": "not-the-secret-of-the-planner"})
    before = len(mesh.tools["mcp-files"].requests())
    answer = gate.ask("planner", keycloak.login("alice", "files:read"))
    assert refused(answer) == (500, "exchange_misconfigured") and "www-authenticate" not in answer.headers
    assert sum(gate.stats("wardpoint.token-exchange.alarms").values()) == 1, gate.stats("wardpoint.token-exchange")
    assert len(mesh.tools["mcp-files"].requests()) == before


def test_an_expired_login_is_challenged(start_gate, keycloak):
    gate = start_gate(clients=[secret_of("planner")], workers=1)
    alice = keycloak.login("alice", "files:read", lives=3)
    shown(gate.ask("planner", alice))
    # jwt_authn still takes it for a minute (its clock skew); the plugin does not, though it has a token in its memory.
    time.sleep(4)
    answer = gate.ask("planner", alice)
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["www-authenticate"], answer.headers


def test_a_login_that_was_revoked_is_challenged(gate, keycloak):
    """The token is still good for whoever only looks at it: Keycloak knows better."""
    alice = keycloak.login("alice", "files:read")
    assert keycloak.revoke("chat-ui", alice).status_code == 200
    answer = gate.ask("planner", alice)
    assert refused(answer) == (401, "subject_refused") and 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_no_login_and_a_forged_one(gate, keycloak):
    before, answer = gate.line.count, gate.ask("planner", None)
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer") and "error=" not in answer.headers["www-authenticate"]
    head, claims, signature = keycloak.login("alice", "files:read").split(".")
    mallory = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))) | {"sub": "mallory"}
    forged = base64.urlsafe_b64encode(json.dumps(mallory).encode()).decode().rstrip("=")
    assert gate.ask("planner", f"{head}.{forged}.{signature}").status_code == 401
    assert gate.line.count == before


def test_an_agent_calls_an_agent_that_calls_a_tool(start_gate, mesh, keycloak):
    """Each hop has a gate of its own. The second token says the second agent; of the first it says nothing, as Keycloak has no `act`."""
    first = start_gate(ours=["planner"], clients=[secret_of("planner")])
    second = start_gate(ours=["reviewer"], clients=[secret_of("reviewer")])
    alice = keycloak.login("alice", "files:read", "files:write", "agent:reviewer")
    hop = shown(first.ask("planner", alice, "reviewer"))
    assert (hop["azp"], hop["aud"], hop["sub"]) == ("planner", "reviewer", keycloak.user("alice"))
    token = mesh.tools["reviewer"].token()
    claims = shown(second.ask("reviewer", token))
    assert (claims["azp"], claims["aud"], claims["sub"]) == ("reviewer", "mcp-files", keycloak.user("alice"))
    assert set(claims["scope"].split()) == {"files:read", "profile"}, "what the first was not given for this hop, the second cannot have"
    assert all(token not in value for headers in mesh.tools["mcp-files"].requests() for value in headers.values())
    # What was given away is of no use to who gave it, and the tool would not take it.
    assert second.ask("planner", token).status_code == 403
    assert first.ask("planner", token).status_code in (401, 403)
    assert mesh.tools["mcp-files"].ask(token).status_code == 401


def test_without_header_hold_it_is_the_same_but_for_what_the_body_decides(start_gate, mesh, keycloak):
    """As in Istio today. Tokens are exchanged with the headers, so all of that holds; who may call which tool is known with the body."""
    gate = start_gate(clients=[secret_of("planner"), secret_of("reviewer")], hold=False)
    alice, tool = keycloak.login("alice", "files:read"), mesh.tools["mcp-files"]
    before = len(tool.requests())
    for agent in TWO:
        claims = shown(gate.ask(agent, alice))
        assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), agent, "mcp-files")
        assert set(claims["scope"].split()) == {"files:read", "profile"}
    assert mesh.tools["mcp-mail"].ask(tool.token()).status_code == 401
    # Refused before the body has come to `mcp-authz`, which lets that go back as it is not the upstream's.
    came = len(tool.requests())
    assert refused(gate.ask("writer", alice)) == (403, "no_client")
    assert refused(gate.ask("planner", alice, host="elsewhere.example.com")) == (403, "route_unmatched")
    answer = gate.ask("planner", keycloak.login("alice", "mail:send"))
    assert refused(answer) == (403, "insufficient_scope") and 'scope="files:read files:write"' in answer.headers["www-authenticate"]
    assert len(tool.requests()) == came
    # The headers have gone on when the body is refused: with the token for the tool, and without the body.
    answer = gate.ask("planner", alice, name="shred", file="old")
    assert refused(answer) == (403, "no_matching_rule")
    (record,) = [record for record in gate.records(answer.json()["error"]["data"]["decisionId"]) if record["plugin"] == "mcp-authz"]
    assert (record["decision"], record["late"]) == ("deny", True)
    assert all(alice not in value for headers in tool.requests()[before:] for value in headers.values())


def test_who_refuses_while_a_token_is_asked_for_says_why(start_gate, mesh, keycloak):
    """Without header hold the token is asked for before the body has come. The refusal goes back past a plugin that has not decided."""
    gate = start_gate(clients=[secret_of("planner")], hold=False)
    alice, came, gate.line.delay = keycloak.login("alice", "files:read"), len(mesh.tools["mcp-files"].requests()), 5.0
    answer = gate.ask("planner", alice, name="shred", file="old")
    assert refused(answer) == (403, "no_matching_rule")
    gate.stop()
    records = gate.records(answer.json()["error"]["data"]["decisionId"])
    assert {record["plugin"]: (record["decision"], record["reason"]) for record in records} == {"mcp-authz": ("deny", "no_matching_rule"), "token-exchange": ("undecided", "upstream_answered_early")}
    assert len(mesh.tools["mcp-files"].requests()) == came


def test_an_agent_behind_an_agent_without_header_hold(start_gate, mesh, keycloak):
    first = start_gate(ours=["planner"], clients=[secret_of("planner")], hold=False)
    second = start_gate(ours=["reviewer"], clients=[secret_of("reviewer")], hold=False)
    alice, before = keycloak.login("alice", "files:read", "agent:reviewer"), len(mesh.tools["mcp-files"].requests())
    shown(first.ask("planner", alice, "reviewer"))
    token = mesh.tools["reviewer"].token()
    claims = shown(second.ask("reviewer", token))
    assert (claims["azp"], claims["aud"], claims["sub"]) == ("reviewer", "mcp-files", keycloak.user("alice"))
    assert all(login not in value for headers in mesh.tools["mcp-files"].requests()[before:] for value in headers.values() for login in (alice, token))


def test_a_real_client_speaks_through_it(gate, mesh, keycloak):
    alice = keycloak.login("alice", "files:read")
    caller = Caller(mesh.authority, mesh.agents["planner"], alice)
    for client, era in (("python", LEGACY), ("python", MODERN), ("typescript-v2", MODERN)):
        conversation = Conversation(client, f"https://127.0.0.1:{gate.port}/mcp", caller, era=era, http="1.1", steps=[{"do": "list"}, call("who", "who")])
        try:
            seen = conversation.seen()
        finally:
            conversation.stop()
        assert seen["list"]["tools"] == ["who"], seen
        claims = json.loads(seen["who"]["text"])
        assert (claims["sub"], claims["azp"], claims["aud"]) == (keycloak.user("alice"), "planner", "mcp-files")


def test_the_record_says_who_and_holds_no_token(gate, keycloak):
    alice = keycloak.login("alice", "mail:send")
    decision = gate.ask("planner", alice).json()["error"]["data"]["decisionId"]
    allowed, record = gate.records(decision)
    assert (allowed["plugin"], allowed["decision"], allowed["resource"]) == ("mcp-authz", "allow", {"tool": "who"})
    assert (record["plugin"], record["decision"]) == ("token-exchange", "deny")
    assert (record["agent"], record["subject"]["user"], record["reason"]) == (AGENTS["planner"], keycloak.user("alice"), "insufficient_scope")
    assert record["resource"] == {"audience": "mcp-files"}
