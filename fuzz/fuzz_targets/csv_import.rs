#![no_main]

#[path = "../../tests/it/corpora/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::run("csv_import", bytes));
