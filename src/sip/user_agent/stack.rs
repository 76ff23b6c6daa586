//! The layers below the user agent, and what every part of it says in the same way.
//!
//! Owns transactions, connections, the index of dialogs and the queue of events; knows for each
//! transaction which leg it serves. Legs speak through it.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::api::{Event, Settings};
use super::compose::{ALLOW, SDP, SUPPORTED};
use super::dialect::{Dialect, Said, Spoken};
use super::probing::Found;
use super::registration::RegistrationNews;
use crate::base::Entropy;
use crate::sip::LegId;
use crate::sip::connections::Connections;
use crate::sip::counters::{Counters, Dropped};
use crate::sip::dialog::{self, Dialog, DialogTable};
use crate::sip::message::{Headers, Method, NameAddr, Request, Response, Via, response_to};
use crate::sip::transaction::{TransactionId, TransactionTable};
use crate::sip::transport::{AccountId, Flow, Server, Transport, Way};

/// Forked answers to one INVITE that are acknowledged again when they come again.
const FORKS: usize = 16;

/// Why a transaction was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Our INVITE that begins a call.
    Call,
    /// Our INVITE in a call.
    Reoffer,
    /// Our UPDATE that refreshes the session.
    Refresh,
    Prack,
    Bye,
    Refer,
    Notify,
    Cancel,
    /// The peer's INVITE, initial or not: a CANCEL may come for it.
    Incoming,
}

/// The leg that a transaction serves, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub leg: LegId,
    pub purpose: Purpose,
}

/// An ACK that is sent again when its 2xx comes again.
struct SentAck {
    remote_tag: String,
    ack: Vec<u8>,
    way: Way,
}

/// Where the server of an account sees us.
struct Public {
    account: AccountId,
    whom: (Transport, IpAddr),
    address: SocketAddr,
}

pub(super) struct Stack {
    pub settings: Settings,
    pub entropy: Entropy,
    pub counters: Counters,
    pub transactions: TransactionTable,
    pub connections: Connections,
    pub dialogs: DialogTable<LegId>,
    pub events: VecDeque<Event>,
    pub news: VecDeque<(AccountId, RegistrationNews)>,
    /// How servers of accounts were found.
    pub presences: VecDeque<Found>,
    /// What they say beside calls.
    pub said: VecDeque<(AccountId, Said)>,
    /// Accounts whose servers are spoken to in a way of their own.
    pub(super) spoken: Vec<Spoken>,
    uses: HashMap<TransactionId, Use>,
    acks: HashMap<TransactionId, Vec<SentAck>>,
    registrations: HashMap<TransactionId, AccountId>,
    /// The server that each OPTIONS of ours asks for an account.
    probes: HashMap<TransactionId, (AccountId, Server)>,
    /// Where servers that we are registered with see us, where that is not our own address.
    public: Vec<Public>,
    /// Makes the To tags of stateless answers, the same for each copy of a request.
    tag_secret: u64,
}

impl Stack {
    pub fn new(settings: Settings, mut entropy: Entropy) -> Self {
        let tag_secret = entropy.next_u64();
        Self {
            settings,
            entropy,
            counters: Counters::default(),
            transactions: TransactionTable::default(),
            connections: Connections::default(),
            dialogs: DialogTable::default(),
            events: VecDeque::new(),
            news: VecDeque::new(),
            presences: VecDeque::new(),
            said: VecDeque::new(),
            spoken: Vec::new(),
            uses: HashMap::new(),
            acks: HashMap::new(),
            registrations: HashMap::new(),
            probes: HashMap::new(),
            public: Vec::new(),
            tag_secret,
        }
    }

    pub fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub fn drop_one(&mut self, reason: Dropped) {
        self.counters.drop_one(reason);
    }

    /// What a transaction is for; `None` for one that serves no leg.
    pub fn use_of(&self, id: TransactionId) -> Option<Use> {
        self.uses.get(&id).copied()
    }

    pub fn set_use(&mut self, id: TransactionId, leg: LegId, purpose: Purpose) {
        self.uses.insert(id, Use { leg, purpose });
    }

    /// The registration that a transaction serves.
    pub fn registration_of(&self, id: TransactionId) -> Option<AccountId> {
        self.registrations.get(&id).copied()
    }

    pub fn set_registration(&mut self, id: TransactionId, registration: AccountId) {
        self.registrations.insert(id, registration);
    }

    /// The server that a transaction asks whether it is there.
    pub fn probe_of(&self, id: TransactionId) -> Option<(AccountId, Server)> {
        self.probes.get(&id).copied()
    }

    /// Notes what a transaction asks; gives the one before that asks the same.
    pub fn set_probe(
        &mut self,
        id: TransactionId,
        probe: (AccountId, Server),
    ) -> Option<TransactionId> {
        let before = self.probes.iter().find(|(_, asked)| **asked == probe).map(|(id, _)| *id);
        self.probes.insert(id, probe);
        before
    }

    /// Transactions that something is remembered about, for tests and metrics.
    pub fn remembered(&self) -> usize {
        let all = [self.uses.len(), self.acks.len(), self.registrations.len(), self.probes.len()];
        all.into_iter().max().unwrap_or_default()
    }

    /// A transaction is over.
    pub fn forget(&mut self, id: TransactionId) {
        self.uses.remove(&id);
        self.acks.remove(&id);
        self.registrations.remove(&id);
        self.probes.remove(&id);
    }

    /// A server transaction for `request`.
    pub fn accept(&mut self, request: &Request, flow: Flow) -> Option<TransactionId> {
        self.transactions.accept(request, reply_way_of(request, flow))
    }

    /// Answers in a transaction.
    pub fn respond(&mut self, now: Instant, id: TransactionId, mut response: Response) {
        if response.status() > 100 {
            self.name(&mut response);
        }
        self.counters.answer_one(response.status());
        self.transactions.respond(now, id, &response);
    }

    /// Answers without keeping anything (RFC 3261 section 8.2.7): each copy of the request gets the
    /// same answer again, with the same tag. Anybody can have such an answer, so it does not say
    /// which product gives it.
    pub fn respond_statelessly(
        &mut self,
        now: Instant,
        request: &Request,
        flow: Flow,
        response: Response,
    ) {
        if *request.method() == Method::Ack {
            return;
        }
        self.counters.answer_one(response.status());
        self.send_plain(now, reply_way_of(request, flow), response.to_bytes());
    }

    /// Answers what could not be parsed, along its top Via.
    pub fn answer_fault(&mut self, now: Instant, flow: Flow, mut response: Response) {
        let Some(mut via) = response.top_via() else { return };
        let way = reply_way(&via, flow);
        stamp(&mut via, flow);
        response.set_top_via(&via);
        if let Some(to) = response.to().filter(|to| to.tag().is_none()) {
            let tag = self.tag_of([response.header("Via"), response.call_id(), None]);
            response.set_header("To", to.with_tag(&tag).to_string());
        }
        self.counters.answer_one(response.status());
        self.send_plain(now, way, response.to_bytes());
    }

    /// A To tag that depends on nothing but the request.
    pub fn stateless_tag(&self, request: &Request) -> String {
        self.tag_of([request.header("Via"), request.call_id(), request.header("CSeq")])
    }

    fn tag_of(&self, parts: [Option<&str>; 3]) -> String {
        let mut hasher = DefaultHasher::new();
        (self.tag_secret, parts).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// A response to `request` with a tag of its own.
    pub fn stateless_response(&self, request: &Request, status: u16) -> Response {
        response_to(request, status, Some(&self.stateless_tag(request)))
    }

    /// Says who answers.
    pub fn name(&self, response: &mut Response) {
        response.set_header("Server", &self.settings.product);
    }

    /// Sends bytes outside any transaction.
    pub fn send_plain(&mut self, now: Instant, way: Way, bytes: Vec<u8>) {
        if self.connections.send(now, way, bytes).is_err() {
            self.counters.drop_one(Dropped::Undeliverable);
        }
    }

    /// Sends a request in a new transaction under a new branch.
    pub fn request(
        &mut self,
        now: Instant,
        mut request: Request,
        way: Way,
        serves: Option<Use>,
    ) -> Option<TransactionId> {
        self.add_via(&mut request, way.flow);
        let id = self.transactions.send(now, request, way)?;
        if let Some(serves) = serves {
            self.uses.insert(id, serves);
        }
        Some(id)
    }

    fn add_via(&mut self, request: &mut Request, flow: Flow) {
        let branch = format!("z9hG4bK{}", self.entropy.token());
        let mut via = dialog::via(flow, &branch);
        if let Some(alias) = self.alias(flow) {
            (via.host, via.port) = (alias.host(), None);
        }
        if self.dialect(flow) == Dialect::Softphone {
            via.params.set("alias", None);
        }
        request.prepend_header("Via", via.to_string());
    }

    /// Our Contact for whom we reach by `flow`: behind a router that is the address that an account
    /// there is registered with.
    pub fn contact(&self, flow: Flow) -> NameAddr {
        if let Some(alias) = self.alias(flow) {
            return alias.contact();
        }
        let dialect = self.dialect(flow);
        let flow = self.public(flow).map_or(flow, |address| Flow { local: address, ..flow });
        dialect.contact(dialog::contact_for(flow, &self.settings.contact_user))
    }

    pub fn public(&self, flow: Flow) -> Option<SocketAddr> {
        let whom = (flow.transport, flow.peer.ip());
        let is_for = |public: &&Public| match flow.account {
            Some(account) => public.account == account,
            None => public.whom == whom,
        };
        self.public.iter().find(is_for).map(|public| public.address)
    }

    /// Under which address whoever an account is registered with reaches us; `None`: under our own.
    pub fn set_public(&mut self, account: AccountId, flow: Flow, address: Option<SocketAddr>) {
        self.public.retain(|public| public.account != account);
        let whom = (flow.transport, flow.peer.ip());
        self.public.extend(address.map(|address| Public { account, whom, address }));
    }

    /// Adds what every INVITE, UPDATE and their 2xx say about us.
    pub fn introduce(&self, headers: &mut Headers, flow: Flow) {
        let contact = self.contact(flow);
        headers.set_header("Contact", contact.to_string());
        headers.set_header("Allow", ALLOW);
        headers.set_header("Supported", SUPPORTED);
    }

    /// A request in a dialog, ready for [`Self::request`].
    pub fn in_dialog(&self, dialog: &mut Dialog, method: Method) -> (Request, Way) {
        let way = self.way(dialog);
        let mut request = dialog.request(method);
        request.push_header("User-Agent", &self.settings.product);
        (request, way)
    }

    /// Acknowledges a 2xx to our INVITE `invite`, with our answer if the 2xx had the offer. It has the INVITE's
    /// credentials (RFC 3261 section 22.1) only where it goes to the server that they were given to: the callee's
    /// Contact may be anybody.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        invite: TransactionId,
        dialog: &Dialog,
        answer: Option<Vec<u8>>,
    ) {
        let request = self.transactions.request(invite);
        let number = request.and_then(|request| request.cseq()).map_or(0, |cseq| cseq.number);
        let mut ack = dialog.ack(number);
        let way = self.way(dialog);
        let server = self.transactions.way(invite).map(|way| way.flow.peer.ip());
        let believed = request.filter(|_| server == Some(way.flow.peer.ip()));
        for name in ["Authorization", "Proxy-Authorization"] {
            for value in believed.iter().flat_map(|request| request.headers(name)) {
                ack.push_header(name, value);
            }
        }
        if let Some(answer) = answer {
            ack.set_body(SDP, answer);
        }
        self.add_via(&mut ack, way.flow);
        let bytes = ack.to_bytes();
        self.send_plain(now, way, bytes.clone());
        let acks = self.acks.entry(invite).or_default();
        if acks.len() < FORKS {
            let remote_tag = dialog.id().remote_tag().to_owned();
            acks.push(SentAck { remote_tag, ack: bytes, way });
        }
    }

    /// Sends the ACK for a 2xx that came again; false if this 2xx is new.
    pub fn acknowledge_again(
        &mut self,
        now: Instant,
        invite: TransactionId,
        ok: &Response,
    ) -> bool {
        let to = ok.to();
        let tag = to.as_ref().and_then(|to| to.tag()).unwrap_or_default();
        let sent = self.acks.get(&invite).into_iter().flatten().find(|ack| ack.remote_tag == tag);
        let Some((way, bytes)) = sent.map(|ack| (ack.way, ack.ack.clone())) else { return false };
        self.send_plain(now, way, bytes);
        true
    }

    /// A provisional response to an INVITE that nobody waits for any more (RFC 3261 section 9.1).
    pub fn call_off(&mut self, now: Instant, invite: TransactionId) {
        if !self.transactions.may_be_cancelled(invite) {
            return;
        }
        let cancel = self.transactions.request(invite).map(super::calling::cancel_of);
        let Some((cancel, way)) = cancel.zip(self.transactions.way(invite)) else { return };
        self.transactions.send(now, cancel, way);
        self.transactions.expire(now, invite);
    }

    /// Takes back an INVITE that still waits for its connection, so that it never leaves; false: it has left.
    pub fn take_back(&mut self, invite: TransactionId) -> bool {
        let Some((connection, bytes)) = self.transactions.waits_on(invite) else { return false };
        let is_unsent = self.connections.take_back(connection, bytes);
        if is_unsent {
            self.transactions.abandon(invite);
        }
        is_unsent
    }

    /// A 2xx from a fork that nobody wants, or one that came after the end: ACK, then BYE.
    pub fn turn_away(&mut self, now: Instant, invite: TransactionId, ok: &Response, flow: Flow) {
        let request = self.transactions.request(invite);
        let dialog = request.and_then(|request| Dialog::of_caller(request, ok, flow));
        let known = self.acks.get(&invite).map_or(0, Vec::len);
        let Some(mut dialog) = dialog.filter(|_| known < FORKS) else { return };
        self.acknowledge(now, invite, &dialog, None);
        let (bye, way) = self.in_dialog(&mut dialog, Method::Bye);
        self.request(now, bye, way, None);
    }
}

fn reply_way_of(request: &Request, flow: Flow) -> Way {
    request.top_via().map_or(Way::to_peer(flow), |via| reply_way(&via, flow))
}

/// Where the response to a request with this top Via goes (RFC 3261 section 18.2.2, RFC 3581): on
/// UDP always back to the address that the request came from.
fn reply_way(via: &Via, flow: Flow) -> Way {
    let mut sent_by = flow.peer;
    sent_by.set_port(via.port.unwrap_or(flow.transport.default_port()));
    if flow.transport.is_reliable() {
        return Way { flow, reconnect: sent_by };
    }
    let peer = if via.wants_rport() { flow.peer } else { sent_by };
    Way::to_peer(Flow { peer, ..flow })
}

/// Writes the source into a top Via (section 18.2.1, RFC 3581 section 4).
pub(super) fn stamp(via: &mut Via, flow: Flow) {
    let source = flow.peer.ip();
    if via.wants_rport() {
        via.set_rport(flow.peer.port());
    }
    if via.wants_rport() || via.host.ip() != Some(source) {
        via.set_received(source);
    }
}
