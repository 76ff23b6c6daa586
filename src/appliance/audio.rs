//! The audio thread: every call's media, one tick of 20 ms after the other.
//!
//! ```text
//!  sleep to the deadline ─▶ commands ─▶ for each place: sockets ─▶ Media::hear ─▶ wake the net thread
//!  sleep for 5 ms more ──────────────▶ for each place: Media::speak ─▶ sockets ─▶ wake it if there is news
//! ```
//!
//! A tick has two halves, so that a reply leaves in the tick that heard the end of the turn: the net thread
//! has the time between them for it.
//!
//! Invariant: after `spawn` the thread allocates nothing, takes no lock, writes no log, and makes no
//! system call but the sleep, datagram I/O and a wake-up write in each half of a tick. Whatever must be
//! released (sockets) goes back to the net thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::{Consumer, Producer};

mod playing;

use self::playing::{Source, Voice};
use super::realtime::{self, Clocks, Moment, Refusal};
use super::rings::{
    AudioCommand, AudioEvent, AudioEventKind, AudioPlace, AudioSide, HandshakeDatagram, Place,
    Shared, TapFrame, Waker,
};
use super::rtp_socket::{ReceiveBuffer, RtpSockets};
use crate::base::pcm::{FRAME_MS, Frame};
use crate::base::{CallId, Entropy, limits};
use crate::call::media::{self, Datagram, HeardFrame, Media, MediaEvent, Path, Sink};

/// One tick.
const TICK: Duration = Duration::from_millis(FRAME_MS);
/// What we say leaves so long after what the same tick heard. The net thread needs less than 1 ms from a frame
/// to the frames of a reply, with five calls and a busy machine less than this; each reply is later by the rest.
const SPEAK_AFTER: Duration = Duration::from_millis(5);
/// A thread that was stopped for longer than this (suspend, debugger) starts over instead of
/// running after lost time.
const GIVE_UP: Duration = Duration::from_millis(500);
/// Ticks between two reports of a place.
const REPORT_TICKS: u32 = 50;
/// Seconds from 1900 to 1970 (RFC 5905).
const NTP_EPOCH_S: u64 = 2_208_988_800;

/// The running thread.
#[derive(Debug)]
pub struct AudioThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread and tells what the kernel refused it.
pub fn spawn(
    side: AudioSide,
    settings: media::Settings,
    mut entropy: Entropy,
    wish: realtime::Wish,
) -> io::Result<(AudioThread, Vec<Refusal>)> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let (refusals, told) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("audio".to_owned()).spawn(move || {
        let mut audio = Audio::new(side, settings, &mut entropy);
        // The receiver waits for this message and outlives it.
        let refused = realtime::become_real_time(wish);
        audio.touch();
        let _ = refusals.send(refused);
        audio.run(&stopping);
    })?;
    let refused = told.recv().unwrap_or_default();
    Ok((AudioThread { stop, thread: Some(thread) }, refused))
}

impl Drop for AudioThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in there aborts the process before it could be seen here.
            let _ = thread.join();
        }
    }
}

/// What the thread runs. It is public for the test that watches its memory.
pub struct Audio {
    commands: Consumer<AudioCommand>,
    events: Producer<AudioEvent>,
    places: Vec<Seat>,
    wake: Waker,
    shared: Arc<Shared>,
    buffer: ReceiveBuffer,
}

/// One place with its media and, while a call has it, the call.
struct Seat {
    place: Place,
    rings: AudioPlace,
    media: Media,
    occupant: Occupant,
}

enum Occupant {
    Nobody,
    Call {
        call: CallId,
        sockets: Arc<RtpSockets>,
        voice: Voice,
        ticks: u32,
    },
    /// The media is over and the ring of events was full when it was to be told.
    Leaving {
        call: CallId,
        sockets: Arc<RtpSockets>,
    },
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Audio({} places)", self.places.len())
    }
}

impl Audio {
    /// Allocates everything that a tick needs.
    pub fn new(side: AudioSide, settings: media::Settings, entropy: &mut Entropy) -> Self {
        let places = side.places.into_iter().zip(0..).map(|(rings, number)| Seat {
            place: Place(number),
            rings,
            media: Media::new(settings, entropy.fork()),
            occupant: Occupant::Nobody,
        });
        Self {
            commands: side.commands,
            events: side.events,
            places: places.collect(),
            wake: side.wake,
            shared: side.shared,
            buffer: ReceiveBuffer::default(),
        }
    }

    /// Goes through all that a tick may write to or read, so that no call is the first to find a page missing.
    pub fn touch(&mut self) {
        let moment = Moment::read();
        for seat in &mut self.places {
            seat.media.touch(at(&moment));
        }
        self.tick(&moment);
    }

    fn run(&mut self, stop: &AtomicBool) {
        let clocks = Clocks::read();
        let mut deadline = Moment::read().now;
        while !stop.load(Ordering::Relaxed) {
            deadline += TICK;
            clocks.sleep_until(deadline);
            let moment = Moment::read();
            let mut lateness = moment.now.saturating_duration_since(deadline);
            if lateness > GIVE_UP {
                deadline = moment.now;
            }
            self.shared.pulse.beat();
            if self.hear(&moment) {
                self.wake.wake();
                let speaks_at = deadline + SPEAK_AFTER;
                clocks.sleep_until(speaks_at);
                let moment = Moment::read();
                lateness = lateness.max(moment.now.saturating_duration_since(speaks_at));
                if self.speak(&moment) {
                    self.wake.wake();
                }
            }
            self.shared.lateness.record(lateness);
        }
    }

    /// 20 ms of every place, both halves at once. RT safe.
    pub fn tick(&mut self, moment: &Moment) -> bool {
        let is_busy = self.hear(moment);
        self.speak(moment) || is_busy
    }

    /// The first half: what has come. True when there is something for the net thread. RT safe.
    fn hear(&mut self, moment: &Moment) -> bool {
        let mut busy = false;
        while let Ok(command) = self.commands.pop() {
            self.command(command, moment);
            busy = true;
        }
        for seat in &mut self.places {
            busy |= seat.hear(moment, &mut self.events, &self.shared, &mut self.buffer);
        }
        busy
    }

    /// The second half: what leaves. True when the net thread is told something. RT safe.
    fn speak(&mut self, moment: &Moment) -> bool {
        let mut has_news = false;
        for seat in &mut self.places {
            has_news |= seat.speak(moment, &mut self.events, &self.shared);
        }
        has_news
    }

    fn command(&mut self, command: AudioCommand, moment: &Moment) {
        let place = match &command {
            AudioCommand::Start { place, .. }
            | AudioCommand::Apply { place, .. }
            | AudioCommand::Secure { place, .. }
            | AudioCommand::Steer { place, .. }
            | AudioCommand::Press { place, .. }
            | AudioCommand::Stop { place } => *place,
        };
        let Some(seat) = self.places.get_mut(usize::from(place.0)) else { return };
        match command {
            AudioCommand::Start { call, sockets, plan, .. } => {
                seat.media.start(moment.now, &plan);
                seat.occupant = Occupant::Call { call, sockets, voice: Voice::default(), ticks: 0 };
            }
            AudioCommand::Apply { plan, .. } => seat.media.apply(moment.now, &plan),
            AudioCommand::Secure { association, path, keying, .. } => {
                seat.media.secure(association, path, &keying);
            }
            AudioCommand::Steer { route, .. } => seat.media.steer(route),
            AudioCommand::Press { digit, duration, .. } => {
                // A peer that takes no telephone-events cannot be pressed for.
                let _ = seat.media.press(digit, duration);
            }
            AudioCommand::Stop { .. } => seat.stop(moment, &mut self.events, &self.shared),
        }
    }
}

impl Seat {
    fn stop(&mut self, moment: &Moment, events: &mut Producer<AudioEvent>, shared: &Shared) {
        let occupant = std::mem::replace(&mut self.occupant, Occupant::Nobody);
        if let Occupant::Call { call, sockets, .. } = occupant {
            let mut out = Outlet {
                place: self.place,
                call,
                sockets: &sockets,
                heard: &mut self.rings.heard,
                handshake: &mut self.rings.handshake,
                tap: None,
                observed: None,
                tick: 0,
                events,
                shared,
                told: Told::default(),
            };
            self.media.stop(at(moment), &mut out);
            // The net thread gives no more frames once it has asked for the stop.
            while self.rings.playout.pop().is_ok() {}
            self.occupant = Occupant::Leaving { call, sockets };
            self.leave(events);
        }
    }

    /// Gives the sockets back, now or when there is room.
    fn leave(&mut self, events: &mut Producer<AudioEvent>) {
        if events.is_full() {
            return;
        }
        let occupant = std::mem::replace(&mut self.occupant, Occupant::Nobody);
        self.occupant = match occupant {
            Occupant::Leaving { call, sockets } => {
                let kind = AudioEventKind::Stopped { sockets, report: self.media.report() };
                let _ = events.push(AudioEvent { place: self.place, call, kind });
                Occupant::Nobody
            }
            other @ (Occupant::Nobody | Occupant::Call { .. }) => other,
        };
    }

    /// True while there is a call.
    fn hear(
        &mut self,
        moment: &Moment,
        events: &mut Producer<AudioEvent>,
        shared: &Shared,
        buffer: &mut ReceiveBuffer,
    ) -> bool {
        match &mut self.occupant {
            Occupant::Nobody => return false,
            Occupant::Leaving { .. } => self.leave(events),
            Occupant::Call { call, sockets, voice, ticks } => {
                let mut out = Outlet {
                    place: self.place,
                    call: *call,
                    sockets,
                    heard: &mut self.rings.heard,
                    handshake: &mut self.rings.handshake,
                    tap: None,
                    observed: None,
                    tick: *ticks,
                    events,
                    shared,
                    told: Told::default(),
                };
                // An end that waits goes before what this tick has to tell.
                out.tell_end(&mut voice.untold);
                receive(sockets, moment, buffer, &mut self.media, &mut out);
                for _ in 0..sockets.refusals(buffer) {
                    self.media.note_refusal();
                }
                self.media.hear(at(moment), &mut out);
            }
        }
        true
    }

    /// True when something was told.
    fn speak(
        &mut self,
        moment: &Moment,
        events: &mut Producer<AudioEvent>,
        shared: &Shared,
    ) -> bool {
        let Occupant::Call { call, sockets, voice, ticks } = &mut self.occupant else {
            return false;
        };
        let is_recorded = self.rings.is_recorded.load(Ordering::Relaxed);
        let is_observed = self.rings.is_observed.load(Ordering::Relaxed);
        let mut out = Outlet {
            place: self.place,
            call: *call,
            sockets,
            heard: &mut self.rings.heard,
            handshake: &mut self.rings.handshake,
            tap: self.rings.tap.as_mut().filter(|_| is_recorded),
            observed: self.rings.observed.as_mut().filter(|_| is_observed),
            tick: *ticks,
            events,
            shared,
            told: Told::default(),
        };
        let (ring, silenced) = (&mut self.rings.playout, &*self.rings.silenced);
        let mut source = Source { voice: &mut *voice, ring, silenced };
        self.media.speak(at(moment), &mut source, &mut out);
        out.tell_end(&mut voice.untold);
        *ticks += 1;
        if *ticks % REPORT_TICKS == 0 {
            out.tell(AudioEventKind::Report(self.media.report()));
        }
        out.told.has_news
    }
}

fn receive(
    sockets: &RtpSockets,
    moment: &Moment,
    buffer: &mut ReceiveBuffer,
    media: &mut Media,
    out: &mut Outlet<'_>,
) {
    for path in [Path::Rtp, Path::Rtcp] {
        for _ in 0..limits::RTP_DATAGRAMS_PER_TICK {
            let Some(received) = sockets.receive(path.into(), moment, buffer) else { break };
            let (from, arrived, bytes) = (received.from, received.arrived, received.bytes);
            media.handle_datagram(Datagram { path, from, arrived, bytes }, out);
        }
    }
}

/// The moment of a tick, as media counts it.
pub(super) fn at(moment: &Moment) -> media::Moment {
    let seconds = moment.wall.as_secs().wrapping_add(NTP_EPOCH_S) << 32;
    let fraction = (u64::from(moment.wall.subsec_nanos()) << 32) / 1_000_000_000;
    media::Moment { now: moment.now, ntp: seconds | fraction }
}

/// Where a place's media puts what it gives.
struct Outlet<'a> {
    place: Place,
    call: CallId,
    sockets: &'a RtpSockets,
    heard: &'a mut Producer<HeardFrame>,
    handshake: &'a mut Producer<HandshakeDatagram>,
    tap: Option<&'a mut Producer<TapFrame>>,
    observed: Option<&'a mut Producer<TapFrame>>,
    tick: u32,
    events: &'a mut Producer<AudioEvent>,
    shared: &'a Shared,
    told: Told,
}

/// What a peer could have us tell with each of its datagrams is told once a tick: the ring is
/// everybody's.
#[derive(Debug, Default)]
struct Told {
    has_news: bool,
    ssrc_changed: bool,
    peer_left: bool,
}

impl Told {
    fn is_repeated(&mut self, event: &MediaEvent) -> bool {
        let told = match event {
            MediaEvent::SsrcChanged => &mut self.ssrc_changed,
            MediaEvent::PeerLeft => &mut self.peer_left,
            _ => return false,
        };
        std::mem::replace(told, true)
    }
}

impl Outlet<'_> {
    /// The end of an utterance is never lost: without room it stays where it is.
    fn tell_end(&mut self, untold: &mut Option<AudioEventKind>) {
        if !self.events.is_full()
            && let Some(ended) = untold.take()
        {
            self.tell(ended);
        }
    }

    fn tell(&mut self, kind: AudioEventKind) {
        self.told.has_news = true;
        let event = AudioEvent { place: self.place, call: self.call, kind };
        if self.events.push(event).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Sink for Outlet<'_> {
    fn datagram(&mut self, path: Path, to: SocketAddr, bytes: &[u8]) {
        // What cannot be sent is lost, as on any network.
        let _ = self.sockets.send(path.into(), to, bytes);
    }

    fn heard(&mut self, frame: &HeardFrame) {
        if self.heard.push(*frame).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn passed(&mut self, heard: &Frame, said: &Frame) {
        let frame = TapFrame { call: self.call, tick: self.tick, heard: *heard, said: *said };
        if self.tap.as_mut().is_some_and(|tap| tap.push(frame).is_err()) {
            self.shared.untapped.fetch_add(1, Ordering::Relaxed);
        }
        if self.observed.as_mut().is_some_and(|observed| observed.push(frame).is_err()) {
            self.shared.unobserved.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn handshake(&mut self, datagram: &Datagram<'_>, is_known: bool) {
        // A stranger's flood leaves room for who is there already, and one of hellos for the checks by which a
        // peer first shows itself.
        let is_check = datagram.bytes.first().is_some_and(|first| *first < 4);
        let kept = match (is_known, is_check) {
            (true, _) => 0,
            (false, true) => limits::HANDSHAKE_DATAGRAMS_KNOWN,
            (false, false) => {
                limits::HANDSHAKE_DATAGRAMS_KNOWN + limits::HANDSHAKE_DATAGRAMS_CHECKS
            }
        };
        let has_room = self.handshake.slots() > kept;
        let is_taken = has_room
            && HandshakeDatagram::of(datagram).is_some_and(|d| self.handshake.push(d).is_ok());
        if !is_taken {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn heard_from(&mut self, from: SocketAddr) {
        self.tell(AudioEventKind::Alive { from });
    }

    fn event(&mut self, event: MediaEvent) {
        if !self.told.is_repeated(&event) {
            self.tell(AudioEventKind::Media(event));
        }
    }
}

#[cfg(test)]
mod tests;
