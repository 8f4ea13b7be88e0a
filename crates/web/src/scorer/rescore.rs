//! Scoring kept hypotheses again, under another scorer. Results of other scorers stay as they are.

use std::{collections::BTreeMap, sync::Arc};

use protocol::{ReleaseId, SubmissionId};
use scoring::ScoringProfile;
use store::{
    PgPool, StoreError,
    objects::{self, ObjectStore},
    releases::{self, Reference, Release},
    scores::{self, ItemCounts, Kept, NewScores, Published},
    sealed::SealingKey,
};

use super::{RESULTS_LIMIT, of_release, score_apart};
use crate::{board::Row, ranking};

/// What is to be scored again, and how.
#[derive(Debug, Clone)]
pub struct Rescoring {
    /// The scorer to apply; English normalisers to releases in English alone, the basic one to the others.
    pub scorer: ScoringProfile,
    /// The scorer to compare with, in the same way.
    pub against: ScoringProfile,
    /// One release, `slug@version` or the newest of a slug; nothing means all.
    pub release: Option<String>,
    /// Compute everything, store nothing.
    pub dry_run: bool,
    /// The operator's key, where references are sealed.
    pub key: Option<SealingKey>,
}

/// What came of it.
#[derive(Debug)]
pub struct Rescored {
    /// Attempts scored now.
    pub scored: usize,
    /// Attempts that could not be scored, each with a sentence about why.
    pub failed: Vec<(SubmissionId, String)>,
    /// What it does to each board.
    pub boards: Vec<BoardChange>,
}

/// How the ranking of one release on one hardware class differs between two scorers.
#[derive(Debug)]
pub struct BoardChange {
    /// The release, `slug@version`.
    pub release: String,
    /// The hardware class.
    pub hardware_class: String,
    /// Best first by the new scorer; models without a result under it last.
    pub rows: Vec<RankChange>,
}

/// One model under two scorers.
#[derive(Debug, Clone, PartialEq)]
pub struct RankChange {
    /// Name of the model.
    pub model: String,
    /// Place and Avg WER under the scorer compared with.
    pub old: Option<(u32, f64)>,
    /// Place and Avg WER under the scorer applied.
    pub new: Option<(u32, f64)>,
}

/// Why nothing could be scored again.
#[derive(Debug, thiserror::Error)]
pub enum RescoreError {
    /// There is no such release.
    #[error("there is no frozen release \u{201c}{0}\u{201d}")]
    NoRelease(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Applies a scorer to the kept hypotheses of all published results that lack it. Each attempt is stored when it is
/// done, so that an interrupted run goes on where it was, and a finished one has nothing to do. `progress` hears how
/// many of how many are done.
///
/// # Errors
/// See [`RescoreError`]. An attempt that cannot be scored is no error but listed.
pub async fn rescore(
    pool: &PgPool,
    objects: &ObjectStore,
    request: &Rescoring,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Rescored, RescoreError> {
    let frozen = releases::frozen(pool).await?;
    let wanted = match &request.release {
        None => frozen,
        Some(name) => {
            let is_meant = |release: &Release| {
                release.slug == *name || format!("{}@{}", release.slug, release.version) == *name
            };
            // The newest version comes first.
            let found =
                frozen.into_iter().find(is_meant).ok_or_else(|| RescoreError::NoRelease(name.clone()))?;
            vec![found]
        }
    };
    let mut todo = Vec::new();
    for release in &wanted {
        let scorer = of_release(request.scorer, release);
        let kept = scores::unscored(pool, &scorer.scorer(), Some(release.id)).await?;
        todo.extend(kept.into_iter().map(|kept| (scorer, kept)));
    }
    let mut work = Work::default();
    let mut failed = Vec::new();
    let mut scored = 0;
    for (done, (scorer, kept)) in todo.iter().enumerate() {
        progress(done, todo.len());
        match work.score(pool, objects, request, *scorer, kept).await? {
            Ok(()) => scored += 1,
            Err(reason) => failed.push((kept.submission, reason)),
        }
    }
    progress(todo.len(), todo.len());
    let mut boards = Vec::new();
    for release in &wanted {
        boards.extend(work.compare(pool, request, release).await?);
    }
    Ok(Rescored { scored, failed, boards })
}

/// What is held while scoring again.
#[derive(Default)]
struct Work {
    /// References of the release in hand: attempts come release by release.
    references: Option<(ReleaseId, Arc<Vec<Reference>>)>,
    /// Results of a dry run, by submission.
    unstored: BTreeMap<SubmissionId, (NewScores, Vec<ItemCounts>)>,
}

impl Work {
    /// Scores one attempt. The inner error is a sentence about this attempt alone.
    async fn score(
        &mut self,
        pool: &PgPool,
        objects: &ObjectStore,
        request: &Rescoring,
        scorer: ScoringProfile,
        kept: &Kept,
    ) -> Result<Result<(), String>, StoreError> {
        let references = self.references(pool, kept.release, request.key.as_ref()).await?;
        let content = match objects.get(&objects::results_key(kept.attempt), RESULTS_LIMIT).await {
            Ok(content) => content,
            Err(error) => return Ok(Err(format!("its kept results cannot be read: {error}"))),
        };
        let profiles = vec![scorer];
        let scored = score_apart(content, kept.results_sha256.clone(), references.clone(), profiles).await;
        for scores in match scored {
            Ok(outcomes) => outcomes.scores,
            Err(failure) => return Ok(Err(failure.message)),
        } {
            if request.dry_run {
                let counts = item_counts(&scores, &references);
                self.unstored.insert(kept.submission, (scores, counts));
            } else {
                scores::add(pool, kept.attempt, &scores).await?;
            }
        }
        Ok(Ok(()))
    }

    async fn references(
        &mut self,
        pool: &PgPool,
        release: ReleaseId,
        key: Option<&SealingKey>,
    ) -> Result<Arc<Vec<Reference>>, StoreError> {
        match &self.references {
            Some((of, references)) if *of == release => Ok(references.clone()),
            _ => {
                let references = Arc::new(releases::references(pool, release, key).await?);
                self.references = Some((release, references.clone()));
                Ok(references)
            }
        }
    }

    /// The boards of a release under both scorers.
    async fn compare(
        &self,
        pool: &PgPool,
        request: &Rescoring,
        release: &Release,
    ) -> Result<Vec<BoardChange>, StoreError> {
        let old = published_by_hardware(pool, of_release(request.against, release), release.id).await?;
        let new = published_by_hardware(pool, of_release(request.scorer, release), release.id).await?;
        let mut changes = Vec::new();
        for (hardware_class, results) in old {
            let mut again = new.get(&hardware_class).cloned().unwrap_or_default();
            for (result, _) in &results {
                if let Some((scores, counts)) = self.unstored.get(&result.submission) {
                    let summary = scores.summary.clone();
                    let result = Published { scorer: scores.scorer.clone(), summary, ..result.clone() };
                    again.push((result, counts.clone()));
                }
            }
            let (old, new) = (ranking::rank_apart(results).await?, ranking::rank_apart(again).await?);
            changes.push(BoardChange {
                release: format!("{}@{}", release.slug, release.version),
                hardware_class,
                rows: changes_of(&old, &new),
            });
        }
        Ok(changes)
    }
}

type Counted = (Published, Vec<ItemCounts>);

async fn published_by_hardware(
    pool: &PgPool,
    scorer: ScoringProfile,
    release: ReleaseId,
) -> Result<BTreeMap<String, Vec<Counted>>, StoreError> {
    let scorer = scorer.scorer();
    let mut by_hardware: BTreeMap<String, Vec<Counted>> = BTreeMap::new();
    for result in scores::published(pool, &scorer).await? {
        if result.release == release && result.summary.avg_wer.is_some() {
            let counts = scores::item_counts(pool, result.attempt, &scorer).await?;
            by_hardware.entry(result.hardware_class.clone()).or_default().push((result, counts));
        }
    }
    Ok(by_hardware)
}

/// What the database would say of scores that are not in it.
fn item_counts(scores: &NewScores, references: &[Reference]) -> Vec<ItemCounts> {
    let by_id: BTreeMap<_, _> = references.iter().map(|reference| (reference.id.0, reference)).collect();
    let narrow = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let mut counts: Vec<ItemCounts> = scores
        .items
        .iter()
        .filter_map(|item| {
            let reference = by_id.get(&item.item.0)?;
            Some(ItemCounts {
                item_id: item.item.0,
                track: reference.track.clone(),
                utterance: reference.utterance.clone(),
                talker: reference.talker.clone(),
                room: reference.room.clone(),
                hits: narrow(item.hits),
                substitutions: narrow(item.substitutions),
                deletions: narrow(item.deletions),
                insertions: narrow(item.insertions),
            })
        })
        .collect();
    counts.sort_unstable_by_key(|item| item.item_id);
    counts
}

fn changes_of(old: &[Row], new: &[Row]) -> Vec<RankChange> {
    let place = |row: &Row| (row.rank, row.result.summary.avg_wer.unwrap_or(f64::NAN));
    let find = |rows: &[Row], row: &Row| {
        rows.iter().find(|other| other.result.submission == row.result.submission).map(place)
    };
    let of_new = new.iter().map(|row| RankChange {
        model: row.result.manifest.name.clone(),
        old: find(old, row),
        new: Some(place(row)),
    });
    let lost = old.iter().filter(|row| find(new, row).is_none()).map(|row| RankChange {
        model: row.result.manifest.name.clone(),
        old: Some(place(row)),
        new: None,
    });
    of_new.chain(lost).collect()
}
