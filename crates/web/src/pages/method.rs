//! How the numbers are made, and what the releases are made of.

use axum::extract::State;
use serde_json::Value;
use store::releases::Release;

use super::{Page, layout, page};
use crate::{
    Service,
    auth::Visitor,
    views::{Corpus, Makeup, MethodPage, RoomView, Section},
};

pub(crate) async fn show(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    page(&MethodPage {
        layout: layout(&service, Section::Method, user.as_ref()),
        releases: service.board().releases.iter().map(makeup).collect(),
    })
}

/// Reads what a release says about itself. Releases are frozen, the program goes on: what is missing or has another
/// form is left out.
fn makeup(release: &Release) -> Makeup {
    let about = &release.about;
    Makeup {
        release: format!("{} {}", release.slug, release.version),
        title: release.title.clone(),
        renderer: text(about, "renderer"),
        corpus: corpus(about),
        continuous_noise: texts(&about["noise"]["continuous"]),
        transient_noise: texts(&about["noise"]["transient"]),
        rooms: list(&about["rooms"]).filter_map(room).collect(),
    }
}

/// Where the speech of a release comes from.
pub(super) fn corpus(about: &Value) -> Option<Corpus> {
    let corpus = about.get("corpus").filter(|corpus| corpus.is_object())?;
    Some(Corpus {
        name: text(corpus, "name"),
        language: text(corpus, "language"),
        licence: text(corpus, "licence"),
        attribution: text(corpus, "attribution"),
        source: text(corpus, "source"),
    })
}

fn room(room: &Value) -> Option<RoomView> {
    let along = |axis: &str| room["size"][axis].as_f64();
    let size = along("x").zip(along("y")).zip(along("z")).map(|((x, y), z)| [x, y, z]);
    Some(RoomView { title: text(room, "title").or_else(|| text(room, "name"))?, size })
}

fn text(value: &Value, field: &str) -> Option<String> {
    value[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    list(value).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
