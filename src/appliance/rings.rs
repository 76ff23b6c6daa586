//! Every ring between the net thread and the audio thread: who writes, who reads, how long, and
//! what happens when it is full. All are allocated at start.
//!
//! | ring | from | to | size | when full |
//! |---|---|---|---|---|
//! | `commands` | net | audio | [`COMMANDS_PER_PLACE`] a place | the net loop keeps the command and tries again after the next wake-up |
//! | `events` | audio | net | [`EVENTS_PER_PLACE`] a place | counted and dropped; the end of an utterance and that of a call wait in the place instead |
//! | `heard`, one a place | audio | net | [`HEARD_FRAMES`] | the frame is dropped and counted: the net loop has been stuck for a second |
//! | `handshake`, one a place | audio | net | [`HANDSHAKE_DATAGRAMS`] | the datagram is dropped and counted, as a network would lose it: STUN and DTLS send again |
//! | `tap`, one a place, where calls are recorded | audio | recorder | [`TAP_FRAMES`] | the frame is dropped and counted; the recording has silence in its place |
//! | `observed`, one a place, where calls may be listened to | audio | net | [`OBSERVED_FRAMES`] | the frame is dropped and counted: who listens misses it |
//! | `playout`, one a place | net | audio | [`PLAYOUT_FRAMES`] | the rest of the utterance waits in `speak::Playout` |
//!
//! Beside the rings each place has one number, `silenced`: the audio thread throws away what it
//! holds of utterances up to it. So barge-in empties a ring from its reading end only. And whether its call is recorded, and
//! whether somebody listens to it: only then something goes to its tap, and to `observed`.

use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::lateness::Lateness;
use super::pulse::Pulse;
use super::rtp_socket::RtpSockets;
use crate::base::handshake::Route;
use crate::base::limits::{HANDSHAKE_DATAGRAMS, OBSERVED_FRAMES, RTP_DATAGRAM_BYTES, TAP_FRAMES};
use crate::base::pcm::Frame;
use crate::base::{CallId, Keying, UtteranceId};
use crate::call::media::{Datagram, HeardFrame, MediaEvent, Path, Plan, Report};
use crate::speak::PlayoutFrame;

/// Start, a few changes and stop of a call, and its digits.
pub const COMMANDS_PER_PLACE: usize = 64;
/// A tick gives three events of a place, or a few more with digits: 20 ticks without the net loop.
pub const EVENTS_PER_PLACE: usize = 64;
/// 1 s.
pub const HEARD_FRAMES: usize = 50;
/// 500 ms: enough for a net loop that is late, little enough to be forgotten at barge-in.
pub const PLAYOUT_FRAMES: usize = 25;

/// The number of a call's place in the audio thread, below `calls.max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(pub u16);

/// Net to audio.
#[derive(Debug)]
pub enum AudioCommand {
    Start {
        place: Place,
        call: CallId,
        sockets: Arc<RtpSockets>,
        plan: Plan,
    },
    Apply {
        place: Place,
        plan: Plan,
    },
    /// A handshake has made keys.
    Secure {
        place: Place,
        association: u32,
        path: Path,
        keying: Keying,
    },
    /// ICE has found, or lost, the peer.
    Steer {
        place: Place,
        route: Route,
    },
    Press {
        place: Place,
        digit: char,
        duration: Duration,
    },
    /// Ends the media of a place; `AudioEventKind::Stopped` follows.
    Stop {
        place: Place,
    },
}

/// Audio to net.
#[derive(Debug)]
pub struct AudioEvent {
    pub place: Place,
    pub call: CallId,
    pub kind: AudioEventKind,
}

#[derive(Debug)]
pub enum AudioEventKind {
    Media(MediaEvent),
    /// The utterance was played to its end.
    Finished {
        utterance: UtteranceId,
    },
    /// Every utterance up to `through` is gone. `utterance` of them had been played for so many
    /// frames, the fade included; the others had ended before or had not begun.
    Silenced {
        through: UtteranceId,
        utterance: UtteranceId,
        frames: u32,
    },
    /// Once a second, for the page.
    Report(Report),
    /// Authentic sound comes from there, where ICE has found the peer; once a second.
    Alive {
        from: SocketAddr,
    },
    /// The place is free again once the sockets are closed, which is for the net thread to do.
    Stopped {
        sockets: Arc<RtpSockets>,
        report: Report,
    },
}

/// A datagram of STUN or DTLS.
#[derive(Clone)]
pub struct HandshakeDatagram {
    pub path: Path,
    pub from: SocketAddr,
    length: usize,
    bytes: [u8; RTP_DATAGRAM_BYTES],
}

impl std::fmt::Debug for HandshakeDatagram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HandshakeDatagram({} bytes)", self.length)
    }
}

impl HandshakeDatagram {
    /// `None` for what no socket gives. RT safe.
    pub fn of(datagram: &Datagram<'_>) -> Option<Self> {
        let mut bytes = [0; RTP_DATAGRAM_BYTES];
        let length = datagram.bytes.len();
        bytes.get_mut(..length)?.copy_from_slice(datagram.bytes);
        Some(Self { path: datagram.path, from: datagram.from, length, bytes })
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Both sides of a call in one tick.
#[derive(Clone, Copy)]
pub struct TapFrame {
    pub call: CallId,
    /// Ticks of the call before it, so that what was dropped leaves a gap of its length.
    pub tick: u32,
    pub heard: Frame,
    pub said: Frame,
}

impl std::fmt::Debug for TapFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TapFrame({}, {})", self.call, self.tick)
    }
}

/// What both sides read and write without a ring.
#[derive(Debug, Default)]
pub struct Shared {
    /// Frames and events that found their ring full.
    pub dropped: AtomicU64,
    /// Frames of recordings that did.
    pub untapped: AtomicU64,
    /// Frames that whoever listens to a call has missed so.
    pub unobserved: AtomicU64,
    /// Of every tick since the start.
    pub lateness: Lateness,
    /// Beats with every tick.
    pub pulse: Pulse,
}

/// The net thread's ends of one place.
#[derive(Debug)]
pub struct NetPlace {
    pub heard: Consumer<HeardFrame>,
    pub handshake: Consumer<HandshakeDatagram>,
    pub playout: Producer<PlayoutFrame>,
    pub silenced: Arc<AtomicU32>,
    /// The call is recorded: what passes goes to the tap.
    pub is_recorded: Arc<AtomicBool>,
    /// What passes, for who listens; `None`: no call may be listened to.
    pub observed: Option<Consumer<TapFrame>>,
    /// Somebody listens to the call.
    pub is_observed: Arc<AtomicBool>,
}

impl NetPlace {
    /// Throws away what has passed and nobody has listened to.
    pub fn forget_observed(&mut self) {
        while self.observed.as_mut().is_some_and(|observed| observed.pop().is_ok()) {}
    }
}

/// The audio thread's ends of one place.
#[derive(Debug)]
pub struct AudioPlace {
    pub heard: Producer<HeardFrame>,
    pub handshake: Producer<HandshakeDatagram>,
    pub playout: Consumer<PlayoutFrame>,
    /// `None`: no call is recorded.
    pub tap: Option<Producer<TapFrame>>,
    /// `None`: none may be listened to.
    pub observed: Option<Producer<TapFrame>>,
    pub silenced: Arc<AtomicU32>,
    pub is_recorded: Arc<AtomicBool>,
    pub is_observed: Arc<AtomicBool>,
}

/// The net thread's ends.
#[derive(Debug)]
pub struct NetSide {
    pub commands: Producer<AudioCommand>,
    pub events: Consumer<AudioEvent>,
    pub places: Vec<NetPlace>,
}

/// Everything that [`allocate`] makes.
#[derive(Debug)]
pub struct Rings {
    pub net: NetSide,
    pub audio: AudioSide,
    /// Readable after each tick that left something: bytes that mean nothing else.
    pub wake: UnixStream,
    pub shared: Arc<Shared>,
}

/// The audio thread's ends.
#[derive(Debug)]
pub struct AudioSide {
    pub commands: Consumer<AudioCommand>,
    pub events: Producer<AudioEvent>,
    pub places: Vec<AudioPlace>,
    pub wake: Waker,
    pub shared: Arc<Shared>,
}

/// Wakes the net thread.
#[derive(Debug)]
pub struct Waker(UnixStream);

impl Waker {
    /// A stream that is full wakes as well as one that takes the byte. RT safe.
    pub fn wake(&self) {
        let _ = (&self.0).write(&[1]);
    }
}

/// A ring whose memory was written to, so that the first lap of a thread that locks its memory as it is first used finds each
/// page there.
fn ring<T>(length: usize) -> (Producer<T>, Consumer<T>) {
    let (mut writing, reading) = RingBuffer::new(length);
    if let Ok(mut all) = writing.write_chunk_uninit(length) {
        let (first, second) = all.as_mut_slices();
        // Nothing of it is committed: there is no `T` in it.
        first.iter_mut().chain(second).for_each(|slot| *slot = MaybeUninit::zeroed());
    }
    (writing, reading)
}

/// Allocates everything for `places` calls. Fails only when the process has no descriptor left.
pub fn allocate(places: u16) -> io::Result<Rings> {
    let (wake, waker) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    waker.set_nonblocking(true)?;
    let shared = Arc::new(Shared::default());
    let count = usize::from(places);
    let (commands, audio_commands) = ring(COMMANDS_PER_PLACE * count);
    let (audio_events, events) = ring(EVENTS_PER_PLACE * count);
    let mut net_places = Vec::with_capacity(count);
    let mut audio_places = Vec::with_capacity(count);
    for _ in 0..count {
        let (heard, net_heard) = ring(HEARD_FRAMES);
        let (handshake, net_handshake) = ring(HANDSHAKE_DATAGRAMS);
        let (net_playout, playout) = ring(PLAYOUT_FRAMES);
        let silenced = Arc::new(AtomicU32::new(0));
        let net_silenced = Arc::clone(&silenced);
        let is_recorded = Arc::new(AtomicBool::new(false));
        let is_observed = Arc::new(AtomicBool::new(false));
        net_places.push(NetPlace {
            heard: net_heard,
            handshake: net_handshake,
            playout: net_playout,
            silenced: net_silenced,
            is_recorded: Arc::clone(&is_recorded),
            observed: None,
            is_observed: Arc::clone(&is_observed),
        });
        audio_places.push(AudioPlace {
            heard,
            handshake,
            playout,
            tap: None,
            observed: None,
            silenced,
            is_recorded,
            is_observed,
        });
    }
    let net = NetSide { commands, events, places: net_places };
    let audio = AudioSide {
        commands: audio_commands,
        events: audio_events,
        places: audio_places,
        wake: Waker(waker),
        shared: Arc::clone(&shared),
    };
    Ok(Rings { net, audio, wake, shared })
}

impl Rings {
    /// With rings to record from, 128 KiB a place; their reading ends.
    pub fn tapped(&mut self) -> Vec<Consumer<TapFrame>> {
        let tap = |place: &mut AudioPlace| {
            let (tap, taken) = ring(TAP_FRAMES);
            place.tap = Some(tap);
            taken
        };
        self.audio.places.iter_mut().map(tap).collect()
    }

    /// With rings to listen by, 32 KiB a place.
    pub fn observable(&mut self) {
        for (audio, net) in self.audio.places.iter_mut().zip(&mut self.net.places) {
            let (observed, taken) = ring(OBSERVED_FRAMES);
            (audio.observed, net.observed) = (Some(observed), Some(taken));
        }
    }
}

/// The bytes only say that there is something.
pub fn empty(wake: &tokio::net::UnixStream) {
    let mut bytes = [0; 64];
    while wake.try_read(&mut bytes).is_ok_and(|length| length > 0) {}
}
