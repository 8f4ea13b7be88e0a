//! A room made ready for rays: facets in a tree, planes, and what reflects from them.

use glam::DVec3;

use super::bvh::{Bounds, Bvh};
use crate::{
    band::{BAND_COUNT, Octaves},
    convex::edges,
    geometry::Room,
};

/// Lengths below this are nothing, in metres: the flatness of polygons, and so the width of gaps between them.
pub(super) const TOLERANCE: f64 = 1e-6;
/// A ray ends and begins this far from what it leaves or meets, in metres.
const MARGIN: f64 = 1e-5;

/// Where a ray meets a surface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) distance: f64,
    pub(super) facet: usize,
}

/// A polygon as rays see it.
#[derive(Debug)]
pub(super) struct Facet {
    /// Into the air.
    pub(super) normal: DVec3,
    /// Of its plane: `normal . x = offset`.
    offset: f64,
    /// Lines along its edges: direction into the polygon, and offset.
    edges: Vec<(DVec3, f64)>,
    /// Index of what it is made of.
    pub(super) surface: usize,
    pub(super) vertices: Vec<DVec3>,
}

impl Facet {
    /// Metres in front of its plane.
    pub(super) fn height(&self, place: DVec3) -> f64 {
        self.normal.dot(place) - self.offset
    }

    /// Whether a place in its plane is in the polygon or on its edge.
    pub(super) fn contains(&self, place: DVec3) -> bool {
        self.edges.iter().all(|(inward, offset)| inward.dot(place) >= offset - TOLERANCE)
    }
}

/// Facets that lie in one plane and look the same way: for image sources, one mirror.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) normal: DVec3,
    offset: f64,
    pub(super) facets: Vec<usize>,
}

impl Mirror {
    /// Metres in front of it.
    pub(super) fn height(&self, place: DVec3) -> f64 {
        self.normal.dot(place) - self.offset
    }

    /// The mirror image of a place.
    pub(super) fn image(&self, place: DVec3) -> DVec3 {
        place - 2.0 * self.height(place) * self.normal
    }
}

/// What a surface does to the energy that meets it, by octave.
#[derive(Debug)]
pub(super) struct Reflection {
    /// Share that is not absorbed.
    pub(super) reflected: [f32; BAND_COUNT],
    /// Share of the reflected that is scattered.
    pub(super) scattered: [f32; BAND_COUNT],
    /// Amplitude of the mirror reflection.
    pub(super) specular_amplitude: Octaves,
}

/// A room made ready for rays.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) facets: Vec<Facet>,
    pub(super) mirrors: Vec<Mirror>,
    pub(super) reflections: Vec<Reflection>,
    bvh: Bvh,
    /// Whether nothing can stand between two places in the air.
    convex: bool,
}

impl Scene {
    pub(super) fn new(room: &Room) -> Self {
        let facets: Vec<Facet> = room
            .polygons()
            .map(|polygon| {
                let normal = polygon.normal();
                let vertices = polygon.vertices.clone();
                let edges = edges(&vertices)
                    .map(|(a, b)| {
                        let inward = normal.cross(b - a).normalize_or_zero();
                        (inward, inward.dot(a))
                    })
                    .collect();
                Facet {
                    normal,
                    offset: normal.dot(polygon.centre()),
                    edges,
                    surface: polygon.surface,
                    vertices,
                }
            })
            .collect();
        let bounds: Vec<Bounds> =
            facets.iter().map(|facet| Bounds::around(&facet.vertices).grown(2.0 * MARGIN)).collect();
        let reflections = room
            .surfaces()
            .iter()
            .map(|surface| {
                let (absorption, scattering) = (surface.material.absorption(), surface.material.scattering());
                Reflection {
                    reflected: absorption.map(|absorbed| (1.0 - absorbed) as f32),
                    scattered: scattering.map(|scattered| scattered as f32),
                    specular_amplitude: std::array::from_fn(|band| {
                        ((1.0 - absorption[band]) * (1.0 - scattering[band])).sqrt()
                    }),
                }
            })
            .collect();
        let convex = facets.iter().all(|facet| {
            facets.iter().flat_map(|other| &other.vertices).all(|&vertex| facet.height(vertex) > -TOLERANCE)
        });
        Self { mirrors: mirrors(&facets), bvh: Bvh::new(&bounds), facets, reflections, convex }
    }

    /// What a ray through the air meets first. Only surfaces that face it count, also those a hair's breadth
    /// behind its origin: a ray that starts in a corner does not slip out of the room.
    pub(super) fn first_hit(&self, origin: DVec3, direction: DVec3) -> Option<Hit> {
        let mut nearest = None;
        self.bvh.visit(origin, direction, f64::INFINITY, |index, reach| {
            let facet = &self.facets[index];
            let approach = -facet.normal.dot(direction);
            if approach <= 0.0 {
                return reach;
            }
            let distance = facet.height(origin) / approach;
            // Behind a facet that is all but parallel, a long way is still a hair's breadth.
            let behind = distance < 0.0 && facet.height(origin) < -MARGIN;
            if distance >= reach || behind || !facet.contains(origin + distance * direction) {
                return reach;
            }
            let distance = distance.max(0.0);
            nearest = Some(Hit { distance, facet: index });
            distance
        });
        nearest
    }

    /// Whether nothing stands between two places in the air or on surfaces.
    pub(super) fn is_clear(&self, from: DVec3, to: DVec3) -> bool {
        self.convex || self.is_seen(from, to)
    }

    /// Whether a place, which may also be outside, is seen from one in the air.
    pub(super) fn is_seen(&self, from: DVec3, to: DVec3) -> bool {
        let way = to - from;
        let length = way.length();
        if length <= 2.0 * MARGIN {
            return true;
        }
        let direction = way / length;
        let mut clear = true;
        self.bvh.visit(from, direction, length, |index, reach| {
            let facet = &self.facets[index];
            let distance = -facet.height(from) / facet.normal.dot(direction);
            let between = distance > MARGIN && distance < length - MARGIN;
            if between && facet.contains(from + distance * direction) {
                clear = false;
                return -1.0;
            }
            reach
        });
        clear
    }
}

fn mirrors(facets: &[Facet]) -> Vec<Mirror> {
    let mut mirrors: Vec<Mirror> = Vec::new();
    for (index, facet) in facets.iter().enumerate() {
        let same = |mirror: &&mut Mirror| {
            mirror.normal.dot(facet.normal) > 0.0
                && facet.vertices.iter().all(|&vertex| mirror.height(vertex).abs() < 2.0 * TOLERANCE)
        };
        match mirrors.iter_mut().find(same) {
            Some(mirror) => mirror.facets.push(index),
            None => {
                mirrors.push(Mirror { normal: facet.normal, offset: facet.offset, facets: vec![index] });
            }
        }
    }
    mirrors
}
