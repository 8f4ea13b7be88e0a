//! Every path of the service, and what may be sent there for how long.

use std::{any::Any, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer, csrf::CsrfLayer, set_header::SetResponseHeaderLayer, trace::TraceLayer,
};

use crate::{
    Service, api, assets, auth,
    error::{self, AppError},
    pages, submit, uploads, worker_api,
};

/// Most bytes of a request unless stated otherwise.
const SMALL_BODY: usize = 64 * 1024;
/// Most bytes of what a program says: ten thousand hashes of the parts of a file.
const PROGRAM_BODY: usize = 1024 * 1024;
/// Most bytes of what a worker says; its results go to object storage.
const WORKER_BODY: usize = 1024 * 1024;
/// Longer than the longest wait of a claim, short enough to free a connection that hangs.
const REQUEST_TIME: Duration = Duration::from_mins(1);
/// Time for an upload over a slow line.
const UPLOAD_TIME: Duration = Duration::from_mins(10);
/// Nothing from elsewhere, nothing inline; scripts may send files to object storage.
fn content_security_policy(storage: &str) -> HeaderValue {
    let origin =
        reqwest::Url::parse(storage).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let policy = |connect: &str| {
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self' {connect}; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    };
    HeaderValue::from_str(&policy(&origin)).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

pub(crate) fn router(service: Service) -> Router {
    let router = Router::new()
        .merge(limited(for_people(), SMALL_BODY, REQUEST_TIME))
        .merge(limited(for_programs(), PROGRAM_BODY, REQUEST_TIME))
        .merge(limited(for_workers(), WORKER_BODY, REQUEST_TIME))
        .merge(limited(submitting(), submit::UPLOAD_LIMIT, UPLOAD_TIME))
        .fallback(async || AppError::nothing_here())
        .method_not_allowed_fallback(async || AppError::MethodNotAllowed);
    let policy = content_security_policy(service.objects.endpoint());
    guarded(router, policy).with_state(service)
}

fn for_people() -> Router<Service> {
    Router::new()
        .route("/", get(pages::take_home::board))
        .route("/board.txt", get(pages::take_home::board_text))
        .route("/api", get(pages::take_home::api))
        .route("/downloads", get(pages::take_home::downloads))
        .route("/downloads/{file}", get(pages::take_home::archive))
        .route("/cite", get(pages::take_home::cite))
        .route("/feed.atom", get(pages::take_home::feed))
        .route("/feeds/{file}", get(pages::take_home::release_feed))
        .route("/badges/{file}", get(pages::take_home::badge))
        .route("/cards/{file}", get(pages::take_home::card))
        .route("/embed/pareto", get(pages::take_home::embed))
        .route("/models/{submission}", get(pages::model::show))
        .route("/pareto", get(pages::pareto::show))
        .route("/my-room", get(pages::my_room::show))
        .route("/compare", get(pages::compare::show))
        .route("/conditions", get(pages::conditions::show))
        .route("/conditions/{track}", get(pages::conditions::track))
        .route("/rooms/{room}", get(pages::conditions::room))
        .route("/release-files/{release}/{*path}", get(pages::conditions::file))
        .route("/external", get(pages::external::show))
        .route("/self-reported", get(pages::self_reports::show))
        .route("/self-reported/{report}/remove", post(pages::self_reports::remove))
        .route("/queue", get(pages::queue::show))
        .route("/method", get(pages::method::show))
        .route("/faq", get(pages::history::faq))
        .route("/changelog", get(pages::history::changelog))
        .route("/snapshots", get(pages::history::list))
        .route("/snapshots/{snapshot}", get(pages::history::show))
        .route("/changes", get(pages::history::changes))
        .route("/runtimes", get(pages::runtimes::show))
        .route("/submissions", get(pages::submission::list))
        .route("/submissions/{submission}", get(pages::submission::show))
        .route("/submissions/{submission}/events", get(pages::live::events))
        .route("/submissions/{submission}/cancel", post(pages::submission::cancel))
        .route("/submissions/{submission}/withdraw", post(pages::submission::withdraw))
        .route("/submissions/{submission}/messages", post(pages::submission::answer))
        .route("/models/{submission}/record", get(pages::record::show))
        .route("/models/{submission}/objections", post(pages::record::object))
        .route("/models/{submission}/objections/{objection}", post(pages::record::decide))
        .route("/webhooks", get(pages::webhooks::show).post(pages::webhooks::add))
        .route("/webhooks/email", post(pages::webhooks::set_email))
        .route("/webhooks/email/confirm", get(pages::webhooks::confirm_email))
        .route("/webhooks/{webhook}/remove", post(pages::webhooks::remove))
        .route("/login", get(pages::account::show).post(pages::account::log_in))
        .route("/logout", post(pages::account::log_out))
        .merge(for_staff())
        .route("/static/{name}", get(assets::asset))
}

fn for_staff() -> Router<Service> {
    use pages::admin::{inbox, node, operations, rendering, review};
    Router::new()
        .route("/admin", get(inbox::show))
        .route("/admin/submissions", post(inbox::decide))
        .route("/admin/submissions/{submission}", get(review::show).post(review::decide))
        .route("/admin/workers", get(operations::workers).post(operations::issue_token))
        .route("/admin/workers/{name}", get(node::show).post(operations::change_worker))
        .route("/admin/queue", post(operations::change_queue))
        .route("/admin/releases", get(rendering::show))
        .route("/admin/builds/{build}", post(rendering::change))
        .route("/admin/quota", get(operations::quota).post(operations::make_exception))
        .route("/admin/users", post(operations::create_user))
        .route("/admin/users/{name}", post(operations::change_role))
        .route("/admin/audit", get(operations::audit_log))
}

fn for_programs() -> Router<Service> {
    at(of_programs()).route("/healthz", get(api::health))
}

fn at(addresses: Vec<Address>) -> Router<Service> {
    addresses.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods))
}

/// A path and what may be done there.
type Address = (&'static str, MethodRouter<Service>);

/// Every address of the API; [`api::openapi`] describes each.
#[cfg(test)]
pub(crate) fn of_the_api() -> Vec<Address> {
    of_programs().into_iter().chain(of_submitters()).collect()
}

fn of_programs() -> Vec<Address> {
    vec![
        ("/api/v1/openapi.json", get(api::openapi::serve)),
        ("/api/v1/boards", get(api::boards)),
        ("/api/v1/boards/{release}", get(api::boards::json)),
        ("/api/v1/boards/{release}/csv", get(api::boards::csv)),
        ("/api/v1/boards/{release}/parquet", get(api::boards::parquet)),
        ("/api/v1/boards/{release}/text", get(api::boards::text)),
        ("/api/v1/boards/{release}/pareto.svg", get(api::boards::chart)),
        ("/api/v1/boards/{release}/pareto.png", get(api::boards::picture)),
        ("/api/v1/boards/{release}/sim-to-real", get(pages::conditions::sim_to_real_json)),
        ("/api/v1/compare", get(api::compare)),
        ("/api/v1/results/{attempt}", get(api::result)),
        ("/api/v1/results/{attempt}/items.parquet", get(api::items)),
        ("/api/v1/external", get(api::external)),
        ("/api/v1/submissions/{submission}", get(api::submission)),
        ("/api/v1/queue", get(api::queue)),
        ("/api/v1/uploads", post(uploads::begin)),
        ("/api/v1/uploads/{upload}", get(uploads::show).delete(uploads::abandon)),
        ("/api/v1/uploads/{upload}/parts", post(uploads::addresses)),
        ("/api/v1/uploads/{upload}/complete", post(uploads::complete)),
    ]
}

/// Where much may be sent.
fn of_submitters() -> Vec<Address> {
    vec![
        ("/api/v1/submissions", post(api::submit)),
        ("/api/v1/self-reported", get(api::self_reports).post(api::report)),
    ]
}

fn for_workers() -> Router<Service> {
    Router::new()
        .route("/worker/v1/claim", post(worker_api::claim))
        .route("/worker/v1/heartbeat", post(worker_api::heartbeat))
        .route("/worker/v1/events", post(worker_api::events))
        .route("/worker/v1/keep", post(worker_api::keep))
        .route("/worker/v1/complete", post(worker_api::complete))
        .route("/worker/v1/fail", post(worker_api::fail))
        .route("/worker/v1/render-upload", post(worker_api::render_upload))
        .route("/worker/v1/rendered", post(worker_api::rendered))
}

fn submitting() -> Router<Service> {
    at(of_submitters()).route("/submit", get(pages::submit::show).post(pages::submit::send))
}

fn limited(router: Router<Service>, bytes: usize, time: Duration) -> Router<Service> {
    router.layer(DefaultBodyLimit::max(bytes)).layer(middleware::from_fn_with_state(time, within))
}

async fn within(State(time): State<Duration>, request: Request, next: Next) -> Result<Response, AppError> {
    tokio::time::timeout(time, next.run(request)).await.map_err(|_| AppError::TimedOut)
}

/// What stands around every handler.
fn guarded<S: Clone + Send + Sync + 'static>(router: Router<S>, policy: HeaderValue) -> Router<S> {
    router
        // Cookies are the only ambient authority; this refuses unsafe requests that another site made a browser send.
        .layer(CsrfLayer::new().with_rejection_response(|_| from_another_site()))
        .layer(CatchPanicLayer::custom(|cause: Box<dyn Any + Send>| error::panicked(cause.as_ref())))
        .layer(middleware::from_fn(auth::keep_private))
        .layer(middleware::from_fn(error::faces))
        .layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, policy))
        .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_layer(header::REFERRER_POLICY, "same-origin"))
        .layer(TraceLayer::new_for_http())
}

fn from_another_site() -> Response {
    let message =
        "This request was made by a page of another site. Nothing was done; use the forms of this site.";
    AppError::Forbidden(message.to_owned()).into_response()
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::StatusCode};
    use tower::ServiceExt;

    use super::*;

    /// Status and content type of what a handler that never comes to its end is answered with.
    async fn answer(path: &'static str) -> (StatusCode, HeaderValue) {
        let stuck = get(std::future::pending::<()>);
        let broken = get(async || -> () { panic!("a secret") });
        let router = Router::new()
            .route("/stuck", stuck.clone())
            .route("/api/stuck", stuck)
            .route("/broken", broken.clone())
            .route("/api/broken", broken)
            .layer(middleware::from_fn_with_state(Duration::ZERO, within));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response =
            guarded(router, content_security_policy("http://127.0.0.1:1")).oneshot(request).await.unwrap();
        let head = (response.status(), response.headers()[header::CONTENT_TYPE].clone());
        let body = axum::body::to_bytes(response.into_body(), SMALL_BODY).await.unwrap();
        assert!(!body.is_empty() && !String::from_utf8_lossy(&body).contains("secret"), "{path}");
        head
    }

    #[tokio::test]
    async fn a_panic_and_a_request_that_takes_too_long_have_two_faces_as_well() {
        let (page, problem) = ("text/html; charset=utf-8", "application/problem+json");
        for (path, status, content_type) in [
            ("/broken", StatusCode::INTERNAL_SERVER_ERROR, page),
            ("/api/broken", StatusCode::INTERNAL_SERVER_ERROR, problem),
            ("/stuck", StatusCode::SERVICE_UNAVAILABLE, page),
            ("/api/stuck", StatusCode::SERVICE_UNAVAILABLE, problem),
        ] {
            assert_eq!(answer(path).await, (status, HeaderValue::from_static(content_type)), "{path}");
        }
    }
}
