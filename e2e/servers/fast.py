"""An MCP server of FastMCP; it answers in 2025-11-25 and in 2026-07-28 on one URL.

Arguments: the port on the loopback address, and the file that its dangerous tool appends to.
"""

import sys
from pathlib import Path

import anyio
from fastmcp import Context, FastMCP

server = FastMCP("fast")


@server.tool
def echo(message: str) -> str:
    """Give the message back."""
    return f"Echo: {message}"


@server.tool
def delete_repo(name: str) -> str:
    """Delete a repository: a line in a file stands for it."""
    with Path(sys.argv[2]).open("a") as deleted:
        deleted.write(f"{name}\n")
    return f"deleted {name}"


@server.tool
async def count(steps: int, seconds: float, ctx: Context) -> str:
    """Count slowly, with a progress notification a step."""
    for step in range(1, steps + 1):
        await anyio.sleep(seconds / steps)
        await ctx.report_progress(step, steps)
    return f"counted to {steps}"


if __name__ == "__main__":
    server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False, log_level="warning")
