//! A handset's sound, 20 ms at a time: what is played, what is heard, and what the card does meanwhile.
//!
//! ```text
//!  call ─ RTP, loopback ─▶ frames ─┐
//!  announcement, bell, beep ───────┴▶ ToCard ─▶ loudspeaker
//!                                       │ hands-free: Canceller
//!  call ◀─ RTP, loopback ◀───────────── FromCard ◀─ microphone
//! ```
//!
//! The tick is the box's own, never a card's: a card that does not pace, or is not there, changes nothing for the call.
//! Nothing here waits for a card; what it loses is counted, and a card that is gone is opened again.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtrb::Consumer;

use super::card::{Cards, Fault, Sink, Source};
use super::echo::Canceller;
use super::rate::{Follower, FromCard, ToCard};
use super::shared::{Shared, Side};
use super::tone::{Cadence, Sounding, Tone};
use crate::base::limits;
use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::websocket::Line;

/// What waits in a microphone's buffer between two ticks, in milliseconds: a period may come late by a tick.
const WAITING_MS: f64 = 25.0;
/// What a loudspeaker's buffer holds after a tick: two of them, so that one may come late.
const QUEUED_MS: f64 = 45.0;
/// Farther than this from where it should be it is not steered back but begun anew: a thread that slept for long.
const LOST_MS: f64 = 80.0;
/// Largest datagram of a call's: 20 ms of L16 with its head is 652 bytes.
const DATAGRAM: usize = 1_500;

/// What a handset is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub name: String,
    pub microphone: String,
    pub loudspeaker: String,
    /// Where it rings and speaks of who calls; `None`: as it speaks otherwise.
    pub bell: Option<String>,
    pub is_hands_free: bool,
    pub cadence: Cadence,
    /// Of the bell, 0 to 1.
    pub volume: f32,
}

/// What the net thread wants.
pub enum Order {
    Ring,
    /// Somebody else calls while there is a call.
    Knock,
    /// A call: its sound goes over this socket, to and from this port on loopback.
    Talk(Box<Talk>),
    /// No call and no bell any more.
    Rest,
    /// What is being announced is not to be heard to its end.
    Hush,
}

/// By its name alone: a call's sound is private.
impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ring => "Ring",
            Self::Knock => "Knock",
            Self::Talk(_) => "Talk",
            Self::Rest => "Rest",
            Self::Hush => "Hush",
        })
    }
}

/// The sound of a call.
pub struct Talk {
    pub socket: UdpSocket,
    pub line: Line,
    /// Of the call's media; `None` until it is known.
    pub port: Option<u16>,
    /// It was answered by nobody: a beep tells.
    pub beeps: bool,
}

struct Microphone {
    source: Box<dyn Source>,
    from: FromCard,
    follower: Follower,
    samples: Vec<i16>,
}

struct Loudspeaker {
    sink: Box<dyn Sink>,
    to: ToCard,
    follower: Follower,
}

/// One device by its name, open or not.
struct Device<T> {
    name: String,
    open: Option<T>,
    /// When it is to be tried again.
    again: Option<Instant>,
}

enum Mode {
    Resting,
    Ringing(Sounding),
    Talking { talk: Box<Talk>, frames: VecDeque<Frame> },
}

/// See the module.
pub struct Station {
    settings: Settings,
    cards: Box<dyn Cards>,
    shared: Arc<Shared>,
    announced: Consumer<i16>,
    microphone: Device<Microphone>,
    loudspeaker: Device<Loudspeaker>,
    bell: Option<Device<Loudspeaker>>,
    canceller: Option<Canceller>,
    mode: Mode,
    /// Heard over what is played otherwise.
    over: Option<Sounding>,
}

impl Station {
    pub fn new(
        settings: Settings,
        cards: Box<dyn Cards>,
        shared: Arc<Shared>,
        announced: Consumer<i16>,
    ) -> Self {
        Self {
            cards,
            shared,
            announced,
            microphone: Device::named(&settings.microphone),
            loudspeaker: Device::named(&settings.loudspeaker),
            bell: settings.bell.as_deref().map(Device::named),
            canceller: settings.is_hands_free.then(Canceller::new),
            mode: Mode::Resting,
            over: None,
            settings,
        }
    }

    pub fn order(&mut self, order: Order) {
        match order {
            Order::Ring => {
                let Settings { cadence, volume, .. } = self.settings;
                self.mode = Mode::Ringing(Sounding::new(Tone::Ring { cadence, volume }));
            }
            Order::Knock => self.over = Some(Sounding::new(Tone::Knock)),
            Order::Talk(talk) => {
                self.hush();
                self.over = talk.beeps.then(|| Sounding::new(Tone::Beep));
                // One in hand, for one that comes late by less than a tick.
                self.mode = Mode::Talking { talk, frames: VecDeque::from([Frame::SILENCE]) };
            }
            Order::Rest => (self.mode, self.over) = (Mode::Resting, None),
            Order::Hush => self.hush(),
        }
    }

    fn hush(&mut self) {
        let waiting = self.announced.slots();
        if let Ok(chunk) = self.announced.read_chunk(waiting) {
            chunk.commit_all();
        }
    }

    /// 20 ms.
    pub fn tick(&mut self, now: Instant) {
        self.open(now);
        self.receive(now);
        let (spoken, rung) = self.sound();
        if let Some(canceller) = &mut self.canceller {
            canceller.played(&spoken);
        }
        self.play(now, &spoken, rung.as_ref());
        let mut heard = self.listen(now);
        if let Some(canceller) = &mut self.canceller {
            canceller.heard(&mut heard);
        }
        self.send(&heard);
        self.tell(now);
    }

    /// What is to be heard: by whoever has the handset, and from its bell where that is another device which is there.
    fn sound(&mut self) -> (Frame, Option<Frame>) {
        let announced = self.announcement();
        let mut spoken = match &mut self.mode {
            Mode::Talking { frames, .. } => frames.pop_front().unwrap_or(Frame::SILENCE),
            Mode::Resting | Mode::Ringing(_) => Frame::SILENCE,
        };
        if let Some(over) = &mut self.over {
            match over.frame() {
                Some(tone) => mix(&mut spoken, &tone),
                None => self.over = None,
            }
        }
        let mut rung = match &mut self.mode {
            Mode::Ringing(sounding) => sounding.frame().unwrap_or(Frame::SILENCE),
            Mode::Resting | Mode::Talking { .. } => Frame::SILENCE,
        };
        if let Some(announced) = announced {
            // Who calls is to be understood beside the bell.
            rung.0.iter_mut().for_each(|sample| *sample /= 8);
            mix(&mut rung, &announced);
        }
        match self.bell.as_ref().and_then(|bell| bell.open.as_ref()) {
            Some(_) => (spoken, Some(rung)),
            None => {
                mix(&mut spoken, &rung);
                (spoken, None)
            }
        }
    }

    /// The next 20 ms of what is announced.
    fn announcement(&mut self) -> Option<Frame> {
        let waiting = self.announced.slots().min(FRAME_SAMPLES);
        let chunk = self.announced.read_chunk(waiting).ok().filter(|_| waiting > 0)?;
        let mut frame = Frame::SILENCE;
        frame.0.iter_mut().zip(chunk).for_each(|(to, from)| *to = from);
        Some(frame)
    }

    fn open(&mut self, now: Instant) {
        let Self { microphone, loudspeaker, bell, cards, shared, .. } = self;
        let speaker = |cards: &mut Box<dyn Cards>, name: &str| {
            let sink = cards.sink(name)?;
            let to = ToCard::new(sink.rate()).ok_or_else(no_rate)?;
            Ok(Loudspeaker { sink, to, follower: Follower::new(QUEUED_MS) })
        };
        microphone.open_again(now, cards, shared, Side::Microphone, |cards, name| {
            let source = cards.source(name)?;
            let from = FromCard::new(source.rate()).ok_or_else(no_rate)?;
            let samples = vec![0; 2 * from.needs() + 64];
            Ok(Microphone { source, from, follower: Follower::new(WAITING_MS), samples })
        });
        loudspeaker.open_again(now, cards, shared, Side::Loudspeaker, speaker);
        if let Some(bell) = bell {
            bell.open_again(now, cards, shared, Side::Bell, speaker);
        }
    }

    fn play(&mut self, now: Instant, spoken: &Frame, rung: Option<&Frame>) {
        let shared = &self.shared;
        self.loudspeaker.use_it(now, shared, Side::Loudspeaker, |it| play(it, spoken, shared));
        if let (Some(bell), Some(rung)) = (&mut self.bell, rung) {
            bell.use_it(now, shared, Side::Bell, |it| play(it, rung, shared));
        }
        if let Some(open) = &self.loudspeaker.open {
            shared.set_drift(Side::Loudspeaker, open.follower.drift_ppm());
        }
    }

    fn listen(&mut self, now: Instant) -> Frame {
        let shared = &self.shared;
        let heard = self.microphone.use_it(now, shared, Side::Microphone, listen);
        if let Some(open) = &self.microphone.open {
            shared.set_drift(Side::Microphone, open.follower.drift_ppm());
        }
        heard.unwrap_or(Frame::SILENCE)
    }

    /// Everything that the call has sent.
    fn receive(&mut self, now: Instant) {
        let Mode::Talking { talk, frames } = &mut self.mode else { return };
        let mut datagram = [0; DATAGRAM];
        for _ in 0..limits::RTP_DATAGRAMS_PER_TICK {
            let Ok((length, from)) = talk.socket.recv_from(&mut datagram) else { break };
            // Others on this machine could send there, too.
            if from.ip() != Ipv4Addr::LOCALHOST || talk.port.is_some_and(|port| port != from.port())
            {
                continue;
            }
            talk.line.hear(now, &datagram[..length], |frame| frames.push_back(frame));
        }
        while talk.line.poll_digit(now).is_some() {}
        while frames.len() > limits::HANDSET_FRAMES {
            frames.pop_front();
            self.shared.count_lost();
        }
    }

    fn send(&mut self, heard: &Frame) {
        let Mode::Talking { talk, .. } = &mut self.mode else { return };
        let datagram = talk.line.send(heard);
        if let Some(port) = talk.port {
            // A call that is over has no socket any more.
            let _ = talk.socket.send_to(&datagram, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
    }

    fn tell(&self, now: Instant) {
        self.shared.beat(now);
    }
}

impl<T> Device<T> {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), open: None, again: None }
    }

    /// Opens it, if it is time to try.
    fn open_again(
        &mut self,
        now: Instant,
        cards: &mut Box<dyn Cards>,
        shared: &Shared,
        side: Side,
        open: impl FnOnce(&mut Box<dyn Cards>, &str) -> Result<T, String>,
    ) {
        if self.open.is_some() || self.again.is_some_and(|at| now < at) {
            return;
        }
        match open(cards, &self.name) {
            Ok(opened) => {
                self.open = Some(opened);
                shared.is_there(side);
            }
            Err(why) => self.lose(now, shared, side, why),
        }
    }

    fn lose(&mut self, now: Instant, shared: &Shared, side: Side, why: String) {
        self.open = None;
        self.again = Some(now + limits::HANDSET_AGAIN);
        shared.is_gone(side, why);
    }

    fn use_it<R>(
        &mut self,
        now: Instant,
        shared: &Shared,
        side: Side,
        work: impl FnOnce(&mut T) -> Result<R, Fault>,
    ) -> Option<R> {
        match work(self.open.as_mut()?) {
            Ok(done) => Some(done),
            Err(Fault::Xrun) => {
                shared.count_xrun(side);
                None
            }
            Err(Fault::Gone(why)) => {
                self.lose(now, shared, side, why);
                None
            }
        }
    }
}

/// Keeps what is queued where it should be: what has run empty gets silence first.
fn play(speaker: &mut Loudspeaker, frame: &Frame, shared: &Shared) -> Result<(), Fault> {
    let Loudspeaker { sink, to, follower } = speaker;
    let rate = f64::from(sink.rate()) / 1_000.0;
    let is_paced = sink.is_paced();
    if is_paced {
        let queued_ms = sink.queued()? as f64 / rate;
        if queued_ms < 1.0 {
            // So much that after this frame it is what it should be.
            let silence = ((QUEUED_MS - 20.0) * rate) as usize;
            sink.write(&vec![0; silence])?;
            follower.forget();
        } else if queued_ms > QUEUED_MS + LOST_MS {
            // Later is worse than not at all.
            shared.count_lost();
            return Ok(());
        }
    }
    let samples = to.samples(frame);
    let written = sink.write(samples)?;
    if written < samples.len() {
        shared.count_lost();
    }
    if is_paced {
        let queued_ms = sink.queued()? as f64 / rate;
        to.steer(follower.follow(queued_ms));
    }
    Ok(())
}

fn listen(microphone: &mut Microphone) -> Result<Frame, Fault> {
    let Microphone { source, from, follower, samples } = microphone;
    let rate = f64::from(source.rate()) / 1_000.0;
    let needs = from.needs().min(samples.len());
    if source.is_paced() {
        let mut waiting = source.waiting()?;
        // A thread that was away for long does not speak of the past.
        while waiting as f64 / rate > WAITING_MS + LOST_MS {
            let read = source.read(samples)?;
            follower.forget();
            if read == 0 {
                break;
            }
            waiting = waiting.saturating_sub(read);
        }
        if waiting < needs {
            return Ok(Frame::SILENCE);
        }
        from.steer(follower.follow((waiting - needs) as f64 / rate));
    }
    let read = source.read(&mut samples[..needs])?;
    Ok(from.frame(&samples[..read]))
}

fn mix(into: &mut Frame, other: &Frame) {
    into.0.iter_mut().zip(&other.0).for_each(|(to, from)| *to = to.saturating_add(*from));
}

fn no_rate() -> String {
    "its rate is none that can be used".to_owned()
}

/// A tick's length.
pub const TICK: Duration = Duration::from_millis(crate::base::pcm::FRAME_MS);
