//! Stream connections: which there are, what each still has to say, and which message goes over
//! which (RFC 3261 section 18, RFC 5626 section 4.4.1 for the keep-alive).
//!
//! Owns every connection from its opening to its closing, in a table bounded in all and for each
//! source. Gives whole messages to the user agent and [`Action`]s to the shell. A connection that
//! carries a dialog is kept; the others are closed when idle, and give way when the table is full.
//!
//! Invariant: each connection has at most one deadline; every queue on a connection that is still
//! being made is bounded like a read buffer.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::base::limits;
use crate::sip::admission::network_of;
use crate::sip::deadlines::Deadlines;
use crate::sip::framing::{Framed, PING, PONG, StreamFramer};
use crate::sip::transport::{AccountId, ConnectionId, Flow, Server, Transport, Way};

/// How long the shell may take to make a connection that we asked for.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long the answer to a ping of ours may take (RFC 5626 section 4.4.1).
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// What the shell is to do.
#[derive(PartialEq, Eq)]
pub enum Action {
    Transmit {
        flow: Flow,
        bytes: Vec<u8>,
    },
    Connect {
        connection: ConnectionId,
        transport: Transport,
        peer: SocketAddr,
        account: Option<AccountId>,
    },
    Close {
        connection: ConnectionId,
    },
}

/// What a connection brought.
#[derive(PartialEq, Eq)]
pub enum Brought {
    Message {
        flow: Flow,
        bytes: Vec<u8>,
    },
    KeepAlive,
    /// The answer to a ping of ours.
    Pong,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit { flow, bytes } => write!(f, "Transmit({flow:?}, {})", bytes.len()),
            Self::Connect { connection, .. } => write!(f, "Connect({connection:?})"),
            Self::Close { connection } => write!(f, "Close({connection:?})"),
        }
    }
}

impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { flow, bytes } => write!(f, "Message({flow:?}, {})", bytes.len()),
            Self::KeepAlive => f.write_str("KeepAlive"),
            Self::Pong => f.write_str("Pong"),
        }
    }
}

/// No way is left to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no connection to the peer, and no room to make one")]
pub struct NoWay;

enum State {
    /// Asked for; what is to be sent waits.
    Connecting {
        queue: Vec<Vec<u8>>,
        bytes: usize,
    },
    Open {
        framer: StreamFramer,
    },
}

struct Connection {
    flow: Flow,
    state: State,
    /// When it was opened, asked for, or last used.
    active_at: Instant,
    /// Dialogs whose requests go over it.
    dialogs: usize,
    /// It is taken for dead at this moment: a ping of ours is out, or the peer has said so.
    dead_at: Option<Instant>,
}

/// The connections.
pub struct Connections {
    table: HashMap<ConnectionId, Connection>,
    /// The newest connection to a peer for an account, or for nobody; by TLS of those that we made. What was
    /// made with one account's names and certificates carries nothing of another's.
    by_peer: HashMap<(Option<AccountId>, Server), ConnectionId>,
    /// By source as [`network_of`] counts them.
    accepted_from: HashMap<IpAddr, usize>,
    deadlines: Deadlines<ConnectionId>,
    actions: VecDeque<Action>,
    next_dialled: u64,
    capacity: usize,
    capacity_per_source: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self::new(limits::SIP_CONNECTIONS, limits::SIP_CONNECTIONS_PER_SOURCE)
    }
}

impl Connections {
    pub fn new(capacity: usize, capacity_per_source: usize) -> Self {
        Self {
            table: HashMap::new(),
            by_peer: HashMap::new(),
            accepted_from: HashMap::new(),
            deadlines: Deadlines::default(),
            actions: VecDeque::new(),
            next_dialled: 0,
            capacity,
            capacity_per_source,
        }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn has(&self, id: ConnectionId) -> bool {
        self.table.contains_key(&id)
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// A connection is up. False if there is no room for it; it is then being closed.
    pub fn opened(&mut self, now: Instant, flow: Flow) -> bool {
        let Some(id) = flow.connection else { return false };
        if let Some(connection) = self.table.get_mut(&id) {
            let open = State::Open { framer: StreamFramer::new() };
            let state = std::mem::replace(&mut connection.state, open);
            if flow.transport.comes_back() {
                // What comes back takes this connection: its port is ours.
                connection.flow.local = flow.local;
            }
            connection.active_at = now;
            if let State::Connecting { queue, .. } = state {
                let flow = connection.flow;
                self.actions
                    .extend(queue.into_iter().map(|bytes| Action::Transmit { flow, bytes }));
            }
            self.schedule(id);
            return true;
        }
        // One that we dialled and gave up since must not come back as a stranger.
        let stale = matches!(id, ConnectionId::Dialled(_));
        let source = network_of(flow.peer.ip());
        if stale || !self.make_room(source) {
            self.actions.push_back(Action::Close { connection: id });
            return false;
        }
        *self.accepted_from.entry(source).or_default() += 1;
        self.insert(id, flow, State::Open { framer: StreamFramer::new() }, now);
        true
    }

    /// A connection was accepted that nobody wants.
    pub fn refuse(&mut self, flow: Flow) {
        if let Some(connection) = flow.connection {
            self.actions.push_back(Action::Close { connection });
        }
    }

    /// Takes what a connection brought; then ask [`Self::next_brought`] until `None`.
    pub fn received(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) {
        let Some(connection) = self.table.get_mut(&id) else { return };
        connection.active_at = now;
        if let State::Open { framer } = &mut connection.state {
            framer.push(bytes, now);
        }
    }

    /// Something came whole on a connection of frames; gives its flow. A ping is answered here.
    pub fn frame(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) -> Option<Flow> {
        let connection = self.table.get_mut(&id)?;
        connection.active_at = now;
        let flow = connection.flow;
        self.schedule(id);
        if bytes == PING {
            self.actions.push_back(Action::Transmit { flow, bytes: PONG.to_vec() });
        }
        Some(flow)
    }

    /// The next message on a connection. Pings are answered here; a connection whose bytes make no
    /// sense any more is closed here.
    pub fn next_brought(&mut self, now: Instant, id: ConnectionId) -> Option<Brought> {
        let connection = self.table.get_mut(&id)?;
        let State::Open { framer } = &mut connection.state else { return None };
        let flow = connection.flow;
        if connection.dead_at.is_some() && framer.take_pong() {
            connection.dead_at = None;
            return Some(Brought::Pong);
        }
        match framer.next_message(now) {
            Some(Ok(Framed::Message(bytes))) => Some(Brought::Message { flow, bytes }),
            Some(Ok(Framed::Ping)) => {
                self.actions.push_back(Action::Transmit { flow, bytes: PONG.to_vec() });
                Some(Brought::KeepAlive)
            }
            Some(Err(_)) => {
                self.close(id);
                None
            }
            None => {
                self.schedule(id);
                None
            }
        }
    }

    /// Asks whether somebody is at the other end: it is closed unless [`Brought::Pong`] comes in time. False
    /// where that cannot be asked: each message of a WebSocket is a frame.
    pub fn ping(&mut self, now: Instant, id: ConnectionId) -> bool {
        let Some(connection) = self.table.get_mut(&id) else { return false };
        let flow = connection.flow;
        let is_open = matches!(connection.state, State::Open { .. });
        if !is_open || flow.transport.is_websocket() {
            return false;
        }
        connection.dead_at.get_or_insert(now + PONG_WITHIN);
        self.actions.push_back(Action::Transmit { flow, bytes: PING.to_vec() });
        self.schedule(id);
        true
    }

    /// The peer says that it leads nowhere any more: it is closed.
    pub fn give_up(&mut self, now: Instant, id: ConnectionId) {
        if let Some(connection) = self.table.get_mut(&id) {
            connection.dead_at = Some(now);
            self.schedule(id);
        }
    }

    /// The shell lost a connection, or could not make it.
    pub fn closed(&mut self, id: ConnectionId) {
        self.remove(id);
    }

    /// Sends along `way`: over its connection, else over another one to where a new one would go,
    /// else over a new one. Gives the connection taken.
    ///
    /// # Errors
    /// [`NoWay`] when there is no connection and no room for one.
    pub fn send(
        &mut self,
        now: Instant,
        way: Way,
        bytes: Vec<u8>,
    ) -> Result<Option<ConnectionId>, NoWay> {
        if way.flow.transport == Transport::Udp {
            self.actions.push_back(Action::Transmit { flow: way.flow, bytes });
            return Ok(None);
        }
        let id = match self.connection_for(way) {
            Some(id) => id,
            None => self.dial(now, way)?,
        };
        let connection = self.table.get_mut(&id).ok_or(NoWay)?;
        connection.active_at = now;
        match &mut connection.state {
            State::Open { .. } => {
                let flow = connection.flow;
                self.actions.push_back(Action::Transmit { flow, bytes });
            }
            State::Connecting { queue, bytes: waiting } => {
                if *waiting + bytes.len() > limits::SIP_STREAM_BUFFER_BYTES {
                    return Err(NoWay);
                }
                *waiting += bytes.len();
                queue.push(bytes);
            }
        }
        self.schedule(id);
        Ok(Some(id))
    }

    /// Takes back a message that waits for its connection to be made; false if it does not wait there.
    pub fn take_back(&mut self, id: ConnectionId, message: &[u8]) -> bool {
        let Some(Connection { state: State::Connecting { queue, bytes }, .. }) =
            self.table.get_mut(&id)
        else {
            return false;
        };
        let Some(at) = queue.iter().position(|waiting| waiting == message) else { return false };
        *bytes -= queue.remove(at).len();
        true
    }

    /// The connection that a message along `way` would take now; `None` if one is to be made.
    pub fn connection_for(&self, way: Way) -> Option<ConnectionId> {
        let own = way.flow.connection.filter(|id| self.table.contains_key(id));
        let server = Server { transport: way.flow.transport, address: way.reconnect };
        own.or_else(|| self.by_peer.get(&(way.flow.account, server)).copied())
    }

    /// A dialog's requests go over this connection from now on.
    pub fn retain(&mut self, id: ConnectionId) {
        if let Some(connection) = self.table.get_mut(&id) {
            connection.dialogs += 1;
            self.schedule(id);
        }
    }

    /// The counterpart of [`Self::retain`].
    pub fn release(&mut self, now: Instant, id: ConnectionId) {
        if let Some(connection) = self.table.get_mut(&id) {
            connection.dialogs = connection.dialogs.saturating_sub(1);
            connection.active_at = now;
            self.schedule(id);
        }
    }

    /// Closes what is idle, slow or could not be made; gives the connections that went.
    pub fn run_due(&mut self, now: Instant) -> Vec<ConnectionId> {
        let mut gone = Vec::new();
        while let Some(id) = self.deadlines.pop_due(now) {
            if self.deadline_of(id).is_some_and(|at| at <= now) {
                self.close(id);
                gone.push(id);
            } else {
                self.schedule(id);
            }
        }
        gone
    }

    fn dial(&mut self, now: Instant, way: Way) -> Result<ConnectionId, NoWay> {
        if !self.make_room_in_all() {
            return Err(NoWay);
        }
        self.next_dialled += 1;
        let id = ConnectionId::Dialled(self.next_dialled);
        let flow = Flow { peer: way.reconnect, connection: Some(id), ..way.flow };
        self.insert(id, flow, State::Connecting { queue: Vec::new(), bytes: 0 }, now);
        let Flow { transport, peer, account, .. } = flow;
        self.actions.push_back(Action::Connect { connection: id, transport, peer, account });
        Ok(id)
    }

    fn insert(&mut self, id: ConnectionId, flow: Flow, state: State, now: Instant) {
        // Where the other end comes back only whom we have connected to has shown who it is: what is meant
        // for a server does not go to somebody who came to us from its address.
        let is_known = !flow.transport.comes_back() || matches!(id, ConnectionId::Dialled(_));
        if is_known {
            self.by_peer.insert((flow.account, flow.server()), id);
        }
        self.table
            .insert(id, Connection { flow, state, active_at: now, dialogs: 0, dead_at: None });
        self.schedule(id);
    }

    fn make_room(&mut self, source: IpAddr) -> bool {
        let of_source = self.accepted_from.get(&source).copied().unwrap_or(0);
        if of_source >= self.capacity_per_source && !self.evict(Some(source)) {
            return false;
        }
        self.make_room_in_all()
    }

    fn make_room_in_all(&mut self) -> bool {
        self.table.len() < self.capacity || self.evict(None)
    }

    /// Closes the connection that is idle longest and carries no dialog, of `source` or of all.
    fn evict(&mut self, source: Option<IpAddr>) -> bool {
        let fits = |connection: &Connection| {
            connection.dialogs == 0
                && source.is_none_or(|source| network_of(connection.flow.peer.ip()) == source)
                && matches!(connection.state, State::Open { .. })
        };
        let idle = self.table.iter().filter(|(_, connection)| fits(connection));
        let Some(id) = idle.min_by_key(|(_, connection)| connection.active_at).map(|(id, _)| *id)
        else {
            return false;
        };
        self.close(id);
        true
    }

    fn close(&mut self, id: ConnectionId) {
        if self.remove(id) {
            self.actions.push_back(Action::Close { connection: id });
        }
    }

    fn remove(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.table.remove(&id) else { return false };
        let flow = connection.flow;
        if self.by_peer.get(&(flow.account, flow.server())) == Some(&id) {
            self.by_peer.remove(&(flow.account, flow.server()));
        }
        let source = network_of(flow.peer.ip());
        if matches!(id, ConnectionId::Accepted(_))
            && let Some(count) = self.accepted_from.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.accepted_from.remove(&source);
            }
        }
        self.deadlines.set(id, None);
        true
    }

    fn schedule(&mut self, id: ConnectionId) {
        let at = self.deadline_of(id);
        self.deadlines.set(id, at);
    }

    fn deadline_of(&self, id: ConnectionId) -> Option<Instant> {
        let connection = self.table.get(&id)?;
        match &connection.state {
            State::Connecting { .. } => Some(connection.active_at + CONNECT_WITHIN),
            State::Open { framer } => {
                let idle = connection.active_at + limits::SIP_CONNECTION_IDLE;
                let idle = (connection.dialogs == 0).then_some(idle);
                [framer.deadline(), idle, connection.dead_at].into_iter().flatten().min()
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/connections.rs"]
mod tests;
