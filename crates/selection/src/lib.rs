//! Choosing among the models of a board: what a visitor asks for, as a URL, and the answer. Pure: no I/O, no async.
//!
//! A [`View`] is everything a visitor can ask of a board: which models ([`Filter`]), for what purpose ([`Purpose`], which
//! re-ranks by weights over tracks), within which [`Limits`], in which order and columns, and over which axes. It is read
//! from the query of a URL and written back to one, so that every view has an address. [`View::answer`] applies it to
//! [`Candidate`]s. [`room`] is for those who think in rooms instead of tracks: it turns the size and the noise of a room
//! into the conditions under which responses of models are fitted.

mod axis;
mod candidate;
mod column;
mod filter;
mod licence;
mod limits;
mod purpose;
mod query;
pub mod room;
mod view;

pub use axis::{Accuracy, Cost};
pub use candidate::{Candidate, Covariance, Estimate};
pub use column::{Column, Direction, Sort};
pub use filter::{Filter, LicenceChoice, SizeClass};
pub use licence::is_open;
pub use limits::{Limits, Unmet};
pub use purpose::{PURPOSES, Purpose, UseCase, Weights};
pub use query::{BadQuery, url_component};
pub use view::{Answer, Answered, PAGE_ROWS, Page, Standing, View};
