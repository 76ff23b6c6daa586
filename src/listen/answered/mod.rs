//! Who answered a call that we made, and what the network says until somebody does.
//!
//! ```text
//!               ┌▶ Cadence ──────────────▶ ringback, busy, congestion
//!  frame ─▶ ToneMeter ─▶ Steady ─┬───────▶ special information tones, fax
//!                                └▶ Beeps ▶ a machine's beep
//!  VAD score ─▶ before the answer: an announcement; after it: Greeting ─▶ person, machine
//!  words, where there are any ───────────▶ person, machine, screening
//! ```
//!
//! One [`Answered`] listens to one call: from its early media on, and after [`Answered::connect`] for who
//! took it. A verdict may change: it rings after the answer where a network answers for the telephone,
//! a "person" beeps, and a machine hangs up with a busy tone. Before the answer no recogniser is paid
//! for, so no verdict needs words. Frames come without holes, every 20 ms, as the media plane makes them;
//! nothing here allocates for a frame.

mod beep;
mod cadence;
mod campaign;
mod greeting;
#[cfg(test)]
mod sound;
mod special;
mod steady;
#[cfg(test)]
mod tests;
mod tones;
mod words;

use std::time::Instant;

pub use beep::Beep;
pub use campaign::{Campaign, Known, OnMachine, OnScreening, Step};

use crate::base::pcm::{FRAME_MS, Frame};
use crate::listen::VadScore;
use beep::Beeps;
use cadence::{Cadence, Signal};
use greeting::{Greeting, Manner};
use special::SpecialInformation;
use steady::Steady;
use tones::{Sounding, ToneMeter};

/// Speech that makes early media an announcement: 0.6 s, longer than any chirp at a network's border.
const ANNOUNCEMENT_FRAMES: u32 = 30;
/// What makes silence no longer one: more than a click of 0.1 s.
const CLICK_FRAMES: u32 = 5;
/// Speech after which a beep is one, and a fax machine's calling tone may be a beep: 0.3 s.
const SPOKEN_FRAMES: u32 = 15;

/// What is known of the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The telephone rings.
    Ringback,
    /// Who is called is in another call.
    Busy,
    /// The network has no way, or who was called has hung up.
    Congestion,
    /// Three tones that say: the call cannot be put through.
    SpecialInformation,
    /// A tone without an end: a dial tone, or a number that does not exist.
    Continuous,
    /// Somebody speaks before the call is answered.
    Announcement,
    /// Nothing was heard. Before the answer, or after it.
    Silence,
    Person,
    /// An answering machine, a mailbox, a menu.
    Machine,
    /// A telephone that asks who calls before it rings.
    Screening,
    /// A fax machine or a modem.
    Fax,
}

impl Verdict {
    /// A word for logs, metrics and the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ringback => "ringback",
            Self::Busy => "busy",
            Self::Congestion => "congestion",
            Self::SpecialInformation => "special-information",
            Self::Continuous => "continuous-tone",
            Self::Announcement => "announcement",
            Self::Silence => "silence",
            Self::Person => "person",
            Self::Machine => "machine",
            Self::Screening => "screening",
            Self::Fax => "fax",
        }
    }
}

/// Thresholds of the greeting, in milliseconds; why they are what they are says `make bench`'s
/// part `answered`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Score from which a frame counts as speech, 0 to 1.
    pub speech_threshold: f32,
    /// A greeting up to this length is short: "Hello?", a name, a firm's name.
    pub short_ms: u64,
    /// Quiet after a short greeting that makes it a person, 0.1 s after it. People who answer are spoken to
    /// after half a second; within a machine's greeting a longer pause than this stands only between
    /// sentences.
    pub quiet_ms: u64,
    /// The same after a longer greeting, which may be a machine's first sentence.
    pub quiet_after_more_ms: u64,
    /// Who goes on for so long is a machine.
    pub long_ms: u64,
    /// Nothing heard for so long is silence: people speak within two seconds.
    pub silence_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            speech_threshold: 0.5,
            short_ms: 1_600,
            quiet_ms: 600,
            quiet_after_more_ms: 900,
            long_ms: 3_200,
            silence_ms: 3_500,
        }
    }
}

/// Frames after which a tone is known to be one, and until then a voice may be.
const TONE_KNOWN: u32 = 6;
/// Frames for which the voice detector goes on hearing a tone's end as a voice, in noise.
const TONE_ECHO: u32 = 8;

/// Tells speech from tones that the voice detector, in noise, takes for a voice: 0.1 s late, so that a
/// tone's begin is known for what it is.
#[derive(Debug, Default)]
struct Voice {
    /// The last frames, the newest in the lowest bit.
    recent: u32,
    after_tone: u32,
}

impl Voice {
    /// Whether the frame of 0.1 s ago was speech. RT safe.
    fn frame(&mut self, may_be_speech: bool, is_held: bool) -> bool {
        self.after_tone = if is_held { TONE_ECHO } else { self.after_tone.saturating_sub(1) };
        self.recent = self.recent << 1 | u32::from(may_be_speech && self.after_tone == 0);
        if is_held {
            self.recent = 0;
        }
        self.recent >> (TONE_KNOWN - 1) & 1 == 1
    }
}

/// How far the call has come.
#[derive(Debug)]
enum Phase {
    /// Frames of speech, and of speech or tones, so far.
    Early { speech: u32, sound: u32 },
    Connected {
        greeting: Greeting,
        speech: u32,
        rings: u32,
        /// It rang after the answer.
        has_rung: bool,
    },
}

/// Listens to one call.
pub struct Answered {
    settings: Settings,
    meter: ToneMeter,
    cadence: Cadence,
    steady: Steady,
    special: SpecialInformation,
    beeps: Beeps,
    voice: Voice,
    phase: Phase,
    /// Frames since the begin of the phase.
    frames: u32,
    verdict: Option<Verdict>,
    beep: Option<Beep>,
}

impl Answered {
    /// Of a call that is not answered yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            meter: ToneMeter::new(),
            cadence: Cadence::new(),
            steady: Steady::new(),
            special: SpecialInformation::new(),
            beeps: Beeps::new(),
            voice: Voice::default(),
            phase: Phase::Early { speech: 0, sound: 0 },
            frames: 0,
            verdict: None,
            beep: None,
        }
    }

    /// The call is answered, as far as signalling says. What was heard before tells nothing any more.
    pub fn connect(&mut self) {
        if matches!(self.phase, Phase::Early { .. }) {
            self.phase = Phase::Connected {
                greeting: Greeting::new(),
                speech: 0,
                rings: 0,
                has_rung: false,
            };
            self.frames = 0;
            self.verdict = None;
        }
    }

    /// Takes the next 20 ms, and returns the verdict when it has become another. RT safe.
    pub fn frame(&mut self, at: Instant, frame: &Frame, score: VadScore) -> Option<Verdict> {
        self.frames = self.frames.saturating_add(1);
        let sounding = self.meter.measure(frame);
        let ended = self.steady.frame(&sounding);
        let is_held = self.steady.current().is_some() || self.cadence.is_in_tone();
        let may_be_speech = score.speech >= self.settings.speech_threshold && !score.tonal;
        let is_speech = self.voice.frame(may_be_speech, is_held);
        let signal = self.cadence.frame(&sounding, may_be_speech);
        let is_special = self.special.frame(ended.as_ref(), &self.steady);
        let beep = self.beeps.frame(at, &sounding, is_speech, ended.as_ref(), &self.steady);
        let is_fax = |is_first| {
            special::is_fax(ended.as_ref(), &self.steady, is_first).then_some(Verdict::Fax)
        };
        let told = match &mut self.phase {
            Phase::Early { speech, sound } => {
                *speech += u32::from(is_speech);
                *sound += u32::from(is_speech || matches!(sounding, Sounding::Tone(_)));
                let is_silent = *sound <= CLICK_FRAMES
                    && u64::from(self.frames) * FRAME_MS == self.settings.silence_ms;
                let announced = *speech == ANNOUNCEMENT_FRAMES && is_speech;
                if signal.is_some() {
                    *speech = 0;
                }
                signal
                    .map(Verdict::from)
                    .or(is_special.then_some(Verdict::SpecialInformation))
                    .or(announced.then_some(Verdict::Announcement))
                    .or(is_silent.then_some(Verdict::Silence))
            }
            Phase::Connected { greeting, speech, rings, has_rung } => {
                *speech += u32::from(is_speech);
                let has_spoken = *speech >= SPOKEN_FRAMES;
                let signal = signal.filter(|signal| {
                    *rings += u32::from(*signal == Signal::Ringing);
                    // A single long tone after a greeting is a beep.
                    *signal != Signal::Ringing || !has_spoken || *rings > 1
                });
                if signal == Some(Signal::Ringing) {
                    greeting.restart();
                    (*speech, *has_rung) = (0, true);
                }
                if is_speech {
                    *rings = 0;
                }
                let manner = greeting.frame(&self.settings, is_speech);
                // The pause between two rings is nobody's silence.
                let manner = manner.filter(|manner| *manner != Manner::Silence || !*has_rung);
                // What hung up sounds busy, not like a beep.
                let has_hung_up = matches!(self.verdict, Some(Verdict::Busy | Verdict::Congestion));
                let beep = beep.filter(|_| has_spoken && !has_hung_up);
                if beep.is_some() {
                    greeting.settle();
                    self.beep = beep;
                }
                signal
                    .map(Verdict::from)
                    .or(is_special.then_some(Verdict::SpecialInformation))
                    .or(is_fax(!has_spoken))
                    .or(beep.map(|_| Verdict::Machine))
                    .or(manner.map(Verdict::from))
            }
        };
        self.tell(told?)
    }

    /// What the words so far say of who answered, where they say anything; after the answer only.
    /// Text may come late, or never.
    pub fn decide_with_text(&mut self, text: &str) -> Option<Verdict> {
        let Phase::Connected { greeting, .. } = &mut self.phase else { return None };
        let verdict = words::verdict(text)?;
        // "Yes" to our own question says nothing about who was taken for a machine by its length.
        let is_new =
            verdict != Verdict::Person || matches!(self.verdict, None | Some(Verdict::Silence));
        if !is_new {
            return None;
        }
        greeting.settle();
        self.tell(verdict)
    }

    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// The last beep after speech, once it is over.
    pub fn beep(&self) -> Option<Beep> {
        self.beep
    }

    fn tell(&mut self, verdict: Verdict) -> Option<Verdict> {
        let is_new = self.verdict != Some(verdict);
        self.verdict = Some(verdict);
        is_new.then_some(verdict)
    }
}

impl From<Signal> for Verdict {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Ringing => Self::Ringback,
            Signal::Busy => Self::Busy,
            Signal::Congestion => Self::Congestion,
            Signal::Continuous => Self::Continuous,
        }
    }
}

impl From<Manner> for Verdict {
    fn from(manner: Manner) -> Self {
        match manner {
            Manner::Person => Self::Person,
            Manner::Machine => Self::Machine,
            Manner::Silence => Self::Silence,
        }
    }
}
