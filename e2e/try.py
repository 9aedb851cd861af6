"""A real Envoy with a policy in front of a real MCP server, to try by hand: `make run-envoy`.

Arguments: the policy as JSON (`wardpoint check --json`), and `--once` to play the printed lines and end.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tests"))

from identity import Authority, Provider  # noqa: E402
from peers import start_dual_era  # noqa: E402
from proxy import Proxy, Setting  # noqa: E402

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
# What is to be seen, who asks, the method, its parameters, and the status that must come.
TRIES = [
    ("allowed: the planner acts for alice", "planner", "tools/call", {"name": "echo", "arguments": {"message": "hello"}}, 200),
    ("refused: no rule speaks of it", "planner", "tools/call", {"name": "delete_repo", "arguments": {"name": "all"}}, 403),
    ("refused: another agent's tool", "other", "tools/call", {"name": "count", "arguments": {"steps": 1, "seconds": 0}}, 403),
    ("the list lacks what may not be called", "other", "tools/list", {}, 200),
]


def line(url: str, folder: Path, agent: str, method: str, params: dict) -> list[str]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    words = ["curl", "-sS", "--cacert", f"{folder}/authority.pem", "--cert", f"{folder}/{agent}.crt", "--key", f"{folder}/{agent}.key"]
    if agent == "planner":
        words += ["-H", f"@{folder}/token"]
    words += ["-H", "content-type: application/json", "-H", "accept: application/json, text/event-stream"]
    words += ["-H", "mcp-protocol-version: 2026-07-28", "-H", f"mcp-method: {method}"]
    if "name" in params:
        words += ["-H", f"mcp-name: {params['name']}"]
    return [*words, "-w", r"\nHTTP %{http_code}\n", "-d", json.dumps(body), url]


def quoted(words: list[str]) -> str:
    safe = [word if all(c.isalnum() or c in "-_./:@" for c in word) else f"'{word}'" for word in words]
    return " ".join(safe)


def main() -> int:
    policy, once = json.loads(Path(sys.argv[1]).read_text()), "--once" in sys.argv[2:]
    hold = policy.get("hostProfile", {}).get("holdHeaders", False)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wardpoint-try-")))
        authority, provider = Authority(folder, "authority"), Provider()
        for agent in ("planner", "other"):
            authority.agent(agent)
        (folder / "token").write_text(f"authorization: Bearer {provider.token()}\n")
        server, port = start_dual_era(folder, folder / "deleted")
        stack.callback(server.stop)
        module = Path(os.environ["WARDPOINT_PLUGINS"]) / "mcp-authz.wasm"
        setting = Setting(folder, module, authority, authority.server(), provider, {"dual": port})
        proxy = Proxy(setting, "envoy", hold=hold, policy=policy)
        stack.callback(proxy.stop)
        url = proxy.url("dual", "by-hand")
        print(f"Envoy listens on {url}\nbootstrap, listener and logs: {folder}/envoy\n")
        for what, agent, method, params, status in TRIES:
            words = line(url, folder, agent, method, params)
            print(f"# {what}\n{quoted(words)}\n", flush=True)
            if once:
                said = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
                print(said)
                if not said.rstrip().endswith(f"HTTP {status}"):
                    print(f"expected HTTP {status}")
                    return 1
        if not once:
            print("Ctrl-C ends it.", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
