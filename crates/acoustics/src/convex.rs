//! Flat convex polygons and convex bodies: cutting, splitting, overlapping.

use glam::{DVec2, DVec3};

/// Two corners closer than this are one, in metres.
const SAME_POINT: f64 = 1e-9;
/// A piece smaller than this is none, in square metres.
const NO_AREA: f64 = 1e-10;

/// The edges of a closed outline: each corner with the next.
pub(crate) fn edges<T: Copy>(corners: &[T]) -> impl Iterator<Item = (T, T)> {
    corners.iter().copied().zip(corners.iter().copied().cycle().skip(1))
}

/// Area times normal of a flat polygon: half the sum of the cross products of its edges (Newell).
pub(crate) fn area_vector(corners: &[DVec3]) -> DVec3 {
    let Some(&origin) = corners.first() else { return DVec3::ZERO };
    0.5 * edges(corners).map(|(a, b)| (a - origin).cross(b - origin)).sum::<DVec3>()
}

/// A plane, as the places whose product with `normal` is `offset`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plane {
    pub(crate) normal: DVec3,
    pub(crate) offset: f64,
}

impl Plane {
    /// The planes that bound a convex polygon within its own plane; their normals point away from it.
    fn around(corners: &[DVec3]) -> impl Iterator<Item = Self> {
        let facing = area_vector(corners).normalize_or_zero();
        edges(corners).filter_map(move |(a, b)| {
            let normal = (b - a).cross(facing).try_normalize()?;
            Some(Self { normal, offset: normal.dot(a) })
        })
    }

    /// The part of a convex polygon behind the plane and the part in front of it; either may be empty.
    pub(crate) fn split(self, corners: &[DVec3]) -> (Vec<DVec3>, Vec<DVec3>) {
        let height = |corner: DVec3| {
            let height = self.normal.dot(corner) - self.offset;
            if height.abs() < SAME_POINT { 0.0 } else { height }
        };
        let (mut behind, mut front) = (Vec::new(), Vec::new());
        for (a, b) in edges(corners) {
            let (from, to) = (height(a), height(b));
            if from <= 0.0 {
                behind.push(a);
            }
            if from >= 0.0 {
                front.push(a);
            }
            if from * to < 0.0 {
                let crossing = a.lerp(b, from / (from - to));
                behind.push(crossing);
                front.push(crossing);
            }
        }
        (unless_empty(behind), unless_empty(front))
    }
}

fn unless_empty(corners: Vec<DVec3>) -> Vec<DVec3> {
    if area_vector(&corners).length() < NO_AREA { Vec::new() } else { corners }
}

/// Cuts a convex polygon out of another in the same plane: what both have, and what is left, in convex pieces.
pub(crate) fn cut(polygon: Vec<DVec3>, cutter: &[DVec3]) -> (Vec<DVec3>, Vec<Vec<DVec3>>) {
    let (mut common, mut rest) = (polygon.clone(), Vec::new());
    for plane in Plane::around(cutter) {
        let (behind, front) = plane.split(&common);
        if !front.is_empty() {
            rest.push(front);
        }
        common = behind;
    }
    if common.is_empty() { (common, vec![polygon]) } else { (common, rest) }
}

/// Area that two convex polygons in one plane share, in square metres.
pub(crate) fn shared_area(a: &[DVec3], b: &[DVec3]) -> f64 {
    let common = Plane::around(b).fold(a.to_vec(), |common, plane| plane.split(&common).0);
    area_vector(&common).length()
}

/// Distance from a place to a flat convex polygon, in metres.
pub(crate) fn distance(corners: &[DVec3], place: DVec3) -> f64 {
    let normal = area_vector(corners).normalize_or_zero();
    if Plane::around(corners).all(|plane| plane.normal.dot(place) <= plane.offset) {
        return corners.first().map_or(f64::INFINITY, |corner| (place - *corner).dot(normal).abs());
    }
    edges(corners).map(|(a, b)| distance_to_segment(a, b, place)).fold(f64::INFINITY, f64::min)
}

fn distance_to_segment(a: DVec3, b: DVec3, place: DVec3) -> f64 {
    let along = (b - a).length_squared();
    let share = if along > 0.0 { ((place - a).dot(b - a) / along).clamp(0.0, 1.0) } else { 0.0 };
    place.distance(a.lerp(b, share))
}

/// The faces of an upright prism on a counter-clockwise outline, seen from outside: bottom, top, then the sides in the
/// order of the outline's edges.
pub(crate) fn prism(outline: &[DVec2], [low, high]: [f64; 2]) -> Vec<Vec<DVec3>> {
    let bottom = outline.iter().rev().map(|corner| corner.extend(low)).collect();
    let top = outline.iter().map(|corner| corner.extend(high)).collect();
    let side = |(a, b): (DVec2, DVec2)| vec![a.extend(low), b.extend(low), b.extend(high), a.extend(high)];
    [bottom, top].into_iter().chain(edges(outline).map(side)).collect()
}

/// A convex body or a flat convex polygon, as the separating-axis test needs it.
#[derive(Debug, Clone)]
pub(crate) struct Hull {
    corners: Vec<DVec3>,
    normals: Vec<DVec3>,
    directions: Vec<DVec3>,
    bounds: [DVec3; 2],
}

impl Hull {
    /// The hull of convex polygons that enclose a convex body, or of a single one.
    pub(crate) fn of<'a>(polygons: impl IntoIterator<Item = &'a [DVec3]>) -> Self {
        let (mut corners, mut normals, mut directions) = (Vec::new(), Vec::new(), Vec::new());
        for polygon in polygons {
            corners.extend_from_slice(polygon);
            add_direction(&mut normals, area_vector(polygon));
            for (a, b) in edges(polygon) {
                add_direction(&mut directions, b - a);
            }
        }
        let bounds = [
            corners.iter().copied().fold(DVec3::INFINITY, DVec3::min),
            corners.iter().copied().fold(DVec3::NEG_INFINITY, DVec3::max),
        ];
        Self { corners, normals, directions, bounds }
    }

    /// Mean of its corners.
    pub(crate) fn centre(&self) -> DVec3 {
        self.corners.iter().sum::<DVec3>() / self.corners.len().max(1) as f64
    }

    /// How far one of them would have to move to stand clear of the other, in metres; 0 or less when they are apart
    /// or only touch (Gottschalk, Lin and Manocha, SIGGRAPH 1996, without the restriction to boxes).
    pub(crate) fn penetration(&self, other: &Self) -> f64 {
        let [low, high] = self.bounds;
        let [other_low, other_high] = other.bounds;
        let apart = (high - other_low).min(other_high - low).min_element();
        if apart <= 0.0 {
            return apart;
        }
        let crossed = self
            .directions
            .iter()
            .flat_map(|a| other.directions.iter().filter_map(|b| a.cross(*b).try_normalize()));
        let axes = self.normals.iter().chain(&other.normals).copied().chain(crossed);
        axes.map(|axis| {
            let ([low, high], [other_low, other_high]) = (self.extent(axis), other.extent(axis));
            (high - other_low).min(other_high - low)
        })
        .fold(f64::INFINITY, f64::min)
    }

    fn extent(&self, axis: DVec3) -> [f64; 2] {
        let places = || self.corners.iter().map(|corner| corner.dot(axis));
        [places().fold(f64::INFINITY, f64::min), places().fold(f64::NEG_INFINITY, f64::max)]
    }
}

/// Adds a direction unless it is there already, either way round.
fn add_direction(directions: &mut Vec<DVec3>, vector: DVec3) {
    let Some(direction) = vector.try_normalize() else { return };
    if directions.iter().all(|known| known.cross(direction).length_squared() > 1e-18) {
        directions.push(direction);
    }
}

/// Splits a simple polygon, whose corners run counter-clockwise, into convex pieces between its own corners (indices):
/// triangles by ear clipping, joined again wherever the joint stays convex (Hertel and Mehlhorn, 1983).
///
/// `None` when the outline crosses or touches itself or has no area.
pub(crate) fn convex_pieces(outline: &[DVec2]) -> Option<Vec<Vec<usize>>> {
    if outline.len() < 3 || !is_simple(outline) {
        return None;
    }
    Some(join_pieces(outline, ears(outline)?))
}

/// The same in triangles, for a polygon that is not quite flat.
pub(crate) fn triangles(outline: &[DVec2]) -> Option<Vec<Vec<usize>>> {
    if outline.len() < 3 || !is_simple(outline) { None } else { ears(outline) }
}

/// Twice the area of the triangle, positive when it runs counter-clockwise.
fn turn(a: DVec2, b: DVec2, c: DVec2) -> f64 {
    (b - a).perp_dot(c - a)
}

/// Twice the area of an outline, positive when it runs counter-clockwise.
pub(crate) fn double_area(outline: &[DVec2]) -> f64 {
    edges(outline).map(|(a, b)| a.perp_dot(b)).sum()
}

fn is_simple(outline: &[DVec2]) -> bool {
    let count = outline.len();
    let segments: Vec<_> = edges(outline).collect();
    let clear = |first: usize, second: usize| {
        let ((a, b), (c, d)) = (segments[first], segments[second]);
        if second == first + 1 {
            // Neighbours meet in a corner; they must not fold back over each other.
            return (a - b).angle_to(d - b).abs() > 1e-6;
        }
        (first + count - 1) % count == second || segments_distance(a, b, c, d) > SAME_POINT
    };
    let folded_end = {
        let ((a, b), (_, d)) = (segments[count - 1], segments[0]);
        (a - b).angle_to(d - b).abs() > 1e-6
    };
    folded_end
        && segments.iter().all(|(a, b)| a.distance(*b) > SAME_POINT)
        && (0..count).all(|first| (first + 1..count).all(|second| clear(first, second)))
}

fn segments_distance(a: DVec2, b: DVec2, c: DVec2, d: DVec2) -> f64 {
    let sides = |a, b, c, d| turn(a, b, c) * turn(a, b, d) < 0.0;
    if sides(a, b, c, d) && sides(c, d, a, b) {
        return 0.0;
    }
    let flat = |place: DVec2| place.extend(0.0);
    [(a, b, c), (a, b, d), (c, d, a), (c, d, b)]
        .map(|(from, to, place)| distance_to_segment(flat(from), flat(to), flat(place)))
        .into_iter()
        .fold(f64::INFINITY, f64::min)
}

/// Triangles of a simple counter-clockwise polygon; corners on a straight line may give flat ones.
fn ears(outline: &[DVec2]) -> Option<Vec<Vec<usize>>> {
    let mut left: Vec<usize> = (0..outline.len()).collect();
    let mut triangles = Vec::new();
    while left.len() > 3 {
        let count = left.len();
        let corner = |place: usize| left[place % count];
        let triangle = |place: usize| [corner(place + count - 1), corner(place), corner(place + 1)];
        let area = |[a, b, c]: [usize; 3]| turn(outline[a], outline[b], outline[c]);
        let is_ear = |place: &usize| {
            let [a, b, c] = triangle(*place);
            area([a, b, c]) > NO_AREA
                && left.iter().filter(|other| ![a, b, c].contains(other)).all(|&other| {
                    [(a, b), (b, c), (c, a)]
                        .iter()
                        .any(|&(from, to)| turn(outline[from], outline[to], outline[other]) < 0.0)
                })
        };
        let flat = |place: &usize| area(triangle(*place)).abs() <= NO_AREA;
        let ear = (0..count).find(is_ear).or_else(|| (0..count).find(flat))?;
        triangles.push(triangle(ear).to_vec());
        left.remove(ear);
    }
    triangles.push(left);
    Some(triangles)
}

/// Joins neighbours as long as the joint is convex.
fn join_pieces(outline: &[DVec2], mut pieces: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    loop {
        let joint = (0..pieces.len()).find_map(|first| {
            (first + 1..pieces.len())
                .find_map(|second| Some((first, second, joined(outline, &pieces[first], &pieces[second])?)))
        });
        let Some((first, second, piece)) = joint else { return pieces };
        pieces.swap_remove(second);
        pieces[first] = piece;
    }
}

fn joined(outline: &[DVec2], first: &[usize], second: &[usize]) -> Option<Vec<usize>> {
    let (place, other_place) = edges(first)
        .enumerate()
        .find_map(|(place, (a, b))| Some((place, edges(second).position(|edge| edge == (b, a))?)))?;
    // Along the first piece from the end of the shared edge to its beginning, then along the second.
    let around = |piece: &[usize], from: usize| {
        (0..piece.len()).map(|step| piece[(from + step) % piece.len()]).collect::<Vec<_>>()
    };
    let mut corners = around(first, place + 1);
    let rest = around(second, other_place + 1);
    corners.extend(&rest[1..rest.len() - 1]);
    let count = corners.len();
    let convex = (0..count).all(|at| {
        let [a, b, c] = [at, at + 1, at + 2].map(|step| outline[corners[step % count]]);
        turn(a, b, c) >= -NO_AREA
    });
    convex.then_some(corners)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(low: [f64; 2], high: [f64; 2], z: f64) -> Vec<DVec3> {
        [[low[0], low[1]], [high[0], low[1]], high, [low[0], high[1]]]
            .map(|[x, y]| DVec3::new(x, y, z))
            .to_vec()
    }

    #[test]
    fn cutting_keeps_the_area_and_gives_flat_convex_pieces() {
        let wall = square([0.0, 0.0], [4.0, 3.0], 1.0);
        for (low, high, common_area) in [
            ([1.0, 1.0], [2.0, 2.0], 1.0),
            ([0.0, 0.0], [4.0, 3.0], 12.0),
            ([-1.0, 1.0], [1.0, 5.0], 2.0),
            ([5.0, 0.0], [6.0, 1.0], 0.0),
            ([4.0, 0.0], [6.0, 1.0], 0.0),
        ] {
            let window = square(low, high, 1.0);
            let (common, rest) = cut(wall.clone(), &window);
            let area = area_vector(&common).length();
            assert!((area - common_area).abs() < 1e-12 && (shared_area(&wall, &window) - area).abs() < 1e-12);
            let left: f64 = rest.iter().map(|piece| area_vector(piece).z).sum();
            assert!((left + area - 12.0).abs() < 1e-12, "{low:?} {high:?}: {left} + {area}");
        }
        let mut from_behind = square([1.0, 1.0], [2.0, 2.0], 1.0);
        from_behind.reverse();
        assert!((shared_area(&wall, &from_behind) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_concave_plan_becomes_few_convex_pieces_of_the_same_area() {
        let plan = |corners: &[[f64; 2]]| corners.iter().map(|c| DVec2::from(*c)).collect::<Vec<_>>();
        // An L, a plus sign, and an L with a corner on a straight edge.
        let l_shape = plan(&[[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [2.0, 2.0], [2.0, 5.0], [0.0, 5.0]]);
        let plus = plan(&[
            [1.0, 0.0],
            [2.0, 0.0],
            [2.0, 1.0],
            [3.0, 1.0],
            [3.0, 2.0],
            [2.0, 2.0],
            [2.0, 3.0],
            [1.0, 3.0],
            [1.0, 2.0],
            [0.0, 2.0],
            [0.0, 1.0],
            [1.0, 1.0],
        ]);
        let straight =
            plan(&[[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [4.0, 2.0], [2.0, 2.0], [2.0, 5.0], [0.0, 5.0]]);
        for (outline, most) in [(l_shape, 2), (plus, 5), (straight, 3)] {
            let pieces = convex_pieces(&outline).unwrap();
            assert!(pieces.len() <= most, "{pieces:?}");
            let piece_area = |piece: &Vec<usize>| {
                double_area(&piece.iter().map(|corner| outline[*corner]).collect::<Vec<_>>())
            };
            assert!(pieces.iter().all(|piece| piece_area(piece) > 1e-6), "{pieces:?}");
            let sum: f64 = pieces.iter().map(piece_area).sum();
            assert!((sum - double_area(&outline)).abs() < 1e-12);
        }
        let bow_tie = plan(&[[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]]);
        let spike = plan(&[[0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 2.0]]);
        assert!(convex_pieces(&bow_tie).is_none() && convex_pieces(&spike).is_none());
    }

    #[test]
    fn bodies_that_touch_do_not_penetrate_and_bodies_that_overlap_do() {
        let cube = |low: DVec3| {
            let outline = [DVec2::ZERO, DVec2::X, DVec2::ONE, DVec2::Y].map(|corner| corner + low.truncate());
            let faces = prism(&outline, [low.z, low.z + 1.0]);
            assert!(faces.iter().all(|face| area_vector(face).dot(face[0] - low - DVec3::splat(0.5)) > 0.0));
            Hull::of(faces.iter().map(Vec::as_slice))
        };
        let first = cube(DVec3::ZERO);
        assert!(first.penetration(&cube(DVec3::X)).abs() < 1e-12);
        assert!((first.penetration(&cube(DVec3::new(0.9, 0.2, 0.0))) - 0.1).abs() < 1e-12);
        assert!(first.penetration(&cube(DVec3::splat(2.0))) < -0.9);
        let through = Hull::of([square([-1.0, -1.0], [2.0, 2.0], 0.25).as_slice()]);
        assert!((first.penetration(&through) - 0.25).abs() < 1e-12);
        let below = Hull::of([square([-1.0, -1.0], [2.0, 2.0], 0.0).as_slice()]);
        assert!(first.penetration(&below).abs() < 1e-12);
    }

    #[test]
    fn distance_to_a_polygon_is_to_its_plane_its_edge_or_its_corner() {
        let floor = square([0.0, 0.0], [2.0, 2.0], 0.0);
        for (place, expected) in [
            (DVec3::new(1.0, 1.0, 0.5), 0.5),
            (DVec3::new(3.0, 1.0, 0.0), 1.0),
            (DVec3::new(5.0, 6.0, 0.0), 5.0),
        ] {
            assert!((distance(&floor, place) - expected).abs() < 1e-12);
        }
    }
}
