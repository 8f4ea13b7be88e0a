//! Random numbers that depend on what they are for, not on who draws them.

/// Random numbers that belong to one thing, such as an image or a ray: `SplitMix64` (Steele, Lea and Flood,
/// OOPSLA 2014).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Those of `owner` under a seed.
    pub(crate) fn new<const N: usize>(seed: u64, owner: [u64; N]) -> Self {
        let mut dice = Self(seed);
        for part in owner {
            dice.0 = dice.next() ^ part;
        }
        dice
    }

    /// Sixty-four random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform from 0 to 1.
    pub(crate) fn roll(&mut self) -> f64 {
        (self.next() >> 11) as f64 * f64::EPSILON / 2.0
    }
}
