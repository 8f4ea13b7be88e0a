//! Going on from where an earlier attempt was lost: what a run shares with those before and after it, and when its times
//! may stand beside theirs.
//!
//! Texts and times of an item belong together (what is timed is what is scored), so an item is taken over whole or run
//! again. Parts of a pass are one measurement when the board would compare them: equal hardware, kernel and worker, the
//! same runtime. A node with a golden value promises more, a steady pace from before a run to after it. A lost attempt
//! has no measurement after, so only the next one before, on that very node, can close it.

use std::fmt::Debug;

use protocol::{Basis, ItemResult, KeptPart, Moment};

use crate::calibration::Golden;

/// What a run shares with the attempts before and after it.
pub trait Ledger: Debug {
    /// The node's pace was measured.
    fn pace(&self, moment: Moment, seconds: f64);
    /// The run begins, at this pace if the node has a golden value: the items that need not run again.
    fn begin(&self, pace_seconds: Option<f64>) -> Vec<KeptPart>;
    /// An item of the scored pass is done.
    fn done(&self, item: ItemResult);
}

/// Whether a run `here` may go on from `parts`; `drift` is the most that the pace may differ where it is measured, as a share.
///
/// # Errors
/// Why its times may not stand beside those of one of the parts, in one sentence for the submitter.
pub(crate) fn may_continue(parts: &[KeptPart], here: &Basis, golden: Option<&Golden>) -> Result<(), String> {
    for part in parts {
        let there = &part.basis;
        if there.fingerprint != here.fingerprint {
            return Err("they were measured on another kind of node".to_owned());
        }
        if there.runtime_digest != here.runtime_digest {
            return Err("they were measured with another build of the runtime".to_owned());
        }
        match (golden, there.pace_seconds, here.pace_seconds) {
            (None, None, None) => {}
            (Some(_), Some(_), Some(_)) if !part.same_node => {
                return Err("the pace of the node they were measured on was not seen to hold".to_owned());
            }
            (Some(golden), Some(before), Some(now)) => {
                golden.judge(before, now).map_err(|_| "the node's pace has changed since".to_owned())?;
            }
            _ => return Err("the node's pace was measured on one side only".to_owned()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::AttemptId;

    use super::*;
    use crate::fingerprint;

    fn basis(pace_seconds: Option<f64>) -> Basis {
        Basis { fingerprint: fingerprint(), runtime_digest: "sha256:aa".to_owned(), pace_seconds }
    }

    fn part(same_node: bool, basis: Basis) -> [KeptPart; 1] {
        [KeptPart { attempt: AttemptId::new(), same_node, basis, items: Vec::new() }]
    }

    /// The rule of the method: 2 % from golden, 1.5 % from each other.
    fn golden() -> Golden {
        let node = fingerprint();
        Golden {
            golden_seconds: 0.1,
            range_seconds: (0.099, 0.101),
            tolerance: 0.02,
            drift: 0.015,
            cpu: node.cpu,
            kernel: node.kernel,
        }
    }

    #[test]
    fn without_a_golden_value_equal_nodes_continue_each_other_and_unequal_ones_do_not() {
        let here = basis(None);
        assert!(may_continue(&part(false, basis(None)), &here, None).is_ok());
        let mut other = basis(None);
        other.fingerprint.cores += 1;
        assert!(may_continue(&part(true, other), &here, None).unwrap_err().contains("another kind of node"));
        let other = Basis { runtime_digest: "sha256:bb".to_owned(), ..basis(None) };
        assert!(may_continue(&part(true, other), &here, None).unwrap_err().contains("another build"));
    }

    #[test]
    fn with_a_golden_value_the_same_node_continues_at_the_same_pace_only() {
        let (golden, here) = (golden(), basis(Some(0.1)));
        assert!(may_continue(&part(true, basis(Some(0.1010))), &here, Some(&golden)).is_ok());
        let drifted = may_continue(&part(true, basis(Some(0.1018))), &here, Some(&golden));
        assert!(drifted.unwrap_err().contains("pace has changed"));
        let elsewhere = may_continue(&part(false, basis(Some(0.1))), &here, Some(&golden));
        assert!(elsewhere.unwrap_err().contains("not seen to hold"));
        assert!(may_continue(&part(true, basis(None)), &here, Some(&golden)).is_err());
    }

    #[test]
    fn one_part_that_does_not_fit_is_enough() {
        let other = Basis { runtime_digest: "sha256:bb".to_owned(), ..basis(None) };
        let parts = [part(true, basis(None)), part(true, other)].concat();
        assert!(may_continue(&parts, &basis(None), None).is_err());
    }
}
