"""FastMCP's client, in both eras."""

from conversation import Sdk, converse
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


def client(plan, http, mode, _ends):
    # It makes its HTTP client itself; what it asks for beyond ours is its own authentication, and that redirects are followed.
    transport = StreamableHttpTransport(plan["url"], httpx_client_factory=lambda **_: http())
    return Client(transport, mode=mode, cache=None)


def list_tools(client):
    return client.list_tools()


def call_tool(client, name, arguments, progress):
    return client.call_tool_mcp(name, arguments, progress_handler=progress)


converse(Sdk(client, list_tools, call_tool))
