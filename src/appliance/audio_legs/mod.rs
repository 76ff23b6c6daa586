//! Calls by WebSocket: their legs on the net thread, and the thread that carries their sound.
//!
//! ```text
//!  web thread ─ POST ─ web::Command ─▶ AudioLegs ─ events ─▶ switchboard ─▶ Call
//!      │                                │   ▲  ◀─ sip::Command, by the leg ──┘
//!      │                           Mail │   │ LegWish
//!      └─ GET /audio ─ Door ─▶ thread: one session a call ◀─ RTP, loopback ─▶ the call's media socket
//! ```
//!
//! [`AudioLegs`] speaks of its legs as the user agent does of its, so that a call does not know the difference.
//! The sound has a thread of its own, of the normal class: the web thread is a background one, which would starve
//! it beside a recogniser, and the net thread has no need to see each 20 ms.

mod bridge;
mod door;
mod session;
mod thread;

pub use bridge::Settings as Bridge;
pub use door::{Door, NoEntry, Visitor};
pub use thread::{LegWish, Wanted, start};

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use tokio::sync::mpsc;

use super::pulse::Pulse;
use super::visits::VisitEvent;
use crate::base::{CallId, Entropy, Private, Way, limits};
use crate::call::{self, CallRecord, Cause, Towards, Visit};
use crate::sdp::Srtp;
use crate::sip::{Command, EndCause, Event, LegId, OfferBy, ReferNews};
use crate::websocket::{News, Opening, Order, Secret, Told, Wish};
use session::Mail;
use thread::NewSession;

/// What a leg cannot do, in the words of SIP.
const NOT_IMPLEMENTED: u16 = 501;
const NOT_ACCEPTABLE: u16 = 488;
/// Who calls, where the bridge does not say.
const UNKNOWN: &str = "unknown";

/// A call that was announced.
#[derive(Clone, Debug)]
pub struct Announced {
    pub secret: Secret,
}

/// Who announces a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcer {
    /// Who asks at the interface, as limits and keys tell callers apart.
    Caller(Private<String>),
    /// One of the bridges that we connect to, by its place among them.
    Bridge(usize),
}

/// Why none was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnnounced {
    /// A call of this name is up, or expected of somebody else or of another order.
    InUse,
    /// As many as may be are up or expected.
    Full,
    /// No calls are taken now, or a part of ours is gone.
    Unavailable,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegFigures {
    /// Announced, and nobody has come.
    pub expected: usize,
    pub active: usize,
}

#[derive(Debug)]
struct Leg {
    by: Announcer,
    order: Order,
    secret: Secret,
    mail: mpsc::Sender<Mail>,
    told: Told,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Expected,
    /// The switchboard was asked to take it.
    Asked,
    Taken(CallId),
}

/// The net thread's side.
#[derive(Debug)]
pub struct AudioLegs {
    thread: mpsc::Sender<NewSession>,
    entropy: Entropy,
    next: u64,
    legs: HashMap<LegId, Leg>,
    events: VecDeque<VisitEvent>,
    pulse: Pulse,
}

impl AudioLegs {
    fn new(thread: mpsc::Sender<NewSession>, entropy: Entropy, pulse: Pulse) -> Self {
        Self { thread, entropy, next: 1, legs: HashMap::new(), events: VecDeque::new(), pulse }
    }

    /// Of the thread.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    pub fn figures(&self) -> LegFigures {
        let is_expected = |leg: &&Leg| leg.stage == Stage::Expected;
        let expected = self.legs.values().filter(is_expected).count();
        LegFigures { expected, active: self.legs.len() - expected }
    }

    /// A call is to be expected, one of at most `most`. Who announces the same again while nobody has come for it
    /// gets the same answer, and nobody else does: it has the secret of the call.
    ///
    /// # Errors
    /// Why none is expected.
    pub fn announce(
        &mut self,
        by: Announcer,
        order: Order,
        most: usize,
    ) -> Result<Announced, NotAnnounced> {
        let same = self.legs.values().find(|leg| leg.order.call_id() == order.call_id());
        if let Some(leg) = same {
            let is_same = leg.stage == Stage::Expected && leg.by == by && leg.order == order;
            let again = is_same.then(|| Announced { secret: leg.secret.clone() });
            return again.ok_or(NotAnnounced::InUse);
        }
        if self.figures().expected >= most {
            return Err(NotAnnounced::Full);
        }
        let leg = LegId::of(Way::WebSocket, self.next);
        self.next += 1;
        let secret = Secret::random(&mut self.entropy);
        let opened = self.open(leg, &order, &secret);
        let mail = opened.ok_or(NotAnnounced::Unavailable)?;
        let (told, stage) = (Told::default(), Stage::Expected);
        self.legs.insert(leg, Leg { by, order, secret: secret.clone(), mail, told, stage });
        tracing::info!("a call by WebSocket is expected");
        Ok(Announced { secret })
    }

    /// A socket and a session for it.
    fn open(&mut self, leg: LegId, order: &Order, secret: &Secret) -> Option<mpsc::Sender<Mail>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        socket.set_nonblocking(true).ok()?;
        let opening = Opening {
            leg: leg.0,
            call_id: Private::new(order.call_id().to_owned()),
            secret: secret.clone(),
            entropy: self.entropy.fork(),
            port: socket.local_addr().ok()?.port(),
        };
        let (mail, inbox) = mpsc::channel(limits::AUDIO_NEWS);
        let session = NewSession { leg, opening, socket, mail: mail.clone(), inbox };
        self.thread.try_send(session).ok()?;
        Some(mail)
    }

    /// A session wants something; drain [`Self::event`] afterwards.
    pub fn wish(&mut self, wish: LegWish) {
        let LegWish { leg, wish } = wish;
        let Some(known) = self.legs.get_mut(&leg) else { return };
        match (wish, known.stage) {
            (Wish::Begin(offer), Stage::Expected) => {
                known.stage = Stage::Asked;
                let visit = Box::new(visit(&known.order, offer));
                self.events.push_back(VisitEvent::Incoming { leg, visit });
            }
            (Wish::Describe(offer), Stage::Taken(_)) => {
                let (offer, by) = (Some(offer), OfferBy::Invite);
                self.event_of(Event::OfferReceived { leg, offer, by });
            }
            (Wish::HangUp | Wish::Expired | Wish::Lost, Stage::Expected) => {
                tracing::info!("nobody has come for a call by WebSocket");
                self.legs.remove(&leg);
            }
            (Wish::HangUp, Stage::Taken(_)) => {
                self.event_of(Event::Ended { leg, cause: EndCause::ByPeer });
            }
            (Wish::Lost, Stage::Taken(_)) => {
                self.event_of(Event::Ended { leg, cause: EndCause::Unreachable });
            }
            // The switchboard answers at once, so nobody waits for it.
            (_, Stage::Asked) => {}
            (Wish::Begin(_) | Wish::Expired, Stage::Taken(_))
            | (Wish::Describe(_), Stage::Expected) => {}
        }
    }

    /// The call of this leg is taken.
    pub fn took(&mut self, leg: LegId, call: CallId) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.stage = Stage::Taken(call);
        }
    }

    /// A call wants something of its leg; drain [`Self::event`] afterwards.
    pub fn command(&mut self, command: &Command) {
        match *command {
            Command::Answer { leg, ref sdp } => {
                if let Some(Leg { stage: Stage::Taken(call), .. }) = self.legs.get(&leg) {
                    let call = *call;
                    self.tell(leg, News::Answered { call, description: sdp.clone() });
                }
                self.event_of(Event::Established { leg, answer: None });
            }
            Command::Reject { leg, status, .. } => {
                self.tell(leg, News::Ended(refusal(status).into()));
                self.legs.remove(&leg);
            }
            Command::Bye { leg, .. } => self.event_of(Event::Ended { leg, cause: EndCause::ByUs }),
            Command::Reoffer { leg, .. } => {
                self.event_of(Event::OfferFailed { leg, status: NOT_ACCEPTABLE });
            }
            // The other end is a program: nobody there could be told to call somebody else.
            Command::Refer { leg, .. } => {
                self.event_of(Event::Refer { leg, news: ReferNews::Failed(NOT_IMPLEMENTED) });
            }
            Command::Ring { .. }
            | Command::AcceptOffer { .. }
            | Command::RefuseOffer { .. }
            | Command::AnswerRefer { .. }
            | Command::NotifyRefer { .. }
            | Command::Invite { .. }
            | Command::Cancel { .. }
            | Command::Admit(_)
            | Command::LetIn(_)
            | Command::Register { .. }
            | Command::Unregister { .. }
            | Command::Ping { .. }
            | Command::Probe { .. }
            | Command::DropFlow { .. }
            | Command::Tell { .. }
            | Command::EndAll { .. } => {}
        }
    }

    /// What was on its way to the client of this leg is not to be heard.
    pub fn silenced(&mut self, leg: LegId) {
        self.tell(leg, News::Silenced);
    }

    /// The record of this leg's call has changed.
    pub fn recorded(&mut self, leg: LegId, record: &CallRecord) {
        let Some(known) = self.legs.get_mut(&leg) else { return };
        let news = known.told.news(record);
        news.into_iter().for_each(|said| self.tell(leg, News::Said(said)));
        if let Some(ending) = record.progress.ending() {
            self.tell(leg, News::Ended(ending));
            self.legs.remove(&leg);
        }
    }

    pub fn event(&mut self) -> Option<VisitEvent> {
        self.events.pop_front()
    }

    fn event_of(&mut self, event: Event) {
        self.events.push_back(VisitEvent::Leg(event));
    }

    /// A session that takes nothing any more is as good as gone.
    fn tell(&mut self, leg: LegId, news: News) {
        let Some(known) = self.legs.get(&leg) else { return };
        if known.mail.try_send(Mail::News(news)).is_err() && known.stage != Stage::Expected {
            tracing::error!("a call by WebSocket is lost: its session hangs");
            self.legs.remove(&leg);
            self.event_of(Event::Ended { leg, cause: EndCause::Unreachable });
        }
    }
}

/// How a call asks to be taken whose sound is that of a session.
fn visit(order: &Order, offer: Vec<u8>) -> Visit {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let named = |party: &Private<String>| {
        let party = party.reveal();
        (!party.is_empty()).then(|| party.clone())
    };
    Visit {
        incoming: call::Incoming {
            way: Way::WebSocket,
            peer: Private::new(named(&order.from).unwrap_or_else(|| UNKNOWN.to_owned())),
            sip_call_id: Private::new(order.call_id().to_owned()),
            signals_from: loopback,
            offer: Some(offer),
        },
        // It never leaves the box.
        towards: Towards { address: loopback, srtp: Some(Srtp::Off), keys: None },
        called: Private::new(named(&order.to)),
        caller: Private::new(named(&order.from)),
    }
}

/// Why a call was not taken.
const fn refusal(status: u16) -> Cause {
    match status {
        486 => Cause::Busy,
        503 => Cause::Overloaded,
        488 => Cause::NoCommonCodec,
        _ => Cause::Refused(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_a_call_is_for_who_has_announced_it() {
        let (thread, _sessions) = mpsc::channel(8);
        let mut legs = AudioLegs::new(thread, Entropy::new([1; 32]), Pulse::default());
        let order = |name: &str, from: &str| {
            Order::new(name.to_owned(), from.to_owned(), String::new()).unwrap()
        };
        let one = || Announcer::Caller("one".to_owned().into());
        let mut secret = |by, order| {
            let announced = legs.announce(by, order, 5);
            announced.map(|announced| announced.secret.reveal().to_owned())
        };
        let first = secret(one(), order("s-1", "+15550100")).unwrap();
        assert_eq!(secret(one(), order("s-1", "+15550100")), Ok(first));
        for (by, from) in [
            (Announcer::Caller("two".to_owned().into()), "+15550100"),
            (Announcer::Bridge(0), "+15550100"),
            (one(), "+15550101"),
        ] {
            let refused = secret(by.clone(), order("s-1", from));
            assert_eq!(refused, Err(NotAnnounced::InUse), "{by:?} {from}");
        }
        let of_bridge = secret(Announcer::Bridge(0), order("s-2", "")).unwrap();
        assert_eq!(secret(Announcer::Bridge(0), order("s-2", "")), Ok(of_bridge));
        for by in [Announcer::Bridge(1), one()] {
            assert_eq!(secret(by, order("s-2", "")), Err(NotAnnounced::InUse));
        }
    }
}
