//! The phrases that are rendered before the first call: greeting, prompts, notices.
//!
//! Asks for one after the other, so that an engine that dies in the middle loses nothing: the link
//! sends the request again. A box that cannot say a single one must not take calls.

use crate::appliance::engine::{Answer, Asker, Engine, EngineEvent, Failure, Phrase, RequestId};
use crate::appliance::start_error::StartError;
use crate::base::{LanguageCode, Private};
use crate::call::Shelf;

use super::errands::Speakers;

#[derive(Debug)]
enum State {
    Waiting,
    Rendering {
        request: RequestId,
        phrase: (LanguageCode, String),
        samples: Vec<i16>,
    },
    Done,
    /// The shelf was given out.
    Given,
}

/// Renders a list of phrases.
#[derive(Debug)]
pub struct Rendering {
    speakers: Speakers,
    /// The default language first.
    languages: Vec<LanguageCode>,
    /// What is left, last first.
    list: Vec<(LanguageCode, String)>,
    shelf: Shelf,
    /// Phrases without a sound, and why.
    failed: Vec<(LanguageCode, Failure)>,
    state: State,
}

/// What came of the list.
#[derive(Debug)]
pub struct Rendered {
    pub shelf: Shelf,
    /// Sentences for the owner about phrases without a sound.
    pub faults: Vec<String>,
    /// Languages of which no phrase has one.
    pub mute: Vec<LanguageCode>,
}

impl Rendering {
    pub fn new(speakers: Speakers, mut list: Vec<(LanguageCode, String)>) -> Self {
        let mut languages: Vec<LanguageCode> = list.iter().map(|(language, _)| *language).collect();
        languages.dedup();
        list.reverse();
        let shelf = Shelf::default();
        Self { speakers, languages, list, shelf, failed: Vec::new(), state: State::Waiting }
    }

    /// Whose voices it renders with.
    pub fn speakers(&self) -> Speakers {
        self.speakers.clone()
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
        let (mut faults, mut mute) = (Vec::new(), Vec::new());
        for language in &self.languages {
            let mut failed = self.failed.iter().filter(|(of, _)| of == language);
            let Some((_, failure)) = failed.next() else { continue };
            let (failed, spoken) = (1 + failed.count(), shelf.phrases_in(*language));
            let all = failed + spoken;
            let key = if faults.is_empty() && Some(language) == self.languages.first() {
                "speech.voice".to_owned()
            } else {
                format!("language.{language}.voice")
            };
            if spoken > 0 {
                faults.push(format!(
                    "{key}: {failed} of {all} phrases cannot be spoken in advance: {failure}"
                ));
            } else if Some(language) == self.languages.first() {
                let language = self.speakers.phrase(*language, Private::default()).language;
                return Err(StartError::Mute { language, failure: *failure });
            } else {
                faults.push(format!(
                    "{key}: nothing can be spoken: {failure}; calls in it are held in {}",
                    self.languages.first().map(ToString::to_string).unwrap_or_default()
                ));
                mute.push(*language);
            }
        }
        Ok(Some(Rendered { shelf, faults, mute }))
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
    fn keep(&mut self, (language, phrase): (LanguageCode, String), samples: Vec<i16>) {
        let has_words = phrase.chars().any(char::is_alphanumeric);
        if (samples.is_empty() && has_words) || !self.shelf.put(language, phrase, samples) {
            self.failed.push((language, Failure::Voice));
        }
    }

    fn fail(&mut self, failure: Failure) {
        if let State::Rendering { phrase: (language, _), .. } = &self.state {
            self.failed.push((*language, failure));
        }
    }

    fn next(&mut self, engine: &dyn Engine) {
        let Some(phrase) = self.list.pop() else {
            self.state = State::Done;
            return;
        };
        let (language, text) = &phrase;
        let wanted = self.speakers.phrase(*language, Private::new(text.clone()));
        let wanted = Phrase { is_known: true, ..wanted };
        let request = engine.speak(Asker::Appliance, wanted);
        self.state = State::Rendering { request, phrase, samples: Vec::new() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::engine::double::Scripted;
    use crate::appliance::front::errands::Speaker;

    fn rendering(phrases: &[&str]) -> Rendering {
        let list = |code: LanguageCode| phrases.iter().map(move |&p| (code, p.to_owned()));
        Rendering::new(speakers(), list(LanguageCode::ENGLISH).collect())
    }

    fn speakers() -> Speakers {
        let speaker = |code: &str| Speaker {
            code: LanguageCode::new(code).unwrap(),
            language: code.into(),
            voice: String::new(),
        };
        Speakers::new(vec![speaker("en"), speaker("ru")])
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
        assert_eq!((rendered.shelf.len(), rendered.faults), (2, Vec::new()));
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
            let fault = rendered.faults[0].clone();
            assert!(fault.starts_with("speech.voice: 1 of 2 phrases"), "{fault}");
            let mute = answered(&both, &[bad, bad]).unwrap_err();
            assert!(mute.to_string().starts_with("speech.voice: "), "{mute}");
        }
        // What has no words has no sound, and a playbook without phrases is not mute.
        assert!(answered(&["..."], &[&empty]).unwrap().faults.is_empty());
        assert!(answered(&[], &[]).unwrap().faults.is_empty());
    }

    #[test]
    fn a_second_language_without_a_voice_is_told_and_the_box_starts() {
        let (engine, _) = Scripted::new(256);
        let (en, ru) = (LanguageCode::ENGLISH, LanguageCode::new("ru").unwrap());
        let list = vec![(en, "Hello.".to_owned()), (ru, "Здравствуйте.".to_owned())];
        let mut rendering = Rendering::new(speakers(), list);
        rendering.begin(&engine);
        let answers = [vec![sound(), Answer::Spoken], vec![Answer::Failed(Failure::NoVoice)]];
        for (answers, request) in answers.into_iter().zip(1..).map(|(a, n)| (a, RequestId(n))) {
            for answer in answers {
                rendering.answer(EngineEvent { asker: Asker::Appliance, request, answer }, &engine);
            }
        }
        let rendered = rendering.finished().unwrap().unwrap();
        assert_eq!((rendered.shelf.len(), rendered.mute), (1, vec![ru]));
        assert!(rendered.faults[0].starts_with("language.ru.voice: "), "{:?}", rendered.faults);
    }
}
