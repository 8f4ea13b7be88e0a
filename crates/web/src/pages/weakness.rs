//! The analysis of a result, in the words and numbers of its page.

use charts::{Curve, CurvesChart};
use scoring::{
    Counts,
    confusions::Confusion,
    entities::{EntityErrors, WordClass},
    faults::{self, Fault},
    formatting::Formatting,
};
use store::scores::{self, Published};

use crate::{
    Service,
    scorer::{
        self,
        analysis::{self, Analysis, Response, Rung, SHOWN_FROM, TrackAnalysis},
    },
    views::{
        ClassRow, ConfusionRow, Count, Curves, Difference, EntityRow, FaultRow, Interval, LadderRow, Rate,
        ReachedRow, ResponseRow, ResponseTable, RoomCell, RoomRow, TRACKS, Weakness,
    },
};

/// The word classes in the order of the page, with what belongs to them.
const CLASSES: [(WordClass, &str, &str); 6] = [
    (WordClass::Content, "Content words", "nouns, verbs and all words without a class of their own"),
    (WordClass::Function, "Function words", "articles, pronouns, prepositions, auxiliaries"),
    (WordClass::Number, "Numbers", "digits and number words"),
    (WordClass::Date, "Dates", "months, weekdays, years"),
    (WordClass::Name, "Names", "a capital inside a sentence of the reference"),
    (WordClass::Spelled, "Spelled", "single letters and letters mixed with digits"),
];
/// The conditions in the order of the page: name in the release, in words, unit, decimals.
const CONDITIONS: [(&str, &str, &str, usize); 4] = [
    ("snr_db", "signal-to-noise ratio", "dB", 0),
    ("distance_m", "distance", "m", 1),
    ("t30_s", "reverberation time T30", "s", 2),
    ("drr_db", "direct-to-reverberant ratio", "dB", 0),
];

/// What the page shows of the analysis of a result. A page without it is better than no page, so that an analysis that
/// is missing, of another shape or out of reach is left out.
pub(super) async fn read(service: &Service, result: &Published) -> Option<Weakness> {
    analysis(service, result).await.map(|analysis| view(&analysis))
}

/// The responses of several results to each condition that one of them has a response to, overlaid.
pub(super) async fn overlaid(service: &Service, results: &[(String, &Published)]) -> Vec<Curves> {
    let mut analysed = Vec::new();
    for (name, result) in results {
        analysed.extend(analysis(service, result).await.map(|analysis| (name.clone(), analysis)));
    }
    CONDITIONS
        .iter()
        .filter_map(|condition| {
            let responses: Vec<(&str, &Response)> = analysed
                .iter()
                .filter_map(|(name, analysis)| Some((name.as_str(), analysis.responses.get(condition.0)?)))
                .collect();
            (!responses.is_empty()).then(|| Curves {
                caption: format!("By {}", condition.1),
                svg: curves(condition, &responses),
            })
        })
        .collect()
}

/// A chart of responses to one condition, each under its name.
fn curves(
    &(name, condition, unit, _): &(&str, &'static str, &'static str, usize),
    responses: &[(&str, &Response)],
) -> String {
    let curve = |(label, response): &(&str, &Response)| Curve {
        label: (*label).to_owned(),
        points: response.points.iter().map(|point| (point.value, point.rate, point.interval)).collect(),
    };
    charts::curves(&CurvesChart {
        id: format!("curves-{}", name.replace('_', "-")),
        title: format!("Words wrong by {condition}"),
        description: "Fitted share of words that are wrong, with its 95 % band.".to_owned(),
        across: format!("{condition}, {unit}"),
        error_title: "Words wrong, %".to_owned(),
        curves: responses.iter().map(curve).collect(),
    })
}

async fn analysis(service: &Service, result: &Published) -> Option<Analysis> {
    if service.board_is_stale() {
        // Asking would only make the reader wait.
        return None;
    }
    let stored = scores::analysis(&service.pool, result.attempt, &result.scorer)
        .await
        .inspect_err(|error| {
            tracing::warn!("the analysis of attempt {} is left out: {error}", result.attempt);
        })
        .ok()??;
    serde_json::from_value(stored)
        .inspect_err(|error| {
            tracing::warn!("the analysis of attempt {} is left out: {error}", result.attempt);
        })
        .ok()
}

fn view(analysis: &Analysis) -> Weakness {
    let [near, far @ ..] = scorer::ranked_tracks();
    let of = |names: &[&str]| -> Vec<&TrackAnalysis> {
        names.iter().filter_map(|name| analysis.tracks.get(*name)).collect()
    };
    let sides = [of(&[near]), of(&far)];
    let each = |rate: &dyn Fn(&[&TrackAnalysis]) -> Option<f64>| {
        [rate(&sides[0]).map(Rate), rate(&sides[1]).map(Rate)]
    };
    let formatting = |tracks: &[&TrackAnalysis]| {
        tracks.iter().fold(Formatting::default(), |sum, track| sum + track.formatting)
    };
    Weakness {
        far_near: analysis.far_near.map(|ratio| {
            let interval = ratio.interval.map(|(low, high)| format!("{low:.2}–{high:.2}"));
            (format!("{:.2}", ratio.ratio), interval)
        }),
        chars: each(&|tracks| tracks.iter().map(|track| track.chars).sum::<Counts>().rate()),
        punctuation: each(&|tracks| formatting(tracks).punctuation_error_rate()),
        casing: each(&|tracks| formatting(tracks).case_error_rate()),
        false_words: analysis
            .tracks
            .iter()
            .filter_map(|(name, track)| Some((name.clone(), format!("{:.0}", track.false_words_per_hour?))))
            .collect(),
        classes: CLASSES.iter().filter_map(|class| class_row(class, &sides)).collect(),
        entities: CLASSES.iter().filter_map(|class| entity_row(class, &sides)).collect(),
        fault_tracks: fault_tracks(analysis).into_iter().map(str::to_owned).collect(),
        faults: fault_rows(analysis),
        responses: CONDITIONS
            .iter()
            .filter_map(|condition| Some(response_table(condition, analysis.responses.get(condition.0)?)))
            .collect(),
        ladder: ladder_rows(analysis),
        snr_bins: SNR_HEADS.to_vec(),
        rooms: room_rows(analysis),
        fewest_items: FEWEST_ITEMS,
        confusions: analysis.confusions.iter().map(confusion_row).collect(),
        shown_from: SHOWN_FROM,
    }
}

/// Heads of the bins of SNR in decibels, and of items without noise.
const SNR_HEADS: [&str; 6] = ["below −4", "−4 to 7", "7 to 13", "13 to 24", "24 and more", "no noise"];
/// Fewer items than this have no rate: one utterance more or less would move it by points.
const FEWEST_ITEMS: u64 = 5;

/// Dry speech, then what each step adds.
fn ladder_rows(analysis: &Analysis) -> Vec<LadderRow> {
    let Some(first) = analysis.ladder.iter().find(|rung| rung.from == "near") else { return Vec::new() };
    let largest = analysis.ladder.iter().map(|rung| rung.interval.1.max(rung.increment)).fold(0.0, f64::max);
    let dry = LadderRow {
        step: "dry speech".to_owned(),
        track: "near".to_owned(),
        from: None,
        wer: Rate(first.wer - first.increment),
        increment: None,
        strip: String::new(),
    };
    let row = |rung: &Rung| LadderRow {
        step: rung.step.clone(),
        track: rung.track.clone(),
        from: Some(rung.from.clone()),
        wer: Rate(rung.wer),
        increment: Some((
            Difference(rung.increment),
            Difference(rung.interval.0),
            Difference(rung.interval.1),
        )),
        strip: charts::interval_strip(rung.increment, Some(rung.interval), largest),
    };
    std::iter::once(dry).chain(analysis.ladder.iter().map(row)).collect()
}

fn room_rows(analysis: &Analysis) -> Vec<RoomRow> {
    let view = |cell: &analysis::RoomCell| RoomCell {
        items: Count(cell.items),
        wer: (cell.items >= FEWEST_ITEMS && cell.words > 0)
            .then(|| Rate(cell.errors as f64 / cell.words as f64)),
    };
    let mut rows: Vec<RoomRow> = analysis
        .rooms
        .iter()
        .map(|(room, cells)| {
            let all = cells.iter().fold(analysis::RoomCell::default(), |sum, cell| analysis::RoomCell {
                items: sum.items + cell.items,
                errors: sum.errors + cell.errors,
                words: sum.words + cell.words,
            });
            RoomRow { room: room.clone(), cells: cells.iter().map(view).collect(), all: view(&all) }
        })
        .collect();
    let rate = |row: &RoomRow| row.all.wer.map_or(0.0, |wer| wer.0);
    rows.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    rows
}

type Sides<'a> = [Vec<&'a TrackAnalysis>; 2];

fn class_row(
    (class, name, meaning): &(WordClass, &'static str, &'static str),
    sides: &Sides<'_>,
) -> Option<ClassRow> {
    let of = |tracks: &[&TrackAnalysis]| -> Counts {
        tracks.iter().filter_map(|track| track.classes.get(class)).sum()
    };
    let [near, far] = [of(&sides[0]), of(&sides[1])];
    let all = near + far;
    let errors = [all.substitutions, all.deletions, all.insertions].map(Count);
    (all.ref_words() + all.insertions > 0).then(|| ClassRow {
        name,
        meaning,
        ref_words: Count(all.ref_words()),
        wer: [near.rate().map(Rate), far.rate().map(Rate)],
        errors,
    })
}

fn entity_row(
    (class, name, _): &(WordClass, &'static str, &'static str),
    sides: &Sides<'_>,
) -> Option<EntityRow> {
    let of = |tracks: &[&TrackAnalysis]| {
        let found = tracks.iter().filter_map(|track| track.entities.get(class));
        found.fold(EntityErrors::default(), |sum, errors| EntityErrors {
            entities: sum.entities + errors.entities,
            wrong: sum.wrong + errors.wrong,
        })
    };
    let [near, far] = [of(&sides[0]), of(&sides[1])];
    let entities = near.entities + far.entities;
    (entities > 0).then(|| EntityRow {
        name,
        entities: Count(entities),
        rate: [near.rate().map(Rate), far.rate().map(Rate)],
    })
}

/// The ranked tracks, then the others.
fn fault_tracks(analysis: &Analysis) -> Vec<&str> {
    let ranked = TRACKS.iter().map(|track| track.name).filter(|name| analysis.tracks.contains_key(*name));
    let others = analysis.tracks.keys().map(String::as_str);
    ranked.chain(others.filter(|name| TRACKS.iter().all(|track| track.name != *name))).collect()
}

fn fault_rows(analysis: &Analysis) -> Vec<FaultRow> {
    let (from, share) = (faults::TRUNCATED_WORDS, 100.0 * faults::TRUNCATED_SHARE);
    let (phrase, repeats, words) = (faults::LOOP_PHRASE, faults::LOOP_REPEATS, faults::LOOP_WORDS);
    let (factor, extra) = (faults::RUNAWAY_FACTOR, faults::RUNAWAY_EXTRA);
    let (fewest, hits) = (faults::HALLUCINATED_WORDS, 100.0 * faults::HALLUCINATED_HITS);
    let kinds = [
        (Fault::Empty, "Empty", "no word, though something was said".to_owned()),
        (
            Fault::Truncated,
            "Truncated",
            format!("the last {from} words or more missing, at least {share:.0} %"),
        ),
        (
            Fault::Looping,
            "Looping",
            format!("a phrase of up to {phrase} words {repeats} times in a row, {words} words or more"),
        ),
        (
            Fault::Runaway,
            "Runaway",
            format!("more than {factor} times the words that were said, plus {extra}"),
        ),
        (
            Fault::Hallucinated,
            "Hallucinated",
            format!("{fewest} words or more, at most {hits:.0} % of them right; any word in silence"),
        ),
        (Fault::Catastrophic, "Catastrophic", "as many errors as words that were said, or more".to_owned()),
    ];
    let tracks = fault_tracks(analysis);
    let outputs = |fault: Fault| {
        let of_track =
            |name: &&str| analysis.tracks.get(*name).and_then(|track| track.faults.get(&fault)).copied();
        tracks.iter().map(|name| Count(of_track(name).unwrap_or_default())).collect()
    };
    kinds
        .into_iter()
        .map(|(fault, name, meaning)| FaultRow { name, meaning, outputs: outputs(fault) })
        .collect()
}

fn response_table(
    described: &(&str, &'static str, &'static str, usize),
    response: &Response,
) -> ResponseTable {
    let &(_, condition, unit, decimals) = described;
    let written = |value: f64| {
        let text = format!("{:.decimals$}", value.abs());
        let is_negative = value < 0.0 && text.chars().any(|c| c.is_ascii_digit() && c != '0');
        if is_negative { format!("\u{2212}{text}") } else { text }
    };
    ResponseTable {
        condition,
        unit,
        items: Count(response.items),
        svg: curves(described, &[("", response)]),
        rows: response
            .points
            .iter()
            .map(|point| ResponseRow {
                value: written(point.value),
                rate: Rate(point.rate),
                band: Interval { low: Rate(point.interval.0), high: Rate(point.interval.1) },
            })
            .collect(),
        reached: response
            .crossings
            .iter()
            .map(|crossing| ReachedRow {
                percent: format!("{:.0}", 100.0 * crossing.rate),
                value: written(crossing.value),
                interval: crossing
                    .interval
                    .map(|(low, high)| format!("{} to {}", written(low), written(high))),
            })
            .collect(),
    }
}

fn confusion_row(confusion: &Confusion) -> ConfusionRow {
    ConfusionRow {
        said: confusion.reference.clone(),
        written: confusion.hypothesis.clone(),
        count: Count(confusion.count),
        utterances: Count(confusion.utterances),
    }
}
