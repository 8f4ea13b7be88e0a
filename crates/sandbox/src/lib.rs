//! Run one untrusted model process: isolation, limits, the runner protocol, timing.
//!
//! The model is somebody else's program. It sees the programs and libraries of `/usr`, its runtime, its own files
//! and one audio file at a time, all read-only; it has no network, no privileges, no environment and bounded
//! memory, processes, scratch space and output; and it is gone, with everything it started, when [`Sandbox::run`]
//! returns. A [`Sandbox`] can only be had by proving all that on this machine ([`Sandbox::open`]).
//!
//! | room | what |
//! |---|---|
//! | `user`, `seccomp`, `cgroup`, `watchdog`, `launcher` | isolation and limits: start one program, end its whole tree |
//! | `log`, `runner`, `conversation` | what the program says: its log, the runner protocol, waiting with deadlines |
//! | `run` | one attempt and its timing |
//! | `pace` | how fast this machine is at the moment |
//! | `device` | accelerators and what a model needs to see of them |
//! | `runtime` | the environments in which models run |
//! | `selftest` | attacks, tried before anything is run |

mod cgroup;
mod conversation;
mod device;
mod launcher;
mod log;
mod pace;
mod run;
mod runner;
pub mod runtime;
mod seccomp;
mod selftest;
mod user;
mod watchdog;

pub use device::{Device, Node, nvidia};
pub use launcher::MANIFEST_PATH;
pub use log::{LOG_TAIL_BYTES, LOG_TOTAL_BYTES};
pub use run::{Audio, Cancel, Fault, Progress, RunError, RunResult, RunSpec, Streamed, TimedOutcome, expose};
pub use runner::{ANSWER_BYTES, BadAnswer, RUNNER_PROTOCOL_VERSION};
pub use selftest::{Guarantee, NotIsolated, Sandbox, SelfTest, check};
pub use user::SANDBOX_USER;
