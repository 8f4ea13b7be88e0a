//! Segments in any of the three formats are read or refused, and what is read can be scored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scoring::{
    diarization::{Scored, der, jer},
    meeting::{TimeConstraint, cp_wer},
    segments::{read_rttm, read_seglst, read_stm},
};

fuzz_target!(|text: &str| {
    let read = [read_seglst(text), read_stm(text), read_rttm(text)];
    for segments in read.into_iter().flatten().filter(|segments| segments.len() < 12) {
        let _ = cp_wer(&segments, &segments, TimeConstraint::None);
        let _ = cp_wer(&segments, &segments, TimeConstraint::Collar(5.0));
        let scored = Scored { span: None, collar: 0.25, skip_overlap: false };
        let _ = der(&segments, &segments, scored);
        let _ = jer(&segments, &segments, scored);
    }
});
