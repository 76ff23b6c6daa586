//! Named deadlines of one state machine.

use std::time::Instant;

/// The deadlines of a machine, one for each name `K`.
///
/// Machines here have a handful of timers, so a list beats a tree. Setting a name again moves it.
#[derive(Debug, Clone)]
pub struct TimerTable<K> {
    armed: Vec<(K, Instant)>,
}

impl<K> Default for TimerTable<K> {
    fn default() -> Self {
        Self { armed: Vec::new() }
    }
}

impl<K: Copy + PartialEq> TimerTable<K> {
    /// Arms `name` for `at`, replacing its earlier deadline.
    pub fn set(&mut self, name: K, at: Instant) {
        match self.armed.iter_mut().find(|(k, _)| *k == name) {
            Some(entry) => entry.1 = at,
            None => self.armed.push((name, at)),
        }
    }

    /// As [`Self::set`], but a sooner deadline stays.
    pub fn set_sooner(&mut self, name: K, at: Instant) {
        match self.armed.iter_mut().find(|(k, _)| *k == name) {
            Some(entry) => entry.1 = entry.1.min(at),
            None => self.armed.push((name, at)),
        }
    }

    pub fn cancel(&mut self, name: K) {
        self.armed.retain(|(k, _)| *k != name);
    }

    pub fn clear(&mut self) {
        self.armed.clear();
    }

    pub fn is_armed(&self, name: K) -> bool {
        self.armed.iter().any(|(k, _)| *k == name)
    }

    /// The soonest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.armed.iter().map(|(_, at)| *at).min()
    }

    /// Takes the soonest timer that is due at `now`; call until `None`.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let index = self
            .armed
            .iter()
            .enumerate()
            .filter(|(_, (_, at))| *at <= now)
            .min_by_key(|(_, (_, at))| *at)
            .map(|(index, _)| index)?;
        Some(self.armed.swap_remove(index).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn due_timers_come_in_order_and_only_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = TimerTable::default();
        timers.set('b', at(20));
        timers.set('a', at(10));
        timers.set('c', at(90));
        timers.set('c', at(30));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(25)), Some('a'));
        assert_eq!(timers.pop_due(at(25)), Some('b'));
        assert_eq!(timers.pop_due(at(25)), None);
        timers.cancel('c');
        assert_eq!(timers.next(), None);
    }
}
