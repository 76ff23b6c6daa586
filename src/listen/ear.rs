//! Endpointing: where an utterance starts, pauses and ends, and what of it is to be decoded when.
//!
//! Fed one frame every 20 ms with its score, the conversation's opinion of the words so far, and
//! what the last question asked for. Every pause of 60 ms gives the utterance so far to the
//! recogniser; the silence that ends it depends on what comes back. Invariants: each frame from
//! 200 ms before the first speech to the end of the last is in exactly one segment; `Closed` names
//! the last decode that was asked for, so that its text is final.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::SegmentId;
pub use super::endpoint::{Awaited, Completeness, Expectation, Settings};
use super::recognizer::{Evidence, Transcribe};
use super::recording::Recording;
use super::vad::VadScore;
use crate::base::limits;
use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame, ms_to_samples};

/// A long utterance is cut at the quietest point of so much of its end.
const CUT_SEARCH_MS: u64 = 2_000;
/// Frames beyond its own length in which an onset's speech may lie.
const ONSET_SLACK_FRAMES: u32 = 2;
/// The same for a resumption.
const RESUME_SLACK_FRAMES: u32 = 1;
/// Speech in the last frames holds the end back for so long: it may be a resumption.
const HOLD_FRAMES: u32 = 2;
/// But not for longer than this, or a ticking noise would hold it back for ever.
const HOLD_LIMIT_MS: u64 = 300;
/// The detector's memory of a tone, in which it hears speech.
const TONE_ECHO_FRAMES: u32 = 3;
/// Voiced frames of an utterance with a voice: every word that people say has as many, no cough has.
const VOICED_FRAMES: u32 = 3;

/// What the ear is told.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack for one call; a box would be an allocation for each frame"
)]
pub enum Input {
    /// 20 ms of sound; `lost` when it was concealed. `now` is its tick.
    Frame { frame: Frame, score: VadScore, lost: bool },
    /// What the conversation makes of the text of this decode. Ignored when the caller has gone on.
    Hint { segment: SegmentId, revision: u32, thought: Completeness },
    /// What is asked for from now on.
    Expect(Awaited),
    /// The deadline of `Output::Timeout` has come.
    Timeout,
}

/// What the ear says.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Somebody speaks for sure, and has since `at`.
    SpeechStarted { segment: SegmentId, at: Instant },
    /// Decode this; it replaces the segment's earlier revisions.
    Decode(Transcribe),
    /// The caller goes on after so long: what was made of this segment's text is void.
    Resumed { segment: SegmentId, pause_ms: u64 },
    /// The utterance is longer than the recogniser's window: this revision of the segment is final
    /// and the utterance goes on in `next`, without a gap.
    Cut { segment: SegmentId, revision: u32, next: SegmentId },
    /// The utterance is over. Its text, or the end of it after `Cut`, is this revision's.
    Closed {
        segment: SegmentId,
        revision: u32,
        /// Speech in the whole utterance, without its pauses.
        speech_ms: u64,
        /// End of the last frame of speech.
        ended_at: Instant,
        /// It would have gone on: no end has come within [`limits::TURN_MS`].
        is_endless: bool,
    },
    /// It was too short to be speech; nothing of it counts.
    Dismissed { segment: SegmentId },
    /// All is said. Call again at this time if no frame comes before.
    Timeout(Option<Instant>),
}

/// The ear of one call.
pub struct Ear {
    settings: Settings,
    state: State,
    awaited: Awaited,
    /// The last frames, the newest in the lowest bit: 1 is voiced speech.
    voiced: u32,
    recording: Recording,
    last_segment: u32,
    /// The longest pause after which this caller has gone on, milliseconds.
    pace_ms: u64,
    /// End of the speech of the utterance before.
    ended_at: Option<Instant>,
    outputs: VecDeque<Output>,
}

enum State {
    /// Nobody speaks.
    Waiting(Onset),
    /// The caller speaks.
    Speaking(Utterance, Speech),
    /// The caller has stopped, perhaps.
    Pausing(Utterance, Pause),
}

#[derive(Default)]
struct Onset {
    /// The last frames, the newest in the lowest bit: 1 is speech.
    marks: u32,
    /// Frames in which speech is still the echo of a tone.
    deaf_frames: u32,
}

#[derive(Clone, Copy)]
struct Utterance {
    segment: SegmentId,
    /// Of the last decode asked for; 0 is none.
    revision: u32,
    speech_frames: u32,
    voiced_frames: u32,
    /// Of the speech, what was given away with earlier segments.
    given_frames: u32,
    is_continuation: bool,
    began_at: Instant,
    last_frame_at: Instant,
    /// End of the last speech.
    last_speech_at: Instant,
}

#[derive(Clone, Copy, Default)]
struct Speech {
    tone_frames: u32,
    lost_frames: u32,
}

#[derive(Clone, Copy)]
struct Pause {
    /// Since the last speech.
    frames: u32,
    /// As in `Onset`.
    marks: u32,
    /// Where in the recording the speech ended.
    speech_samples: usize,
    is_decoded: bool,
    thought: Completeness,
}

/// What one frame is.
#[derive(Clone, Copy, PartialEq)]
enum Sound {
    Speech,
    Silence,
    Tone,
    Lost,
}

impl Ear {
    /// Takes all the memory that it will use, about 400 KiB.
    pub fn new(settings: Settings) -> Self {
        let onset_frames = frames(settings.onset_ms) + ONSET_SLACK_FRAMES;
        let recent_ms = settings.preroll_ms + u64::from(onset_frames) * FRAME_MS;
        let pause_ms = settings.longest_close_ms() + HOLD_LIMIT_MS;
        Self {
            recording: Recording::new(recent_ms, limits::UTTERANCE_MS + pause_ms + FRAME_MS),
            settings,
            state: State::Waiting(Onset::default()),
            awaited: Expectation::Anything.into(),
            voiced: 0,
            last_segment: 0,
            pace_ms: 0,
            ended_at: None,
            outputs: VecDeque::with_capacity(8),
        }
    }

    /// Back to the state of a new call; segments are numbered from 1 again.
    pub fn reset(&mut self) {
        self.state = State::Waiting(Onset::default());
        self.awaited = Expectation::Anything.into();
        self.voiced = 0;
        self.recording.clear();
        self.last_segment = 0;
        self.pace_ms = 0;
        self.ended_at = None;
        self.outputs.clear();
    }

    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Frame { frame, score, lost } => {
                let sound = self.classify(score, lost);
                self.voiced = mark(self.voiced, sound == Sound::Speech && score.voiced);
                self.hear(now, &frame, sound);
            }
            Input::Hint { segment, revision, thought } => {
                if let State::Pausing(utterance, pause) = &mut self.state
                    && (utterance.segment, utterance.revision) == (segment, revision)
                    && pause.is_decoded
                {
                    pause.thought = thought;
                    self.close_if_over();
                }
            }
            Input::Expect(awaited) => {
                self.awaited = awaited;
                self.close_if_over();
            }
            Input::Timeout => {
                if self.stalls_at().is_some_and(|at| at <= now) {
                    self.close_here(false);
                    self.recording.clear();
                }
            }
        }
    }

    /// The next thing to do; `Timeout` when there is none.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.stalls_at()))
    }

    /// Whether the caller speaks at this moment; in a pause, even a short one, it does not.
    pub fn is_hearing_speech(&self) -> bool {
        matches!(self.state, State::Speaking(..))
    }

    /// Whether an utterance is going on: the caller has, or may still have, the floor.
    pub fn is_in_utterance(&self) -> bool {
        !matches!(self.state, State::Waiting(_))
    }

    /// While the caller speaks: what has been said of the segment so far, as the next decode would
    /// have it. Asking changes nothing.
    pub fn so_far(&self) -> Option<Transcribe> {
        let State::Speaking(utterance, _) = &self.state else { return None };
        Some(Transcribe {
            segment: utterance.segment,
            revision: utterance.revision,
            audio: self.recording.head(self.recording.len()),
            evidence: utterance.evidence(),
        })
    }

    /// While the caller speaks: there is a voice in it, not only breath.
    pub fn is_hearing_voice(&self) -> bool {
        matches!(&self.state, State::Speaking(utterance, _) if utterance.is_voiced())
    }

    fn classify(&self, score: VadScore, lost: bool) -> Sound {
        if lost {
            Sound::Lost
        } else if score.tonal {
            Sound::Tone
        } else if score.speech >= self.settings.speech_threshold {
            Sound::Speech
        } else {
            Sound::Silence
        }
    }

    fn hear(&mut self, now: Instant, frame: &Frame, sound: Sound) {
        match std::mem::replace(&mut self.state, State::Waiting(Onset::default())) {
            State::Waiting(onset) => {
                self.recording.wait(frame);
                self.state = self.wait(now, onset, sound);
            }
            State::Speaking(mut utterance, speech) => {
                self.recording.append(frame);
                utterance.last_frame_at = now;
                self.state = self.speak(now, utterance, speech, sound);
                self.cut_if_long();
                self.close_if_endless();
            }
            State::Pausing(mut utterance, pause) => {
                self.recording.append(frame);
                utterance.last_frame_at = now;
                self.state = self.pause(now, utterance, pause, sound);
                self.cut_if_long();
                self.decode_if_due();
                self.close_if_over();
            }
        }
    }

    fn wait(&mut self, now: Instant, mut onset: Onset, sound: Sound) -> State {
        let is_deaf = onset.deaf_frames > 0;
        onset.deaf_frames = onset.deaf_frames.saturating_sub(1);
        if sound == Sound::Tone {
            return State::Waiting(Onset { marks: 0, deaf_frames: TONE_ECHO_FRAMES });
        }
        let needed = frames(self.settings.onset_ms);
        let window = low_bits(needed + ONSET_SLACK_FRAMES);
        onset.marks = mark(onset.marks, sound == Sound::Speech && !is_deaf) & window;
        if onset.marks.count_ones() < needed {
            return State::Waiting(onset);
        }
        let since_first = u32::BITS - onset.marks.leading_zeros();
        self.recording.begin((since_first + frames(self.settings.preroll_ms)) as usize);
        let segment = self.next_segment();
        let at = now.checked_sub(frame_time(since_first)).unwrap_or(now);
        self.learn_from_cut_off(at);
        self.outputs.push_back(Output::SpeechStarted { segment, at });
        let utterance = Utterance {
            segment,
            revision: 0,
            speech_frames: onset.marks.count_ones(),
            voiced_frames: self.voiced_in(since_first),
            given_frames: 0,
            is_continuation: false,
            began_at: at,
            last_frame_at: now,
            last_speech_at: now,
        };
        State::Speaking(utterance, Speech::default())
    }

    fn speak(&self, now: Instant, mut utterance: Utterance, speech: Speech, sound: Sound) -> State {
        let next = match sound {
            Sound::Speech => {
                utterance.speech_frames += 1;
                utterance.voiced_frames += self.voiced_in(1);
                Some(Speech::default())
            }
            Sound::Tone => Some(Speech { tone_frames: speech.tone_frames + 1, ..speech }),
            Sound::Lost => Some(Speech { lost_frames: speech.lost_frames + 1, ..speech }),
            Sound::Silence => None,
        };
        let is_speech = |next: &Speech| {
            next.tone_frames <= frames(self.settings.held_vowel_ms)
                && next.lost_frames <= frames(self.settings.lost_speech_ms)
        };
        if let Some(next) = next.filter(is_speech) {
            utterance.last_speech_at = now;
            return State::Speaking(utterance, next);
        }
        let pause = Pause {
            frames: 1,
            marks: 0,
            speech_samples: self.recording.len().saturating_sub(FRAME_SAMPLES),
            is_decoded: false,
            thought: Completeness::Unknown,
        };
        State::Pausing(utterance, pause)
    }

    /// The caller goes on right after what was taken for the end.
    fn learn_from_cut_off(&mut self, at: Instant) {
        let Some(ended_at) = self.ended_at.take() else { return };
        let pause_ms = at.saturating_duration_since(ended_at).as_millis();
        let pause_ms = u64::try_from(pause_ms).unwrap_or(u64::MAX);
        if pause_ms <= self.settings.cut_off_within_ms {
            self.pace_ms = self.pace_ms.max(pause_ms);
        }
    }

    fn pause(
        &mut self,
        now: Instant,
        mut utterance: Utterance,
        mut pause: Pause,
        sound: Sound,
    ) -> State {
        let needed = frames(self.settings.resume_ms);
        let window = low_bits(needed + RESUME_SLACK_FRAMES);
        pause.frames += 1;
        pause.marks = mark(pause.marks, sound == Sound::Speech) & window;
        if pause.marks.count_ones() < needed {
            return State::Pausing(utterance, pause);
        }
        let pause_frames = pause.frames.saturating_sub(pause.marks.count_ones());
        let pause_ms = u64::from(pause_frames) * FRAME_MS;
        self.pace_ms = self.pace_ms.max(pause_ms);
        if pause.is_decoded {
            self.outputs.push_back(Output::Resumed { segment: utterance.segment, pause_ms });
        }
        utterance.speech_frames += pause.marks.count_ones();
        utterance.voiced_frames += self.voiced_in(needed + RESUME_SLACK_FRAMES);
        utterance.last_speech_at = now;
        State::Speaking(utterance, Speech::default())
    }

    /// While the caller speaks: gives away what fills the recogniser's window.
    fn cut_if_long(&mut self) {
        let State::Speaking(utterance, _) = &mut self.state else { return };
        let limit = ms_to_samples(limits::UTTERANCE_MS - self.settings.tail_ms);
        if self.recording.len() < limit {
            return;
        }
        let at = self.recording.quietest(limit - ms_to_samples(CUT_SEARCH_MS), limit);
        let audio = self.recording.split_head(at);
        let (segment, revision) = (utterance.segment, utterance.revision + 1);
        let evidence = utterance.evidence();
        let kept_frames = u32::try_from(self.recording.len() / FRAME_SAMPLES).unwrap_or(u32::MAX);
        utterance.given_frames = utterance.speech_frames.saturating_sub(kept_frames);
        self.last_segment += 1;
        let next = SegmentId(self.last_segment);
        utterance.segment = next;
        utterance.revision = 0;
        utterance.is_continuation = true;
        self.outputs.push_back(Output::Decode(Transcribe { segment, revision, audio, evidence }));
        self.outputs.push_back(Output::Cut { segment, revision, next });
    }

    fn decode_if_due(&mut self) {
        let State::Pausing(utterance, pause) = &mut self.state else { return };
        let is_due = pause.frames >= frames(self.settings.speculate_after_ms);
        if !is_due || pause.is_decoded || utterance.is_too_short(&self.settings) {
            return;
        }
        pause.is_decoded = true;
        utterance.revision += 1;
        let end = pause.speech_samples + ms_to_samples(self.settings.tail_ms);
        self.outputs.push_back(Output::Decode(Transcribe {
            segment: utterance.segment,
            revision: utterance.revision,
            audio: self.recording.head(end),
            evidence: utterance.evidence(),
        }));
    }

    fn close_if_over(&mut self) {
        let State::Pausing(utterance, pause) = &self.state else { return };
        let close_ms = self.settings.close_after_ms(pause.thought, self.awaited, self.pace_ms);
        let silent_ms = u64::from(pause.frames) * FRAME_MS;
        let is_held =
            pause.marks & low_bits(HOLD_FRAMES) != 0 && silent_ms < close_ms + HOLD_LIMIT_MS;
        let was_decoded = pause.is_decoded || utterance.is_too_short(&self.settings);
        if silent_ms >= close_ms && was_decoded && !is_held {
            self.close(false);
        }
    }

    fn close_if_endless(&mut self) {
        let State::Speaking(utterance, _) = &self.state else { return };
        let length = utterance.last_frame_at.saturating_duration_since(utterance.began_at);
        if length >= Duration::from_millis(limits::TURN_MS) {
            self.close_here(true);
        }
    }

    /// Ends the utterance that pauses.
    fn close(&mut self, is_endless: bool) {
        let State::Pausing(utterance, pause) = &self.state else { return };
        let segment = utterance.segment;
        self.outputs.push_back(if utterance.is_too_short(&self.settings) {
            Output::Dismissed { segment }
        } else {
            Output::Closed {
                segment,
                revision: utterance.revision,
                speech_ms: u64::from(utterance.speech_frames) * FRAME_MS,
                ended_at: utterance.last_speech_at,
                is_endless,
            }
        });
        if !utterance.is_too_short(&self.settings) {
            self.ended_at = Some(utterance.last_speech_at);
            // Callers think longer about one thing than about another.
            self.pace_ms -= self.pace_ms / 8;
        }
        self.recording.finish(pause.frames as usize);
        self.state = State::Waiting(Onset::default());
    }

    /// Ends the utterance with what there is.
    fn close_here(&mut self, is_endless: bool) {
        if let State::Speaking(utterance, _) = self.state {
            let pause = Pause {
                frames: 0,
                marks: 0,
                speech_samples: self.recording.len(),
                is_decoded: false,
                thought: Completeness::Unknown,
            };
            self.state = State::Pausing(utterance, pause);
        }
        if let State::Pausing(_, pause) = &mut self.state {
            pause.frames = pause.frames.max(frames(self.settings.speculate_after_ms));
        }
        self.decode_if_due();
        self.close(is_endless);
    }

    fn stalls_at(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting(_) => None,
            State::Speaking(utterance, _) | State::Pausing(utterance, _) => {
                Some(utterance.last_frame_at + Duration::from_millis(self.settings.stalled_ms))
            }
        }
    }

    /// Voiced frames among the last.
    const fn voiced_in(&self, frames: u32) -> u32 {
        (self.voiced & low_bits(frames)).count_ones()
    }

    fn next_segment(&mut self) -> SegmentId {
        self.last_segment += 1;
        SegmentId(self.last_segment)
    }
}

impl Utterance {
    /// Of the segment that is going on.
    fn evidence(&self) -> Evidence {
        let speech_ms = u64::from(self.speech_frames - self.given_frames) * FRAME_MS;
        Evidence { speech_ms, is_voiced: self.is_voiced() }
    }

    const fn is_voiced(&self) -> bool {
        self.voiced_frames >= VOICED_FRAMES
    }

    /// The end of a long utterance is never too short: the rest of it has been given away.
    fn is_too_short(&self, settings: &Settings) -> bool {
        !self.is_continuation && self.speech_frames < frames(settings.shortest_speech_ms)
    }
}

const fn frames(ms: u64) -> u32 {
    ms.div_ceil(FRAME_MS) as u32
}

fn frame_time(count: u32) -> Duration {
    Duration::from_millis(FRAME_MS) * count
}

const fn mark(marks: u32, is_speech: bool) -> u32 {
    (marks << 1) | is_speech as u32
}

const fn low_bits(count: u32) -> u32 {
    if count >= u32::BITS { u32::MAX } else { (1 << count) - 1 }
}

#[cfg(test)]
mod tests;
