//! Importing a corpus: what is taken, what is left out, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{collections::HashSet, fs, path::Path};

use benchmark::corpus::{self, Corpus, Import, Limits, Reason, Source};
use common::{description, import_lines, line, speech_like, write_wav};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The error of an import that must fail, after a check that it left nothing behind.
fn refusal(directory: &Path, lines: &[String]) -> String {
    let error = import_lines(directory, lines, &directory.join("out")).unwrap_err();
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names
        .filter(|name| {
            !["source.jsonl", "a.wav", "a.mid", "a.flac", "b.wav", "good.wav", "loud.wav"]
                .iter()
                .any(|known| name == known)
        })
        .collect();
    assert!(left.is_empty(), "a failed import left {left:?} behind");
    error.to_string()
}

#[test]
fn the_debian_prompts_become_a_corpus_of_real_speech() {
    let import = Import::debian_prompts();
    let Source::AsteriskPrompts { prompts, transcript, .. } = &import.source else { unreachable!() };
    assert!(
        prompts.is_dir() && transcript.is_file(),
        "install Debian's asterisk-core-sounds-en-g722 and asterisk-core-sounds-en"
    );
    let temporary = directory();
    let destination = temporary.path().join("prompts");

    let report = corpus::import(&import, &destination, &|_, _| ()).unwrap();
    let corpus = Corpus::open(&destination).unwrap();

    // 254 prompts of the package have at least four words (feasibility study); some carry marks or repeat.
    assert!((200..=254).contains(&report.utterances), "{} utterances", report.utterances);
    assert_eq!(corpus.utterances.len(), report.utterances);
    assert_eq!(report.speakers, 1);
    assert_eq!(corpus.description.licence, "CC-BY-SA-3.0");
    assert!(corpus.description.attribution.contains("Allison Smith"));
    let reason = |id: &str| report.left_out.iter().find(|left| left.id == id).map(|left| left.reason.clone());
    assert_eq!(reason("beep"), Some(Reason::Mark('[')));
    assert_eq!(reason("silence/5"), Some(Reason::Mark('(')));
    assert_eq!(reason("letters/a"), Some(Reason::TooFewWords(1, 4)));
    let texts: HashSet<_> = corpus.utterances.iter().map(|utterance| utterance.text.to_lowercase()).collect();
    assert_eq!(texts.len(), report.utterances, "no text twice");
    // G.722 at 64 kbit/s is one octet for two samples: the file's size says how long it must last.
    for utterance in &corpus.utterances {
        let octets = fs::metadata(prompts.join(format!("{}.g722", utterance.id))).unwrap().len();
        assert!((utterance.duration - octets as f64 / 8_000.0).abs() < 1e-9);
    }
}

#[test]
fn a_text_in_the_left_out_list_never_appears() {
    let temporary = directory();
    write_wav(&temporary.path().join("a.wav"), &speech_like(2.0, 1));
    let out = temporary.path().join("out");
    import_lines(temporary.path(), &[line("a.wav", "zanzibar [cough] is very far")], &out).unwrap();
    let left_out = fs::read_to_string(out.join("left-out.jsonl")).unwrap();
    assert!(left_out.contains("not plain speech") && !left_out.contains("zanzibar"), "{left_out}");
}

#[test]
fn every_reason_to_leave_something_out_is_found() {
    let temporary = directory();
    let write = |name: &str, samples: &[i16]| write_wav(&temporary.path().join(name), samples);
    write("good.wav", &speech_like(2.0, 1));
    write("same-text.wav", &speech_like(2.0, 2));
    write("same-audio.wav", &speech_like(2.0, 1));
    write("short.wav", &speech_like(0.5, 3));
    write("long.wav", &speech_like(30.5, 4));
    write("silent.wav", &vec![0; 32_000]);
    write("few.wav", &speech_like(2.0, 5));
    let lines = [
        line("good.wav", "please hold  the line"),
        line("same-text.wav", "Please hold: the line!"),
        line("same-audio.wav", "another text of five words"),
        line("short.wav", "spoken in half a second"),
        line("long.wav", "spoken in half a minute"),
        line("silent.wav", "nobody ever said this aloud"),
        line("few.wav", "- only three words -"),
    ];
    let report = import_lines(temporary.path(), &lines, &temporary.path().join("out")).unwrap();
    assert_eq!(report.utterances, 1);
    let reasons: Vec<_> = report.left_out.into_iter().map(|left| left.reason).collect();
    let expected = [
        Reason::SameText("good".to_owned()),
        Reason::SameAudio("good".to_owned()),
        Reason::TooShort(0.5, 1.0),
        Reason::TooLong(30.5, 30.0),
        Reason::Silent,
        Reason::TooFewWords(3, 4),
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn sixteen_bit_audio_passes_through_unchanged_under_the_name_of_its_content() {
    let temporary = directory();
    let samples = speech_like(1.5, 7);
    write_wav(&temporary.path().join("a.wav"), &samples);
    let out = temporary.path().join("out");
    import_lines(temporary.path(), &[line("a.wav", "one two three four")], &out).unwrap();
    let corpus = Corpus::open(&out).unwrap();
    let utterance = &corpus.utterances[0];
    assert_eq!(utterance.audio_filepath, Path::new("audio").join(format!("{}.wav", utterance.sha256)));
    let mut reader = hound::WavReader::open(out.join(&utterance.audio_filepath)).unwrap();
    assert_eq!(reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), samples);
    assert!((utterance.duration - 1.5).abs() < 1e-12);
}

#[test]
fn the_librispeech_layout_is_read_with_flac_and_wav() {
    let temporary = directory();
    let chapter = temporary.path().join("test-clean/1089/134686");
    fs::create_dir_all(&chapter).unwrap();
    let flac = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sawtooth.flac");
    fs::copy(flac, chapter.join("1089-134686-0000.flac")).unwrap();
    write_wav(&chapter.join("1089-134686-0001.wav"), &speech_like(1.0, 1));
    fs::write(
        chapter.join("1089-134686.trans.txt"),
        "1089-134686-0000 HE HOPED THERE WOULD BE STEW\n1089-134686-0001 STUFF IT INTO YOU HIS BELLY\n",
    )
    .unwrap();
    let source = Source::LibriSpeech { root: temporary.path().to_owned() };
    let what = Import { source, description: description(), limits: Limits::default() };
    let out = temporary.path().join("out");
    let report = corpus::import(&what, &out, &|_, _| ()).unwrap();
    assert_eq!((report.utterances, report.speakers), (2, 1));
    let corpus = Corpus::open(&out).unwrap();
    assert_eq!(corpus.utterances[0].speaker, "1089");
    let mut reader = hound::WavReader::open(out.join(&corpus.utterances[0].audio_filepath)).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    // The file was made from this sawtooth with ffmpeg; FLAC is lossless.
    let sawtooth: Vec<i16> = (0..24_000).map(|n| (n % 4_000) * 3 - 6_000).collect();
    assert_eq!(samples, sawtooth);
}

#[test]
fn a_missing_librispeech_recording_is_refused_by_list_and_line() {
    let temporary = directory();
    fs::write(temporary.path().join("1-2.trans.txt"), "1-2-0000 ONE TWO THREE FOUR\n").unwrap();
    let source = Source::LibriSpeech { root: temporary.path().to_owned() };
    let what = Import { source, description: description(), limits: Limits::default() };
    let error = corpus::import(&what, &temporary.path().join("out"), &|_, _| ()).unwrap_err().to_string();
    assert!(error.contains("1-2.trans.txt line 1: there is no 1-2-0000.flac or 1-2-0000.wav"), "{error}");
}

#[test]
fn a_file_that_is_not_a_wav_is_refused_by_file_and_line() {
    let temporary = directory();
    write_wav(&temporary.path().join("a.wav"), &speech_like(2.0, 1));
    fs::write(temporary.path().join("b.wav"), "this is a text").unwrap();
    let lines = [line("a.wav", "one two three four"), line("b.wav", "five six seven eight")];
    let error = refusal(temporary.path(), &lines);
    assert!(
        error.contains("source.jsonl line 2") && error.contains("b.wav: not a whole .wav file"),
        "{error}"
    );
}

#[test]
fn a_missing_file_is_refused_by_file_and_line() {
    let temporary = directory();
    let error = refusal(temporary.path(), &[String::new(), line("gone.wav", "one two three four")]);
    assert!(error.contains("source.jsonl line 2: names gone.wav, which does not exist"), "{error}");
}

#[test]
fn a_line_that_is_not_json_is_refused_without_quoting_it() {
    let temporary = directory();
    let error =
        refusal(temporary.path(), &[r#"{"audio_filepath": "a.wav", "text": "secret words"#.to_owned()]);
    assert!(error.contains("line 1: is not the JSON object it should be"), "{error}");
    let error = refusal(
        temporary.path(),
        &[r#"{"audio_filepath":"a.wav","text":"x","speaker":"y","duration":"secret words"}"#.to_owned()],
    );
    assert!(
        error.contains("line 1: is not the JSON object it should be") && !error.contains("secret"),
        "{error}"
    );
}

#[test]
fn a_line_without_a_speaker_says_so() {
    let temporary = directory();
    let error =
        refusal(temporary.path(), &[r#"{"audio_filepath":"a.wav","text":"one two three four"}"#.to_owned()]);
    assert!(error.contains("line 1: missing field `speaker`"), "{error}");
}

#[test]
fn audio_of_another_form_is_refused_with_what_to_do() {
    let temporary = directory();
    let mut spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let text = "one two three four";
    let try_it = |spec: hound::WavSpec| {
        let mut writer = hound::WavWriter::create(temporary.path().join("a.wav"), spec).unwrap();
        (0..32_000).for_each(|_| writer.write_sample(1_000_i32).unwrap());
        writer.finalize().unwrap();
        refusal(temporary.path(), &[line("a.wav", text)])
    };
    let error = try_it(spec);
    assert!(error.contains("sampled at 8000 Hz and lacks the frequencies above 4000 Hz"), "{error}");
    spec.sample_rate = 16_000;
    spec.channels = 2;
    let error = try_it(spec);
    assert!(error.contains("has 2 channels: mix it down to one"), "{error}");
    fs::write(temporary.path().join("a.mid"), "MThd").unwrap();
    let error = refusal(temporary.path(), &[line("a.mid", text)]);
    assert!(error.contains("not a kind of recording this importer reads: use .wav,"), "{error}");
    fs::write(temporary.path().join("a.flac"), "not FLAC").unwrap();
    let error = refusal(temporary.path(), &[line("a.flac", text)]);
    assert!(error.contains("not a whole .flac file"), "{error}");
}

#[test]
fn a_higher_rate_is_resampled_and_that_is_written_down() {
    let temporary = directory();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(temporary.path().join("a.wav"), spec).unwrap();
    for n in 0..96_000 {
        let tone = (f64::from(n) / 48_000.0 * 440.0 * std::f64::consts::TAU).sin();
        writer.write_sample((tone * 2_000_000.0) as i32).unwrap();
    }
    writer.finalize().unwrap();
    write_wav(&temporary.path().join("b.wav"), &speech_like(2.0, 1));
    let lines =
        [line("a.wav", "a tone of four hundred hertz"), line("b.wav", "as it is, sixteen thousand hertz")];
    let out = temporary.path().join("out");
    import_lines(temporary.path(), &lines, &out).unwrap();
    let utterances = Corpus::open(&out).unwrap().utterances;
    assert_eq!(utterances[0].resampled_from, Some(48_000));
    assert!((utterances[0].duration - 2.0).abs() < 1e-9);
    assert_eq!(utterances[1].resampled_from, None);
}

#[test]
fn what_is_too_soft_clipped_or_too_short_for_its_text_is_left_out() {
    let temporary = directory();
    let write = |name: &str, samples: &[i16]| write_wav(&temporary.path().join(name), samples);
    write("good.wav", &speech_like(2.0, 1));
    write("soft.wav", &speech_like(2.0, 2).iter().map(|sample| sample / 400).collect::<Vec<_>>());
    write("clipped.wav", &speech_like(2.0, 3).iter().map(|s| s.saturating_mul(8)).collect::<Vec<_>>());
    write("fast.wav", &speech_like(1.0, 4));
    let lines = [
        line("good.wav", "please hold the line"),
        line("soft.wav", "hardly anybody can hear this"),
        line("clipped.wav", "far too loud for the converter"),
        line("fast.wav", "nobody says all of these many words within a single second of time"),
    ];
    let report = import_lines(temporary.path(), &lines, &temporary.path().join("out")).unwrap();
    assert_eq!(report.utterances, 1);
    let [soft, clipped, fast] = report.left_out.as_slice() else { panic!("{report:?}") };
    assert!(matches!(soft.reason, Reason::Soft(level) if level < -55.0), "{soft:?}");
    assert!(matches!(clipped.reason, Reason::Clipped(share) if share > 0.001), "{clipped:?}");
    assert!(matches!(fast.reason, Reason::TooFast(rate) if rate > 30.0), "{fast:?}");
}

#[test]
fn float_audio_is_taken_within_full_scale_and_refused_beyond() {
    let temporary = directory();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let write = |name: &str, sample: f32| {
        let mut writer = hound::WavWriter::create(temporary.path().join(name), spec).unwrap();
        (0..32_000).for_each(|_| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
    };
    write("good.wav", -0.5);
    write("loud.wav", 1.5);
    let out = temporary.path().join("out");
    import_lines(temporary.path(), &[line("good.wav", "one two three four")], &out).unwrap();
    let file = &Corpus::open(&out).unwrap().utterances[0].audio_filepath;
    let mut reader = hound::WavReader::open(out.join(file)).unwrap();
    assert!(reader.samples::<i16>().all(|sample| sample.unwrap() == -16_384));
    fs::remove_dir_all(out).unwrap();
    let error = refusal(temporary.path(), &[line("loud.wav", "one two three four")]);
    assert!(error.contains("the sample 1.5, beyond full scale"), "{error}");
}

#[test]
fn a_manifest_whose_duration_is_not_the_file_s_is_refused() {
    let temporary = directory();
    write_wav(&temporary.path().join("a.wav"), &speech_like(2.0, 1));
    let with = |field: &str| {
        format!(r#"{{"audio_filepath":"a.wav","text":"one two three four","speaker":"s","{field}":1.0}}"#)
    };
    let error = refusal(temporary.path(), &[with("duration")]);
    assert!(error.contains("line 1: says 1 s, but") && error.contains("lasts 2.00 s"), "{error}");
    let error = refusal(temporary.path(), &[with("offset")]);
    assert!(error.contains("line 1: has an `offset`"), "{error}");
}

#[test]
fn two_lines_with_one_id_are_refused() {
    let temporary = directory();
    write_wav(&temporary.path().join("a.wav"), &speech_like(2.0, 1));
    let error =
        refusal(temporary.path(), &[line("a.wav", "one two three four"), line("a.wav", "five six seven")]);
    assert!(error.contains("line 2: has the id a, as has line 1"), "{error}");
}

#[test]
fn an_existing_directory_is_never_overwritten() {
    let temporary = directory();
    let out = temporary.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("precious"), "").unwrap();
    let error = import_lines(temporary.path(), &[], &out).unwrap_err().to_string();
    assert!(error.contains("exists already"), "{error}");
    assert!(out.join("precious").exists());
}

#[test]
fn a_manifest_elsewhere_gives_away_no_path_of_this_machine() {
    let (manifest, audio) = (directory(), directory());
    let file = audio.path().join("a.wav");
    write_wav(&file, &speech_like(2.0, 1));
    let out = manifest.path().join("out");
    import_lines(manifest.path(), &[line(&file.display().to_string(), "one two three four")], &out).unwrap();
    assert_eq!(Corpus::open(&out).unwrap().utterances[0].id, "a");
    let written = fs::read_to_string(out.join("manifest.jsonl")).unwrap();
    assert!(!written.contains(&audio.path().display().to_string()), "{written}");
}
