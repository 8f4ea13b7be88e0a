//! The section: cut through the middle along the longer side, seen from the south or, in rooms deeper than wide, from
//! the east.

use glam::{DVec2, DVec3, dvec2};

use super::{Embedding, Look, canvas::Canvas, markers, sheet};
use crate::{FurnishedRoom, FurnitureKind, Polygon, convex};

/// Walls are drawn as thick as this, in metres; in small spaces thinner.
const WALL_METRES: f64 = 0.12;

/// The section of a room: the cut shell, what is let into the wall behind, furniture, talkers with the way they look,
/// noises and microphones, with measures, a scale bar and a legend.
pub fn section(room: &FurnishedRoom, embedding: Embedding) -> String {
    let hall = room.room();
    let [low, high] = hall.bounds();
    let size = high - low;
    let lengthwise = size.x >= size.y;
    // Seen from the south, x runs to the right and y away; seen from the east, y to the right and -x away.
    let flat = |place: DVec3| if lengthwise { dvec2(place.x, place.z) } else { dvec2(place.y, place.z) };
    let away = |place: DVec3| if lengthwise { place.y } else { -place.x };
    // A little off the middle, where no corner is likely to be.
    let depth = 0.507 * away(low) + 0.493 * away(high);
    let frame = sheet::frame(flat(low), flat(high));
    let place = |corner: DVec3| frame.place(flat(corner));
    let mut canvas = Canvas::default();

    let cut = sheet::cut(room, |corner| away(corner) - depth);
    let outlines: Vec<Vec<DVec2>> =
        cut.iter().map(|outline| outline.iter().map(|corner| place(*corner)).collect()).collect();
    let wall = frame.scale * WALL_METRES.min(0.03 * size.max_element());
    canvas.banded("wall", &outlines, 2.0 * wall);
    canvas.outlines("air", &outlines, "");

    let mut seen = walls_behind(room, away, depth, place);
    seen.extend(furniture(room, away, depth, place));
    // What is farther away is painted first.
    seen.sort_by(|a, b| b.distance.total_cmp(&a.distance));
    for Seen { class, outlines, title, .. } in seen {
        canvas.outlines(class, &outlines, &title);
    }
    let markers = markers::markers(room);
    markers::draw(&mut canvas, frame, &markers, flat);
    let key = [
        ("seen-glass", "window or door behind"),
        ("passage", "opening behind"),
        ("seen-lining", "curtain, panel, board"),
    ];
    let view = if lengthwise { "section, seen from the south" } else { "section, seen from the east" };
    sheet::finish(canvas, frame, room, view, &markers, &key, embedding)
}

/// Something in view: how far away its near side is, and how it looks.
struct Seen {
    distance: f64,
    class: &'static str,
    outlines: Vec<Vec<DVec2>>,
    title: String,
}

/// Walls beyond the cut that look this way, and what is let into them.
fn walls_behind(
    room: &FurnishedRoom,
    away: impl Fn(DVec3) -> f64,
    depth: f64,
    place: impl Fn(DVec3) -> DVec2 + Copy,
) -> Vec<Seen> {
    let hall = room.room();
    let mut seen = Vec::new();
    for (index, surface) in hall.surfaces().iter().enumerate() {
        let polygons = || hall.shell().iter().filter(move |polygon| polygon.surface == index);
        let looks_here = |polygon: &&Polygon| away(polygon.normal()) < -0.5 && away(polygon.centre()) > depth;
        let corners = || polygons().filter(looks_here).flat_map(|polygon| polygon.vertices.iter().copied());
        let Some(first) = corners().next() else { continue };
        let class = match Look::of(surface) {
            _ if !room.patches().contains(&index) => "behind",
            Look::Lining => "seen-lining",
            Look::Passage => "passage",
            Look::Window | Look::Door => "seen-glass",
        };
        // A patch is a little before its wall, so that it is painted after it.
        let distance = away(first) - if class == "behind" { 0.0 } else { 1e-3 };
        let title = format!("{} ({})", surface.name, surface.material.name());
        // One outline around all pieces, so that no line shows where a wall was cut around its patches. In a mesh a wall
        // may have corners which that would cover: its pieces hide what is behind them, and the cut shows its outline.
        let whole = sheet::silhouette(corners(), place);
        let pieces: Vec<Vec<DVec2>> = polygons()
            .filter(looks_here)
            .map(|polygon| polygon.vertices.iter().map(|corner| place(*corner)).collect())
            .collect();
        let area = |outline: &Vec<DVec2>| convex::double_area(outline).abs();
        let covered: f64 = pieces.iter().map(area).sum();
        let is_whole = !room.patches().is_empty() || covered > 0.999 * area(&whole);
        let (class, outlines) = if is_whole { (class, vec![whole]) } else { ("air", pieces) };
        seen.push(Seen { distance, class, outlines, title });
    }
    seen
}

/// Furniture in the cut or beyond it.
fn furniture(
    room: &FurnishedRoom,
    away: impl Fn(DVec3) -> f64,
    depth: f64,
    place: impl Fn(DVec3) -> DVec2 + Copy,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    for piece in room.furniture() {
        for solid in &room.room().solids()[piece.solids.clone()] {
            let corners = || solid.polygons.iter().flat_map(|polygon| polygon.vertices.iter().copied());
            let distance = corners().map(&away).fold(f64::INFINITY, f64::min);
            let far = corners().map(&away).fold(f64::NEG_INFINITY, f64::max);
            if far < depth {
                continue;
            }
            let class = if piece.kind == FurnitureKind::Person { "furniture person" } else { "furniture" };
            let outlines = vec![sheet::silhouette(corners(), place)];
            seen.push(Seen { distance, class, outlines, title: piece.name.clone() });
        }
    }
    seen
}
