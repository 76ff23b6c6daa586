//! What goes into an account and what comes out of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::pace::Pace;
use super::watch::Standing;
use crate::sip::{FoundBy, Presence, RegistrationNews, Server};
use crate::trunk::reason::Reason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Between pings. Zero, where nothing is registered: none is sent, and the servers are taken to be there.
    pub keep_alive: Duration,
    /// False: the server knows us by our address, and only calls go to it.
    pub registers: bool,
    pub pace: Pace,
}

#[derive(Clone, Debug)]
pub enum Input {
    /// Calls can be taken.
    Start,
    /// The addresses behind the names of its servers, the first to be tried first; empty: none was
    /// found.
    Servers(Vec<Server>),
    News(RegistrationNews),
    /// How one of its servers was found, by a question or by a call.
    Presence(Server, Presence, FoundBy),
    /// Whether it works is to be found out now.
    Try,
    /// Our own address on the way to the server has changed.
    AddressChanged,
    Stop,
    Timeout,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask for the addresses of its servers.
    Resolve,
    Register {
        server: Server,
        /// Where we are reached, if not at the address that the REGISTER is sent from.
        contact: Option<SocketAddr>,
    },
    Ping {
        server: Server,
    },
    /// Ask whether it is there: `Presence` tells.
    Probe {
        server: Server,
    },
    Unregister,
    /// The server says nothing on the connection to it: that is to be closed.
    DropFlow,
    /// The status of the account has changed.
    Changed,
    /// Nothing more before this time.
    Timeout(Option<Instant>),
}

/// What the owner sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not begun, or on the way to be registered for the first time.
    Registering,
    Registered {
        until: Instant,
    },
    /// Not to be registered, and calls can be made.
    Open(Standing),
    /// Not to be registered, and none of its servers answers. Calls are tried all the same.
    Unreachable {
        since: Instant,
        /// Of the first.
        reason: Reason,
        of: usize,
    },
    Failing {
        since: Instant,
        reason: Reason,
    },
    /// Given up in the end.
    Left,
}
