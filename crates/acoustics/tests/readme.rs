//! What the README shows is what there is.

use acoustics::FurnishedRoom;

const README: &str = include_str!("../README.md");
const STUDY: &str = include_str!("../examples/study.toml");

#[test]
fn the_room_of_the_readme_is_the_file_beside_it_and_a_room() {
    assert!(README.contains(STUDY));
    let study = FurnishedRoom::from_toml(STUDY, &|_| Err("it has no mesh".to_owned())).unwrap();
    assert_eq!((study.sources().len(), study.arrays()[0].microphones.len()), (2, 4));
}
