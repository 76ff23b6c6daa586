//! When a number is called again that was busy or did not answer.

use std::time::Duration;

/// Why nobody was reached who may be reached later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    Busy,
    NoAnswer,
}

/// Waits after the first, the second and further times of each; where the list ends we give up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    pub busy: Vec<Duration>,
    pub no_answer: Vec<Duration>,
}

/// The attempts of one dialling so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redial {
    busy: usize,
    no_answer: usize,
}

impl Redial {
    /// The wait before the next attempt; `None`: there is none.
    pub fn after(&mut self, schedule: &Schedule, outcome: Unanswered) -> Option<Duration> {
        let (times, waits) = match outcome {
            Unanswered::Busy => (&mut self.busy, &schedule.busy),
            Unanswered::NoAnswer => (&mut self.no_answer, &schedule.no_answer),
        };
        let wait = waits.get(*times).copied();
        *times += 1;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_own_waits_and_an_end() {
        let seconds = Duration::from_secs;
        let schedule =
            Schedule { busy: vec![seconds(60), seconds(300)], no_answer: vec![seconds(900)] };
        let mut redial = Redial::default();
        for (outcome, wait) in [
            (Unanswered::Busy, Some(60)),
            (Unanswered::NoAnswer, Some(900)),
            (Unanswered::Busy, Some(300)),
            (Unanswered::Busy, None),
            (Unanswered::NoAnswer, None),
        ] {
            assert_eq!(redial.after(&schedule, outcome), wait.map(seconds), "{outcome:?}");
        }
        assert_eq!(Redial::default().after(&Schedule::default(), Unanswered::Busy), None);
    }
}
