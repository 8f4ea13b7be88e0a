//! Progress for the person at the terminal: on standard error, so that standard output stays clean.

use std::{
    io::{IsTerminal, stderr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
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

/// A bar for work in named stages: redrawn on a terminal, each quarter of a stage in a log.
pub(crate) struct Bar {
    live: bool,
    shown: Mutex<(String, u32)>,
}

impl Bar {
    const WIDTH: u32 = 30;

    pub(crate) fn new() -> Self {
        Self { live: stderr().is_terminal(), shown: Mutex::new((String::new(), u32::MAX)) }
    }

    /// `done` of `total` in `stage`.
    pub(crate) fn show(&self, stage: &str, done: u32, total: u32) {
        let stage = stage.replace('_', " ");
        let steps = if self.live { Self::WIDTH } else { 4 };
        let step = (steps * done).checked_div(total).unwrap_or(steps);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown == (stage.clone(), step) && !self.live {
            return;
        }
        if self.live {
            let full = "█".repeat(step as usize);
            eprint!("\r  {stage:<14} {full:·<width$} {done}/{total} ", width = Self::WIDTH as usize);
        } else if total > 1 {
            eprintln!("  {stage} {} %", 100 * step / steps);
        }
        *shown = (stage, step);
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        if self.live {
            eprintln!();
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
