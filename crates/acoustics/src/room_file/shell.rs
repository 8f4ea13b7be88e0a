//! Walls, floor and ceiling, and what is let into them.

use std::collections::{BTreeMap, HashMap};

use glam::{DVec2, DVec3};

use super::{
    RoomFileError, check,
    check::{fault, measure},
    mesh,
    text::{PatchText, PlanText, ShellText},
};
use crate::convex;

/// A wall, the floor, the ceiling, or all faces of a mesh with one material.
#[derive(Debug, Clone)]
pub(super) struct Face {
    pub(super) name: String,
    /// Convex, seen from the air.
    pub(super) polygons: Vec<Vec<DVec3>>,
    /// Where patches are measured from; a face of a mesh has no such place.
    frame: Option<Frame>,
}

/// Left lower corner of a wall seen from the room, and where its right and its top are.
#[derive(Debug, Clone, Copy)]
struct Frame {
    origin: DVec3,
    right: DVec3,
    up: DVec3,
}

/// A closed shell and the floor that is drawn under it.
pub(super) fn faces(
    shell: &ShellText,
    read_mesh: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Vec<Face>, RoomFileError> {
    let faces = match shell {
        ShellText::Box(text) => {
            let [x, y, z] = text.size_m;
            for (axis, value) in ["size_m[0]", "size_m[1]", "size_m[2]"].into_iter().zip(text.size_m) {
                measure("the shell", axis, value, 0.5, 100.0)?;
            }
            let outline = [DVec2::ZERO, DVec2::new(x, 0.0), DVec2::new(x, y), DVec2::new(0.0, y)];
            let names = ["south", "east", "north", "west"].map(str::to_owned);
            extrude(&outline, z, &names)?
        }
        ShellText::Plan(text) => plan(text)?,
        ShellText::Mesh(text) => {
            measure("the shell", "unit_m", text.unit_m, 1e-4, 10.0)?;
            let content = read_mesh(&text.file).map_err(|reason| {
                fault(
                    format!("mesh file \"{}\"", text.file),
                    format!("cannot be read: {reason}"),
                    "give the path of an OBJ file, relative to the room file",
                )
            })?;
            let faces = mesh::read(&text.file, &content, text.unit_m)?;
            faces.into_iter().map(|(name, polygons)| Face { name, polygons, frame: None }).collect()
        }
    };
    let polygons = || faces.iter().flat_map(|face| &face.polygons);
    check::closed("the shell", polygons())?;
    Ok(faces)
}

fn plan(text: &PlanText) -> Result<Vec<Face>, RoomFileError> {
    measure("the shell", "height_m", text.height_m, 0.5, 100.0)?;
    let count = text.corners_m.len();
    if !(3..=200).contains(&count) {
        return Err(fault("the shell", format!("has {count} corners"), "a plan has 3 to 200 corners"));
    }
    for (corner, [x, y]) in text.corners_m.iter().enumerate() {
        measure("the shell", &format!("corners_m[{corner}][0]"), *x, -200.0, 200.0)?;
        measure("the shell", &format!("corners_m[{corner}][1]"), *y, -200.0, 200.0)?;
    }
    let mut outline: Vec<_> = text.corners_m.iter().copied().map(DVec2::from).collect();
    let mut names: Vec<_> = (1..=count).map(|wall| format!("wall {wall}")).collect();
    if convex::double_area(&outline) < 0.0 {
        // Drawn clockwise: walls keep the numbers of the file.
        outline.reverse();
        names.reverse();
        names.rotate_left(1);
    }
    extrude(&outline, text.height_m, &names)
}

fn extrude(outline: &[DVec2], height: f64, walls: &[String]) -> Result<Vec<Face>, RoomFileError> {
    let pieces = convex::convex_pieces(outline).ok_or_else(|| {
        fault(
            "the shell",
            "has a plan that crosses or touches itself",
            "list the corners in the order in which one walks along the walls, each once",
        )
    })?;
    let level = |z: f64, name: &str, seen_from_above: bool| {
        let polygon = |piece: &Vec<usize>| {
            let mut corners: Vec<_> = piece.iter().map(|corner| outline[*corner].extend(z)).collect();
            if !seen_from_above {
                corners.reverse();
            }
            corners
        };
        let frame = Some(Frame { origin: DVec3::ZERO.with_z(z), right: DVec3::X, up: DVec3::Y });
        Face { name: name.to_owned(), polygons: pieces.iter().map(polygon).collect(), frame }
    };
    let sides = convex::edges(outline).zip(walls).map(|((a, b), name)| {
        let [from, to] = [a, b].map(|corner| corner.extend(0.0));
        let up = DVec3::Z * height;
        // Seen from the room a wall of a counter-clockwise plan runs from right to left.
        let frame = Some(Frame { origin: to, right: (from - to).normalize_or_zero(), up: DVec3::Z });
        Face { name: name.clone(), polygons: vec![vec![to, from, from + up, to + up]], frame }
    });
    let sides: Vec<_> = sides.collect();
    let mut faces = vec![level(0.0, "floor", true), level(height, "ceiling", false)];
    faces.extend(sides);
    Ok(faces)
}

/// Which material each face has, by name: its own entry, or for walls that of `walls`, or in a mesh the name itself.
pub(super) fn materials(
    faces: &[Face],
    shell: &ShellText,
    surfaces: &BTreeMap<String, String>,
) -> Result<Vec<String>, RoomFileError> {
    let is_mesh = matches!(shell, ShellText::Mesh(_));
    let known = |name: &str| faces.iter().any(|face| face.name == name) || (name == "walls" && !is_mesh);
    if let Some(unknown) = surfaces.keys().find(|name| !known(name)) {
        let names: Vec<_> = faces.iter().map(|face| face.name.as_str()).collect();
        return Err(fault(
            format!("[surfaces] entry \"{unknown}\""),
            "is no surface of this shell",
            format!(
                "there are: {}{}",
                names.join(", "),
                if is_mesh { "" } else { ", and walls for all the rest" }
            ),
        ));
    }
    let material = |face: &Face| {
        let level = ["floor", "ceiling"].contains(&face.name.as_str());
        let common = (!is_mesh && !level).then(|| surfaces.get("walls")).flatten();
        let own_name = is_mesh.then_some(&face.name);
        surfaces.get(&face.name).or(common).or(own_name).cloned().ok_or_else(|| {
            fault(
                format!("surface \"{}\"", face.name),
                "has no material",
                format!("add \"{}\" (or \"walls\" for all walls) to [surfaces]", face.name),
            )
        })
    };
    faces.iter().map(material).collect()
}

/// Cuts patches out of the faces they are on; gives each patch's own polygons.
pub(super) fn cut_patches(
    faces: &mut [Face],
    patches: &[PatchText],
) -> Result<Vec<Vec<Vec<DVec3>>>, RoomFileError> {
    // The wall is a mosaic of pieces already; what a patch no longer finds, an earlier one on the same wall has.
    let mut last_on: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut all = Vec::new();
    for patch in patches {
        let object = format!("patch \"{}\"", patch.name);
        let [x, y] = patch.from_m;
        let [width, height] = patch.size_m;
        for (field, value) in [("from_m[0]", x), ("from_m[1]", y)] {
            measure(&object, field, value, -200.0, 200.0)?;
        }
        for (field, value) in [("size_m[0]", width), ("size_m[1]", height)] {
            measure(&object, field, value, 0.01, 200.0)?;
        }
        let names: Vec<_> = faces.iter().map(|face| face.name.clone()).collect();
        let face = faces.iter_mut().find(|face| face.name == patch.on).ok_or_else(|| {
            fault(
                object.clone(),
                format!("is on \"{}\", which is no surface of this shell", patch.on),
                format!("there are: {}", names.join(", ")),
            )
        })?;
        let Some(Frame { origin, right, up }) = face.frame else {
            return Err(fault(
                object,
                "is on a mesh",
                "give those faces of the mesh a material of their own (usemtl)",
            ));
        };
        let corner = |x: f64, y: f64| origin + x * right + y * up;
        let cutter =
            [corner(x, y), corner(x + width, y), corner(x + width, y + height), corner(x, y + height)];
        let mut own = Vec::new();
        for polygon in std::mem::take(&mut face.polygons) {
            let (common, rest) = convex::cut(polygon, &cutter);
            face.polygons.extend(rest);
            if !common.is_empty() {
                own.push(common);
            }
        }
        let area: f64 = own.iter().map(|polygon| convex::area_vector(polygon).length()).sum();
        if (area / (width * height) - 1.0).abs() > 1e-6 {
            let others = last_on.get(patch.on.as_str()).map_or(String::new(), |names| {
                format!(" or overlaps one of the patches before it ({})", names.join(", "))
            });
            return Err(fault(
                object,
                format!("reaches beyond \"{}\"{others}", patch.on),
                "from_m is its left lower corner seen from the room (x and y on floor and ceiling); size_m is width and height",
            ));
        }
        last_on.entry(&patch.on).or_default().push(&patch.name);
        all.push(own);
    }
    Ok(all)
}
