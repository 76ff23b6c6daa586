//! The wishes of whoever runs the program: to stop, by SIGTERM or SIGINT, and to read anew what can be, by SIGHUP.

use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Cloned to every part that has something to end. Also raised when its `Stop` is dropped.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Raises the wish.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    pub fn new() -> (Stop, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stop(sender), Self(receiver))
    }

    /// Raised by the first SIGTERM or SIGINT; the second ends the process at once with the status
    /// that a shell gives to such an end.
    pub fn on_signals() -> io::Result<Self> {
        Self::on_signals_and(None)
    }

    /// The same, and SIGHUP tells `on_reload`. A terminal's hang-up ends the program as usual.
    pub fn on_signals_and(on_reload: Option<mpsc::Sender<()>>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut terminate, mut interrupt) = {
            let _context = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let (stop, shutdown) = Self::new();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut reload = on_reload.filter(|_| !io::stderr().is_terminal()).and_then(|tell| {
                let _context = runtime.enter();
                Some((signal(SignalKind::hangup()).ok()?, tell))
            });
            let mut next = || {
                runtime.block_on(async {
                    loop {
                        tokio::select! {
                            _ = terminate.recv() => break SignalKind::terminate(),
                            _ = interrupt.recv() => break SignalKind::interrupt(),
                            () = hung_up(&mut reload) => {}
                        }
                    }
                })
            };
            next();
            stop.stop();
            std::process::exit(128 + next().as_raw_value());
        })?;
        Ok(shutdown)
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Comes back when the process is to stop.
    pub async fn requested(&mut self) {
        // An error says that the `Stop` is gone: also an end.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Tells of one hang-up; one that comes while another waits is the same. Never, where nobody wants it.
async fn hung_up(reload: &mut Option<(Signal, mpsc::Sender<()>)>) {
    match reload {
        Some((signal, tell)) => {
            signal.recv().await;
            let _ = tell.try_send(());
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_told_also_when_the_other_end_is_gone() {
        let (stop, shutdown) = Shutdown::new();
        let other = shutdown.clone();
        assert!(!shutdown.is_requested());
        stop.stop();
        assert!(shutdown.is_requested() && other.is_requested());
        let (stop, shutdown) = Shutdown::new();
        drop(stop);
        assert!(shutdown.is_requested());
    }
}
