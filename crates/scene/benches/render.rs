//! Audio-seconds of rendered scene per second on one thread: 10 s of speech through a 0.6 s response with
//! two noises at 10 dB, 16 kHz, levels measured. Fastest of 31 runs (on a shared machine the median
//! measures the neighbours); the inputs are made before.

use std::time::Instant;

use acoustics::Rir;
use scene::{Background, NoiseSource, Scene, Transfer, level, noise, render};

const RATE: u32 = 16_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Coughing has the pauses of speech; the values do not matter to the time.
    let speech = noise::coughs(RATE, 10 * RATE as usize, 1);
    let decay = |n: u32| (-6.91 * f64::from(n) / 9_600.0).exp() as f32;
    let shaped = noise::ventilation(RATE, 9_600, 2);
    let response = Rir::new(RATE, (0..).zip(shaped).map(|(n, s)| s * decay(n)).collect())?;
    let responses = [response];
    let transfer = Transfer::Still(&responses);
    let mut scene = Scene::of_utterance(RATE, &speech, transfer, -26.0);
    let length = scene.noise_length(transfer);
    let (air, cough) = (noise::ventilation(RATE, length, 3), noise::coughs(RATE, length, 4));
    let source = |signal| NoiseSource { signal, transfer, relative_level_db: 0.0 };
    let clean = fastest(&mut || render(&scene).map(drop))?;
    scene.background = Some(Background { sources: vec![source(&air), source(&cough)], snr_db: 10.0 });
    let noisy = fastest(&mut || render(&scene).map(drop))?;
    let seconds = scene.span() as f64 / f64::from(RATE);
    println!("without noise: {:.0} audio-s/s", seconds / clean);
    println!("with two noises: {:.0} audio-s/s", seconds / noisy);
    let p56 = fastest(&mut || level::active_speech_level(&speech, RATE).map(|_| ()).ok_or("silent"))?;
    println!("active speech level alone: {:.0} audio-s/s", 10.0 / p56);
    Ok(())
}

fn fastest<E>(work: &mut dyn FnMut() -> Result<(), E>) -> Result<f64, E> {
    let mut times = Vec::new();
    for _ in 0..31 {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times.into_iter().fold(f64::INFINITY, f64::min))
}
