//! What the harness adds to an item, against calling the same model in a loop in its own process.
//!
//! `cargo bench -p sandbox`. One model (`benches/instant/adapter.py`: open the audio, answer nothing) over 2000
//! files: once in a plain Python loop, once through the sandbox with requests, answers and the supervisor's clock.
//! The difference of the times of an item is the overhead, of which the bar is 0.2 ms (design §11); beside it what
//! an item costs in all, with the link, the name and the check that nothing came unasked, which is never charged
//! to a model. Medians of five rounds; the spread is that of the rounds.

use std::{
    error::Error,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use protocol::{Limits, ModelManifest};
use sandbox::{Audio, Cancel, RunSpec, Sandbox, runtime};

const ITEMS: usize = 2000;
const ROUNDS: usize = 5;
const BAR_MILLISECONDS: f64 = 0.2;

fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::open()?;
    let place = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir()?;
    let runtime = install(place.path())?;
    let audio = record(place.path())?;
    let model = place.path().join("model");
    fs::create_dir(&model)?;

    let (mut direct, mut charged, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        direct.push(loop_in_process(&runtime, &place.path().join("audio"))?);
        let started = Instant::now();
        let result = sandbox.run(
            &RunSpec {
                runtime: &runtime,
                manifest: &manifest(),
                model: &model,
                scratch: place.path(),
                warm_up: &audio[..50],
                items: &audio,
                known: &[],
                repeats: &[],
                throughput: true,
                devices: &[],
                seed: 1,
                limits: LIMITS,
            },
            &mut |_| {},
            &Cancel::default(),
        )?;
        whole.push((started.elapsed().as_secs_f64() - result.ready_seconds) / (ITEMS + 50) as f64);
        charged.push(result.items.iter().map(|it| it.seconds).sum::<f64>() / ITEMS as f64);
    }
    let overhead = median(&charged) - median(&direct);
    println!("milliseconds an item, median of {ROUNDS} rounds of {ITEMS} items (least to most)");
    show("plain loop in the model's process", &direct);
    show("through the sandbox, as charged", &charged);
    show("through the sandbox, in all", &whole);
    println!("overhead {:.4} ms an item; the bar is {BAR_MILLISECONDS} ms", 1e3 * overhead);
    if 1e3 * overhead > BAR_MILLISECONDS { Err("the overhead is above the bar".into()) } else { Ok(()) }
}

const LIMITS: Limits = Limits {
    ready_seconds: 60.0,
    item_seconds: 60.0,
    item_seconds_per_audio_second: 0.0,
    attempt_seconds: 600.0,
    memory_bytes: 256 << 20,
};

fn manifest() -> ModelManifest {
    ModelManifest {
        name: "Instant".to_owned(),
        organisation: "Bench".to_owned(),
        licence: "MIT".to_owned(),
        runtime: "instant".to_owned(),
        num_params: None,
        training_data: String::new(),
        notes: String::new(),
        tracks: Vec::new(),
        multichannel: false,
        hub: None,
        decoding: std::collections::BTreeMap::new(),
    }
}

fn install(place: &Path) -> Result<runtime::Installed, Box<dyn Error>> {
    let directory = place.join("instant");
    fs::create_dir(&directory)?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instant");
    for name in ["runtime.toml", "adapter.py", "requirements.lock"] {
        fs::copy(source.join(name), directory.join(name))?;
    }
    let made = Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(directory.join("venv"))
        .status()?;
    if !made.success() {
        return Err("no Python environment could be made".into());
    }
    Ok(runtime::load(&directory)?)
}

/// Files of the size of two seconds of speech.
fn record(place: &Path) -> Result<Vec<Audio>, Box<dyn Error>> {
    let directory = place.join("audio");
    fs::create_dir(&directory)?;
    let write = |index| -> std::io::Result<Audio> {
        let path: PathBuf = directory.join(format!("{index}.wav"));
        fs::write(&path, vec![0; 64_044])?;
        Ok(Audio { path, seconds: 2.0 })
    };
    Ok((0..ITEMS).map(write).collect::<Result<_, _>>()?)
}

fn loop_in_process(runtime: &runtime::Installed, audio: &Path) -> Result<f64, Box<dyn Error>> {
    let output = Command::new(runtime.directory.join("venv/bin/python"))
        .arg("-I")
        .arg(runtime.directory.join("adapter.py"))
        .arg("direct")
        .arg(audio)
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn show(what: &str, seconds: &[f64]) {
    let least = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let most = seconds.iter().copied().fold(0.0, f64::max);
    println!("  {what:36} {:.4} ({:.4} to {:.4})", 1e3 * median(seconds), 1e3 * least, 1e3 * most);
}
