//! The SIP core joined with its sockets: what arrives goes into the core, what the core sends goes
//! out, and what is left are the events that a call must know of.
//!
//! Used by the front and by `attendant call` alike. Invariant: after [`SipLine::event`] has
//! returned `None` the core is drained and [`SipLine::deadline`] is its next one.

use std::time::Instant;

use super::sip_socket::{Arrival, SipSockets};
use crate::sip::{self, Flow, LegId, UserAgent};

/// See the module.
pub struct SipLine {
    agent: UserAgent,
    sockets: SipSockets,
    deadline: Option<Instant>,
}

impl std::fmt::Debug for SipLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SipLine({:?})", self.agent.occupancy())
    }
}

impl SipLine {
    pub const fn new(agent: UserAgent, sockets: SipSockets) -> Self {
        Self { agent, sockets, deadline: None }
    }

    /// The id for a call that we make.
    pub fn reserve_leg(&mut self) -> LegId {
        self.agent.reserve_leg()
    }

    /// As [`UserAgent::sip_call_id`].
    pub fn sip_call_id(&self, leg: LegId) -> Option<&str> {
        self.agent.sip_call_id(leg)
    }

    /// The flow with the address that the peer sees, where we listen on all of ours.
    pub fn with_local_address(&mut self, flow: Flow) -> Flow {
        self.sockets.with_local_address(flow)
    }

    /// Takes something from the network; drain [`Self::event`] afterwards.
    pub fn arrival(&mut self, now: Instant, arrival: Arrival) {
        match arrival {
            Arrival::Datagram { flow, bytes } => {
                let flow = self.sockets.with_local_address(flow);
                self.agent.handle(now, sip::Input::Datagram { flow, bytes: &bytes });
            }
            Arrival::Opened { flow, writer } => {
                if let Some(connection) = flow.connection {
                    self.sockets.adopt(connection, writer);
                }
                self.agent.handle(now, sip::Input::StreamOpened { flow });
            }
            Arrival::Bytes { flow, bytes } => {
                if let Some(connection) = flow.connection {
                    self.agent.handle(now, sip::Input::StreamBytes { connection, bytes: &bytes });
                }
            }
            Arrival::Closed { flow } => {
                if let Some(connection) = flow.connection {
                    self.sockets.close(connection);
                    self.agent.handle(now, sip::Input::StreamClosed { connection });
                }
            }
            Arrival::ConnectFailed { connection } => {
                self.agent.handle(now, sip::Input::ConnectFailed { connection });
            }
        }
    }

    /// Gives the core a command; drain [`Self::event`] afterwards.
    pub fn command(&mut self, now: Instant, command: sip::Command) {
        self.agent.handle(now, sip::Input::Command(command));
    }

    /// Wakes the core if its deadline has come; drain [`Self::event`] afterwards.
    pub fn timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.agent.handle(now, sip::Input::Timeout);
        }
    }

    /// Sends what the core has to send, up to its next event.
    pub fn event(&mut self) -> Option<sip::Event> {
        loop {
            match self.agent.poll_output() {
                sip::Output::Transmit { flow, bytes } => self.sockets.transmit(&flow, bytes),
                sip::Output::Connect { connection, transport, peer } => {
                    self.sockets.connect(transport, peer, connection);
                }
                sip::Output::Close { connection } => self.sockets.close(connection),
                sip::Output::Event(event) => return Some(event),
                sip::Output::Timeout(at) => {
                    self.deadline = at;
                    return None;
                }
            }
        }
    }

    /// When [`Self::timeout`] is due.
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
