//! HTTP clients that call only the public Internet, for addresses that somebody else has a say in.
//!
//! Such a request must not be a way into the network behind the caller. Names are resolved here, every address that is
//! not a public one is dropped, and the connection goes to what is left; so a name that resolves differently the second
//! time gains nothing. No proxy is used. What the operator has named is exempt ([`Reach`]).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    ClientBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

const CONNECT: Duration = Duration::from_secs(5);
/// Hubs redirect once, to where the content is; a few more are none of our business.
const MOST_REDIRECTS: usize = 5;

/// Which addresses may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Public ones alone.
    Public,
    /// Public ones, and whatever this host is, which the operator has named.
    PublicAnd(String),
    /// All: only where no stranger chooses the address.
    Anywhere,
}

impl Reach {
    /// The reach of requests to `url`, which the operator has named: its host and public addresses.
    pub fn of_endpoint(url: &Url) -> Self {
        Self::PublicAnd(host(url).to_owned())
    }

    fn takes(&self, host: &str, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::PublicAnd(named) if named.eq_ignore_ascii_case(host) => true,
            Self::Public | Self::PublicAnd(_) => is_public(address),
        }
    }
}

/// A client within this reach that follows no redirects.
pub fn client(reach: Reach) -> ClientBuilder {
    ClientBuilder::new()
        .dns_resolver(Arc::new(Guard(reach)))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .user_agent(concat!("ffasr/", env!("CARGO_PKG_VERSION")))
}

/// A client within this reach that follows redirects, each under the same rule; credentials stay with the first host.
pub fn following_client(reach: Reach) -> ClientBuilder {
    let rule = reach.clone();
    client(reach).redirect(redirect::Policy::custom(move |attempt| {
        let downgraded =
            attempt.url().scheme() != "https" && attempt.previous().iter().any(|url| url.scheme() == "https");
        if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("too many redirects")
        } else if downgraded {
            attempt.error("a redirect leaves HTTPS")
        } else if let Err(reason) = check(attempt.url(), &rule) {
            attempt.error(reason)
        } else {
            attempt.follow()
        }
    }))
}

/// Whether an address may be called, or one sentence why not. What a name resolves to is checked when it is called.
///
/// # Errors
/// The sentence, for whoever chose the address.
pub fn check(url: &Url, reach: &Reach) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "https" | "http") {
        return Err("The address must begin with https:// or http://.");
    }
    // A literal address is not resolved, so it is judged here.
    match host(url).parse::<IpAddr>() {
        Ok(address) if !reach.takes(host(url), address) => {
            Err("This is a private address, which is not called from here.")
        }
        _ => Ok(()),
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// Resolves names and keeps the addresses within reach.
struct Guard(Reach);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> =
                found.filter(|address| reach.takes(name.as_str(), address.ip())).collect();
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

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_called_unless_the_operator_named_it() {
        let resolve = |reach| Guard(reach).resolve("localhost".parse().unwrap());
        assert!(resolve(Reach::Public).await.is_err());
        assert!(resolve(Reach::PublicAnd("hub.example".to_owned())).await.is_err());
        assert!(resolve(Reach::PublicAnd("localhost".to_owned())).await.is_ok());
        assert!(resolve(Reach::Anywhere).await.is_ok());
    }

    #[test]
    fn a_literal_address_is_judged_by_itself() {
        let url = |text: &str| Url::parse(text).unwrap();
        let named = Reach::of_endpoint(&url("http://127.0.0.1:9000/hub"));
        assert_eq!(check(&url("http://127.0.0.1:1/x"), &named), Ok(()));
        assert!(check(&url("http://127.0.0.2:9000/x"), &named).is_err());
        assert!(check(&url("http://[::ffff:127.0.0.1]/x"), &Reach::Public).is_err());
        assert!(check(&url("file:///etc/passwd"), &named).is_err());
    }
}
