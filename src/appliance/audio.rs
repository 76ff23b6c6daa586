//! The audio thread: every call's media, one tick of 20 ms after the other.
//!
//! ```text
//!  sleep to the deadline ─▶ commands ─▶ for each place: sockets ─▶ Media ─▶ sockets ─▶ wake the net thread
//! ```
//!
//! Invariant: after `spawn` the thread allocates nothing, takes no lock, writes no log, and makes no
//! system call but the sleep, datagram I/O and one wake-up write for each tick. Whatever must be
//! released (sockets) goes back to the net thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::{Consumer, Producer};

use super::realtime::{self, Clocks, Moment, Refusal};
use super::rings::{
    AudioCommand, AudioEvent, AudioEventKind, AudioPlace, AudioSide, Place, Shared, Waker,
};
use super::rtp_socket::{Channel, ReceiveBuffer, RtpSockets};
use crate::base::pcm::{FRAME_MS, Frame};
use crate::base::{CallId, Entropy, UtteranceId, limits};
use crate::call::media::{
    self, Datagram, HeardFrame, Media, MediaEvent, Path, Played, Playout, Sink, fade,
};
use crate::speak::PlayoutFrame;

/// One tick.
const TICK: Duration = Duration::from_millis(FRAME_MS);
/// A thread that was stopped for longer than this (suspend, debugger) starts over instead of
/// running after lost time.
const GIVE_UP: Duration = Duration::from_millis(500);
/// Ticks between two reports of a place.
const REPORT_TICKS: u32 = 50;
/// Frames over which a silenced utterance fades: 40 ms.
const FADE_FRAMES: u32 = 2;
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
    core: Option<usize>,
) -> io::Result<(AudioThread, Vec<Refusal>)> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let (refusals, told) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("audio".to_owned()).spawn(move || {
        let mut audio = Audio::new(side, settings, &mut entropy);
        // The receiver waits for this message and outlives it.
        let _ = refusals.send(realtime::become_real_time(core));
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

struct Audio {
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
        sockets: RtpSockets,
        voice: Voice,
        ticks: u32,
    },
    /// The media is over and the ring of events was full when it was to be told.
    Leaving {
        call: CallId,
        sockets: RtpSockets,
    },
}

impl Audio {
    fn new(side: AudioSide, settings: media::Settings, entropy: &mut Entropy) -> Self {
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

    fn run(&mut self, stop: &AtomicBool) {
        let clocks = Clocks::read();
        let mut deadline = Moment::read().now;
        while !stop.load(Ordering::Relaxed) {
            deadline += TICK;
            clocks.sleep_until(deadline);
            let moment = Moment::read();
            let lateness = moment.now.saturating_duration_since(deadline);
            if lateness > GIVE_UP {
                deadline = moment.now;
            }
            self.shared.lateness.record(lateness);
            self.shared.beats.fetch_add(1, Ordering::Relaxed);
            if self.tick(&moment) {
                self.wake.wake();
            }
        }
    }

    /// True when there is something for the net thread.
    fn tick(&mut self, moment: &Moment) -> bool {
        let mut busy = false;
        while let Ok(command) = self.commands.pop() {
            self.command(command, moment);
            busy = true;
        }
        for seat in &mut self.places {
            busy |= seat.tick(moment, &mut self.events, &self.shared, &mut self.buffer);
        }
        busy
    }

    fn command(&mut self, command: AudioCommand, moment: &Moment) {
        let place = match &command {
            AudioCommand::Start { place, .. }
            | AudioCommand::Apply { place, .. }
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
                events,
                shared,
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

    fn tick(
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
                    events,
                    shared,
                };
                receive(sockets, moment, buffer, &mut self.media, &mut out);
                let mut source = Source {
                    voice,
                    ring: &mut self.rings.playout,
                    silenced: &self.rings.silenced,
                    ended: None,
                };
                self.media.tick(at(moment), &mut source, &mut out);
                if let Some(ended) = source.ended {
                    out.tell(ended);
                }
                *ticks += 1;
                if *ticks % REPORT_TICKS == 0 {
                    out.tell(AudioEventKind::Report(self.media.report()));
                }
            }
        }
        true
    }
}

fn receive(
    sockets: &RtpSockets,
    moment: &Moment,
    buffer: &mut ReceiveBuffer,
    media: &mut Media,
    out: &mut Outlet<'_>,
) {
    for (channel, path) in [(Channel::Rtp, Path::Rtp), (Channel::Rtcp, Path::Rtcp)] {
        for _ in 0..limits::RTP_DATAGRAMS_PER_TICK {
            let Some(received) = sockets.receive(channel, moment, buffer) else { break };
            let (from, arrived, bytes) = (received.from, received.arrived, received.bytes);
            media.handle_datagram(Datagram { path, from, arrived, bytes }, out);
        }
    }
}

fn at(moment: &Moment) -> media::Moment {
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
    events: &'a mut Producer<AudioEvent>,
    shared: &'a Shared,
}

impl Outlet<'_> {
    fn tell(&mut self, kind: AudioEventKind) {
        let event = AudioEvent { place: self.place, call: self.call, kind };
        if self.events.push(event).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Sink for Outlet<'_> {
    fn datagram(&mut self, path: Path, to: SocketAddr, bytes: &[u8]) {
        let channel = match path {
            Path::Rtp => Channel::Rtp,
            Path::Rtcp => Channel::Rtcp,
        };
        // What cannot be sent is lost, as on any network.
        let _ = self.sockets.send(channel, to, bytes);
    }

    fn heard(&mut self, frame: &HeardFrame) {
        if self.heard.push(*frame).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn event(&mut self, event: MediaEvent) {
        self.tell(AudioEventKind::Media(event));
    }
}

/// How far the utterance that is being played has come.
#[derive(Debug, Default)]
struct Voice {
    speaking: Option<Speaking>,
}

#[derive(Clone, Copy, Debug)]
struct Speaking {
    utterance: UtteranceId,
    frames: u32,
    /// Frames of the fade that have been played.
    faded: u32,
}

/// The playout ring as a source of sound, with fade and silencing.
struct Source<'a> {
    voice: &'a mut Voice,
    ring: &'a mut Consumer<PlayoutFrame>,
    silenced: &'a AtomicU32,
    ended: Option<AudioEventKind>,
}

impl Playout for Source<'_> {
    fn next(&mut self, out: &mut Frame) -> Played {
        let silenced = UtteranceId(self.silenced.load(Ordering::Acquire));
        self.discard(silenced);
        match self.voice.speaking {
            Some(speaking) if speaking.utterance <= silenced => {
                self.fade_out(speaking, silenced, out)
            }
            // One tick tells of one end.
            _ if self.ended.is_some() => Played::Nothing,
            _ => self.speak(out),
        }
    }
}

impl Source<'_> {
    /// Throws away silenced frames, but for those that the fade still needs. Without a fade that
    /// tells of it later, the end is told now.
    fn discard(&mut self, silenced: UtteranceId) {
        let fading = self.voice.speaking.filter(|s| s.utterance <= silenced).map(|s| s.utterance);
        while let Ok(waiting) = self.ring.peek() {
            let utterance = waiting.utterance;
            if utterance > silenced || Some(utterance) == fading {
                return;
            }
            let _ = self.ring.pop();
            if fading.is_none() {
                let through = silenced;
                self.ended = Some(AudioEventKind::Silenced { through, utterance, frames: 0 });
            }
        }
    }

    fn speak(&mut self, out: &mut Frame) -> Played {
        let Ok(next) = self.ring.pop() else { return Played::Nothing };
        *out = next.frame;
        let frames = match self.voice.speaking {
            Some(speaking) if speaking.utterance == next.utterance => speaking.frames + 1,
            _ => 1,
        };
        self.voice.speaking = Some(Speaking { utterance: next.utterance, frames, faded: 0 });
        if next.last {
            self.voice.speaking = None;
            self.ended = Some(AudioEventKind::Finished { utterance: next.utterance });
        }
        Played::Voice(next.utterance)
    }

    fn fade_out(
        &mut self,
        mut speaking: Speaking,
        silenced: UtteranceId,
        out: &mut Frame,
    ) -> Played {
        let utterance = speaking.utterance;
        let own = self.ring.peek().ok().filter(|next| next.utterance == utterance).copied();
        if let Some(next) = own.filter(|_| speaking.faded < FADE_FRAMES) {
            let _ = self.ring.pop();
            *out = next.frame;
            let level = |done: u32| 1.0 - done as f32 / FADE_FRAMES as f32;
            fade(out, level(speaking.faded), level(speaking.faded + 1));
            speaking.faded += 1;
            speaking.frames += 1;
            self.voice.speaking = Some(speaking);
            return Played::Voice(utterance);
        }
        self.voice.speaking = None;
        self.discard(silenced);
        let (through, frames) = (silenced, speaking.frames);
        self.ended = Some(AudioEventKind::Silenced { through, utterance, frames });
        // The tick in which a fade ends belongs to the next utterance already, unless that ends
        // with it: one tick tells of one end.
        match self.ring.peek() {
            Ok(next) if !next.last => self.speak(out),
            _ => Played::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtrb::RingBuffer;

    fn frame(utterance: u32, last: bool) -> PlayoutFrame {
        let frame = Frame([1_000; crate::base::pcm::FRAME_SAMPLES]);
        PlayoutFrame { utterance: UtteranceId(utterance), frame, last }
    }

    struct Line {
        producer: Producer<PlayoutFrame>,
        ring: Consumer<PlayoutFrame>,
        voice: Voice,
        silenced: AtomicU32,
    }

    impl Line {
        fn with(frames: &[PlayoutFrame]) -> Self {
            let (mut producer, ring) = RingBuffer::new(16);
            frames.iter().for_each(|f| producer.push(*f).unwrap());
            Self { producer, ring, voice: Voice::default(), silenced: AtomicU32::new(0) }
        }

        fn tick(&mut self) -> (Played, i16, Option<AudioEventKind>) {
            let mut out = Frame::SILENCE;
            let mut source = Source {
                voice: &mut self.voice,
                ring: &mut self.ring,
                silenced: &self.silenced,
                ended: None,
            };
            let played = source.next(&mut out);
            (played, out.0[319], source.ended)
        }
    }

    #[test]
    fn an_utterance_is_finished_with_its_last_frame() {
        let mut line = Line::with(&[frame(1, false), frame(1, true)]);
        assert!(matches!(line.tick(), (Played::Voice(UtteranceId(1)), 1_000, None)));
        let (_, _, ended) = line.tick();
        assert!(matches!(ended, Some(AudioEventKind::Finished { utterance: UtteranceId(1) })));
        assert!(matches!(line.tick(), (Played::Nothing, 0, None)));
    }

    #[test]
    fn a_silenced_utterance_fades_within_40_ms_and_the_next_one_follows() {
        let mut frames = vec![frame(1, false); 8];
        frames.extend([frame(2, false), frame(2, true)]);
        let mut line = Line::with(&frames);
        line.tick();
        line.silenced.store(1, Ordering::Release);
        let (_, half, _) = line.tick();
        assert!((400..=600).contains(&half), "{half}");
        let (_, end, _) = line.tick();
        assert!(end.abs() < 20, "{end}");
        let (played, _, ended) = line.tick();
        assert_eq!(played, Played::Voice(UtteranceId(2)));
        assert!(matches!(
            ended,
            Some(AudioEventKind::Silenced { utterance: UtteranceId(1), frames: 3, .. })
        ));
    }

    #[test]
    fn frames_of_a_silenced_utterance_that_come_late_are_never_heard() {
        let mut line = Line::with(&[]);
        line.silenced.store(4, Ordering::Release);
        line.producer.push(frame(4, false)).unwrap();
        line.producer.push(frame(5, true)).unwrap();
        let (played, _, ended) = line.tick();
        assert_eq!(played, Played::Nothing);
        assert!(matches!(ended, Some(AudioEventKind::Silenced { frames: 0, .. })));
        let (played, _, ended) = line.tick();
        assert_eq!(played, Played::Voice(UtteranceId(5)));
        assert!(matches!(ended, Some(AudioEventKind::Finished { utterance: UtteranceId(5) })));
    }

    #[test]
    fn a_voice_that_ran_dry_is_silenced_without_a_fade() {
        let mut line = Line::with(&[frame(1, false)]);
        line.tick();
        line.silenced.store(1, Ordering::Release);
        let (played, _, ended) = line.tick();
        assert_eq!(played, Played::Nothing);
        assert!(matches!(ended, Some(AudioEventKind::Silenced { frames: 1, .. })));
    }

    #[test]
    fn wall_clock_time_becomes_ntp_time() {
        let moment = Moment { now: Moment::read().now, wall: Duration::new(1, 500_000_000) };
        assert_eq!(at(&moment).ntp, ((NTP_EPOCH_S + 1) << 32) | 0x8000_0000);
    }
}
