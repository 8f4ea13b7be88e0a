//! Recordings as people have them, brought into the one form of a corpus: mono, 16 kHz, 16 bit.

use std::{fs, io::Cursor, path::Path};

use rubato::{Fft, FixedSync, Resampler, audioadapter_buffers::direct::InterleavedSlice};
use symphonia::core::{
    codecs::audio::AudioDecoderOptions,
    errors::Error as MediaError,
    formats::{FormatOptions, TrackType, probe::Hint},
    io::{MediaSourceStream, MediaSourceStreamOptions},
    meta::MetadataOptions,
};

use crate::{Error, SAMPLE_RATE, audio};

/// Formats by the extension of a file's name. Those that lose something may pass full scale by a little.
const FORMATS: [(&str, Loss); 7] = [
    ("wav", Loss::None),
    ("flac", Loss::None),
    ("g722", Loss::None),
    ("ogg", Loss::Some),
    ("oga", Loss::Some),
    ("mp3", Loss::Some),
    ("opus", Loss::NotRead),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    None,
    Some,
    NotRead,
}

/// Whether a file's name is that of a recording.
pub(crate) fn is_known(path: &Path) -> bool {
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
    FORMATS.iter().any(|(name, _)| *name == extension)
}

/// A recording in the form of a corpus.
pub(crate) struct Recording {
    /// Mono at [`SAMPLE_RATE`].
    pub(crate) samples: Vec<i16>,
    /// The rate it had, where it was another.
    pub(crate) resampled_from: Option<u32>,
}

impl Recording {
    /// Reads a file by the extension of its name: WAV, FLAC, OGG Vorbis, MP3 or raw G.722 at 64 kbit/s.
    ///
    /// What is sampled at a higher rate is resampled. What is sampled at a lower one is refused, as half of the frequencies
    /// would be missing, and so are several channels, of which nobody can say what they are.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(Error::io(path))?;
        Self::decode(path, bytes).map_err(|problem| Error::file(path, problem))
    }

    fn decode(path: &Path, bytes: Vec<u8>) -> Result<Self, String> {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
        let loss = FORMATS.iter().find(|(name, _)| *name == extension).map(|(_, loss)| *loss);
        let loss = match loss {
            Some(Loss::NotRead) | None => {
                return Err(
                    "not a kind of recording this importer reads: use .wav, .flac, .ogg, .mp3 or .g722"
                        .to_owned(),
                );
            }
            Some(loss) => loss,
        };
        if extension == "g722" {
            return Ok(Self { samples: audio::decode_g722(&bytes), resampled_from: None });
        }
        let (samples, rate) = decode(&extension, bytes)?;
        if rate < SAMPLE_RATE {
            return Err(format!(
                "is sampled at {rate} Hz and lacks the frequencies above {} Hz: use a recording of {SAMPLE_RATE} Hz or \
                 more",
                rate / 2
            ));
        }
        let resampled = resample(&samples, rate)?;
        let overshoots = loss == Loss::Some || rate != SAMPLE_RATE;
        let limit = |sample: f32| if overshoots { sample.clamp(-1.0, 1.0) } else { sample };
        let samples = resampled.into_iter().map(|sample| audio::quantise(limit(sample)));
        let samples = samples.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { samples, resampled_from: (rate != SAMPLE_RATE).then_some(rate) })
    }
}

/// Samples of a file with one channel, full scale 1.0, and its rate.
fn decode(extension: &str, bytes: Vec<u8>) -> Result<(Vec<f32>, u32), String> {
    let damaged = |error: MediaError| format!("not a whole .{extension} file ({error})");
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    hint.with_extension(extension);
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(damaged)?;
    let track = format.default_track(TrackType::Audio).ok_or("holds no sound")?;
    let parameters = track.codec_params.as_ref().and_then(|it| it.audio()).ok_or("holds no sound")?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(damaged)?;
    let track = track.id;
    let (mut samples, mut rate, mut block) = (Vec::new(), 0, Vec::new());
    while let Some(packet) = format.next_packet().map_err(damaged)? {
        if packet.track_id != track {
            continue;
        }
        let decoded = decoder.decode(&packet).map_err(damaged)?;
        let channels = decoded.num_planes();
        if channels != 1 {
            return Err(format!("has {channels} channels: mix it down to one"));
        }
        rate = decoded.spec().rate();
        decoded.copy_to_vec_interleaved::<f32>(&mut block);
        samples.extend_from_slice(&block);
    }
    if samples.is_empty() { Err("holds no sound".to_owned()) } else { Ok((samples, rate)) }
}

/// A recording at [`SAMPLE_RATE`], in its own time: the filter's delay is taken out.
pub(crate) fn resample(samples: &[f32], rate: u32) -> Result<Vec<f32>, String> {
    if rate == SAMPLE_RATE {
        return Ok(samples.to_vec());
    }
    let failed = |error: &dyn std::fmt::Display| format!("it cannot be resampled from {rate} Hz ({error})");
    let mut resampler = Fft::<f32>::new(rate as usize, SAMPLE_RATE as usize, 1_024, 1, FixedSync::Both)
        .map_err(|error| failed(&error))?;
    let input = InterleavedSlice::new(samples, 1, samples.len()).map_err(|error| failed(&error))?;
    let room = resampler.process_all_needed_output_len(samples.len());
    let mut output = vec![0.0; room];
    let mut buffer = InterleavedSlice::new_mut(&mut output, 1, room).map_err(|error| failed(&error))?;
    let (_, frames) = resampler
        .process_all_into_buffer(&input, &mut buffer, samples.len(), None)
        .map_err(|error| failed(&error))?;
    output.truncate(frames);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_frequency_amplitude_and_phase_at_the_other_rate() {
        for rate in [48_000_u32, 44_100, 8_000] {
            let tone = |rate: u32| {
                move |n: u32| {
                    (0.5 * (f64::from(n) / f64::from(rate) * 1_000.0 * std::f64::consts::TAU).sin()) as f32
                }
            };
            let samples: Vec<f32> = (0..rate).map(tone(rate)).collect();
            let resampled = resample(&samples, rate).unwrap();
            assert_eq!(resampled.len(), SAMPLE_RATE as usize);
            let expected: Vec<f32> = (0..SAMPLE_RATE).map(tone(SAMPLE_RATE)).collect();
            let worst = (800..15_200).map(|n| (resampled[n] - expected[n]).abs()).fold(0.0, f32::max);
            // Where the filter's delay is no whole number of samples, half a sample of it stays: 0.098 at 1 kHz.
            let allowed = if rate == 44_100 { 0.098 } else { 2e-3 };
            assert!(worst < allowed, "{rate}: {worst}");
        }
    }

    #[test]
    fn ogg_and_mp3_of_a_sweep_sound_like_it() {
        let original =
            audio::decode_wav(include_bytes!("../tests/data/chirp-decoded-by-ffmpeg.wav")).unwrap();
        for file in ["chirp.ogg", "chirp.mp3", "chirp-44100.flac"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
            let recording = Recording::read(&path).unwrap();
            // Lossy coders may begin some frames late: the best match within 2 500 samples.
            let at = |shift: usize| {
                let pairs = original.iter().zip(recording.samples.iter().skip(shift));
                let (dot, power, energy) = pairs.fold((0.0, 0.0, 0.0), |(dot, power, energy), (&a, &b)| {
                    let (a, b) = (f64::from(a), f64::from(b));
                    (dot + a * b, power + a * a, energy + b * b)
                });
                dot / (power * energy).sqrt()
            };
            let best = (0..2_500).map(at).fold(f64::NEG_INFINITY, f64::max);
            // The part of a sample by which 44.1 kHz comes late costs 3 % in a sweep up to 6.2 kHz.
            assert!(best > 0.95, "{file}: {best}");
            assert_eq!(recording.resampled_from, (file == "chirp-44100.flac").then_some(44_100), "{file}");
        }
    }
}
