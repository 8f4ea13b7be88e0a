//! What a room is to the solvers: plane surfaces around a volume of air.

use glam::DVec3;

use crate::{
    air::Air,
    band::{BAND_COUNT, Octaves},
    convex,
    material::Material,
    room::{BoxRoom, Position},
};

/// Surfaces closer than this touch: furniture against a wall, a lamp on a table. In metres.
pub(crate) const TOUCHING_METRES: f64 = 1e-3;
/// How far a vertex may lie off the plane of its polygon, in metres.
const FLATNESS_METRES: f64 = 1e-6;

/// A named part of the room's boundary and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    /// Name in messages and tables, e.g. `north wall` or `table top`.
    pub name: String,
    /// What it is made of.
    pub material: Material,
}

/// A flat, convex piece of a surface.
///
/// Its vertices run counter-clockwise as seen from the air in front of it, so that [`normal`](Self::normal)
/// points into the air.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    /// Index into [`Room::surfaces`].
    pub surface: usize,
    /// At least three corners, in metres.
    pub vertices: Vec<DVec3>,
}

impl Polygon {
    /// Area times normal: half the sum of the cross products of its edges (Newell).
    pub fn area_vector(&self) -> DVec3 {
        convex::area_vector(&self.vertices)
    }

    /// Unit vector into the air.
    pub fn normal(&self) -> DVec3 {
        self.area_vector().normalize_or_zero()
    }

    /// Area in square metres.
    pub fn area(&self) -> f64 {
        self.area_vector().length()
    }

    /// Mean of its corners.
    pub fn centre(&self) -> DVec3 {
        self.vertices.iter().sum::<DVec3>() / self.vertices.len() as f64
    }

    /// Whether all corners lie in one plane and it has an area.
    pub fn is_flat(&self) -> bool {
        let (normal, first) = (self.normal(), self.centre());
        normal != DVec3::ZERO
            && self.vertices.iter().all(|v| (*v - first).dot(normal).abs() < FLATNESS_METRES)
    }
}

/// A closed body that stands in the room: no air is inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Solid {
    /// What it is, for people.
    pub name: String,
    /// Its surface, seen from the air.
    pub polygons: Vec<Polygon>,
}

/// A room as the solvers see it: a closed shell, the bodies in it, and air between.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    name: String,
    surfaces: Vec<Surface>,
    shell: Vec<Polygon>,
    solids: Vec<Solid>,
    air: Air,
    /// Share of each polygon that air touches, in the order of [`polygons`](Self::polygons).
    exposed: Vec<f64>,
}

impl Room {
    /// Puts together what a loader has checked: closed shell and solids, flat convex polygons.
    pub(crate) fn from_checked_parts(
        name: String,
        surfaces: Vec<Surface>,
        shell: Vec<Polygon>,
        solids: Vec<Solid>,
        air: Air,
    ) -> Self {
        let exposed = exposed_shares(&shell, &solids);
        Self { name, surfaces, shell, solids, air, exposed }
    }

    /// Name in files and tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parts of its boundary.
    pub fn surfaces(&self) -> &[Surface] {
        &self.surfaces
    }

    /// Walls, floor and ceiling.
    pub fn shell(&self) -> &[Polygon] {
        &self.shell
    }

    /// What stands in it.
    pub fn solids(&self) -> &[Solid] {
        &self.solids
    }

    /// Every polygon: the shell's, then those of the solids in order.
    pub fn polygons(&self) -> impl Iterator<Item = &Polygon> {
        self.shell.iter().chain(self.solids.iter().flat_map(|solid| &solid.polygons))
    }

    /// What a polygon is made of.
    pub fn material(&self, polygon: &Polygon) -> &Material {
        &self.surfaces[polygon.surface].material
    }

    /// The air in it.
    pub fn air(&self) -> Air {
        self.air
    }

    /// Corners of the smallest box with edges along the axes that holds the shell.
    pub fn bounds(&self) -> [DVec3; 2] {
        let vertices = || self.shell.iter().flat_map(|polygon| &polygon.vertices);
        [
            vertices().fold(DVec3::INFINITY, |low, v| low.min(*v)),
            vertices().fold(DVec3::NEG_INFINITY, |high, v| high.max(*v)),
        ]
    }

    /// Volume of air in cubic metres: the shell's less that of the solids, by the divergence theorem.
    /// Solids that overlap count twice.
    pub fn volume(&self) -> f64 {
        // The normals point into the air, so the shell's flux is negative and the solids' positive.
        -self.polygons().map(|polygon| polygon.area_vector().dot(polygon.centre())).sum::<f64>() / 3.0
    }

    /// Area of each polygon that air touches, in square metres, in the order of [`polygons`](Self::polygons): without
    /// what stands against it.
    pub fn exposed_areas(&self) -> impl Iterator<Item = f64> {
        self.polygons().zip(&self.exposed).map(|(polygon, share)| share * polygon.area())
    }

    /// Area of all surfaces that air touches, in square metres.
    pub fn surface_area(&self) -> f64 {
        self.exposed_areas().sum()
    }

    /// Mean absorption coefficient of all surfaces, by octave.
    pub fn mean_absorption(&self) -> Octaves {
        let mut absorbed = [0.0; BAND_COUNT];
        for (polygon, area) in self.polygons().zip(self.exposed_areas()) {
            let absorption = self.material(polygon).absorption();
            for (total, coefficient) in absorbed.iter_mut().zip(absorption) {
                *total += area * coefficient;
            }
        }
        absorbed.map(|total| total / self.surface_area())
    }

    /// Reverberation time in seconds by Eyring's formula with air absorption, by octave: what a diffuse
    /// field in this room would show.
    pub fn eyring_time(&self) -> Octaves {
        let reflections_per_metre = self.surface_area() / (4.0 * self.volume());
        let (absorption, air) = (self.mean_absorption(), self.air.energy_loss());
        let decay = 6.0 * std::f64::consts::LN_10 / self.air.speed_of_sound();
        std::array::from_fn(|band| {
            decay / (air[band] - (1.0 - absorption[band]).ln() * reflections_per_metre)
        })
    }

    /// Whether a place is air: inside the shell and in none of the solids.
    pub fn is_air(&self, place: Position) -> bool {
        let place = DVec3::from(place);
        winding_number(&self.shell, place) < -0.5
            && self.solids.iter().all(|solid| winding_number(&solid.polygons, place) < 0.5)
    }
}

impl From<&BoxRoom> for Room {
    fn from(room: &BoxRoom) -> Self {
        let size = DVec3::from(room.size());
        let walls = room.surfaces();
        let named = [
            ("west wall", &walls.west, DVec3::X),
            ("east wall", &walls.east, DVec3::NEG_X),
            ("south wall", &walls.south, DVec3::Y),
            ("north wall", &walls.north, DVec3::NEG_Y),
            ("floor", &walls.floor, DVec3::Z),
            ("ceiling", &walls.ceiling, DVec3::NEG_Z),
        ];
        let surfaces = named
            .iter()
            .map(|(name, material, _)| Surface { name: (*name).to_owned(), material: (*material).clone() })
            .collect();
        let shell = named
            .iter()
            .enumerate()
            .map(|(surface, (_, _, inward))| Polygon {
                surface,
                vertices: box_face(DVec3::ZERO, size, *inward),
            })
            .collect();
        Self::from_checked_parts("box".to_owned(), surfaces, shell, Vec::new(), room.air())
    }
}

/// The four corners of the face of a box from `low` to `high` that is seen along an axis: `normal` points from
/// the face to the viewer, the corners run counter-clockwise. With `normal` into the box it is a wall of a
/// room, with `normal` out of it the side of a solid.
pub(crate) fn box_face(low: DVec3, high: DVec3, inward: DVec3) -> Vec<DVec3> {
    let centre = 0.5 * (low + high);
    let half = 0.5 * (high - low);
    let (u, v) = inward.any_orthonormal_pair();
    [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
        .map(|(a, b)| centre + half * (a * u + b * v - inward))
        .to_vec()
}

/// Share of each polygon's area that air touches: less what lies flat against it, seen from the other side.
fn exposed_shares(shell: &[Polygon], solids: &[Solid]) -> Vec<f64> {
    let bodies = std::iter::once(shell).chain(solids.iter().map(|solid| solid.polygons.as_slice()));
    let faces: Vec<_> = bodies
        .enumerate()
        .flat_map(|(body, polygons)| polygons.iter().map(move |polygon| Face::new(body, polygon)))
        .collect();
    let exposed = |face: &Face| {
        let covered: f64 = faces
            .iter()
            .filter(|other| face.lies_against(other))
            .map(|other| convex::shared_area(&face.polygon.vertices, &other.polygon.vertices))
            .sum();
        (1.0 - covered / face.polygon.area()).clamp(0.0, 1.0)
    };
    faces.iter().map(exposed).collect()
}

/// A polygon of a body, with what tells quickly that it is far from another.
struct Face<'a> {
    body: usize,
    polygon: &'a Polygon,
    normal: DVec3,
    low: DVec3,
    high: DVec3,
}

impl<'a> Face<'a> {
    fn new(body: usize, polygon: &'a Polygon) -> Self {
        let corners = || polygon.vertices.iter().copied();
        let low = corners().fold(DVec3::INFINITY, DVec3::min);
        let high = corners().fold(DVec3::NEG_INFINITY, DVec3::max);
        Self { body, polygon, normal: polygon.normal(), low, high }
    }

    /// Whether a face of another body may touch this one in its plane. A body does not cover itself.
    fn lies_against(&self, other: &Self) -> bool {
        let height = |corner: &DVec3| (*corner - self.polygon.vertices[0]).dot(self.normal).abs();
        self.body != other.body
            && self.normal.dot(other.normal) < -1.0 + 1e-6
            && (self.high - other.low).min(other.high - self.low).min_element() > -TOUCHING_METRES
            && other.polygon.vertices.iter().all(|corner| height(corner) <= TOUCHING_METRES)
    }
}

/// How often closed surfaces wind around a place: -1 inside a shell (normals inwards), +1 inside a solid (normals
/// outwards), 0 elsewhere. The sum of the solid angles of all triangles (van Oosterom and Strackee, IEEE Trans.
/// Biomed. Eng. 30, 1983).
pub(crate) fn winding_number(polygons: &[Polygon], place: DVec3) -> f64 {
    let triangles = polygons.iter().flat_map(|polygon| {
        let corners = &polygon.vertices;
        corners[1..].windows(2).map(move |pair| [corners[0] - place, pair[0] - place, pair[1] - place])
    });
    let solid_angle: f64 = triangles
        .map(|[a, b, c]| {
            let [la, lb, lc] = [a.length(), b.length(), c.length()];
            let below = la * lb * lc + a.dot(b) * lc + b.dot(c) * la + c.dot(a) * lb;
            2.0 * a.dot(b.cross(c)).atan2(below)
        })
        .sum();
    solid_angle / (4.0 * std::f64::consts::PI)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Surfaces;

    fn box_room() -> BoxRoom {
        let material = Material::named("carpet").unwrap();
        BoxRoom::new(Position::new(6.0, 5.0, 3.0), Surfaces::uniform(&material), Air::default()).unwrap()
    }

    #[test]
    fn a_box_keeps_its_volume_area_and_decay() {
        let (room, original) = (Room::from(&box_room()), box_room());
        assert!((room.volume() - 90.0).abs() < 1e-9 && (room.surface_area() - 126.0).abs() < 1e-9);
        for (here, there) in room.eyring_time().into_iter().zip(original.eyring_time()) {
            assert!((here / there - 1.0).abs() < 1e-12);
        }
        let centre = DVec3::new(3.0, 2.5, 1.5);
        for polygon in room.polygons() {
            assert!(polygon.is_flat() && polygon.normal().dot(centre - polygon.centre()) > 0.0);
        }
    }

    #[test]
    fn air_is_inside_the_shell_and_outside_the_solids() {
        let box_room = Room::from(&box_room());
        let normals = [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z];
        let (low, high) = (DVec3::new(1.0, 1.0, 0.0), DVec3::new(2.0, 2.0, 1.0));
        // A solid's sides are seen from outside: the face on the far side of where the normal points from.
        let polygons = normals
            .map(|normal| {
                let mut vertices = box_face(low, high, -normal);
                vertices.reverse();
                Polygon { surface: 0, vertices }
            })
            .to_vec();
        let solid = Solid { name: "crate".to_owned(), polygons };
        let room = Room::from_checked_parts(
            "test".to_owned(),
            box_room.surfaces().to_vec(),
            box_room.shell().to_vec(),
            vec![solid],
            Air::default(),
        );
        assert!((room.volume() - 89.0).abs() < 1e-9);
        // The crate hides 1 m2 of floor and its own bottom, and shows a top and four sides.
        assert!((room.surface_area() - (126.0 - 1.0 + 5.0)).abs() < 1e-9);
        assert!(room.is_air(Position::new(3.0, 2.5, 1.5)) && room.is_air(Position::new(1.5, 1.5, 1.1)));
        assert!(!room.is_air(Position::new(1.5, 1.5, 0.5)) && !room.is_air(Position::new(-0.1, 2.0, 1.0)));
    }
}
