//! The whole path on real parts: recorded speech, the built binary as separate processes, PostgreSQL, the S3 server, the
//! sandbox, PocketSphinx, and a browser. Also what happens when one of them is killed on the way.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use end_to_end::{Browser, Operator, Program, SLOW_DECODING};
use fantoccini::Locator;

/// Signs in and submits a model with the form, as a person would; the submission's id.
async fn submit_in_the_browser(operator: &Operator, browser: &Browser) -> String {
    let page = &browser.page;
    page.goto(&operator.url("/login?next=/submit")).await.unwrap();
    let login = page.form(Locator::Css("form.login")).await.unwrap();
    login.set_by_name("name", "sam").await.unwrap();
    login.set_by_name("password", &operator.password).await.unwrap();
    page.find(Locator::Css("form.login button")).await.unwrap().click().await.unwrap();
    let form = page.wait().for_element(Locator::Css("form[action='/submit']")).await.unwrap();
    let fields = [
        ("name", "By form"),
        ("organisation", "CMU Sphinx"),
        ("licence", "BSD-2-Clause"),
        ("decoding", SLOW_DECODING),
    ];
    for (name, text) in fields {
        form.find(Locator::Css(&format!("[name={name}]"))).await.unwrap().send_keys(text).await.unwrap();
    }
    form.find(Locator::Css("button.primary")).await.unwrap().click().await.unwrap();
    page.wait().for_element(Locator::Css("ol.timeline, .timeline")).await.unwrap();
    let address = page.current_url().await.unwrap();
    address.path().strip_prefix("/submissions/").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_goes_from_the_form_to_the_board_and_survives_two_kills() {
    let (operator, service) = Operator::set_up();
    let browser = Browser::start().await;

    let first = submit_in_the_browser(&operator, &browser).await;
    let worker = operator.worker("node-1");
    let (undisturbed, attempts) = operator.result(&first).await;
    assert_eq!(attempts, 1);
    browser.page.goto(&operator.url("/")).await.unwrap();
    let link = browser.page.find(Locator::LinkText("By form")).await.unwrap();
    link.click().await.unwrap();
    let heading = browser.page.wait().for_element(Locator::Css("h1")).await.unwrap();
    assert_eq!(heading.text().await.unwrap(), "By form");

    // Kill -9 of the worker: the lease expires, another attempt gives the same result.
    let second = operator.submit("Worker killed").await;
    operator.caught_transcribing(&second).await;
    worker.kill();
    let worker = operator.worker("node-2");
    let (after_worker_kill, attempts) = operator.result(&second).await;
    assert!(attempts >= 2, "the killed attempt is on record");
    assert_eq!(after_worker_kill, undisturbed);

    // Kill -9 of the service, database and object storage included: after the restart everything goes on.
    let third = operator.submit("Service killed").await;
    operator.caught_transcribing(&third).await;
    service.kill();
    let _service = operator.serve();
    let (after_service_kill, _) = operator.result(&third).await;
    assert_eq!(after_service_kill, undisturbed);

    let board = operator.json("/api/v1/boards/tiny").await.unwrap();
    assert_eq!(board["rows"].as_array().unwrap().len(), 3, "nothing is lost and nothing doubled");
    let listed = Program::run(operator.path(), &["admin", "submission", "list"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    drop(worker);
    browser.page.clone().close().await.unwrap();
}
