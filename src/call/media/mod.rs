//! One call's sound between the network and the program: what the audio thread runs every 20 ms, in two halves of a tick.
//!
//! ```text
//!  datagram ─▶ STUN, DTLS? ─▶ handed on
//!                      └────▶ SRTP ─▶ RTCP? ─▶ latch ─▶ payload type ─▶ telephone-event ─▶ digits
//!                                               └───────▶ jitter buffer
//!  hear:  jitter buffer ─▶ decode, conceal, comfort noise ─▶ 20 ms ─▶ 16 kHz ─▶ keys as tones, VAD, echo ─▶ HeardFrame
//!  speak: Playout ─▶ 20 ms at 16 kHz ─▶ codec's rate ─▶ encode ─▶ packetise ─▶ SRTP ─▶ datagrams
//!         digits to send, RTCP when due, media timeout
//! ```
//!
//! RT safe: after `Media::new` nothing here allocates, locks, blocks, logs or panics, whatever the
//! peer sends. The caller owns sockets, clocks and rings.

mod control;
mod fade;
mod loudness;
mod plan;
mod report;
mod rx;
mod security;
mod stretch;
mod touch;
mod tx;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests;

pub use fade::fade;
pub use loudness::{SOUND_DBFS, will_sound};
pub use plan::{DtmfPlan, Handshake, PayloadTypes, Plan};
pub use report::{HeardFrame, MediaEvent, Origin, Report};

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::base::handshake::Route;
use crate::base::pcm::Frame;
use crate::base::{Entropy, Keying, UtteranceId};
use crate::codec::CodecSet;
use crate::rtp::Protocol;
use crate::rtp::latch::NOWHERE;
use crate::rtp::packet::protocol;
use control::Control;
use rx::{Rx, Taken};
use security::Security;
use tx::Tx;

/// Which of a call's two sockets. With rtcp-mux everything uses `Rtp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Rtp,
    Rtcp,
}

/// A datagram as the socket gave it.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "an address and sound are not for logs")]
pub struct Datagram<'a> {
    pub path: Path,
    pub from: SocketAddr,
    pub arrived: Instant,
    pub bytes: &'a [u8],
}

/// One moment on both clocks: RTCP sender reports carry the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Instant,
    /// NTP time: seconds since 1900 in the upper 32 bits, fraction in the lower.
    pub ntp: u64,
}

/// Where the sound that we send is from.
pub trait Playout {
    /// Fills `out` with the next 20 ms. Nothing to say: leaves `out` alone.
    fn next(&mut self, out: &mut Frame) -> Played;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    Voice(UtteranceId),
    Nothing,
}

/// Takes what a call's media gives. RT safe, as the caller of `Media` must be.
pub trait Sink {
    /// A datagram to be sent now.
    fn datagram(&mut self, path: Path, to: SocketAddr, bytes: &[u8]);
    fn heard(&mut self, frame: &HeardFrame);
    fn event(&mut self, event: MediaEvent);
    /// What was heard and what was said in one tick, for whoever records it.
    fn passed(&mut self, _heard: &Frame, _said: &Frame) {}
    /// A datagram of a handshake, or of the checks of its way; whether its source is known to be the peer's.
    fn handshake(&mut self, datagram: &Datagram<'_>, is_known: bool);
    /// Something authentic came from where ICE has found the peer: told once a second.
    fn heard_from(&mut self, _from: SocketAddr) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `None` never ends a call for want of media.
    pub timeout: Option<Duration>,
    /// The timeout also counts while the peer has said that it will not send.
    pub timeout_on_hold: bool,
}

/// One call's place for media; a place is used for one call after the other.
pub struct Media {
    settings: Settings,
    entropy: Entropy,
    codecs: CodecSet,
    rx: Rx,
    tx: Tx,
    control: Control,
    security: Security,
    /// What was agreed for the call that has the place.
    plan: Option<Plan>,
    /// What was played last.
    heard: Frame,
    /// Times that the network could not deliver what we sent.
    refused: u64,
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Media {
    /// Allocates all that the place will ever need, some 300 KiB. `entropy` gives SSRC, sequence
    /// number, timestamp, CNAME and RTCP intervals.
    pub fn new(settings: Settings, mut entropy: Entropy) -> Self {
        Self {
            settings,
            codecs: CodecSet::new().expect("memory for the codecs at start"),
            rx: Rx::new(),
            tx: Tx::new(&mut entropy),
            control: Control::new(entropy.fork()),
            security: Security::new(),
            plan: None,
            heard: Frame::SILENCE,
            refused: 0,
            entropy,
        }
    }

    /// Begins a call: fresh SSRC, empty buffers, address not yet learnt. RT safe.
    pub fn start(&mut self, now: Instant, plan: &Plan) {
        self.codecs.reset();
        tx::configure(plan, &mut self.codecs);
        self.rx.start(plan);
        self.tx.start(plan, &mut self.entropy);
        self.security.start(plan);
        self.control.start(now, self.tx.sender().ssrc());
        self.plan = Some(plan.clone());
        self.heard = Frame::SILENCE;
        self.refused = 0;
    }

    /// Goes on under a changed description. SSRC, sequence numbers, timestamps, and what is known
    /// of packets under a key that stays continue. A changed `remote` opens the learning of the peer's address again. Without a call in the
    /// place nothing happens. RT safe.
    pub fn apply(&mut self, now: Instant, plan: &Plan) {
        let Some(before) = self.plan.replace(plan.clone()) else {
            self.plan = None;
            return;
        };
        self.rx.apply(&before, plan);
        self.tx.apply(&before, plan, &mut self.codecs);
        self.control.apply(now, &before, plan);
        self.security.apply(plan);
    }

    /// Ends the call's media: sends an RTCP BYE. The report stays until the next start. RT safe.
    pub fn stop(&mut self, at: Moment, sink: &mut impl Sink) {
        if let Some(plan) = self.plan.take() {
            let mut sink = self.security.sealing(Protocol::Rtcp, sink);
            self.control.stop(&plan, at, &self.rx, self.tx.sender(), &mut sink);
            self.security.forget();
        }
    }

    /// Takes a datagram from one of the call's sockets. RT safe.
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, sink: &mut impl Sink) {
        let Some(plan) = &self.plan else { return };
        let protocol = protocol(datagram.bytes);
        if protocol == Protocol::Handshake && plan.protection.handshake().is_some() {
            let is_known = self.rx.latch().is_known(datagram.from);
            return sink.handshake(&datagram, is_known);
        }
        let Some(bytes) = self.security.open(protocol, &datagram) else { return };
        if plan.has_ice() && self.rx.latch_mut().is_to_tell(datagram.arrived, datagram.from) {
            sink.heard_from(datagram.from);
        }
        let datagram = Datagram { bytes, ..datagram };
        match protocol {
            Protocol::Rtcp => self.control.handle(&mut self.rx, datagram, sink),
            Protocol::Handshake | Protocol::Other => self.rx.count_malformed(),
            Protocol::Rtp => match self.rx.handle_rtp(plan, &mut self.codecs, datagram, sink) {
                Taken::Nothing => {}
                Taken::Packet { is_first } => {
                    self.control.note_peer(datagram.arrived);
                    if is_first {
                        sink.event(MediaEvent::FirstPacket { at: datagram.arrived });
                    }
                }
            },
        }
    }

    /// [`Self::hear`] and [`Self::speak`] at once. RT safe.
    pub fn tick(&mut self, at: Moment, playout: &mut impl Playout, sink: &mut impl Sink) {
        self.hear(at, sink);
        self.speak(at, playout, sink);
    }

    /// Plays 20 ms of the peer. To be called every 20 ms; a late tick is made up for by calling it again
    /// at once. RT safe.
    pub fn hear(&mut self, at: Moment, sink: &mut impl Sink) {
        let Some(plan) = &self.plan else { return };
        self.rx.tell_digits(at.now, sink);
        let heard = self.rx.play(plan, &mut self.codecs, at.now, sink);
        self.heard = heard.frame;
        sink.heard(&heard);
    }

    /// Sends 20 ms, after [`Self::hear`]. While the peer holds us, or a digit is being sent, `playout` is
    /// not asked: what is to be said waits. RT safe.
    pub fn speak(&mut self, at: Moment, playout: &mut impl Playout, sink: &mut impl Sink) {
        let Some(plan) = &self.plan else { return };
        // What cannot be encrypted yet is not said yet.
        let to = match self.security.is_ready() {
            true => self.rx.latch().destination(),
            false => NOWHERE,
        };
        let mut sealing = self.security.sealing(Protocol::Rtp, sink);
        if let Some(utterance) = self.tx.send(plan, &mut self.codecs, to, playout, &mut sealing) {
            let peer_spoke = self.rx.peer_spoke();
            sink.event(MediaEvent::UtteranceAudible { utterance, at: at.now, peer_spoke });
        }
        self.rx.played(self.tx.played());
        sink.passed(&self.heard, self.tx.played());
        let mut sealing = self.security.sealing(Protocol::Rtcp, sink);
        self.control.tick(plan, at, &mut self.rx, self.tx.sender(), &mut sealing);
        self.control.watch(self.settings, plan, at.now, sink);
    }

    /// The keys of a handshake are there. RT safe.
    pub fn secure(&mut self, association: u32, path: Path, keying: &Keying) {
        self.security.secure(association, path, keying);
    }

    /// ICE has found, or lost, the peer. RT safe.
    pub fn steer(&mut self, route: Route) {
        if self.plan.as_ref().is_some_and(Plan::has_ice) {
            self.rx.latch_mut().steer(route);
        }
    }

    /// The network says that what was sent cannot be delivered. RT safe.
    pub fn note_refusal(&mut self) {
        self.refused += 1;
    }

    /// Queues a digit of `0-9 * # A-D` to be sent as a telephone-event; false when the peer takes
    /// none, the digit is none, or 32 digits are waiting. RT safe.
    pub fn press(&mut self, digit: char, duration: Duration) -> bool {
        let takes_digits = self.plan.as_ref().is_some_and(|plan| plan.dtmf.is_some());
        takes_digits && self.tx.press(digit, duration)
    }

    /// Figures since the start. RT safe.
    pub fn report(&self) -> Report {
        let (reception, jitter) = (self.rx.reception(), self.rx.jitter());
        let counts = jitter.counts();
        Report {
            received: reception.received(),
            sent: self.tx.sender().packets(),
            lost: reception.lost(counts.duplicate),
            late: counts.late + counts.discarded,
            duplicate: counts.duplicate,
            concealed_ms: self.rx.concealed_ms(),
            gaps: self.rx.gaps(),
            sound_ms: self.rx.sound_ms(),
            deaf_reports: self.control.rtcp().deaf_reports(),
            jitter_ms: reception.jitter_ms(),
            delay_ms: jitter.delay_ms(),
            rtt_ms: self.control.rtcp().rtt().map(|rtt| rtt.as_secs_f32() * 1_000.0),
            peer_loss: self.control.rtcp().peer_loss(),
            foreign: self.rx.latch().foreign(),
            other_port: self.rx.latch().other_port(),
            refused: self.refused,
            malformed: self.rx.malformed(),
            srtp_failed: self.security.failed(),
            srtp_replayed: self.security.replayed(),
            peer_spoke: self.rx.peer_spoke(),
        }
    }
}
