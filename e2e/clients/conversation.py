"""One conversation of a Python client: a plan comes in on standard input, one JSON line goes out for everything seen."""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import httpx2
from mcp import MCPError
from mcp_types import CallToolResult, Tool


class Sdk(NamedTuple):
    """What differs between the clients."""

    # Its client for a plan, an HTTP client, a mode, and whether the session is ended with it.
    client: Callable[[dict, Callable[..., httpx2.AsyncClient], str, bool], AbstractAsyncContextManager]
    list_tools: Callable[[Any], Awaitable[list[Tool]]]
    call_tool: Callable[[Any, str, dict, Any], Awaitable[CallToolResult]]


def converse(sdk: Sdk) -> None:
    asyncio.run(_converse(sdk, json.load(sys.stdin)))


async def _converse(sdk: Sdk, plan: dict) -> None:
    tls = ssl.create_default_context(cafile=plan["ca"])
    tls.load_cert_chain(plan["cert"], plan["key"])
    statuses: list[tuple[str, int]] = []

    async def note(response: httpx2.Response) -> None:
        statuses.append((response.request.method, response.status_code))

    def http(**options: Any) -> httpx2.AsyncClient:
        two = plan["http"] == "2"
        options |= {"headers": {"authorization": f"Bearer {plan['token']}"} if plan["token"] else {}, "timeout": 30}
        return httpx2.AsyncClient(verify=tls, http1=not two, http2=two, event_hooks={"response": [note]}, **options)

    mode = "legacy" if plan["era"] == "2025-11-25" else plan["era"]
    steps = plan["steps"]
    ends = bool(steps) and steps[-1]["do"] == "end"
    started = time.monotonic()
    try:
        async with sdk.client(plan, http, mode, ends) as client:
            say({"step": "open", "session": None}, started)
            for step in steps[:-1] if ends else steps:
                await carry_out(sdk, client, step)
            started = time.monotonic()
    except* MCPError as group:
        # What goes wrong in the opening comes wrapped by the SDK's task groups.
        say({"step": "open", "error": described(innermost(group))}, started)
        ends = False
    if ends:
        # The SDK ends the session when the client closes, and only logs a failure: the status tells.
        deletes = [status for method, status in statuses if method == "DELETE"]
        say({"step": "end", "session": None, "deletes": deletes}, started)


async def carry_out(sdk: Sdk, client: Any, step: dict) -> None:
    started = time.monotonic()
    seen: dict = {"step": step["do"], "name": step.get("name")}
    try:
        if step["do"] == "list":
            seen["tools"] = [tool.name for tool in await sdk.list_tools(client)]
        else:
            seen["progress"] = 0

            async def progress(_done: float, _total: float | None, _message: str | None) -> None:
                seen["progress"] += 1
                say({"event": "progress", "name": step.get("name"), "progress": seen["progress"]})

            result = await sdk.call_tool(client, step["tool"], step["arguments"], progress if step.get("stream") else None)
            seen["text"] = "".join(getattr(block, "text", "") for block in result.content)
            seen["isError"] = result.is_error or False
    except MCPError as error:
        seen["error"] = described(error)
    say(seen, started)


def innermost(group: BaseException) -> MCPError:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def described(error: MCPError) -> dict:
    data = error.error
    return {"name": type(error).__name__, "code": data.code, "message": data.message, "data": data.data}


def say(seen: dict, started: float | None = None) -> None:
    if started is not None:
        seen["ms"] = round((time.monotonic() - started) * 1000)
    print(json.dumps(seen), flush=True)
