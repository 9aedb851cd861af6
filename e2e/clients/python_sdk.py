"""One conversation of the Python SDK, in both eras: a plan comes in on standard input, one JSON line goes out for everything seen."""

import asyncio
import json
import ssl
import sys
import time

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client


async def converse(plan: dict) -> None:
    tls = ssl.create_default_context(cafile=plan["ca"])
    tls.load_cert_chain(plan["cert"], plan["key"])
    headers = {"authorization": f"Bearer {plan['token']}"} if plan["token"] else {}
    statuses: list[tuple[str, int]] = []

    async def note(response: httpx2.Response) -> None:
        statuses.append((response.request.method, response.status_code))

    two = plan["http"] == "2"
    http = httpx2.AsyncClient(
        verify=tls, http1=not two, http2=two, headers=headers, timeout=30, event_hooks={"response": [note]}
    )
    mode = "legacy" if plan["era"] == "2025-11-25" else plan["era"]
    steps = plan["steps"]
    ends = bool(steps) and steps[-1]["do"] == "end"
    started = time.monotonic()
    async with http:
        client = Client(streamable_http_client(plan["url"], http_client=http, terminate_on_close=ends), mode=mode, cache=None)
        try:
            async with client:
                say({"step": "open", "session": None}, started)
                for step in steps[:-1] if ends else steps:
                    await carry_out(client, step)
                started = time.monotonic()
        except* MCPError as group:
            # What goes wrong in the opening comes wrapped by the SDK's task groups.
            say({"step": "open", "error": described(innermost(group))}, started)
            ends = False
    if ends:
        # The SDK ends the session when the client closes, and only logs a failure: the status tells.
        deletes = [status for method, status in statuses if method == "DELETE"]
        say({"step": "end", "session": None, "deletes": deletes}, started)


async def carry_out(client: Client, step: dict) -> None:
    started = time.monotonic()
    seen: dict = {"step": step["do"], "name": step.get("name")}
    try:
        if step["do"] == "list":
            seen["tools"] = [tool.name for tool in (await client.list_tools()).tools]
        else:
            seen["progress"] = 0

            async def progress(_done: float, _total: float | None, _message: str | None) -> None:
                seen["progress"] += 1
                say({"event": "progress", "name": step.get("name"), "progress": seen["progress"]})

            on_progress = progress if step.get("stream") else None
            result = await client.call_tool(step["tool"], step["arguments"], progress_callback=on_progress)
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


if __name__ == "__main__":
    asyncio.run(converse(json.load(sys.stdin)))
