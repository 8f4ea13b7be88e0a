//! A file of per-item results is read or refused, whatever its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = item_results::read(bytes.to_vec());
});
