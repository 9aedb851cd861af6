"""What stands behind a waypoint: a tool, and the token service of the identity provider."""

import json
import ssl
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from identity import Certificate, Provider

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
LIVES = 300


class _Server:
    """Listens on the loopback address until it is stopped."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        outer = self

        class Exchange(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                status, content = outer.answer(self, self.rfile.read(int(self.headers.get("content-length", 0))))
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
        self._server.daemon_threads = True
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Tool(_Server):
    """An MCP server that has every tool. It notes the token of every call, and how many began: without header hold a call that is
    refused by its body has sent its headers on before."""

    TOOLS = ("delete_repo", "read_file", "search_docs", "wipe_disk")

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.begun = 0
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict]:
        self.begun += 1
        if len(body) != int(request.headers["content-length"]):
            return 400, {}
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        call = json.loads(body)
        listed = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in self.TOOLS]}
        result = listed if call["method"] == "tools/list" else {"content": [{"type": "text", "text": call["params"]["name"]}]}
        return 200, {"jsonrpc": "2.0", "id": call["id"], "result": result}


class TokenService(_Server):
    """Gives tokens (RFC 8693) to a client with a secret."""

    def __init__(self, provider: Provider, certificate: Certificate, client: str, secret: str) -> None:
        self._provider, self._client = provider, client
        self._proof = "Basic " + b64encode(f"{client}:{secret}".encode()).decode()
        super().__init__(certificate)

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict]:
        form = {name: value[0] for name, value in parse_qs(body.decode()).items()}
        if request.headers.get("authorization") != self._proof or form.get("grant_type") != EXCHANGE or not form.get("subject_token"):
            return 400, {"error": "invalid_request"}
        token = self._provider.token(audience=form["audience"], scope=form["scope"], client=self._client, lives=LIVES)
        return 200, {"access_token": token, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": LIVES, "scope": form["scope"]}
