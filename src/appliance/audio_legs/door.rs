//! How a WebSocket gets from the HTTP interface to its session: it knocks, is told, and enters.
//!
//! The handshake is HTTP's, on the web thread; the socket below it is taken out of there and given to the thread
//! of the sound, so that nothing of the sound depends on the web thread any more.

use std::net::TcpStream;

use tokio::sync::{mpsc, oneshot};

use super::bridge::Way;
use crate::appliance::stream::Socket;
use crate::base::Private;
use crate::websocket::NotAttached;

/// What a client shows.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub call_id: Private<String>,
    pub token: Private<String>,
    pub resume: Option<Private<String>>,
}

/// Why a client may not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEntry {
    /// No call of this name is expected or up.
    NoSuchCall,
    Refused(NotAttached),
    /// The thread has too much to do, or is gone.
    Unavailable,
}

/// A WebSocket after its handshake.
pub(super) enum Handed {
    /// That of a client, with what came behind the handshake.
    Came { tcp: TcpStream, read: Vec<u8> },
    /// That to a bridge which we have called, with the `start` that has come, and the way to it.
    Called { socket: Box<Socket>, start: Option<Private<String>>, way: Way },
}

pub(super) enum Guest {
    Knocks { visitor: Visitor, told: oneshot::Sender<Result<(), NoEntry>> },
    Enters { visitor: Visitor, handed: Handed },
}

/// The web thread's side.
#[derive(Clone)]
pub struct Door(mpsc::Sender<Guest>);

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl Door {
    pub(super) const fn new(guests: mpsc::Sender<Guest>) -> Self {
        Self(guests)
    }

    /// One that nobody stands behind.
    pub fn closed() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Whether a client may enter.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn knock(&self, visitor: Visitor) -> Result<(), NoEntry> {
        let (told, answer) = oneshot::channel();
        self.0.try_send(Guest::Knocks { visitor, told }).map_err(|_| NoEntry::Unavailable)?;
        answer.await.unwrap_or(Err(NoEntry::Unavailable))
    }

    /// The same client with its socket. It is asked again: the call may have ended in between, and then the
    /// socket is closed.
    pub async fn enter(&self, visitor: Visitor, tcp: TcpStream, read: Vec<u8>) {
        let handed = Handed::Came { tcp, read };
        // A thread that is gone has no calls.
        let _ = self.0.send(Guest::Enters { visitor, handed }).await;
    }
}
