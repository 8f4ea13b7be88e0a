//! What the query of a request asks of the board: the view, found in a snapshot and answered.

use scoring::ScoringProfile;
use selection::{Answer, Answered, Standing, View};
use store::releases::Release;

use crate::{
    Service,
    board::{Board, Row, Snapshot},
    error::AppError,
    fronts::{Front, fronts},
    scorer,
    views::TRACKS,
};

/// The parameters of a query, in their order.
pub(crate) type Pairs = Vec<(String, String)>;

/// What a view asks for, found in a snapshot.
pub(crate) struct Asked<'a> {
    pub(crate) view: View,
    pub(crate) profile: ScoringProfile,
    pub(crate) release: Option<&'a Release>,
    /// The board under the profile asked for; none without results.
    pub(crate) board: Option<&'a Board>,
    /// The same board under the profile that ranks.
    pub(crate) ranking: Option<&'a Board>,
    pub(crate) hardware_class: String,
    /// What the view makes of the board.
    pub(crate) answer: Answer,
}

impl<'a> Asked<'a> {
    /// Reads a query and finds what it asks for. Its view then names release and hardware class.
    pub(crate) fn read(service: &Service, snapshot: &'a Snapshot, pairs: &Pairs) -> Result<Self, AppError> {
        let mut view = View::from_pairs(pairs.iter().map(|(key, value)| (key, value)))
            .map_err(|error| AppError::BadRequest(format!("{error}.")))?;
        let profile = scorer::profile(view.profile.as_deref())?;
        let release = snapshot.release(view.release.as_deref());
        if let (Some(slug), None) = (&view.release, release) {
            return Err(AppError::NotFound(format!("release \u{201c}{slug}\u{201d}")));
        }
        let hardware = view.hardware.as_deref();
        let ranking = release.and_then(|release| snapshot.board(release.id, hardware));
        let board = ranking.and_then(|board| snapshot.under(board, profile));
        let own_class = &service.settings.hardware_class;
        let hardware_class =
            ranking.map(|board| &*board.hardware_class).or(hardware).unwrap_or(own_class).to_owned();
        let is_known = snapshot.each_board().any(|board| board.hardware_class == hardware_class);
        if !is_known && hardware_class != *own_class {
            return Err(AppError::NotFound(format!("hardware class \u{201c}{hardware_class}\u{201d}")));
        }
        let named = view.release.take().or_else(|| release.map(|release| release.slug.clone()));
        view.release = named;
        view.hardware = Some(hardware_class.clone());
        view.profile = (profile != scorer::RANKING).then(|| profile.name.to_owned());
        let rows = board.map(|board| board.rows.as_slice()).unwrap_or_default();
        let answer = view.answer(rows);
        Ok(Self { view, profile, release, board, ranking, hardware_class, answer })
    }

    /// The profile with its versions, as it scores the release.
    pub(crate) fn scorer(&self) -> String {
        self.release.map_or(self.profile, |release| scorer::of_release(self.profile, release)).scorer()
    }

    /// The rows of the answer with those of the board.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&Answered, &'a Row)> {
        let board = self.board;
        self.answer.rows.iter().filter_map(move |row| Some((row, board?.rows.get(row.index)?)))
    }

    /// How each row stands towards the front of the view.
    pub(crate) fn fronts(&self) -> Vec<Front> {
        self.board.map(|board| fronts(board, &self.view, &self.answer)).unwrap_or_default()
    }

    /// Tracks that some model of the board ran: the ranked ones first.
    pub(crate) fn tracks(&self) -> Vec<String> {
        let ran = self.board.into_iter().flat_map(Board::tracks);
        let ranked = TRACKS.iter().map(|track| track.name.to_owned());
        let others = ran.filter(|name| TRACKS.iter().all(|track| track.name != **name));
        ranked.chain(others.cloned()).collect()
    }
}

/// Why a model has no place, in words.
pub(crate) fn no_place(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Place(_) => None,
        Standing::Outside(unmet) => {
            Some(unmet.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        Standing::NotRun(tracks) => Some(format!("not run on {}", tracks.join(", "))),
    }
}
