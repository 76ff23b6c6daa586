//! Registering with a registrar (RFC 3261 section 10.2), and asking whether it is still there.
//!
//! Here is what one REGISTER leads to. When to register is for the owner of the accounts.
//!
//! Invariants: a binding set keeps its Call-ID, and its CSeq rises with every request, also one that
//! is sent again with credentials; at most one REGISTER of a set is out; credentials go to nobody
//! but the address that the REGISTER was sent to, in answer to a response from there.

use std::net::SocketAddr;
use std::time::Instant;

use super::UserAgent;
use super::authentication::{Authentication, Unanswered};
use super::binding::{granted_s, is_same};
use super::compose::{ALLOW, retry_after_s};
use super::dialect::Dialect;
use super::probing;
use super::registration::{Outbound, Register, RegistrationFailure, RegistrationNews};
use super::stack::Stack;
use crate::base::Private;
use crate::sip::dialog::contact_for;
use crate::sip::message::{Method, NameAddr, Request, Response, Uri};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::{AccountId, ConnectionId, Flow, Way};

/// The longest time that is asked for or believed: a day.
const LONGEST_S: u32 = 86_400;

/// A binding set.
pub(super) struct Registration {
    id: AccountId,
    register: Register,
    call_id: String,
    tag: String,
    cseq: u32,
    authentication: Authentication,
    /// Our Contact as the registrar may have it: one that has changed is taken away.
    bound: Option<Uri>,
    pending: Option<Pending>,
    ping: Option<TransactionId>,
    /// What calls come over, kept open.
    connection: Option<ConnectionId>,
    outbound: Option<Outbound>,
    /// The first hop does not know RFC 5626 (439).
    is_without_outbound: bool,
}

/// A REGISTER that is out.
struct Pending {
    transaction: TransactionId,
    request: Request,
    /// 0 takes the binding away.
    expires_s: u32,
    /// 423 was obeyed.
    is_longer: bool,
}

impl UserAgent {
    pub(super) fn register(&mut self, now: Instant, id: AccountId, register: Register) {
        let expires_s = register.expires_s.clamp(1, LONGEST_S);
        let stack = &mut self.stack;
        let registration = self
            .registrations
            .entry(id)
            .or_insert_with(|| Registration::new(id, register.clone(), stack));
        registration.take(now, stack, register);
        if let Err(news) = registration.ask(now, stack, expires_s) {
            stack.news.push_back((id, news));
        }
    }

    pub(super) fn unregister(&mut self, now: Instant, id: AccountId) {
        let asked = match self.registrations.get_mut(&id) {
            Some(registration) => registration.ask(now, &mut self.stack, 0),
            None => Err(RegistrationNews::Unregistered),
        };
        if let Err(news) = asked {
            self.forget_registration(now, id);
            self.stack.news.push_back((id, news));
        }
    }

    /// OPTIONS along the way of a registration: any answer says that somebody is there, and keeps
    /// what lies between open (RFC 3261 section 11).
    pub(super) fn ping(&mut self, now: Instant, id: AccountId) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let flow = registration.connection.filter(|_| registration.outbound.is_some());
        if flow.is_some_and(|flow| self.stack.connections.ping(now, flow)) {
            return;
        }
        if registration.ping.is_none() && registration.ping(now, &mut self.stack).is_none() {
            self.stack.news.push_back((id, RegistrationNews::Silent));
        }
    }

    /// Nothing is heard on the connection of a registration: it is given up, and `FlowLost` or `Failed`
    /// tells that it is gone.
    pub(super) fn drop_flow(&mut self, now: Instant, id: AccountId) {
        let Some(registration) = self.registrations.get(&id) else { return };
        let way = registration.way();
        let connection = self.stack.connections.connection_for(way);
        if let Some(connection) = connection.or(registration.connection) {
            self.stack.connections.give_up(now, connection);
        }
    }

    /// A response to a REGISTER or a ping of ours; false if its transaction is none of these.
    pub(super) fn registrar_answered(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        response: &Response,
        flow: Flow,
    ) -> bool {
        let Some(id) = self.stack.registration_of(transaction) else { return false };
        let Some(registration) = self.registrations.get_mut(&id) else { return true };
        if !response.is_final() {
            return true;
        }
        if registration.ping == Some(transaction) {
            registration.ping = None;
            let seen = registration.seen(response);
            self.stack.news.push_back((id, RegistrationNews::Alive { seen }));
            return true;
        }
        let Some(pending) = registration.pending.take_if(|p| p.transaction == transaction) else {
            return true;
        };
        let is_last = pending.expires_s == 0;
        if let Some(news) = registration.answered(now, &mut self.stack, pending, response, flow) {
            if is_last {
                self.forget_registration(now, id);
            }
            if matches!(news, RegistrationNews::Registered { .. }) {
                self.lead_calls(now, id, flow);
            }
            self.stack.news.push_back((id, news));
        }
        true
    }

    /// A REGISTER or a ping of ours had no answer; false if the transaction is none of these.
    pub(super) fn registrar_silent(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        status: u16,
    ) -> bool {
        let Some(id) = self.stack.registration_of(transaction) else { return false };
        let Some(registration) = self.registrations.get_mut(&id) else { return true };
        if registration.ping == Some(transaction) {
            registration.ping = None;
            self.stack.news.push_back((id, RegistrationNews::Silent));
        } else if let Some(pending) = registration.pending.take_if(|p| p.transaction == transaction)
        {
            let failure = match status {
                503 => RegistrationFailure::Unreachable,
                _ => RegistrationFailure::Unanswered,
            };
            if pending.expires_s == 0 {
                self.forget_registration(now, id);
            }
            self.stack.news.push_back((id, failed(failure)));
        }
        true
    }

    /// A ping of ours over a connection was answered.
    pub(super) fn registrations_alive(&mut self, connection: ConnectionId) {
        for (id, registration) in &self.registrations {
            if registration.connection == Some(connection) {
                self.stack.news.push_back((*id, RegistrationNews::Alive { seen: None }));
            }
        }
    }

    /// A connection is gone. What is out over it is told by its transaction.
    pub(super) fn registrations_lost(&mut self, connection: ConnectionId) {
        for (id, registration) in &mut self.registrations {
            if registration.connection.take_if(|own| *own == connection).is_some()
                && registration.pending.is_none()
            {
                self.stack.news.push_back((*id, RegistrationNews::FlowLost));
            }
        }
    }

    /// The credentials of our account with a server that calls us: it may ask for them later in the
    /// call. Of several accounts there that of the called
    /// user.
    pub(super) fn account_at(&self, flow: Flow, user: Option<&str>) -> Option<Authentication> {
        let server = flow.peer.ip();
        if let Some(own) = flow.account.and_then(|account| self.registrations.get(&account)) {
            return Some(Authentication::new(own.register.credentials.clone(), server));
        }
        let mut all: Vec<_> = self.registrations.values().collect();
        all.retain(|registration| registration.authentication.destination() == server);
        let is_called = |r: &&Registration| user == Some(r.register.contact_user.reveal());
        let only = all.first().copied().filter(|_| all.len() == 1);
        let found = all.iter().copied().find(is_called).or(only)?;
        Some(Authentication::new(found.register.credentials.clone(), server))
    }

    fn forget_registration(&mut self, now: Instant, id: AccountId) {
        let Some(gone) = self.registrations.remove(&id) else { return };
        self.stack.set_public(id, gone.register.flow, None);
        self.stack.speak_no_more(id);
        if let Some(connection) = gone.connection {
            self.stack.connections.release(now, connection);
        }
    }
}

impl Registration {
    fn new(id: AccountId, register: Register, stack: &mut Stack) -> Self {
        let destination = register.flow.peer.ip();
        stack.speak(id, register.dialect);
        Self {
            id,
            authentication: Authentication::new(register.credentials.clone(), destination),
            register,
            call_id: stack.entropy.token() + &stack.entropy.token(),
            tag: stack.entropy.token(),
            cseq: 0,
            bound: None,
            pending: None,
            ping: None,
            connection: None,
            outbound: None,
            is_without_outbound: false,
        }
    }

    /// What is to be said from now on. Another server's nonces mean nothing to this one, and its
    /// connection leads elsewhere.
    fn take(&mut self, now: Instant, stack: &mut Stack, register: Register) {
        if register.flow.server() != self.register.flow.server() {
            self.is_without_outbound = false;
            if let Some(before) = self.connection.take() {
                stack.connections.release(now, before);
            }
        }
        let destination = register.flow.peer.ip();
        let (before, now_said) = (&self.register.credentials, &register.credentials);
        let is_another =
            before.username != now_said.username || before.password != now_said.password;
        if is_another || destination != self.authentication.destination() {
            self.authentication = Authentication::new(register.credentials.clone(), destination);
        }
        stack.set_public(self.id, register.flow, register.contact);
        stack.speak(self.id, register.dialect);
        self.register = register;
    }

    /// Sends a REGISTER in place of the one, or the ping, that may be out.
    fn ask(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        expires_s: u32,
    ) -> Result<(), RegistrationNews> {
        let before = self.pending.take().map(|before| before.transaction);
        for before in before.into_iter().chain(self.ping.take()) {
            stack.transactions.abandon(before);
        }
        self.send_anew(now, stack, expires_s, false)
    }

    /// A REGISTER that is no repetition: credentials may be refused once more.
    fn send_anew(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        expires_s: u32,
        is_longer: bool,
    ) -> Result<(), RegistrationNews> {
        self.authentication.begin_request();
        let Some(mut request) = self.compose(stack, expires_s) else {
            return Err(failed(RegistrationFailure::Refused(400)));
        };
        self.authentication.answer_ahead(&mut request, &mut stack.entropy);
        self.send(now, stack, request, expires_s, is_longer)
    }

    fn send(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        mut request: Request,
        expires_s: u32,
        is_longer: bool,
    ) -> Result<(), RegistrationNews> {
        self.cseq += 1;
        request.set_header("CSeq", format!("{} REGISTER", self.cseq));
        let sent = stack.request(now, request.clone(), self.way(), None);
        let Some(transaction) = sent else {
            return Err(failed(RegistrationFailure::Unreachable));
        };
        stack.set_registration(transaction, self.id);
        self.pending = Some(Pending { transaction, request, expires_s, is_longer });
        Ok(())
    }

    pub(super) fn address_of_record(&self) -> Private<String> {
        self.register.address_of_record.clone()
    }

    pub(super) fn way(&self) -> Way {
        let flow = self.register.flow;
        Way::to_peer(Flow { connection: flow.connection.or(self.connection), ..flow })
    }

    fn contact(&self, stack: &Stack) -> NameAddr {
        if let Some(alias) = stack.alias(self.register.flow) {
            return alias.contact();
        }
        let Register { flow, contact, contact_user, .. } = &self.register;
        let flow = contact.map_or(*flow, |local| Flow { local, ..*flow });
        self.register.dialect.contact(contact_for(flow, contact_user.reveal()))
    }

    /// A REGISTER without Via and CSeq; `None` if a URI of the command is none.
    fn compose(&self, stack: &Stack, expires_s: u32) -> Option<Request> {
        let registrar = Uri::parse(self.register.registrar.reveal()).filter(Uri::is_sip)?;
        let mut request = Request::new(Method::Register, registrar.for_request());
        let whose = NameAddr::new(Uri::parse(self.register.address_of_record.reveal())?);
        request.push_header("Max-Forwards", "70");
        request.push_header("From", whose.clone().with_tag(&self.tag).to_string());
        request.push_header("To", whose.to_string());
        request.push_header("Call-ID", &self.call_id);
        request.push_header("CSeq", "0 REGISTER");
        let contact = self.contact(stack);
        if self.register.dialect == Dialect::WebPhone {
            let urn = self.register.instance.as_ref().map(Private::reveal);
            let of_box = urn.map_or_else(String::new, |urn| format!(";+sip.instance=\"<{urn}>\""));
            request.push_header("Contact", format!("{contact}{of_box};expires={expires_s}"));
            request.push_header("User-Agent", &stack.settings.product);
            return Some(request);
        }
        let instance = self.instance();
        let with_flow =
            instance.map_or_else(String::new, |urn| format!(";reg-id=1;+sip.instance=\"<{urn}>\""));
        let is_softphone = self.register.dialect == Dialect::Softphone;
        // Its time stands in Expires alone.
        let time = if is_softphone { String::new() } else { format!(";expires={expires_s}") };
        request.push_header("Contact", format!("{contact}{with_flow}{time}"));
        // The binding of our address before this one would lead calls nowhere (section 10.2.2).
        // One that is kept with a flow is replaced by its number, and not by its address.
        let is_replaced = (self.outbound.is_some() || is_softphone) && instance.is_some();
        let before = self.bound.as_ref().filter(|_| !is_replaced);
        let before = before.filter(|before| !is_same(before, &contact.uri));
        if let Some(before) = before {
            request.push_header("Contact", format!("<{before}>;expires=0"));
        }
        request.push_header("Expires", expires_s.to_string());
        request.push_header("Allow", ALLOW);
        let supported = if instance.is_some() { "outbound, path" } else { "path" };
        request.push_header("Supported", supported);
        request.push_header("User-Agent", &stack.settings.product);
        Some(request)
    }

    fn ping(&mut self, now: Instant, stack: &mut Stack) -> Option<()> {
        let Register { registrar, address_of_record, .. } = &self.register;
        let contact = self.contact(stack);
        let options = probing::options(stack, (registrar, address_of_record), &contact)?;
        let transaction = stack.request(now, options, self.way(), None)?;
        stack.set_registration(transaction, self.id);
        self.ping = Some(transaction);
        Some(())
    }

    /// A final response to a REGISTER. `None`: it was asked again.
    fn answered(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        pending: Pending,
        response: &Response,
        flow: Flow,
    ) -> Option<RegistrationNews> {
        let status = response.status();
        let retry_after_s = retry_after_s(response);
        let refused = |failure| Some(RegistrationNews::Failed { failure, retry_after_s });
        let again = match status {
            200..=299 => return Some(self.accepted(now, stack, &pending, response, flow)),
            401 | 407 => self.with_credentials(stack, &pending, response, flow),
            423 => {
                return match self.longer(&pending, response) {
                    Some(expires_s) => self.send_anew(now, stack, expires_s, true).err(),
                    None => refused(RegistrationFailure::Refused(status)),
                };
            }
            439 if self.instance().is_some() => {
                self.is_without_outbound = true;
                return self.send_anew(now, stack, pending.expires_s, pending.is_longer).err();
            }
            _ => {
                if let (430, Some(connection)) = (status, flow.connection) {
                    // The next one is asked over another (RFC 5626 section 11.5).
                    stack.connections.give_up(now, connection);
                }
                // A registrar that takes one Contact only keeps the one before until it runs out.
                let had_two = pending.request.headers("Contact").count() > 1;
                if !had_two || pending.expires_s == 0 || self.bound.take().is_none() {
                    return refused(RegistrationFailure::Refused(status));
                }
                return self.send_anew(now, stack, pending.expires_s, pending.is_longer).err();
            }
        };
        match again {
            Ok(request) => {
                self.send(now, stack, request, pending.expires_s, pending.is_longer).err()
            }
            Err(Unanswered::Disbelieved) => refused(RegistrationFailure::Disbelieved),
            Err(Unanswered::NotForUs) => refused(RegistrationFailure::NotForUs),
        }
    }

    fn with_credentials(
        &mut self,
        stack: &mut Stack,
        pending: &Pending,
        response: &Response,
        flow: Flow,
    ) -> Result<Request, Unanswered> {
        let mut request = pending.request.clone();
        // Who answered, and not only whom we asked.
        let peer = flow.peer.ip();
        self.authentication.answer(response, &mut request, peer, &mut stack.entropy)?;
        Ok(request)
    }

    /// The time that a 423 wants, if it may have it.
    fn longer(&self, pending: &Pending, response: &Response) -> Option<u32> {
        let wanted: u32 = response.header("Min-Expires")?.trim().parse().ok()?;
        let is_longer = wanted > pending.expires_s && pending.expires_s > 0;
        (is_longer && wanted <= LONGEST_S && !pending.is_longer).then_some(wanted)
    }

    fn accepted(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        pending: &Pending,
        ok: &Response,
        flow: Flow,
    ) -> RegistrationNews {
        self.authentication.accepted(ok);
        if pending.expires_s == 0 {
            return RegistrationNews::Unregistered;
        }
        let contact = self.contact(stack).uri;
        let granted = granted_s(ok, &contact, pending.expires_s);
        self.bound = Some(contact);
        self.keep_open(now, stack, flow);
        self.outbound = self.instance().and_then(|_| outbound_of(ok));
        match granted {
            0 => failed(RegistrationFailure::NotKept),
            expires_s => {
                let expires_s = expires_s.min(LONGEST_S);
                // Also where calls come over our stream: sound is to come there, and proxies go by it.
                let seen = self.seen(ok);
                RegistrationNews::Registered { expires_s, seen, outbound: self.outbound }
            }
        }
    }

    /// What the Contact says of this box, over a stream to a registrar that may know it. Where calls come back
    /// over our stream its port is known with the first answer only; not before, for registrars replace a
    /// binding of this kind without taking its new address; where the server goes by the stream alone that is no
    /// matter.
    fn instance(&self) -> Option<&str> {
        let Register { flow, contact, instance, .. } = &self.register;
        let is_known = match self.register.dialect {
            Dialect::Standard => !flow.transport.comes_back() || contact.is_some(),
            Dialect::Softphone => true,
            Dialect::WebPhone => false,
        };
        let is_offered = flow.transport.is_reliable() && is_known && !self.is_without_outbound;
        instance.as_ref().map(|urn| urn.reveal().as_str()).filter(|_| is_offered)
    }

    fn keep_open(&mut self, now: Instant, stack: &mut Stack, flow: Flow) {
        if self.connection == flow.connection {
            return;
        }
        if let Some(connection) = flow.connection {
            stack.connections.retain(connection);
        }
        if let Some(before) = std::mem::replace(&mut self.connection, flow.connection) {
            stack.connections.release(now, before);
        }
    }

    /// Our address as `received` and `rport` of our Via tell it (RFC 3581), where it is not that of
    /// our Contact. Over TCP the port is that of one connection, and ours would be right if the address
    /// is; by TLS and WebSocket it is right, since calls come over that connection.
    fn seen(&self, response: &Response) -> Option<SocketAddr> {
        let via = response.top_via()?;
        let Register { flow, contact, dialect, .. } = &self.register;
        if dialect.is_platforms() {
            // No address stands in its Contact, or one that nobody goes by.
            return None;
        }
        let stated = contact.unwrap_or(flow.local);
        let ip = via.received().or_else(|| via.host.ip())?;
        let seen = SocketAddr::new(ip, via.rport().unwrap_or(flow.local.port()));
        let is_tcp = flow.transport.is_reliable() && !flow.transport.comes_back();
        let is_so = match is_tcp && contact.is_none() {
            true => seen.ip() == stated.ip(),
            false => seen == stated,
        };
        (!is_so).then_some(seen)
    }
}

/// RFC 5626 section 6: a registrar that keeps the flow says so.
fn outbound_of(ok: &Response) -> Option<Outbound> {
    let is_kept = ok.require().iter().any(|option| option.eq_ignore_ascii_case("outbound"));
    let flow_timer = ok.header("Flow-Timer").and_then(|value| value.trim().parse().ok());
    is_kept.then_some(Outbound { flow_timer_s: flow_timer.filter(|seconds| *seconds > 0) })
}

const fn failed(failure: RegistrationFailure) -> RegistrationNews {
    RegistrationNews::Failed { failure, retry_after_s: None }
}
