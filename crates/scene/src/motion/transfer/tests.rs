//! What movement sounds like, against theory.

use std::f64::consts::TAU;

use acoustics::{
    BoxRoom, ImageSourceSettings, ImageTransform, Material, MirrorPlane, Surfaces, image_source_rirs,
};

use super::*;
use crate::{
    Transfer,
    device::{BandLimit, Device, Edge},
    level::rms_level,
    motion::{Facing, WayPoint},
    noise,
};

const RATE: u32 = 16_000;
const SCATTERING: f64 = 0.3;

fn walk(from: [f64; 3], to: [f64; 3], speed: f64) -> Path {
    let points = [from, to].map(|[x, y, z]| WayPoint { place: Position::new(x, y, z), pause_s: 0.0 });
    Path::new(&points, speed, Facing::AlongPath).unwrap()
}

fn past(path: Path, microphones: &[[f64; 3]]) -> Motion {
    let microphones = microphones.iter().map(|&[x, y, z]| Position::new(x, y, z)).collect();
    Motion::Source { path, microphones }
}

fn free_field(motion: Motion) -> MovingTransfer {
    let direct = vec![EarlyPath::everywhere(ImageTransform::direct())];
    MovingTransfer::new(RATE, motion, Air::default(), Directivity::Omnidirectional, direct, vec![]).unwrap()
}

fn tone(hz: f64, seconds: f64) -> Vec<f32> {
    (0..(seconds * f64::from(RATE)) as u32)
        .map(|n| (TAU * hz * f64::from(n) / f64::from(RATE)).sin() as f32)
        .collect()
}

fn hear(transfer: &MovingTransfer, signal: &[f32]) -> Vec<Vec<f32>> {
    transfer.hear(signal, 0, 0, signal.len())
}

/// Phase and amplitude of a tone around a sample, by a Hann window of 40 ms.
fn phasor(samples: &[f32], hz: f64, middle: usize) -> (f64, f64) {
    let half = 320;
    let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate().take(middle + half + 1).skip(middle - half) {
        let away = (n as f64 - middle as f64) / half as f64;
        let window = 0.5 + 0.5 * (std::f64::consts::PI * away).cos();
        let angle = TAU * hz * n as f64 / f64::from(RATE);
        re += window * f64::from(sample) * angle.sin();
        im += window * f64::from(sample) * angle.cos();
        sum += window / 2.0;
    }
    (im.atan2(re), re.hypot(im) / sum)
}

/// Frequency by the slope of the phase between two samples.
fn frequency(samples: &[f32], near: f64, from: usize, to: usize) -> f64 {
    let step = 80;
    let mut turns = 0.0;
    for n in (from..to).step_by(step) {
        let change = phasor(samples, near, n + step).0 - phasor(samples, near, n).0;
        turns += change / TAU - (change / TAU).round();
    }
    let count = (from..to).step_by(step).count();
    near + turns / (count * step) as f64 * f64::from(RATE)
}

fn room() -> BoxRoom {
    let wall = Material::new("wall", [0.3, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55]).unwrap();
    BoxRoom::new(Position::new(6.0, 5.0, 3.0), Surfaces::uniform(&wall), Air::default()).unwrap()
}

fn settings() -> ImageSourceSettings {
    ImageSourceSettings {
        jitter_metres: 0.0,
        scattering: SCATTERING,
        length_seconds: Some(0.4),
        ..ImageSourceSettings::default()
    }
}

/// Images up to second order exactly, the rest of the image sources' responses at nodes.
fn in_room(motion: Motion, spacing: f64) -> MovingTransfer {
    let images = ImageTransform::up_to_order(&MirrorPlane::of_box(&room(), SCATTERING), 2);
    let nodes = nodes(&motion, spacing, &settings());
    let paths = images.into_iter().map(EarlyPath::everywhere).collect();
    let omnidirectional = Directivity::Omnidirectional;
    MovingTransfer::from_whole_responses(RATE, motion, Air::default(), omnidirectional, paths, nodes).unwrap()
}

fn nodes(motion: &Motion, spacing: f64, settings: &ImageSourceSettings) -> Vec<LateNode> {
    let node = |gone: f64| {
        let microphones: Vec<Position> =
            (0..motion.microphones()).map(|index| motion.microphone_after(index, gone)).collect();
        let responses = image_source_rirs(&room(), motion.source_after(gone), &microphones, settings);
        LateNode { gone, responses: responses.unwrap() }
    };
    motion.path().nodes(spacing).into_iter().map(node).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

#[test]
fn who_stands_at_a_node_is_heard_through_its_response() {
    let signal = noise::coughs(RATE, 16_000, 3);
    // They would walk on, but wait for ten seconds.
    let points = [([1.2, 3.9, 1.7], 10.0), ([2.0, 3.9, 1.7], 0.0)]
        .map(|([x, y, z], pause_s)| WayPoint { place: Position::new(x, y, z), pause_s });
    let path = Path::new(&points, 1.0, Facing::AlongPath).unwrap();
    let offsets = vec![DVec3::ZERO, DVec3::new(0.05, 0.02, 0.0)];
    let (source, facing) = (Position::new(4.1, 1.3, 1.1), DVec3::X);
    for motion in [
        past(path.clone(), &[[4.1, 1.3, 1.1], [4.1, 1.4, 1.1]]),
        Motion::Microphones { path, offsets, source, facing },
    ] {
        let still = nodes(&motion, 0.4, &settings()).remove(0).responses;
        let expected = Transfer::Still(&still).hear(&signal, 0, 0, 20_000);
        let heard = Transfer::Moving(&in_room(motion, 0.4)).hear(&signal, 0, 0, 20_000);
        for (heard, expected) in heard.iter().zip(&expected) {
            let loudest = expected.iter().fold(0.0_f32, |loudest, s| loudest.max(s.abs()));
            let difference = largest_difference(heard, expected);
            // -74 dB: the lowest octaves ring a little before time 0, where a response has no samples.
            assert!(difference < 2e-4 * loudest, "{difference} of {loudest}");
        }
    }
}

#[test]
fn every_path_counts_once() {
    // A response of nothing but the early paths leaves next to nothing for the nodes: the image sources' high-pass
    // at 40 Hz, which still turns the phase of a kilohertz by sqrt(2) * 40/1 000, and what lies above 7.5 kHz.
    let motion = past(walk([1.2, 3.9, 1.7], [1.6, 3.9, 1.7], 1.0), &[[4.1, 1.3, 1.1]]);
    let settings = ImageSourceSettings { max_order: Some(2), scattering: 0.0, ..settings() };
    let whole = nodes(&motion, 0.2, &settings);
    let images = ImageTransform::up_to_order(&MirrorPlane::of_box(&room(), 0.0), 2);
    let paths = images.into_iter().map(EarlyPath::everywhere).collect();
    let omnidirectional = Directivity::Omnidirectional;
    let (air, given) = (Air::default(), whole.clone());
    let transfer =
        MovingTransfer::from_whole_responses(RATE, motion, air, omnidirectional, paths, given).unwrap();
    let band = BandLimit {
        high_pass: Some(Edge { hz: 1_000.0, order: 8 }),
        low_pass: Some(Edge { hz: 6_000.0, order: 8 }),
    };
    for (late, whole) in transfer.late.iter().zip(&whole) {
        let mut both = [late[0].clone(), whole.responses[0].samples().to_vec()];
        Device { band: Some(band), ..Device::default() }.apply(&mut both, RATE).unwrap();
        let left = rms_level(&both[0]) - rms_level(&both[1]);
        assert!(left < -30.0, "{left} dB left");
    }
}

#[test]
fn a_moving_source_shifts_a_tone_by_c_over_c_minus_v() {
    let c = Air::default().speed_of_sound();
    for speed in [1.4, 10.0] {
        // Towards the microphone for a second, and away from it.
        let metres = speed * 1.2;
        for (from, to, sign) in [(metres + 1.0, 1.0, -1.0), (1.0, metres + 1.0, 1.0)] {
            let path = walk([from, 0.0, 0.0], [to, 0.0, 0.0], speed);
            let heard = hear(&free_field(past(path, &[[0.0; 3]])), &tone(1_000.0, 1.1)).remove(0);
            let expected = 1_000.0 * c / (c + sign * speed);
            let measured = frequency(&heard, expected.round(), 2_000, 16_000);
            assert!((measured / expected - 1.0).abs() < 1e-6, "{speed}: {measured}, expected {expected}");
        }
    }
}

#[test]
fn a_moving_microphone_hears_a_tone_shifted_by_c_plus_v_over_c() {
    let c = Air::default().speed_of_sound();
    let speed = 5.0;
    for (from, to, sign) in [(7.0, 1.0, 1.0), (1.0, 7.0, -1.0)] {
        let motion = Motion::Microphones {
            path: walk([from, 0.0, 0.0], [to, 0.0, 0.0], speed),
            offsets: vec![DVec3::ZERO],
            source: Position::new(0.0, 0.0, 0.0),
            facing: DVec3::X,
        };
        let heard = hear(&free_field(motion), &tone(1_000.0, 1.1)).remove(0);
        let expected = 1_000.0 * (c + sign * speed) / c;
        let measured = frequency(&heard, expected.round(), 2_000, 16_000);
        assert!((measured / expected - 1.0).abs() < 1e-6, "{measured}, expected {expected}");
    }
}

#[test]
fn the_level_follows_the_distance() {
    let path = walk([1.0, 0.0, 0.0], [4.0, 0.0, 0.0], 1.5);
    let heard = hear(&free_field(past(path.clone(), &[[0.0; 3]])), &tone(1_000.0, 2.0)).remove(0);
    for n in [4_000, 16_000, 28_000] {
        let made = n as f64 / f64::from(RATE);
        // The way grows by v while the sound travels.
        let distance = (1.0 + 1.5 * made) / (1.0 + 1.5 / Air::default().speed_of_sound());
        let air = (-0.5 * Air::default().energy_loss()[4] * distance).exp();
        let (_, amplitude) = phasor(&heard, 1_000.0 * 343.2 / 344.7, n);
        assert!((amplitude * distance / air - 1.0).abs() < 0.002, "{n}: {amplitude} at {distance} m");
    }
}

#[test]
fn a_tone_that_passes_by_stays_a_tone_without_clicks() {
    // In a room with everything: early paths, nodes, and a turn. What lies above the tone would be clicks.
    let points = [[1.0, 1.0, 1.5], [3.0, 2.0, 1.5], [3.5, 4.0, 1.5]]
        .map(|[x, y, z]| WayPoint { place: Position::new(x, y, z), pause_s: 0.0 });
    let path = Path::new(&points, 1.5, Facing::AlongPath).unwrap();
    let offsets = vec![DVec3::ZERO];
    let (source, facing) = (Position::new(4.1, 1.3, 1.1), DVec3::X);
    for motion in
        [past(path.clone(), &[[4.1, 1.3, 1.1]]), Motion::Microphones { path, offsets, source, facing }]
    {
        let heard = hear(&in_room(motion, 0.1), &tone(500.0, 2.9)).remove(0);
        // Without its beginning, which is one.
        let mut above = vec![heard.clone()];
        let band = BandLimit { high_pass: Some(Edge { hz: 2_000.0, order: 12 }), low_pass: None };
        Device { band: Some(band), ..Device::default() }.apply(&mut above, RATE).unwrap();
        let ratio = rms_level(&above[0][12_000..]) - rms_level(&heard[12_000..]);
        assert!(ratio < -70.0, "{ratio} dB");
        let steepest =
            heard.windows(2).skip(12_000).fold(0.0_f32, |s, pair| s.max((pair[1] - pair[0]).abs()));
        let loudest = heard[12_000..].iter().fold(0.0_f32, |l, s| l.max(s.abs()));
        let allowed = TAU * 500.0 / f64::from(RATE) * 1.02;
        assert!(f64::from(steepest / loudest) < allowed, "{steepest} for {loudest}");
    }
}

#[test]
fn the_phase_between_two_microphones_follows_the_geometry_all_along() {
    let path = walk([-1.5, 1.0, 0.0], [1.5, 1.0, 0.0], 1.5);
    let microphones = [[-0.03, 0.0, 0.0], [0.03, 0.0, 0.0]];
    let transfer = free_field(past(path.clone(), &microphones));
    let hz = 2_000.0;
    let heard = hear(&transfer, &tone(hz, 2.0));
    let c = Air::default().speed_of_sound();
    for n in (1_000..31_000).step_by(250) {
        let now = n as f64 / f64::from(RATE);
        let delay = |index: usize| {
            let [x, y, z] = microphones[index];
            let mut delay = 0.0;
            for _ in 0..20 {
                delay = path.place(now - delay).distance(Position::new(x, y, z)) / c;
            }
            delay
        };
        let expected = TAU * hz * (delay(1) - delay(0));
        let measured = phasor(&heard[0], hz, n).0 - phasor(&heard[1], hz, n).0;
        let error = (measured - expected + std::f64::consts::PI).rem_euclid(TAU) - std::f64::consts::PI;
        assert!(error.abs() < 0.002, "sample {n}: {measured}, expected {expected}");
    }
}

#[test]
fn nodes_that_are_all_alike_sound_as_one() {
    // The weights of all nodes sum to one: for a source over what it says, for microphones over what they hear.
    let response = image_source_rirs(
        &room(),
        Position::new(1.2, 3.9, 1.7),
        &[Position::new(4.1, 1.3, 1.1)],
        &settings(),
    )
    .unwrap()
    .remove(0);
    let path = walk([0.0; 3], [1.0, 0.0, 0.0], 0.8);
    let (source, facing) = (Position::new(9.0, 0.0, 0.0), DVec3::X);
    let signal = noise::ventilation(RATE, 40_000, 2);
    for motion in [
        past(path.clone(), &[[9.0, 0.0, 0.0]]),
        Motion::Microphones { path, offsets: vec![DVec3::ZERO], source, facing },
    ] {
        let nodes = motion.path().nodes(0.07).into_iter();
        let nodes = nodes.map(|gone| LateNode { gone, responses: vec![response.clone()] }).collect();
        let transfer =
            MovingTransfer::new(RATE, motion, Air::default(), Directivity::Omnidirectional, vec![], nodes)
                .unwrap();
        let still = [response.clone()];
        // A start before the scene, as noise has, and one within it, as a second talker has.
        for (from, clock, length) in [(7_000, 0, 30_000), (0, 5_000, 30_000)] {
            let expected = Transfer::Still(&still).hear(&signal, from, clock, length).remove(0);
            let heard = transfer.hear(&signal, from, clock, length).remove(0);
            let loudest = expected.iter().fold(0.0_f32, |loudest, s| loudest.max(s.abs()));
            assert!(largest_difference(&heard, &expected) < 1e-5 * loudest);
        }
    }
}

#[test]
fn walking_changes_the_energy_of_the_room_by_less_than_a_decibel() {
    // White-like noise through a walk against the mean over its nodes, standing.
    let motion = past(walk([1.2, 3.9, 1.7], [2.2, 3.9, 1.7], 1.0), &[[4.1, 1.3, 1.1]]);
    let signal = noise::ventilation(RATE, 16_000, 5);
    let standing: Vec<f64> = nodes(&motion, 0.1, &settings())
        .iter()
        .map(|node| {
            let heard = Transfer::Still(&node.responses).hear(&signal, 0, 0, 16_000).remove(0);
            10_f64.powf(rms_level(&heard) / 10.0)
        })
        .collect();
    let expected = 10.0 * (standing.iter().sum::<f64>() / standing.len() as f64).log10();
    let walking = rms_level(&hear(&in_room(motion, 0.1), &signal)[0]);
    assert!((walking - expected).abs() < 1.0, "{walking}, standing {expected}");
}

#[test]
fn a_path_that_an_edge_hides_fades() {
    let path = walk([1.0, 0.0, 0.0], [2.0, 0.0, 0.0], 1.0);
    let silent = |gone| {
        let mut samples = vec![0.0; 40];
        samples[39] = 1e-9;
        LateNode { gone, responses: vec![Rir::new(RATE, samples).unwrap()] }
    };
    let hidden = EarlyPath { image: ImageTransform::direct(), shares: vec![1.0, 1.0, 0.0] };
    let nodes = vec![silent(0.0), silent(0.5), silent(1.0)];
    let motion = past(path, &[[0.0; 3]]);
    let omnidirectional = Directivity::Omnidirectional;
    let new = |paths, nodes| {
        MovingTransfer::new(RATE, motion.clone(), Air::default(), omnidirectional, paths, nodes)
    };
    let heard = hear(&new(vec![hidden.clone()], nodes.clone()).unwrap(), &tone(500.0, 1.2)).remove(0);
    assert!(heard[7_900..8_000].iter().any(|s| s.abs() > 0.6));
    assert!(heard[17_000..].iter().all(|s| s.abs() < 1e-6));
    let short = EarlyPath { shares: vec![1.0], ..hidden };
    let refused = new(vec![short], nodes).unwrap_err();
    assert_eq!(refused, MotionError::Shares { path: 0, expected: 3, actual: 1 });
}

#[test]
fn a_device_turns_its_microphones_with_it() {
    let path = walk([0.0; 3], [0.0, 2.0, 0.0], 1.0);
    let offsets = vec![DVec3::new(0.1, 0.0, 0.0), DVec3::new(0.0, 0.1, 0.3)];
    let (source, facing) = (Position::new(9.0, 0.0, 0.0), DVec3::X);
    let motion = Motion::Microphones { path, offsets, source, facing };
    // It looks along y: ahead is y, left is minus x.
    assert!(motion.microphone_after(0, 1.0).distance(Position::new(0.0, 1.1, 0.0)) < 1e-12);
    assert!(motion.microphone_after(1, 1.0).distance(Position::new(-0.1, 1.0, 0.3)) < 1e-12);
}

#[test]
fn a_path_through_a_microphone_is_refused() {
    let direct = vec![EarlyPath::everywhere(ImageTransform::direct())];
    let motion = past(walk([-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], 1.0), &[[5.0, 0.0, 0.0], [0.0, 0.01, 0.0]]);
    let made =
        MovingTransfer::new(RATE, motion, Air::default(), Directivity::Omnidirectional, direct, vec![]);
    assert_eq!(made.unwrap_err(), MotionError::TooClose(1));
}
