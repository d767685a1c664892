//! See `fuzz_checks::setting`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_checks::setting(bytes));
