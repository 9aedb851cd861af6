//! What holds for the modules as files: how large they are, and that nothing of the machine that built them is in them.

use std::path::{Path, PathBuf};

/// The plugins, and the most bytes of each. Every worker of a proxy compiles all of them.
const SHIPPED: &[(&str, usize)] = &[("mcp-authz", 400_000), ("mcp-authz-approval", 520_000), ("token-exchange", 750_000)];

fn module(name: &str) -> anyhow::Result<Vec<u8>> {
    Ok(std::fs::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/plugins")).join(format!("{name}.wasm")))?)
}

#[test]
fn modules_are_no_larger_than_they_may_be() -> anyhow::Result<()> {
    for (name, most) in SHIPPED {
        let size = module(name)?.len();
        assert!(size <= *most, "{name}: {size} bytes, {most} at most");
    }
    Ok(())
}

/// A panic tells where it was, so names of source files are in a module: relative to their crate, but for those of the toolchain.
#[test]
fn modules_say_nothing_of_the_machine_that_built_them() -> anyhow::Result<()> {
    let tree = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let homes = ["HOME", "CARGO_HOME", "RUSTUP_HOME"].map(std::env::var_os).into_iter().flatten().map(PathBuf::from);
    let places: Vec<String> =
        homes.chain([tree]).map(|place| format!("{}/", place.display())).filter(|place| place != "/").collect();
    assert!(!places.is_empty());
    for (name, _) in SHIPPED {
        let bytes = module(name)?;
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("shared/src/"), "{name}: names of source files are there to be looked at");
        let told = places.iter().map(String::as_str).chain([".cargo/", "registry/src", ".rustup/", "/home/", "/Users/"]);
        for place in told {
            let behind = text.split_once(place).map(|(_, behind)| behind.chars().take(100).collect::<String>());
            assert_eq!(behind, None, "{name}: {place}");
        }
    }
    Ok(())
}
