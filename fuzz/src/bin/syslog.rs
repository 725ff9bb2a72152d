//! Fuzzes `properties::doors::SYSLOG`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&properties::doors::SYSLOG, input));
