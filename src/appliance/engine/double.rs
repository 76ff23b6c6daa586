//! An engine without models for tests: scripted texts, tones for a voice, answers at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::{
    Answer, Asker, Detected, Engine, EngineEvent, EngineState, Failure, Phrase, RequestId,
};
use crate::base::{LanguageCode, Private, pcm};
use crate::listen::{DecodeWish, Recognition, Urgency};
use crate::speech::protocol::{Ready, Transcript};

/// Sound for each character of a phrase: about the pace of a voice.
const MS_PER_CHARACTER: u64 = 60;
const CHUNK_MS: u64 = 100;

/// Hears the texts that it was given, in their order, and speaks in tones.
#[derive(Debug)]
pub struct Scripted {
    next: AtomicU64,
    hears_partials: AtomicBool,
    script: Mutex<Script>,
    events: mpsc::Sender<EngineEvent>,
    state: watch::Sender<EngineState>,
}

#[derive(Debug, Default)]
struct Script {
    texts: VecDeque<(String, Option<Detected>)>,
    languages: Vec<Vec<LanguageCode>>,
    heard: Vec<Private<Vec<i16>>>,
    spoken: Vec<Phrase>,
    held: Option<Vec<EngineEvent>>,
}

impl Scripted {
    /// An engine that is ready, and the channel of its answers. An answer that finds the channel
    /// full is lost, so give it room for the test.
    pub fn new(room: usize) -> (Self, mpsc::Receiver<EngineEvent>) {
        let (events, answers) = mpsc::channel(room);
        let state = watch::Sender::new(EngineState::Ready(Self::ready()));
        let next = AtomicU64::new(1);
        let hears_partials = AtomicBool::new(false);
        (Self { next, hears_partials, script: Mutex::default(), events, state }, answers)
    }

    /// What the double says of itself.
    pub fn ready() -> Ready {
        Ready {
            device: "none".to_owned(),
            model: "scripted".to_owned(),
            model_sha256: [0; 32],
            window_ms: 10_240,
            lanes: 16,
            decoders: 2,
            voices: vec!["tone".to_owned()],
            turn: None,
            languages: vec![LanguageCode::ENGLISH],
            neural: Vec::new(),
            load_ms: 0,
            warm_ms: 0,
        }
    }

    /// The next utterance without a text yet is heard as `text`. Unscripted ones are heard as nothing.
    pub fn will_hear(&self, text: &str) {
        self.script().texts.push_back((text.to_owned(), None));
    }

    /// From here on the script is for partial texts, too, instead of for turns alone.
    pub fn hear_partials(&self) {
        self.hears_partials.store(true, Ordering::Relaxed);
    }

    /// The same, and a model that is asked to decide takes it for this language.
    pub fn will_hear_in(&self, text: &str, language: LanguageCode, probability: f32) {
        let detected = Some(Detected { language, probability });
        self.script().texts.push_back((text.to_owned(), detected));
    }

    /// The languages that each utterance was to be heard in.
    pub fn languages(&self) -> Vec<Vec<LanguageCode>> {
        self.script().languages.clone()
    }

    /// All that was given to be recognised and is not in the script's past: samples of each.
    pub fn heard(&self) -> Vec<Private<Vec<i16>>> {
        self.script().heard.clone()
    }

    /// All phrases that were to be spoken.
    pub fn spoken(&self) -> Vec<Phrase> {
        self.script().spoken.clone()
    }

    /// Answers wait from here on, as with a slow engine.
    pub fn hold(&self) {
        self.script().held.get_or_insert_default();
    }

    /// Sends the answers that waited; from here on they come at once again.
    pub fn release(&self) {
        let held = self.script().held.take().unwrap_or_default();
        held.into_iter().for_each(|event| self.send(event));
    }

    /// The engine dies: what waits fails and everything fails until `recover`.
    pub fn go_down(&self, now: Instant) {
        let held = self.script().held.take().unwrap_or_default();
        let reason = "killed by the test".to_owned();
        self.state.send_replace(EngineState::Down {
            since: now,
            reason,
            restarts: 0,
            exit_code: None,
        });
        let mut failed = Vec::new();
        for EngineEvent { asker, request, .. } in held {
            if !failed.contains(&request) {
                failed.push(request);
                let answer = Answer::Failed(Failure::EngineDown);
                self.send(EngineEvent { asker, request, answer });
            }
        }
    }

    pub fn recover(&self) {
        self.state.send_replace(EngineState::Ready(Self::ready()));
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self) -> RequestId {
        RequestId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn answer(&self, asker: Asker, request: RequestId, answer: Answer) {
        let down = !self.state.borrow().is_ready();
        let answer = if down { Answer::Failed(Failure::EngineDown) } else { answer };
        let event = EngineEvent { asker, request, answer };
        match &mut self.script().held {
            Some(held) => held.push(event),
            None => self.send(event),
        }
    }

    fn send(&self, event: EngineEvent) {
        // A test that ended no longer listens, and one without room counts its answers.
        let _ = self.events.try_send(event);
    }
}

impl Engine for Scripted {
    fn transcribe_in(
        &self,
        asker: Asker,
        _lane: u16,
        audio: Vec<i16>,
        wish: DecodeWish,
    ) -> RequestId {
        let request = self.request();
        if wish.urgency == Urgency::Partial && !self.hears_partials.load(Ordering::Relaxed) {
            // As an engine that has more to do.
            self.answer(asker, request, Answer::Failed(Failure::Overloaded));
            return request;
        }
        let languages = wish.languages;
        let (text, detected) = {
            let mut script = self.script();
            script.heard.push(Private::new(audio));
            script.languages.push(languages.clone());
            script.texts.pop_front().unwrap_or_default()
        };
        let detected = detected.filter(|_| languages.len() > 1);
        let recognition = Recognition::evenly(&text, 0.999);
        let transcript = Transcript { recognition, decode_ms: 1, detected };
        self.answer(asker, request, Answer::Text(transcript));
        request
    }

    fn speak(&self, asker: Asker, phrase: Phrase) -> RequestId {
        let request = self.request();
        let characters = phrase.text.reveal().chars().count() as u64;
        self.script().spoken.push(phrase);
        if !self.state.borrow().is_ready() {
            self.answer(asker, request, Answer::Failed(Failure::EngineDown));
            return request;
        }
        for chunk in tone(characters * MS_PER_CHARACTER).chunks(pcm::ms_to_samples(CHUNK_MS)) {
            self.answer(asker, request, Answer::Audio(Private::new(chunk.to_vec())));
        }
        self.answer(asker, request, Answer::Spoken);
        request
    }

    fn cancel(&self, request: RequestId) {
        let mut script = self.script();
        let Some(held) = &mut script.held else { return };
        let Some(asker) = held.iter().find(|event| event.request == request).map(|e| e.asker)
        else {
            return;
        };
        held.retain(|event| event.request != request);
        held.push(EngineEvent { asker, request, answer: Answer::Cancelled });
    }

    fn state(&self) -> watch::Receiver<EngineState> {
        self.state.subscribe()
    }
}

/// `ms` of a 500 Hz tone at -12 dBFS.
fn tone(ms: u64) -> Vec<i16> {
    let step = std::f32::consts::TAU * 500.0 / pcm::SAMPLE_RATE_HZ as f32;
    (0..pcm::ms_to_samples(ms)).map(|n| ((n as f32 * step).sin() * 8_192.0) as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Phrase {
        let text = Private::new(text.to_owned());
        let (language, voice) = ("en".to_owned(), String::new());
        Phrase { language, voice, text, is_known: false }
    }

    #[test]
    fn it_hears_the_script_and_speaks_as_long_as_the_text() {
        let (engine, mut answers) = Scripted::new(64);
        engine.will_hear("hello");
        let first = engine.transcribe(Asker::Appliance, 0, vec![1; 320]);
        let event = answers.try_recv().unwrap();
        assert_eq!(event.request, first);
        assert!(matches!(event.answer, Answer::Text(t) if t.recognition.text.reveal() == "hello"));

        engine.speak(Asker::Appliance, phrase("twelve chars"));
        let mut samples = 0;
        while let Answer::Audio(chunk) = answers.try_recv().unwrap().answer {
            samples += chunk.reveal().len();
        }
        assert_eq!(pcm::samples_to_ms(samples), 720);
    }

    #[test]
    fn a_cancelled_or_lost_request_has_exactly_one_end() {
        let (engine, mut answers) = Scripted::new(64);
        engine.hold();
        let cancelled = engine.speak(Asker::Appliance, phrase("to be stopped"));
        let lost = engine.speak(Asker::Appliance, phrase("to be lost"));
        engine.cancel(cancelled);
        engine.go_down(Instant::now());
        let ends: Vec<_> = std::iter::from_fn(|| answers.try_recv().ok()).collect();
        assert_eq!(ends.len(), 2);
        assert!(ends.iter().all(|event| event.answer.is_end()));
        assert!(ends.iter().any(|event| event.request == lost));
    }
}
