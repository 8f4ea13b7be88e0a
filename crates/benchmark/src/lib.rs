//! What a release is: corpora, rooms, tracks, recipes and manifests; building and verifying one.
//!
//! Does file I/O, and nothing else with the outside world: no SQL, no HTTP, no async.
//!
//! - A [`corpus`] is a directory of dry recordings with their texts, licence and origin. [`corpus::import`] makes
//!   one from Asterisk prompts, the `LibriSpeech` layout or a JSONL manifest.
//! - A [`release::ReleaseSpec`] says in TOML what a release shall be: [`Track`]s, [`Room`]s, noise, a seed.
//! - A [`release::Plan`] chooses utterances and draws a [`release::Recipe`] for every item. Its
//!   [`release::RenderJob`]s, plain data without any text, are rendered in a [`release::Workshop`], by this process
//!   ([`release::build`]) or by any number of others, and [`release::Plan::assemble`] makes the manifest of what they
//!   gave. [`release::verify`] checks what lies on disk.
//! - A [`dev::DevSet`] is a release with its references, to be given away and evaluated on anywhere.
//!
//! # A release on disk
//!
//! | file | what |
//! |---|---|
//! | `release.json` | `manifest_sha256`, and under `release` a [`release::Header`]: format, renderer, corpus (licence and attribution), specification with all rooms |
//! | `manifest.jsonl` | one [`release::Item`] a line: scored items track by track, then warm-up, then repeat passes |
//! | `audio/<sha256>.wav` | 16 kHz, 16-bit PCM, named by its content; mono but for `array` and `echo` |
//! | `rooms/<name>…` | what a page shows of a room: `.json` with a summary and the parameters of a response by octave, its plan (`.svg`), section, and the response in pictures |
//! | `sealed.bin` | of a sealed release, in place of `manifest.jsonl`: see [`release::seal`] |
//!
//! `manifest.jsonl` holds the reference transcripts; of the three only `audio/` may reach a machine that runs a
//! model. `manifest_sha256` freezes the release: SHA-256 of the header as one line of compact JSON (keys in the
//! order of the file) followed by `manifest.jsonl` byte for byte. No file says when, where or by whom it was made.
//!
//! An item's line, wrapped here:
//!
//! ```json
//! {"id":"…","role":"scored","track":"far-mid","utterance":"conf-locked","reference":"…","talker":"…",
//!  "audio_filepath":"audio/….wav","sha256":"…","seconds":2.71,
//!  "conditions":{"room":"kitchen","distance_m":1.64,"snr_db":9.87,
//!                "active_level_dbov":-26.0,"noise_level_dbov":-35.87,"t30_s":0.41,"edt_s":0.38,"c50_db":9.1,
//!                "drr_db":0.4,"noise":["ventilation","coughs"]},
//!  "recipe":{"turns":[{"speech_sha256":"…","start_samples":0,"talker":1}],"level_dbov":-26.0,"dither_seed":…,
//!            "scene":{"room":"kitchen","listener":{"microphone":0},"snr_db":9.87,
//!                     "noises":[{"kind":"ventilation","position":0,"relative_level_db":0.0,"seed":…},…]}}}
//! ```
//!
//! `role` is `scored`, `warm-up`, or `repeat` with a `pass` from 1. Warm-up items are utterances of their own;
//! repeats are a fixed subset of the scored utterances rendered afresh. Neither is ever scored. On the `near` track
//! `conditions` and `scene` are `null`. A scene whose speech is not heard through the room says so in `speech` (`dry`
//! or `absent`), or from somebody who walks (`walk`); without noise its `snr_db` is `null`. Conditions that an item has not are left out.
//!
//! What a track asks of a model beyond one channel of one talker is [`Track::demand`]. An `array` item has one channel a
//! microphone, an `echo` item the microphone and then what the loudspeaker was sent; both name a file in one channel as
//! `mono`. A `multi-talker` item has `segments` as `SegLST` has them.

pub mod corpus;
pub mod dev;
pub mod release;

mod audio;
mod error;
mod furnished;
mod laboratory;
mod recording;
mod room;
mod staging;
mod track;
mod venue;

pub use audio::SAMPLE_RATE;
pub use error::Error;
pub use furnished::{Furnished, Gaze, Model, Quality, Walk};
pub use laboratory::{Laboratory, MeasuredSet};
pub use room::{BareSurfaces, Furnishing, Room, Side};
pub use track::{Demand, Measure, Setting, SnrRange, SpeechPath, Track, UnknownTrack};
pub use venue::{Listener, RoomModel, RoomSummary};

/// Called with (done, total) as work goes on, from any thread.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);
