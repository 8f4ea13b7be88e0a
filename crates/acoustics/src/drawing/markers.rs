//! Signs for what sounds and what listens, kept apart from each other, and their legend.

use glam::{DVec2, DVec3, dvec2};

use super::canvas::{Canvas, Frame};
use crate::{FurnishedRoom, SourceKind};

/// Half the size of a sign.
pub(super) const RADIUS: f64 = 8.0;

/// Something that sounds or listens, with its sign.
#[derive(Debug, Clone)]
pub(super) struct Marker {
    pub(super) kind: MarkerKind,
    /// `T1`, `N2`, `M3`.
    sign: String,
    name: String,
    /// In the room.
    place: DVec3,
    facing: Option<DVec3>,
    /// All microphones of an array.
    microphones: Vec<DVec3>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkerKind {
    Talker,
    Loudspeaker,
    Noise,
    Microphone,
}

impl MarkerKind {
    fn letter(self) -> char {
        match self {
            Self::Talker => 'T',
            Self::Loudspeaker => 'L',
            Self::Noise => 'N',
            Self::Microphone => 'M',
        }
    }

    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Talker => "Talkers",
            Self::Loudspeaker => "Loudspeakers",
            Self::Noise => "Noises",
            Self::Microphone => "Microphones",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Talker => "talker",
            Self::Loudspeaker => "loudspeaker",
            Self::Noise => "noise",
            Self::Microphone => "microphone",
        }
    }
}

/// All signs of a room, numbered by kind.
pub(super) fn markers(room: &FurnishedRoom) -> Vec<Marker> {
    let mut markers: Vec<Marker> = Vec::new();
    let mut add = |kind: MarkerKind, name: &str, place, facing, microphones: Vec<DVec3>| {
        let number = markers.iter().filter(|marker| marker.kind == kind).count() + 1;
        let sign = format!("{}{number}", kind.letter());
        markers.push(Marker { kind, sign, name: name.to_owned(), place, facing, microphones });
    };
    for source in room.sources() {
        let (kind, facing) = match source.kind {
            SourceKind::Talker => (MarkerKind::Talker, Some(source.source.facing)),
            SourceKind::Loudspeaker => (MarkerKind::Loudspeaker, None),
            SourceKind::Noise => (MarkerKind::Noise, None),
        };
        add(kind, &source.name, source.source.position.into(), facing, Vec::new());
    }
    for array in room.arrays() {
        let microphones: Vec<DVec3> = array.microphones.iter().copied().map(DVec3::from).collect();
        let middle = microphones.iter().sum::<DVec3>() / microphones.len().max(1) as f64;
        add(MarkerKind::Microphone, &array.name, middle, None, microphones);
    }
    markers
}

impl Marker {
    /// Its line in the legend.
    pub(super) fn caption(&self) -> String {
        match self.microphones.len() {
            0 | 1 => format!("{}, {:.2}\u{a0}m", self.name, self.place.z),
            count => format!("{}, {count}\u{a0}microphones, {:.2}\u{a0}m", self.name, self.place.z),
        }
    }

    /// Its sign alone.
    pub(super) fn draw_sign(&self, canvas: &mut Canvas, at: DVec2) {
        let title = self.caption();
        let class = self.kind.class();
        match self.kind {
            MarkerKind::Talker => canvas.circle(class, at, RADIUS, &title),
            MarkerKind::Noise => {
                let reach = 1.25 * RADIUS;
                let corners = [(0.0, -reach), (reach, 0.0), (0.0, reach), (-reach, 0.0)];
                canvas.outlines(class, &[corners.map(|(x, y)| at + dvec2(x, y)).to_vec()], &title);
            }
            MarkerKind::Loudspeaker | MarkerKind::Microphone => {
                let reach = 0.9 * RADIUS;
                let corners = [(-reach, -reach), (reach, -reach), (reach, reach), (-reach, reach)];
                canvas.outlines(class, &[corners.map(|(x, y)| at + dvec2(x, y)).to_vec()], &title);
            }
        }
        let dark = matches!(self.kind, MarkerKind::Talker | MarkerKind::Microphone);
        canvas.text(if dark { "sign on-dark" } else { "sign" }, at + dvec2(0.0, 3.2), &self.sign);
    }
}

/// Draws all signs at their places, or beside them with a leader where another one is in the way; gives where they are.
pub(super) fn draw(
    canvas: &mut Canvas,
    frame: Frame,
    markers: &[Marker],
    flat: impl Fn(DVec3) -> DVec2,
) -> Vec<DVec2> {
    let wanted: Vec<_> = markers.iter().map(|marker| frame.place(flat(marker.place))).collect();
    let mut taken: Vec<DVec2> = Vec::new();
    for (marker, wish) in markers.iter().zip(&wanted) {
        // Microphones are small: the sign stands beside them so that they can be seen.
        let beside = |microphone: &DVec3| wish.distance(frame.place(flat(*microphone)));
        let reach = marker.microphones.iter().map(beside).fold(0.0, f64::max);
        let first = if marker.kind == MarkerKind::Microphone { 1.7 * RADIUS + reach } else { 0.0 };
        let at = free_place(*wish, first, &taken);
        taken.push(at);
    }
    for ((marker, wish), at) in markers.iter().zip(&wanted).zip(&taken) {
        if wish.distance(*at) > 1.0 {
            canvas.line("leader", &[*wish, *at]);
            canvas.circle("place", *wish, 1.6, "");
        }
        for microphone in &marker.microphones {
            canvas.circle("place", frame.place(flat(*microphone)), 1.3, "");
        }
    }
    for (marker, at) in markers.iter().zip(&taken) {
        if let Some(facing) = marker.facing {
            // The sheet's second axis runs down.
            let ahead = flat(facing) - flat(DVec3::ZERO);
            draw_facing(canvas, *at, dvec2(ahead.x, -ahead.y));
        }
        marker.draw_sign(canvas, *at);
    }
    taken
}

/// A beak in the direction in which a talker looks, as long as the direction lies in the drawing.
fn draw_facing(canvas: &mut Canvas, at: DVec2, ahead: DVec2) {
    let Some(direction) = ahead.try_normalize().filter(|_| ahead.length() > 0.25) else { return };
    let side = direction.perp();
    let tip = at + direction * (RADIUS + 9.0 * ahead.length());
    let base = at + 0.5 * RADIUS * direction;
    canvas.outlines("talker", &[vec![base + 0.8 * RADIUS * side, tip, base - 0.8 * RADIUS * side]], "");
}

/// The wish itself, or the nearest place around it that no other sign takes.
fn free_place(wish: DVec2, first: f64, taken: &[DVec2]) -> DVec2 {
    let free = |at: &DVec2| taken.iter().all(|other| other.distance(*at) > 2.2 * RADIUS);
    let rings = (0..8).map(|ring| first + f64::from(ring) * 9.0);
    let candidates = rings.flat_map(|distance| {
        let steps = if distance > 0.0 { 12 } else { 1 };
        (0..steps).map(move |step| {
            wish + distance * DVec2::from_angle(f64::from(step) * std::f64::consts::TAU / 12.0 - 0.9)
        })
    });
    candidates.into_iter().find(free).unwrap_or(wish)
}
