//! The session timer (RFC 4028): a call that neither end refreshes in time is over, also for the
//! proxies between, which hear of no BYE that was lost.
//!
//! ```text
//! INVITE or UPDATE, 2xx with Session-Expires ──▶ refresher: after half of it UPDATE or re-INVITE
//!                                           └──▶ the other: BYE, shortly before it is over
//! ```
//!
//! Each 2xx to one of these says anew how long, and who. Invariant: the timers of a leg are those of
//! the last one.

use std::time::{Duration, Instant};

use super::api::EndCause;
use super::exchange::{asked_again, glare_wait};
use super::leg::{Exchange, Leg, LegTimer, OurOffer, State, Up};
use super::stack::{Purpose, Stack, Use};
use crate::base::limits;
use crate::sip::message::{Headers, Method, Response};

/// The option tag.
pub(super) const TIMER: &str = "timer";
/// A refresh that was refused for now is tried again after this time.
const AGAIN: Duration = Duration::from_secs(10);

/// Who sends the refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresher {
    Us,
    Peer,
}

/// What two ends have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub interval_s: u32,
    pub refresher: Refresher,
}

/// What a request of the peer says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    interval_s: Option<u32>,
    refresher: Option<Refresher>,
    least_s: u32,
    is_known: bool,
}

impl Wish {
    pub fn of(request: &Headers) -> Self {
        let (interval_s, refresher) = session_expires(request);
        let refresher =
            refresher.map(|who| if who == "uac" { Refresher::Peer } else { Refresher::Us });
        let is_known = [request.supported(), request.require()]
            .iter()
            .flatten()
            .any(|option| option.eq_ignore_ascii_case(TIMER));
        let least_s = least_s(request).unwrap_or(limits::SESSION_LEAST_S);
        Self { interval_s, refresher, least_s, is_known }
    }

    /// Whether the peer may be told by a 422 that it asks for too little (section 9). One that does
    /// not know the timer could not mend it: a proxy has asked.
    pub fn is_too_short(&self) -> bool {
        self.is_known && self.interval_s.is_some_and(|s| s < limits::SESSION_LEAST_S)
    }

    /// What our 2xx says: what was asked for, else what we want of a peer that knows the timer.
    fn agree(&self, wanted_s: Option<u32>) -> Option<Session> {
        let interval_s = match (self.interval_s, wanted_s) {
            (Some(asked_s), _) => asked_s.max(limits::SESSION_LEAST_S),
            (None, Some(wanted_s)) if self.is_known => wanted_s.max(self.least_s),
            (None, _) => return None,
        };
        // A peer that promises a refresh and forgets it loses its call, so we take it where we may.
        let refresher = self.refresher.filter(|_| self.is_known).unwrap_or(Refresher::Us);
        Some(Session { interval_s, refresher })
    }
}

/// Says in our 2xx to `request` what is agreed on with it; it holds from the moment that the 2xx leaves.
pub(super) fn answer(stack: &Stack, request: &Headers, ok: &mut Response) -> Option<Session> {
    let session = Wish::of(request).agree(stack.settings.session_expires_s);
    if let Some(session) = session {
        session.write_answer(ok);
    }
    session
}

impl Session {
    /// What the 2xx to a request of ours says; `None`: there is no timer.
    pub fn of_answer(ok: &Response) -> Option<Self> {
        let (interval_s, refresher) = session_expires(ok);
        let refresher = match refresher {
            Some("uas") => Refresher::Peer,
            _ => Refresher::Us,
        };
        Some(Self { interval_s: interval_s?.max(limits::SESSION_LEAST_S), refresher })
    }

    /// Says it in our 2xx. A caller that refreshes must know of it (section 9).
    fn write_answer(self, ok: &mut Response) {
        let who = match self.refresher {
            Refresher::Us => "uas",
            Refresher::Peer => {
                ok.push_header("Require", TIMER);
                "uac"
            }
        };
        ok.set_header("Session-Expires", format!("{};refresher={who}", self.interval_s));
    }

    /// Asks for it in a request of ours within the call: the roles stay as they are. `least_s`: what a 422 of
    /// this call has wanted, which every request says from then on (section 7.4).
    pub fn write_request(self, request: &mut Headers, least_s: Option<u32>) {
        if let Some(least_s) = least_s {
            request.set_header("Min-SE", least_s.to_string());
        }
        let who = if self.refresher == Refresher::Us { "uac" } else { "uas" };
        request.set_header("Session-Expires", format!("{};refresher={who}", self.interval_s));
    }

    /// When the one who is not the refresher gives up (section 10): before it is over by 32 s, or a
    /// third of a short one.
    const fn patience(self) -> Duration {
        let spare_s = if self.interval_s / 3 < 32 { self.interval_s / 3 } else { 32 };
        Duration::from_secs((self.interval_s - spare_s) as u64)
    }
}

/// The interval that a 422 wants, if it may have it.
pub(super) fn longer_s(refusal: &Response, asked_s: u32) -> Option<u32> {
    least_s(refusal).filter(|least_s| *least_s > asked_s && *least_s <= limits::SESSION_LONGEST_S)
}

fn session_expires(headers: &Headers) -> (Option<u32>, Option<&str>) {
    let Some(value) = headers.header("Session-Expires") else { return (None, None) };
    let mut parts = value.split(';').map(str::trim);
    let interval_s = parts.next().and_then(|s| s.parse().ok());
    let refresher = parts.find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let known = ["uac", "uas"].into_iter();
        name.trim().eq_ignore_ascii_case("refresher").then_some(())?;
        known.into_iter().find(|who| who.eq_ignore_ascii_case(value.trim()))
    });
    (interval_s, refresher)
}

pub(super) fn least_s(headers: &Headers) -> Option<u32> {
    headers.header("Min-SE")?.split(';').next()?.trim().parse().ok()
}

impl Up {
    /// Takes the interval that a 422 wants; false if it may not have it, or has had one.
    pub fn is_lengthened(&mut self, refusal: &Response) -> bool {
        let Some(session) = self.session.as_mut().filter(|_| !self.is_longer) else { return false };
        let Some(interval_s) = longer_s(refusal, session.interval_s) else { return false };
        session.interval_s = interval_s;
        self.least_s = Some(interval_s);
        self.is_longer = true;
        true
    }
}

impl Leg {
    /// A 2xx has said how long the session lasts from now on.
    pub fn session_agreed(&mut self, now: Instant, session: Option<Session>) {
        let State::Up(up) = &mut self.state else { return };
        (up.session, up.is_longer) = (session, false);
        self.timers.cancel(LegTimer::Refresh);
        self.timers.cancel(LegTimer::SessionExpired);
        let Some(session) = session else { return };
        let interval = Duration::from_secs(u64::from(session.interval_s));
        match session.refresher {
            Refresher::Us => {
                self.timers.set(LegTimer::Refresh, now + interval / 2);
                self.timers.set(LegTimer::SessionExpired, now + interval);
            }
            Refresher::Peer => self.timers.set(LegTimer::SessionExpired, now + session.patience()),
        }
    }

    /// Half of the time is over: by UPDATE where the peer knows that, for it needs no ACK and touches
    /// no media; else by a re-INVITE with the description that stands (section 7.4).
    pub fn refresh(&mut self, now: Instant, stack: &mut Stack) {
        let State::Up(up) = &mut self.state else { return };
        let Some(session) = up.session else { return };
        if !matches!(up.exchange, Exchange::Idle) || up.refreshing.is_some() {
            return self.timers.set(LegTimer::Refresh, now + AGAIN);
        }
        if !up.peer_updates {
            // A new description of ours that waits for its turn refreshes as well.
            up.deferred.get_or_insert(OurOffer { sdp: None, glares: 0 });
            self.timers.set(LegTimer::Refresh, now + AGAIN);
            return self.next_offer(now, stack);
        }
        let (mut update, way) = stack.in_dialog(&mut up.dialog, Method::Update);
        stack.introduce(&mut update, way.flow);
        session.write_request(&mut update, up.least_s);
        if let Some(authentication) = &mut self.authentication {
            authentication.begin_request();
        }
        let serves = Use { leg: self.id, purpose: Purpose::Refresh };
        up.refreshing = stack.request(now, update, way, Some(serves));
        if up.refreshing.is_none() {
            self.timers.set(LegTimer::Refresh, now + AGAIN);
        }
    }

    /// A final response to our UPDATE.
    pub fn refreshed(&mut self, now: Instant, stack: &mut Stack, response: &Response) {
        let State::Up(up) = &mut self.state else { return };
        let (Some(transaction), Some(session)) = (up.refreshing.take(), up.session) else { return };
        match response.status() {
            200..=299 => {
                up.dialog.refresh(&response.contacts(), None);
                // Without a word about it the next refresh is ours alone to think of.
                let session = Session::of_answer(response).unwrap_or(session);
                return self.session_agreed(now, Some(session));
            }
            401 | 407 => {
                let authentication = self.authentication.as_mut();
                let again =
                    asked_again(stack, &mut up.dialog, authentication, transaction, response);
                let serves = Use { leg: self.id, purpose: Purpose::Refresh };
                up.refreshing =
                    again.and_then(|(update, way)| stack.request(now, update, way, Some(serves)));
                if up.refreshing.is_some() {
                    return;
                }
            }
            408 | 481 => return self.lost(now, stack, response.status()),
            405 | 420 | 501 => {
                up.peer_updates = false;
                return self.refresh(now, stack);
            }
            422 if up.is_lengthened(response) => return self.refresh(now, stack),
            491 => {
                let wait = glare_wait(up.dialog.role(), &mut stack.entropy);
                return self.timers.set(LegTimer::Refresh, now + wait);
            }
            _ => {}
        }
        self.timers.set(LegTimer::Refresh, now + AGAIN);
    }

    /// Nobody has refreshed the session in time.
    pub fn session_expired(&mut self, now: Instant, stack: &mut Stack) {
        if matches!(self.state, State::Up(_)) {
            self.bye(now, stack, None, EndCause::Timeout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Request, Uri, response_to};

    fn request(fields: &[(&str, &str)]) -> Request {
        let mut request = Request::new(Method::Invite, Uri::parse("sip:a@192.0.2.1").unwrap());
        for (name, value) in fields {
            request.push_header(name, value);
        }
        request
    }

    /// The table of section 9: what was asked for, who knows the timer, and what comes of it.
    #[test]
    fn the_callee_agrees_to_what_was_asked_and_asks_itself_only_who_knows() {
        let known = ("Supported", "100rel, timer");
        let se = |value| ("Session-Expires", value);
        for (fields, wanted_s, expected) in [
            (vec![], Some(1800), None),
            (vec![known], None, None),
            (vec![known], Some(1800), Some((1800, Refresher::Us))),
            (vec![known, ("Min-SE", "3600")], Some(1800), Some((3600, Refresher::Us))),
            (vec![known, se("600")], None, Some((600, Refresher::Us))),
            (vec![known, se("600;refresher=uac")], Some(1800), Some((600, Refresher::Peer))),
            (vec![known, se("600 ; Refresher=UAS")], Some(1800), Some((600, Refresher::Us))),
            // A proxy asks: the caller cannot refresh, and a short interval is made longer.
            (vec![se("600;refresher=uac")], None, Some((600, Refresher::Us))),
            (vec![se("10")], None, Some((90, Refresher::Us))),
            (vec![known, se("soon")], None, None),
        ] {
            let session = Wish::of(&request(&fields)).agree(wanted_s);
            let session = session.map(|s| (s.interval_s, s.refresher));
            assert_eq!(session, expected, "{fields:?}");
        }
    }

    #[test]
    fn a_caller_that_knows_the_timer_is_told_when_it_asks_for_too_little() {
        for (fields, expected) in [
            (vec![("Supported", "timer"), ("Session-Expires", "89")], true),
            (vec![("Require", "timer"), ("Session-Expires", "30")], true),
            (vec![("Supported", "timer"), ("Session-Expires", "90")], false),
            (vec![("Session-Expires", "30")], false),
        ] {
            assert_eq!(Wish::of(&request(&fields)).is_too_short(), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_we_say_is_what_the_other_end_reads() {
        for session in [
            Session { interval_s: 1800, refresher: Refresher::Us },
            Session { interval_s: 90, refresher: Refresher::Peer },
        ] {
            let mut asking = request(&[("Supported", "timer")]);
            session.write_request(&mut asking, None);
            let heard = Wish::of(&asking).agree(None).unwrap();
            let mirrored = |who| if who == Refresher::Us { Refresher::Peer } else { Refresher::Us };
            assert_eq!(heard.refresher, mirrored(session.refresher));
            let mut ok = response_to(&asking, 200, Some("t"));
            heard.write_answer(&mut ok);
            assert_eq!(Session::of_answer(&ok), Some(session));
            assert_eq!(ok.require() == [TIMER], heard.refresher == Refresher::Peer);
        }
    }

    #[test]
    fn a_422_is_obeyed_within_a_day() {
        let refusal = |value: &str| {
            let mut refusal = response_to(&request(&[]), 422, Some("t"));
            refusal.push_header("Min-SE", value);
            refusal
        };
        assert_eq!(longer_s(&refusal("3600"), 1800), Some(3600));
        assert_eq!(longer_s(&refusal("1800"), 1800), None, "it has that");
        assert_eq!(longer_s(&refusal("4000000000"), 1800), None);
        assert_eq!(longer_s(&refusal("x"), 1800), None);
    }

    #[test]
    fn patience_ends_before_the_session_does() {
        for (interval_s, expected_s) in [(90, 60), (96, 64), (1800, 1768)] {
            let session = Session { interval_s, refresher: Refresher::Peer };
            assert_eq!(session.patience(), Duration::from_secs(expected_s), "{interval_s}");
        }
    }
}
