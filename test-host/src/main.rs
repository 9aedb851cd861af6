//! The CLI `wardpoint`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    wardpoint_test_host::cli::main()
}
