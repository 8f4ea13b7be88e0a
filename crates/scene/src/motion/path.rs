//! Where something is at what time.

use acoustics::Position;
use glam::DVec3;
use serde::{Deserialize, Serialize};

use super::MotionError;

/// A place to pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WayPoint {
    /// Where.
    pub place: Position,
    /// How long to stay there, in seconds.
    #[serde(default)]
    pub pause_s: f64,
}

/// Where the mover looks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facing {
    /// The way it goes; while it stands, the way it went.
    AlongPath,
    /// Always in one direction, of any length but zero.
    Fixed([f64; 3]),
    /// Always at one place.
    Towards(Position),
}

/// A way through a room: straight legs at one speed, with pauses at the way points.
///
/// Before time 0 the mover stands at the first way point, after the end at the last. Turns are instantaneous: the
/// place never jumps, the velocity does.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    facing: Facing,
    /// Moments at which the mover passes from one state of motion to another.
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Mark {
    time: f64,
    /// Metres gone.
    gone: f64,
    place: DVec3,
}

impl Path {
    /// A path at a speed in metres per second, above 0 and below 40.
    ///
    /// # Errors
    /// [`MotionError`] when there is no way point or a number is none.
    pub fn new(way_points: &[WayPoint], speed: f64, facing: Facing) -> Result<Self, MotionError> {
        if !(speed > 0.0 && speed < 40.0) {
            return Err(MotionError::Speed(speed));
        }
        let mut marks: Vec<Mark> = Vec::new();
        for (index, WayPoint { place, pause_s }) in way_points.iter().enumerate() {
            let place = DVec3::from(*place);
            if !place.is_finite() {
                return Err(MotionError::Place(index));
            }
            if !(0.0..=3_600.0).contains(pause_s) {
                return Err(MotionError::Pause(*pause_s));
            }
            let arrived = marks.last().map_or(Mark { time: 0.0, gone: 0.0, place }, |last| {
                let leg = last.place.distance(place);
                Mark { time: last.time + leg / speed, gone: last.gone + leg, place }
            });
            marks.push(arrived);
            if *pause_s > 0.0 {
                marks.push(Mark { time: arrived.time + pause_s, ..arrived });
            }
        }
        if marks.is_empty() { Err(MotionError::NoWayPoint) } else { Ok(Self { facing, marks }) }
    }

    /// Someone who stays where they are.
    ///
    /// # Errors
    /// [`MotionError::Place`] when the place is none.
    pub fn standing(place: Position, facing: Facing) -> Result<Self, MotionError> {
        Self::new(&[WayPoint { place, pause_s: 0.0 }], 1.0, facing)
    }

    /// Length in metres.
    pub fn length(&self) -> f64 {
        self.last().gone
    }

    /// When the last way point is reached and its pause over, in seconds.
    pub fn duration(&self) -> f64 {
        self.last().time
    }

    /// Metres gone at a time in seconds.
    pub fn gone(&self, time: f64) -> f64 {
        self.interpolated(time, |mark| mark.time, |mark| DVec3::splat(mark.gone)).x
    }

    /// Where the mover is at a time in seconds.
    pub fn place(&self, time: f64) -> Position {
        self.interpolated(time, |mark| mark.time, |mark| mark.place).into()
    }

    /// Where the mover is after so many metres.
    pub fn place_after(&self, metres: f64) -> Position {
        self.interpolated(metres, |mark| mark.gone, |mark| mark.place).into()
    }

    /// Where it looks at a time in seconds: a unit vector.
    pub fn facing(&self, time: f64) -> DVec3 {
        self.looks(DVec3::from(self.place(time)), self.direction(time, |mark| mark.time))
    }

    /// Where it looks after so many metres: a unit vector.
    pub fn facing_after(&self, metres: f64) -> DVec3 {
        self.looks(DVec3::from(self.place_after(metres)), self.direction(metres, |mark| mark.gone))
    }

    /// Metres from the start at which responses must be known so that no two are farther apart than `spacing`:
    /// evenly from 0 to the length.
    pub fn nodes(&self, spacing: f64) -> Vec<f64> {
        let legs = (self.length() / spacing).ceil().max(1.0) as usize;
        if self.length() <= 0.0 {
            return vec![0.0];
        }
        (0..=legs).map(|node| self.length() * node as f64 / legs as f64).collect()
    }

    fn last(&self) -> Mark {
        *self.marks.last().expect("a path is only made with at least one way point")
    }

    fn looks(&self, place: DVec3, direction: DVec3) -> DVec3 {
        let facing = match self.facing {
            Facing::AlongPath => direction,
            Facing::Fixed(direction) => DVec3::from_array(direction),
            Facing::Towards(target) => DVec3::from(target) - place,
        };
        facing.try_normalize().unwrap_or(DVec3::X)
    }

    /// A value between the marks on either side of a key, which grows along the path.
    fn interpolated(&self, key: f64, of: impl Fn(&Mark) -> f64, value: impl Fn(&Mark) -> DVec3) -> DVec3 {
        let after = self.marks.partition_point(|mark| of(mark) <= key);
        let (Some(before), Some(next)) =
            (after.checked_sub(1).map(|n| &self.marks[n]), self.marks.get(after))
        else {
            return value(if after == 0 { &self.marks[0] } else { &self.marks[self.marks.len() - 1] });
        };
        let share = (key - of(before)) / (of(next) - of(before));
        value(before).lerp(value(next), share)
    }

    /// Direction of the leg at a key, or of the last one walked, or of the first to come.
    fn direction(&self, key: f64, of: impl Fn(&Mark) -> f64) -> DVec3 {
        let current = self.marks.partition_point(|mark| of(mark) <= key);
        let leg = |pair: &[Mark]| pair[1].place - pair[0].place;
        let walked = self.marks[..self.marks.len().min(current + 1)].windows(2).rev().map(leg);
        let to_come = self.marks.windows(2).map(leg);
        walked.chain(to_come).find(|leg| leg.length() > 0.0).unwrap_or(DVec3::X)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corner(facing: Facing) -> Path {
        let way_points = [
            WayPoint { place: Position::new(1.0, 1.0, 1.5), pause_s: 1.0 },
            WayPoint { place: Position::new(3.0, 1.0, 1.5), pause_s: 0.5 },
            WayPoint { place: Position::new(3.0, 2.0, 1.5), pause_s: 0.0 },
        ];
        Path::new(&way_points, 2.0, facing).unwrap()
    }

    #[test]
    fn a_walk_with_pauses_is_where_and_when_it_should_be() {
        let path = corner(Facing::AlongPath);
        assert!((path.length() - 3.0).abs() < 1e-12 && (path.duration() - 3.0).abs() < 1e-12);
        for (time, x, y, gone) in [
            (-1.0, 1.0, 1.0, 0.0),
            (0.5, 1.0, 1.0, 0.0),
            (1.5, 2.0, 1.0, 1.0),
            (2.2, 3.0, 1.0, 2.0),
            (2.75, 3.0, 1.5, 2.5),
            (9.0, 3.0, 2.0, 3.0),
        ] {
            assert!(path.place(time).distance(Position::new(x, y, 1.5)) < 1e-12, "{time}");
            assert!((path.gone(time) - gone).abs() < 1e-12, "{time}");
            assert!(path.place_after(gone).distance(path.place(time)) < 1e-12, "{time}");
        }
    }

    #[test]
    fn the_head_follows_the_path_or_looks_where_it_is_told() {
        let path = corner(Facing::AlongPath);
        for (time, direction) in
            [(0.2, DVec3::X), (1.5, DVec3::X), (2.2, DVec3::X), (2.6, DVec3::Y), (9.0, DVec3::Y)]
        {
            assert!((path.facing(time) - direction).length() < 1e-12, "{time}: {}", path.facing(time));
        }
        assert!((path.facing_after(2.5) - DVec3::Y).length() < 1e-12);
        let down = corner(Facing::Fixed([0.0, 0.0, -3.0]));
        assert!((down.facing(1.7) - DVec3::NEG_Z).length() < 1e-12);
        let target = corner(Facing::Towards(Position::new(3.0, 5.0, 1.5)));
        assert!((target.facing(9.0) - DVec3::Y).length() < 1e-12);
    }

    #[test]
    fn nodes_lie_evenly_and_no_farther_apart_than_asked() {
        let path = corner(Facing::AlongPath);
        let nodes = path.nodes(0.07);
        assert!(nodes.len() == 44 && nodes[0].abs() < 1e-12 && (nodes[43] - 3.0).abs() < 1e-12);
        let standing = Path::standing(Position::new(1.0, 1.0, 1.0), Facing::AlongPath).unwrap();
        assert_eq!(standing.nodes(0.05), [0.0]);
    }

    #[test]
    fn impossible_paths_are_refused() {
        let here = WayPoint { place: Position::new(1.0, 1.0, 1.0), pause_s: 0.0 };
        assert_eq!(Path::new(&[], 1.0, Facing::AlongPath), Err(MotionError::NoWayPoint));
        assert_eq!(Path::new(&[here], 0.0, Facing::AlongPath), Err(MotionError::Speed(0.0)));
        let nowhere = WayPoint { place: Position::new(f64::NAN, 1.0, 1.0), ..here };
        assert_eq!(Path::new(&[here, nowhere], 1.0, Facing::AlongPath), Err(MotionError::Place(1)));
    }
}
