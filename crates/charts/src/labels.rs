//! Placing labels beside points so that they do not cover each other.

use crate::svg::{Anchor, text_width};

/// A rectangle in grid steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) right: i32,
    pub(crate) bottom: i32,
}

impl Rect {
    /// The square with this centre and half a side.
    pub(crate) fn around((x, y): (i32, i32), half: i32) -> Self {
        Self { left: x - half, top: y - half, right: x + half, bottom: y + half }
    }

    /// The rectangle that two points span, grown by `margin`.
    pub(crate) fn spanned(first: (i32, i32), second: (i32, i32), margin: i32) -> Self {
        Self {
            left: first.0.min(second.0) - margin,
            top: first.1.min(second.1) - margin,
            right: first.0.max(second.0) + margin,
            bottom: first.1.max(second.1) + margin,
        }
    }

    /// The point of this rectangle that is nearest to `point`.
    pub(crate) fn nearest(&self, point: (i32, i32)) -> (i32, i32) {
        (point.0.clamp(self.left, self.right), point.1.clamp(self.top, self.bottom))
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && other.right <= self.right
            && self.top <= other.top
            && other.bottom <= self.bottom
    }
}

/// Where a label stands: the point its baseline is held at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) at: (i32, i32),
    pub(crate) anchor: Anchor,
    pub(crate) rect: Rect,
}

/// The places tried for a label, best first: close to the point, then twice as far.
fn candidates(text: &str, size: i32, point: (i32, i32), gap: i32) -> impl Iterator<Item = Placed> {
    ring(text, size, point, gap).into_iter().chain(ring(text, size, point, 2 * gap))
}

/// The places at one distance: right, left, then the corners, then above and below.
fn ring(text: &str, size: i32, (x, y): (i32, i32), gap: i32) -> [Placed; 8] {
    let width = text_width(text, size);
    let (near, far) = (gap, gap * 7 / 10);
    let place = |anchor: Anchor, at_x: i32, middle: i32| {
        let left = match anchor {
            Anchor::Start => at_x,
            Anchor::Middle => at_x - width / 2,
            Anchor::End => at_x - width,
        };
        let rect = Rect {
            left,
            top: middle - size * 55 / 100,
            right: left + width,
            bottom: middle + size * 55 / 100,
        };
        Placed { at: (at_x, middle + size * 36 / 100), anchor, rect }
    };
    let (above, below) = (y - gap, y + gap);
    [
        place(Anchor::Start, x + near, y),
        place(Anchor::End, x - near, y),
        place(Anchor::Start, x + far, above),
        place(Anchor::Start, x + far, below),
        place(Anchor::End, x - far, above),
        place(Anchor::End, x - far, below),
        place(Anchor::Middle, x, y - gap * 3 / 2),
        place(Anchor::Middle, x, y + gap * 3 / 2),
    ]
}

/// The canvas and what is already on it.
pub(crate) struct Placer {
    bounds: Rect,
    taken: Vec<Rect>,
}

impl Placer {
    pub(crate) fn new(bounds: Rect) -> Self {
        Self { bounds, taken: Vec::new() }
    }

    /// Keeps labels off this rectangle.
    pub(crate) fn take(&mut self, rect: Rect) {
        self.taken.push(rect);
    }

    /// Finds room for a label of `size` beside a point, at least `gap` away, and takes it.
    pub(crate) fn place(&mut self, text: &str, size: i32, point: (i32, i32), gap: i32) -> Option<Placed> {
        let free = candidates(text, size, point, gap).find(|candidate| {
            self.bounds.holds(&candidate.rect)
                && !self.taken.iter().any(|taken| taken.overlaps(&candidate.rect))
        })?;
        self.take(free.rect);
        Some(free)
    }

    /// A place inside the bounds for a label that is shown alone, whatever it covers.
    pub(crate) fn place_anyway(&self, text: &str, size: i32, point: (i32, i32), gap: i32) -> Placed {
        let places = ring(text, size, point, gap);
        places.into_iter().find(|place| self.bounds.holds(&place.rect)).unwrap_or(places[0])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CANVAS: Rect = Rect { left: 0, top: 0, right: 8000, bottom: 4000 };

    proptest! {
        #[test]
        fn placed_labels_neither_overlap_nor_leave_the_canvas(
            points in prop::collection::vec(((0i32..8000, 0i32..4000), "[a-zA-Z0-9/-]{1,24}"), 0..60)
        ) {
            let mut placer = Placer::new(CANVAS);
            let placed: Vec<Rect> = points
                .iter()
                .filter_map(|(point, text)| placer.place(text, 120, *point, 90))
                .map(|placed| placed.rect)
                .collect();
            for (index, rect) in placed.iter().enumerate() {
                prop_assert!(CANVAS.holds(rect));
                prop_assert!(!placed[index + 1..].iter().any(|other| other.overlaps(rect)));
            }
        }
    }

    #[test]
    fn a_lone_label_stands_to_the_right_of_its_point() {
        let placed = Placer::new(CANVAS).place("model", 120, (1000, 1000), 90);
        assert_eq!(placed.map(|placed| (placed.at.0, placed.anchor)), Some((1090, Anchor::Start)));
    }

    #[test]
    fn a_label_that_does_not_fit_is_left_out() {
        let mut placer = Placer::new(Rect { left: 0, top: 0, right: 100, bottom: 100 });
        assert_eq!(placer.place("a model with a long name", 120, (50, 50), 20), None);
    }
}
