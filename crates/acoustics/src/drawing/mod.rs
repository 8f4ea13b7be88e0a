//! A room on paper: its plan and its section as SVG.
//!
//! Class names stand where colours would, so that a drawing follows the page around it; [`STYLESHEET`] gives them their
//! looks. A drawing that stands alone brings it along.

mod canvas;
mod markers;
mod plan;
mod section;
mod sheet;

pub use plan::plan;
pub use section::section;

use crate::Surface;

/// The looks of plans and sections, to be linked by a page that shows them inline.
pub const STYLESHEET: &str = include_str!("drawing.css");

/// Where a drawing will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Embedding {
    /// In an HTML page that links [`STYLESHEET`].
    #[default]
    Inline,
    /// In a file of its own.
    Standalone,
}

/// What a surface let into a wall looks like on paper, told by its name and its material.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Window,
    Door,
    Passage,
    Lining,
}

impl Look {
    fn of(surface: &Surface) -> Self {
        let material = surface.material.name();
        match material {
            "open" => Self::Passage,
            _ if surface.name.contains("mirror") => Self::Lining,
            _ if material.contains("door") => Self::Door,
            _ if ["glass", "glazing", "window"].iter().any(|word| material.contains(word)) => Self::Window,
            _ => Self::Lining,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FurnishedRoom, rooms};

    fn drawings() -> impl Iterator<Item = (&'static FurnishedRoom, String)> {
        rooms().iter().flat_map(|room| {
            [Embedding::Inline, Embedding::Standalone]
                .into_iter()
                .flat_map(|embedding| [plan(room, embedding), section(room, embedding)])
                .map(move |svg| (room, svg))
        })
    }

    #[test]
    fn every_drawing_is_sound_xml_with_a_name_a_description_and_no_odd_numbers() {
        for (room, svg) in drawings() {
            let document =
                roxmltree::Document::parse(&svg).unwrap_or_else(|e| panic!("{}: {e}", room.name()));
            let root = document.root_element();
            assert_eq!(root.attribute("role"), Some("img"));
            let child = |name| root.children().find(|child| child.has_tag_name(name)).and_then(|c| c.text());
            assert!(child("title").is_some_and(|title| title.contains(room.title())));
            assert!(child("desc").is_some_and(|text| text.contains(room.description())));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", room.name());
        }
    }

    #[test]
    fn every_source_and_array_is_in_the_legend_of_both_drawings() {
        for (room, svg) in drawings() {
            let document = roxmltree::Document::parse(&svg).unwrap();
            let texts: Vec<_> = document
                .descendants()
                .filter(|node| node.has_tag_name("text"))
                .filter_map(|n| n.text())
                .collect();
            let names = room.sources().iter().map(|source| &source.name);
            for name in names.chain(room.arrays().iter().map(|array| &array.name)) {
                assert!(texts.iter().any(|text| text.starts_with(name)), "{}: {name}", room.name());
            }
        }
    }

    #[test]
    fn names_from_a_file_cannot_break_out_of_their_text() {
        let text = r#"
            name = "hostile"
            title = "</title><script>alert(1)</script>"
            shell.box.size_m = [4.0, 3.0, 2.5]
            surfaces = { floor = "parquet", ceiling = "parquet", walls = "parquet" }
            source = [{ name = "\"'><b>&amp;", kind = "talker", position_m = [1.0, 1.0, 1.0] }]
            box = [{ name = "<i>box</i>", position_m = [2.0, 2.0], size_m = [1.5, 1.0, 1.0], material = "parquet" }]
        "#;
        let room = FurnishedRoom::from_toml(text, &|_| Err(String::new())).unwrap();
        for svg in [plan(&room, Embedding::Standalone), section(&room, Embedding::Inline)] {
            let document = roxmltree::Document::parse(&svg).unwrap();
            let foreign = |name: &str| ["script", "b", "i"].contains(&name);
            assert!(!document.descendants().any(|node| foreign(node.tag_name().name())), "{svg}");
        }
    }
}
