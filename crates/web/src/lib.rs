//! The web face: pages, forms, JSON API, worker API, and the board held in memory.

pub mod views;
