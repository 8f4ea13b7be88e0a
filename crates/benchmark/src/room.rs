//! Boxes: rooms whose furniture is what it absorbs, and the places in them where things sound and are heard.

use std::fmt::Display;

use acoustics::{Air, BoxRoom, Material, Octaves, Position, Surfaces};
use serde::{Deserialize, Serialize};

/// Nothing sounds or is heard closer to a surface than this, in metres.
const CLEARANCE: f64 = 0.15;
/// A talker is at least and at most this far from a microphone, in metres.
pub(crate) const DISTANCES: std::ops::RangeInclusive<f64> = 0.5..=6.0;
/// A box with what furnishes it, and the places in it.
///
/// It is simulated as an empty box. Furniture is approximated by what it absorbs: each furnishing lends its
/// material to a share of the surface it stands on or hangs at. That gives the decay of a furnished room, but
/// not the shadow of a sofa; what furniture scatters is one number for the whole room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// Name in files and addresses.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Length, width and height in metres.
    pub size: Position,
    /// The bare surfaces.
    pub surfaces: BareSurfaces,
    /// Share of the energy that a reflection scatters, 0 (bare walls) to 1; around 0.3 for furnished rooms.
    pub scattering: f64,
    /// What stands and hangs in it.
    #[serde(default)]
    pub furnishings: Vec<Furnishing>,
    /// Where people talk to the device: mouths.
    pub talkers: Vec<Position>,
    /// Where the device stands.
    pub microphones: Vec<Position>,
    /// Where continuous noise comes from.
    pub outlets: Vec<Position>,
    /// Where transient noise comes from.
    pub bystanders: Vec<Position>,
}

/// Materials of the six surfaces, by their names in the library of [`acoustics::materials`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BareSurfaces {
    /// The wall at x = 0.
    pub west: String,
    /// The wall at the far end of x.
    pub east: String,
    /// The wall at y = 0.
    pub south: String,
    /// The wall at the far end of y.
    pub north: String,
    /// The floor.
    pub floor: String,
    /// The ceiling.
    pub ceiling: String,
}

/// A piece of furniture, seen as something that covers part of a surface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Furnishing {
    /// What it is, for people.
    pub what: String,
    /// Where it stands or hangs.
    pub surface: Side,
    /// What absorbs like it, by its name in the library.
    pub material: String,
    /// How much of the surface it covers, in square metres.
    pub area_m2: f64,
}

/// One of the six surfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The wall at x = 0.
    West,
    /// The wall at the far end of x.
    East,
    /// The wall at y = 0.
    South,
    /// The wall at the far end of y.
    North,
    /// The floor.
    Floor,
    /// The ceiling.
    Ceiling,
}

impl Room {
    /// The box that is simulated.
    ///
    /// # Errors
    /// Says which size, material or furnishing is impossible.
    pub fn to_box(&self) -> Result<BoxRoom, String> {
        // The size first: the areas that furnishings cover come from it.
        let bare = Material::named(&self.surfaces.floor).map_err(text)?;
        BoxRoom::new(self.size, Surfaces::uniform(&bare), Air::default()).map_err(text)?;
        let surfaces = Surfaces {
            west: self.covered(Side::West)?,
            east: self.covered(Side::East)?,
            south: self.covered(Side::South)?,
            north: self.covered(Side::North)?,
            floor: self.covered(Side::Floor)?,
            ceiling: self.covered(Side::Ceiling)?,
        };
        BoxRoom::new(self.size, surfaces, Air::default()).map_err(text)
    }

    /// A surface with what stands on it: coefficients averaged by area.
    fn covered(&self, side: Side) -> Result<Material, String> {
        let bare = Material::named(self.bare(side)).map_err(text)?;
        let area = self.area(side);
        let furnishings = || self.furnishings.iter().filter(|furnishing| furnishing.surface == side);
        if furnishings().any(|furnishing| furnishing.area_m2.is_nan() || furnishing.area_m2 <= 0.0) {
            return Err(format!("a furnishing of the {side:?} surface covers no area"));
        }
        let covered: f64 = furnishings().map(|furnishing| furnishing.area_m2).sum();
        if covered > area {
            return Err(format!(
                "furnishings cover {covered} m² of the {side:?} surface, which has {area:.1} m²"
            ));
        }
        let mut absorbed: Octaves = bare.absorption().map(|coefficient| coefficient * (area - covered));
        for furnishing in furnishings() {
            let material = Material::named(&furnishing.material).map_err(text)?;
            for (total, coefficient) in absorbed.iter_mut().zip(material.absorption()) {
                *total += coefficient * furnishing.area_m2;
            }
        }
        Material::new(bare.name(), absorbed.map(|total| total / area)).map_err(text)
    }

    fn bare(&self, side: Side) -> &str {
        match side {
            Side::West => &self.surfaces.west,
            Side::East => &self.surfaces.east,
            Side::South => &self.surfaces.south,
            Side::North => &self.surfaces.north,
            Side::Floor => &self.surfaces.floor,
            Side::Ceiling => &self.surfaces.ceiling,
        }
    }

    fn area(&self, side: Side) -> f64 {
        let Position { x, y, z } = self.size;
        match side {
            Side::West | Side::East => y * z,
            Side::South | Side::North => x * z,
            Side::Floor | Side::Ceiling => x * y,
        }
    }

    /// Checks what the types cannot.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let room = self.to_box()?;
        if !(0.0..=1.0).contains(&self.scattering) {
            return Err(format!("scattering {} is no share: 0 to 1", self.scattering));
        }
        let groups = [
            ("talkers", &self.talkers),
            ("microphones", &self.microphones),
            ("outlets", &self.outlets),
            ("bystanders", &self.bystanders),
        ];
        for (what, places) in groups {
            if places.is_empty() {
                return Err(format!("it has no {what}"));
            }
            if let Some(place) = places.iter().find(|&&place| !is_clear(&room, place)) {
                return Err(format!("{what}: {place} is outside or within {CLEARANCE} m of a surface"));
            }
        }
        for talker in &self.talkers {
            for microphone in &self.microphones {
                let distance = talker.distance(*microphone);
                if !DISTANCES.contains(&distance) {
                    return Err(format!(
                        "{distance:.2} m from talker {talker} to microphone {microphone}: \
                         make it {} to {} m",
                        DISTANCES.start(),
                        DISTANCES.end()
                    ));
                }
            }
        }
        Ok(())
    }
}

fn is_clear(room: &BoxRoom, place: Position) -> bool {
    let moved = |by: f64| Position::new(place.x + by, place.y + by, place.z + by);
    room.contains(moved(-CLEARANCE)) && room.contains(moved(CLEARANCE))
}

fn text(error: impl Display) -> String {
    error.to_string()
}
