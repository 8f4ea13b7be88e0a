//! Which runtimes there are and which settings each takes: what a submitter looks up while describing a model.

use axum::extract::State;
use protocol::{RuntimeDeclaration, Setting};

use super::{Page, layout, page};
use crate::{
    Service,
    auth::Visitor,
    runtimes,
    views::{RuntimeView, RuntimesPage, Section, SettingView},
};

pub(crate) async fn show(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    let (plain, combined): (Vec<_>, Vec<_>) =
        runtimes::all().iter().partition(|runtime| !runtimes::is_combined(runtime));
    page(&RuntimesPage {
        layout: layout(&service, Section::Submit, user.as_ref()),
        runtimes: plain.into_iter().map(view).collect(),
        combined: combined.into_iter().map(|runtime| runtime.name.as_str()).collect(),
    })
}

fn view(runtime: &'static RuntimeDeclaration) -> RuntimeView {
    let setting = |(name, setting): (&'static String, &'static Setting)| {
        let (takes, help) = setting_in_words(setting);
        SettingView { name, takes, help }
    };
    RuntimeView {
        name: &runtime.name,
        version: &runtime.version,
        description: &runtime.description,
        multichannel: runtime.multichannel,
        settings: runtime.settings.iter().map(setting).collect(),
    }
}

/// What a setting takes, and what it does.
fn setting_in_words(setting: &Setting) -> (String, &str) {
    match setting {
        Setting::Boolean { help } => ("true or false".to_owned(), help),
        Setting::Integer { help, minimum, maximum } => {
            (format!("a whole number, {minimum} to {maximum}"), help)
        }
        Setting::Real { help, minimum, maximum } => (format!("a number, {minimum:?} to {maximum:?}"), help),
        Setting::Choice { help, values } => (format!("one of {}", values.join(", ")), help),
        Setting::File { help } => ("the name of a file of the model".to_owned(), help),
    }
}
