//! Memory of a process tree where no cgroup can hold it: the sum of the proportional set sizes (PSS) of all
//! processes below the sandbox's first, looked at with every tick of the supervisor.

use std::fs;

/// PSS in bytes of `root` and everything it started. A process that ends meanwhile counts as nothing.
pub(crate) fn tree_memory_bytes(root: u32) -> u64 {
    let mut pending = vec![root];
    let mut total = 0;
    while let Some(pid) = pending.pop() {
        total += pss_bytes(pid);
        pending.extend(children(pid));
    }
    total
}

fn pss_bytes(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|it| it.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_tree_uses_memory_and_a_process_that_is_not_there_none() {
        assert!(tree_memory_bytes(std::process::id()) > 0);
        assert_eq!(tree_memory_bytes(u32::MAX), 0);
    }
}
