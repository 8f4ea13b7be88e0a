//! Releases in the service: who hears what, and what lies in the database.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use end_to_end::{Base, Node, Site, until};
use protocol::{DemandingTrack, ItemId, ModelManifest, Outcome, ReleaseId, SpokenSegment};
use reqwest::multipart::{Form, Part as File};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{
    StoreError,
    accounts::Role,
    objects,
    releases::{self, NewItem, NewRelease, PageFile, Part},
    sealed::SealingKey,
};
use web::Policy;

const SAID: &str = "marmalade for the xylophone";
const MADE_UP: &str = "bavelotiru";
const KEY: [u8; 32] = [5; 32];

fn item(track: &str, part: Part, reference: &str) -> NewItem {
    NewItem {
        id: ItemId::new(),
        part,
        track: track.to_owned(),
        utterance: format!("utterance of {reference}"),
        reference: reference.to_owned(),
        segments: Vec::new(),
        talker: "Philippa".to_owned(),
        room: (track != "near").then(|| "office".to_owned()),
        audio_sha256: hex::encode(Sha256::digest(format!("{track} {reference}"))),
        channels: 1,
        mono_sha256: None,
        audio_bytes: 4,
        seconds: 2.0,
        conditions: json!({}),
    }
}

/// The four ranked tracks, three that ask for more, and a canary.
fn items() -> Vec<NewItem> {
    let mut items: Vec<NewItem> = ["near", "far-high", "far-mid", "far-low"]
        .map(|track| item(track, Part::Scored, SAID))
        .into_iter()
        .collect();
    items.push(item("near", Part::Canary, &format!("quite another thing {MADE_UP}")));
    let mono = |of: &str| Some(hex::encode(Sha256::digest(format!("{of} in one channel"))));
    let (array, echo) = (item("array", Part::Scored, SAID), item("echo", Part::Scored, SAID));
    items.push(NewItem { channels: 4, mono_sha256: mono("array"), ..array });
    items.push(NewItem { channels: 2, mono_sha256: mono("echo"), ..echo });
    let mut talk = item("multi-talker", Part::Scored, "marmalade for the xylophone and jam");
    talk.segments = [("ann", SAID), ("bob", "and jam")]
        .map(|(speaker, words)| SpokenSegment {
            speaker: speaker.to_owned(),
            words: words.to_owned(),
            start_time: Some(0.0),
            end_time: Some(1.0),
        })
        .to_vec();
    items.push(talk);
    items
}

/// A room's figures and plan, and a sample of the public dev set.
async fn page_files(base: &Base) -> Vec<PageFile> {
    let about = json!({"title": "Office <1>", "method": "image sources", "volume_m3": 40.2, "response": {"distance_m": 1.5,
        "octaves": [{"centre_hz": 500.0, "t30_s": 0.61, "edt_s": 0.5, "c50_db": 9.1, "drr_db": null}]}});
    let samples = json!({"set": "dev 1", "licence": "CC0-1.0", "attribution": "Read by Jo.", "items": [
        {"track": "near", "text": "said in public", "channels": 1, "conditions": null},
        {"track": "array", "text": "said in public", "channels": 4, "conditions": {"room": "office", "snr_db": 9.87}}],
        "rooms": [{"track": "far-high", "text": "heard in the office", "channels": 1,
            "conditions": {"room": "office", "distance_m": 1.2}}]});
    let files = [
        ("rooms/office.json", "application/json", about.to_string()),
        ("rooms/office.svg", "image/svg+xml", "<svg/>".to_owned()),
        ("samples.json", "application/json", samples.to_string()),
        ("samples/near.wav", "audio/wav", "RIFF".to_owned()),
        ("samples/array.wav", "audio/wav", "RIFF".to_owned()),
        ("samples/room-office.wav", "audio/wav", "RIFF".to_owned()),
        ("samples/room-office-dry.wav", "audio/wav", "RIFF".to_owned()),
    ];
    let mut stored = Vec::new();
    for (path, media_type, content) in files {
        let sha256 = hex::encode(Sha256::digest(&content));
        let bytes = i64::try_from(content.len()).unwrap();
        base.objects.put(&objects::page_key(&sha256), content.into_bytes()).await.unwrap();
        stored.push(PageFile { path: path.to_owned(), media_type: media_type.to_owned(), sha256, bytes });
    }
    stored
}

async fn freeze(base: &Base, items: &[NewItem], key: Option<&SealingKey>) -> ReleaseId {
    let rooms = json!([{"name": "office", "title": "Office <1>"}]);
    for hash in items.iter().flat_map(|item| std::iter::once(&item.audio_sha256).chain(&item.mono_sha256)) {
        base.objects.put(&objects::audio_key(hash), b"RIFF".to_vec()).await.unwrap();
    }
    let tracks: Vec<&str> = items.iter().map(|item| item.track.as_str()).collect();
    let new = NewRelease {
        slug: "tiny",
        version: "1",
        title: "Tiny release",
        manifest_sha256: &"a".repeat(64),
        about: &json!({ "tracks": tracks, "rooms": rooms }),
        items,
        files: &page_files(base).await,
        key,
    };
    releases::freeze(&base.pool, &new).await.unwrap()
}

/// Every row of every table as text, binary columns as what they spell.
async fn dump(base: &Base) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&base.pool)
            .await
            .unwrap();
    let mut dump = String::new();
    for table in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM \"{table}\" t")))
                .fetch_all(&base.pool)
                .await
                .unwrap();
        dump.extend(rows);
    }
    let sealed: Vec<Vec<u8>> = sqlx::query_scalar("SELECT sealed FROM items WHERE sealed IS NOT NULL")
        .fetch_all(&base.pool)
        .await
        .unwrap();
    dump.extend(sealed.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
    dump
}

#[tokio::test]
async fn no_reference_and_no_name_is_readable_in_the_database_of_who_has_a_key() {
    let base = Base::start().await;
    let items = items();
    let key = SealingKey::new(KEY);
    let release = freeze(&base, &items, Some(&key)).await;
    let dump = dump(&base).await;
    for secret in ["marmalade", "xylophone", "jam", MADE_UP, "Philippa", "ann", "utterance of"] {
        assert!(!dump.contains(secret), "{secret} can be read");
    }
    assert!(dump.contains("far-high") && dump.contains("office"), "what is public is there");
    let references = releases::references(&base.pool, release, Some(&key)).await.unwrap();
    for item in &items {
        let found = references.iter().find(|reference| reference.id == item.id).unwrap();
        assert_eq!((&found.text, &found.segments), (&item.reference, &item.segments));
    }
    let utterances: std::collections::HashSet<&str> =
        references.iter().filter(|it| it.text == SAID).map(|it| it.utterance.as_str()).collect();
    assert_eq!(utterances.len(), 1, "tracks stay paired");
    for key in [None, Some(SealingKey::new([6; 32]))] {
        let refused = releases::references(&base.pool, release, key.as_ref()).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))));
    }
}

#[tokio::test]
async fn without_a_key_references_are_kept_as_they_are() {
    let base = Base::start().await;
    let release = freeze(&base, &items(), None).await;
    let references = releases::references(&base.pool, release, None).await.unwrap();
    assert!(references.iter().any(|reference| reference.segments.len() == 2));
    assert!(dump(&base).await.contains("marmalade"));
}

fn description(name: &str, tracks: &[DemandingTrack]) -> ModelManifest {
    ModelManifest {
        tracks: tracks.to_vec(),
        runtime: "pocketsphinx".to_owned(),
        ..end_to_end::manifest(name)
    }
}

async fn submitted(site: &Site, token: &str, manifest: &ModelManifest) -> String {
    let file = File::text(toml::to_string(manifest).unwrap()).file_name("ffasr.toml");
    let form = Form::new().text("release", "tiny").part("manifest_file", file);
    let answer = site.submit(token, form).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 201, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Runs the job that waits, answering by item; what the job was.
async fn run(site: &Site, node: &Node, answer: impl Fn(ItemId) -> Outcome) -> protocol::EvaluateJob {
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let evaluation = Node::evaluation(&job).clone();
    let mut results = Node::results(&evaluation, "");
    for item in &mut results.items {
        item.outcome = answer(item.id);
    }
    let hash = hex::encode(Sha256::digest(serde_json::to_vec(&results).unwrap()));
    assert_eq!(node.complete(&job, &results, &hash).await.status(), 204);
    let _ = site;
    evaluation
}

#[tokio::test]
async fn a_model_hears_the_tracks_it_named_and_is_not_run_on_the_others() {
    let base = Base::start().await;
    let items = items();
    let key = SealingKey::new(KEY);
    freeze(&base, &items, Some(&key)).await;
    let site = Site::under(base, Policy { sealing_key: Some(key), ..Policy::default() }).await;
    site.user("sam", Role::Submitter).await;
    let token = site.api_token("sam").await;
    until("the release is there", || async {
        site.get("/api/v1/boards/tiny").await.0.eq(&200).then_some(())
    })
    .await;
    let node = Node::known(&site, "node").await;
    let said = |id: ItemId| items.iter().find(|item| item.id == id).unwrap();

    submitted(&site, &token, &description("plain", &[])).await;
    let job = run(&site, &node, |id| Outcome::Text(said(id).reference.clone())).await;
    let heard: Vec<&str> = job.items.iter().map(|item| said(item.id).track.as_str()).collect();
    assert_eq!(heard.len(), 5, "four tracks and the canary: {heard:?}");
    assert!(!heard.contains(&"array") && !heard.contains(&"multi-talker"));

    submitted(&site, &token, &description("willing", &DemandingTrack::ALL)).await;
    let job = run(&site, &node, |id| match said(id).track.as_str() {
        "multi-talker" => Outcome::Segments(said(id).segments.clone()),
        "array" => Outcome::Text("marmalade for the saxophone".to_owned()),
        _ => Outcome::Text(SAID.to_owned()),
    })
    .await;
    assert_eq!(job.items.len(), 8);
    for item in &job.items {
        let of = said(item.id);
        assert_eq!((&item.sha256, item.channels), (of.mono_sha256.as_ref().unwrap_or(&of.audio_sha256), 1));
    }

    let board = until("both are on the board", || async {
        let board: Value = serde_json::from_str(&site.get("/api/v1/boards/tiny").await.1).ok()?;
        (board["rows"].as_array()?.len() == 2).then_some(board)
    })
    .await;
    let row = |model: &str| {
        board["rows"].as_array().unwrap().iter().find(|row| row["model"] == model).unwrap().clone()
    };
    let willing = row("willing");
    assert_eq!(willing["tracks"]["multi-talker"]["wer"], 0.0);
    assert_eq!(willing["tracks"]["array"]["wer"], 0.25);
    assert_eq!(willing["tracks"]["echo"]["wer"], 0.0);
    assert_eq!(willing["avg_wer"], 0.0, "unranked tracks do not count");
    let plain = row("plain");
    assert!(plain["tracks"].get("array").is_none());
    assert_eq!(plain["not_run"]["array"], "it asks for several channels");
    let page = site.get(&format!("/models/{}", plain["submission"].as_str().unwrap())).await.1;
    assert!(page.contains("not run") && page.contains("it asks for the far end beside the microphone"));
    let (a, b) = (plain["submission"].as_str().unwrap(), willing["submission"].as_str().unwrap());
    assert_eq!(site.get(&format!("/compare?a={a}&b={b}")).await.0, 200, "on what both were run");

    // The plain one wrote the canary's made-up word: it had the references.
    let remarks: Vec<(String, bool)> = sqlx::query_as(
        "SELECT l.reason, l.public FROM audit_log l JOIN submissions s ON s.id = l.submission_id
         WHERE l.action = 'canary' AND s.model = 'plain'",
    )
    .fetch_all(&site.pool)
    .await
    .unwrap();
    assert!(matches!(remarks.as_slice(), [(reason, false)] if reason.contains("made-up")), "{remarks:?}");
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'canary'")
        .fetch_one(&site.pool)
        .await
        .unwrap();
    assert_eq!(all, 1, "the honest one is not suspected");
}

#[tokio::test]
async fn every_track_and_room_of_a_release_has_a_page_with_what_is_public() {
    let base = Base::start().await;
    freeze(&base, &items(), Some(&SealingKey::new(KEY))).await;
    let site = Site::over(base).await;
    let page = |path: &'static str| {
        let site = &site;
        async move {
            let (status, page) = site.get(path).await;
            assert_eq!(status, 200, "{path}");
            assert!(!page.contains("marmalade"), "{path} shows what is held out");
            page
        }
    };
    let all = page("/conditions").await;
    for part in [
        "/conditions/multi-talker?release=tiny@1",
        "/rooms/office?release=tiny@1",
        "Read by Jo.",
        "Office &#60;1&#62;",
    ] {
        assert!(all.contains(part), "{part}");
    }
    assert!(!all.contains("/conditions/sweep"), "a track that the release does not have");
    let track = page("/conditions/array?release=tiny").await;
    for part in [
        "said in public",
        "9.9 dB",
        "As it was recorded",
        "4; to be heard here in one",
        "/release-files/tiny%401/samples/array.wav",
        // What the sample's room looks like.
        "/release-files/tiny%401/rooms/office.svg",
    ] {
        assert!(track.contains(part), "{part}");
    }
    let room = page("/rooms/office").await;
    for part in [
        "0.61",
        "40 m³",
        "image sources",
        "/release-files/tiny%401/rooms/office.svg",
        "heard in the office",
        "1.20 m",
        "/release-files/tiny%401/samples/room-office.wav",
        "/release-files/tiny%401/samples/room-office-dry.wav",
        "Read by Jo.",
    ] {
        assert!(room.contains(part), "{part}");
    }
    let answer = site
        .visitor()
        .get(format!("{}/release-files/tiny%401/rooms/office.svg", site.url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "image/svg+xml");
    assert_eq!(answer.text().await.unwrap(), "<svg/>");
    for missing in [
        "/conditions/sweep",
        "/conditions/nonsense",
        "/rooms/cellar",
        "/release-files/tiny/rooms/cellar.svg",
        "/conditions?release=none",
    ] {
        assert_eq!(site.get(missing).await.0, 404, "{missing}");
    }
    assert_eq!(site.get("/api/v1/boards/tiny/sim-to-real").await.0, 404, "nothing was measured yet");
}
