//! The specification of a release: what the demo is, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use benchmark::{RoomModel, Track, release::ReleaseSpec};

const BOXES: &str = include_str!("data/boxes.toml");

fn refusal(from: &str, to: &str) -> String {
    refusal_of(BOXES, from, to)
}

fn refusal_of(specification: &str, from: &str, to: &str) -> String {
    assert!(specification.contains(from), "{from}");
    ReleaseSpec::from_toml(&specification.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn the_demo_has_every_track_in_furnished_rooms_of_20_to_470_cubic_metres() {
    let spec = ReleaseSpec::demo().unwrap();
    assert_eq!(spec.tracks, Track::ALL);
    assert!(spec.room_models().len() >= 8);
    for room in spec.room_models() {
        let RoomModel::Furnished(room) = room else { panic!("{room:?}") };
        let volume = room.furnished_room().unwrap().room().volume();
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
        ("slug = \"boxes\"", "slug = \"The Demo\"", "slug `The Demo`: use a-z, 0-9 and hyphens"),
        ("[\"near\", ", "[\"far-low\", ", "each only once"),
        ("[\"near\", ", "[\"near\", \"echo\", ", "track `echo` needs a room with loudspeakers"),
        ("[\"near\", ", "[\"near\", \"array\", ", "track `array` needs a room with an array"),
        ("[\"near\", ", "[\"near\", \"moving-mid\", ", "track `moving-mid` needs a room with walks"),
        ("[\"near\", ", "[\"near\", \"multi-talker\", ", "needs a section [multi_talker]"),
        ("[\"near\", ", "[\"near\", \"lab-measured\", ", "need a section [laboratory]"),
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

#[test]
fn places_that_a_furnished_room_has_not_are_refused_with_those_it_has() {
    let demo = include_str!("../releases/demo.toml");
    let cases = [
        (
            "[\"at the desk\"]",
            "[\"on the roof\"]",
            "the room has no \"on the roof\" for that; its sources are at the desk",
        ),
        ("[\"laptop\"]", "[\"phone\"]", "the room has no \"phone\"; it has laptop; speaker on the shelf"),
        (
            "name = \"home-office\"",
            "name = \"igloo\"",
            "there is no built-in room of that name: use one of bathroom,",
        ),
        ("[[1.0, 3.4, 1.55], ", "[[0.25, 2.9, 0.5], ", "a walk leads through something at"),
        ("overlap_ratio = 0.2", "overlap_ratio = 1.2", "an overlap ratio of 0 to below 1"),
        ("ser_db = [0.0, 10.0]", "ser_db = [10.0, 0.0]", "ser_db 10 to 0 is no range"),
        ("\"behind\", \"front, far\"]", "\"behind\"]", "the twin needs 4 talkers"),
        (
            "loudspeakers = [\"remote party\"]",
            "array = \"ceiling array\"",
            "the arrays of the rooms differ: a model hears the same device in all of them",
        ),
        ("method = \"hybrid\"", "method = \"radiosity\"", "radiosity"),
    ];
    for (from, to, expected) in cases {
        let error = refusal_of(demo, from, to);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_room_file_beside_the_specification_becomes_part_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let demo = include_str!("../releases/demo.toml");
    let twin = demo.split("model.text = \'\'\'").nth(1).unwrap().split("\'\'\'").next().unwrap();
    let named = demo.replace(&format!("model.text = \'\'\'{twin}\'\'\'"), "model.file = \"twin.toml\"");
    std::fs::write(directory.path().join("twin.toml"), twin.trim_start()).unwrap();
    let path = directory.path().join("demo.toml");
    std::fs::write(&path, &named).unwrap();
    assert_eq!(ReleaseSpec::read(&path).unwrap(), ReleaseSpec::demo().unwrap());
    let error = ReleaseSpec::from_toml(&named).unwrap_err().to_string();
    assert!(error.contains("its room file twin.toml was not read"), "{error}");
}

#[test]
fn the_full_release_has_every_track_in_the_fourteen_rooms() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/releases/full.toml");
    let spec = ReleaseSpec::read(path.as_ref()).unwrap();
    assert_eq!(spec.tracks, Track::ALL);
    assert_eq!(spec.furnished.len(), 14);
}
