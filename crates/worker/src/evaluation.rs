//! One model over one set of audio, measured: what an attempt does under a lease, and `ffasr eval` without one.

use std::{collections::HashMap, path::Path};

use protocol::{
    AttemptResults, Calibration, Continued, DecodingValue, ItemId, ItemResult, KeptPart, Limits,
    Measurements, ModelManifest, Moment, ResultsDocument, RunReport, StreamedItem,
};
use sandbox::{
    Audio, Cancel, Device, Fault, Progress, RunError, RunResult, RunSpec, Sandbox, Streamed, TimedOutcome,
    runtime::Installed,
};

use crate::{
    accelerator::Monitor,
    calibration::Golden,
    continuation::Ledger,
    fingerprint,
    timing::{self, Timed},
};

/// The decoding setting by which a model says that it also takes audio in pieces.
const STREAMING_SETTING: &str = "streaming";

/// One item and its audio on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The item; never shown to the model.
    pub id: ItemId,
    /// Its audio.
    pub audio: Audio,
}

/// What to run, on what, and how to measure it.
#[derive(Debug, Clone)]
pub struct Evaluation<'a> {
    /// Where models run.
    pub sandbox: &'a Sandbox,
    /// The environment the model runs in.
    pub runtime: &'a Installed,
    /// The model's description.
    pub manifest: &'a ModelManifest,
    /// Directory of the model's files, readable by the sandbox's user.
    pub model: &'a Path,
    /// Directory for private files of this run, which the sandbox's user may pass.
    pub scratch: &'a Path,
    /// Items that warm the model up.
    pub warm_up: &'a [Item],
    /// Items of the scored and timed pass.
    pub items: &'a [Item],
    /// Items of each repeat pass.
    pub repeats: &'a [Vec<Item>],
    /// Seed of orders and file names.
    pub seed: u64,
    /// Limits.
    pub limits: Limits,
    /// Accelerators that are this run's alone.
    pub devices: &'a [Device],
    /// The node's usual pace, if it must be kept for the run to count.
    pub golden: Option<&'a Golden>,
    /// What this run shares with the attempts before and after it, if there may be any.
    pub ledger: Option<&'a dyn Ledger>,
    /// Whether a model that declares streaming is also streamed to, in a process of its own after all else: the items of
    /// the first repeat pass, or `items` where there is none.
    pub streaming: bool,
}

impl Evaluation<'_> {
    /// Run it. Blocks; see [`Sandbox::run`].
    ///
    /// # Errors
    /// The model's fault, the node's ([`Fault::Node`], among them a pace that is not the usual one), or a cancellation.
    pub fn run(
        &self,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<ResultsDocument, RunError> {
        let before = self.pace(cancel)?;
        let kept = self.ledger.map(|it| it.begin(self.golden.map(|_| before))).unwrap_or_default();
        let monitor = Monitor::start(self.devices);
        let result = self.run_in_sandbox(&self.known(&kept), progress, cancel);
        let devices = monitor.finish();
        let result = result?;
        let streamed = self.stream(progress, cancel)?;
        let calibration = self.judge(before, cancel, &result.log_tail)?;
        let mut measurements = Measurements {
            latency: timing::latency(&self.timed(&result.items)),
            processor_seconds: result.processor_seconds,
            throughput: result.throughput,
            calibration,
            devices,
            continued: continued(&kept),
            streaming: None,
            flags: Vec::new(),
        };
        let results = self.results(result);
        let all = self.items.iter().chain(self.repeats.iter().flatten());
        let seconds: HashMap<ItemId, f64> = all.map(|it| (it.id, it.audio.seconds)).collect();
        measurements.flags =
            timing::audit(&results, &measurements, |id| seconds.get(&id).copied().unwrap_or_default());
        Ok(ResultsDocument { results, measurements, streamed })
    }

    /// What earlier attempts finished, by place.
    fn known(&self, kept: &[KeptPart]) -> Vec<(usize, TimedOutcome)> {
        let places: HashMap<ItemId, usize> =
            self.items.iter().enumerate().map(|(place, item)| (item.id, place)).collect();
        kept.iter()
            .flat_map(|part| &part.items)
            .filter_map(|it| {
                let outcome = TimedOutcome { outcome: it.outcome.clone(), seconds: it.seconds };
                Some((*places.get(&it.id)?, outcome))
            })
            .collect()
    }

    fn run_in_sandbox(
        &self,
        known: &[(usize, TimedOutcome)],
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<RunResult, RunError> {
        let repeats: Vec<Vec<Audio>> = self.repeats.iter().map(|it| audio(it)).collect();
        let spec = RunSpec {
            runtime: self.runtime,
            manifest: self.manifest,
            model: self.model,
            scratch: self.scratch,
            warm_up: &audio(self.warm_up),
            items: &audio(self.items),
            known,
            repeats: &repeats,
            throughput: true,
            devices: self.devices,
            seed: self.seed,
            limits: self.limits,
        };
        let mut report = |it| match (it, self.ledger) {
            (Progress::Item(place, it), Some(ledger)) => {
                if let Some(item) = self.items.get(place) {
                    ledger.done(ItemResult { id: item.id, outcome: it.outcome, seconds: it.seconds });
                }
            }
            (it, _) => progress(it),
        };
        self.sandbox.run(&spec, &mut report, cancel)
    }

    fn stream(
        &self,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Vec<StreamedItem>, RunError> {
        let declared = self.manifest.decoding.get(STREAMING_SETTING) == Some(&DecodingValue::Boolean(true));
        if !(self.streaming && declared) {
            return Ok(Vec::new());
        }
        let items = self.repeats.first().map_or(self.items, Vec::as_slice);
        let spec = RunSpec {
            runtime: self.runtime,
            manifest: self.manifest,
            model: self.model,
            scratch: self.scratch,
            // In real time one is enough.
            warm_up: &audio(&self.warm_up[..self.warm_up.len().min(1)]),
            items: &audio(items),
            known: &[],
            repeats: &[],
            throughput: false,
            devices: self.devices,
            seed: self.seed,
            limits: self.limits,
        };
        let streamed = self.sandbox.stream(&spec, progress, cancel)?;
        let with_id = |(item, it): (&Item, Streamed)| StreamedItem {
            id: item.id,
            outcome: it.outcome,
            first_token_seconds: it.first_token_seconds,
            finalisation_seconds: it.finalisation_seconds,
        };
        Ok(items.iter().zip(streamed).map(with_id).collect())
    }

    /// The pace before the run, where it matters; refused at once if it is not the usual one.
    fn pace(&self, cancel: &Cancel) -> Result<f64, RunError> {
        let Some(golden) = self.golden else { return Ok(0.0) };
        let early = |fault| RunError { fault, log_tail: String::new() };
        let pace = self.sandbox.pace(cancel).map_err(early)?;
        self.note_pace(Moment::Before, pace);
        golden.judge(pace, pace).map(|_| pace).map_err(|reason| early(Fault::Node(reason)))
    }

    fn judge(&self, before: f64, cancel: &Cancel, log: &str) -> Result<Option<Calibration>, RunError> {
        let Some(golden) = self.golden else { return Ok(None) };
        let with_log = |fault| RunError { fault, log_tail: log.to_owned() };
        let after = self.sandbox.pace(cancel).map_err(with_log)?;
        self.note_pace(Moment::After, after);
        golden.judge(before, after).map(Some).map_err(|reason| with_log(Fault::Node(reason)))
    }

    fn note_pace(&self, moment: Moment, seconds: f64) {
        if let Some(ledger) = self.ledger {
            ledger.pace(moment, seconds);
        }
    }

    fn timed(&self, outcomes: &[TimedOutcome]) -> Vec<Timed> {
        let items = self.items.iter().zip(outcomes);
        items.map(|(item, it)| Timed { audio: item.audio.seconds, time: it.seconds }).collect()
    }

    fn results(&self, result: RunResult) -> AttemptResults {
        AttemptResults {
            report: RunReport {
                runtime: self.runtime.declaration.name.clone(),
                runtime_digest: self.runtime.digest.clone(),
                isolation: self.sandbox.isolation().to_owned(),
                ready_seconds: result.ready_seconds,
                num_params: result.num_params,
                peak_memory_bytes: result.peak_memory_bytes,
                fingerprint: fingerprint(),
                seed: self.seed,
            },
            items: with_ids(self.items, result.items),
            repeats: self.repeats.iter().zip(result.repeats).map(|(items, it)| with_ids(items, it)).collect(),
        }
    }
}

fn continued(kept: &[KeptPart]) -> Option<Continued> {
    let items = kept.iter().map(|part| part.items.len()).sum::<usize>() as u32;
    let attempts = kept.iter().map(|part| part.attempt).collect();
    (items > 0).then_some(Continued { items, attempts })
}

fn audio(items: &[Item]) -> Vec<Audio> {
    items.iter().map(|it| it.audio.clone()).collect()
}

fn with_ids(items: &[Item], outcomes: Vec<TimedOutcome>) -> Vec<ItemResult> {
    let with_id = |(item, it): (&Item, TimedOutcome)| ItemResult {
        id: item.id,
        outcome: it.outcome,
        seconds: it.seconds,
    };
    items.iter().zip(outcomes).map(with_id).collect()
}
