//! Log in and log out.

use axum::{
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use serde::Deserialize;
use store::{Secret, accounts};

use super::{Page, layout, page};
use crate::{
    Service,
    auth::{SESSION_COOKIE, Visitor},
    error::AppError,
    extract::{Form, Query},
    views::{LoginPage, Section},
};

#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(Next { next }): Query<Next>,
) -> Page {
    page(&LoginPage {
        layout: layout(&service, Section::Elsewhere, user.as_ref()),
        name: String::new(),
        error: None,
        next: own_path(&next).to_owned(),
    })
}

pub(crate) async fn log_in(
    State(service): State<Service>,
    jar: CookieJar,
    Form(credentials): Form<Credentials>,
) -> Result<Response, AppError> {
    let user = accounts::user_by_password(&service.pool, &credentials.name, &credentials.password).await?;
    let Some(user) = user else {
        let view = LoginPage {
            layout: layout(&service, Section::Elsewhere, None),
            name: credentials.name,
            error: Some("Name and password do not belong together.".to_owned()),
            next: own_path(&credentials.next).to_owned(),
        };
        let Html(html) = page(&view)?;
        return Ok((axum::http::StatusCode::UNAUTHORIZED, Html(html)).into_response());
    };
    let session = accounts::open_session(&service.pool, user.id).await?;
    let cookie = Cookie::build((SESSION_COOKIE, session.expose().to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(service.settings.secure_cookies)
        .build();
    Ok((jar.add(cookie), Redirect::to(own_path(&credentials.next))).into_response())
}

pub(crate) async fn log_out(State(service): State<Service>, jar: CookieJar) -> Result<Response, AppError> {
    if let Some(cookie) = jar.get(SESSION_COOKIE) {
        accounts::close_session(&service.pool, &Secret::presented(cookie.value())).await?;
    }
    let gone = Cookie::build(SESSION_COOKIE).path("/").build();
    Ok((jar.remove(gone), Redirect::to("/")).into_response())
}

/// A path on this site, whatever was asked for: no redirect leads elsewhere.
pub(crate) fn own_path(next: &str) -> &str {
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_redirect_after_login_stays_on_this_site() {
        assert_eq!(own_path("/submit?x=1"), "/submit?x=1");
        for foreign in
            ["", "//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
        {
            assert_eq!(own_path(foreign), "/", "{foreign}");
        }
    }
}
