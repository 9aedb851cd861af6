//! `wardpoint oci` and `wardpoint push` as an operator sees them. The real registry is in istio/: `make test-oci`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod registry;

use std::fs;
use std::path::Path;
use std::process::Command;

use registry::{Door, Fault, Registry};
use serde_json::Value;
use wardpoint_test_host::oci::Digest;

const MODULE: &[u8] = b"\0asm\x01\0\0\0 and so on";

/// Exit code, output and errors, in a folder that has `mcp-authz.wasm` and with these variables.
fn run(folder: &Path, words: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardpoint"));
    for name in ["WARDPOINT_REGISTRY_USER", "WARDPOINT_REGISTRY_PASSWORD", "WARDPOINT_REGISTRY_TOKEN", "DOCKER_CONFIG"] {
        command.env_remove(name);
    }
    command.env("HOME", folder).envs(environment.iter().copied()).args(words).current_dir(folder);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A folder with a layout, and the digest that was printed.
fn layout() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mcp-authz.wasm"), MODULE).unwrap();
    let (exit, out, err) = run(folder.path(), &["oci", "mcp-authz.wasm"], &[]);
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    let digest = out.strip_prefix("target/oci/mcp-authz: ").unwrap().trim().to_owned();
    (folder, digest)
}

#[test]
fn the_printed_digest_is_that_of_the_manifest_and_always_the_same() {
    let ((first, digest), (second, again)) = (layout(), layout());
    assert_eq!(digest, again);
    let index = |folder: &Path| fs::read_to_string(folder.join("target/oci/mcp-authz/index.json")).unwrap();
    assert_eq!(index(first.path()), index(second.path()));
    let index: Value = serde_json::from_str(&index(first.path())).unwrap();
    assert_eq!(index["manifests"][0]["digest"], digest);
    let hex = digest.strip_prefix("sha256:").unwrap();
    let manifest = fs::read(first.path().join("target/oci/mcp-authz/blobs/sha256").join(hex)).unwrap();
    assert_eq!(Digest::of(&manifest).to_string(), digest);
}

#[test]
fn what_is_pushed_is_what_is_there_and_what_is_printed_goes_into_a_manifest() {
    let (folder, digest) = layout();
    let registry = Registry::start(Door::Open, Fault::None);
    let reference = format!("{}/wardpoint/mcp-authz:0.1.0", registry.address);
    let (exit, out, err) = run(folder.path(), &["push", &reference], &[]);
    let hex = digest.strip_prefix("sha256:").unwrap();
    assert_eq!(
        (exit, out.as_str(), err.as_str()),
        (Some(0), format!("url: oci://{reference}\nsha256: \"{hex}\"\n").as_str(), "")
    );
    registry.with(|state| {
        let manifest = &state.kept["/v2/wardpoint/mcp-authz/manifests/0.1.0"];
        assert_eq!(Digest::of(manifest).to_string(), digest);
        let manifest: Value = serde_json::from_slice(manifest).unwrap();
        for blob in [&manifest["config"], &manifest["layers"][0]] {
            assert!(state.kept.contains_key(&format!("/v2/wardpoint/mcp-authz/blobs/{}", blob["digest"].as_str().unwrap())));
        }
        assert_eq!(state.kept.len(), 3);
    });
    // What is there is not sent again.
    let before = registry.with(|state| state.asked.len());
    assert_eq!(run(folder.path(), &["push", &format!("{reference}@{digest}")], &[]).0, Some(0));
    let methods = registry.with(|state| state.asked[before..].iter().map(|(method, ..)| method.clone()).collect::<Vec<_>>());
    assert_eq!(methods, ["HEAD", "HEAD", "PUT"]);
}

#[test]
fn credentials_are_shown_only_when_asked_for_and_as_asked() {
    let (folder, _) = layout();
    let own = [("WARDPOINT_REGISTRY_USER", "ci"), ("WARDPOINT_REGISTRY_PASSWORD", "s3cret")];
    for (door, environment, shown) in [
        (Door::Open, own.as_slice(), None),
        (Door::Basic, &own, Some("Basic Y2k6czNjcmV0")),
        (Door::Bearer, &own, Some("Bearer granted")),
        (Door::Bearer, &[("WARDPOINT_REGISTRY_TOKEN", "granted")], Some("Bearer granted")),
    ] {
        let registry = Registry::start(door, Fault::None);
        let (exit, _, err) = run(folder.path(), &["push", &format!("{}/mcp-authz:1", registry.address)], environment);
        assert_eq!((exit, err.as_str()), (Some(0), ""), "{door:?}");
        registry.with(|state| {
            assert_eq!(state.asked[0].2, None, "{door:?}");
            assert_eq!(state.asked.last().unwrap().2.as_deref(), shown, "{door:?}");
        });
    }
    let registry = Registry::start(Door::Bearer, Fault::None);
    assert_eq!(run(folder.path(), &["push", &format!("{}/mcp-authz:1", registry.address)], &own).0, Some(0));
    let scoped = "/token?scope=repository%3Amcp-authz%3Apull%2Cpush&service=it%2C%20self";
    registry.with(|state| assert!(state.asked.iter().any(|(_, path, _)| path == scoped), "{:?}", state.asked));
}

#[test]
fn dockers_configuration_is_used_and_the_environment_goes_before_it() {
    let (folder, _) = layout();
    let registry = Registry::start(Door::Basic, Fault::None);
    let reference = format!("{}/mcp-authz:1", registry.address);
    fs::create_dir(folder.path().join(".docker")).unwrap();
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"Y2k6czNjcmV0"}}}}}}"#, registry.address);
    fs::write(folder.path().join(".docker/config.json"), config).unwrap();
    let (exit, _, err) = run(folder.path(), &["push", &reference], &[]);
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    let wrong = [("WARDPOINT_REGISTRY_USER", "ci"), ("WARDPOINT_REGISTRY_PASSWORD", "other")];
    let (exit, out, err) = run(folder.path(), &["push", &reference], &wrong);
    assert_eq!((exit, out.as_str()), (Some(1), ""));
    assert!(err.contains("refuses to say whether it has") && err.contains("401") && !err.contains("other"), "{err}");
}

#[test]
fn what_a_registry_does_wrong_ends_the_push_and_says_what() {
    let (folder, digest) = layout();
    for (door, fault, why) in [
        (Door::Open, Fault::Elsewhere, "which is not a place in it"),
        (Door::Open, Fault::Rewrites, "where sha256:"),
        (Door::Open, Fault::Denies, "refuses the manifest 1: 403 Forbidden (DENIED not yours)"),
        (Door::Basic, Fault::None, "401 Unauthorized"),
        (Door::Bearer, Fault::None, "refuses a token: 403 Forbidden"),
        (Door::Bearer, Fault::FarRealm, "10.0.0.1 is not on this machine"),
    ] {
        let registry = Registry::start(door, fault);
        let (exit, out, err) = run(folder.path(), &["push", &format!("{}/mcp-authz:1", registry.address)], &[]);
        assert_eq!((exit, out.as_str()), (Some(1), ""), "{fault:?}");
        assert!(err.starts_with("error: ") && err.contains(why), "{fault:?}: {err}");
    }
    let other = Digest::of(b"").to_string();
    let (exit, _, err) = run(folder.path(), &["push", &format!("127.0.0.1:1/mcp-authz:1@{other}")], &[]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("names another image") && err.contains(&digest), "{err}");
    let (exit, _, err) = run(folder.path(), &["push", "127.0.0.1:1/mcp-authz:1"], &[("WARDPOINT_REGISTRY_USER", "ci")]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("needed both"), "{err}");
}

#[test]
fn to_another_machine_there_is_tls_or_nothing() {
    let (folder, _) = layout();
    // A name that is never given to a machine (RFC 6761): whoever tries to reach it fails, whatever the port.
    fs::write(folder.path().join("roots.pem"), "").unwrap();
    let roots = [("SSL_CERT_FILE", "roots.pem"), ("SSL_CERT_DIR", "none")];
    let (exit, _, err) = run(folder.path(), &["push", "registry.invalid/mcp-authz:1"], &roots);
    assert_eq!(exit, Some(1));
    assert!(err.contains("no root certificates"), "{err}");
    let (exit, _, err) = run(folder.path(), &["push", "--plain-http", "registry.invalid/mcp-authz:1"], &[]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("cannot be reached"), "{err}");
}

#[test]
fn what_is_not_there_is_not_pushed() {
    let (folder, _) = layout();
    for (words, why) in [
        (["push", "mcp-authz:1"], "has no registry"),
        (["push", "127.0.0.1:1/token-exchange:1"], "target/oci/token-exchange/oci-layout"),
        (["push", "127.0.0.1:1/mcp-authz"], "names no tag"),
        (["oci", "other.wasm"], "other.wasm: cannot be read"),
        (["oci", "target/oci/mcp-authz/index.json"], "is not a WebAssembly module"),
    ] {
        let (exit, out, err) = run(folder.path(), &words, &[]);
        assert_eq!((exit, out.as_str()), (Some(2), ""), "{words:?}");
        assert!(err.contains(why), "{err}");
    }
    let blobs = folder.path().join("target/oci/mcp-authz/blobs/sha256");
    let blob = fs::read_dir(blobs).unwrap().next().unwrap().unwrap().path();
    fs::write(&blob, "changed").unwrap();
    let (exit, _, err) = run(folder.path(), &["push", "127.0.0.1:1/mcp-authz:1"], &[]);
    assert_eq!(exit, Some(2));
    assert!(err.contains("it was changed"), "{err}");
}
