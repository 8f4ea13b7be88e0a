//! Lines to and from the model, with deadlines: the only place that waits for an untrusted process.

use std::{
    io::{self, ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use crate::{
    launcher::{Confined, wait_readable},
    log::LOG_TOTAL_BYTES,
    run::{Cancel, Fault, Progress},
    runner::{ANSWER_BYTES, BadAnswer},
};

/// How often a waiting supervisor looks at cancellation, memory and the log.
const TICK: Duration = Duration::from_millis(100);

/// What a line is waited for until.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// What the model would have taken too long for.
    pub(crate) what: String,
}

/// The two pipes of a running model.
pub(crate) struct Conversation<'a> {
    pub(crate) confined: Confined,
    pub(crate) cancel: &'a Cancel,
    /// Told of every step, and of new log text with every tick.
    pub(crate) progress: &'a mut dyn FnMut(Progress),
    buffer: Vec<u8>,
    /// Bytes of a line at most.
    pub(crate) line_limit: usize,
    /// Bytes of log at most.
    pub(crate) log_limit: u64,
}

/// A line, and when its last byte was here.
pub(crate) struct Line {
    pub(crate) bytes: Vec<u8>,
    pub(crate) arrived: Instant,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(confined: Confined, cancel: &'a Cancel, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self {
            confined,
            cancel,
            progress,
            buffer: Vec::new(),
            line_limit: ANSWER_BYTES,
            log_limit: LOG_TOTAL_BYTES,
        }
    }

    /// Send one line; returns when it was sent. Anything the model sent unasked is a fault.
    ///
    /// The clock is read before the write and not after it: the kernel may run the model, and let it finish,
    /// before it lets the writer go on. A write this small is one step, so this charges the model with no more
    /// than the system call.
    pub(crate) fn send(&mut self, message: &impl serde::Serialize) -> Result<Instant, Fault> {
        self.expect_silence()?;
        let mut line = serde_json::to_vec(message).map_err(io::Error::other)?;
        line.push(b'\n');
        // The pipe holds 64 KiB and every request waits for its answer, so a full pipe is the model's doing.
        let sent = Instant::now();
        match self.confined.requests.write_all(&line) {
            Ok(()) => Ok(sent),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(Fault::RuntimeError("the model does not read its requests".to_owned()))
            }
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(self.ended()),
            Err(error) => Err(error.into()),
        }
    }

    /// Nothing may have come since the last answer.
    pub(crate) fn expect_silence(&mut self) -> Result<(), Fault> {
        if self.buffer.is_empty() && self.read()? == Received::Nothing {
            return Ok(());
        }
        if self.buffer.is_empty() { Err(self.ended()) } else { Err(BadAnswer::Unasked.into()) }
    }

    /// Wait for one line.
    pub(crate) fn receive(&mut self, deadline: &Deadline) -> Result<Line, Fault> {
        loop {
            match self.read()? {
                Received::Bytes => {
                    let arrived = Instant::now();
                    if let Some(bytes) = self.take_line()? {
                        return Ok(Line { bytes, arrived });
                    }
                    // Bytes that come without a pause leave no moment to look around.
                    if arrived >= deadline.at {
                        return Err(Fault::Timeout(deadline.what.clone()));
                    }
                }
                Received::End => return Err(self.ended()),
                Received::Nothing => {
                    self.look_around(deadline)?;
                    wait_readable(&self.confined.answers, deadline.at.min(Instant::now() + TICK))?;
                }
            }
        }
    }

    /// Send one line of a stream, however slowly it is read; lines that come meanwhile stay where they are.
    pub(crate) fn push(&mut self, message: &impl serde::Serialize, deadline: &Deadline) -> Result<(), Fault> {
        let mut line = serde_json::to_vec(message).map_err(io::Error::other)?;
        line.push(b'\n');
        let mut left = line.as_slice();
        while !left.is_empty() {
            match self.confined.requests.write(left) {
                Ok(length) => left = &left[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.look_around(deadline)?;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(self.ended()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The next line of a stream, if there is one before `until`.
    pub(crate) fn next_line(&mut self, until: Instant, deadline: &Deadline) -> Result<Option<Line>, Fault> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                let mut bytes = std::mem::replace(&mut self.buffer, rest);
                bytes.truncate(end);
                return Ok(Some(Line { bytes, arrived: Instant::now() }));
            }
            if self.buffer.len() > self.line_limit {
                return Err(BadAnswer::TooLong.into());
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            match self.read()? {
                Received::Bytes => {}
                Received::End => return Err(self.ended()),
                Received::Nothing => {
                    self.look_around(deadline)?;
                    let next = until.min(deadline.at).min(Instant::now() + TICK);
                    wait_readable(&self.confined.answers, next)?;
                }
            }
        }
    }

    /// Pass on what was printed since the last time.
    pub(crate) fn ship_log(&mut self, over: bool) {
        let fresh = self.confined.log.take_fresh(over);
        if !fresh.is_empty() {
            (self.progress)(Progress::Log(fresh));
        }
    }

    fn read(&mut self) -> io::Result<Received> {
        let mut chunk = [0; 4096];
        match self.confined.answers.read(&mut chunk) {
            Ok(0) => Ok(Received::End),
            Ok(length) => {
                self.buffer.extend_from_slice(&chunk[..length]);
                Ok(Received::Bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(Received::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    fn take_line(&mut self) -> Result<Option<Vec<u8>>, BadAnswer> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n');
        match end {
            Some(end) if end + 1 < self.buffer.len() => Err(BadAnswer::Unasked),
            Some(end) if end <= self.line_limit => {
                let mut line = std::mem::take(&mut self.buffer);
                line.truncate(end);
                Ok(Some(line))
            }
            None if self.buffer.len() <= self.line_limit => Ok(None),
            _ => Err(BadAnswer::TooLong),
        }
    }

    fn look_around(&mut self, deadline: &Deadline) -> Result<(), Fault> {
        self.ship_log(false);
        if self.cancel.is_cancelled() {
            return Err(Fault::Cancelled);
        }
        if self.confined.is_out_of_memory() {
            return Err(self.out_of_memory());
        }
        if self.confined.log.total_bytes() > self.log_limit {
            let limit = LOG_TOTAL_BYTES / (1024 * 1024);
            return Err(Fault::RuntimeError(format!("the model printed more than {limit} MiB")));
        }
        if Instant::now() >= deadline.at {
            return Err(Fault::Timeout(deadline.what.clone()));
        }
        Ok(())
    }

    /// The model closed its end. End it for good, to learn the reason.
    fn ended(&mut self) -> Fault {
        match self.confined.end() {
            Err(error) => error.into(),
            Ok(()) if self.confined.is_out_of_memory() => self.out_of_memory(),
            Ok(()) => Fault::RuntimeError("the model process ended before it had answered".to_owned()),
        }
    }

    fn out_of_memory(&self) -> Fault {
        Fault::OutOfMemory { limit_bytes: self.confined.memory_limit() }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Received {
    Bytes,
    Nothing,
    End,
}
