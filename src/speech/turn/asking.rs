//! The thread that looks at turns while Whisper decodes them.
//!
//! **Invariant:** nobody waits for it longer than `limits::TURN_WAIT`, and a turn of which it says
//! nothing is judged as without a turn model.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::log_mel::SAMPLES;
use super::{TurnError, TurnModel};
use crate::base::limits;
use crate::speech::protocol::TurnReport;

/// Looks that may wait for the one that is under way.
const WAITING: usize = 4;
/// Failures in a row after which it is left alone.
const FAILURES: u32 = 3;
/// Looks in a row that came too late: then it only takes time from Whisper.
const LATE: u32 = 20;

/// A turn model at work.
#[derive(Debug)]
pub struct TurnWatch {
    name: String,
    standing: Arc<Mutex<Standing>>,
    questions: Option<SyncSender<Question>>,
}

#[derive(Debug)]
enum Standing {
    Looks { failures: u32, late: u32 },
    Off { reason: String, is_told: bool },
}

struct Question {
    audio: Vec<i16>,
    answer: SyncSender<f32>,
}

/// A look that is under way.
#[derive(Debug)]
pub struct Asked<'a> {
    watch: &'a TurnWatch,
    answer: Receiver<f32>,
}

impl TurnWatch {
    /// Has `employ` start the thread that looks with `model`; without one it tells nothing, and why.
    pub fn start<E>(
        name: String,
        model: Result<TurnModel, TurnError>,
        employ: impl FnOnce(Box<dyn FnOnce() + Send>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let model = match model {
            Ok(model) => model,
            Err(error) => {
                let standing = Standing::Off { reason: error.to_string(), is_told: true };
                let standing = Arc::new(Mutex::new(standing));
                return Ok(Self { name, standing, questions: None });
            }
        };
        let standing = Arc::new(Mutex::new(Standing::Looks { failures: 0, late: 0 }));
        let (questions, asked) = sync_channel(WAITING);
        let shared = Arc::clone(&standing);
        employ(Box::new(move || look(model, &asked, &shared)))?;
        Ok(Self { name, standing, questions: Some(questions) })
    }

    /// Begins a look at the end of `audio`, 16 kHz; `None` where none can be had.
    pub fn ask(&self, audio: &[i16]) -> Option<Asked<'_>> {
        let questions = self.questions.as_ref().filter(|_| locked(&self.standing).looks())?;
        let audio = audio.get(audio.len().saturating_sub(SAMPLES)..).unwrap_or(audio).to_vec();
        let (answer, answered) = sync_channel(1);
        questions.try_send(Question { audio, answer }).ok()?;
        Some(Asked { watch: self, answer: answered })
    }

    pub fn report(&self) -> TurnReport {
        let fault = match &*locked(&self.standing) {
            Standing::Looks { .. } => None,
            Standing::Off { reason, .. } => Some(reason.clone()),
        };
        TurnReport { name: self.name.clone(), fault }
    }

    /// What the front does not know yet.
    pub fn news(&self) -> Option<TurnReport> {
        let was_told = match &mut *locked(&self.standing) {
            Standing::Looks { .. } => true,
            Standing::Off { is_told, .. } => std::mem::replace(is_told, true),
        };
        (!was_told).then(|| self.report())
    }
}

impl Asked<'_> {
    /// How likely the turn is complete, if that is known in time.
    pub fn wait(self) -> Option<f32> {
        let answer = self.answer.recv_timeout(limits::TURN_WAIT);
        let mut standing = locked(&self.watch.standing);
        match answer {
            Ok(complete) => {
                standing.was(false);
                Some(complete)
            }
            Err(RecvTimeoutError::Timeout) => {
                standing.was(true);
                None
            }
            // It failed, and the thread has said so.
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

impl Standing {
    fn looks(&self) -> bool {
        matches!(self, Self::Looks { .. })
    }

    fn was(&mut self, too_late: bool) {
        let Self::Looks { late, .. } = self else { return };
        *late = if too_late { *late + 1 } else { 0 };
        if *late >= LATE {
            let wait_ms = limits::TURN_WAIT.as_millis();
            self.end(format!("{LATE} looks in a row took more than {wait_ms} ms"));
        }
    }

    fn failed(&mut self, error: &TurnError) {
        let Self::Looks { failures, .. } = self else { return };
        *failures += 1;
        if *failures >= FAILURES {
            self.end(format!("it failed {FAILURES} times in a row: {error}"));
        }
    }

    fn worked(&mut self) {
        if let Self::Looks { failures, .. } = self {
            *failures = 0;
        }
    }

    fn end(&mut self, reason: String) {
        *self = Self::Off { reason, is_told: false };
    }
}

fn look(mut model: TurnModel, asked: &Receiver<Question>, standing: &Mutex<Standing>) {
    while let Ok(Question { audio, answer }) = asked.recv() {
        match model.complete(&audio) {
            Ok(complete) => {
                locked(standing).worked();
                // Who asked may have gone on without it.
                let _ = answer.send(complete);
            }
            Err(error) => locked(standing).failed(&error),
        }
        if !locked(standing).looks() {
            return;
        }
    }
}

fn locked(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_late_twenty_times_in_a_row_is_left_alone() {
        let mut standing = Standing::Looks { failures: 0, late: 0 };
        let late = |standing: &mut Standing, times| (0..times).for_each(|_| standing.was(true));
        late(&mut standing, LATE - 1);
        standing.was(false);
        late(&mut standing, LATE - 1);
        assert!(standing.looks(), "one in time begins the row anew");
        late(&mut standing, 1);
        assert!(matches!(&standing, Standing::Off { reason, is_told: false }
            if reason.contains("20 looks") && reason.contains("100 ms")));
    }
}
