//! What the caller says: frames to guesses while it pauses, and to a turn when it has ended.
//!
//! ```text
//!  frame ─▶ Ear ─ Decode ─▶ engine ─ text ─▶ Assembly ─▶ Guess (a pause) | Turn (the end)
//!               ─ Closed ─▶ the text of the last decode is the turn's: mostly it is there already
//! ```
//!
//! While the caller speaks without a pause, the words so far are decoded now and then for whoever
//! looks on ([`Partials`]); nothing waits for them, and a decode that counts ends them.
//!
//! Invariant: each utterance of the ear ends in one `Turn` or `Nothing`, also when the engine fails.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use super::media::HeardFrame;
use super::state::millis;
use super::work::{Work, WorkIds, WorkResult};
use crate::base::{LanguageCode, Private, WorkId};
use crate::converse;
use crate::listen::{
    Assembly, Awaited, Completeness, DecodeWish, Ear, Evidence, Expectation, Guards, Heard, Hint,
    Input, Output, PartialText, Partials, Reading, SegmentId, Settings, Transcribe, Urgency, Word,
    transcript,
};

/// The caller's turn has ended.
#[derive(Debug)]
pub(super) struct HeardTurn {
    /// `None`: somebody spoke and was not understood.
    pub(super) words: Option<Words>,
    /// End of the last frame of speech.
    pub(super) spoke_until: Instant,
    /// Silence that was waited for.
    pub(super) endpoint_ms: u32,
    /// When the turn was taken as closed.
    pub(super) closed_at: Instant,
    /// It had no end, and what spoke goes on.
    pub(super) is_endless: bool,
}

#[derive(Debug)]
pub(super) struct Words {
    pub(super) speech: converse::Speech,
    pub(super) decode_ms: u32,
    pub(super) detected: Spoken,
}

/// Words have such pauses inside, before a "t" or a "k".
const SHORT_PAUSE_MS: u64 = 200;

/// The voice goes on rather than not.
const GOES_ON: f32 = 0.5;

/// A word that is rather right than wrong.
const LIKELY: f32 = 0.5;

impl Words {
    /// Most of them are, however unsure the whole.
    pub(super) fn are_likely(&self) -> bool {
        let words = &self.speech.words;
        2 * words.iter().filter(|word| word.confidence >= LIKELY).count() > words.len()
    }
}

/// The language that a text is in and how likely, where several were possible.
pub(super) type Spoken = Option<(LanguageCode, f32)>;

#[derive(Debug)]
pub(super) enum HearingOutput {
    /// Somebody speaks for sure.
    Speaking,
    /// The caller pauses and has said this so far; answer by [`Hearing::hint`].
    Guess(Words),
    /// The last guess is void: the caller goes on. What was said before a pause that matters is known if
    /// there was one.
    GoesOn {
        was_heard: bool,
        /// It was longer than those within words.
        is_pause: bool,
    },
    /// What the caller seems to have said so far; `None` once that is over.
    Partial(Option<PartialText>),
    /// What was kept from being taken for words of the utterance that ends here.
    Guarded(Guards),
    Turn(HeardTurn),
    /// It was no speech.
    Nothing,
    Work(Work),
    Timeout(Option<Instant>),
}

/// A decode that the engine works on.
#[derive(Debug)]
struct Asked {
    work: WorkId,
    segment: SegmentId,
    revision: u32,
    evidence: Evidence,
}

/// What comes beside a text.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    decode_ms: u32,
    detected: Spoken,
    /// As `Recognition::goes_on`.
    goes_on: Option<f32>,
}

/// An utterance that has ended and whose text may be missing.
#[derive(Debug)]
struct Closing {
    segment: SegmentId,
    spoke_until: Instant,
    closed_at: Instant,
}

/// The hearing of one call.
pub(super) struct Hearing {
    ear: Ear,
    assembly: Assembly,
    asked: Vec<Asked>,
    partials: Partials,
    /// The decode for a partial text, of which there is one at most.
    partial: Option<Asked>,
    /// A partial text has been given out and is not over.
    is_partial_shown: bool,
    /// Of the text that came last and counts.
    voice: Voice,
    /// What may be spoken next.
    languages: Vec<LanguageCode>,
    /// What the last guess was made from.
    guessed: Option<(SegmentId, u32)>,
    closing: Option<Closing>,
    /// Whatever is said is what was asked for.
    takes_dictation: bool,
    now: Option<Instant>,
    out: VecDeque<HearingOutput>,
}

impl fmt::Debug for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hearing({} decodes, {:?})", self.asked.len(), self.closing)
    }
}

impl Hearing {
    pub(super) fn new(settings: Settings, languages: Vec<LanguageCode>) -> Self {
        Self {
            partials: Partials::new(Duration::from_millis(settings.partial_every_ms)),
            partial: None,
            is_partial_shown: false,
            ear: Ear::new(settings),
            assembly: Assembly::default(),
            asked: Vec::new(),
            voice: Voice::default(),
            languages,
            guessed: None,
            closing: None,
            takes_dictation: false,
            now: None,
            out: VecDeque::new(),
        }
    }

    /// The languages of the next utterances.
    pub(super) fn listen_for(&mut self, languages: Vec<LanguageCode>) {
        self.languages = languages;
    }

    pub(super) fn frame(&mut self, now: Instant, heard: &HeardFrame) {
        let input = Input::Frame { frame: heard.frame, score: heard.score, lost: heard.is_lost() };
        self.now = Some(now);
        self.ear.handle(heard.at, input);
    }

    pub(super) fn expect(&mut self, now: Instant, awaited: converse::Awaited) {
        self.takes_dictation = awaited.answer == converse::Expectation::Text;
        let answer = match awaited.answer {
            converse::Expectation::Digits { .. } => Expectation::Digits,
            converse::Expectation::YesNo => Expectation::YesNo,
            converse::Expectation::Anything | converse::Expectation::Text => Expectation::Anything,
        };
        let awaited = Awaited { answer, patience: awaited.patience };
        self.ear.handle(now, Input::Expect(awaited));
    }

    /// What the conversation makes of the last guess.
    pub(super) fn hint(&mut self, now: Instant, thought: converse::Completeness) {
        let thought = match thought {
            converse::Completeness::Complete => Completeness::Complete,
            converse::Completeness::Probable => Completeness::Probable,
            converse::Completeness::Doubtful => Completeness::Doubtful,
            converse::Completeness::Unclear => Completeness::Unclear,
            converse::Completeness::Incomplete => Completeness::Incomplete,
            converse::Completeness::Unknown => Completeness::Unknown,
        };
        if let Some((segment, revision)) = self.guessed {
            self.now = Some(now);
            self.ear.handle(now, Input::Hint { segment, revision, thought });
        }
    }

    /// The caller speaks at this moment.
    pub(super) fn is_hearing_speech(&self) -> bool {
        self.ear.is_hearing_speech()
    }

    /// The same, and there is a voice in it, not only breath.
    pub(super) fn is_hearing_voice(&self) -> bool {
        self.ear.is_hearing_voice()
    }

    /// The engine's text for a decode.
    pub(super) fn text(&mut self, now: Instant, result: WorkResult) {
        let WorkResult::Text { id, recognition, decode_ms, detected } = result else { return };
        if let Some(Asked { segment, evidence, .. }) = self.partial.take_if(|p| p.work == id) {
            let reading = transcript::read(&recognition, Some(evidence));
            let heard = self.assembly.with(segment, &reading.heard);
            let text = self.partials.answered(now, &heard);
            return self.show_partial(text);
        }
        let evidence = self.asked.iter().find(|asked| asked.work == id).map(|a| a.evidence);
        let voice = Voice { decode_ms, detected, goes_on: recognition.goes_on };
        self.recognized(now, id, (transcript::read(&recognition, evidence), voice));
    }

    /// The engine could not decode it: speech that was not understood.
    pub(super) fn failed(&mut self, now: Instant, id: WorkId) {
        match self.partial.take_if(|partial| partial.work == id) {
            Some(_) => self.partials.dropped(now),
            None => self.recognized(now, id, (Reading::of(Heard::Unclear), Voice::default())),
        }
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        self.now = Some(now);
        self.ear.handle(now, Input::Timeout);
    }

    /// Since when an utterance is over whose text is missing, and nothing is said meanwhile.
    pub(super) fn awaited_since(&self) -> Option<Instant> {
        let closing = self.closing.as_ref().filter(|_| !self.ear.is_in_utterance());
        closing.map(|closing| closing.closed_at)
    }

    /// No text is waited for any more: speech that was not understood.
    pub(super) fn give_up(&mut self, now: Instant) {
        for asked in std::mem::take(&mut self.asked) {
            self.out.push_back(HearingOutput::Work(Work::Cancel { id: asked.work }));
            self.asked.push(asked);
        }
        while let Some(id) = self.asked.last().map(|asked| asked.work) {
            self.recognized(now, id, (Reading::of(Heard::Unclear), Voice::default()));
        }
    }

    /// The call is over.
    pub(super) fn close(&mut self) {
        self.ear.reset();
        self.assembly.clear();
        self.asked.clear();
        self.partial = None;
        self.partials.reset();
        self.closing = None;
        self.out.clear();
    }

    /// Drain until `Timeout`.
    pub(super) fn poll_output(&mut self, ids: &mut WorkIds) -> HearingOutput {
        loop {
            if let Some(output) = self.out.pop_front() {
                return output;
            }
            match self.ear.poll_output() {
                Output::SpeechStarted { .. } => return HearingOutput::Speaking,
                Output::Decode(request) => self.decode(ids, request),
                Output::Resumed { segment, pause_ms } => self.resumed(segment, pause_ms),
                // Its text is awaited like any other; the utterance goes on.
                Output::Cut { .. } => (),
                Output::Closed { segment, ended_at, is_endless, .. } => {
                    let (spoke_until, closed_at) = (ended_at, self.now.unwrap_or(ended_at));
                    let closing = Closing { segment, spoke_until, closed_at };
                    if is_endless {
                        self.give_endless(&closing);
                    } else {
                        self.closing = Some(closing);
                        self.finish();
                    }
                }
                Output::Dismissed { .. } => self.dismissed(),
                Output::Timeout(at) => {
                    return self.partial_work(ids).unwrap_or(HearingOutput::Timeout(at));
                }
            }
        }
    }

    fn decode(&mut self, ids: &mut WorkIds, request: Transcribe) {
        let Transcribe { segment, revision, audio, evidence } = request;
        self.drop_partial();
        self.drop_asked(|asked| asked.segment == segment);
        // The caller went on before the last utterance could be answered: it is one with this.
        self.closing = self.closing.take().filter(|closing| closing.segment == segment);
        self.assembly.decoding(segment, revision);
        let work = ids.allocate();
        self.asked.push(Asked { work, segment, revision, evidence });
        let work = self.transcribe(work, audio, Urgency::Turn);
        self.out.push_back(HearingOutput::Work(work));
    }

    pub(super) fn transcribe(&self, id: WorkId, audio: Vec<i16>, urgency: Urgency) -> Work {
        // Whoever holds the conversation knows what is likely to be said.
        let (languages, hint) = (self.languages.clone(), Hint::default());
        let wish = DecodeWish { languages, urgency, hint };
        Work::Transcribe { id, wish, audio: Private::new(audio) }
    }

    /// A decode of the words so far, if it is time for one.
    fn partial_work(&mut self, ids: &mut WorkIds) -> Option<HearingOutput> {
        let now = self.now.filter(|_| self.ear.is_hearing_speech())?;
        if !self.partials.is_due(now) {
            return None;
        }
        let Transcribe { segment, revision, audio, evidence } = self.ear.so_far()?;
        let work = ids.allocate();
        self.partials.asked(now);
        self.partial = Some(Asked { work, segment, revision, evidence });
        Some(HearingOutput::Work(self.transcribe(work, audio, Urgency::Partial)))
    }

    fn drop_partial(&mut self) {
        if let Some(partial) = self.partial.take() {
            self.out.push_back(HearingOutput::Work(Work::Cancel { id: partial.work }));
        }
        self.partials.withdrawn();
    }

    fn show_partial(&mut self, text: Option<PartialText>) {
        if text.is_some() {
            self.is_partial_shown = true;
            self.out.push_back(HearingOutput::Partial(text));
        }
    }

    /// The utterance is over, and with it what was told while it went on.
    fn end_partial(&mut self) {
        self.drop_partial();
        self.partials.reset();
        if std::mem::take(&mut self.is_partial_shown) {
            self.out.push_back(HearingOutput::Partial(None));
        }
    }

    fn resumed(&mut self, segment: SegmentId, pause_ms: u64) {
        self.drop_asked(|asked| asked.segment == segment);
        self.assembly.resumed(segment);
        let is_pause = pause_ms >= SHORT_PAUSE_MS;
        let was_heard = self.guessed.take().is_some() || !is_pause;
        self.out.push_back(HearingOutput::GoesOn { was_heard, is_pause });
    }

    /// A cough after an utterance whose text is still awaited changes nothing.
    fn dismissed(&mut self) {
        if self.closing.is_some() {
            return self.finish();
        }
        self.drop_asked(|_| true);
        self.assembly.clear();
        self.end_partial();
        self.out.push_back(HearingOutput::Nothing);
    }

    fn recognized(&mut self, now: Instant, id: WorkId, (reading, voice): (Reading, Voice)) {
        let Some(index) = self.asked.iter().position(|asked| asked.work == id) else { return };
        let Asked { segment, revision, .. } = self.asked.swap_remove(index);
        if !self.assembly.recognized(segment, revision, reading) {
            return;
        }
        self.voice = voice;
        self.now = Some(now);
        if self.closing.is_some() {
            return self.finish();
        }
        let Some((segment, revision, heard)) = self.assembly.text() else { return };
        if heard == Heard::Unclear {
            let goes_on = self.voice.goes_on.is_some_and(|goes_on| goes_on >= GOES_ON);
            let thought = match goes_on {
                true => Completeness::Doubtful,
                // Whoever dictates is not asked again for a part of it.
                false if self.takes_dictation => Completeness::Unknown,
                false => Completeness::Unclear,
            };
            self.ear.handle(now, Input::Hint { segment, revision, thought });
        }
        let partial = self.partials.hypothesis(&heard);
        self.show_partial(partial);
        if let Some(words) = self.words(heard) {
            self.guessed = Some((segment, revision));
            self.out.push_back(HearingOutput::Guess(words));
        }
    }

    /// Gives out the turn once all of its text is there. A caller who has gone on speaking
    /// meanwhile is not answered yet: it becomes one utterance, or turns out to be a cough.
    fn finish(&mut self) {
        if self.ear.is_in_utterance() {
            return;
        }
        let Some((_, _, heard)) = self.assembly.text() else { return };
        let Some(closing) = self.closing.take() else { return };
        let guards = self.assembly.guards();
        self.assembly.clear();
        self.end_partial();
        if !guards.is_empty() {
            self.out.push_back(HearingOutput::Guarded(guards));
        }
        self.guessed = None;
        if heard == Heard::Nothing {
            return self.out.push_back(HearingOutput::Nothing);
        }
        let words = self.words(heard);
        let Closing { spoke_until, closed_at, .. } = closing;
        let endpoint_ms = millis(closed_at.saturating_duration_since(spoke_until));
        let turn = HeardTurn { words, spoke_until, endpoint_ms, closed_at, is_endless: false };
        self.out.push_back(HearingOutput::Turn(turn));
    }

    /// What speaks goes on, so that nothing is waited for: the words of its earlier segments are all.
    fn give_endless(&mut self, closing: &Closing) {
        let heard = self.assembly.with(closing.segment, &Heard::Nothing);
        let guards = self.assembly.guards();
        if !guards.is_empty() {
            self.out.push_back(HearingOutput::Guarded(guards));
        }
        self.drop_asked(|_| true);
        self.assembly.clear();
        self.closing = None;
        self.guessed = None;
        self.end_partial();
        let Closing { spoke_until, closed_at, .. } = *closing;
        let words = self.words(heard);
        let turn = HeardTurn { words, spoke_until, endpoint_ms: 0, closed_at, is_endless: true };
        self.out.push_back(HearingOutput::Turn(turn));
    }

    fn words(&self, heard: Heard) -> Option<Words> {
        let Heard::Words { text, confidence, words } = heard else { return None };
        let word = |Word { range, confidence }| converse::Word { range, confidence };
        let words = words.into_iter().map(word).collect();
        let speech = converse::Speech { text, confidence, words, goes_on: self.voice.goes_on };
        Some(Words { speech, decode_ms: self.voice.decode_ms, detected: self.voice.detected })
    }

    fn drop_asked(&mut self, is_void: impl Fn(&Asked) -> bool) {
        let out = &mut self.out;
        self.asked.retain(|asked| {
            let keep = !is_void(asked);
            if !keep {
                out.push_back(HearingOutput::Work(Work::Cancel { id: asked.work }));
            }
            keep
        });
    }
}
