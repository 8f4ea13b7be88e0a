//! Sources, microphones, arrays, and devices that carry microphones.

use glam::{DVec2, DVec3};

use super::{
    FurnitureKind, MicrophoneArray, RoomFileError, RoomSource,
    check::{fault, measure},
    furniture::{self, Part, Piece, direction},
    text::{
        ArrayText, BodyFace, BodyText, CircularText, DeviceText, LinearText, MicrophoneText, SourceKind,
        SourceText,
    },
};
use crate::{Directivity, Source};

const MOST_MICROPHONES: f64 = 64.0;

pub(super) fn source(text: &SourceText) -> Result<RoomSource, RoomFileError> {
    let object = format!("source \"{}\"", text.name);
    let position = place(&object, text.position_m)?;
    let yaw = direction(measure(&object, "yaw_degrees", text.yaw_degrees, -360.0, 360.0)?);
    let pitch = measure(&object, "pitch_degrees", text.pitch_degrees, -90.0, 90.0)?.to_radians();
    let directivity = text.directivity.unwrap_or(match text.kind {
        SourceKind::Talker => Directivity::Talker,
        SourceKind::Noise | SourceKind::Loudspeaker => Directivity::Omnidirectional,
    });
    let facing = (yaw * pitch.cos()).extend(pitch.sin());
    let source = Source { position: position.into(), facing, directivity };
    Ok(RoomSource { name: text.name.clone(), kind: text.kind, source })
}

pub(super) fn microphone(text: &MicrophoneText) -> Result<MicrophoneArray, RoomFileError> {
    let place = place(&format!("microphone \"{}\"", text.name), text.position_m)?;
    Ok(MicrophoneArray { name: text.name.clone(), microphones: vec![place.into()], device: None })
}

pub(super) fn array(text: &ArrayText) -> Result<MicrophoneArray, RoomFileError> {
    let object = format!("array \"{}\"", text.name);
    let middle = place(&object, text.position_m)?;
    let facing = direction(measure(&object, "yaw_degrees", text.yaw_degrees, -360.0, 360.0)?);
    let flat = layout(&object, text.linear, text.circular)?;
    let microphones = flat.iter().map(|at| (middle + facing.rotate(*at).extend(0.0)).into()).collect();
    Ok(MicrophoneArray { name: text.name.clone(), microphones, device: None })
}

/// A device's body, and its microphones in front of it.
pub(super) fn device(text: &DeviceText) -> Result<(Piece, MicrophoneArray), RoomFileError> {
    let object = format!("device \"{}\"", text.name);
    let underside = place(&object, text.position_m)?;
    let yaw = measure(&object, "yaw_degrees", text.yaw_degrees, -360.0, 360.0)?;
    let facing = direction(yaw);
    let gap = measure(&object, "microphones.gap_m", text.microphones.gap_m, 0.001, 0.05)?;
    let (part, height) = body(&object, text)?;
    let on = text.microphones;
    let level = measure(&object, "microphones.height_m", on.height_m.unwrap_or(0.5 * height), 0.0, height)?;
    // In the device's own coordinates, where it looks along +x.
    let local: Vec<DVec3> = match (text.body, on.face) {
        (_, BodyFace::Top) => {
            let flat = layout(&object, on.linear, on.circular)?;
            flat.iter().map(|at| at.extend(height + gap)).collect()
        }
        (BodyText::Box(front), BodyFace::Front) => {
            let flat = layout(&object, on.linear, on.circular)?;
            let out = 0.5 * front.size_m[1] + gap;
            if on.circular.is_some() {
                // A circle on the front stands upright: what pointed ahead points up.
                flat.iter().map(|at| DVec3::new(out, at.y, level + at.x)).collect()
            } else {
                flat.iter().map(|at| DVec3::new(out, at.y, level)).collect()
            }
        }
        (BodyText::Cylinder(round), BodyFace::Side) => {
            let Some(ring) = on.circular.filter(|ring| ring.diameter_m.is_none() && !ring.centre) else {
                let remedy = "give microphones.circular = { count = ... }; the diameter is the body's";
                return Err(fault(object, "has microphones around its side", remedy));
            };
            let count = count(&object, ring.count)?;
            let out = furniture::side_radius(sides(Some(ring)), round.diameter_m) + gap;
            (0..count).map(|at| (out * on_circle(at, count)).extend(level)).collect()
        }
        (BodyText::Box(_), BodyFace::Side) | (BodyText::Cylinder(_), BodyFace::Front) => {
            return Err(fault(
                object,
                "has microphones on a face that its body has not",
                "a box has top and front, a cylinder top and side",
            ));
        }
    };
    let microphones =
        local.iter().map(|at| (underside + facing.rotate(at.truncate()).extend(at.z)).into()).collect();
    let turned = match text.body {
        BodyText::Cylinder(_) => facing,
        // Furniture has its front along -y.
        BodyText::Box(_) => direction(yaw + 90.0),
    };
    let piece = Piece {
        name: text.name.clone(),
        kind: FurnitureKind::Device,
        parts: vec![part],
        place: underside,
        turned,
    };
    Ok((piece, MicrophoneArray { name: text.name.clone(), microphones, device: None }))
}

fn body(object: &str, text: &DeviceText) -> Result<(Part, f64), RoomFileError> {
    match text.body {
        BodyText::Cylinder(round) => {
            let diameter = measure(object, "body.cylinder.diameter_m", round.diameter_m, 0.01, 2.0)?;
            let height = measure(object, "body.cylinder.height_m", round.height_m, 0.005, 3.0)?;
            let sides = sides(text.microphones.circular);
            Ok((Part::cylinder("", sides, diameter, [0.0, height], &text.material), height))
        }
        BodyText::Box(upright) => {
            for (field, value) in ["body.box.size_m[0]", "body.box.size_m[1]", "body.box.size_m[2]"]
                .into_iter()
                .zip(upright.size_m)
            {
                measure(object, field, value, 0.005, 3.0)?;
            }
            let [width, depth, height] = upright.size_m;
            Ok((furniture::block([width, depth, height], &text.material), height))
        }
    }
}

/// Sides of a round body: every microphone around it has the middle of one before it.
fn sides(ring: Option<CircularText>) -> u32 {
    let count = ring.map_or(1, |ring| ring.count).clamp(1, 64);
    count * 12_u32.div_ceil(count)
}

/// Places of microphones in a plane, as seen from above with the array looking along +x: in a line from left to right,
/// or on a circle counter-clockwise from the front, then the middle.
fn layout(
    object: &str,
    linear: Option<LinearText>,
    circular: Option<CircularText>,
) -> Result<Vec<DVec2>, RoomFileError> {
    match (linear, circular) {
        (Some(line), None) => {
            let count = count(object, line.count)?;
            let spacing = measure(object, "linear.spacing_m", line.spacing_m, 0.001, 2.0)?;
            let middle = 0.5 * f64::from(count - 1);
            Ok((0..count).map(|at| DVec2::new(0.0, spacing * (middle - f64::from(at)))).collect())
        }
        (None, Some(ring)) => {
            let count = count(object, ring.count)?;
            let diameter = ring.diameter_m.unwrap_or(f64::NAN);
            let radius = 0.5 * measure(object, "circular.diameter_m", diameter, 0.002, 10.0)?;
            let around = (0..count).map(|at| radius * on_circle(at, count));
            Ok(around.chain(ring.centre.then_some(DVec2::ZERO)).collect())
        }
        _ => Err(fault(
            object,
            "has no layout or two",
            "give either linear = { count, spacing_m } or circular = { count, diameter_m }",
        )),
    }
}

fn on_circle(at: u32, count: u32) -> DVec2 {
    direction(360.0 * f64::from(at) / f64::from(count))
}

fn count(object: &str, count: u32) -> Result<u32, RoomFileError> {
    measure(object, "count", f64::from(count), 1.0, MOST_MICROPHONES)?;
    Ok(count)
}

fn place(object: &str, position: [f64; 3]) -> Result<DVec3, RoomFileError> {
    for (field, value) in ["position_m[0]", "position_m[1]", "position_m[2]"].into_iter().zip(position) {
        measure(object, field, value, -200.0, 200.0)?;
    }
    Ok(position.into())
}
