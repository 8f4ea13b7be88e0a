//! What was measured of a run beside its headline: latency by length, batches, devices, and doubts for a reviewer.

use protocol::{Calibration, DeviceUse, Flag, LatencyBucket, Measurements, StreamedTrack, Streaming};

use super::quantity::{Bytes, Count, Rate, Rtfx, Seconds};

/// Measurements of one attempt, ready to be written. Results from before there were any have none of it.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Items by the length of their audio, the shortest first.
    pub lengths: Vec<LengthRow>,
    /// What an item costs however short it is, and each second of its audio.
    pub line: Option<(Seconds, Seconds)>,
    /// The pass in batches.
    pub batches: Option<Batches>,
    /// Processor time of the whole run.
    pub processor_time: Option<Seconds>,
    /// The node's pace around the run, in words.
    pub calibration: Option<String>,
    /// Accelerators: name, and what they did in words.
    pub devices: Vec<(String, String)>,
    /// What was taken over from earlier attempts, in words.
    pub continued: Option<String>,
    /// The streamed pass, if there was one: each track, then all together.
    pub streaming: Vec<StreamingRow>,
    /// What a person should look at.
    pub remarks: Vec<Remark>,
}

/// Items of one range of lengths.
#[derive(Debug, Clone)]
pub struct LengthRow {
    /// The range in words.
    pub lengths: String,
    /// How many items.
    pub items: Count,
    /// Median, 90th, 95th and 99th percentile of their times.
    pub latency: [Seconds; 4],
    /// Their speed.
    pub rtfx: Rtfx,
}

/// What streaming one track is worth.
#[derive(Debug, Clone)]
pub struct StreamingRow {
    /// The track, or that it is all of them.
    pub track: String,
    /// How many items.
    pub items: Count,
    /// Items in which no word was heard.
    pub silent: Count,
    /// Word error rate of the final texts.
    pub wer: Option<Rate>,
    /// Wrong words, and words said.
    pub words: (Count, Count),
    /// From the first sample to the first word: median, 90 %.
    pub first_word: Option<(Seconds, Seconds)>,
    /// From the last sample to the final text: median, 95 %.
    pub finalisation: Option<(Seconds, Seconds)>,
}

/// Speed with several items at once.
#[derive(Debug, Clone)]
pub struct Batches {
    /// Items at once.
    pub size: u32,
    /// Σ audio seconds / makespan.
    pub rtfx: Rtfx,
    /// 95th percentile of the time until an item's answer.
    pub p95: Seconds,
    /// Share of the items with the text of the scored pass.
    pub agreement: Rate,
}

/// Something about times or answers that a person should look at.
#[derive(Debug, Clone)]
pub struct Remark {
    /// One sentence with the figures.
    pub message: String,
    /// How many single items it is about.
    pub items: usize,
}

impl Measured {
    /// From what the worker handed in.
    pub fn new(measurements: &Measurements) -> Self {
        let latency = measurements.latency.as_ref();
        Self {
            lengths: latency.map(|it| it.buckets.iter().map(length_row).collect()).unwrap_or_default(),
            line: latency.and_then(|it| {
                it.fixed_seconds
                    .zip(it.seconds_per_audio_second)
                    .map(|(fixed, slope)| (Seconds(fixed), Seconds(slope)))
            }),
            batches: measurements.throughput.map(|it| Batches {
                size: it.batch,
                rtfx: Rtfx(it.rtfx),
                p95: Seconds(it.p95_seconds),
                agreement: Rate(it.agreement),
            }),
            processor_time: measurements.processor_seconds.map(Seconds),
            calibration: measurements.calibration.as_ref().map(calibration),
            devices: measurements.devices.iter().map(device).collect(),
            continued: measurements.continued.as_ref().map(|it| {
                format!(
                    "{} of the items were finished by {} earlier under equal conditions, and not run again",
                    Count(it.items.into()),
                    match it.attempts.len() {
                        1 => "an attempt".to_owned(),
                        number => format!("{number} attempts"),
                    }
                )
            }),
            streaming: measurements.streaming.as_ref().map(streaming).unwrap_or_default(),
            remarks: remarks(&measurements.flags),
        }
    }
}

/// What is flagged, without the ids of items, which are not public.
pub(crate) fn remarks(flags: &[Flag]) -> Vec<Remark> {
    flags.iter().map(|it| Remark { message: it.message.clone(), items: it.items.len() }).collect()
}

fn length_row(bucket: &LatencyBucket) -> LengthRow {
    let latency = bucket.latency;
    LengthRow {
        lengths: match bucket.up_to_seconds {
            Some(up_to) if bucket.above_seconds == 0.0 => format!("up to {up_to} s"),
            Some(up_to) => format!("{} to {up_to} s", bucket.above_seconds),
            None => format!("over {} s", bucket.above_seconds),
        },
        items: Count(bucket.items.into()),
        latency: [latency.p50, latency.p90, latency.p95, latency.p99].map(Seconds),
        rtfx: Rtfx(bucket.rtfx),
    }
}

fn streaming(it: &Streaming) -> Vec<StreamingRow> {
    let tracks = it.tracks.iter().map(|(name, track)| streaming_row(name, track));
    tracks.chain([streaming_row("all", &it.all)]).collect()
}

fn streaming_row(track: &str, it: &StreamedTrack) -> StreamingRow {
    let seconds = |(middle, upper): (f64, f64)| (Seconds(middle), Seconds(upper));
    StreamingRow {
        track: track.to_owned(),
        items: Count(it.items.into()),
        silent: Count(it.silent.into()),
        wer: it.wer.map(Rate),
        words: (Count(it.errors), Count(it.ref_words)),
        first_word: it.first_token.map(seconds),
        finalisation: it.finalisation.map(seconds),
    }
}

fn calibration(it: &Calibration) -> String {
    let off = |pace: f64| format!("{:+.1} %", 100.0 * (pace / it.golden_seconds - 1.0));
    format!(
        "{} before and {} after, from the node's usual pace",
        off(it.before_seconds),
        off(it.after_seconds)
    )
}

fn device(it: &DeviceUse) -> (String, String) {
    let mut words = Vec::new();
    words.extend(it.peak_memory_bytes.map(|bytes| format!("{} at most", Bytes(bytes))));
    words.extend(it.energy_joules.map(|joules| format!("{joules:.0} J")));
    words.extend(it.clock_mhz.map(|(low, high)| format!("{low} to {high} MHz")));
    words.extend(it.driver.as_ref().map(|version| format!("driver {version}")));
    if !it.throttling.is_empty() {
        words.push(format!("slowed down: {}", it.throttling.join(", ")));
    }
    (it.name.clone(), words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_ranges_and_the_calibration_is_told_as_distance_from_the_usual_pace() {
        let bucket = |above_seconds, up_to_seconds| LatencyBucket {
            above_seconds,
            up_to_seconds,
            items: 2,
            latency: protocol::LatencyPercentiles { p50: 0.1, p90: 0.2, p95: 0.2, p99: 0.2 },
            rtfx: 20.0,
        };
        let words = [bucket(0.0, Some(5.0)), bucket(5.0, Some(15.0)), bucket(30.0, None)]
            .map(|it| length_row(&it).lengths);
        assert_eq!(words, ["up to 5 s", "5 to 15 s", "over 30 s"]);
        let off = Calibration { golden_seconds: 0.1, before_seconds: 0.101, after_seconds: 0.0995 };
        assert_eq!(calibration(&off), "+1.0 % before and -0.5 % after, from the node's usual pace");
    }

    #[test]
    fn a_result_without_measurements_shows_nothing() {
        let empty = Measured::new(&Measurements::default());
        assert!(empty.lengths.is_empty() && empty.batches.is_none() && empty.remarks.is_empty());
    }
}
