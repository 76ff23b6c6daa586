//! Handsets and speakerphones of this machine: their legs on the net thread, and a thread each that carries their
//! sound.
//!
//! ```text
//!  web thread ─ web::Command ─▶ Handsets ─ events ─▶ switchboard ─▶ Call
//!                                │  ▲  ◀─ sip::Command, by the leg ──┘
//!                 orders, a ring │  │ Shared: counts, faults
//!      announcements, a ring ───▶│  │
//!                               thread ◀─ RTP, loopback ─▶ the call's media socket
//!                                 └─ Station ─ Source, Sink ─▶ sound card
//! ```
//!
//! [`Handsets`] speaks of its legs as the user agent does of its, so that a call does not know the difference; to the
//! call's media a handset is a telephone on loopback, as a session by WebSocket is. A driver may hang: its thread is
//! watched by nobody, and a handset whose thread is silent counts as lost.

#[cfg(feature = "alsa")]
mod alsa;
mod caller;
mod card;
mod echo;
mod rate;
mod shared;
mod station;
#[cfg(test)]
mod tests;
mod thread;
pub mod tone;

pub use shared::{Figures, Side};
pub use station::Settings as Sound;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use super::visits::VisitEvent;
use crate::base::{CallId, Entropy, LanguageCode, Private, Way, limits};
use crate::call::{self, Towards, Visit};
pub use crate::converse::people::HANDSET as SCHEME;
use crate::sdp::{self, Keys, Local, OfferedKeys, Offering, Srtp};
use crate::sip::{Command, EndCause, Event, Flow, Invite, LegId, ReferNews};
use crate::websocket;
use station::{Order, Talk};
use thread::Line;

/// Why a call here comes to nothing, in the words of SIP.
const NOT_THERE: u16 = 480;
const BUSY: u16 = 486;
const CANCELLED: u16 = 487;
const NOT_ACCEPTABLE: u16 = 488;
const NOT_IMPLEMENTED: u16 = 501;

/// One handset.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub sound: Sound,
    /// It answers by itself, after a beep.
    pub answers_itself: bool,
    /// It says who calls.
    pub announces: bool,
}

/// Why something cannot be done with a handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    #[error("there is no such handset")]
    Unknown,
    #[error("nothing rings there")]
    NotRinging,
    #[error("there is no call")]
    NoCall,
    #[error("it is in a call")]
    Busy,
    #[error("its sound card is not there")]
    NotThere,
}

/// How a handset is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub name: String,
    /// `idle`, `ringing` or `talking`.
    pub state: &'static str,
    /// Why its sound card cannot be used.
    pub fault: Option<String>,
    /// What is not there, and why, without which it can be used all the same.
    pub lack: Option<String>,
    pub figures: Figures,
}

#[derive(Debug)]
enum Stage {
    Idle,
    /// Somebody wants it, by this offer.
    Ringing {
        leg: LegId,
        offer: Private<Vec<u8>>,
    },
    /// It has asked for a call, by this socket; `to`: whom it wants, beyond us.
    Asking {
        leg: LegId,
        socket: UdpSocket,
        to: Option<Private<String>>,
    },
    Talking {
        leg: LegId,
        to: Option<Private<String>>,
    },
}

impl Stage {
    const fn leg(&self) -> Option<LegId> {
        match self {
            Self::Idle => None,
            Self::Ringing { leg, .. } | Self::Asking { leg, .. } | Self::Talking { leg, .. } => {
                Some(*leg)
            }
        }
    }
}

#[derive(Debug)]
struct Handset {
    settings: Settings,
    line: Line,
    stage: Stage,
}

/// See the module.
#[derive(Debug)]
pub struct Handsets {
    all: Vec<Handset>,
    entropy: Entropy,
    next: u64,
    /// Legs that were given out and have not begun, each with its handset.
    reserved: Vec<(LegId, usize)>,
    events: VecDeque<VisitEvent>,
}

impl Handsets {
    /// Starts a thread for each; `priority` is that of the audio thread.
    pub fn start(
        settings: Vec<Settings>,
        priority: Option<i32>,
        entropy: Entropy,
    ) -> io::Result<Self> {
        let one = |settings: Settings| {
            let line = thread::start(settings.sound.clone(), priority)?;
            Ok(Handset { settings, line, stage: Stage::Idle })
        };
        let all = settings.into_iter().map(one).collect::<io::Result<_>>()?;
        Ok(Self { all, entropy, next: 1, reserved: Vec::new(), events: VecDeque::new() })
    }

    /// None is configured.
    pub fn none(entropy: Entropy) -> Self {
        Self { all: Vec::new(), entropy, next: 1, reserved: Vec::new(), events: VecDeque::new() }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|handset| handset.settings.sound.name == name)
    }

    fn of(&mut self, leg: LegId) -> Option<&mut Handset> {
        self.all.iter_mut().find(|handset| handset.stage.leg() == Some(leg))
    }

    fn new_leg(&mut self) -> LegId {
        let leg = LegId::of(Way::Handset, self.next);
        self.next += 1;
        leg
    }

    /// The leg of a call to this handset, and its INVITE without an offer; `None`: there is none of this name.
    pub fn reserve(&mut self, name: &str) -> Option<(LegId, Invite)> {
        let index = self.find(name)?;
        let leg = self.new_leg();
        // One that never began had no line.
        self.reserved.retain(|(_, other)| *other != index);
        self.reserved.push((leg, index));
        Some((leg, invite(name)))
    }

    /// Whether there is one of this name.
    pub fn is_there(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether who calls it is said there, and where: the place of the handset.
    pub fn announces(&self, leg: LegId) -> Option<usize> {
        let is_it = |handset: &Handset| {
            handset.settings.announces
                && matches!(handset.stage, Stage::Ringing { leg: ringing, .. } if ringing == leg)
        };
        self.all.iter().position(is_it)
    }

    /// Those on which an announcement is to be heard: the one of this name, or all that are in no call.
    ///
    /// # Errors
    /// Why it cannot be heard anywhere.
    pub fn hearing(&self, now: Instant, name: Option<&str>) -> Result<Vec<usize>, NotDone> {
        let can = |index: usize| {
            let Handset { stage, line, .. } = &self.all[index];
            match stage {
                _ if line.shared.fault(now).is_some() => Err(NotDone::NotThere),
                Stage::Asking { .. } | Stage::Talking { .. } => Err(NotDone::Busy),
                Stage::Idle | Stage::Ringing { .. } => Ok(index),
            }
        };
        if let Some(name) = name {
            let index = self.find(name).ok_or(NotDone::Unknown)?;
            return can(index).map(|index| vec![index]);
        }
        let tried: Vec<_> = (0..self.all.len()).map(can).collect();
        let free: Vec<usize> = tried.iter().filter_map(|one| one.ok()).collect();
        match (free.is_empty(), tried.first()) {
            (false, _) => Ok(free),
            (true, Some(Err(why))) => Err(*why),
            (true, _) => Err(NotDone::Unknown),
        }
    }

    /// Sound of an announcement. What there is no room for is not heard.
    pub fn announce(&mut self, index: usize, samples: &[i16]) {
        let Some(handset) = self.all.get_mut(index) else { return };
        if matches!(handset.stage, Stage::Idle | Stage::Ringing { .. }) {
            let room = handset.line.announced.slots().min(samples.len());
            if let Ok(chunk) = handset.line.announced.write_chunk_uninit(room) {
                chunk.fill_from_iter(samples.iter().copied());
            }
        }
    }

    /// Whoever is there takes the call that rings; drain [`Self::event`] afterwards.
    ///
    /// # Errors
    /// Why nothing is answered.
    pub fn answer(&mut self, name: &str) -> Result<(), NotDone> {
        let index = self.find(name).ok_or(NotDone::Unknown)?;
        match self.all[index].stage {
            Stage::Ringing { .. } => {
                self.pick_up(index, false);
                Ok(())
            }
            Stage::Idle | Stage::Asking { .. } | Stage::Talking { .. } => Err(NotDone::NotRinging),
        }
    }

    /// Whoever is there ends the call, or refuses it; drain [`Self::event`] afterwards.
    ///
    /// # Errors
    /// Why nothing is ended.
    pub fn hang_up(&mut self, name: &str) -> Result<(), NotDone> {
        let index = self.find(name).ok_or(NotDone::Unknown)?;
        let event = match self.all[index].stage {
            Stage::Idle => return Err(NotDone::NoCall),
            Stage::Ringing { leg, .. } => Event::Refused { leg, status: BUSY, retry_after_s: None },
            Stage::Asking { leg, .. } | Stage::Talking { leg, .. } => {
                Event::Ended { leg, cause: EndCause::ByPeer }
            }
        };
        self.rest(index);
        self.events.push_back(VisitEvent::Leg(event));
        Ok(())
    }

    /// Whoever is there wants a call: with us, or with somebody whom we are to call; drain [`Self::event`] afterwards.
    ///
    /// # Errors
    /// Why there is none.
    pub fn call(
        &mut self,
        now: Instant,
        name: &str,
        to: Option<Private<String>>,
    ) -> Result<(), NotDone> {
        let index = self.find(name).ok_or(NotDone::Unknown)?;
        if self.all[index].line.shared.fault(now).is_some() {
            return Err(NotDone::NotThere);
        }
        if !matches!(self.all[index].stage, Stage::Idle) {
            return Err(NotDone::Busy);
        }
        let socket = loopback().map_err(|_| NotDone::NotThere)?;
        let port = socket.local_addr().map_err(|_| NotDone::NotThere)?.port();
        let leg = self.new_leg();
        self.all[index].stage = Stage::Asking { leg, socket, to };
        let offer = websocket::offer(port, leg.0, 1, false);
        let visit = Box::new(visit(name, offer));
        self.events.push_back(VisitEvent::Incoming { leg, visit });
        Ok(())
    }

    /// Whom the handset of this leg wants, once it is asked for.
    pub fn take_wanted(&mut self, leg: LegId) -> Option<Private<String>> {
        match &mut self.of(leg)?.stage {
            Stage::Talking { to, .. } => to.take(),
            Stage::Idle | Stage::Ringing { .. } | Stage::Asking { .. } => None,
        }
    }

    /// A call wants something of its leg; drain [`Self::event`] afterwards.
    pub fn command(&mut self, now: Instant, command: &Command) {
        match command {
            Command::Invite { leg, invite } => self.invited(now, *leg, invite),
            Command::Answer { leg, sdp } => self.answered(*leg, sdp),
            Command::Reject { leg, .. } => self.end(*leg, None),
            Command::Cancel { leg } => {
                let event = Event::Refused { leg: *leg, status: CANCELLED, retry_after_s: None };
                self.end(*leg, Some(event));
            }
            Command::Bye { leg, .. } => {
                self.end(*leg, Some(Event::Ended { leg: *leg, cause: EndCause::ByUs }));
            }
            Command::Reoffer { leg, .. } => {
                self.tell(Event::OfferFailed { leg: *leg, status: NOT_ACCEPTABLE });
            }
            // Nobody there could be told to call somebody else.
            Command::Refer { leg, .. } => {
                let news = ReferNews::Failed(NOT_IMPLEMENTED);
                self.tell(Event::Refer { leg: *leg, news });
            }
            Command::Ring { .. }
            | Command::AcceptOffer { .. }
            | Command::RefuseOffer { .. }
            | Command::AnswerRefer { .. }
            | Command::NotifyRefer { .. }
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

    /// Somebody is called here.
    fn invited(&mut self, now: Instant, leg: LegId, invite: &Invite) {
        let reserved = self.reserved.iter().position(|(reserved, _)| *reserved == leg);
        let Some((_, index)) = reserved.map(|place| self.reserved.swap_remove(place)) else {
            return;
        };
        let handset = &mut self.all[index];
        let refused = |status| Event::Refused { leg, status, retry_after_s: None };
        if handset.line.shared.fault(now).is_some() {
            return self.tell(refused(NOT_THERE));
        }
        if !matches!(handset.stage, Stage::Idle) {
            handset.order(Order::Knock);
            return self.tell(refused(BUSY));
        }
        let offer = Private::new(invite.sdp.clone().unwrap_or_default());
        handset.stage = Stage::Ringing { leg, offer };
        let answers_itself = handset.settings.answers_itself;
        self.tell(Event::Progress { leg, status: 180, sdp: None });
        match answers_itself {
            true => self.pick_up(index, true),
            false => self.all[index].order(Order::Ring),
        }
    }

    /// Takes the call that rings there.
    fn pick_up(&mut self, index: usize, beeps: bool) {
        let handset = &mut self.all[index];
        let Stage::Ringing { leg, offer } = std::mem::replace(&mut handset.stage, Stage::Idle)
        else {
            return;
        };
        match description(offer.reveal(), leg, &mut self.entropy) {
            Ok((answer, socket, port)) => {
                let line = websocket::Line::new(&mut self.entropy);
                let talk = Talk { socket, line, port: Some(port), beeps };
                handset.stage = Stage::Talking { leg, to: None };
                handset.order(Order::Talk(Box::new(talk)));
                self.tell(Event::Answered { leg, sdp: Some(answer) });
            }
            Err(status) => {
                handset.order(Order::Rest);
                self.tell(Event::Refused { leg, status, retry_after_s: None });
            }
        }
    }

    /// The call that a handset has asked for is taken, by this answer.
    fn answered(&mut self, leg: LegId, answer: &[u8]) {
        let Some(index) = self.all.iter().position(|handset| handset.stage.leg() == Some(leg))
        else {
            return;
        };
        let handset = &mut self.all[index];
        if let Stage::Asking { socket, to, .. } = std::mem::replace(&mut handset.stage, Stage::Idle)
        {
            let line = websocket::Line::new(&mut self.entropy);
            let port = websocket::port_of(answer);
            handset.stage = Stage::Talking { leg, to };
            handset.order(Order::Talk(Box::new(Talk { socket, line, port, beeps: false })));
            self.tell(Event::Established { leg, answer: None });
        }
    }

    /// Nothing is to be heard there any more.
    fn end(&mut self, leg: LegId, event: Option<Event>) {
        self.reserved.retain(|(reserved, _)| *reserved != leg);
        if let Some(index) = self.all.iter().position(|handset| handset.stage.leg() == Some(leg)) {
            self.rest(index);
        }
        event.into_iter().for_each(|event| self.tell(event));
    }

    fn rest(&mut self, index: usize) {
        self.all[index].stage = Stage::Idle;
        self.all[index].order(Order::Hush);
        self.all[index].order(Order::Rest);
    }

    /// How all are; ends calls whose handset has been without its sound card for too long. Drain [`Self::event`]
    /// afterwards.
    pub fn look(&mut self, now: Instant) -> Vec<Report> {
        let mut reports = Vec::new();
        for index in 0..self.all.len() {
            let Handset { settings, line, stage } = &self.all[index];
            let fault = line.shared.fault(now);
            let state = match stage {
                Stage::Idle => "idle",
                Stage::Ringing { .. } => "ringing",
                Stage::Asking { .. } | Stage::Talking { .. } => "talking",
            };
            reports.push(Report {
                name: settings.sound.name.clone(),
                state,
                fault: fault.as_ref().map(|(why, _)| why.clone()),
                lack: line.shared.lack(),
                figures: line.shared.figures(),
            });
            let is_lost = fault.is_some_and(|(_, since)| {
                now.saturating_duration_since(since) > limits::HANDSET_AWAY
            });
            if let (true, Some(leg)) = (is_lost, stage.leg()) {
                tracing::warn!(handset = %settings.sound.name, "a call ends: its sound card is gone");
                let event = match stage {
                    Stage::Ringing { .. } => {
                        Event::Refused { leg, status: NOT_THERE, retry_after_s: None }
                    }
                    _ => Event::Ended { leg, cause: EndCause::Unreachable },
                };
                self.rest(index);
                self.tell(event);
            }
        }
        reports
    }

    pub fn event(&mut self) -> Option<VisitEvent> {
        self.events.pop_front()
    }

    /// The call of this leg is taken.
    pub fn took(&mut self, leg: LegId, call: CallId) {
        if let Some(handset) = self.of(leg) {
            tracing::info!(handset = %handset.settings.sound.name, call_id = %call, "a call from a handset");
        }
    }

    fn tell(&mut self, event: Event) {
        self.events.push_back(VisitEvent::Leg(event));
    }
}

impl Handset {
    /// A thread that takes no orders hangs in a driver, and that is told by its silence.
    fn order(&mut self, order: Order) {
        if self.line.orders.push(order).is_err() {
            tracing::warn!(handset = %self.settings.sound.name, "its thread takes no orders");
        }
    }
}

/// What is said where a call of this number or address rings.
pub fn who_calls(language: LanguageCode, peer: &str) -> String {
    let who = caller::spoken(peer);
    match (language.as_str(), who) {
        ("ru", Some(who)) => format!("Вам звонит {who}."),
        ("ru", None) => "Вам звонят.".to_owned(),
        ("en", Some(who)) => format!("A call from {who}."),
        ("en", None) => "A call.".to_owned(),
        // A number is understood in every language.
        (_, who) => who.unwrap_or_default(),
    }
}

/// Its leg's INVITE goes nowhere: sound alone does, over loopback.
fn invite(name: &str) -> Invite {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Invite {
        flow: Flow::udp(nowhere, nowhere),
        others: Vec::new(),
        target: Private::new(format!("{SCHEME}{name}")),
        from: None,
        display: None,
        sdp: None,
        credentials: None,
        headers: Vec::new(),
    }
}

/// What goes for sound that never leaves the box.
pub fn towards() -> Towards {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Towards { address, srtp: Some(Srtp::Off), keys: None }
}

fn visit(name: &str, offer: Vec<u8>) -> Visit {
    let incoming = call::Incoming {
        way: Way::Handset,
        peer: Private::new(format!("{SCHEME}{name}")),
        sip_call_id: Private::default(),
        signals_from: IpAddr::V4(Ipv4Addr::LOCALHOST),
        offer: Some(offer),
    };
    let (called, caller) = (Private::default(), Private::default());
    Visit { incoming, towards: towards(), called, caller }
}

fn loopback() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The answer to a call's offer, the socket that it names, and the port of the call's media.
fn description(
    offer: &[u8],
    leg: LegId,
    entropy: &mut Entropy,
) -> Result<(Vec<u8>, UdpSocket, u16), u16> {
    let socket = loopback().map_err(|_| NOT_THERE)?;
    let offering = Offering {
        codecs: vec![websocket::CODEC],
        dtmf: true,
        ptime_ms: 20,
        srtp: Srtp::Off,
        keys: OfferedKeys::Sdes,
    };
    let local = Local {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: socket.local_addr().map_err(|_| NOT_THERE)?.port(),
        id: leg.0,
        keys: Keys::random(entropy),
        handshake: None,
    };
    let answer = sdp::Revision::default().answer(offer, &offering, &local, false);
    let answer = answer.map_err(|refusal| refusal.status)?;
    let port = answer.negotiated.remote.port();
    Ok((answer.body, socket, port))
}
