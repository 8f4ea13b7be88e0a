//! Any text can be normalised by any normaliser, and what comes out is text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scoring::Normalizer;

fuzz_target!(|text: &str| {
    for normalizer in Normalizer::ALL {
        let _ = normalizer.normalize(text);
    }
});
