//! Every track, built small in furnished rooms.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use benchmark::{
    Demand, Listener, Quality, Track,
    dev::{AudioForm, DevSet},
    release::{self, Item, MultiTalker, Plan, ReleaseManifest, ReleaseSpec, TalkersBy},
};
use common::{import_lines, line, speech_like, write_wav};

/// The demo with two of its rooms, fewer rays and one pass.
fn spec() -> ReleaseSpec {
    let mut spec = ReleaseSpec::demo().unwrap();
    spec.furnished.retain(|room| ["meeting-room", "boardroom"].contains(&room.name.as_str()));
    let few = Quality::Geometric { rays: 100 };
    spec.furnished.iter_mut().for_each(|room| room.quality = few);
    spec.laboratory.as_mut().unwrap().twin.quality = few;
    // A walk of half a metre.
    for walk in spec.furnished.iter_mut().flat_map(|room| &mut room.walks) {
        walk.way_points_m = vec![[1.0, 3.4, 1.55], [1.5, 3.4, 1.55]];
    }
    (spec.speed.passes, spec.speed.warm_up, spec.unranked_items) = (1, 1, Some(3));
    spec
}

fn build(directory: &Path) -> ReleaseManifest {
    let mut lines = Vec::new();
    for index in 0..7 {
        let name = format!("u{index}.wav");
        write_wav(&directory.join(&name), &speech_like(2.0 + 0.1 * f64::from(index), index as u64));
        lines.push(line(&name, &format!("this is utterance number {index}")));
    }
    let corpus = directory.join("corpus");
    import_lines(directory, &lines, &corpus).unwrap();
    release::build(&spec(), &corpus, &directory.join("release"), 4, &|_, _| ()).unwrap()
}

fn channels(release: &Path, item: &Item) -> Vec<Vec<i16>> {
    let mut reader = hound::WavReader::open(release.join(&item.audio_filepath)).unwrap();
    let count = usize::from(reader.spec().channels);
    let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    (0..count).map(|channel| samples.iter().skip(channel).step_by(count).copied().collect()).collect()
}

#[test]
fn every_track_is_built_as_it_says_and_goes_into_a_dev_set() {
    let place = tempfile::tempdir().unwrap();
    let manifest = build(place.path());
    let release = place.path().join("release");
    release::verify(&release).unwrap();
    for track in Track::ALL {
        let items = if track.is_ranked() { 4 } else { 3 };
        assert_eq!(manifest.scored(track).count(), items, "{track}");
        for item in manifest.scored(track) {
            let several = matches!(track.demand(), Some(Demand::Channels | Demand::FarEnd));
            assert_eq!((item.channels > 1, item.mono.is_some()), (several, several), "{track}");
        }
    }
    for file in ["meeting-room.json", "meeting-room.svg", "r3vival-twin.svg", "r3vival-absorbers-100.json"] {
        assert!(!fs::read(release.join("rooms").join(file)).unwrap().is_empty(), "{file}");
    }
    an_array_hears_the_far_mid_scene(&manifest, &release);
    a_far_end_is_beside_the_microphone(&manifest, &release);
    talkers_overlap_as_asked(&manifest);
    who_walks_is_as_loud_as_who_stands(&manifest);
    the_laboratory_is_heard_twice_from_the_same_place(&manifest);
    canaries_end_with_a_word_of_their_own(&manifest);
    a_dev_set_has_it_all(&manifest, &release, &place.path().join("dev"));
}

/// The same talker, noise and ratio, heard with seven microphones of which the delay and sum keeps the speech.
fn an_array_hears_the_far_mid_scene(manifest: &ReleaseManifest, release: &Path) {
    for (item, single) in manifest.scored(Track::Array).zip(manifest.scored(Track::FarMid)) {
        assert_eq!(item.utterance, single.utterance);
        let scene = |item: &Item| item.recipe.scene.clone().unwrap();
        assert_eq!(scene(item).listener, Listener::Array);
        assert_eq!(scene(item).snr_db, scene(single).snr_db);
        let channels = channels(release, item);
        assert_eq!(channels.len(), 7);
        assert!(channels.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

fn a_far_end_is_beside_the_microphone(manifest: &ReleaseManifest, release: &Path) {
    for item in manifest.scored(Track::Echo) {
        let conditions = item.conditions.as_ref().unwrap();
        let far_end = item.recipe.scene.as_ref().unwrap().far_end.clone().unwrap();
        assert!((0.0..=10.0).contains(&far_end.ser_db));
        assert!((conditions.ser_db.unwrap() - far_end.ser_db).abs() < 0.01);
        let channels = channels(release, item);
        assert_eq!(channels.len(), 2);
        // Nothing is played before its time, and somebody always talks at the same time for a while.
        let quiet = &channels[1][..far_end.start_samples];
        assert!(quiet.iter().all(|sample| sample.abs() <= 1));
        let [from, to] = conditions.double_talk_s[0];
        assert!((from - far_end.start_samples as f64 / 16_000.0).abs() < 0.001 && to > from + 0.9);
        let mono = item.mono.as_ref().unwrap();
        let mut mono = hound::WavReader::open(release.join(&mono.audio_filepath)).unwrap();
        assert!(mono.samples::<i16>().map(Result::unwrap).eq(channels[0].iter().copied()));
    }
}

fn talkers_overlap_as_asked(manifest: &ReleaseManifest) {
    for item in manifest.scored(Track::MultiTalker) {
        assert_eq!(item.segments.len(), 3);
        assert!((item.conditions.as_ref().unwrap().overlap_ratio.unwrap() - 0.2).abs() < 0.001);
        let speakers: Vec<&str> = item.segments.iter().map(|segment| segment.speaker.as_str()).collect();
        assert!(speakers[0] == speakers[2] && speakers[0] != speakers[1], "{speakers:?}");
        let words: Vec<&str> = item.segments.iter().map(|segment| segment.words.as_str()).collect();
        assert_eq!(item.reference, words.join(" "));
        assert!(item.segments.windows(2).all(|pair| pair[0].start_time < pair[1].start_time));
    }
}

fn who_walks_is_as_loud_as_who_stands(manifest: &ReleaseManifest) {
    for item in manifest.scored(Track::MovingLow) {
        let conditions = item.conditions.as_ref().unwrap();
        assert!((conditions.active_level_dbov.unwrap() + 26.0).abs() < 0.01);
        // The middle of the walk, (1.25, 3.4, 1.55), to the recorder at (2.9, 2.1, 0.77).
        let middle = (1.65_f64.powi(2) + 1.3_f64.powi(2) + 0.78_f64.powi(2)).sqrt();
        assert!((conditions.distance_m.unwrap() - middle).abs() < 0.06, "{conditions:?}");
    }
}

fn the_laboratory_is_heard_twice_from_the_same_place(manifest: &ReleaseManifest) {
    for (measured, twin) in manifest.scored(Track::LabMeasured).zip(manifest.scored(Track::LabSimulated)) {
        assert_eq!(measured.recipe.turns, twin.recipe.turns);
        let [measured, twin] = [measured, twin].map(|item| item.conditions.clone().unwrap());
        assert!((measured.distance_m.unwrap() - twin.distance_m.unwrap()).abs() < 0.001);
        assert!((measured.t30_s.unwrap() - twin.t30_s.unwrap()).abs() < 0.2, "{measured:?} {twin:?}");
        assert_eq!((measured.snr_db, twin.snr_db), (None, None));
    }
}

fn canaries_end_with_a_word_of_their_own(manifest: &ReleaseManifest) {
    let made_up: Vec<&str> = manifest
        .canaries()
        .map(|item| {
            assert!(item.track.is_ranked(), "every model hears it");
            let (said, made_up) = item.reference.rsplit_once(' ').unwrap();
            assert!(said.starts_with("this is utterance number"), "{said}");
            made_up
        })
        .collect();
    assert!(made_up.len() == 2 && made_up[0] != made_up[1], "{made_up:?}");
    assert!(made_up.iter().all(|word| word.len() == 10), "{made_up:?}");
}

fn a_dev_set_has_it_all(manifest: &ReleaseManifest, release: &Path, place: &Path) {
    let set = DevSet::open(release).unwrap();
    set.export(place, AudioForm::Flac, &|_, _| ()).unwrap();
    let exported = DevSet::open(place).unwrap();
    assert_eq!(set.items.len() + manifest.canaries().count(), manifest.items.len(), "canaries stay at home");
    for (item, original) in exported.items.iter().zip(&set.items) {
        assert_eq!(exported.wav(item).unwrap(), set.wav(original).unwrap());
        assert_eq!(exported.mono_wav(item).unwrap(), set.mono_wav(original).unwrap());
        assert_eq!(item.segments, original.segments);
    }
    let segments: Vec<serde_json::Value> =
        serde_json::from_slice(&fs::read(place.join("references.seglst.json")).unwrap()).unwrap();
    let turns = |track| if track == Track::MultiTalker { 3 } else { 1 };
    let expected: usize = Track::ALL.iter().map(|&track| manifest.scored(track).count() * turns(track)).sum();
    assert_eq!(segments.len(), expected);
}

/// Fourteen recordings of two voices, from 2 to 15 s.
fn two_voices(directory: &Path) -> PathBuf {
    let lines: Vec<String> = (0..14_u32)
        .map(|number| {
            let (file, seconds) = (format!("{number}.wav"), 2.0 + f64::from(number));
            write_wav(&directory.join(&file), &speech_like(seconds, number.into()));
            let text = format!("this is utterance number {number}");
            serde_json::json!({"audio_filepath": file, "text": text, "speaker": format!("s{}", number % 2)})
                .to_string()
        })
        .collect();
    let corpus = directory.join("two-voices");
    import_lines(directory, &lines, &corpus).unwrap();
    corpus
}

#[test]
fn conversations_are_made_of_turns_alike_in_length_and_a_corpus_of_which_none_can_be_made_is_told_what_it_lacks()
 {
    let directory = tempfile::tempdir().unwrap();
    let corpus = two_voices(directory.path());
    let mut spec = ReleaseSpec::demo().unwrap();
    spec.tracks = vec![Track::MultiTalker];
    (spec.unranked_items, spec.canaries) = (None, 0);
    (spec.speed.warm_up, spec.speed.passes) = (0, 0);
    spec.speech.max_seconds = 20.0;
    spec.multi_talker =
        Some(MultiTalker { turns: 4, overlap_ratio: 0.2, pause_s: 0.3, talkers_by: TalkersBy::Voice });
    // The shortest is 2 s and the longest 15 s: taken as they come, some could not overlap (four turns of which two are
    // more than five times as long as the others cannot by 0.2).
    let plan = Plan::new(&spec, &corpus, 14).unwrap();
    for item in &plan.items {
        assert_eq!(item.segments.len(), 4);
        let seconds = item.segments.iter().map(|it| it.end_time - it.start_time);
        let (least, most) = seconds.fold((f64::INFINITY, 0.0_f64), |(a, b), it| (a.min(it), b.max(it)));
        assert!(most < 5.0 * least, "{:?}", item.segments);
        let voices = item.segments.iter().map(|it| it.speaker.as_str()).collect::<Vec<_>>();
        assert!(voices[0] == voices[2] && voices[1] == voices[3] && voices[0] != voices[1], "{voices:?}");
    }
    let refused = Plan::new(&spec, &corpus, 2).unwrap_err().to_string();
    for words in
        ["`multi-talker`", "2 utterances of its voice and 2 of one other voice", "ask for more items"]
    {
        assert!(refused.contains(words), "{refused}");
    }
}
