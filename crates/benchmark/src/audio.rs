//! Our own files in and out: 16 kHz, 16-bit. Anything else is refused by name.

use std::io::Cursor;

use ezk_g722::libg722::{Bitrate, decoder::Decoder};
use flacenc::{bitsink::ByteSink, component::BitRepr, error::Verify};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

/// Sample rate of every recording and every item, in hertz.
pub const SAMPLE_RATE: u32 = 16_000;

const FORM: WavSpec =
    WavSpec { channels: 1, sample_rate: SAMPLE_RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };

/// Decodes a WAV file: mono, 16 kHz, 16-bit PCM.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn decode_wav(bytes: &[u8]) -> Result<Vec<i16>, String> {
    let mut reader =
        WavReader::new(Cursor::new(bytes)).map_err(|error| format!("not a WAV file ({error})"))?;
    let spec = reader.spec();
    check_form(spec.channels.into(), spec.sample_rate)?;
    if (spec.sample_format, spec.bits_per_sample) != (SampleFormat::Int, 16) {
        return Err(format!("has {}-bit samples: convert it to 16-bit PCM", spec.bits_per_sample));
    }
    let samples = reader.samples::<i16>().collect::<Result<_, _>>();
    samples.map_err(|error| format!("the WAV file is damaged ({error})"))
}

/// 16 bits of a sample in −1 … 1.
pub(crate) fn quantise(sample: f32) -> Result<i16, String> {
    let scaled = (f64::from(sample) * 32_768.0).round();
    if scaled.is_nan() || scaled.abs() > 32_768.0 {
        return Err(format!("has the sample {sample}, beyond full scale: lower its level to within -1 … 1"));
    }
    Ok(scaled.min(32_767.0) as i16)
}

/// Decodes a FLAC file: mono, 16 kHz, 16-bit.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn decode_flac(bytes: &[u8]) -> Result<Vec<i16>, String> {
    let mut reader = claxon::FlacReader::new(bytes).map_err(|error| format!("not a FLAC file ({error})"))?;
    let info = reader.streaminfo();
    check_form(info.channels, info.sample_rate)?;
    if info.bits_per_sample != 16 {
        return Err(format!("has {}-bit samples: convert it to 16-bit", info.bits_per_sample));
    }
    reader
        .samples()
        .map(|sample| {
            sample.map(|sample| sample as i16).map_err(|error| format!("the FLAC file is damaged ({error})"))
        })
        .collect()
}

/// Raw ITU-T G.722 at 64 kbit/s: two samples an octet, no header, so that any octets decode.
///
/// The crate's decoder starts from step sizes of zero, where the standard has 32 and 8 (low and high sub-band).
/// One octet of silence takes it there; its two samples are dropped. Against ffmpeg's decoder that raises the
/// signal-to-difference ratio of the Asterisk prompts from 48 to 68 dB; what remains is in the first tenth of
/// a second.
pub(crate) fn decode_g722(octets: &[u8]) -> Vec<i16> {
    const SILENCE: u8 = 0xFF;
    let (packed, eight_kilohertz) = (false, false);
    let mut decoder = Decoder::new(Bitrate::Mode1_64000, packed, eight_kilohertz);
    decoder.decode(&[SILENCE]);
    decoder.decode(octets)
}

fn check_form(channels: u32, sample_rate: u32) -> Result<(), String> {
    if channels != 1 {
        return Err(format!("has {channels} channels: mix it down to one"));
    }
    if sample_rate != SAMPLE_RATE {
        return Err(format!("is sampled at {sample_rate} Hz: resample it to {SAMPLE_RATE} Hz"));
    }
    Ok(())
}

/// A complete WAV file of channels of one length: 16 kHz, 16-bit PCM.
///
/// # Errors
/// A sentence that says why there can be no such file.
pub(crate) fn encode_channels(channels: &[Vec<i16>]) -> Result<Vec<u8>, String> {
    let length = channels.first().map_or(0, Vec::len);
    let count = u16::try_from(channels.len()).unwrap_or(0);
    if count == 0 || channels.iter().any(|channel| channel.len() != length) {
        return Err("needs one to 65 535 channels of one length".to_owned());
    }
    let failed = |error: hound::Error| error.to_string();
    let mut file = Cursor::new(Vec::with_capacity(44 + 2 * length * channels.len()));
    let mut writer = WavWriter::new(&mut file, WavSpec { channels: count, ..FORM }).map_err(failed)?;
    for sample in 0..length {
        for channel in channels {
            writer.write_sample(channel[sample]).map_err(failed)?;
        }
    }
    writer.finalize().map_err(failed)?;
    Ok(file.into_inner())
}

/// Number of channels and of samples of each in a WAV file of a release: 16 kHz, 16-bit PCM, not cut off.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn measure_wav(bytes: &[u8]) -> Result<(u16, usize), String> {
    let broken = |error: hound::Error| format!("not a whole WAV file ({error})");
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(broken)?;
    let spec = reader.spec();
    if spec != (WavSpec { channels: spec.channels, ..FORM }) {
        return Err(format!("is not 16-bit PCM at {SAMPLE_RATE} Hz"));
    }
    let samples =
        reader.samples::<i16>().try_fold(0, |count, sample| sample.map(|_| count + 1)).map_err(broken)?;
    Ok((spec.channels, samples / usize::from(spec.channels.max(1))))
}

/// A complete WAV file: mono, 16 kHz, 16-bit PCM.
///
/// # Errors
/// If the recording is longer than a WAV file can hold (4 GiB).
pub(crate) fn encode_wav(samples: &[i16]) -> Result<Vec<u8>, hound::Error> {
    let mut file = Cursor::new(Vec::with_capacity(44 + 2 * samples.len()));
    let mut writer = WavWriter::new(&mut file, FORM)?;
    for &sample in samples {
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

/// Sizes of FLAC blocks to choose from, in samples.
const FLAC_BLOCKS: [usize; 3] = [4096, 4032, 3968];
/// Fewest samples of a FLAC block.
const SHORTEST_FLAC_BLOCK: usize = 16;

/// A complete FLAC file: mono, 16 kHz, 16 bit.
///
/// The encoder writes the size of the last block into the header as the smallest one, where fewer than 16 samples make
/// the file illegal: so the blocks are chosen for the last one to be long enough.
///
/// # Errors
/// A sentence that says what the encoder did not like; a recording of fewer than 16 samples.
pub(crate) fn encode_flac(samples: &[i16]) -> Result<Vec<u8>, String> {
    let config =
        flacenc::config::Encoder::default().into_verified().map_err(|(_, error)| error.to_string())?;
    let fits = |block: &usize| {
        let last = samples.len() % block;
        last >= SHORTEST_FLAC_BLOCK || (last == 0 && !samples.is_empty())
    };
    let block = FLAC_BLOCKS.into_iter().find(fits).ok_or("is too short for a FLAC file")?;
    let wide: Vec<i32> = samples.iter().map(|&sample| sample.into()).collect();
    let source = flacenc::source::MemSource::from_samples(&wide, 1, 16, SAMPLE_RATE as usize);
    let stream =
        flacenc::encode_with_fixed_block_size(&config, source, block).map_err(|error| error.to_string())?;
    let mut file = ByteSink::new();
    stream.write(&mut file).map_err(|error| error.to_string())?;
    Ok(file.into_inner())
}

/// Length in seconds.
pub(crate) fn seconds(samples: usize) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back_to_the_bit(samples in prop::collection::vec(any::<i16>(), 0..400)) {
            prop_assert_eq!(decode_wav(&encode_wav(&samples).unwrap()), Ok(samples));
        }


        #[test]
        fn damaged_files_are_refused_or_read_but_never_stop_the_program(
            place in 0_usize..64,
            byte in any::<u8>(),
            length in 0_usize..300,
        ) {
            let wav = encode_wav(&[7; 128]).unwrap();
            let flac = include_bytes!("../tests/data/sawtooth.flac");
            for (whole, decode) in [(wav.as_slice(), decode_wav as fn(&[u8]) -> _), (flac.as_slice(), decode_flac)] {
                let mut damaged = whole[..length.min(whole.len())].to_vec();
                if let Some(target) = damaged.get_mut(place) {
                    *target = byte;
                }
                let _: Result<Vec<i16>, String> = decode(&damaged);
            }
        }
    }

    #[test]
    fn flac_is_read_back_to_the_bit_by_another_library_whatever_its_length() {
        let noise = |length: usize| -> Vec<i16> {
            (0..length as u64)
                .map(|it| (it.wrapping_mul(6_364_136_223_846_793_005).rotate_left(23) >> 48) as i16)
                .collect()
        };
        let silence = |length: usize| vec![0; length];
        for length in [16, 17, 4095, 4096, 4097, 4111, 8192, 8193, 4096 * 63 + 5, 50_000] {
            for samples in [noise(length), silence(length)] {
                assert!(
                    decode_flac(&encode_flac(&samples).unwrap()).is_ok_and(|it| it == samples),
                    "{length}"
                );
            }
        }
        assert!(encode_flac(&[0; 15]).is_err());
    }

    #[test]
    fn g722_decodes_as_ffmpeg_decodes_it() {
        // A sweep from 200 Hz to 6.2 kHz in 0.3 s, encoded and decoded by ffmpeg 5.1.
        let ours = decode_g722(include_bytes!("../tests/data/chirp.g722"));
        let theirs = decode_wav(include_bytes!("../tests/data/chirp-decoded-by-ffmpeg.wav")).unwrap();
        assert_eq!(ours.len(), theirs.len());
        let energy = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let signal = energy(&mut theirs.iter().map(|&sample| f64::from(sample)));
        let difference = energy(&mut ours.iter().zip(&theirs).map(|(&a, &b)| f64::from(a) - f64::from(b)));
        let ratio_db = 10.0 * (signal / difference).log10();
        assert!(ratio_db > 40.0, "{ratio_db} dB");
    }
}
