//! The net thread's loop: waits for whatever comes next and gives it to the switchboard.
//!
//! One thread owns all calls, so nothing in a call is ever locked. The loop turns at least once a
//! second, which is its heartbeat.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

use super::rendering::Rendering;
use super::switchboard::{Switchboard, unix_ms};
use crate::appliance::engine::{Asker, Engine, EngineEvent, EngineState};
use crate::appliance::notify;
use crate::appliance::rings;
use crate::appliance::shutdown::Shutdown;
use crate::appliance::sip_socket::Arrival;
use crate::appliance::start_error::StartError;
use crate::call::Cause;
use crate::call::admission::Readiness;
use crate::store::messages::{Left, MessageLog};
use crate::web::{Board, Health};

/// The loop turns at least this often: several times between two looks of the watchdog.
const HEARTBEAT: Duration = Duration::from_millis(250);
const _: () = assert!(HEARTBEAT.as_millis() * 3 < super::LOOK.as_millis());
/// Time that the ends of calls may take at shutdown: a lost BYE is sent twice more by then.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the loop listens to.
pub struct Sources {
    /// Readable when the audio thread has left something.
    pub wake: UnixStream,
    pub arrivals: mpsc::Receiver<Arrival>,
    pub engine: Arc<dyn Engine>,
    pub answers: mpsc::Receiver<EngineEvent>,
    pub shutdown: Shutdown,
}

/// The loop with what it tells others.
pub struct Net {
    pub switchboard: Switchboard,
    pub rendering: Rendering,
    pub messages: MessageLog,
    pub board: Arc<Board>,
    /// Turns of the loop.
    pub beats: Arc<AtomicU64>,
    /// The engine has been ready once: from then on it is started again for ever.
    pub has_worked: bool,
    /// Sentences for the owner that stay true while the program runs.
    pub standing: Vec<String>,
}

pub fn now() -> Instant {
    Instant::now()
}

impl Net {
    /// Runs until shutdown, or until the engine has shown at the start that it cannot work.
    pub async fn run(mut self, mut sources: Sources) -> Result<(), StartError> {
        let mut state = sources.engine.state();
        state.mark_changed();
        loop {
            self.beats.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = sources.shutdown.requested() => break,
                Ok(()) = sources.wake.readable() => {
                    rings::empty(&sources.wake);
                    self.switchboard.audio(now());
                }
                Some(arrival) = sources.arrivals.recv() => self.switchboard.arrival(now(), arrival),
                Some(event) = sources.answers.recv() => self.answer(event, sources.engine.as_ref()),
                Ok(()) = state.changed() => self.engine_changed(&mut state, sources.engine.as_ref())?,
                () = sleep_until(self.switchboard.deadline()) => self.switchboard.timeout(now()),
            }
            self.keep_messages();
        }
        self.farewell(&mut sources).await;
        Ok(())
    }

    fn answer(&mut self, event: EngineEvent, engine: &dyn Engine) {
        match event.asker {
            Asker::Call(_) => self.switchboard.engine(now(), event),
            Asker::Appliance => {
                self.rendering.answer(event, engine);
                if let Some(shelf) = self.rendering.finished() {
                    tracing::info!(phrases = shelf.len(), "ready for calls");
                    self.switchboard.stock(shelf);
                    self.switchboard.set_readiness(now(), Readiness::Ready);
                    self.tell();
                }
            }
        }
    }

    /// The watch channel shows the newest state only, so a restart may hide that it was down.
    fn engine_changed(
        &mut self,
        state: &mut watch::Receiver<EngineState>,
        engine: &dyn Engine,
    ) -> Result<(), StartError> {
        let is = state.borrow_and_update().clone();
        match is {
            EngineState::Ready(_) => {
                self.has_worked = true;
                self.switchboard.engine_is(now(), true);
                if self.rendering.is_finished() {
                    self.switchboard.set_readiness(now(), Readiness::Ready);
                    self.tell();
                } else {
                    self.rendering.begin(engine);
                }
            }
            EngineState::Starting => self.engine_lost("it is being started"),
            EngineState::Down { exit_code, reason, .. } => {
                if let Some(code) = exit_code.filter(|_| !self.has_worked) {
                    return Err(StartError::EngineGone { code: u8::try_from(code).unwrap_or(1) });
                }
                self.engine_lost(&reason);
            }
        }
        Ok(())
    }

    fn engine_lost(&mut self, reason: &str) {
        self.switchboard.engine_is(now(), false);
        self.switchboard.set_readiness(now(), Readiness::Starting);
        let waiting_for = vec![format!("the speech engine: {reason}")];
        self.board.set_health(Health::Starting { waiting_for });
    }

    fn tell(&self) {
        let health = match self.standing.as_slice() {
            [] => Health::Ready,
            reasons => Health::Degraded { reasons: reasons.to_vec() },
        };
        self.board.set_health(health);
        notify::ready("answering calls");
    }

    fn keep_messages(&mut self) {
        for (call, message) in self.switchboard.take_messages() {
            self.messages.leave(Left { call, unix_ms: unix_ms(), message });
        }
    }

    /// Ends all calls and waits for their ends to be acknowledged.
    async fn farewell(&mut self, sources: &mut Sources) {
        notify::stopping();
        self.board.set_health(Health::Stopping);
        self.switchboard.set_readiness(now(), Readiness::Draining);
        self.switchboard.hang_up_all(now(), Cause::ShuttingDown);
        let end = now() + FAREWELL;
        while self.switchboard.calls() > 0 && now() < end {
            let deadline = self.switchboard.deadline().map_or(end, |at| at.min(end));
            tokio::select! {
                Ok(()) = sources.wake.readable() => {
                    rings::empty(&sources.wake);
                    self.switchboard.audio(now());
                }
                Some(arrival) = sources.arrivals.recv() => self.switchboard.arrival(now(), arrival),
                () = sleep_until(Some(deadline)) => self.switchboard.timeout(now()),
            }
        }
        self.keep_messages();
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    let beat = now() + HEARTBEAT;
    let at = deadline.map_or(beat, |at| at.min(beat));
    tokio::time::sleep_until(at.into()).await;
}
