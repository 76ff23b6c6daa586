//! Whether each stage of a call gets anywhere: sound that comes is heard, words are replied to, replies leave.
//!
//! What stands still is told in the log and counted; the call's own timers and the watchdogs of threads and engine
//! decide what becomes of it. Pure.

use std::time::{Duration, Instant};

use crate::call::CallRecord;
use crate::web::Stage;

/// Reports, one a second, with packets and without a frame of them.
const DEAF_REPORTS: u32 = 5;
/// After a turn of the caller's something is said within this time: a filler, a prompt, an apology.
const REPLY_WITHIN: Duration = Duration::from_secs(15);
/// After a reply is known it is on the wire within this time.
const SOUND_WITHIN: Duration = Duration::from_secs(10);

/// Of one call.
#[derive(Debug, Default)]
pub(super) struct Stages {
    received: u64,
    frames: u64,
    deaf: u32,
    /// The newest turn, and since when it is that.
    turn: Option<(usize, Instant)>,
    told: Option<Stage>,
}

impl Stages {
    /// 20 ms were heard.
    pub(super) fn heard(&mut self) {
        self.frames += 1;
    }

    /// The figures of one more second; gives a stage that stands still, once.
    pub(super) fn report(
        &mut self,
        now: Instant,
        received: u64,
        record: &CallRecord,
    ) -> Option<Stage> {
        let has_come = received > self.received;
        self.received = received;
        let is_deaf = has_come && std::mem::take(&mut self.frames) == 0;
        self.deaf = if is_deaf { self.deaf + 1 } else { 0 };
        let stage = match self.deaf >= DEAF_REPORTS {
            true => Some(Stage::Hearing),
            false => self.turn(now, record),
        };
        let is_new = stage != self.told;
        self.told = stage;
        stage.filter(|_| is_new)
    }

    fn turn(&mut self, now: Instant, record: &CallRecord) -> Option<Stage> {
        let newest = record.turns().len().checked_sub(1)?;
        let since = match self.turn {
            Some((turn, since)) if turn == newest => since,
            _ => {
                self.turn = Some((newest, now));
                now
            }
        };
        let turn = record.turns().get(newest)?;
        // An agent has timers of its own, and what nobody has said wants no reply.
        if record.agent.is_some() || turn.caller_text.reveal().is_empty() {
            return None;
        }
        let waited = now.saturating_duration_since(since);
        match turn.reply_text.reveal().is_empty() {
            true => (waited >= REPLY_WITHIN).then_some(Stage::Reply),
            false if turn.gap_ms.is_none() && !turn.interrupted => {
                (waited >= SOUND_WITHIN).then_some(Stage::Sound)
            }
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Private};
    use crate::call::record::{Direction, Turn};

    fn record(turn: Turn) -> CallRecord {
        let mut record = CallRecord::new(CallId(1), Direction::Inbound, "sip:a@b".into(), 0);
        record.push_turn(turn);
        record
    }

    fn told(record: &CallRecord, seconds: u64, heard: bool) -> Vec<(u64, Stage)> {
        let start = Instant::now();
        let mut stages = Stages::default();
        let found = (0..seconds).filter_map(|second| {
            if heard {
                stages.heard();
            }
            let now = start + Duration::from_secs(second);
            Some((second, stages.report(now, 50 * (second + 1), record)?))
        });
        found.collect()
    }

    #[test]
    fn what_stands_still_is_told_once_and_what_moves_is_not() {
        let text = |text: &str| Private::new(text.to_owned());
        let asked = Turn { caller_text: text("hello"), ..Turn::default() };
        let replied = Turn { reply_text: text("good day"), ..asked.clone() };
        let gone = Turn { gap_ms: Some(300), ..replied.clone() };
        assert_eq!(told(&record(Turn::default()), 40, false), [(4, Stage::Hearing)]);
        assert_eq!(told(&record(asked), 40, true), [(15, Stage::Reply)]);
        assert_eq!(told(&record(replied.clone()), 40, true), [(10, Stage::Sound)]);
        for fine in [gone, Turn { interrupted: true, ..replied }, Turn::default()] {
            assert_eq!(told(&record(fine), 40, true), []);
        }
    }
}
