"""An MCP server of the Python SDK; it answers in 2025-11-25 and in 2026-07-28 on one URL."""

import sys

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("dual-era")


@server.tool()
def echo(message: str) -> str:
    """Give the message back."""
    return f"Echo: {message}"


@server.tool()
def delete_repo(name: str) -> str:
    """Delete a repository (it only says so)."""
    return f"deleted {name}"


@server.tool()
async def count(steps: int, seconds: float, ctx: Context) -> str:
    """Count slowly, with a progress notification a step."""
    for step in range(1, steps + 1):
        await anyio.sleep(seconds / steps)
        await ctx.report_progress(step, steps)
    return f"counted to {steps}"


if __name__ == "__main__":
    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
