//! Offers in a call that is up: the peer's re-INVITE and UPDATE, ours, and their collisions
//! (RFC 3261 section 14, RFC 3311, RFC 3264).

use std::time::{Duration, Instant};

use super::api::{EndCause, Event, OfferBy, Warning};
use super::authentication::Authentication;
use super::compose::{Body, SDP, body_of, origin_of};
use super::in_dialog::Asking;
use super::leg::{Asked, Exchange, Leg, LegTimer, Occasion, OurOffer, State};
use super::offered::{Unacknowledged, warn};
use super::session::{self, Refresher, Session};
use super::stack::{Purpose, Stack, Use};
use crate::base::Entropy;
use crate::sip::dialog::{Dialog, Role};
use crate::sip::message::{Method, Request, Response, response_to};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::Way;

/// How long the answer to a peer's offer may take before it is refused.
const DECIDE_WITHIN: Duration = Duration::from_secs(20);
/// How long our re-INVITE may stay without a final response: twice what timer B allows one without
/// any response.
const ANSWER_WITHIN: Duration = Duration::from_secs(64);
/// Glares after which an offer of ours is given up.
const GLARES: u8 = 5;

/// What to tell a peer whose offer cannot be taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Collision {
    /// 491: an offer of ours is out.
    Glare,
    /// 500 with Retry-After: an earlier one of its own is undecided.
    TooSoon,
    /// 481: the call is over.
    Gone,
}

impl Leg {
    /// A re-INVITE came.
    pub fn reinvited(&mut self, now: Instant, stack: &mut Stack, asked: Asking) {
        // The peer cannot go on without having got our 2xx: its ACK was lost.
        if let State::Up(up) = &self.state
            && matches!(&up.exchange, Exchange::AwaitingAck(a) if !a.is_late_offer)
        {
            self.settle_ack(now, stack, None);
        }
        self.asked(now, stack, asked, OfferBy::Invite);
    }

    /// An UPDATE came. Without an offer it only refreshes the target.
    pub fn updated(&mut self, now: Instant, stack: &mut Stack, asked: Asking) {
        let Asking { request, transaction, flow } = &asked;
        let has_offer = body_of(request, request.body()) != Body::None;
        match &mut self.state {
            State::Up(up) if !has_offer => {
                up.dialog.refresh(&request.contacts(), Some(*flow));
                let mut ok = response_to(request, 200, None);
                stack.introduce(&mut ok, up.dialog.flow());
                let session = session::answer(stack, request, &mut ok);
                stack.respond(now, *transaction, ok);
                self.session_agreed(now, session);
            }
            State::Offered(_) | State::Calling(_) if !has_offer => {
                let mut ok = response_to(request, 200, None);
                stack.introduce(&mut ok, *flow);
                stack.respond(now, *transaction, ok);
            }
            _ => self.asked(now, stack, asked, OfferBy::Update),
        }
    }

    fn asked(&mut self, now: Instant, stack: &mut Stack, asking: Asking, by: OfferBy) {
        let Asking { request, transaction, flow } = asking;
        let collision = self.collision();
        let State::Up(up) = &mut self.state else {
            return collide(
                now,
                stack,
                &request,
                transaction,
                collision.unwrap_or(Collision::Gone),
            );
        };
        if let Some(collision) = collision {
            return collide(now, stack, &request, transaction, collision);
        }
        let offer = match body_of(&request, request.body()) {
            Body::Sdp(sdp) => Some(sdp),
            Body::None | Body::Foreign => None,
        };
        if by == OfferBy::Invite {
            stack.respond(now, transaction, response_to(&request, 100, None));
            stack.set_use(transaction, self.id, Purpose::Incoming);
        }
        let has_offer = offer.is_some();
        up.exchange = Exchange::Asked(Asked { request, transaction, flow, by, has_offer });
        self.timers.set(LegTimer::Undecided, now + DECIDE_WITHIN);
        stack.event(Event::OfferReceived { leg: self.id, offer, by });
    }

    /// Why the peer may not make an offer now.
    fn collision(&self) -> Option<Collision> {
        match &self.state {
            State::Up(up) => match &up.exchange {
                Exchange::Idle => None,
                Exchange::AwaitingAck(awaiting) if awaiting.is_late_offer => Some(Collision::Glare),
                Exchange::AwaitingAck(_) | Exchange::Asked(_) => Some(Collision::TooSoon),
                Exchange::AnswerDue { .. } | Exchange::Offering { .. } => Some(Collision::Glare),
            },
            State::Offered(_) => Some(Collision::TooSoon),
            State::Calling(_) => Some(Collision::Glare),
            State::Ending(_) | State::Over => Some(Collision::Gone),
        }
    }

    /// Our answer to the peer's offer, or our offer when it asked for one.
    pub fn accept_offer(&mut self, now: Instant, stack: &mut Stack, sdp: Vec<u8>) {
        let State::Up(up) = &mut self.state else { return };
        match std::mem::replace(&mut up.exchange, Exchange::Idle) {
            Exchange::Asked(asked) => {
                self.timers.cancel(LegTimer::Undecided);
                up.dialog.refresh(&asked.request.contacts(), Some(asked.flow));
                let mut ok = response_to(&asked.request, 200, Some(up.dialog.local_tag()));
                stack.introduce(&mut ok, up.dialog.flow());
                let session = session::answer(stack, &asked.request, &mut ok);
                up.local_sdp.clone_from(&sdp);
                if let Body::Sdp(offer) = body_of(&asked.request, asked.request.body()) {
                    up.remote_origin = origin_of(&offer);
                }
                ok.set_body(SDP, sdp);
                self.send_accepted(now, stack, &asked, ok);
                self.session_agreed(now, session);
            }
            Exchange::AnswerDue { transaction } => {
                up.local_sdp.clone_from(&sdp);
                stack.acknowledge(now, transaction, &up.dialog, Some(sdp));
                self.next_offer(now, stack);
            }
            other => up.exchange = other,
        }
    }

    fn send_accepted(&mut self, now: Instant, stack: &mut Stack, asked: &Asked, ok: Response) {
        let transaction = asked.transaction;
        match asked.by {
            OfferBy::Update => {
                stack.respond(now, transaction, ok);
                self.next_offer(now, stack);
            }
            OfferBy::Invite => {
                let awaited = Unacknowledged {
                    transaction,
                    invite_seq: asked.request.cseq().map_or(0, |cseq| cseq.number),
                    ok,
                    occasion: Occasion::Reinvite,
                    is_late_offer: !asked.has_offer,
                };
                let exchange = self.send_ok(now, stack, awaited);
                if let State::Up(up) = &mut self.state {
                    up.exchange = exchange;
                }
            }
        }
    }

    /// Our refusal: the call goes on as it was. Without an answer to the offer of a 2xx there is no
    /// call to go on.
    pub fn refuse_offer(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        status: u16,
        warning: Option<&Warning>,
    ) {
        let State::Up(up) = &mut self.state else { return };
        match std::mem::replace(&mut up.exchange, Exchange::Idle) {
            Exchange::Asked(asked) => {
                self.timers.cancel(LegTimer::Undecided);
                let status = status.clamp(300, 699);
                let mut refusal = response_to(&asked.request, status, Some(up.dialog.local_tag()));
                if let Some(warning) = warning {
                    warn(&mut refusal, warning);
                }
                stack.respond(now, asked.transaction, refusal);
                self.next_offer(now, stack);
            }
            Exchange::AnswerDue { transaction } => {
                stack.acknowledge(now, transaction, &up.dialog, None);
                self.bye(now, stack, None, EndCause::ByUs);
            }
            other => up.exchange = other,
        }
    }

    /// The peer cancelled its re-INVITE.
    pub fn offer_withdrawn(&mut self, now: Instant, stack: &mut Stack, invite: TransactionId) {
        let State::Up(up) = &mut self.state else { return };
        if matches!(&up.exchange, Exchange::Asked(asked) if asked.transaction == invite) {
            self.refuse_offer(now, stack, 487, None);
            stack.event(Event::OfferWithdrawn { leg: self.id });
        }
    }

    /// Sends our re-INVITE, or keeps it until the exchange at hand is done.
    pub fn reoffer(&mut self, now: Instant, stack: &mut Stack, sdp: Vec<u8>) {
        let State::Up(up) = &mut self.state else { return };
        up.deferred = Some(OurOffer { sdp: Some(sdp), glares: 0 });
        if !self.timers.is_armed(LegTimer::Glare) {
            self.next_offer(now, stack);
        }
    }

    /// Sends the offer that waits, if its turn has come.
    pub fn next_offer(&mut self, now: Instant, stack: &mut Stack) {
        let State::Up(up) = &mut self.state else { return };
        if !matches!(up.exchange, Exchange::Idle) || self.timers.is_armed(LegTimer::Glare) {
            return;
        }
        let Some(offer) = up.deferred.take() else { return };
        let (mut invite, way) = stack.in_dialog(&mut up.dialog, Method::Invite);
        stack.introduce(&mut invite, way.flow);
        if let Some(session) = up.session {
            session.write_request(&mut invite, up.least_s);
        }
        invite.set_body(SDP, offer.sdp.clone().unwrap_or_else(|| up.local_sdp.clone()));
        let serves = Use { leg: self.id, purpose: Purpose::Reoffer };
        match stack.request(now, invite, way, Some(serves)) {
            Some(transaction) => {
                up.exchange = Exchange::Offering { transaction, offer };
                self.timers.set(LegTimer::OfferUnanswered, now + ANSWER_WITHIN);
            }
            None => stack.event(Event::OfferFailed { leg: self.id, status: 503 }),
        }
        if let Some(authentication) = &mut self.authentication {
            authentication.begin_request();
        }
    }

    /// A final response to a re-INVITE of ours.
    pub fn reoffer_response(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: TransactionId,
        response: &Response,
    ) {
        match &self.state {
            State::Up(up) => {
                if matches!(up.exchange, Exchange::Offering { transaction, .. } if transaction == id)
                {
                    self.reoffer_answered(now, stack, response);
                }
            }
            // Our BYE crossed the peer's 2xx, which is owed its ACK all the same.
            State::Ending(ending) if response.is_success() => {
                stack.acknowledge(now, id, &ending.dialog, None);
            }
            State::Ending(_) | State::Offered(_) | State::Calling(_) | State::Over => {}
        }
    }

    /// The peer said that it is trying, and then nothing more: as good as a 408.
    pub fn give_up_offer(&mut self, now: Instant, stack: &mut Stack) {
        if let State::Up(up) = &self.state
            && matches!(up.exchange, Exchange::Offering { .. })
        {
            self.lost(now, stack, 408);
        }
    }

    fn reoffer_answered(&mut self, now: Instant, stack: &mut Stack, response: &Response) {
        self.timers.cancel(LegTimer::OfferUnanswered);
        let State::Up(up) = &mut self.state else { return };
        let Exchange::Offering { transaction, offer } =
            std::mem::replace(&mut up.exchange, Exchange::Idle)
        else {
            return;
        };
        let leg = self.id;
        match response.status() {
            200..=299 => {
                up.dialog.refresh(&response.contacts(), None);
                let is_refresh = offer.sdp.is_none();
                if let Some(sdp) = offer.sdp {
                    up.local_sdp = sdp;
                }
                stack.acknowledge(now, transaction, &up.dialog, None);
                // A peer that says nothing of the timer leaves it to us, if it was ours.
                let ours = up.session.filter(|session| session.refresher == Refresher::Us);
                let session = Session::of_answer(response).or(ours);
                match body_of(response, response.body()) {
                    Body::Sdp(sdp) => {
                        let origin = origin_of(&sdp);
                        if !is_refresh || origin != up.remote_origin {
                            up.remote_origin = origin;
                            stack.event(Event::OfferAnswered { leg, sdp });
                        }
                    }
                    Body::None | Body::Foreign if is_refresh => {}
                    Body::None | Body::Foreign => {
                        stack.event(Event::OfferFailed { leg, status: 488 });
                    }
                }
                self.session_agreed(now, session);
            }
            422 if up.is_lengthened(response) => {
                up.deferred.get_or_insert(offer);
            }
            491 if offer.glares < GLARES => {
                let wait = glare_wait(up.dialog.role(), &mut stack.entropy);
                let again = OurOffer { glares: offer.glares + 1, ..offer };
                // A newer offer that was asked for meanwhile replaces this one.
                up.deferred.get_or_insert(again);
                self.timers.set(LegTimer::Glare, now + wait);
                return;
            }
            401 | 407 => {
                up.exchange = Exchange::Offering { transaction, offer };
                return self.reoffer_challenged(now, stack, response);
            }
            408 | 481 => return self.lost(now, stack, response.status()),
            _ if offer.sdp.is_none() => {}
            status => stack.event(Event::OfferFailed { leg, status }),
        }
        self.next_offer(now, stack);
    }

    fn reoffer_challenged(&mut self, now: Instant, stack: &mut Stack, response: &Response) {
        let State::Up(up) = &mut self.state else { return };
        let Exchange::Offering { transaction, offer } =
            std::mem::replace(&mut up.exchange, Exchange::Idle)
        else {
            return;
        };
        let authentication = self.authentication.as_mut();
        let again = asked_again(stack, &mut up.dialog, authentication, transaction, response);
        let serves = Use { leg: self.id, purpose: Purpose::Reoffer };
        let sent = again.and_then(|(invite, way)| stack.request(now, invite, way, Some(serves)));
        match sent {
            Some(transaction) => {
                up.exchange = Exchange::Offering { transaction, offer };
                self.timers.set(LegTimer::OfferUnanswered, now + ANSWER_WITHIN);
            }
            None => {
                let status = response.status();
                stack.event(Event::OfferFailed { leg: self.id, status });
                self.next_offer(now, stack);
            }
        }
    }
}

/// A request in the dialog like the one that was challenged, with credentials; `None`: there are none
/// for it.
pub(super) fn asked_again(
    stack: &mut Stack,
    dialog: &mut Dialog,
    authentication: Option<&mut Authentication>,
    challenged: TransactionId,
    response: &Response,
) -> Option<(Request, Way)> {
    let before = stack.transactions.request(challenged).cloned()?;
    let authentication = authentication?;
    let (mut request, way) = stack.in_dialog(dialog, before.method().clone());
    carry_over(&before, &mut request);
    let peer = way.flow.peer.ip();
    authentication.answer(response, &mut request, peer, &mut stack.entropy).ok()?;
    Some((request, way))
}

/// Takes over what a request said beyond the dialog's own fields.
fn carry_over(before: &Request, next: &mut Request) {
    let kept = [
        "Contact",
        "Allow",
        "Supported",
        "Session-Expires",
        "Min-SE",
        "RAck",
        "Event",
        "Subscription-State",
        "Authorization",
        "Proxy-Authorization",
    ];
    for name in kept {
        for value in before.headers(name) {
            next.push_header(name, value);
        }
    }
    if !before.body().is_empty() {
        let content_type = before.header("Content-Type").unwrap_or(SDP);
        next.set_body(content_type, before.body());
    }
}

/// RFC 3261 section 14.1: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, in steps
/// of 10 ms.
pub(super) fn glare_wait(role: Role, entropy: &mut Entropy) -> Duration {
    let steps = match role {
        Role::Caller => 210 + entropy.next_u32() % 191,
        Role::Callee => entropy.next_u32() % 201,
    };
    Duration::from_millis(u64::from(steps) * 10)
}

fn collide(
    now: Instant,
    stack: &mut Stack,
    request: &Request,
    transaction: TransactionId,
    collision: Collision,
) {
    let response = match collision {
        Collision::Glare => response_to(request, 491, None),
        Collision::Gone => response_to(request, 481, None),
        Collision::TooSoon => {
            let seconds = stack.entropy.next_u32() % 11;
            let response = response_to(request, 500, None);
            response.with_header("Retry-After", seconds.to_string())
        }
    };
    stack.respond(now, transaction, response);
}
