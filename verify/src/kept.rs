//! What was read and may be asked for again in the same answer.
//!
//! Owns how much of it is kept. What is kept here comes from records up to one size of the log, which do not change, so that
//! it is never out of date; whoever reads says what it is of.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

/// Of how many things what was read is kept: beyond that it is read again.
const KEPT_MAX: usize = 100_000;

/// What was read, by what it is of.
pub struct Kept<K, V>(HashMap<K, Rc<V>>);

impl<K: Hash + Eq + Clone, V> Kept<K, V> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// What was read, if it is kept.
    pub fn kept(&self, key: &K) -> Option<Rc<V>> {
        self.0.get(key).cloned()
    }

    /// What was read, or is read now.
    ///
    /// # Errors
    /// Whatever reading gives; nothing is kept then.
    pub fn get<E>(&mut self, key: &K, read: impl FnOnce() -> Result<V, E>) -> Result<Rc<V>, E> {
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

impl<K: Hash + Eq + Clone, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self::new()
    }
}
