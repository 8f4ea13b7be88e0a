//! Audio-seconds of rendered scene per second on one thread: 10 s of speech through a 0.6 s response with
//! two noises at 10 dB, 16 kHz, levels measured. Fastest of 31 runs (on a shared machine the median
//! measures the neighbours); the inputs are made before. Then the same speech by somebody who walks 3 m at 1 m/s: 25
//! early paths followed, 44 nodes crossfaded; and through every stage of a device.

use std::time::Instant;

use acoustics::{Air, BoxRoom, Directivity, ImageTransform, Material, MirrorPlane, Position, Rir, Surfaces};
use scene::{
    Background, NoiseSource, Scene, Transfer,
    device::{Agc, BandLimit, Clipping, ClippingShape, Codec, Device, NoiseFloor, SelfNoise},
    level,
    motion::{EarlyPath, Facing, LateNode, Motion, MovingTransfer, Path, WayPoint},
    noise, render,
};

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

    scene.background = None;
    scene.device = Device {
        self_noise: Some(SelfNoise { level: NoiseFloor::Dbov(-70.0), seed: 5 }),
        band: Some(BandLimit::TELEPHONE),
        clipping: Some(Clipping { level_dbfs: -6.0, shape: ClippingShape::Soft }),
        agc: Some(Agc {
            target_dbov: -26.0,
            gain_range_db: [-20.0, 20.0],
            gate_dbov: -50.0,
            attack_s: 0.02,
            release_s: 0.5,
        }),
        codec: Some(Codec::MuLaw),
    };
    let device = fastest(&mut || render(&scene).map(drop))?;
    println!("without noise, through a device: {:.0} audio-s/s", seconds / device);

    let walk = walk(&responses[0])?;
    let moving = Scene::of_utterance(RATE, &speech, Transfer::Moving(&walk), -26.0);
    let moved = fastest(&mut || render(&moving).map(drop))?;
    println!("walking, without noise: {:.0} audio-s/s", moving.span() as f64 / f64::from(RATE) / moved);
    Ok(())
}

/// Past a microphone in a room of 6 by 5 by 3 m.
fn walk(response: &Rir) -> Result<MovingTransfer, Box<dyn std::error::Error>> {
    let wall = Material::named("painted-plaster")?;
    let room = BoxRoom::new(Position::new(6.0, 5.0, 3.0), Surfaces::uniform(&wall), Air::default())?;
    let images = ImageTransform::up_to_order(&MirrorPlane::of_box(&room, 0.3), 2);
    let points = [Position::new(1.0, 1.0, 1.6), Position::new(4.0, 1.0, 1.6)]
        .map(|place| WayPoint { place, pause_s: 0.0 });
    let path = Path::new(&points, 1.0, Facing::AlongPath)?;
    let nodes = path.nodes(0.07).into_iter();
    let late = nodes.map(|gone| LateNode { gone, responses: vec![response.clone()] }).collect();
    Ok(MovingTransfer::new(
        RATE,
        Motion::Source { path, microphones: vec![Position::new(2.5, 3.0, 1.0)] },
        Air::default(),
        Directivity::Omnidirectional,
        images.into_iter().map(EarlyPath::everywhere).collect(),
        late,
    )?)
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
