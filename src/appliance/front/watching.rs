//! The main thread: waits for the end, feeds systemd's watchdog while every thread beats, says how the box is, and
//! reads anew what can be.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::reload::{Reload, Reloaded};
use super::system;
use crate::appliance::clock;
use crate::appliance::notify;
use crate::appliance::pulse::{Pulse, Pulses};
use crate::appliance::rings::Shared;
use crate::appliance::start_error::StartError;
use crate::store::history::Calendar;
use crate::web::{AudioFigures, Board};

/// The hearts are looked at this often when systemd does not ask for more.
const LOOK: Duration = Duration::from_secs(1);
/// Silence of a thread that is no fault: the audio thread ticks every 20 ms and the net thread turns four times a
/// second, so that this is a machine that was busy for very long.
const AUDIO_SILENCE: Duration = Duration::from_secs(2);
pub(super) const NET_SILENCE: Duration = Duration::from_secs(3);
/// These wait for disks and busy cores, and for nothing else.
const OTHERS_SILENCE: Duration = Duration::from_secs(6);

/// What the main thread looks at.
pub(super) struct Watch {
    pulses: Pulses,
    shared: Arc<Shared>,
    board: Arc<Board>,
    /// SIGHUP.
    hung_up: mpsc::Receiver<()>,
    reload: Reload,
    /// Where what was read anew goes.
    reloaded: mpsc::Sender<Reloaded>,
    calendar: Calendar,
    said: Said,
}

/// What was said last, so that it is said once.
#[derive(Debug, Default)]
struct Said {
    silent: Option<&'static str>,
    status: String,
}

impl Watch {
    /// Over audio and net, and over `others`. Gives the net thread its pulse and what is read anew.
    pub(super) fn new(
        shared: Arc<Shared>,
        board: &Arc<Board>,
        others: [(&'static str, Pulse); 3],
        (hung_up, reload): (mpsc::Receiver<()>, Reload),
    ) -> (Self, Pulse, mpsc::Receiver<Reloaded>) {
        let (now, net) = (Instant::now(), Pulse::default());
        let own = Pulses::default().with(now, "audio", shared.pulse.clone(), AUDIO_SILENCE).with(
            now,
            "net",
            net.clone(),
            NET_SILENCE,
        );
        let pulses = others
            .into_iter()
            .fold(own, |pulses, (thread, pulse)| pulses.with(now, thread, pulse, OTHERS_SILENCE));
        let (reloaded, taken) = mpsc::channel(1);
        let board = Arc::clone(board);
        let said = Said::default();
        let calendar = Calendar::default();
        let watch = Self { pulses, shared, board, hung_up, reload, reloaded, calendar, said };
        (watch, net, taken)
    }

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
            unobserved: self.shared.unobserved.load(Ordering::Relaxed),
        });
        self.look_at_clock(now);
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
            Some(thread) => {
                // Without a watchdog nobody wants it ended.
                if self.pulses.hangs(now) && notify::alive_interval().is_some() {
                    notify::hangs();
                }
                format!("The thread {thread} does nothing any more")
            }
        };
        if status != self.said.status {
            notify::status(&status);
            self.said.status = status;
        }
    }

    /// All that is timed counts by another clock; only what is old, and what is shown, does not.
    fn look_at_clock(&mut self, now: Instant) {
        let was_believed = self.calendar.is_believed(now);
        let is_believed = self.calendar.look(now, clock::unix_ms()).is_some();
        if is_believed != was_believed {
            tracing::warn!(is_believed, "the clock of the box was set by more than an hour");
            self.board.set_clock(is_believed);
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
