//! The section: cut through the middle along the longer side, seen from the south or, in rooms deeper than wide, from
//! the east.

use glam::{DVec2, DVec3, dvec2};

use super::{Embedding, Look, canvas::Canvas, markers, sheet};
use crate::{FurnishedRoom, FurnitureKind};

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

    for surface in room.patches() {
        let polygons = || hall.shell().iter().filter(move |polygon| polygon.surface == surface);
        let faces_us = |normal: DVec3| away(normal) < -0.5;
        let corners = || polygons().flat_map(|polygon| polygon.vertices.iter().copied());
        let Some(first) = polygons().next() else { continue };
        if !faces_us(first.normal()) || away(first.centre()) < depth {
            continue;
        }
        let outline = sheet::silhouette(corners(), place);
        let surface = &hall.surfaces()[surface];
        let class = match Look::of(surface.material.name()) {
            Look::Lining => "seen-lining",
            Look::Passage => "passage",
            Look::Window | Look::Door => "seen-glass",
        };
        canvas.outlines(class, &[outline], &format!("{} ({})", surface.name, surface.material.name()));
    }
    furniture(&mut canvas, room, away, place);
    let markers = markers::markers(room);
    markers::draw(&mut canvas, frame, &markers, flat);
    let key = [("seen-glass", "window or door behind"), ("seen-lining", "curtain, panel or other lining")];
    let view = if lengthwise { "section, seen from the south" } else { "section, seen from the east" };
    sheet::finish(canvas, frame, room, view, &markers, &key, embedding)
}

/// Everything that stands in the room, what is far away first.
fn furniture(
    canvas: &mut Canvas,
    room: &FurnishedRoom,
    away: impl Fn(DVec3) -> f64,
    place: impl Fn(DVec3) -> DVec2 + Copy,
) {
    let mut bodies = Vec::new();
    for piece in room.furniture() {
        for solid in &room.room().solids()[piece.solids.clone()] {
            let corners = || solid.polygons.iter().flat_map(|polygon| polygon.vertices.iter().copied());
            let nearest = corners().map(&away).fold(f64::INFINITY, f64::min);
            bodies.push((nearest, sheet::silhouette(corners(), place), piece));
        }
    }
    bodies.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, outline, piece) in bodies {
        let class = if piece.kind == FurnitureKind::Person { "furniture person" } else { "furniture" };
        canvas.outlines(class, &[outline], &piece.name);
    }
}
