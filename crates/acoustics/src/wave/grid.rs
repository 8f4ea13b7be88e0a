//! The two grids, their exact dispersion, and how their nodes lie in memory.

use std::f64::consts::PI;

use glam::DVec3;

/// The neighbourhood of a node.
///
/// Both are leapfrog schemes p⁺ = c₀ p + c₁ Σ pₙ − p⁻ over the neighbours n (Hamilton and Bilbao, IEEE/ACM
/// Trans. Audio Speech Lang. Process. 25, 2017). The face-centred cubic one needs about a twelfth of the node
/// updates of the Cartesian one for the same worst error of phase velocity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grid {
    /// Face-centred cubic: every second node of a cubic lattice, twelve neighbours at √2 spacings, Courant
    /// number just below 1.
    #[default]
    Fcc,
    /// Cartesian: six neighbours at one spacing, Courant number 1/√3.
    Cartesian,
}

/// Directions to half of the neighbours; the other half are opposite.
const FCC_DIRECTIONS: [[i32; 3]; 6] = [[1, 1, 0], [1, -1, 0], [1, 0, 1], [1, 0, -1], [0, 1, 1], [0, 1, -1]];
const CARTESIAN_DIRECTIONS: [[i32; 3]; 3] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
/// The squares of the Courant numbers: a thousandth below the limits of 1 and 1/3, so that what rounding feeds to the
/// shortest waves of the grid stays small, and with so few binary digits that the coefficients of the schemes are exact
/// in single precision. Rounded ones would be a slow leak or a slow gain.
const FCC_COURANT_SQUARED: f64 = 1_023.0 / 1_024.0;
const CARTESIAN_COURANT_SQUARED: f64 = 1_364.0 / 4_096.0;

impl Grid {
    /// One of each pair of opposite directions to neighbours, in spacings.
    pub fn directions(self) -> &'static [[i32; 3]] {
        match self {
            Self::Fcc => &FCC_DIRECTIONS,
            Self::Cartesian => &CARTESIAN_DIRECTIONS,
        }
    }

    /// Metres that sound travels in a step, in spacings.
    pub fn courant_number(self) -> f64 {
        match self {
            Self::Fcc => FCC_COURANT_SQUARED.sqrt(),
            Self::Cartesian => CARTESIAN_COURANT_SQUARED.sqrt(),
        }
    }

    /// Volume of air that a node stands for, in cubed spacings.
    pub fn cell_volume(self) -> f64 {
        match self {
            Self::Fcc => 2.0,
            Self::Cartesian => 1.0,
        }
    }

    /// Air of a node with so many links, relative to that of a node with all of them.
    ///
    /// On the Cartesian grid a wall lies half-way between two nodes, and the cell at the wall is whole. On the FCC grid a
    /// link that is missing at a wall also carried sound along the wall. With (4 + links) / 16 a wall a quarter of a
    /// spacing behind the last nodes is met to second order by waves across and along it, also at edges. It is stable for
    /// any set of nodes: what is needed is that no eigenvalue of the adjacency matrix is below −4, and that matrix is
    /// the sum over tetrahedra of four mutual neighbours, each of which has none below −1, every node being in eight
    /// of them and every link in two. Where a thin slab ends inside a tetrahedron, so that some of its links are missing
    /// and yet all its nodes are joined, the least eigenvalue may be −2; `torn` is the number of such tetrahedra
    /// around a node, and adds what that takes.
    pub(crate) fn mass(self, links: u32, torn: u32) -> f64 {
        match self {
            Self::Fcc => (4.0 + f64::from(links) + 0.5 * f64::from(torn)) / 16.0,
            Self::Cartesian => 1.0,
        }
    }

    /// How far behind its last nodes a wall across an axis lies, in spacings.
    pub(crate) fn wall_distance(self) -> f64 {
        match self {
            Self::Fcc => 0.25,
            Self::Cartesian => 0.5,
        }
    }

    /// Area of the face between two neighbours' cells, in squared spacings.
    pub(crate) fn face_area(self) -> f64 {
        match self {
            // The faces of a rhombic dodecahedron: twelve pyramids of height √2/2 fill its volume of 2.
            Self::Fcc => std::f64::consts::FRAC_1_SQRT_2,
            Self::Cartesian => 1.0,
        }
    }

    /// c₁, the weight of each neighbour. Exact in single precision.
    pub fn neighbour_weight(self) -> f64 {
        match self {
            Self::Fcc => 0.25 * FCC_COURANT_SQUARED,
            Self::Cartesian => CARTESIAN_COURANT_SQUARED,
        }
    }

    /// c₀, the weight of the node itself. Exact in single precision.
    pub fn centre_weight(self) -> f64 {
        2.0 - 2.0 * self.directions().len() as f64 * self.neighbour_weight()
    }

    /// Wavenumber times spacing of a plane wave along a unit vector, for a frequency given as the angle
    /// 2π f dt per step: the exact dispersion relation. `None` above the frequency at which the grid stops
    /// carrying waves in that direction.
    pub fn wavenumber(self, radians_per_step: f64, direction: DVec3) -> Option<f64> {
        let wanted = (0.5 * radians_per_step).sin().powi(2);
        let shape = |kh: f64| {
            let links = self
                .directions()
                .iter()
                .map(|&link| (0.5 * kh * direction.dot(DVec3::from(link.map(f64::from)))).sin().powi(2));
            self.neighbour_weight() * links.sum::<f64>()
        };
        // The relation rises up to somewhere beyond half a wavelength per spacing: step up, then bisect.
        let step = 0.01;
        let mut high = step;
        while shape(high) < wanted {
            high += step;
            if high > PI * 2.0_f64.sqrt() || shape(high) < shape(high - step) {
                return None;
            }
        }
        let mut low = high - step;
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if shape(middle) < wanted { low = middle } else { high = middle }
        }
        Some(0.5 * (low + high))
    }

    /// Amplitude of a point source far away relative to that in a continuous medium, as a mean over directions: waves of the
    /// grid are slow, and so a source meets more of them. For a frequency given as [`wavenumber`](Self::wavenumber) takes
    /// it. The amplitude is 2 c² k / |∂D/∂k| with D(k) = ω² the dispersion relation (method of stationary phase, without
    /// the little that the surface D = const differs from a sphere).
    pub(crate) fn source_gain(self, radians_per_step: f64) -> f64 {
        let gain = |direction: DVec3| {
            let kh = self.wavenumber(radians_per_step, direction)?;
            let slope = |link: &[i32; 3]| {
                let along = direction.dot(DVec3::from(link.map(f64::from)));
                0.5 * along * (kh * along).sin()
            };
            let slopes: f64 = self.directions().iter().map(slope).sum();
            Some(2.0 * kh * self.courant_number().powi(2) / (4.0 * self.neighbour_weight() * slopes))
        };
        let gains: Vec<f64> = directions_of_a_cube().filter_map(gain).collect();
        gains.iter().sum::<f64>() / gains.len().max(1) as f64
    }

    /// By which share the slowest plane wave is too slow at `points_per_wavelength` spacings per wavelength:
    /// from the dispersion relation, over all directions.
    pub fn phase_error(self, points_per_wavelength: f64) -> f64 {
        let per_spacing = 2.0 * PI / points_per_wavelength;
        directions_of_a_cube()
            .map(|direction| {
                let wavenumber = self.wavenumber(per_spacing * self.courant_number(), direction);
                wavenumber.map_or(1.0, |kh| 1.0 - per_spacing / kh)
            })
            .fold(0.0, f64::max)
    }
}

/// Directions that stand for all, by the symmetry of a cube.
fn directions_of_a_cube() -> impl Iterator<Item = DVec3> {
    let pairs = (0..=12).flat_map(|y| (0..=y).map(move |z| (f64::from(y), f64::from(z))));
    pairs.map(|(y, z)| DVec3::new(12.0, y, z).normalize())
}

/// Where the nodes are: in space and in memory.
///
/// Node (i, j, k) has the index `(i * rows + j) * stride + k`. `i` numbers planes, `j` the rows of a plane, and `k`
/// the nodes of a row; planes lie across the longest side of the room, rows along the second longest. On the
/// Cartesian grid it lies at `origin + spacing * (i, j, k)`. On the FCC grid only every second place of a row
/// is a node: with the parity p = (i + j) mod 2 it lies at `origin + spacing * (i, j, 2 k + p)`, and its neighbours are
///
/// - in the rows (i ± 1, j ± 1): k,
/// - in the rows (i ± 1, j) and (i, j ± 1): k + p − 1 and k + p.
///
/// So the inner loop over k is the same for a whole row, without gaps and without seams. The first and the last plane,
/// row and place in a row hold no air, which keeps every neighbour in bounds. The places of a row are a multiple
/// of [`ROW_UNIT`], those at its end without air.
#[derive(Debug, Clone, PartialEq)]
pub struct Lattice {
    pub(crate) grid: Grid,
    pub(crate) spacing: f64,
    /// Planes, rows in a plane, places in a row.
    pub(crate) dimensions: [usize; 3],
    /// Which axis of the room planes, rows and places go along.
    pub(crate) axes: [usize; 3],
    /// Place of (0, 0, 0), in the order of `axes`.
    pub(crate) origin: DVec3,
    /// How much longer than the room what the nodes stand for is, along x, y and z, in metres.
    pub(crate) side_errors: DVec3,
    /// Middle of the room and half its size, in spacings.
    middle: DVec3,
    half_size: DVec3,
}

/// Rows are padded to a multiple of this many places, so that each begins on a line of the cache.
pub const ROW_UNIT: usize = 16;
/// How much finer the grid may be made so that walls fall half-way between nodes.
const FITTING: f64 = 0.03;
/// Shifts of the lattice that no drawing has, in spacings, so that no node lies exactly on a surface.
const SHIFT: DVec3 = DVec3::new(1.301e-5, 1.731e-5, 2.237e-5);

impl Lattice {
    /// Lays nodes into a box, with a spacing of at most `largest_spacing`. Walls of the box lie as far behind the last
    /// nodes as they should, or as near to that as one spacing for all three axes allows.
    pub(crate) fn new(grid: Grid, largest_spacing: f64, bounds: [DVec3; 2]) -> Self {
        let size = bounds[1] - bounds[0];
        let overlap = 1.0 - 2.0 * grid.wall_distance();
        let spacing = fitting_spacing(largest_spacing, size, overlap);
        let mut axes = [0, 1, 2];
        axes.sort_by(|&a, &b| size[b].total_cmp(&size[a]));
        // Longest, shortest, second longest: small planes to keep in cache, long rows to vectorise.
        axes.swap(1, 2);
        let nodes = axes.map(|axis| ((size[axis] / spacing + overlap).round() as usize).max(1));
        let margin = |axis: usize| 0.5 * (size[axes[axis]] / spacing - (nodes[axis] - 1) as f64);
        // Of an FCC row half of the places are nodes, and either place 1 or place 2 is the first with air.
        let (places, first) = match grid {
            Grid::Fcc => ((nodes[2] + 2).div_ceil(2) + 1, 2.0),
            Grid::Cartesian => (nodes[2] + 2, 1.0),
        };
        let corner = DVec3::from(axes.map(|axis| bounds[0][axis]));
        let first_node = DVec3::new(margin(0) - 1.0, margin(1) - 1.0, margin(2) - first) + SHIFT;
        let mut side_errors = DVec3::ZERO;
        for (count, axis) in nodes.into_iter().zip(axes) {
            side_errors[axis] = (count as f64 - overlap) * spacing - size[axis];
        }
        let half_size = 0.5 / spacing * DVec3::from(axes.map(|axis| size[axis]));
        Self {
            grid,
            spacing,
            dimensions: [nodes[0] + 2, nodes[1] + 2, places.next_multiple_of(ROW_UNIT)],
            axes,
            origin: corner + spacing * first_node,
            side_errors,
            middle: half_size - first_node,
            half_size,
        }
    }

    /// Which neighbours a node has.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Metres between places of the cubic lattice. FCC neighbours are √2 of it apart.
    pub fn spacing(&self) -> f64 {
        self.spacing
    }

    /// Planes, rows in a plane, places in a row.
    pub fn dimensions(&self) -> [usize; 3] {
        self.dimensions
    }

    /// Places in memory, with air or without.
    pub fn places(&self) -> usize {
        self.dimensions.iter().product()
    }

    /// Index of the first place of a row.
    pub fn row_start(&self, plane: usize, row: usize) -> usize {
        (plane * self.dimensions[1] + row) * self.dimensions[2]
    }

    /// 1 in the rows of an FCC grid that begin half a step later, else 0.
    pub fn parity(&self, plane: usize, row: usize) -> usize {
        match self.grid {
            Grid::Fcc => (plane + row) & 1,
            Grid::Cartesian => 0,
        }
    }

    /// Index in memory of a node at whole spacings from the origin.
    pub(crate) fn index(&self, [i, j, k]: [i32; 3]) -> usize {
        let k = match self.grid {
            Grid::Fcc => k >> 1,
            Grid::Cartesian => k,
        };
        self.row_start(i as usize, j as usize) + k as usize
    }

    /// Whole spacings from the origin to the node with this index.
    pub(crate) fn place(&self, index: usize) -> [i32; 3] {
        let (line, k) = (index / self.dimensions[2], index % self.dimensions[2]);
        let (i, j) = (line / self.dimensions[1], line % self.dimensions[1]);
        let k = match self.grid {
            Grid::Fcc => 2 * k + self.parity(i, j),
            Grid::Cartesian => k,
        };
        [i, j, k].map(|n| n.cast_signed() as i32)
    }

    /// Steps in memory to the neighbours of a node in a row of this parity: one each of opposite pairs in the order of
    /// [`Grid::directions`], then the opposite ones in the same order.
    pub fn offsets(&self, parity: usize) -> Vec<isize> {
        let [_, rows, stride] = self.dimensions.map(usize::cast_signed);
        let offset = |[i, j, k]: [i32; 3]| {
            let (i, j, k) = (i as isize, j as isize, k as isize);
            let k = match (self.grid, k) {
                (Grid::Cartesian, _) | (Grid::Fcc, 0) => k,
                (Grid::Fcc, 1) => parity.cast_signed(),
                (Grid::Fcc, _) => parity.cast_signed() - 1,
            };
            (i * rows + j) * stride + k
        };
        let directions = self.grid.directions();
        let opposite = directions.iter().map(|link| link.map(|step| -step));
        directions.iter().copied().chain(opposite).map(offset).collect()
    }

    /// A place in the room as whole and broken spacings from the origin, in the order of the grid's axes.
    pub(crate) fn in_spacings(&self, place: DVec3) -> DVec3 {
        (DVec3::from(self.axes.map(|axis| place[axis])) - self.origin) / self.spacing
    }

    /// The same for a corner of a surface, moved out from the middle of the room by so much that walls across the axes
    /// lie half-way between nodes: nodes are found by which side of the surface they are on.
    pub(crate) fn stretched(&self, place: DVec3) -> DVec3 {
        let at = self.in_spacings(place);
        let more = 0.5 - self.grid.wall_distance();
        at + more * (at - self.middle) / self.half_size
    }

    /// Where in the room a node is.
    pub fn position(&self, index: usize) -> DVec3 {
        let at = self.origin + self.spacing * DVec3::from(self.place(index).map(f64::from));
        let mut place = DVec3::ZERO;
        for (from, axis) in self.axes.into_iter().enumerate() {
            place[axis] = at[from];
        }
        place
    }
}

/// The spacing within [`FITTING`] below the largest that best divides all three sides (and `overlap` spacings). A misfit moves a wall by up to
/// half a spacing, which detunes modes by its share of the side.
fn fitting_spacing(largest: f64, size: DVec3, overlap: f64) -> f64 {
    let misfit = |spacing: f64| {
        size.to_array()
            .map(|side| (((side / spacing + overlap).round() - overlap) * spacing / side - 1.0).abs())
            .into_iter()
            .fold(0.0, f64::max)
    };
    let candidates = (0..=3_000).map(|n| largest * (1.0 - FITTING * f64::from(n) / 3_000.0));
    candidates.min_by(|&a, &b| misfit(a).total_cmp(&misfit(b))).unwrap_or(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dispersion_is_that_of_the_literature() {
        // Worst phase errors in percent: PFFDTD states 1 % at 7.7 and 2 % at 5.6 (FCC), 1 % at 10.5 and 2 % at 7.5
        // (Cartesian); the other figures follow from the same relations.
        let known = [
            (Grid::Fcc, [(4.0, 5.1), (5.6, 2.05), (6.0, 1.8), (7.7, 1.01), (10.5, 0.52), (15.0, 0.25)]),
            (Grid::Cartesian, [(4.0, 8.8), (5.0, 5.1), (7.5, 2.07), (7.7, 1.96), (10.5, 1.02), (15.0, 0.49)]),
        ];
        for (grid, values) in known {
            for (ppw, percent) in values {
                let found = 100.0 * grid.phase_error(ppw);
                assert!((found / percent - 1.0).abs() < 0.03, "{grid:?} {ppw}: {found} %");
            }
        }
    }

    #[test]
    fn some_directions_are_exact() {
        // At their stability limits: the axes of the FCC grid, the diagonals of a cube of the Cartesian one.
        let cases = [(Grid::Fcc, DVec3::X), (Grid::Cartesian, DVec3::ONE.normalize())];
        for (grid, direction) in cases {
            let kh = grid.wavenumber(0.5, direction).unwrap();
            assert!((kh * grid.courant_number() / 0.5 - 1.0).abs() < 2e-5, "{grid:?}: {kh}");
        }
    }

    #[test]
    fn coefficients_are_exact_in_single_precision_and_within_the_limit_of_stability() {
        for grid in [Grid::Fcc, Grid::Cartesian] {
            for value in [grid.neighbour_weight(), grid.centre_weight()] {
                assert!(f64::from(value as f32).total_cmp(&value).is_eq());
            }
        }
        assert!(Grid::Cartesian.neighbour_weight() < 1.0 / 3.0);
    }

    #[test]
    fn neighbours_in_memory_are_neighbours_in_the_room() {
        for grid in [Grid::Fcc, Grid::Cartesian] {
            let lattice = Lattice::new(grid, 0.1, [DVec3::ZERO, DVec3::new(0.7, 1.2, 0.9)]);
            let middle = lattice.dimensions.map(|d| d / 2);
            for row in [middle[1], middle[1] + 1] {
                let index = lattice.row_start(middle[0], row) + middle[2];
                let offsets = lattice.offsets(lattice.parity(middle[0], row));
                let (here, directions) = (lattice.place(index), grid.directions());
                assert_eq!(lattice.index(here), index);
                for (n, offset) in offsets.into_iter().enumerate() {
                    let sign = if n < directions.len() { 1 } else { -1 };
                    let there = lattice.place(index.checked_add_signed(offset).unwrap());
                    let link = directions[n % directions.len()].map(|step| sign * step);
                    assert_eq!(std::array::from_fn::<_, 3, _>(|a| there[a] - here[a]), link, "{grid:?}");
                }
            }
        }
    }

    #[test]
    fn a_side_that_does_not_fit_is_off_by_half_a_spacing_at_most_and_that_is_known() {
        let size = DVec3::new(4.37, 2.51, 3.13);
        for grid in [Grid::Fcc, Grid::Cartesian] {
            let lattice = Lattice::new(grid, 0.25, [DVec3::ZERO, size]);
            for (error, side) in lattice.side_errors.to_array().into_iter().zip(size.to_array()) {
                // Walls stand a quarter or half a spacing behind whole spacings between the first node and the last.
                let between = (side + error) / lattice.spacing - 2.0 * grid.wall_distance();
                assert!(
                    (between - between.round()).abs() < 1e-9 && error.abs() < 0.5 * lattice.spacing,
                    "{grid:?}"
                );
            }
            assert!(lattice.side_errors.abs().max_element() > 0.01, "{grid:?}");
        }
    }

    #[test]
    fn walls_lie_where_the_scheme_wants_them() {
        // Sides of whole spacings on the Cartesian grid, of half a spacing more on the other.
        let size = DVec3::new(4.5, 2.5, 3.5);
        for (grid, largest) in [(Grid::Fcc, 0.0915), (Grid::Cartesian, 0.1)] {
            let lattice = Lattice::new(grid, largest, [DVec3::ZERO, size]);
            for place in [DVec3::ZERO, size] {
                let at = lattice.in_spacings(place);
                let behind = if place == DVec3::ZERO { grid.wall_distance() } else { -grid.wall_distance() };
                assert!(lattice.side_errors.abs().max_element() < 0.02 * lattice.spacing, "{grid:?}");
                for value in at.to_array() {
                    let node = value + behind;
                    assert!((node - node.round()).abs() < 0.02, "{grid:?}: {at}");
                }
            }
        }
    }
}
