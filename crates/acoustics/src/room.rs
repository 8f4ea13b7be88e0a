//! Box-shaped rooms.

use serde::{Deserialize, Serialize};

use crate::{
    air::Air,
    band::{BAND_COUNT, Octaves},
    material::Material,
};

/// A place in a room, in metres from the corner where west wall, south wall and floor meet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Towards the east wall.
    pub x: f64,
    /// Towards the north wall.
    pub y: f64,
    /// Towards the ceiling.
    pub z: f64,
}

impl Position {
    /// The place at these coordinates.
    pub fn new(x: f64, y: f64, z: f64) -> Self {
        Self { x, y, z }
    }

    /// Metres from here to there.
    pub fn distance(self, other: Self) -> f64 {
        let Self { x, y, z } = other;
        ((self.x - x).powi(2) + (self.y - y).powi(2) + (self.z - z).powi(2)).sqrt()
    }

    pub(crate) fn coordinates(self) -> [f64; 3] {
        [self.x, self.y, self.z]
    }
}

impl From<Position> for glam::DVec3 {
    fn from(Position { x, y, z }: Position) -> Self {
        Self::new(x, y, z)
    }
}

impl From<glam::DVec3> for Position {
    fn from(place: glam::DVec3) -> Self {
        Self::new(place.x, place.y, place.z)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // To a tenth of a millimetre: what was computed has more digits than anybody can use.
        let [x, y, z] = [self.x, self.y, self.z].map(|metres| (1e4 * metres).round() / 1e4);
        write!(f, "({x}, {y}, {z})")
    }
}

/// What the six surfaces of a box are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surfaces {
    /// The wall at x = 0.
    pub west: Material,
    /// The wall at the far end of x.
    pub east: Material,
    /// The wall at y = 0.
    pub south: Material,
    /// The wall at the far end of y.
    pub north: Material,
    /// The floor, at z = 0.
    pub floor: Material,
    /// The ceiling.
    pub ceiling: Material,
}

impl Surfaces {
    /// The same material everywhere.
    pub fn uniform(material: &Material) -> Self {
        Self::furnished(material, material, material)
    }

    /// Four walls alike, a floor and a ceiling.
    pub fn furnished(walls: &Material, floor: &Material, ceiling: &Material) -> Self {
        Self {
            west: walls.clone(),
            east: walls.clone(),
            south: walls.clone(),
            north: walls.clone(),
            floor: floor.clone(),
            ceiling: ceiling.clone(),
        }
    }

    /// By axis: the surface at its beginning and the one at its end.
    pub(crate) fn by_axis(&self) -> [[&Material; 2]; 3] {
        [[&self.west, &self.east], [&self.south, &self.north], [&self.floor, &self.ceiling]]
    }
}

/// Why a room cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RoomError {
    /// A side that is no length of a room.
    #[error("the room measures {value} m along {axis}; each side must lie between 0.5 and 100 m")]
    Size {
        /// `x`, `y` or `z`.
        axis: char,
        /// Its length in metres.
        value: f64,
    },
    /// A temperature outside the standard's range.
    #[error("the air has {0} °C; it must lie between -20 and 50 °C")]
    Temperature(f64),
    /// A humidity outside the standard's range.
    #[error("the relative humidity is {0} %; it must lie between 5 and 100 %")]
    Humidity(f64),
}

/// A box-shaped room: its size, its surfaces and its air.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct BoxRoom {
    size: Position,
    surfaces: Surfaces,
    air: Air,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    size: Position,
    surfaces: Surfaces,
    #[serde(default)]
    air: Air,
}

impl TryFrom<Unchecked> for BoxRoom {
    type Error = RoomError;

    fn try_from(Unchecked { size, surfaces, air }: Unchecked) -> Result<Self, RoomError> {
        Self::new(size, surfaces, air)
    }
}

impl Air {
    /// Whether it is air as ISO 9613-1 knows it.
    pub(crate) fn check(self) -> Result<(), RoomError> {
        if !(-20.0..=50.0).contains(&self.temperature_celsius) {
            return Err(RoomError::Temperature(self.temperature_celsius));
        }
        if !(5.0..=100.0).contains(&self.relative_humidity_percent) {
            return Err(RoomError::Humidity(self.relative_humidity_percent));
        }
        Ok(())
    }
}

impl BoxRoom {
    /// A room whose far upper corner is `size`.
    ///
    /// # Errors
    /// [`RoomError`] when a side is shorter than 0.5 m or longer than 100 m, or the air is outside the
    /// range of ISO 9613-1.
    pub fn new(size: Position, surfaces: Surfaces, air: Air) -> Result<Self, RoomError> {
        let bad_side =
            ['x', 'y', 'z'].into_iter().zip(size.coordinates()).find(|(_, v)| !(0.5..=100.0).contains(v));
        if let Some((axis, value)) = bad_side {
            return Err(RoomError::Size { axis, value });
        }
        air.check()?;
        Ok(Self { size, surfaces, air })
    }

    /// The far upper corner: length, width and height in metres.
    pub fn size(&self) -> Position {
        self.size
    }

    /// What the surfaces are made of.
    pub fn surfaces(&self) -> &Surfaces {
        &self.surfaces
    }

    /// The air in it.
    pub fn air(&self) -> Air {
        self.air
    }

    /// Volume in cubic metres.
    pub fn volume(&self) -> f64 {
        self.size.x * self.size.y * self.size.z
    }

    /// Area of all surfaces in square metres.
    pub fn surface_area(&self) -> f64 {
        2.0 * self.face_areas().iter().sum::<f64>()
    }

    /// Whether a place lies inside, not on a surface.
    pub fn contains(&self, place: Position) -> bool {
        place.coordinates().iter().zip(self.size.coordinates()).all(|(&at, size)| at > 0.0 && at < size)
    }

    /// Mean absorption coefficient of all surfaces, by octave.
    pub fn mean_absorption(&self) -> Octaves {
        let mut absorbed = [0.0; BAND_COUNT];
        for (pair, area) in self.surfaces.by_axis().into_iter().zip(self.face_areas()) {
            for (band, total) in absorbed.iter_mut().enumerate() {
                *total += area * (pair[0].absorption()[band] + pair[1].absorption()[band]);
            }
        }
        absorbed.map(|total| total / self.surface_area())
    }

    /// Reverberation time in seconds by Eyring's formula with air absorption, by octave: what a diffuse
    /// field in this room would show.
    pub fn eyring_time(&self) -> Octaves {
        let walls = self.wall_loss();
        let air = self.air.energy_loss();
        let decay = 6.0 * std::f64::consts::LN_10 / self.air.speed_of_sound();
        std::array::from_fn(|band| decay / (walls[band] + air[band]))
    }

    /// Energy a diffuse field loses to the surfaces per metre of path, by octave: m in exp(-m r), in 1/m.
    pub(crate) fn wall_loss(&self) -> Octaves {
        let reflections_per_metre = self.surface_area() / (4.0 * self.volume());
        self.mean_absorption().map(|absorption| -(1.0 - absorption).ln() * reflections_per_metre)
    }

    /// Area of one of the two surfaces across each axis.
    fn face_areas(&self) -> [f64; 3] {
        let Position { x, y, z } = self.size;
        [y * z, x * z, x * y]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material(absorption: f64) -> Material {
        Material::new("test", [absorption; BAND_COUNT]).unwrap()
    }

    #[test]
    fn eyring_time_of_a_textbook_room() {
        // 10 x 8 x 5 m: V = 400 m3, S = 340 m2. Half of each pair absorbs 0.1, half 0.3: mean 0.2.
        // T = 0.161 V / (-S ln 0.8 + 4 m V) with 24 ln 10 / c = 0.16102 and m from ISO 9613-1.
        let [soft, hard] = [material(0.3), material(0.1)];
        let surfaces = Surfaces {
            west: hard.clone(),
            east: soft.clone(),
            south: hard.clone(),
            north: soft.clone(),
            floor: hard,
            ceiling: soft,
        };
        let room = BoxRoom::new(Position::new(10.0, 8.0, 5.0), surfaces, Air::default()).unwrap();
        assert!((room.volume() - 400.0).abs() < 1e-9 && (room.surface_area() - 340.0).abs() < 1e-9);
        // At 1 kHz, 20 °C, 50 %: 4.66 dB/km, so 4 m V = 1.72 m2.
        let expected = 0.161_02 * 400.0 / (340.0 * 0.223_144 + 4.0 * 4.66e-3 / 4.342_9 * 400.0);
        assert!((room.eyring_time()[4] / expected - 1.0).abs() < 0.001, "{:?}", room.eyring_time());
    }

    #[test]
    fn impossible_rooms_are_refused_with_a_reason() {
        let room = |size, air| BoxRoom::new(size, Surfaces::uniform(&material(0.1)), air);
        let size = Position::new(5.0, 4.0, 3.0);
        assert_eq!(
            room(Position::new(5.0, -4.0, 3.0), Air::default()).unwrap_err().to_string(),
            "the room measures -4 m along y; each side must lie between 0.5 and 100 m"
        );
        assert!(room(Position::new(5.0, 4.0, f64::NAN), Air::default()).is_err());
        assert_eq!(
            room(size, Air { temperature_celsius: 90.0, ..Air::default() }),
            Err(RoomError::Temperature(90.0))
        );
        assert_eq!(
            room(size, Air { relative_humidity_percent: 0.0, ..Air::default() }),
            Err(RoomError::Humidity(0.0))
        );
    }

    #[test]
    fn a_room_survives_its_own_file_and_a_file_is_checked_like_a_room() {
        let room =
            BoxRoom::new(Position::new(5.0, 4.0, 3.0), Surfaces::uniform(&material(0.1)), Air::default())
                .unwrap();
        let json = serde_json::to_string(&room).unwrap();
        assert_eq!(serde_json::from_str::<BoxRoom>(&json).unwrap(), room);
        let error = serde_json::from_str::<BoxRoom>(&json.replace("5.0", "500.0")).unwrap_err();
        assert!(error.to_string().contains("500 m along x"), "{error}");
    }
}
