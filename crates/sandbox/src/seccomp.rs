//! The system calls a model may use: an allow list, everything else answers "no such system call" (ENOSYS).
//!
//! An allow list because the kernel grows calls faster than a deny list does, and because it also covers the
//! x32 numbers. `clone3` is left out on purpose: its flags lie behind a pointer that a filter cannot read, and
//! C libraries fall back to `clone`, whose namespace flags are refused here. Sockets are Unix sockets only.
//! Where no cgroup charges memory that no process maps, the calls that make such memory are refused as well.

use std::{env::consts::ARCH, io};

use seccompiler::{BpfProgram, TargetArch};

const POLICY: &str = include_str!("seccomp.json");

/// Memory made with these outlives its mapping, so that a sum over what processes map does not see it.
const UNMAPPED_MEMORY: [&str; 5] = ["memfd_create", "shmat", "shmctl", "shmdt", "shmget"];

/// The compiled policy in the kernel's format (`struct sock_filter[]`), as bubblewrap reads it. `charged`: whether
/// a cgroup charges all memory.
pub(crate) fn program(charged: bool) -> io::Result<Vec<u8>> {
    let mut policy: serde_json::Value = serde_json::from_str(POLICY)?;
    if let Some(rules) = policy.pointer_mut("/model/filter").and_then(serde_json::Value::as_array_mut) {
        let refused = |rule: &serde_json::Value| {
            rule["syscall"].as_str().is_some_and(|name| UNMAPPED_MEMORY.contains(&name))
        };
        rules.retain(|rule| charged || !refused(rule));
    }
    let arch = TargetArch::try_from(ARCH).map_err(io::Error::other)?;
    let mut filters =
        seccompiler::compile_from_json(policy.to_string().as_bytes(), arch).map_err(io::Error::other)?;
    let program: BpfProgram = filters
        .remove("model")
        .ok_or_else(|| io::Error::other("the seccomp policy has no filter `model`"))?;
    Ok(program.iter().flat_map(instruction).collect())
}

fn instruction(filter: &seccompiler::sock_filter) -> [u8; 8] {
    let [c0, c1] = filter.code.to_ne_bytes();
    let [k0, k1, k2, k3] = filter.k.to_ne_bytes();
    [c0, c1, filter.jt, filter.jf, k0, k1, k2, k3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_compiles_and_fits_the_kernels_limit_of_4096_instructions() {
        let bytes = program(true).unwrap();
        assert!(program(false).unwrap().len() < bytes.len(), "memory that nobody maps is refused");
        assert_eq!(bytes.len() % 8, 0);
        assert!(bytes.len() / 8 <= 4096, "{} instructions", bytes.len() / 8);
    }
}
