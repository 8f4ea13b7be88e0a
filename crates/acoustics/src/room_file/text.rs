//! The room file as it is written: field names, units and defaults. Nothing is checked here but spelling.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{air::Air, band::Octaves, endpoint::Directivity};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomText {
    pub(super) name: String,
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) air: Air,
    pub(super) shell: ShellText,
    #[serde(default)]
    pub(super) surfaces: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) material: Vec<MaterialText>,
    #[serde(default)]
    pub(super) patch: Vec<PatchText>,
    #[serde(default)]
    pub(super) r#box: Vec<BoxText>,
    #[serde(default)]
    pub(super) table: Vec<TableText>,
    #[serde(default)]
    pub(super) chair: Vec<ChairText>,
    #[serde(default)]
    pub(super) sofa: Vec<SofaText>,
    #[serde(default)]
    pub(super) bed: Vec<BedText>,
    #[serde(default)]
    pub(super) shelf: Vec<ShelfText>,
    #[serde(default)]
    pub(super) cylinder: Vec<CylinderText>,
    #[serde(default)]
    pub(super) person: Vec<PersonText>,
    #[serde(default)]
    pub(super) source: Vec<SourceText>,
    #[serde(default)]
    pub(super) microphone: Vec<MicrophoneText>,
    #[serde(default)]
    pub(super) array: Vec<ArrayText>,
    #[serde(default)]
    pub(super) device: Vec<DeviceText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) enum ShellText {
    Box(BoxShellText),
    Plan(PlanText),
    Mesh(MeshText),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoxShellText {
    pub(super) size_m: [f64; 3],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanText {
    pub(super) corners_m: Vec<[f64; 2]>,
    pub(super) height_m: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MeshText {
    pub(super) file: String,
    #[serde(default = "one")]
    pub(super) unit_m: f64,
}

fn one() -> f64 {
    1.0
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaterialText {
    pub(super) name: String,
    /// For the reader; the solvers have no use for it.
    #[serde(rename = "source")]
    pub(super) _source: String,
    pub(super) absorption: Octaves,
    pub(super) scattering: Option<Octaves>,
    pub(super) depth_m: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchText {
    pub(super) name: String,
    pub(super) on: String,
    pub(super) from_m: [f64; 2],
    pub(super) size_m: [f64; 2],
    pub(super) material: String,
}

/// Where a piece of furniture stands: the middle of its footprint, once or several times.
#[derive(Debug, Clone, Default)]
pub(super) struct Placement {
    pub(super) position_m: Option<[f64; 2]>,
    pub(super) positions_m: Vec<[f64; 2]>,
    pub(super) elevation_m: f64,
    pub(super) rotation_degrees: f64,
}

/// Furniture: the fields all kinds share, then a kind's own.
macro_rules! furniture {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            pub(super) name: String,
            position_m: Option<[f64; 2]>,
            #[serde(default)]
            positions_m: Vec<[f64; 2]>,
            #[serde(default)]
            elevation_m: f64,
            #[serde(default)]
            rotation_degrees: f64,
            $($(#[$attribute])* pub(super) $field: $type,)*
        }

        impl $name {
            pub(super) fn placement(&self) -> Placement {
                Placement {
                    position_m: self.position_m,
                    positions_m: self.positions_m.clone(),
                    elevation_m: self.elevation_m,
                    rotation_degrees: self.rotation_degrees,
                }
            }
        }
    };
}

furniture!(BoxText {
    size_m: [f64; 3],
    material: String,
    #[serde(default)]
    faces: BTreeMap<String, String>,
});

furniture!(TableText {
    size_m: [f64; 3],
    #[serde(default = "table_top")]
    material: String,
    #[serde(default = "four_centimetres")]
    top_m: f64,
    #[serde(default = "five_centimetres")]
    legs_m: f64,
});

furniture!(ChairText {
    #[serde(default = "chair_size")]
    size_m: [f64; 3],
    #[serde(default = "seat_height")]
    seat_m: f64,
    #[serde(default = "wooden_chair")]
    material: String,
});

furniture!(SofaText {
    size_m: [f64; 3],
    #[serde(default = "sofa_seat_height")]
    seat_m: f64,
    #[serde(default = "twenty_centimetres")]
    arms_m: f64,
    #[serde(default = "upholstery")]
    material: String,
});

furniture!(BedText {
    size_m: [f64; 3],
    #[serde(default = "twenty_centimetres")]
    mattress_m: f64,
    #[serde(default)]
    headboard_m: f64,
    #[serde(default = "mattress")]
    material: String,
    #[serde(default = "furniture_board")]
    frame: String,
});

furniture!(ShelfText {
    size_m: [f64; 3],
    #[serde(default)]
    compartments: u32,
    #[serde(default = "bookshelf")]
    front: String,
    #[serde(default = "furniture_board")]
    material: String,
});

furniture!(CylinderText {
    diameter_m: f64,
    height_m: f64,
    #[serde(default = "twelve")]
    sides: u32,
    material: String,
});

furniture!(PersonText {
    posture: Posture,
    #[serde(default = "clothing")]
    material: String,
});

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Posture {
    Sitting,
    Standing,
}

macro_rules! defaults {
    ($($name:ident: $type:ty = $value:expr;)*) => { $(fn $name() -> $type { $value.into() })* };
}

defaults! {
    table_top: String = "table-top";
    wooden_chair: String = "wooden-chair";
    upholstery: String = "upholstery";
    mattress: String = "mattress";
    furniture_board: String = "furniture-board";
    bookshelf: String = "bookshelf";
    clothing: String = "clothing";
    hard_plastic: String = "hard-plastic";
    four_centimetres: f64 = 0.04;
    five_centimetres: f64 = 0.05;
    twenty_centimetres: f64 = 0.2;
    seat_height: f64 = 0.46;
    sofa_seat_height: f64 = 0.42;
    twelve: u32 = 12_u32;
    two_millimetres: f64 = 0.002;
    chair_size: [f64; 3] = [0.44, 0.46, 0.85];
}

/// What a source is in a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Somebody who speaks.
    Talker,
    /// What disturbs.
    Noise,
    /// A loudspeaker.
    Loudspeaker,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceText {
    pub(super) name: String,
    pub(super) kind: SourceKind,
    pub(super) position_m: [f64; 3],
    #[serde(default)]
    pub(super) yaw_degrees: f64,
    #[serde(default)]
    pub(super) pitch_degrees: f64,
    pub(super) directivity: Option<Directivity>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MicrophoneText {
    pub(super) name: String,
    pub(super) position_m: [f64; 3],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArrayText {
    pub(super) name: String,
    pub(super) position_m: [f64; 3],
    #[serde(default)]
    pub(super) yaw_degrees: f64,
    pub(super) linear: Option<LinearText>,
    pub(super) circular: Option<CircularText>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinearText {
    pub(super) count: u32,
    pub(super) spacing_m: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CircularText {
    pub(super) count: u32,
    pub(super) diameter_m: Option<f64>,
    #[serde(default)]
    pub(super) centre: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceText {
    pub(super) name: String,
    pub(super) position_m: [f64; 3],
    #[serde(default)]
    pub(super) yaw_degrees: f64,
    pub(super) body: BodyText,
    #[serde(default = "hard_plastic")]
    pub(super) material: String,
    pub(super) microphones: OnBodyText,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) enum BodyText {
    Cylinder(CylinderBodyText),
    Box(BoxBodyText),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CylinderBodyText {
    pub(super) diameter_m: f64,
    pub(super) height_m: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoxBodyText {
    pub(super) size_m: [f64; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BodyFace {
    Top,
    Front,
    Side,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnBodyText {
    pub(super) face: BodyFace,
    pub(super) linear: Option<LinearText>,
    pub(super) circular: Option<CircularText>,
    /// Above the underside of the body, for microphones on its side or front; its middle if not given.
    pub(super) height_m: Option<f64>,
    #[serde(default = "two_millimetres")]
    pub(super) gap_m: f64,
}
