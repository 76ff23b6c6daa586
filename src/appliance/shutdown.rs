//! The wish to stop: from SIGTERM or SIGINT to everyone who waits for it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut terminate, mut interrupt) = {
            let _context = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let (stop, shutdown) = Self::new();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut next = || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = terminate.recv() => SignalKind::terminate(),
                        _ = interrupt.recv() => SignalKind::interrupt(),
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
