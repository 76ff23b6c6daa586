//! Every transaction alive, found by key, driven by one queue of deadlines.
//!
//! Takes requests and responses from the user agent, gives it [`Report`]s. Bounded in number and in
//! bytes; requests that would begin a call may use three quarters of it, so that the calls which
//! are up can always be ended.
//!
//! Invariant: each slot is under exactly one key, has at most one deadline in the queue, and leaves
//! with a `Report::Terminated`.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Instant;

use super::client::{self, Client};
use super::invite_client::{self, InviteClient};
use super::invite_server::{self, InviteServer};
use super::server::{self, Server};
use super::{Class, ClientKey, Effect, GIVE_UP, MergeKey, ServerKey, Timer};
use crate::base::{TimerTable, limits};
use crate::sip::deadlines::Deadlines;
use crate::sip::message::{Method, Request, Response};
use crate::sip::transport::{ConnectionId, Way};

/// One transaction. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(u64);

/// What the table tells the user agent.
#[derive(PartialEq, Eq)]
pub enum Report {
    Transmit {
        id: TransactionId,
        way: Way,
        bytes: Vec<u8>,
    },
    /// No final response (B, F), or no ACK for ours (H).
    TimedOut(TransactionId),
    Unreachable(TransactionId),
    Terminated(TransactionId),
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit { id, bytes, .. } => write!(f, "Transmit({id:?}, {})", bytes.len()),
            Self::TimedOut(id) => write!(f, "TimedOut({id:?})"),
            Self::Unreachable(id) => write!(f, "Unreachable({id:?})"),
            Self::Terminated(id) => write!(f, "Terminated({id:?})"),
        }
    }
}

/// What a received request is to the table.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Belongs to this transaction, which dealt with it.
    Absorbed(TransactionId),
    /// An ACK for the 2xx of this INVITE: the dialog's business.
    AckOfSuccess,
    Unknown,
}

enum Machine {
    InviteClient(InviteClient),
    Client(Client),
    InviteServer(InviteServer),
    Server(Server),
}

enum Role {
    Client { key: ClientKey, request: Box<Request> },
    Server { key: ServerKey, merge: Option<MergeKey> },
}

struct Slot {
    machine: Machine,
    role: Role,
    timers: TimerTable<Timer>,
    way: Way,
    /// What this slot counts in `TransactionTable::bytes`.
    weight: usize,
}

/// The transactions.
pub struct TransactionTable {
    slots: HashMap<TransactionId, Slot>,
    clients: HashMap<ClientKey, TransactionId>,
    servers: HashMap<ServerKey, TransactionId>,
    merges: HashMap<MergeKey, TransactionId>,
    deadlines: Deadlines<TransactionId>,
    reports: VecDeque<Report>,
    next: u64,
    capacity: usize,
    /// Bytes of messages kept for retransmission.
    bytes: usize,
}

impl Default for TransactionTable {
    fn default() -> Self {
        Self::new(limits::SIP_TRANSACTIONS)
    }
}

impl TransactionTable {
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: HashMap::new(),
            clients: HashMap::new(),
            servers: HashMap::new(),
            merges: HashMap::new(),
            deadlines: Deadlines::default(),
            reports: VecDeque::new(),
            next: 0,
            capacity,
            bytes: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of messages kept for retransmission.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a request that would begin something new may have a transaction.
    pub fn has_room_for_new(&self) -> bool {
        self.slots.len() < self.capacity / 4 * 3 && self.bytes < limits::SIP_TRANSACTION_BYTES
    }

    /// Whether a request that belongs to a call may have a transaction.
    pub fn has_room(&self) -> bool {
        self.slots.len() < self.capacity
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    pub fn poll(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// Sends `request` along `way` in a transaction of its own. `None` when the table is full or
    /// the request has no Via of ours.
    pub fn send(&mut self, now: Instant, request: Request, way: Way) -> Option<TransactionId> {
        let key = ClientKey::of_request(&request)?;
        if !self.has_room() || self.clients.contains_key(&key) {
            return None;
        }
        let reliable = way.flow.transport.is_reliable();
        let (bytes, mut effects) = (request.to_bytes(), Vec::new());
        let machine = if *request.method() == Method::Invite {
            Machine::InviteClient(InviteClient::start(bytes, reliable, &mut effects))
        } else {
            Machine::Client(Client::start(bytes, reliable, &mut effects))
        };
        let id = self.take_id();
        self.clients.insert(key.clone(), id);
        let role = Role::Client { key, request: Box::new(request) };
        self.insert(id, Slot { machine, role, timers: TimerTable::default(), way, weight: 0 });
        self.carry_out(now, id, effects);
        Some(id)
    }

    /// A server transaction for `request`, to be answered along `way`. The caller has asked
    /// [`Self::received`] and for room.
    pub fn accept(&mut self, request: &Request, way: Way) -> Option<TransactionId> {
        let key = ServerKey::of(request)?;
        if !self.has_room() || self.servers.contains_key(&key) {
            return None;
        }
        let machine = match request.method() {
            Method::Invite => Machine::InviteServer(InviteServer::start()),
            _ => Machine::Server(Server::start()),
        };
        let id = self.take_id();
        self.servers.insert(key.clone(), id);
        let merge = MergeKey::of(request);
        if let Some(merge) = &merge {
            self.merges.entry(merge.clone()).or_insert(id);
        }
        let role = Role::Server { key, merge };
        self.insert(id, Slot { machine, role, timers: TimerTable::default(), way, weight: 0 });
        Some(id)
    }

    /// Shows a request to the transaction that it belongs to.
    pub fn received(&mut self, now: Instant, request: &Request) -> Received {
        let id = ServerKey::of(request).and_then(|key| self.servers.get(&key).copied());
        let Some(id) = id else { return Received::Unknown };
        let is_ack = *request.method() == Method::Ack;
        let delivered = self.drive(now, id, |machine, reliable, effects| match machine {
            Machine::InviteServer(invite) => {
                let input = match is_ack {
                    true => invite_server::Input::Ack,
                    false => invite_server::Input::Retransmission,
                };
                invite.handle(input, reliable, effects);
            }
            Machine::Server(other) => {
                other.handle(server::Input::Retransmission, reliable, effects);
            }
            Machine::InviteClient(_) | Machine::Client(_) => {}
        });
        if delivered { Received::AckOfSuccess } else { Received::Absorbed(id) }
    }

    /// An ongoing transaction for the same request by another path (482), `None` if there is none.
    pub fn merged(&self, request: &Request) -> Option<TransactionId> {
        self.merges.get(&MergeKey::of(request)?).copied()
    }

    /// The INVITE transaction that `cancel` is about, and whether its final response is still due.
    pub fn cancelled(&self, cancel: &Request) -> Option<(TransactionId, bool)> {
        let id = *self.servers.get(&ServerKey::of_cancelled(cancel)?)?;
        match &self.slots.get(&id)?.machine {
            Machine::InviteServer(invite) => Some((id, invite.is_pending())),
            _ => None,
        }
    }

    /// Answers in a server transaction. Nothing happens when it is over.
    pub fn respond(&mut self, now: Instant, id: TransactionId, response: &Response) {
        let class = Class::of(response.status());
        let bytes = response.to_bytes();
        self.drive(now, id, |machine, reliable, effects| match machine {
            Machine::InviteServer(invite) => {
                invite.handle(invite_server::Input::Respond(class, bytes), reliable, effects);
            }
            Machine::Server(other) => {
                other.handle(server::Input::Respond(class, bytes), reliable, effects);
            }
            Machine::InviteClient(_) | Machine::Client(_) => {}
        });
    }

    /// Shows a response to its transaction; `Some` when the user agent is to see it too.
    pub fn response(&mut self, now: Instant, response: &Response) -> Option<TransactionId> {
        let id = *self.clients.get(&ClientKey::of_response(response)?)?;
        let class = Class::of(response.status());
        let ack = self.request(id).map(|request| ack_of_failure(request, response).to_bytes());
        let delivered = self.drive(now, id, |machine, reliable, effects| match machine {
            Machine::InviteClient(invite) => {
                let input = match class {
                    Class::Provisional => invite_client::Input::Provisional,
                    Class::Success => invite_client::Input::Success,
                    Class::Failure => {
                        invite_client::Input::Failure { ack: ack.unwrap_or_default() }
                    }
                };
                invite.handle(input, reliable, effects);
            }
            Machine::Client(other) => {
                other.handle(client::Input::Response(class), reliable, effects);
            }
            Machine::InviteServer(_) | Machine::Server(_) => {}
        });
        delivered.then_some(id)
    }

    /// Whether a client transaction of ours waits for this response.
    pub fn knows(&self, response: &Response) -> bool {
        ClientKey::of_response(response).is_some_and(|key| self.clients.contains_key(&key))
    }

    /// The request of a client transaction.
    pub fn request(&self, id: TransactionId) -> Option<&Request> {
        match &self.slots.get(&id)?.role {
            Role::Client { request, .. } => Some(request),
            Role::Server { .. } => None,
        }
    }

    /// Where a transaction's messages go.
    pub fn way(&self, id: TransactionId) -> Option<Way> {
        self.slots.get(&id).map(|slot| slot.way)
    }

    /// Whether an INVITE of ours has a provisional but no final response: a CANCEL may go.
    pub fn may_be_cancelled(&self, id: TransactionId) -> bool {
        let machine = self.slots.get(&id).map(|slot| &slot.machine);
        matches!(machine, Some(Machine::InviteClient(InviteClient::Proceeding)))
    }

    /// The transport could not deliver what this transaction sent.
    pub fn unreachable(&mut self, now: Instant, id: TransactionId) {
        self.drive(now, id, |machine, reliable, effects| match machine {
            Machine::InviteClient(m) => {
                m.handle(invite_client::Input::TransportError, reliable, effects);
            }
            Machine::Client(m) => m.handle(client::Input::TransportError, reliable, effects),
            Machine::InviteServer(m) => {
                m.handle(invite_server::Input::TransportError, reliable, effects);
            }
            Machine::Server(m) => m.handle(server::Input::TransportError, reliable, effects),
        });
    }

    /// What a transaction sent went over this connection.
    pub fn sent_over(&mut self, id: TransactionId, connection: ConnectionId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.way.flow.connection = Some(connection);
        }
    }

    /// A connection is gone: what was asked over it will not be answered. Answers of ours find
    /// another way.
    pub fn lost(&mut self, now: Instant, connection: ConnectionId) {
        if self.clients.is_empty() {
            return;
        }
        let waiting: Vec<_> = self
            .clients
            .values()
            .copied()
            .filter(|id| {
                self.slots.get(id).is_some_and(|slot| slot.way.flow.connection == Some(connection))
            })
            .collect();
        for id in waiting {
            self.unreachable(now, id);
        }
    }

    /// Ends an INVITE of ours in 64*T1 at the latest: after a provisional response it has no timer of
    /// its own, and whoever began it has gone.
    pub fn expire(&mut self, now: Instant, id: TransactionId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let is_open = matches!(
            slot.machine,
            Machine::InviteClient(InviteClient::Calling { .. } | InviteClient::Proceeding)
        );
        if is_open {
            slot.timers.set(Timer::B, now + GIVE_UP);
            self.schedule(id);
        }
    }

    /// Sends an INVITE of ours no more: another one has taken its place, though this one may still be
    /// answered.
    pub fn hush(&mut self, id: TransactionId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.timers.cancel(Timer::A);
            self.schedule(id);
        }
    }

    /// Our INVITE without any answer, and the connection that it was given to; `None` of any other.
    pub fn waits_on(&self, id: TransactionId) -> Option<(ConnectionId, &[u8])> {
        let slot = self.slots.get(&id)?;
        match &slot.machine {
            Machine::InviteClient(InviteClient::Calling { request, .. }) => {
                Some((slot.way.flow.connection?, request))
            }
            _ => None,
        }
    }

    /// Whether nothing at all has come to this INVITE of ours, which may still be answered.
    pub fn is_silent(&self, id: TransactionId) -> bool {
        let machine = self.slots.get(&id).map(|slot| &slot.machine);
        matches!(machine, Some(Machine::InviteClient(InviteClient::Calling { .. })))
    }

    /// Gives up a transaction whose outcome nobody waits for any more.
    pub fn abandon(&mut self, id: TransactionId) {
        self.remove(id);
    }

    /// Runs every timer that is due.
    pub fn run_due(&mut self, now: Instant) {
        while let Some(id) = self.deadlines.pop_due(now) {
            let timer = self.slots.get_mut(&id).and_then(|slot| slot.timers.pop_due(now));
            match timer {
                Some(timer) => self.fire(now, id, timer),
                None => self.schedule(id),
            }
        }
    }

    fn fire(&mut self, now: Instant, id: TransactionId, timer: Timer) {
        self.drive(now, id, |machine, reliable, effects| match machine {
            Machine::InviteClient(m) => {
                m.handle(invite_client::Input::Timer(timer), reliable, effects);
            }
            Machine::Client(m) => m.handle(client::Input::Timer(timer), reliable, effects),
            Machine::InviteServer(m) => {
                m.handle(invite_server::Input::Timer(timer), reliable, effects);
            }
            Machine::Server(m) => m.handle(server::Input::Timer(timer), reliable, effects),
        });
    }

    /// Gives one machine an input and carries out what it wants; true if it wants the input to be
    /// delivered.
    fn drive(
        &mut self,
        now: Instant,
        id: TransactionId,
        input: impl FnOnce(&mut Machine, bool, &mut Vec<Effect>),
    ) -> bool {
        let Some(slot) = self.slots.get_mut(&id) else { return false };
        let mut effects = Vec::new();
        input(&mut slot.machine, slot.way.flow.transport.is_reliable(), &mut effects);
        self.carry_out(now, id, effects)
    }

    fn carry_out(&mut self, now: Instant, id: TransactionId, effects: Vec<Effect>) -> bool {
        let mut delivered = false;
        for effect in effects {
            let Some(slot) = self.slots.get_mut(&id) else { break };
            match effect {
                Effect::Transmit(bytes) => {
                    self.reports.push_back(Report::Transmit { id, way: slot.way, bytes });
                }
                Effect::Arm(timer, after) => slot.timers.set(timer, now + after),
                Effect::Disarm(timer) => slot.timers.cancel(timer),
                Effect::Deliver => delivered = true,
                Effect::TimedOut => self.reports.push_back(Report::TimedOut(id)),
                Effect::Unreachable => self.reports.push_back(Report::Unreachable(id)),
                Effect::Terminated => self.remove(id),
            }
        }
        self.weigh(id);
        self.schedule(id);
        delivered
    }

    fn schedule(&mut self, id: TransactionId) {
        let next = self.slots.get(&id).and_then(|slot| slot.timers.next());
        self.deadlines.set(id, next);
    }

    fn weigh(&mut self, id: TransactionId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            let weight = slot.machine.stored_bytes();
            self.bytes = self.bytes - slot.weight + weight;
            slot.weight = weight;
        }
    }

    fn take_id(&mut self) -> TransactionId {
        self.next += 1;
        TransactionId(self.next)
    }

    fn insert(&mut self, id: TransactionId, slot: Slot) {
        self.slots.insert(id, slot);
    }

    fn remove(&mut self, id: TransactionId) {
        let Some(slot) = self.slots.remove(&id) else { return };
        match slot.role {
            Role::Client { key, .. } => {
                self.clients.remove(&key);
            }
            Role::Server { key, merge } => {
                self.servers.remove(&key);
                if let Some(merge) = merge
                    && self.merges.get(&merge) == Some(&id)
                {
                    self.merges.remove(&merge);
                }
            }
        }
        self.bytes -= slot.weight;
        self.deadlines.set(id, None);
        self.reports.push_back(Report::Terminated(id));
    }
}

impl Machine {
    fn stored_bytes(&self) -> usize {
        match self {
            Self::InviteClient(InviteClient::Calling { request, .. }) => request.len(),
            Self::InviteClient(InviteClient::Completed { ack }) => ack.len(),
            Self::Client(Client::Trying { request, .. } | Client::Proceeding { request }) => {
                request.len()
            }
            Self::InviteServer(InviteServer::Proceeding { last: Some(last) }) => last.len(),
            Self::InviteServer(InviteServer::Completed { response, .. }) => response.len(),
            Self::Server(
                Server::Proceeding { last: response } | Server::Completed { response },
            ) => response.len(),
            Self::InviteClient(_) | Self::Client(_) | Self::InviteServer(_) | Self::Server(_) => 0,
        }
    }
}

/// The ACK for a refusal: the INVITE's URI, top Via, Route and From, the response's To (RFC 3261
/// section 17.1.1.3).
fn ack_of_failure(invite: &Request, response: &Response) -> Request {
    let mut ack = Request::new(Method::Ack, invite.uri().clone());
    if let Some(via) = invite.header("Via") {
        ack.push_header("Via", via);
    }
    ack.push_header("Max-Forwards", "70");
    for route in invite.headers("Route") {
        ack.push_header("Route", route);
    }
    ack.push_header("From", invite.header("From").unwrap_or_default());
    ack.push_header("To", response.header("To").unwrap_or_default());
    ack.push_header("Call-ID", invite.call_id().unwrap_or_default());
    let number = invite.cseq().map_or(0, |cseq| cseq.number);
    ack.push_header("CSeq", format!("{number} ACK"));
    ack
}
