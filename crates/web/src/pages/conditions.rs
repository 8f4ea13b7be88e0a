//! The conditions of a release: its tracks by definition and to listen to, its rooms in figures and pictures.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Value;
use store::{
    objects,
    releases::{PageFile, Release},
};

use super::{Page, layout, page};
use crate::{
    Service,
    auth::Visitor,
    error::AppError,
    extract::{Path, Query},
    sim_to_real,
    views::{
        ConditionsPage, Octave, RoomPage, Sample, Section, SimToReal, TRACK_DEFINITIONS, TrackPage,
        url_component,
    },
};

/// Most bytes of a file that a page shows.
const FILE_LIMIT: u64 = 32 * 1024 * 1024;

#[derive(Deserialize)]
pub(crate) struct View {
    release: Option<String>,
}

/// What a page of one release needs.
struct Shown {
    release: Release,
    files: Arc<[PageFile]>,
}

impl Shown {
    fn of(service: &Service, name: Option<&str>) -> Result<Self, AppError> {
        let name = name.filter(|name| !name.is_empty());
        let missing = || AppError::NotFound(format!("release \u{201c}{}\u{201d}", name.unwrap_or("newest")));
        let snapshot = service.board();
        let release = snapshot.release(name).cloned().ok_or_else(missing)?;
        let files = snapshot.files(release.id);
        Ok(Self { release, files })
    }

    fn name(&self) -> String {
        format!("{}@{}", self.release.slug, self.release.version)
    }

    fn href(&self, path: &str) -> Option<String> {
        self.files
            .iter()
            .any(|file| file.path == path)
            .then(|| format!("/release-files/{}/{path}", url_component(&self.name())))
    }

    async fn json(&self, service: &Service, path: &str) -> Result<Option<Value>, AppError> {
        let Some(file) = self.files.iter().find(|file| file.path == path) else { return Ok(None) };
        let content = service.objects.get(&objects::page_key(&file.sha256), FILE_LIMIT).await?;
        Ok(serde_json::from_slice(&content).ok())
    }

    /// Samples by track, and whose voice they are.
    async fn samples(&self, service: &Service) -> Result<(Vec<Sample>, String), AppError> {
        let Some(json) = self.json(service, "samples.json").await? else { return Ok(Default::default()) };
        let items = json["items"].as_array().into_iter().flatten();
        let samples = items.filter_map(|item| {
            let track = item["track"].as_str()?;
            Some(sample(item, self.href(&format!("samples/{track}.wav"))?))
        });
        Ok((samples.collect(), credit(&json)))
    }

    /// What a room does to an utterance: as recorded, as heard there, and whose voice it is. Releases published before
    /// rooms had samples have none.
    async fn heard_in(
        &self,
        service: &Service,
        room: &str,
    ) -> Result<(Option<Sample>, Option<Sample>, String), AppError> {
        let Some(json) = self.json(service, "samples.json").await? else { return Ok(Default::default()) };
        let mut rooms = json["rooms"].as_array().into_iter().flatten();
        let Some(item) = rooms.find(|item| item["conditions"]["room"] == room) else {
            return Ok(Default::default());
        };
        let there = self.href(&format!("samples/room-{room}.wav")).map(|href| sample(item, href));
        let dry = self.href(&format!("samples/room-{room}-dry.wav")).map(|href| Sample {
            track: "near".to_owned(),
            text: string(&item["text"]),
            href,
            room: None,
            snr: None,
            t30: None,
            distance: None,
            channels: 1,
        });
        Ok((dry, there, credit(&json)))
    }

    /// Title and address of each picture of a room.
    fn pictures(&self, room: &str) -> Vec<(&'static str, String)> {
        let kinds = [
            ("Plan", ""),
            ("Section", "-section"),
            ("Decay of one response", "-decay"),
            ("Its spectrogram", "-spectrogram"),
        ];
        let picture = |kind: &str| self.href(&format!("rooms/{room}{kind}.svg"));
        kinds.into_iter().filter_map(|(title, kind)| Some((title, picture(kind)?))).collect()
    }

    fn rooms(&self) -> Vec<(String, String)> {
        rooms_of(&self.release)
    }

    fn tracks(&self) -> Vec<String> {
        let tracks = self.release.about["tracks"].as_array().into_iter().flatten();
        tracks.filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

/// Name and title of every room that a release has a page of.
pub(super) fn rooms_of(release: &Release) -> Vec<(String, String)> {
    let rooms = release.about["rooms"].as_array().into_iter().flatten();
    let room = |room: &Value| {
        let name = room["name"].as_str()?;
        Some((name.to_owned(), room["title"].as_str().unwrap_or(name).to_owned()))
    };
    let laboratory = &release.about["laboratory"];
    let laboratory = [&laboratory["measured"], &laboratory["twin"]["name"]];
    let laboratory = laboratory.into_iter().filter_map(Value::as_str);
    rooms.filter_map(room).chain(laboratory.map(|name| (name.to_owned(), name.to_owned()))).collect()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whose voice the samples are.
fn credit(samples: &Value) -> String {
    format!("{} {}", string(&samples["attribution"]), string(&samples["licence"]))
}

fn sample(item: &Value, href: String) -> Sample {
    let conditions = &item["conditions"];
    Sample {
        track: string(&item["track"]),
        text: string(&item["text"]),
        href,
        room: conditions["room"].as_str().map(str::to_owned),
        snr: conditions["snr_db"].as_f64().map(|it| format!("{it:.1} dB")),
        t30: conditions["t30_s"].as_f64().map(|it| format!("{it:.2} s")),
        distance: conditions["distance_m"].as_f64().map(|it| format!("{it:.2} m")),
        channels: item["channels"].as_u64().unwrap_or(1),
    }
}

/// `GET /conditions`: every track and every room of a release.
pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(view): Query<View>,
) -> Page {
    let shown = Shown::of(&service, view.release.as_deref())?;
    let (samples, credit) = shown.samples(&service).await?;
    let tracks = shown.tracks();
    let defined = TRACK_DEFINITIONS.iter().filter(|track| tracks.iter().any(|name| name == track.name));
    // Without the database the page stands, this panel does not.
    let panel = if service.board_is_stale() {
        None
    } else {
        sim_to_real::of(&service, &shown.release).await?.map(SimToReal::from)
    };
    page(&ConditionsPage {
        layout: layout(&service, Section::Method, user.as_ref()),
        release: shown.name(),
        title: shown.release.title.clone(),
        tracks: defined
            .map(|track| (track, samples.iter().find(|sample| sample.track == track.name).cloned()))
            .collect(),
        rooms: shown.rooms(),
        credit,
        panel,
    })
}

/// `GET /conditions/{track}`: one track.
pub(crate) async fn track(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Path(name): Path<String>,
    Query(view): Query<View>,
) -> Page {
    let shown = Shown::of(&service, view.release.as_deref())?;
    let missing = || AppError::NotFound(format!("track \u{201c}{name}\u{201d} in this release"));
    let track = TRACK_DEFINITIONS.iter().find(|track| track.name == name).ok_or_else(missing)?;
    let tracks = shown.tracks();
    // A release from before its tracks were listed has them all the same.
    if !tracks.is_empty() && !tracks.contains(&name) {
        return Err(missing());
    }
    let (samples, credit) = shown.samples(&service).await?;
    // What the sample sounds like is what its room does.
    let room = samples.iter().find(|sample| sample.track == name).and_then(|sample| sample.room.clone());
    let pictures = room.map(|room| shown.pictures(&room)).unwrap_or_default();
    let find = |name: &str| samples.iter().find(|sample| sample.track == name).cloned();
    page(&TrackPage {
        layout: layout(&service, Section::Method, user.as_ref()),
        release: shown.name(),
        track,
        dry: find("near").filter(|_| name != "near"),
        sample: find(&name),
        pictures,
        rooms: shown.rooms(),
        credit,
    })
}

/// `GET /rooms/{room}`: one room.
pub(crate) async fn room(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Path(name): Path<String>,
    Query(view): Query<View>,
) -> Page {
    let shown = Shown::of(&service, view.release.as_deref())?;
    let about = shown.json(&service, &format!("rooms/{name}.json")).await?;
    let about =
        about.ok_or_else(|| AppError::NotFound(format!("room \u{201c}{name}\u{201d} in this release")))?;
    let octaves = about["response"]["octaves"].as_array().cloned().unwrap_or_default();
    let number = |value: &Value, digits: usize| value.as_f64().map(|it| format!("{it:.digits$}"));
    let (dry, sample, credit) = shown.heard_in(&service, &name).await?;
    page(&RoomPage {
        layout: layout(&service, Section::Method, user.as_ref()),
        release: shown.name(),
        title: about["title"].as_str().unwrap_or(&name).to_owned(),
        method: about["method"].as_str().unwrap_or_default().to_owned(),
        attribution: about["attribution"].as_str().map(str::to_owned),
        volume: number(&about["volume_m3"], 0),
        distance: number(&about["response"]["distance_m"], 2),
        octaves: octaves
            .iter()
            .map(|octave| Octave {
                centre: number(&octave["centre_hz"], 0).unwrap_or_default(),
                values: [
                    number(&octave["t30_s"], 2),
                    number(&octave["edt_s"], 2),
                    number(&octave["c50_db"], 1),
                    number(&octave["drr_db"], 1),
                ],
            })
            .collect(),
        pictures: shown.pictures(&name),
        dry,
        sample,
        credit,
    })
}

/// `GET /release-files/{release}/{path}`: a picture, figures or a sample.
pub(crate) async fn file(
    State(service): State<Service>,
    Path((release, path)): Path<(String, String)>,
) -> Result<Response, AppError> {
    let shown = Shown::of(&service, Some(&release))?;
    let missing = || AppError::NotFound("file of this release".to_owned());
    let file = shown.files.iter().find(|file| file.path == path).ok_or_else(missing)?;
    let content = service.objects.get(&objects::page_key(&file.sha256), FILE_LIMIT).await?;
    let media_type = HeaderValue::from_str(&file.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    // A picture as a file brings its style along, which the policy of the pages would refuse.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    // A frozen release never changes, but a name without a version goes on to the next one.
    let cache = if release.contains('@') { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    Ok((headers, content).into_response())
}

/// `GET /api/v1/boards/{release}/sim-to-real`: measured against simulated, by model and across models.
pub(crate) async fn sim_to_real_json(
    State(service): State<Service>,
    Path(release): Path<String>,
) -> Result<Response, AppError> {
    let shown = Shown::of(&service, Some(&release))?;
    let panel = sim_to_real::of(&service, &shown.release).await?;
    let missing = || {
        AppError::NotFound(
            "result on both the measured and the simulated laboratory of this release".to_owned(),
        )
    };
    Ok(axum::Json(panel.ok_or_else(missing)?).into_response())
}
