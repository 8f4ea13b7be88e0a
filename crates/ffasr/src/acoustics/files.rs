//! Recordings of impulse responses, read from files of any kind that is understood.

use std::path::Path;

use acoustics::{Rir, read_wav};

use super::sofa;
use crate::error::Failure;

/// The responses in one file.
pub(crate) struct Recording {
    /// What kind of file it is, with its title if it has one.
    pub(crate) kind: String,
    /// Its responses, each with a name such as `channel 3` or `measurement 2, receiver 1`.
    pub(crate) responses: Vec<(String, Rir)>,
}

/// Reads a WAV or SOFA file; which it is is seen from its first bytes, not from its name.
pub(crate) fn read_recording(path: &Path) -> Result<Recording, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::input(format!("{} cannot be read: {error}", path.display())))?;
    parse(bytes).map_err(|message| Failure::input(format!("{}: {message}", path.display())))
}

fn parse(bytes: Vec<u8>) -> Result<Recording, String> {
    if sofa::is_hdf5(&bytes) {
        let sofa::SofaFile { convention, title, responses } = sofa::read(bytes)?;
        let kind = match title {
            Some(title) => format!("SOFA {convention}, \"{title}\""),
            None => format!("SOFA {convention}"),
        };
        let name = |r: &sofa::SofaResponse| format!("measurement {}, receiver {}", r.measurement, r.receiver);
        let responses = responses.into_iter().map(|response| (name(&response), response.rir)).collect();
        return Ok(Recording { kind, responses });
    }
    if !bytes.starts_with(b"RIFF") {
        return Err("this is neither a WAV file (RIFF) nor a SOFA file (HDF5)".to_owned());
    }
    let channels = read_wav(&bytes).map_err(|error| error.to_string())?;
    let responses =
        channels.into_iter().enumerate().map(|(n, rir)| (format!("channel {}", n + 1), rir)).collect();
    Ok(Recording { kind: "WAV".to_owned(), responses })
}
