//! Impulse responses from and to the bytes of a WAV file.

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::rir::{Rir, RirError};

/// Why bytes are no responses, or responses no file.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Not a WAV file, cut off, or of a kind that is not read.
    #[error("this is no WAV file that can be read ({0}); expected are PCM of 8 to 32 bits or 32-bit float")]
    Unreadable(#[from] hound::Error),
    /// A channel that is no response.
    #[error("channel {channel}: {source}")]
    Channel {
        /// Its number, from 1.
        channel: usize,
        /// What is wrong with it.
        source: RirError,
    },
    /// Responses that do not fit into one file.
    #[error(
        "the channels of a WAV file share one sample rate and one length, and there are 1 to 65535 of them"
    )]
    Unequal,
}

/// The channels of a WAV file in their order: any number of them, PCM of 8 to 32 bits (full scale is 1) or 32-bit float.
///
/// # Errors
/// [`WavError::Unreadable`] or [`WavError::Channel`].
pub fn read_wav(bytes: &[u8]) -> Result<Vec<Rir>, WavError> {
    let mut reader = WavReader::new(Cursor::new(bytes))?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    let samples: Vec<f32> = match sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        SampleFormat::Int => {
            let scale = 2_f64.powi(1 - i32::from(bits_per_sample));
            let scaled = |sample: i32| (f64::from(sample) * scale) as f32;
            reader.samples::<i32>().map(|sample| sample.map(scaled)).collect::<Result<_, _>>()?
        }
    };
    let channels = usize::from(channels);
    (0..channels)
        .map(|channel| {
            let samples = samples.iter().skip(channel).step_by(channels).copied().collect();
            Rir::new(sample_rate, samples)
                .map_err(|source| WavError::Channel { channel: channel + 1, source })
        })
        .collect()
}

/// A WAV file of 32-bit float with one channel for each response; nothing is scaled.
///
/// # Errors
/// [`WavError::Unequal`] unless there is at least one response and all have one rate and length.
pub fn write_wav(rirs: &[Rir]) -> Result<Vec<u8>, WavError> {
    let first = rirs.first().ok_or(WavError::Unequal)?;
    let channels = u16::try_from(rirs.len()).map_err(|_| WavError::Unequal)?;
    let (sample_rate, length) = (first.sample_rate(), first.samples().len());
    if rirs.iter().any(|rir| rir.sample_rate() != sample_rate || rir.samples().len() != length) {
        return Err(WavError::Unequal);
    }
    let spec = WavSpec { channels, sample_rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec)?;
    for index in 0..length {
        for rir in rirs {
            writer.write_sample(rir.samples()[index])?;
        }
    }
    writer.finalize()?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(scale: f32) -> Rir {
        Rir::new(48_000, (0..100).map(|n| scale * n as f32).collect()).unwrap()
    }

    #[test]
    fn responses_survive_a_file_bit_by_bit() {
        let rirs = [ramp(0.013), ramp(-3.0), ramp(1e-9)];
        assert_eq!(read_wav(&write_wav(&rirs).unwrap()).unwrap(), rirs);
    }

    #[test]
    fn whole_numbers_of_every_width_are_shares_of_full_scale() {
        for bits_per_sample in [8_u16, 16, 24, 32] {
            let spec = WavSpec {
                channels: 1,
                sample_rate: 8_000,
                bits_per_sample,
                sample_format: SampleFormat::Int,
            };
            let mut bytes = Cursor::new(Vec::new());
            let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
            writer.write_sample(1_i32 << (bits_per_sample - 2)).unwrap();
            writer.write_sample(-(1_i64 << (bits_per_sample - 1)) as i32).unwrap();
            writer.finalize().unwrap();
            assert_eq!(read_wav(&bytes.into_inner()).unwrap()[0].samples(), [0.5, -1.0], "{bits_per_sample}");
        }
    }

    #[test]
    fn what_is_no_response_is_refused_with_its_channel() {
        assert!(read_wav(b"RIFF????WAVE").is_err());
        let silent = Rir::new(48_000, vec![0.0; 100]);
        assert_eq!(silent, Err(RirError::Silent));
        let mut bytes = write_wav(&[ramp(1.0), ramp(1.0)]).unwrap();
        // Silence the second channel: every other float after the header.
        let data = bytes.len() - 2 * 100 * 4;
        for frame in bytes[data..].chunks_mut(8) {
            frame[4..].fill(0);
        }
        let error = read_wav(&bytes).unwrap_err().to_string();
        assert!(error.starts_with("channel 2: ") && error.contains("silent"), "{error}");
        bytes.truncate(bytes.len() - 3);
        assert!(matches!(read_wav(&bytes), Err(WavError::Unreadable(_))));
        assert!(matches!(write_wav(&[]), Err(WavError::Unequal)));
    }
}
