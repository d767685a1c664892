//! See `fuzz_checks::patch`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_checks::patch(bytes));
