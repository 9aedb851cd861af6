"""An MCP server that checks the token of every request itself, as a tool behind a gate should, and says what it got.

Arguments: the port on the loopback address, its name (the only audience that it accepts), the issuer, where the issuer's keys are, the
algorithm that they are for, and the file that it notes the headers of every request in.
"""

import json
import sys
from pathlib import Path

from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token
from starlette.middleware import Middleware

PORT, NAME, ISSUER, KEYS, ALGORITHM, NOTES = sys.argv[1:]

server = FastMCP(NAME, auth=JWTVerifier(jwks_uri=KEYS, issuer=ISSUER, audience=NAME, algorithm=ALGORITHM, jwks_refresh_interval=1))


@server.tool
def who() -> str:
    """Say whose token this server was shown, and what is in it."""
    return json.dumps(get_access_token().claims)


@server.tool
def shred(file: str) -> str:
    """Nobody should get this far."""
    return f"shredded {file}"


class Noted:
    """Every request that came through a gate leaves its headers in the notes, also one that is refused."""

    def __init__(self, app) -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http" and (b"x-past-the-gate", b"yes") not in scope["headers"]:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
            with Path(NOTES).open("a") as notes:
                notes.write(json.dumps({"path": scope["path"], "headers": headers}) + "\n")
        await self._app(scope, receive, send)


if __name__ == "__main__":
    server.run(
        transport="http", host="127.0.0.1", port=int(PORT), show_banner=False, log_level="warning", stateless_http=True, json_response=True,
        middleware=[Middleware(Noted)], host_origin_protection=False,
    )
