//! Noise that is synthesised, because recordings with a licence to pass them on are scarce.
//!
//! These are models, not recordings: a data card must say so. Everything about a signal is drawn from its
//! seed. Levels are arbitrary; a scene sets them.

mod coughs;
mod process;
mod ventilation;

pub use coughs::coughs;
pub use ventilation::ventilation;
