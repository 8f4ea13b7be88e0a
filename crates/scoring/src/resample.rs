//! Random resampling that gives the same draws on every machine, in any order and on any number of threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// How a bootstrap is drawn. Equal plans give equal draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Number of replications.
    pub replications: usize,
    /// Seed of the `ChaCha8` generator; replication r uses its stream r.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 10 000 replications, seed 1.
    fn default() -> Self {
        Self { replications: 10_000, seed: 1 }
    }
}

impl Bootstrap {
    /// The generator of one replication.
    pub(crate) fn generator(self, replication: usize) -> Draw {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(replication as u64);
        Draw(generator)
    }
}

/// Random numbers of one replication.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// A number below `n`, uniform to within n / 2³².
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    /// A normal deviate of mean 0 and variance 1 (Box and Muller 1958, *Annals of Mathematical Statistics* 29(2)), the
    /// same on every machine: `libm` is not the machine's own.
    pub(crate) fn normal(&mut self) -> f64 {
        let uniform = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        let radius = libm::sqrt(-2.0 * libm::log(uniform(self.0.next_u64())));
        radius * libm::cos(std::f64::consts::TAU * uniform(self.0.next_u64()))
    }

    /// 64 fair coins.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// How often each of `weights.len()` units comes up when that many are drawn with replacement.
    pub(crate) fn multiplicities(&mut self, weights: &mut [u32]) {
        weights.fill(0);
        for _ in 0..weights.len() {
            let unit = self.below(weights.len());
            weights[unit] += 1;
        }
    }
}
