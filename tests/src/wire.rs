//! A network of its own for one process: a namespace behind a virtual cable, which can be pulled.
//!
//! Unlike a proxy that is cut ([`crate::Line`]), a pulled cable says nothing: no connection is closed or refused, packets
//! vanish. Needs the right to make network namespaces, and iproute2.

use std::{net::Ipv4Addr, process::Command};

/// A namespace joined to this machine's network by one cable. Dropping it takes both away.
pub struct Wire {
    name: String,
    /// This machine's address, as the namespace sees it.
    pub here: Ipv4Addr,
}

impl Wire {
    /// Lays the cable; in words why that is not possible on this machine.
    ///
    /// # Errors
    /// Without iproute2, or without the rights it needs.
    pub fn lay() -> Result<Self, String> {
        // Of the range for benchmarks of networks (RFC 2544), a subnet of four addresses for each process.
        let number = std::process::id() % (1 << 15);
        let subnet = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 4 * number;
        let (here, there) = (Ipv4Addr::from(subnet + 1), Ipv4Addr::from(subnet + 2));
        let name = format!("ffasr{number}");
        ip(&["netns", "add", &name])?;
        // From here on something is to be taken away again.
        let wire = Self { name, here };
        let (near, far) = (wire.near(), format!("ff{number}b"));
        ip(&["link", "add", &near, "type", "veth", "peer", "name", &far, "netns", &wire.name])?;
        ip(&["address", "add", &format!("{here}/30"), "dev", &near])?;
        ip(&["-n", &wire.name, "address", "add", &format!("{there}/30"), "dev", &far])?;
        ip(&["-n", &wire.name, "link", "set", &far, "up"])?;
        ip(&["-n", &wire.name, "link", "set", "lo", "up"])?;
        ip(&["link", "set", &near, "up"])?;
        Ok(wire)
    }

    fn near(&self) -> String {
        format!("{}a", self.name)
    }

    /// What a command line starts with to run in the namespace.
    pub fn prefix(&self) -> [String; 2] {
        ["nsenter".to_owned(), format!("--net=/run/netns/{}", self.name)]
    }

    /// Pulls the cable: nothing arrives any more, and nobody is told.
    pub fn cut(&self) {
        ip(&["link", "set", &self.near(), "down"]).unwrap();
    }

    /// Plugs it in again.
    pub fn mend(&self) {
        ip(&["link", "set", &self.near(), "up"]).unwrap();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The far end goes with its namespace, and the near end with it; a process that is left holds both.
        let _ = ip(&["link", "delete", &self.near()]);
        let _ = ip(&["netns", "delete", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
