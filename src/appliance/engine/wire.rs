//! The front's end of the socket, and how an engine's life ends.

use std::io;
use std::process::ExitStatus;

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::speech::protocol::{Inbox, Message, ProtocolError, ToEngine};

const READ_BYTES: usize = 64 * 1024;

/// The socket of an engine.
pub struct Wire {
    pub read: OwnedReadHalf,
    pub write: OwnedWriteHalf,
    pub inbox: Inbox,
    pub received: Box<[u8]>,
    /// Bytes that the socket has not taken yet; the pending requests bound them.
    pub unsent: Vec<u8>,
}

impl Wire {
    pub fn new(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        let received = vec![0; READ_BYTES].into_boxed_slice();
        Self { read, write, inbox: Inbox::default(), received, unsent: Vec::new() }
    }

    pub fn send(&mut self, message: &ToEngine) {
        message.encode(&mut self.unsent);
    }
}

/// Why one engine's life ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// Nobody holds the `Link` any more.
    #[error("the front has ended")]
    FrontGone,
    #[error("it cannot be started: {0}")]
    Start(#[source] io::Error),
    #[error("it was not ready in time")]
    NotReady,
    #[error("it {}", ending(*.0))]
    Exited(ExitStatus),
    /// By us, for one that works otherwise.
    #[error("it is exchanged for one that suits the box better now")]
    Exchanged,
    #[error("its socket has ended")]
    Closed,
    #[error("it does not answer")]
    Silent,
    #[error("a decode takes longer than {} s", crate::base::limits::DECODE_TIMEOUT.as_secs())]
    Stuck,
    #[error("it does not speak our protocol: {0}")]
    Protocol(#[from] ProtocolError),
    #[error("it speaks version {0} of the protocol")]
    Mismatch(u16),
}

impl End {
    /// Of a child that ended by itself.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Exited(status) => status.code(),
            _ => None,
        }
    }
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
