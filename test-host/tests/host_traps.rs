//! What ends a VM of the engine `wasm`: work without an end, and an import that no proxy has.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod plays;

use wardpoint_test_host::host::Manners;
use wardpoint_test_host::transcript::{Transcript, UpstreamSaw};
use wardpoint_test_host::wasm::{Compiled, Vm};

/// A module whose request callback does `body`.
fn module(body: &str) -> Compiled {
    let text = format!(
        r#"(module
            (import "env" "proxy_nonesuch" (func $nonesuch))
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
            (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1)
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {body} i32.const 0))"#
    );
    Compiled::from_bytes(&wat::parse_str(text).unwrap()).unwrap()
}

fn play(body: &str) -> Transcript {
    Vm::start(&module(body), b"{}", Default::default()).unwrap().play(&plays::post(&["a"]), Manners::default())
}

#[test]
fn a_module_that_does_neither_lets_the_request_through() {
    let seen = play("");
    assert_eq!((seen.trapped.as_deref(), seen.client.status), (None, Some(200)), "{seen:?}");
}

#[test]
fn work_without_an_end_runs_out_of_fuel() {
    let seen = play("(loop br 0)");
    assert!(seen.trapped.as_deref().is_some_and(|why| why.contains("fuel")), "{seen:?}");
    assert_eq!((seen.client.status, seen.upstream), (Some(503), UpstreamSaw::Nothing));
}

#[test]
fn an_import_that_no_proxy_has_traps_when_it_is_called() {
    let seen = play("call $nonesuch");
    assert!(seen.trapped.as_deref().is_some_and(|why| why.contains("proxy_nonesuch")), "{seen:?}");
    assert_eq!((seen.client.status, seen.upstream), (Some(503), UpstreamSaw::Nothing));
}
