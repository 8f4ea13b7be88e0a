//! Closed meshes from Wavefront OBJ text: vertices, faces and the names of materials; everything else is passed over.

use std::collections::BTreeMap;

use glam::{DVec2, DVec3};

use super::{RoomFileError, check::fault};
use crate::convex;

/// A mesh with more corners than this is no room.
const MOST_VERTICES: usize = 100_000;
/// How far a corner may lie off the plane of its face and still be meant to lie in it, in metres.
const NEARLY_FLAT_METRES: f64 = 0.01;
/// How far it may lie off a plane that is left whole.
const FLAT_METRES: f64 = 5e-7;

/// The polygons of each material, seen from inside, whichever way the file has them.
pub(super) fn read(
    file: &str,
    text: &str,
    unit_m: f64,
) -> Result<BTreeMap<String, Vec<Vec<DVec3>>>, RoomFileError> {
    let mut vertices: Vec<DVec3> = Vec::new();
    let mut faces: BTreeMap<String, Vec<Vec<DVec3>>> = BTreeMap::new();
    let mut material: Option<String> = None;
    for (line, content) in (1..).zip(text.lines()) {
        let object = || format!("mesh \"{file}\", line {line}");
        let mut words = content.split('#').next().unwrap_or_default().split_whitespace();
        match words.next() {
            Some("v") => {
                let numbers: Vec<f64> = words.take(3).filter_map(|word| word.parse().ok()).collect();
                let [x, y, z] = numbers[..] else {
                    return Err(fault(object(), "is no vertex", "write \"v x y z\" with three numbers"));
                };
                let vertex = unit_m * DVec3::new(x, y, z);
                if !vertex.is_finite() || vertex.abs().max_element() > 200.0 {
                    return Err(fault(
                        object(),
                        format!("lies at {vertex} m"),
                        "set unit_m so that the room is in metres",
                    ));
                }
                if vertices.len() == MOST_VERTICES {
                    return Err(fault(
                        object(),
                        format!("is vertex number {}", MOST_VERTICES + 1),
                        "simplify the mesh",
                    ));
                }
                vertices.push(vertex);
            }
            Some("usemtl") => material = Some(words.collect::<Vec<_>>().join(" ")),
            Some("f") => {
                let material = material.clone().ok_or_else(|| {
                    fault(
                        object(),
                        "is a face without material",
                        "write a \"usemtl\" line before the first face",
                    )
                })?;
                let corners: Option<Vec<DVec3>> = words.map(|word| corner(word, &vertices)).collect();
                let corners = corners.ok_or_else(|| {
                    fault(
                        object(),
                        "names a vertex that is not there",
                        "faces may only use vertices defined above them",
                    )
                })?;
                let pieces = flat_pieces(&corners).ok_or_else(|| {
                    fault(object(), "is no flat, simple polygon", "split the face into triangles")
                })?;
                faces.entry(material).or_default().extend(pieces);
            }
            _ => {}
        }
    }
    let flux: f64 = faces.values().flatten().map(|p| convex::area_vector(p).dot(p[0])).sum();
    if flux > 0.0 {
        faces.values_mut().flatten().for_each(|polygon| polygon.reverse());
    }
    Ok(faces)
}

/// The vertex that `7`, `7/1/2` or `-1` names.
fn corner(word: &str, vertices: &[DVec3]) -> Option<DVec3> {
    let number: i64 = word.split('/').next()?.parse().ok()?;
    let index = if number < 0 { i64::try_from(vertices.len()).ok()? + number } else { number - 1 };
    vertices.get(usize::try_from(index).ok()?).copied()
}

/// Flat convex pieces of a face that may be concave or not quite flat.
fn flat_pieces(corners: &[DVec3]) -> Option<Vec<Vec<DVec3>>> {
    if corners.len() > 200 {
        return None;
    }
    let normal = convex::area_vector(corners).try_normalize()?;
    let (u, v) = normal.any_orthonormal_pair();
    let off = corners.iter().map(|c| (*c - corners[0]).dot(normal).abs()).fold(0.0, f64::max);
    let outline: Vec<_> = corners.iter().map(|corner| DVec2::new(corner.dot(u), corner.dot(v))).collect();
    let pieces = match off {
        _ if off < FLAT_METRES => convex::convex_pieces(&outline),
        _ if off < NEARLY_FLAT_METRES => convex::triangles(&outline),
        _ => None,
    }?;
    Some(pieces.iter().map(|piece| piece.iter().map(|corner| corners[*corner]).collect()).collect())
}
