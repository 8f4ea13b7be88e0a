//! Which boxes a ray meets: a bounding volume hierarchy.

use glam::DVec3;

/// A leaf holds no more items than this.
const LEAF: usize = 4;
/// Deeper than any tree over items that fit in memory: each level halves their number.
const DEPTH: usize = 64;

/// A box with edges along the axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: DVec3,
    pub(super) high: DVec3,
}

impl Bounds {
    const EMPTY: Self = Self { low: DVec3::INFINITY, high: DVec3::NEG_INFINITY };

    /// The smallest box around some points.
    pub(super) fn around<'a>(points: impl IntoIterator<Item = &'a DVec3>) -> Self {
        points.into_iter().fold(Self::EMPTY, |bounds, &point| bounds.union(Self { low: point, high: point }))
    }

    /// The same box, larger on every side.
    pub(super) fn grown(self, margin: f64) -> Self {
        Self { low: self.low - DVec3::splat(margin), high: self.high + DVec3::splat(margin) }
    }

    fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    fn centre(self) -> DVec3 {
        0.5 * (self.low + self.high)
    }

    /// Whether the ray is in the box anywhere from its origin (or a little before) to `reach`.
    fn is_met(&self, origin: DVec3, inverse: DVec3, reach: f64) -> bool {
        let (a, b) = ((self.low - origin) * inverse, (self.high - origin) * inverse);
        let (enter, leave) = (a.min(b).max_element(), a.max(b).min_element());
        enter <= leave.min(reach) && leave >= 0.0
    }
}

/// A tree of boxes over numbered items.
#[derive(Debug)]
pub(super) struct Bvh {
    nodes: Vec<Node>,
    items: Vec<usize>,
}

#[derive(Debug)]
struct Node {
    bounds: Bounds,
    /// Of a leaf the first item; otherwise the second child, the first being the next node.
    start: usize,
    /// Number of items, 0 unless a leaf.
    count: usize,
}

impl Bvh {
    /// Item `i` lies within `bounds[i]`.
    pub(super) fn new(bounds: &[Bounds]) -> Self {
        let mut tree = Self { nodes: Vec::new(), items: (0..bounds.len()).collect() };
        tree.build(bounds, 0, bounds.len());
        tree
    }

    fn build(&mut self, bounds: &[Bounds], from: usize, to: usize) {
        let items = &mut self.items[from..to];
        let whole = items.iter().fold(Bounds::EMPTY, |whole, &item| whole.union(bounds[item]));
        let node = self.nodes.len();
        let count = items.len();
        if count <= LEAF {
            self.nodes.push(Node { bounds: whole, start: from, count });
            return;
        }
        let centres: Vec<DVec3> = items.iter().map(|&item| bounds[item].centre()).collect();
        let spread = Bounds::around(&centres);
        let axis = (spread.high - spread.low).max_position();
        items.sort_by(|&a, &b| bounds[a].centre()[axis].total_cmp(&bounds[b].centre()[axis]).then(a.cmp(&b)));
        let middle = from + count / 2;
        self.nodes.push(Node { bounds: whole, start: 0, count: 0 });
        self.build(bounds, from, middle);
        self.nodes[node].start = self.nodes.len();
        self.build(bounds, middle, to);
    }

    /// Shows every item whose box a ray may meet before `reach`. The visitor answers how far the ray still
    /// reaches: less once it has met something, nothing below zero to end the search.
    pub(super) fn visit(
        &self,
        origin: DVec3,
        direction: DVec3,
        mut reach: f64,
        mut visitor: impl FnMut(usize, f64) -> f64,
    ) {
        let inverse = direction.recip();
        let mut waiting = [0; DEPTH];
        let mut count = 1;
        while count > 0 && reach >= 0.0 {
            count -= 1;
            let mut index = waiting[count];
            loop {
                let node = &self.nodes[index];
                if !node.bounds.is_met(origin, inverse, reach) {
                    break;
                }
                if node.count > 0 || self.items.is_empty() {
                    for &item in &self.items[node.start..node.start + node.count] {
                        reach = visitor(item, reach);
                    }
                    break;
                }
                waiting[count] = node.start;
                count += 1;
                index += 1;
            }
        }
    }
}
