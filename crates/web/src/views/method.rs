//! The method page: definitions behind every number.

use askama::Template;

use super::layout::Layout;

/// `GET /method`.
#[derive(Debug, Template)]
#[template(path = "method.html")]
pub struct MethodPage {
    /// The frame.
    pub layout: Layout,
}
