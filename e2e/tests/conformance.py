"""The conformance suites for MCP servers: what is compared is every check that they write down."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from peers import E2E, NODE, environment

ENDS_WITHIN = 90.0


class Checks(Counter):
    """How often each check came to each status, as (id, status)."""

    def failed(self) -> set[str]:
        return {check for check, status in self if status == "FAILURE"}


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
            found[scenario] = Checks((check["id"], check["status"]) for check in json.loads(file.read_text()))
        assert found, said
        return found

    def _run(self, *arguments: str) -> str:
        command = [NODE, f"node_modules/{self.package}/dist/index.js", *arguments]
        # Its exit code says whether a check failed; the checks themselves say it better.
        done = subprocess.run(command, cwd=E2E, env=environment(), capture_output=True, text=True, timeout=ENDS_WITHIN, check=False)
        return done.stdout + done.stderr


LEGACY_SUITE = Suite("@modelcontextprotocol/conformance", ("--suite", "all"))
MODERN_SUITE = Suite("conformance-modern", ("--requirements", "2026-07-28"))
