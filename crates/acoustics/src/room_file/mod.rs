//! Rooms as people write them: a TOML file in, a checked [`FurnishedRoom`] out.
//!
//! # What a file says
//!
//! A room file has one shell (a box, a plan with vertical walls, or a closed mesh), a material for each of its surfaces,
//! patches of other materials let into them, furniture, sources and microphones. Units are part of the names: `_m`,
//! `_degrees`, `_celsius`, `_percent`. A field that no room file has is an error, so that a slip of the pen does not go
//! unnoticed. This example, `rooms/example.toml`, has everything once:
//!
//! ```toml
#![doc = include_str!("../../rooms/example.toml")]
//! ```
//!
//! # What is checked
//!
//! - Numbers are finite and of a sane size, names are there and unique, materials are known.
//! - The shell is one closed surface: every edge belongs to two faces that run along it in opposite directions. Whether
//!   a mesh cuts through itself is not looked for.
//! - Patches lie on their wall and do not overlap.
//! - Furniture is inside the shell and clear of walls and of other furniture. It may touch them: faces that lie against
//!   each other within a millimetre hide each other and count for neither surface area nor absorption.
//! - Sources and microphones are in the air, 1 cm from every surface; a device's own microphones only have to be in front
//!   of it.
//!
//! The first thing that is wrong is named with a way to mend it ([`RoomFileError`]).
//!
//! # What comes out
//!
//! Every polygon of the [`Room`] is flat and convex, and its corners run counter-clockwise seen from the air. A floor with
//! a concave outline becomes several pieces, and so does a wall around its patches; the pieces keep the name and material
//! of their surface. Where pieces meet, a corner of one may lie on the edge of another: there is no gap, but whoever
//! traces rays exactly along such an edge must expect to meet either piece. Each piece of furniture is one or more convex
//! closed solids, and their faces are never cut.
//!
//! Who sits on a chair, and a talker's own head and body, are not the same thing: the directivity of a talker was
//! measured around people and has both in it, so nobody is modelled where a talker is.

mod check;
mod endpoints;
mod furniture;
mod library;
mod mesh;
mod shell;
mod text;

use std::{collections::BTreeSet, ops::Range};

pub use library::rooms;
pub use text::SourceKind;

use self::{
    check::fault,
    furniture::Piece,
    text::{MaterialText, RoomText},
};
use crate::{
    Material, Position, RoomError, Source,
    geometry::{Polygon, Room, Solid, Surface},
    material::scattering_by_depth,
};

/// No room has more bodies than this.
const MOST_SOLIDS: usize = 5_000;

/// Why a room file is no room.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RoomFileError {
    /// The text is no TOML or has other fields than a room file.
    #[error("the room file cannot be read: {0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// Something in it cannot be.
    #[error("{object} {problem}: {remedy}")]
    Fault {
        /// The surface, the piece of furniture or whatever else is wrong.
        object: String,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// Its air is outside what the formulae hold for.
    #[error(transparent)]
    Air(#[from] RoomError),
}

/// A source of sound with a name and a purpose.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomSource {
    /// Its name, unlike that of any other source in the room.
    pub name: String,
    /// What it is there for.
    pub kind: SourceKind,
    /// Where it is and how it radiates.
    pub source: Source,
}

/// One or more microphones that belong together; all are omnidirectional.
#[derive(Debug, Clone, PartialEq)]
pub struct MicrophoneArray {
    /// Its name, unlike that of any other array in the room.
    pub name: String,
    /// Where its microphones are, in the order of the channels.
    pub microphones: Vec<Position>,
    /// Index into [`Room::solids`] of the body that carries them, if there is one.
    pub device: Option<usize>,
}

/// What a piece of furniture is, for drawings and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FurnitureKind {
    /// A box: a cupboard, a counter, a screen, a beam.
    Box,
    /// A top on legs.
    Table,
    /// A seat and a back.
    Chair,
    /// A seat, a back and arms.
    Sofa,
    /// A frame, a mattress, perhaps a headboard.
    Bed,
    /// Boards, open or full.
    Shelf,
    /// An upright cylinder.
    Cylinder,
    /// Somebody who listens.
    Person,
    /// The body of a device with microphones.
    Device,
}

/// A piece of furniture: some of the solids of a room.
#[derive(Debug, Clone, PartialEq)]
pub struct Furniture {
    /// Its name, unlike that of any other piece in the room.
    pub name: String,
    /// What it is.
    pub kind: FurnitureKind,
    /// Its bodies among [`Room::solids`].
    pub solids: Range<usize>,
}

/// A room with all that stands in it, sounds in it and listens in it.
#[derive(Debug, Clone, PartialEq)]
pub struct FurnishedRoom {
    title: String,
    description: String,
    room: Room,
    furniture: Vec<Furniture>,
    patches: Range<usize>,
    sources: Vec<RoomSource>,
    arrays: Vec<MicrophoneArray>,
}

impl FurnishedRoom {
    /// Reads a room file. `read_mesh` is asked for the text of an OBJ file if the shell is one, by the path that the
    /// room file gives.
    ///
    /// # Errors
    /// [`RoomFileError`] names the first thing that is wrong and says how to mend it.
    pub fn from_toml(
        text: &str,
        read_mesh: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, RoomFileError> {
        let text: RoomText = toml::from_str(text).map_err(Box::new)?;
        text.air.check()?;
        names_are_good(&text)?;
        let own_materials = text.material.iter().map(material).collect::<Result<Vec<_>, _>>()?;
        let mut parts = Parts { own_materials, surfaces: Vec::new() };

        let mut faces = shell::faces(&text.shell, read_mesh)?;
        let face_materials = shell::materials(&faces, &text.shell, &text.surfaces)?;
        let patch_polygons = shell::cut_patches(&mut faces, &text.patch)?;
        let mut walls = Vec::new();
        for (face, material) in faces.into_iter().zip(&face_materials) {
            let surface = parts.surface(&face.name, material)?;
            walls.extend(face.polygons.into_iter().map(|vertices| Polygon { surface, vertices }));
        }
        let first_patch = parts.surfaces.len();
        for (patch, polygons) in text.patch.iter().zip(patch_polygons) {
            let surface = parts.surface(&patch.name, &patch.material)?;
            walls.extend(polygons.into_iter().map(|vertices| Polygon { surface, vertices }));
        }
        let patches = first_patch..parts.surfaces.len();

        let mut pieces = furniture::pieces(&text)?;
        let mut arrays = text.microphone.iter().map(endpoints::microphone).collect::<Result<Vec<_>, _>>()?;
        for array in &text.array {
            arrays.push(endpoints::array(array)?);
        }
        let first_device = pieces.len();
        let first_device_array = arrays.len();
        for device in &text.device {
            let (piece, array) = endpoints::device(device)?;
            pieces.push(piece);
            arrays.push(array);
        }
        if pieces.iter().map(|piece| piece.parts.len()).sum::<usize>() > MOST_SOLIDS {
            return Err(fault(
                "the room",
                format!("has more than {MOST_SOLIDS} bodies"),
                "leave something out",
            ));
        }
        let (mut solids, mut furniture) = (Vec::new(), Vec::new());
        for piece in &pieces {
            let first = solids.len();
            parts.build(piece, &mut solids)?;
            furniture.push(Furniture {
                name: piece.name.clone(),
                kind: piece.kind,
                solids: first..solids.len(),
            });
        }
        for (array, device) in arrays[first_device_array..].iter_mut().zip(&furniture[first_device..]) {
            array.device = Some(device.solids.start);
        }
        let sources = text.source.iter().map(endpoints::source).collect::<Result<Vec<_>, _>>()?;

        let room = Room::from_checked_parts(text.name.clone(), parts.surfaces, walls, solids, text.air);
        check::solids_fit(&room)?;
        check::endpoints_are_free(&room, &sources, &arrays)?;
        let title = text.title.unwrap_or(text.name);
        Ok(Self { title, description: text.description, room, furniture, patches, sources, arrays })
    }

    /// Its name in lists and files: lower case, no spaces.
    pub fn name(&self) -> &str {
        self.room.name()
    }

    /// Its name for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it is, in a sentence or two.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What the solvers see of it.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// What stands in it.
    pub fn furniture(&self) -> &[Furniture] {
        &self.furniture
    }

    /// Windows, doors, curtains and the like: which of [`Room::surfaces`] are let into walls, floor and ceiling.
    pub fn patches(&self) -> Range<usize> {
        self.patches.clone()
    }

    /// What sounds in it.
    pub fn sources(&self) -> &[RoomSource] {
        &self.sources
    }

    /// Sources of one kind.
    pub fn sources_of(&self, kind: SourceKind) -> impl Iterator<Item = &RoomSource> {
        self.sources.iter().filter(move |source| source.kind == kind)
    }

    /// What listens in it: single microphones first, then arrays, then devices.
    pub fn arrays(&self) -> &[MicrophoneArray] {
        &self.arrays
    }
}

/// Materials of the file, and the surfaces found so far.
struct Parts {
    own_materials: Vec<Material>,
    surfaces: Vec<Surface>,
}

impl Parts {
    /// A new surface of this name and material.
    fn surface(&mut self, name: &str, material: &str) -> Result<usize, RoomFileError> {
        let own = self.own_materials.iter().find(|own| own.name() == material).cloned();
        let material = own.map_or_else(|| Material::named(material), Ok).map_err(|error| {
            let remedy = "use one of these or define it in a [[material]] table";
            fault(
                format!("surface \"{name}\""),
                format!("needs a material that is not known ({error})"),
                remedy,
            )
        })?;
        self.surfaces.push(Surface { name: name.to_owned(), material });
        Ok(self.surfaces.len() - 1)
    }

    /// The solids of a piece of furniture, with one surface for each of its materials.
    fn build(&mut self, piece: &Piece, solids: &mut Vec<Solid>) -> Result<(), RoomFileError> {
        let first = self.surfaces.len();
        for part in &piece.parts {
            let mut polygons = Vec::new();
            for (vertices, material) in part.faces(piece.place, piece.turned) {
                let known = self.surfaces[first..].iter().position(|known| known.material.name() == material);
                let surface = match known {
                    Some(known) => first + known,
                    None => self.surface(&piece.name, material)?,
                };
                polygons.push(Polygon { surface, vertices });
            }
            let name = if part.name.is_empty() {
                piece.name.clone()
            } else {
                format!("{}: {}", piece.name, part.name)
            };
            solids.push(Solid { name, polygons });
        }
        Ok(())
    }
}

fn material(text: &MaterialText) -> Result<Material, RoomFileError> {
    let object = format!("material \"{}\"", text.name);
    if text.scattering.is_some() && text.depth_m.is_some() {
        return Err(fault(object, "has both scattering and depth_m", "give one of them"));
    }
    let depth = text.depth_m.map(|depth| check::measure(&object, "depth_m", depth, 0.0, 2.0)).transpose()?;
    let scattering = text.scattering.or(depth.map(scattering_by_depth));
    let material = Material::new(text.name.clone(), text.absorption);
    let material = scattering.map_or(material.clone(), |scattering| material?.with_scattering(scattering));
    material.map_err(|error| fault(object, "is impossible", error.to_string()))
}

/// Names are there, short, and no two things of a kind have the same.
fn names_are_good(text: &RoomText) -> Result<(), RoomFileError> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.name.is_empty() || text.name.len() > 60 || !text.name.chars().all(is_name) {
        let problem = format!("is called \"{}\"", text.name);
        return Err(fault(
            "the room",
            problem,
            "use up to 60 lower-case letters, digits and hyphens; title is for people",
        ));
    }
    let names = |kind: &'static str, names: Vec<&String>| {
        let mut known = BTreeSet::new();
        for name in names {
            if name.trim().is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
                return Err(fault(
                    format!("a {kind}"),
                    format!("is called {name:?}"),
                    "give it a name of up to 80 characters",
                ));
            }
            if !known.insert(name) {
                return Err(fault(format!("{kind} \"{name}\""), "is there twice", "give each its own name"));
            }
        }
        Ok(())
    };
    names("material", text.material.iter().map(|item| &item.name).collect())?;
    names("patch", text.patch.iter().map(|item| &item.name).collect())?;
    names("source", text.source.iter().map(|item| &item.name).collect())?;
    let furniture = text.r#box.iter().map(|item| &item.name);
    let furniture = furniture.chain(text.table.iter().map(|item| &item.name));
    let furniture = furniture.chain(text.chair.iter().map(|item| &item.name));
    let furniture = furniture.chain(text.sofa.iter().map(|item| &item.name));
    let furniture = furniture.chain(text.bed.iter().map(|item| &item.name));
    let furniture = furniture.chain(text.shelf.iter().map(|item| &item.name));
    let furniture = furniture.chain(text.cylinder.iter().map(|item| &item.name));
    let furniture = furniture.chain(text.person.iter().map(|item| &item.name));
    let furniture = furniture.chain(text.device.iter().map(|item| &item.name));
    names("piece of furniture", furniture.collect())?;
    let arrays = text.microphone.iter().map(|item| &item.name);
    let arrays = arrays.chain(text.array.iter().map(|item| &item.name));
    let arrays = arrays.chain(text.device.iter().map(|item| &item.name));
    names("microphone or array", arrays.collect())
}

#[cfg(test)]
mod tests;
