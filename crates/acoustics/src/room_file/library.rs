//! The built-in rooms.

use std::sync::LazyLock;

use super::{FurnishedRoom, RoomFileError};

/// Their files: fourteen furnished rooms by volume, then the car.
const FILES: [&str; 15] = [
    include_str!("../../rooms/bathroom.toml"),
    include_str!("../../rooms/home-office.toml"),
    include_str!("../../rooms/family-bathroom.toml"),
    include_str!("../../rooms/bedroom.toml"),
    include_str!("../../rooms/kitchen.toml"),
    include_str!("../../rooms/main-bedroom.toml"),
    include_str!("../../rooms/office.toml"),
    include_str!("../../rooms/meeting-room.toml"),
    include_str!("../../rooms/living-room.toml"),
    include_str!("../../rooms/living-dining-room.toml"),
    include_str!("../../rooms/boardroom.toml"),
    include_str!("../../rooms/classroom.toml"),
    include_str!("../../rooms/open-plan-office.toml"),
    include_str!("../../rooms/restaurant.toml"),
    include_str!("../../rooms/car-cabin.toml"),
];

/// The built-in rooms: fourteen furnished rooms from a bathroom of 20 m³ to a restaurant of 470 m³, by volume, and the
/// cabin of a car.
pub fn rooms() -> &'static [FurnishedRoom] {
    static ROOMS: LazyLock<Vec<FurnishedRoom>> =
        LazyLock::new(|| read_rooms().expect("the files are compiled in and read by a test"));
    &ROOMS
}

impl FurnishedRoom {
    /// A built-in room by its name.
    pub fn named(name: &str) -> Option<&'static Self> {
        rooms().iter().find(|room| room.name() == name)
    }
}

fn read_rooms() -> Result<Vec<FurnishedRoom>, RoomFileError> {
    FILES.iter().map(|text| FurnishedRoom::from_toml(text, &mesh)).collect()
}

fn mesh(file: &str) -> Result<String, String> {
    match file {
        "car-cabin.obj" => Ok(include_str!("../../rooms/car-cabin.obj").to_owned()),
        _ => Err("it is not among the built-in meshes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BAND_COUNT, SourceKind, room_file::check};

    /// Volume in cubic metres and the range of Eyring's reverberation time at 500 Hz and 1 kHz in seconds.
    const EXPECTED: [(&str, f64, [f64; 2]); 15] = [
        ("bathroom", 20.0, [0.4, 0.75]),
        ("home-office", 23.3, [0.35, 0.6]),
        ("family-bathroom", 25.5, [0.4, 0.7]),
        ("bedroom", 28.2, [0.35, 0.65]),
        ("kitchen", 33.4, [0.5, 0.8]),
        ("main-bedroom", 38.6, [0.35, 0.65]),
        ("office", 50.1, [0.4, 0.65]),
        ("meeting-room", 56.1, [0.4, 0.6]),
        ("living-room", 67.5, [0.35, 0.65]),
        ("living-dining-room", 101.9, [0.35, 0.65]),
        ("boardroom", 120.0, [0.4, 0.6]),
        ("classroom", 196.6, [0.5, 0.8]),
        ("open-plan-office", 327.5, [0.4, 0.65]),
        ("restaurant", 467.7, [0.6, 1.0]),
        // 58 ms at 1 kHz with cloth seats in Crolla (ed.), Automotive Engineering, chapter 21.1.
        ("car-cabin", 2.7, [0.05, 0.12]),
    ];

    #[test]
    fn every_room_loads_with_the_volume_and_decay_of_its_kind() {
        let rooms = read_rooms().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rooms.len(), EXPECTED.len());
        for (room, (name, volume, [least, most])) in rooms.iter().zip(EXPECTED) {
            assert_eq!(room.name(), name);
            assert_eq!(FurnishedRoom::named(name), Some(room));
            assert!((room.room().volume() - volume).abs() < 0.06, "{name}: {} m3", room.room().volume());
            let time = room.room().eyring_time();
            let middle = 0.5 * (time[3] + time[4]);
            assert!((least..=most).contains(&middle), "{name}: {middle} s");
            assert!(time.iter().all(|seconds| (0.03..1.3).contains(seconds)), "{name}: {time:?}");
        }
    }

    #[test]
    fn every_room_can_be_spoken_in_disturbed_and_heard_with_an_array_on_a_device() {
        for room in rooms() {
            let name = room.name();
            assert!(room.sources_of(SourceKind::Talker).count() >= 3, "{name}");
            assert!(room.sources_of(SourceKind::Noise).count() >= 3, "{name}");
            assert!(room.arrays().len() >= 2, "{name}");
            let on_device =
                |array: &&crate::MicrophoneArray| array.device.is_some() && array.microphones.len() >= 2;
            assert!(room.arrays().iter().any(|array| on_device(&array)), "{name}");
            assert!(!room.title().is_empty() && !room.description().is_empty(), "{name}");
        }
    }

    #[test]
    fn every_polygon_is_flat_and_convex_and_every_body_closed() {
        for room in rooms() {
            let hall = room.room();
            for polygon in hall.polygons() {
                let normal = polygon.normal();
                let corners = polygon.vertices.len();
                let convex = (0..corners).all(|at| {
                    let [a, b, c] = [0, 1, 2].map(|step| polygon.vertices[(at + step) % corners]);
                    (b - a).cross(c - b).dot(normal) > -1e-9
                });
                assert!(polygon.is_flat() && convex, "{}: {polygon:?}", room.name());
            }
            for solid in hall.solids() {
                let faces: Vec<_> = solid.polygons.iter().map(|polygon| polygon.vertices.clone()).collect();
                check::closed(&solid.name, faces.iter()).unwrap_or_else(|error| panic!("{error}"));
            }
            // The normals of a closed surface cancel, cut into pieces or not.
            let leak = hall.shell().iter().map(crate::Polygon::area_vector).sum::<glam::DVec3>();
            assert!(leak.length() < 1e-9, "{}: {leak}", room.name());
            assert!(hall.exposed_areas().all(|area| area >= 0.0));
            assert_eq!(hall.mean_absorption().len(), BAND_COUNT);
        }
    }
}
