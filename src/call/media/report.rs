//! What a call's media tells: events as they happen and figures for the call's record.

use std::fmt;
use std::time::{Duration, Instant};

use super::loudness::SOUND_DBFS;

use crate::base::UtteranceId;
use crate::base::pcm::Frame;
use crate::listen::VadScore;

/// Something that the call must know of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MediaEvent {
    /// The peer has pressed a key. Most often `Digit` follows, not always: keys may be too many.
    DigitBegun,
    /// The peer pressed one of `0-9 * # A-D` and let it go after `duration`: a telephone-event, or a tone
    /// where no events were agreed.
    Digit { digit: char, duration: Duration },
    /// The first packet that was taken from the peer since the start.
    FirstPacket { at: Instant },
    /// The first frame of this utterance with sound in it left for the network at `at`.
    /// `peer_spoke` is when the last packet with the peer's speech had arrived: their difference
    /// is the gap of the turn as it stands on the wire.
    UtteranceAudible { utterance: UtteranceId, at: Instant, peer_spoke: Option<Instant> },
    /// All digits that were given to `Media::press` have been sent.
    DigitsSent,
    /// Neither RTP nor RTCP came from the peer for the configured time. Told once, until either
    /// comes again.
    MediaTimeout,
    /// The peer sends from another address than its description says, and is answered there.
    RemoteLearnt,
    /// The peer began another stream; what was buffered of the old one is gone.
    SsrcChanged,
    /// The peer sent an RTCP BYE. The dialog decides whether the call ends.
    PeerLeft,
}

/// A digit may be a part of a secret: it does not print.
impl fmt::Debug for MediaEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digit { duration, .. } => write!(f, "Digit({duration:?})"),
            Self::DigitBegun => f.write_str("DigitBegun"),
            Self::FirstPacket { .. } => f.write_str("FirstPacket"),
            Self::UtteranceAudible { utterance, .. } => {
                write!(f, "UtteranceAudible({})", utterance.0)
            }
            Self::DigitsSent => f.write_str("DigitsSent"),
            Self::MediaTimeout => f.write_str("MediaTimeout"),
            Self::RemoteLearnt => f.write_str("RemoteLearnt"),
            Self::SsrcChanged => f.write_str("SsrcChanged"),
            Self::PeerLeft => f.write_str("PeerLeft"),
        }
    }
}

/// 20 ms of the peer's sound.
#[derive(Clone, Copy, Debug)]
pub struct HeardFrame {
    pub frame: Frame,
    pub score: VadScore,
    pub origin: Origin,
    /// When the packet came that most of this frame's received sound is from; the tick's time where
    /// nothing was received.
    pub arrived: Instant,
    /// The tick that played it.
    pub at: Instant,
}

/// Where 20 ms of sound are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// At least in part from packets of the peer.
    Received,
    /// Invented for a packet that is lost or late.
    Concealed,
    /// The peer pauses (comfort noise or DTX).
    Pause,
    /// The peer has sent nothing yet.
    Nothing,
}

/// From this probability on a frame may be the peer's speech.
const SPEECH: f32 = 0.5;

impl HeardFrame {
    /// The peer's speech, as far as a gap is measured from it. RT safe.
    pub fn is_speech(&self) -> bool {
        self.origin == Origin::Received
            && self.score.speech >= SPEECH
            && !self.score.tonal
            && self.frame.level_dbfs() >= SOUND_DBFS
    }

    /// The sound was lost on the way and is made up.
    pub fn is_lost(&self) -> bool {
        self.origin == Origin::Concealed
    }
}

/// Figures since the call's start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// RTP packets taken from the peer, and sent to it.
    pub received: u64,
    pub sent: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came after their time had been played.
    pub late: u64,
    pub duplicate: u64,
    /// Sound that was invented for lost and late packets.
    pub concealed_ms: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1).
    pub jitter_ms: f32,
    /// From arrival to playout of the packets, smoothed.
    pub delay_ms: f32,
    /// Newest round trip by RTCP, if the peer reports.
    pub rtt_ms: Option<f32>,
    /// Share of our packets that the peer says it lost, 0 to 1, if it reports.
    pub peer_loss: Option<f32>,
    /// Stretches of such sound: each is one gap, however many packets it has.
    pub gaps: u64,
    /// Received sound that is louder than -66 dBFS: what a muted telephone sends is softer.
    pub sound_ms: u64,
    /// The peer's RTCP reports in a row that have counted no packet of ours.
    pub deaf_reports: u32,
    /// Datagrams from a source that is not the peer; they are ignored.
    pub foreign: u64,
    /// Those of them that came from the peer's address, but from another port.
    pub other_port: u64,
    /// Times that the network said that ours cannot be delivered (ICMP).
    pub refused: u64,
    /// Datagrams that are neither RTP nor RTCP, or of a payload type that was not agreed.
    pub malformed: u64,
    /// Datagrams that were not encrypted under the peer's key, and are ignored.
    pub srtp_failed: u64,
    /// Encrypted ones that had come before, or were too old to tell.
    pub srtp_replayed: u64,
    /// When the last packet with the peer's speech arrived.
    pub peer_spoke: Option<Instant>,
}
