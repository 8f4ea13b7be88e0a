//! How long a room sounds, found by sending rays through it.
//!
//! Eyring's formula holds where sound comes from everywhere with the same strength. In a room of flat walls, or one whose
//! absorption is all on the ceiling, what is left after a while runs where little absorbs, and lasts longer. Rays see that:
//! they start all over the room, and their energy together is the room's decay.

use glam::DVec3;
use rayon::prelude::*;

use super::scene::Scene;
use crate::{
    band::{BAND_COUNT, OCTAVES},
    dice::Dice,
    geometry::Room,
    wave::real_impedance,
};

/// A response lasts until every octave has lost this share of its energy but for the rest: 65 dB. A decay of 60 dB is
/// wanted whole, and T30 looks at 35 dB of it, which must stand 10 dB clear of where the response ends.
const ENERGY_LEFT: f64 = 3.162e-7;
/// A response is never longer than this, in seconds.
pub(crate) const LONGEST: f64 = 20.0;
/// Seconds between two looks at the decay.
const STEP: f64 = 0.01;
/// Rays for each octave: the time of a decay of 65 dB varies by some percent.
const RAYS: u64 = 192;
/// Octaves whose Eyring time is a smaller share of the longest are not traced: none sounds that much longer than the
/// formula says.
const SHARE_OF_LONGEST: f64 = 0.4;

/// Seconds until every octave of a room has died away, 20 at most. Octaves centred below `waves_below_hz` are simulated as
/// waves: surfaces absorb there by the angle, as locally reacting ones do. (They scatter as they do elsewhere: waves bend
/// round what stands in the room, which rays can only be told by coefficients. That waves along a surface lose half as much
/// there is not seen: a bare room may be cut 45 dB down.)
pub(crate) fn decay_seconds(room: &Room, waves_below_hz: f64) -> f64 {
    let times = room.eyring_time();
    let longest = times.into_iter().fold(0.0, f64::max);
    let scene = Scene::new(room);
    let starts = starts(room);
    (0..BAND_COUNT)
        .filter(|&band| times[band] >= SHARE_OF_LONGEST * longest)
        .map(|band| {
            let as_waves = OCTAVES[band] < waves_below_hz;
            let surfaces = room.surfaces().iter().map(|surface| {
                let absorption = surface.material.absorption()[band];
                let law = if as_waves {
                    Law::ByAngle(real_impedance(absorption))
                } else {
                    Law::Even(1.0 - absorption)
                };
                Reflection { scattered: surface.material.scattering()[band], law }
            });
            let air_loss = room.air().energy_loss()[band];
            let decay = Decay {
                scene: &scene,
                surfaces: surfaces.collect(),
                air_loss,
                speed: room.air().speed_of_sound(),
            };
            decay.seconds(&starts, band)
        })
        .fold(0.0, f64::max)
}

/// Places in the air, spread over the room by chance; always the same for the same room.
fn starts(room: &Room) -> Vec<DVec3> {
    let [low, high] = room.bounds();
    let mut dice = Dice::new(0, [u64::MAX]);
    let mut found = Vec::new();
    // A room fills a good part of the box around it; one that does not is looked at from fewer places.
    for _ in 0..100 * RAYS {
        let place = low + (high - low) * DVec3::new(dice.roll(), dice.roll(), dice.roll());
        if room.is_air(place.into()) {
            found.push(place);
            if found.len() as u64 == RAYS {
                break;
            }
        }
    }
    found
}

/// What a surface does in one octave.
struct Reflection {
    /// Share of the reflected energy that is scattered.
    scattered: f64,
    law: Law,
}

/// Which share of the energy is reflected.
enum Law {
    /// The same from everywhere.
    Even(f64),
    /// That of a locally reacting surface of this normalised impedance.
    ByAngle(f64),
}

impl Reflection {
    fn reflected(&self, cosine: f64) -> f64 {
        match self.law {
            Law::Even(share) => share,
            Law::ByAngle(impedance) => ((impedance * cosine - 1.0) / (impedance * cosine + 1.0)).powi(2),
        }
    }
}

/// One octave of a room.
struct Decay<'a> {
    scene: &'a Scene,
    surfaces: Vec<Reflection>,
    /// Energy the air takes, in 1/m.
    air_loss: f64,
    speed: f64,
}

impl Decay<'_> {
    fn seconds(&self, starts: &[DVec3], band: usize) -> f64 {
        let rays: Vec<Vec<f64>> = starts
            .par_iter()
            .enumerate()
            .map(|(ray, &start)| self.energies(start, Dice::new(1, [band as u64, ray as u64])))
            .collect();
        let steps = rays.iter().map(Vec::len).max().unwrap_or(0);
        let least = ENERGY_LEFT * rays.len() as f64;
        let left = |step: &usize| rays.iter().filter_map(|ray| ray.get(*step)).sum::<f64>() > least;
        (0..steps).take_while(left).count() as f64 * STEP
    }

    /// Energy of a ray at every [`STEP`] until it is far below what is looked for.
    fn energies(&self, start: DVec3, mut dice: Dice) -> Vec<f64> {
        let (mut place, mut direction) = (start, on_sphere(&mut dice));
        let (mut travelled, mut energy) = (0.0, 1.0);
        let mut energies = Vec::new();
        while let Some(hit) = self.scene.first_hit(place, direction) {
            travelled += hit.distance;
            let until = (travelled / (self.speed * STEP)).ceil().min((LONGEST / STEP).ceil()) as usize;
            for step in energies.len()..until {
                energies.push(energy * (-self.air_loss * self.speed * STEP * step as f64).exp());
            }
            let facet = &self.scene.facets[hit.facet];
            let surface = &self.surfaces[facet.surface];
            energy *= surface.reflected(-direction.dot(facet.normal));
            if energy * (-self.air_loss * travelled).exp() < 0.01 * ENERGY_LEFT
                || travelled > LONGEST * self.speed
            {
                break;
            }
            place += hit.distance * direction;
            direction = if dice.roll() < surface.scattered {
                // Lambert's law: a point on a sphere that touches the surface.
                (facet.normal + on_sphere(&mut dice)).try_normalize().unwrap_or(facet.normal)
            } else {
                (direction - 2.0 * direction.dot(facet.normal) * facet.normal).normalize()
            };
        }
        energies
    }
}

/// Any direction, with the same probability.
fn on_sphere(dice: &mut Dice) -> DVec3 {
    let height = 2.0 * dice.roll() - 1.0;
    let (sin, cos) = (std::f64::consts::TAU * dice.roll()).sin_cos();
    let across = (1.0 - height * height).sqrt();
    DVec3::new(across * cos, across * sin, height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Air, BoxRoom, Material, Position, Surfaces};

    fn box_room(absorption: [f64; 3], scattering: f64) -> Room {
        let [x, y, z] = absorption.map(|absorption| {
            Material::new("wall", [absorption; BAND_COUNT])
                .unwrap()
                .with_scattering([scattering; BAND_COUNT])
                .unwrap()
        });
        let surfaces =
            Surfaces { west: x.clone(), east: x, south: y.clone(), north: y, floor: z.clone(), ceiling: z };
        Room::from(&BoxRoom::new(Position::new(6.0, 5.0, 3.0), surfaces, Air::default()).unwrap())
    }

    /// The air takes next to nothing of the lowest octaves.
    fn longest_eyring(room: &Room) -> f64 {
        room.eyring_time().into_iter().fold(0.0, f64::max)
    }

    #[test]
    fn a_diffuse_room_decays_by_eyring() {
        let room = box_room([0.2; 3], 1.0);
        // 65 dB; Kuttruff's correction for paths of unequal length makes it a few percent longer (Room Acoustics, 5.4).
        let ratio = decay_seconds(&room, 0.0) / (65.0 / 60.0 * longest_eyring(&room));
        assert!((0.97..1.08).contains(&ratio), "{ratio}");
    }

    #[test]
    fn sound_that_runs_between_bare_walls_outlasts_eyrings_formula_by_its_own_rate() {
        // Floor and ceiling take nearly everything, so that what is left runs along them. Of that field, with the energy
        // of a thin slice of directions, no ray loses more at a reflection than ln(1/0.95) each 5 m nor less than each 6 m.
        let room = box_room([0.05, 0.05, 0.9], 0.0);
        let seconds = decay_seconds(&room, 0.0);
        let slowest = 6.5 * std::f64::consts::LN_10 * 6.0 / (343.2 * -(0.95_f64).ln());
        assert!(
            seconds > 2.0 * longest_eyring(&room) && seconds < slowest,
            "{seconds} s, at most {slowest} s"
        );
    }

    #[test]
    fn locally_reacting_walls_decay_between_the_rates_of_oblique_waves_and_of_the_slowest_axial_one() {
        let room = box_room([0.15; 3], 0.05);
        let seconds = decay_seconds(&room, 1_000.0);
        // A mode loses 2 c β / L at each pair of walls across which its pressure changes, and half of that at the others
        // (Morse and Bolt, Rev. Mod. Phys. 16, 1944, for small admittances β).
        let admittance = 1.0 / real_impedance(0.15);
        let time = |loss: f64| 65.0 / 60.0 * 3.0 * std::f64::consts::LN_10 / (343.2 * admittance * loss);
        let (fastest, slowest) =
            (time(2.0 / 6.0 + 2.0 / 5.0 + 2.0 / 3.0), time(2.0 / 6.0 + 1.0 / 5.0 + 1.0 / 3.0));
        assert!(fastest < seconds && seconds < slowest, "{fastest} s, {seconds} s, {slowest} s");
    }

    #[test]
    fn a_room_that_absorbs_nothing_is_cut_at_the_longest() {
        // At 63 Hz air alone takes 20 s and more for 65 dB.
        assert!((decay_seconds(&box_room([0.0; 3], 0.1), 0.0) - LONGEST).abs() < 0.02);
    }
}
