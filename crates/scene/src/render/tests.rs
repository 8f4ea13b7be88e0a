//! What a scene promises.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::{
    Loudspeaker, convolve,
    device::{Clipping, ClippingShape, Codec, NoiseFloor, SelfNoise},
    noise,
};

const RATE: u32 = 16_000;

/// Bursts of a vowel-like tone with pauses: something with an active level.
fn speech(seconds: f64) -> Vec<f32> {
    (0..(seconds * f64::from(RATE)) as u32)
        .map(|n| f64::from(n) / f64::from(RATE))
        .map(|t| {
            let syllable = (TAU * 2.0 * t).sin().max(0.0);
            (syllable * ((TAU * 140.0 * t).sin() + 0.5 * (TAU * 1_120.0 * t).sin())) as f32
        })
        .collect()
}

/// A decaying response with some structure and a reverberation time of about `t60` seconds.
fn response(t60: f64) -> Rir {
    let samples = (0..(t60 * 1.2 * f64::from(RATE)) as u32)
        .map(|n| {
            let sign = if n.wrapping_mul(2_654_435_761) & 0x4000 == 0 { 1.0 } else { -1.0 };
            sign * 0.1 * (-6.91 / t60 * f64::from(n) / f64::from(RATE)).exp() as f32
        })
        .collect();
    Rir::new(RATE, samples).unwrap()
}

fn reverberant<'a>(speech: &'a [f32], response: &'a Rir) -> Scene<'a> {
    Scene::of_utterance(RATE, speech, still(response), -26.0)
}

fn still(response: &Rir) -> Transfer<'_> {
    Transfer::Still(std::slice::from_ref(response))
}

fn noise_from<'a>(signal: &'a [f32], response: &'a Rir, relative_level_db: f64) -> NoiseSource<'a> {
    NoiseSource { signal, transfer: still(response), relative_level_db }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_speech_stands_above_the_noise_by_the_requested_ratio(
        snr_db in -10.0_f64..30.0,
        second_db in -12.0_f64..12.0,
        seed in any::<u64>(),
    ) {
        let (dry, talker, fan) = (speech(2.5), response(0.5), response(0.3));
        let mut scene = reverberant(&dry, &talker);
        let length = scene.noise_length(still(&fan)).max(scene.noise_length(still(&talker)));
        let air = noise::ventilation(RATE, length, seed);
        let cough = noise::coughs(RATE, length, seed);
        let sources = vec![
            noise_from(&air, &fan, 0.0),
            noise_from(&cough, &talker, second_db),
        ];
        scene.background = Some(Background { sources, snr_db });
        let noisy = render(&scene).unwrap();
        scene.background = None;
        let clean = render(&scene).unwrap();
        prop_assert_eq!(noisy.channels[0].len(), scene.span());

        // Measured from outside: what is left when the clean rendering, at the same gain, is taken away.
        let gain = amplitude(noisy.measured.gains_db[0] - clean.measured.gains_db[0]);
        let speech: Vec<f32> = clean.channels[0].iter().map(|s| s * gain).collect();
        let rest: Vec<f32> = noisy.channels[0].iter().zip(&speech).map(|(a, b)| a - b).collect();
        let active = active_speech_level(&speech, RATE).unwrap();
        let outside = active.level_dbov - rms_level(&rest);
        prop_assert!((outside - snr_db).abs() < 0.01, "{} for {}", outside, snr_db);
        prop_assert!((noisy.measured.snr_db.unwrap() - snr_db).abs() < 0.01);
        prop_assert!((noisy.measured.active_speech_level_dbov.unwrap() - active.level_dbov).abs() < 0.01);
        prop_assert!((noisy.measured.noise_level_dbov.unwrap() - rms_level(&rest)).abs() < 0.01);
    }
}

#[test]
fn without_noise_the_speech_has_the_target_level() {
    let (dry, room) = (speech(3.0), response(0.4));
    let rendered = render(&reverberant(&dry, &room)).unwrap();
    let level = active_speech_level(&rendered.channels[0], RATE).unwrap();
    assert!((level.level_dbov + 26.0).abs() < 1e-3, "{level:?}");
    assert_eq!(rendered.measured.snr_db, None);
    assert!((rendered.measured.activity_factor.unwrap() - level.activity_factor).abs() < 1e-6);
}

#[test]
fn the_near_track_is_the_recording_itself_at_another_level() {
    let dry = speech(2.0);
    let rendered = render_dry(&dry, RATE, -26.0).unwrap();
    let gain = amplitude(rendered.measured.gains_db[0]);
    assert_eq!(rendered.channels[0].len(), dry.len());
    for (out, s) in rendered.channels[0].iter().zip(&dry) {
        assert!((out - gain * s).abs() < 1e-6);
    }
}

#[test]
fn a_mixture_beyond_full_scale_is_lowered_as_a_whole() {
    let (dry, room) = (speech(2.0), response(0.3));
    let mut scene = reverberant(&dry, &room);
    let air = noise::ventilation(RATE, scene.noise_length(still(&room)), 3);
    let source = noise_from(&air, &room, 0.0);
    scene.background = Some(Background { sources: vec![source], snr_db: 0.0 });
    scene.target_level_dbov = -3.0;
    let rendered = render(&scene).unwrap();
    let loudest = rendered.channels[0].iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    assert!((loudest - 0.99).abs() < 1e-4 && (rendered.measured.peak - loudest).abs() < 1e-6, "{loudest}");
    assert!(rendered.measured.active_speech_level_dbov.unwrap() < -3.5);
    assert!(rendered.measured.snr_db.unwrap().abs() < 0.01);
}

#[test]
fn noise_is_in_steady_state_from_the_first_sample() {
    // A constant through a response is the response's sum, everywhere, unless the pre-roll is missing.
    let room = response(0.3);
    let constant = vec![1.0; 4_000 + room.samples().len() - 1];
    let source = noise_from(&constant, &room, 0.0);
    let noise = silence(vec![source], 4_000, -20.0);
    assert!(noise.iter().all(|s| (s - noise[0]).abs() < 1e-4), "{:?}", &noise[..4]);
    assert!((rms_level(&noise) + 20.0).abs() < 1e-3);
}

#[test]
fn sources_keep_their_relative_levels() {
    // Two tones, told apart by correlating with them.
    let identity = Rir::identity(RATE).unwrap();
    let tone = |hz: f64| -> Vec<f32> {
        (0..16_000).map(|n| (TAU * hz * f64::from(n) / f64::from(RATE)).sin() as f32).collect()
    };
    let (low, high) = (tone(500.0), tone(3_000.0));
    let sources = vec![noise_from(&low, &identity, 0.0), noise_from(&high, &identity, -9.0)];
    let noise = silence(sources, 16_000, -30.0);
    let part = |tone: &[f32]| noise.iter().zip(tone).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let ratio_db = 20.0 * (part(&high) / part(&low)).log10();
    assert!((ratio_db + 9.0).abs() < 0.01, "{ratio_db}");
}

#[test]
fn rendering_twice_gives_the_same_bits() {
    let (dry, room) = (speech(1.5), response(0.4));
    let once = render(&reverberant(&dry, &room)).unwrap();
    assert_eq!(once, render(&reverberant(&dry, &room)).unwrap());
}

#[test]
fn bad_scenes_are_refused_with_a_reason() {
    let (dry, room) = (speech(1.0), response(0.2));
    let refusal = |scene: &Scene<'_>| render(scene).unwrap_err().to_string();
    let silent = vec![0.0; 9_000];
    let broken = [vec![0.1; 5], vec![f32::NAN]].concat();
    let other = Rir::identity(8_000).unwrap();
    assert_eq!(refusal(&reverberant(&[], &room)), "utterance 0 has no samples");
    assert!(refusal(&reverberant(&silent, &room)).starts_with("utterance 0 is silent"));
    assert!(refusal(&reverberant(&broken, &room)).starts_with("sample 5 of utterance 0 is not finite"));
    assert_eq!(
        refusal(&reverberant(&dry, &other)),
        "the response of utterance 0 has 8000 samples per second, the scene 16000; resample it first"
    );
    let loud = Scene { target_level_dbov: f64::NAN, ..reverberant(&dry, &room) };
    assert_eq!(refusal(&loud), "the target level is NaN dB; it must lie between -150 and 150 dB");

    let with = |signal, snr_db| Scene {
        background: Some(Background { sources: vec![noise_from(signal, &room, 0.0)], snr_db }),
        ..reverberant(&dry, &room)
    };
    let long_silence = vec![0.0; 40_000];
    assert_eq!(
        render(&with(&silent, 10.0)).unwrap_err(),
        SceneError::NoiseTooShort {
            signal: Signal::Noise(0),
            needed: reverberant(&dry, &room).noise_length(still(&room)),
            actual: 9_000
        }
    );
    assert_eq!(render(&with(&long_silence, 10.0)).unwrap_err(), SceneError::SilentNoise(Signal::Noise(0)));
    let nothing =
        Scene { background: Some(Background { sources: vec![], snr_db: 0.0 }), ..reverberant(&dry, &room) };
    assert_eq!(render(&nothing).unwrap_err(), SceneError::NoNoise);
}

/// Noise alone at a level.
fn silence(sources: Vec<NoiseSource<'_>>, length: usize, level_dbov: f64) -> Vec<f32> {
    let scene = Scene::of_silence(RATE, length, Background { sources, snr_db: 0.0 }, level_dbov);
    render(&scene).unwrap().channels.remove(0)
}

#[test]
fn a_scene_of_noise_alone_has_the_noise_it_would_have_with_speech() {
    let (dry, room) = (speech(2.0), response(0.3));
    let mut scene = reverberant(&dry, &room);
    let air = noise::ventilation(RATE, scene.noise_length(still(&room)), 3);
    scene.background = Some(Background { sources: vec![noise_from(&air, &room, 0.0)], snr_db: 5.0 });
    let spoken = render(&scene).unwrap();
    let background = scene.background.clone().unwrap();
    let silent = render(&Scene::of_silence(RATE, scene.span(), background, -26.0)).unwrap();
    assert!((silent.measured.noise_level_dbov.unwrap() + 31.0).abs() < 1e-3);
    assert_eq!(silent.measured.snr_db, None);
    assert_eq!(silent.measured.active_speech_level_dbov, None);
    scene.background = None;
    let clean = render(&scene).unwrap();
    for n in 0..spoken.channels[0].len() {
        let rest = spoken.channels[0][n] - clean.channels[0][n];
        assert!((rest - silent.channels[0][n]).abs() < 1e-6, "{n}");
    }
}

#[test]
fn all_microphones_get_the_same_gain_and_only_the_reference_sets_it() {
    let (dry, near, far) = (speech(2.0), response(0.2), response(0.5));
    let pair = [near.clone(), far.clone()];
    let alone = render(&reverberant(&dry, &far)).unwrap();
    let scene =
        Scene { reference_microphone: 1, ..Scene::of_utterance(RATE, &dry, Transfer::Still(&pair), -26.0) };
    let both = render(&scene).unwrap();
    assert!((both.measured.gains_db[0] - alone.measured.gains_db[0]).abs() < 1e-9);
    let gain = amplitude(both.measured.gains_db[0]);
    for (channel, response) in both.channels.iter().zip([&near, &far]) {
        let expected = convolve(&dry, response.samples());
        for (n, sample) in channel.iter().enumerate() {
            let expected = expected.get(n).copied().unwrap_or(0.0) * gain;
            assert!((sample - expected).abs() < 1e-5, "{n}: {sample} {expected}");
        }
    }
}

#[test]
fn several_talkers_keep_their_relative_levels_and_together_have_the_target() {
    let (ann, bob, room) = (speech(2.0), speech(1.5), response(0.3));
    let utterance = |signal, start, relative_level_db| Utterance {
        signal,
        transfer: still(&room),
        start,
        relative_level_db,
    };
    let scene = Scene {
        speech: vec![utterance(&ann, 4_000, 0.0), utterance(&bob, 30_000, -5.0)],
        ..reverberant(&ann, &room)
    };
    let rendered = render(&scene).unwrap();
    let channel = &rendered.channels[0];
    assert_eq!(channel.len(), scene.span());
    assert!(channel[..4_000].iter().all(|s| s.abs() < 1e-9));
    let level = |signal: &[f32], index: usize| {
        let heard = convolve(signal, room.samples());
        active_speech_level(&heard, RATE).unwrap().level_dbov + rendered.measured.gains_db[index]
    };
    assert!((level(&ann, 0) - level(&bob, 1) - 5.0).abs() < 0.05);
    let together = active_speech_level(channel, RATE).unwrap();
    assert!((together.level_dbov + 26.0).abs() < 0.001, "{together:?}");
    // By superposition: each alone at its gain, where it begins.
    let mut sum = vec![vec![0.0; channel.len()]];
    for (signal, start, gain) in
        [(&ann, 4_000, rendered.measured.gains_db[0]), (&bob, 30_000, rendered.measured.gains_db[1])]
    {
        add(&mut sum, &[convolve(signal, room.samples())], start, amplitude(gain));
    }
    assert!(channel.iter().zip(&sum[0]).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn an_echo_lies_below_the_speech_by_the_ratio_and_leaves_its_reference() {
    let (near_end, far_end) = (speech(2.0), speech(1.0));
    let (room, speaker) = (response(0.3), response(0.2));
    let echo = Echo {
        far_end: &far_end,
        start: 8_000,
        transfer: still(&speaker),
        loudspeaker: Loudspeaker::Linear,
        ser_db: -10.0,
    };
    let mut scene = reverberant(&near_end, &room);
    scene.target_level_dbov = -36.0;
    let clean = render(&scene).unwrap();
    scene.echo = Some(echo);
    let with_echo = render(&scene).unwrap();
    assert!((with_echo.measured.ser_db.unwrap() + 10.0).abs() < 1e-9);
    assert_eq!(with_echo.double_talk, vec![8_000..24_000]);
    let guard = amplitude(with_echo.measured.peak_guard_db);
    let rest: Vec<f32> =
        with_echo.channels[0].iter().zip(&clean.channels[0]).map(|(a, b)| a - guard * b).collect();
    let level = active_speech_level(&rest, RATE).unwrap().level_dbov;
    assert!((level - with_echo.measured.echo_level_dbov.unwrap()).abs() < 0.001);
    // What is left is the reference through the loudspeaker's response, but for a gain.
    let reference = with_echo.far_end.unwrap();
    assert_eq!(reference.len(), rest.len());
    let expected = convolve(&reference, speaker.samples());
    let energy = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let likeness =
        energy(&rest, &expected) / (energy(&rest, &rest) * energy(&expected[..rest.len()], &expected)).sqrt();
    assert!(likeness > 0.999_99, "{likeness}");
}

#[test]
fn a_far_end_alone_needs_a_length_and_counts_from_the_target_level() {
    let (far_end, speaker) = (speech(1.0), response(0.2));
    let echo = Echo {
        far_end: &far_end,
        start: 0,
        transfer: still(&speaker),
        loudspeaker: Loudspeaker::Linear,
        ser_db: 6.0,
    };
    let mut scene = Scene { speech: vec![], echo: Some(echo), ..reverberant(&far_end, &speaker) };
    assert_eq!(render(&scene).unwrap_err(), SceneError::NoLength);
    scene.length = Some(24_000);
    let rendered = render(&scene).unwrap();
    assert!((rendered.measured.echo_level_dbov.unwrap() + 32.0).abs() < 1e-9);
    assert!(rendered.double_talk.is_empty() && rendered.measured.ser_db.is_none());
}

#[test]
fn a_saturating_loudspeaker_gives_a_tone_the_third_harmonic_of_its_curve() {
    // tanh(sin t): Fourier coefficients by numerical integration of the definition.
    let coefficient = |k: f64| {
        let steps = 10_000;
        (0..steps)
            .map(|n| (f64::from(n) + 0.5) * TAU / f64::from(steps))
            .map(|t| t.sin().tanh() * (k * t).sin())
            .sum::<f64>()
            * 2.0
            / f64::from(steps)
    };
    let expected = coefficient(3.0) / coefficient(1.0);
    let tone = |hz: f64| -> Vec<f32> {
        (0..16_000).map(|n| (0.5 * (TAU * hz * f64::from(n) / f64::from(RATE)).sin()) as f32).collect()
    };
    let identity = Rir::identity(RATE).unwrap();
    let far_end = tone(500.0);
    let echo = Echo {
        far_end: &far_end,
        start: 0,
        transfer: still(&identity),
        loudspeaker: Loudspeaker::Saturating { drive_db: 0.0 },
        ser_db: 0.0,
    };
    let scene =
        Scene { speech: vec![], echo: Some(echo), length: Some(16_000), ..reverberant(&far_end, &identity) };
    let heard = render(&scene).unwrap().channels.remove(0);
    let part = |hz: f64| heard.iter().zip(tone(hz)).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let ratio = part(1_500.0) / part(500.0);
    assert!((ratio - expected).abs() < 1e-4, "{ratio}, expected {expected}");
    assert!((expected.abs() - 0.06).abs() < 0.01, "{expected}");
}

#[test]
fn the_device_acts_on_the_mixture_and_levels_are_those_before_it() {
    let (dry, room) = (speech(2.0), response(0.3));
    let mut scene = reverberant(&dry, &room);
    let plain = render(&scene).unwrap();
    scene.device = Device {
        self_noise: Some(SelfNoise { level: NoiseFloor::Dbov(-60.0), seed: 1 }),
        clipping: Some(Clipping { level_dbfs: -20.0, shape: ClippingShape::Hard }),
        codec: Some(Codec::MuLaw),
        ..Device::default()
    };
    let rendered = render(&scene).unwrap();
    assert_eq!(rendered.measured.active_speech_level_dbov, plain.measured.active_speech_level_dbov);
    let above = plain.channels[0].iter().filter(|s| s.abs() > 0.1).count();
    let share = above as f64 / plain.channels[0].len() as f64;
    let clipped = rendered.measured.device.clipped_share.unwrap();
    assert!(share > 0.01 && (clipped - share).abs() < 0.002, "{clipped} for {share}");
    assert!((rendered.measured.peak - peak(&rendered.channels)).abs() < 1e-9);
}

#[test]
fn microphones_must_be_the_same_for_all_sounds() {
    let (dry, room) = (speech(1.0), response(0.2));
    let pair = [room.clone(), room.clone()];
    let air = noise::ventilation(RATE, 40_000, 1);
    let source = NoiseSource { signal: &air, transfer: Transfer::Still(&pair), relative_level_db: 0.0 };
    let mut scene = reverberant(&dry, &room);
    scene.background = Some(Background { sources: vec![source], snr_db: 5.0 });
    assert_eq!(
        render(&scene).unwrap_err(),
        SceneError::Microphones { signal: Signal::Noise(0), expected: 1, actual: 2 }
    );
    scene.background = None;
    scene.reference_microphone = 1;
    assert_eq!(render(&scene).unwrap_err(), SceneError::Reference { reference: 1, microphones: 1 });
    scene.speech.clear();
    assert_eq!(render(&scene).unwrap_err(), SceneError::Nothing);
}
