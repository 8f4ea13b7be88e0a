//! The runtimes and their settings.

use askama::Template;

use super::layout::Layout;

/// `GET /runtimes`.
#[derive(Debug, Template)]
#[template(path = "runtimes.html")]
pub struct RuntimesPage {
    /// The frame.
    pub layout: Layout,
    /// Every runtime but the combined ones.
    pub runtimes: Vec<RuntimeView>,
    /// Names of those that run evaluators on the packages of another.
    pub combined: Vec<&'static str>,
}

/// One runtime.
#[derive(Debug, Clone)]
pub struct RuntimeView {
    /// Its name, as a description gives it.
    pub name: &'static str,
    /// Version of its definition.
    pub version: &'static str,
    /// What it runs, one sentence.
    pub description: &'static str,
    /// Whether its models may take several channels.
    pub multichannel: bool,
    /// Its settings, by name.
    pub settings: Vec<SettingView>,
}

/// One decoding setting.
#[derive(Debug, Clone)]
pub struct SettingView {
    /// Its name.
    pub name: &'static str,
    /// Which values it takes.
    pub takes: String,
    /// What it does.
    pub help: &'static str,
}
