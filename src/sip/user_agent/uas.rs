//! Requests that belong to no dialog: new calls, OPTIONS, CANCEL, and everything to be refused
//! (RFC 3261 sections 8.2, 9.2, 11.2).

use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{Admission, Event, HEADERS_OF_INTEREST, Incoming};
use super::compose::{Body, SDP, body_of, origin_of};
use super::inspect::{self, Refusal};
use super::leg::{Leg, LegTimer, Offered, State};
use super::reliable::Reliable;
use super::session::Wish;
use super::stack::{Purpose, Stack};
use crate::base::{Private, limits};
use crate::sip::counters::Dropped;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, NameAddr, ParseFault, Request, response_to};
use crate::sip::transport::Flow;

/// Names that scanners for open servers give themselves. They get no answer to learn from.
const SCANNERS: [&str; 5] =
    ["friendly-scanner", "sipvicious", "sipcli", "sip-scan", "vaxsipuseragent"];

impl UserAgent {
    /// A request without a To tag that no transaction knows.
    pub(super) fn new_request(&mut self, now: Instant, flow: Flow, request: &Request, size: usize) {
        if self.is_stranger(flow) {
            return self.stack.drop_one(Dropped::Stranger);
        }
        if is_scanner(request) {
            return self.stack.drop_one(Dropped::Scanner);
        }
        if !self.hears(now, flow, concerns_a_call(request)) || self.is_said(now, flow, request) {
            return;
        }
        let verdict = inspect_new(&self.stack, request).and(match size {
            0..=limits::SIP_NEW_CALL_BYTES => Ok(()),
            _ => Err(Refusal::new(513)),
        });
        if let Err(refusal) = verdict {
            return refuse(&mut self.stack, now, flow, request, refusal);
        }
        match request.method() {
            Method::Invite => self.new_call(now, flow, request),
            Method::Options => self.options(now, flow, request),
            // A stranger's wish, in no call of ours, moves nobody.
            Method::Refer => refuse(&mut self.stack, now, flow, request, Refusal::new(403)),
            // BYE, UPDATE, PRACK, INFO and NOTIFY live in dialogs only: we subscribe to nothing else.
            _ => refuse(&mut self.stack, now, flow, request, Refusal::new(481)),
        }
    }

    fn new_call(&mut self, now: Instant, flow: Flow, invite: &Request) {
        if let Some(reason) = self.fullness() {
            return self.overloaded(now, flow, invite, reason);
        }
        if Wish::of(invite).is_too_short() {
            let refusal = Refusal::with(422, "Min-SE", limits::SESSION_LEAST_S.to_string());
            return refuse(&mut self.stack, now, flow, invite, refusal);
        }
        let replaces = match self.to_replace(invite) {
            Ok(replaces) => replaces,
            Err(refusal) => return refuse(&mut self.stack, now, flow, invite, refusal),
        };
        let local_tag = self.stack.entropy.token();
        let Some(dialog) = Dialog::of_callee(invite, &local_tag, flow) else {
            return refuse(&mut self.stack, now, flow, invite, Refusal::new(400));
        };
        let Some(transaction) = self.stack.accept(invite, flow) else { return };
        self.stack.respond(now, transaction, response_to(invite, 100, None));
        // What takes the place of a call needs no room of its own; where a server can be told what becomes of a
        // call instead of a refusal, that is for whoever has the call.
        if let Admission::Closed { status, retry_after_s } = self.admission
            && replaces.is_none()
            && !self.stack.dialect(flow).is_platforms()
        {
            let mut refusal = response_to(invite, status.clamp(300, 699), Some(&local_tag));
            if let Some(seconds) = retry_after_s {
                refusal.push_header("Retry-After", seconds.to_string());
            }
            return self.stack.respond(now, transaction, refusal);
        }
        let leg = self.take_leg_id();
        self.stack.dialogs.insert(dialog.id().clone(), leg);
        self.stack.set_use(transaction, leg, Purpose::Incoming);
        self.stack.counters.calls_in += 1;
        let incoming = Box::new(Incoming { replaces, ..describe(invite, flow) });
        let expires_s = invite.expires().map(u64::from).filter(|seconds| *seconds > 0);
        let has_offer = incoming.offer.is_some();
        let incoming_origin = incoming.offer.as_deref().and_then(origin_of);
        let offered = Offered {
            dialog,
            invite: template_of(invite),
            has_offer,
            origin: incoming_origin,
            transaction,
            ring: None,
            reliable: Reliable::wanted(invite, &mut self.stack.entropy),
        };
        let authentication = self.account_at(flow, invite.uri().user());
        let mut new = Leg::new(leg, State::Offered(Box::new(offered)), authentication);
        new.timers.set(LegTimer::Undecided, now + self.stack.settings.answer_within);
        if let Some(seconds) = expires_s {
            // Beyond a day it is no limit, and an Instant may not overflow.
            let within = Duration::from_secs(seconds.min(86_400));
            new.timers.set(LegTimer::Expires, now + within);
        }
        self.legs.insert(leg, new);
        self.stack.event(Event::Incoming { leg, incoming });
        self.after(now, leg);
    }

    /// 503 without keeping anything: the one answer that a full house can afford.
    pub(super) fn overloaded(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Request,
        reason: Dropped,
    ) {
        self.stack.drop_one(reason);
        let seconds = (5 + self.stack.entropy.next_u32() % 11).to_string();
        let response = self.stack.stateless_response(request, 503);
        let response = response.with_header("Retry-After", seconds);
        self.stack.respond_statelessly(now, request, flow, response);
    }

    /// What an INVITE would get now, and what we can do.
    fn options(&mut self, now: Instant, flow: Flow, request: &Request) {
        let tag = self.stack.stateless_tag(request);
        let (status, retry_after_s) = match self.admission {
            Admission::Open => (200, None),
            Admission::Closed { status, retry_after_s } => (status.clamp(300, 699), retry_after_s),
        };
        let mut response = response_to(request, status, Some(&tag));
        self.stack.introduce(&mut response, flow);
        response.push_header("Accept", SDP);
        response.push_header("Accept-Encoding", "identity");
        response.push_header("Accept-Language", "en");
        if let Some(seconds) = retry_after_s {
            response.push_header("Retry-After", seconds.to_string());
        }
        self.stack.respond_statelessly(now, request, flow, response);
    }

    /// CANCEL: its own transaction is answered 200, the INVITE 487 if it is still open. It must come
    /// from where the INVITE came from.
    pub(super) fn cancel(&mut self, now: Instant, flow: Flow, cancel: &Request) {
        let source = flow.peer.ip();
        let found = self.stack.transactions.cancelled(cancel);
        let is_from_caller = found.is_some_and(|(invite, _)| {
            self.stack.transactions.way(invite).is_some_and(|way| way.flow.peer.ip() == source)
        });
        let Some((invite, is_pending)) = found.filter(|_| is_from_caller) else {
            if found.is_some() {
                self.stack.drop_one(Dropped::Spoofed);
            }
            if self.is_stranger(flow) {
                return self.stack.drop_one(Dropped::Stranger);
            }
            if self.hears(now, flow, false) {
                refuse(&mut self.stack, now, flow, cancel, Refusal::new(481));
            }
            return;
        };
        let leg = self.stack.use_of(invite).map(|serves| serves.leg);
        let tag = leg
            .and_then(|leg| self.legs.get(&leg))
            .and_then(Leg::local_tag)
            .map_or_else(|| self.stack.stateless_tag(cancel), str::to_owned);
        let Some(transaction) = self.stack.accept(cancel, flow) else { return };
        self.stack.respond(now, transaction, response_to(cancel, 200, Some(&tag)));
        if let Some(leg) = leg.filter(|_| is_pending) {
            self.with_leg(now, leg, |leg, stack| leg.cancelled(now, stack, invite));
        }
    }

    /// A request that could not be parsed.
    pub(super) fn malformed(&mut self, now: Instant, flow: Flow, fault: &ParseFault) {
        if self.is_stranger(flow) {
            return self.stack.drop_one(Dropped::Stranger);
        }
        self.stack.drop_one(Dropped::Malformed);
        let Some(response) = fault.response() else { return };
        if self.hears(now, flow, false) {
            self.stack.answer_fault(now, flow, response);
        }
    }

    /// Whether a source may have one more answer to something outside our dialogs. What concerns no
    /// call has a share of its own over UDP, where the source may be forged: scanners learn little,
    /// and the calls of the source do not suffer from them.
    pub(super) fn hears(&mut self, now: Instant, flow: Flow, concerns_a_call: bool) -> bool {
        let source = flow.peer.ip();
        let admitted = match concerns_a_call || flow.transport.is_reliable() {
            true => self.limiter.admit(now, source),
            false => self.probes.admit(now, source),
        };
        if !admitted {
            self.stack.drop_one(Dropped::SourceRate);
        }
        admitted
    }
}

/// Whether a request begins a call, or was sent in one that we do not know (any more).
pub(super) fn concerns_a_call(request: &Request) -> bool {
    match request.method() {
        Method::Invite => true,
        Method::Bye | Method::Update | Method::Info => {
            request.to().is_some_and(|to| to.tag().is_some())
        }
        _ => false,
    }
}

/// Section 8.2 for a request outside a dialog.
fn inspect_new(stack: &Stack, request: &Request) -> Result<(), Refusal> {
    inspect::method(request)?;
    inspect::scheme(request)?;
    if *request.method() == Method::Invite && stack.transactions.merged(request).is_some() {
        return Err(Refusal::new(482));
    }
    inspect::require(request)?;
    inspect::content(request)
}

/// Refuses without keeping anything.
pub(super) fn refuse(
    stack: &mut Stack,
    now: Instant,
    flow: Flow,
    request: &Request,
    refusal: Refusal,
) {
    let mut response = stack.stateless_response(request, refusal.status);
    if let Some((name, value)) = refusal.header {
        response.push_header(name, value);
    }
    stack.respond_statelessly(now, request, flow, response);
}

fn is_scanner(request: &Request) -> bool {
    let agent = request.header("User-Agent").unwrap_or_default().to_ascii_lowercase();
    SCANNERS.iter().any(|scanner| agent.contains(scanner))
}

/// The fields of an INVITE that its responses copy or answer to, so that a waiting call is small.
const COPIED: [&str; 12] = [
    "Via",
    "Record-Route",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Allow",
    "Supported",
    "Require",
    "Session-Expires",
    "Min-SE",
    "Timestamp",
];

fn template_of(invite: &Request) -> Request {
    let mut template = Request::new(Method::Invite, invite.uri().clone());
    for name in COPIED {
        for value in invite.headers(name) {
            template.push_header(name, value);
        }
    }
    template
}

fn describe(invite: &Request, flow: Flow) -> Incoming {
    let (from, to) = (invite.from(), invite.to());
    let uri = |address: &Option<NameAddr>| {
        Private::new(address.as_ref().map(|a| a.uri.to_string()).unwrap_or_default())
    };
    let headers = HEADERS_OF_INTEREST
        .iter()
        .flat_map(|name| invite.headers(name).map(|value| ((*name).to_owned(), value.to_owned())));
    Incoming {
        flow,
        request_uri: Private::new(invite.uri().to_string()),
        from_uri: uri(&from),
        from_display: Private::new(from.as_ref().and_then(|from| from.display.clone())),
        to_uri: uri(&to),
        sip_call_id: Private::new(invite.call_id().unwrap_or_default().to_owned()),
        offer: match body_of(invite, invite.body()) {
            Body::Sdp(sdp) => Some(sdp),
            Body::None | Body::Foreign => None,
        },
        replaces: None,
        headers: Private::new(headers.collect()),
    }
}
