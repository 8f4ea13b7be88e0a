//! Tracks of a release as a model met them.

use std::collections::BTreeMap;

use protocol::DemandingTrack;
use store::{releases::Release, scores::Summary};

/// Tracks of the release on which a model was not run, and why: it has not named them. Never shown as zero.
pub(crate) fn not_run(release: &Release, summary: &Summary) -> BTreeMap<&'static str, &'static str> {
    let tracks = release.about["tracks"].as_array();
    let has = |name: &str| tracks.is_some_and(|tracks| tracks.iter().any(|track| track == name));
    let missing = DemandingTrack::ALL.into_iter().filter(|track| has(track.name()));
    missing
        .filter(|track| !summary.tracks.contains_key(track.name()))
        .map(|track| (track.name(), track.reason()))
        .collect()
}
