//! What systemd is told: ready, status, still alive, stopping. Without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// The process takes calls.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`; no private words.
pub fn status(status: &str) {
    send(&[NotifyState::Status(status)]);
}

pub fn stopping(status: &str) {
    send(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// What can be read anew is; `ready` is to follow.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    match now {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

/// To be called only while every thread's heartbeat is young.
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// A thread does not come back: what its watchdog does to a program that says nothing is to be done at once.
pub fn hangs() {
    send(&[NotifyState::WatchdogTrigger]);
}

/// How often `alive` is wanted: half of `WatchdogSec=`, so that one late beat does not kill.
pub fn alive_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_systemd_nothing_happens() {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            ready("waiting for calls");
            assert_eq!(alive_interval(), None);
        }
    }
}
