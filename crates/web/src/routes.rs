//! Every path of the service.

use std::time::Duration;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, StatusCode, header},
    routing::{get, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer, csrf::CsrfLayer, set_header::SetResponseHeaderLayer, timeout::TimeoutLayer,
    trace::TraceLayer,
};

use crate::{Service, api, assets, pages, submit, worker_api};

/// Longer than the longest wait of a claim, short enough to free a connection that hangs.
const REQUEST_LIMIT: Duration = Duration::from_mins(1);
/// Nothing from elsewhere, nothing inline.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn router(service: Service) -> Router {
    Router::new()
        // Pages
        .route("/", get(pages::board::show))
        .route("/models/{submission}", get(pages::model::show))
        .route("/external", get(pages::external::show))
        .route("/queue", get(pages::queue::show))
        .route("/method", get(pages::method::show))
        .route("/submit", get(pages::submit::show).post(pages::submit::send))
        .route("/submissions", get(pages::submission::list))
        .route("/submissions/{submission}", get(pages::submission::show))
        .route("/submissions/{submission}/cancel", post(pages::submission::cancel))
        .route("/login", get(pages::account::show).post(pages::account::log_in))
        .route("/logout", post(pages::account::log_out))
        .route("/admin", get(pages::admin::show))
        .route("/static/{name}", get(assets::asset))
        .route("/healthz", get(api::health))
        // JSON API
        .route("/api/v1/boards", get(api::boards))
        .route("/api/v1/boards/{release}", get(api::board))
        .route("/api/v1/boards/{release}/csv", get(api::board_csv))
        .route("/api/v1/boards/{release}/pareto.svg", get(api::board_chart))
        .route("/api/v1/external", get(api::external))
        .route("/api/v1/submissions", post(api::submit))
        .route("/api/v1/submissions/{submission}", get(api::submission))
        // What workers speak
        .route("/worker/v1/claim", post(worker_api::claim))
        .route("/worker/v1/heartbeat", post(worker_api::heartbeat))
        .route("/worker/v1/events", post(worker_api::events))
        .route("/worker/v1/complete", post(worker_api::complete))
        .route("/worker/v1/fail", post(worker_api::fail))
        .fallback(pages::not_found)
        .layer(DefaultBodyLimit::max(submit::UPLOAD_LIMIT))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_LIMIT))
        // Cookies are the only ambient authority; this refuses unsafe requests that another site made a browser send.
        .layer(CsrfLayer::new())
        .layer(header_layer(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_layer(header::REFERRER_POLICY, "same-origin"))
        .layer(CatchPanicLayer::new())
        .layer(TraceLayer::new_for_http())
        .with_state(service)
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
