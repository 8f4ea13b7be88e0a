//! One file a page: handlers that fill a view and render it.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod board;
pub(crate) mod compare;
pub(crate) mod conditions;
pub(crate) mod external;
pub(crate) mod history;
pub(crate) mod live;
pub(crate) mod method;
pub(crate) mod model;
pub(crate) mod my_room;
pub(crate) mod pareto;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod runtimes;
pub(crate) mod self_reports;
pub(crate) mod submission;
pub(crate) mod submit;
pub(crate) mod take_home;
mod weakness;
pub(crate) mod webhooks;

use askama::Template;
use axum::response::Html;
use store::accounts::{Role, User};
use time::OffsetDateTime;

use crate::{
    Service,
    error::AppError,
    scorer,
    views::{self, Banner, Layout, LiveProgress, Section, Timestamp},
};

/// What a page handler returns.
pub(crate) type Page = Result<Html<String>, AppError>;

fn page(view: &impl Template) -> Page {
    Ok(Html(view.render()?))
}

fn now() -> Timestamp {
    Timestamp(OffsetDateTime::now_utc())
}

/// The frame around a page.
fn layout(service: &Service, section: Section, user: Option<&User>) -> Layout {
    let board = service.board();
    let mut banners = Vec::new();
    if service.settings.demo {
        banners.push(Banner::Demo);
    }
    if service.board_is_stale() {
        banners.push(Banner::DatabaseUnreachable { board_of: Timestamp(board.built_at) });
    }
    Layout {
        section,
        user: user
            .map(|user| views::User { name: user.name.clone(), is_admin: user.role != Role::Submitter }),
        banners,
        release: board.release(None).map(|release| release.slug.clone()),
        scorer: Some(scorer::RANKING.scorer()),
        snapshot_at: Some(Timestamp(board.built_at)),
        ..Layout::default()
    }
}

/// How far a running attempt is, from what the queue stores.
fn live_progress(stage: Option<&str>, done: i32, total: i32) -> Option<LiveProgress> {
    let stage = stage?.parse().ok()?;
    Some(LiveProgress { stage, done: done.unsigned_abs(), total: total.unsigned_abs() })
}
