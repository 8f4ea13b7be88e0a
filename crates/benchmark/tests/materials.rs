//! What releases are made from besides one corpus of speech: noise by kind, one side of a split by talkers, other
//! languages.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use benchmark::{
    Quality, Track,
    corpus::{self, Corpus, Import, NoiseClass, NoiseCorpus, PROMPT_LANGUAGES, Reason, import_noise},
    release::{
        self, Heard, Material, NoiseKind, Plan, ReleaseManifest, ReleaseSpec, Side, TalkerSplit, expect_apart,
    },
};
use common::{description, import_lines, line, speech_like, write_wav};

/// Two rooms of the demo, few rays, three tracks.
fn spec() -> ReleaseSpec {
    let mut spec = ReleaseSpec::demo_in("xx").unwrap();
    for room in &mut spec.furnished {
        room.quality = Quality::Geometric { rays: 50 };
    }
    spec.tracks = vec![Track::Near, Track::FarHigh];
    spec
}

/// Twelve talkers who say two sentences each.
fn many_talkers(directory: &Path) -> PathBuf {
    let lines: Vec<String> = (0..24)
        .map(|index| {
            let name = format!("u{index}.wav");
            write_wav(
                &directory.join(&name),
                &speech_like(2.0 + 0.05 * f64::from(index), 100 + index as u64),
            );
            let speaker = format!("talker {}", index / 2);
            line(&name, &format!("this is sentence number {index}")).replace("s1", &speaker)
        })
        .collect();
    let corpus = directory.join("corpus");
    import_lines(directory, &lines, &corpus).unwrap();
    corpus
}

/// A hum, a knock, a crowd; a copy of the hum, and near-silence.
fn noises(directory: &Path) -> PathBuf {
    let source = directory.join("noise");
    for kind in NoiseClass::ALL {
        fs::create_dir_all(source.join(kind.name())).unwrap();
    }
    let hum: Vec<i16> = (0..48_000).map(|n| (3_000.0 * (f64::from(n) * 0.05).sin()) as i16).collect();
    write_wav(&source.join("continuous/hum.wav"), &hum);
    write_wav(&source.join("continuous/hum again.wav"), &hum);
    write_wav(&source.join("continuous/still.wav"), &[1; 48_000]);
    write_wav(&source.join("transient/knock.wav"), &speech_like(0.3, 1));
    write_wav(&source.join("babble/crowd.wav"), &speech_like(3.0, 2));
    fs::write(source.join("babble/LICENCE.txt"), "CC0").unwrap();
    source
}

#[test]
fn noise_is_imported_by_kind_and_what_is_of_no_use_is_left_out_with_a_reason() {
    let place = tempfile::tempdir().unwrap();
    let destination = place.path().join("imported");
    let report = import_noise(&noises(place.path()), &description(), &destination, &|_, _| ()).unwrap();
    let counts = [(NoiseClass::Transient, 1), (NoiseClass::Continuous, 1), (NoiseClass::Babble, 1)];
    assert_eq!(report.taken, counts);
    let reasons: Vec<(&str, &Reason)> =
        report.left_out.iter().map(|left| (left.id.as_str(), &left.reason)).collect();
    assert!(
        matches!(
            reasons.as_slice(),
            [("continuous/hum again" | "continuous/hum", Reason::SameAudio(_)), ("continuous/still", Reason::Faint(level))]
                // One step of 16 bits is 20 log10(1/32768) = -90.3 dBov.
                if (*level + 90.3).abs() < 0.1
        ),
        "{reasons:?}"
    );
    let corpus = NoiseCorpus::open(&destination).unwrap();
    assert_eq!(corpus.description.licence, "CC0-1.0");
    let manifest = place.path().join("noise/list.jsonl");
    fs::write(&manifest, r#"{"audio_filepath":"babble/crowd.wav","kind":"babble"}"#).unwrap();
    let again = import_noise(&manifest, &description(), &place.path().join("again"), &|_, _| ()).unwrap();
    assert_eq!(again.taken, [(NoiseClass::Babble, 1)]);
    fs::write(&manifest, r#"{"audio_filepath":"babble/crowd.wav","kind":"loud"}"#).unwrap();
    let refused = import_noise(&manifest, &description(), &place.path().join("no"), &|_, _| ()).unwrap_err();
    assert!(refused.to_string().contains("line 1"), "{refused}");
}

#[test]
fn recorded_noise_goes_into_scenes_beside_synthesised_noise_and_its_licence_into_the_release() {
    let place = tempfile::tempdir().unwrap();
    let speech = many_talkers(place.path());
    let noise = place.path().join("imported");
    import_noise(&noises(place.path()), &description(), &noise, &|_, _| ()).unwrap();
    let mut spec = spec();
    spec.noise.continuous = vec![NoiseKind::Ventilation, NoiseKind::RecordedContinuous, NoiseKind::Babble];
    spec.noise.transient = vec![NoiseKind::RecordedTransient];
    let missing = Plan::new(&spec, &speech, 8).unwrap_err().to_string();
    assert!(missing.contains("corpus of noise"), "{missing}");
    let material = Material { speech: &speech, noise: Some(&noise) };
    let release = place.path().join("release");
    let manifest = release::build(&spec, material, &release, 8, &|_, _| ()).unwrap();
    // Among others that every scene has the ratio it asks for.
    release::verify(&release).unwrap();
    assert_eq!(release::verify_by_rendering(&release, material, 4).unwrap(), 4);
    assert_eq!(manifest.release.noise_corpus, Some(description()));
    let known: BTreeSet<String> =
        NoiseCorpus::open(&noise).unwrap().noises.into_iter().map(|noise| noise.sha256).collect();
    let mut kinds = BTreeSet::new();
    for item in manifest.scored(Track::FarHigh) {
        for noise in &item.recipe.scene.as_ref().unwrap().noises {
            kinds.insert(format!("{:?}", noise.kind));
            let recorded = noise.recording_sha256.as_ref().is_some_and(|it| known.contains(it));
            assert_eq!(recorded, noise.kind != NoiseKind::Ventilation);
        }
    }
    assert!(kinds.len() >= 3, "of four kinds, in eight scenes: {kinds:?}");
}

#[test]
fn the_two_sides_of_a_split_never_share_a_talker_and_others_are_told_apart() {
    let place = tempfile::tempdir().unwrap();
    let corpus = many_talkers(place.path());
    let plan = |slug: &str, side: Option<Side>| {
        let mut spec = spec();
        spec.slug = slug.to_owned();
        spec.talkers = side.map(|side| TalkerSplit { side, dev_share: 0.4 });
        Plan::new(&spec, &corpus, 4).unwrap()
    };
    let (dev, test) = (plan("dev", Some(Side::Dev)), plan("test", Some(Side::Test)));
    let common = expect_apart(&dev, &test).unwrap();
    assert_eq!((common.talkers, common.recordings, common.texts, common.rooms.len()), (0, 0, 0, 1));
    let error = expect_apart(&plan("whole", None), &plan("other", None)).unwrap_err().to_string();
    assert!(error.contains("talkers") && error.contains("[talkers]"), "{error}");
    assert!(!error.contains("sentence"), "no text is quoted: {error}");
    let release = place.path().join("release");
    release::build(&dev.header.spec, &corpus, &release, 4, &|_, _| ()).unwrap();
    let built = ReleaseManifest::read(&release).unwrap();
    assert_eq!(Heard::from(&built), Heard::from(&dev), "a release is as far apart as its plan");
    let mut bad = dev.header.spec.clone();
    bad.talkers = Some(TalkerSplit { side: Side::Dev, dev_share: 1.0 });
    assert!(bad.validate().unwrap_err().to_string().contains("dev_share"));
}

#[test]
fn spanish_french_italian_and_russian_prompts_become_releases() {
    let others: Vec<_> = PROMPT_LANGUAGES.iter().filter(|language| language.code != "en").collect();
    assert_eq!(others.iter().map(|it| it.code).collect::<Vec<_>>(), ["es", "fr", "it", "ru"]);
    let place = tempfile::tempdir().unwrap();
    for language in others {
        let code = language.code;
        assert!(language.is_installed(), "install Debian's asterisk-core-sounds-{code}{{,-g722}}");
        let corpus = place.path().join(format!("corpus-{code}"));
        let import = Import::debian_prompts_of(code).unwrap();
        let report = corpus::import(&import, &corpus, &|_, _| ()).unwrap();
        assert!(report.utterances >= 100, "{code}: {} utterances", report.utterances);
        let utterances = Corpus::open(&corpus).unwrap().utterances;
        let letters: String = utterances.iter().map(|utterance| utterance.text.as_str()).collect();
        // Letters that only this language's texts have, kept as they are.
        let own = match code {
            "es" => "contrasena",
            "fr" => "é",
            "it" => "è",
            _ => "ж",
        };
        assert!(letters.contains(own), "{code}");
        let spec = ReleaseSpec {
            tracks: spec().tracks,
            furnished: spec().furnished,
            ..ReleaseSpec::demo_in(code).unwrap()
        };
        let release = place.path().join(format!("release-{code}"));
        let manifest = release::build(&spec, &corpus, &release, 2, &|_, _| ()).unwrap();
        release::verify(&release).unwrap();
        assert_eq!(manifest.release.corpus.language, language.tag);
        assert_eq!(manifest.scored(Track::FarHigh).count(), 2);
    }
}

#[test]
fn a_release_says_of_its_rooms_what_a_page_shows() {
    let place = tempfile::tempdir().unwrap();
    let corpus = many_talkers(place.path());
    let release = place.path().join("release");
    release::build(&spec(), &corpus, &release, 2, &|_, _| ()).unwrap();
    let read = |name: &str| fs::read_to_string(release.join("rooms").join(name)).unwrap();
    for picture in [
        "meeting-room.svg",
        "meeting-room-section.svg",
        "meeting-room-decay.svg",
        "meeting-room-spectrogram.svg",
    ] {
        assert!(read(picture).starts_with("<svg"), "{picture}");
    }
    let about: serde_json::Value = serde_json::from_str(&read("meeting-room.json")).unwrap();
    let octaves = about["response"]["octaves"].as_array().unwrap();
    let at_1_khz = octaves.iter().find(|octave| octave["centre_hz"] == 1000.0).unwrap();
    assert!((0.1..3.0).contains(&at_1_khz["t30_s"].as_f64().unwrap()), "{at_1_khz}");
}
