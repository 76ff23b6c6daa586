//! One call's sound between the network and the program: what the audio thread runs every 20 ms.
//!
//! ```text
//!  datagram ─▶ RTCP? ─▶ latch ─▶ payload type ─▶ telephone-event ─▶ digits
//!                                      └───────▶ jitter buffer
//!  tick:  jitter buffer ─▶ decode, conceal, comfort noise ─▶ 20 ms ─▶ 16 kHz ─▶ VAD ─▶ HeardFrame
//!         Playout ─▶ 20 ms at 16 kHz ─▶ codec's rate ─▶ encode ─▶ packetise ─▶ datagrams
//!         digits to send, RTCP when due, media timeout
//! ```
//!
//! RT safe: after `Media::new` nothing here allocates, locks, blocks, logs or panics, whatever the
//! peer sends. The caller owns sockets, clocks and rings.

mod fade;
mod plan;
mod report;

pub use fade::fade;
pub use plan::{DtmfPlan, PayloadTypes, Plan};
pub use report::{HeardFrame, MediaEvent, Origin, Report};

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::base::pcm::Frame;
use crate::base::{Entropy, UtteranceId};

/// Which of a call's two sockets. With rtcp-mux everything uses `Rtp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Rtp,
    Rtcp,
}

/// A datagram as the socket gave it.
#[derive(Clone, Copy)]
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `None` never ends a call for want of media.
    pub timeout: Option<Duration>,
    /// The timeout also counts while the peer has said that it will not send.
    pub timeout_on_hold: bool,
}

/// One call's place for media; a place is used for one call after the other.
pub struct Media {}

impl Media {
    /// Allocates all that the place will ever need. `entropy` gives SSRC, sequence number,
    /// timestamp, CNAME and RTCP intervals.
    pub fn new(settings: Settings, entropy: Entropy) -> Self {
        let _ = (settings, entropy);
        Self {}
    }

    /// Begins a call: fresh SSRC, empty buffers, address not yet learnt.
    pub fn start(&mut self, now: Instant, plan: &Plan) {
        let _ = (now, plan);
    }

    /// Goes on under a changed description. SSRC, sequence numbers and timestamps continue. A
    /// changed `remote` opens the learning of the peer's address again.
    pub fn apply(&mut self, now: Instant, plan: &Plan) {
        let _ = (now, plan);
    }

    /// Ends the call's media: sends an RTCP BYE. The report stays until the next start.
    pub fn stop(&mut self, at: Moment, sink: &mut impl Sink) {
        let _ = (at, sink);
    }

    /// Takes a datagram from one of the call's sockets.
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, sink: &mut impl Sink) {
        let _ = (datagram, sink);
    }

    /// Plays and sends 20 ms. To be called every 20 ms; a late tick is made up for by calling it
    /// again at once.
    pub fn tick(&mut self, at: Moment, playout: &mut impl Playout, sink: &mut impl Sink) {
        let _ = (at, playout, sink);
    }

    /// Queues a digit of `0-9 * # A-D` to be sent as a telephone-event; false when the peer takes
    /// none, the digit is none, or 32 digits are waiting.
    pub fn press(&mut self, digit: char, duration: Duration) -> bool {
        let _ = (digit, duration);
        false
    }

    /// Figures since the start.
    pub fn report(&self) -> Report {
        Report::default()
    }
}
