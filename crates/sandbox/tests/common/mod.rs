//! A sandbox, a runtime and audio for the tests.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use ezk_g722::libg722::{Bitrate, decoder::Decoder};
use protocol::{DecodingValue, Limits, ModelManifest};
use sandbox::{Audio, Cancel, Progress, RunError, RunResult, RunSpec, Sandbox, runtime};
use tempfile::TempDir;

pub(crate) static SANDBOX: LazyLock<Sandbox> =
    LazyLock::new(|| Sandbox::open().unwrap_or_else(|it| panic!("{it}")));

/// Generous where a test is about something else: the machine may be busy.
pub(crate) const LIMITS: Limits = Limits {
    ready_seconds: 120.0,
    item_seconds: 120.0,
    item_seconds_per_audio_second: 0.0,
    attempt_seconds: 600.0,
    memory_bytes: 256 * 1024 * 1024,
};

/// A directory that the sandbox's user may enter, whoever runs the test.
pub(crate) fn public_directory() -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

/// The misbehaving models of `tests/hostile`, installed the way a runtime is.
pub(crate) struct Hostile {
    _root: TempDir,
    pub(crate) runtime: runtime::Installed,
}

pub(crate) static HOSTILE: LazyLock<Hostile> = LazyLock::new(|| {
    let root = public_directory();
    let directory = root.path().join("hostile");
    fs::create_dir(&directory).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    for name in ["runtime.toml", "adapter.py", "requirements.lock"] {
        fs::copy(source.join(name), directory.join(name)).unwrap();
    }
    let made = Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(directory.join("venv"))
        .status()
        .unwrap();
    assert!(made.success());
    Hostile { runtime: runtime::load(&directory).unwrap(), _root: root }
});

/// One model, one directory, some audio.
pub(crate) struct Case {
    pub(crate) manifest: ModelManifest,
    pub(crate) limits: Limits,
    pub(crate) items: Vec<Audio>,
    pub(crate) repeats: Vec<Vec<Audio>>,
    pub(crate) devices: Vec<sandbox::Device>,
    pub(crate) seed: u64,
    pub(crate) directory: TempDir,
    pub(crate) progress: Vec<Progress>,
}

impl Case {
    /// A model of the hostile runtime and `contents.len()` files with these contents.
    pub(crate) fn new(attack: &str, contents: &[&str]) -> Self {
        let directory = public_directory();
        fs::create_dir(directory.path().join("model")).unwrap();
        fs::write(directory.path().join("model/weights"), "weights").unwrap();
        let items = contents
            .iter()
            .enumerate()
            .map(|(index, content)| {
                let path = directory.path().join(format!("far-low-{index}.wav"));
                fs::write(&path, content).unwrap();
                Audio { path, seconds: 1.0 }
            })
            .collect();
        let manifest = ModelManifest {
            name: "Hostile".into(),
            organisation: "Test".into(),
            licence: "MIT".into(),
            runtime: "hostile".into(),
            num_params: None,
            training_data: String::new(),
            notes: format!("marker-{}-{attack}", std::process::id()),
            tracks: Vec::new(),
            multichannel: false,
            hub: None,
            decoding: [("attack".to_owned(), DecodingValue::Text(attack.to_owned()))].into(),
        };
        Self {
            manifest,
            limits: LIMITS,
            items,
            repeats: Vec::new(),
            devices: Vec::new(),
            seed: 1,
            directory,
            progress: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self) -> Result<RunResult, RunError> {
        self.run_until(&Cancel::default())
    }

    pub(crate) fn run_until(&mut self, cancel: &Cancel) -> Result<RunResult, RunError> {
        let model = self.directory.path().join("model");
        let spec = RunSpec {
            runtime: &HOSTILE.runtime,
            manifest: &self.manifest,
            model: &model,
            scratch: self.directory.path(),
            warm_up: &[],
            items: &self.items,
            known: &[],
            repeats: &self.repeats,
            throughput: true,
            devices: &self.devices,
            seed: self.seed,
            limits: self.limits,
        };
        SANDBOX.run(&spec, &mut |it| self.progress.push(it), cancel)
    }

    /// What the model found out about its surroundings, told as the text of the one item.
    pub(crate) fn finding(attack: &str) -> String {
        texts(&Self::new(attack, &["audio"]).run().unwrap_or_else(|it| panic!("{it}\n{}", it.log_tail)))
            .remove(0)
    }

    /// Paths left in the case's directory.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.path()).unwrap().map(|it| it.unwrap().path());
        entries.filter(|it| it.is_dir() && !it.ends_with("model")).collect()
    }
}

pub(crate) fn texts(result: &RunResult) -> Vec<String> {
    result.items.iter().map(|it| text(&it.outcome)).collect()
}

pub(crate) fn text(outcome: &protocol::Outcome) -> String {
    match outcome {
        protocol::Outcome::Error(error) => format!("error: {error}"),
        said => said.text().into_owned(),
    }
}

const PROMPTS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";

/// Decode a prompt (ITU-T G.722 at 64 kbit/s, 16 kHz) to a WAV file.
pub(crate) fn prompt(name: &str, directory: &Path) -> Audio {
    let path = Path::new(PROMPTS).join(format!("{name}.g722"));
    let coded = fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; install it with: apt-get install asterisk-core-sounds-en-g722", path.display())
    });
    let samples = Decoder::new(Bitrate::Mode1_64000, false, false).decode(&coded);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let path = directory.join(format!("{name}.wav"));
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    for sample in &samples {
        wav.write_sample(*sample).unwrap();
    }
    wav.finalize().unwrap();
    Audio { path, seconds: samples.len() as f64 / 16_000.0 }
}
