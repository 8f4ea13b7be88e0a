//! What this node is made of, from `/proc`.

use std::{fs, path::Path};

use protocol::NodeFingerprint;

/// This node: speeds compare only between runs on equal ones. What cannot be found out is left empty or zero.
pub fn fingerprint() -> NodeFingerprint {
    let cpuinfo = read("/proc/cpuinfo");
    let kib =
        field(&read("/proc/meminfo"), "MemTotal").and_then(|it| it.strip_suffix("kB")?.trim().parse().ok());
    NodeFingerprint {
        cpu: field(&cpuinfo, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(0, |it| it.get() as u32),
        memory_bytes: kib.unwrap_or(0_u64) * 1024,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        accelerators: sandbox::nvidia(Path::new("/")).into_iter().map(|it| it.name).collect(),
        worker_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_space_around_them() {
        // As /proc/cpuinfo and /proc/meminfo write them.
        assert_eq!(
            field("processor\t: 0\nmodel name\t: AMD EPYC\n", "model name").as_deref(),
            Some("AMD EPYC")
        );
        assert_eq!(field("MemTotal:       24684084 kB\n", "MemTotal").as_deref(), Some("24684084 kB"));
        assert_eq!(field("", "Model"), None);
    }

    #[test]
    fn this_node_has_cores_memory_and_a_kernel() {
        let node = fingerprint();
        assert!(node.cores > 0 && node.memory_bytes > 0 && !node.kernel.is_empty(), "{node:?}");
    }
}
