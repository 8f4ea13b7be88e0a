//! How the numbers are made.

use axum::extract::State;

use super::{Page, layout, page};
use crate::{
    Service,
    auth::Visitor,
    views::{MethodPage, Section},
};

pub(crate) async fn show(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    page(&MethodPage { layout: layout(&service, Section::Method, user.as_ref()) })
}
