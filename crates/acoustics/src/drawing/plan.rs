//! The plan: cut a little over a metre above the floor, seen from above.

use glam::{DVec2, DVec3, Vec3Swizzles, dvec2};

use super::{
    Embedding, Look,
    canvas::{Canvas, Frame, text_width},
    markers::{self, RADIUS},
    sheet,
};
use crate::{FurnishedRoom, Furniture, FurnitureKind, Polygon};

/// Height of the cut above the floor, in metres; in low spaces lower.
const CUT_METRES: f64 = 1.23;
/// Walls are drawn as thick as this, in metres; in small spaces thinner.
const WALL_METRES: f64 = 0.12;

/// The plan of a room: walls, what is let into them, furniture, talkers with the way they look, noises and
/// microphones, with measures, a scale bar and a legend.
pub fn plan(room: &FurnishedRoom, embedding: Embedding) -> String {
    let hall = room.room();
    let [low, high] = hall.bounds();
    let frame = sheet::frame(low.xy(), high.xy());
    let level = low.z + CUT_METRES.min(0.63 * (high.z - low.z));
    let wall = frame.scale * WALL_METRES.min(0.03 * (high - low).max_element());
    let mut canvas = Canvas::default();

    let cut = sheet::cut(room, |corner| corner.z - level);
    let outlines: Vec<Vec<DVec2>> =
        cut.iter().map(|outline| outline.iter().map(|corner| frame.place(corner.xy())).collect()).collect();
    // Half of the band lies inside and is painted over.
    canvas.banded("wall", &outlines, 2.0 * wall);
    canvas.outlines("air", &outlines, "");
    coverings(&mut canvas, frame, room);
    for surface in room.patches() {
        wall_patch(&mut canvas, frame, room, surface, wall);
    }
    let markers = markers::markers(room);
    furniture(&mut canvas, frame, room, level);
    let mut words = Canvas::default();
    let signs = markers::draw(&mut words, frame, &markers, Vec3Swizzles::xy);
    labels(&mut canvas, frame, room, &signs, level);
    canvas.raw(&words.into_body());

    let [left_upper, right_lower] = frame.corners();
    north_arrow(&mut canvas, dvec2(right_lower.x + wall, left_upper.y - wall));
    let key = [
        ("gap", "window or door"),
        ("passage", "opening"),
        ("lining", "curtain, panel, board"),
        ("covering", "rug"),
        ("overhead", "above the cut"),
    ];
    sheet::finish(canvas, frame, room, "plan", &markers, &key, embedding)
}

/// Where north is, at the right upper corner of the walls.
fn north_arrow(canvas: &mut Canvas, corner: DVec2) {
    let at = |x: f64, y: f64| corner + dvec2(x, y);
    canvas.line("rule", &[at(-6.0, -8.0), at(-6.0, -32.0)]);
    canvas.line("rule", &[at(-10.0, -26.0), at(-6.0, -32.0), at(-2.0, -26.0)]);
    canvas.text("label measure", at(-18.0, -20.0), "N");
}

/// Rugs on the floor, and outlines of what hangs under the ceiling.
fn coverings(canvas: &mut Canvas, frame: Frame, room: &FurnishedRoom) {
    for surface in room.patches() {
        let polygons = || patch_polygons(room, surface);
        let Some(up) = polygons().next().map(|polygon| polygon.normal().z) else { continue };
        if up.abs() < 0.9 {
            continue;
        }
        let corners = || polygons().flat_map(|polygon| polygon.vertices.iter().map(|v| v.xy()));
        let low = corners().fold(DVec2::INFINITY, DVec2::min);
        let high = corners().fold(DVec2::NEG_INFINITY, DVec2::max);
        let outline =
            [low, dvec2(high.x, low.y), high, dvec2(low.x, high.y)].map(|c| frame.place(c)).to_vec();
        let class = if up > 0.0 { "covering" } else { "overhead" };
        canvas.outlines(class, &[outline], &title(room, surface));
    }
}

fn title(room: &FurnishedRoom, surface: usize) -> String {
    let surface = &room.room().surfaces()[surface];
    format!("{} ({})", surface.name, surface.material.name())
}

fn patch_polygons(room: &FurnishedRoom, surface: usize) -> impl Iterator<Item = &Polygon> {
    room.room().shell().iter().filter(move |polygon| polygon.surface == surface)
}

/// A window, a door, an opening or a lining, in the thickness of its wall or before it.
fn wall_patch(canvas: &mut Canvas, frame: Frame, room: &FurnishedRoom, surface: usize, wall: f64) {
    let Some(first) = patch_polygons(room, surface).next() else { return };
    let normal = first.normal();
    if normal.z.abs() > 0.1 {
        return;
    }
    let along = DVec3::Z.cross(normal).xy();
    let corners =
        || patch_polygons(room, surface).flat_map(|polygon| polygon.vertices.iter().map(|v| v.xy()));
    let origin = first.vertices[0].xy();
    let reach = |at: DVec2| (at - origin).dot(along);
    let from = corners().map(reach).fold(f64::INFINITY, f64::min);
    let to = corners().map(reach).fold(f64::NEG_INFINITY, f64::max);
    let [a, b] = [from, to].map(|at| frame.place(origin + at * along));
    let inward = dvec2(normal.x, -normal.y);
    let outward = -wall * inward;
    let band = |from: DVec2, to: DVec2| vec![vec![a + from, b + from, b + to, a + to]];
    let title = title(room, surface);
    match Look::of(&room.room().surfaces()[surface]) {
        Look::Window => {
            canvas.outlines("gap", &band(DVec2::ZERO, outward), &title);
            canvas.line("glass", &[a + 0.5 * outward, b + 0.5 * outward]);
        }
        Look::Door => {
            canvas.outlines("gap", &band(DVec2::ZERO, outward), &title);
            let leaf = a + a.distance(b) * inward;
            canvas.line("swing", &[a, leaf]);
            canvas.quarter("swing", leaf, b, a);
        }
        Look::Passage => canvas.outlines("passage", &band(DVec2::ZERO, outward), &title),
        Look::Lining => canvas.outlines("lining", &band(DVec2::ZERO, 4.0 * inward), &title),
    }
}

fn furniture(canvas: &mut Canvas, frame: Frame, room: &FurnishedRoom, level: f64) {
    let hall = room.room();
    let mut bodies: Vec<_> = room
        .furniture()
        .iter()
        .flat_map(|piece| hall.solids()[piece.solids.clone()].iter().map(move |solid| (piece, solid)))
        .map(|(piece, solid)| {
            let corners = || solid.polygons.iter().flat_map(|polygon| polygon.vertices.iter().copied());
            let low = corners().map(|v| v.z).fold(f64::INFINITY, f64::min);
            let top = corners().map(|v| v.z).fold(f64::NEG_INFINITY, f64::max);
            let outline = sheet::silhouette(corners(), |v| frame.place(v.xy()));
            (top, low, outline, piece)
        })
        .collect();
    bodies.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, low, outline, piece) in bodies {
        let class = match piece.kind {
            _ if low > level + 0.3 => "overhead",
            FurnitureKind::Person => "furniture person",
            _ => "furniture",
        };
        canvas.outlines(class, &[outline], &piece.name);
    }
}

/// Names on furniture that has room for them.
fn labels(canvas: &mut Canvas, frame: Frame, room: &FurnishedRoom, signs: &[DVec2], level: f64) {
    let mut taken: Vec<[DVec2; 2]> =
        signs.iter().map(|at| [*at - DVec2::splat(1.3 * RADIUS), *at + DVec2::splat(1.3 * RADIUS)]).collect();
    for piece in room.furniture() {
        if matches!(piece.kind, FurnitureKind::Person | FurnitureKind::Chair | FurnitureKind::Device) {
            continue;
        }
        let Some([low, high]) = footprint(room, piece, frame, level) else { continue };
        let label = short_name(&piece.name);
        let size = high - low;
        let length = text_width(label, 10.0) + 4.0;
        let upright = length > size.x;
        let (along, across) = if upright { (size.y, size.x) } else { (size.x, size.y) };
        if length > along || across < 14.0 {
            continue;
        }
        let half = 0.5 * if upright { dvec2(12.0, length) } else { dvec2(length, 12.0) };
        let middle = 0.5 * (low + high);
        let to_move = (0.5 * size - half - 2.0).max(DVec2::ZERO) * if upright { DVec2::X } else { DVec2::Y };
        let candidates = [0.0, -0.5, 0.5, -1.0, 1.0].map(|share| middle + share * to_move);
        let free = |at: &DVec2| {
            taken.iter().all(|[a, b]| (*at - half).cmpgt(*b).any() || (*at + half).cmplt(*a).any())
        };
        if let Some(at) = candidates.into_iter().find(free) {
            taken.push([at - half, at + half]);
            if upright {
                canvas.upright_text("label", at + dvec2(3.5, 0.0), label);
            } else {
                canvas.text("label", at + dvec2(0.0, 3.5), label);
            }
        }
    }
}

fn footprint(room: &FurnishedRoom, piece: &Furniture, frame: Frame, level: f64) -> Option<[DVec2; 2]> {
    let solids = &room.room().solids()[piece.solids.clone()];
    let corners = || solids.iter().flat_map(|s| s.polygons.iter().flat_map(|p| p.vertices.iter().copied()));
    if corners().all(|corner| corner.z > level + 0.3) {
        return None;
    }
    let places = || corners().map(|corner| frame.place(corner.xy()));
    let low = places().fold(DVec2::INFINITY, DVec2::min);
    Some([low, places().fold(DVec2::NEG_INFINITY, DVec2::max)])
}

/// A name without what tells several of its kind apart: `desk 3` and `desk, left` are both desks.
fn short_name(name: &str) -> &str {
    name.split(',').next().unwrap_or(name).trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ')
}
