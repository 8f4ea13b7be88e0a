//! The nightly archive: everything that anybody can ask of the API, as one file with licence and hashes.
//!
//! It is made of the API's own public answers and of nothing else, so that it cannot hold what they do not.

use std::{fmt::Write as _, io, time::Duration};

use flate2::{Compression, write::GzEncoder};
use scoring::ScoringProfile;
use sha2::{Digest, Sha256};
use store::{StoreError, dumps, objects, releases::Release};
use tempfile::NamedTempFile;
use time::{OffsetDateTime, Time};

use crate::{
    Service,
    error::AppError,
    inside::Visitor,
    scorer,
    views::{TRACK_DEFINITIONS, url_component},
};

/// From when on, in UTC, the archive of a day is made.
const NIGHT: Time = time::macros::time!(2:00);
/// How long making one may take before another replica tries.
const LEASE: Duration = Duration::from_hours(2);
/// Archives that are kept.
const KEPT: usize = 14;
const LOOK: Duration = Duration::from_mins(10);

/// Makes each night's archive, for ever.
pub(crate) async fn make_nightly(service: Service) {
    loop {
        let now = OffsetDateTime::now_utc();
        // An archive of nothing would stand for a whole day.
        let has_results = service.board().each_board().next().is_some();
        if has_results && now.time() >= NIGHT {
            match make(&service, false).await {
                Ok(Some(name)) => tracing::info!("the archive {name} is made"),
                Ok(None) => {}
                Err(error) => tracing::warn!("the archive could not be made and is tried again: {error}"),
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Name of the archive of a day.
pub(crate) fn name(day: time::Date) -> String {
    format!("ffasr-{day}.tar.gz")
}

/// Makes the archive of today, in the place of one that is there if `anew`; its name, or nothing where somebody else makes
/// it or it is there.
///
/// # Errors
/// When a part of it cannot be read or stored.
pub async fn make(service: &Service, anew: bool) -> Result<Option<String>, StoreError> {
    let day = OffsetDateTime::now_utc().date();
    let Some(turn) = dumps::claim(&service.pool, day, LEASE, anew).await? else { return Ok(None) };
    let file = write(service).await.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let hashed =
        tokio::task::spawn_blocking(move || hash(&file).map(|(sha256, bytes)| (file, sha256, bytes)));
    let hashed = hashed.await.map_err(io::Error::other).and_then(|it| it);
    let (file, sha256, bytes) = hashed.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    service.objects.put_file(&objects::dump_key(&sha256), file.path(), bytes).await?;
    dumps::finish(&service.pool, turn, &sha256, i64::try_from(bytes).unwrap_or(i64::MAX)).await?;
    dumps::thin(&service.pool, &service.objects, KEPT).await?;
    Ok(Some(name(day)))
}

fn hash(file: &NamedTempFile) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut file.reopen()?, &mut hasher)?;
    Ok((hex::encode(hasher.finalize()), bytes))
}

/// An archive that is being written.
struct Archive {
    tar: tar::Builder<GzEncoder<NamedTempFile>>,
    folder: String,
    at: u64,
    hashes: String,
}

impl Archive {
    fn new(at: OffsetDateTime) -> io::Result<Self> {
        let file = NamedTempFile::new()?;
        Ok(Self {
            tar: tar::Builder::new(GzEncoder::new(file, Compression::default())),
            folder: format!("ffasr-{}", at.date()),
            at: at.unix_timestamp().unsigned_abs(),
            hashes: String::new(),
        })
    }

    fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(self.at);
        // Writing to a string cannot fail.
        let _ = writeln!(self.hashes, "{}  {name}", hex::encode(Sha256::digest(content)));
        self.tar.append_data(&mut header, format!("{}/{name}", self.folder), content)
    }

    fn finish(mut self) -> io::Result<NamedTempFile> {
        let hashes = std::mem::take(&mut self.hashes);
        self.add("SHA256SUMS", hashes.as_bytes())?;
        self.tar.into_inner()?.finish()
    }
}

async fn write(service: &Service) -> Result<NamedTempFile, AppError> {
    let failed = |error: io::Error| AppError::Internal(format!("writing the archive failed: {error}"));
    let snapshot = service.board();
    let visitor = Visitor::new(service);
    let mut archive = Archive::new(snapshot.built_at).map_err(failed)?;
    archive.add("README.md", readme(snapshot.built_at).as_bytes()).map_err(failed)?;
    let licence = licence(&service.settings.policy.figures_licence, &snapshot.releases);
    archive.add("LICENCE.md", licence.as_bytes()).map_err(failed)?;
    archive.add("DEFINITIONS.md", definitions().as_bytes()).map_err(failed)?;
    let mut wanted = vec![
        ("openapi.json".to_owned(), "/api/v1/openapi.json".to_owned()),
        ("releases.json".to_owned(), "/api/v1/boards".to_owned()),
        ("external.json".to_owned(), "/api/v1/external".to_owned()),
        ("self-reported.json".to_owned(), "/api/v1/self-reported".to_owned()),
    ];
    for release in &snapshot.releases {
        let name = format!("{}@{}", release.slug, release.version);
        for board in snapshot.boards_of(release.id) {
            for profile in ScoringProfile::ALL {
                let class = &board.hardware_class;
                let path = format!("/api/v1/boards/{}", url_component(&name));
                let query = format!("?hardware={}&profile={}", url_component(class), profile.name);
                for (suffix, ending) in [("", "json"), ("/csv", "csv"), ("/parquet", "parquet")] {
                    let file = format!("boards/{name}/{}/{}.{ending}", url_component(class), profile.name);
                    wanted.push((file, format!("{path}{suffix}{query}")));
                }
            }
            for row in &board.rows {
                let attempt = row.result.attempt;
                let path = format!("/api/v1/results/{attempt}");
                wanted.push((format!("results/{name}/{attempt}.json"), path.clone()));
                wanted.push((format!("results/{name}/{attempt}-items.parquet"), path + "/items.parquet"));
            }
        }
        let about = serde_json::to_vec_pretty(&release.about)
            .map_err(|error| AppError::Internal(error.to_string()))?;
        archive.add(&format!("conditions/{name}.json"), &about).map_err(failed)?;
    }
    for (name, path) in wanted {
        let answer = visitor.get(&path).await?;
        // What left the board while this was written is not public any more.
        if answer.status.is_success() {
            archive.add(&name, &answer.content).map_err(failed)?;
        } else if answer.status.is_server_error() {
            return Err(AppError::Internal(format!("{path} answers {}", answer.status)));
        }
    }
    archive.finish().map_err(failed)
}

fn readme(at: OffsetDateTime) -> String {
    format!(
        "# FFASR, {}\n\n\
         Everything that is public on this leaderboard, as its API answers it.\n\n\
         - `releases.json`: the frozen releases; `conditions/`: what each is made of.\n\
         - `boards/RELEASE/HARDWARE/PROFILE.{{json,csv,parquet}}`: the rankings, under each scoring profile.\n\
         - `results/RELEASE/ATTEMPT.json`: a result; `ATTEMPT-items.parquet`: counts, times and conditions of its items\n  \
           under the profile that ranks ({}). Items, utterances and talkers are numbers that mean the same in every file\n  \
           of one release. There is no text in it.\n\
         - `external.json`, `self-reported.json`: what did not run here; neither is verified.\n\
         - `openapi.json`: what each field means. `DEFINITIONS.md`: tracks and rates.\n\
         - `LICENCE.md`: under which terms. `SHA256SUMS`: check with `sha256sum -c SHA256SUMS`.\n",
        at.date(),
        scorer::RANKING.name
    )
}

fn licence(figures: &str, releases: &[Release]) -> String {
    let mut text = format!(
        "# Licence\n\nThe figures in this archive: {figures}. Name FFASR, the release and its manifest hash.\n\n\
         The speech that models were measured on belongs to others and is not in it:\n\n"
    );
    for release in releases {
        let corpus = &release.about["corpus"];
        let word = |field: &str| corpus[field].as_str().unwrap_or("not stated").to_owned();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "- {}@{}: {}, {}. {}",
            release.slug,
            release.version,
            word("name"),
            word("licence"),
            corpus["attribution"].as_str().unwrap_or_default()
        );
    }
    text
}

fn definitions() -> String {
    let mut text = String::from(
        "# Definitions\n\n\
         WER = (substitutions + deletions + insertions) / reference words, over all items of a track. Avg WER is the\n\
         unweighted mean of the four ranked tracks. Intervals are 95 % (cluster bootstrap over talkers and rooms).\n\
         RTFx = seconds of audio / seconds of processing, one utterance at a time; compare within one hardware class.\n\
         Rates are fractions, times seconds.\n\n## Tracks\n\n",
    );
    for track in TRACK_DEFINITIONS {
        let ranked = if track.ranked { ", ranked" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- `{}`{ranked}: {} (SNR {})", track.name, track.heard, track.snr);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_track_is_defined_and_every_release_says_whose_its_speech_is() {
        let text = definitions();
        assert!(TRACK_DEFINITIONS.iter().all(|track| text.contains(&format!("`{}`", track.name))));
        assert!(licence("CC0-1.0", &[]).contains("CC0-1.0"));
    }
}
