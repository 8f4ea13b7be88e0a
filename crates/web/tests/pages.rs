//! What every page owes its readers: escaping, structure, and no inline script or style.

#[path = "../examples/preview/data.rs"]
mod data;

use std::collections::HashSet;

use data::Page;
use scraper::{ElementRef, Html, Selector};

/// What a hostile submitter calls a model.
const HOSTILE: &str = r#"</title><script>alert(1)</script><img src=x onerror=alert(2)>"'&<style>*{}</style>"#;

fn pages(model: &str) -> Vec<Page> {
    data::pages(model).into_iter().map(|page| page.expect("every page renders")).collect()
}

fn select<'a>(document: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    document.select(&Selector::parse(selector).expect("a selector")).collect()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<Vec<_>>().join("").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs a check on every page, with harmless and with hostile words in it.
fn on_every_page(check: impl Fn(&str, &Html)) {
    for model in ["Lauschangriff large", HOSTILE] {
        for page in pages(model) {
            check(page.name, &Html::parse_document(&page.html));
        }
    }
}

#[test]
fn a_hostile_name_is_shown_as_text_and_becomes_no_element() {
    for page in pages(HOSTILE) {
        let document = Html::parse_document(&page.html);
        // A model's page shows its badge, which has its address from us.
        let foreign = "img:not([src='/badges/1.svg']), style, iframe, object";
        assert!(select(&document, foreign).is_empty(), "{}", page.name);
        assert!(!page.html.contains("<script>"), "{}", page.name);
        assert!(!page.html.replace("<img src=\"/badges/1.svg\"", "").contains("<img"), "{}", page.name);
    }
    let board = pages(HOSTILE).swap_remove(0);
    let document = Html::parse_document(&board.html);
    assert!(select(&document, "tbody th a").into_iter().any(|link| text(link) == HOSTILE));
}

#[test]
fn a_chart_served_as_a_file_escapes_names_too() {
    let document = Html::parse_fragment(&data::standalone_chart(HOSTILE));
    assert!(select(&document, "script, img").is_empty());
    assert!(select(&document, "svg a title").into_iter().any(|title| text(title).contains("alert(1)")));
}

#[test]
fn the_hostile_name_reaches_every_page_that_shows_a_submitter_s_words() {
    let showing = [
        "board",
        "model",
        "submission-queued",
        "submission-failed",
        "queue",
        "submit-errors",
        "submit-preview",
        "submit-revision",
        "login",
        "submissions",
        "admin-inbox",
        "admin-review",
        "admin-workers",
        "admin-worker",
        "admin-releases",
        "admin-quota",
        "admin-audit",
        "record",
        "webhooks",
    ];
    for page in pages(HOSTILE).into_iter().filter(|page| showing.contains(&page.name)) {
        assert!(page.html.contains("alert(1)"), "{}", page.name);
    }
}

#[test]
fn no_page_carries_an_inline_script_or_style() {
    on_every_page(|name, document| {
        for script in select(document, "script") {
            assert!(script.attr("src").is_some_and(|source| source.starts_with("/static/")), "{name}");
            assert!(text(script).is_empty(), "{name}");
        }
        assert!(select(document, "style").is_empty(), "{name}");
        for element in select(document, "*") {
            for (attribute, value) in element.value().attrs() {
                assert!(attribute != "style" && !attribute.starts_with("on"), "{name}: {attribute}");
                let is_link = attribute == "href" || attribute == "action" || attribute == "src";
                assert!(!is_link || !value.starts_with("javascript:"), "{name}: {value}");
            }
        }
    });
}

#[test]
fn every_page_has_a_language_a_title_one_main_heading_and_a_way_past_the_navigation() {
    on_every_page(|name, document| {
        assert_eq!(select(document, "html[lang=en]").len(), 1, "{name}");
        assert_eq!(select(document, "h1").len(), 1, "{name}");
        assert_eq!(select(document, "main#main").len(), 1, "{name}");
        assert_eq!(select(document, "a.skip[href='#main']").len(), 1, "{name}");
        let titles = select(document, "head > title");
        assert!(titles.len() == 1 && text(titles[0]).ends_with("· FFASR"), "{name}");
    });
}

#[test]
fn headings_do_not_skip_a_level() {
    on_every_page(|name, document| {
        let levels: Vec<u8> = select(document, "main h1, main h2, main h3, main h4")
            .iter()
            .map(|h| h.value().name().as_bytes()[1])
            .collect();
        assert_eq!(levels.first(), Some(&b'1'), "{name}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{name}: {levels:?}");
    });
}

#[test]
fn every_table_has_a_caption_and_every_header_cell_a_scope() {
    on_every_page(|name, document| {
        let tables = select(document, "table").len();
        assert_eq!(select(document, "table > caption").len(), tables, "{name}");
        for cell in select(document, "th") {
            assert!(cell.attr("scope").is_some(), "{name}: {}", text(cell));
        }
        assert!(select(document, "[aria-sort]").len() <= 1, "{name}");
    });
}

#[test]
fn every_row_of_a_table_spans_as_many_columns_as_the_others() {
    on_every_page(|name, document| {
        for table in select(document, "table") {
            let row = Selector::parse("tr").expect("a selector");
            let rows = table.select(&row).map(|row| {
                row.child_elements()
                    .map(|cell| {
                        cell.attr("colspan").map_or(1, |span| span.parse::<usize>().expect("a number"))
                    })
                    .sum::<usize>()
            });
            assert_eq!(rows.collect::<HashSet<_>>().len(), 1, "{name}: {}", text(table));
        }
    });
}

#[test]
fn what_scrolls_sideways_can_be_reached_by_keyboard_and_has_a_name() {
    on_every_page(|name, document| {
        for region in select(document, ".scroll") {
            assert_eq!(region.attr("role"), Some("region"), "{name}");
            assert_eq!(region.attr("tabindex"), Some("0"), "{name}");
            let is_named = ["aria-labelledby", "aria-label"].iter().any(|it| region.attr(it).is_some());
            assert!(is_named, "{name}");
        }
    });
}

#[test]
fn ids_are_unique_and_every_reference_has_a_target() {
    on_every_page(|name, document| {
        let all: Vec<&str> =
            select(document, "[id]").iter().filter_map(|element| element.attr("id")).collect();
        let ids: HashSet<&str> = all.iter().copied().collect();
        assert_eq!(ids.len(), all.len(), "{name}: an id is used twice");
        for attribute in ["for", "aria-labelledby", "aria-describedby"] {
            for element in select(document, &format!("[{attribute}]")) {
                for target in element.attr(attribute).unwrap_or_default().split(' ') {
                    assert!(ids.contains(target), "{name}: {attribute}={target}");
                }
            }
        }
        for link in select(document, "a[href^='#']") {
            let target = link.attr("href").unwrap_or_default().trim_start_matches('#');
            assert!(ids.contains(target), "{name}: #{target}");
        }
    });
}

#[test]
fn every_control_has_a_label() {
    on_every_page(|name, document| {
        for control in select(document, "input:not([type=hidden]), select, textarea, progress") {
            let labelled = control
                .attr("id")
                .is_some_and(|id| !select(document, &format!("label[for='{id}']")).is_empty());
            let wrapped =
                control.ancestors().filter_map(ElementRef::wrap).any(|above| above.value().name() == "label");
            let named = control.attr("aria-label").is_some_and(|name| !name.is_empty());
            assert!(labelled || wrapped || named, "{name}: {}", control.html());
        }
        for button in select(document, "button") {
            assert!(!text(button).is_empty(), "{name}");
        }
    });
}

#[test]
fn every_drawing_is_named_or_hidden_from_assistive_technology() {
    on_every_page(|name, document| {
        for drawing in select(document, "svg") {
            let named = drawing.attr("aria-labelledby").is_some();
            assert!(named != (drawing.attr("aria-hidden") == Some("true")), "{name}");
        }
    });
}

#[test]
fn a_form_that_was_refused_keeps_what_was_typed_and_says_what_is_wrong_beside_the_field() {
    let page = pages(HOSTILE).into_iter().find(|page| page.name == "submit-errors").expect("the page");
    let document = Html::parse_document(&page.html);
    assert_eq!(select(&document, "#name")[0].attr("value"), Some(HOSTILE));
    assert_eq!(text(select(&document, "textarea#notes")[0]), HOSTILE);
    let wrong = select(&document, "[aria-invalid=true]");
    assert_eq!(
        wrong.iter().filter_map(|field| field.attr("id")).collect::<Vec<_>>(),
        ["licence", "decoding"]
    );
    assert_eq!(text(select(&document, "#licence-error")[0]), "State the licence of the model.");
}

#[test]
fn the_board_is_in_the_order_its_head_says() {
    let all = pages("Lauschangriff large");
    let by_speed = all.iter().find(|page| page.name == "board-by-speed").expect("the page");
    let document = Html::parse_document(&by_speed.html);
    let sorted = select(&document, "[aria-sort]");
    assert_eq!((sorted[0].attr("aria-sort"), text(sorted[0])), (Some("descending"), "RTFx ▼".to_owned()));
    let models: Vec<String> = select(&document, "tbody th a").into_iter().map(text).collect();
    assert_eq!(models[..2], ["conformer-ctc-large", "papagei-ctc-1.1b"]);
    assert_eq!(models.last().map(String::as_str), Some("kanarie-2.5b"));
    // The rules between tie groups make sense only in the order of the ranking.
    assert!(select(&document, "tr.opens").is_empty());
}

#[test]
fn a_page_that_is_still_moving_refreshes_without_javascript_and_one_that_is_over_does_not() {
    for page in pages("Lauschangriff large").iter().filter(|page| page.name.starts_with("submission-")) {
        let moving = page.name.ends_with("queued") || page.name.ends_with("running");
        assert_eq!(page.html.contains(r#"<noscript><meta http-equiv="refresh""#), moving, "{}", page.name);
        assert_eq!(page.html.contains("data-refresh"), moving, "{}", page.name);
    }
}

#[test]
fn a_failure_shows_its_class_its_advice_and_the_end_of_the_log() {
    let page = pages(HOSTILE).into_iter().find(|page| page.name == "submission-failed").expect("the page");
    let document = Html::parse_document(&page.html);
    let shown = text(select(&document, "main")[0]);
    assert!(shown.contains("load_error"));
    assert!(shown.contains(protocol::FailureClass::LoadError.advice()));
    assert!(text(select(&document, "pre")[0]).contains("RuntimeError: Failed to initialize decoder"));
}

#[test]
fn every_error_page_offers_ways_out() {
    for page in pages("x").iter().filter(|page| page.name.starts_with("error-")) {
        let document = Html::parse_document(&page.html);
        assert!(select(&document, ".ways a").len() >= 3, "{}", page.name);
    }
}
