//! What of a call stands still, and what the caller gets in its place: nobody waits in a dead line.
//!
//! ```text
//!  packets come, no frame is heard ────────────────────────────▶ by keys
//!  an utterance has ended, no text ─▶ filler ─▶ filler ─▶ "I did not catch that" ─ again ─▶ by keys
//!  words are there, nothing is said ───────────────────────────▶ an offer of a message
//!  something is to be said, no sound ─▶ filler ─▶ apology ─ again ─▶ only what was rendered before
//!  what has left is never heard to its end ────────────────────▶ counts as unheard, and silence as the caller's
//! ```
//!
//! What follows is the conversation's own way: unanswered keys, offers and questions lead to a message or to goodbye. Each
//! stage that stands still is told once, to be counted. A model, the owner's system and a remote agent have times of their own.

use std::time::{Duration, Instant};

use super::{Floor, FloorOutput, Phase, Timer};
use crate::base::{UtteranceId, WorkId};
use crate::call::hearing::HearingOutput;
use crate::call::media::Origin;
use crate::converse;

/// Reports, one a second, with packets and without a frame of them.
const DEAF_REPORTS: u32 = 5;
/// After an utterance its text is there within this time, or the caller is asked to wait: several times what a decode
/// takes where a conversation can be held at all.
const TEXT_FILLER: Duration = Duration::from_secs(4);
/// Fillers before it is given up. Well within `limits::DECODE_TIMEOUT`, which is about an engine and not about a caller.
const TEXT_FILLERS: u32 = 2;
/// Texts in a row that never came, after which words are not waited for any more.
const TEXTS_LOST: u32 = 2;
/// Words are replied to within this time. The conversation's own prompts come sooner.
const REPLY_WITHIN: Duration = Duration::from_secs(15);
/// A voice begins within this time: ten times what a slow one takes.
const SOUND_FILLER: Duration = Duration::from_secs(3);
/// And after that a rendered sentence is said instead.
const SOUND_GIVEN_UP: Duration = Duration::from_secs(8);
/// Phrases in a row without a sound, after which only what is rendered is said, for so long.
const SOUNDS_LOST: u32 = 2;
const VOICE_AGAIN: Duration = Duration::from_secs(30);
/// After its last frame has left an utterance is heard to its end within this time: the ring holds half a second.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// A part of a call's way that may stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Packets come and no sound of them is heard.
    Hearing,
    /// The caller has spoken and no text of it comes.
    Words,
    /// Words were understood and nothing is said to them.
    Reply,
    /// Something is to be said and does not leave.
    Sound,
}

impl Stage {
    pub const ALL: [Self; 4] = [Self::Hearing, Self::Words, Self::Reply, Self::Sound];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hearing => "hearing",
            Self::Words => "words",
            Self::Reply => "reply",
            Self::Sound => "sound",
        }
    }
}

/// What is waited for in one call.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    /// Packets as of the last report, frames heard since, and reports in a row without one.
    received: u64,
    frames: u32,
    deaf_reports: u32,
    /// The end of the utterance whose text is awaited, and the fillers that were said.
    text: Option<(Instant, u32)>,
    texts_lost: u32,
    /// Words are not waited for.
    is_deaf: bool,
    /// The phrase whose sound is awaited, since when, and whether there was a filler.
    sound: Option<(WorkId, Instant, bool)>,
    sounds_lost: u32,
    /// Only what was rendered is said.
    is_mute: bool,
    /// The utterance whose end is awaited.
    unheard: Option<UtteranceId>,
}

impl Floor {
    /// To be called after each input: looks what is waited for, and until when.
    pub(in crate::call) fn watch(&mut self, now: Instant) {
        let is_open = matches!(self.phase, Phase::Open { .. }) && !self.is_with_agent();
        self.watch_text(is_open);
        self.watch_sound(now, is_open);
        self.watch_end(now, is_open);
    }

    /// One more second of the call's sound, with so many packets since its begin.
    pub(in crate::call) fn reported(&mut self, now: Instant, received: u64) {
        let stalls = &mut self.stalls;
        let has_come = received > std::mem::replace(&mut stalls.received, received);
        let is_heard = std::mem::take(&mut stalls.frames) > 0;
        let is_open = matches!(self.phase, Phase::Open { .. });
        stalls.deaf_reports = match has_come && !is_heard && is_open {
            true => stalls.deaf_reports.saturating_add(1),
            false => 0,
        };
        if stalls.deaf_reports == DEAF_REPORTS {
            self.stands_still(Stage::Hearing);
            self.go_by_keys(now);
        }
    }

    /// 20 ms of the caller's. There is a frame with every tick: only what packets have brought is heard, and a pause
    /// that they tell of is none of ours.
    pub(super) fn note_frame(&mut self, origin: Origin) {
        if matches!(origin, Origin::Received | Origin::Pause) {
            self.stalls.frames = self.stalls.frames.saturating_add(1);
        }
    }

    /// The conversation goes on after somebody else had the call: nothing is waited for, and the voice is tried again.
    pub(super) fn watch_anew(&mut self) {
        let Stalls { received, is_deaf, is_mute, .. } = self.stalls;
        // Words that are heard again end what the conversation was told of them.
        self.stalls = Stalls { received, is_deaf, ..Stalls::default() };
        if is_mute {
            // Before what was learnt of the engine since.
            self.unheard.push_front(converse::Input::SynthesizerBack);
        }
    }

    /// A turn has come with words, or without.
    pub(super) fn note_turn(&mut self, now: Instant, has_words: bool) {
        if !has_words {
            return;
        }
        self.stalls.texts_lost = 0;
        if std::mem::take(&mut self.stalls.is_deaf) {
            self.converse(now, converse::Input::QuietAgain);
        }
    }

    /// What was said to the words of a turn; `false`: nothing, so far.
    pub(super) fn note_reply(&mut self, now: Instant, is_said: bool) {
        match is_said {
            true => self.timers.cancel(Timer::Reply),
            false => self.timers.set(Timer::Reply, now + REPLY_WITHIN),
        }
    }

    /// The voice has made a sound.
    pub(super) fn note_sound(&mut self) {
        self.stalls.sounds_lost = 0;
    }

    pub(super) fn stall_timeout(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Text => self.text_is_late(now),
            Timer::Reply => self.reply_is_late(now),
            Timer::Sound => self.sound_is_late(now),
            Timer::Voice => {
                self.stalls.is_mute = false;
                self.converse(now, converse::Input::SynthesizerBack);
            }
            _ => self.end_is_late(now),
        }
    }

    fn watch_text(&mut self, is_open: bool) {
        match self.hearing.awaited_since().filter(|_| is_open) {
            Some(since) if self.stalls.text.is_some_and(|(of, _)| of == since) => (),
            Some(since) => {
                self.stalls.text = Some((since, 0));
                self.timers.set(Timer::Text, since + TEXT_FILLER);
            }
            None => {
                self.stalls.text = None;
                self.timers.cancel(Timer::Text);
            }
        }
    }

    fn text_is_late(&mut self, now: Instant) {
        let Some((since, fillers)) = self.stalls.text else { return };
        if fillers < TEXT_FILLERS {
            self.stalls.text = Some((since, fillers + 1));
            self.timers.set(Timer::Text, now + TEXT_FILLER);
            return self.converse(now, converse::Input::TextLate);
        }
        self.stalls.text = None;
        self.stands_still(Stage::Words);
        // Whose engine is known to be lost is told that, and waits for no words.
        let counts = self.conversation.hears_words();
        self.stalls.texts_lost += u32::from(counts);
        let is_lost = counts && self.stalls.texts_lost >= TEXTS_LOST;
        self.hearing.give_up(now);
        if is_lost {
            // What is said instead of asking for the words again.
            self.drop_hearing();
            return self.go_by_keys(now);
        }
        self.drain_hearing(now);
    }

    /// The utterance that was given up is no turn any more; what goes on is heard.
    fn drop_hearing(&mut self) {
        loop {
            match self.hearing.poll_output(&mut self.ids) {
                HearingOutput::Work(work) => self.out.push_back(FloorOutput::Work(work)),
                HearingOutput::Timeout(at) => return self.arm(Timer::Hearing, at),
                HearingOutput::Partial(text) => self.out.push_back(FloorOutput::Partial(text)),
                _ => (),
            }
        }
    }

    fn go_by_keys(&mut self, now: Instant) {
        if !self.is_with_agent() && self.conversation.hears_words() {
            self.stalls.is_deaf = true;
            self.open_turn = None;
            self.converse(now, converse::Input::Deaf);
        }
    }

    fn reply_is_late(&mut self, now: Instant) {
        let before = self.last_wire;
        self.converse(now, converse::Input::NoReply);
        if self.last_wire != before {
            self.stands_still(Stage::Reply);
        }
    }

    fn watch_sound(&mut self, now: Instant, is_open: bool) {
        let awaited = self.voice.starved_of().filter(|_| is_open);
        match (awaited, self.stalls.sound) {
            (Some(work), Some((of, ..))) if work == of => (),
            // The filler is heard.
            (_, Some((of, _, true))) if is_open && self.voice.awaits(of) => (),
            (Some(work), _) => {
                self.stalls.sound = Some((work, now, false));
                self.timers.set(Timer::Sound, now + SOUND_FILLER);
            }
            (None, _) => {
                self.stalls.sound = None;
                self.timers.cancel(Timer::Sound);
            }
        }
    }

    fn sound_is_late(&mut self, now: Instant) {
        let Some((work, since, is_filled)) = self.stalls.sound else { return };
        if !is_filled {
            self.stalls.sound = Some((work, since, true));
            self.timers.set(Timer::Sound, since + SOUND_GIVEN_UP);
            let filler = self.conversation.filler().to_owned();
            return self.voice.fill(work, &filler);
        }
        self.stalls.sound = None;
        if self.voice.starved_of() != Some(work) {
            return;
        }
        self.stands_still(Stage::Sound);
        self.voice.give_up(work);
        self.stalls.sounds_lost += 1;
        if self.stalls.sounds_lost >= SOUNDS_LOST && !self.stalls.is_mute {
            self.stalls.is_mute = true;
            self.timers.set(Timer::Voice, now + VOICE_AGAIN);
            self.converse(now, converse::Input::SynthesizerLost);
        }
    }

    fn watch_end(&mut self, now: Instant, is_open: bool) {
        let first = self.spoken.first().filter(|saying| is_open && saying.has_left());
        match first.map(|saying| saying.wire) {
            Some(wire) if self.stalls.unheard == Some(wire) => (),
            Some(wire) => {
                self.stalls.unheard = Some(wire);
                self.timers.set(Timer::Unheard, now + HEARD_WITHIN);
            }
            None => {
                self.stalls.unheard = None;
                self.timers.cancel(Timer::Unheard);
            }
        }
    }

    fn end_is_late(&mut self, now: Instant) {
        let Some(wire) = self.stalls.unheard.take() else { return };
        let Some(index) = self.spoken.iter().position(|saying| saying.wire == wire) else { return };
        self.stands_still(Stage::Sound);
        self.voice.finished(wire);
        let utterance = self.spoken.remove(index).utterance;
        self.converse(now, converse::Input::Interrupted { utterance, heard_fraction: 0.0 });
    }

    fn stands_still(&mut self, stage: Stage) {
        self.out.push_back(FloorOutput::Stalled(stage));
    }
}
