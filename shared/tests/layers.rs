//! A lower layer never uses a higher one. Reads the `crate::` paths of every source file.

use std::fs;
use std::path::Path;

/// Lowest first; a module may use those of its own line and of the lines above it.
const LAYERS: &[&[&str]] = &[
    &[
        "http", "pairs", "token68", "keyed", "path", "time", "secret", "seal", "order", "digest", "base64", "json", "sse",
        "jsonrpc", "mcp", "oauth",
    ],
    &["policy"],
    &["audit", "config"],
    &["filter"],
    &["identity", "jws", "approval"],
    &["mcp_authz", "token_exchange"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn no_module_uses_a_layer_above_its_own() {
    // What is compiled for speed is a package of its own below this one.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = [here.join("src"), here.join("wire/src")];
    let (mut files, mut folders) = (Vec::new(), roots.to_vec());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                None => folders.push(path),
                Some(extension) if extension == "rs" => files.push(path),
                Some(_) => {}
            }
        }
    }
    let mut checked = 0;
    for file in files.iter().filter(|file| !file.ends_with("lib.rs")) {
        let inside = roots.iter().find_map(|root| file.strip_prefix(root).ok()).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let own = layer(module).unwrap_or_else(|| panic!("{module} has no layer: add it here and in ARCHITECTURE.md"));
        let fast = ["base64", "http", "json", "keyed", "order", "pairs", "token68"].contains(&module);
        assert!(fast || !file.starts_with(&roots[1]), "{module} is in the package of what is compiled for speed");
        for used in fs::read_to_string(file).unwrap().split("crate::").skip(1) {
            let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(theirs) = layer(&name) else { continue };
            assert!(theirs <= own, "{} uses {name}, which is of a higher layer", inside.display());
            let plugins = LAYERS.len() - 1;
            assert!(own != plugins || theirs != plugins || name == module, "{}: plugins never use each other", inside.display());
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} uses were seen: does this test still read what it should?");
}
