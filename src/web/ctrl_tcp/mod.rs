//! Baresip's `ctrl_tcp` protocol: a program that was written to steer baresip steers the box unchanged.
//!
//! ```text
//!  TCP ─ netstring ─▶ message ─▶ commands ─ web::Command ─▶ net thread
//!      ◀─ netstring ─ message ◀─ commands, events ◀─ Board
//! ```
//!
//! `netstring` and `message` are pure; `server` owns the sockets. There is no password in this protocol, so that
//! it is on a loopback address only. Several may be connected, where baresip has one. Invariant: answers come in
//! the order of the commands; events may stand between.

mod commands;
mod message;
mod netstring;
mod server;

use crate::base::Private;

pub(super) use server::serve;

/// How the box presents itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Classes of events as baresip had them up to its version 3.
    pub legacy_classes: bool,
    /// The address of record where no account is known.
    pub own: Private<String>,
    /// The accounts by name, with `sip:USER@HOST` of each.
    pub accounts: Vec<(String, Private<String>)>,
}

/// Reads what a connection brings, in these pieces.
#[cfg(any(test, fuzzing))]
pub(super) fn read(pieces: &[&[u8]]) {
    let mut reader = netstring::Reader::default();
    for piece in pieces {
        reader.push(piece);
        while let Some(Ok(text)) = reader.next() {
            drop(serde_json::from_slice::<message::Request>(&text));
        }
    }
}

impl Settings {
    /// The address of record of the account of this name.
    fn aor(&self, account: Option<&str>) -> &str {
        let named = account.and_then(|name| self.accounts.iter().find(|(known, _)| known == name));
        let first = || self.accounts.first();
        named.or_else(first).map_or(self.own.reveal(), |(_, aor)| aor.reveal())
    }
}
