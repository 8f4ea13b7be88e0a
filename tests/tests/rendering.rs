//! Releases rendered by workers: the shards on the queue, and the whole of it with processes that are killed.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use end_to_end::{Base, Node, Program, Site, client, short_directory, until};
use protocol::{BuildId, FailureClass, Progress, RenderUpload, RenderUploadReply, Rendered, Stage, Work};
use store::{
    StoreError, objects,
    queue::{self, LeaseStatus},
    rendering::{self, BuildProgress, ClaimedShard, NewBuild, NewShard},
};

const LEASE: Duration = Duration::from_mins(1);
const RENDERER: &str = "test 1";

/// Three shards of two items.
async fn start(base: &Base) -> BuildId {
    let shards = ["one", "two", "three"].map(|job| NewShard {
        items: 2,
        job: job.to_owned(),
        recordings: vec!["a".repeat(64)],
        simulation: None,
    });
    let new =
        NewBuild { release: "tiny@1", plan_sha256: &"b".repeat(64), renderer: RENDERER, shards: &shards };
    rendering::start(&base.pool, &new).await.unwrap()
}

async fn claim(base: &Base, worker: &str) -> Option<ClaimedShard> {
    let worker = base.worker(worker).await;
    rendering::claim(&base.pool, &worker, RENDERER, LEASE).await.unwrap()
}

async fn progress(base: &Base, build: BuildId) -> BuildProgress {
    rendering::progress(&base.pool, Some(build)).await.unwrap().remove(0)
}

async fn run_out(base: &Base) {
    sqlx::query("UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE state = 'leased'")
        .execute(&base.pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn every_shard_is_rendered_once_and_the_results_come_in_the_order_of_the_plan() {
    let base = Base::start().await;
    let build = start(&base).await;
    let mut claimed = Vec::new();
    while let Some(shard) = claim(&base, "node").await {
        claimed.push(shard);
    }
    assert_eq!(claimed.iter().map(|it| it.job.as_str()).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert!(matches!(rendering::results(&base.pool, build).await, Err(StoreError::NotFound(_))));
    for shard in claimed.iter().rev() {
        let done = format!("{} done", shard.job);
        rendering::complete(&base.pool, shard.lease, shard.fencing_token, &done).await.unwrap();
        // An answer that was lost is asked for again.
        rendering::complete(&base.pool, shard.lease, shard.fencing_token, &done).await.unwrap();
    }
    assert!(progress(&base, build).await.is_complete());
    let results = rendering::results(&base.pool, build).await.unwrap();
    assert_eq!(results, ["one done", "two done", "three done"]);

    // The same plan again finds everything done.
    assert_eq!(start(&base).await, build);
    assert!(claim(&base, "node").await.is_none());
}

#[tokio::test]
async fn a_worker_with_another_renderer_or_one_that_drains_gets_nothing() {
    let base = Base::start().await;
    start(&base).await;
    let worker = base.worker("node").await;
    assert!(rendering::claim(&base.pool, &worker, "test 2", LEASE).await.unwrap().is_none());
    sqlx::query("UPDATE workers SET draining = true").execute(&base.pool).await.unwrap();
    assert!(rendering::claim(&base.pool, &worker, RENDERER, LEASE).await.unwrap().is_none());
}

#[tokio::test]
async fn the_shard_of_a_silent_worker_goes_to_another_and_its_late_result_is_refused() {
    let base = Base::start().await;
    let build = start(&base).await;
    let lost = claim(&base, "silent").await.unwrap();
    let beat = |shard: &ClaimedShard| {
        let told = Progress { done: 1, total: 2 };
        queue::heartbeat(&base.pool, shard.lease, shard.fencing_token, Stage::Rendering, told, LEASE)
    };
    assert_eq!(beat(&lost).await.unwrap(), LeaseStatus::Held);
    assert_eq!(progress(&base, build).await.done, 1);
    run_out(&base).await;
    assert_eq!(queue::expire_leases(&base.pool).await.unwrap(), 1);
    assert_eq!(queue::expire_leases(&base.pool).await.unwrap(), 0);

    let mut jobs = Vec::new();
    while let Some(shard) = claim(&base, "other").await {
        rendering::complete(&base.pool, shard.lease, shard.fencing_token, &shard.job).await.unwrap();
        jobs.push(shard.job);
    }
    jobs.sort_unstable();
    assert_eq!(jobs, ["one", "three", "two"]);
    let late = rendering::complete(&base.pool, lost.lease, lost.fencing_token, "late").await;
    assert!(matches!(late, Err(StoreError::LeaseLost)));
    assert!(matches!(beat(&lost).await, Err(StoreError::LeaseLost)));
    assert_eq!(rendering::results(&base.pool, build).await.unwrap(), ["one", "two", "three"]);
}

#[tokio::test]
async fn shards_of_one_simulation_stay_with_the_worker_that_has_it_until_it_is_gone() {
    let base = Base::start().await;
    // Two rooms with waves, two shards each, and one that costs little.
    let shards = [("a1", Some("a")), ("a2", Some("a")), ("b1", Some("b")), ("b2", Some("b")), ("c", None)]
        .map(|(job, simulation)| NewShard {
            items: 1,
            job: job.to_owned(),
            recordings: Vec::new(),
            simulation: simulation.map(str::to_owned),
        });
    let new = NewBuild { release: "t@1", plan_sha256: &"c".repeat(64), renderer: RENDERER, shards: &shards };
    let build = rendering::start(&base.pool, &new).await.unwrap();
    let done = |shard: &ClaimedShard| {
        let (lease, token, job) = (shard.lease, shard.fencing_token, shard.job.clone());
        let pool = base.pool.clone();
        async move { rendering::complete(&pool, lease, token, &job).await }
    };

    // Both ask at the same moment: one room each.
    let (one, two) = tokio::join!(claim(&base, "one"), claim(&base, "two"));
    let (one, two) = (one.unwrap(), two.unwrap());
    let first = [&one, &two].map(|shard| shard.job.clone());
    assert!(first.contains(&"a1".to_owned()) && first.contains(&"b1".to_owned()), "{first:?}");
    let (a, b) = if one.job == "a1" { (("one", one), ("two", two)) } else { (("two", two), ("one", one)) };

    // A third finds only what costs little, and nothing more.
    let third = claim(&base, "three").await.unwrap();
    assert_eq!(third.job, "c");
    done(&third).await.unwrap();
    assert!(claim(&base, "three").await.is_none());

    // Who has handed in the first of a room gets the next of that room, and nobody else does in between.
    done(&a.1).await.unwrap();
    assert!(claim(&base, "three").await.is_none());
    let next = claim(&base, a.0).await.unwrap();
    assert_eq!(next.job, "a2");
    done(&next).await.unwrap();

    // Who has the other room falls silent: when its lease is over, another begins anew and does both.
    run_out(&base).await;
    assert_eq!(queue::expire_leases(&base.pool).await.unwrap(), 1);
    let mut jobs = Vec::new();
    while let Some(shard) = claim(&base, "three").await {
        done(&shard).await.unwrap();
        jobs.push(shard.job);
    }
    jobs.sort_unstable();
    assert_eq!(jobs, ["b1", "b2"]);
    assert!(matches!(done(&b.1).await, Err(StoreError::LeaseLost)));
    assert!(progress(&base, build).await.is_complete());
}

#[tokio::test]
async fn what_cannot_be_rendered_stops_the_build_with_its_reason_until_it_is_started_again() {
    let base = Base::start().await;
    let build = start(&base).await;
    while let Some(shard) = claim(&base, "node").await {
        let (pool, class) = (&base.pool, FailureClass::RuntimeError);
        assert!(
            rendering::fail(pool, shard.lease, shard.fencing_token, class, "No such room.").await.unwrap()
        );
    }
    let stuck = progress(&base, build).await;
    assert!(stuck.is_stuck() && stuck.fault.as_deref() == Some("No such room."), "{stuck:?}");
    start(&base).await;
    assert_eq!(progress(&base, build).await.waiting, 3);

    let held = claim(&base, "node").await.unwrap();
    rendering::cancel(&base.pool, build, "ada").await.unwrap();
    let late = rendering::complete(&base.pool, held.lease, held.fencing_token, "late").await;
    assert!(matches!(late, Err(StoreError::LeaseLost)));
}

#[tokio::test]
async fn a_fault_of_the_platform_is_tried_three_more_times() {
    let base = Base::start().await;
    let build = start(&base).await;
    let mut tries = 0;
    while let Some(shard) = claim(&base, "node").await {
        let (pool, class) = (&base.pool, FailureClass::StorageError);
        rendering::fail(pool, shard.lease, shard.fencing_token, class, "Full.").await.unwrap();
        sqlx::query("UPDATE jobs SET run_after = now() WHERE state = 'queued'").execute(pool).await.unwrap();
        tries += 1;
    }
    assert_eq!(tries, 3 * 4, "three shards, each tried four times");
    assert!(progress(&base, build).await.is_stuck());
}

#[tokio::test]
async fn over_http_a_shard_brings_addresses_of_its_recordings_and_gets_addresses_for_its_audio() {
    let site = Site::start().await;
    start(&site).await;
    let node = Node::known(&site, "renderer").await;
    let models_only = Node::claim_now();
    assert!(node.claim(&models_only).await.is_none(), "who renders nothing gets nothing to render");
    let claim = protocol::Claim { evaluates: false, renderer: Some(RENDERER.to_owned()), ..models_only };
    let job = node.claim(&claim).await.unwrap();
    let Work::Render(work) = &job.work else { panic!("it is not a render job") };
    assert_eq!((work.job.as_str(), work.recordings.len()), ("one", 1));

    // One file is in storage already, and is not written again.
    site.objects.put(&objects::audio_key(&"1".repeat(64)), b"RIFF".to_vec()).await.unwrap();
    let upload =
        |sha256: Vec<String>| RenderUpload { attempt: job.attempt, fencing_token: job.fencing_token, sha256 };
    let answer = node.post("render-upload", &upload(vec!["1".repeat(64), "2".repeat(64)])).await;
    let reply: RenderUploadReply = answer.json().await.unwrap();
    assert!(reply.urls[0].is_none());
    let url = reply.urls[1].clone().unwrap();
    assert!(client().put(url).body("RIFF2").send().await.unwrap().status().is_success());
    let stored = site.objects.get(&objects::audio_key(&"2".repeat(64)), 100).await.unwrap();
    assert_eq!(stored, b"RIFF2");

    for refused in [upload(vec!["../../model/x".to_owned()]), upload(vec!["1".repeat(64); 257])] {
        assert_eq!(node.post("render-upload", &refused).await.status(), 400);
    }
    let stale = RenderUpload {
        fencing_token: protocol::FencingToken(BuildId::new().0),
        ..upload(vec!["1".repeat(64)])
    };
    assert_eq!(node.post("render-upload", &stale).await.status(), 409);
    let done = Rendered { attempt: job.attempt, fencing_token: job.fencing_token, result: "made".to_owned() };
    assert_eq!(node.post("rendered", &done).await.status(), 204);
    // A shard is no attempt: nothing is scored.
    let complete = protocol::Complete {
        attempt: job.attempt,
        fencing_token: job.fencing_token,
        results_sha256: "0".repeat(64),
    };
    assert_eq!(node.post("complete", &complete).await.status(), 409);
}

/// An operator's machine: corpus, specification, service.
struct Operator {
    data: tempfile::TempDir,
    port: u16,
}

impl Operator {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let operator = Self { data: short_directory(), port };
        let corpus = operator.file("corpus");
        Program::run(operator.path(), &["corpus", "import", "--layout", "debian-prompts", text(&corpus)]);
        // Every track, as in the demo, with responses that are quick to make.
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/benchmark/releases/demo.toml");
        let spec = fs::read_to_string(demo).unwrap().replace("slug = \"demo\"", "slug = \"tiny\"");
        let spec = spec.replace("rays = 1500", "rays = 100").replace("500_000_000", "50_000_000");
        fs::write(operator.file("tiny.toml"), spec).unwrap();
        operator
    }

    fn path(&self) -> &Path {
        self.data.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn serve(&self) -> Program {
        let listen = format!("127.0.0.1:{}", self.port);
        let service = Program::start(
            self.path(),
            &["serve", "--listen", &listen, "--lease-seconds", "6", "--hardware-class", "cpu-2core"],
        );
        service.said("listening on ");
        service
    }

    /// A node that renders only.
    fn worker(&self, name: &str) -> Program {
        let class = ["--hardware-class", "cpu-2core"];
        let token = Program::run(self.path(), &["admin", "worker", "add", name, class[0], class[1]]);
        let file = self.file(&format!("{name}.token"));
        fs::write(&file, token).unwrap();
        let service = format!("http://127.0.0.1:{}", self.port);
        Program::start(
            self.path(),
            &[
                "worker",
                "--work",
                "render",
                "--name",
                name,
                "--service",
                &service,
                "--token-file",
                text(&file),
                class[0],
                class[1],
            ],
        )
    }

    fn places(&self, destination: &str) -> [PathBuf; 3] {
        [self.file("corpus"), self.file("tiny.toml"), self.file(destination)]
    }

    /// The line of `builds`, once there is one.
    fn builds(&self) -> String {
        Program::run(self.path(), &["admin", "release", "builds"])
    }
}

/// The arguments that build the release, by this process or by workers.
fn arguments(by_workers: bool, places: &[PathBuf; 3]) -> Vec<&str> {
    let [corpus, spec, place] = places.each_ref().map(|path| text(path));
    let admin: &[&str] = if by_workers { &["admin"] } else { &[] };
    [admin, &["release", "build", "--corpus", corpus, "--spec", spec, "--items", "4", place]].concat()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_release_rendered_by_two_workers_one_of_them_killed_is_that_rendered_by_one_process() {
    let operator = Operator::new();
    let here = operator.places("here");
    let expected = Program::run(operator.path(), &arguments(false, &here));

    let service = operator.serve();
    let there = operator.places("there");
    let build = Program::start(operator.path(), &arguments(true, &there));
    until("it is on the queue", || async { operator.builds().contains("waiting").then_some(()) }).await;
    let first = operator.worker("first");
    until("a worker renders", || async {
        (!operator.builds().contains("0 jobs with workers")).then_some(())
    })
    .await;
    first.kill();
    let left = operator.builds();
    assert!(left.contains("waiting"), "the worker was killed too late to matter: {left}");
    // Whoever waits for the build may go, and the service too.
    build.kill();
    service.kill();

    let service = operator.serve();
    let second = operator.worker("second");
    let built = Program::run(operator.path(), &arguments(true, &there));
    assert_eq!(built, expected);
    let verified = Program::run(operator.path(), &["release", "verify", text(&there[2])]);
    assert!(verified.ends_with(&expected), "{verified}");

    // What is rendered is kept: the same again needs no worker.
    second.kill();
    let again = operator.places("again");
    assert_eq!(Program::run(operator.path(), &arguments(true, &again)), expected);
    let frozen = Program::run(operator.path(), &["admin", "release", "freeze", text(&again[2])]);
    assert!(frozen.starts_with("tiny@"), "{frozen}");
    service.kill();
}
