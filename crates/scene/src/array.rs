//! Front ends that make one channel of many, so that a recogniser for one channel can hear an array.

use acoustics::Position;
use glam::DVec3;

use crate::interpolate;

/// Why channels cannot be joined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ArrayError {
    /// No channel, or channels of different lengths.
    #[error("the array has no channels, or channels of different lengths; give at least one, all as long")]
    Channels,
    /// Not one delay for each channel.
    #[error("there are {delays} delays for {channels} channels; give one each")]
    Delays {
        /// Delays given.
        delays: usize,
        /// Channels given.
        channels: usize,
    },
    /// A delay that is none.
    #[error("delay {0} is not finite; check positions, direction and speed of sound")]
    NotFinite(usize),
}

/// Delays in samples that line up the channels of microphones for a plane wave from a direction (towards the source, of
/// any length but zero). Their mean is zero, so that the middle of the array keeps its time.
pub fn plane_wave_delays(
    microphones: &[Position],
    direction: DVec3,
    speed_of_sound: f64,
    sample_rate: u32,
) -> Vec<f64> {
    let towards = direction.normalize_or_zero();
    // The nearer the microphone to the source, the earlier it hears it.
    centred(microphones, |place| place.dot(towards), speed_of_sound, sample_rate)
}

/// Delays in samples that line up the channels of microphones for a source at a place. Their mean is zero.
pub fn point_source_delays(
    microphones: &[Position],
    source: Position,
    speed_of_sound: f64,
    sample_rate: u32,
) -> Vec<f64> {
    centred(microphones, |place| -place.distance(source.into()), speed_of_sound, sample_rate)
}

fn centred(
    microphones: &[Position],
    nearness: impl Fn(DVec3) -> f64,
    speed_of_sound: f64,
    sample_rate: u32,
) -> Vec<f64> {
    let metres: Vec<f64> = microphones.iter().map(|&place| nearness(place.into())).collect();
    let mean = metres.iter().sum::<f64>() / metres.len().max(1) as f64;
    metres.iter().map(|m| (m - mean) / speed_of_sound * f64::from(sample_rate)).collect()
}

/// Delay-and-sum beamformer: the mean of all channels, each delayed by its number of samples (negative: advanced).
///
/// What arrives as the delays say is kept as it is; noise that the N channels do not share falls by 10 lg N dB. Delays
/// between samples are exact below about 93 % of half the sample rate (windowed sinc of 32 taps).
///
/// # Errors
/// [`ArrayError`] when channels and delays do not fit together.
pub fn delay_and_sum(channels: &[Vec<f32>], delays: &[f64]) -> Result<Vec<f32>, ArrayError> {
    let length = channels.first().map(Vec::len).ok_or(ArrayError::Channels)?;
    if channels.iter().any(|channel| channel.len() != length) {
        return Err(ArrayError::Channels);
    }
    if delays.len() != channels.len() {
        return Err(ArrayError::Delays { delays: delays.len(), channels: channels.len() });
    }
    if let Some(index) = delays.iter().position(|delay| !delay.is_finite()) {
        return Err(ArrayError::NotFinite(index));
    }
    let share = 1.0 / channels.len() as f32;
    let mut sum = vec![0.0; length];
    for (channel, delay) in channels.iter().zip(delays) {
        for (n, total) in sum.iter_mut().enumerate() {
            *total += share * interpolate::at(channel, n as f64 - delay);
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::{
        device::{BandLimit, Device, Edge, NoiseFloor, SelfNoise},
        level::rms_level,
    };

    const RATE: u32 = 16_000;
    const SPEED: f64 = 343.2;

    /// Eight microphones on a circle of 4 cm.
    fn circle() -> Vec<Position> {
        (0..8)
            .map(|n| TAU * f64::from(n) / 8.0)
            .map(|angle| Position::new(2.0 + 0.04 * angle.cos(), 1.0 + 0.04 * angle.sin(), 0.8))
            .collect()
    }

    fn tone(hz: f64, seconds: impl Fn(f64) -> f64) -> Vec<f32> {
        (0..4_000).map(|n| (TAU * hz * seconds(f64::from(n) / f64::from(RATE))).sin() as f32).collect()
    }

    #[test]
    fn a_plane_wave_from_the_steered_direction_is_kept() {
        let direction = DVec3::new(0.6, -0.7, 0.2);
        let middle = DVec3::new(2.0, 1.0, 0.8);
        let channels: Vec<Vec<f32>> = circle()
            .iter()
            .map(|&place| (DVec3::from(place) - middle).dot(direction.normalize()) / SPEED)
            .map(|earlier| tone(3_000.0, |t| t + earlier))
            .collect();
        let delays = plane_wave_delays(&circle(), direction, SPEED, RATE);
        assert!(delays.iter().sum::<f64>().abs() < 1e-9);
        let sum = delay_and_sum(&channels, &delays).unwrap();
        let expected = tone(3_000.0, |t| t);
        for n in 50..3_950 {
            assert!((sum[n] - expected[n]).abs() < 1e-3, "{n}: {} {}", sum[n], expected[n]);
        }
    }

    #[test]
    fn a_wave_from_elsewhere_is_weakened() {
        let channels: Vec<Vec<f32>> =
            circle().iter().map(|place| tone(5_000.0, |t| t + place.x / SPEED)).collect();
        let delays = plane_wave_delays(&circle(), DVec3::NEG_X, SPEED, RATE);
        let sum = delay_and_sum(&channels, &delays).unwrap();
        // Array factor of a circle turned around: the mean of cos(2 k r cos a) over its microphones.
        let k = TAU * 5_000.0 / SPEED;
        let factor: f64 =
            (0..8).map(|n| (2.0 * k * 0.04 * (TAU * f64::from(n) / 8.0).cos()).cos()).sum::<f64>() / 8.0;
        let level = rms_level(&sum[50..3_950]) - rms_level(&channels[0]);
        assert!((level - 20.0 * factor.abs().log10()).abs() < 0.1, "{level}, expected {factor}");
    }

    #[test]
    fn noise_that_the_channels_do_not_share_falls_by_10_lg_n() {
        let device = Device {
            self_noise: Some(SelfNoise { level: NoiseFloor::Dbov(-40.0), seed: 3 }),
            band: Some(BandLimit { high_pass: None, low_pass: Some(Edge { hz: 6_000.0, order: 8 }) }),
            ..Device::default()
        };
        let mut channels = vec![vec![0.0; 64_000]; 8];
        device.apply(&mut channels, RATE).unwrap();
        let delays = plane_wave_delays(&circle(), DVec3::new(0.3, 0.9, 0.0), SPEED, RATE);
        let gain = rms_level(&channels[0]) - rms_level(&delay_and_sum(&channels, &delays).unwrap());
        assert!((gain - 9.031).abs() < 0.2, "{gain}");
    }

    #[test]
    fn a_near_source_is_lined_up_by_its_distances() {
        let source = Position::new(2.3, 1.2, 0.9);
        let delays = point_source_delays(&circle(), source, SPEED, RATE);
        let arrivals: Vec<f64> = circle()
            .iter()
            .zip(&delays)
            .map(|(place, delay)| place.distance(source) / SPEED * f64::from(RATE) + delay)
            .collect();
        assert!(arrivals.iter().all(|arrival| (arrival - arrivals[0]).abs() < 1e-9), "{arrivals:?}");
    }

    #[test]
    fn channels_that_do_not_fit_are_refused() {
        assert_eq!(delay_and_sum(&[], &[]), Err(ArrayError::Channels));
        let channels = [vec![0.0; 4], vec![0.0; 5]];
        assert_eq!(delay_and_sum(&channels, &[0.0, 0.0]), Err(ArrayError::Channels));
        assert_eq!(delay_and_sum(&channels[..1], &[]), Err(ArrayError::Delays { delays: 0, channels: 1 }));
        assert_eq!(delay_and_sum(&channels[..1], &[f64::NAN]), Err(ArrayError::NotFinite(0)));
    }
}
