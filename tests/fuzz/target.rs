//! The target that `ATTENDANT_FUZZ` names, under libFuzzer.

#![no_main]

use std::sync::OnceLock;

use attendant::fuzz::{Target, named};
use libfuzzer_sys::fuzz_target;

fn chosen() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("ATTENDANT_FUZZ").unwrap_or_default();
        named(&name).unwrap_or_else(|| panic!("ATTENDANT_FUZZ names no target: {name:?}"))
    })
}

fuzz_target!(|bytes: &[u8]| (chosen().body)(bytes));
