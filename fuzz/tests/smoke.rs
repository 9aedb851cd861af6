//! Every target with inputs that are the same in every run. `WARDPOINT_FUZZ_RUNS` makes it longer.
#![expect(clippy::expect_used, reason = "a test fails by it")]

use wardpoint_fuzz::drive::smoke;
use wardpoint_fuzz::target;

/// Inputs a target, all together a few seconds.
const RUNS: usize = 150_000;

fn runs(name: &str) {
    let wanted = std::env::var("WARDPOINT_FUZZ_RUNS").ok().and_then(|text| text.parse().ok());
    let seed = std::env::var("WARDPOINT_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    smoke(target(name).expect(name), wanted.unwrap_or(RUNS), seed.unwrap_or(1));
}

#[test]
fn json() {
    runs("json");
}

#[test]
fn sse() {
    runs("sse");
}

#[test]
fn message() {
    runs("message");
}

#[test]
fn config() {
    runs("config");
}

#[test]
fn cel() {
    runs("cel");
}

#[test]
fn token() {
    runs("token");
}

#[test]
fn oauth() {
    runs("oauth");
}

#[test]
fn order() {
    runs("order");
}

#[test]
fn exchange() {
    runs("exchange");
}

#[test]
fn revoked() {
    runs("revoked");
}

#[test]
fn secret() {
    runs("secret");
}
