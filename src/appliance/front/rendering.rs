//! The phrases that are rendered before the first call: greeting, prompts, notices.
//!
//! Asks for one after the other, so that an engine that dies in the middle loses nothing: the link
//! sends the request again.

use crate::appliance::engine::{Answer, Asker, Engine, EngineEvent, Phrase, RequestId};
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
    state: State,
}

impl Rendering {
    pub fn new(speaker: Speaker, mut list: Vec<String>) -> Self {
        list.reverse();
        Self { speaker, list, shelf: Shelf::default(), state: State::Waiting }
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

    /// The rendered phrases, once: when the last one has come.
    pub fn finished(&mut self) -> Option<Shelf> {
        if !matches!(self.state, State::Done) {
            return None;
        }
        self.state = State::Given;
        Some(std::mem::take(&mut self.shelf))
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
                    self.shelf.put(phrase, samples);
                }
                self.next(engine);
            }
            // The engine could not: this phrase will be spoken when it is needed, or not at all.
            Answer::Failed(_) | Answer::Cancelled | Answer::Text(_) => self.next(engine),
        }
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

    #[tokio::test]
    async fn every_phrase_is_rendered_and_the_shelf_given_out_once() {
        let (engine, mut answers) = Scripted::new(256);
        let speaker = Speaker { language: "en".into(), voice: String::new() };
        let mut rendering = Rendering::new(speaker, vec!["Hello.".into(), "Goodbye.".into()]);
        rendering.begin(&engine);
        let shelf = loop {
            rendering.answer(answers.try_recv().unwrap(), &engine);
            if let Some(shelf) = rendering.finished() {
                break shelf;
            }
        };
        assert_eq!(shelf.len(), 2);
        assert!(rendering.finished().is_none() && rendering.is_finished());
        let spoken: Vec<_> = engine.spoken().iter().map(|p| p.text.reveal().clone()).collect();
        assert_eq!(spoken, ["Hello.", "Goodbye."]);
    }
}
