//! Somebody of the firm's listens to the call, takes it over from the assistant, and gives it back.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Call, Limit, Output, State, Timer};
use crate::base::{CallId, Private, serial};
use crate::call::handover::Handover;
use crate::call::record::{Attended, Part};

/// What an operator does, each known by the number of its leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attendance {
    /// It hears both sides; the call does not change.
    Listens {
        operator: CallId,
        /// As the interface knows them.
        #[serde(with = "serial::revealed")]
        by: Private<String>,
    },
    Leaves(CallId),
    /// It speaks in the assistant's place.
    TakesOver {
        operator: CallId,
        #[serde(with = "serial::revealed")]
        by: Private<String>,
    },
    /// The assistant goes on.
    GivesBack(CallId),
}

impl Call {
    /// Whether somebody may speak in the assistant's place: not while the caller is on the way to somebody else or with
    /// them, and not in the place of another operator.
    pub fn may_be_taken_over(&self) -> bool {
        matches!(self.state, State::Active)
            && self.handover == Handover::None
            && self.floor.may_give_way()
    }

    pub(super) fn attend(&mut self, now: Instant, attendance: Attendance) {
        let from_ms = self.unix_ms(now);
        match attendance {
            Attendance::Listens { operator, by } => {
                self.record.attend(Attended {
                    operator,
                    by,
                    part: Part::Listened,
                    from_ms,
                    to_ms: None,
                });
            }
            Attendance::Leaves(operator) => {
                self.record.stop_attending(operator, Part::Listened, from_ms);
            }
            Attendance::TakesOver { operator, by } => {
                if !self.may_be_taken_over() {
                    return;
                }
                self.handover = Handover::TakenOver;
                if let Limit::Until(at) = self.limit {
                    self.timers.set(Timer::Longest, at);
                }
                self.floor.give_way(now);
                self.record.is_taken_over = true;
                self.record.attend(Attended {
                    operator,
                    by,
                    part: Part::TookOver,
                    from_ms,
                    to_ms: None,
                });
            }
            Attendance::GivesBack(operator) => {
                if self.handover != Handover::TakenOver {
                    return;
                }
                self.handover = Handover::None;
                self.record.is_taken_over = false;
                self.record.stop_attending(operator, Part::TookOver, from_ms);
                if matches!(self.state, State::Active) {
                    self.timers.cancel(Timer::Longest);
                    self.floor.give_back(now);
                    self.floor.held(now, !self.audibility.is_heard());
                }
            }
        }
        self.out.push_back(Output::Recorded);
    }
}
