//! The phrases that are rendered before the first call: greeting, prompts, notices.
//!
//! Asks for one after the other, so that an engine that dies in the middle loses nothing: the link
//! sends the request again. A box that cannot say a single one must not take calls.

use crate::appliance::engine::{Answer, Asker, Engine, EngineEvent, Failure, Phrase, RequestId};
use crate::appliance::start_error::StartError;
use crate::base::Private;
use crate::call::Shelf;

use super::errands::Speaker;

#[derive(Debug)]
enum State {
    Waiting,
    Rendering {
        request: RequestId,
        phrase: String,
        samples: Vec<i16>,
    },
    Done,
    /// The shelf was given out.
    Given,
}

/// Renders a list of phrases.
#[derive(Debug)]
pub struct Rendering {
    speaker: Speaker,
    /// What is left, last first.
    list: Vec<String>,
    shelf: Shelf,
    /// Phrases without a sound, and why the first of them has none.
    failed: usize,
    first_failure: Option<Failure>,
    state: State,
}

/// What came of the list.
#[derive(Debug)]
pub struct Rendered {
    pub shelf: Shelf,
    /// A sentence for the owner when some phrases have no sound.
    pub fault: Option<String>,
}

impl Rendering {
    pub fn new(speaker: Speaker, mut list: Vec<String>) -> Self {
        list.reverse();
        let shelf = Shelf::default();
        Self { speaker, list, shelf, failed: 0, first_failure: None, state: State::Waiting }
    }

    /// The engine is ready; a request that is under way goes on.
    pub fn begin(&mut self, engine: &dyn Engine) {
        if matches!(self.state, State::Waiting) {
            self.next(engine);
        }
    }

    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Given)
    }

    /// The rendered phrases, once: when the last one has come. An error when all have failed.
    pub fn finished(&mut self) -> Result<Option<Rendered>, StartError> {
        if !matches!(self.state, State::Done) {
            return Ok(None);
        }
        self.state = State::Given;
        let shelf = std::mem::take(&mut self.shelf);
        let Some(failure) = self.first_failure else {
            return Ok(Some(Rendered { shelf, fault: None }));
        };
        let (failed, language) = (self.failed, &self.speaker.language);
        if shelf.is_empty() {
            return Err(StartError::Mute { language: language.clone(), failure });
        }
        let all = failed + shelf.len();
        let fault = format!(
            "speech.voice: {failed} of {all} phrases cannot be spoken in advance: {failure}"
        );
        Ok(Some(Rendered { shelf, fault: Some(fault) }))
    }

    pub fn answer(&mut self, event: EngineEvent, engine: &dyn Engine) {
        let State::Rendering { request, samples, .. } = &mut self.state else { return };
        if *request != event.request {
            return;
        }
        match event.answer {
            Answer::Audio(chunk) => samples.extend_from_slice(chunk.reveal()),
            Answer::Spoken => {
                if let State::Rendering { phrase, samples, .. } =
                    std::mem::replace(&mut self.state, State::Waiting)
                {
                    self.keep(phrase, samples);
                }
                self.next(engine);
            }
            // The engine is asked again when a call needs the phrase.
            Answer::Failed(failure) => {
                self.fail(failure);
                self.next(engine);
            }
            Answer::Cancelled | Answer::Text(_) => {
                self.fail(Failure::Voice);
                self.next(engine);
            }
        }
    }

    /// A voice that gives no sound for words has failed without saying so.
    fn keep(&mut self, phrase: String, samples: Vec<i16>) {
        if samples.is_empty() && phrase.chars().any(char::is_alphanumeric) {
            return self.fail(Failure::Voice);
        }
        self.shelf.put(phrase, samples);
    }

    fn fail(&mut self, failure: Failure) {
        self.failed += 1;
        self.first_failure.get_or_insert(failure);
    }

    fn next(&mut self, engine: &dyn Engine) {
        let Some(phrase) = self.list.pop() else {
            self.state = State::Done;
            return;
        };
        let Speaker { language, voice } = self.speaker.clone();
        let text = Private::new(phrase.clone());
        let request = engine.speak(Asker::Appliance, Phrase { language, voice, text });
        self.state = State::Rendering { request, phrase, samples: Vec::new() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::engine::double::Scripted;

    fn rendering(phrases: &[&str]) -> Rendering {
        let speaker = Speaker { language: "en".into(), voice: String::new() };
        Rendering::new(speaker, phrases.iter().map(|&phrase| phrase.to_owned()).collect())
    }

    /// Answers to the requests for the phrases, in their order.
    fn answered(phrases: &[&str], answers: &[&[Answer]]) -> Result<Rendered, StartError> {
        let (engine, _) = Scripted::new(256);
        let mut rendering = rendering(phrases);
        rendering.begin(&engine);
        for (answers, request) in answers.iter().zip(1..).map(|(a, n)| (a, RequestId(n))) {
            assert!(rendering.finished().unwrap().is_none());
            for answer in answers.iter().cloned() {
                rendering.answer(EngineEvent { asker: Asker::Appliance, request, answer }, &engine);
            }
        }
        rendering.finished().map(|rendered| rendered.expect("all are answered"))
    }

    fn sound() -> Answer {
        Answer::Audio(Private::new(vec![1_000; 160]))
    }

    #[tokio::test]
    async fn every_phrase_is_rendered_and_the_shelf_given_out_once() {
        let (engine, mut answers) = Scripted::new(256);
        let mut rendering = rendering(&["Hello.", "Goodbye."]);
        rendering.begin(&engine);
        let rendered = loop {
            rendering.answer(answers.try_recv().unwrap(), &engine);
            if let Some(rendered) = rendering.finished().unwrap() {
                break rendered;
            }
        };
        assert_eq!((rendered.shelf.len(), rendered.fault), (2, None));
        assert!(rendering.finished().unwrap().is_none() && rendering.is_finished());
        let spoken: Vec<_> = engine.spoken().iter().map(|p| p.text.reveal().clone()).collect();
        assert_eq!(spoken, ["Hello.", "Goodbye."]);
    }

    #[test]
    fn a_phrase_without_a_sound_is_told_and_a_box_without_any_does_not_start() {
        let failed = [Answer::Failed(Failure::NoVoice)];
        let empty = [Answer::Spoken];
        let spoken = [sound(), Answer::Spoken];
        let both = ["Hello.", "Goodbye."];
        for bad in [&failed[..], &empty] {
            let rendered = answered(&both, &[&spoken, bad]).unwrap();
            assert_eq!(rendered.shelf.len(), 1);
            let fault = rendered.fault.unwrap();
            assert!(fault.starts_with("speech.voice: 1 of 2 phrases"), "{fault}");
            let mute = answered(&both, &[bad, bad]).unwrap_err();
            assert!(mute.to_string().starts_with("speech.voice: "), "{mute}");
        }
        // What has no words has no sound, and a playbook without phrases is not mute.
        assert!(answered(&["..."], &[&empty]).unwrap().fault.is_none());
        assert!(answered(&[], &[]).unwrap().fault.is_none());
    }
}
