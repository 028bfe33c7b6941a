//! Which views are taken.
//!
//! Owns that somebody can wait until none is left that was taken before a moment: rows that are deleted stay in the files for
//! as long as one is.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The views of a database.
#[derive(Default)]
pub(crate) struct Taken {
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Default)]
struct State {
    /// Rises with each wait.
    age: u64,
    /// How many views are there of each age.
    views: BTreeMap<u64, usize>,
}

/// That a view is taken, until it is dropped.
pub(crate) struct OneTaken<'a> {
    taken: &'a Taken,
    age: u64,
}

impl Taken {
    /// Notes a view, before it is taken.
    pub(crate) fn one(&self) -> OneTaken<'_> {
        let mut state = self.state();
        let age = state.age;
        *state.views.entry(age).or_default() += 1;
        OneTaken { taken: self, age }
    }

    /// Waits until no view is left that was taken before this call, at most so long, and says whether that came to pass.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let mut state = self.state();
        state.age += 1;
        let age = state.age;
        let has_older = |state: &mut State| state.views.range(..age).next().is_some();
        let waited = self.given_back.wait_timeout_while(state, patience, has_older);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OneTaken<'_> {
    fn drop(&mut self) {
        let mut state = self.taken.state();
        if let Some(count) = state.views.get_mut(&self.age) {
            *count -= 1;
            if *count == 0 {
                state.views.remove(&self.age);
            }
        }
        self.taken.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_older_ones_are_waited_for() {
        let taken = Taken::default();
        assert!(taken.wait(Duration::ZERO));
        let old = taken.one();
        assert!(!taken.wait(Duration::ZERO));
        let new = taken.one();
        drop(old);
        assert!(!taken.wait(Duration::ZERO), "by now the other one is an older one too");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| taken.wait(Duration::from_secs(60)));
            drop(new);
            assert!(waiting.join().unwrap());
        });
        let newer = taken.one();
        drop(newer);
        assert!(taken.wait(Duration::ZERO));
    }
}
