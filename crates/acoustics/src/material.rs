//! What walls are made of.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{
    air::Air,
    band::{BAND_COUNT, OCTAVES, Octaves},
};

/// What a surface is made of: its name, how much sound energy it absorbs at random incidence, and how much of the
/// rest it scatters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Material {
    name: String,
    absorption: Octaves,
    scattering: Octaves,
}

/// Share of reflected energy that a smooth, flat surface scatters, in all octaves: what is usual where nothing is
/// known (0.05 to 0.1; Vorländer, Auralization, annex).
const SMOOTH: Octaves = [0.1; BAND_COUNT];

/// Why there is no such material.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MaterialError {
    /// A coefficient outside 0 to 1.
    #[error(
        "material \"{name}\" absorbs {value} of the energy at {hz} Hz; a coefficient lies between 0 and 1"
    )]
    Absorption {
        /// The material.
        name: String,
        /// The band.
        hz: f64,
        /// The coefficient.
        value: f64,
    },
    /// A scattering coefficient outside 0 to 1.
    #[error(
        "material \"{name}\" scatters {value} of the reflected energy at {hz} Hz; a coefficient lies between 0 and 1"
    )]
    Scattering {
        /// The material.
        name: String,
        /// The band.
        hz: f64,
        /// The coefficient.
        value: f64,
    },
    /// Not in the library.
    #[error("there is no material \"{name}\"; there are: {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: String,
    absorption: Octaves,
    #[serde(default = "smooth")]
    scattering: Octaves,
}

fn smooth() -> Octaves {
    SMOOTH
}

impl TryFrom<Unchecked> for Material {
    type Error = MaterialError;

    fn try_from(Unchecked { name, absorption, scattering }: Unchecked) -> Result<Self, MaterialError> {
        Self::new(name, absorption)?.with_scattering(scattering)
    }
}

impl Material {
    /// A material with its absorption coefficients in the octaves from 63 Hz to 8 kHz, each from 0 to 1;
    /// smooth until [`with_scattering`](Self::with_scattering) says otherwise.
    ///
    /// # Errors
    /// [`MaterialError::Absorption`] names the first coefficient out of range.
    pub fn new(name: impl Into<String>, absorption: Octaves) -> Result<Self, MaterialError> {
        let name = name.into();
        match OCTAVES.into_iter().zip(absorption).find(|(_, value)| !(0.0..=1.0).contains(value)) {
            Some((hz, value)) => Err(MaterialError::Absorption { name, hz, value }),
            None => Ok(Self { name, absorption, scattering: SMOOTH }),
        }
    }

    /// The same material with other scattering coefficients (ISO 17497-1): the share of the reflected energy that
    /// does not leave in the mirror direction, by octave, each from 0 to 1.
    ///
    /// # Errors
    /// [`MaterialError::Scattering`] names the first coefficient out of range.
    pub fn with_scattering(self, scattering: Octaves) -> Result<Self, MaterialError> {
        match OCTAVES.into_iter().zip(scattering).find(|(_, value)| !(0.0..=1.0).contains(value)) {
            Some((hz, value)) => Err(MaterialError::Scattering { name: self.name, hz, value }),
            None => Ok(Self { scattering, ..self }),
        }
    }

    /// A material of the built-in library (see [`materials`]), by its name.
    ///
    /// # Errors
    /// [`MaterialError::Unknown`] lists the names there are.
    pub fn named(name: &str) -> Result<Self, MaterialError> {
        materials().iter().find(|material| material.name == name).cloned().ok_or_else(|| {
            MaterialError::Unknown {
                name: name.to_owned(),
                known: materials().iter().map(Material::name).collect(),
            }
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Share of energy absorbed at random incidence, by octave.
    pub fn absorption(&self) -> &Octaves {
        &self.absorption
    }

    /// Share of the reflected energy that is scattered, by octave.
    pub fn scattering(&self) -> &Octaves {
        &self.scattering
    }
}

/// The built-in library: wall coverings and furniture, from published tables where there are any.
/// [`material_origins`] says where each comes from.
pub fn materials() -> &'static [Material] {
    &library().0
}

/// Where the materials of the library come from, in the order of [`materials`].
pub fn material_origins() -> &'static [MaterialOrigin] {
    &library().1
}

/// Where a material of the library comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaterialOrigin {
    /// The publication.
    pub source: String,
    /// The row's own name there.
    pub table_entry: Option<String>,
    /// Octaves in hertz for which it prints no absorption: the nearest printed one is repeated.
    pub extended: Vec<u32>,
    /// How the absorption was guessed from something similar, where nothing fitting is published.
    pub estimated: Option<String>,
}

/// Scattering coefficients of a surface whose relief is `depth_m` deep, by the rule that the BRAS database gives its
/// surfaces: `0.5 sqrt(depth / wavelength)`, from 0.05 to 0.99 (Aspöck et al., *BRAS: a benchmark for room acoustical
/// simulation*, 2020).
pub(crate) fn scattering_by_depth(depth_m: f64) -> Octaves {
    let speed = Air::default().speed_of_sound();
    OCTAVES.map(|hz| (0.5 * (depth_m * hz / speed).sqrt()).clamp(0.05, 0.99))
}

fn library() -> &'static (Vec<Material>, Vec<MaterialOrigin>) {
    static LIBRARY: LazyLock<(Vec<Material>, Vec<MaterialOrigin>)> =
        LazyLock::new(|| read_library().expect("the file is compiled in and read by a test"));
    &LIBRARY
}

fn read_library() -> Result<(Vec<Material>, Vec<MaterialOrigin>), String> {
    let Library { sources, material } =
        toml::from_str(include_str!("materials.toml")).map_err(|error| error.to_string())?;
    let rows = material.into_iter().map(|row| row.read(&sources));
    rows.collect::<Result<Vec<_>, _>>().map(|rows| rows.into_iter().unzip())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Library {
    sources: BTreeMap<String, String>,
    material: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    source: String,
    table_entry: Option<String>,
    absorption: Octaves,
    #[serde(default)]
    extended: Vec<u32>,
    estimated: Option<String>,
    depth_m: Option<f64>,
    scattering: Option<Octaves>,
}

impl Row {
    fn read(self, sources: &BTreeMap<String, String>) -> Result<(Material, MaterialOrigin), String> {
        let source = sources.get(&self.source).ok_or_else(|| format!("no source \"{}\"", self.source))?;
        let scattering = match (self.scattering, self.depth_m) {
            (Some(scattering), None) => scattering,
            (None, Some(depth)) => scattering_by_depth(depth),
            _ => return Err(format!("{}: give either scattering or depth_m", self.name)),
        };
        let material = Material::new(self.name, self.absorption)
            .and_then(|material| material.with_scattering(scattering))
            .map_err(|error| error.to_string())?;
        let (table_entry, extended, estimated) = (self.table_entry, self.extended, self.estimated);
        Ok((material, MaterialOrigin { source: source.clone(), table_entry, extended, estimated }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_material_of_the_library_is_sound_and_has_its_own_name() {
        read_library().unwrap();
        for material in materials() {
            assert_eq!(materials().iter().filter(|other| other.name == material.name).count(), 1);
        }
        // Vorländer's table: carpet on closed-cell foam absorbs 31 % at 1 kHz.
        assert!((Material::named("carpet").unwrap().absorption()[4] - 0.31).abs() < 1e-12);
    }

    #[test]
    fn every_number_of_the_library_has_an_origin_and_guesses_say_so() {
        assert_eq!(materials().len(), material_origins().len());
        for (material, origin) in materials().iter().zip(material_origins()) {
            let guessed = origin.source.starts_with("estimated") && origin.estimated.is_none();
            assert!(!guessed, "{}: nobody says how it was estimated", material.name());
            let printed = origin.table_entry.is_some() || origin.estimated.is_some();
            assert!(printed || material.name() == "open", "{}: no row named", material.name());
            for hz in &origin.extended {
                let (band, neighbour) = if *hz == 63 { (0, 1) } else { (7, 6) };
                let absorption = material.absorption();
                assert!((absorption[band] - absorption[neighbour]).abs() < 1e-12, "{}", material.name());
            }
        }
    }

    #[test]
    fn relief_scatters_as_the_bras_database_has_it() {
        // BRAS CR2, third octaves printed for the ceiling (60 mm deep) and the concrete (5 mm).
        let ceiling = scattering_by_depth(0.06);
        for (band, printed) in
            [(1, 0.074), (2, 0.105), (3, 0.148), (4, 0.209), (5, 0.296), (6, 0.418), (7, 0.591)]
        {
            assert!((ceiling[band] - printed).abs() < 0.001, "{}: {}", OCTAVES[band], ceiling[band]);
        }
        let concrete = scattering_by_depth(0.005);
        assert!((concrete[0] - 0.05).abs() < 1e-12 && (concrete[4] - 0.060).abs() < 0.001);
    }

    #[test]
    fn impossible_and_unknown_materials_are_refused_with_a_reason() {
        let error = Material::new("felt", [0.1, 0.1, 0.1, 1.2, 0.1, 0.1, 0.1, 0.1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "material \"felt\" absorbs 1.2 of the energy at 500 Hz; a coefficient lies between 0 and 1"
        );
        let error = Material::named("chocolate").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no material \"chocolate\"; there are: rendered-brickwork, "),
            "{error}"
        );
        let json = r#"{"name":"felt","absorption":[0.1,0.1,0.1,-0.2,0.1,0.1,0.1,0.1]}"#;
        assert!(serde_json::from_str::<Material>(json).unwrap_err().to_string().contains("at 500 Hz"));
    }
}
