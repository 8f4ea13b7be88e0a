//! Room impulse responses of a job: simulated once, kept by the hash of everything that decides them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use acoustics::{Rir, RoomAcoustics, SoundField, read_wav, room_acoustics, write_wav};
use rayon::prelude::*;

use super::{
    job::{RENDERER, address},
    workshop::write_whole,
};
use crate::{
    Error,
    venue::{Listener, Place, Venue},
};

/// Octaves whose mean is the single number of a measure (ISO 3382-1, table A.1), in hertz.
const MID_FREQUENCIES: [f64; 2] = [500.0, 1_000.0];

/// A way of sound through a room.
pub(super) type Way = (Place, Listener);

/// The responses of some ways, one to each microphone.
pub(super) struct Responses(HashMap<Way, Vec<Rir>>);

/// What a response says about the room, as far as it can be measured.
pub(super) struct Field {
    pub(super) t30_s: Option<f64>,
    pub(super) edt_s: Option<f64>,
    pub(super) c50_db: Option<f64>,
    pub(super) drr_db: Option<f64>,
}

impl Responses {
    /// Reads what the directory `cache` has and simulates the rest.
    pub(super) fn gather(
        name: &str,
        venue: &Venue,
        ways: &BTreeSet<Way>,
        cache: &Path,
    ) -> Result<Self, Error> {
        let failed = |problem: String| Error::Simulation { what: name.to_owned(), problem };
        let file = |way: Way| -> Result<PathBuf, Error> {
            let identity = venue.identity(way.0, way.1).map_err(failed)?;
            Ok(cache.join(format!("{}.wav", address("response", &(RENDERER, identity))?)))
        };
        let mut responses = HashMap::new();
        let mut missing: BTreeMap<Listener, BTreeSet<Place>> = BTreeMap::new();
        for &way in ways {
            let known = fs::read(file(way)?).ok().and_then(|bytes| read_wav(&bytes).ok());
            match known {
                Some(rirs) => drop(responses.insert(way, rirs)),
                None => drop(missing.entry(way.1).or_default().insert(way.0)),
            }
        }
        for (listener, mut places) in missing {
            places.extend(venue.free_company());
            let places: Vec<Place> = places.into_iter().collect();
            // Alone each keeps the processor as busy as all together, and all are done the sooner.
            let alone = venue.free_company().is_empty();
            let groups: Vec<&[Place]> = if alone { places.chunks(1).collect() } else { vec![&places] };
            let simulate = |group: &&[Place]| venue.simulate(group, listener).map_err(failed);
            let simulated: Vec<Vec<Vec<Rir>>> = groups.par_iter().map(simulate).collect::<Result<_, _>>()?;
            for (&place, rirs) in places.iter().zip(simulated.into_iter().flatten()) {
                let bytes = write_wav(&rirs).map_err(|error| failed(error.to_string()))?;
                write_whole(&file((place, listener))?, &bytes)?;
                responses.insert((place, listener), rirs);
            }
        }
        Ok(Self(responses))
    }

    pub(super) fn get(&self, way: Way) -> Option<&[Rir]> {
        self.0.get(&way).map(Vec::as_slice)
    }
}

impl Field {
    /// ISO 3382-1, means of the octaves at 500 Hz and 1 kHz; the direct-to-reverberant ratio over all frequencies.
    pub(super) fn of(rir: &Rir) -> Self {
        let acoustics = room_acoustics(rir);
        Self {
            t30_s: mid(&acoustics, |field| field.t30),
            edt_s: mid(&acoustics, |field| field.edt),
            c50_db: mid(&acoustics, |field| field.c50),
            drr_db: acoustics.broadband.drr,
        }
    }
}

fn mid(acoustics: &RoomAcoustics, value: fn(&SoundField) -> Option<f64>) -> Option<f64> {
    let octaves = acoustics.octaves.iter().filter(|octave| MID_FREQUENCIES.contains(&octave.centre_hz));
    let values = octaves.map(|octave| value(&octave.field)).collect::<Option<Vec<_>>>()?;
    Some(values.iter().sum::<f64>() / values.len() as f64)
}
