//! Candidates of ICE: where one end may be reached (RFC 8445 section 5).

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How an address became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateKind {
    /// The socket's own.
    Host,
    /// A check came from there.
    PeerReflexive,
    /// A server sees the socket there.
    ServerReflexive,
    /// A server passes on what comes there.
    Relayed,
}

impl CandidateKind {
    pub const ALL: [Self; 4] =
        [Self::Host, Self::PeerReflexive, Self::ServerReflexive, Self::Relayed];

    /// As `typ` says it (RFC 8839 section 5.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::PeerReflexive => "prflx",
            Self::ServerReflexive => "srflx",
            Self::Relayed => "relay",
        }
    }

    /// RFC 8445 section 5.1.2.2.
    const fn preference(self) -> u32 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    /// RFC 8445 section 5.1.2.1; of two addresses the one with the larger `preference` comes first.
    pub fn priority(self, preference: u16, component: u8) -> u32 {
        (self.preference() << 24) + (u32::from(preference) << 8) + (256 - u32::from(component))
    }
}

/// One of them. Its address is not printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub kind: CandidateKind,
    /// 1 is RTP, or both under one port; 2 is RTCP.
    pub component: u8,
    pub priority: u32,
    pub address: SocketAddr,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({} of {})", self.kind.name(), self.component)
    }
}

impl Candidate {
    /// `preference`: the larger, the sooner it is tried.
    pub fn new(kind: CandidateKind, preference: u16, component: u8, address: SocketAddr) -> Self {
        Self { kind, component, priority: kind.priority(preference, component), address }
    }
}
