//! Delivering webhooks: signed, and never to a place that only this machine can reach ([`outbound`]).

use std::time::Duration;

use hmac::{Hmac, Mac};
use outbound::Reach;
use reqwest::{Client, Url};
use serde_json::json;
use sha2::Sha256;
use store::webhooks::{self, Delivery};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::timeout;

use crate::Service;

/// How long a receiver may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than a delivery can take.
const LEASE: Duration = Duration::from_mins(1);
/// Deliveries due are looked for this often; new ones come with a notification.
const LOOK: Duration = Duration::from_secs(5);
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Delivers what is due, for ever. One at a time: a receiver that hangs delays others by ten seconds at most.
pub(crate) async fn deliver(service: Service) {
    let client = match client(service.settings.policy.private_webhooks) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!("webhooks are not delivered: {error}");
            return std::future::pending().await;
        }
    };
    let mut changed = service.jobs_changed.subscribe();
    loop {
        changed.mark_unchanged();
        match webhooks::claim(&service.pool, LEASE).await {
            Ok(Some(delivery)) => {
                let outcome = send(&client, &service, &delivery).await;
                if let Err(error) = webhooks::finish(&service.pool, &delivery, outcome).await {
                    tracing::warn!("the end of a webhook could not be noted: {error}");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
            Ok(None) => {
                let _ = timeout(LOOK, changed.changed()).await;
            }
            Err(error) => {
                tracing::warn!("webhooks could not be looked for: {error}");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

fn reach(private: bool) -> Reach {
    if private { Reach::Anywhere } else { Reach::Public }
}

fn client(private: bool) -> reqwest::Result<Client> {
    outbound::client(reach(private)).timeout(PATIENCE).build()
}

async fn send(client: &Client, service: &Service, delivery: &Delivery) -> Result<(), String> {
    check(&delivery.url, service.settings.policy.private_webhooks)?;
    let body = json!({
        "event": delivery.event,
        "submission": delivery.submission,
        "model": delivery.model,
        "from": delivery.from_state,
        "to": delivery.to_state,
        "reason": delivery.reason,
        "at": delivery.at.format(&Rfc3339).unwrap_or_default(),
        "href": format!("{}/submissions/{}", service.settings.policy.public_url, delivery.submission),
    })
    .to_string();
    let seconds = OffsetDateTime::now_utc().unix_timestamp();
    let request = client
        .post(&delivery.url)
        .header("content-type", "application/json")
        .header("ffasr-signature", signature(&delivery.secret, seconds, &body))
        .body(body);
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("The address answered {}.", answer.status().as_u16())),
        Err(error) if error.is_timeout() => Err("The address did not answer within ten seconds.".to_owned()),
        // The library's words may name addresses behind a name, which are nobody's business.
        Err(_) => Err("The address could not be reached.".to_owned()),
    }
}

/// `t=<seconds>,v1=<HMAC-SHA256 of "<seconds>.<body>" in hexadecimal>`: the time is signed too, so that an old delivery
/// cannot be replayed.
fn signature(secret: &str, seconds: i64, body: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length");
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// Whether an address may be called, or one sentence why not. What a name resolves to is checked when it is called.
pub(crate) fn check(url: &str, private: bool) -> Result<(), String> {
    let parsed = Url::parse(url)
        .map_err(|_| "This is not an address, such as https://example.org/ffasr.".to_owned())?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(
            "The address must not hold a name or a password; deliveries are signed instead.".to_owned()
        );
    }
    if url.len() > 2000 {
        return Err("The address has more than 2000 characters.".to_owned());
    }
    outbound::check(&parsed, &reach(private)).map_err(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_may_not_be_called_is_refused_in_words() {
        for (url, word) in [
            ("nonsense", "not an address"),
            ("ftp://example.org/", "https://"),
            ("https://me:secret@example.org/", "password"),
            ("http://127.0.0.1:8640/admin", "private"),
            // What the URL standard reads as 127.0.0.1.
            ("http://2130706433/", "private"),
            ("http://0x7f.1/", "private"),
            ("http://[::1]/", "private"),
            ("http://[::ffff:10.0.0.1]/", "private"),
        ] {
            assert!(check(url, false).unwrap_err().contains(word), "{url}");
        }
        assert_eq!(check("https://example.org/hook?x=1", false), Ok(()));
        assert_eq!(check("http://127.0.0.1:9/", true), Ok(()));
    }

    /// Computed with Python 3.11: `hmac.new(b"secret", b"1700000000.{}", "sha256").hexdigest()`.
    #[test]
    fn the_signature_is_the_hmac_of_time_and_body() {
        assert_eq!(
            signature("secret", 1_700_000_000, "{}"),
            "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
    }
}
