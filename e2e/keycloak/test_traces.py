"""Last: all that the tests before have made the gates, the tools and Keycloak write."""

from gate import HOSTS, shown
from stand_ins import Bridge


def test_no_login_and_no_secret_is_in_any_file_of_the_run(gate, keycloak, folder):
    shown(gate.ask("planner", keycloak.login("alice", "files:read")))
    dumped = gate.admin("config_dump?include_eds") + gate.admin("stats")
    files = [path for path in folder.rglob("*") if path.is_file()]
    text = {str(path): path.read_text(errors="replace") for path in files} | {"admin": dumped}
    assert any("who" in content for content in text.values()) and len(files) > len(HOSTS), "there is something to look at"
    canaries = [part for token in keycloak.logins + Bridge.given for part in token.split(".")[1:]] + list(keycloak.secrets.values())
    found = {(name, canary[:12]) for name, content in text.items() for canary in canaries if canary in content}
    assert not found, found
