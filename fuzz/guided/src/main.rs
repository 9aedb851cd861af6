//! libFuzzer around the target that `WARDPOINT_FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use wardpoint_fuzz::Target;

fuzz_target!(|input: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("WARDPOINT_FUZZ_TARGET").unwrap_or_default();
        wardpoint_fuzz::target(&name).unwrap_or_else(|| panic!("WARDPOINT_FUZZ_TARGET names no target: {name:?}"))
    });
    (target.run)(input);
});
