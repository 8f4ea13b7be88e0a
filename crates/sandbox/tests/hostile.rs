//! Models that misbehave, in the real sandbox.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up panics")]
#![expect(dead_code, reason = "shares its surroundings with the other tests")]

mod common;

use std::{fs, thread, time::Duration};

use common::{Case, SANDBOX, texts};
use protocol::{Limits, Outcome, Stage};
use sandbox::{BadAnswer, Cancel, Fault, Progress, RunError};

fn fault(attack: &str) -> Fault {
    failure(Case::new(attack, &["audio"])).fault
}

fn failure(mut case: Case) -> RunError {
    let error = case.run().unwrap_err();
    assert_eq!(case.leftovers(), Vec::<std::path::PathBuf>::new());
    error
}

// Getting out.

#[test]
fn a_model_cannot_reach_the_network() {
    assert_eq!(Case::finding("network"), "refused: OSError");
    assert_eq!(Case::finding("raw_network"), "socket -1");
}

#[test]
fn a_model_sees_no_file_of_the_host_and_none_of_a_corpus_package() {
    assert_eq!(Case::finding("host_files"), "");
}

#[test]
fn no_process_in_the_sandbox_shows_the_environment_of_the_worker() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "there is an environment to leak");
    assert_eq!(
        Case::finding("environment"),
        "HOME LANG PATH PWD PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED USER"
    );
}

#[test]
fn a_model_cannot_change_kernel_settings() {
    assert!(Case::finding("kernel_settings").starts_with("refused"));
}

#[test]
fn a_model_cannot_change_its_files_the_audio_or_the_system() {
    assert_eq!(Case::finding("overwrite"), "refused refused refused refused refused");
}

#[test]
fn a_model_cannot_trace_the_first_process() {
    assert_eq!(Case::finding("ptrace"), "-1 -1");
}

#[test]
fn a_model_that_kills_what_it_can_see_hurts_only_itself() {
    assert_eq!(Case::finding("kill_everything"), "alive");
}

// Using too much.

#[test]
fn a_fork_bomb_is_stopped() {
    let mut case = Case::new("fork_bomb", &["audio"]);
    // Enough for all of them: this is about their number.
    case.limits.memory_bytes = 4 << 30;
    let finding = texts(&case.run().unwrap()).remove(0);
    let children: u32 =
        finding.strip_prefix("stopped ").unwrap_or_else(|| panic!("{finding}")).parse().unwrap();
    assert!((1..=512).contains(&children), "{children}");
}

/// Where a machine has no cgroup for us, a single process meets its own limit, is told so and ends.
fn is_out_of_memory(fault: &Fault) -> bool {
    let told = SANDBOX.isolation().contains("no cgroup");
    match fault {
        Fault::OutOfMemory { limit_bytes } => *limit_bytes == 256 << 20,
        Fault::RuntimeError(_) | Fault::LoadError(_) => told,
        _ => false,
    }
}

#[test]
fn private_memory_is_bounded() {
    let error = fault("memory_bomb");
    assert!(is_out_of_memory(&error), "{error}");
}

#[test]
fn shared_memory_is_bounded() {
    let error = fault("shared_memory_bomb");
    assert!(matches!(error, Fault::OutOfMemory { .. }), "{error}");
    assert_eq!(error.to_string(), "the model needed more than the 256 MiB of memory an attempt may use");
}

#[test]
fn the_memory_of_all_children_together_is_bounded() {
    assert!(matches!(fault("children_memory_bomb"), Fault::OutOfMemory { .. }));
}

#[test]
fn running_out_of_memory_while_loading_is_told_as_that() {
    let error = fault("memory_while_loading");
    assert!(is_out_of_memory(&error), "{error}");
}

#[test]
fn scratch_space_is_bounded() {
    assert!(Case::finding("disk_bomb").starts_with("refused"));
}

#[test]
fn a_model_that_prints_for_ever_is_stopped_and_only_the_end_is_kept() {
    let error = failure(Case::new("log_bomb", &["audio"]));
    assert_eq!(error.fault.to_string(), "the model printed more than 16 MiB");
    assert_eq!(error.log_tail.len(), sandbox::LOG_TAIL_BYTES);
}

// Never ending.

fn limited(attack: &str, limits: Limits) -> Fault {
    let mut case = Case::new(attack, &["audio"]);
    case.limits = limits;
    failure(case).fault
}

#[test]
fn a_model_that_is_never_ready_times_out() {
    let fault = limited("never_ready", Limits { ready_seconds: 0.5, ..common::LIMITS });
    assert_eq!(fault.to_string(), "the model took too long: it was not ready after 0.5 s");
}

#[test]
fn a_model_that_never_answers_times_out_by_item() {
    let limits = Limits { item_seconds: 0.2, item_seconds_per_audio_second: 0.3, ..common::LIMITS };
    let fault = limited("never", limits);
    assert_eq!(fault.to_string(), "the model took too long: an item of 1.0 s was not done after 0.5 s");
}

#[test]
fn an_attempt_times_out_as_a_whole() {
    let fault = limited("never", Limits { attempt_seconds: 1.0, ..common::LIMITS });
    assert_eq!(fault.to_string(), "the model took too long: the attempt was not done after 1 s");
}

#[test]
fn a_model_that_ignores_signals_is_killed() {
    let limits = Limits { item_seconds: 0.5, ..common::LIMITS };
    assert!(matches!(limited("ignore_signals", limits), Fault::Timeout(_)));
}

#[test]
fn a_daemon_left_behind_is_gone_when_the_run_returns() {
    let mut case = Case::new("daemon", &["audio"]);
    let marker = case.manifest.notes.clone();
    assert_eq!(texts(&case.run().unwrap()), ["up"]);
    let alive = fs::read_dir("/proc").unwrap().flatten().any(|process| {
        fs::read_to_string(process.path().join("cmdline")).is_ok_and(|line| line.contains(&marker))
    });
    assert!(!alive);
}

#[test]
fn cancelling_ends_a_run_that_waits() {
    let cancel = Cancel::default();
    let remote = cancel.clone();
    let mut case = Case::new("never", &["audio"]);
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        remote.cancel();
    });
    let error = case.run_until(&cancel).unwrap_err();
    canceller.join().unwrap();
    assert!(matches!(error.fault, Fault::Cancelled), "{error}");
    assert_eq!(error.fault.class(), None);
}

// Answering wrongly.

#[test]
fn answers_outside_of_the_protocol_are_refused() {
    let is = |attack: &str, expected: fn(&BadAnswer) -> bool| match failure(Case::new(attack, &["a", "b"]))
        .fault
    {
        Fault::BadOutput(answer) => assert!(expected(&answer), "{attack}: {answer}"),
        other => panic!("{attack}: {other}"),
    };
    is("wrong_id", |it| matches!(it, BadAnswer::WrongId));
    is("twice", |it| matches!(it, BadAnswer::Unasked));
    // Seen before the next request is sent, or taken for its answer.
    is("late_second", |it| matches!(it, BadAnswer::Unasked | BadAnswer::WrongId));
    is("not_json", |it| matches!(it, BadAnswer::NotAnAnswer { .. }));
    is("not_utf8", |it| matches!(it, BadAnswer::NotUtf8));
    is("endless_line", |it| matches!(it, BadAnswer::TooLong));
}

#[test]
fn a_model_that_is_ready_twice_is_refused() {
    // The second line is here with the first one, or when the first item is asked for.
    assert!(matches!(fault("ready_twice"), Fault::LoadError(_) | Fault::BadOutput(_)));
}

#[test]
fn a_model_that_ends_early_is_a_runtime_error_with_its_last_words() {
    for attack in ["half_a_line", "close_answers"] {
        assert!(matches!(fault(attack), Fault::RuntimeError(_)), "{attack}");
    }
    let error = failure(Case::new("crash", &["audio"]));
    assert!(matches!(error.fault, Fault::RuntimeError(_)), "{error}");
    assert!(error.log_tail.ends_with("RuntimeError: the decoder gave up\n"), "{}", error.log_tail);
}

#[test]
fn a_model_that_does_not_get_ready_is_a_load_error_with_its_last_words() {
    let error = failure(Case::new("exit_while_loading", &["audio"]));
    assert!(matches!(error.fault, Fault::LoadError(_)), "{error}");
    assert_eq!(error.log_tail, "no weights in /model\n");
    assert!(matches!(fault("nonsense_ready"), Fault::LoadError(_)));
}

// Behaving.

#[test]
fn results_come_in_the_order_of_the_items_whatever_the_order_they_were_asked_in() {
    let contents: Vec<String> = (0..12).map(|it| it.to_string()).collect();
    let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
    let run = |seed| {
        let mut case = Case::new("none", &contents);
        case.seed = seed;
        let result = case.run().unwrap();
        let split = |text: &String| text.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let (content, turn): (Vec<_>, Vec<_>) = texts(&result).iter().map(split).unzip();
        assert_eq!(content, contents);
        turn
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn repeat_passes_come_after_the_scored_pass_one_list_each() {
    let mut case = Case::new("none", &["a", "b"]);
    case.repeats = vec![case.items.clone(), case.items[..1].to_vec()];
    let result = case.run().unwrap();
    assert_eq!(result.num_params, Some(42));
    assert_eq!(result.repeats.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(result.repeats[1][0].outcome, Outcome::Text("a 5".into()));
    let last = case.progress.iter().rfind(|it| matches!(it, Progress::Stage { .. }));
    assert_eq!(last, Some(&Progress::Stage { stage: Stage::Repeating, done: 3, total: 3 }));
}

#[test]
fn a_models_own_error_is_an_outcome_not_a_failure() {
    assert_eq!(Case::finding("own_error"), "error: no speech found");
}

#[test]
fn only_the_item_in_question_is_there_under_a_name_that_says_nothing() {
    let result = Case::new("names", &["a", "b", "c"]).run().unwrap();
    for text in texts(&result) {
        let mut words = text.splitn(3, ' ');
        let (id, path, listing) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        assert_eq!(id.len(), 32);
        assert!(!text.contains("far"), "{text}");
        assert_eq!(format!("['{}']", path.strip_prefix("/audio/").unwrap()), listing);
    }
}

#[test]
fn an_items_time_is_never_shorter_than_what_the_model_measures_itself() {
    // Both read the same clock. The model may get the processor before the supervisor has returned from writing.
    let result = Case::new("stopwatch", &["audio"; 300]).run().unwrap();
    for (item, own) in result.items.iter().zip(texts(&result)) {
        let own = own.parse::<f64>().unwrap() / 1e9;
        assert!(item.seconds >= own, "{} s for {own} s of work", item.seconds);
    }
}

#[test]
fn peak_memory_is_measured_and_processor_time_where_there_are_cgroups() {
    let result = Case::new("slow", &["audio"]).run().unwrap();
    let peak = result.peak_memory_bytes.unwrap();
    // Starting Python alone takes some.
    let processor = result.processor_seconds;
    assert!(processor.map_or(SANDBOX.isolation().contains("no cgroup"), |it| it > 0.001), "{processor:?}");
    assert!((1 << 20..=256 << 20).contains(&peak), "{peak}");
}

// Batches.

fn batched(attack: &str) -> sandbox::RunResult {
    let mut case = Case::new(attack, &["a", "b", "c", "d", "e", "f"]);
    case.repeats = vec![case.items.clone()];
    case.run().unwrap_or_else(|it| panic!("{it}\n{}", it.log_tail))
}

#[test]
fn a_model_that_takes_batches_is_also_timed_in_the_fastest_of_them() {
    let throughput = batched("batches").throughput.unwrap();
    assert!([1, 2, 4].contains(&throughput.batch), "{throughput:?}");
    assert!((throughput.agreement - 1.0).abs() < 1e-12);
    // Six items of one second.
    assert!((throughput.audio_seconds - 6.0).abs() < 1e-12);
    assert!((throughput.rtfx - 6.0 / throughput.makespan_seconds).abs() < 1e-9);
    assert!(throughput.p95_seconds <= throughput.makespan_seconds);
}

#[test]
fn a_model_that_says_something_else_in_batches_is_found_out() {
    assert!(batched("batch_liar").throughput.unwrap().agreement < 1e-12);
}

#[test]
fn a_model_that_takes_one_item_at_a_time_has_no_pass_in_batches() {
    assert_eq!(batched("none").throughput, None);
}

// Devices.

/// There is no accelerator here: plain files stand for its nodes. What a real driver does is not tried.
#[test]
fn a_model_sees_the_devices_it_is_given_and_no_others() {
    let root = common::public_directory();
    let node = |path: &str| {
        let host = root.path().join(path);
        fs::create_dir_all(host.parent().unwrap()).unwrap();
        fs::write(&host, path).unwrap();
    };
    for path in ["dev/nvidia0", "dev/nvidia1", "dev/nvidiactl", "usr/local/nvidia/lib64/libcuda.so.1"] {
        node(path);
    }
    for minor in [0, 1] {
        let place = root.path().join(format!("proc/driver/nvidia/gpus/0000:0{minor}:00.0"));
        fs::create_dir_all(&place).unwrap();
        let text = format!("Model: NVIDIA L4\nGPU UUID: GPU-{minor}\nDevice Minor: {minor}\n");
        fs::write(place.join("information"), text).unwrap();
    }
    let devices = sandbox::nvidia(root.path());
    let seen = |devices: Vec<sandbox::Device>| {
        let mut case = Case::new("devices", &["audio"]);
        case.devices = devices;
        texts(&case.run().unwrap_or_else(|it| panic!("{it}\n{}", it.log_tail))).remove(0)
    };
    assert_eq!(
        seen(devices[1..].to_vec()),
        "['/dev/nvidia1', '/dev/nvidiactl'] ['dev/nvidia1', 'dev/nvidiactl'] /usr/local/nvidia/lib64"
    );
    assert_eq!(seen(Vec::new()), "[] [] None");
}

#[test]
fn the_pace_of_this_machine_is_the_same_order_of_magnitude_twice() {
    let pace = || SANDBOX.pace(&Cancel::default()).unwrap();
    let (one, other) = (pace(), pace());
    assert!((0.1..10.0).contains(&(one / other)), "{one} s, {other} s");
}
