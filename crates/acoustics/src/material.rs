//! What walls are made of.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::band::{BAND_COUNT, OCTAVES, Octaves};

/// A wall covering: its name and how much sound energy it absorbs at random incidence.
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

/// The built-in library: common wall coverings from published tables (`materials.toml` names the source).
pub fn materials() -> &'static [Material] {
    static LIBRARY: LazyLock<Vec<Material>> = LazyLock::new(|| {
        let file: Library = toml::from_str(include_str!("materials.toml"))
            .expect("the file is compiled in and read by a test");
        file.material
            .into_iter()
            .map(|entry| Material { name: entry.name, absorption: entry.absorption, scattering: SMOOTH })
            .collect()
    });
    &LIBRARY
}

#[derive(Deserialize)]
struct Library {
    material: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    absorption: Octaves,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_material_of_the_library_is_sound_and_has_its_own_name() {
        for material in materials() {
            assert_eq!(Material::new(material.name(), *material.absorption()).as_ref(), Ok(material));
            assert_eq!(materials().iter().filter(|other| other.name == material.name).count(), 1);
        }
        // Vorländer's table: carpet on closed-cell foam absorbs 31 % at 1 kHz.
        assert!((Material::named("carpet").unwrap().absorption()[4] - 0.31).abs() < 1e-12);
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
