//! The only code of Wardpoint that calls a proxy: proxy-wasm callbacks become core events, core ops become host calls.
//!
//! | module | does |
//! |---|---|
//! | [`abi`] | host calls and callbacks of proxy-wasm 0.2.1, and memory; the one folder with `unsafe` |
//! | [`vm`] | which callback belongs to which root or stream |
//! | `stream` | one exchange: callbacks to events, ops to host calls |
//! | `calls` | callouts and their tokens |
//! | `host` | clock, counters, audit records, host services |
//! | `reads` | declared properties, in few host calls |
//! | `slots` | contexts and calls by their numbers |
//! | [`pairs`], `verify` | wire formats of the ABI |
//!
//! It is mechanical: nothing here knows a policy. It has its own bindings and its own dispatch of callbacks, because those
//! of the `proxy-wasm` crate panic when a host does what it should not: its host calls on any status they do not know, its
//! dispatcher on an unknown context, and on every reply to a call that was not made through those host calls.
//! It cannot panic, and what the host does out of order fails closed.

pub mod abi;
mod calls;
mod host;
mod kinds;
pub mod pairs;
mod reads;
mod slots;
mod stream;
mod verify;
pub mod vm;

/// Makes a crate a plugin: exports what a proxy calls, for this implementation of [`wardpoint_core::filter::Plugin`].
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        /// The proxy calls this first.
        #[unsafe(no_mangle)]
        pub extern "C" fn _initialize() {
            $crate::abi::start(|| Box::new(<$crate::vm::Vm<$plugin>>::default()));
        }
    };
}
