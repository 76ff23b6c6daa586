//! What is being said: from the conversation's wish to the end that it is told.
//!
//! ```text
//!  Going ─ pause ─▶ Falling (the fade) ─▶ Paused ─ resume ─▶ Going, under a new number
//!        ─ stop ──▶ Falling ─▶ gone                ─ stop ──▶ gone
//! ```
//!
//! The audio thread throws away sound by number, up to one: what goes on after that needs a higher
//! one. So an utterance has two: the conversation's, and that on the way to the caller.
//!
//! Invariant: every utterance that the conversation said ends for it in `Finished` or `Interrupted`.

use std::time::{Duration, Instant};

use super::{Floor, FloorOutput, Phase};
use crate::base::UtteranceId;
use crate::base::pcm::FRAME_MS;
use crate::call::ending::Cause;
use crate::call::record::CallRecord;
use crate::call::state::millis;
use crate::converse::{self, Purpose, Say, plain};
use crate::speak::PlayoutFrame;

/// Nobody hears an utterance, and begins to speak in answer, within this time; the way to the ear and
/// the detector's own delay are in it.
const JUST_BEGUN: Duration = Duration::from_millis(300);

/// Something that the conversation wants said and that has not ended.
#[derive(Debug)]
pub(super) struct Saying {
    /// The conversation's number.
    pub(super) utterance: UtteranceId,
    /// The number of its frames.
    pub(super) wire: UtteranceId,
    interruptible: bool,
    purpose: Purpose,
    /// The turn that it belongs to, counted from 0.
    turn: usize,
    /// Share of its text before the last sentence: where a question would begin.
    before_last: f32,
    /// That sentence is a question.
    asks: bool,
    /// Frames that were given to the ring under this number.
    frames: u32,
    /// Frames before those: it was stopped and went on.
    from: u32,
    /// Frames that the caller has heard.
    heard: u32,
    /// When the first frame under this number could be heard.
    audible: Option<Instant>,
    /// Its last frame has left.
    has_left: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Going,
    /// The audio thread is silencing it.
    Falling(Then),
    Paused,
}

/// What follows when the audio thread has silenced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Pause,
    GoOn,
    /// It would have had so many frames.
    End {
        whole: u32,
    },
}

impl Saying {
    pub(super) fn new(say: &Say, wire: UtteranceId, turn: usize) -> Self {
        let text = plain(say.text.reveal());
        Self {
            utterance: say.utterance,
            wire,
            interruptible: say.interruptible,
            purpose: say.purpose,
            turn,
            before_last: before_last_sentence(&text),
            asks: text.trim_end().ends_with('?'),
            frames: 0,
            from: 0,
            heard: 0,
            audible: None,
            has_left: false,
            state: State::Going,
        }
    }

    /// For somebody who speaks in our place it ends here, whoever may interrupt it. What it would have been in all
    /// is `whole` frames. `None`: nothing of it is on the way to the caller; gives what was heard of it.
    fn give_way(mut self, whole: u32) -> Result<Self, converse::Input> {
        match self.state {
            State::Paused => Err(self.interrupted(whole)),
            State::Going if self.frames == 0 => Err(self.interrupted(whole)),
            State::Falling(Then::End { .. }) => Ok(self),
            State::Going | State::Falling(Then::Pause | Then::GoOn) => {
                self.state = State::Falling(Then::End { whole });
                Ok(self)
            }
        }
    }

    pub(super) fn is_greeting(&self) -> bool {
        self.purpose == Purpose::Greeting
    }

    pub(super) fn is_going_on(&self) -> bool {
        self.state == State::Going
    }

    /// All of it has left, and it is not being stopped.
    pub(super) fn has_left(&self) -> bool {
        self.has_left && self.is_going_on()
    }

    /// The caller hears it.
    pub(super) fn is_audible(&self) -> bool {
        self.is_going_on() && self.audible.is_some()
    }

    /// The caller hears it, or has just heard it.
    pub(super) fn is_under_way(&self) -> bool {
        self.frames > 0 || self.state != State::Going
    }

    /// Its last sentence is a question, whatever answers the conversation expects.
    pub(super) fn asks(&self) -> bool {
        self.asks && self.purpose != Purpose::Greeting
    }

    /// It has begun so lately that what the caller begins to say now is no answer to it.
    pub(super) fn has_just_begun(&self, now: Instant) -> bool {
        let since = |at| now.saturating_duration_since(at);
        self.purpose != Purpose::Greeting
            && self.from == 0
            && self.audible.is_none_or(|at| since(at) < JUST_BEGUN)
    }

    /// It waits for the caller, or will as soon as it is silent.
    fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused | State::Falling(Then::Pause | Then::GoOn))
    }

    fn is_protected(&self) -> bool {
        !self.interruptible && self.state == State::Going
    }

    /// Whether the last sentence has been begun, of so many frames in all.
    pub(super) fn has_begun_question(&self, now: Instant, whole: Option<u32>) -> bool {
        let (Some(audible), Some(whole)) = (self.audible, whole) else { return false };
        let since = millis(now.saturating_duration_since(audible)) / FRAME_MS as u32;
        let heard = self.from + since.min(self.frames);
        heard as f32 >= self.before_last * whole as f32
    }

    /// The audio thread has played so many frames under this number.
    fn has_played(&mut self, frames: u32) {
        self.heard = self.heard.max(self.from + frames);
    }

    fn interrupted(&self, whole: u32) -> converse::Input {
        let heard_fraction = self.heard_fraction(whole);
        converse::Input::Interrupted { utterance: self.utterance, heard_fraction }
    }

    fn heard_part(&self, whole: u32) -> converse::Input {
        let heard_fraction = self.heard_fraction(whole);
        converse::Input::HeardPart { utterance: self.utterance, heard_fraction }
    }

    /// Of so many frames.
    fn heard_fraction(&self, whole: u32) -> f32 {
        (self.heard as f32 / whole.max(1) as f32).min(1.0)
    }
}

/// Share of the characters before the last sentence with a word in it.
fn before_last_sentence(text: &str) -> f32 {
    let text = text.trim_end();
    let body = text.trim_end_matches(['.', '!', '?', '…']);
    let at = body.rfind(['.', '!', '?', '…']).map_or(0, |at| at + 1);
    at as f32 / text.len().max(1) as f32
}

impl Floor {
    /// Frames flow while the floor is open, and not while the peer holds us.
    pub(in crate::call) fn next_frame(&mut self, now: Instant) -> Option<PlayoutFrame> {
        let frame = match self.phase {
            Phase::Open { .. } if self.is_with_agent() => return self.agent_frame(now),
            Phase::Open { .. } => match self.voice.next_frame() {
                Some(frame) => frame,
                None => {
                    let tone = self.taking.as_mut().and_then(|taking| taking.tone());
                    return tone.or_else(|| self.waited());
                }
            },
            Phase::Joined => return self.relayed(),
            Phase::Waiting { .. } | Phase::Held { .. } | Phase::Closed => return None,
        };
        if let Some(saying) = self.spoken.iter_mut().find(|s| s.wire == frame.utterance) {
            saying.frames += 1;
            saying.has_left = frame.last;
            if let Some(reply) = &mut self.awaited_reply
                && reply.utterance == saying.utterance
                && let Some(moments) = &mut reply.moments
            {
                moments.left(now);
            }
        }
        Some(frame)
    }

    pub(in crate::call) fn finished(&mut self, now: Instant, wire: UtteranceId) {
        if self.agent_has_left(wire) {
            return self.out.push_back(FloorOutput::HangUp(Cause::Goodbye));
        }
        self.voice.finished(wire);
        if let Some(taking) = &mut self.taking {
            taking.finished(now, wire);
            self.watch_tape();
        }
        if let Some(index) = self.spoken.iter().position(|s| s.wire == wire) {
            let utterance = self.spoken.remove(index).utterance;
            self.converse(now, converse::Input::Finished { utterance });
        }
    }

    /// The audio thread has thrown away everything up to `through`; of one utterance of it so many
    /// frames had been played, of the others none.
    pub(in crate::call) fn silenced(
        &mut self,
        now: Instant,
        through: UtteranceId,
        played: (UtteranceId, u32),
    ) {
        self.agent_silenced(played);
        let mut goes_on = false;
        for mut saying in std::mem::take(&mut self.spoken) {
            if saying.wire > through || saying.state == State::Paused {
                self.spoken.push(saying);
                continue;
            }
            saying.has_played(if saying.wire == played.0 { played.1 } else { 0 });
            match saying.state {
                State::Falling(Then::Pause | Then::GoOn) => {
                    goes_on |= saying.state == State::Falling(Then::GoOn);
                    saying.state = State::Paused;
                    let whole = self.voice.length(saying.wire).unwrap_or(u32::MAX);
                    self.unheard.push_back(saying.heard_part(whole));
                    self.spoken.push(saying);
                }
                State::Falling(Then::End { whole }) => {
                    self.unheard.push_back(saying.interrupted(whole));
                }
                State::Going | State::Paused => {
                    let whole = self.voice.length(saying.wire).unwrap_or(saying.frames);
                    self.voice.stop(saying.wire);
                    self.unheard.push_back(saying.interrupted(whole));
                }
            }
        }
        if goes_on {
            self.resume_all();
        }
        self.tell_unheard(now);
    }

    /// An utterance has become audible: the end of a gap. Gives the turn that it replies to.
    pub(in crate::call) fn audible(
        &mut self,
        record: &mut CallRecord,
        wire: UtteranceId,
        at: Instant,
    ) -> Option<usize> {
        if self.is_with_agent() {
            return self.agent_audible(record, wire, at);
        }
        let saying = self.spoken.iter_mut().find(|s| s.wire == wire)?;
        saying.audible = Some(at);
        let utterance = saying.utterance;
        if let Phase::Open { since } = self.phase
            && saying.purpose == Purpose::Greeting
            && record.greeting_delay_ms.is_none()
        {
            record.greeting_delay_ms = Some(millis(at.saturating_duration_since(since)));
        }
        let reply = self.awaited_reply.take_if(|reply| reply.utterance == utterance)?;
        let (gap_ms, latency) = reply.moments?.audible(at);
        let turn = record.turn_mut(reply.turn)?;
        (turn.gap_ms, turn.latency) = (Some(gap_ms), Some(latency));
        Some(reply.turn)
    }

    /// While somebody else speaks in our place it is kept until the conversation goes on.
    pub(super) fn tell_unheard(&mut self, now: Instant) {
        while self.phase != Phase::Joined
            && let Some(input) = self.unheard.pop_front()
        {
            self.converse(now, input);
        }
    }

    /// What comes after something that is paused waits with it.
    pub(super) fn say_after_all(&mut self, mut saying: Saying) {
        if saying.interruptible && self.spoken.iter().any(Saying::is_paused) {
            self.voice.pause(saying.wire);
            saying.state = State::Paused;
        }
        self.spoken.push(saying);
    }

    /// The caller has taken the floor, perhaps: silence, from which we can go on. What may not be
    /// interrupted protects what follows it, too: silencing is always up to an utterance.
    pub(super) fn pause_all(&mut self) {
        let mut through = None;
        for saying in self.spoken.iter_mut().take_while(|saying| !saying.is_protected()) {
            if saying.state == State::Falling(Then::GoOn) {
                saying.state = State::Falling(Then::Pause);
            }
            if saying.state != State::Going {
                continue;
            }
            self.voice.pause(saying.wire);
            if saying.frames > 0 {
                saying.state = State::Falling(Then::Pause);
                through = Some(saying.wire);
            } else {
                saying.state = State::Paused;
            }
        }
        self.out.extend(through.map(FloorOutput::Silence));
    }

    /// The caller did not mean it: everything goes on where it was, in its order, as soon as it is silent.
    pub(super) fn resume_all(&mut self) {
        let mut is_falling = false;
        for saying in &mut self.spoken {
            if matches!(saying.state, State::Falling(Then::Pause | Then::GoOn)) {
                saying.state = State::Falling(Then::GoOn);
                is_falling = true;
            }
        }
        if is_falling {
            return;
        }
        let (paused, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.spoken).into_iter().partition(|s| s.state == State::Paused);
        self.spoken = others;
        for mut saying in paused {
            self.last_wire = self.last_wire.next();
            match self.voice.resume(saying.wire, self.last_wire, saying.heard) {
                Some(from) => {
                    saying.wire = self.last_wire;
                    (saying.from, saying.frames, saying.audible) = (from, 0, None);
                    saying.state = State::Going;
                    self.spoken.push(saying);
                }
                None => self.unheard.push_back(saying.interrupted(saying.heard)),
            }
        }
    }

    /// The caller has taken the floor.
    pub(super) fn stop_all(&mut self) {
        self.stop_where(|_| true);
    }

    /// What was paused does not go on.
    pub(super) fn stop_paused(&mut self) {
        self.stop_where(Saying::is_paused);
    }

    /// Somebody speaks in our place: everything ends, and what was heard of it is told when it is known.
    pub(super) fn give_way_all(&mut self) {
        for saying in std::mem::take(&mut self.spoken) {
            let (wire, turn) = (saying.wire, saying.turn);
            let whole = self.voice.length(wire).unwrap_or(saying.from + saying.frames);
            self.voice.stop(wire);
            match saying.give_way(whole) {
                Ok(falling) => self.spoken.push(falling),
                Err(ended) => self.unheard.push_back(ended),
            }
            self.out.push_back(FloorOutput::Interrupted { turn });
        }
    }

    fn stop_where(&mut self, is_meant: impl Fn(&Saying) -> bool) {
        let meant = self.spoken.iter().filter(|s| s.interruptible && is_meant(s));
        let all: Vec<(UtteranceId, usize)> = meant.map(|s| (s.utterance, s.turn)).collect();
        for (utterance, turn) in all {
            if self.stop(utterance) {
                self.out.push_back(FloorOutput::Interrupted { turn });
            }
        }
    }

    /// Ends an utterance for good. False if it goes on, being protected by one before it, or has
    /// been ended already.
    pub(super) fn stop(&mut self, utterance: UtteranceId) -> bool {
        let Some(index) = self.spoken.iter().position(|s| s.utterance == utterance) else {
            return false;
        };
        let is_protected = self.spoken.iter().take(index).any(Saying::is_protected);
        let Some(saying) = self.spoken.get_mut(index) else { return false };
        let is_going_on = saying.is_going_on();
        if is_protected && is_going_on || matches!(saying.state, State::Falling(Then::End { .. })) {
            return false;
        }
        let wire = saying.wire;
        let whole = self.voice.length(wire).unwrap_or(saying.from + saying.frames);
        self.voice.stop(wire);
        if saying.state == State::Paused || is_going_on && saying.frames == 0 {
            let ended = self.spoken.remove(index);
            self.unheard.push_back(ended.interrupted(whole));
            return true;
        }
        saying.state = State::Falling(Then::End { whole });
        if is_going_on {
            self.out.push_back(FloorOutput::Silence(wire));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::before_last_sentence;

    #[test]
    fn a_question_is_the_last_sentence() {
        for (text, expected) in [
            ("We are open. Anything else?", "We are open."),
            ("Is it 8.30?!", "Is it 8."),
            ("Tell me your number.", ""),
            ("", ""),
        ] {
            let share = before_last_sentence(text);
            assert!((share - expected.len() as f32 / text.len().max(1) as f32).abs() < 1e-6);
        }
    }
}
