"""A real Keycloak with the realm of `realm.json`, and what a client may ask of it."""

import json
import os
import secrets
import signal
import string
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import jwt
from peers import E2E, Peer, environment, free_port
from stand_ins import Phones, SigningKey, Spire

HOME = E2E.parent / "target" / "keycloak" / "26.7.3"
# What the outside calls it: the issuer does not depend on the port of a run.
ORIGIN = "https://idp.example.com"
ISSUER = f"{ORIGIN}/realms/agents"
TOKEN_PATH = "/realms/agents/protocol/openid-connect/token"
KEYS_PATH = "/realms/agents/protocol/openid-connect/certs"
# It lives for a minute or two: what the second compiler gains it never earns back.
JAVA = {"JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m", "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"}
STARTS_WITHIN = 180.0
STOPS_WITHIN = 20.0

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
CIBA = "urn:openid:params:grant-type:ciba"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_SPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
SECRETS = ("PLANNER_SECRET", "REVIEWER_SECRET", "UNPREPARED_SECRET", "ASSISTANT_SECRET", "WEB_SECRET", "FILES_SECRET", "MAIL_SECRET", "WIKI_SECRET", "ALICE_PASSWORD", "BOB_PASSWORD")


class _Group(Peer):
    """`kc.sh` may stay before its Java: both are stopped, as the group that they are."""

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str]) -> None:
        self.name, self.log = name, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=E2E, env=environment(**env), start_new_session=True
            )

    def stop(self) -> None:
        for number, patience in ((signal.SIGTERM, STOPS_WITHIN), (signal.SIGKILL, STOPS_WITHIN)):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and self._lives():
                time.sleep(0.05)
        self.process.wait()

    def _lives(self) -> bool:
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


class Keycloak:
    """The server, its realm and the secrets of this run."""

    def __init__(self, folder: Path, spire: Spire, phones: Phones) -> None:
        self.port, self.spire, self.phones, self.log = free_port(), spire, phones, folder / "keycloak.log"
        self.secrets = {name: secrets.token_urlsafe(24) for name in SECRETS}
        self.researcher = SigningKey("researcher-1")
        self.logins: list[str] = []
        self._admin = {"KC_BOOTSTRAP_ADMIN_USERNAME": "root", "KC_BOOTSTRAP_ADMIN_PASSWORD": secrets.token_urlsafe(24)}
        self._http, started = httpx2.Client(timeout=30), time.monotonic()
        self._peer = _Group("keycloak", self._command(management := free_port()), self.log, self._admin | JAVA)
        try:
            self._wait(f"http://127.0.0.1:{management}/health/ready")
            self._import()
            self.took = time.monotonic() - started
        except BaseException:
            self.stop()
            raise

    def _command(self, management: int) -> list[str]:
        channel = "--spi-ciba-auth-channel--ciba-http-auth-channel--http-authentication-channel-uri"
        return [
            str(HOME / "bin" / "kc.sh"), "start", "--optimized", f"--hostname={ORIGIN}", "--http-enabled=true", "--http-host=127.0.0.1",
            f"--http-port={self.port}", f"--http-management-port={management}", "--http-management-host=127.0.0.1", f"{channel}={self.phones.origin}/ask",
        ]

    def _wait(self, health: str) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                if self._http.get(health).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            if self._peer.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Keycloak is not ready:\n{self._peer.last_words()}")
            time.sleep(0.2)

    def _import(self) -> None:
        values = self.secrets | {"BUNDLE_ENDPOINT": self.spire.bundle_endpoint, "RESEARCHER_JWKS": json.dumps({"keys": [self.researcher.public()]})}
        realm = filled(json.loads((Path(__file__).parent / "realm.json").read_text()), values)
        self.administer("POST", "/admin/realms", realm)

    def stop(self) -> None:
        self._http.close()
        self._peer.stop()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"{self.origin}/realms/agents/protocol/openid-connect/{path}"

    def login(self, user: str = "alice", *scopes: str, lives: int | None = None, bound_to: SigningKey | None = None) -> str:
        """The user's own token, as the chat gets it; of `lives` seconds if that is said, bound to a key by DPoP if that is (RFC 9449)."""
        if lives is not None:
            self._chat_tokens_live(lives)
            try:
                return self.login(user, *scopes)
            finally:
                self._chat_tokens_live(300)
        form = {"client_id": "chat-ui", "grant_type": "password", "username": user, "password": self.secrets[f"{user.upper()}_PASSWORD"]}
        proof = {"dpop": bound_to.proof("POST", self.url("token"))} if bound_to else {}
        answer = self._http.post(self.url("token"), data=form | {"scope": " ".join(("openid", *scopes))}, headers=proof)
        assert answer.status_code == 200, answer.text
        self.logins.append(answer.json()["access_token"])
        return self.logins[-1]

    def token(self, client: str, **form: Any) -> httpx2.Response:
        """Asks the token endpoint, as the client `client` with its own way to say who it is."""
        return self.ask(self.proof(client) | form)

    def ask(self, form: dict[str, Any]) -> httpx2.Response:
        return self._http.post(self.url("token"), data=form)

    def exchange(self, client: str, subject: str, **form: Any) -> httpx2.Response:
        return self.token(client, grant_type=EXCHANGE, subject_token=subject, **({"subject_token_type": ACCESS_TOKEN} | form))

    def proof(self, client: str) -> dict[str, str]:
        match client:
            case "chat-ui":
                return {"client_id": client}
            case "researcher":
                return {"client_assertion_type": JWT_BEARER, "client_assertion": self.researcher.assertion(client, ISSUER)}
            case "writer":
                svid = self.spire.svid("spiffe://cluster.local/ns/agents/sa/writer", ISSUER)
                return {"client_assertion_type": JWT_SPIFFE, "client_assertion": svid}
            case _:
                return {"client_id": client, "client_secret": self.secrets[f"{client.removeprefix('mcp-').upper()}_SECRET"]}

    def introspect(self, client: str, token: str) -> httpx2.Response:
        return self._http.post(self.url("token/introspect"), data=self.proof(client) | {"token": token})

    def revoke(self, client: str, token: str) -> httpx2.Response:
        return self._http.post(self.url("revoke"), data=self.proof(client) | {"token": token})

    def ask_for_approval(self, client: str, user: str, message: str, scope: str = "openid") -> httpx2.Response:
        return self._http.post(self.url("ext/ciba/auth"), data=self.proof(client) | {"login_hint": user, "binding_message": message, "scope": scope})

    def poll(self, client: str, request: str) -> httpx2.Response:
        return self.token(client, grant_type=CIBA, auth_req_id=request)

    def press(self, message: str, status: str) -> None:
        """The user answers on the device."""
        self.phones.answer(self.url("ext/ciba/auth/callback"), message, status)

    @contextmanager
    def another_key(self) -> Iterator[None]:
        """Tokens are signed by a new key meanwhile; the one before is still published."""
        realm = self.administer("GET", "/admin/realms/agents").json()["id"]
        kind = {"name": "another", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider", "parentId": realm}
        made = self.administer("POST", "/admin/realms/agents/components", kind | {"config": {"priority": ["1000"], "algorithm": ["RS256"]}})
        try:
            yield
        finally:
            self.administer("DELETE", f"/admin/realms/agents/components/{made.headers['location'].rpartition('/')[2]}")

    @contextmanager
    def another_secret(self, client: str) -> Iterator[str]:
        """From now on the client has another secret; after it the one before."""
        (found,) = self.administer("GET", f"/admin/realms/agents/clients?clientId={client}").json()
        path, name = f"/admin/realms/agents/clients/{found['id']}", f"{client.upper()}_SECRET"
        another = self.secrets[f"ANOTHER_{name}"] = secrets.token_urlsafe(24)
        self.administer("PUT", path, found | {"secret": another})
        try:
            yield another
        finally:
            self.administer("PUT", path, found | {"secret": self.secrets[name]})

    def jwks(self) -> dict:
        return self._http.get(self.url("certs")).json()

    def claims(self, token: str) -> dict:
        """The claims of a token, once its signature has been checked. Who it is for is for the caller to look at."""
        kid = jwt.get_unverified_header(token)["kid"]
        (key,) = [key for key in self.jwks()["keys"] if key["kid"] == kid]
        return jwt.decode(token, jwt.PyJWK(key), ["RS256"], issuer=ISSUER, options={"verify_aud": False})

    def events(self, kind: str) -> list[dict]:
        """What the server noted down of this kind, newest first."""
        return self.administer("GET", f"/admin/realms/agents/events?type={kind}&max=1000").json()

    def forget_consents(self, user: str) -> None:
        """The user has agreed to nothing."""
        path = f"/admin/realms/agents/users/{self.user(user)}/consents"
        for consent in self.administer("GET", path).json():
            self.administer("DELETE", f"{path}/{consent['clientId']}")

    def user(self, name: str) -> str:
        return self.administer("GET", f"/admin/realms/agents/users?exact=true&username={name}").json()[0]["id"]

    def _chat_tokens_live(self, seconds: int) -> None:
        (client,) = self.administer("GET", "/admin/realms/agents/clients?clientId=chat-ui").json()
        client["attributes"]["access.token.lifespan"] = str(seconds)
        self.administer("PUT", f"/admin/realms/agents/clients/{client['id']}", client)

    def administer(self, method: str, path: str, content: Any = None) -> httpx2.Response:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": self._admin["KC_BOOTSTRAP_ADMIN_USERNAME"]}
        form |= {"password": self._admin["KC_BOOTSTRAP_ADMIN_PASSWORD"]}
        token = self._http.post(f"{self.origin}/realms/master/protocol/openid-connect/token", data=form).json()["access_token"]
        answer = self._http.request(method, self.origin + path, headers={"authorization": f"Bearer {token}"}, json=content)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


def filled(value: Any, values: dict[str, str]) -> Any:
    """Fills `${NAME}` as Keycloak's own import from a file does from its environment."""
    match value:
        case str():
            return string.Template(value).safe_substitute(values)
        case dict():
            return {name: filled(part, values) for name, part in value.items()}
        case list():
            return [filled(part, values) for part in value]
        case _:
            return value
