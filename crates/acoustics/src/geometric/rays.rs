//! Rays with diffuse rain: everything that is not a mirror reflection of low order.
//!
//! A ray's energy is what its share of the source sends out. At each surface a part is absorbed, a part scattered by
//! Lambert's law, and the rest mirrored; the ray goes on in one of the two directions with the probability of either.
//! Octaves that scatter differently part ways there, so no estimate is ever reweighted and none degenerates.
//!
//! Each path from source to microphone is counted once, by its last reflection:
//! - scattered: the energy that the surface throws straight at the microphone ("diffuse rain"; Heinz, Applied
//!   Acoustics 38, 1993; Schröder, dissertation, RWTH Aachen 2011), with the exact delay from that point;
//! - mirrored, after the ray was scattered before or was mirrored more often than the images account for: the length
//!   of the ray within a sphere around the microphone over the sphere's volume, which is the mean fluence there.
//!   Its delay is that of the plane or spherical wave the ray stands for.
//!
//! Arrivals get a random sign each, the same at all microphones: the tail adds up in energy, and microphones close to
//! each other hear the same waves.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use glam::DVec3;
use rayon::prelude::*;

use super::scene::{Hit, Scene};
use crate::{
    band::{BAND_COUNT, Octaves},
    dice::Dice,
    endpoint::Source,
    synthesis::Arrival,
};

type Bands = [f32; BAND_COUNT];

/// A ray ends when each octave has lost this share of its energy but for the rest: 80 dB.
const ENERGY_LEFT: f32 = 1e-8;
/// No ray is reflected more often: one caught in a crack would never end.
const MOST_REFLECTIONS: u32 = 100_000;
/// Arrivals per second at a microphone beyond which some stand for all, louder: nobody hears them apart.
const DENSE: f64 = 20_000.0;
/// How much more or less than the usual an event's chance to stand for others may be.
const LEAST_WEIGHT: f64 = 0.02;
const MOST_WEIGHT: f64 = 4.0;
/// The same early on, where single reflections count.
const EARLY_DENSE: f64 = 200_000.0;
/// What early means, in metres of path: 30 ms.
const EARLY_METRES: f64 = 10.0;
/// A microphone is never closer than this to a plane that scatters, in metres: Lambert's law knows no bound. For an
/// endless plane the energy is the same at any distance.
const CLOSEST_TO_PLANE: f64 = 0.25;
/// Radius of the sphere that catches rays, as a share of the cube root of the volume, unless rays are dense.
const CATCH: f64 = 0.11;
/// Least radius of that sphere in metres.
const LEAST_CATCH: f64 = 0.05;
/// Points by which the part of the sphere that is seen from the microphone is found.
const SPHERE_POINTS: usize = 1_024;

/// Something a ray did that microphones may hear. Amplitudes are roots of energy, in units in which a source sends
/// out 4 pi.
enum Event {
    /// It was scattered at a place on a facet, after so many metres.
    Scattered { facet: usize, place: DVec3, travelled: f64, amplitudes: Bands },
    /// It passed after a mirror reflection.
    Passed(Passage),
}

/// A straight piece of a ray after a mirror reflection.
struct Passage {
    origin: DVec3,
    direction: DVec3,
    reach: f64,
    /// Metres to where the ray was scattered last, and from there to the origin.
    before: f64,
    since: f64,
    /// From 0 to 1: which point of the piece speaks for all.
    chance: f64,
    amplitudes: Bands,
}

/// What all rays of a source have done.
pub(super) struct Rays {
    source: DVec3,
    events: Vec<Event>,
    catch_radius: f64,
}

/// How rays are traced.
pub(super) struct RaySettings<'a> {
    pub(super) source: &'a Source,
    pub(super) microphones: &'a [DVec3],
    pub(super) count: usize,
    pub(super) seed: u64,
    /// Pure mirror reflections up to this order are images.
    pub(super) image_order: u32,
    /// Metres sound travels within the response.
    pub(super) reach: f64,
    pub(super) volume: f64,
    pub(super) area: f64,
    pub(super) mean_absorption: Octaves,
    pub(super) speed_of_sound: f64,
    /// Energy the air takes, by octave, in 1/m.
    pub(super) air_loss: Octaves,
}

/// A ray under way.
#[derive(Clone)]
struct Ray {
    origin: DVec3,
    direction: DVec3,
    before: f64,
    since: f64,
    energies: Bands,
    /// What it started with.
    start: Bands,
    reflections: u32,
    scattered: bool,
    mirrored_last: bool,
    dice: Dice,
}

impl Rays {
    /// `None` when `progress` said stop.
    pub(super) fn trace(
        scene: &Scene,
        settings: &RaySettings,
        progress: &(dyn Fn(f64) -> ControlFlow<()> + Sync),
    ) -> Option<Self> {
        let per_second = settings.count as f64 * settings.speed_of_sound / settings.volume;
        let sparse = CATCH * settings.volume.cbrt();
        let dense = (DENSE / (per_second * std::f64::consts::PI)).sqrt();
        let tracer = Tracer {
            scene,
            settings,
            catch_radius: sparse.min(dense).max(LEAST_CATCH),
            hits_per_second: per_second * settings.area / 4.0,
            wall_loss: settings
                .mean_absorption
                .map(|absorption| -(1.0 - absorption).ln() * settings.area / (4.0 * settings.volume)),
            turn: Turn::random(settings.seed),
            done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            progress,
        };
        let per_ray: Vec<Vec<Event>> =
            (0..settings.count).into_par_iter().with_min_len(16).map(|ray| tracer.trace(ray)).collect();
        if tracer.stopped.load(Ordering::Relaxed) {
            return None;
        }
        Some(Self {
            source: settings.source.position.into(),
            events: per_ray.into_iter().flatten().collect(),
            catch_radius: tracer.catch_radius,
        })
    }

    /// What a microphone hears of them.
    pub(super) fn arrivals(&self, scene: &Scene, microphone: DVec3) -> impl Iterator<Item = Arrival> {
        let sphere = Sphere::new(scene, microphone, self.catch_radius);
        let least = self.source.distance(microphone);
        self.events.iter().filter_map(move |event| match event {
            Event::Scattered { facet, place, travelled, amplitudes } => {
                let share = rain(scene, *facet, *place, microphone)?;
                let distance = travelled + place.distance(microphone);
                Some(arrival(distance, share, amplitudes))
            }
            Event::Passed(passage) => {
                let share = sphere.caught(scene, passage)?;
                let virtual_source = passage.origin - passage.since * passage.direction;
                // Nothing is faster than the straight way, not even the mean over a sphere.
                let distance = (passage.before + virtual_source.distance(microphone)).max(least);
                Some(arrival(distance, share, &passage.amplitudes))
            }
        })
    }
}

/// Fluence at a microphone for one unit of energy scattered at a place, in 1/m².
fn rain(scene: &Scene, facet: usize, place: DVec3, microphone: DVec3) -> Option<f64> {
    let height = scene.facets[facet].height(microphone);
    if height <= 0.0 || !scene.is_clear(microphone, place) {
        return None;
    }
    let across = place.distance_squared(microphone) - height * height;
    let height = height.max(CLOSEST_TO_PLANE);
    // cos / (pi r²), with cos = height / r.
    Some(height / (std::f64::consts::PI * (across.max(0.0) + height * height).powf(1.5)))
}

fn arrival(distance: f64, share: f64, amplitudes: &Bands) -> Arrival {
    let gain = share.sqrt() as f32;
    Arrival { distance, amplitudes: amplitudes.map(|amplitude| gain * amplitude) }
}

struct Tracer<'a> {
    scene: &'a Scene,
    settings: &'a RaySettings<'a>,
    catch_radius: f64,
    hits_per_second: f64,
    /// Energy that surfaces take from a diffuse field, by octave, in 1/m.
    wall_loss: Octaves,
    turn: Turn,
    done: AtomicUsize,
    stopped: AtomicBool,
    progress: &'a (dyn Fn(f64) -> ControlFlow<()> + Sync),
}

impl Tracer<'_> {
    fn trace(&self, number: usize) -> Vec<Event> {
        if self.stopped.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let settings = self.settings;
        let direction = self.turn.apply(spiral(number, settings.count));
        let per_ray = 4.0 * std::f64::consts::PI / settings.count as f64;
        let energies = settings
            .source
            .amplitude_towards(direction)
            .map(|amplitude| (per_ray * amplitude * amplitude) as f32);
        let mut waiting = vec![Ray {
            origin: settings.source.position.into(),
            direction,
            before: 0.0,
            since: 0.0,
            energies,
            start: energies,
            reflections: 0,
            scattered: false,
            mirrored_last: false,
            dice: Dice::new(settings.seed, [number as u64]),
        }];
        let mut events = Vec::new();
        while let Some(ray) = waiting.pop() {
            self.follow(ray, &mut waiting, &mut events);
        }
        let done = 1 + self.done.fetch_add(1, Ordering::Relaxed);
        if done.is_multiple_of(256) && (self.progress)(done as f64 / settings.count as f64).is_break() {
            self.stopped.store(true, Ordering::Relaxed);
        }
        events
    }

    /// Follows a ray to its end. What parts from it waits.
    fn follow(&self, mut ray: Ray, waiting: &mut Vec<Ray>, events: &mut Vec<Event>) {
        while let Some(hit) = self.scene.first_hit(ray.origin, ray.direction) {
            self.note_passage(&mut ray, hit.distance, events);
            if !self.arrive(&mut ray, hit) {
                return;
            }
            self.note_scattering(&mut ray, hit, events);
            if let Some(other) = self.leave(&mut ray, hit) {
                waiting.push(other);
            }
        }
    }

    /// The piece of the ray up to its next reflection, if a microphone could hear it.
    fn note_passage(&self, ray: &mut Ray, reach: f64, events: &mut Vec<Event>) {
        let counted_elsewhere = !ray.scattered && ray.reflections <= self.settings.image_order;
        if !ray.mirrored_last || counted_elsewhere {
            return;
        }
        // Drawn whether or not a microphone is near: what one hears does not depend on the others.
        let (sign, chance) = (ray.sign(), ray.dice.roll());
        let near = |&microphone: &DVec3| {
            let along = (microphone - ray.origin).dot(ray.direction).clamp(0.0, reach);
            let nearest = ray.origin + along * ray.direction;
            nearest.distance_squared(microphone) < self.catch_radius * self.catch_radius
        };
        if self.settings.microphones.iter().any(near) {
            events.push(Event::Passed(Passage {
                origin: ray.origin,
                direction: ray.direction,
                reach,
                before: ray.before,
                since: ray.since,
                chance,
                amplitudes: ray.energies.map(|energy| sign * energy.sqrt()),
            }));
        }
    }

    /// Moves a ray to where it hits and takes what the surface absorbs. Says whether anything is left.
    fn arrive(&self, ray: &mut Ray, hit: Hit) -> bool {
        ray.origin += hit.distance * ray.direction;
        ray.since += hit.distance;
        ray.reflections += 1;
        let travelled = ray.before + ray.since;
        if travelled > self.settings.reach || ray.reflections > MOST_REFLECTIONS {
            return false;
        }
        let reflected = &self.scene.reflections[self.scene.facets[hit.facet].surface].reflected;
        for (band, energy) in ray.energies.iter_mut().enumerate() {
            *energy *= reflected[band];
            if *energy <= ENERGY_LEFT * ray.start[band] {
                *energy = 0.0;
            }
        }
        // The air acts when the response is put together; here it only says when to stop.
        (0..BAND_COUNT).any(|band| {
            let air = (-self.settings.air_loss[band] * travelled).exp() as f32;
            ray.energies[band] * air > ENERGY_LEFT * ray.start[band]
        })
    }

    /// What the surface scatters towards the microphones; where that is dense, some for all.
    fn note_scattering(&self, ray: &mut Ray, hit: Hit, events: &mut Vec<Event>) {
        let scattered = &self.scene.reflections[self.scene.facets[hit.facet].surface].scattered;
        let travelled = ray.before + ray.since;
        // How much it scatters, measured by what is usual at that time: what is faint has a small chance to be heard,
        // and is then loud, so that the few events there are weigh about the same.
        let strongest = (0..BAND_COUNT).fold(0.0_f32, |most, band| {
            let usual = ray.start[band] * (-self.wall_loss[band] * travelled).exp() as f32;
            let share = scattered[band] * ray.energies[band] / usual.max(f32::MIN_POSITIVE);
            most.max(share)
        });
        let density = if travelled < EARLY_METRES {
            EARLY_DENSE
        } else {
            DENSE * f64::from(strongest).clamp(LEAST_WEIGHT, MOST_WEIGHT)
        };
        let chance = (density / self.hits_per_second).min(1.0);
        if strongest > 0.0 && ray.dice.roll() < chance {
            let sign = ray.sign();
            let amplitudes = std::array::from_fn(|band| {
                sign * (ray.energies[band] * scattered[band] / chance as f32).sqrt()
            });
            events.push(Event::Scattered { facet: hit.facet, place: ray.origin, travelled, amplitudes });
        }
    }

    /// Sends the ray on, scattered or mirrored. Octaves that go the other way are returned.
    fn leave(&self, ray: &mut Ray, hit: Hit) -> Option<Ray> {
        let facet = &self.scene.facets[hit.facet];
        let scattered = &self.scene.reflections[facet.surface].scattered;
        let threshold = ray.dice.roll() as f32;
        let is_scattered = |band: usize| scattered[band] > threshold;
        let alive = |band: &usize| ray.energies[*band] > 0.0;
        let some_scattered = (0..BAND_COUNT).filter(alive).any(is_scattered);
        let some_mirrored = !(0..BAND_COUNT).filter(alive).all(is_scattered);
        if !some_scattered {
            ray.mirror(facet.normal);
            return None;
        }
        if !some_mirrored {
            ray.scatter(facet.normal);
            return None;
        }
        let mut other = ray.clone();
        other.dice = Dice::new(ray.dice.next(), []);
        for band in 0..BAND_COUNT {
            let gone = if is_scattered(band) { &mut ray.energies } else { &mut other.energies };
            gone[band] = 0.0;
        }
        ray.mirror(facet.normal);
        other.scatter(facet.normal);
        Some(other)
    }
}

impl Ray {
    fn sign(&mut self) -> f32 {
        if self.dice.next() & 1 == 0 { 1.0 } else { -1.0 }
    }

    fn mirror(&mut self, normal: DVec3) {
        self.direction = (self.direction - 2.0 * self.direction.dot(normal) * normal).normalize();
        self.mirrored_last = true;
    }

    /// A direction by Lambert's law.
    fn scatter(&mut self, normal: DVec3) {
        let (u, v) = normal.any_orthonormal_pair();
        let (sin, cos) = (std::f64::consts::TAU * self.dice.roll()).sin_cos();
        let radius_squared = self.dice.roll();
        let radius = radius_squared.sqrt();
        self.direction =
            (radius * cos * u + radius * sin * v + (1.0 - radius_squared).sqrt() * normal).normalize();
        self.before += self.since;
        self.since = 0.0;
        self.scattered = true;
        self.mirrored_last = false;
    }
}

/// A sphere around a microphone that catches rays.
struct Sphere {
    centre: DVec3,
    radius: f64,
    /// Of the part that is seen from the centre, in m³.
    volume: f64,
}

impl Sphere {
    fn new(scene: &Scene, centre: DVec3, radius: f64) -> Self {
        let seen = (0..SPHERE_POINTS)
            .map(|point| {
                let depth = ((point as f64 + 0.5) / SPHERE_POINTS as f64).cbrt();
                centre + radius * depth * spiral(point * 619 % SPHERE_POINTS, SPHERE_POINTS)
            })
            .filter(|&point| scene.is_seen(centre, point))
            .count();
        let share = seen as f64 / SPHERE_POINTS as f64;
        Self { centre, radius, volume: share * 4.0 / 3.0 * std::f64::consts::PI * radius.powi(3) }
    }

    /// Mean fluence in the sphere for one unit of energy on the way, in 1/m².
    fn caught(&self, scene: &Scene, passage: &Passage) -> Option<f64> {
        let to_centre = self.centre - passage.origin;
        let along = to_centre.dot(passage.direction);
        let half_squared = self.radius * self.radius - (to_centre.length_squared() - along * along);
        if half_squared <= 0.0 {
            return None;
        }
        let half = half_squared.sqrt();
        let (enter, leave) = ((along - half).max(0.0), (along + half).min(passage.reach));
        // A random point speaks for the chord, so that the seen part counts, on average, by its length.
        let point = passage.origin + (enter + passage.chance * (leave - enter)) * passage.direction;
        (leave > enter && scene.is_clear(self.centre, point)).then(|| (leave - enter) / self.volume)
    }
}

/// Points spread evenly over the unit sphere: the golden spiral (Swinbank and Purser, Q. J. R. Meteorol. Soc. 132,
/// 2006).
fn spiral(number: usize, count: usize) -> DVec3 {
    let height = 1.0 - (2 * number + 1) as f64 / count as f64;
    let across = (1.0 - height * height).sqrt();
    let golden_angle = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    let (sin, cos) = (golden_angle * number as f64).sin_cos();
    DVec3::new(across * cos, across * sin, height)
}

/// A rotation.
struct Turn([DVec3; 3]);

impl Turn {
    /// Any, with the same probability.
    fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed, [u64::MAX]);
        let height = 2.0 * dice.roll() - 1.0;
        let (sin, cos) = (std::f64::consts::TAU * dice.roll()).sin_cos();
        let across = (1.0 - height * height).sqrt();
        let axis = DVec3::new(across * cos, across * sin, height);
        let (u, v) = axis.any_orthonormal_pair();
        let (sin, cos) = (std::f64::consts::TAU * dice.roll()).sin_cos();
        Self([cos * u + sin * v, cos * v - sin * u, axis])
    }

    fn apply(&self, direction: DVec3) -> DVec3 {
        direction.x * self.0[0] + direction.y * self.0[1] + direction.z * self.0[2]
    }
}
