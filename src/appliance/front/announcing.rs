//! Announcements on handsets: spoken by the engine one phrase after the other, and given to the handsets as they come.
//!
//! A phrase that the engine cannot speak is left out, and that is told; what it dies over it is asked again by its link.

use std::collections::VecDeque;

use super::errands::Speakers;
use super::switchboard::Announcement;
use crate::appliance::engine::{Answer, Asker, Engine, EngineEvent, RequestId};
use crate::base::{LanguageCode, Private};

/// What is being spoken.
#[derive(Debug)]
struct Spoken {
    request: RequestId,
    handsets: Vec<usize>,
}

/// One phrase that waits.
#[derive(Debug)]
struct Waiting {
    handsets: Vec<usize>,
    language: LanguageCode,
    phrase: Private<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Announcing {
    speakers: Speakers,
    waiting: VecDeque<Waiting>,
    spoken: Option<Spoken>,
}

impl Announcing {
    pub fn new(speakers: Speakers) -> Self {
        Self { speakers, waiting: VecDeque::new(), spoken: None }
    }

    /// Takes what waits, one announcement after the other: the next once no phrase of the one before is left to be
    /// asked for. So what waits is bounded by the switchboard, which has the limit.
    pub fn pull(&mut self, mut next: impl FnMut() -> Option<Announcement>, engine: &dyn Engine) {
        while self.waiting.is_empty() {
            let Some(announcement) = next() else { return };
            self.want(announcement, engine);
        }
    }

    fn want(&mut self, announcement: Announcement, engine: &dyn Engine) {
        let Announcement { handsets, language, phrases } = announcement;
        self.waiting.extend(phrases.into_iter().map(|phrase| Waiting {
            handsets: handsets.clone(),
            language,
            phrase,
        }));
        self.next(engine);
    }

    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.spoken.is_none()
    }

    /// What has come from the engine; gives the sound and for whom it is.
    pub fn answer(
        &mut self,
        event: &EngineEvent,
        engine: &dyn Engine,
    ) -> Option<(Vec<usize>, Private<Vec<i16>>)> {
        let spoken = self.spoken.as_ref().filter(|spoken| spoken.request == event.request)?;
        let handsets = spoken.handsets.clone();
        match &event.answer {
            Answer::Audio(chunk) => return Some((handsets, chunk.clone())),
            Answer::Failed(failure) => {
                tracing::warn!(%failure, "a part of an announcement is left out")
            }
            Answer::Spoken | Answer::Cancelled | Answer::Text(_) => (),
        }
        self.spoken = None;
        self.next(engine);
        None
    }

    fn next(&mut self, engine: &dyn Engine) {
        if self.spoken.is_some() {
            return;
        }
        if let Some(Waiting { handsets, language, phrase }) = self.waiting.pop_front() {
            let phrase = self.speakers.phrase(language, phrase);
            let request = engine.speak(Asker::Appliance, phrase);
            self.spoken = Some(Spoken { request, handsets });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::engine::Failure;
    use crate::appliance::engine::double::Scripted;
    use crate::appliance::front::errands::Speaker;

    fn announcement(handsets: &[usize], phrases: &[&str]) -> Announcement {
        let phrases = phrases.iter().map(|phrase| Private::new((*phrase).to_owned())).collect();
        Announcement { handsets: handsets.to_vec(), language: LanguageCode::ENGLISH, phrases }
    }

    #[test]
    fn phrases_are_spoken_one_after_the_other_and_heard_where_they_are_meant() {
        let (engine, mut answers) = Scripted::new(256);
        let speaker =
            Speaker { code: LanguageCode::ENGLISH, language: "en".into(), voice: String::new() };
        let mut announcing = Announcing::new(Speakers::new(vec![speaker]));
        let mut wanted = VecDeque::from([
            announcement(&[0, 2], &["Fire drill.", "Please leave."]),
            announcement(&[1], &["A call."]),
        ]);
        announcing.pull(|| wanted.pop_front(), &engine);
        assert_eq!(wanted.len(), 1, "it waits where it is counted");
        let mut heard = Vec::new();
        while !announcing.is_idle() {
            let mut event = answers.try_recv().expect("each phrase is asked for");
            // The engine cannot speak the second one.
            if event.request == RequestId(2) {
                event.answer = Answer::Failed(Failure::Voice);
            }
            if let Some((handsets, sound)) = announcing.answer(&event, &engine) {
                assert!(!sound.reveal().is_empty());
                heard.push(handsets);
            }
            announcing.pull(|| wanted.pop_front(), &engine);
        }
        heard.dedup();
        assert_eq!(heard, [vec![0, 2], vec![1]]);
        let spoken: Vec<_> = engine.spoken().iter().map(|p| p.text.reveal().clone()).collect();
        assert_eq!(spoken, ["Fire drill.", "Please leave.", "A call."]);
    }
}
