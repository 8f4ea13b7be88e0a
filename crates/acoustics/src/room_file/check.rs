//! What a room file must keep: sizes, closed surfaces, nothing inside a wall or inside furniture.

use std::collections::BTreeMap;

use glam::DVec3;

use super::{MicrophoneArray, RoomFileError, RoomSource};
use crate::{
    convex::{self, Hull},
    geometry::{Polygon, Room, Solid, TOUCHING_METRES},
};

/// A source or microphone keeps this distance from every surface, in metres.
const CLEARANCE_METRES: f64 = 0.01;
/// A microphone of a device keeps this distance from the device, in metres.
const DEVICE_CLEARANCE_METRES: f64 = 0.5e-3;

pub(super) fn fault(
    object: impl Into<String>,
    problem: impl Into<String>,
    remedy: impl Into<String>,
) -> RoomFileError {
    RoomFileError::Fault { object: object.into(), problem: problem.into(), remedy: remedy.into() }
}

/// A number within its range, or what is wrong with it.
pub(super) fn measure(
    object: &str,
    field: &str,
    value: f64,
    least: f64,
    most: f64,
) -> Result<f64, RoomFileError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(fault(object, format!("has {field} = {value}"), format!("it must lie between {least} and {most}")))
}

/// Whether every edge is shared by two polygons that run along it in opposite directions, and all hang together.
pub(super) fn closed<'a>(
    object: &str,
    polygons: impl Iterator<Item = &'a Vec<DVec3>>,
) -> Result<(), RoomFileError> {
    let polygons: Vec<_> = polygons.collect();
    let mut owners: BTreeMap<([i64; 3], [i64; 3]), Vec<usize>> = BTreeMap::new();
    // Corners within a micrometre of each other are one.
    let welded = |corner: DVec3| (1e6 * corner).round().to_array().map(|value| value as i64);
    for (owner, polygon) in polygons.iter().enumerate() {
        for (a, b) in convex::edges(polygon) {
            owners.entry((welded(a), welded(b))).or_default().push(owner);
        }
    }
    let place = |(a, b): &([i64; 3], [i64; 3])| {
        let metres = |corner: &[i64; 3]| 1e-6 * DVec3::from(corner.map(|value| value as f64));
        format!("the edge from {} to {}", metres(a), metres(b))
    };
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); polygons.len()];
    for (edge, own) in &owners {
        let opposite = owners.get(&(edge.1, edge.0)).map_or(&[][..], Vec::as_slice);
        if own.len() > 1 {
            let problem = format!("has two faces that run the same way along {}", place(edge));
            return Err(fault(object, problem, "turn one of them over, or remove it if it is there twice"));
        }
        let ([own], [opposite]) = (&own[..], opposite) else {
            let problem = format!("is open: {} belongs to one face only", place(edge));
            return Err(fault(
                object,
                problem,
                "close the hole, and let neighbouring faces share their corners",
            ));
        };
        neighbours[*own].push(*opposite);
    }
    let (mut reached, mut open) = (vec![false; polygons.len()], vec![0]);
    while let Some(next) = open.pop() {
        if let Some(seen @ false) = reached.get_mut(next) {
            *seen = true;
            open.extend(&neighbours[next]);
        }
    }
    if polygons.is_empty() || !reached.iter().all(|reached| *reached) {
        return Err(fault(object, "is not one connected surface", "use exactly one closed surface"));
    }
    Ok(())
}

/// Furniture is inside the shell and nowhere inside other furniture.
pub(super) fn solids_fit(room: &Room) -> Result<(), RoomFileError> {
    let walls: Vec<_> =
        room.shell().iter().map(|wall| (wall, Hull::of([wall.vertices.as_slice()]))).collect();
    let bodies: Vec<_> = room.solids().iter().map(|solid| (solid, hull(solid))).collect();
    for (solid, body) in &bodies {
        let object = format!("\"{}\"", solid.name);
        if let Some((wall, depth)) = walls.iter().find_map(|(wall, flat)| {
            let depth = body.penetration(flat);
            (depth > TOUCHING_METRES).then_some((wall, depth))
        }) {
            let wall = &room.surfaces()[wall.surface].name;
            let problem = format!("goes through \"{wall}\" by {}", length(depth));
            return Err(fault(object, problem, "move it away from there or make it smaller"));
        }
        if crate::geometry::winding_number(room.shell(), body.centre()) > -0.5 {
            return Err(fault(object, "stands outside the room", "check its position"));
        }
    }
    for (index, (solid, body)) in bodies.iter().enumerate() {
        if let Some((other, depth)) = bodies[index + 1..].iter().find_map(|(other, their_body)| {
            let depth = body.penetration(their_body);
            (depth > TOUCHING_METRES).then_some((other, depth))
        }) {
            let problem = format!("overlaps \"{}\" by {}", other.name, length(depth));
            return Err(fault(format!("\"{}\"", solid.name), problem, "move one of them; they may touch"));
        }
    }
    Ok(())
}

fn length(metres: f64) -> String {
    if metres < 0.01 { format!("{:.1} mm", 1e3 * metres) } else { format!("{metres:.2} m") }
}

fn hull(solid: &Solid) -> Hull {
    Hull::of(solid.polygons.iter().map(|polygon| polygon.vertices.as_slice()))
}

/// Sources and microphones are in the air, clear of every surface.
pub(super) fn endpoints_are_free(
    room: &Room,
    sources: &[RoomSource],
    arrays: &[MicrophoneArray],
) -> Result<(), RoomFileError> {
    let on_device = |array: &MicrophoneArray, polygon: &Polygon| {
        array.device.is_some_and(|device| room.solids()[device].polygons.contains(polygon))
    };
    let check = |object: String, place: DVec3, array: Option<&MicrophoneArray>| {
        let near = room.polygons().find(|polygon| {
            let own = array.is_some_and(|array| on_device(array, polygon));
            let least = if own { DEVICE_CLEARANCE_METRES } else { CLEARANCE_METRES };
            convex::distance(&polygon.vertices, place) < least
        });
        if let Some(polygon) = near {
            let name = &room.surfaces()[polygon.surface].name;
            let problem = format!("at {place} touches \"{name}\"");
            return Err(fault(object, problem, "keep it at least 1 cm away from every surface"));
        }
        if !room.is_air(place.into()) {
            let inside = room
                .solids()
                .iter()
                .find(|solid| crate::geometry::winding_number(&solid.polygons, place) > 0.5);
            let place_name =
                inside.map_or("outside the room".to_owned(), |solid| format!("inside \"{}\"", solid.name));
            return Err(fault(object, format!("at {place} is {place_name}"), "move it into the air"));
        }
        Ok(())
    };
    for source in sources {
        check(format!("source \"{}\"", source.name), source.source.position.into(), None)?;
    }
    for array in arrays {
        for (number, place) in (1..).zip(&array.microphones) {
            let object = format!("microphone {number} of \"{}\"", array.name);
            check(object, (*place).into(), Some(array))?;
        }
    }
    Ok(())
}
