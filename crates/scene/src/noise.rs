//! Noise: synthesised, because recordings with a licence to pass them on are scarce, or recordings made as long as a scene.
//!
//! What is synthesised are models, not recordings: a data card must say so. Everything about a signal is drawn from its
//! seed. Levels are arbitrary; a scene sets them.

mod coughs;
mod process;
mod recorded;
mod ventilation;

pub use coughs::coughs;
pub use recorded::{continued, now_and_then};
pub use ventilation::ventilation;
