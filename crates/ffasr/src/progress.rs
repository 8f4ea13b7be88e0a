//! Progress for the person at the terminal: on standard error, so that standard output stays clean.

use std::{
    io::{IsTerminal, stderr},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Reports (done, total) as a share: each percent on a terminal, each quarter in a log.
pub(crate) fn percent(what: &'static str) -> impl Fn(usize, usize) + Sync {
    let shown = AtomicUsize::new(usize::MAX);
    let live = stderr().is_terminal();
    move |done, total| {
        let step = if live { 1 } else { 25 };
        let percent = (100 * done).checked_div(total).unwrap_or(100);
        let rounded = percent / step * step;
        if shown.swap(rounded, Ordering::Relaxed) == rounded {
            return;
        }
        match (live, done == total) {
            (true, false) => eprint!("\r  {what} {rounded:3} %"),
            (true, true) => eprintln!("\r  {what} {rounded:3} %"),
            (false, _) => eprintln!("  {what} {rounded:3} %"),
        }
    }
}

/// Stays silent for the first two seconds: what is over by then needs no progress. Then hands on what it hears.
pub(crate) fn once_slow(report: impl Fn(usize, usize) + Sync) -> impl Fn(usize, usize) + Sync {
    let started = Instant::now();
    move |done, total| {
        if started.elapsed() >= Duration::from_secs(2) {
            report(done, total);
        }
    }
}

/// Announces a step.
pub(crate) fn step(what: &str) {
    eprintln!("· {what}");
}
