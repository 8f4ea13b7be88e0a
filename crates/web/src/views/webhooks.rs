//! Where a user is told of what moves.

use askama::Template;
use uuid::Uuid;

use super::{layout::Layout, quantity::Timestamp};

/// `GET /webhooks`.
#[derive(Debug, Template)]
#[template(path = "webhooks.html")]
pub struct WebhooksPage {
    /// The frame.
    pub layout: Layout,
    /// The addresses.
    pub rows: Vec<WebhookRow>,
    /// The reader's e-mail address, and whether it is confirmed.
    pub email: Option<(String, bool)>,
    /// The service sends e-mail.
    pub sends_mail: bool,
    /// The address that was typed and refused, and why.
    pub refused_email: Option<(String, String)>,
    /// What was typed and refused, and why.
    pub refused: Option<(String, String)>,
    /// Address and secret that were just made. Shown once.
    pub issued: Option<(String, String)>,
}

/// One address.
#[derive(Debug, Clone)]
pub struct WebhookRow {
    /// Which.
    pub id: Uuid,
    /// Where.
    pub url: String,
    /// Since when.
    pub since: Timestamp,
    /// Nothing more is sent.
    pub disabled: bool,
    /// How the latest delivery ended.
    pub last_result: String,
}
