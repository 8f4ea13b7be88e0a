//! The system calls a model may use: an allow list, everything else answers "no such system call" (ENOSYS).
//!
//! An allow list because the kernel grows calls faster than a deny list does, and because it also covers the
//! x32 numbers. `clone3` is left out on purpose: its flags lie behind a pointer that a filter cannot read, and
//! C libraries fall back to `clone`, whose namespace flags are refused here. Sockets are Unix sockets only.

use std::{env::consts::ARCH, io};

use seccompiler::{BpfProgram, TargetArch};

const POLICY: &str = include_str!("seccomp.json");

/// The compiled policy in the kernel's format (`struct sock_filter[]`), as bubblewrap reads it.
pub(crate) fn program() -> io::Result<Vec<u8>> {
    let arch = TargetArch::try_from(ARCH).map_err(io::Error::other)?;
    let mut filters = seccompiler::compile_from_json(POLICY.as_bytes(), arch).map_err(io::Error::other)?;
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
        let bytes = program().unwrap();
        assert_eq!(bytes.len() % 8, 0);
        assert!(bytes.len() / 8 <= 4096, "{} instructions", bytes.len() / 8);
    }
}
