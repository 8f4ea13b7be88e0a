//! What a reader and a parser can rely on in a Pareto chart.

use charts::{Axis, Better, Embedding, Layout, ParetoChart, ParetoPoint, pareto};
use proptest::prelude::*;
use roxmltree::{Document, Node};

fn point(label: &str, speed: f64, error: f64) -> ParetoPoint {
    ParetoPoint {
        label: label.to_owned(),
        href: format!("/models/{label}"),
        detail: "in words".to_owned(),
        across: speed,
        across_interval: None,
        error,
        error_interval: None,
        on_front: false,
    }
}

fn chart(mut points: Vec<ParetoPoint>) -> ParetoChart {
    let pairs: Vec<(f64, f64)> = points.iter().map(|point| (point.across, point.error)).collect();
    for point in &mut points {
        point.on_front = !pairs.iter().any(|&(speed, error)| {
            speed >= point.across && error <= point.error && (speed > point.across || error < point.error)
        });
    }
    ParetoChart {
        id: "chart".to_owned(),
        title: "Avg WER over speed".to_owned(),
        description: "One point a model".to_owned(),
        across: Axis::rtfx(),
        error_title: "Word error rate, %".to_owned(),
        points,
        layout: Layout::Wide,
        embedding: Embedding::Inline,
    }
}

fn classed<'a>(document: &'a Document<'a>, class: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document
        .descendants()
        .filter(move |node| node.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class)))
}

/// The coordinates of a polyline or polygon, in tenths of a user unit.
fn coordinates(node: Node<'_, '_>) -> Vec<(i64, i64)> {
    let tenths = |number: &str| (number.parse::<f64>().expect("a number") * 10.0).round() as i64;
    node.attribute("points")
        .unwrap_or_default()
        .split(' ')
        .map(|pair| {
            let (x, y) = pair.split_once(',').expect("a pair of coordinates");
            (tenths(x), tenths(y))
        })
        .collect()
}

/// Ten rows of the public FFASR board, July 2026 (published figures): `RTFx`, Avg WER in percent.
const PUBLISHED: [(&str, f64, f64); 10] = [
    ("Mega-ASR", 19.78, 13.38),
    ("Qwen3-ASR-1.7B", 25.71, 13.41),
    ("cohere-transcribe", 63.28, 15.03),
    ("granite-4.1-2b-nar", 211.12, 15.16),
    ("granite-4.1-2b", 21.63, 16.35),
    ("Qwen3-ASR-0.6B", 25.53, 16.97),
    ("parakeet-tdt-1.1b", 106.04, 17.34),
    ("parakeet-tdt-0.6b-v2", 215.07, 17.66),
    ("parakeet-tdt-0.6b-v3", 127.08, 19.04),
    ("canary-qwen-2.5b", 1.62, 19.54),
];

fn published() -> Vec<ParetoPoint> {
    PUBLISHED.iter().map(|&(name, speed, error)| point(name, speed, error / 100.0)).collect()
}

#[test]
fn every_model_is_a_linked_point_with_a_name_and_a_target() {
    let svg = pareto(&chart(published()));
    let document = Document::parse(&svg).expect("well-formed XML");
    let points: Vec<Node<'_, '_>> = classed(&document, "point").collect();
    assert_eq!(points.len(), PUBLISHED.len());
    for node in points {
        assert_eq!(node.tag_name().name(), "a");
        assert!(node.attribute("href").is_some_and(|href| href.starts_with("/models/")));
        let name = node.attribute("aria-label").expect("a name");
        assert!(
            node.children().any(|child| child.tag_name().name() == "title" && child.text() == Some(name))
        );
        assert_eq!(node.children().filter(|child| child.attribute("class") == Some("hit")).count(), 1);
    }
}

#[test]
fn points_on_the_front_differ_in_shape_and_words_and_not_only_in_colour() {
    let svg = pareto(&chart(published()));
    let document = Document::parse(&svg).expect("well-formed XML");
    for node in classed(&document, "point") {
        let on_front = node.attribute("class") == Some("point on-front");
        let mark = node.children().find(|child| child.attribute("class") == Some("mark")).expect("a mark");
        assert_eq!(mark.tag_name().name(), if on_front { "path" } else { "circle" });
        assert_eq!(
            node.attribute("aria-label").is_some_and(|name| name.ends_with("on the Pareto front")),
            on_front
        );
    }
}

#[test]
fn a_chart_has_an_accessible_name_and_description() {
    let mut drawn = chart(published());
    let svg = pareto(&drawn);
    let document = Document::parse(&svg).expect("well-formed XML");
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("group"));
    for (attribute, text) in
        [("aria-labelledby", "Avg WER over speed"), ("aria-describedby", "One point a model")]
    {
        let id = root.attribute(attribute).expect("a reference");
        let named = document.descendants().find(|node| node.attribute("id") == Some(id)).expect("its target");
        assert_eq!(named.text(), Some(text));
    }
    drawn.embedding = Embedding::Standalone;
    let alone = pareto(&drawn);
    assert_eq!(
        Document::parse(&alone).expect("well-formed XML").root_element().attribute("role"),
        Some("img")
    );
}

#[test]
fn only_a_chart_that_stands_alone_brings_its_style() {
    let mut drawn = chart(published());
    assert!(!pareto(&drawn).contains("style"));
    drawn.embedding = Embedding::Standalone;
    assert!(pareto(&drawn).contains("prefers-color-scheme: dark"));
}

#[test]
fn intervals_are_drawn_as_whiskers_and_broken_ones_are_not() {
    let mut with = point("with", 10.0, 0.2);
    with.error_interval = Some((0.15, 0.25));
    with.across_interval = Some((9.0, 11.0));
    let mut broken = point("broken", 20.0, 0.3);
    broken.error_interval = Some((f64::NAN, 0.4));
    broken.across_interval = Some((0.0, 30.0));
    let svg = pareto(&chart(vec![with, broken]));
    let document = Document::parse(&svg).expect("well-formed XML");
    assert_eq!(classed(&document, "whisker").count(), 2);
}

#[test]
fn an_empty_chart_says_so() {
    let svg = pareto(&chart(vec![point("stopped", 0.0, 0.1), point("unknown", f64::NAN, 0.1)]));
    let document = Document::parse(&svg).expect("well-formed XML");
    assert_eq!(classed(&document, "point").count(), 0);
    assert!(document.descendants().any(|node| node.text() == Some("No results to draw yet")));
}

#[test]
fn one_model_and_equal_models_are_drawn_too() {
    for count in [1, 5] {
        let svg = pareto(&chart(vec![point("same", 12.0, 0.0); count]));
        let document = Document::parse(&svg).expect("well-formed XML");
        assert_eq!(classed(&document, "point").count(), count);
        assert!(classed(&document, "tick").count() >= 3);
    }
}

#[test]
fn a_label_without_room_waits_for_the_pointer_and_the_front_goes_first() {
    let crowd = (0..60).map(|index| point(&format!("a-model-with-a-long-name-{index}"), 10.0, 0.2)).collect();
    let mut drawn = chart(crowd);
    drawn.points.push(point("front", 11.0, 0.1));
    drawn = chart(drawn.points);
    let svg = pareto(&drawn);
    let document = Document::parse(&svg).expect("well-formed XML");
    assert!(classed(&document, "quiet").count() > 30);
    let front = classed(&document, "on-front").next().expect("a front");
    assert!(!front.descendants().any(|node| node.attribute("class") == Some("label quiet")));
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 1e-3f64..1e3, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => -1.0f64..=0.0]
}

fn any_point() -> impl Strategy<Value = ParetoPoint> {
    let interval = || prop::option::of((any_number(), any_number()));
    (any::<String>(), any::<String>(), any_number(), any_number(), interval(), interval(), any::<bool>())
        .prop_map(|(label, href, speed, error, across_interval, error_interval, on_front)| ParetoPoint {
            detail: href.clone(),
            label,
            href,
            across: speed,
            across_interval,
            error,
            error_interval,
            on_front,
        })
}

proptest! {
    #[test]
    fn whatever_the_input_the_output_is_well_formed_and_stays_on_the_canvas(
        points in prop::collection::vec(any_point(), 0..25),
        title in any::<String>(),
        compact in any::<bool>(),
        standalone in any::<bool>(),
    ) {
        let drawn = ParetoChart {
            id: "chart".to_owned(),
            description: title.clone(),
            error_title: title.clone(),
            title,
            across: Axis { title: String::new(), better: if compact { Better::Lower } else { Better::Higher } },
            layout: if compact { Layout::Compact } else { Layout::Wide },
            embedding: if standalone { Embedding::Standalone } else { Embedding::Inline },
            points,
        };
        let svg = pareto(&drawn);
        let document = Document::parse(&svg);
        prop_assert!(document.is_ok(), "{:?} in {svg}", document.err());
        let document = document.expect("checked above");
        let placed = drawn
            .points
            .iter()
            .filter(|point| point.across.is_finite() && point.across > 0.0 && point.error.is_finite() && point.error >= 0.0)
            .count();
        prop_assert_eq!(classed(&document, "point").count(), placed);
        let (width, height) = if compact { (360.0, 380.0) } else { (1040.0, 430.0) };
        for node in document.descendants().filter(|node| node.has_attribute("cx")) {
            let at = |name: &str| node.attribute(name).and_then(|text| text.parse::<f64>().ok());
            prop_assert!(at("cx").is_some_and(|x| (0.0..=width).contains(&x)));
            prop_assert!(at("cy").is_some_and(|y| (0.0..=height).contains(&y)));
        }
    }

    #[test]
    fn hostile_text_never_becomes_markup(label in "[<>&\"'a-z/= ]{1,40}") {
        let svg = pareto(&chart(vec![point(&label, 10.0, 0.2), point("other", 1.0, 0.3)]));
        let document = Document::parse(&svg).expect("well-formed XML");
        let known = ["svg", "title", "desc", "a", "circle", "path", "text", "polyline", "polygon"];
        for node in document.descendants().filter(Node::is_element) {
            prop_assert!(known.contains(&node.tag_name().name()));
            prop_assert!(node.attributes().all(|attribute| !attribute.name().starts_with("on")));
        }
        let href = format!("/models/{label}");
        prop_assert!(classed(&document, "point").any(|node| node.attribute("href") == Some(href.as_str())));
    }

    #[test]
    fn the_front_line_rises_from_slow_and_accurate_to_fast_and_wrong(
        pairs in prop::collection::vec((0.01f64..1e3, 0.0f64..1.5), 1..40),
        lies in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut drawn = chart(pairs.iter().map(|&(speed, error)| point("m", speed, error)).collect());
        for (point, lie) in drawn.points.iter_mut().zip(lies) {
            point.on_front |= lie;
        }
        let svg = pareto(&drawn);
        let document = Document::parse(&svg).expect("well-formed XML");
        let line = coordinates(classed(&document, "front-line").next().expect("a front"));
        prop_assert!(line.len() >= 3);
        for pair in line.windows(2) {
            // Right or up in the picture, never both, never back.
            prop_assert!(pair[1].0 >= pair[0].0 && pair[1].1 <= pair[0].1);
            prop_assert!(pair[1].0 == pair[0].0 || pair[1].1 == pair[0].1);
        }
    }
}

#[test]
fn where_less_is_better_the_front_starts_at_the_right_and_climbs_at_the_left() {
    let mut drawn =
        chart(vec![point("small", 10.0, 0.3), point("large", 100.0, 0.1), point("worse", 90.0, 0.4)]);
    drawn.across = Axis { title: "Parameters, millions".to_owned(), better: Better::Lower };
    drawn.points.iter_mut().for_each(|point| point.on_front = point.label != "worse");
    let svg = pareto(&drawn);
    assert!(svg.contains("Parameters, millions (← better)"));
    let document = Document::parse(&svg).expect("well-formed XML");
    let line = classed(&document, "front-line").next().expect("a front");
    let steps = coordinates(line);
    assert!(steps.windows(2).all(|pair| pair[1].0 <= pair[0].0 && pair[1].1 <= pair[0].1), "{steps:?}");
    assert!(steps[0].0 > steps[1].0, "it starts right of the large model: {steps:?}");
    assert_eq!(steps.len(), 5);
}
