//! A leg that we began: INVITE, its responses with their forks, CANCEL (RFC 3261 sections 9.1 and
//! 13.2).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use super::api::{EndCause, Event, Invite};
use super::authentication::Authentication;
use super::compose::{Body, SDP, body_of, origin_of, retry_after_s};
use super::leg::{Calling, Cancelling, Early, Exchange, Leg, LegTimer, State, Up};
use super::probing::Presence;
use super::reliable::offer_extensions;
use super::session::{Session, least_s, longer_s};
use super::stack::{Purpose, Stack, Use};
use crate::base::{Private, limits};
use crate::sip::LegId;
use crate::sip::dialog::{Dialog, DialogId};
use crate::sip::message::{Method, NameAddr, Request, Response, Uri};
use crate::sip::transaction::{GIVE_UP, TransactionId};
use crate::sip::transport::{Flow, Transport, Way};

/// An INVITE above this goes over a stream if there is one (RFC 3261 section 18.1.1).
const DATAGRAM_BYTES: usize = 1_300;
/// Early dialogs of one INVITE that are kept apart.
const EARLY_DIALOGS: usize = 16;
/// Via, with its branch, is added later than the size is looked at.
const VIA_BYTES: usize = 100;

impl Leg {
    /// Sends the INVITE; `None`, with the event that says so, if that cannot be done.
    pub fn call(now: Instant, stack: &mut Stack, leg: LegId, mut invite: Invite) -> Option<Self> {
        let (asked, credentials) = (invite.flow, invite.credentials.take());
        let others: VecDeque<Flow> = std::mem::take(&mut invite.others).into();
        let refused = |status| Event::Refused { leg, status, retry_after_s: None };
        let Some(mut request) = compose(stack, asked, invite) else {
            stack.event(refused(400));
            return None;
        };
        let (flow, udp_flow) = preferred_flow(stack, &request, asked);
        if udp_flow.is_some() {
            request.set_header("Contact", contact_of(stack, flow));
        }
        let serves = Use { leg, purpose: Purpose::Call };
        let sent = stack.request(now, request, Way::to_peer(flow), Some(serves));
        let invite = sent.and_then(|id| stack.transactions.request(id)).cloned();
        let (Some(transaction), Some(invite)) = (sent, invite) else {
            stack.event(refused(503));
            return None;
        };
        let destination = flow.peer.ip();
        let authentication = credentials.map(|c| Authentication::new(c, destination));
        let calling = Calling {
            invite,
            transaction,
            flow,
            watched: asked,
            udp_flow,
            others,
            passed: Vec::new(),
            early: Vec::new(),
            session_expires_s: stack.settings.session_expires_s,
            cancelling: Cancelling::No,
        };
        let mut new = Self::new(leg, State::Calling(Box::new(calling)), authentication);
        new.timers.set(LegTimer::Undecided, now + stack.settings.answer_within);
        new.wait_for_server(now);
        Some(new)
    }

    /// A response to our INVITE.
    pub fn call_answered(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        transaction: TransactionId,
        response: &Response,
        flow: Flow,
    ) {
        if response.status() < 300 {
            self.hear_late(stack, transaction);
            stack.name_call(flow, self.id, response);
        }
        let is_this = matches!(&self.state, State::Calling(c) if c.transaction == transaction);
        // A copy of the 2xx whose ACK waits for our answer.
        let is_ours = matches!(&self.state, State::Up(up)
            if DialogId::of_response(response).as_ref() == Some(up.dialog.id()));
        match response.status() {
            200..=299 if is_ours => {}
            100..=199 if is_this => self.progress(now, stack, response),
            200..=299 if is_this => self.picked_up(now, stack, response, flow),
            300..=699 if is_this => self.call_refused(now, stack, response),
            100..=199 => stack.call_off(now, transaction),
            200..=299 => stack.turn_away(now, transaction, response, flow),
            _ => {}
        }
    }

    fn progress(&mut self, now: Instant, stack: &mut Stack, response: &Response) {
        self.server_at_work(now, response.status());
        let State::Calling(calling) = &mut self.state else { return };
        if calling.cancelling == Cancelling::Wanted {
            return self.send_cancel(now, stack);
        }
        if response.status() == 100 || calling.cancelling == Cancelling::Sent {
            return;
        }
        let is_tagged = response.to().is_some_and(|to| to.tag().is_some());
        let dialog = Dialog::of_caller(&calling.invite, response, calling.flow);
        if let Some(dialog) = dialog.filter(|_| is_tagged) {
            let known = calling.early.iter().any(|early| early.dialog.id() == dialog.id());
            let has_room = calling.early.len() < EARLY_DIALOGS;
            if !known && has_room && stack.dialogs.insert(dialog.id().clone(), self.id) {
                calling.early.push(Early { dialog, rseq: None, sdp: None });
            }
        }
        if !self.acknowledge_early(now, stack, response) {
            return;
        }
        let sdp = match body_of(response, response.body()) {
            Body::Sdp(sdp) => Some(sdp),
            Body::None | Body::Foreign => None,
        };
        if let (State::Calling(calling), Some(sdp)) = (&mut self.state, &sdp) {
            calling.describe(response, sdp);
        }
        stack.event(Event::Progress { leg: self.id, status: response.status(), sdp });
    }

    fn picked_up(&mut self, now: Instant, stack: &mut Stack, response: &Response, flow: Flow) {
        let State::Calling(calling) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let Calling { invite, transaction, mut early, cancelling, flow: own, .. } = *calling;
        self.timers.clear();
        for early in &early {
            stack.dialogs.remove(early.dialog.id());
        }
        let leg = self.id;
        // On a stream the answer shows which connection it is.
        let flow =
            if own.transport.is_reliable() { Flow { local: own.local, ..flow } } else { own };
        let Some(mut dialog) = Dialog::of_caller(&invite, response, flow) else {
            stack.event(Event::Refused { leg, status: 500, retry_after_s: None });
            return;
        };
        let mut early_sdp = None;
        if let Some(at) = early.iter().position(|early| early.dialog.id() == dialog.id()) {
            // What the peer asked for while the dialog was early counts on.
            let Early { dialog: known, sdp, .. } = early.swap_remove(at);
            (dialog, early_sdp) = (known, sdp);
            dialog.confirm(response, flow);
        }
        stack.dialogs.insert(dialog.id().clone(), leg);
        let sdp = match body_of(response, response.body()) {
            Body::Sdp(sdp) => Some(sdp),
            Body::None | Body::Foreign => None,
        };
        let is_late_offer = invite.body().is_empty() && sdp.is_some();
        // Gateways give the answer with 183 alone; another branch's would lead elsewhere.
        let sdp = sdp.or(early_sdp);
        let was_cancelled = cancelling != Cancelling::No;
        let exchange = if is_late_offer && !was_cancelled {
            Exchange::AnswerDue { transaction }
        } else {
            stack.acknowledge(now, transaction, &dialog, None);
            Exchange::Idle
        };
        let local_sdp = invite.body().to_vec();
        let remote_origin = sdp.as_deref().and_then(origin_of);
        let least_s = least_s(&invite);
        let up = Up { local_sdp, remote_origin, least_s, ..Up::new(dialog, exchange, response) };
        self.state = State::Up(Box::new(up));
        self.session_agreed(now, Session::of_answer(response));
        if was_cancelled {
            let event = Event::Refused { leg, status: 487, retry_after_s: None };
            self.bye_with(now, stack, None, event);
        } else {
            stack.event(Event::Answered { leg, sdp });
        }
    }

    fn call_refused(&mut self, now: Instant, stack: &mut Stack, response: &Response) {
        let status = response.status();
        let State::Calling(calling) = &self.state else { return };
        let is_wanted = calling.cancelling == Cancelling::No;
        let goes_on = is_wanted
            && match status {
                401 | 407 => self.authenticate(now, stack, response),
                422 => self.call_for_longer(now, stack, response),
                482 => self.go_back(stack),
                503 => self.call_next_server(now, stack, Presence::of_answer(response)),
                _ => false,
            };
        if goes_on {
            return;
        }
        let leg = self.id;
        if is_wanted && matches!(status, 300..=302) {
            let to = Private::new(elsewhere(response));
            return self.finish(stack, Some(Event::Redirected { leg, to }));
        }
        let retry_after_s = retry_after_s(response);
        self.finish(stack, Some(Event::Refused { leg, status, retry_after_s }));
    }

    /// Calls again with credentials: same Call-ID and From tag, next CSeq, new branch.
    fn authenticate(&mut self, now: Instant, stack: &mut Stack, response: &Response) -> bool {
        let State::Calling(calling) = &mut self.state else { return false };
        let Some(authentication) = &mut self.authentication else { return false };
        let mut invite = calling.invite.clone();
        let peer = calling.flow.peer.ip();
        if authentication.answer(response, &mut invite, peer, &mut stack.entropy).is_err() {
            return false;
        }
        renumber(&mut invite);
        self.call_again(now, stack, invite)
    }

    /// Calls again with the session interval that a 422 wants (RFC 4028 section 7.3).
    fn call_for_longer(&mut self, now: Instant, stack: &mut Stack, response: &Response) -> bool {
        let State::Calling(calling) = &mut self.state else { return false };
        let longer_s = calling.session_expires_s.and_then(|s| longer_s(response, s));
        let Some(interval_s) = longer_s else { return false };
        // Once: a callee that wants a little more each time would have us call for ever.
        calling.session_expires_s = None;
        let mut invite = calling.invite.clone();
        invite.set_header("Session-Expires", interval_s.to_string());
        invite.set_header("Min-SE", interval_s.to_string());
        renumber(&mut invite);
        self.call_again(now, stack, invite)
    }

    /// Sends the INVITE once more, changed, and waits for whoever serves it.
    pub(super) fn call_again(&mut self, now: Instant, stack: &mut Stack, invite: Request) -> bool {
        let State::Calling(calling) = &mut self.state else { return false };
        let is_sent = calling.send_again(now, stack, self.id, invite);
        self.wait_for_server(now);
        is_sent
    }

    /// No answer (timer B) or no way to the peer.
    pub fn call_failed(&mut self, now: Instant, stack: &mut Stack, status: u16) {
        let leg = self.id;
        // The stream could not be made.
        let goes_on = (status == 503 && self.call_by_datagram(now, stack))
            || self.call_next_server(now, stack, Presence::of_unanswered(status));
        if goes_on {
            return;
        }
        self.finish(stack, Some(Event::Refused { leg, status, retry_after_s: None }));
    }

    /// CANCEL by command: at once after a provisional response, else as soon as one comes.
    pub fn cancel(&mut self, now: Instant, stack: &mut Stack) {
        let State::Calling(calling) = &mut self.state else { return };
        if calling.cancelling != Cancelling::No {
            return;
        }
        calling.cancelling = Cancelling::Wanted;
        if stack.transactions.may_be_cancelled(calling.transaction) {
            self.send_cancel(now, stack);
        }
    }

    fn send_cancel(&mut self, now: Instant, stack: &mut Stack) {
        let State::Calling(calling) = &mut self.state else { return };
        calling.cancelling = Cancelling::Sent;
        let cancel = cancel_of(&calling.invite);
        let way = stack.transactions.way(calling.transaction);
        let way = way.unwrap_or(Way::to_peer(calling.flow));
        if let Some(id) = stack.transactions.send(now, cancel, way) {
            stack.set_use(id, self.id, Purpose::Cancel);
        }
        self.timers.set(LegTimer::CancelIgnored, now + GIVE_UP);
    }

    /// The peer neither ended nor answered the INVITE that we cancelled (section 9.1).
    pub fn give_up_cancel(&mut self, stack: &mut Stack) {
        let State::Calling(calling) = &self.state else { return };
        stack.transactions.abandon(calling.transaction);
        let event = Event::Refused { leg: self.id, status: 487, retry_after_s: None };
        self.finish(stack, Some(event));
    }

    /// A transaction of ours in this leg ended without a response: `status` 408 or 503.
    pub fn unanswered(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        purpose: Purpose,
        transaction: TransactionId,
        status: u16,
    ) {
        match purpose {
            Purpose::Call => {
                let is_this =
                    matches!(&self.state, State::Calling(c) if c.transaction == transaction);
                if is_this {
                    self.call_failed(now, stack, status);
                }
            }
            Purpose::Reoffer | Purpose::Refresh => {
                let cause = if status == 503 { EndCause::Unreachable } else { EndCause::Timeout };
                self.bye(now, stack, None, cause);
            }
            Purpose::Bye => {
                if status == 503 {
                    self.bye_undelivered();
                }
                self.bye_done(stack);
            }
            Purpose::Refer => self.refer_unanswered(stack, transaction, status),
            Purpose::Prack | Purpose::Notify | Purpose::Cancel | Purpose::Incoming => {}
        }
    }
}

/// Where a redirected call is to go, the most wanted first (RFC 3261 section 8.1.3.4).
fn elsewhere(response: &Response) -> Vec<String> {
    let mut contacts = response.contacts();
    contacts.retain(|contact| contact.uri.is_sip());
    // In thousandths; of equal ones the first comes first.
    let wanted = |contact: &NameAddr| {
        let q = contact.params.value("q").and_then(|q| q.parse::<f32>().ok());
        let q = q.filter(|q| (0.0..=1.0).contains(q)).unwrap_or(1.0);
        std::cmp::Reverse((q * 1_000.0) as u16)
    };
    contacts.sort_by_key(wanted);
    contacts.truncate(limits::REDIRECTS_PER_CALL);
    contacts.into_iter().map(|contact| contact.uri.for_request().to_string()).collect()
}

/// The next INVITE of the same call (RFC 3261 section 8.1.3.5).
pub(super) fn renumber(invite: &mut Request) {
    let number = invite.cseq().map_or(0, |cseq| cseq.number) + 1;
    invite.set_header("CSeq", format!("{number} INVITE"));
}

impl Calling {
    /// Keeps what an early dialog says of its media, for a 200 that does not say it again.
    fn describe(&mut self, response: &Response, sdp: &[u8]) {
        let id = DialogId::of_response(response);
        let early = self.early.iter_mut().find(|early| Some(early.dialog.id()) == id.as_ref());
        if let Some(early) = early {
            early.sdp = Some(sdp.to_vec());
        }
    }

    /// Sends `invite`, which has the Via of the one before, under a new branch.
    fn send_again(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        leg: LegId,
        mut invite: Request,
    ) -> bool {
        invite.remove_header("Via");
        let serves = Use { leg, purpose: Purpose::Call };
        let sent = stack.request(now, invite, Way::to_peer(self.flow), Some(serves));
        let Some(transaction) = sent else { return false };
        if let Some(invite) = stack.transactions.request(transaction) {
            self.invite = invite.clone();
        }
        for early in self.early.drain(..) {
            stack.dialogs.remove(early.dialog.id());
        }
        self.transaction = transaction;
        true
    }
}

pub(super) fn contact_of(stack: &Stack, flow: Flow) -> String {
    stack.contact(flow).to_string()
}

/// The INVITE without Via; `None` if a URI of the command is none.
fn compose(stack: &mut Stack, flow: Flow, invite: Invite) -> Option<Request> {
    let target = Uri::parse(invite.target.reveal()).filter(Uri::is_sip)?;
    let contact = stack.contact(flow);
    let from = match &invite.from {
        Some(from) => Uri::parse(from.reveal())?,
        None => contact.uri.clone(),
    };
    let mut from = NameAddr::new(from).with_tag(&stack.entropy.token());
    from.display = invite.display.map(Private::into_revealed);
    let mut request = Request::new(Method::Invite, target.clone().for_request());
    request.push_header("Max-Forwards", "70");
    request.push_header("From", from.to_string());
    request.push_header("To", NameAddr::new(target).to_string());
    request.push_header("Call-ID", stack.entropy.token() + &stack.entropy.token());
    request.push_header("CSeq", "1 INVITE");
    stack.introduce(&mut request, flow);
    request.push_header("User-Agent", &stack.settings.product);
    for (name, value) in &invite.headers {
        request.push_header(name, value);
    }
    if let Some(interval_s) = stack.settings.session_expires_s {
        request.push_header("Session-Expires", interval_s.to_string());
    }
    if let Some(sdp) = invite.sdp {
        request.set_body(SDP, sdp);
    }
    offer_extensions(&mut request);
    Some(request)
}

/// The stream for an INVITE that is too large for a datagram, if we listen on one; and then the way to go
/// where that stream cannot be made.
pub(super) fn preferred_flow(stack: &Stack, request: &Request, flow: Flow) -> (Flow, Option<Flow>) {
    let is_large = request.to_bytes().len() + VIA_BYTES > DATAGRAM_BYTES;
    match stack.settings.tcp_local {
        Some(local)
            if is_large
                && flow.transport == Transport::Udp
                && local.is_ipv4() == flow.peer.is_ipv4() =>
        {
            let is_wildcard = local.ip().is_unspecified();
            let ip = if is_wildcard { flow.local.ip() } else { local.ip() };
            let local = SocketAddr::new(ip, local.port());
            (Flow { transport: Transport::Tcp, local, connection: None, ..flow }, Some(flow))
        }
        _ => (flow, None),
    }
}

/// RFC 3261 section 9.1: the INVITE's URI, single Via, Route, From, To, Call-ID and CSeq number.
pub(super) fn cancel_of(invite: &Request) -> Request {
    let mut cancel = Request::new(Method::Cancel, invite.uri().clone());
    for name in ["Via", "Max-Forwards", "Route", "From", "To", "Call-ID"] {
        for value in invite.headers(name) {
            cancel.push_header(name, value);
        }
    }
    let number = invite.cseq().map_or(0, |cseq| cseq.number);
    cancel.push_header("CSeq", format!("{number} CANCEL"));
    cancel
}
