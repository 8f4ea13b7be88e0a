//! Impulse responses out of SOFA files (AES69), which are HDF5.
//!
//! Read are the conventions whose data type is FIR, with `Data.IR` as measurements x receivers x samples: `SingleRoomSRIR`,
//! `SimpleFreeFieldHRIR`, `GeneralFIR` and the like. FIR-E (several emitters in one measurement, as in
//! `MultiSpeakerBRIR`), transfer functions and second-order sections are not, nor are links to other files.

use acoustics::Rir;
use hdf5_reader::{Dataset, Hdf5File, OpenOptions};

/// The first bytes of every HDF5 file without a user block.
const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// A file may claim anything; no data set may take more memory than this many bytes.
const MOST_BYTES: usize = 2 << 30;

/// A SOFA file.
pub(crate) struct SofaFile {
    /// Its convention, e.g. `SingleRoomSRIR`.
    pub(crate) convention: String,
    /// What its authors called it.
    pub(crate) title: Option<String>,
    /// Its responses, by measurement and receiver.
    pub(crate) responses: Vec<SofaResponse>,
}

/// One response of a SOFA file.
pub(crate) struct SofaResponse {
    /// Number of the measurement, from 1.
    pub(crate) measurement: usize,
    /// Number of the receiver, from 1.
    pub(crate) receiver: usize,
    pub(crate) rir: Rir,
}

/// Whether these bytes begin like an HDF5 file.
pub(crate) fn is_hdf5(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

/// Reads a SOFA file. A delay (`Data.Delay`, rounded to whole samples) comes before its response as silence.
pub(crate) fn read(bytes: Vec<u8>) -> Result<SofaFile, String> {
    let file = Hdf5File::from_vec_with_options(bytes, OpenOptions::default().with_max_read_bytes(MOST_BYTES))
        .map_err(|error| format!("this HDF5 file cannot be read ({error})"))?;
    let text = |name: &str| file.root_group().ok()?.attribute(name).ok()?.read_string().ok();
    let convention = text("SOFAConventions")
        .ok_or("this is an HDF5 file but no SOFA file: it names no SOFAConventions")?;
    let data_type = text("DataType").unwrap_or_default();
    if data_type != "FIR" {
        return Err(format!(
            "its data type is \"{data_type}\" (convention {convention}); only FIR is read: impulse responses by \
             measurement and receiver"
        ));
    }
    let (shape, samples) = numbers(&file, "Data.IR")?;
    let &[measurements, receivers, length] = shape.as_slice() else {
        return Err(format!(
            "Data.IR has {} dimensions, not measurements, receivers and samples",
            shape.len()
        ));
    };
    let rates = numbers(&file, "Data.SamplingRate")?.1;
    // One for all, or one for each measurement, all alike.
    let rate_is_one = rates.windows(2).all(|pair| pair[0].total_cmp(&pair[1]).is_eq());
    let sample_rate = match rates.first() {
        Some(&rate) if rate_is_one && (1.0..=1e9).contains(&rate) => rate as u32,
        _ => return Err("Data.SamplingRate is not one rate in hertz".to_owned()),
    };
    let delays = file.dataset("Data.Delay").map_or(Ok((vec![], vec![])), |_| numbers(&file, "Data.Delay"))?;
    let delay = Delays::new(&delays, measurements, receivers)?;

    let mut responses = Vec::new();
    for (index, samples) in samples.chunks(length.max(1)).enumerate() {
        let (measurement, receiver) = (index / receivers, index % receivers);
        let silence = std::iter::repeat_n(0.0, delay.samples(measurement, receiver));
        let samples = silence.chain(samples.iter().map(|&sample| sample as f32)).collect();
        let rir = Rir::new(sample_rate, samples).map_err(|error| {
            format!("measurement {}, receiver {}: {error}", measurement + 1, receiver + 1)
        })?;
        responses.push(SofaResponse { measurement: measurement + 1, receiver: receiver + 1, rir });
    }
    if responses.is_empty() {
        return Err("Data.IR holds no response".to_owned());
    }
    let title = text("Title").filter(|title| !title.is_empty());
    Ok(SofaFile { convention, title, responses })
}

/// A data set of numbers: its shape and its values, the last index running fastest.
fn numbers(file: &Hdf5File, name: &str) -> Result<(Vec<usize>, Vec<f64>), String> {
    let wrong = |error: hdf5_reader::error::Error| format!("{name} cannot be read ({error})");
    let dataset: Dataset = file.dataset(name).map_err(wrong)?;
    let shape = dataset.shape().iter().map(|&size| size as usize).collect();
    // The standard asks for double precision; some writers save space.
    let values = match dataset.read_array::<f64>() {
        Ok(array) => array.iter().copied().collect(),
        Err(_) => dataset.read_array::<f32>().map_err(wrong)?.iter().map(|&value| f64::from(value)).collect(),
    };
    Ok((shape, values))
}

/// `Data.Delay`: for each measurement and receiver, or the same for all measurements.
struct Delays<'a> {
    values: &'a [f64],
    receivers: usize,
    by_measurement: bool,
}

impl<'a> Delays<'a> {
    /// Longest delay in samples; more is a damaged file.
    const LONGEST: f64 = 1e7;

    fn new(
        (_, values): &'a (Vec<usize>, Vec<f64>),
        measurements: usize,
        receivers: usize,
    ) -> Result<Self, String> {
        if values.iter().any(|delay| !(0.0..=Self::LONGEST).contains(delay)) {
            return Err("Data.Delay holds a value below 0 or beyond reason".to_owned());
        }
        let by_measurement = values.len() == measurements.saturating_mul(receivers);
        match values.len() {
            0 => Ok(Self { values: &[], receivers, by_measurement: false }),
            n if by_measurement || n == receivers => Ok(Self { values, receivers, by_measurement }),
            n => Err(format!(
                "Data.Delay holds {n} values for {measurements} measurements and {receivers} receivers"
            )),
        }
    }

    fn samples(&self, measurement: usize, receiver: usize) -> usize {
        let row = if self.by_measurement { measurement * self.receivers } else { 0 };
        self.values.get(row + receiver).map_or(0, |delay| delay.round() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Written by sofar through the netCDF-4 library (tests/data/make_sofa.py), so by other people's code.
    const ROOM: &[u8] = include_bytes!("../../tests/data/room.sofa");
    const HRIR: &[u8] = include_bytes!("../../tests/data/hrir.sofa");

    #[test]
    fn a_compressed_file_with_delays_gives_each_measurement_and_receiver() {
        let file = read(ROOM.to_vec()).unwrap();
        assert_eq!(file.convention, "SingleRoomSRIR");
        assert_eq!(file.title.as_deref(), Some("Two decays, two receivers"));
        let places: Vec<_> = file.responses.iter().map(|r| (r.measurement, r.receiver)).collect();
        assert_eq!(places, [(1, 1), (1, 2), (2, 1), (2, 2)]);
        for (response, t30) in file.responses.iter().zip([0.10, 0.15, 0.20, 0.25]) {
            let expected = if response.receiver == 2 { 16 } else { 0 };
            assert_eq!(response.rir.samples().iter().position(|&sample| sample != 0.0), Some(expected));
            assert_eq!((response.rir.sample_rate(), response.rir.samples().len()), (8_000, 1_600 + expected));
            let measured = acoustics::room_acoustics(&response.rir).broadband.t20.unwrap();
            assert!((measured / t30 - 1.0).abs() < 0.03, "{measured}, written with {t30}");
        }
    }

    #[test]
    fn an_uncompressed_file_gives_every_sample() {
        let file = read(HRIR.to_vec()).unwrap();
        assert_eq!((file.convention.as_str(), file.responses.len()), ("SimpleFreeFieldHRIR", 6));
        for response in file.responses {
            let mut expected = vec![0.0; 64];
            expected[10 * (response.measurement - 1) + response.receiver - 1] = 0.5;
            assert_eq!(response.rir.samples(), expected);
        }
    }

    #[test]
    fn damaged_files_are_refused_and_never_a_panic() {
        assert!(is_hdf5(ROOM) && !is_hdf5(b"RIFF"));
        let whole = read(HRIR.to_vec()).unwrap();
        for length in (8..HRIR.len()).step_by(997) {
            // Cut behind its data, a file may still be read: then they are all there.
            let Ok(cut) = read(HRIR[..length].to_vec()) else { continue };
            assert!(
                cut.responses.iter().zip(&whole.responses).all(|(a, b)| a.rir == b.rir),
                "{length} bytes"
            );
            assert!(length > HRIR.len() / 2, "a file cut after {length} bytes cannot be whole");
        }
        for place in (8..HRIR.len()).step_by(61) {
            let mut bytes = HRIR.to_vec();
            bytes[place] ^= 0xff;
            // Many bytes do not matter; none may bring the program down.
            let _ = read(bytes);
        }
    }
}
