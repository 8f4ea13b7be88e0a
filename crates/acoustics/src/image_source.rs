//! Image sources of a box-shaped room (Allen and Berkley, JASA 65, 1979), in octave bands.
//!
//! Three things go beyond the textbook:
//! - every image but the direct sound is displaced at random by some centimetres, since the regular
//!   lattice of a perfect box would sweep audibly (De Sena, Antonello, Moonen and van Waterschoot,
//!   IEEE/ACM TASLP 23, 2015);
//! - a share of the energy is scattered at each reflection and from then on decays like a diffuse field
//!   (Eyring), because a bare box with unequal walls rings far longer than a furnished room does. The
//!   scattered energy keeps its image's arrival time: a model of the decay, not of single scattered paths;
//! - where images arrive more densely than anyone can hear apart, images drawn at random stand for all,
//!   each louder to keep the energy. So the cost of a long tail grows with its length, not with its cube.
//!   By then their signs are random too, so that they add up in energy; the textbook's positive pulses
//!   would add up to a pressure offset whose end could be heard.
//!
//! Random choices are functions of the seed and of which image (or draw) it is, so they do not depend on
//! the microphone, the number of threads, or the length of the response.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    band::BAND_COUNT,
    dice::Dice,
    rir::{Rir, RirError},
    room::{BoxRoom, Position},
    synthesis::{Arrival, Synthesis},
};

/// How much longer than the longest Eyring time a response is when nothing else is asked: 75 dB of decay.
const LENGTH_PER_REVERBERATION_TIME: f64 = 1.25;
/// A response is never longer than this, in seconds.
const LONGEST: f64 = 20.0;
/// Source and microphone are never closer than this, in metres: 1/r knows no bound.
const CLOSEST: f64 = 0.01;

/// How image sources are computed. As a file it may leave out any field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageSourceSettings {
    /// Samples per second, 8 000 to 192 000.
    pub sample_rate: u32,
    /// Length of the response in seconds, at most 20; by default 1.25 times the longest Eyring time among
    /// the octaves.
    pub length_seconds: Option<f64>,
    /// Most reflections of a path; by default as many as arrive within the response.
    pub max_order: Option<u32>,
    /// Largest random displacement of an image along each axis in metres, 0 to 0.5.
    pub jitter_metres: f64,
    /// Share of the energy that a reflection scatters, 0 (bare walls, specular) to 1; around 0.3 for
    /// furnished rooms.
    pub scattering: f64,
    /// Density from which images drawn at random stand for all, at least 1 000; `None` computes every one.
    pub max_reflections_per_second: Option<f64>,
    /// Same seed, same response.
    pub seed: u64,
}

impl Default for ImageSourceSettings {
    fn default() -> Self {
        Self {
            sample_rate: 16_000,
            length_seconds: None,
            max_order: None,
            jitter_metres: 0.08,
            scattering: 0.3,
            max_reflections_per_second: Some(50_000.0),
            seed: 0,
        }
    }
}

/// Why no response can be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// A place beyond the walls.
    #[error("{what} at {position} m is outside the room, which reaches from (0, 0, 0) to {size} m")]
    Outside {
        /// `the source` or `microphone 3`.
        what: String,
        /// Where it was put.
        position: Position,
        /// The room's far corner.
        size: Position,
    },
    /// Source and microphone at one place.
    #[error("microphone {0} is less than 1 cm from the source; move one of them")]
    TooClose(usize),
    /// A setting out of range.
    #[error("{name} is {value}; it must lie between {least} and {most}")]
    Setting {
        /// The field.
        name: &'static str,
        /// What it holds.
        value: f64,
        /// Least value allowed.
        least: f64,
        /// Largest value allowed.
        most: f64,
    },
    /// A length in which the direct sound does not even arrive.
    #[error("the response ends before any sound arrives; lengthen it")]
    TooShort(#[from] RirError),
}

/// One image of the source: where it is, and its amplitude in each octave at 1 m without air.
struct Image {
    position: [f64; 3],
    amplitudes: [f32; BAND_COUNT],
}

impl Image {
    fn arrival(&self, microphone: Position) -> Arrival {
        let [x, y, z] = self.position;
        let distance = Position::new(x, y, z).distance(microphone);
        Arrival { distance, amplitudes: self.amplitudes.map(|amplitude| amplitude / distance as f32) }
    }
}

/// Responses from one source to each microphone, in their order. All microphones hear the same images,
/// so they form a coherent array.
///
/// Same input, same bits, on any number of threads.
///
/// # Errors
/// [`SimulationError`] when a place is outside the room or a setting out of range.
pub fn image_source_rirs(
    room: &BoxRoom,
    source: Position,
    microphones: &[Position],
    settings: &ImageSourceSettings,
) -> Result<Vec<Rir>, SimulationError> {
    check(room, source, microphones, settings)?;
    let seconds = settings.length_seconds.unwrap_or_else(|| default_length(room));
    let images = reflections(room, source, seconds, settings);
    let synthesis = Synthesis::new(room.air(), settings.sample_rate, seconds);
    let response = |&microphone: &Position| {
        let distance = source.distance(microphone);
        let direct = Arrival { distance, amplitudes: [1.0 / distance as f32; BAND_COUNT] };
        let reflections = images.iter().map(|image| image.arrival(microphone));
        let samples = synthesis.response(Some(direct), reflections);
        Ok(Rir::new(settings.sample_rate, samples)?)
    };
    microphones.par_iter().map(response).collect()
}

fn default_length(room: &BoxRoom) -> f64 {
    // Even a dead room needs time for the direct sound to cross it.
    let crossing = room.size().distance(Position::new(0.0, 0.0, 0.0)) / room.air().speed_of_sound();
    let longest = room.eyring_time().into_iter().fold(0.0, f64::max);
    (LENGTH_PER_REVERBERATION_TIME * longest).max(2.0 * crossing).min(LONGEST)
}

/// The images of a source in a room, by how often each is mirrored along each axis. They fill space with
/// one in every copy of the room.
struct Lattice<'a> {
    settings: &'a ImageSourceSettings,
    size: [f64; 3],
    axes: [Vec<Mirrored>; 3],
    max_order: u32,
    scattering: Scattering,
    /// Distance from the room's centre at which the images become too dense, in metres.
    dense_from: f64,
    /// Metres between the arrivals of images drawn from there on.
    spacing: f64,
}

/// All images but the source itself that can be heard within the response; where they are too dense, some.
fn reflections(room: &BoxRoom, source: Position, seconds: f64, settings: &ImageSourceSettings) -> Vec<Image> {
    let half_diagonal = 0.5 * room.size().distance(Position::new(0.0, 0.0, 0.0));
    let reach = room.air().speed_of_sound() * seconds + half_diagonal;
    let lattice = Lattice::new(room, source, reach, settings);
    let mut images = lattice.all_within(reach.min(lattice.dense_from));
    images.extend(lattice.draw(reach));
    images
}

impl<'a> Lattice<'a> {
    fn new(room: &BoxRoom, source: Position, reach: f64, settings: &'a ImageSourceSettings) -> Self {
        let (size, source) = (room.size().coordinates(), source.coordinates());
        let walls = room.surfaces().by_axis();
        let axes = std::array::from_fn(|axis| {
            let reflectance =
                walls[axis].map(|material| material.absorption().map(|absorbed| 1.0 - absorbed));
            mirrored(size[axis], source[axis], &reflectance, reach)
        });
        // At distance d, 4 pi c d^2 / V images arrive per second.
        let spacing =
            room.air().speed_of_sound() / settings.max_reflections_per_second.unwrap_or(f64::INFINITY);
        let dense_from = (room.volume() / (4.0 * std::f64::consts::PI * spacing)).sqrt();
        let max_order = settings.max_order.unwrap_or(u32::MAX);
        let scattering = Scattering::new(room, settings);
        Self { settings, size, axes, max_order, scattering, dense_from, spacing }
    }

    /// Every image within `reach` of the room's centre.
    fn all_within(&self, reach: f64) -> Vec<Image> {
        let [xs, ys, zs] = &self.axes;
        let too_far = |order, squared| order > self.max_order || squared > reach * reach;
        let mut images = Vec::new();
        for x in xs {
            for y in ys {
                if too_far(x.order + y.order, x.squared + y.squared) {
                    continue;
                }
                for z in zs {
                    if !too_far(x.order + y.order + z.order, x.squared + y.squared + z.squared) {
                        let dice = Dice::new(
                            self.settings.seed,
                            [x, y, z].map(|m| u64::from(m.index.cast_unsigned())),
                        );
                        images.extend(self.image([x, y, z], 1.0, dice));
                    }
                }
            }
        }
        images
    }

    /// One image for each shell of the spacing from where they are dense to `reach`, in a random direction,
    /// as loud as all images in that shell together.
    fn draw(&self, reach: f64) -> impl Iterator<Item = Image> {
        let shells = ((reach - self.dense_from).max(0.0) / self.spacing) as u64;
        (0..shells).filter_map(move |shell| {
            let mut dice = Dice::new(self.settings.seed, [shell]);
            let distance = self.dense_from + self.spacing * (shell as f64 + dice.roll());
            let height = 2.0 * dice.roll() - 1.0;
            let (sin, cos) = (std::f64::consts::TAU * dice.roll()).sin_cos();
            let across = (1.0 - height * height).sqrt();
            let direction = [across * cos, across * sin, height];
            let nearest: [Option<&Mirrored>; 3] = std::array::from_fn(|axis| {
                let copy = (distance * direction[axis] / self.size[axis] + 0.5).floor() as isize;
                let middle = self.axes[axis].len() / 2;
                self.axes[axis].get(middle.checked_add_signed(copy)?)
            });
            let [Some(x), Some(y), Some(z)] = nearest else { return None };
            self.image([x, y, z], (distance / self.dense_from) as f32, dice)
        })
    }

    /// One image, unless it is the source itself or its order too high.
    fn image(&self, along: [&Mirrored; 3], gain: f32, mut dice: Dice) -> Option<Image> {
        let order = along.iter().map(|m| m.order).sum();
        if order == 0 || order > self.max_order {
            return None;
        }
        let position = along.map(|m| m.at + self.settings.jitter_metres * (2.0 * dice.roll() - 1.0));
        let [x, y, z] = along;
        let specular = std::array::from_fn(|band| x.energy[band] * y.energy[band] * z.energy[band]);
        let distance = (x.squared + y.squared + z.squared).sqrt();
        let gain = if dice.roll() < self.flipped_share(distance) { -gain } else { gain };
        let amplitudes =
            self.scattering.energies(specular, order, distance).map(|energy| gain * energy.sqrt());
        Some(Image { position, amplitudes })
    }

    /// Share of images at this distance whose sign is turned: none early on, half where they are dense.
    fn flipped_share(&self, distance: f64) -> f64 {
        let way = (2.0 * distance / self.dense_from - 1.0).clamp(0.0, 1.0);
        0.5 * (std::f64::consts::FRAC_PI_2 * way).sin().powi(2)
    }
}

/// The source mirrored along one axis.
struct Mirrored {
    /// Which image: its magnitude counts the reflections, its sign says towards which wall.
    index: i32,
    order: u32,
    at: f64,
    /// Square of the distance from the room's centre.
    squared: f64,
    /// Energy left after all reflections on the way, by octave.
    energy: [f32; BAND_COUNT],
}

/// All images along one axis within `reach` of the room's centre and a little beyond, the source itself in
/// the middle.
fn mirrored(size: f64, source: f64, reflectance: &[[f64; BAND_COUNT]; 2], reach: f64) -> Vec<Mirrored> {
    let farthest = ((reach / size).ceil() as u32 + 1).cast_signed();
    (-farthest..=farthest)
        .map(|index| {
            let order = index.unsigned_abs();
            // Every other copy of the room is a mirror image.
            let place = if index % 2 == 0 { source } else { size - source };
            let at = f64::from(index) * size + place;
            // Walls alternate along the path, the one on the image's side being hit once more if the count is odd.
            let (fewer, more) = ((order / 2).cast_signed(), order.div_ceil(2).cast_signed());
            let counts = if index > 0 { [fewer, more] } else { [more, fewer] };
            let energy = std::array::from_fn(|band| {
                (reflectance[0][band].powi(counts[0]) * reflectance[1][band].powi(counts[1])) as f32
            });
            Mirrored { index, order, at, squared: (at - 0.5 * size).powi(2), energy }
        })
        .collect()
}

/// Mixes the specular energy of a path with that of a diffuse field.
struct Scattering {
    specular_share: f32,
    diffuse_loss: [f32; BAND_COUNT],
}

impl Scattering {
    fn new(room: &BoxRoom, settings: &ImageSourceSettings) -> Self {
        Self {
            specular_share: (1.0 - settings.scattering) as f32,
            diffuse_loss: room.wall_loss().map(|loss| loss as f32),
        }
    }

    fn energies(&self, specular: [f32; BAND_COUNT], order: u32, distance: f64) -> [f32; BAND_COUNT] {
        let never_scattered = self.specular_share.powi(order.cast_signed());
        if never_scattered >= 1.0 {
            return specular;
        }
        std::array::from_fn(|band| {
            let diffuse = (-self.diffuse_loss[band] * distance as f32).exp();
            never_scattered * specular[band] + (1.0 - never_scattered) * diffuse
        })
    }
}

fn check(
    room: &BoxRoom,
    source: Position,
    microphones: &[Position],
    settings: &ImageSourceSettings,
) -> Result<(), SimulationError> {
    let within = |name, value: f64, least, most| {
        let inside = (least..=most).contains(&value);
        if inside { Ok(()) } else { Err(SimulationError::Setting { name, value, least, most }) }
    };
    within("sample_rate", f64::from(settings.sample_rate), 8_000.0, 192_000.0)?;
    within("length_seconds", settings.length_seconds.unwrap_or(1.0), 0.001, LONGEST)?;
    within("jitter_metres", settings.jitter_metres, 0.0, 0.5)?;
    within("scattering", settings.scattering, 0.0, 1.0)?;
    within("max_reflections_per_second", settings.max_reflections_per_second.unwrap_or(1e3), 1e3, f64::MAX)?;

    let inside = |position: Position, what: &dyn Fn() -> String| {
        let outside = || SimulationError::Outside { what: what(), position, size: room.size() };
        if room.contains(position) { Ok(()) } else { Err(outside()) }
    };
    inside(source, &|| "the source".to_owned())?;
    for (index, &microphone) in microphones.iter().enumerate() {
        inside(microphone, &|| format!("microphone {index}"))?;
        if microphone.distance(source) < CLOSEST {
            return Err(SimulationError::TooClose(index));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;
    use crate::{Air, Material, OCTAVES, Octaves, Surfaces, room_acoustics};

    /// 0.1 to 0.6, a different absorption for each surface, the same in all octaves unless told.
    fn surfaces(absorption: impl Fn(usize) -> Octaves) -> Surfaces {
        let material = |index| Material::new(format!("wall {index}"), absorption(index)).unwrap();
        Surfaces {
            west: material(0),
            east: material(1),
            south: material(2),
            north: material(3),
            floor: material(4),
            ceiling: material(5),
        }
    }

    fn room(surfaces: Surfaces) -> BoxRoom {
        BoxRoom::new(Position::new(6.0, 5.0, 3.0), surfaces, Air::default()).unwrap()
    }

    fn uniform(absorption: f64) -> BoxRoom {
        room(surfaces(|_| [absorption; BAND_COUNT]))
    }

    const SOURCE: Position = Position { x: 1.2, y: 3.9, z: 1.7 };
    const MICROPHONE: Position = Position { x: 4.1, y: 1.3, z: 1.1 };

    fn textbook() -> ImageSourceSettings {
        ImageSourceSettings {
            jitter_metres: 0.0,
            scattering: 0.0,
            max_reflections_per_second: None,
            ..ImageSourceSettings::default()
        }
    }

    fn one(room: &BoxRoom, settings: &ImageSourceSettings) -> Rir {
        image_source_rirs(room, SOURCE, &[MICROPHONE], settings).unwrap().remove(0)
    }

    /// The response's Fourier transform at one frequency: real and imaginary part.
    fn transform(rir: &Rir, hz: f64) -> [f64; 2] {
        rir.samples().iter().enumerate().fold([0.0; 2], |[re, im], (n, &s)| {
            let (sin, cos) = (TAU * hz * n as f64 / f64::from(rir.sample_rate())).sin_cos();
            [re + f64::from(s) * cos, im - f64::from(s) * sin]
        })
    }

    #[test]
    fn up_to_second_order_every_image_has_the_time_and_level_of_its_reflections() {
        // The 25 images by their definition, written out along each axis: place and surfaces hit.
        let axis = |size: f64, at: f64, first: usize| {
            let second = first + 1;
            vec![
                (at, vec![]),
                (-at, vec![first]),
                (2.0 * size - at, vec![second]),
                (2.0 * size + at, vec![second, first]),
                (at - 2.0 * size, vec![first, second]),
            ]
        };
        let absorption = |surface: usize, band: usize| 0.1 * (surface + 1) as f64 - 0.01 * band as f64;
        let room = room(surfaces(|surface| std::array::from_fn(|band| absorption(surface, band))));
        let rir = one(&room, &ImageSourceSettings { max_order: Some(2), ..textbook() });
        // At a band's centre no other band has a part. Above 500 Hz the high-pass is out of the way.
        for (band, hz) in OCTAVES.into_iter().enumerate().take(7).skip(3) {
            let (mut expected, mut magnitude) = ([0.0; 2], 0.0);
            for (x, hit_x) in axis(6.0, SOURCE.x, 0) {
                for (y, hit_y) in axis(5.0, SOURCE.y, 2) {
                    for (z, hit_z) in axis(3.0, SOURCE.z, 4) {
                        let hit: Vec<usize> = [&hit_x[..], &hit_y, &hit_z].concat();
                        if hit.len() > 2 {
                            continue;
                        }
                        let distance = Position::new(x, y, z).distance(MICROPHONE);
                        let kept: f64 = hit.iter().map(|&s| 1.0 - absorption(s, band)).product();
                        let air = (-0.5 * Air::default().energy_loss()[band] * distance).exp();
                        let amplitude = kept.sqrt() * air / distance;
                        let (sin, cos) = (TAU * hz * distance / 343.2).sin_cos();
                        expected = [expected[0] + amplitude * cos, expected[1] - amplitude * sin];
                        magnitude += amplitude;
                    }
                }
            }
            let actual = transform(&rir, hz);
            let error = (actual[0] - expected[0]).hypot(actual[1] - expected[1]);
            // The high-pass turns the phase by sqrt(2) * 40 Hz / f, and no more is allowed.
            let allowed = magnitude * (2_f64.sqrt() * 40.0 / hz + 0.005);
            assert!(error < allowed, "{hz} Hz: {actual:?}, expected {expected:?}");
        }
    }

    #[test]
    fn the_direct_sound_arrives_on_time_with_one_over_r() {
        let rir = one(&uniform(0.99), &ImageSourceSettings { max_order: Some(0), ..textbook() });
        let distance = SOURCE.distance(MICROPHONE);
        for hz in [200.0, 1_000.0, 4_000.0] {
            let [re, im] = transform(&rir, hz);
            let air = 10_f64.powf(-Air::default().attenuation(hz) * distance / 20.0);
            assert!((re.hypot(im) * distance / air - 1.0).abs() < 1e-3, "{hz} Hz");
            let phase = (-TAU * hz * distance / 343.2 - im.atan2(re)).rem_euclid(TAU);
            assert!(phase.min(TAU - phase) < 2e-3, "{hz} Hz: {phase}");
        }
        // At 1 m, before the air takes its 1 to 100 thousandths of a decibel, the reference is 1.
        let near = Position::new(SOURCE.x + 1.0, SOURCE.y, SOURCE.z);
        let settings = ImageSourceSettings { max_order: Some(0), ..textbook() };
        let rir = image_source_rirs(&uniform(0.5), SOURCE, &[near], &settings).unwrap().remove(0);
        let [re, im] = transform(&rir, 500.0);
        assert!((re.hypot(im) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn an_order_of_17_has_7175_images_and_jitter_moves_each_by_no_more_than_asked() {
        // (2N+1)(2N^2+2N+3)/3 images up to order N, the source among them.
        let room = uniform(0.1);
        let settings = ImageSourceSettings { max_order: Some(17), length_seconds: Some(1.0), ..textbook() };
        let still = reflections(&room, SOURCE, 1.0, &settings);
        assert_eq!(still.len(), 7_174);
        let moved = reflections(&room, SOURCE, 1.0, &ImageSourceSettings { jitter_metres: 0.08, ..settings });
        let shifts: Vec<f64> = still.iter().zip(&moved).map(|(a, b)| b.position[1] - a.position[1]).collect();
        assert!(shifts.iter().all(|shift| shift.abs() <= 0.08));
        // Uniform: standard deviation 0.08 / sqrt(3).
        let deviation = (shifts.iter().map(|s| s * s).sum::<f64>() / shifts.len() as f64).sqrt();
        assert!((deviation / (0.08 / 3_f64.sqrt()) - 1.0).abs() < 0.03, "{deviation}");
    }

    #[test]
    fn thinning_keeps_the_decay_it_thins() {
        let room = uniform(0.2);
        let thinned = ImageSourceSettings { length_seconds: Some(0.5), ..ImageSourceSettings::default() };
        let full = ImageSourceSettings { max_reflections_per_second: None, ..thinned.clone() };
        let energy = |settings: &ImageSourceSettings| -> Vec<f64> {
            let samples = one(&room, settings);
            samples.samples().chunks(1_600).map(|c| c.iter().map(|s| f64::from(s * s)).sum()).collect()
        };
        for (thin, all) in energy(&thinned).iter().zip(energy(&full)) {
            let difference = 10.0 * (thin / all).log10();
            // 1 600 samples of noise have 0.15 dB of scatter each.
            assert!(difference.abs() < 0.7, "{difference}");
        }
        let count = |settings| reflections(&room, SOURCE, 0.5, settings).len();
        assert!(count(&thinned) < 30_000 && count(&full) > 200_000);
    }

    #[test]
    fn with_equal_walls_the_reverberation_time_is_eyrings() {
        // A scattering box is Eyring's assumption; 10 % is two just noticeable differences (ISO 3382-1).
        for absorption in [0.15, 0.4] {
            let room = uniform(absorption);
            let acoustics = room_acoustics(&one(&room, &ImageSourceSettings::default()));
            for octave in acoustics.octaves.iter().filter(|octave| octave.centre_hz >= 500.0) {
                let band = OCTAVES.iter().position(|&hz| hz >= octave.centre_hz).unwrap();
                let (t30, eyring) = (octave.field.t30.unwrap(), room.eyring_time()[band]);
                assert!(
                    (t30 / eyring - 1.0).abs() < 0.10,
                    "{absorption}: {t30} s, Eyring {eyring} s, {octave:?}"
                );
            }
        }
    }

    #[test]
    fn scattering_brings_a_box_of_unequal_walls_to_its_eyring_time() {
        // Hard walls, soft floor and ceiling: without scattering sound rings on between the walls.
        let room = room(surfaces(|surface| [if surface < 4 { 0.03 } else { 0.6 }; BAND_COUNT]));
        let t30_at_1_khz = |scattering, seconds| {
            let settings =
                ImageSourceSettings { length_seconds: Some(seconds), scattering, ..Default::default() };
            room_acoustics(&one(&room, &settings)).octaves[4].field.t30.unwrap()
        };
        let (eyring, scattered) = (room.eyring_time()[4], t30_at_1_khz(0.5, 0.6));
        assert!((scattered / eyring - 1.0).abs() < 0.10, "{scattered} against {eyring}");
        assert!(t30_at_1_khz(0.0, 4.0) > 2.0 * eyring);
    }

    #[test]
    fn a_response_has_no_offset() {
        let samples = one(&uniform(0.1), &ImageSourceSettings::default());
        let late = &samples.samples()[4_000..];
        let mean = late.iter().map(|&s| f64::from(s)).sum::<f64>() / late.len() as f64;
        let rms = (late.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / late.len() as f64).sqrt();
        assert!(mean.abs() < 0.01 * rms, "{mean} against {rms}");
    }

    #[test]
    fn microphones_close_together_hear_the_same_low_frequencies() {
        // Diffuse-field coherence of two points r apart is sin(kr)/kr: 0.99 at 500 Hz and 2.5 cm.
        let second = Position::new(MICROPHONE.x + 0.025, MICROPHONE.y, MICROPHONE.z);
        let rirs =
            image_source_rirs(&uniform(0.2), SOURCE, &[MICROPHONE, second], &ImageSourceSettings::default())
                .unwrap();
        let (mut cross, mut powers) = (0.0, [0.0; 2]);
        for hz in (300..500).step_by(2) {
            let [a, b] = [&rirs[0], &rirs[1]].map(|rir| transform(rir, f64::from(hz)));
            cross += a[0] * b[0] + a[1] * b[1];
            powers = [powers[0] + a[0] * a[0] + a[1] * a[1], powers[1] + b[0] * b[0] + b[1] * b[1]];
        }
        let coherence = cross / (powers[0] * powers[1]).sqrt();
        assert!(coherence > 0.97, "{coherence}");
    }

    #[test]
    fn the_same_input_gives_the_same_bits_on_any_number_of_threads() {
        let microphones: Vec<Position> =
            (0..6).map(|n| Position::new(0.5 + f64::from(n), 2.0, 1.5)).collect();
        let room = uniform(0.3);
        let run = |threads, seed| {
            let settings = ImageSourceSettings { seed, ..ImageSourceSettings::default() };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| image_source_rirs(&room, SOURCE, &microphones, &settings).unwrap())
        };
        assert_eq!(run(1, 4), run(3, 4));
        assert_ne!(run(1, 4), run(1, 5));
        let alone = image_source_rirs(
            &room,
            SOURCE,
            &microphones[2..3],
            &ImageSourceSettings { seed: 4, ..ImageSourceSettings::default() },
        );
        assert_eq!(alone.unwrap()[0], run(1, 4)[2]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_room_and_places_within_it_give_a_response(
            size in [0.5_f64..12.0, 0.5_f64..12.0, 0.5_f64..6.0],
            source in [0.01_f64..0.99, 0.01_f64..0.99, 0.01_f64..0.99],
            microphone in [0.01_f64..0.99, 0.01_f64..0.99, 0.01_f64..0.99],
            absorption in [0.0_f64..=1.0, 0.2_f64..=1.0, 0.2_f64..=1.0],
            scattering in 0.0_f64..=1.0,
        ) {
            let surfaces = surfaces(|index| [absorption[index % 3]; BAND_COUNT]);
            let room = BoxRoom::new(Position::new(size[0], size[1], size[2]), surfaces, Air::default()).unwrap();
            let place = |p: [f64; 3]| Position::new(p[0] * size[0], p[1] * size[1], p[2] * size[2]);
            let (source, microphone) = (place(source), place(microphone));
            prop_assume!(source.distance(microphone) > 0.02);
            let settings = ImageSourceSettings { scattering, length_seconds: Some(0.2), ..ImageSourceSettings::default() };
            let rir = image_source_rirs(&room, source, &[microphone], &settings).unwrap().remove(0);
            // Nothing sounds before the direct sound but the flank of its pulse.
            let arrival = source.distance(microphone) / 343.2 * 16_000.0;
            let before = (arrival - 80.0).max(0.0) as usize;
            let peak = rir.samples().iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
            prop_assert!(rir.samples()[..before].iter().all(|s| s.abs() < 0.02 * peak));
        }
    }

    #[test]
    fn impossible_places_and_settings_are_refused_with_a_reason() {
        let room = uniform(0.3);
        let refusal = |source, microphone, settings: &ImageSourceSettings| {
            image_source_rirs(&room, source, &[SOURCE, microphone][1..], settings).unwrap_err().to_string()
        };
        let standard = ImageSourceSettings::default();
        assert_eq!(
            refusal(Position::new(1.0, 9.0, 1.0), MICROPHONE, &standard),
            "the source at (1, 9, 1) m is outside the room, which reaches from (0, 0, 0) to (6, 5, 3) m"
        );
        assert!(
            refusal(SOURCE, Position::new(1.0, 1.0, 0.0), &standard)
                .starts_with("microphone 0 at (1, 1, 0) m")
        );
        assert!(refusal(SOURCE, SOURCE, &standard).starts_with("microphone 0 is less than 1 cm"));
        let setting = ImageSourceSettings { scattering: 1.5, ..standard.clone() };
        assert_eq!(refusal(SOURCE, MICROPHONE, &setting), "scattering is 1.5; it must lie between 0 and 1");
        let short = ImageSourceSettings { length_seconds: Some(0.002), ..standard };
        assert!(
            refusal(SOURCE, MICROPHONE, &short).starts_with("the response ends before any sound arrives")
        );
    }
}
