//! What a visitor can rely on when a board is filtered, ranked for a purpose and sorted.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use selection::{
    BadQuery, Candidate, Column, Cost, Covariance, Estimate, Filter, LicenceChoice, Limits, PURPOSES, Page,
    Purpose, SizeClass, Sort, Standing, Unmet, View, Weights,
};

fn plain(value: f64) -> Estimate {
    Estimate { value, interval: None }
}

/// A model with its WER on `near` and `far-low`, in percent, its RTFx and its parameters in millions.
fn model(name: &str, [near, far]: [f64; 2], rtfx: f64, params: Option<u64>) -> Candidate {
    let tracks: Arc<[String]> = ["near", "far-low"].map(str::to_owned).into();
    let spread = [[near / 100.0 - 0.01, near / 100.0 + 0.01], [far / 100.0 - 0.03, far / 100.0 + 0.03]];
    let rates = [("near", near / 100.0), ("far-low", far / 100.0)];
    Candidate {
        name: name.to_owned(),
        organisation: "Institute for Hearing".to_owned(),
        licence: if name == "closed" { "proprietary" } else { "MIT" }.to_owned(),
        runtime: "onnx".to_owned(),
        num_params: params.map(|millions| millions * 1_000_000),
        place: 0,
        average: plain((near + far) / 200.0),
        tracks: rates.into_iter().map(|(track, rate)| (track.to_owned(), plain(rate))).collect(),
        covariance: Covariance::new(tracks, &spread),
        rtfx: Some(plain(rtfx)),
        latency_p50: 1.0 / rtfx,
        latency_p95: 2.0 / rtfx,
    }
}

/// Good in quiet and slow; good in noise and fast; bad and closed.
fn three() -> Vec<Candidate> {
    let mut models = vec![
        model("quiet", [4.0, 40.0], 0.5, Some(900)),
        model("noisy", [10.0, 30.0], 20.0, Some(40)),
        model("closed", [20.0, 60.0], 100.0, None),
    ];
    models[0].place = 2;
    models[1].place = 1;
    models[2].place = 3;
    models
}

fn names<'a>(view: &View, models: &'a [Candidate]) -> Vec<&'a str> {
    view.answer(models).rows.iter().map(|row| models[row.index].name.as_str()).collect()
}

fn parsed(query: &str) -> Result<View, BadQuery> {
    View::from_pairs(query.split('&').filter_map(|pair| pair.split_once('=')))
}

#[test]
fn the_board_as_it_stands_is_in_the_order_of_its_places() {
    let answer = View::default().answer(&three());
    assert_eq!(names(&View::default(), &three()), ["noisy", "quiet", "closed"]);
    assert_eq!(answer.hidden, 0);
    assert!(View::default().is_whole_ranking());
    assert_eq!(View::default().query(), "");
}

#[test]
fn own_weights_rank_anew_with_an_interval() {
    let view = parsed("for=own&w-near=3&w-far-low=0").unwrap();
    assert_eq!(view.query(), "weights=near:3");
    let answer = view.answer(&three());
    assert_eq!(names(&view, &three()), ["quiet", "noisy", "closed"]);
    assert_eq!(answer.rows[0].standing, Standing::Place(1));
    let score = answer.rows[0].score.unwrap();
    assert!((score.value - 0.04).abs() < 1e-12);
    // Two draws a hundredth to either side: variance 2 · 0.01² / (2 − 1).
    let half = 1.959_963_984_540_054 * (2.0_f64 * 0.01 * 0.01).sqrt();
    let (low, high) = score.interval.unwrap();
    assert!((low - (0.04 - half).max(0.0)).abs() < 1e-12 && (high - 0.04 - half).abs() < 1e-12);
}

#[test]
fn what_does_not_keep_a_limit_has_no_place_but_a_reason_and_stands_last() {
    let view = parsed("weights=near:1,far-low:1&min-rtfx=1&max-params=100").unwrap();
    let models = three();
    let answer = view.answer(&models);
    assert_eq!(answer.rows[0].standing, Standing::Place(1));
    assert_eq!(models[answer.rows[0].index].name, "noisy");
    let reasons: Vec<&Standing> = answer.rows[1..].iter().map(|row| &row.standing).collect();
    assert!(reasons.contains(&&Standing::Outside(vec![Unmet::Rtfx(1.0), Unmet::Params(100_000_000)])));
    assert!(reasons.contains(&&Standing::Outside(vec![Unmet::ParamsUnknown])));
}

#[test]
fn a_purpose_that_asks_for_a_track_that_was_not_run_says_so() {
    let view = parsed("for=meeting-room").unwrap();
    let answer = view.answer(&three());
    let lacking = ["far-high", "far-mid", "moving-mid"].map(str::to_owned).to_vec();
    assert!(answer.rows.iter().all(|row| row.standing == Standing::NotRun(lacking.clone())));
    assert!(answer.rows.iter().all(|row| row.score.is_none()));
}

#[test]
fn filters_hide_and_count_what_they_hide_and_leave_places_alone() {
    let models = three();
    let view =
        View { filter: Filter { text: "HEAR quiet".to_owned(), ..Filter::default() }, ..View::default() };
    let answer = view.answer(&models);
    assert_eq!((names(&view, &models), answer.hidden), (vec!["quiet"], 2));
    assert_eq!(answer.rows[0].standing, Standing::Place(2));
    assert_eq!(names(&parsed("licence=open").unwrap(), &models), ["noisy", "quiet"]);
    assert_eq!(names(&parsed("size=medium").unwrap(), &models), ["quiet"]);
    assert_eq!(names(&parsed("size=unknown").unwrap(), &models), ["closed"]);
    assert_eq!(names(&parsed("runtime=nemo").unwrap(), &models), [""; 0]);
}

#[test]
fn a_page_is_part_of_the_address_and_another_order_begins_at_the_first() {
    let view = parsed("sort=rtfx&page=3").unwrap();
    assert_eq!((view.page, view.query()), (Page(3), "sort=rtfx&dir=desc&page=3".to_owned()));
    assert_eq!(view.sorted_by(&Column::Params).page, Page(1));
    assert_eq!(view.at_page(1).query(), "sort=rtfx&dir=desc");
    assert_eq!(Page(3).of(250), 200..250);
    assert_eq!(Page(9).of(250), 200..250, "the last there is");
    assert_eq!(Page(1).of(0), 0..0);
    assert_eq!((Page::last(0), Page::last(100), Page::last(101)), (1, 1, 2));
    assert!(parsed("page=0").is_err() && parsed("page=x").is_err());
}

#[test]
fn every_column_sorts_and_ties_keep_the_ranking() {
    let models = three();
    assert_eq!(names(&parsed("sort=rtfx").unwrap(), &models), ["closed", "noisy", "quiet"]);
    assert_eq!(names(&parsed("sort=near").unwrap(), &models), ["quiet", "noisy", "closed"]);
    assert_eq!(names(&parsed("sort=model&dir=desc").unwrap(), &models), ["quiet", "noisy", "closed"]);
    assert_eq!(names(&parsed("sort=params").unwrap(), &models), ["noisy", "quiet", "closed"]);
    assert_eq!(names(&parsed("sort=runtime").unwrap(), &models), ["noisy", "quiet", "closed"]);
    // No such track: all cells are empty.
    assert_eq!(names(&parsed("sort=<script>").unwrap(), &models), ["noisy", "quiet", "closed"]);
}

#[test]
fn what_cannot_be_understood_is_refused_with_what_would_be() {
    let message = |query: &str| parsed(query).unwrap_err().to_string();
    assert!(message("min-rtfx=fast").contains("a number above 0"));
    assert!(message("max-p95=-1").contains("max-p95"));
    assert!(message("weights=near").contains("near:1,far-low:3"));
    assert!(message("weights=near:-1").contains("above 0"));
    assert!(message("for=fun").contains("contact-centre"));
    assert!(message("x=price").contains("latency-p50"));
    assert!(message("size=huge").contains("medium"));
    assert_eq!(parsed("sort=wer&sort=rtfx"), Err(BadQuery::Repeated("sort".to_owned())));
    assert_eq!(parsed("for=ranking&w-near=3"), Ok(View::default()));
    // Weights that are all 0 weigh nothing; the ranking stands.
    assert_eq!(parsed("w-near=0&w-far-low=0"), Ok(View::default()));
    // Links carry what we have never heard of.
    assert_eq!(parsed("utm_source=mail&x="), Ok(View::default()));
}

#[test]
fn purposes_have_limits_and_weights_over_tracks_of_a_release() {
    for purpose in &PURPOSES {
        let named = Purpose::named(purpose.name).unwrap();
        let weights = named.weights().unwrap();
        let sum: f64 = weights.iter().map(|(track, _)| weights.share(track)).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{}", purpose.name);
        assert!(!named.limits().is_none(), "{}", purpose.name);
    }
    let both = Purpose::named("on-device").unwrap().limits().and(Limits {
        max_params: Some(40_000_000),
        min_rtfx: Some(0.5),
        ..Limits::default()
    });
    assert_eq!((both.max_params, both.min_rtfx), (Some(40_000_000), Some(1.0)));
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9äß&=?#%+,: /<>-]{1,12}"
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("not empty", |text| !text.is_empty())
}

fn track() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["near", "far-high", "far-low", "sweep"]).prop_map(str::to_owned)
}

fn purposes() -> impl Strategy<Value = Purpose> {
    let own =
        prop::collection::btree_map(track(), 0.001f64..1e6, 1..4).prop_map(|weights: BTreeMap<_, _>| {
            Weights::new(weights.iter().map(|(track, weight)| (track.as_str(), *weight)))
                .map(Purpose::Own)
                .expect("weights above 0")
        });
    prop_oneof![
        Just(Purpose::Ranking),
        (0..PURPOSES.len()).prop_map(|index| Purpose::Named(&PURPOSES[index])),
        own
    ]
}

prop_compose! {
    fn views()(
        names in prop::collection::vec(prop::option::of(word()), 5),
        text in prop::option::of(word()),
        sort in prop::sample::select(vec!["rank", "model", "wer", "near", "rtfx", "params"]),
        direction in prop::sample::select(vec!["asc", "desc"]),
        licence in prop_oneof![
            Just(LicenceChoice::Any),
            Just(LicenceChoice::Open),
            word().prop_filter("not the word for open", |word| word != "open").prop_map(LicenceChoice::Exactly)
        ],
        size in prop::option::of(prop::sample::select(SizeClass::ALL.to_vec())),
        purpose in purposes(),
        rtfx in prop::option::of(1e-3f64..1e6),
        p95 in prop::option::of(1e-3f64..1e6),
        params in prop::option::of(1u64..1_000_000),
        columns in prop::option::of(prop::collection::vec(track(), 1..4)),
        accuracy in prop::option::of(track()),
        cost in prop::sample::select(Cost::ALL.to_vec()),
        page in 1usize..1000,
    ) -> View {
        View {
            release: names[0].clone(),
            hardware: names[1].clone(),
            profile: names[2].clone(),
            sort: Sort::named(Some(sort), Some(direction)),
            filter: Filter {
                text: text.unwrap_or_default(),
                organisation: names[3].clone(),
                runtime: names[4].clone(),
                licence,
                size,
            },
            purpose,
            limits: Limits {
                min_rtfx: rtfx,
                max_p95: p95,
                max_params: params.map(|millions| millions * 1_000_000),
                open_licence: false,
            },
            columns: columns.map(|names| names.into_iter().map(Column::Track).collect()),
            accuracy: accuracy.map_or(selection::Accuracy::Score, selection::Accuracy::Track),
            cost,
            page: Page(page),
        }
    }
}

proptest! {
    #[test]
    fn every_view_has_an_address_and_the_address_is_that_view(view in views()) {
        let query = view.query();
        let decoded = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(key, value)| {
            (key.to_owned(), percent_decoded(value))
        });
        prop_assert_eq!(View::from_pairs(decoded), Ok(view));
    }

    #[test]
    fn any_query_is_read_or_refused(query in ".{0,80}") {
        let _ = parsed(&query);
    }

    #[test]
    fn an_answer_holds_every_model_once_or_counts_it_as_hidden(view in views()) {
        let models = three();
        let answer = view.answer(&models);
        prop_assert_eq!(answer.rows.len() + answer.hidden, models.len());
        let mut seen: Vec<usize> = answer.rows.iter().map(|row| row.index).collect();
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), answer.rows.len());
    }
}

/// Decodes what `url_component` encodes.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            let digits = String::from_utf8(digits).expect("ASCII");
            bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
