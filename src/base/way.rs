//! By which way a call comes to the box.

use serde::{Deserialize, Serialize};

/// The protocol that begins and ends a leg.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum Way {
    #[default]
    Sip,
    /// A browser, by HTTP (RFC 9725).
    WebRtc,
    /// A program, by frames of sound over a WebSocket.
    WebSocket,
    /// A handset of this machine, by its sound card.
    Handset,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Sip, Self::WebRtc, Self::WebSocket, Self::Handset];

    /// One word for logs and the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::WebRtc => "webrtc",
            Self::WebSocket => "websocket",
            Self::Handset => "handset",
        }
    }
}
