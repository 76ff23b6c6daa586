//! Words for messages: one message at a time, piece by piece, after all that callers wait for.
//!
//! A piece is asked for as what nobody waits for: the engine begins it where no turn of a call could be begun, and gives it
//! up where one comes. So it may be refused at any time, and is asked for again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Report;
use crate::appliance::clock::unix_ms;
use crate::appliance::engine::{Answer, Asker, Engine, EngineEvent, Failure, RequestId};
use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame};
use crate::base::{LanguageCode, Private, limits};
use crate::listen::transcript::{self, Heard};
use crate::listen::{self, DecodeWish, Ear, Expectation, Ours, Transcribe, Urgency, Vad};
use crate::store::history::{self, Transcript, Unheard};
use crate::store::recordings::{self, Settings};
use crate::web::{Board, Event};

/// After a refusal.
const AGAIN: Duration = Duration::from_secs(3);
/// An answer that has not come by then does not come: the longest piece takes less on the slowest machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(180);
/// People are told of a message whose words cannot be had within this time.
const TOLD_WITHIN_MS: u64 = 120_000;
/// Silence after the sound, in which its last utterance ends.
const TAIL_FRAMES: usize = 125;
const FRAME: Duration = Duration::from_millis(FRAME_MS);

struct Job {
    unheard: Unheard,
    pieces: VecDeque<Transcribe>,
    parts: Vec<Heard>,
    /// And until when its answer is waited for.
    asked: Option<(RequestId, Instant)>,
    /// Of the piece that is first.
    attempts: u32,
}

impl Job {
    /// Once more, or never.
    fn failed(&mut self) {
        self.attempts += 1;
        if self.attempts >= limits::VOICEMAIL_ATTEMPTS {
            // The others may be words all the same.
            self.pieces.pop_front();
            self.parts.push(Heard::Unclear);
            self.attempts = 0;
        }
    }
}

pub(super) struct Transcribing {
    files: Settings,
    engine: Arc<dyn Engine>,
    board: Arc<Board>,
    job: Option<Job>,
    /// When something is to be looked for or asked.
    at: Instant,
}

impl Transcribing {
    pub(super) fn new(files: Settings, engine: Arc<dyn Engine>, board: Arc<Board>) -> Self {
        Self { files, engine, board, job: None, at: Instant::now() }
    }

    pub(super) fn wake(&mut self) {
        self.at = Instant::now();
    }

    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }

    /// Goes on, if it is time.
    pub(super) async fn look(&mut self, now: Instant, report: &mut Report) {
        if now < self.at {
            return;
        }
        self.at = now + super::LOOK;
        if self.job.is_none() {
            let found = self.board.past().ask(history::unheard).await;
            // A database that cannot be read now can later.
            let Ok(Some(unheard)) = found else { return };
            self.begin(unheard, report);
        }
        self.give_up(now);
        self.ask(now, report);
    }

    fn begin(&mut self, unheard: Unheard, report: &mut Report) {
        let found = recordings::find(&self.files.folder, unheard.name, self.files.key.as_ref());
        let sound = found.map(|file| recordings::decode(&file));
        let pieces = match sound {
            Some(Ok(samples)) => pieces(&samples),
            // It was deleted by its age, or with its number, or another key wrote it.
            Some(Err(_)) | None => {
                tracing::warn!(call_id = %unheard.name.call, "a message's sound cannot be read");
                report.without_words += 1;
                self.end(unheard, Transcript::None);
                return;
            }
        };
        self.job = Some(Job { unheard, pieces, parts: Vec::new(), asked: None, attempts: 0 });
    }

    /// An answer that was lost on its way is asked for again.
    fn give_up(&mut self, now: Instant) {
        let Some(job) = &mut self.job else { return };
        if let Some((request, _)) = job.asked.filter(|(_, until)| now >= *until) {
            self.engine.cancel(request);
            job.asked = None;
            job.failed();
        }
    }

    /// Has the next piece recognised, or is done.
    fn ask(&mut self, now: Instant, report: &mut Report) {
        let Some(job) = self.job.as_mut().filter(|job| job.asked.is_none()) else { return };
        let Some(piece) = job.pieces.front() else {
            let Some(job) = self.job.take() else { return };
            let words = match transcript::join(&job.parts) {
                Heard::Words { text, .. } => Transcript::Words(text),
                Heard::Nothing | Heard::Unclear => Transcript::None,
            };
            match words {
                Transcript::Words(_) => report.transcribed += 1,
                Transcript::None | Transcript::Told => report.without_words += 1,
            }
            return self.end(job.unheard, words);
        };
        if !self.engine.state().borrow().is_ready() {
            return self.tell_meanwhile();
        }
        let language = job.unheard.language.as_deref().and_then(LanguageCode::new);
        let wish = DecodeWish {
            languages: language.into_iter().collect(),
            urgency: Urgency::Partial,
            ..DecodeWish::default()
        };
        let audio = piece.audio.clone();
        let request = self.engine.transcribe_in(Asker::Voicemail, 0, audio, wish);
        job.asked = Some((request, now + ANSWERED_WITHIN));
        self.tell_meanwhile();
    }

    /// What the engine has to say.
    pub(super) fn text(&mut self, now: Instant, event: EngineEvent) {
        let is_asked = |job: &&mut Job| job.asked.is_some_and(|(asked, _)| asked == event.request);
        let Some(job) = self.job.as_mut().filter(is_asked) else { return };
        job.asked = None;
        match event.answer {
            Answer::Text(text) => {
                let evidence = job.pieces.pop_front().map(|piece| piece.evidence);
                job.parts.push(transcript::read(&text.recognition, evidence).heard);
                job.attempts = 0;
                self.at = now;
            }
            Answer::Failed(Failure::Overloaded | Failure::EngineDown) | Answer::Cancelled => {
                self.at = now + AGAIN;
            }
            Answer::Failed(_) | Answer::Audio(_) | Answer::Spoken => {
                job.failed();
                self.at = now + AGAIN;
            }
        }
    }

    /// Nobody waits for words that do not come.
    fn tell_meanwhile(&mut self) {
        let board = Arc::clone(&self.board);
        let Some(job) = &mut self.job else { return };
        let age = unix_ms().saturating_sub(job.unheard.message.left_at_ms);
        if !job.unheard.is_told && age >= TOLD_WITHIN_MS {
            job.unheard.is_told = true;
            tell(&board, &job.unheard, None);
            board.past().transcribed(job.unheard.message.id, Transcript::Told);
        }
    }

    /// Told before it is written: what the power takes in between is told twice, and not never.
    fn end(&mut self, unheard: Unheard, transcript: Transcript) {
        if !unheard.is_told {
            let words = match &transcript {
                Transcript::Words(text) => Some(text.clone()),
                Transcript::Told | Transcript::None => None,
            };
            tell(&self.board, &unheard, words);
        }
        self.board.past().transcribed(unheard.message.id, transcript);
        // The database has it before it is asked for the next one.
        self.at = Instant::now() + Duration::from_millis(500);
    }
}

fn tell(board: &Board, unheard: &Unheard, words: Option<Private<String>>) {
    let mut message = unheard.message.clone();
    if let Some(sound) = &mut message.sound {
        sound.transcript = if words.is_some() { "done" } else { sound.transcript };
    }
    message.text = words.or(message.text);
    let recordings::Name { started_at_ms, call, ordinal } = unheard.name;
    board.tell(Event::Voicemail { call, started_at_ms, ordinal, message: Box::new(message) });
}

/// What of it is speech, cut as an ear cuts it.
fn pieces(samples: &[i16]) -> VecDeque<Transcribe> {
    let (mut ear, mut vad) = (Ear::new(listen::Settings::default()), Vad::default());
    let mut now = Instant::now();
    ear.handle(now, listen::Input::Expect(Expectation::Anything.into()));
    let mut pieces = VecDeque::new();
    let mut utterance: Vec<Transcribe> = Vec::new();
    let silence = std::iter::repeat_n(Frame::SILENCE, TAIL_FRAMES);
    for frame in samples.chunks(FRAME_SAMPLES).map(whole).chain(silence) {
        now += FRAME;
        let score = vad.score(&frame, Ours::NONE);
        ear.handle(now, listen::Input::Frame { frame, score, lost: false });
        loop {
            match ear.poll_output() {
                listen::Output::Decode(request) => {
                    // A later revision replaces the one before.
                    match utterance.last_mut().filter(|last| last.segment == request.segment) {
                        Some(last) => *last = request,
                        None => utterance.push(request),
                    }
                }
                listen::Output::Closed { .. } => pieces.extend(utterance.drain(..)),
                listen::Output::Dismissed { .. } => utterance.clear(),
                listen::Output::SpeechStarted { .. }
                | listen::Output::Resumed { .. }
                | listen::Output::Cut { .. } => (),
                listen::Output::Timeout(_) => break,
            }
        }
    }
    pieces
}

fn whole(samples: &[i16]) -> Frame {
    let mut frame = Frame::SILENCE;
    frame.0.iter_mut().zip(samples).for_each(|(into, sample)| *into = *sample);
    frame
}
