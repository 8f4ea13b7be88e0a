//! Throughput of normalising, aligning and resampling, beside the tools in use elsewhere.
//!
//! `cargo bench -p scoring` prints what this crate does. With `BENCH_PYTHON` set to an interpreter that has the pinned
//! packages of `deploy/bench/requirements.txt` (`make bench` makes one), the same texts are then given to them in turn,
//! and the ratios are printed beside their bars (design §11). Both sides run on one thread and are measured in processor
//! time, so that the ratios hold on a machine that does other things as well; times are medians of five runs from the two
//! strings to the counts; loading is not timed. Only the whole run uses all cores and is measured by the clock. With `BENCH_LARGE` set, kaldialign also merges
//! compounds in one file of 20 000 words, which takes it more than half a minute and 8 GB.
//!
//! An argument limits the run to the tasks whose name contains it: `cargo bench -p scoring -- "align short"`, for
//! example under callgrind, with `BENCH_ONCE` set, which runs each task once.
//!
//! Texts: a vocabulary of 20 000 made-up words under Zipf's law; 15 % of the words wrong (S : D : I as 60 : 25 : 15);
//! for the normalisers English sentences with 6 % number phrases.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use scoring::meeting::{TimeConstraint, cp_wer};
use scoring::{
    Bootstrap, Counts, Normalizer, Sample, ScoringProfile, Segment, Unit, cluster_bootstrap, count_words,
    count_words_merged,
};

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// A made-up word; rank r comes up in proportion to 1 / r.
    fn word(&mut self) -> String {
        let uniform = f64::from(self.0.next_u32()) / f64::from(u32::MAX);
        let mut rank = 20_000_f64.powf(uniform) as usize;
        let mut word = String::new();
        while rank > 0 {
            word.push_str(["ka", "te", "sin", "lo", "mur", "dra", "e", "pol"][rank % 8]);
            rank /= 8;
        }
        word
    }
}

/// Pairs of texts with 15 % of the words wrong.
fn pairs(random: &mut Random, number: usize, words: usize) -> Vec<(String, String)> {
    (0..number)
        .map(|_| {
            let reference: Vec<String> = (0..words).map(|_| random.word()).collect();
            let mut hypothesis = Vec::new();
            for word in &reference {
                match random.below(10_000) {
                    0..900 => hypothesis.push(random.word()),
                    900..1275 => {}
                    1275..1500 => hypothesis.extend([word.clone(), random.word()]),
                    _ => hypothesis.push(word.clone()),
                }
            }
            (reference.join(" "), hypothesis.join(" "))
        })
        .collect()
}

const WORDS: &str = "the of and to in is you that it he was for on are as with his they at be this have from or had \
    by but not what all were we when your can said there use an each which she do how their if will up other about \
    out many then them these so some her would make like him into time has look more write go see number no way \
    could people my than first water been call who now find long down day did get come made may part kitchen window \
    meeting colour theatre realise doctor music volume temperature please remember yesterday because something";
const NUMBERS: [&str; 8] = [
    "twenty five",
    "three hundred and twelve",
    "nineteen eighty four",
    "two point five million dollars",
    "one oh one",
    "seventy six percent",
    "the 1960s",
    "five dollars and ten cents",
];
const SPOKEN: [&str; 6] = ["don't", "I'm", "we'll", "um", "Mr. Smith", "that's"];

fn sentences(random: &mut Random, number: usize) -> Vec<String> {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    (0..number)
        .map(|_| {
            let mut text = String::new();
            for place in 0..19 {
                let word = if random.chance(2) {
                    random.pick(&NUMBERS)
                } else if random.chance(5) {
                    random.pick(&SPOKEN)
                } else {
                    random.pick(&words)
                };
                text.push_str(if place == 0 {
                    ""
                } else if random.chance(8) {
                    ", "
                } else {
                    " "
                });
                text.push_str(word);
            }
            text + "."
        })
        .collect()
}

/// How often a task is run: once under an instrument that counts instructions, and where one run says it all.
fn runs() -> usize {
    if std::env::var_os("BENCH_ONCE").is_some() { 1 } else { 5 }
}

/// Median seconds by the clock.
fn wall<T>(mut run: impl FnMut() -> T) -> f64 {
    median(|| {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed().as_secs_f64()
    })
}

/// Median seconds of this thread on a processor.
fn time<T>(mut run: impl FnMut() -> T) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    };
    median(|| {
        let start = now();
        std::hint::black_box(run());
        now() - start
    })
}

fn median(run: impl FnMut() -> f64) -> f64 {
    let mut seconds: Vec<f64> = std::iter::repeat_with(run).take(runs()).collect();
    seconds.sort_unstable_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn align(pairs: &[(String, String)]) -> Counts {
    pairs.iter().map(|(reference, hypothesis)| count_words(reference, hypothesis)).sum()
}

fn meeting(random: &mut Random) -> [Vec<Segment>; 2] {
    let mut sides = [Vec::new(), Vec::new()];
    for (index, (reference, hypothesis)) in pairs(random, 580, 14).into_iter().enumerate() {
        let start = index as f64 * 4.2;
        for (side, words) in sides.iter_mut().zip([reference, hypothesis]) {
            side.push(Segment {
                session_id: String::new(),
                speaker: (index * 7 % 4).to_string(),
                start_time: Some(start),
                end_time: Some(start + 4.0),
                words,
            });
        }
    }
    sides
}

/// Nine groups of 2 000 utterances by 40 talkers in 14 rooms, scored from raw text, and their intervals.
fn whole_run(texts: &[String]) -> Option<f64> {
    let names: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
    let groups = &names[..9];
    let units = || groups.iter().flat_map(|group| (0..2000).map(move |i| (group, i)));
    let sample = Sample::new(units().map(|(group, i)| Unit {
        group,
        utterance: &names[i],
        talker: &names[i % 40],
        room: Some(&names[i / 40 % 14]),
    }));
    let pairs: Vec<(usize, usize)> =
        (0..18_000).map(|i| (i % texts.len(), (i + i / 50 % 2) % texts.len())).collect();
    let score = |&(a, b): &(usize, usize)| ScoringProfile::FFASR.score(&texts[a], &texts[b]).words;
    let counts: Vec<Counts> = pairs.par_iter().map(score).collect();
    let draws = cluster_bootstrap(&sample, &counts, Bootstrap::default()).ok()?;
    draws.mean(&["0", "1", "2", "3"])?.interval().map(|interval| interval.low)
}

/// Runs the peers on the texts in a folder; they print `name seconds` lines.
fn peers(python: &str, folder: &Path) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers.py");
    let output = Command::new(python).arg(script).arg(folder).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let lines = String::from_utf8(output.stdout)?;
    lines
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, seconds)| Ok((name.to_owned(), seconds.parse()?)))
        .collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(ChaCha8Rng::seed_from_u64(1));
    let short = pairs(&mut random, 10_000, 20);
    let medium = pairs(&mut random, 100, 2000);
    let long = pairs(&mut random, 1, 20_000);
    let page = pairs(&mut random, 1, 5000);
    let texts = sentences(&mut random, 5000);
    let meeting = meeting(&mut random);
    let normalise =
        |normalizer: Normalizer| texts.iter().map(|text| normalizer.normalize(text).len()).sum::<usize>();
    let merged = |pairs: &[(String, String)]| -> u64 {
        pairs.iter().map(|(reference, hypothesis)| count_words_merged(reference, hypothesis).0.errors()).sum()
    };
    let cp = |constraint| cp_wer(&meeting[0], &meeting[1], constraint);
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let tasks: [(&str, &dyn Fn() -> f64); 12] = [
        ("align short", &|| time(|| align(&short))),
        ("align medium", &|| time(|| align(&medium))),
        ("align long", &|| time(|| align(&long))),
        ("merge short", &|| time(|| merged(&short))),
        ("merge page", &|| time(|| merged(&page))),
        ("merge long", &|| time(|| merged(&long))),
        ("normalise whisper", &|| time(|| normalise(Normalizer::WhisperEnglish))),
        ("normalise open-asr", &|| time(|| normalise(Normalizer::OpenAsrEnglish))),
        ("normalise basic", &|| time(|| normalise(Normalizer::Basic))),
        ("meeting cpwer", &|| time(|| cp(TimeConstraint::None))),
        ("meeting tcpwer", &|| time(|| cp(TimeConstraint::Collar(5.0)))),
        ("whole run, 9 x 2000 items", &|| wall(|| whole_run(&texts))),
    ];
    let mut ours = Vec::new();
    for (task, run) in tasks.into_iter().filter(|(task, _)| task.contains(&wanted)) {
        let seconds = run();
        println!("{task:30} {seconds:10.4} s");
        ours.push((task, seconds));
    }
    if let Some((_, seconds)) = ours.iter().find(|(task, _)| task.starts_with("whole run")) {
        println!("whole run, bar 1 s on two cores: {}", verdict(*seconds <= 1.0));
    }
    if let Some(peak) = peak_memory() {
        println!("peak memory of all of this: {} MiB (bar of merge long: 500 MB)", peak >> 20);
    }
    let words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    println!(
        "texts to normalise hold {words} words; short pairs are 10 000 x 20, medium 100 x 2 000, long 1 x 20 000"
    );

    let Ok(python) = std::env::var("BENCH_PYTHON") else {
        println!("set BENCH_PYTHON, or run `make bench`, to compare with other tools");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    for (name, pairs) in [("short", &short), ("medium", &medium), ("long", &long), ("page", &page)] {
        fs::write(folder.path().join(name), serde_json::to_string(pairs)?)?;
    }
    fs::write(folder.path().join("texts"), serde_json::to_string(&texts)?)?;
    fs::write(folder.path().join("meeting"), serde_json::to_string(&meeting)?)?;
    println!();
    for (peer, seconds) in peers(&python, folder.path())? {
        let Some((task, own)) = ours.iter().find(|(task, _)| peer.starts_with(task)) else {
            println!("{peer:50} {seconds:10.1}");
            continue;
        };
        let ratio = seconds / own;
        let bar = BARS
            .iter()
            .find(|(name, _)| peer == *name)
            .map_or_else(String::new, |(_, bar)| format!("   bar {bar:.0} x: {}", verdict(ratio >= *bar)));
        println!("{peer:50} {seconds:10.4} s   {ratio:8.1} x ({task}){bar}");
    }
    Ok(())
}

/// The least ratios of design §11.
const BARS: [(&str, f64); 5] = [
    ("align short by jiwer", 10.0),
    ("align short by rapidfuzz editops", 3.0),
    ("normalise whisper by openai-whisper", 20.0),
    ("merge page by kaldialign", 100.0),
    ("merge long by kaldialign", 100.0),
];

fn verdict(holds: bool) -> &'static str {
    if holds { "met" } else { "NOT MET" }
}

/// Most memory this process ever had resident, in bytes.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}
