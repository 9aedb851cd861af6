//! The reference pages are those of the code. `BLESS=1 cargo test -p wardpoint-test-host --test reference` rewrites them.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by it")]

mod config;
mod counters;
mod matrix;
mod page;

use std::path::{Path, PathBuf};

/// Where the pages are.
fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference")
}

/// The alerts that the page of a plugin shows.
fn alerts(plugin: &str) -> String {
    std::fs::read_to_string(pages().join(format!("{plugin}.alerts.yaml"))).unwrap()
}

#[test]
fn the_pages_of_plugins_are_not_stale() {
    for plugin in page::plugins() {
        let name = format!("{}.md", plugin.name);
        is_fresh(&pages().join(&name), &page::page(&plugin));
    }
}

#[test]
fn the_page_of_declarations_is_not_stale() {
    is_fresh(&pages().join("access.md"), &page::access());
}

#[test]
fn the_page_of_failures_is_not_stale() {
    is_fresh(&pages().join("../failure-matrix.md"), &matrix::matrix());
}

fn is_fresh(file: &Path, fresh: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, fresh).unwrap();
    }
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    assert!(committed == fresh, "{} is stale: run `make docs`", file.display());
}
