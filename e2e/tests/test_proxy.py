"""What is the proxy's part: mTLS, several workers, and a new policy while answers are under way."""

import json
import socket
import ssl
import threading
import time
from typing import NamedTuple

import httpx2
import pytest
from conversation import LEGACY, MODERN, call
from identity import AGENTS
from policies import SECOND, WRONG
from proxy import WORKERS

HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": LEGACY}
SETTLES_WITHIN = 30.0


def tls_of(caller) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=str(caller.authority.path))
    tls.load_cert_chain(caller.certificate.cert, caller.certificate.key)
    return tls


def body_of(tool: str) -> dict:
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {}}}


def connect(caller) -> httpx2.Client:
    """A bare HTTP/1.1 client that keeps its connection."""
    headers = HEADERS | ({"authorization": f"Bearer {caller.token}"} if caller.token else {})
    return httpx2.Client(verify=tls_of(caller), headers=headers, timeout=10)


def ask(proxy, caller, tool: str, over: httpx2.Client | None = None) -> httpx2.Response:
    """One bare call, on a connection of its own if none is given."""
    if over is not None:
        return over.post(proxy.url("dual", "bare"), json=body_of(tool))
    with connect(caller) as http:
        return ask(proxy, caller, tool, http)


class Exchange(NamedTuple):
    """What one denied call over a TLS session came to."""

    reason: str
    session: ssl.SSLSession | None
    resumed: bool


def exchange(proxy, caller, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Exchange:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as tls:
            body = json.dumps(body_of("delete_repo"))
            headers = HEADERS | {"host": "e2e", "content-type": "application/json", "content-length": str(len(body))}
            headers |= {"authorization": f"Bearer {caller.token}", "connection": "close"}
            path = proxy.url("dual", "bare").partition(str(proxy.port))[2]
            lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", body]
            tls.sendall("\r\n".join(lines).encode())
            answer = b""
            while part := tls.recv(65536):
                answer += part
            error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
            return Exchange(error["data"]["reason"], tls.session, tls.session_reused)


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
def test_a_new_policy_comes_while_an_answer_is_under_way(converse, start_proxy, world, client, era, http):
    proxy, planner = start_proxy(), world.callers["planner"]
    steps = [call("long", "count", steps=8, seconds=4, stream=True)]
    answer = converse(client, proxy.url("dual", "push"), planner, era=era, http=http, steps=steps)
    answer.wait_for_progress()
    assert is_denied(ask(proxy, planner, "delete_repo")), "the first policy is in force"

    proxy.push(SECOND)
    settles(lambda: not is_denied(ask(proxy, planner, "delete_repo")), "what the new policy allows is allowed")
    assert is_denied(ask(proxy, planner, "count")), "what the new policy no longer allows is denied"

    long = answer.seen()["long"]
    assert (long.get("progress"), long.get("text")) == (8, "counted to 8"), long


def test_a_wrong_policy_is_refused_and_the_old_one_stays(start_proxy, world):
    proxy, planner = start_proxy(), world.callers["planner"]
    proxy.push(WRONG)
    settles(lambda: proxy.stats("lds.update_rejected")["listener_manager.lds.update_rejected"] >= 1, "the proxy refuses it")
    assert is_denied(ask(proxy, planner, "delete_repo"))
    assert not is_denied(ask(proxy, planner, "count"))
    # The log says where the mistake is.
    assert "rules[0]" in proxy.log() and "alow" in proxy.log()


def test_an_open_connection_keeps_the_old_policy_for_one_more_answer(start_proxy, world):
    """Envoy drains the connections of the old listener; with this strategy the next answer is the last on each."""
    proxy, planner = start_proxy(flags=("--drain-strategy", "immediate")), world.callers["planner"]
    with connect(planner) as old:
        assert is_denied(ask(proxy, planner, "delete_repo", old))
        proxy.push(SECOND)
        settles(lambda: not is_denied(ask(proxy, planner, "delete_repo")), "the new policy is in force")
        last = ask(proxy, planner, "delete_repo", old)
        assert is_denied(last) and last.headers["connection"] == "close"
        assert not is_denied(ask(proxy, planner, "delete_repo", old)), "a new connection"


@pytest.mark.parametrize("profile", ["late"], indirect=True)
def test_a_resumed_tls_session_names_nobody(start_proxy, world):
    """Envoy does not verify the certificate of a resumed session again, so its name is not believed: hence
    `disable_stateless_session_resumption` and `disable_stateful_session_resumption` in the examples."""
    proxy, planner = start_proxy(resume=True), world.callers["planner"]
    context = tls_of(planner)
    first = exchange(proxy, planner, context)
    assert first.reason != "no_agent" and not first.resumed
    again = exchange(proxy, planner, context, first.session)
    assert again.reason == "no_agent" and again.resumed

    proxy = start_proxy(resume=False)
    first = exchange(proxy, planner, context)
    again = exchange(proxy, planner, context, first.session)
    assert again.reason != "no_agent" and not again.resumed


def test_every_denial_is_recorded_and_no_token_is(proxies, profile, world):
    proxy, planner = proxies[profile], world.callers["planner"]
    answer = ask(proxy, planner, "delete_repo")
    decision = answer.json()["error"]["data"]["decisionId"]

    def record() -> list[dict]:
        lines = [line for line in proxy.log().splitlines() if decision in line]
        return [json.loads(line[line.index("{") : line.rindex("}") + 1]) for line in lines]

    settles(lambda: record(), "the record is in the log")
    (found,) = record()
    assert (found["decision"], found["reason"], found["resource"]) == ("deny", "no_matching_rule", {"tool": "delete_repo"})
    assert (found["agent"], found["subject"]["user"]) == (AGENTS["planner"], "alice")
    assert found["late"] is (profile == "late")
    assert planner.token not in proxy.log()


def settles(is_so, what: str) -> None:
    deadline = time.monotonic() + SETTLES_WITHIN
    while not is_so():
        assert time.monotonic() < deadline, f"not within {SETTLES_WITHIN:.0f} s: {what}"
        time.sleep(0.1)
