//! What was read and may be asked for again in the same answer.
//!
//! Owns how much of it is kept. What is kept here comes from one view, which does not change, so that it is never out of
//! date; whoever reads says what it is of.

use std::hash::Hash;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt};

use crate::error::Result;

/// Of how many things what was read is kept: beyond that it is read again.
const KEPT_MAX: usize = 100_000;

/// What was read, by what it is of.
pub(crate) struct Kept<K, V>(HashMap<K, Rc<V>>);

impl<K: Hash + Eq + Clone, V> Kept<K, V> {
    pub(crate) fn new() -> Self {
        Self(HashMap::new())
    }

    /// What was read, if it is kept.
    pub(crate) fn kept(&self, key: &K) -> Option<Rc<V>> {
        self.0.get(key).cloned()
    }

    pub(crate) fn get(&mut self, key: &K, read: impl FnOnce() -> Result<V>) -> Result<Rc<V>> {
        if let Some(kept) = self.0.get(key) {
            return Ok(kept.clone());
        }
        let value = Rc::new(read()?);
        if self.0.len() == KEPT_MAX {
            self.0.clear();
        }
        self.0.insert(key.clone(), value.clone());
        Ok(value)
    }
}
