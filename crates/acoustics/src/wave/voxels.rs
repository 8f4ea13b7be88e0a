//! Which nodes are air, and between which neighbours a surface stands.

use glam::{DVec2, DVec3};
use rayon::prelude::*;

use super::grid::{Grid, Lattice};
use crate::geometry::{Polygon, Room};

/// Neighbouring nodes of a row that are all air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Index of the first node.
    pub begin: u32,
    /// Index after the last node.
    pub end: u32,
}

/// A missing link: from a node of air to a neighbour behind a surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Link {
    /// The node of air.
    pub node: u32,
    /// Which neighbour, in the order of [`Lattice::offsets`].
    pub direction: u8,
    /// Whether the neighbour is air as well: the surface belongs to something thinner than a spacing.
    pub to_air: bool,
    /// The surface that stands between, by its place in [`Room::polygons`]. `None` where rounding hides it.
    pub polygon: Option<u32>,
}

/// A room on a lattice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Voxels {
    /// By row.
    pub spans: Vec<Span>,
    /// Where the spans of each plane begin, and after the last one.
    pub plane_spans: Vec<u32>,
    /// By node.
    pub links: Vec<Link>,
}

/// A polygon in spacings, in the order of the lattice's axes, as seen from the air; stretched so that walls that
/// should lie a quarter of a spacing behind the last nodes lie half-way to the next.
pub(crate) struct Facet {
    vertices: Vec<DVec3>,
    /// Unit vector into the air.
    pub normal: DVec3,
    of_shell: bool,
}

impl Facet {
    pub(crate) fn all(room: &Room, lattice: &Lattice) -> Vec<Self> {
        let shell = room.shell().len();
        room.polygons().enumerate().map(|(n, polygon)| Self::new(polygon, lattice, n < shell)).collect()
    }

    fn new(polygon: &Polygon, lattice: &Lattice, of_shell: bool) -> Self {
        let mut vertices: Vec<DVec3> = polygon.vertices.iter().map(|&v| lattice.stretched(v)).collect();
        let mirrored = (lattice.axes[0] + 2) % 3 == lattice.axes[1];
        if mirrored {
            vertices.reverse();
        }
        let normal = Polygon { surface: 0, vertices: vertices.clone() }.normal();
        Self { vertices, normal, of_shell }
    }

    fn bounds(&self) -> [DVec3; 2] {
        let fold = |start: DVec3, f: fn(DVec3, DVec3) -> DVec3| self.vertices.iter().copied().fold(start, f);
        [fold(DVec3::INFINITY, DVec3::min), fold(DVec3::NEG_INFINITY, DVec3::max)]
    }

    /// Whether the projection along an axis contains a point of that plane. Exactly one of two polygons that
    /// share an edge contains a point on it.
    fn covers(&self, axis: usize, point: DVec2) -> bool {
        let flat = |v: DVec3| DVec2::new(v[(axis + 1) % 3], v[(axis + 2) % 3]);
        let next = self.vertices.iter().cycle().skip(1);
        let facing = self.normal[axis] > 0.0;
        self.vertices.iter().zip(next).all(|(&a, &b)| is_left(flat(a), flat(b), point) == facing)
    }

    /// Whether a segment from a point in front, through the facet's plane, goes through the facet.
    fn is_crossed_at(&self, at: DVec3) -> bool {
        let axis = self.normal.abs().max_position();
        self.covers(axis, DVec2::new(at[(axis + 1) % 3], at[(axis + 2) % 3]))
    }

    /// Signed distance from the plane, in spacings: positive in the air in front.
    fn height(&self, at: DVec3) -> f64 {
        self.normal.dot(at - self.vertices[0])
    }

    /// Whether it comes within a distance of a place, in spacings; may err on the near side.
    pub(crate) fn is_near(&self, place: DVec3, reach: f64) -> bool {
        let [low, high] = self.bounds();
        place.clamp(low, high).distance(place) <= reach
    }

    /// Whether the straight way between two places goes through the facet, from either side.
    pub(crate) fn blocks(&self, from: DVec3, to: DVec3) -> bool {
        let (start, end) = (self.height(from), self.height(to));
        (start > 0.0) != (end > 0.0) && self.is_crossed_at(from.lerp(to, start / (start - end)))
    }
}

/// Whether a point lies to the left of the way from a to b. Computed from the ends in a fixed order, so that the way
/// back gives the opposite, also for points on the line.
fn is_left(a: DVec2, b: DVec2, point: DVec2) -> bool {
    let forward = (a.x, a.y) <= (b.x, b.y);
    let (low, high) = if forward { (a, b) } else { (b, a) };
    ((high - low).perp_dot(point - low) > 0.0) == forward
}

impl Voxels {
    pub(crate) fn new(room: &Room, lattice: &Lattice) -> Self {
        let facets = Facet::all(room, lattice);
        let (spans, plane_spans) = air_spans(&facets, lattice);
        let air = AirMap::new(lattice.places(), &spans);
        let crossings = crossings(&facets, lattice, &air);
        let links = missing_links(&spans, lattice, &air, &crossings);
        Self { spans, plane_spans, links }
    }
}

/// One bit for each place of the lattice.
pub(crate) struct AirMap(Vec<u64>);

impl AirMap {
    pub(crate) fn new(places: usize, spans: &[Span]) -> Self {
        let mut bits = vec![0_u64; places.div_ceil(64)];
        for index in spans.iter().flat_map(|span| span.begin..span.end) {
            bits[index as usize / 64] |= 1 << (index % 64);
        }
        Self(bits)
    }

    pub(crate) fn holds(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }
}

/// Where a line of nodes passes through a surface.
struct Passage {
    row: u32,
    at: f64,
    /// By how much the number of shells, and of solids, around the line changes.
    shells: i8,
    solids: i8,
}

/// Follows each row through the room, counting how often it is inside the shell and inside solids.
fn air_spans(facets: &[Facet], lattice: &Lattice) -> (Vec<Span>, Vec<u32>) {
    let [planes, rows, _] = lattice.dimensions;
    let mut passages: Vec<Passage> =
        facets.iter().flat_map(|facet| facet_passages(facet, [planes, rows])).collect();
    passages.sort_by(|a, b| a.row.cmp(&b.row).then(a.at.total_cmp(&b.at)));

    let mut spans: Vec<Span> = Vec::new();
    let mut plane_spans = vec![0; planes + 1];
    for of_row in passages.chunk_by(|a, b| a.row == b.row) {
        let (plane, row) = (of_row[0].row as usize / rows, of_row[0].row as usize % rows);
        let (mut shells, mut solids) = (0, 0);
        let first_of_row = spans.len();
        for pair in of_row.windows(2) {
            shells += pair[0].shells;
            solids += pair[0].solids;
            if shells < 1 || solids > 0 {
                continue;
            }
            let Some(span) = nodes_between(lattice, plane, row, pair[0].at, pair[1].at) else { continue };
            match spans[first_of_row..].last_mut() {
                Some(last) if last.end == span.begin => last.end = span.end,
                _ => spans.push(span),
            }
        }
        plane_spans[plane + 1] = spans.len() as u32;
    }
    for plane in 1..plane_spans.len() {
        plane_spans[plane] = plane_spans[plane].max(plane_spans[plane - 1]);
    }
    (spans, plane_spans)
}

fn facet_passages(facet: &Facet, [planes, rows]: [usize; 2]) -> Vec<Passage> {
    let normal = facet.normal;
    if normal.z.abs() < 1e-9 {
        return Vec::new();
    }
    let [low, high] = facet.bounds();
    let range = |low: f64, high: f64, count: usize| {
        (low.ceil().max(1.0) as usize)..=(high.floor().min(count as f64 - 2.0).max(0.0) as usize)
    };
    let (change, corner) = (if normal.z > 0.0 { 1 } else { -1 }, facet.vertices[0]);
    let (shells, solids) = if facet.of_shell { (change, 0) } else { (0, -change) };
    let mut passages = Vec::new();
    for plane in range(low.x, high.x, planes) {
        for row in range(low.y, high.y, rows) {
            let point = DVec2::new(plane as f64, row as f64);
            if facet.covers(2, point) {
                let run = normal.x * (point.x - corner.x) + normal.y * (point.y - corner.y);
                let row = (plane * rows + row) as u32;
                passages.push(Passage { row, at: corner.z - run / normal.z, shells, solids });
            }
        }
    }
    passages
}

fn nodes_between(lattice: &Lattice, plane: usize, row: usize, low: f64, high: f64) -> Option<Span> {
    let places = lattice.dimensions[2] as f64;
    let (step, parity) = match lattice.grid {
        Grid::Fcc => (2.0, lattice.parity(plane, row) as f64),
        Grid::Cartesian => (1.0, 0.0),
    };
    let begin = ((low - parity) / step).ceil().max(1.0);
    let end = (((high - parity) / step).floor() + 1.0).min(places - 1.0);
    let start = lattice.row_start(plane, row) as u32;
    (begin < end).then(|| Span { begin: start + begin as u32, end: start + end as u32 })
}

/// The way from a node of air to a neighbour goes through a facet, entering it from the front.
struct Crossing {
    node: u32,
    direction: u8,
    /// Share of the way.
    at: f64,
    facet: u32,
}

/// The first facet on each way from a node of air to a neighbour; ways between two nodes of air in both directions.
fn crossings(facets: &[Facet], lattice: &Lattice, air: &AirMap) -> Vec<Crossing> {
    let mut crossings: Vec<Crossing> = facets
        .par_iter()
        .enumerate()
        .flat_map_iter(|(n, facet)| facet_crossings(facet, n as u32, lattice, air))
        .collect();
    sort_and_keep_first(&mut crossings);
    // Where one side sees the slab and rounding hides it from the other, the link is missing all the same: a one-way
    // link would make energy.
    let half = lattice.grid.directions().len();
    let opposite = |direction: u8| ((usize::from(direction) + half) % (2 * half)) as u8;
    let backward: Vec<Crossing> = crossings
        .iter()
        .filter_map(|crossing| {
            let there = neighbour(lattice, crossing.node, crossing.direction);
            let key = (there as u32, opposite(crossing.direction));
            let missing = air.holds(there)
                && crossings.binary_search_by_key(&key, |other| (other.node, other.direction)).is_err();
            let (node, direction) = key;
            missing.then_some(Crossing { node, direction, at: 1.0 - crossing.at, facet: crossing.facet })
        })
        .collect();
    crossings.extend(backward);
    sort_and_keep_first(&mut crossings);
    crossings
}

fn sort_and_keep_first(crossings: &mut Vec<Crossing>) {
    crossings.sort_by(|a, b| (a.node, a.direction).cmp(&(b.node, b.direction)).then(a.at.total_cmp(&b.at)));
    crossings.dedup_by_key(|crossing| (crossing.node, crossing.direction));
}

fn neighbour(lattice: &Lattice, node: u32, direction: u8) -> usize {
    let (directions, [i, j, k]) = (lattice.grid.directions(), lattice.place(node as usize));
    let [di, dj, dk] = signed_link(directions, direction);
    lattice.index([i + di, j + dj, k + dk])
}

/// The step to a neighbour, in the order of [`Lattice::offsets`].
pub(crate) fn signed_link(directions: &[[i32; 3]], direction: u8) -> [i32; 3] {
    let half = directions.len();
    match directions.get(usize::from(direction)) {
        Some(&link) => link,
        None => directions[usize::from(direction) - half].map(|step| -step),
    }
}

fn facet_crossings(facet: &Facet, number: u32, lattice: &Lattice, air: &AirMap) -> Vec<Crossing> {
    let [low, high] = facet.bounds();
    let directions = lattice.grid.directions();
    let links: Vec<(u8, DVec3, f64)> = (0..2 * directions.len() as u8)
        .map(|n| {
            let step = DVec3::from(signed_link(directions, n).map(f64::from));
            (n, step, facet.normal.dot(step))
        })
        .filter(|(_, _, rise)| *rise < 0.0)
        .collect();
    let reach = links.iter().map(|(_, _, rise)| -rise).fold(0.0, f64::max);
    let dimensions = lattice.dimensions.map(|d| d.cast_signed() as i32);
    let range = |axis: usize, count: i32| {
        ((low[axis] - 1.0).ceil() as i32).max(1)..=((high[axis] + 1.0).floor() as i32).min(count - 2)
    };
    let step = if lattice.grid == Grid::Fcc { 2 } else { 1 };
    let mut crossings = Vec::new();
    for i in range(0, dimensions[0]) {
        for j in range(1, dimensions[1]) {
            let ground = facet.height(DVec3::new(f64::from(i), f64::from(j), 0.0));
            let [mut from, mut to] = [low.z - 1.0, high.z + 1.0];
            if facet.normal.z.abs() > 1e-6 {
                let ends = [-ground / facet.normal.z, (reach - ground) / facet.normal.z];
                from = from.max(ends[0].min(ends[1]) - 1e-6);
                to = to.min(ends[0].max(ends[1]) + 1e-6);
            } else if !(0.0..=reach + 1e-3).contains(&(ground + 1e-3)) {
                continue;
            }
            let parity = if step == 2 { (i + j) & 1 } else { 0 };
            let first = (((from - f64::from(parity)) / f64::from(step)).ceil() as i32).max(1);
            let last = (((to - f64::from(parity)) / f64::from(step)).floor() as i32).min(dimensions[2] - 2);
            let start = lattice.row_start(i as usize, j as usize);
            for k in first..=last {
                let node = start + k as usize;
                let at = DVec3::new(f64::from(i), f64::from(j), f64::from(step * k + parity));
                let height = facet.height(at);
                if height <= 0.0 || !air.holds(node) {
                    continue;
                }
                crossings.extend(links.iter().filter_map(|&(direction, link, rise)| {
                    let share = height / -rise;
                    (share <= 1.0 && facet.is_crossed_at(at + share * link)).then_some(Crossing {
                        node: node as u32,
                        direction,
                        at: share,
                        facet: number,
                    })
                }));
            }
        }
    }
    crossings
}

fn missing_links(spans: &[Span], lattice: &Lattice, air: &AirMap, crossings: &[Crossing]) -> Vec<Link> {
    let offsets = [lattice.offsets(0), lattice.offsets(1)];
    let [_, rows, stride] = lattice.dimensions;
    let mut links = Vec::new();
    let mut next = 0;
    for span in spans {
        let line = span.begin as usize / stride;
        let parity = lattice.parity(line / rows, line % rows);
        for node in span.begin..span.end {
            for (direction, &offset) in offsets[parity].iter().enumerate() {
                let direction = direction as u8;
                let key = (node, direction);
                while crossings.get(next).is_some_and(|c| (c.node, c.direction) < key) {
                    next += 1;
                }
                let crossing = crossings.get(next).filter(|c| (c.node, c.direction) == key);
                let to_air = air.holds((node as usize).wrapping_add_signed(offset));
                if !to_air || crossing.is_some() {
                    links.push(Link { node, direction, to_air, polygon: crossing.map(|c| c.facet) });
                }
            }
        }
    }
    give_hidden_links_a_neighbours_polygon(&mut links, lattice);
    links
}

/// Where a way passes a surface by less than rounding, the surface on the most similar way from the same node stands in.
fn give_hidden_links_a_neighbours_polygon(links: &mut [Link], lattice: &Lattice) {
    let directions = lattice.grid.directions();
    for of_node in links.chunk_by_mut(|a, b| a.node == b.node) {
        let known: Vec<Link> = of_node.iter().copied().filter(|link| link.polygon.is_some()).collect();
        for hidden in of_node.iter_mut().filter(|link| link.polygon.is_none()) {
            let [x, y, z] = signed_link(directions, hidden.direction);
            let likeness = |other: &Link| {
                let [u, v, w] = signed_link(directions, other.direction);
                x * u + y * v + z * w
            };
            hidden.polygon = known.iter().max_by_key(|link| likeness(link)).and_then(|link| link.polygon);
        }
    }
}
