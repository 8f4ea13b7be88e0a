//! Ctrl-C as a question that long work asks itself.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether somebody wants it to end.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C no longer ends the program by itself; who works must ask. Needs a tokio runtime of several
    /// threads.
    pub(crate) fn watch() -> Self {
        let come = Arc::new(AtomicBool::new(false));
        let to_set = Arc::clone(&come);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                to_set.store(true, Ordering::Relaxed);
            }
        });
        Self(come)
    }

    /// Whether it has come.
    pub(crate) fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
