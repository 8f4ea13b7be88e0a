//! Image sources of any polyhedron, each with the surfaces its sound comes from.
//!
//! A source is mirrored in every plane it can be seen in (Borish, JASA 75, 1984). What an image can be seen through is
//! followed as a set of windows in its last mirror: the parts of that mirror's polygons that lie in the beam which
//! the image throws through the windows of the mirror before. An image without a window is none. What a microphone
//! hears is then checked by tracing the path back, polygon by polygon.

use glam::DVec3;

use super::scene::{Scene, TOLERANCE};
use crate::{
    band::BAND_COUNT,
    convex::{Plane, area_vector, edges},
    endpoint::Source,
    synthesis::Arrival,
};

/// Smaller windows than this are none, in square metres.
const SMALLEST_WINDOW: f64 = 1e-9;
/// Paths that differ by less than this are one that runs along an edge, in metres.
const SAME: f64 = 1e-5;

/// A place from where a reflection seems to come.
#[derive(Debug)]
struct Image {
    position: DVec3,
    /// Index of what was mirrored, and in which mirror. The source itself refers to itself.
    parent: usize,
    mirror: usize,
}

/// A source and its images up to some order.
#[derive(Debug)]
pub(super) struct Images {
    source: Source,
    /// The source itself, then its images, order by order.
    places: Vec<Image>,
    /// The highest order of which all images are there.
    pub(super) order: u32,
}

/// An image of the order now being mirrored, and what it is seen through. The source has no windows: it is seen
/// from everywhere.
struct Growing {
    image: usize,
    windows: Vec<Vec<DVec3>>,
}

impl Images {
    /// All images up to `order`, or up to the highest order of which there are no more than `most`; none whose
    /// sound travels farther than `reach`.
    pub(super) fn new(scene: &Scene, source: &Source, order: u32, most: usize, reach: f64) -> Self {
        let itself = Image { position: source.position.into(), parent: 0, mirror: usize::MAX };
        let mut found = Self { source: *source, places: vec![itself], order: 0 };
        let mut level = vec![Growing { image: 0, windows: Vec::new() }];
        while found.order < order && !level.is_empty() {
            let whole = found.places.len();
            let Some(next) = found.grow(scene, &level, most, reach) else {
                found.places.truncate(whole);
                return found;
            };
            level = next;
            found.order += 1;
        }
        // When nothing is left to mirror, all orders are there.
        found.order = order;
        found
    }

    /// Number of images, the source itself not counted.
    pub(super) fn count(&self) -> usize {
        self.places.len() - 1
    }

    /// Mirrors every image of a level, or gives up when there are more than `most`.
    fn grow(&mut self, scene: &Scene, level: &[Growing], most: usize, reach: f64) -> Option<Vec<Growing>> {
        let mut next = Vec::new();
        for parent in level {
            let Image { position, mirror: last, .. } = self.places[parent.image];
            let beams: Vec<Beam> =
                parent.windows.iter().map(|window| Beam::new(scene, position, last, window)).collect();
            for (index, mirror) in scene.mirrors.iter().enumerate() {
                let height = mirror.height(position);
                // Whoever hears it is in front of the mirror, so the path is longer than that.
                if index == last || height <= TOLERANCE || height > reach {
                    continue;
                }
                let facets = mirror.facets.iter().map(|&facet| &scene.facets[facet].vertices);
                let windows: Vec<Vec<DVec3>> = if parent.image == 0 {
                    facets.cloned().collect()
                } else {
                    facets.flat_map(|polygon| beams.iter().filter_map(|beam| beam.clip(polygon))).collect()
                };
                if windows.is_empty() {
                    continue;
                }
                if self.count() >= most {
                    return None;
                }
                next.push(Growing { image: self.places.len(), windows });
                self.places.push(Image {
                    position: mirror.image(position),
                    parent: parent.image,
                    mirror: index,
                });
            }
        }
        Some(next)
    }

    /// The direct sound at a microphone, unless something is in its way.
    pub(super) fn direct(&self, scene: &Scene, microphone: DVec3) -> Option<Arrival> {
        self.path(scene, 0, microphone).map(|path| path.arrival)
    }

    /// Every mirror reflection that reaches a microphone.
    pub(super) fn reflections(&self, scene: &Scene, microphone: DVec3) -> Vec<Arrival> {
        let mut paths: Vec<Path> =
            (1..self.places.len()).filter_map(|image| self.path(scene, image, microphone)).collect();
        // A path along an edge belongs to the mirrors on both sides in either order: it is found twice.
        paths.sort_by(|a, b| a.arrival.distance.total_cmp(&b.arrival.distance));
        let mut kept: Vec<Path> = Vec::with_capacity(paths.len());
        for path in paths {
            let alike = kept
                .iter()
                .rev()
                .take_while(|other| path.arrival.distance - other.arrival.distance < SAME)
                .any(|other| other.from.distance(path.from) < SAME);
            if !alike {
                kept.push(path);
            }
        }
        kept.into_iter().map(|path| path.arrival).collect()
    }

    /// Traces sound back from a microphone to the source, if it can come that way.
    fn path(&self, scene: &Scene, image: usize, microphone: DVec3) -> Option<Path> {
        let from = self.places[image].position;
        let (mut target, mut index) = (microphone, image);
        let mut gains = [1.0; BAND_COUNT];
        while index != 0 {
            let Image { position, parent, mirror } = self.places[index];
            let mirror = &scene.mirrors[mirror];
            let (before, behind) = (mirror.height(target), -mirror.height(position));
            if before < -TOLERANCE || behind <= TOLERANCE {
                return None;
            }
            let before = before.max(0.0);
            let point = target + (position - target) * (before / (before + behind));
            let hit = mirror.facets.iter().find(|&&facet| scene.facets[facet].contains(point))?;
            if !scene.is_clear(target, point) {
                return None;
            }
            let reflection = &scene.reflections[scene.facets[*hit].surface];
            for (gain, amplitude) in gains.iter_mut().zip(reflection.specular_amplitude) {
                *gain *= amplitude;
            }
            (target, index) = (point, parent);
        }
        let source = DVec3::from(self.source.position);
        if !scene.is_clear(target, source) {
            return None;
        }
        let distance = from.distance(microphone);
        let radiated = self.source.amplitude_towards(target - source);
        let amplitudes = std::array::from_fn(|band| (gains[band] * radiated[band] / distance) as f32);
        Some(Path { from, arrival: Arrival { distance, amplitudes } })
    }
}

/// A way from source to microphone.
struct Path {
    /// The image it seems to come from.
    from: DVec3,
    arrival: Arrival,
}

/// What an image throws through a window: a pyramid, beyond the window.
struct Beam {
    /// Planes that bound it; the beam is in front of each.
    sides: Vec<Plane>,
}

impl Beam {
    fn new(scene: &Scene, apex: DVec3, mirror: usize, window: &[DVec3]) -> Self {
        // The window runs counter-clockwise seen from the air, and the apex is behind it.
        let side = |(a, b): (DVec3, DVec3)| {
            let normal = (a - apex).cross(b - apex).normalize_or_zero();
            Plane { normal, offset: normal.dot(apex) }
        };
        let normal = scene.mirrors[mirror].normal;
        let window_plane = Plane { normal, offset: normal.dot(window[0]) };
        Self { sides: edges(window).map(side).chain([window_plane]).collect() }
    }

    /// The part of a convex polygon that lies in the beam.
    fn clip(&self, polygon: &[DVec3]) -> Option<Vec<DVec3>> {
        let outside = |side: &Plane| polygon.iter().all(|v| side.normal.dot(*v) <= side.offset);
        if self.sides.iter().any(outside) {
            return None;
        }
        let mut inside = polygon.to_vec();
        for side in &self.sides {
            (_, inside) = side.split(&inside);
            inside.dedup_by(|a, b| a.distance_squared(*b) < TOLERANCE * TOLERANCE);
        }
        (inside.len() > 2 && area_vector(&inside).length() > SMALLEST_WINDOW).then_some(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Air, BoxRoom, Material, Position, Room, Surfaces};

    fn scene() -> Scene {
        let surfaces = Surfaces::uniform(&Material::named("carpet").unwrap());
        Scene::new(&Room::from(
            &BoxRoom::new(Position::new(6.0, 5.0, 3.0), surfaces, Air::default()).unwrap(),
        ))
    }

    #[test]
    fn in_a_box_every_microphone_hears_every_image_of_the_lattice_once() {
        // (2N+1)(2N^2+2N+3)/3 images up to order N, the source among them (Allen and Berkley's lattice).
        let scene = scene();
        let source = Source::omnidirectional(Position::new(1.2, 3.9, 1.7));
        for (order, count) in [(1, 6), (2, 24), (3, 62), (6, 376)] {
            let images = Images::new(&scene, &source, order, 100_000, f64::INFINITY);
            for microphone in [DVec3::new(4.1, 1.3, 1.1), DVec3::new(0.3, 0.2, 2.8)] {
                assert_eq!(images.reflections(&scene, microphone).len(), count, "order {order}");
            }
        }
    }

    #[test]
    fn paths_along_edges_are_heard_once() {
        // Source and microphone in the middle planes: many paths meet two walls in their common edge.
        let scene = scene();
        let source = Source::omnidirectional(Position::new(3.0, 2.5, 1.5));
        let images = Images::new(&scene, &source, 3, 100_000, f64::INFINITY);
        for microphone in [DVec3::new(1.2, 1.0, 0.6), DVec3::new(3.0, 1.0, 1.5)] {
            assert_eq!(images.reflections(&scene, microphone).len(), 62);
        }
    }

    #[test]
    fn a_cap_on_their_number_keeps_whole_orders() {
        let scene = scene();
        let source = Source::omnidirectional(Position::new(1.2, 3.9, 1.7));
        let all = Images::new(&scene, &source, 3, 100_000, f64::INFINITY);
        let capped = Images::new(&scene, &source, 3, all.count() - 1, f64::INFINITY);
        assert_eq!((all.order, capped.order), (3, 2));
        // Mirrors seen one in the other: 6 of first order, 6 x 5 of second less none.
        assert_eq!(capped.count(), 6 + 30);
    }
}
