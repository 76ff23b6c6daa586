//! What the recorded call says about the world around it: what the engine heard, how long the voice
//! took, what the model and the owner's system answered.
//!
//! A recognition is known for the very sound that it was made of. For other sound it is put together
//! from recognitions of the same stretch of the caller's time, which is an estimate, or not known.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::FlightError;
use super::decision::{chat_print, sound};
use super::entry::Given;
use super::replay::{Flight, Replayed, Seen};
use crate::base::pcm::{FRAME_SAMPLES, ms_to_samples};
use crate::base::{LanguageCode, Private, WorkId};
use crate::call::media::{HeardFrame, MediaEvent};
use crate::call::state::{Input, Output};
use crate::call::work::{Work, WorkResult};
use crate::converse::llm::{self, Chat};
use crate::converse::lookup::{LookUp, LookedUp};
use crate::listen::{Recognition, WordSpan};
use crate::sip;

/// How far an answer can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Recorded for the very same question.
    Recorded,
    /// Put together from what was recorded.
    Estimated,
    /// Nothing in the record says it; whatever follows is not known either.
    Unknown,
}

/// Two stretches of sound whose borders differ by less hold the same words: it is silence by which
/// they differ.
const SLACK: usize = ms_to_samples(400);
/// Utterances begin and end at whole halves of a frame.
const CUT_STEP: usize = FRAME_SAMPLES / 2;
/// What a voice takes that was never asked in the recorded call, for its first sound.
const VOICE_TAKES: Duration = Duration::from_millis(60);
/// Samples of a character that is spoken, where no phrase of the record says better.
const SAMPLES_A_CHARACTER: usize = ms_to_samples(65);

/// Something that happened to the recorded call from outside.
#[derive(Clone, Debug)]
pub(super) enum Outside {
    Heard(Box<HeardFrame>),
    Input(Box<Input<'static>>),
}

/// A recognition.
#[derive(Clone, Debug)]
struct Decoded {
    /// Of the caller's sound, in samples since the first frame.
    span: Option<(usize, usize)>,
    print: u64,
    took: Duration,
    result: Text,
}

#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) recognition: Recognition,
    pub(super) decode_ms: u32,
    pub(super) detected: Option<(LanguageCode, f32)>,
}

/// Chunks of sound, each with when it came after the phrase was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoken {
    pub(super) chunks: Vec<(Duration, Vec<i16>)>,
    pub(super) took: Duration,
}

#[derive(Clone, Debug)]
struct Thought {
    print: u64,
    question: String,
    events: Vec<(Duration, llm::Event)>,
}

/// What came of a question to the owner's system.
#[derive(Clone, Debug)]
struct Answered {
    asked: LookUp,
    at: Instant,
    took: Duration,
    outcome: LookedUp,
}

/// An answer that is looked up.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub(super) certainty: Certainty,
    pub(super) took: Duration,
    pub(super) answer: T,
}

/// The recorded world.
#[derive(Debug, Default)]
pub(super) struct World {
    /// In their order, by the clock of the replay.
    pub(super) outside: Vec<(Instant, Outside)>,
    caller: Vec<i16>,
    decoded: Vec<Decoded>,
    spoken: HashMap<(LanguageCode, String), Spoken>,
    thoughts: Vec<Thought>,
    answered: Vec<Answered>,
    pub(super) replayed: Replayed,
}

/// Work that is still under way in the recorded call.
#[derive(Default)]
struct Open(HashMap<WorkId, (Instant, Asked)>);

enum Asked {
    Decode { span: Option<(usize, usize)>, print: u64 },
    Speak { key: (LanguageCode, String), spoken: Spoken },
    Think { print: u64, question: String, events: Vec<(Duration, llm::Event)> },
    LookUp(LookUp),
}

impl World {
    /// Replays the call and remembers what it comes by.
    pub(super) fn of(flight: &Flight<'_>) -> Result<Self, FlightError> {
        let (mut world, mut open) = (Self::default(), Open::default());
        let replayed = flight.replay_with(|seen| match seen {
            Seen::Input { now, given: Some(given) } => world.input(now, given, &mut open),
            Seen::Input { .. } => (),
            Seen::Output { now, output: Output::Work(work) } => world.asked(now, work, &mut open),
            Seen::Output { .. } => (),
        })?;
        world.replayed = replayed;
        Ok(world)
    }

    fn input(&mut self, now: Instant, given: &Given, open: &mut Open) {
        match given {
            Given::Heard(frame) => {
                self.caller.extend_from_slice(&frame.frame.0);
                self.outside.push((now, Outside::Heard(frame.clone())));
            }
            Given::Other(input) => match input.as_ref() {
                // An agent does what it does by itself.
                Input::Work(WorkResult::Agent { .. }) => {
                    self.outside.push((now, Outside::Input(input.clone())));
                }
                Input::Work(result) => self.came(now, result, open),
                // What our own doing brings about, it brings about anew.
                Input::Timeout
                | Input::Finished(_)
                | Input::Silenced { .. }
                | Input::Media(MediaEvent::UtteranceAudible { .. })
                | Input::Sip(sip::Event::Ended { cause: sip::EndCause::ByUs, .. }) => (),
                _ => self.outside.push((now, Outside::Input(input.clone()))),
            },
        }
    }

    fn asked(&mut self, now: Instant, work: &Work, open: &mut Open) {
        let (id, asked) = match work {
            Work::Transcribe { id, audio, .. } => {
                let (span, print) = (span(&self.caller, audio.reveal()), sound(audio.reveal()));
                (*id, Asked::Decode { span, print })
            }
            Work::Speak { id, language, phrase } => {
                let key = (*language, phrase.reveal().clone());
                (*id, Asked::Speak { key, spoken: Spoken::default() })
            }
            Work::Think { id, chat } => {
                let (print, question) = (chat_print(chat), question(chat));
                (*id, Asked::Think { print, question, events: Vec::new() })
            }
            Work::LookUp { id, asked } => (*id, Asked::LookUp(asked.clone())),
            Work::Agent { .. } => return,
            // What came of it before is not all of it.
            Work::Cancel { id } => return drop(open.0.remove(id)),
        };
        open.0.insert(id, (now, asked));
    }

    fn came(&mut self, now: Instant, result: &WorkResult, open: &mut Open) {
        let took = |since: Instant| now.saturating_duration_since(since);
        match result {
            WorkResult::Text { id, recognition, decode_ms, detected } => {
                let Some((since, Asked::Decode { span, print })) = open.0.remove(id) else {
                    return;
                };
                let (decode_ms, detected) = (*decode_ms, *detected);
                let result = Text { recognition: recognition.clone(), decode_ms, detected };
                self.decoded.push(Decoded { span, print, took: took(since), result });
            }
            WorkResult::Audio { id, samples } => {
                if let Some((since, Asked::Speak { spoken, .. })) = open.0.get_mut(id) {
                    spoken.chunks.push((took(*since), samples.reveal().clone()));
                }
            }
            WorkResult::Spoken { id } => {
                if let Some((since, Asked::Speak { key, mut spoken })) = open.0.remove(id) {
                    spoken.took = took(since);
                    self.spoken.insert(key, spoken);
                }
            }
            WorkResult::Thought { id, event } => {
                let Some((since, Asked::Think { events, .. })) = open.0.get_mut(id) else { return };
                events.push((took(*since), event.clone()));
                if event.is_end()
                    && let Some((_, Asked::Think { print, question, events })) = open.0.remove(id)
                {
                    self.thoughts.push(Thought { print, question, events });
                }
            }
            WorkResult::LookedUp { id, outcome } => {
                if let Some((at, Asked::LookUp(asked))) = open.0.remove(id) {
                    let outcome = outcome.clone();
                    self.answered.push(Answered { asked, at, took: took(at), outcome });
                }
            }
            WorkResult::Agent { .. } => (),
            WorkResult::Failed { id } => drop(open.0.remove(id)),
        }
    }

    /// What the engine would hear in this; `heard` samples of the caller have come so far.
    pub(super) fn hear(&self, audio: &[i16], heard: usize) -> Option<Found<Text>> {
        let print = sound(audio);
        let span = span(self.caller.get(..heard).unwrap_or_default(), audio);
        // Of sounds that are equal, such as silence, the one of the same time.
        let apart = |decoded: &&Decoded| apart(decoded.span, span);
        let same = self.decoded.iter().filter(|decoded| decoded.print == print).min_by_key(apart);
        if let Some(same) = same {
            let (took, answer) = (same.took, same.result.clone());
            return Some(Found { certainty: Certainty::Recorded, took, answer });
        }
        let (from, to) = span?;
        self.same_words(from, to).or_else(|| self.joined(from, to)).or_else(|| self.rest(from, to))
    }

    /// The same stretch with more or less silence around it.
    fn same_words(&self, from: usize, to: usize) -> Option<Found<Text>> {
        let is_near = |decoded: &&Decoded| {
            decoded.span.is_some_and(|(f, t)| f.abs_diff(from) <= SLACK && t.abs_diff(to) <= SLACK)
        };
        let apart = |decoded: &&Decoded| apart(decoded.span, Some((from, to)));
        let nearest = self.decoded.iter().filter(is_near).min_by_key(apart)?;
        Some(estimated(nearest.took, nearest.result.clone()))
    }

    /// Two utterances of the recorded call that are one now.
    fn joined(&self, from: usize, to: usize) -> Option<Found<Text>> {
        let within = |from: usize, to: usize| self.same_words(from, to);
        let borders = self.decoded.iter().filter_map(|decoded| decoded.span);
        let mut borders: Vec<usize> = borders.map(|(_, end)| end).collect();
        borders.sort_unstable_by(|a, b| b.cmp(a));
        borders.into_iter().filter(|border| *border > from + SLACK).find_map(|border| {
            let first = within(from, border)?;
            // The next begins after a pause that both leave out.
            let begins = self.decoded.iter().filter_map(|decoded| decoded.span);
            let mut begins =
                begins.filter(|(begin, end)| *begin + SLACK >= border && end.abs_diff(to) <= SLACK);
            let (begin, end) = begins.next()?;
            let second = within(begin, end)?;
            let answer = append(first.answer, &second.answer);
            Some(estimated(first.took.max(second.took), answer))
        })
    }

    /// The end of a recorded utterance whose beginning was recognised by itself.
    fn rest(&self, from: usize, to: usize) -> Option<Found<Text>> {
        let wholes = self.decoded.iter().filter(|decoded| {
            decoded
                .span
                .is_some_and(|(begin, end)| begin + SLACK < from && end.abs_diff(to) <= SLACK)
        });
        wholes.into_iter().find_map(|whole| {
            let (begin, _) = whole.span?;
            let beginning = self.decoded.iter().filter(|decoded| {
                decoded.span.is_some_and(|(b, e)| b == begin && e <= from + SLACK && e > b)
            });
            let beginning = beginning.max_by_key(|decoded| decoded.span.map(|(_, end)| end))?;
            let all = whole.result.recognition.text.reveal();
            let said = beginning.result.recognition.text.reveal();
            let words = said.trim().trim_end_matches(|c: char| !c.is_alphanumeric());
            let rest = all.trim().strip_prefix(words)?;
            let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
            let answer = Text {
                recognition: Recognition::evenly(rest, whole.result.recognition.ending),
                ..whole.result.clone()
            };
            Some(estimated(whole.took, answer))
        })
    }

    /// The sound of a phrase.
    pub(super) fn speak(&self, language: LanguageCode, phrase: &str) -> Found<Spoken> {
        if let Some(spoken) = self.spoken.get(&(language, phrase.to_owned())) {
            let (took, answer) = (spoken.took, spoken.clone());
            return Found { certainty: Certainty::Recorded, took, answer };
        }
        let known = self.spoken.iter().map(|((_, phrase), spoken)| {
            let samples: usize = spoken.chunks.iter().map(|(_, samples)| samples.len()).sum();
            (samples, phrase.chars().count())
        });
        let (samples, characters) = known.fold((0, 0), |(s, c), (ds, dc)| (s + ds, c + dc));
        let each = samples.checked_div(characters).filter(|each| *each > 0);
        let length = phrase.chars().count().max(1) * each.unwrap_or(SAMPLES_A_CHARACTER);
        let mut firsts: Vec<Duration> =
            self.spoken.values().filter_map(|s| s.chunks.first().map(|(at, _)| *at)).collect();
        firsts.sort_unstable();
        let first = firsts.get(firsts.len() / 2).copied().unwrap_or(VOICE_TAKES);
        // Audible throughout, so that nothing of it is trimmed as silence.
        let spoken = Spoken { chunks: vec![(first, vec![5_000; length])], took: first };
        estimated(first, spoken)
    }

    /// What the owner's system said to the very same question: of several answers the one of about
    /// this time. Another question may have any answer.
    pub(super) fn look_up(&self, now: Instant, asked: &LookUp) -> Option<Found<LookedUp>> {
        let same = self.answered.iter().filter(|answered| answered.asked == *asked);
        let apart = |answered: &&Answered| {
            let at = answered.at;
            now.saturating_duration_since(at).max(at.saturating_duration_since(now))
        };
        let Answered { took, outcome, .. } = same.min_by_key(apart)?;
        let answer = outcome.clone();
        Some(Found { certainty: Certainty::Recorded, took: *took, answer })
    }

    /// What the model answered to this, or to the same words of the caller.
    pub(super) fn think(&self, chat: &Chat) -> Option<Found<Vec<(Duration, llm::Event)>>> {
        let (print, question) = (chat_print(chat), question(chat));
        let same = self.thoughts.iter().find(|thought| thought.print == print);
        let like = || self.thoughts.iter().find(|thought| thought.question == question);
        let certainty = if same.is_some() { Certainty::Recorded } else { Certainty::Estimated };
        let thought = same.or_else(like)?;
        let took = thought.events.first().map_or(Duration::ZERO, |(at, _)| *at);
        Some(Found { certainty, took, answer: thought.events.clone() })
    }
}

/// Where in the caller's sound an utterance lies: its first sample and the one after its last. Looked
/// for from the newest sound back; a long utterance is cut in the middle of a frame.
fn span(caller: &[i16], audio: &[i16]) -> Option<(usize, usize)> {
    let last = caller.len().checked_sub(audio.len())? / CUT_STEP;
    let mut starts = (0..=last).rev().map(|step| step * CUT_STEP);
    let start = starts.find(|start| caller.get(*start..start + audio.len()) == Some(audio))?;
    Some((start, start + audio.len()))
}

/// How far the borders of two stretches are from each other.
fn apart(one: Option<(usize, usize)>, other: Option<(usize, usize)>) -> usize {
    match (one, other) {
        (Some((from, to)), Some((f, t))) => from.abs_diff(f) + to.abs_diff(t),
        _ => usize::MAX,
    }
}

fn estimated<T>(took: Duration, answer: T) -> Found<T> {
    Found { certainty: Certainty::Estimated, took, answer }
}

/// What the caller said last.
fn question(chat: &Chat) -> String {
    let callers = chat.messages.iter().rev().find_map(|message| match message {
        llm::Message::Caller(text) => Some(text.reveal().clone()),
        _ => None,
    });
    callers.unwrap_or_default()
}

/// Two texts as one, with the words of both.
fn append(first: Text, second: &Text) -> Text {
    let before = first.recognition.text.reveal();
    let after = second.recognition.text.reveal();
    let text = format!("{before} {after}");
    let shift = u32::try_from(before.len() + 1).unwrap_or(u32::MAX);
    let moved = second.recognition.words.iter().map(|word| WordSpan {
        start: word.start.saturating_add(shift),
        end: word.end.saturating_add(shift),
        probability: word.probability,
    });
    let recognition = Recognition {
        text: Private::new(text),
        words: first.recognition.words.iter().copied().chain(moved).collect(),
        ending: second.recognition.ending,
        no_speech: first.recognition.no_speech,
        goes_on: second.recognition.goes_on,
    };
    let decode_ms = first.decode_ms.max(second.decode_ms);
    Text { recognition, decode_ms, detected: first.detected }
}
