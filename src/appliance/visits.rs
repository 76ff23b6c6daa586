//! Legs that are no SIP, and whoever stands at the other end of them: a page in a browser.
//!
//! ```text
//!  web thread ─ web::Command ─▶ Visits ─ Incoming, events ─▶ switchboard ─▶ Call
//!             ◀─ oneshot ──────────┘    ◀─ sip::Command, by the leg's way ──┘
//! ```
//!
//! Each way has a machine of its own, which speaks of its legs as the user agent does of its: by
//! `sip::Event` and `sip::Command`. So a call does not know the difference. A command finds its way by
//! [`LegId::way`].

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use tokio::sync::oneshot;

use super::audio_legs::{Announced, Announcer, AudioLegs, LegFigures, LegWish, NotAnnounced};
use super::handset::Handsets;
use super::media_address::MediaAddress;
use crate::base::handshake::Candidate;
use crate::base::{CallId, Entropy, Private, Way};
use crate::call::{self, CallRecord, Towards, Visit};
use crate::sdp::{self, OfferedKeys, Srtp};
use crate::sip::{self, LegId};
use crate::webrtc::{self, AskId, Observes, Opening, Request, Response, SessionId, Sessions};
use crate::websocket::Order;

/// A host that nobody has (RFC 5737): the way there is the way out. For pages that hide their addresses; where
/// their requests come from says nothing, for it may be a tunnel's end on this box.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// What a page is called in records, which has no number.
const BROWSER: &str = "browser";

/// What a way has for the calls.
#[derive(Debug)]
pub enum VisitEvent {
    /// Somebody asks for a call.
    Incoming { leg: LegId, visit: Box<Visit> },
    /// Somebody asks to listen to a call.
    Observer { leg: LegId, visit: Box<Visit>, observes: Observes },
    /// Something has happened to a leg.
    Leg(sip::Event),
    /// The peer may be found there, too.
    Candidates { leg: LegId, candidates: Vec<Candidate> },
}

/// See the module.
#[derive(Debug)]
pub struct Visits {
    media_address: MediaAddress,
    webrtc: Sessions,
    /// `None`: no calls by WebSocket.
    audio: Option<AudioLegs>,
    pub handsets: Handsets,
    next_ask: u64,
    asked: HashMap<AskId, oneshot::Sender<Response>>,
    events: VecDeque<VisitEvent>,
}

impl Visits {
    /// `lines` is the number of calls that there may be by all ways together.
    pub fn new(media_address: MediaAddress, mut entropy: Entropy, lines: usize) -> Self {
        let handsets = Handsets::none(entropy.fork());
        Self {
            media_address,
            webrtc: Sessions::new(entropy, lines),
            audio: None,
            handsets,
            next_ask: 1,
            asked: HashMap::new(),
            events: VecDeque::new(),
        }
    }

    pub fn with_audio(self, audio: AudioLegs) -> Self {
        Self { audio: Some(audio), ..self }
    }

    pub fn with_handsets(self, handsets: Handsets) -> Self {
        Self { handsets, ..self }
    }

    /// A call by WebSocket is to be expected, one of at most `most`.
    ///
    /// # Errors
    /// Why none is.
    pub fn announce(
        &mut self,
        by: Announcer,
        order: Order,
        most: usize,
    ) -> Result<Announced, NotAnnounced> {
        let audio = self.audio.as_mut().ok_or(NotAnnounced::Unavailable)?;
        audio.announce(by, order, most)
    }

    /// A session by WebSocket wants something; drain [`Self::event`] afterwards.
    pub fn wish(&mut self, wish: LegWish) {
        if let Some(audio) = &mut self.audio {
            audio.wish(wish);
        }
    }

    pub fn figures(&self) -> LegFigures {
        self.audio.as_ref().map(AudioLegs::figures).unwrap_or_default()
    }

    /// What was on its way to the other end of this leg is not to be heard.
    pub fn silenced(&mut self, leg: LegId) {
        if let (Way::WebSocket, Some(audio)) = (leg.way(), &mut self.audio) {
            audio.silenced(leg);
        }
    }

    /// The record of this leg's call has changed.
    pub fn recorded(&mut self, leg: LegId, record: &CallRecord) {
        if let (Way::WebSocket, Some(audio)) = (leg.way(), &mut self.audio) {
            audio.recorded(leg, record);
        }
    }

    /// A page asks for something; drain [`Self::event`] afterwards.
    pub fn ask_webrtc(&mut self, request: Request, told: oneshot::Sender<Response>) {
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        self.asked.insert(ask, told);
        self.webrtc.handle(webrtc::Input::Request { ask, request });
        self.drain_webrtc();
    }

    /// A call wants something of its leg; drain [`Self::event`] afterwards.
    pub fn command(&mut self, now: Instant, leg: LegId, command: sip::Command) {
        match leg.way() {
            Way::WebRtc => {
                self.webrtc.handle(webrtc::Input::Command(command));
                self.drain_webrtc();
            }
            Way::WebSocket => self.audio.iter_mut().for_each(|audio| audio.command(&command)),
            Way::Handset => self.handsets.command(now, &command),
            // SIP's own user agent has it.
            Way::Sip => {}
        }
    }

    /// The page of this leg has gone without asking for an end; drain [`Self::event`] afterwards.
    pub fn left(&mut self, leg: LegId) {
        self.webrtc.handle(webrtc::Input::Left { leg });
        self.drain_webrtc();
    }

    /// As whom this session listens to a call.
    pub fn operator(&self, session: &SessionId) -> Option<CallId> {
        self.webrtc.call_of(session)
    }

    /// The call of this leg is taken.
    pub fn took(&mut self, leg: LegId, call: CallId) {
        match (leg.way(), &mut self.audio) {
            (Way::WebRtc, _) => self.webrtc.handle(webrtc::Input::Took { leg, call }),
            (Way::WebSocket, Some(audio)) => audio.took(leg, call),
            (Way::Handset, _) => self.handsets.took(leg, call),
            (Way::Sip | Way::WebSocket, _) => {}
        }
    }

    pub fn event(&mut self) -> Option<VisitEvent> {
        let of_audio = || self.audio.as_mut()?.event();
        self.events.pop_front().or_else(of_audio).or_else(|| self.handsets.event())
    }

    fn drain_webrtc(&mut self) {
        while let Some(output) = self.webrtc.poll_output() {
            match output {
                webrtc::Output::Asked { leg, mut opening } => {
                    let observes = opening.observes.take();
                    let visit = Box::new(self.visit(opening));
                    self.events.push_back(match observes {
                        Some(observes) => VisitEvent::Observer { leg, visit, observes },
                        None => VisitEvent::Incoming { leg, visit },
                    });
                }
                webrtc::Output::Candidates { leg, values } => {
                    let read = values.iter().filter_map(|value| sdp::candidate(value.reveal()));
                    let candidates = read.collect();
                    self.events.push_back(VisitEvent::Candidates { leg, candidates });
                }
                webrtc::Output::Event(event) => self.events.push_back(VisitEvent::Leg(event)),
                webrtc::Output::Response { ask, response } => self.respond(ask, response),
            }
        }
    }

    /// A page that has gone while its call was being taken has nobody who could hear it.
    fn respond(&mut self, ask: AskId, response: Response) {
        let Some(told) = self.asked.remove(&ask) else { return };
        if let Err(Response::Opened { session, .. }) = told.send(response) {
            let request = Request::Close { session };
            self.webrtc.handle(webrtc::Input::Request { ask, request });
        }
    }

    fn visit(&self, opening: Opening) -> Visit {
        let Opening { offer, called, .. } = opening;
        let offer = offer.into_revealed();
        let peer = webrtc::first_address(&offer).unwrap_or(ELSEWHERE);
        let own = local_towards(peer);
        let towards = Towards {
            address: self.media_address.towards(own, peer, None),
            // A browser knows no other.
            srtp: Some(Srtp::Required),
            keys: Some(OfferedKeys::Dtls),
        };
        let incoming = call::Incoming {
            way: Way::WebRtc,
            peer: Private::new(BROWSER.to_owned()),
            sip_call_id: Private::default(),
            signals_from: peer,
            offer: Some(offer),
        };
        Visit { incoming, towards, called, caller: Private::default() }
    }
}

/// Our address on the way to a peer: connecting a UDP socket sends nothing.
pub fn local_towards(peer: IpAddr) -> IpAddr {
    let any = match peer {
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let local = UdpSocket::bind(any).and_then(|socket| {
        // Any port will do.
        socket.connect((peer, 9))?;
        socket.local_addr()
    });
    local.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |local| local.ip())
}
