//! One attempt: load, warm up, the scored and timed pass, the repeat passes.
//!
//! Timing, version 1: the clock is the supervisor's monotonic one. Batch 1, in an order shuffled by the seed, the
//! next request only after the reply. An item's time runs from the last byte of its request to the last byte of
//! its reply. An item's audio appears in the sandbox just before its request and is gone after its reply, so
//! that nothing can be transcribed ahead of time.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use protocol::{FailureClass, Limits, ModelManifest, Outcome, Stage, Throughput};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;

use crate::{
    cgroup::TreeLimits,
    conversation::{Conversation, Deadline},
    device::Device,
    launcher::{Confinement, LaunchError},
    runner::{
        self, ANSWER_BYTES, BadAnswer, BatchRequest, Greeting, MOST_BATCH, RUNNER_PROTOCOL_VERSION, Ready,
        Request, Said, StreamRequest,
    },
    runtime::Installed,
    selftest::Sandbox,
};

/// Processes and threads a model may have.
const MODEL_PROCESSES: u32 = 512;

/// Length of the pieces in which audio is streamed …
const PIECE: Duration = Duration::from_millis(100);
/// … and as bytes of 16-bit samples at 16 kHz.
const PIECE_BYTES: usize = 3_200;

/// One audio file and its length.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    /// 16-bit PCM WAV, 16 kHz, mono, on this machine.
    pub path: PathBuf,
    /// Length in seconds, for the time limit.
    pub seconds: f64,
}

/// What to run, on what, within which limits.
#[derive(Debug, Clone)]
pub struct RunSpec<'a> {
    /// The environment the model runs in.
    pub runtime: &'a Installed,
    /// The model's description; the adapter finds it as JSON in [`crate::MANIFEST_PATH`].
    pub manifest: &'a ModelManifest,
    /// Directory of the model's files, mounted read-only as `/model`.
    pub model: &'a Path,
    /// Directory for this run's private files, on the file system of the audio if it is to be linked, not copied.
    pub scratch: &'a Path,
    /// Items that warm the model up; untimed, not in the results.
    pub warm_up: &'a [Audio],
    /// Items of the scored and timed pass.
    pub items: &'a [Audio],
    /// Items of the scored pass that were run before, by their places in `items`: their outcomes are taken over. The others
    /// keep their order.
    pub known: &'a [(usize, TimedOutcome)],
    /// Items of each repeat pass.
    pub repeats: &'a [Vec<Audio>],
    /// Whether to end with a pass over `items` in batches, if the model takes any.
    pub throughput: bool,
    /// Accelerators the model may use.
    pub devices: &'a [Device],
    /// Seed of orders and file names.
    pub seed: u64,
    /// Limits.
    pub limits: Limits,
}

/// How far a run is, as it goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Items done of items to do in a stage.
    Stage {
        /// The stage.
        stage: Stage,
        /// Done so far.
        done: u32,
        /// In all.
        total: u32,
    },
    /// An item of the scored pass is done: its place in [`RunSpec::items`], and what came of it.
    Item(usize, TimedOutcome),
    /// New text of the model's log.
    Log(String),
}

/// One item's outcome and time.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedOutcome {
    /// Text or the model's own error.
    pub outcome: Outcome,
    /// From the last byte of the request to the last byte of the reply, in seconds.
    pub seconds: f64,
}

/// One item that was streamed.
#[derive(Debug, Clone, PartialEq)]
pub struct Streamed {
    /// The final text or the model's own error.
    pub outcome: Outcome,
    /// From the moment its first sample was spoken to the last byte of the first answer with a word in it, in seconds;
    /// silence at the beginning of the audio counts. Nothing if no word ever came.
    pub first_token_seconds: Option<f64>,
    /// From the moment its last sample was spoken to the last byte of the final answer, in seconds.
    pub finalisation_seconds: f64,
}

/// A run that went to its end.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// From start to `ready`, in seconds.
    pub ready_seconds: f64,
    /// Number of parameters the model reported.
    pub num_params: Option<u64>,
    /// Peak memory of the model and its children, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Processor time of the model and its children, in seconds.
    pub processor_seconds: Option<f64>,
    /// The pass in batches.
    pub throughput: Option<Throughput>,
    /// One entry for each of [`RunSpec::items`], in the same order.
    pub items: Vec<TimedOutcome>,
    /// The same for each of [`RunSpec::repeats`].
    pub repeats: Vec<Vec<TimedOutcome>>,
    /// The end of the log.
    pub log_tail: String,
}

/// Why a run gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The model ended before it was ready.
    #[error("the model could not be loaded: {0}")]
    LoadError(String),
    /// The model ended or broke its limits while transcribing.
    #[error("{0}")]
    RuntimeError(String),
    /// A wall-clock limit was passed.
    #[error("the model took too long: {0}")]
    Timeout(String),
    /// The memory limit was passed.
    #[error("the model needed more than the {} MiB of memory an attempt may use", .limit_bytes >> 20)]
    OutOfMemory {
        /// The limit.
        limit_bytes: u64,
    },
    /// The model broke the runner protocol.
    #[error(transparent)]
    BadOutput(#[from] BadAnswer),
    /// Somebody asked for the run to stop.
    #[error("the run was cancelled")]
    Cancelled,
    /// The sandbox or the node failed, not the model.
    #[error("the node could not run the model: {0}")]
    Node(String),
}

/// A run without result, and what the model printed last.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct RunError {
    /// Why.
    pub fault: Fault,
    /// The end of the log.
    pub log_tail: String,
}

/// Stops a run within a second, from any thread.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ask the run to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Fault {
    /// The class this is for the submitter; `None` for a cancelled run, which is nobody's fault.
    pub fn class(&self) -> Option<FailureClass> {
        match self {
            Self::LoadError(_) => Some(FailureClass::LoadError),
            Self::RuntimeError(_) => Some(FailureClass::RuntimeError),
            Self::Timeout(_) => Some(FailureClass::Timeout),
            Self::OutOfMemory { .. } => Some(FailureClass::OutOfMemory),
            Self::BadOutput(_) => Some(FailureClass::BadOutput),
            Self::Node(_) => Some(FailureClass::WorkerLost),
            Self::Cancelled => None,
        }
    }

    /// The same fault, met before the model was ready.
    fn while_loading(self) -> Self {
        match self {
            Self::RuntimeError(reason) => Self::LoadError(reason),
            Self::BadOutput(answer) => Self::LoadError(answer.to_string()),
            other => other,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Node(error.to_string())
    }
}

impl From<LaunchError> for Fault {
    fn from(error: LaunchError) -> Self {
        Self::Node(error.to_string())
    }
}

impl Sandbox {
    /// Run one model to its end. Blocks; call it from a thread that lives until it returns.
    ///
    /// # Errors
    /// [`RunError`] with the end of the log: the model's fault, the node's, or a cancellation. Nothing of the
    /// model is left running in any case.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is of one lifetime, the closure of any"
    )]
    pub fn run(
        &self,
        spec: &RunSpec<'_>,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<RunResult, RunError> {
        let (result, log_tail) = self.supervise(spec, progress, cancel, |run| run.everything())?;
        Ok(RunResult { log_tail, ..result })
    }

    /// Stream the items of `spec` to one model in real time, one after the other in shuffled order (beta). Warm-up items
    /// are streamed before and left out of the result, which is in the order of the items; there are no repeat passes.
    ///
    /// # Errors
    /// As [`Sandbox::run`]; a model that does not take audio in pieces is a load error.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is of one lifetime, the closure of any"
    )]
    pub fn stream(
        &self,
        spec: &RunSpec<'_>,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Vec<Streamed>, RunError> {
        self.supervise(spec, progress, cancel, |run| run.streams()).map(|(streamed, _)| streamed)
    }

    /// Start a model, do `work` with it, and see to its end: the result, and the end of its log.
    fn supervise<T>(
        &self,
        spec: &RunSpec<'_>,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
        work: impl FnOnce(&mut Run<'_>) -> Result<T, Fault>,
    ) -> Result<(T, String), RunError> {
        let early = |fault| RunError { fault, log_tail: String::new() };
        let stalls = Stalls::new(spec.scratch, spec.seed).map_err(|error| early(error.into()))?;
        let manifest =
            serde_json::to_vec(spec.manifest).map_err(|error| early(io::Error::from(error).into()))?;
        let confinement = Confinement {
            program: ["/runtime/venv/bin/python", "-I", "/runtime/adapter.py"].map(OsStr::new).to_vec(),
            mounts: vec![
                (&spec.runtime.directory, "/runtime"),
                (spec.model, "/model"),
                (stalls.directory(), "/audio"),
            ],
            devices: spec.devices,
            manifest: &manifest,
            probe: None,
            limits: TreeLimits {
                memory_bytes: spec.limits.memory_bytes,
                processes: MODEL_PROCESSES,
                cores: std::thread::available_parallelism().map_or(1, |it| it.get() as u32),
            },
        };
        let started = Instant::now();
        let confined = self.launcher.start(&confinement).map_err(|error| early(error.into()))?;
        let conversation = Conversation::new(confined, cancel, progress);
        let mut run = Run { spec, conversation, stalls, started };

        let outcome = work(&mut run);
        let ended = run.conversation.confined.end();
        run.conversation.ship_log(true);
        let log_tail = run.conversation.confined.log.tail();
        match (outcome, ended) {
            (Ok(result), Ok(())) => Ok((result, log_tail)),
            (Err(fault), _) => Err(RunError { fault, log_tail }),
            (Ok(_), Err(error)) => Err(RunError { fault: error.into(), log_tail }),
        }
    }
}

/// A run under way.
struct Run<'a> {
    spec: &'a RunSpec<'a>,
    conversation: Conversation<'a>,
    stalls: Stalls,
    started: Instant,
}

impl Run<'_> {
    fn everything(&mut self) -> Result<RunResult, Fault> {
        self.report(Stage::Loading, 0, 1);
        let Ready { num_params, max_batch, .. } = self.load(false).map_err(Fault::while_loading)?;
        let ready_seconds = self.started.elapsed().as_secs_f64();
        let spec = self.spec;
        self.pass(Stage::WarmingUp, spec.warm_up, 0, spec.warm_up.len())?;
        let items = self.scored_pass()?;
        let total = spec.repeats.iter().map(Vec::len).sum();
        let mut repeats = Vec::with_capacity(spec.repeats.len());
        let mut done = 0;
        for pass in spec.repeats {
            repeats.push(self.pass(Stage::Repeating, pass, done, total)?);
            done += pass.len();
        }
        let most = max_batch.unwrap_or(1).min(MOST_BATCH);
        let throughput = if spec.throughput && most > 1 { self.throughput(most, &items)? } else { None };
        self.conversation.expect_silence()?;
        let peak_memory_bytes = self.conversation.confined.peak_memory_bytes();
        let processor_seconds = self.conversation.confined.processor_seconds();
        Ok(RunResult {
            ready_seconds,
            num_params,
            peak_memory_bytes,
            processor_seconds,
            throughput,
            items,
            repeats,
            log_tail: String::new(),
        })
    }

    fn streams(&mut self) -> Result<Vec<Streamed>, Fault> {
        self.report(Stage::Loading, 0, 1);
        let ready = self.load(true).map_err(Fault::while_loading)?;
        if !ready.streaming {
            return Err(Fault::LoadError("its runtime does not take audio in pieces".to_owned()));
        }
        let spec = self.spec;
        for audio in spec.warm_up {
            self.streamed(audio)?;
        }
        let mut streamed: Vec<Option<Streamed>> = vec![None; spec.items.len()];
        for (done, index) in self.stalls.shuffled(spec.items.len()).into_iter().enumerate() {
            self.report(Stage::Transcribing, done, spec.items.len());
            streamed[index] = Some(self.streamed(&spec.items[index])?);
        }
        self.conversation.expect_silence()?;
        Ok(streamed.into_iter().flatten().collect())
    }

    /// One item in real time: each piece is sent when its last sample has been spoken, never before.
    fn streamed(&mut self, audio: &Audio) -> Result<Streamed, Fault> {
        let samples = wav_samples(&fs::read(&audio.path)?)?;
        let id = self.stalls.random_name();
        let limit = self.spec.limits.item_seconds
            + (1.0 + self.spec.limits.item_seconds_per_audio_second) * audio.seconds.max(0.0);
        let deadline = self
            .deadline(limit, format!("a stream of {:.1} s was not done after {limit:.1} s", audio.seconds));
        self.conversation.expect_silence()?;
        self.conversation.push(&StreamRequest::Stream(&id), &deadline)?;
        let began = Instant::now();
        let mut first = None;
        for (number, piece) in (1_u32..).zip(samples.chunks(PIECE_BYTES)) {
            let spoken = began + PIECE * number;
            while let Some(line) = self.conversation.next_line(spoken, &deadline)? {
                match runner::parse_said(&line.bytes, &id)? {
                    Said::Partial(text) => note_first(&mut first, &text, line.arrived),
                    Said::Final(_) => return Err(BadAnswer::Unasked.into()),
                }
            }
            self.conversation.push(&StreamRequest::Chunk(hex::encode(piece)), &deadline)?;
        }
        let over = Instant::now();
        self.conversation.push(&StreamRequest::End(&id), &deadline)?;
        loop {
            // The deadline ends the wait with its own fault.
            let Some(line) = self.conversation.next_line(deadline.at + PIECE, &deadline)? else { continue };
            match runner::parse_said(&line.bytes, &id)? {
                Said::Partial(text) => note_first(&mut first, &text, line.arrived),
                Said::Final(outcome) => {
                    if let Outcome::Text(text) = &outcome {
                        note_first(&mut first, text, line.arrived);
                    }
                    return Ok(Streamed {
                        outcome,
                        first_token_seconds: first.map(|it| it.duration_since(began).as_secs_f64()),
                        finalisation_seconds: line.arrived.duration_since(over).as_secs_f64(),
                    });
                }
            }
        }
    }

    fn load(&mut self, streaming: bool) -> Result<Ready, Fault> {
        let hello = Greeting::Hello {
            protocol: RUNNER_PROTOCOL_VERSION,
            sample_rate: 16_000,
            channels: self.channels()?,
            streaming,
        };
        self.conversation.send(&hello)?;
        let limit = self.spec.limits.ready_seconds;
        let deadline = self.deadline(limit, format!("it was not ready after {limit} s"));
        let line = self.conversation.receive(&deadline)?;
        Ok(runner::parse_ready(&line.bytes)?)
    }

    /// Most channels of any item; one for a model that takes no more.
    fn channels(&self) -> Result<u16, Fault> {
        if !self.spec.manifest.multichannel {
            return Ok(1);
        }
        let channels = self.spec.items.iter().map(|item| wav_channels(&item.path));
        Ok(channels.collect::<io::Result<Vec<u16>>>()?.into_iter().max().unwrap_or(1))
    }

    /// The fastest batch on the items of the first repeat pass (warm-up items if there is none), then `items` in
    /// batches of that size; nothing where there is nothing to choose by.
    fn throughput(&mut self, most: u32, scored: &[TimedOutcome]) -> Result<Option<Throughput>, Fault> {
        let spec = self.spec;
        let tuning = spec.repeats.first().map_or(spec.warm_up, Vec::as_slice);
        if tuning.is_empty() || spec.items.is_empty() {
            return Ok(None);
        }
        let mut best = (f64::INFINITY, 1);
        for batch in std::iter::successors(Some(1_u32), |batch| batch.checked_mul(2)) {
            if batch > most || batch as usize / 2 >= tuning.len() {
                break;
            }
            let (_, times) = self.batched(tuning, batch as usize)?;
            let makespan = times.iter().sum();
            if makespan < best.0 {
                best = (makespan, batch);
            }
        }
        let (outcomes, times) = self.batched(spec.items, best.1 as usize)?;
        let makespan_seconds: f64 = times.iter().sum();
        let audio_seconds: f64 = spec.items.iter().map(|it| it.seconds).sum();
        let same = scored.iter().zip(&outcomes).filter(|(one, other)| one.outcome == **other).count();
        let mut sorted = times;
        sorted.sort_unstable_by(f64::total_cmp);
        // The time of a batch counts for each of its items; batches are equal but for the last.
        let p95_seconds = sorted[(sorted.len() * 95).div_ceil(100) - 1];
        Ok(Some(Throughput {
            batch: best.1,
            audio_seconds,
            makespan_seconds,
            rtfx: audio_seconds / makespan_seconds,
            p95_seconds,
            agreement: same as f64 / spec.items.len() as f64,
        }))
    }

    /// All items in shuffled order, so many at once: outcomes in the order of `items`, and each batch's seconds.
    fn batched(&mut self, items: &[Audio], batch: usize) -> Result<(Vec<Outcome>, Vec<f64>), Fault> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; items.len()];
        let mut times = Vec::new();
        self.conversation.line_limit = ANSWER_BYTES * batch;
        for indices in self.stalls.shuffled(items.len()).chunks(batch) {
            let (answers, seconds) = self.batch(items, indices)?;
            times.push(seconds);
            for (index, answer) in indices.iter().zip(answers) {
                outcomes[*index] = Some(answer);
            }
        }
        self.conversation.line_limit = ANSWER_BYTES;
        Ok((outcomes.into_iter().flatten().collect(), times))
    }

    fn batch(&mut self, items: &[Audio], indices: &[usize]) -> Result<(Vec<Outcome>, f64), Fault> {
        let ids: Vec<String> = indices.iter().map(|_| self.stalls.random_name()).collect();
        let audio = indices.iter().map(|index| &items[*index]);
        let stalls = audio.clone().map(|it| self.stalls.put(&it.path)).collect::<io::Result<Vec<Stall>>>()?;
        let seconds = audio.map(|it| it.seconds.max(0.0)).sum::<f64>();
        let limit = self.spec.limits.item_seconds * indices.len() as f64
            + self.spec.limits.item_seconds_per_audio_second * seconds;
        let deadline = self
            .deadline(limit, format!("a batch of {} items was not done after {limit:.1} s", indices.len()));
        let request = BatchRequest {
            batch: ids.iter().zip(&stalls).map(|(id, stall)| Request { id, path: &stall.inside }).collect(),
        };
        let asked = self.conversation.send(&request)?;
        let line = self.conversation.receive(&deadline)?;
        let outcomes = runner::parse_batch(&line.bytes, &ids)?;
        for stall in stalls {
            fs::remove_file(stall.host)?;
        }
        Ok((outcomes, line.arrived.duration_since(asked).as_secs_f64()))
    }

    /// Every scored item that is not known yet, in shuffled order; all outcomes in the order of the items.
    fn scored_pass(&mut self) -> Result<Vec<TimedOutcome>, Fault> {
        let spec = self.spec;
        let mut outcomes: Vec<Option<TimedOutcome>> = vec![None; spec.items.len()];
        for (index, outcome) in spec.known {
            if let Some(place) = outcomes.get_mut(*index) {
                *place = Some(outcome.clone());
            }
        }
        let mut done = outcomes.iter().flatten().count();
        self.report(Stage::Transcribing, done, spec.items.len());
        for index in self.stalls.shuffled(spec.items.len()) {
            if outcomes[index].is_some() {
                continue;
            }
            let outcome = self.item(&spec.items[index])?;
            (self.conversation.progress)(Progress::Item(index, outcome.clone()));
            outcomes[index] = Some(outcome);
            done += 1;
            self.report(Stage::Transcribing, done, spec.items.len());
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Every item once, in shuffled order; outcomes in the order of `items`.
    fn pass(
        &mut self,
        stage: Stage,
        items: &[Audio],
        done_before: usize,
        total: usize,
    ) -> Result<Vec<TimedOutcome>, Fault> {
        let mut outcomes: Vec<Option<TimedOutcome>> = vec![None; items.len()];
        self.report(stage, done_before, total);
        for (done, index) in self.stalls.shuffled(items.len()).into_iter().enumerate() {
            outcomes[index] = Some(self.item(&items[index])?);
            self.report(stage, done_before + done + 1, total);
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    fn item(&mut self, audio: &Audio) -> Result<TimedOutcome, Fault> {
        let id = self.stalls.random_name();
        let stall = self.stalls.put(&audio.path)?;
        let limit = self.spec.limits.item_seconds
            + self.spec.limits.item_seconds_per_audio_second * audio.seconds.max(0.0);
        let deadline = self
            .deadline(limit, format!("an item of {:.1} s was not done after {limit:.1} s", audio.seconds));
        let asked = self.conversation.send(&Request { id: &id, path: &stall.inside })?;
        let line = self.conversation.receive(&deadline)?;
        let outcome = runner::parse_answer(&line.bytes, &id)?;
        fs::remove_file(&stall.host)?;
        Ok(TimedOutcome { outcome, seconds: line.arrived.duration_since(asked).as_secs_f64() })
    }

    /// `seconds` from now, or the end of the attempt if that comes first.
    fn deadline(&self, seconds: f64, what: String) -> Deadline {
        let whole = self.spec.limits.attempt_seconds;
        let (own, attempt) = (Instant::now() + duration(seconds), self.started + duration(whole));
        if own <= attempt {
            Deadline { at: own, what }
        } else {
            Deadline { at: attempt, what: format!("the attempt was not done after {whole} s") }
        }
    }

    fn report(&mut self, stage: Stage, done: usize, total: usize) {
        (self.conversation.progress)(Progress::Stage { stage, done: done as u32, total: total as u32 });
    }
}

/// When the first words were there.
fn note_first(first: &mut Option<Instant>, text: &str, arrived: Instant) {
    if first.is_none() && !text.trim().is_empty() {
        *first = Some(arrived);
    }
}

/// The samples of a RIFF/WAVE file: the content of its `data` chunk.
fn wav_samples(file: &[u8]) -> io::Result<Vec<u8>> {
    let mut rest = file.get(12..).unwrap_or_default();
    while let Some((head, content)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let content_here = &content[..length.min(content.len())];
        if head.starts_with(b"data") {
            return Ok(content_here.to_vec());
        }
        // Chunks start at even places.
        rest = content.get(length.saturating_add(length % 2)..).unwrap_or_default();
    }
    Err(io::Error::other("an audio file has no `data` chunk"))
}

/// Seconds as a duration, within bounds that a clock can carry.
/// Number of channels in the head of a WAV file, whose first chunk is its format.
fn wav_channels(path: &Path) -> io::Result<u16> {
    let mut head = [0; 24];
    fs::File::open(path)?.read_exact(&mut head)?;
    if head[..4] != *b"RIFF" || head[8..16] != *b"WAVEfmt " {
        return Err(io::Error::other("the audio is no WAV file"));
    }
    Ok(u16::from_le_bytes([head[22], head[23]]))
}

fn duration(seconds: f64) -> Duration {
    const YEAR: f64 = 365.0 * 86_400.0;
    Duration::try_from_secs_f64(seconds.clamp(0.0, YEAR)).unwrap_or_default()
}

/// The private directory in which one audio file at a time appears under a name that says nothing.
struct Stalls {
    directory: TempDir,
    random: ChaCha20Rng,
}

struct Stall {
    host: PathBuf,
    inside: String,
}

impl Stalls {
    fn new(scratch: &Path, seed: u64) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("audio-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in(scratch)?;
        Ok(Self { directory, random: ChaCha20Rng::seed_from_u64(seed) })
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn random_name(&mut self) -> String {
        let mut bytes = [0; 16];
        self.random.fill_bytes(&mut bytes);
        hex::encode(bytes)
    }

    fn shuffled(&mut self, length: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..length).collect();
        order.shuffle(&mut self.random);
        order
    }

    fn put(&mut self, audio: &Path) -> io::Result<Stall> {
        let name = format!("{}.wav", self.random_name());
        let host = self.directory.path().join(&name);
        expose(audio, &host)?;
        Ok(Stall { host, inside: format!("/audio/{name}") })
    }
}

/// Make `file` readable for the sandbox's user as `at`: linked where it is readable already, copied elsewhere.
///
/// # Errors
/// If it can be neither; the error names the file.
pub fn expose(file: &Path, at: &Path) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let readable = fs::metadata(file).map_err(named)?.mode() & 0o004 != 0;
    if readable && fs::hard_link(file, at).is_ok() {
        return Ok(());
    }
    fs::copy(file, at).map_err(named)?;
    fs::set_permissions(at, fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_a_permutation_that_the_seed_fixes() {
        let scratch = tempfile::tempdir().unwrap();
        let order = |seed| Stalls::new(scratch.path(), seed).unwrap().shuffled(100);
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        let mut sorted = order(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_stall_shows_the_audio_under_a_name_that_says_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let audio = scratch.path().join("far-low-0001.wav");
        fs::write(&audio, b"RIFF").unwrap();
        fs::set_permissions(&audio, fs::Permissions::from_mode(0o600)).unwrap();
        let mut stalls = Stalls::new(scratch.path(), 1).unwrap();
        let (first, second) = (stalls.put(&audio).unwrap(), stalls.put(&audio).unwrap());
        assert_ne!(first.inside, second.inside);
        assert!(!first.inside.contains("far") && first.inside.starts_with("/audio/"));
        assert_eq!(fs::read(&first.host).unwrap(), b"RIFF");
        assert_eq!(fs::metadata(&first.host).unwrap().mode() & 0o777, 0o644);
    }

    #[test]
    fn samples_are_those_of_the_data_chunk_wherever_it_is() {
        let file = b"RIFF\x00\x00\x00\x00WAVEfmt \x04\x00\x00\x00abcdLIST\x01\x00\x00\x00x\x00data\x04\x00\x00\x00\x01\x02\x03\x04tail";
        assert_eq!(wav_samples(file).unwrap(), [1, 2, 3, 4]);
        assert!(wav_samples(b"RIFF").is_err());
    }

    #[test]
    fn limits_that_no_clock_can_carry_are_bounded() {
        assert_eq!(duration(-1.0), Duration::ZERO);
        assert_eq!(duration(f64::NAN), Duration::ZERO);
        assert_eq!(duration(f64::INFINITY), duration(1e300));
    }
}
