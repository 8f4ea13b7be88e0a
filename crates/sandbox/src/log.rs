//! What a model prints: drained by a thread of its own, so that a chatty model is never blocked by us; the end
//! is kept, the total is counted.

use std::{
    fs::File,
    io::Read,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

/// How much of the end of a log is kept, in bytes.
pub const LOG_TAIL_BYTES: usize = 64 * 1024;

/// How much a model may print in all, in bytes.
pub const LOG_TOTAL_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Default)]
struct State {
    tail: Vec<u8>,
    fresh: Vec<u8>,
    total: u64,
}

/// The log of one process.
#[derive(Debug)]
pub(crate) struct Log {
    state: Arc<Mutex<State>>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    /// Read `pipe` to its end in the background.
    pub(crate) fn drain(mut pipe: File) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                let mut state = lock(&shared);
                state.total += length as u64;
                if state.total <= LOG_TOTAL_BYTES {
                    append(&mut state.tail, &chunk[..length]);
                    append(&mut state.fresh, &chunk[..length]);
                }
            }
        });
        Self { state, reader: Some(reader) }
    }

    /// How much was printed so far; nothing is kept of what comes after [`LOG_TOTAL_BYTES`].
    pub(crate) fn total_bytes(&self) -> u64 {
        lock(&self.state).total
    }

    /// What was printed since the last call, up to the last line end unless the process is over.
    pub(crate) fn take_fresh(&self, over: bool) -> String {
        let mut state = lock(&self.state);
        let whole_lines = state.fresh.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let length =
            if over || state.fresh.len() == LOG_TAIL_BYTES { state.fresh.len() } else { whole_lines };
        let text: Vec<u8> = state.fresh.drain(..length).collect();
        printable(&text)
    }

    /// The end of the log.
    pub(crate) fn tail(&self) -> String {
        printable(&lock(&self.state).tail)
    }

    /// Wait until everything printed is read; returns once every holder of the pipe is gone.
    pub(crate) fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn append(kept: &mut Vec<u8>, chunk: &[u8]) {
    kept.extend_from_slice(chunk);
    let surplus = kept.len().saturating_sub(LOG_TAIL_BYTES);
    kept.drain(..surplus);
}

/// Text that is safe to store and show: no control characters but line ends and tabs.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .map(|it| if it.is_control() && it != '\n' && it != '\t' { char::REPLACEMENT_CHARACTER } else { it })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn logged(text: &[u8]) -> Log {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut log = Log::drain(File::from(reader));
        File::from(writer).write_all(text).unwrap();
        log.finish();
        log
    }

    #[test]
    fn the_end_is_kept_and_control_characters_are_not() {
        let log = logged(&[&vec![b'x'; LOG_TAIL_BYTES], b"\x1b[31mend\x00\n".as_slice()].concat());
        assert!(log.tail().ends_with("\u{fffd}[31mend\u{fffd}\n"));
        assert_eq!(log.total_bytes(), LOG_TAIL_BYTES as u64 + 10);
    }

    #[test]
    fn fresh_text_comes_once_and_in_whole_lines_until_the_end() {
        let log = logged(b"one\ntw");
        assert_eq!(log.take_fresh(false), "one\n");
        assert_eq!(log.take_fresh(false), "");
        assert_eq!(log.take_fresh(true), "tw");
    }

    #[test]
    fn too_much_output_is_counted_and_not_kept() {
        let log = logged(&vec![b'x'; LOG_TOTAL_BYTES as usize + 1]);
        assert_eq!(log.total_bytes(), LOG_TOTAL_BYTES + 1);
        assert_eq!(log.tail().len(), LOG_TAIL_BYTES);
    }
}
