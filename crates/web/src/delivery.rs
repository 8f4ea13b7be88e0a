//! Delivering webhooks: signed, and never to a place that only this machine can reach.
//!
//! A user chooses the address, so a request must not be a way into the network behind the service. The name is
//! resolved by us, every address that is not a public one is dropped, and the connection goes to what is left; so a name
//! that resolves differently the second time gains nothing. Redirects are not followed and no proxy is used.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hmac::{Hmac, Mac};
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use serde_json::json;
use sha2::Sha256;
use store::webhooks::{self, Delivery};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::timeout;

use crate::Service;

/// How long a receiver may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
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

fn client(private: bool) -> reqwest::Result<Client> {
    Client::builder()
        .dns_resolver(Arc::new(PublicOnly { private }))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .user_agent(concat!("ffasr/", env!("CARGO_PKG_VERSION")))
        .build()
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
    if !matches!(parsed.scheme(), "https" | "http") {
        return Err("The address must begin with https:// or http://.".to_owned());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(
            "The address must not hold a name or a password; deliveries are signed instead.".to_owned()
        );
    }
    if url.len() > 2000 {
        return Err("The address has more than 2000 characters.".to_owned());
    }
    let host = parsed.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let literal = host.parse::<IpAddr>().ok();
    if !private && literal.is_some_and(|address| !is_public(address)) {
        return Err("This is a private address, which is not called from here.".to_owned());
    }
    Ok(())
}

/// Resolves names and keeps the public addresses.
struct PublicOnly {
    private: bool,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> =
                found.filter(|address| private || is_public(address.ip())).collect();
            if usable.is_empty() {
                return Err("no public address".into());
            }
            let addresses: Addrs = Box::new(usable.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is one of the public Internet: not in the registries of special-purpose addresses (RFC 6890 and
/// its IANA registries), nor an IPv6 form that wraps an IPv4 one.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_unspecified()
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        // Carrier-grade NAT, RFC 6598.
        || (a == 100 && (64..128).contains(&b))
        // Protocol assignments and the deprecated 6to4 relay.
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        // Benchmarking, RFC 2544.
        || (a == 198 && (18..20).contains(&b))
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Only global unicast is assigned, and of it not: protocol assignments with Teredo (2001::/23), documentation
    // (2001:db8::/32, 3fff::/20) and 6to4 (2002::/16), which wraps an IPv4 address.
    (first & 0xe000) == 0x2000
        && !(first == 0x2001 && second < 0x0200)
        && !(first == 0x2001 && second == 0x0db8)
        && first != 0x2002
        && !(first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_called() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2001::1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

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

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_called() {
        let resolve = |private| PublicOnly { private }.resolve("localhost".parse().unwrap());
        assert!(resolve(false).await.is_err());
        assert!(resolve(true).await.is_ok());
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
