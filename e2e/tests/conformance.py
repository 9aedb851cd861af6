"""The conformance suites for MCP servers: what is compared is every check that they write down, and what it says."""

import json
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from peers import E2E, NODE, environment

ENDS_WITHIN = 180.0
# What no two runs have in common, and HTTP headers: a proxy adds its own.
VARIES = {"headers", "sessionId", "subscriptionId", "io.modelcontextprotocol/subscriptionId"}
# A filtered answer is for one caller only (MCP-T-09), hence private also where nothing was taken out.
SCOPE = re.compile(r'("cacheScope": ?)"public"')


class Check(NamedTuple):
    """A check, its result, and what was found, without what varies."""

    id: str
    name: str
    status: str
    found: str


class Checks(Counter[Check]):
    """The checks of a scenario; some are made several times."""

    def failed(self) -> set[str]:
        return {check.id for check in self if check.status == "FAILURE"}


@dataclass(frozen=True)
class Suite:
    """A version of `@modelcontextprotocol/conformance`, and how it is told which scenarios to run."""

    package: str
    whole: tuple[str, ...]

    def scenarios(self) -> list[str]:
        """Every server scenario that it lists."""
        lines = self._run("list", "--server").splitlines()
        return [line.split()[1] for line in lines if line.startswith("  - ")]

    def one(self, scenario: str, url: str, folder: Path) -> Checks:
        """One scenario, in a process of its own."""
        return self._play(url, folder, ("--scenario", scenario))[scenario]

    def all(self, url: str, folder: Path) -> dict[str, Checks]:
        """All scenarios in one process."""
        return self._play(url, folder, self.whole)

    def _play(self, url: str, folder: Path, chosen: tuple[str, ...]) -> dict[str, Checks]:
        said = self._run("server", "--url", url, "--output-dir", str(folder), *chosen)
        found = {}
        for file in folder.glob("server-*/checks.json"):
            # The folder's name is that of the scenario and the time, which is 24 characters long.
            scenario = file.parent.name.removeprefix("server-")[: -len("-2026-07-28T00-00-00-000Z")]
            found[scenario] = Checks(_read(check, url) for check in json.loads(file.read_text()))
        assert found, said
        return found

    def _run(self, *arguments: str) -> str:
        command = [NODE, f"node_modules/{self.package}/dist/index.js", *arguments]
        # Its exit code says whether a check failed; the checks themselves say it better.
        done = subprocess.run(command, cwd=E2E, env=environment(), capture_output=True, text=True, timeout=ENDS_WITHIN, check=False)
        return done.stdout + done.stderr


def _read(check: dict, url: str) -> Check:
    found = json.dumps([check.get("errorMessage"), _lasting(check.get("details"))], sort_keys=True)
    host = url.split("/")[2]
    return Check(check["id"], check["name"], check["status"], SCOPE.sub(r'\1"private"', found.replace(url, "URL").replace(host, "HOST")))


def _lasting(value: object) -> object:
    match value:
        case {"error": {"code": code}}:
            # The texts of the policy's refusals are its own, the codes are the protocol's.
            return {**_lasting({name: part for name, part in value.items() if name != "error"}), "error": code}
        case dict():
            return {name: _lasting(part) for name, part in value.items() if name not in VARIES}
        case list():
            return [_lasting(part) for part in value]
        case str():
            return SCOPE.sub(r'\1"private"', value)
    return value


LEGACY_SUITE = Suite("@modelcontextprotocol/conformance", ("--suite", "all"))
MODERN_SUITE = Suite("conformance-modern", ("--requirements", "2026-07-28"))
