//! The pace of this machine: the time of a fixed piece of work on the processor, in the sandbox, by the same clock
//! as everything else. It gates measurements and never rescales them (design §5).

use std::{
    ffi::OsStr,
    time::{Duration, Instant},
};

use crate::{
    cgroup::TreeLimits,
    conversation::{Conversation, Deadline},
    launcher::Confinement,
    run::{Cancel, Fault},
    selftest::Sandbox,
};

const PROGRAM: &[u8] = include_bytes!("pace.py");
const WARM_UP: usize = 3;
const TIMED: usize = 15;
const PATIENCE: Duration = Duration::from_mins(1);
const MEMORY_BYTES: u64 = 512 * 1024 * 1024;

impl Sandbox {
    /// Median seconds of the fixed piece of work, after a warm-up; takes about a second.
    ///
    /// # Errors
    /// [`Fault::Cancelled`], or whatever kept the work from being done.
    pub fn pace(&self, cancel: &Cancel) -> Result<f64, Fault> {
        let confined = self.launcher.start(&Confinement {
            program: ["/usr/bin/python3", "-I", "/probe.py"].map(OsStr::new).to_vec(),
            mounts: Vec::new(),
            devices: &[],
            manifest: b"{}",
            probe: Some(PROGRAM),
            limits: TreeLimits { memory_bytes: MEMORY_BYTES, processes: 4, cores: 1 },
        })?;
        let mut ignore = |_| {};
        let mut conversation = Conversation::new(confined, cancel, &mut ignore);
        let mut seconds = Vec::with_capacity(TIMED);
        for round in 0..WARM_UP + TIMED {
            let deadline =
                Deadline { at: Instant::now() + PATIENCE, what: "the calibration did not end".to_owned() };
            let asked = conversation.send(&round)?;
            let line = conversation.receive(&deadline)?;
            if round >= WARM_UP {
                seconds.push(line.arrived.duration_since(asked).as_secs_f64());
            }
        }
        conversation.confined.end()?;
        seconds.sort_unstable_by(f64::total_cmp);
        Ok(seconds[TIMED / 2])
    }
}
