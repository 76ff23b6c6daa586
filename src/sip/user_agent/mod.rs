//! The user agent (RFC 3261 sections 8, 9, 11, 13 to 15): answers and makes calls.
//!
//! Takes datagrams, stream bytes, commands and deadlines from the shell; gives it bytes to send,
//! connections to make and events. `api` has its alphabet, `uas` and `calling` the two sides,
//! `leg` the state of one call, `stack` the layers below.
//!
//! Invariants: one input, then [`UserAgent::poll_output`] until `Timeout`; every incoming INVITE
//! gets 100 at once and a final response in the end; every leg ends with one event.

mod api;
mod authentication;
mod binding;
mod calling;
mod compose;
mod dialect;
mod ending;
mod exchange;
mod failing_over;
mod in_dialog;
mod inspect;
mod leg;
mod offered;
mod probing;
mod referred;
mod referring;
mod registering;
mod registration;
mod reliable;
mod replacing;
mod session;
mod stack;
mod uas;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

pub use api::{
    Admission, Command, EndCause, Event, HEADERS_OF_INTEREST, Incoming, Input, Invite, OfferBy,
    Output, ReferNews, ReferTo, Referral, Settings, Warning,
};
pub use dialect::{Dialect, Said, Telling};
pub use probing::{FoundBy, Presence, Probe};
pub use registration::{Outbound, Register, RegistrationFailure, RegistrationNews};

use crate::base::{Entropy, limits};
use crate::sip::LegId;
use crate::sip::admission::{Rate, RateLimiter, Sources};
use crate::sip::connections::{Action, Brought};
use crate::sip::counters::{Counters, Dropped};
use crate::sip::deadlines::Deadlines;
use crate::sip::framing::is_keep_alive;
use crate::sip::message::{Carriage, Message, Method, Request, parse};
use crate::sip::transaction::{Received, Report, TransactionId};
use crate::sip::transport::{AccountId, ConnectionId, Flow};
use leg::{Leg, State};
use probing::Found;
use registering::Registration;
use stack::Stack;

/// New calls that get a 503 while the house is full; the others are dropped unread.
const REFUSALS: Rate = Rate { per_second: 500, burst: 500 };
/// The bucket of `overload`: all sources together.
const EVERYBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The one thing that the shell talks to.
pub struct UserAgent {
    stack: Stack,
    legs: HashMap<LegId, Leg>,
    registrations: HashMap<AccountId, Registration>,
    leg_deadlines: Deadlines<LegId>,
    /// Who asks for calls, or for calls that we do not know.
    limiter: RateLimiter,
    /// Who asks for anything else.
    probes: RateLimiter,
    /// How many are told that the house is full.
    overload: RateLimiter,
    admission: Admission,
    /// Whose new requests are looked at.
    callers: Sources,
    next_leg: u64,
}

/// How much is in use, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    pub legs: usize,
    pub dialogs: usize,
    pub transactions: usize,
    pub transaction_bytes: usize,
    /// Transactions that the user agent remembers something about; at most `transactions`.
    pub remembered: usize,
    pub connections: usize,
    /// In the larger of the two tables of sources.
    pub sources: usize,
}

impl UserAgent {
    pub fn new(settings: Settings, entropy: Entropy) -> Self {
        Self {
            stack: Stack::new(settings, entropy),
            legs: HashMap::new(),
            registrations: HashMap::new(),
            leg_deadlines: Deadlines::default(),
            limiter: RateLimiter::of_calls(),
            probes: RateLimiter::of_probes(),
            overload: RateLimiter::new(REFUSALS, 1),
            admission: Admission::Open,
            callers: Sources::Anyone,
            next_leg: 1,
        }
    }

    /// The id for an outgoing leg, to be given in [`Command::Invite`].
    pub fn reserve_leg(&mut self) -> LegId {
        self.take_leg_id()
    }

    /// The Call-ID of a call that we are making and that is not answered yet.
    pub fn sip_call_id(&self, leg: LegId) -> Option<&str> {
        match &self.legs.get(&leg)?.state {
            State::Calling(calling) => calling.invite.call_id(),
            _ => None,
        }
    }

    /// Where a registrar that is reached by `flow` sees us, behind a router.
    pub fn seen_as(&self, flow: Flow) -> Option<SocketAddr> {
        self.stack.public(flow)
    }

    pub fn counters(&self) -> &Counters {
        &self.stack.counters
    }

    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            legs: self.legs.len(),
            dialogs: self.stack.dialogs.len(),
            transactions: self.stack.transactions.len(),
            transaction_bytes: self.stack.transactions.bytes(),
            remembered: self.stack.remembered(),
            connections: self.stack.connections.len(),
            sources: self.limiter.len().max(self.probes.len()),
        }
    }

    /// One input; then drain [`Self::poll_output`] until it returns `Timeout`.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Datagram { flow, bytes } => self.datagram(now, flow, bytes),
            Input::StreamOpened { flow } => self.stream_opened(now, flow),
            Input::StreamBytes { connection, bytes } => self.stream_bytes(now, connection, bytes),
            Input::StreamMessage { connection, bytes } => {
                self.stream_message(now, connection, bytes);
            }
            Input::StreamClosed { connection } | Input::ConnectFailed { connection } => {
                self.stack.connections.closed(connection);
                self.connection_lost(now, connection);
            }
            Input::Command(command) => self.command(now, command),
            Input::Timeout => self.run_due(now),
        }
        self.settle(now);
    }

    /// What the shell is to do next; `Timeout` when that is all.
    pub fn poll_output(&mut self) -> Output {
        if let Some(action) = self.stack.connections.poll() {
            return match action {
                Action::Transmit { flow, bytes } => {
                    self.stack.counters.transmitted += 1;
                    Output::Transmit { flow, bytes }
                }
                Action::Connect { connection, transport, peer, account } => {
                    Output::Connect { connection, transport, peer, account }
                }
                Action::Close { connection } => Output::Close { connection },
            };
        }
        if let Some(event) = self.stack.events.pop_front() {
            return Output::Event(event);
        }
        if let Some((id, news)) = self.stack.news.pop_front() {
            return Output::Registration { id, news };
        }
        if let Some(found) = self.stack.presences.pop_front() {
            let Found { account, server, presence, by } = found;
            return Output::Presence { account, server, presence, by };
        }
        if let Some((account, said)) = self.stack.said.pop_front() {
            return Output::Said { account, said };
        }
        let deadlines = [
            self.stack.transactions.next_deadline(),
            self.stack.connections.next_deadline(),
            self.leg_deadlines.next(),
        ];
        Output::Timeout(deadlines.into_iter().flatten().min())
    }

    fn datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        self.stack.counters.datagrams += 1;
        if bytes.len() > limits::SIP_MESSAGE_BYTES {
            return self.stack.drop_one(Dropped::TooLarge);
        }
        // Keep-alives of every kind: line breaks, a zero byte, nothing.
        if bytes.len() <= 4 && is_keep_alive(bytes) {
            self.stack.counters.keep_alives += 1;
            return;
        }
        self.message(now, flow, bytes, Carriage::Datagram);
    }

    /// Strangers are sent away before they say anything, but for whom we are in a call with.
    fn stream_opened(&mut self, now: Instant, flow: Flow) {
        let source = flow.peer.ip();
        let is_accepted = matches!(flow.connection, Some(ConnectionId::Accepted(_)));
        let is_unwanted = is_accepted
            && self.is_stranger(flow)
            && !self.legs.values().any(|leg| leg.may_come_from(source));
        if is_unwanted {
            self.stack.connections.refuse(flow);
            self.stack.drop_one(Dropped::Stranger);
        } else if !self.stack.connections.opened(now, flow) {
            self.stack.drop_one(Dropped::ConnectionRefused);
        }
    }

    fn stream_bytes(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        self.stack.counters.stream_reads += 1;
        self.stack.connections.received(now, connection, bytes);
        while let Some(brought) = self.stack.connections.next_brought(now, connection) {
            match brought {
                Brought::Message { flow, bytes } => {
                    self.message(now, flow, &bytes, Carriage::Stream);
                    self.settle(now);
                }
                Brought::KeepAlive => self.stack.counters.keep_alives += 1,
                Brought::Pong => {
                    self.stack.counters.keep_alives += 1;
                    self.registrations_alive(connection);
                }
            }
        }
        // What it brought may have ended it.
        if !self.stack.connections.has(connection) {
            self.connection_lost(now, connection);
        }
    }

    /// In a frame a message needs no Content-Length.
    fn stream_message(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        self.stack.counters.stream_reads += 1;
        let Some(flow) = self.stack.connections.frame(now, connection, bytes) else { return };
        if is_keep_alive(bytes) {
            self.stack.counters.keep_alives += 1;
        } else if bytes.len() > limits::SIP_MESSAGE_BYTES {
            self.stack.drop_one(Dropped::TooLarge);
        } else {
            self.message(now, flow, bytes, Carriage::Datagram);
        }
    }

    fn connection_lost(&mut self, now: Instant, connection: ConnectionId) {
        self.stack.transactions.lost(now, connection);
        self.registrations_lost(connection);
    }

    fn message(&mut self, now: Instant, flow: Flow, bytes: &[u8], carriage: Carriage) {
        if self.is_stranger(flow) && inspect::begins_a_call(bytes) {
            return self.stack.drop_one(Dropped::Stranger);
        }
        if self.is_beyond_us(now, bytes) {
            return;
        }
        match parse(bytes, carriage) {
            Ok(Message::Request(request)) => self.request(now, flow, request, bytes.len()),
            Ok(Message::Response(response)) => {
                self.stack.counters.responses += 1;
                self.response(now, flow, &response);
            }
            Err(fault) => self.malformed(now, flow, &fault),
        }
    }

    /// Whether nothing new is taken from where a message came from: it gets no answer.
    pub(super) fn is_stranger(&self, flow: Flow) -> bool {
        !self.callers.admit(flow.peer.ip())
    }

    /// Whether a message is not worth reading: a new call for a house that is full and has said so
    /// often enough. Nothing is allocated for it.
    fn is_beyond_us(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let Some(reason) = self.fullness() else { return false };
        if !inspect::begins_a_call(bytes) || self.overload.admit(now, EVERYBODY) {
            return false;
        }
        self.stack.drop_one(reason);
        true
    }

    /// Why no new call can be taken, if so.
    fn fullness(&self) -> Option<Dropped> {
        if !self.stack.transactions.has_room_for_new() {
            return Some(Dropped::TransactionsFull);
        }
        let has_room = self.stack.dialogs.has_room() && self.legs.len() < limits::SIP_DIALOGS;
        (!has_room).then_some(Dropped::DialogsFull)
    }

    fn request(&mut self, now: Instant, flow: Flow, mut request: Request, size: usize) {
        self.stack.counters.requests += 1;
        let Some(mut via) = request.top_via() else { return };
        stack::stamp(&mut via, flow);
        request.set_top_via(&via);
        match self.stack.transactions.received(now, &request) {
            Received::Absorbed(_) => self.stack.counters.retransmissions += 1,
            Received::AckOfSuccess => self.ack_in_dialog(now, flow, &request),
            Received::Unknown => match request.method() {
                Method::Ack => self.ack_in_dialog(now, flow, &request),
                Method::Cancel => self.cancel(now, flow, &request),
                _ if request.to().is_some_and(|to| to.tag().is_some()) => {
                    self.request_in_dialog(now, flow, request);
                }
                _ => self.new_request(now, flow, &request, size),
            },
        }
    }

    fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Ring { leg, status, sdp } => {
                self.with_leg(now, leg, |leg, stack| leg.ring(now, stack, status, sdp));
            }
            Command::Answer { leg, sdp } => {
                self.with_leg(now, leg, |leg, stack| leg.answer(now, stack, sdp));
            }
            Command::Reject { leg, status, retry_after_s, warning } => {
                self.with_leg(now, leg, |leg, stack| {
                    leg.reject(now, stack, status, retry_after_s, warning.as_ref());
                });
            }
            Command::AcceptOffer { leg, sdp } => {
                self.with_leg(now, leg, |leg, stack| leg.accept_offer(now, stack, sdp));
            }
            Command::RefuseOffer { leg, status, warning } => {
                self.with_leg(now, leg, |leg, stack| {
                    leg.refuse_offer(now, stack, status, warning.as_ref());
                });
            }
            Command::Reoffer { leg, sdp } => {
                self.with_leg(now, leg, |leg, stack| leg.reoffer(now, stack, sdp));
            }
            Command::Refer { leg, to, within } => {
                self.refer(now, leg, &to, within);
            }
            Command::AnswerRefer { leg, status } => {
                self.with_leg(now, leg, |leg, stack| leg.answer_refer(now, stack, status));
            }
            Command::NotifyRefer { leg, status } => {
                self.with_leg(now, leg, |leg, stack| leg.notify_refer(now, stack, status));
            }
            Command::Bye { leg, reason } => {
                self.with_leg(now, leg, |leg, stack| leg.hang_up(now, stack, reason));
            }
            Command::Cancel { leg } => {
                self.with_leg(now, leg, |leg, stack| leg.hang_up(now, stack, None));
            }
            Command::Invite { leg, invite } => self.invite(now, leg, *invite),
            Command::Admit(admission) => self.admission = admission,
            Command::LetIn(callers) => self.callers = callers,
            Command::Register { id, register } => self.register(now, id, *register),
            Command::Unregister { id } => self.unregister(now, id),
            Command::Ping { id } => self.ping(now, id),
            Command::Probe { probe } => self.stack.probe(now, &probe),
            Command::DropFlow { id } => self.drop_flow(now, id),
            Command::Tell { id, telling } => self.tell(now, id, &telling),
            Command::EndAll { retry_after_s } => self.end_all(now, retry_after_s),
        }
    }

    fn invite(&mut self, now: Instant, leg: LegId, invite: Invite) {
        if self.legs.contains_key(&leg) {
            return;
        }
        if self.fullness() == Some(Dropped::DialogsFull) {
            let event = Event::Refused { leg, status: 503, retry_after_s: None };
            return self.stack.event(event);
        }
        if let Some(new) = Leg::call(now, &mut self.stack, leg, invite) {
            self.stack.counters.calls_out += 1;
            self.legs.insert(leg, new);
            self.after(now, leg);
        }
    }

    fn end_all(&mut self, now: Instant, retry_after_s: Option<u32>) {
        let mut all: Vec<_> = self.legs.keys().copied().collect();
        all.sort_unstable();
        for id in all {
            self.with_leg(now, id, |leg, stack| match leg.state {
                State::Offered(_) => {
                    leg.reject(now, stack, 503, retry_after_s, None);
                    stack.event(Event::Cancelled { leg: leg.id });
                }
                _ => leg.hang_up(now, stack, None),
            });
        }
    }

    fn run_due(&mut self, now: Instant) {
        self.stack.transactions.run_due(now);
        for connection in self.stack.connections.run_due(now) {
            self.connection_lost(now, connection);
        }
        while let Some(leg) = self.leg_deadlines.pop_due(now) {
            self.with_leg(now, leg, |leg, stack| leg.run_due(now, stack));
        }
    }

    /// Carries out what transactions want, until they want nothing more.
    fn settle(&mut self, now: Instant) {
        while let Some(report) = self.stack.transactions.poll() {
            match report {
                Report::Transmit { id, way, bytes } => {
                    match self.stack.connections.send(now, way, bytes) {
                        Ok(Some(connection)) => {
                            self.stack.transactions.sent_over(id, connection);
                        }
                        Ok(None) => {}
                        Err(_) => {
                            self.stack.drop_one(Dropped::Undeliverable);
                            self.stack.transactions.unreachable(now, id);
                        }
                    }
                }
                Report::TimedOut(id) => self.unanswered(now, id, 408),
                Report::Unreachable(id) => self.unanswered(now, id, 503),
                Report::Terminated(id) => self.stack.forget(id),
            }
        }
    }

    fn unanswered(&mut self, now: Instant, id: TransactionId, status: u16) {
        if self.registrar_silent(now, id, status) || self.stack.probe_unanswered(id, status) {
            return;
        }
        if let Some(serves) = self.stack.use_of(id) {
            self.with_leg(now, serves.leg, |leg, stack| {
                leg.unanswered(now, stack, serves.purpose, id, status);
            });
        }
    }

    fn take_leg_id(&mut self) -> LegId {
        let leg = LegId(self.next_leg);
        self.next_leg += 1;
        leg
    }

    /// Lets one leg act, then sees to its deadline, its connection and its end.
    fn with_leg(&mut self, now: Instant, id: LegId, act: impl FnOnce(&mut Leg, &mut Stack)) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        act(leg, &mut self.stack);
        self.after(now, id);
    }

    fn after(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let connection = leg.connection();
        if leg.retained != connection {
            if let Some(connection) = connection {
                self.stack.connections.retain(connection);
            }
            if let Some(before) = std::mem::replace(&mut leg.retained, connection) {
                self.stack.connections.release(now, before);
            }
        }
        self.leg_deadlines.set(id, leg.timers.next());
        if leg.is_over() {
            self.legs.remove(&id);
        }
    }
}
