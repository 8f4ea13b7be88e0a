//! Database and object storage of one test.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt, path::Path};

use protocol::{ModelManifest, ReleaseId, SubmissionId, UserId};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sqlx::ConnectOptions;
use store::{
    PgPool,
    accounts::{self, Role, Worker},
    embedded::{Cluster, ObjectServer},
    objects::{self, ObjectConfig, ObjectStore},
    releases::{self, NewItem, NewRelease, Part},
    scores::{Latency, NewScores, Summary},
    submissions::{self, NewSubmission},
};
use tempfile::TempDir;

/// The tracks of the ranking.
const TRACKS: [&str; 4] = ["near", "far-high", "far-mid", "far-low"];
/// Hardware class of everything in the tests.
pub(crate) const HARDWARE: &str = "cpu-2core";

/// A private PostgreSQL cluster and an S3 protocol server.
pub struct Base {
    /// The database.
    pub pool: PgPool,
    /// The bucket.
    pub objects: ObjectStore,
    /// How to get into the bucket.
    pub object_config: ObjectConfig,
    /// Dropping it stops the server.
    cluster: Option<Cluster>,
    directory: TempDir,
}

/// A directory in a place short enough for a Unix socket, which the database's user may pass through.
pub fn short_directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("ffasr-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

impl Base {
    /// Starts both, empty.
    pub async fn start() -> Self {
        let directory = short_directory();
        let cluster = Cluster::start(&directory.path().join("postgres")).await.unwrap();
        let pool = store::connect(cluster.options("postgres")).await.unwrap();
        let objects = directory.path().join("objects");
        let server = ObjectServer::start(&objects, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        // As the program itself makes it, so that its commands can work on the same data.
        std::fs::set_permissions(&objects, std::fs::Permissions::from_mode(0o700)).unwrap();
        let object_config = server.config();
        let objects = ObjectStore::open(&object_config).await.unwrap();
        Self { pool, objects, object_config, cluster: Some(cluster), directory }
    }

    /// `kill -9` of the database, as a power cut would, and a new start over the same files.
    pub async fn kill_and_restart_database(&mut self) {
        let place = self.directory().join("postgres");
        let pid = std::fs::read_to_string(place.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        // Waits for the process, so that nothing of it is left.
        drop(self.cluster.take());
        self.cluster = Some(Cluster::start(&place).await.unwrap());
    }

    /// Stops the database in good order.
    pub fn stop_database(&mut self) {
        drop(self.cluster.take());
    }

    /// Starts it again over the same files.
    pub async fn start_database(&mut self) {
        self.cluster = Some(Cluster::start(&self.directory().join("postgres")).await.unwrap());
    }

    /// The database as `DATABASE_URL` names it.
    pub fn database_url(&self) -> String {
        self.pool.connect_options().to_url_lossy().to_string()
    }

    /// Where both keep their files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// An account with the password "correct horse".
    pub async fn user(&self, name: &str, role: Role) -> UserId {
        accounts::put_user(&self.pool, name, role, "correct horse").await.unwrap()
    }

    /// A worker whose token is known to nobody: for calls past the HTTP layer.
    pub async fn worker(&self, name: &str) -> Worker {
        let secret = accounts::issue_worker_token(&self.pool, name, &[HARDWARE.to_owned()]).await.unwrap();
        accounts::worker_by_token(&self.pool, &secret).await.unwrap().unwrap()
    }

    /// A frozen release: two utterances on each of the four tracks, one warm-up item, two repeat passes. Its audio is
    /// a few bytes that no recogniser would take.
    pub async fn release(&self) -> ReleaseId {
        self.release_about(["the quick brown fox", "jumps over the lazy dog"], &json!({})).await
    }

    /// The same, of utterances of the test's own and with what the release says about itself.
    pub async fn release_about(&self, said: [&str; 2], about: &serde_json::Value) -> ReleaseId {
        let mut items = Vec::new();
        for track in TRACKS {
            for (utterance, reference) in ["u1", "u2"].into_iter().zip(said) {
                items.push(item(Part::Scored, track, utterance, reference));
            }
            items.push(item(Part::Repeat(1), track, "u1", said[0]));
            items.push(item(Part::Repeat(2), track, "u1", said[0]));
        }
        items.push(item(Part::WarmUp, "near", "u3", "and away"));
        for item in &items {
            self.objects.put(&objects::audio_key(&item.audio_sha256), b"RIFF".to_vec()).await.unwrap();
        }
        let new = NewRelease {
            slug: "tiny",
            version: "1",
            title: "Tiny release",
            manifest_sha256: &"a".repeat(64),
            about,
            items: &items,
            files: &[],
            key: None,
        };
        releases::freeze(&self.pool, &new).await.unwrap()
    }

    /// Its items of the scored pass.
    pub async fn scored_items(&self, release: ReleaseId) -> Vec<protocol::ItemId> {
        let audio = releases::audio(&self.pool, release).await.unwrap();
        audio.into_iter().filter(|item| item.part == Part::Scored).map(|item| item.id).collect()
    }

    /// A submission, accepted and queued.
    pub async fn submission(&self, user: UserId, release: ReleaseId, model: &str) -> SubmissionId {
        let manifest = manifest(model);
        let new = NewSubmission::plain((user, "somebody"), release, HARDWARE, &manifest);
        submissions::accept(&self.pool, new).await.unwrap()
    }
}

/// A model that nothing is wrong with.
pub fn manifest(name: &str) -> ModelManifest {
    ModelManifest {
        name: name.to_owned(),
        organisation: "somebody".to_owned(),
        licence: "MIT".to_owned(),
        runtime: "pocketsphinx".to_owned(),
        num_params: None,
        training_data: String::new(),
        notes: String::new(),
        tracks: Vec::new(),
        multichannel: false,
        hub: None,
        decoding: std::collections::BTreeMap::new(),
    }
}

/// A result that says nothing, for tests of the queue alone.
pub fn no_scores() -> NewScores {
    NewScores {
        scorer: "test".to_owned(),
        analysis: None,
        summary: Summary {
            avg_wer: None,
            avg_wer_interval: None,
            tracks: std::collections::BTreeMap::new(),
            rtfx: None,
            rtfx_interval: None,
            rtfx_stable: false,
            repeat_passes: 0,
            latency: Latency { p50: 0.0, p90: 0.0, p95: 0.0, p99: 0.0 },
        },
        measurements: protocol::Measurements::default(),
        report: protocol::RunReport {
            runtime: "r".to_owned(),
            runtime_digest: "d".to_owned(),
            isolation: "i".to_owned(),
            ready_seconds: 0.0,
            num_params: None,
            peak_memory_bytes: None,
            fingerprint: crate::fingerprint(),
            seed: 0,
        },
        items: Vec::new(),
    }
}

fn item(part: Part, track: &str, utterance: &str, reference: &str) -> NewItem {
    NewItem {
        id: protocol::ItemId::new(),
        part,
        track: track.to_owned(),
        utterance: utterance.to_owned(),
        reference: reference.to_owned(),
        segments: Vec::new(),
        talker: "talker".to_owned(),
        room: (track != "near").then(|| "office".to_owned()),
        audio_sha256: "b".repeat(64),
        channels: 1,
        mono_sha256: None,
        audio_bytes: 4,
        seconds: 2.0,
        conditions: json!({}),
    }
}
