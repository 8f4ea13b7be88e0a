//! A file of per-item results is read or refused, whatever its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    // What the Parquet library panics over is caught by the reader; the fuzzer's own hook would end the process first.
    // A panic that nobody catches is still reported.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let _ = item_results::read(bytes.to_vec());
    }
);
