//! A call that comes, as the call itself must know it: by whatever way, the same few things.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::agreement::Towards;
use crate::base::{Private, Way, serial};
use crate::sip;

/// A call that asks to be taken. `Debug` shows by which way.
#[derive(Clone, Serialize, Deserialize)]
pub struct Incoming {
    pub way: Way,
    /// The number or address on the other end.
    #[serde(with = "serial::revealed")]
    pub peer: Private<String>,
    /// The dialog's Call-ID; empty for a visit.
    #[serde(with = "serial::revealed")]
    pub sip_call_id: Private<String>,
    /// Where its signalling comes from.
    pub signals_from: IpAddr,
    /// Its description; without one our answer carries ours, and `Established` theirs.
    pub offer: Option<Vec<u8>>,
}

impl From<sip::Incoming> for Incoming {
    fn from(incoming: sip::Incoming) -> Self {
        Self {
            way: Way::Sip,
            peer: incoming.from_uri,
            sip_call_id: incoming.sip_call_id,
            signals_from: incoming.flow.peer.ip(),
            offer: incoming.offer,
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({})", self.way.name())
    }
}

/// A leg that is no SIP asks for a call, with what its way alone knows: where the peer is to send sound to
/// and how that is protected, and by which names a language is chosen.
#[derive(Clone, Debug)]
pub struct Visit {
    pub incoming: Incoming,
    pub towards: Towards,
    /// Whom it wants, as the user part of a called address says it.
    pub called: Private<Option<String>>,
    /// Its own number, if it has told one.
    pub caller: Private<Option<String>>,
}
