//! The board: one immutable snapshot in memory, built from the database, read by every page and by the API.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use protocol::{AttemptId, ReleaseId, SubmissionId};
use schemars::JsonSchema;
use scoring::ScoringProfile;
use selection::Candidate;
use serde::Serialize;
use store::{
    PgPool, StoreError,
    changes::{self, Change},
    external::{self, ExternalBoard},
    history::Place,
    releases::{self, PageFile, Release, Size},
    scores::{self, ByScorer, Published},
    self_reports::{self, SelfReport},
};
use time::OffsetDateTime;

use crate::{
    api::openapi::Moment,
    asked::{Asked, no_place},
    ranking, scorer, tracks,
};

/// Results read from the database at once.
const RESULTS_AT_ONCE: usize = 256;
/// How many changes a snapshot remembers, for the feeds.
const CHANGES: i64 = 200;

/// Everything a visitor can see, at one moment.
pub struct Snapshot {
    /// When it was built.
    pub built_at: OffsetDateTime,
    /// The frozen releases, the newest first.
    pub releases: Vec<Release>,
    /// A board for each release, hardware class and scoring profile that has results; a release without any has none.
    pub boards: Vec<Arc<Board>>,
    /// Boards published elsewhere.
    pub external: Vec<ExternalBoard>,
    /// What appeared on the boards and what left them, the newest first.
    pub changes: Vec<Change>,
    /// Results that their senders vouch for alone.
    pub self_reports: Vec<SelfReport>,
    sizes: Vec<(ReleaseId, Size)>,
    /// What the pages of each release show: pictures, figures and samples, by name.
    files: BTreeMap<ReleaseId, Arc<[PageFile]>>,
    by_scorer: BTreeMap<AttemptId, Vec<ByScorer>>,
    unscored: BTreeMap<(ReleaseId, &'static str), usize>,
}

/// Attempts and when they were scored.
type MadeFrom = Vec<(AttemptId, OffsetDateTime)>;

/// One release on one hardware class, as one profile scores it.
#[derive(Debug, Clone)]
pub struct Board {
    /// The release.
    pub release: ReleaseId,
    /// The scoring profile.
    pub profile: ScoringProfile,
    /// The hardware class: speeds compare only within one.
    pub hardware_class: String,
    /// Best first.
    pub rows: Vec<Row>,
    /// Names of the tracks that some row ran.
    ran: BTreeSet<String>,
    /// Where the row of a submission is.
    places: HashMap<SubmissionId, usize>,
    /// What it was made from: attempts and when they were scored. The same makes the same board.
    made_from: MadeFrom,
}

/// One model on a [`Board`].
#[derive(Debug, Clone)]
pub struct Row {
    /// Place by Avg WER, from 1.
    pub rank: u32,
    /// Places this model can hold within the 95 % confidence of the whole ranking.
    pub rank_interval: (u32, u32),
    /// It differs significantly from the row above, or is the first.
    pub opens_tie_group: bool,
    /// No other model is both faster and more accurate.
    pub on_front: bool,
    /// Share of the bootstrap draws of accuracy and speed in which that holds.
    pub front_probability: f64,
    /// The result.
    pub result: Arc<Published>,
    /// The model as a visitor chooses by it.
    pub candidate: Candidate,
}

impl AsRef<Candidate> for Row {
    fn as_ref(&self) -> &Candidate {
        &self.candidate
    }
}

impl Snapshot {
    /// Reads the database. A board of `previous` whose results are the same is kept as it is: resampling them anew would give
    /// the same numbers.
    pub(crate) async fn build(pool: &PgPool, previous: Option<&Self>) -> Result<Self, StoreError> {
        let releases = releases::frozen(pool).await?;
        let mut sizes = Vec::with_capacity(releases.len());
        let mut files = BTreeMap::new();
        for release in &releases {
            sizes.push((release.id, releases::size(pool, release.id).await?));
            // A frozen release never changes.
            let known = previous.and_then(|previous| previous.files.get(&release.id)).cloned();
            let shown = match known {
                Some(shown) => shown,
                None => releases::page_files(pool, release.id).await?.into(),
            };
            files.insert(release.id, shown);
        }
        let mut boards = Vec::new();
        let mut unscored = BTreeMap::new();
        for profile in ScoringProfile::ALL {
            let mut groups: BTreeMap<(ReleaseId, String), MadeFrom> = BTreeMap::new();
            for (scorer, of) in by_language(profile, &releases) {
                for kept in scores::unscored(pool, &scorer, None).await? {
                    if of.contains(&kept.release) {
                        *unscored.entry((kept.release, profile.name)).or_default() += 1;
                    }
                }
                for key in scores::published_keys(pool, &scorer).await? {
                    if of.contains(&key.release) {
                        let group = groups.entry((key.release, key.hardware_class));
                        group.or_default().push((key.attempt, key.scored_at));
                    }
                }
            }
            for ((release, hardware_class), made_from) in groups {
                let before = previous.and_then(|previous| {
                    previous.boards.iter().find(|board| {
                        board.release == release
                            && board.profile == profile
                            && board.hardware_class == hardware_class
                    })
                });
                if let Some(board) = before.filter(|board| board.made_from == made_from) {
                    boards.push(Arc::clone(board));
                    continue;
                }
                let scorer = releases
                    .iter()
                    .find(|it| it.id == release)
                    .map_or(profile, |release| scorer::of_release(profile, release));
                let results = results(pool, &scorer.scorer(), &made_from, before.map(Arc::as_ref)).await?;
                let rows = ranking::rank(pool, results).await?;
                let ran = rows.iter().flat_map(|row| row.candidate.tracks.keys().cloned()).collect();
                let places =
                    rows.iter().enumerate().map(|(place, row)| (row.result.submission, place)).collect();
                boards.push(Arc::new(Board {
                    release,
                    profile,
                    hardware_class,
                    rows,
                    ran,
                    places,
                    made_from,
                }));
            }
        }
        let mut by_scorer: BTreeMap<AttemptId, Vec<ByScorer>> = BTreeMap::new();
        for result in scores::by_scorer(pool).await? {
            by_scorer.entry(result.attempt).or_default().push(result);
        }
        let external = external::list(pool).await?;
        Ok(Self {
            built_at: OffsetDateTime::now_utc(),
            releases,
            boards,
            external,
            changes: changes::latest(pool, CHANGES).await?,
            self_reports: self_reports::list(pool).await?,
            sizes,
            files,
            by_scorer,
            unscored,
        })
    }

    /// Whether a visitor would read the same in both. What was not ranked anew is the same board.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let same_boards = self.boards.len() == other.boards.len()
            && self.boards.iter().zip(&other.boards).all(|(board, other)| Arc::ptr_eq(board, other));
        same_boards
            && self.releases == other.releases
            && self.external == other.external
            && self.changes == other.changes
            && self.self_reports.iter().map(|it| it.id).eq(other.self_reports.iter().map(|it| it.id))
            && self.sizes == other.sizes
            && self.by_scorer == other.by_scorer
            && self.unscored == other.unscored
    }

    /// A snapshot of nothing.
    pub(crate) fn empty() -> Self {
        Self {
            built_at: OffsetDateTime::UNIX_EPOCH,
            releases: Vec::new(),
            boards: Vec::new(),
            external: Vec::new(),
            changes: Vec::new(),
            self_reports: Vec::new(),
            sizes: Vec::new(),
            files: BTreeMap::new(),
            by_scorer: BTreeMap::new(),
            unscored: BTreeMap::new(),
        }
    }

    /// The ranking boards that were ranked anew since another snapshot.
    pub(crate) fn changed_since(&self, before: &Self) -> impl Iterator<Item = &Board> {
        let is_new = |board: &&Arc<Board>| {
            board.profile == scorer::RANKING && !before.boards.iter().any(|it| Arc::ptr_eq(it, board))
        };
        self.boards.iter().filter(is_new).map(Arc::as_ref)
    }

    /// The ranking boards that are no more in another snapshot.
    pub(crate) fn gone_in(&self, now: &Self) -> impl Iterator<Item = &Board> {
        let ranking = self.each_board().filter(|board| board.profile == scorer::RANKING);
        ranking
            .filter(|board| !now.boards_of(board.release).any(|it| it.hardware_class == board.hardware_class))
    }

    /// The release of this name: `slug` is its newest version, `slug@version` one of them; nothing is the newest of
    /// all.
    pub fn release(&self, name: Option<&str>) -> Option<&Release> {
        match name.map(|name| name.split_once('@').unwrap_or((name, ""))) {
            None => self.releases.first(),
            Some((slug, "")) => self.releases.iter().find(|release| release.slug == slug),
            Some((slug, version)) => {
                self.releases.iter().find(|release| release.slug == slug && release.version == version)
            }
        }
    }

    /// A profile as it scores a release, with its versions; without a release, as it scores English.
    pub(crate) fn scorer(&self, profile: ScoringProfile, release: Option<ReleaseId>) -> String {
        let release = self.releases.iter().find(|it| Some(it.id) == release);
        release.map_or(profile, |release| scorer::of_release(profile, release)).scorer()
    }

    /// How large a release is.
    pub(crate) fn size(&self, release: ReleaseId) -> Option<Size> {
        self.sizes.iter().find(|(id, _)| *id == release).map(|(_, size)| *size)
    }

    /// Files of the pages of a release.
    pub(crate) fn files(&self, release: ReleaseId) -> Arc<[PageFile]> {
        self.files.get(&release).cloned().unwrap_or_default()
    }

    /// Every board.
    pub(crate) fn each_board(&self) -> impl Iterator<Item = &Board> {
        self.boards.iter().map(Arc::as_ref)
    }

    /// The boards of a release under the profile that ranks.
    pub(crate) fn boards_of(&self, release: ReleaseId) -> impl Iterator<Item = &Board> {
        self.each_board().filter(move |board| board.release == release && board.profile == scorer::RANKING)
    }

    /// The board of a release on a hardware class, or on the first there is, under the profile that ranks.
    pub fn board(&self, release: ReleaseId, hardware_class: Option<&str>) -> Option<&Board> {
        self.boards_of(release).find(|board| hardware_class.is_none_or(|class| board.hardware_class == class))
    }

    /// The same board under another profile.
    pub(crate) fn under(&self, board: &Board, profile: ScoringProfile) -> Option<&Board> {
        self.each_board().find(|other| {
            other.profile == profile
                && other.release == board.release
                && other.hardware_class == board.hardware_class
        })
    }

    /// The board and row of a submission under the profile that ranks.
    pub(crate) fn row(&self, submission: SubmissionId) -> Option<(&Board, &Row)> {
        let mut ranking = self.each_board().filter(|board| board.profile == scorer::RANKING);
        ranking.find_map(|board| Some((board, board.row(submission)?)))
    }

    /// How many published results of a release wait to be scored by the present version of a profile.
    pub(crate) fn unscored(&self, release: ReleaseId, profile: ScoringProfile) -> usize {
        self.unscored.get(&(release, profile.name)).copied().unwrap_or_default()
    }

    /// What each scorer made of an attempt, the oldest first.
    pub(crate) fn by_scorer(&self, attempt: AttemptId) -> &[ByScorer] {
        self.by_scorer.get(&attempt).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The results of a board: what stood on it before is taken over, the rest is read.
async fn results(
    pool: &PgPool,
    scorer: &str,
    made_from: &[(AttemptId, OffsetDateTime)],
    before: Option<&Board>,
) -> Result<Vec<Arc<Published>>, StoreError> {
    let mut known: HashMap<AttemptId, Arc<Published>> = before
        .into_iter()
        .flat_map(|board| &board.rows)
        .map(|row| (row.result.attempt, row.result.clone()))
        .collect();
    let is_known = |(attempt, scored_at): &&(AttemptId, OffsetDateTime)| {
        known.get(attempt).is_some_and(|result| result.scored_at == *scored_at)
    };
    let new: Vec<AttemptId> =
        made_from.iter().filter(|key| !is_known(key)).map(|(attempt, _)| *attempt).collect();
    for some in new.chunks(RESULTS_AT_ONCE) {
        for result in scores::published_of(pool, scorer, some).await? {
            known.insert(result.attempt, Arc::new(result));
        }
    }
    // What left the board in between, or cannot be read, is left out.
    Ok(made_from.iter().filter_map(|(attempt, _)| known.remove(attempt)).collect())
}

/// The releases that are scored alike under a profile, by the scorer: their languages decide it.
fn by_language(profile: ScoringProfile, releases: &[Release]) -> BTreeMap<String, BTreeSet<ReleaseId>> {
    let mut alike: BTreeMap<String, BTreeSet<ReleaseId>> = BTreeMap::new();
    for release in releases {
        alike.entry(scorer::of_release(profile, release).scorer()).or_default().insert(release.id);
    }
    alike
}

impl Board {
    /// The row of a submission.
    pub(crate) fn row(&self, submission: SubmissionId) -> Option<&Row> {
        self.places.get(&submission).map(|place| &self.rows[*place])
    }

    /// Its places, to be written down.
    pub(crate) fn history(&self) -> Vec<Place> {
        let narrow = |place: u32| i32::try_from(place).unwrap_or(i32::MAX);
        self.rows
            .iter()
            .map(|row| Place {
                submission: row.result.submission,
                attempt: row.result.attempt,
                place: narrow(row.rank),
                interval: (narrow(row.rank_interval.0), narrow(row.rank_interval.1)),
                wer: row.candidate.average.value,
                wer_interval: row.candidate.average.interval,
            })
            .collect()
    }

    /// Names of the tracks that some row ran.
    pub(crate) fn tracks(&self) -> &BTreeSet<String> {
        &self.ran
    }
}

/// The board as JSON (design §10). Rates are fractions, times seconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Board")]
pub struct BoardJson {
    /// Slug of the release.
    release: String,
    release_version: String,
    /// Hash of the release's manifest, which freezes it.
    manifest_sha256: String,
    /// Null while there is no result.
    hardware_class: Option<String>,
    /// Scoring profile.
    profile: &'static str,
    /// Profile and normaliser with their versions.
    scorer: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    generated_at: OffsetDateTime,
    rows: Vec<RowJson>,
}

/// One model on a board.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Row")]
struct RowJson {
    /// Place by Avg WER, from 1.
    rank: u32,
    /// First and last place that the model can hold within 95 % confidence of the whole ranking.
    rank_interval: (u32, u32),
    /// Place under the profile that ranks, on boards of other profiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    ranking_rank: Option<u32>,
    model: String,
    organisation: String,
    submission: SubmissionId,
    attempt: AttemptId,
    /// Unweighted mean of the WER of the ranked tracks.
    avg_wer: Option<f64>,
    /// 95 % interval of it.
    avg_wer_interval: Option<(f64, f64)>,
    /// By name of the track.
    tracks: BTreeMap<String, TrackJson>,
    /// Tracks of the release that the model has not named, each with what they ask for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_run: BTreeMap<&'static str, &'static str>,
    /// Seconds of audio by seconds of processing, over the ranked tracks.
    rtfx: Option<f64>,
    rtfx_interval: Option<(f64, f64)>,
    /// Median time of an utterance.
    latency_p50_s: f64,
    latency_p95_s: f64,
    num_params: Option<u64>,
    /// On the front: no other model is both faster and more accurate.
    pareto: bool,
    /// Share of the draws of accuracy and speed in which the row is on the front.
    pareto_probability: f64,
    status: &'static str,
    #[serde(flatten)]
    view: Option<ViewJson>,
}

/// Where a row stands in a view that is not the whole ranking.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Standing")]
struct ViewJson {
    /// Place for the purpose asked for.
    place: Option<u32>,
    /// Why it has none.
    no_place: Option<String>,
    /// The weighted WER that it is placed by.
    score: Option<f64>,
    score_interval: Option<(f64, f64)>,
}

/// One track of a model: WER = (S + D + I) / N.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Track")]
struct TrackJson {
    wer: Option<f64>,
    interval: Option<(f64, f64)>,
    substitutions: u64,
    deletions: u64,
    insertions: u64,
    ref_words: u64,
    rtfx: Option<f64>,
}

impl BoardJson {
    /// The board of `release` as JSON under the profile that ranks; a release without results has no rows.
    pub fn new(snapshot: &Snapshot, release: &Release, board: Option<&Board>) -> Self {
        Self::under(snapshot, release, board, scorer::RANKING)
    }

    /// What a view asks for, its rows in the order asked for. Where that is not the whole ranking, each row says where it
    /// stands in the view.
    pub(crate) fn viewed(snapshot: &Snapshot, asked: &Asked<'_>) -> Self {
        let empty = || Self {
            release: String::new(),
            release_version: String::new(),
            manifest_sha256: String::new(),
            hardware_class: None,
            profile: asked.profile.name,
            scorer: asked.scorer(),
            generated_at: snapshot.built_at,
            rows: Vec::new(),
        };
        let Some(release) = asked.release else { return empty() };
        let mut json = Self::under(snapshot, release, asked.board, asked.profile);
        let is_view = !asked.view.is_whole_ranking();
        let ranking = asked.ranking.filter(|_| asked.profile != scorer::RANKING);
        json.rows = asked
            .rows()
            .map(|(answered, row)| RowJson {
                view: is_view.then(|| ViewJson {
                    place: answered.standing.place(),
                    no_place: no_place(&answered.standing),
                    score: answered.score.map(|score| score.value),
                    score_interval: answered.score.and_then(|score| score.interval),
                }),
                ..RowJson::new(row, release, ranking.and_then(|board| board.row(row.result.submission)))
            })
            .collect();
        json
    }

    /// The board of `release` as JSON, `board` being that of `profile`. Each row of another profile than the ranking
    /// one says what place it has under that.
    pub(crate) fn under(
        snapshot: &Snapshot,
        release: &Release,
        board: Option<&Board>,
        profile: ScoringProfile,
    ) -> Self {
        let ranking = board.filter(|_| profile != scorer::RANKING);
        let ranking = ranking.and_then(|board| snapshot.under(board, scorer::RANKING));
        Self {
            release: release.slug.clone(),
            release_version: release.version.clone(),
            manifest_sha256: release.manifest_sha256.clone(),
            hardware_class: board.map(|board| board.hardware_class.clone()),
            profile: profile.name,
            scorer: scorer::of_release(profile, release).scorer(),
            generated_at: snapshot.built_at,
            rows: board
                .into_iter()
                .flat_map(|board| &board.rows)
                .map(|row| {
                    RowJson::new(row, release, ranking.and_then(|board| board.row(row.result.submission)))
                })
                .collect(),
        }
    }
}

impl RowJson {
    fn new(row: &Row, release: &Release, ranking: Option<&Row>) -> Self {
        let summary = &row.result.summary;
        Self {
            rank: row.rank,
            rank_interval: row.rank_interval,
            ranking_rank: ranking.map(|row| row.rank),
            model: row.result.manifest.name.clone(),
            organisation: row.result.manifest.organisation.clone(),
            submission: row.result.submission,
            attempt: row.result.attempt,
            avg_wer: summary.avg_wer,
            avg_wer_interval: summary.avg_wer_interval,
            tracks: summary
                .tracks
                .iter()
                .map(|(name, track)| {
                    let track = TrackJson {
                        wer: track.wer,
                        interval: track.interval,
                        substitutions: track.substitutions,
                        deletions: track.deletions,
                        insertions: track.insertions,
                        ref_words: track.ref_words,
                        rtfx: track.rtfx,
                    };
                    (name.clone(), track)
                })
                .collect(),
            not_run: tracks::not_run(release, summary),
            rtfx: summary.rtfx,
            rtfx_interval: summary.rtfx_interval,
            latency_p50_s: summary.latency.p50,
            latency_p95_s: summary.latency.p95,
            num_params: row.candidate.num_params,
            pareto: row.on_front,
            pareto_probability: row.front_probability,
            status: "published",
            view: None,
        }
    }
}
