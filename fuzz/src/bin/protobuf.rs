//! Fuzzes `properties::protobuf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&properties::protobuf::TARGET, input));
