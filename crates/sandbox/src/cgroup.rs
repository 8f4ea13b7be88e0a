//! Limits for a whole process tree: memory, processes, processor time.
//!
//! Version 2 where the controllers are delegated to this process, else the version 1 controllers, else nothing
//! (then `watchdog` sums the memory of the tree). Groups are plain directories; a few small writes each.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::fs::{Access, access};

const GROUP_PREFIX: &str = "ffasr-run-";
const SUPERVISOR_GROUP: &str = "ffasr-supervisor";
const CPU_PERIOD_MICROSECONDS: u64 = 100_000;

/// What a process tree may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TreeLimits {
    pub(crate) memory_bytes: u64,
    pub(crate) processes: u32,
    pub(crate) cores: u32,
}

/// Where groups can be made on this machine.
#[derive(Debug, Clone)]
pub(crate) enum Hierarchy {
    /// One tree with all controllers; groups are made in this directory.
    V2(PathBuf),
    /// One tree a controller; that which counts processor time is often the same as `cpu`, and not needed.
    V1 { memory: PathBuf, pids: PathBuf, cpu: PathBuf, accounting: Option<PathBuf> },
    /// No usable controllers, and why.
    Unavailable(String),
}

/// A group that holds one process tree. Removed when dropped, which works only once it is empty.
#[derive(Debug)]
pub(crate) struct Group {
    memory: PathBuf,
    others: Vec<PathBuf>,
    version: u8,
}

impl Hierarchy {
    /// Look at this process's own groups and the mounted hierarchies.
    pub(crate) fn detect() -> Self {
        match (read("/proc/self/mountinfo"), read("/proc/self/cgroup")) {
            (Ok(mounts), Ok(own)) => {
                let found =
                    v2(&mounts, &own).or_else(|reason| v1(&mounts, &own).map_err(|other| [reason, other]));
                match found {
                    Ok(hierarchy) => {
                        hierarchy.remove_stale();
                        hierarchy
                    }
                    Err(reasons) => Self::Unavailable(reasons.join("; ")),
                }
            }
            _ => Self::Unavailable("/proc is not readable".to_owned()),
        }
    }

    /// A new group with these limits, or `None` where there are no controllers.
    pub(crate) fn create(&self, limits: TreeLimits) -> io::Result<Option<Group>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{GROUP_PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let quota = u64::from(limits.cores.max(1)) * CPU_PERIOD_MICROSECONDS;
        let group = match self {
            Self::Unavailable(_) => return Ok(None),
            Self::V2(base) => Group { memory: base.join(&name), others: Vec::new(), version: 2 },
            Self::V1 { memory, pids, cpu, accounting } => Group {
                memory: memory.join(&name),
                others: [pids, cpu].into_iter().chain(accounting).map(|it| it.join(&name)).collect(),
                version: 1,
            },
        };
        for directory in group.directories() {
            fs::create_dir(directory)?;
        }
        if let [pids, cpu, ..] = group.others.as_slice() {
            write(&group.memory, "memory.limit_in_bytes", limits.memory_bytes)?;
            // Only there with swap accounting; without it there is nothing to bound.
            let _ = write(&group.memory, "memory.memsw.limit_in_bytes", limits.memory_bytes);
            write(pids, "pids.max", limits.processes)?;
            write(cpu, "cpu.cfs_period_us", CPU_PERIOD_MICROSECONDS)?;
            write(cpu, "cpu.cfs_quota_us", quota)?;
        } else {
            write(&group.memory, "memory.max", limits.memory_bytes)?;
            let _ = write(&group.memory, "memory.swap.max", 0);
            write(&group.memory, "memory.oom.group", 1)?;
            write(&group.memory, "pids.max", limits.processes)?;
            write(&group.memory, "cpu.max", format!("{quota} {CPU_PERIOD_MICROSECONDS}"))?;
        }
        Ok(Some(group))
    }

    /// What is in force, in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::V2(_) => "cgroup v2 (memory, pids, cpu)".to_owned(),
            Self::V1 { .. } => "cgroup v1 (memory, pids, cpu)".to_owned(),
            Self::Unavailable(reason) => format!("no cgroup, so rlimits and a memory watchdog ({reason})"),
        }
    }

    /// A supervisor that was killed leaves empty groups behind; one whose process is gone may be removed.
    fn remove_stale(&self) {
        let bases = match self {
            Self::V2(base) => vec![base],
            Self::V1 { memory, pids, cpu, accounting } => {
                [memory, pids, cpu].into_iter().chain(accounting).collect()
            }
            Self::Unavailable(_) => Vec::new(),
        };
        for entry in bases.into_iter().filter_map(|base| fs::read_dir(base).ok()).flatten().flatten() {
            let name = entry.file_name();
            let owner = name
                .to_str()
                .and_then(|name| name.strip_prefix(GROUP_PREFIX))
                .and_then(|rest| rest.split('-').next());
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Group {
    fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.memory).chain(&self.others)
    }

    /// Move a process in; what it starts from then on is in too.
    pub(crate) fn attach(&self, pid: u32) -> io::Result<()> {
        self.directories().try_for_each(|directory| write(directory, "cgroup.procs", pid))
    }

    /// How many processes the kernel killed for want of memory.
    pub(crate) fn out_of_memory_kills(&self) -> u64 {
        let file = if self.version == 2 { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.memory.join(file)).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }

    /// Highest memory charged so far, in bytes; counts the page cache of files the tree read first.
    pub(crate) fn peak_memory_bytes(&self) -> Option<u64> {
        let file = if self.version == 2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        fs::read_to_string(self.memory.join(file)).ok()?.trim().parse().ok()
    }

    /// Processor time of the tree so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> Option<f64> {
        if self.version == 2 {
            let text = read(self.memory.join("cpu.stat")).ok()?;
            let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
            return Some(usage.trim().parse::<f64>().ok()? * 1e-6);
        }
        let usage = self.others.iter().find_map(|it| read(it.join("cpuacct.usage")).ok())?;
        Some(usage.trim().parse::<f64>().ok()? * 1e-9)
    }

    /// Whether no process is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.directories().all(|it| read(it.join("cgroup.procs")).is_ok_and(|text| text.trim().is_empty()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in self.directories() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// A mounted cgroup file system.
#[derive(Debug, PartialEq)]
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

/// Lines of `/proc/self/mountinfo` (proc(5)): `id parent dev root point options [tags] - kind source super`.
fn cgroup_mounts(mountinfo: &str) -> impl Iterator<Item = Mount<'_>> {
    mountinfo.lines().filter_map(|line| {
        let (place, file_system) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let mut file_system = file_system.split(' ');
        let mount = Mount {
            root: place.next()?,
            point: place.next()?,
            kind: file_system.next()?,
            options: file_system.nth(1)?,
        };
        mount.kind.starts_with("cgroup").then_some(mount)
    })
}

/// The path of this process in the hierarchy with `controller` (`""` for version 2), from `/proc/self/cgroup`.
fn own_path<'a>(own: &'a str, controller: &str) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        fields.next()?.split(',').any(|name| name == controller).then(|| fields.next()).flatten()
    })
}

/// Where a group path lies below its mount point; the mount point itself if it lies outside of the mount.
fn directory(mount: &Mount<'_>, path: &str) -> PathBuf {
    let point = Path::new(mount.point);
    Path::new(path)
        .strip_prefix(mount.root)
        .map(|relative| point.join(relative))
        .ok()
        .filter(|it| it.is_dir())
        .unwrap_or_else(|| point.to_path_buf())
}

fn v1(mounts: &str, own: &str) -> Result<Hierarchy, String> {
    let find = |controller: &str| {
        let mount = cgroup_mounts(mounts)
            .find(|it| it.kind == "cgroup" && it.options.split(',').any(|option| option == controller))
            .ok_or_else(|| format!("no cgroup v1 controller `{controller}`"))?;
        let directory = directory(&mount, own_path(own, controller).unwrap_or("/"));
        writable(&directory).map(|()| directory)
    };
    let (memory, pids, cpu) = (find("memory")?, find("pids")?, find("cpu")?);
    let accounting = find("cpuacct").ok().filter(|it| same_place(it) != same_place(&cpu));
    Ok(Hierarchy::V1 { memory, pids, cpu, accounting })
}

/// Two paths may be links to one mount.
fn same_place(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|it| (it.dev(), it.ino()))
}

/// Version 2 allows groups with controllers only in a group that holds no process itself. So either this
/// process is alone in a delegated group and moves into a leaf of it, or it is root and uses the top.
fn v2(mounts: &str, own: &str) -> Result<Hierarchy, String> {
    let mount = cgroup_mounts(mounts).find(|it| it.kind == "cgroup2").ok_or("no cgroup v2")?;
    let own = directory(&mount, own_path(own, "").ok_or("not in a cgroup v2 group")?);
    let delegated = match own.parent() {
        Some(parent) if own.ends_with(SUPERVISOR_GROUP) => usable(parent).map(|()| parent.to_path_buf()),
        _ => usable(&own).and_then(|()| move_into_leaf(&own)).map(|()| own.clone()),
    };
    let top = Path::new(mount.point);
    let base = delegated.or_else(|reason| match usable(top) {
        Ok(()) => Ok(top.to_path_buf()),
        Err(_) => Err(reason),
    })?;
    enable_controllers(&base)?;
    Ok(Hierarchy::V2(base))
}

/// Whether the needed controllers can be used below `group`.
fn usable(group: &Path) -> Result<(), String> {
    let controllers = read(group.join("cgroup.controllers")).map_err(|error| error.to_string())?;
    let missing: Vec<&str> = ["memory", "pids", "cpu"]
        .into_iter()
        .filter(|name| !controllers.split_whitespace().any(|it| it == *name))
        .collect();
    if missing.is_empty() {
        writable(group)
    } else {
        Err(format!("cgroup v2 group {} lacks {}", group.display(), missing.join(", ")))
    }
}

fn move_into_leaf(own: &Path) -> Result<(), String> {
    let processes = read(own.join("cgroup.procs")).map_err(|error| error.to_string())?;
    let me = std::process::id();
    if own.join("cgroup.type").exists() && processes.lines().any(|line| line != me.to_string()) {
        return Err(format!(
            "the cgroup v2 group {} holds other processes; run under a unit of its own with Delegate=yes",
            own.display()
        ));
    }
    let leaf = own.join(SUPERVISOR_GROUP);
    fs::create_dir_all(&leaf)
        .and_then(|()| write(&leaf, "cgroup.procs", me))
        .map_err(|error| format!("cannot make the leaf {}: {error}", leaf.display()))
}

fn enable_controllers(base: &Path) -> Result<(), String> {
    write(base, "cgroup.subtree_control", "+memory +pids +cpu")
        .map_err(|error| format!("controllers cannot be enabled in {}: {error}", base.display()))
}

fn writable(directory: &Path) -> Result<(), String> {
    access(directory, Access::WRITE_OK).map_err(|_| format!("{} is not writable", directory.display()))
}

fn read(path: impl AsRef<Path>) -> io::Result<String> {
    fs::read_to_string(path)
}

fn write(directory: &Path, file: &str, value: impl std::fmt::Display) -> io::Result<()> {
    let path = directory.join(file);
    fs::write(&path, value.to_string())
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The two lines are as a Debian 12 host with systemd and a hybrid host show them.
    const V2_MOUNT: &str = "35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1_MOUNT: &str = "31 28 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

    #[test]
    fn mounts_are_read_with_and_without_optional_tags() {
        let both = [V2_MOUNT, V1_MOUNT].concat();
        let found: Vec<_> = cgroup_mounts(&both).map(|it| (it.kind, it.point, it.root)).collect();
        assert_eq!(found, [("cgroup2", "/sys/fs/cgroup", "/"), ("cgroup", "/sys/fs/cgroup/memory", "/")]);
    }

    #[test]
    fn the_own_group_is_found_by_controller() {
        let own = "4:memory:/pod/one\n1:cpu,cpuacct:/\n0::/system.slice/ffasr.service\n";
        assert_eq!(own_path(own, "memory"), Some("/pod/one"));
        assert_eq!(own_path(own, "cpu"), Some("/"));
        assert_eq!(own_path(own, ""), Some("/system.slice/ffasr.service"));
        assert_eq!(own_path(own, "pids"), None);
    }

    #[test]
    fn a_machine_without_controllers_says_what_is_missing() {
        assert_eq!(v1("", "").unwrap_err(), "no cgroup v1 controller `memory`");
        assert_eq!(v2(V1_MOUNT, "").unwrap_err(), "no cgroup v2");
    }
}
