//! Numbers in; themed, accessible SVG out. Pure: no I/O, no async.

mod strip;

pub use strip::interval_strip;
