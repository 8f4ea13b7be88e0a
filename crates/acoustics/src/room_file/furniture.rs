//! Furniture as convex bodies: what a table, a sofa or a person is made of.

use std::{collections::BTreeMap, f64::consts::TAU};

use glam::{DVec2, DVec3};

use super::{
    FurnitureKind, RoomFileError,
    check::{fault, measure},
    text::{
        BedText, BoxText, ChairText, CylinderText, PersonText, Placement, Posture, RoomText, ShelfText,
        SofaText, TableText,
    },
};
use crate::convex;

/// Thickness of the boards of a shelf and of the cushions of a chair, in metres.
const BOARD: f64 = 0.02;
const CUSHION: f64 = 0.05;
/// Names of the faces of a box, in the order of [`convex::prism`] on its outline.
const BOX_FACES: [&str; 6] = ["bottom", "top", "front", "right", "back", "left"];

/// An upright prism: one convex part of a piece of furniture, in its own coordinates. Its front looks south, along -y.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: &'static str,
    outline: Vec<DVec2>,
    /// From its underside to its top.
    span: [f64; 2],
    /// Of all faces, in the order of [`convex::prism`], or one for all.
    materials: Vec<String>,
}

impl Part {
    fn cuboid(
        name: &'static str,
        [x0, x1]: [f64; 2],
        [y0, y1]: [f64; 2],
        span: [f64; 2],
        material: &str,
    ) -> Self {
        let outline = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map(DVec2::from).to_vec();
        Self { name, outline, span, materials: vec![material.to_owned()] }
    }

    /// A regular prism with the cross-section area of the circle it stands for. Its first side looks along +x.
    pub(super) fn cylinder(
        name: &'static str,
        sides: u32,
        diameter: f64,
        span: [f64; 2],
        material: &str,
    ) -> Self {
        let radius = corner_radius(sides, diameter);
        let step = TAU / f64::from(sides);
        let outline =
            (0..sides).map(|corner| radius * DVec2::from_angle((f64::from(corner) - 0.5) * step)).collect();
        Self { name, outline, span, materials: vec![material.to_owned()] }
    }

    /// Its faces seen from outside with their materials, once it is turned and put in its place.
    pub(super) fn faces(&self, place: DVec3, turned: DVec2) -> Vec<(Vec<DVec3>, &str)> {
        let outline: Vec<_> =
            self.outline.iter().map(|corner| turned.rotate(*corner) + place.truncate()).collect();
        let faces = convex::prism(&outline, self.span.map(|z| z + place.z));
        let materials = self.materials.iter().cycle();
        faces.into_iter().zip(materials).map(|(face, material)| (face, material.as_str())).collect()
    }
}

/// Distance from the axis to the corners of a regular prism with the cross-section area of a circle.
fn corner_radius(sides: u32, diameter: f64) -> f64 {
    let step = TAU / f64::from(sides);
    0.5 * diameter * (step / step.sin()).sqrt()
}

/// Distance from the axis to the sides of that prism.
pub(super) fn side_radius(sides: u32, diameter: f64) -> f64 {
    corner_radius(sides, diameter) * (0.5 * TAU / f64::from(sides)).cos()
}

/// A piece of furniture and where it stands.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) name: String,
    pub(super) kind: FurnitureKind,
    pub(super) parts: Vec<Part>,
    /// The middle of its footprint.
    pub(super) place: DVec3,
    /// The direction into which it turns +x.
    pub(super) turned: DVec2,
}

/// All furniture of a room file.
pub(super) fn pieces(text: &RoomText) -> Result<Vec<Piece>, RoomFileError> {
    let mut pieces = Vec::new();
    for item in &text.r#box {
        place(&mut pieces, &item.name, FurnitureKind::Box, &item.placement(), &cuboid(item)?)?;
    }
    for item in &text.table {
        place(&mut pieces, &item.name, FurnitureKind::Table, &item.placement(), &table(item)?)?;
    }
    for item in &text.chair {
        place(&mut pieces, &item.name, FurnitureKind::Chair, &item.placement(), &chair(item)?)?;
    }
    for item in &text.sofa {
        place(&mut pieces, &item.name, FurnitureKind::Sofa, &item.placement(), &sofa(item)?)?;
    }
    for item in &text.bed {
        place(&mut pieces, &item.name, FurnitureKind::Bed, &item.placement(), &bed(item)?)?;
    }
    for item in &text.shelf {
        place(&mut pieces, &item.name, FurnitureKind::Shelf, &item.placement(), &shelf(item)?)?;
    }
    for item in &text.cylinder {
        place(&mut pieces, &item.name, FurnitureKind::Cylinder, &item.placement(), &cylinder(item)?)?;
    }
    for item in &text.person {
        place(&mut pieces, &item.name, FurnitureKind::Person, &item.placement(), &person(item))?;
    }
    Ok(pieces)
}

/// A piece for each of its places, numbered if there are several.
fn place(
    pieces: &mut Vec<Piece>,
    name: &str,
    kind: FurnitureKind,
    placement: &Placement,
    parts: &[Part],
) -> Result<(), RoomFileError> {
    let object = format!("\"{name}\"");
    let places = match (placement.position_m, &placement.positions_m[..]) {
        (Some(place), []) => vec![place],
        (None, several @ [_, ..]) => several.to_vec(),
        _ => {
            let remedy =
                "give position_m = [x, y], or positions_m = [[x, y], ...] for several of the same kind";
            return Err(fault(object, "has no place or two ways to say it", remedy));
        }
    };
    let z = measure(&object, "elevation_m", placement.elevation_m, 0.0, 100.0)?;
    let rotation = measure(&object, "rotation_degrees", placement.rotation_degrees, -360.0, 360.0)?;
    let numbered = places.len() > 1;
    for (number, [x, y]) in (1..).zip(places) {
        let name = if numbered { format!("{name} {number}") } else { name.to_owned() };
        let object = format!("\"{name}\"");
        measure(&object, "position x", x, -200.0, 200.0)?;
        measure(&object, "position y", y, -200.0, 200.0)?;
        pieces.push(Piece {
            name,
            kind,
            parts: parts.to_vec(),
            place: DVec3::new(x, y, z),
            turned: direction(rotation),
        });
    }
    Ok(())
}

/// The direction into which +x turns, exactly so for quarter turns.
pub(super) fn direction(degrees: f64) -> DVec2 {
    let quarters = degrees / 90.0;
    if (quarters - quarters.round()).abs() < 1e-12 {
        return match (quarters.round() as i64).rem_euclid(4) {
            0 => DVec2::X,
            1 => DVec2::Y,
            2 => DVec2::NEG_X,
            _ => DVec2::NEG_Y,
        };
    }
    DVec2::from_angle(degrees.to_radians())
}

fn size(name: &str, size: [f64; 3], least: [f64; 3]) -> Result<[f64; 3], RoomFileError> {
    let object = format!("\"{name}\"");
    for ((field, value), least) in ["size_m[0]", "size_m[1]", "size_m[2]"].into_iter().zip(size).zip(least) {
        measure(&object, field, value, least, 100.0)?;
    }
    Ok(size)
}

/// From minus half to half.
fn around(extent: f64) -> [f64; 2] {
    [-0.5 * extent, 0.5 * extent]
}

fn cuboid(item: &BoxText) -> Result<Vec<Part>, RoomFileError> {
    let [width, depth, height] = size(&item.name, item.size_m, [0.005; 3])?;
    if let Some(unknown) = item.faces.keys().find(|face| !BOX_FACES.contains(&face.as_str())) {
        let problem = format!("has no face \"{unknown}\"");
        return Err(fault(
            format!("\"{}\"", item.name),
            problem,
            format!("its faces are {}", BOX_FACES.join(", ")),
        ));
    }
    let mut part = Part::cuboid("", around(width), around(depth), [0.0, height], &item.material);
    part.materials = face_materials(&item.material, &item.faces);
    Ok(vec![part])
}

fn face_materials(all: &str, faces: &BTreeMap<String, String>) -> Vec<String> {
    BOX_FACES.iter().map(|face| faces.get(*face).map_or(all, String::as_str).to_owned()).collect()
}

fn table(item: &TableText) -> Result<Vec<Part>, RoomFileError> {
    let object = format!("\"{}\"", item.name);
    let [width, depth, height] = size(&item.name, item.size_m, [0.2, 0.2, 0.1])?;
    let top = measure(&object, "top_m", item.top_m, 0.005, 0.9 * height)?;
    let legs = measure(&object, "legs_m", item.legs_m, 0.0, 0.4 * width.min(depth))?;
    let material = item.material.as_str();
    let mut parts = vec![Part::cuboid("top", around(width), around(depth), [height - top, height], material)];
    if legs > 0.0 {
        let [x, y] = [0.5 * width, 0.5 * depth];
        let corners = [[-x, -y], [x - legs, -y], [x - legs, y - legs], [-x, y - legs]];
        parts.extend(
            corners.map(|[x, y]| {
                Part::cuboid("leg", [x, x + legs], [y, y + legs], [0.0, height - top], material)
            }),
        );
    }
    Ok(parts)
}

fn chair(item: &ChairText) -> Result<Vec<Part>, RoomFileError> {
    let [width, depth, height] = size(&item.name, item.size_m, [0.2, 0.2, 0.1])?;
    let seat = measure(&format!("\"{}\"", item.name), "seat_m", item.seat_m, CUSHION, height - CUSHION)?;
    let back = [0.5 * depth - CUSHION, 0.5 * depth];
    Ok(vec![
        Part::cuboid("seat", around(width), around(depth), [seat - CUSHION, seat], &item.material),
        Part::cuboid("back", around(width), back, [seat, height], &item.material),
    ])
}

fn sofa(item: &SofaText) -> Result<Vec<Part>, RoomFileError> {
    let object = format!("\"{}\"", item.name);
    let [width, depth, height] = size(&item.name, item.size_m, [0.4, 0.4, 0.3])?;
    let seat = measure(&object, "seat_m", item.seat_m, 0.1, height - 0.05)?;
    let arms = measure(&object, "arms_m", item.arms_m, 0.0, 0.4 * width)?;
    let between = around(width - 2.0 * arms);
    let back = 0.5 * depth - 0.2;
    let arm_height = (seat + 0.18).min(height);
    let mut parts = vec![
        Part::cuboid("seat", between, [-0.5 * depth, back], [0.0, seat], &item.material),
        Part::cuboid("back", between, [back, 0.5 * depth], [0.0, height], &item.material),
    ];
    if arms > 0.0 {
        for x in [[-0.5 * width, between[0]], [between[1], 0.5 * width]] {
            parts.push(Part::cuboid("arm", x, around(depth), [0.0, arm_height], &item.material));
        }
    }
    Ok(parts)
}

fn bed(item: &BedText) -> Result<Vec<Part>, RoomFileError> {
    let object = format!("\"{}\"", item.name);
    let [width, length, height] = size(&item.name, item.size_m, [0.4, 0.6, 0.15])?;
    let mattress = measure(&object, "mattress_m", item.mattress_m, 0.02, height - 0.02)?;
    let headboard = measure(&object, "headboard_m", item.headboard_m, 0.0, 3.0)?;
    let end = if headboard > 0.0 { 0.5 * length - CUSHION } else { 0.5 * length };
    let lying = [-0.5 * length, end];
    let mut parts = vec![
        Part::cuboid("frame", around(width), lying, [0.0, height - mattress], &item.frame),
        Part::cuboid("mattress", around(width), lying, [height - mattress, height], &item.material),
    ];
    if headboard > 0.0 {
        let behind = [end, 0.5 * length];
        parts.push(Part::cuboid("headboard", around(width), behind, [0.0, headboard], &item.frame));
    }
    Ok(parts)
}

fn shelf(item: &ShelfText) -> Result<Vec<Part>, RoomFileError> {
    let [width, depth, height] = size(&item.name, item.size_m, [0.1, 0.08, 0.1])?;
    let material = item.material.as_str();
    if item.compartments == 0 {
        let mut part = Part::cuboid("", around(width), around(depth), [0.0, height], material);
        part.materials =
            face_materials(material, &BTreeMap::from([("front".to_owned(), item.front.clone())]));
        return Ok(vec![part]);
    }
    let count = f64::from(item.compartments);
    if count * 2.0 * BOARD > height {
        let problem = format!("has {count} compartments in {height} m of height");
        return Err(fault(format!("\"{}\"", item.name), problem, "leave at least 2 cm of air in each"));
    }
    let [left, right] = around(width);
    let [front, back] = around(depth);
    let open = [front, back - BOARD];
    let whole = [0.0, height];
    let mut parts = vec![
        Part::cuboid("back", around(width), [back - BOARD, back], whole, material),
        Part::cuboid("side", [left, left + BOARD], open, whole, material),
        Part::cuboid("side", [right - BOARD, right], open, whole, material),
    ];
    let step = (height - BOARD) / count;
    parts.extend((0..=item.compartments).map(|board| {
        let z = f64::from(board) * step;
        Part::cuboid("board", [left + BOARD, right - BOARD], open, [z, z + BOARD], material)
    }));
    Ok(parts)
}

fn cylinder(item: &CylinderText) -> Result<Vec<Part>, RoomFileError> {
    let object = format!("\"{}\"", item.name);
    let diameter = measure(&object, "diameter_m", item.diameter_m, 0.01, 20.0)?;
    let height = measure(&object, "height_m", item.height_m, 0.01, 100.0)?;
    measure(&object, "sides", f64::from(item.sides), 6.0, 48.0)?;
    Ok(vec![Part::cylinder("", item.sides, diameter, [0.0, height], &item.material)])
}

/// A grown person, about 1.8 m² of surface; who sits needs a seat 0.46 m high under the middle of the body.
fn person(item: &PersonText) -> Vec<Part> {
    let material = item.material.as_str();
    let head = |neck: f64| Part::cylinder("head", 8, 0.18, [neck, neck + 0.23], material);
    match item.posture {
        Posture::Standing => vec![
            Part::cuboid("legs", around(0.34), around(0.2), [0.0, 0.84], material),
            Part::cuboid("body", around(0.44), around(0.24), [0.84, 1.48], material),
            head(1.48),
        ],
        Posture::Sitting => vec![
            Part::cuboid("legs", around(0.3), [-0.46, -0.32], [0.0, 0.46], material),
            Part::cuboid("lap", around(0.36), [-0.46, 0.12], [0.46, 0.6], material),
            Part::cuboid("body", around(0.42), around(0.24), [0.6, 1.08], material),
            head(1.08),
        ],
    }
}

/// The body of a device: a box that stands on the middle of its underside.
pub(super) fn block([width, depth, height]: [f64; 3], material: &str) -> Part {
    Part::cuboid("", around(width), around(depth), [0.0, height], material)
}
