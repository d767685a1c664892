//! See `fuzz_checks::body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_checks::body(bytes));
