use glam::DVec3;
use proptest::prelude::*;

use super::*;
use crate::{BAND_COUNT, Directivity, Polygon};

const EXAMPLE: &str = include_str!("../../rooms/example.toml");

const BOX: &str = r#"
name = "box"
shell.box.size_m = [5.0, 4.0, 3.0]
surfaces = { floor = "parquet", ceiling = "gypsum-board", walls = "painted-plaster" }
"#;

fn no_mesh(_: &str) -> Result<String, String> {
    Err("there are no meshes here".to_owned())
}

fn load(text: &str) -> Result<FurnishedRoom, RoomFileError> {
    FurnishedRoom::from_toml(text, &no_mesh)
}

fn error(text: &str) -> String {
    load(text).expect_err("the file is wrong").to_string()
}

fn with_box(addition: &str) -> String {
    format!("{BOX}\n{addition}")
}

fn area_of(room: &FurnishedRoom, surface: &str) -> f64 {
    let hall = room.room();
    let of_surface = |polygon: &&Polygon| hall.surfaces()[polygon.surface].name == surface;
    hall.polygons().filter(of_surface).map(Polygon::area).sum()
}

#[test]
fn the_example_has_everything_once_and_loads() {
    let room = load(EXAMPLE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((room.name(), room.title()), ("example", "An example"));
    // The plan: 5 x 4 m less a corner of 1.5 x 1.5 / 2, 2.5 m high.
    let shell: f64 = -room.room().shell().iter().map(|p| p.area_vector().dot(p.centre())).sum::<f64>() / 3.0;
    assert!((shell - 2.5 * (20.0 - 1.125)).abs() < 1e-9);
    let kinds: std::collections::HashSet<_> = room.furniture().iter().map(|piece| piece.kind).collect();
    assert_eq!(kinds.len(), 9);
    assert!((area_of(&room, "window") - 1.6 * 1.3).abs() < 1e-9);
    assert!((area_of(&room, "rug") - 3.0).abs() < 1e-9);
    assert!((area_of(&room, "floor") + area_of(&room, "rug") - 18.875).abs() < 1e-9);
    assert_eq!(room.sources()[0].source.directivity, Directivity::Talker);
    assert_eq!(room.sources()[2].source.directivity, Directivity::Cardioid);
    let felt = &room.room().surfaces().iter().find(|surface| surface.name == "wall 3").unwrap().material;
    assert_eq!((felt.name(), felt.absorption()[3]), ("felted-wood", 0.75));
}

#[test]
fn a_patch_is_measured_from_the_left_end_of_its_wall_as_seen_from_the_room() {
    let patch = |wall: &str| {
        let room = load(&with_box(&format!(
            "patch = [{{ name = \"p\", on = \"{wall}\", from_m = [0.5, 1.0], size_m = [1.0, 0.5], material = \"open\" }}]"
        )))
        .unwrap();
        assert!((room.room().volume() - 60.0).abs() < 1e-9);
        let surface = room.patches().start;
        room.room().shell().iter().find(|polygon| polygon.surface == surface).unwrap().centre()
    };
    // Who looks at the south wall of a room 5 m wide has its east end on the left.
    for (wall, centre) in [
        ("south", [4.0, 0.0, 1.25]),
        ("north", [1.0, 4.0, 1.25]),
        ("east", [5.0, 3.0, 1.25]),
        ("west", [0.0, 1.0, 1.25]),
        ("floor", [1.0, 1.25, 0.0]),
        ("ceiling", [1.0, 1.25, 3.0]),
    ] {
        assert!(patch(wall).distance(DVec3::from(centre)) < 1e-9, "{wall}: {}", patch(wall));
    }
}

#[test]
fn walls_of_a_plan_keep_their_numbers_whichever_way_round_it_is_drawn() {
    let plan = |corners: &str| {
        let text = format!(
            r#"
            name = "plan"
            shell.plan = {{ corners_m = {corners}, height_m = 2.0 }}
            surfaces = {{ floor = "parquet", ceiling = "parquet", walls = "parquet", "wall 1" = "open" }}
            "#
        );
        let room = load(&text).unwrap();
        let open =
            room.room().polygons().find(|polygon| room.room().material(polygon).name() == "open").unwrap();
        (room.room().volume(), open.centre())
    };
    let south = DVec3::new(1.5, 0.0, 1.0);
    for corners in ["[[0, 0], [3, 0], [3, 4], [0, 4]]", "[[3, 0], [0, 0], [0, 4], [3, 4]]"] {
        let (volume, wall) = plan(&corners.replace(',', ".0,").replace(']', ".0]").replace("].0", "]"));
        assert!((volume - 24.0).abs() < 1e-9 && wall.distance(south) < 1e-9, "{corners}: {volume} {wall}");
    }
}

#[test]
fn furniture_against_walls_and_on_tables_hides_what_it_stands_on() {
    let text = with_box(
        r#"
        box = [
            { name = "crate", position_m = [0.5, 0.5], size_m = [1.0, 1.0, 1.0], material = "parquet" },
            { name = "lid", position_m = [0.5, 0.5], elevation_m = 1.0, size_m = [1.0, 1.0, 0.5], material = "parquet" },
        ]
        "#,
    );
    let room = load(&text).unwrap();
    // In the corner the two hide 1 m2 of floor and 1.5 m2 of each wall, and show two sides and a top.
    let shown = 2.0 * (20.0 + 15.0 + 12.0) - (1.0 + 1.5 + 1.5) + (1.5 + 1.5 + 1.0);
    assert!((room.room().surface_area() - shown).abs() < 1e-6, "{}", room.room().surface_area());
    assert!((room.room().volume() - 58.5).abs() < 1e-9);
}

#[test]
fn furniture_turns_counter_clockwise_from_looking_south() {
    let text = with_box(
        r#"
        shelf = [{ name = "shelf", position_m = [0.2, 2.0], rotation_degrees = 90, size_m = [2.0, 0.4, 2.0], front = "open" }]
        "#,
    );
    let room = load(&text).unwrap();
    let front =
        room.room().polygons().find(|polygon| room.room().material(polygon).name() == "open").unwrap();
    // Turned by a quarter its front looks east, its width runs north.
    assert!(front.normal().distance(DVec3::X) < 1e-12);
    assert!(front.centre().distance(DVec3::new(0.4, 2.0, 1.0)) < 1e-12);
}

#[test]
fn arrays_and_devices_put_their_microphones_where_they_should() {
    let text = with_box(
        r#"
        array = [
            { name = "line", position_m = [2.0, 2.0, 1.0], yaw_degrees = 90, linear = { count = 3, spacing_m = 0.1 } },
            { name = "ring", position_m = [2.0, 2.0, 1.5], circular = { count = 4, diameter_m = 0.2, centre = true } },
        ]
        device = [
            { name = "bar", position_m = [3.0, 3.0, 1.0], yaw_degrees = -90, body.box.size_m = [0.4, 0.1, 0.1], microphones = { face = "front", linear = { count = 2, spacing_m = 0.2 } } },
            { name = "can", position_m = [1.0, 3.0, 1.0], body.cylinder = { diameter_m = 0.1, height_m = 0.2 }, microphones = { face = "side", circular = { count = 5 }, height_m = 0.15 } },
        ]
        "#,
    );
    let room = load(&text).unwrap();
    let at = |array: usize, microphone: usize| DVec3::from(room.arrays()[array].microphones[microphone]);
    // An array that looks north has its left in the west.
    assert!(
        at(0, 0).distance(DVec3::new(1.9, 2.0, 1.0)) < 1e-12
            && at(0, 2).distance(DVec3::new(2.1, 2.0, 1.0)) < 1e-12
    );
    assert!(
        at(1, 0).distance(DVec3::new(2.1, 2.0, 1.5)) < 1e-12
            && at(1, 1).distance(DVec3::new(2.0, 2.1, 1.5)) < 1e-12
    );
    assert!(at(1, 4).distance(DVec3::new(2.0, 2.0, 1.5)) < 1e-12);
    // The bar looks south: 2 mm before its front, left is east.
    assert!(at(2, 0).distance(DVec3::new(3.1, 2.948, 1.05)) < 1e-12, "{}", at(2, 0));
    let can = &room.arrays()[3];
    let body = &room.room().solids()[can.device.unwrap()];
    assert_eq!((body.name.as_str(), body.polygons.len()), ("can", 17));
    for microphone in &can.microphones {
        let nearest = body
            .polygons
            .iter()
            .map(|polygon| crate::convex::distance(&polygon.vertices, (*microphone).into()))
            .fold(f64::INFINITY, f64::min);
        assert!((nearest - 0.002).abs() < 1e-9, "{nearest}");
        assert!(room.room().is_air(*microphone) && (microphone.z - 1.15).abs() < 1e-12);
    }
}

#[test]
fn a_round_body_has_the_volume_of_its_cylinder() {
    let text = with_box(
        "cylinder = [{ name = \"c\", position_m = [2.0, 2.0], diameter_m = 1.0, height_m = 2.0, material = \"parquet\" }]",
    );
    let volume = 60.0 - load(&text).unwrap().room().volume();
    assert!((volume - 0.5 * std::f64::consts::PI).abs() < 1e-9, "{volume}");
}

#[test]
fn what_is_wrong_is_named_with_a_way_to_mend_it() {
    let crate_at = |x: f64, y: f64| {
        format!(
            "box = [{{ name = \"crate\", position_m = [{x:?}, {y:?}], size_m = [1.0, 1.0, 1.0], material = \"parquet\" }}]"
        )
    };
    let talker_at = |x: f64, z: f64| {
        format!("source = [{{ name = \"t\", kind = \"talker\", position_m = [{x:?}, 2.0, {z:?}] }}]")
    };
    let patch = |on: &str, from: f64| {
        format!(
            "patch = [{{ name = \"w\", on = \"{on}\", from_m = [{from:?}, 1.0], size_m = [1.0, 1.0], material = \"open\" }}]"
        )
    };
    let cases = [
        (
            with_box(&crate_at(0.2, 2.0)),
            "\"crate\" goes through \"west\" by 0.30 m: move it away from there or make it smaller",
        ),
        (with_box(&crate_at(9.0, 2.0)), "\"crate\" stands outside the room: check its position"),
        (
            with_box(&talker_at(4.995, 1.5)),
            "source \"t\" at [4.995, 2, 1.5] touches \"east\": keep it at least 1 cm away from every surface",
        ),
        (
            with_box(&talker_at(6.0, 1.5)),
            "source \"t\" at [6, 2, 1.5] is outside the room: move it into the air",
        ),
        (
            with_box(&format!("{}\n{}", crate_at(2.0, 2.0), talker_at(2.0, 0.5))),
            "source \"t\" at [2, 2, 0.5] is inside \"crate\": move it into the air",
        ),
        (
            with_box(&patch("roof", 0.0)),
            "patch \"w\" is on \"roof\", which is no surface of this shell: there are: floor, ceiling, south, east, north, west",
        ),
        (with_box(&patch("south", 4.5)), "patch \"w\" reaches beyond \"south\""),
        (
            BOX.replace("walls = \"painted-plaster\"", "south = \"open\""),
            "surface \"east\" has no material: add \"east\" (or \"walls\" for all walls) to [surfaces]",
        ),
        (
            BOX.replace("floor =", "flor = \"parquet\", floor ="),
            "[surfaces] entry \"flor\" is no surface of this shell",
        ),
        (BOX.replace("\"parquet\"", "\"chocolate\""), "surface \"floor\" needs a material that is not known"),
        (BOX.replace("5.0", "0.0"), "the shell has size_m[0] = 0: it must lie between 0.5 and 100"),
        (BOX.replace("5.0", "nan"), "the shell has size_m[0] = NaN"),
        (BOX.replace("size_m", "size"), "unknown field `size`, expected `size_m`"),
        (with_box("air = { temperature_celsius = 90, relative_humidity_percent = 50 }"), "the air has 90 °C"),
        (BOX.replace("\"box\"", "\"Box 1\""), "the room is called \"Box 1\""),
        (
            with_box("table = [{ name = \"t\", size_m = [1.0, 1.0, 0.7] }]"),
            "\"t\" has no place or two ways to say it",
        ),
        (
            with_box(
                "device = [{ name = \"d\", position_m = [2.0, 2.0, 1.0], body.box.size_m = [0.1, 0.1, 0.1], microphones = { face = \"side\", circular = { count = 4 } } }]",
            ),
            "device \"d\" has microphones on a face that its body has not",
        ),
    ];
    for (text, expected) in cases {
        let message = error(&text);
        assert!(message.contains(expected), "{message}\ninstead of\n{expected}");
    }
    let two = r#"
        box = [
            { name = "one", position_m = [1.0, 1.0], size_m = [1.0, 1.0, 1.0], material = "parquet" },
            { name = "two", position_m = [1.9, 1.0], rotation_degrees = 30, size_m = [1.0, 1.0, 1.0], material = "parquet" },
        ]
    "#;
    assert!(error(&with_box(two)).starts_with("\"one\" overlaps \"two\" by"), "{}", error(&with_box(two)));
    let overlapping = r#"
        patch = [
            { name = "first", on = "south", from_m = [1.0, 1.0], size_m = [1.0, 1.0], material = "open" },
            { name = "second", on = "south", from_m = [1.5, 1.5], size_m = [1.0, 1.0], material = "open" },
        ]
    "#;
    assert!(error(&with_box(overlapping)).contains("overlaps one of the patches before it (first)"));
    let crossing = BOX.replace(
        "shell.box.size_m = [5.0, 4.0, 3.0]",
        "shell.plan = { corners_m = [[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]], height_m = 2.0 }",
    );
    assert!(error(&crossing).contains("has a plan that crosses or touches itself"), "{}", error(&crossing));
}

/// A cube of 2 m as an OBJ file, seen from outside as is usual.
const CUBE: &str = "v 0 0 0\nv 2 0 0\nv 2 2 0\nv 0 2 0\nv 0 0 2\nv 2 0 2\nv 2 2 2\nv 0 2 2\n\
    usemtl parquet\nf 4 3 2 1\nusemtl wall\nf 5 6 7 8\nf 1/1 2/2 6/3 5/4\nf 2 3 7 6\nf -6 -5 -1 -2\nf 1 5 8 4\n";

fn load_mesh(content: &str) -> Result<FurnishedRoom, RoomFileError> {
    let text = "name = \"mesh\"\nshell.mesh.file = \"cube.obj\"\nsurfaces = { wall = \"open\" }";
    FurnishedRoom::from_toml(text, &|file| {
        assert_eq!(file, "cube.obj");
        Ok(content.to_owned())
    })
}

#[test]
fn a_mesh_is_a_shell_whichever_way_its_faces_look() {
    let room = load_mesh(CUBE).unwrap();
    assert!((room.room().volume() - 8.0).abs() < 1e-9 && (area_of(&room, "wall") - 20.0).abs() < 1e-9);
    let inside_out: String = CUBE
        .lines()
        .map(|line| match line.strip_prefix("f ") {
            Some(face) => format!("f {}\n", face.split(' ').rev().collect::<Vec<_>>().join(" ")),
            None => format!("{line}\n"),
        })
        .collect();
    assert!((load_mesh(&inside_out).unwrap().room().volume() - 8.0).abs() < 1e-9);
}

#[test]
fn a_mesh_with_a_fault_is_refused_with_its_place() {
    for (from, to, expected) in [
        ("f 1 5 8 4\n", "", "the shell is open: the edge from"),
        ("f 1 5 8 4\n", "f 4 8 5 1\n", "the shell has two faces that run the same way along the edge from"),
        ("usemtl parquet\n", "", "mesh \"cube.obj\", line 9 is a face without material"),
        ("f 5 6 7 8", "f 5 6 7 9", "mesh \"cube.obj\", line 12 names a vertex that is not there"),
        ("f 5 6 7 8", "f 5 7 6 8", "mesh \"cube.obj\", line 12 is no flat, simple polygon"),
        ("v 2 2 2", "v 2 2 x", "mesh \"cube.obj\", line 7 is no vertex"),
        ("v 2 2 2", "v 2 2 2e9", "set unit_m so that the room is in metres"),
    ] {
        let message = load_mesh(&CUBE.replace(from, to)).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}\ninstead of\n{expected}");
    }
    let missing = "name = \"mesh\"\nshell.mesh.file = \"no.obj\"";
    assert!(error(missing).starts_with("mesh file \"no.obj\" cannot be read: there are no meshes here"));
}

#[test]
fn a_file_of_its_own_material_says_what_is_impossible() {
    let material = |rest: &str| {
        error(&with_box(&format!(
            "material = [{{ name = \"m\", source = \"s\", absorption = {:?}, {rest} }}]",
            [1.5; BAND_COUNT]
        )))
    };
    assert!(material("depth_m = 0.1").contains("absorbs 1.5 of the energy at 62.5 Hz"));
    assert!(material("depth_m = -1.0").contains("material \"m\" has depth_m = -1"));
}

/// Numbers of the example, each by its place in the text.
fn numbers() -> Vec<std::ops::Range<usize>> {
    let part_of_number = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, character) in EXAMPLE.char_indices() {
        match found.last_mut() {
            Some(last) if last.end == at && part_of_number(character) => last.end = at + 1,
            _ if character.is_ascii_digit() => found.push(at..at + 1),
            _ => {}
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_text_makes_the_loader_panic(text in "\\PC{0,200}", line in 0_usize..150) {
        let _ = load(&text);
        let _ = mesh::read("fuzz", &text, 1.0);
        let lines: Vec<_> = EXAMPLE.lines().collect();
        let mut broken = lines.clone();
        broken[line % lines.len()] = &text;
        let _ = load(&broken.join("\n"));
        broken.remove(line % lines.len());
        let _ = load(&broken.join("\n"));
    }

    #[test]
    fn no_number_makes_the_loader_panic_and_what_loads_is_sound(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            Just("nan".to_owned()), Just("inf".to_owned()), Just("-inf".to_owned()), Just("1e308".to_owned()),
            Just("0".to_owned()), Just("-1".to_owned()), Just("4294967295".to_owned()),
            (-3.0_f64..6.0).prop_map(|value| format!("{value:?}")),
            (0.9_f64..1.1).prop_map(|value| format!("{value:?}")),
        ]), 1..3)
    ) {
        let places = numbers();
        let mut text = EXAMPLE.to_owned();
        let mut chosen: Vec<_> = changes.iter().map(|(at, value)| (at.get(&places).clone(), value)).collect();
        chosen.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        chosen.dedup_by_key(|(place, _)| place.start);
        for (place, value) in chosen {
            text.replace_range(place, value);
        }
        if let Ok(room) = load(&text) {
            let hall = room.room();
            prop_assert!(hall.volume() > 0.0 && hall.polygons().all(Polygon::is_flat));
            prop_assert!(hall.eyring_time().iter().all(|seconds| seconds.is_finite()));
            for array in room.arrays() {
                prop_assert!(array.microphones.iter().all(|place| hall.is_air(*place)));
            }
        }
    }

    #[test]
    fn no_mesh_makes_the_reader_panic(lines in prop::collection::vec(prop_oneof![
        prop::array::uniform3(-3_i32..4).prop_map(|[x, y, z]| format!("v {x} {y} {z}")),
        prop::collection::vec(-9_i32..10, 0..6)
            .prop_map(|corners| format!("f {}", corners.iter().map(i32::to_string).collect::<Vec<_>>().join(" "))),
        Just("usemtl parquet".to_owned()),
    ], 0..40)) {
        let text = "name = \"mesh\"\nshell.mesh.file = \"any.obj\"";
        let content = format!("usemtl parquet\n{}", lines.join("\n"));
        let _ = FurnishedRoom::from_toml(text, &|_| Ok(content.clone()));
    }
}
