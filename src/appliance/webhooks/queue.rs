//! What waits to be delivered to one webhook, and when it is tried. Pure: times are Unix milliseconds, for a delivery
//! outlives the program.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::base::{Private, limits, serial};

/// Waits after the attempts, in seconds; after the last there is none. As Standard Webhooks proposes them: a little
/// more than a day together.
const WAITS_S: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

/// Where one delivery fails the others wait for so long at most, unless the receiver wants more: it may be the
/// one that it cannot read.
const REST_S: u64 = 60;

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The same at each attempt: by it the receiver knows what it has had.
    pub id: String,
    /// JSON, with what was said and left.
    #[serde(with = "serial::revealed")]
    pub body: Private<String>,
    /// It is kept on the disk until it is delivered.
    pub is_kept: bool,
    pub attempts: u32,
    pub due_ms: u64,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempted {
    Delivered,
    /// With a time that the receiver wants to have, in seconds.
    Failed {
        retry_after_s: Option<u64>,
    },
    /// 410: nothing is wanted any more.
    Gone,
}

/// What follows from it for the delivery.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is over: delivered, or given up.
    Over(Delivery),
    Again(Delivery),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Delivery>,
    is_gone: bool,
    failures: u32,
    /// After a failure nothing is tried before this: what comes meanwhile would fail as well.
    rests_until_ms: u64,
}

impl Queue {
    /// Gives what had to be thrown away for it.
    pub fn push(&mut self, delivery: Delivery) -> Option<Delivery> {
        if self.is_gone {
            return Some(delivery);
        }
        // What is not kept goes first.
        let full = self.waiting.len() >= limits::WEBHOOK_QUEUE;
        let oldest = self.waiting.iter().position(|waiting| !waiting.is_kept).unwrap_or(0);
        let lost = full.then(|| self.waiting.remove(oldest)).flatten();
        self.waiting.push_back(delivery);
        lost
    }

    /// When something is to be tried.
    pub fn due_ms(&self) -> Option<u64> {
        let soonest = self.waiting.iter().map(|delivery| delivery.due_ms).min();
        soonest.map(|due| due.max(self.rests_until_ms))
    }

    /// What is to be tried now.
    pub fn take(&mut self, now_ms: u64) -> Option<Delivery> {
        if now_ms < self.rests_until_ms {
            return None;
        }
        let index = self.waiting.iter().position(|delivery| delivery.due_ms <= now_ms)?;
        self.waiting.remove(index)
    }

    /// What came of an attempt with it.
    pub fn attempted(&mut self, now_ms: u64, mut delivery: Delivery, outcome: Attempted) -> Fate {
        let retry_after_s = match outcome {
            Attempted::Delivered => {
                (self.failures, self.rests_until_ms) = (0, 0);
                return Fate::Over(delivery);
            }
            Attempted::Gone => {
                self.is_gone = true;
                return Fate::Over(delivery);
            }
            Attempted::Failed { retry_after_s } => retry_after_s,
        };
        self.failures = self.failures.saturating_add(1);
        let wait_s = WAITS_S.get(delivery.attempts as usize);
        delivery.attempts += 1;
        let Some(wait_s) = wait_s else { return Fate::Over(delivery) };
        let longest = WAITS_S.iter().copied().max().unwrap_or(0);
        let wait_s = retry_after_s.unwrap_or(0).min(longest).max(*wait_s);
        let rest_s = retry_after_s.map_or(wait_s.min(REST_S), |wanted| wanted.min(longest));
        self.rests_until_ms = now_ms.saturating_add(rest_s.saturating_mul(1_000));
        delivery.due_ms = now_ms.saturating_add(wait_s.saturating_mul(1_000));
        let again = delivery.clone();
        match self.push(delivery) {
            // There is no room for it any more.
            Some(lost) if lost == again => Fate::Over(lost),
            _ => Fate::Again(again),
        }
    }

    /// Everything, when nothing is wanted any more.
    pub fn drain(&mut self) -> Vec<Delivery> {
        self.waiting.drain(..).collect()
    }

    /// Takes out what `is_it` names.
    pub fn take_where(&mut self, is_it: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let (taken, left): (VecDeque<_>, VecDeque<_>) = self.waiting.drain(..).partition(is_it);
        self.waiting = left;
        taken.into()
    }

    pub const fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Attempts in a row that have failed.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: &str, is_kept: bool) -> Delivery {
        Delivery {
            id: id.into(),
            body: Private::new("{}".to_owned()),
            is_kept,
            attempts: 0,
            due_ms: 0,
        }
    }

    const FAILED: Attempted = Attempted::Failed { retry_after_s: None };

    #[test]
    fn what_fails_is_tried_again_later_and_later_and_then_given_up() {
        let mut queue = Queue::default();
        queue.push(delivery("a", true));
        let mut now = 0;
        let mut waits = Vec::new();
        loop {
            let one = queue.take(now).unwrap();
            assert!(queue.take(now).is_none());
            match queue.attempted(now, one, FAILED) {
                Fate::Again(_) => {
                    let due = queue.due_ms().unwrap();
                    waits.push((due - now) / 1_000);
                    assert!(queue.take(due - 1).is_none());
                    now = due;
                }
                Fate::Over(one) => break assert_eq!(one.attempts, 8),
            }
        }
        assert_eq!(waits, WAITS_S);
        assert_eq!((queue.failures(), queue.len(), queue.due_ms()), (8, 0, None));
    }

    #[test]
    fn a_success_ends_it_and_the_receiver_may_want_more_time() {
        let mut queue = Queue::default();
        queue.push(delivery("a", false));
        let one = queue.take(0).unwrap();
        queue.attempted(0, one, Attempted::Failed { retry_after_s: Some(60) });
        assert_eq!(queue.due_ms(), Some(60_000));
        let one = queue.take(60_000).unwrap();
        assert!(matches!(queue.attempted(60_000, one, Attempted::Delivered), Fate::Over(_)));
        assert_eq!((queue.failures(), queue.len()), (0, 0));
    }

    #[test]
    fn who_is_gone_gets_nothing_any_more() {
        let mut queue = Queue::default();
        queue.push(delivery("a", true));
        queue.push(delivery("b", true));
        let one = queue.take(0).unwrap();
        assert!(matches!(queue.attempted(0, one, Attempted::Gone), Fate::Over(_)));
        assert_eq!((queue.is_gone(), queue.drain().len()), (true, 1));
        assert_eq!(queue.push(delivery("c", true)).map(|lost| lost.id), Some("c".to_owned()));
    }

    #[test]
    fn a_full_queue_loses_the_oldest_and_of_these_what_is_not_kept_first() {
        let mut queue = Queue::default();
        queue.push(delivery("kept", true));
        queue.push(delivery("plain", false));
        for n in 2..limits::WEBHOOK_QUEUE {
            assert_eq!(queue.push(delivery(&n.to_string(), true)), None);
        }
        let lost = |lost: Option<Delivery>| lost.map(|lost| lost.id);
        assert_eq!(lost(queue.push(delivery("x", true))), Some("plain".to_owned()));
        assert_eq!(lost(queue.push(delivery("y", true))), Some("kept".to_owned()));
    }
}
