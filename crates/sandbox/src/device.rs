//! Accelerators of this machine and what a model needs to see of them: device nodes and the driver's libraries.
//!
//! A process sees the devices whose nodes it is given and no others, so a model gets those of its attempt alone. That
//! no two attempts get the same one is the worker's business.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Nodes that every NVIDIA device needs beside its own; those that are missing are not needed here.
const NVIDIA_SHARED: [&str; 3] = ["dev/nvidiactl", "dev/nvidia-uvm", "dev/nvidia-uvm-tools"];

/// Where drivers put libraries when they are not among the system's, which a model sees anyway.
const NVIDIA_LIBRARIES: [&str; 3] =
    ["usr/local/nvidia/lib64", "run/opengl-driver/lib", "usr/local/nvidia/lib"];

/// One accelerator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Model, as the driver names it.
    pub name: String,
    /// The driver's own name for this one device, unique in the world.
    pub uuid: String,
    /// Device nodes.
    pub nodes: Vec<Node>,
    /// Directories of libraries.
    pub libraries: Vec<Node>,
}

/// A path on the host and the one under which a model finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// On the host.
    pub host: PathBuf,
    /// Inside.
    pub inside: PathBuf,
}

/// The NVIDIA devices of a machine whose `/proc` and `/dev` are below `root`, in the order of their numbers; none
/// where there is no driver. A device without a node is left out: nothing could use it.
pub fn nvidia(root: &Path) -> Vec<Device> {
    let node = |name: &str| Node { host: root.join(name), inside: Path::new("/").join(name) };
    let present = |names: &[&str]| -> Vec<Node> {
        names.iter().map(|it| node(it)).filter(|it| it.host.exists()).collect()
    };
    let mut found: Vec<(u32, Device)> = fs::read_dir(root.join("proc/driver/nvidia/gpus"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path().join("information")).ok()?;
            let number = field(&text, "Device Minor")?.parse().ok()?;
            let own = node(&format!("dev/nvidia{number}"));
            let mut nodes = present(&NVIDIA_SHARED);
            nodes.insert(0, own.host.exists().then_some(own)?);
            let device = Device {
                name: field(&text, "Model")?.to_owned(),
                uuid: field(&text, "GPU UUID")?.to_owned(),
                nodes,
                libraries: present(&NVIDIA_LIBRARIES),
            };
            Some((number, device))
        })
        .collect();
    found.sort_by_key(|it| it.0);
    found.into_iter().map(|it| it.1).collect()
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_found_in_the_order_of_their_numbers_with_the_nodes_that_exist() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        // The form of /proc/driver/nvidia/gpus/*/information of driver 550.
        for (bus, minor) in [("0000:17:00.0", 1), ("0000:65:00.0", 0), ("0000:99:00.0", 7)] {
            let text = format!(
                "Model: \t\t NVIDIA L4\nIRQ:   \t\t 131\nGPU UUID: \t GPU-{minor}\nDevice Minor: \t {minor}\nGPU Excluded:\t No\n"
            );
            write(&format!("proc/driver/nvidia/gpus/{bus}/information"), &text);
        }
        for node in ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"] {
            write(&format!("dev/{node}"), "");
        }
        let found = nvidia(root.path());
        assert_eq!(found.iter().map(|it| it.uuid.as_str()).collect::<Vec<_>>(), ["GPU-0", "GPU-1"]);
        let inside: Vec<&str> = found[1].nodes.iter().map(|it| it.inside.to_str().unwrap()).collect();
        assert_eq!(inside, ["/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"]);
        assert_eq!((found[0].name.as_str(), found[0].libraries.len()), ("NVIDIA L4", 0));
        assert_eq!(nvidia(Path::new("/nonexistent")), []);
    }
}
