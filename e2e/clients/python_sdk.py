"""The Python SDK, in both eras."""

from contextlib import asynccontextmanager

from conversation import Sdk, converse
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


@asynccontextmanager
async def client(plan, http, mode, ends):
    async with http() as opened, Client(streamable_http_client(plan["url"], http_client=opened, terminate_on_close=ends), mode=mode, cache=None) as found:
        yield found


async def list_tools(client):
    return (await client.list_tools()).tools


def call_tool(client, name, arguments, progress):
    return client.call_tool(name, arguments, progress_callback=progress)


converse(Sdk(client, list_tools, call_tool))
