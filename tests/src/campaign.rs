//! How often a fault is tried: a sample in `make test`, the whole in `make torture`, with a seed that can be repeated.
//!
//! Owns what `make torture` shows of it: a line of progress, and a line of the result, from which `scripts/torture` makes
//! its table. It never decides what went well.

use std::sync::atomic::{AtomicU64, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The seed of samples, so that the same is tried each time.
const SAMPLE_SEED: u64 = 5;
/// How many lines of progress a campaign shows, at most.
const LINES: u64 = 20;

/// One fault, tried so often.
pub struct Campaign {
    name: &'static str,
    count: u64,
    seed: u64,
    done: AtomicU64,
}

impl Campaign {
    /// A fault, how often it is tried in a sample, and how often in the whole. `SEED` and `COUNTERFOIL_TORTURE` are read.
    ///
    /// # Panics
    /// If the seed is no number.
    pub fn new(name: &'static str, sample: u64, whole: u64) -> Self {
        let seed = std::env::var("SEED").map_or(SAMPLE_SEED, |seed| seed.parse().expect("SEED is a number"));
        let count = if is_torture() { whole } else { sample };
        Self { name, count, seed, done: AtomicU64::new(0) }
    }

    /// How often it is tried.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The randomness of one case, which depends on no other case.
    pub fn random(&self, case: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(case);
        random
    }

    /// One more case is done, and all was well.
    pub fn passed(&self) {
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        if is_torture() && done.is_multiple_of(self.count.div_ceil(LINES)) {
            eprintln!("{}: {done} of {}, seed {}", self.name, self.count, self.seed);
        }
    }

    /// All is done: how it went, in words.
    ///
    /// # Panics
    /// If there are cases that are not done.
    pub fn end(self, result: &str) {
        assert_eq!(self.done.load(Ordering::SeqCst), self.count, "{}", self.name);
        eprintln!("FAULT | {} | {} | {result} |", self.name, self.count);
    }
}

/// Whether everything is tried, and not a sample.
pub fn is_torture() -> bool {
    std::env::var_os("COUNTERFOIL_TORTURE").is_some()
}
