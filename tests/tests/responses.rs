//! Responses of a real model to the conditions of `sweep`: through corpus, release, worker, scorer and pages, as anybody's.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{collections::BTreeSet, fs};

use end_to_end::{Operator, Speech, client, until};
use item_results::ItemResult;
use reqwest::multipart::{Form, Part};
use scraper::{Html, Selector};
use serde_json::Value;

/// Utterances of each track; every one has a part of its own of the range of ratios.
const ITEMS: usize = 20;
/// Groups of equal width over the range of −10 to 30 dB: five items in each.
const GROUPS: usize = 4;

/// The tests' release with `sweep` beside the ranked tracks, and with a third room: two could not tell what the
/// reverberation time does from what the ratio of direct to reverberant sound does.
fn specification() -> String {
    Speech::TINY.replace("\"far-low\"]", "\"far-low\", \"sweep\"]")
        + r#"
[[furnished]]
name = "meeting-room"
quality = { method = "geometric", rays = 500 }
talkers = ["talker at the glass", "talker at the window"]
microphones = ["recorder on the table"]
continuous = ["ventilation"]
transient = ["door"]
"#
}

/// Every word of the corpus is as likely as any other: enough to recognise prompts by, and no sentence is in it.
fn language_model(corpus: &str) -> String {
    let texts = corpus.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let words: BTreeSet<String> = texts
        .flat_map(|it| {
            let text = it["text"].as_str().unwrap().to_lowercase();
            text.split_whitespace()
                .map(|word| word.trim_matches(['.', ',', '?', '!']).to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|word| !word.is_empty() && word.chars().all(|it| it.is_ascii_alphabetic() || it == '\''))
        .collect();
    let entries = words.len() + 2;
    let share = -(entries as f64).log10();
    let lines: Vec<String> = words.iter().map(|word| format!("{share:.4} {word}")).collect();
    let lines = lines.join("\n");
    format!(
        "\\data\\\nngram 1={entries}\n\n\\1-grams:\n{share:.4} <s>\n{share:.4} </s>\n{lines}\n\n\\end\\\n"
    )
}

/// Errors by reference word over some items.
fn rate(items: &[&ItemResult]) -> f64 {
    let sum = |count: fn(&ItemResult) -> i32| items.iter().map(|it| f64::from(count(it))).sum::<f64>();
    sum(|it| it.substitutions + it.deletions + it.insertions)
        / sum(|it| it.hits + it.substitutions + it.deletions)
}

fn cells(page: &str, selector: &str) -> Vec<Vec<String>> {
    let rows = Html::parse_document(page);
    let rows = rows.select(&Selector::parse(selector).unwrap()).collect::<Vec<_>>();
    let cell = Selector::parse("th, td").unwrap();
    let text = |row: &scraper::ElementRef<'_>| {
        row.select(&cell).map(|it| it.text().collect::<String>().trim().to_owned()).collect()
    };
    rows.iter().map(text).collect()
}

async fn page(operator: &Operator, path: &str) -> String {
    let answer = client().get(operator.url(path)).send().await.unwrap();
    answer.error_for_status().unwrap().text().await.unwrap()
}

fn number(text: &str) -> Option<f64> {
    text.replace('\u{2212}', "-").parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_on_sweep_rise_as_the_ratio_falls_in_the_items_in_the_fitted_curve_and_in_what_is_predicted() {
    let spec = specification();
    let speech = Speech { spec: &spec, items: ITEMS, ..Speech::default() };
    let (operator, _service) = Operator::set_up_on(&speech, &[], &[]);
    let corpus = fs::read_to_string(operator.path().join("corpus/manifest.jsonl")).unwrap();
    let lm = Part::text(language_model(&corpus)).file_name("words.arpa");
    until("the release is open", || operator.json("/api/v1/boards/tiny")).await;
    let form = Form::new()
        .text("name", "Words alone")
        .text("organisation", "CMU Sphinx")
        .text("licence", "BSD-2-Clause")
        .text("runtime", "pocketsphinx")
        .text("decoding", "lm = \"words.arpa\"\nmaxhmmpf = 3000\nmaxwpf = 10")
        .part("files", lm);
    let submission = operator.submit_form(form).await;
    let _worker = operator.worker("node-1");
    operator.result(&submission).await;
    let board = operator.json("/api/v1/boards/tiny").await.unwrap();
    let attempt = board["rows"][0]["attempt"].as_str().unwrap();

    // Item by item, by the ratio that was achieved.
    let file =
        client().get(operator.url(&format!("/api/v1/results/{attempt}/items.parquet"))).send().await.unwrap();
    let items = item_results::read(file.bytes().await.unwrap().to_vec()).unwrap().items;
    let sweep: Vec<&ItemResult> = items.iter().filter(|item| item.track == "sweep").collect();
    assert_eq!(sweep.len(), ITEMS);
    let rates: Vec<f64> = (0..GROUPS)
        .map(|group| {
            let width = 40.0 / GROUPS as f64;
            let low = group as f64 * width - 10.0;
            let within = |item: &&&ItemResult| (low..low + width).contains(&item.snr_db.unwrap());
            let of_group: Vec<&ItemResult> = sweep.iter().filter(within).copied().collect();
            assert_eq!(of_group.len(), ITEMS / GROUPS, "the ratios are stratified: from {low} dB");
            rate(&of_group)
        })
        .collect();
    // If all words of an item failed together, a rate p of n items would have a variance of p (1 - p) / n. No step goes the
    // other way by more than the largest standard error of a difference of two groups, √(2 / 4 / 5) = 0.32, and the lower
    // half of the range has more errors than the upper by 1.64 of theirs (one side, 95 %).
    println!("errors by word from -10 dB up, 10 dB each: {rates:.3?}");
    let size = (ITEMS / GROUPS) as f64;
    assert!(rates.windows(2).all(|pair| pair[1] < pair[0] + (0.5 / size).sqrt()), "{rates:?}");
    let (low, high): (Vec<&ItemResult>, Vec<&ItemResult>) =
        sweep.iter().partition(|it| it.snr_db.unwrap() < 10.0);
    let (low, high) = (rate(&low), rate(&high));
    let variance = |rate: f64| rate.min(1.0) * (1.0 - rate.min(1.0)) / (ITEMS / 2) as f64;
    assert!(low - high > 1.64 * (variance(low) + variance(high)).sqrt(), "{low} and {high}");

    // The curve on the model's page falls all the way.
    let model = page(&operator, &format!("/models/{submission}")).await;
    let curve: Vec<f64> =
        cells(&model, "[aria-label*='signal-to-noise'] tbody tr, [aria-label*='SNR'] tbody tr")
            .iter()
            .map(|row| number(&row[1]).unwrap())
            .collect();
    println!("curve: {curve:?}");
    assert!(curve.len() >= 3 && curve.is_sorted_by(|left, right| left > right), "{curve:?}");

    // What is predicted for a room in the middle of those that were heard, by the surface over ratio, reverberation and
    // distance: the noise rises by 3 dB a step.
    let [t30, drr] = [middle(&sweep, |it| it.t30_s), middle(&sweep, |it| it.drr_db)];
    // Direct and reverberant sound are equal at 0.98 m in 60 m³ and 0.4 s, and with the root of volume by time.
    let distance = 0.98 * (40.0 / t30 / 150.0).sqrt() * 10_f64.powf(-drr / 20.0);
    let mut predicted = Vec::new();
    for noise in (20..=80).step_by(3) {
        let asked = format!("/my-room?volume=40&t30={t30:.3}&distance={distance:.3}&noise={noise}");
        let rows = cells(&page(&operator, &asked).await, "[aria-labelledby=predicted] tbody tr");
        predicted.extend(rows.first().and_then(|row| number(&row[1])));
    }
    println!("predicted for {t30:.2} s, {drr:.1} dB: {predicted:?}");
    assert!(predicted.len() >= 3 && predicted.is_sorted_by(|left, right| left < right), "{predicted:?}");
}

/// Halfway between the least and the most.
fn middle(items: &[&ItemResult], value: fn(&ItemResult) -> Option<f64>) -> f64 {
    let values = || items.iter().filter_map(|it| value(it));
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    f64::midpoint(low, high)
}
