#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftpspec_fuzz::capture(data));
