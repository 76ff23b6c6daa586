//! A call that we pass on: our REFER and what its NOTIFYs say (RFC 3515, RFC 3420, RFC 3892).
//!
//! ```text
//! Asked ──2xx, or a NOTIFY before it──▶ Accepted ──sipfrag 2xx──▶ over: Done
//!   │ other final, no answer               │ sipfrag 3xx-6xx ──▶ over: Failed
//!   └──▶ over: Failed                      └ deadline ─▶ GivenUp: Failed, but a late 2xx is heard
//! ```
//!
//! The subscription that a REFER makes lives in the call's dialog. For a REFER of the peer's see `referred`.

use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{Event, ReferNews, ReferTo};
use super::in_dialog::Asking;
use super::leg::{Leg, LegTimer, State};
use super::stack::{Purpose, Stack, Use};
use crate::sip::LegId;
use crate::sip::message::{Headers, Method, NameAddr, Request, Response, Uri, response_to};
use crate::sip::transaction::TransactionId;

/// How long a peer may take to say whether it will do it: a person waits in silence meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
const PACKAGE: &str = "refer";
const SIPFRAG: &str = "message/sipfrag";

/// Our one REFER in a dialog.
pub(super) struct Refer {
    transaction: TransactionId,
    /// Its CSeq number, by which NOTIFYs may name it.
    number: u32,
    to: String,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Asked,
    Accepted,
    /// Reported as failed; the peer may still be at it, and must be heard if it succeeds.
    GivenUp,
}

impl UserAgent {
    /// Our REFER by command.
    pub(super) fn refer(&mut self, now: Instant, leg: LegId, to: &ReferTo, within: Duration) {
        let to = match to {
            ReferTo::Uri(uri) => Uri::parse(uri.reveal()),
            ReferTo::Number(number) => {
                self.legs.get(&leg).and_then(|leg| leg.number_at_peer(number.reveal()))
            }
            ReferTo::Leg(other) => self.legs.get(other).and_then(Leg::address_to_replace),
        };
        self.with_leg(now, leg, |leg, stack| leg.refer(now, stack, to, within));
    }
}

impl Leg {
    /// A number has no domain: it is the peer's, who is the one to call it.
    fn number_at_peer(&self, number: &str) -> Option<Uri> {
        let State::Up(up) = &self.state else { return None };
        let uri = Uri::sip(Some(number), up.dialog.remote_domain()?, None);
        Some(uri.with_param("user", Some("phone")))
    }

    /// As [`Dialog::address_to_replace`], where the peer knows what that means.
    ///
    /// [`Dialog::address_to_replace`]: crate::sip::dialog::Dialog::address_to_replace
    fn address_to_replace(&self) -> Option<Uri> {
        match &self.state {
            State::Up(up) if up.peer_replaces => up.dialog.address_to_replace(),
            _ => None,
        }
    }

    /// Asks the peer to call somebody else instead of us; `None`: there is no address for that.
    fn refer(&mut self, now: Instant, stack: &mut Stack, to: Option<Uri>, within: Duration) {
        let State::Up(up) = &mut self.state else { return };
        if up.refer.as_ref().is_some_and(|refer| refer.phase != Phase::GivenUp) {
            return self.refer_news(stack, ReferNews::Failed(491));
        }
        let Some(to) = to.map(|uri| NameAddr::new(uri).to_string()) else {
            return self.refer_news(stack, ReferNews::Failed(400));
        };
        if let Some(authentication) = &mut self.authentication {
            authentication.begin_request();
        }
        self.timers.set(LegTimer::ReferUnanswered, now + ANSWER_WITHIN.min(within));
        self.timers.set(LegTimer::ReferUnfinished, now + within);
        self.send_refer(now, stack, to, |_, _, _| true);
    }

    /// `prepare` adds what an answer to a challenge needs; false: nothing is sent.
    fn send_refer(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        to: String,
        prepare: impl FnOnce(&mut Self, &mut Stack, &mut Request) -> bool,
    ) {
        let State::Up(up) = &mut self.state else { return };
        let (mut request, way) = stack.in_dialog(&mut up.dialog, Method::Refer);
        stack.introduce(&mut request, way.flow);
        request.push_header("Refer-To", &to);
        request.push_header("Referred-By", up.dialog.local_address());
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let ready = prepare(self, stack, &mut request);
        let serves = Use { leg: self.id, purpose: Purpose::Refer };
        let sent = if ready { stack.request(now, request, way, Some(serves)) } else { None };
        let State::Up(up) = &mut self.state else { return };
        match sent {
            Some(transaction) => {
                up.refer = Some(Refer { transaction, number, to, phase: Phase::Asked });
            }
            None => self.refer_failed(stack, if ready { 503 } else { 401 }),
        }
    }

    /// A final response to our REFER.
    pub fn refer_answered(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: TransactionId,
        response: &Response,
    ) {
        let State::Up(up) = &mut self.state else { return };
        let Some(refer) = up.refer.as_mut().filter(|refer| refer.transaction == id) else { return };
        match (response.status(), refer.phase) {
            (200..=299, Phase::Asked) => self.refer_accepted(stack),
            // RFC 5057: the peer has no such dialog any more.
            (481, _) => self.lost(now, stack, 481),
            (401 | 407, Phase::Asked) => {
                let to = refer.to.clone();
                let peer = stack.way(&up.dialog).flow.peer.ip();
                self.send_refer(now, stack, to, |leg, stack, request| {
                    let authentication = leg.authentication.as_mut();
                    let entropy = &mut stack.entropy;
                    authentication
                        .is_some_and(|a| a.answer(response, request, peer, entropy).is_ok())
                });
            }
            (200..=299, _) => (),
            (status, Phase::Asked) => self.refer_failed(stack, status),
            // It had said yes by a NOTIFY, or was given up.
            (_, Phase::Accepted | Phase::GivenUp) => (),
        }
    }

    /// Our REFER got no response: 408 for time, 503 for the transport.
    pub fn refer_unanswered(&mut self, stack: &mut Stack, id: TransactionId, status: u16) {
        let State::Up(up) = &self.state else { return };
        let is_asked = |refer: &Refer| refer.transaction == id && refer.phase == Phase::Asked;
        if up.refer.as_ref().is_some_and(is_asked) {
            self.refer_failed(stack, status);
        }
    }

    /// A deadline has come: for the first word of the peer, or for the last.
    pub fn give_up_refer(&mut self, stack: &mut Stack, timer: LegTimer) {
        let Some(refer) = self.refer_mut() else { return };
        let is_due = match (timer, refer.phase) {
            (LegTimer::ReferUnanswered, phase) => phase == Phase::Asked,
            (_, phase) => phase != Phase::GivenUp,
        };
        if is_due {
            refer.phase = Phase::GivenUp;
            self.stop_refer_timers();
            self.refer_news(stack, ReferNews::Failed(408));
        }
    }

    /// A NOTIFY in this dialog. Only of our REFER's: we subscribe to nothing else.
    pub fn notified(&mut self, now: Instant, stack: &mut Stack, asking: &Asking) {
        let request = &asking.request;
        let event = request.header("Event").unwrap_or_default();
        let (package, id) = package_of(event);
        if !package.eq_ignore_ascii_case(PACKAGE) {
            let bad = response_to(request, 489, None).with_header("Allow-Events", PACKAGE);
            return stack.respond(now, asking.transaction, bad);
        }
        let is_ours = match &self.state {
            State::Up(up) => {
                let names = |refer: &Refer| id.is_none_or(|id| id == refer.number.to_string());
                up.refer.as_ref().is_some_and(names)
            }
            // Our BYE is on its way; what it still says is taken and changes nothing.
            State::Ending(_) => true,
            State::Offered(_) | State::Calling(_) | State::Over => false,
        };
        let status = if is_ours { 200 } else { 481 };
        stack.respond(now, asking.transaction, response_to(request, status, None));
        if is_ours {
            self.refer_told(stack, request);
        }
    }

    fn refer_told(&mut self, stack: &mut Stack, notify: &Request) {
        let Some(refer) = self.refer_mut() else { return };
        let phase = refer.phase;
        let state = notify.header("Subscription-State").unwrap_or_default();
        let is_over = state.split(';').next().unwrap_or_default().trim();
        let is_over = is_over.eq_ignore_ascii_case("terminated");
        match sipfrag_status(notify, notify.body()) {
            Some(200..=299) => {
                self.refer_over();
                self.refer_news(stack, ReferNews::Done);
            }
            Some(status @ 300..) => self.refer_failed(stack, status),
            // Over without a word of how: it did not come to anything that we know of.
            _ if is_over => self.refer_failed(stack, 408),
            Some(_) | None if phase == Phase::Asked => self.refer_accepted(stack),
            Some(_) | None => (),
        }
    }

    fn refer_accepted(&mut self, stack: &mut Stack) {
        if let Some(refer) = self.refer_mut() {
            refer.phase = Phase::Accepted;
        }
        self.timers.cancel(LegTimer::ReferUnanswered);
        self.refer_news(stack, ReferNews::Accepted);
    }

    /// It failed for good; once it was given up that has been said.
    fn refer_failed(&mut self, stack: &mut Stack, status: u16) {
        let before = self.refer_over();
        if before.is_none_or(|refer| refer.phase != Phase::GivenUp) {
            self.refer_news(stack, ReferNews::Failed(status));
        }
    }

    fn refer_mut(&mut self) -> Option<&mut Refer> {
        match &mut self.state {
            State::Up(up) => up.refer.as_mut(),
            _ => None,
        }
    }

    fn refer_over(&mut self) -> Option<Refer> {
        self.stop_refer_timers();
        let State::Up(up) = &mut self.state else { return None };
        up.refer.take()
    }

    fn stop_refer_timers(&mut self) {
        self.timers.cancel(LegTimer::ReferUnanswered);
        self.timers.cancel(LegTimer::ReferUnfinished);
    }

    fn refer_news(&self, stack: &mut Stack, news: ReferNews) {
        stack.event(Event::Refer { leg: self.id, news });
    }
}

/// The package of an Event header field and its `id`.
fn package_of(event: &str) -> (&str, Option<&str>) {
    let mut parts = event.split(';').map(str::trim);
    let package = parts.next().unwrap_or_default();
    let id = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("id").then(|| value.trim())
    });
    (package, id)
}

/// The status in a body of type message/sipfrag that begins with a status line (RFC 3420).
fn sipfrag_status(headers: &Headers, body: &[u8]) -> Option<u16> {
    let kind = headers.content_type()?;
    if !kind.eq_ignore_ascii_case(SIPFRAG) {
        return None;
    }
    let line = body.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let status: u16 = line.trim().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    (100..700).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_a_sipfrag_only() {
        for (kind, body, expected) in [
            ("message/sipfrag", "SIP/2.0 180 Ringing\r\n", Some(180)),
            ("message/sipfrag;version=2.0", "SIP/2.0 200 OK", Some(200)),
            ("Message/SIPfrag", "SIP/2.0 603 Decline\r\nTo: x\r\n", Some(603)),
            ("message/sipfrag", "SIP/2.0 999 What\r\n", None),
            ("message/sipfrag", "SIP/2.0 20", None),
            ("message/sipfrag", "INVITE sip:x SIP/2.0\r\n", None),
            ("message/sipfrag", "", None),
            ("text/plain", "SIP/2.0 200 OK\r\n", None),
        ] {
            let mut notify = Request::new(Method::Notify, Uri::parse("sip:a@192.0.2.1").unwrap());
            notify.set_body(kind, body);
            assert_eq!(sipfrag_status(&notify, notify.body()), expected, "{kind} {body}");
        }
    }

    #[test]
    fn a_package_is_read_with_its_id() {
        for (event, expected) in [
            ("refer", ("refer", None)),
            ("refer;id=93809824", ("refer", Some("93809824"))),
            ("Refer ; ID = 7 ;x", ("Refer", Some("7"))),
            ("presence", ("presence", None)),
            ("", ("", None)),
        ] {
            assert_eq!(package_of(event), expected, "{event}");
        }
    }
}
