//! Ctrl-C as a question that long work asks itself.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Failure;

/// Whether somebody wants it to end.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C no longer ends the program by itself; who works must ask. Needs a tokio runtime of several
    /// threads.
    pub(crate) fn watch() -> Result<Self, Failure> {
        // Registered here and not in the task, so that none is missed before the task first runs.
        let mut signal = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        let come = Arc::new(AtomicBool::new(false));
        let to_set = Arc::clone(&come);
        tokio::spawn(async move {
            if signal.recv().await.is_some() {
                to_set.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self(come))
    }

    /// Whether it has come.
    pub(crate) fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
