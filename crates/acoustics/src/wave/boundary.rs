//! Surfaces as the wave solver sees them: nodes with missing links, and the wall area each of them carries.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use glam::DVec3;
use rayon::prelude::*;

use super::{
    admittance::Wall,
    grid::{Grid, Lattice},
    plan::SurfaceArea,
    voxels::{AirMap, Facet, Link, Voxels, signed_link},
};
use crate::geometry::{Polygon, Room, Solid, winding_number};

/// The nodes next to surfaces.
///
/// Within a plane, first come nodes that touch one material only, sorted by it, then those that touch several.
/// A *patch* is the area of one material at one node; patches are numbered in the order of their nodes, so that
/// nodes with one patch have their patches in a row as well. States of branches live by patch: one array of
/// patches for each branch.
///
/// Nodes outside the air hold zero at all times. So the sum over the neighbours is right with missing links as well, and
/// what is left to do at node b is, with p the pressure now, p⁻ the one before, and p⁺ what step 1 of
/// [`WavePlan`](super::WavePlan) has made of it:
///
/// 1. for each of its `cuts` (b, c): p⁺ −= c₁ p(c), because a thin slab stands between two nodes of air;
/// 2. p⁺ = (2 p − p⁻) + `inverse_mass` · ((p⁺ + p⁻) + (`missing_weight` − 2) p), in this form because a constant
///    pressure must stay constant to the last bit (on the Cartesian grid, where `inverse_mass` is 1, this is
///    p⁺ += `missing_weight` · p);
/// 3. with g = `patch_area` of each patch, and its material's branches with states w and v:
///    p⁺ += ((Σ g β/2) (p⁻ − p⁺) − Σ g (½ (1 + hold) w − ½ restore v)) / (1 + Σ g β/2), β = Σ drive over the branches,
/// 4. w⁺ = drive (p⁺ − p⁻) + hold w − restore v, then v⁺ = v + ½ (w⁺ + w), for every branch.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundary {
    /// Index of each node in memory.
    pub nodes: Vec<u32>,
    /// c₁ times the number of missing links of each node.
    pub missing_weight: Vec<f32>,
    /// Air of a whole cell over the air of each node. Never below what it should be by rounding.
    pub inverse_mass: Vec<f32>,
    /// Where the patches of each node begin, and after the last one.
    pub first_patch: Vec<u32>,
    /// Which of [`WavePlan::walls`](super::WavePlan::walls) each patch is made of.
    pub patch_material: Vec<u32>,
    /// g: wall area of each patch times c dt over the volume of the node's air, without unit. About one where a wall
    /// lies across an axis.
    pub patch_area: Vec<f32>,
    /// Nodes of one material that follow each other.
    pub runs: Vec<Run>,
    /// Links that a thin slab cuts: a node and the neighbour that it does not hear. Both directions are here, sorted by
    /// the place of the node in `nodes`.
    pub cuts: Vec<Cut>,
    /// By plane.
    pub planes: Vec<BoundaryPlane>,
}

/// Nodes of one material that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which of [`WavePlan::walls`](super::WavePlan::walls); `None` for rigid surfaces, which have no patches.
    pub material: Option<u32>,
    /// Which of [`Boundary::nodes`].
    pub nodes: Range<u32>,
}

/// A link that a thin slab cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Which of [`Boundary::nodes`].
    pub node: u32,
    /// Index in memory of the neighbour that it does not hear.
    pub neighbour: u32,
}

/// The boundary of one plane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BoundaryPlane {
    /// Which of [`Boundary::nodes`].
    pub nodes: Range<u32>,
    /// Which of [`Boundary::runs`]: the nodes with at most one patch.
    pub runs: Range<u32>,
    /// The nodes with several patches, which follow those of the runs.
    pub mixed: Range<u32>,
    /// Which of [`Boundary::cuts`].
    pub cuts: Range<u32>,
}

/// A node before it has its place in the list.
struct Draft {
    node: u32,
    missing: u32,
    /// Air relative to that of a whole cell.
    mass: f64,
    /// Material and area of each patch.
    patches: Vec<(u32, f64)>,
    cut_neighbours: Vec<u32>,
}

impl Boundary {
    /// `wall_of_surface` gives the wall material of each of the room's surfaces, `None` for rigid ones.
    pub(crate) fn new(
        room: &Room,
        lattice: &Lattice,
        voxels: &Voxels,
        wall_of_surface: &[Option<u32>],
    ) -> Self {
        let polygons: Vec<&Polygon> = room.polygons().collect();
        let areas = link_areas(room, lattice, &voxels.links);
        let linked: Vec<(Link, f64)> = voxels.links.iter().copied().zip(areas).collect();
        let to_coefficient =
            lattice.grid.courant_number() / (lattice.grid.cell_volume() * lattice.spacing.powi(2));
        let wall = |link: &Link| wall_of_surface[polygons[link.polygon? as usize].surface];
        let mut torn = torn_tetrahedra(lattice, voxels);
        let mut drafts: Vec<Draft> = linked
            .chunk_by(|a, b| a.0.node == b.0.node)
            .map(|links| {
                let torn = torn.remove(&links[0].0.node).unwrap_or(0);
                draft(lattice, links, torn, to_coefficient, &wall)
            })
            .collect();
        // Nodes that miss no link themselves.
        let all_links = 2 * lattice.grid.directions().len() as u32;
        drafts.extend(torn.into_iter().map(|(node, torn)| Draft {
            node,
            missing: 0,
            mass: lattice.grid.mass(all_links, torn),
            patches: Vec::new(),
            cut_neighbours: Vec::new(),
        }));
        let per_plane = lattice.dimensions[1] * lattice.dimensions[2];
        let plane = |draft: &Draft| draft.node as usize / per_plane;
        let kind = |draft: &Draft| match draft.patches[..] {
            [] => (0, 0),
            [(material, _)] => (1, material),
            _ => (2, 0),
        };
        drafts.sort_by_key(|draft| (plane(draft), kind(draft), draft.node));
        let mut boundary = Self::empty();
        let mut of_plane = drafts.chunk_by(|a, b| plane(a) == plane(b)).peekable();
        for number in 0..lattice.dimensions[0] {
            let drafts = of_plane.next_if(|drafts| plane(&drafts[0]) == number).unwrap_or(&[]);
            boundary.push_plane(drafts, &kind, lattice.grid.neighbour_weight());
        }
        boundary
    }

    fn empty() -> Self {
        Self {
            nodes: Vec::new(),
            missing_weight: Vec::new(),
            inverse_mass: Vec::new(),
            first_patch: vec![0],
            patch_material: Vec::new(),
            patch_area: Vec::new(),
            runs: Vec::new(),
            cuts: Vec::new(),
            planes: Vec::new(),
        }
    }

    fn push_plane(&mut self, drafts: &[Draft], kind: &dyn Fn(&Draft) -> (u32, u32), neighbour_weight: f64) {
        let (first_node, first_run, first_cut) = (self.nodes.len(), self.runs.len(), self.cuts.len());
        let mut mixed = 0..0;
        for run in drafts.chunk_by(|a, b| kind(a) == kind(b)) {
            let nodes = self.nodes.len() as u32..(self.nodes.len() + run.len()) as u32;
            match kind(&run[0]) {
                (0, _) => self.runs.push(Run { material: None, nodes }),
                (1, material) => self.runs.push(Run { material: Some(material), nodes }),
                _ => mixed = nodes,
            }
            for draft in run {
                let node = self.nodes.len() as u32;
                self.cuts.extend(draft.cut_neighbours.iter().map(|&neighbour| Cut { node, neighbour }));
                self.nodes.push(draft.node);
                self.missing_weight.push((neighbour_weight * f64::from(draft.missing)) as f32);
                let inverse = 1.0 / draft.mass;
                // Rounded down: too little air could make a shortest wave grow.
                let rounded = inverse as f32;
                self.inverse_mass.push(if f64::from(rounded) > inverse {
                    rounded.next_down()
                } else {
                    rounded
                });
                for &(material, area) in &draft.patches {
                    self.patch_material.push(material);
                    self.patch_area.push(area as f32);
                }
                self.first_patch.push(self.patch_area.len() as u32);
            }
        }
        self.planes.push(BoundaryPlane {
            nodes: first_node as u32..self.nodes.len() as u32,
            runs: first_run as u32..self.runs.len() as u32,
            mixed,
            cuts: first_cut as u32..self.cuts.len() as u32,
        });
    }

    /// How many patches there are.
    pub fn patches(&self) -> usize {
        self.patch_area.len()
    }
}

fn draft(
    lattice: &Lattice,
    links: &[(Link, f64)],
    torn: u32,
    to_coefficient: f64,
    wall: &dyn Fn(&Link) -> Option<u32>,
) -> Draft {
    let node = links[0].0.node;
    let line = node as usize / lattice.dimensions[2];
    let offsets = lattice.offsets(lattice.parity(line / lattice.dimensions[1], line % lattice.dimensions[1]));
    let present = (offsets.len() - links.len()) as u32;
    let mass = lattice.grid.mass(present, torn);
    let mut patches: Vec<(u32, f64)> = Vec::new();
    for (link, area) in links {
        let Some(material) = wall(link) else { continue };
        match patches.iter_mut().find(|(other, _)| *other == material) {
            Some((_, sum)) => *sum += area * to_coefficient / mass,
            None => patches.push((material, area * to_coefficient / mass)),
        }
    }
    let behind = |link: &Link| (node as usize).wrapping_add_signed(offsets[usize::from(link.direction)]);
    let cut_neighbours =
        links.iter().filter(|(link, _)| link.to_air).map(|(link, _)| behind(link) as u32).collect();
    Draft { node, missing: links.len() as u32, mass, patches, cut_neighbours }
}

/// How many tetrahedra around each node are torn by the rim of a thin slab: see [`Grid::mass`](super::Grid).
///
/// A slab that goes through a tetrahedron parts its four nodes in two groups, each still joined within. Where it ends
/// there, two nodes without a link between them are still joined by a third.
fn torn_tetrahedra(lattice: &Lattice, voxels: &Voxels) -> BTreeMap<u32, u32> {
    let mut torn = BTreeMap::new();
    if lattice.grid != Grid::Fcc {
        return torn;
    }
    let directions = lattice.grid.directions();
    let air = AirMap::new(lattice.places(), &voxels.spans);
    let end = |link: &Link| {
        let [i, j, k] = lattice.place(link.node as usize);
        let [di, dj, dk] = signed_link(directions, link.direction);
        [[i, j, k], [i + di, j + dj, k + dk]]
    };
    let cuts: BTreeSet<[u32; 2]> = voxels
        .links
        .iter()
        .filter(|link| link.to_air)
        .map(|link| [link.node, lattice.index(end(link)[1]) as u32])
        .collect();
    let joined = |a: u32, b: u32| air.holds(a as usize) && air.holds(b as usize) && !cuts.contains(&[a, b]);
    let mut seen = BTreeSet::new();
    for link in voxels.links.iter().filter(|link| link.to_air) {
        for mut corners in tetrahedra(end(link)).map(|corners| corners.map(|at| lattice.index(at) as u32)) {
            corners.sort_unstable();
            let is_torn = corners.iter().any(|&middle| {
                let friends = || corners.iter().filter(|&&other| other != middle && joined(middle, other));
                friends().any(|&a| friends().any(|&b| a != b && !joined(a, b)))
            });
            if is_torn && seen.insert(corners) {
                for corner in corners.into_iter().filter(|&corner| air.holds(corner as usize)) {
                    *torn.entry(corner).or_insert(0) += 1;
                }
            }
        }
    }
    torn
}

/// The two tetrahedra of mutual neighbours that share a link.
fn tetrahedra([from, to]: [[i32; 3]; 2]) -> [[[i32; 3]; 4]; 2] {
    [-1, 1].map(|side| {
        let unmoved = (0..3).find(|&axis| from[axis] == to[axis]).unwrap_or(0);
        let other = |moved: usize| {
            let mut at = from;
            at[moved] = to[moved];
            at[unmoved] += side;
            at
        };
        [from, to, other((unmoved + 1) % 3), other((unmoved + 2) % 3)]
    })
}

/// The area of surface in square metres that each missing link stands for.
///
/// A staircase has too much area. The face of the cell across a link counts with the cosine between the link and
/// the surface's normal: for a large plane the sum is then right on average in every orientation, since the links go
/// evenly in all directions (Σ d dᵀ is a multiple of the identity). What is left, from where a surface lies between
/// nodes, is taken out surface by surface.
fn link_areas(room: &Room, lattice: &Lattice, links: &[Link]) -> Vec<f64> {
    let facets = Facet::all(room, lattice);
    let surface_of: Vec<usize> = room.polygons().map(|polygon| polygon.surface).collect();
    let directions = lattice.grid.directions();
    let face = lattice.grid.face_area() * lattice.spacing.powi(2);
    let mut areas: Vec<f64> = links
        .iter()
        .map(|link| {
            let along = DVec3::from(signed_link(directions, link.direction).map(f64::from)).normalize();
            link.polygon.map_or(0.0, |n| face * facets[n as usize].normal.dot(along).abs())
        })
        .collect();
    let mut found = vec![0.0; room.surfaces().len()];
    for (link, area) in links.iter().zip(&areas) {
        if let Some(polygon) = link.polygon {
            found[surface_of[polygon as usize]] += area;
        }
    }
    let true_areas = exposed_areas(room, lattice.spacing);
    let correction: Vec<f64> = true_areas
        .iter()
        .zip(&found)
        .map(|(wanted, found)| if *found > 0.0 { (wanted / found).clamp(0.5, 2.0) } else { 1.0 })
        .collect();
    for (link, area) in links.iter().zip(&mut areas) {
        if let Some(polygon) = link.polygon {
            *area *= correction[surface_of[polygon as usize]];
        }
    }
    areas
}

/// Area of each surface that meets air: not what stands on the floor or inside another body.
pub(crate) fn exposed_areas(room: &Room, spacing: f64) -> Vec<f64> {
    let mut areas = vec![0.0; room.surfaces().len()];
    let polygons: Vec<&Polygon> = room.polygons().collect();
    let solids: Vec<BoundedSolid> = room.solids().iter().map(BoundedSolid::new).collect();
    let is_hidden = |n: usize, place: DVec3| {
        let of_solid = n >= room.shell().len();
        (of_solid && winding_number(room.shell(), place) > -0.5)
            || solids.iter().any(|solid| solid.contains(place))
    };
    let shares: Vec<f64> = polygons
        .par_iter()
        .enumerate()
        .map(|(n, polygon)| {
            let nothing_stands_there = room.solids().is_empty();
            if nothing_stands_there { 1.0 } else { exposed_share(polygon, spacing, &|at| is_hidden(n, at)) }
        })
        .collect();
    for (polygon, share) in polygons.into_iter().zip(shares) {
        areas[polygon.surface] += polygon.area() * share;
    }
    areas
}

struct BoundedSolid<'a> {
    solid: &'a Solid,
    low: DVec3,
    high: DVec3,
}

impl<'a> BoundedSolid<'a> {
    fn new(solid: &'a Solid) -> Self {
        let corners = || solid.polygons.iter().flat_map(|polygon| polygon.vertices.iter().copied());
        let low = corners().fold(DVec3::INFINITY, DVec3::min);
        Self { solid, low, high: corners().fold(DVec3::NEG_INFINITY, DVec3::max) }
    }

    fn contains(&self, place: DVec3) -> bool {
        place.cmpge(self.low).all()
            && place.cmple(self.high).all()
            && winding_number(&self.solid.polygons, place) > 0.5
    }
}

/// The share of a polygon that is not hidden, from points spread over it.
fn exposed_share(polygon: &Polygon, spacing: f64, is_hidden: &dyn Fn(DVec3) -> bool) -> f64 {
    let wanted = (4.0 * polygon.area() / spacing.powi(2)).clamp(64.0, 2_000.0);
    let above = 1e-4 * polygon.normal();
    let corners = &polygon.vertices;
    let (mut exposed, mut total) = (0.0, 0.0);
    for pair in corners[1..].windows(2) {
        let sides = [pair[0] - corners[0], pair[1] - corners[0]];
        let area = 0.5 * sides[0].cross(sides[1]).length();
        let count = (wanted * area / polygon.area()).ceil() as u32;
        let in_air = (0..count)
            .filter(|&n| {
                // Roberts' sequence: evenly spread, folded into the triangle.
                let (u, v) = (0.5 + 0.754_877_666 * f64::from(n), 0.5 + 0.569_840_291 * f64::from(n));
                let (u, v) = (u.fract(), v.fract());
                let (u, v) = if u + v > 1.0 { (1.0 - u, 1.0 - v) } else { (u, v) };
                !is_hidden(corners[0] + u * sides[0] + v * sides[1] + above)
            })
            .count();
        exposed += area * in_air as f64 / f64::from(count.max(1));
        total += area;
    }
    exposed / total
}

impl Boundary {
    /// Area of each material: what the room has in contact with air, and what all patches sum up to.
    pub(crate) fn areas(
        &self,
        room: &Room,
        lattice: &Lattice,
        walls: &[Wall],
        wall_of_surface: &[Option<u32>],
    ) -> Vec<SurfaceArea> {
        let mut areas: Vec<SurfaceArea> = walls
            .iter()
            .map(|wall| SurfaceArea { material: wall.material.clone(), area: 0.0, solver_area: 0.0 })
            .collect();
        for (wall, area) in wall_of_surface.iter().zip(exposed_areas(room, lattice.spacing)) {
            if let Some(wall) = wall {
                areas[*wall as usize].area += area;
            }
        }
        let to_area = lattice.grid.cell_volume() * lattice.spacing.powi(2) / lattice.grid.courant_number();
        for (node, patches) in self.first_patch.windows(2).enumerate() {
            let to_area = to_area / f64::from(self.inverse_mass[node]);
            for patch in patches[0] as usize..patches[1] as usize {
                let area = f64::from(self.patch_area[patch]) * to_area;
                areas[self.patch_material[patch] as usize].solver_area += area;
            }
        }
        areas
    }
}
