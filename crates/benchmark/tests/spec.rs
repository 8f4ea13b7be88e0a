//! The specification of a release: what the demo is, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use benchmark::{Track, release::ReleaseSpec};

const DEMO: &str = include_str!("../releases/demo.toml");

fn refusal(from: &str, to: &str) -> String {
    assert!(DEMO.contains(from), "{from}");
    ReleaseSpec::from_toml(&DEMO.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn the_demo_has_the_four_primary_tracks_in_rooms_of_20_to_470_cubic_metres() {
    let spec = ReleaseSpec::demo().unwrap();
    assert_eq!(spec.tracks, Track::PRIMARY);
    for room in &spec.rooms {
        let volume = room.to_box().unwrap().volume();
        assert!((20.0..=470.0).contains(&volume), "{}: {volume} m³", room.name);
    }
}

#[test]
fn a_specification_survives_its_own_file() {
    let spec = ReleaseSpec::demo().unwrap();
    assert_eq!(ReleaseSpec::from_toml(&toml::to_string(&spec).unwrap()).unwrap(), spec);
}

#[test]
fn a_misspelt_field_is_refused_by_name() {
    let error = refusal("warm_up = 3", "warmup = 3");
    assert!(error.contains("warmup"), "{error}");
}

#[test]
fn contradictions_are_refused_with_what_is_wrong() {
    let cases = [
        ("slug = \"demo\"", "slug = \"The Demo\"", "slug `The Demo`: use a-z, 0-9 and hyphens"),
        ("[\"near\", ", "[\"far-low\", ", "each only once"),
        ("[\"near\", ", "[\"near\", \"echo\", ", "track `echo` is defined, but this version cannot build it"),
        ("level_dbov = -26.0", "level_dbov = 0.0", "level_dbov 0"),
        ("max_seconds = 7.0", "max_seconds = 1.0", "speech of 2 to 1 s is no range"),
        ("continuous = [\"ventilation\"]", "continuous = [\"coughs\"]", "must name continuous noise"),
        ("transient = [\"coughs\"]", "transient = []", "must name transient noise"),
        ("[-6.0, 0.0]", "[0.0, -6.0]", "transient_level_db 0 to -6 is no range"),
        ("name = \"bedroom\"", "name = \"bathroom\"", "two rooms have the same name"),
        (
            "west = \"ceramic-tiles\"",
            "west = \"chocolate\"",
            "room `bathroom`: there is no material \"chocolate\"",
        ),
        ("area_m2 = 3.0", "area_m2 = 20.0", "furnishings cover 20 m² of the East surface"),
        ("area_m2 = 3.0", "area_m2 = -1.0", "covers no area"),
        (
            "x = 1.5, y = 1.1, z = 1.55",
            "x = 0.1, y = 1.1, z = 1.55",
            "talkers: (0.1, 1.1, 1.55) is outside or within",
        ),
        ("x = 1.5, y = 1.1, z = 1.55", "x = 1.9, y = 0.8, z = 1.5", "0.30 m from talker"),
        ("size = { x = 3.0", "size = { x = -3.0", "-3 m along x"),
    ];
    for (from, to, expected) in cases {
        let error = refusal(from, to);
        assert!(error.contains(expected), "{error}");
    }
}
