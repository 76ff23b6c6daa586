//! The main thread: waits for the end, feeds systemd's watchdog while every thread beats, says how the box is, and
//! reads anew what can be.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::reload::{Reload, Reloaded};
use super::system;
use crate::appliance::notify;
use crate::appliance::pulse::Pulses;
use crate::appliance::rings::Shared;
use crate::appliance::start_error::StartError;
use crate::web::{AudioFigures, Board};

/// The hearts are looked at this often when systemd does not ask for more.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Silence of a thread that is no fault: the audio thread ticks every 20 ms and the net thread turns four times a
/// second, so that this is a machine that was busy for very long.
pub(super) const AUDIO_SILENCE: Duration = Duration::from_secs(2);
pub(super) const NET_SILENCE: Duration = Duration::from_secs(3);
/// These wait for disks and busy cores, and for nothing else.
pub(super) const OTHERS_SILENCE: Duration = Duration::from_secs(6);

/// What the main thread looks at.
pub(super) struct Watch {
    pub pulses: Pulses,
    pub shared: Arc<Shared>,
    pub board: Arc<Board>,
    /// SIGHUP.
    pub hung_up: mpsc::Receiver<()>,
    pub reload: Reload,
    /// Where what was read anew goes.
    pub reloaded: mpsc::Sender<Reloaded>,
    pub said: Said,
}

/// What was said last, so that it is said once.
#[derive(Debug, Default)]
pub(super) struct Said {
    silent: Option<&'static str>,
    status: String,
}

impl Watch {
    /// Until `ended` has come; an error when the net thread is gone without it.
    pub(super) fn run<T>(
        mut self,
        mut ended: mpsc::Receiver<Result<T, StartError>>,
    ) -> Result<T, StartError> {
        let look = notify::alive_interval().map_or(LOOK, |interval| interval.min(LOOK));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.map_err(system("cannot watch the threads"))?.block_on(async {
            let mut looks = tokio::time::interval(look);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    outcome = ended.recv() => return outcome.unwrap_or_else(|| Err(panicked())),
                    Some(()) = self.hung_up.recv() => self.reload(),
                    _ = looks.tick() => self.look(Instant::now()),
                }
            }
        })
    }

    fn look(&mut self, now: Instant) {
        let lateness = &self.shared.lateness;
        self.board.set_audio(AudioFigures {
            late_counts: lateness.counts(),
            late_sum_us: lateness.sum_us(),
            late_p50_us: lateness.quantile_us(0.5),
            late_p999_us: lateness.quantile_us(0.999),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
        });
        let silent = self.pulses.silent(now);
        if let (Some(thread), true) = (silent, silent != self.said.silent) {
            tracing::error!(thread, "it has done nothing for too long");
        }
        self.said.silent = silent;
        let status = match silent {
            None => {
                notify::alive();
                self.board.status_line()
            }
            Some(thread) => format!("The thread {thread} does nothing any more"),
        };
        if status != self.said.status {
            notify::status(&status);
            self.said.status = status;
        }
    }

    fn reload(&mut self) {
        notify::reloading();
        let told = match self.reload.read() {
            Ok(reloaded) => match self.reloaded.try_send(reloaded) {
                // Said by who carries it out.
                Ok(()) => return,
                Err(_) => "not read anew: the last time is not over yet".to_owned(),
            },
            Err(fault) => format!("not read anew: {fault}"),
        };
        tracing::error!("{told}");
        self.said.status.clear();
        notify::ready(&told);
    }
}

/// A panic in there ends the program; where panics unwind, as in tests, it ends here.
fn panicked() -> StartError {
    let source = std::io::Error::other("panicked");
    StartError::System { what: "the net thread has ended", source }
}
