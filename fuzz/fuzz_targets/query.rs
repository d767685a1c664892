//! See `fuzz_checks::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_checks::query(bytes));
