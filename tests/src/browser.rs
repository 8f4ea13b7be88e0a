//! Chromium, through its driver.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;

/// A browser with a profile of its own; gone when dropped.
pub struct Browser {
    /// The page.
    pub page: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts Chromium.
    pub async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing; `deploy/setup test` installs it");
        // "ChromeDriver was started successfully on port 41234."
        let port = BufReader::new(driver.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split("on port ")
                    .nth(1)?
                    .trim_end_matches('.')
                    .parse::<u16>()
                    .ok()
                    .filter(|port| *port > 0)
            })
            .expect("chromedriver names its port");
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = [
            "--headless",
            // The browser's own sandbox needs a user that is not root; the pages are our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            // Colours that are on their way to others would be measured as they are then.
            "--force-prefers-reduced-motion",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities =
            json!({ "goog:chromeOptions": { "args": arguments, "binary": "/usr/bin/chromium" } });
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self { page, driver, _profile: profile }
    }
}

/// Waits until the page has this element; what the page says instead is the test's failure.
pub async fn shows(page: &Client, css: &str) {
    if page.wait().for_element(Locator::Css(css)).await.is_err() {
        let said = page.find(Locator::Css("body")).await.unwrap().text().await.unwrap();
        panic!("the page has no {css}, it says: {said}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
