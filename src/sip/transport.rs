//! Where bytes come from and go to: transports, stream connections and flows. Addresses only; the
//! sockets are the shell's.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How SIP messages travel (RFC 3261 section 18, RFC 7118).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
}

impl Transport {
    /// Reliable transports deliver in order or break: the transaction machines then neither
    /// retransmit nor wait for late copies.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Over TLS.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Each message is a frame (RFC 7118).
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// What the other end begins comes over the connection that we made, as it makes none to us
    /// (RFC 5923, RFC 7118): our port is that connection's.
    pub const fn comes_back(self) -> bool {
        matches!(self, Self::Tls | Self::Ws | Self::Wss)
    }

    /// The word in a Via (`SIP/2.0/TCP`).
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The word in a URI (`;transport=tcp`).
    pub const fn uri_token(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Reads a URI's `transport` parameter; `None` when we do not know the word.
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|transport| transport.uri_token().eq_ignore_ascii_case(token))
    }

    /// Port when a URI or Via names none (RFC 3261 section 19.1.2, RFC 7118 section 5).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// One of our accounts. Numbered by who owns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId(pub u32);

/// Where a server takes requests, and how they travel there. `Debug` shows no address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server {
    pub transport: Transport,
    pub address: SocketAddr,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({:?})", self.transport)
    }
}

/// One stream connection. The shell numbers those that it accepts, the user agent those that it
/// asks the shell to make, so that the two never clash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConnectionId {
    Accepted(u64),
    Dialled(u64),
}

/// One way between us and a peer.
///
/// `local` is a concrete address of ours (never the wildcard): it goes into Via and Contact. `Debug`
/// shows no address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    pub transport: Transport,
    pub local: SocketAddr,
    pub peer: SocketAddr,
    /// The stream that carries it; `None` for UDP, and for a stream that is still to be made.
    pub connection: Option<ConnectionId>,
    /// The account that we reach the peer for: its streams are made with its names and certificates, and
    /// carry nothing of another's. `None`: whoever came to us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

impl Flow {
    pub const fn udp(local: SocketAddr, peer: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, peer, connection: None, account: None }
    }

    pub const fn stream(
        transport: Transport,
        local: SocketAddr,
        peer: SocketAddr,
        connection: ConnectionId,
    ) -> Self {
        Self { transport, local, peer, connection: Some(connection), account: None }
    }

    /// Who is at the other end, as a server.
    pub const fn server(self) -> Server {
        Server { transport: self.transport, address: self.peer }
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.connection {
            Some(connection) => write!(f, "Flow({:?}, {connection:?})", self.transport),
            None => write!(f, "Flow({:?})", self.transport),
        }
    }
}

/// Where a message goes: along a flow or, when the flow's connection is gone, to an address that a
/// new connection may be made to (RFC 3261 section 18.2.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Way {
    pub flow: Flow,
    pub reconnect: SocketAddr,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({:?})", self.flow)
    }
}

impl Way {
    /// To whoever is at the other end of `flow`.
    pub const fn to_peer(flow: Flow) -> Self {
        Self { flow, reconnect: flow.peer }
    }
}
