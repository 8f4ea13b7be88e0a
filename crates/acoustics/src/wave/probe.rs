//! Sound at places between nodes: weights by which nodes speak or are heard.

use glam::DVec3;

use super::{
    WaveError,
    grid::{Grid, Lattice},
    linear::Cholesky,
    voxels::{AirMap, Facet},
};
use crate::room::Position;

/// Nodes and weights: the pressure between nodes is Σ weight · pressure, and a source there feeds each node by its
/// weight. With the same weights for both, source and receiver may be exchanged to the last bit of theory.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Index of each node in memory, and its weight.
    pub weights: Vec<(u32, f32)>,
}

/// How far the nodes of a probe are from its place, in spacings: some forty of them.
const FCC_REACH: f64 = 2.7;
const CARTESIAN_REACH: f64 = 2.15;
/// Share of variance taken for noise, which keeps weights small.
const NOISE: f64 = 1e-6;
/// Waves up to this share above the highest frequency are interpolated rightly.
const HEADROOM: f64 = 1.2;
/// A probe with fewer nodes around it has no meaning.
const FEWEST_NODES: usize = 6;

/// What it takes to find the nodes around a place.
pub(crate) struct Surroundings<'a> {
    pub lattice: &'a Lattice,
    pub air: &'a AirMap,
    pub facets: &'a [Facet],
    /// Angle per spacing of a wave of the highest frequency.
    pub radians_per_spacing: f64,
}

/// The nodes around a place, ready for weights: best linear prediction (kriging) of a sound field whose waves come
/// from all directions with all frequencies up to the highest. Its covariance over a distance is 3 j₁(kr)/(kr).
pub(crate) struct Neighbourhood {
    nodes: Vec<u32>,
    /// From each node to the place, in spacings.
    ways: Vec<DVec3>,
    radians_per_spacing: f64,
    spacing: f64,
    axes: [usize; 3],
    factor: Cholesky,
}

impl Surroundings<'_> {
    pub(crate) fn around(&self, what: &'static str, place: Position) -> Result<Neighbourhood, WaveError> {
        let at = self.lattice.in_spacings(DVec3::from(place));
        let too_close = || WaveError::Place { what, place };
        let candidates = self.candidates(at);
        let nearby: Vec<&Facet> = self.facets.iter().filter(|facet| facet.is_near(at, FCC_REACH)).collect();
        let seen: Vec<(u32, DVec3)> = candidates
            .into_iter()
            .filter(|(_, way)| !nearby.iter().any(|facet| facet.blocks(at - *way, at)))
            .collect();
        if seen.len() < FEWEST_NODES {
            return Err(too_close());
        }
        let k = HEADROOM * self.radians_per_spacing;
        let covariance: Vec<Vec<f64>> = seen
            .iter()
            .enumerate()
            .map(|(row, (_, a))| {
                let to = |(column, (_, b)): (usize, &(u32, DVec3))| {
                    covariance(k * a.distance(*b)) + if row == column { NOISE } else { 0.0 }
                };
                seen.iter().enumerate().map(to).collect()
            })
            .collect();
        let factor = Cholesky::new(covariance).ok_or_else(too_close)?;
        let (nodes, ways) = seen.into_iter().unzip();
        Ok(Neighbourhood {
            nodes,
            ways,
            radians_per_spacing: k,
            spacing: self.lattice.spacing,
            axes: self.lattice.axes,
            factor,
        })
    }

    /// Nodes of air within reach, each with the way from it to the place.
    fn candidates(&self, at: DVec3) -> Vec<(u32, DVec3)> {
        let (reach, grid) = match self.lattice.grid {
            Grid::Fcc => (FCC_REACH, 2),
            Grid::Cartesian => (CARTESIAN_REACH, 1),
        };
        let [planes, rows, places] = self.lattice.dimensions.map(|d| d.cast_signed() as i32);
        let limits = [planes, rows, grid * places];
        let range = |axis: usize| {
            ((at[axis] - reach).ceil() as i32).max(0)
                ..=((at[axis] + reach).floor() as i32).min(limits[axis] - 1)
        };
        let mut found = Vec::new();
        for i in range(0) {
            for j in range(1) {
                for k in range(2).filter(|k| grid == 1 || (i + j + k) % 2 == 0) {
                    let way = at - DVec3::new(f64::from(i), f64::from(j), f64::from(k));
                    let node = self.lattice.index([i, j, k]);
                    if way.length() <= reach && self.air.holds(node) {
                        found.push((node as u32, way));
                    }
                }
            }
        }
        found
    }
}

impl Neighbourhood {
    /// Pressure at the place.
    pub(crate) fn pressure(&self) -> Probe {
        let weights = self.solve(|way| covariance(self.radians_per_spacing * way.length()));
        // A constant pressure is kept exactly.
        let sum: f64 = weights.iter().sum();
        self.probe(&weights, 1.0 / sum)
    }

    /// Gradient of pressure at the place along the axes of the room, per metre.
    pub(crate) fn gradient(&self) -> [Probe; 3] {
        let mut probes = [const { Vec::new() }; 3];
        for (axis, room_axis) in self.axes.into_iter().enumerate() {
            let k = self.radians_per_spacing;
            let mut weights = self.solve(|way| {
                let distance = way.length().max(1e-9);
                k * covariance_slope(k * distance) * way[axis] / distance
            });
            // A constant pressure has none.
            let mean = weights.iter().sum::<f64>() / weights.len() as f64;
            for weight in &mut weights {
                *weight -= mean;
            }
            probes[room_axis] = weights;
        }
        probes.map(|weights| self.probe(&weights, 1.0 / self.spacing))
    }

    /// Standard error of the pressure at the place relative to that of the field, for a field with all frequencies up
    /// to the highest.
    pub(crate) fn error(&self) -> f64 {
        let to_place = |way: &DVec3| covariance(self.radians_per_spacing * way.length());
        let weights = self.solve(to_place);
        let known: f64 = weights.iter().zip(&self.ways).map(|(weight, way)| weight * to_place(way)).sum();
        (1.0 - known).max(0.0).sqrt()
    }

    fn solve(&self, right: impl Fn(&DVec3) -> f64) -> Vec<f64> {
        self.factor.solve(&self.ways.iter().map(right).collect::<Vec<_>>())
    }

    fn probe(&self, weights: &[f64], scale: f64) -> Probe {
        let scaled = weights.iter().map(|weight| (weight * scale) as f32);
        Probe { weights: self.nodes.iter().copied().zip(scaled).collect() }
    }
}

/// 3 j₁(x) / x: covariance of a field of plane waves from all directions, wavenumbers spread evenly over a ball.
fn covariance(x: f64) -> f64 {
    if x < 0.05 {
        return 1.0 - x * x / 10.0 + x.powi(4) / 280.0;
    }
    3.0 * (x.sin() - x * x.cos()) / x.powi(3)
}

/// Its derivative, −3 j₂(x) / x.
fn covariance_slope(x: f64) -> f64 {
    if x < 0.05 {
        return -x / 5.0 + x.powi(3) / 70.0;
    }
    let second_order = (3.0 / (x * x) - 1.0) * x.sin() / x - 3.0 * x.cos() / (x * x);
    -3.0 * second_order / x
}
