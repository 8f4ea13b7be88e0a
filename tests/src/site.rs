//! The service in this process.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use protocol::Limits;
use reqwest::{Client, Response, multipart::Form, redirect};
use store::{accounts, quota::Rule};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use web::{Policy, Service, Settings};

use crate::base::{Base, HARDWARE};

/// A running service over a [`Base`] of its own.
pub struct Site {
    base: Base,
    /// Its address, without a slash at the end.
    pub url: String,
    server: JoinHandle<std::io::Result<()>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Deref for Site {
    type Target = Base;

    fn deref(&self) -> &Base {
        &self.base
    }
}

impl DerefMut for Site {
    fn deref_mut(&mut self) -> &mut Base {
        &mut self.base
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Site {
    /// Starts it with a lease of three seconds.
    pub async fn start() -> Self {
        Self::over(Base::start().await).await
    }

    /// Starts it over data that are there.
    pub async fn over(base: Base) -> Self {
        Self::under(base, Policy::default()).await
    }

    /// Starts it over data that are there, under a policy; a submitter has a hundred tokens.
    pub async fn under(base: Base, policy: Policy) -> Self {
        crate::program::install_tls();
        let service = Service::new(base.pool.clone(), base.objects.clone(), settings(policy)).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let server = tokio::spawn(web::serve(service, listener, shutdown));
        Self { base, url, server, stop: Some(stop) }
    }

    /// Another service over the same data, not served: what a command works with.
    pub async fn beside(&self) -> Service {
        let settings = settings(Policy::default());
        Service::new(self.base.pool.clone(), self.base.objects.clone(), settings).await.unwrap()
    }

    /// Asks the service to stop and waits until it has.
    ///
    /// # Errors
    /// What the service ended with, if it did not end well.
    pub async fn stop(&mut self) -> std::io::Result<()> {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
        (&mut self.server).await.unwrap()
    }

    /// A browser-like client without a session.
    pub fn visitor(&self) -> Client {
        Client::builder().cookie_store(true).redirect(redirect::Policy::none()).build().unwrap()
    }

    /// A client signed in as `name` (with [`Base::user`]'s password).
    pub async fn signed_in(&self, name: &str) -> Client {
        let client = self.visitor();
        let form = [("name", name), ("password", "correct horse"), ("next", "/")];
        let answer = client.post(format!("{}/login", self.url)).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303, "signing in as {name}");
        client
    }

    /// `GET path` as anybody: status and text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.visitor().get(format!("{}{path}", self.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A personal token of `name`.
    pub async fn api_token(&self, name: &str) -> String {
        let user = accounts::user_by_name(&self.base.pool, name).await.unwrap();
        accounts::issue_api_token(&self.base.pool, user.id, "test").await.unwrap().expose().to_owned()
    }

    /// Submits over the API.
    pub async fn submit(&self, token: &str, form: Form) -> Response {
        let request = Client::new().post(format!("{}/api/v1/submissions", self.url)).bearer_auth(token);
        request.multipart(form).send().await.unwrap()
    }
}

/// With a lease of three seconds, under a policy; a submitter has a hundred tokens.
fn settings(policy: Policy) -> Settings {
    Settings {
        lease: Duration::from_secs(3),
        heartbeat: Duration::from_secs(1),
        limits: Limits {
            ready_seconds: 60.0,
            item_seconds: 60.0,
            item_seconds_per_audio_second: 10.0,
            attempt_seconds: 600.0,
            memory_bytes: 1 << 30,
        },
        hardware_class: HARDWARE.to_owned(),
        secure_cookies: false,
        demo: false,
        policy: Policy { quota: Rule { burst: 100, per_day: 100.0 }, ..policy },
    }
}
