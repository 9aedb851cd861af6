"""What stands around an identity provider, played by this process: the mesh that issues JWT-SVIDs, the phones that users approve with,
a line to the provider that can be cut, and operations that suspend agents."""

import base64
import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

TRUST_DOMAIN = "spiffe://cluster.local"
APPROVAL_REACHES_US_WITHIN = 5.0


class SigningKey:
    """A P-256 key with a name; the public half is what others see of it."""

    def __init__(self, kid: str) -> None:
        self.kid, self._key = kid, ec.generate_private_key(ec.SECP256R1())

    def public(self, use: str = "sig") -> dict:
        return {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key())), "kid": self.kid, "use": use, "alg": "ES256"}

    def private(self) -> dict:
        return {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key)), "kid": self.kid, "use": "sig", "alg": "ES256"}

    def sign(self, claims: dict, typ: str = "JWT") -> str:
        return jwt.encode(claims, self._key, "ES256", headers={"kid": self.kid, "typ": typ})

    def assertion(self, client: str, audience: str | list[str], *, lives: int = 60, **more) -> str:
        """RFC 7523 section 3: a client says who it is."""
        now = int(time.time())
        return self.sign({"iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + lives, "jti": secrets.token_hex(16), **more})


    def proof(self, method: str, url: str) -> str:
        """RFC 9449 section 4.2: who sends this request has the key."""
        public = {name: value for name, value in self.public().items() if name in ("kty", "crv", "x", "y")}
        claims = {"jti": secrets.token_hex(16), "htm": method, "htu": url, "iat": int(time.time())}
        return jwt.encode(claims, self._key, "ES256", headers={"typ": "dpop+jwt", "jwk": public})


class _Server:
    """An HTTP server of this process on a loopback port; it can go away and come back on the same port."""

    def __init__(self) -> None:
        self._port, self._server = 0, None
        self.start()

    @property
    def port(self) -> int:
        return self._port

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        outer = self

        class Request(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*outer.get(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                self._answer(*outer.post(self.path, dict(self.headers.items()), body))

            def _answer(self, status: int, body: str) -> None:
                with contextlib.suppress(ConnectionError):  # Whoever asked has gone.
                    self.send_response(status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body.encode())

            def log_message(self, *_) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Request)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def get(self, path: str) -> tuple[int, str]:
        return 404, "{}"

    def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        return 404, "{}"


class Spire(_Server):
    """Plays SPIRE: publishes the bundle of a trust domain and signs the SVIDs of its workloads."""

    def __init__(self) -> None:
        self.keys, self.asked = [SigningKey("mesh-1")], 0
        self._next: SigningKey | None = None
        super().__init__()

    @property
    def bundle_endpoint(self) -> str:
        return f"{self.origin}/bundle.json"

    def get(self, path: str) -> tuple[int, str]:
        self.asked += 1
        keys = [key.public("jwt-svid") for key in (*self.keys, self._next) if key]
        return 200, json.dumps({"keys": keys, "spiffe_sequence": len(keys), "spiffe_refresh_hint": 5})

    def prepare(self) -> SigningKey:
        """The next key stands in the bundle before anything is signed by it, as SPIRE does it."""
        self._next = SigningKey(f"mesh-{len(self.keys) + 1}")
        return self._next

    def rotate(self) -> None:
        """New SVIDs are signed by a new key; the one before stays in the bundle."""
        self.keys, self._next = [self._next or SigningKey(f"mesh-{len(self.keys) + 1}"), *self.keys], None

    def svid(self, workload: str, audience: str, *, lives: int = 300, by: SigningKey | None = None) -> str:
        now = int(time.time())
        return (by or self.keys[0]).sign({"sub": workload, "aud": [audience], "iat": now, "exp": now + lives})


class Bridge(_Server):
    """Plays the bridge from a gate to the SPIFFE Workload API: whoever asks gets an SVID of one workload."""

    # What it has ever given, in all runs of it: none of it may stand in a log.
    given: list[str] = []  # noqa: RUF012

    def __init__(self, spire: Spire, workload: str, audience: str, *, lives: int) -> None:
        self._spire, self.workload, self._audience, self._lives = spire, workload, audience, lives
        super().__init__()

    def get(self, path: str) -> tuple[int, str]:
        svid = self._spire.svid(self.workload, self._audience, lives=self._lives)
        self.given.append(svid)
        return 200, svid


class Vault(_Server):
    """Plays who keeps a secret, and keys that seal, and gives them to a gate."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        # Those that seal, by name, the first one first.
        self.keys: dict[str, str] = {}
        super().__init__()

    def get(self, path: str) -> tuple[int, str]:
        if path == "/keys":
            return 200, json.dumps({"keys": [{"kty": "oct", "kid": kid, "k": k} for kid, k in self.keys.items()]})
        return 200, self.secret + "\n"


class Agent(_Server):
    """Plays an agent: with what it was given for a call it makes that call itself, through the gate on the way out of it."""

    def __init__(self, name: str) -> None:
        self.name, self.host, self.given = name, f"{name}.agents.example.com", []
        # Calls a tool with a token.
        self.calls: Callable[[str], httpx2.Response] | None = None
        super().__init__()

    def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        self.given.append({name.lower(): value for name, value in headers.items()})
        answer = self.calls(self.holds())
        return answer.status_code, answer.text

    def holds(self) -> str:
        """What it was given last."""
        return self.given[-1]["authorization"].removeprefix("Bearer ")


class Injected:
    """A credential that Envoy has from a file by SDS, and reads again when another file takes its place."""

    def __init__(self, folder: Path, client: str, secret: str) -> None:
        self.name, self.path = client, folder / f"{client}.json"
        self.now(secret)

    def now(self, secret: str) -> None:
        """The client's secret from now on."""
        basic = "Basic " + base64.b64encode(f"{self.name}:{secret}".encode()).decode()
        kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
        another = self.path.with_suffix(".another")
        another.write_text(json.dumps({"resources": [{"@type": kind, "name": self.name, "generic_secret": {"secret": {"inline_string": basic}}}]}))
        another.replace(self.path)


class Phones(_Server):
    """Plays the devices on which users approve what an agent wants to do while they are away (CIBA)."""

    def __init__(self) -> None:
        self._asked: list[tuple[str, dict]] = []
        super().__init__()

    def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        authorization = {name.lower(): value for name, value in headers.items()}["authorization"]
        self._asked.append((authorization, json.loads(body)))
        return 201, ""

    def messages(self) -> list[str]:
        """What users were shown, in its order."""
        return [shown["binding_message"] for _, shown in self._asked]

    def shown(self, binding_message: str) -> dict:
        """What the user sees."""
        return self._find(binding_message)[1]

    def answer(self, callback: str, binding_message: str, status: str) -> None:
        """The user presses a button: `SUCCEED`, `UNAUTHORIZED` or `CANCELLED`."""
        authorization, _ = self._find(binding_message)
        httpx2.post(callback, headers={"authorization": authorization}, json={"status": status}).raise_for_status()

    def _find(self, binding_message: str) -> tuple[str, dict]:
        deadline = time.monotonic() + APPROVAL_REACHES_US_WITHIN
        while time.monotonic() < deadline:
            for asked in self._asked:
                if asked[1]["binding_message"] == binding_message:
                    return asked
            time.sleep(0.05)
        raise AssertionError(f"nobody was asked {binding_message!r}: {[shown for _, shown in self._asked]}")


class Line(_Server):
    """The line to an identity provider: it counts what goes over it, notes how clients prove themselves and what they exchange, and can
    be slow; stopped, nobody is there."""

    def __init__(self, to: str) -> None:
        self._to, self.count, self.delay = to, 0, 0.0
        self.assertions: list[str] = []
        self.subjects: list[str] = []
        super().__init__()

    def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        self.count += 1
        form = parse_qs(body.decode())
        self.assertions += form.get("client_assertion", [])
        self.subjects += form.get("subject_token", [])
        time.sleep(self.delay)
        kept = {name: value for name, value in headers.items() if name.lower() in ("authorization", "content-type", "accept")}
        answer = httpx2.post(self._to + path, headers=kept, content=body, timeout=30)
        return answer.status_code, answer.text


class Notices(_Server):
    """What reaches users: a chat, a push service, mail."""

    def __init__(self) -> None:
        self._got: list[dict] = []
        super().__init__()

    def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        self._got.append(json.loads(body))
        return 202, "{}"

    def got(self) -> list[dict]:
        """Every notice, in its order. The first one is waited for."""
        deadline = time.monotonic() + APPROVAL_REACHES_US_WITHIN
        while not self._got and time.monotonic() < deadline:
            time.sleep(0.05)
        return list(self._got)


class Suspended(_Server):
    """Operations keep a list of who may no longer pass."""

    def __init__(self) -> None:
        self._revoked: list[dict] = []
        super().__init__()

    def now(self, *revoked: dict) -> None:
        """The list from now on."""
        self._revoked = list(revoked)

    def get(self, path: str) -> tuple[int, str]:
        return 200, json.dumps({"version": 1, "issued": int(time.time()), "revoked": self._revoked})
