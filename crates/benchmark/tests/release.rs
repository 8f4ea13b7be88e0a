//! Building, reading and verifying a release, on a tiny corpus made on the spot.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use benchmark::{
    Error, SpeechPath, Track,
    corpus::{Corpus, Recordings},
    release::{
        self, Item, NoiseKind, Plan, ReleaseKey, ReleaseManifest, ReleaseSpec, RenderJob, RenderTask, Role,
        SceneRecipe, Workshop, text_not_in_release,
    },
};
use common::{import_lines, line, speech_like, write_wav};
use tempfile::TempDir;

/// Twelve utterances of two seconds and one that is too long for the specification.
fn tiny_corpus(directory: &Path) -> PathBuf {
    let mut lines = Vec::new();
    for index in 0..13 {
        let name = format!("u{index:02}.wav");
        let seconds = if index == 12 { 8.0 } else { 2.0 + 0.1 * f64::from(index) };
        write_wav(&directory.join(&name), &speech_like(seconds, index as u64));
        lines.push(line(&name, &format!("this is utterance number {index}")));
    }
    let corpus = directory.join("corpus");
    import_lines(directory, &lines, &corpus).unwrap();
    corpus
}

/// Two boxes and two repeat passes.
fn tiny_spec() -> ReleaseSpec {
    let mut spec = ReleaseSpec::from_toml(include_str!("data/boxes.toml")).unwrap();
    spec.rooms.truncate(2);
    spec.speed.passes = 2;
    spec
}

struct Built {
    temporary: TempDir,
    corpus: PathBuf,
    release: PathBuf,
    manifest: ReleaseManifest,
}

fn built() -> Built {
    let temporary = tempfile::tempdir().unwrap();
    let corpus = tiny_corpus(temporary.path());
    let release = temporary.path().join("release");
    let manifest = release::build(&tiny_spec(), &corpus, &release, 6, &|_, _| ()).unwrap();
    Built { temporary, corpus, release, manifest }
}

/// Rewrites `manifest.jsonl` and the hash, as somebody would who hides a change.
fn forge(release: &Path, change: impl Fn(&mut Item)) {
    let mut manifest = ReleaseManifest::read(release).unwrap();
    change(&mut manifest.items[6]);
    let lines: Vec<_> =
        manifest.items.iter().map(|item| serde_json::to_string(item).unwrap() + "\n").collect();
    fs::write(release.join("manifest.jsonl"), lines.concat()).unwrap();
    let file = release.join("release.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    json["manifest_sha256"] = manifest.sha256().unwrap().into();
    fs::write(file, json.to_string()).unwrap();
}

fn verdict(release: &Path) -> String {
    release::verify(release).unwrap_err().to_string()
}

#[test]
fn the_same_specification_and_corpus_give_the_same_release() {
    let first = built();
    let again = first.temporary.path().join("again");
    let manifest = release::build(&tiny_spec(), &first.corpus, &again, 6, &|_, _| ()).unwrap();
    assert_eq!(manifest.sha256().unwrap(), first.manifest.sha256().unwrap());
    assert_eq!(
        fs::read(again.join("release.json")).unwrap(),
        fs::read(first.release.join("release.json")).unwrap()
    );

    let mut other = tiny_spec();
    other.seed += 1;
    let other =
        release::build(&other, &first.corpus, &first.temporary.path().join("other"), 6, &|_, _| ()).unwrap();
    let ids = |manifest: &ReleaseManifest| manifest.items.iter().map(|item| item.id).collect::<HashSet<_>>();
    assert!(ids(&other).is_disjoint(&ids(&first.manifest)));
}

#[test]
fn a_release_that_was_built_verifies_and_reads_back_as_it_was() {
    let built = built();
    let Built { release, manifest, .. } = &built;
    let report = release::verify(release).unwrap();
    assert_eq!(report.manifest_sha256, manifest.sha256().unwrap());
    assert_eq!(report.items, 4 * 6 + 3 + 2 * 4);
    assert_eq!(ReleaseManifest::read(release).unwrap(), *manifest);
}

#[test]
fn tracks_are_paired_and_far_tracks_differ_in_the_ratio_alone() {
    let built = built();
    let Built { manifest, .. } = &built;
    let utterances = |track| manifest.scored(track).map(|item| &item.utterance).collect::<Vec<_>>();
    for track in Track::PRIMARY {
        assert_eq!(utterances(track), utterances(Track::Near));
        assert_eq!(utterances(track).into_iter().collect::<BTreeSet<_>>().len(), 6);
    }
    for (high, low) in manifest.scored(Track::FarHigh).zip(manifest.scored(Track::FarLow)) {
        let (mut high, low) = (high.recipe.scene.clone().unwrap(), low.recipe.scene.clone().unwrap());
        assert!(high.snr_db > low.snr_db);
        high.snr_db = low.snr_db;
        assert_eq!(high, low);
    }
}

#[test]
fn every_far_scene_has_a_transient_and_a_continuous_noise_at_the_ratio_of_its_track() {
    let built = built();
    let Built { manifest, .. } = &built;
    for item in &manifest.items {
        let Some(range) = item.track.snr_range() else {
            assert!(item.conditions.is_none());
            continue;
        };
        let conditions = item.conditions.as_ref().unwrap();
        assert_eq!(conditions.noise, [NoiseKind::Ventilation, NoiseKind::Coughs]);
        let asked = item.recipe.scene.as_ref().unwrap().snr_db.unwrap();
        let measured = conditions.snr_db.unwrap();
        assert!(range.contains(asked) && (measured - asked).abs() < 0.01, "{conditions:?}");
    }
}

/// Two boxes with the tracks that are not ranked.
fn diagnostic_spec() -> ReleaseSpec {
    let tracks =
        vec![Track::Near, Track::FarMid, Track::Sweep, Track::ReverbOnly, Track::NoiseOnly, Track::Silence];
    ReleaseSpec { tracks, ..tiny_spec() }
}

fn diagnostic_release() -> Built {
    let temporary = tempfile::tempdir().unwrap();
    let corpus = tiny_corpus(temporary.path());
    let release = temporary.path().join("release");
    let manifest = release::build(&diagnostic_spec(), &corpus, &release, 6, &|_, _| ()).unwrap();
    Built { temporary, corpus, release, manifest }
}

#[test]
fn diagnostic_tracks_are_far_mid_with_something_left_out() {
    let built = diagnostic_release();
    let Built { manifest, .. } = &built;
    release::verify(&built.release).unwrap();
    let whole: Vec<_> = manifest.scored(Track::FarMid).collect();
    for (track, speech) in [
        (Track::ReverbOnly, SpeechPath::Room),
        (Track::NoiseOnly, SpeechPath::Dry),
        (Track::Silence, SpeechPath::Absent),
    ] {
        for (item, whole) in manifest.scored(track).zip(&whole) {
            assert_eq!(item.utterance, whole.utterance);
            let (scene, full) = (item.recipe.scene.clone().unwrap(), whole.recipe.scene.clone().unwrap());
            assert_eq!(scene.speech, speech);
            let expected = match track {
                Track::ReverbOnly => SceneRecipe { snr_db: None, noises: vec![], ..full },
                _ => SceneRecipe { speech, ..full },
            };
            assert_eq!(scene, expected);
        }
    }
}

#[test]
fn diagnostic_items_have_the_levels_of_what_they_keep() {
    let built = diagnostic_release();
    let Built { manifest, .. } = &built;
    for item in &manifest.items {
        let Some(conditions) = &item.conditions else { continue };
        let has_noise = item.track != Track::ReverbOnly;
        assert_eq!(conditions.noise_level_dbov.is_some(), has_noise);
        assert_eq!(conditions.noise.is_empty(), !has_noise);
        assert_eq!(conditions.snr_db.is_some(), has_noise && item.track != Track::Silence);
        assert_eq!(conditions.t30_s.is_some(), !matches!(item.track, Track::NoiseOnly | Track::Silence));
        if item.track == Track::Silence {
            assert_eq!(item.reference, "");
            let nominal = item.recipe.level_dbov - item.recipe.scene.as_ref().unwrap().snr_db.unwrap();
            assert!((conditions.noise_level_dbov.unwrap() - nominal).abs() < 0.01);
        } else {
            // Nothing in these scenes is loud enough for the peak guard.
            assert!((conditions.active_level_dbov.unwrap() - item.recipe.level_dbov).abs() < 0.01);
            assert!(!item.reference.is_empty());
        }
    }
}

#[test]
fn the_sweep_has_one_utterance_in_every_part_of_its_range() {
    let built = diagnostic_release();
    let mut ratios: Vec<f64> = built
        .manifest
        .scored(Track::Sweep)
        .map(|item| item.recipe.scene.as_ref().unwrap().snr_db.unwrap())
        .collect();
    ratios.sort_by(f64::total_cmp);
    for (part, ratio) in (0..).zip(ratios) {
        let edge = |part: i32| -10.0 + 40.0 * f64::from(part) / 6.0;
        assert!((edge(part) - 0.01..=edge(part + 1) + 0.01).contains(&ratio), "part {part}: {ratio}");
    }
}

#[test]
fn rooms_are_dealt_out_evenly() {
    let built = built();
    let Built { manifest, .. } = &built;
    let rooms: Vec<_> =
        manifest.scored(Track::FarMid).map(|item| &item.conditions.as_ref().unwrap().room).collect();
    assert_eq!(rooms.iter().filter(|&&room| room == "bathroom").count(), 3);
    assert_eq!(rooms.iter().filter(|&&room| room == "bedroom").count(), 3);
}

#[test]
fn warm_up_uses_utterances_that_are_never_scored_and_repeats_only_scored_ones() {
    let built = built();
    let Built { manifest, .. } = &built;
    let scored: HashSet<_> = manifest.scored(Track::Near).map(|item| &item.utterance).collect();
    assert_eq!(manifest.warm_up().count(), 3);
    assert!(manifest.warm_up().all(|item| !scored.contains(&item.utterance)));
    for pass in 1..=2 {
        let repeats: Vec<_> = manifest.repeat(pass).collect();
        let tracks: Vec<_> = repeats.iter().map(|item| item.track).collect();
        assert_eq!(tracks, Track::PRIMARY);
        assert!(repeats.iter().all(|item| scored.contains(&item.utterance)));
    }
}

#[test]
fn a_repeat_is_the_same_scene_with_other_noise_another_level_and_another_beginning() {
    let built = built();
    let Built { manifest, .. } = &built;
    let repeats = manifest.items.iter().filter(|item| matches!(item.role, Role::Repeat { .. }));
    for repeat in repeats {
        let original = manifest.scored(repeat.track).find(|item| item.utterance == repeat.utterance).unwrap();
        assert!((repeat.recipe.level_dbov - original.recipe.level_dbov).abs() <= 0.1);
        assert!(repeat.recipe.turns[0].start_samples <= 3_200);
        assert_ne!(repeat.sha256, original.sha256);
        if let (Some(mut again), Some(first)) = (repeat.recipe.scene.clone(), original.recipe.scene.clone()) {
            for (again, first) in again.noises.iter_mut().zip(&first.noises) {
                assert_ne!(again.seed, first.seed);
                again.seed = first.seed;
            }
            assert_eq!(again, first);
        }
    }
    let all: HashSet<_> = manifest.items.iter().map(|item| &item.sha256).collect();
    assert_eq!(all.len(), manifest.items.len(), "no two items have the same audio");
}

#[test]
fn a_recipe_alone_renders_its_item_again_byte_for_byte() {
    for built in [built(), diagnostic_release()] {
        renders_again(&built);
    }
}

fn renders_again(built: &Built) {
    let manifest = ReleaseManifest::read(&built.release).unwrap();
    let recordings = Recordings::of_corpora([built.corpus.as_path()]);
    let workshop = Workshop::open(&built.temporary.path().join("again"), recordings).unwrap();
    let room = |item: &Item| item.recipe.scene.as_ref().map(|scene| scene.room.clone());
    let rooms: BTreeSet<Option<String>> = manifest.items.iter().map(room).collect();
    for name in rooms {
        let items: Vec<&Item> = manifest.items.iter().filter(|item| room(item) == name).collect();
        let job = RenderJob {
            renderer: manifest.release.renderer.clone(),
            room: name.and_then(|name| manifest.release.spec.room(&name)),
            items: items.iter().map(|it| RenderTask { id: it.id, recipe: it.recipe.clone() }).collect(),
        };
        let rendered = workshop.render(&job, &|| ()).unwrap();
        for (item, again) in items.into_iter().zip(rendered.items) {
            assert_eq!(
                (again.audio.sha256, again.conditions),
                (item.sha256.clone(), item.conditions.clone())
            );
        }
    }
}

#[test]
fn jobs_rendered_by_two_workers_in_any_order_give_the_same_release() {
    let built = built();
    let plan = Plan::new(&tiny_spec(), &built.corpus, 6).unwrap();
    // As a queue would carry it.
    let jobs: Vec<RenderJob> = plan
        .jobs()
        .iter()
        .map(|job| serde_json::from_str(&serde_json::to_string(job).unwrap()).unwrap())
        .collect();
    assert_eq!(jobs, plan.jobs());
    let place = |name: &str| built.temporary.path().join(name);
    let workers = ["one", "two"].map(|name| {
        // A worker has the recordings that the job names, and nothing else.
        let recordings = place(&format!("recordings-{name}"));
        fs::create_dir(&recordings).unwrap();
        Workshop::open(&place(name), Recordings::in_directories([recordings])).unwrap()
    });
    let mut results = Vec::new();
    for (number, job) in jobs.iter().enumerate().rev() {
        let name = ["one", "two"][number % 2];
        for sha256 in job.recordings() {
            let file = format!("{sha256}.wav");
            let to = place(&format!("recordings-{name}")).join(&file);
            fs::copy(built.corpus.join("audio").join(&file), to).unwrap();
        }
        results.push(workers[number % 2].render(job, &|| ()).unwrap());
    }
    let manifest = plan.assemble(&results).unwrap();
    assert_eq!(manifest, built.manifest);

    let error = plan.assemble(&results[1..]).unwrap_err();
    let missing = results[0].items.len();
    assert!(matches!(error, Error::NotRendered { missing: m, of } if m == missing && of == plan.items.len()));
}

#[test]
fn a_job_names_no_text_no_utterance_and_no_talker() {
    let built = built();
    let plan = Plan::new(&tiny_spec(), &built.corpus, 6).unwrap();
    let jobs = serde_json::to_string(&plan.jobs()).unwrap();
    for item in &plan.items {
        assert!(!jobs.contains(&item.reference) && !jobs.contains(&item.utterance));
        assert!(!jobs.contains(&format!("\"{}\"", item.talker)));
    }
    assert!(plan.jobs().iter().all(|job| !job.items.is_empty() && job.items.len() <= 64));
}

#[test]
fn what_was_rendered_before_an_interruption_is_not_rendered_again() {
    let built = built();
    let plan = Plan::new(&tiny_spec(), &built.corpus, 6).unwrap();
    let jobs = plan.jobs();
    let job = jobs.iter().max_by_key(|job| job.items.len()).unwrap();
    let recordings = || Recordings::of_corpora([built.corpus.as_path()]);
    let place = built.temporary.path().join("work");
    let workshop = Workshop::open(&place, recordings()).unwrap();
    let whole = workshop.render(job, &|| ()).unwrap();

    // Somebody pulled the plug: one file is half there, one is gone. And the recordings are out of reach.
    let audio = |item: usize| place.join(whole.items[item].audio.path());
    let half = fs::read(audio(0)).unwrap();
    fs::write(audio(0), &half[..half.len() / 2]).unwrap();
    fs::remove_file(audio(1)).unwrap();
    let nothing = Workshop::open(&place, Recordings::in_directories([])).unwrap();
    let done = RenderJob { items: job.items[2..].to_vec(), ..job.clone() };
    assert_eq!(nothing.render(&done, &|| ()).unwrap().items, whole.items[2..]);
    assert!(nothing.render(job, &|| ()).is_err());

    assert_eq!(workshop.render(job, &|| ()).unwrap(), whole);
    assert_eq!(fs::read(audio(0)).unwrap(), half);
}

#[test]
fn a_job_for_another_version_is_refused() {
    let built = built();
    let mut job = Plan::new(&tiny_spec(), &built.corpus, 6).unwrap().jobs().remove(0);
    job.renderer = "ffasr 99.0.0".to_owned();
    let workshop =
        Workshop::open(&built.temporary.path().join("work"), Recordings::in_directories([])).unwrap();
    let error = workshop.render(&job, &|| ()).unwrap_err().to_string();
    assert!(error.starts_with("the job is for ffasr 99.0.0, this is ffasr "), "{error}");
}

#[test]
fn the_order_of_the_corpus_does_not_matter() {
    let built = built();
    let Built { temporary, corpus, manifest, .. } = &built;
    let file = corpus.join("manifest.jsonl");
    let content = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<_> = content.lines().collect();
    lines.reverse();
    fs::write(&file, lines.join("\n")).unwrap();
    let again = release::build(&tiny_spec(), corpus, &temporary.path().join("again"), 6, &|_, _| ()).unwrap();
    assert_eq!(again, *manifest);
}

#[test]
fn no_file_of_a_release_names_a_path_of_this_machine_and_only_the_manifest_holds_references() {
    let built = built();
    let Built { temporary, release, manifest, .. } = &built;
    let place = temporary.path().display().to_string();
    let header = fs::read_to_string(release.join("release.json")).unwrap();
    let lines = fs::read_to_string(release.join("manifest.jsonl")).unwrap();
    assert!(!header.contains(&place) && !lines.contains(&place));
    assert!(manifest.items.iter().all(|item| !header.contains(&item.reference)));
}

#[test]
fn progress_counts_every_item_once() {
    let temporary = tempfile::tempdir().unwrap();
    let corpus = tiny_corpus(temporary.path());
    let seen = Mutex::new(Vec::new());
    let note = |done, total| seen.lock().unwrap().push((done, total));
    release::build(&tiny_spec(), &corpus, &temporary.path().join("release"), 2, &note).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    let total = 4 * 2 + 3 + 2 * 4;
    assert_eq!(seen, (1..=total).map(|done| (done, total)).collect::<Vec<_>>());
}

#[test]
fn a_corpus_that_is_too_small_is_refused_and_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let corpus = tiny_corpus(temporary.path());
    let release = temporary.path().join("release");
    let error = release::build(&tiny_spec(), &corpus, &release, 10, &|_, _| ()).unwrap_err();
    // Twelve of the thirteen fit the specification's 2 to 7 s.
    assert!(matches!(error, Error::TooFewUtterances { needed: 13, found: 12, .. }), "{error}");
    let left = fs::read_dir(temporary.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".unfinished"));
    assert!(!release.exists() && left.count() == 0);
}

#[test]
fn a_dry_recording_that_was_changed_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let corpus = tiny_corpus(temporary.path());
    for entry in fs::read_dir(corpus.join("audio")).unwrap() {
        write_wav(&entry.unwrap().path(), &speech_like(3.0, 99));
    }
    let error =
        release::build(&tiny_spec(), &corpus, &temporary.path().join("release"), 2, &|_, _| ()).unwrap_err();
    assert!(error.to_string().contains("is not the file that was imported"), "{error}");
}

#[test]
fn verifying_names_the_item_whose_audio_was_changed() {
    let built = built();
    let Built { release, manifest, .. } = &built;
    let item = &manifest.items[3];
    write_wav(&release.join(&item.audio_filepath), &speech_like(1.0, 5));
    let verdict = verdict(release);
    assert!(
        verdict.starts_with("1 thing is wrong") && verdict.contains(&format!("item {}", item.id)),
        "{verdict}"
    );
    assert!(verdict.contains("was changed"), "{verdict}");
}

#[test]
fn verifying_names_every_missing_file_and_every_stranger() {
    let built = built();
    let Built { release, manifest, .. } = &built;
    for item in &manifest.items[..2] {
        fs::remove_file(release.join(&item.audio_filepath)).unwrap();
    }
    fs::write(release.join("audio/stranger.wav"), "").unwrap();
    let verdict = verdict(release);
    assert!(verdict.starts_with("3 things are wrong"), "{verdict}");
    assert!(manifest.items[..2].iter().all(|item| verdict.contains(&item.id.to_string())), "{verdict}");
    assert!(verdict.contains("audio/stranger.wav belongs to no item"), "{verdict}");
}

#[test]
fn a_manifest_that_was_changed_is_not_the_one_that_was_frozen() {
    let built = built();
    let Built { release, .. } = &built;
    let file = release.join("manifest.jsonl");
    let changed = fs::read_to_string(&file).unwrap().replacen("utterance number", "utterance numbers", 1);
    fs::write(&file, changed).unwrap();
    assert!(verdict(release).contains("not what manifest_sha256"));
}

#[test]
fn verifying_finds_what_a_new_hash_would_hide() {
    let built = built();
    let release = &built.release;
    let files = ["release.json", "manifest.jsonl"].map(|name| release.join(name));
    let honest = files.clone().map(|file| fs::read(file).unwrap());
    let case = |change: &dyn Fn(&mut Item), expected: &str| {
        forge(release, change);
        let verdict = verdict(release);
        assert!(verdict.contains(expected), "{verdict}");
        files.iter().zip(&honest).for_each(|(file, content)| fs::write(file, content).unwrap());
    };
    let set_snr = |item: &mut Item, asked: f64, measured: f64| {
        item.recipe.scene.as_mut().unwrap().snr_db = Some(asked);
        item.conditions.as_mut().unwrap().snr_db = Some(measured);
    };
    case(&|item| set_snr(item, 13.0, 13.0), "outside track far-high, 14 to 24 dB");
    case(&|item| set_snr(item, 15.0, 16.0), "its ratio is 16 dB, its recipe asks for 15 dB");
    case(&|item| item.conditions = None, "track far-high has scenes, but it has none");
    case(&|item| item.track = Track::Near, "track near is dry, but it has a scene");
    case(&|item| item.seconds = 9.0, "the manifest says 9 s");
    case(&|item| item.audio_filepath = "../../etc/passwd".into(), "not named by its content");
    case(&|item| item.track = Track::Silence, "its speech is Room, that of track silence is Absent");
    let without_ratio = |item: &mut Item| item.recipe.scene.as_mut().unwrap().snr_db = None;
    case(&without_ratio, "track far-high has noise, but it has no ratio");
    case(&|item| item.channels = 2, "has 1 channels, the manifest says 2");
    case(&|item| item.track = Track::Array, "and its audio in one channel do not fit");
    case(&|item| item.utterance = "another".to_owned(), "have different utterances");
}

#[test]
fn what_a_language_model_may_read_holds_no_reference() {
    let built = built();
    let Built { corpus, manifest, .. } = &built;
    let corpus = Corpus::open(corpus).unwrap();
    let texts = text_not_in_release(&corpus, manifest);
    let references: HashSet<_> = manifest.items.iter().map(|item| &item.reference).collect();
    assert_eq!(references.len(), 6 + 3);
    assert_eq!(texts.len(), 13 - 9);
    assert!(texts.iter().all(|text| !references.contains(text)));
}

#[test]
fn a_dev_set_carries_the_same_sound_references_and_conditions_in_both_forms() {
    use benchmark::dev::{AudioForm, DevSet};
    let built = built();
    let release = DevSet::open(&built.release).unwrap();
    for (form, extension) in [(AudioForm::Flac, "flac"), (AudioForm::Wav, "wav")] {
        let place = built.temporary.path().join(extension);
        release.export(&place, form, &|_, _| ()).unwrap();
        let exported = DevSet::open(&place).unwrap();
        assert_eq!(exported.header, release.header);
        assert_eq!(exported.items.len(), built.manifest.items.len());
        for (item, original) in exported.items.iter().zip(&release.items) {
            assert_eq!(
                (item.id, &item.text, item.role, &item.conditions),
                (original.id, &original.text, original.role, &original.conditions)
            );
            assert!(item.audio_filepath.extension().is_some_and(|it| it == extension));
            assert_eq!(exported.wav(item).unwrap(), release.wav(original).unwrap());
        }
        let segments: Vec<serde_json::Value> =
            serde_json::from_slice(&fs::read(place.join("references.seglst.json")).unwrap()).unwrap();
        let scored = exported.items.iter().filter(|item| item.role == Role::Scored).count();
        assert_eq!(segments.len(), scored, "neither warm-up nor repeats are references");
    }
}

#[test]
fn a_dev_set_that_was_changed_or_reaches_outside_is_refused() {
    use benchmark::dev::{AudioForm, DevSet};
    let built = built();
    let place = built.temporary.path().join("dev");
    let exported = DevSet::open(&built.release).unwrap().export(&place, AudioForm::Flac, &|_, _| ()).unwrap();
    let item = &exported.items[0];
    let path = place.join(&item.audio_filepath);
    fs::write(&path, "changed").unwrap();
    assert!(exported.wav(item).unwrap_err().to_string().contains("was changed"));
    let manifest = place.join("manifest.jsonl");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("audio/", "../audio/", 1)).unwrap();
    assert!(DevSet::open(&place).unwrap_err().to_string().contains("outside"));
}

#[test]
fn a_sealed_release_opens_with_its_key_alone_and_shows_nothing_without_it() {
    let built = built();
    let Built { release, manifest, temporary, .. } = &built;
    let key = ReleaseKey::generate().unwrap();
    release::seal(release, &key).unwrap();
    assert_eq!(ReleaseManifest::read_sealed(release, Some(&key)).unwrap(), *manifest);
    let again = ReleaseKey::from_hex(&format!(" {}\n", key.to_hex())).unwrap();
    assert_eq!(ReleaseManifest::read_sealed(release, Some(&again)).unwrap(), *manifest);

    let without = ReleaseManifest::read_sealed(release, None).unwrap_err().to_string();
    assert!(without.contains("is sealed: put its key into FFASR_RELEASE_KEY"), "{without}");
    let other = ReleaseKey::generate().unwrap();
    let wrong = ReleaseManifest::read_sealed(release, Some(&other)).unwrap_err().to_string();
    assert!(wrong.contains("the key is another one, or the file was changed"), "{wrong}");
    assert!(release::seal(release, &key).unwrap_err().to_string().contains("is sealed already"));

    // No file but the audio holds a reference, an utterance, the seed or an item's id.
    for file in ["release.json", "sealed.bin"] {
        let content = String::from_utf8_lossy(&fs::read(release.join(file)).unwrap()).into_owned();
        let seed = manifest.release.spec.seed.to_string();
        assert!(!content.contains("utterance number") && !content.contains(&seed));
        assert!(manifest.items.iter().all(|item| !content.contains(&item.id.to_string())));
    }
    assert!(!release.join("manifest.jsonl").exists());

    let sealed = release.join("sealed.bin");
    let mut content = fs::read(&sealed).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&sealed, content).unwrap();
    assert!(ReleaseManifest::read_sealed(release, Some(&key)).is_err());
    assert!(temporary.path().exists());
}

#[test]
fn two_releases_are_told_apart_without_a_word_of_a_reference() {
    let built = built();
    let Built { temporary, corpus, manifest, .. } = &built;
    assert!(release::diff(manifest, manifest).unwrap().is_empty());
    let mut spec = tiny_spec();
    spec.level_dbov = -30.0;
    spec.tracks.pop();
    let other = release::build(&spec, corpus, &temporary.path().join("other"), 6, &|_, _| ()).unwrap();
    let difference = release::diff(manifest, &other).unwrap();
    let text = difference.to_string();
    assert!(text.contains("spec.level_dbov: -26.0 / -30.0"), "{text}");
    assert!(text.contains("spec.tracks.3: \"far-low\" / nothing"), "{text}");
    // Six scored utterances and two repeats.
    assert_eq!(difference.tracks[&Track::FarLow].only_first, 8);
    // And one to warm up.
    let far_mid = difference.tracks[&Track::FarMid];
    assert_eq!((far_mid.audio, far_mid.recipe, far_mid.reference), (9, 9, 0));
    assert!(!text.contains("utterance number"), "{text}");
}

#[test]
fn a_sample_rendered_again_is_compared_to_the_byte() {
    let built = built();
    let Built { release, corpus, manifest, .. } = &built;
    assert_eq!(release::verify_by_rendering(release, corpus, 8).unwrap(), 7);
    // Somebody changed the recipe of the first item and the hash with it.
    forge(release, |item| item.recipe.dither_seed += 1);
    let forged = manifest.items[6].id.to_string();
    let error = release::verify_by_rendering(release, corpus, manifest.items.len()).unwrap_err().to_string();
    assert!(error.contains(&forged) && error.contains("its recipe gives other audio"), "{error}");
}
