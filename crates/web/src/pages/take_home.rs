//! What visitors take home: archives, feeds, badges, cards, frames, citations, text.

use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use charts::{Badge, Card};
use protocol::SubmissionId;
use selection::View;
use sha2::{Digest, Sha256};
use store::{changes::Change, dumps, objects, releases::Release};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Page,
    board::{chart, scoring_view},
    layout, model, page,
};
use crate::{
    Service,
    api::openapi,
    asked::{Asked, Pairs},
    auth::Visitor,
    board::{Board, Row, Snapshot},
    citation, dump,
    error::AppError,
    extract::{Path, Query},
    raster, terminal,
    views::{
        ApiPage, Archive, BoardFiles, Bytes, CitePage, DownloadsPage, EmbedPage, Entry, Estimate, Feed, Link,
        Rtfx, Section, TakeHome, Timestamp, url_component,
    },
};

/// Entries of a feed.
const ENTRIES: usize = 50;
/// Ways to write one board.
const FORMATS: [(&str, &str); 6] = [
    ("CSV", "/csv"),
    ("JSON", ""),
    ("Parquet", "/parquet"),
    ("text", "/text"),
    ("chart as SVG", "/pareto.svg"),
    ("chart as PNG", "/pareto.png"),
];

/// `GET /api`.
pub(crate) async fn api(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    let layout = layout(&service, Section::Elsewhere, user.as_ref());
    page(&ApiPage::new(layout, &openapi::DOCUMENT, site(&service)))
}

/// The address of this service, or a word in its place.
fn site(service: &Service) -> &str {
    let site = &service.settings.policy.public_url;
    if site.is_empty() { "http://HOST" } else { site }
}

/// `GET /`: a page for browsers, a table for terminals.
pub(crate) async fn board(
    State(service): State<Service>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let mut answer = if terminal::is_wanted(&headers) {
        board_text(State(service), Query(pairs)).await?
    } else {
        super::board::show(State(service), visitor, Query(pairs))?
    };
    // One address has two faces, which a cache must not mix up.
    answer.headers_mut().append(header::VARY, HeaderValue::from_static("accept, user-agent"));
    Ok(answer)
}

/// `GET /board.txt` with the parameters of a view.
pub(crate) async fn board_text(
    State(service): State<Service>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let asked = Asked::read(&service, &snapshot, &pairs)?;
    Ok(terminal::board(&snapshot, &asked).into_response())
}

/// `GET /downloads`.
pub(crate) async fn downloads(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    let snapshot = service.board();
    let archives = if service.board_is_stale() { None } else { dumps::list(&service.pool).await.ok() };
    let unknown = archives.is_none();
    let archive = |dump: dumps::Dump| Archive {
        name: dump::name(dump.day),
        size: Bytes(dump.bytes.unsigned_abs()),
        sha256: dump.sha256,
        made_at: Timestamp(dump.made_at),
    };
    let boards = snapshot.releases.iter().flat_map(|release| {
        let name = format!("{}@{}", release.slug, release.version);
        snapshot.boards_of(release.id).map(move |board| {
            let query = format!("?hardware={}", url_component(&board.hardware_class));
            let path = format!("/api/v1/boards/{}", url_component(&name));
            let file = |(label, suffix): (&str, &str)| Link {
                href: format!("{path}{suffix}{query}"),
                label: label.to_owned(),
                is_current: false,
            };
            BoardFiles {
                name: format!("{name}, {}", board.hardware_class),
                files: FORMATS.into_iter().map(file).collect(),
            }
        })
    });
    page(&DownloadsPage {
        layout: layout(&service, Section::Elsewhere, user.as_ref()),
        archives: archives.unwrap_or_default().into_iter().map(archive).collect(),
        unknown,
        boards: boards.collect(),
        site: site(&service).to_owned(),
        licence: service.settings.policy.figures_licence.clone(),
    })
}

/// `GET /downloads/{file}`: an archive by its day, or the latest.
pub(crate) async fn archive(
    State(service): State<Service>,
    Path(file): Path<String>,
) -> Result<Response, AppError> {
    let all = dumps::list(&service.pool).await?;
    let is_latest = file == "ffasr-latest.tar.gz";
    let found = all.into_iter().find(|dump| is_latest || dump::name(dump.day) == file);
    let dump = found.ok_or_else(|| AppError::NotFound("archive of this name".to_owned()))?;
    let content = service.objects.stream(&objects::dump_key(&dump.sha256)).await?;
    let content = futures_util::stream::try_unfold(content, async |mut content| {
        Ok::<_, std::io::Error>(
            content.try_next().await.map_err(std::io::Error::other)?.map(|piece| (piece, content)),
        )
    });
    let name = format!("attachment; filename=\"{}\"", dump::name(dump.day));
    let headers = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::CONTENT_LENGTH, dump.bytes.to_string()),
        (header::CONTENT_DISPOSITION, name),
        (header::ETAG, format!("\"{}\"", dump.sha256)),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    Ok((headers, Body::from_stream(content)).into_response())
}

/// `GET /cite`.
pub(crate) async fn cite(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    let site = &service.settings.policy.public_url;
    let of = |release: &Release| {
        (format!("{} {}", release.title, release.version), citation::of_release(release, site))
    };
    page(&CitePage {
        layout: layout(&service, Section::Elsewhere, user.as_ref()),
        releases: service.board().releases.iter().map(of).collect(),
    })
}

/// `GET /feed.atom`: all releases.
pub(crate) async fn feed(State(service): State<Service>) -> Result<Response, AppError> {
    feed_of(&service, None)
}

/// `GET /feeds/{file}`: one release, `slug.atom`.
pub(crate) async fn release_feed(
    State(service): State<Service>,
    Path(file): Path<String>,
) -> Result<Response, AppError> {
    let missing = || AppError::NotFound("feed of this name".to_owned());
    let slug = file.strip_suffix(".atom").ok_or_else(missing)?;
    let snapshot = service.board();
    snapshot.releases.iter().find(|release| release.slug == slug).ok_or_else(missing)?;
    feed_of(&service, Some(slug))
}

fn feed_of(service: &Service, slug: Option<&str>) -> Result<Response, AppError> {
    let snapshot = service.board();
    let site = &service.settings.policy.public_url;
    let release_of = |change: &Change| snapshot.releases.iter().find(|release| release.id == change.release);
    let entries: Vec<Entry> = snapshot
        .changes
        .iter()
        .filter_map(|change| Some((change, release_of(change)?)))
        .filter(|(_, release)| slug.is_none_or(|slug| release.slug == slug))
        .take(ENTRIES)
        .map(|(change, release)| entry(&snapshot, change, release, site))
        .collect();
    let frozen = snapshot.releases.iter().filter(|release| slug.is_none_or(|slug| release.slug == slug));
    let begun = frozen.map(|release| release.frozen_at).max().unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let own = slug.map_or_else(|| "/feed.atom".to_owned(), |slug| format!("/feeds/{slug}.atom"));
    let feed = Feed {
        id: name_of(&["feed", site, slug.unwrap_or_default()]),
        title: slug.map_or_else(|| "FFASR".to_owned(), |slug| format!("FFASR {slug}")),
        own_href: format!("{site}{own}"),
        href: slug.map_or_else(|| format!("{site}/"), |slug| format!("{site}/?release={slug}")),
        updated: Timestamp(
            snapshot.changes.iter().map(|change| change.at).max().map_or(begun, |at| at.max(begun)),
        ),
        entries,
    };
    let headers = [
        (header::CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=60"),
    ];
    Ok((headers, feed.render()?).into_response())
}

fn entry(snapshot: &Snapshot, change: &Change, release: &Release, site: &str) -> Entry {
    let (model, slug) = (allowed_in_xml(&change.model), &release.slug);
    let what = match change.to_state.as_str() {
        "published" => "new on",
        "superseded" => "replaced on",
        "quarantined" => "taken off for a closer look:",
        _ => "withdrawn from",
    };
    let place = format!("{slug}@{}, {}", release.version, change.hardware_class);
    let row = snapshot.row(change.submission).filter(|_| change.to_state == "published");
    let measured = row.map(|(_, row)| {
        let average = row.candidate.average;
        let wer = Estimate::new(average.value, average.interval);
        let interval = wer.interval.map(|it| format!(" ({it})")).unwrap_or_default();
        format!(" Avg WER {} %{interval}.", wer.value)
    });
    Entry {
        id: name_of(&["event", site, &change.submission.to_string(), &change.event.to_string()]),
        title: format!("{model}: {what} {slug}"),
        href: format!("{site}/models/{}", change.submission),
        updated: Timestamp(change.at),
        author: allowed_in_xml(&change.organisation),
        summary: format!("{model} {what} {place}.{}", measured.unwrap_or_default()),
    }
}

/// A name that is the same whenever it is made of the same words.
fn name_of(words: &[&str]) -> String {
    let digest = Sha256::digest(words.join("\n").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    format!("urn:uuid:{}", uuid::Builder::from_custom_bytes(bytes).into_uuid() as Uuid)
}

/// A submitter's words without characters that XML has no way to write.
fn allowed_in_xml(text: &str) -> String {
    let is_allowed = |it: char| !it.is_control() && !matches!(it, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|it| if is_allowed(it) { it } else { '\u{fffd}' }).collect()
}

/// The submission that a file is named after.
fn submission_of(file: &str, ending: &str) -> Result<SubmissionId, AppError> {
    let id = file.strip_suffix(ending).and_then(|id| id.parse().ok());
    id.ok_or_else(|| AppError::NotFound("picture of this name".to_owned()))
}

/// `GET /badges/{file}`: `ID.svg`, what a README shows.
pub(crate) async fn badge(
    State(service): State<Service>,
    Path(file): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let id = submission_of(&file, ".svg")?;
    let snapshot = service.board();
    let track = pairs.iter().find(|(key, _)| key == "track").map(|(_, value)| value.as_str());
    let drawn = snapshot.row(id).map_or_else(
        || Badge { label: "FFASR".to_owned(), value: "not on the board".to_owned(), is_current: false },
        |(board, row)| badge_of(board, row, track),
    );
    // Proxies of code hosts keep pictures for as long as this says.
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    Ok((headers, charts::badge(&drawn)).into_response())
}

fn badge_of(board: &Board, row: &Row, track: Option<&str>) -> Badge {
    let wer = |rate: &selection::Estimate| Estimate::new(rate.value, rate.interval).value;
    let value = match track {
        None => {
            format!("rank {} of {}, WER {} %", places(row), board.rows.len(), wer(&row.candidate.average))
        }
        Some(track) => match row.candidate.tracks.get(track) {
            Some(rate) => format!("{track} WER {} %", wer(rate)),
            None => format!("{track}: not run"),
        },
    };
    Badge { label: "FFASR".to_owned(), value, is_current: true }
}

fn places(row: &Row) -> String {
    let rank = model::rank(row);
    if rank.low == rank.high { rank.place.to_string() } else { rank.to_string() }
}

/// `GET /cards/{file}`: `ID.png`, what a link to a model is shown with.
pub(crate) async fn card(
    State(service): State<Service>,
    Path(file): Path<String>,
) -> Result<Response, AppError> {
    let id = submission_of(&file, ".png")?;
    let svg = {
        let snapshot = service.board();
        let missing = || AppError::NotFound("result of this submission on a board".to_owned());
        let (board, row) = snapshot.row(id).ok_or_else(missing)?;
        let release = snapshot.releases.iter().find(|release| release.id == board.release);
        charts::card(&card_of(release.ok_or_else(missing)?, board, row))
    };
    raster::answer(&service, svg, 1.0).await
}

fn card_of(release: &Release, board: &Board, row: &Row) -> Card {
    let average = row.candidate.average;
    let wer = Estimate::new(average.value, average.interval);
    let rank = format!("Rank {} of {}", places(row), board.rows.len());
    let speed = row.candidate.rtfx.map(|rtfx| format!("{} × real time", Rtfx(rtfx.value)));
    let point = |row: &Row| {
        (row.candidate.rtfx.map_or(f64::NAN, |rtfx| rtfx.value), row.candidate.average.value, row.on_front)
    };
    Card {
        model: row.candidate.name.clone(),
        organisation: row.candidate.organisation.clone(),
        figure: format!("{} %", wer.value),
        figure_is: wer.interval.map_or_else(|| "Avg WER".to_owned(), |it| format!("Avg WER ({it})")),
        facts: [rank].into_iter().chain(speed).collect(),
        place: format!("{}@{}, {}", release.slug, release.version, board.hardware_class),
        points: board.rows.iter().map(point).collect(),
        own: board.rows.iter().position(|other| other.result.attempt == row.result.attempt),
    }
}

/// What the page of a model offers to take home.
pub(super) fn of_model(service: &Service, release: &Release, board: &Board, row: &Row) -> TakeHome {
    let public = &service.settings.policy.public_url;
    let (site, id) = (site(service), row.result.submission);
    let ranking = service.board();
    // Rank, card and badge are those of the profile that ranks, whichever the page shows.
    let (board, row) = ranking.row(id).unwrap_or((board, row));
    let card = card_of(release, board, row);
    let badge = format!("/badges/{id}.svg");
    let view = View {
        release: Some(format!("{}@{}", release.slug, release.version)),
        hardware: Some(board.hardware_class.clone()),
        ..View::default()
    };
    TakeHome {
        badge_markdown: format!("[![FFASR]({site}{badge})]({site}/models/{id})"),
        badge,
        card: format!("/cards/{id}.png"),
        card_address: (!public.is_empty()).then(|| format!("{public}/cards/{id}.png")),
        address: (!public.is_empty()).then(|| format!("{public}/models/{id}")),
        card_words: format!(
            "{}: {} {}, {} ({})",
            card.model,
            card.figure_is,
            card.figure,
            card.facts.join(", "),
            card.place
        ),
        embed: embed_code(service, &view),
        citation: citation::of_result(release, board, row, public),
        json: format!("/api/v1/results/{}", row.result.attempt),
    }
}

/// HTML that shows the chart of a view in another page.
pub(super) fn embed_code(service: &Service, view: &View) -> String {
    let address = format!("{}{}", site(service), view.href("/embed/pareto")).replace('&', "&amp;");
    format!(
        "<iframe src=\"{address}\" title=\"FFASR: accuracy and its cost\" width=\"100%\" height=\"520\"></iframe>"
    )
}

/// `GET /embed/pareto` with the parameters of a view.
pub(crate) async fn embed(
    State(service): State<Service>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let asked = Asked::read(&service, &snapshot, &pairs)?;
    let scoring = scoring_view(&snapshot, asked.release.map(|release| release.id), asked.profile);
    let site = &service.settings.policy.public_url;
    let release = asked.release.map(|release| format!("{}@{}, ", release.slug, release.version));
    let page = EmbedPage {
        chart: chart(&asked, &asked.fronts(), &scoring),
        place: format!("{}{}, {}", release.unwrap_or_default(), asked.hardware_class, asked.profile.scorer()),
        href: format!("{site}{}", asked.view.href("/pareto")),
    };
    // The one kind of page that may stand in somebody else's; it has nothing to click but links.
    let policy =
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "public, max-age=60"),
    ];
    Ok((headers, page.render()?).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_for_the_same_words_and_others_for_others() {
        assert_eq!(name_of(&["event", "1"]), name_of(&["event", "1"]));
        assert_ne!(name_of(&["event", "1"]), name_of(&["event", "2"]));
        assert!(name_of(&[]).strip_prefix("urn:uuid:").unwrap().parse::<Uuid>().is_ok());
    }

    #[test]
    fn what_xml_cannot_write_is_replaced() {
        assert_eq!(allowed_in_xml("a\u{0}b\u{1b}\u{ffff}"), "a\u{fffd}b\u{fffd}\u{fffd}");
    }
}
