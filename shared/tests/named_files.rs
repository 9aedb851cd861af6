//! The files that the documents name exist.

use std::fs;
use std::path::Path;

#[test]
fn what_the_documents_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = 0;
    for document in ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "plugins/mcp-authz/README.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap_or_else(|_| panic!("{document} is missing"));
        // Code spans with a slash are paths, but for globs, commands, targets and names of things.
        for span in text.split('`').skip(1).step_by(2) {
            let path = span.trim_end_matches('/');
            let is_path = path.contains('/')
                && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
                && ["shared/", "plugins/", "test-host/", "examples/", "e2e/", ".ci/", ".cargo/"]
                    .iter()
                    .any(|p| path.starts_with(p));
            if is_path {
                assert!(root.join(path).exists(), "{document} names `{span}`, which does not exist");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} paths were seen");
}

#[test]
fn the_architecture_stays_short() {
    let text = include_str!("../../ARCHITECTURE.md");
    assert!(text.lines().count() <= 150);
}
