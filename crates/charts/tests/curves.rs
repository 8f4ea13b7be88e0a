//! What a reader and a parser can rely on in a chart of curves.

use charts::{Curve, CurvesChart, MOST_CURVES, curves};
use proptest::prelude::*;
use roxmltree::{Document, Node};

fn chart(curves: Vec<Curve>) -> CurvesChart {
    CurvesChart {
        id: "snr".to_owned(),
        title: "Words wrong by SNR".to_owned(),
        description: "One line a model".to_owned(),
        across: "SNR, dB".to_owned(),
        error_title: "Words wrong, %".to_owned(),
        curves,
    }
}

fn falling(label: &str, from: f64) -> Curve {
    let point = |step: u32| {
        let rate = from * 0.7_f64.powi(i32::try_from(step).unwrap_or_default());
        (f64::from(step) * 5.0 - 10.0, rate, (rate * 0.9, rate * 1.1))
    };
    Curve { label: label.to_owned(), points: (0..7).map(point).collect() }
}

fn classed<'a>(document: &'a Document<'a>, class: &'a str) -> Vec<Node<'a, 'a>> {
    document
        .descendants()
        .filter(|node| node.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class)))
        .collect()
}

#[test]
fn every_model_has_a_line_a_band_and_its_name() {
    let svg = curves(&chart(vec![falling("one & only", 0.8), falling("other", 0.4)]));
    let document = Document::parse(&svg).expect("well-formed XML");
    assert_eq!(classed(&document, "curve").len(), 2);
    assert_eq!(classed(&document, "band").len(), 2);
    let names: Vec<&str> = classed(&document, "label").iter().filter_map(Node::text).collect();
    assert_eq!(names, ["one & only", "other"]);
    assert!(svg.contains("SNR, dB") && svg.contains("Words wrong, %"));
}

#[test]
fn errors_that_fall_are_drawn_downwards_to_the_right() {
    let svg = curves(&chart(vec![falling("", 0.8)]));
    let document = Document::parse(&svg).expect("well-formed XML");
    let line = classed(&document, "curve")[0].attribute("points").unwrap_or_default();
    let places: Vec<(f64, f64)> = line
        .split(' ')
        .filter_map(|pair| pair.split_once(','))
        .map(|(x, y)| (x.parse().expect("a number"), y.parse().expect("a number")))
        .collect();
    assert_eq!(places.len(), 7);
    assert!(places.windows(2).all(|pair| pair[1].0 > pair[0].0 && pair[1].1 > pair[0].1), "{places:?}");
    assert!(classed(&document, "label").is_empty(), "a chart of one needs no name");
}

#[test]
fn more_models_than_dashes_are_left_out_and_a_single_point_is_no_curve() {
    let many = (0..MOST_CURVES + 2).map(|number| falling(&number.to_string(), 0.5)).collect();
    let svg = curves(&chart(many));
    assert_eq!(classed(&Document::parse(&svg).expect("well-formed XML"), "curve").len(), MOST_CURVES);
    let single = Curve { label: "x".to_owned(), points: vec![(1.0, 0.5, (0.4, 0.6))] };
    let svg = curves(&chart(vec![single]));
    assert!(classed(&Document::parse(&svg).expect("well-formed XML"), "curve").is_empty());
}

proptest! {
    #[test]
    fn whatever_the_input_the_output_is_well_formed(
        points in prop::collection::vec(
            (prop_oneof![any::<f64>(), -30.0f64..30.0], 0.0f64..2.0, (prop_oneof![any::<f64>(), -1.0f64..2.0], 0.0f64..2.0)),
            0..9
        ),
        label in any::<String>(),
    ) {
        let svg = curves(&chart(vec![Curve { label, points }]));
        prop_assert!(Document::parse(&svg).is_ok(), "{svg}");
    }
}
