"""What is the proxy's part: mTLS, several workers, and a new policy while answers are under way."""

import ssl
import threading
import time

import httpx2
import pytest
from conversation import LEGACY, MODERN, call
from policies import SECOND, WRONG
from proxy import WORKERS

HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": LEGACY}
SETTLES_WITHIN = 30.0


def ask(proxy, caller, tool: str) -> httpx2.Response:
    """One bare call on a connection of its own."""
    tls = ssl.create_default_context(cafile=str(caller.authority.path))
    tls.load_cert_chain(caller.certificate.cert, caller.certificate.key)
    headers = HEADERS | ({"authorization": f"Bearer {caller.token}"} if caller.token else {})
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    with httpx2.Client(verify=tls, headers=headers, timeout=10) as http:
        return http.post(proxy.url("dual", "bare"), json=body)


def is_denied(answer: httpx2.Response) -> bool:
    return answer.status_code == 403 and answer.json()["error"]["data"]["reason"] == "no_matching_rule"


def test_a_denial_on_the_wire(proxies, profile, world):
    answer = ask(proxies[profile], world.callers["planner"], "delete_repo")
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/json")
    body = answer.json()
    assert body["error"]["data"].pop("decisionId")
    error = {"code": -32003, "message": "not allowed", "data": {"reason": "no_matching_rule"}}
    assert body == {"jsonrpc": "2.0", "id": 7, "error": error}


def test_a_missing_token_is_a_challenge_on_the_wire(proxies, profile, world):
    """MCP-Z-01; without any credential there is no `error` in the challenge (RFC 6750 section 3.1)."""
    answer = ask(proxies[profile], world.caller("planner", None), "echo")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "error=" not in answer.headers["www-authenticate"]


def test_without_a_certificate_nobody_gets_in(proxies, profile, world):
    tls = ssl.create_default_context(cafile=str(world.setting.authority.path))
    with httpx2.Client(verify=tls, timeout=10) as http, pytest.raises(httpx2.TransportError):
        http.post(proxies[profile].url("dual", "bare"), json={})


def test_every_worker_decides(proxies, profile, world):
    proxy = proxies[profile]
    accepted = "worker_.*downstream_cx_total"
    before = proxy.stats(accepted)
    answers: list[httpx2.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(proxy, world.callers["planner"], "delete_repo"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8 and all(map(is_denied, answers)), answers
    taken = [count - before[name] for name, count in proxy.stats(accepted).items() if name.startswith("listener.127")]
    assert len(taken) == WORKERS and all(taken), taken


PUSHED_UNDER = [("typescript-v1", LEGACY, "1.1"), ("python", MODERN, "2")]


@pytest.mark.parametrize(("client", "era", "http"), PUSHED_UNDER, ids=lambda part: str(part))
def test_a_new_policy_comes_while_an_answer_is_under_way(converse, fresh_proxy, world, client, era, http):
    proxy, planner = fresh_proxy, world.callers["planner"]
    steps = [call("long", "count", steps=8, seconds=4, stream=True)]
    answer = converse(client, proxy.url("dual", "push"), planner, era=era, http=http, steps=steps)
    answer.wait_for_progress()
    assert is_denied(ask(proxy, planner, "delete_repo")), "the first policy is in force"

    proxy.push(SECOND)
    settles(lambda: not is_denied(ask(proxy, planner, "delete_repo")), "what the new policy allows is allowed")
    assert is_denied(ask(proxy, planner, "count")), "what the new policy no longer allows is denied"

    long = answer.seen()["long"]
    assert (long.get("progress"), long.get("text")) == (8, "counted to 8"), long


def test_a_wrong_policy_is_refused_and_the_old_one_stays(fresh_proxy, world):
    proxy, planner = fresh_proxy, world.callers["planner"]
    proxy.push(WRONG)
    settles(lambda: proxy.stats("lds.update_rejected")["listener_manager.lds.update_rejected"] >= 1, "the proxy refuses it")
    assert is_denied(ask(proxy, planner, "delete_repo"))
    assert not is_denied(ask(proxy, planner, "count"))
    # The log says where the mistake is.
    assert "rules[0]" in proxy.log() and "alow" in proxy.log()


def settles(is_so, what: str) -> None:
    deadline = time.monotonic() + SETTLES_WITHIN
    while not is_so():
        assert time.monotonic() < deadline, f"not within {SETTLES_WITHIN:.0f} s: {what}"
        time.sleep(0.1)
