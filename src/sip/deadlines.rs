//! The deadlines of many machines in order, so that ten thousand transactions cost a tree look-up
//! and never a scan.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// One deadline for each key, the soonest first.
#[derive(Debug)]
pub struct Deadlines<K> {
    ordered: BTreeSet<(Instant, K)>,
    by_key: HashMap<K, Instant>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { ordered: BTreeSet::new(), by_key: HashMap::new() }
    }
}

impl<K: Copy + Ord + Hash> Deadlines<K> {
    /// Moves `key`'s deadline; `None` removes it.
    pub fn set(&mut self, key: K, at: Option<Instant>) {
        let old = match at {
            Some(at) => self.by_key.insert(key, at),
            None => self.by_key.remove(&key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.ordered.remove(&(old, key));
        }
        if let Some(at) = at {
            self.ordered.insert((at, key));
        }
    }

    /// The soonest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.ordered.first().map(|(at, _)| *at)
    }

    /// Takes the soonest key whose deadline has come; call until `None`.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.ordered.first()?;
        if at > now {
            return None;
        }
        self.ordered.pop_first();
        self.by_key.remove(&key);
        Some(key)
    }

    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn keys_come_due_in_order_and_a_moved_key_only_at_its_new_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::default();
        for (key, ms) in [(1, 30), (2, 10), (3, 20), (1, 5), (3, 40)] {
            deadlines.set(key, Some(at(ms)));
        }
        deadlines.set(2, None);
        assert_eq!(deadlines.next(), Some(at(5)));
        assert_eq!(deadlines.pop_due(at(35)), Some(1));
        assert_eq!(deadlines.pop_due(at(35)), None);
        assert_eq!(deadlines.pop_due(at(40)), Some(3));
        assert!(deadlines.is_empty());
    }
}
