"""The Python SDK with a user who logs in with OAuth: a plan comes in on standard input, one JSON line goes out for everything seen."""

import asyncio
import json
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client, MCPError
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata, OAuthToken

CALLBACK = "http://127.0.0.1:1/callback"


class Login:
    """Keeps what the SDK learns, and is the user's browser: it follows redirects with cookies until they lead back to the client."""

    def __init__(self, tls: ssl.SSLContext, token: str | None) -> None:
        self.logins, self.client, self._back = 0, None, {}
        # A token that it kept from an earlier day.
        self.tokens = OAuthToken(access_token=token) if token else None
        self._browser = httpx2.AsyncClient(verify=tls)

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client

    async def send_to(self, url: str) -> None:
        self.logins += 1
        answer = await self._browser.get(url)
        for _ in range(10):
            where = answer.headers.get("location")
            if where is None:
                break
            url = str(answer.url.join(where))
            if url.startswith(CALLBACK):
                self._back = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
                return
            answer = await self._browser.get(url)
        raise RuntimeError(f"the login stopped with {answer.status_code}: {answer.text}")

    async def wait(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**self._back)


async def main(plan: dict) -> None:
    tls = ssl.create_default_context(cafile=plan["ca"])
    login = Login(tls, plan["token"])
    metadata = OAuthClientMetadata(
        client_name="wardpoint-e2e", application_type="native", redirect_uris=[CALLBACK], grant_types=["authorization_code"], token_endpoint_auth_method="none"
    )
    provider = OAuthClientProvider(plan["url"], metadata, login, login.send_to, login.wait)
    mode = "legacy" if plan["era"] == "2025-11-25" else plan["era"]

    def say(step: dict, **seen) -> None:
        seen |= {"step": step["do"], "name": step.get("name"), "logins": login.logins, "scope": login.tokens and login.tokens.scope}
        print(json.dumps(seen), flush=True)

    async with httpx2.AsyncClient(verify=tls, auth=provider, timeout=30) as http:
        async with Client(streamable_http_client(plan["url"], http_client=http), mode=mode, cache=None) as client:
            if mode != "legacy":
                # A pinned era needs no opening: the first request is the first to be refused.
                await client.list_tools()
            say({"do": "open"})
            for step in plan["steps"]:
                try:
                    if step["do"] == "list":
                        say(step, tools=[tool.name for tool in (await client.list_tools()).tools])
                    else:
                        result = await client.call_tool(step["tool"], step["arguments"])
                        say(step, text="".join(getattr(block, "text", "") for block in result.content))
                except MCPError as error:
                    say(step, error={"name": type(error).__name__, "message": str(error)})


asyncio.run(main(json.load(sys.stdin)))
