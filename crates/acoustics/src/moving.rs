//! Where early sound comes from while its source or the microphones move.
//!
//! A path with specular reflections seems to come from an image of the source, and the image is an affine map of the
//! source's place. So delay, direction and amplitude of direct sound and early reflections follow a movement
//! exactly, without a new simulation. What a simulated response holds beside them is left to whoever uses it.

use glam::{DMat3, DVec3};

use crate::{
    band::{BAND_COUNT, Octaves},
    endpoint::Source,
    room::{BoxRoom, Position},
};

/// Two images nearer to each other than this, in metres, are one.
const SAME_METRES: f64 = 1e-6;

/// A plane that mirrors.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorPlane {
    /// Any point of it.
    pub point: DVec3,
    /// Its direction, of any length but zero.
    pub normal: DVec3,
    /// Amplitude that a specular reflection keeps, by octave: the square root of what is neither absorbed nor
    /// scattered.
    pub amplitude: Octaves,
}

impl MirrorPlane {
    /// The six surfaces of a box, west, east, south, north, floor, ceiling; `scattering` (0 to 1) is the share of
    /// the reflected energy that a reflection scatters.
    pub fn of_box(room: &BoxRoom, scattering: f64) -> Vec<Self> {
        let size = DVec3::from(room.size());
        let walls = room.surfaces();
        let kept = |absorption: Octaves| absorption.map(|a| ((1.0 - a) * (1.0 - scattering)).sqrt());
        [
            (DVec3::ZERO, DVec3::X, &walls.west),
            (size, DVec3::X, &walls.east),
            (DVec3::ZERO, DVec3::Y, &walls.south),
            (size, DVec3::Y, &walls.north),
            (DVec3::ZERO, DVec3::Z, &walls.floor),
            (size, DVec3::Z, &walls.ceiling),
        ]
        .map(|(point, normal, material)| Self { point, normal, amplitude: kept(*material.absorption()) })
        .to_vec()
    }
}

/// One path from source to microphone, as the map from the source to its image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageTransform {
    linear: DMat3,
    shift: DVec3,
    amplitude: Octaves,
    mirrors: Vec<usize>,
}

/// How sound arrives on one path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Length of the path, in metres.
    pub distance: f64,
    /// Amplitude by octave, 1 being the free field at 1 m in front of the source.
    pub amplitude: Octaves,
}

impl ImageTransform {
    /// The direct sound.
    pub fn direct() -> Self {
        Self {
            linear: DMat3::IDENTITY,
            shift: DVec3::ZERO,
            amplitude: [1.0; BAND_COUNT],
            mirrors: Vec::new(),
        }
    }

    /// Direct sound and every reflection of up to `max_order` mirrors, by order: all of them for a convex room's
    /// surfaces, if the room is a box. In other rooms some are hidden at some places; whoever uses them must
    /// find out with [`Self::mirrors`] which.
    ///
    /// Images that coincide (two mirrors at a right angle, either first) are listed once.
    pub fn up_to_order(planes: &[MirrorPlane], max_order: usize) -> Vec<Self> {
        let mut images = vec![Self::direct()];
        let mut last_order = 0..1;
        for _ in 0..max_order {
            for earlier in last_order.clone() {
                for (index, plane) in planes.iter().enumerate() {
                    let next = images[earlier].mirrored(index, plane);
                    if !images.iter().any(|image| image.coincides_with(&next)) {
                        images.push(next);
                    }
                }
            }
            last_order = last_order.end..images.len();
        }
        images
    }

    /// The image's image in one more plane, `index` being the number by which the plane is known.
    #[must_use]
    pub fn mirrored(&self, index: usize, plane: &MirrorPlane) -> Self {
        let normal = plane.normal.normalize_or_zero();
        let outer = DMat3::from_cols(normal * normal.x, normal * normal.y, normal * normal.z);
        let mirror = DMat3::IDENTITY - 2.0 * outer;
        let shift = mirror * self.shift + 2.0 * plane.point.dot(normal) * normal;
        let amplitude = std::array::from_fn(|band| self.amplitude[band] * plane.amplitude[band]);
        let mirrors = self.mirrors.iter().copied().chain([index]).collect();
        Self { linear: mirror * self.linear, shift, amplitude, mirrors }
    }

    /// The same path with its image displaced, as simulations do to break the lattice of a box.
    #[must_use]
    pub fn displaced(mut self, by: DVec3) -> Self {
        self.shift += by;
        self
    }

    /// The mirrors on the way, the first reflection first.
    pub fn mirrors(&self) -> &[usize] {
        &self.mirrors
    }

    /// Where the source's image is.
    pub fn image(&self, source: Position) -> Position {
        (self.linear * DVec3::from(source) + self.shift).into()
    }

    /// Length of the path in metres; divided by the speed of sound it is the delay.
    pub fn distance(&self, source: Position, microphone: Position) -> f64 {
        self.image(source).distance(microphone)
    }

    /// Direction in which the sound leaves the source, a unit vector.
    pub fn departure(&self, source: Position, microphone: Position) -> DVec3 {
        let seen = DVec3::from(microphone) - DVec3::from(self.image(source));
        // A mirror's inverse is its transpose.
        self.linear.transpose() * seen.normalize_or_zero()
    }

    /// Length and amplitude of the path: spreading, reflections, air ([`crate::Air::energy_loss`]) and the source's
    /// directivity.
    pub fn arrival(&self, source: &Source, microphone: Position, air_loss: &Octaves) -> Arrival {
        let distance = self.distance(source.position, microphone);
        let radiated = source.amplitude_towards(self.departure(source.position, microphone));
        let amplitude = std::array::from_fn(|band| {
            radiated[band] * self.amplitude[band] * (-0.5 * air_loss[band] * distance).exp() / distance
        });
        Arrival { distance, amplitude }
    }

    fn coincides_with(&self, other: &Self) -> bool {
        (self.shift - other.shift).length() < SAME_METRES
            && (self.linear - other.linear).to_cols_array().iter().all(|e| e.abs() < SAME_METRES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Air, Material, Surfaces};

    const SOURCE: Position = Position { x: 1.2, y: 3.9, z: 1.7 };
    const MICROPHONE: Position = Position { x: 4.1, y: 1.3, z: 1.1 };

    fn room() -> BoxRoom {
        let walls = Material::new("wall", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]).unwrap();
        let floor = Material::new("floor", [0.05; BAND_COUNT]).unwrap();
        let surfaces = Surfaces::furnished(&walls, &floor, &floor);
        BoxRoom::new(Position::new(6.0, 5.0, 3.0), surfaces, Air::default()).unwrap()
    }

    #[test]
    fn a_box_has_as_many_images_as_its_lattice() {
        // Places with |i| + |j| + |k| up to n in the integer lattice: 1, 7, 25, 63.
        let planes = MirrorPlane::of_box(&room(), 0.0);
        for (order, count) in [1, 7, 25, 63].into_iter().enumerate() {
            assert_eq!(ImageTransform::up_to_order(&planes, order).len(), count);
        }
    }

    #[test]
    fn the_images_lie_where_allen_and_berkley_put_them() {
        let planes = MirrorPlane::of_box(&room(), 0.0);
        let axis = |size: f64, at: f64| [at, -at, 2.0 * size - at, 2.0 * size + at, at - 2.0 * size];
        let orders = [0, 1, 1, 2, 2];
        let images = ImageTransform::up_to_order(&planes, 2);
        let mut found = 0;
        for (x, i) in axis(6.0, SOURCE.x).into_iter().zip(orders) {
            for (y, j) in axis(5.0, SOURCE.y).into_iter().zip(orders) {
                for (z, k) in axis(3.0, SOURCE.z).into_iter().zip(orders) {
                    let expected = Position::new(x, y, z);
                    let here = images.iter().find(|image| image.image(SOURCE).distance(expected) < 1e-9);
                    assert_eq!(here.is_some(), i + j + k <= 2);
                    found += usize::from(here.is_some_and(|image| image.mirrors().len() == i + j + k));
                }
            }
        }
        assert_eq!(found, 25);
    }

    #[test]
    fn amplitude_is_spreading_times_reflections_times_air() {
        let planes = MirrorPlane::of_box(&room(), 0.2);
        let west_then_floor = ImageTransform::direct().mirrored(0, &planes[0]).mirrored(4, &planes[4]);
        let air = Air::default();
        let arrival =
            west_then_floor.arrival(&Source::omnidirectional(SOURCE), MICROPHONE, &air.energy_loss());
        let distance = Position::new(-1.2, 3.9, -1.7).distance(MICROPHONE);
        assert!((arrival.distance - distance).abs() < 1e-12);
        for (band, amplitude) in arrival.amplitude.into_iter().enumerate() {
            let wall = 1.0 - 0.1 * (band + 1) as f64;
            let kept = (wall * 0.95).sqrt() * 0.8;
            let expected = kept * (-0.5 * air.energy_loss()[band] * distance).exp() / distance;
            assert!((amplitude / expected - 1.0).abs() < 1e-12, "{band}: {amplitude} {expected}");
        }
    }

    #[test]
    fn sound_leaves_the_source_towards_the_point_of_reflection() {
        let planes = MirrorPlane::of_box(&room(), 0.0);
        let floor = ImageTransform::direct().mirrored(4, &planes[4]);
        let image = floor.image(SOURCE);
        // Where the line from image to microphone meets the floor.
        let share = -image.z / (MICROPHONE.z - image.z);
        let (image, microphone) = (DVec3::from(image), DVec3::from(MICROPHONE));
        let point = image + share * (microphone - image);
        let expected = (point - DVec3::from(SOURCE)).normalize();
        assert!((floor.departure(SOURCE, MICROPHONE) - expected).length() < 1e-12);
    }

    #[test]
    fn a_mirror_need_not_follow_the_axes() {
        // The plane x + y = 2 swaps the coordinates' complements.
        let plane = MirrorPlane {
            point: DVec3::new(1.0, 1.0, 5.0),
            normal: DVec3::new(3.0, 3.0, 0.0),
            amplitude: [1.0; BAND_COUNT],
        };
        let image = ImageTransform::direct().mirrored(0, &plane).image(Position::new(0.5, 0.25, 1.0));
        assert!(image.distance(Position::new(1.75, 1.5, 1.0)) < 1e-12);
    }
}
