//! Models of runtimes other than PocketSphinx's own, from the form in the browser to the board: a bundle in ONNX whose
//! model is trained here, and an evaluator as the public board takes it, which a reviewer reads first.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use end_to_end::{Browser, Operator, Program, shows};
use ezk_g722::libg722::{Bitrate, decoder::Decoder};
use fantoccini::{Locator, elements::Form};

const PROMPTS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison/digits";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Trains the digit model of `crates/ffasr/tests` with the Python of the installed runtime, and packs it with its
/// description into one archive.
fn onnx_bundle(place: &Path) -> PathBuf {
    let (digits, model) = (place.join("digits"), place.join("digit-model"));
    fs::create_dir(&digits).unwrap();
    fs::create_dir(&model).unwrap();
    for digit in 0..10 {
        let coded = fs::read(format!("{PROMPTS}/{digit}.g722")).unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(digits.join(format!("{digit}.wav")), spec).unwrap();
        for sample in Decoder::new(Bitrate::Mode1_64000, false, false).decode(&coded) {
            wav.write_sample(sample).unwrap();
        }
        wav.finalize().unwrap();
    }
    let runtime = runtimes().join("onnx");
    let trained = Command::new(runtime.join("venv/bin/python"))
        .arg(repository().join("crates/ffasr/tests/digits/train.py"))
        .args([&runtime, &digits, &model])
        .env("OPENBLAS_NUM_THREADS", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .unwrap();
    assert!(trained.success());
    let description = "name = \"Digits\"\norganisation = \"Test\"\nlicence = \"MIT\"\nruntime = \"onnx\"\n[decoding]\nbands = 26\n";
    fs::write(model.join("ffasr.toml"), description).unwrap();
    let archive = place.join("digits.tar.gz");
    let packed =
        Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(place).arg("digit-model").status();
    assert!(packed.unwrap().success());
    archive
}

/// Where the worker looks for runtimes.
fn runtimes() -> PathBuf {
    sandbox::runtime::default_root()
}

/// Signs in as `sam`, unless that was done before, and goes to the submission form.
async fn open_the_form(operator: &Operator, browser: &Browser) -> Form {
    let page = &browser.page;
    page.goto(&operator.url("/login?next=/submit")).await.unwrap();
    if let Ok(login) = page.form(Locator::Css("form.login")).await {
        login.set_by_name("name", "sam").await.unwrap();
        login.set_by_name("password", &operator.password).await.unwrap();
        page.find(Locator::Css("form.login button")).await.unwrap().click().await.unwrap();
    }
    page.wait().for_element(Locator::Css("form[action='/submit']")).await.unwrap();
    page.form(Locator::Css("form[action='/submit']")).await.unwrap()
}

/// Sends the form; the submission's id, once its page is there.
async fn send_the_form(browser: &Browser) -> String {
    let page = &browser.page;
    page.find(Locator::Css("form[action='/submit'] button.primary")).await.unwrap().click().await.unwrap();
    shows(page, ".timeline").await;
    let address = page.current_url().await.unwrap();
    address.path().strip_prefix("/submissions/").unwrap().to_owned()
}

/// What the model's page says under a heading of its lists.
async fn said(browser: &Browser, heading: &str) -> String {
    let path = format!("//dt[normalize-space()='{heading}']/following-sibling::dd");
    browser.page.find(Locator::XPath(&path)).await.unwrap().text().await.unwrap()
}

/// Goes from the board to the page of this model.
async fn open_the_model(operator: &Operator, browser: &Browser, model: &str) {
    browser.page.goto(&operator.url("/")).await.unwrap();
    browser.page.find(Locator::LinkText(model)).await.unwrap().click().await.unwrap();
    browser.page.wait().for_element(Locator::Css("#measured")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_in_onnx_and_an_evaluator_go_from_the_form_to_the_board() {
    let (operator, _service) = Operator::set_up();
    let browser = Browser::start().await;
    let _worker = operator.worker("node");

    let archive = onnx_bundle(operator.path());
    open_the_form(&operator, &browser).await;
    let files = browser.page.find(Locator::Css("input[name=files]")).await.unwrap();
    files.send_keys(archive.to_str().unwrap()).await.unwrap();
    let bundle = send_the_form(&browser).await;

    let form = open_the_form(&operator, &browser).await;
    let fields = [
        ("name", "Plain"),
        ("organisation", "Test"),
        ("licence", "MIT"),
        ("runtime", "evaluator-pocketsphinx"),
    ];
    for (name, text) in fields {
        form.set_by_name(name, text).await.unwrap();
    }
    let code = repository().join("deploy/runtimes/evaluator/examples/plain.py").canonicalize().unwrap();
    let field = browser.page.find(Locator::Css("input[name=evaluator]")).await.unwrap();
    field.send_keys(code.to_str().unwrap()).await.unwrap();
    let evaluator = send_the_form(&browser).await;
    let waiting = operator.json(&format!("/api/v1/submissions/{evaluator}")).await.unwrap();
    assert_eq!(waiting["state"], "in_review", "somebody's code is read before it runs");
    Program::run(operator.path(), &["admin", "submission", "approve", &evaluator]);

    let (errors, attempts) = operator.result(&bundle).await;
    // It hears digits in prompts that have none: errors, but counted ones, of a model that ran.
    assert!(errors[3].as_u64().unwrap() > 0 && attempts == 1, "{errors}");
    let (errors, _) = operator.result(&evaluator).await;
    let near = |index: usize| errors[index].as_u64().unwrap();
    assert!(near(0) + near(1) + near(2) < near(3), "PocketSphinx hears something of dry speech: {errors}");

    open_the_model(&operator, &browser, "Digits").await;
    assert_eq!(said(&browser, "Runtime").await, "onnx");
    // 26 bands x 13 taps to 48 units to 11 tokens, each layer with its offsets: 16 811.
    assert_eq!(said(&browser, "Parameters").await, "16.8 k");
    open_the_model(&operator, &browser, "Plain").await;
    assert_eq!(said(&browser, "Runtime").await, "evaluator-pocketsphinx");

    // What was measured is in the API, too.
    let attempt =
        operator.json(&format!("/api/v1/submissions/{bundle}")).await.unwrap()["attempts"][0]["id"].clone();
    let result = operator.json(&format!("/api/v1/results/{}", attempt.as_str().unwrap())).await.unwrap();
    assert_eq!(result["model"], "Digits");
    let latency = &result["measurements"]["latency"];
    assert!(latency["all"]["p50"].as_f64().unwrap() > 0.0, "{result:#}");
    assert!(!latency["buckets"].as_array().unwrap().is_empty(), "{result:#}");
    browser.page.clone().close().await.unwrap();
}

/// Narrow beams: the figures are not what is tested.
const FAST: &str = "maxhmmpf = 3000\nmaxwpf = 5\ntopn = 2\nds = 2\n";

/// A model of PocketSphinx over the API, with these settings.
fn sphinx(name: &str, decoding: &str) -> reqwest::multipart::Form {
    reqwest::multipart::Form::new()
        .text("name", name.to_owned())
        .text("organisation", "Test")
        .text("licence", "BSD-2-Clause")
        .text("runtime", "pocketsphinx")
        .text("decoding", format!("{FAST}{decoding}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_recogniser_and_its_twin_with_a_front_end_are_shown_with_latencies_and_paired_intervals() {
    let (operator, _service) = Operator::set_up();
    let browser = Browser::start().await;
    let _worker = operator.worker("node");
    let bare = operator.submit_form(sphinx("Bare", "streaming = true")).await;
    let code = repository().join("deploy/runtimes/front_ends/spectral_subtraction.py");
    let file = reqwest::multipart::Part::bytes(fs::read(code).unwrap()).file_name("spectral_subtraction.py");
    let form = sphinx("Cleaned", "front_end = \"spectral_subtraction.py\"").part("files", file);
    let cleaned = operator.submit_form(form).await;
    Program::run(operator.path(), &["admin", "submission", "approve", &cleaned]);
    operator.result(&bare).await;
    operator.result(&cleaned).await;

    // The utterances of the first repeat pass: one of each track.
    let submission = operator.json(&format!("/api/v1/submissions/{bare}")).await.unwrap();
    let attempt = submission["attempts"][0]["id"].as_str().unwrap();
    let result = operator.json(&format!("/api/v1/results/{attempt}")).await.unwrap();
    let streaming = &result["measurements"]["streaming"];
    let all = &streaming["all"];
    assert_eq!(all["items"], 4, "{streaming:#}");
    assert_eq!(streaming["tracks"].as_object().unwrap().len(), 4, "{streaming:#}");
    let words = |of: &serde_json::Value| of["ref_words"].as_u64().unwrap();
    assert!(words(all) >= 16 && all["errors"].as_u64().unwrap() > 0, "{streaming:#}");
    let wer = all["errors"].as_f64().unwrap() / words(all) as f64;
    assert!((all["wer"].as_f64().unwrap() - wer).abs() < 1e-12, "{streaming:#}");
    // No word can be known before the first piece was spoken, and none is final before the last.
    let middle = |what: &str| all[what][0].as_f64().unwrap();
    assert!(middle("first_token") > 0.1 && middle("finalisation") > 0.0, "{streaming:#}");

    open_the_model(&operator, &browser, "Bare").await;
    let rows = browser.page.find_all(Locator::Css("#streaming tbody tr")).await.unwrap();
    assert_eq!(rows.len(), 5, "four tracks and all together");
    browser.page.find(Locator::Css("#streaming a[href='/method#streaming']")).await.unwrap();

    open_the_model(&operator, &browser, "Cleaned").await;
    let link = Locator::LinkText("both on the same utterances, with paired intervals");
    browser.page.find(link).await.unwrap().click().await.unwrap();
    browser.page.wait().for_element(Locator::Css(".notice")).await.unwrap();
    let notice = browser.page.find(Locator::Css(".notice")).await.unwrap().text().await.unwrap();
    assert!(notice.contains("A is B with the front end spectral_subtraction.py"), "{notice}");
    let compared = operator.json(&format!("/api/v1/compare?a={cleaned}&b={bare}")).await.unwrap();
    let interval = compared["average"]["interval"].as_array().unwrap();
    let bound = |index: usize| interval[index].as_f64().unwrap();
    assert!(bound(0) <= bound(1), "{compared:#}");
    browser.page.clone().close().await.unwrap();
}
