//! The CLI `wardpoint`.

fn main() {}
