//! What people do in a browser: somebody who has never seen the system submits a model of each kind and follows it; an
//! admin triages fifty submissions without leaving the inbox.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{fs, time::Duration};

use end_to_end::{Base, Browser, Hub, Operator, Site, shows, until};
use fantoccini::{Client, Locator};
use reqwest::multipart::{Form, Part};
use store::{accounts::Role, state::SubmissionState, submissions};

const EVALUATOR: &str = "from pathlib import Path\n\n\ndef evaluate(file: Path) -> str:\n    return \"\"\n";
const LANGUAGE_MODEL: &str =
    "\\data\\\nngram 1=5\n\n\\1-grams:\n-0.7 </s>\n-99 <s>\n-0.7 the\n-0.7 and\n-0.7 of\n\n\\end\\\n";

async fn log_in(page: &Client, url: &str, name: &str, password: &str) {
    page.goto(url).await.unwrap();
    for (field, text) in [("#name", name), ("#password", &format!("{password}\u{e007}"))] {
        page.find(Locator::Css(field)).await.unwrap().send_keys(text).await.unwrap();
    }
    page.wait().for_element(Locator::Css("form[action='/logout']")).await.unwrap();
}

/// Fills the form in and sends it; the address of the submission's page, which says that it has been heard.
async fn submit(page: &Client, operator: &Operator, fields: &[(&str, &str)]) -> String {
    page.goto(&operator.url("/submit")).await.unwrap();
    for (field, text) in fields {
        page.find(Locator::Css(field)).await.unwrap().send_keys(text).await.unwrap();
    }
    page.find(Locator::Css("#submit button.primary")).await.unwrap().click().await.unwrap();
    shows(page, ".timeline").await;
    // Stays as long as the page is not loaded anew.
    page.execute("window.neverReloaded = true", Vec::new()).await.unwrap();
    page.current_url().await.unwrap().path().to_owned()
}

/// Waits until the page that is open says so, by itself.
async fn says(page: &Client, heading: &str) {
    until(heading, || async {
        let now = page.find(Locator::Css("#now")).await.ok()?.text().await.ok()?;
        assert!(!now.starts_with("Failed"), "it failed");
        now.starts_with(heading).then_some(())
    })
    .await;
    assert_eq!(
        page.execute("return window.neverReloaded", Vec::new()).await.unwrap(),
        true,
        "the script did it"
    );
}

fn bundle() -> Vec<u8> {
    let manifest = "name = \"From a bundle\"\norganisation = \"o\"\nlicence = \"MIT\"\nruntime = \"pocketsphinx\"\n[decoding]\nlm = \"task.lm\"\n";
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in [("model/ffasr.toml", manifest), ("model/task.lm", LANGUAGE_MODEL)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_submits_each_of_the_three_kinds_follows_it_and_gets_a_result() {
    let hub = Hub::start(&"1".repeat(40)).await;
    hub.put("task.lm", LANGUAGE_MODEL.as_bytes(), true);
    let (operator, _service) = Operator::set_up_with(&["--hub", &hub.url]);
    let password = operator.run(&["admin", "user", "add", "ada", "--role", "admin"]);
    let password = password.rsplit(' ').next().unwrap();
    let _worker = operator.worker("node-1");
    let (archive, evaluator) = (operator.path().join("model.tar"), operator.path().join("mine.py"));
    fs::write(&archive, bundle()).unwrap();
    fs::write(&evaluator, EVALUATOR).unwrap();
    let (person, admin) = (Browser::start().await, Browser::start().await);
    log_in(&person.page, &operator.url("/login?next=/submit"), "sam", &operator.password).await;
    log_in(&admin.page, &operator.url("/login?next=/admin"), "ada", password).await;

    let page = &person.page;
    // First a look at what would run: it takes nothing, and the file stays chosen.
    page.goto(&operator.url("/submit")).await.unwrap();
    page.find(Locator::Css("#files")).await.unwrap().send_keys(archive.to_str().unwrap()).await.unwrap();
    page.find(Locator::Css("button[name=check]")).await.unwrap().click().await.unwrap();
    shows(page, "#preview section").await;
    let preview = page.find(Locator::Css("#preview")).await.unwrap().text().await.unwrap();
    assert!(preview.contains("From a bundle") && preview.contains("task.lm"), "{preview}");
    page.find(Locator::Css("#submit button.primary")).await.unwrap().click().await.unwrap();
    shows(page, ".timeline").await;
    page.execute("window.neverReloaded = true", Vec::new()).await.unwrap();
    says(page, "Published").await;

    let fields = [("#organisation", "o"), ("#licence", "MIT")];
    let from_hub =
        [("#name", "From the hub"), ("#hub_model", "org/model"), ("#decoding", "lm = \"task.lm\"")];
    submit(page, &operator, &[from_hub.as_slice(), &fields].concat()).await;
    says(page, "Published").await;

    let with_code = [("#name", "With an evaluator"), ("#evaluator", evaluator.to_str().unwrap())];
    let address = submit(page, &operator, &[with_code.as_slice(), &fields].concat()).await;
    says(page, "In review").await;
    admin.page.goto(&operator.url(&address.replace("/submissions/", "/admin/submissions/"))).await.unwrap();
    let source = admin.page.find(Locator::Css("#source")).await.unwrap().text().await.unwrap();
    assert!(source.contains("def evaluate(file: Path)"), "the reviewer reads what will run");
    admin.page.find(Locator::Css("button[value=approve]")).await.unwrap().click().await.unwrap();
    says(page, "Published").await;

    page.find(Locator::LinkText("See the result")).await.unwrap().click().await.unwrap();
    let heading = page.wait().for_element(Locator::Css("h1")).await.unwrap().text().await.unwrap();
    assert_eq!(heading, "With an evaluator");
    person.page.clone().close().await.unwrap();
    admin.page.clone().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_triages_fifty_submissions_without_leaving_the_inbox() {
    let base = Base::start().await;
    base.user("sam", Role::Submitter).await;
    base.user("ada", Role::Admin).await;
    base.release().await;
    let site = Site::over(base).await;
    let token = site.api_token("sam").await;
    for number in 0..50 {
        let form = Form::new()
            .text("name", format!("model {number}"))
            .text("organisation", "o")
            .text("licence", "MIT")
            .text("runtime", "pocketsphinx")
            .part("evaluator", Part::bytes(EVALUATOR.as_bytes()).file_name("mine.py"));
        assert_eq!(site.submit(&token, form).await.status(), 201);
    }
    let browser = Browser::start().await;
    let page = &browser.page;
    log_in(page, &format!("{}/login?next=/admin", site.url), "ada", "correct horse").await;
    let rows = async || page.find_all(Locator::Css(".inbox tbody tr")).await.unwrap().len();
    assert_eq!(rows().await, 50);
    let click = async |what: &str| page.find(Locator::Css(what)).await.unwrap().click().await.unwrap();
    let left = async |count: usize| {
        until("the inbox shows what is left", || async {
            let now = page.find_all(Locator::Css(".inbox tbody tr")).await.ok()?.len();
            (now == count).then_some(())
        })
        .await;
        assert_eq!(page.current_url().await.unwrap().path(), "/admin");
    };

    // One by its own button, after a look at what the checks found.
    click(".inbox tbody tr:first-child summary").await;
    let findings = page.find(Locator::Css(".inbox tbody tr:first-child details ul")).await.unwrap();
    assert!(findings.text().await.unwrap().contains("does not run evaluators"));
    click(".inbox tbody tr:first-child button[value=approve]").await;
    left(49).await;
    // All but the last twenty at once.
    click("#choose-all").await;
    let unchoose = "[...document.getElementsByName('id')].slice(-20).forEach((box) => box.click())";
    page.execute(unchoose, Vec::new()).await.unwrap();
    click(".decide button[value=approve]").await;
    left(20).await;
    // The rest is refused with a reason; without one nothing happens.
    click("#choose-all").await;
    click(".decide button[value=reject]").await;
    until("a reason is asked for", || async {
        page.source().await.ok()?.contains("needs a reason").then_some(())
    })
    .await;
    page.goto(&format!("{}/admin", site.url)).await.unwrap();
    click("#choose-all").await;
    page.find(Locator::Css("#reason")).await.unwrap().send_keys("The model is not described.").await.unwrap();
    click(".decide button[value=reject]").await;
    page.wait().at_most(Duration::from_mins(1)).for_element(Locator::Css(".empty")).await.unwrap();

    let all = submissions::list(&site.pool, submissions::Filter::All).await.unwrap();
    let count = |state| all.iter().filter(|submission| submission.state == state).count();
    assert_eq!((count(SubmissionState::Queued), count(SubmissionState::Rejected)), (30, 20));
    assert!(
        all.iter()
            .filter(|it| it.state == SubmissionState::Rejected)
            .all(|it| it.reason.contains("not described"))
    );
    browser.page.clone().close().await.unwrap();
}
