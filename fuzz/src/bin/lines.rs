//! The reader of JSON lines behind `ffasr score` takes or refuses any bytes, with a line number.
#![no_main]
#![allow(dead_code, unused_imports, reason = "of the module only the reader is used here")]

#[path = "../../../crates/ffasr/src/score/lines.rs"]
mod lines;

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;

#[derive(Deserialize)]
struct Item {
    id: String,
    r#ref: String,
    hyp: String,
}

fuzz_target!(|bytes: &[u8]| {
    let mut seen = lines::SeenIds::default();
    let read = lines::for_each_line(bytes, |item: Item| {
        seen.insert(&item.id)?;
        let _ = scoring::count_words(&item.r#ref, &item.hyp);
        Ok(())
    });
    if let Err(failure) = read {
        assert!(failure.to_string().contains("line "));
    }
});
