//! Questions that only a yes answers: whether the caller has heard them, and how they are asked again.

use std::time::Instant;

use super::Conversation;
use super::engine::Engine;
use crate::base::UtteranceId;
use crate::converse::alphabet::{Purpose, Speech};
use crate::converse::matching::answers::Answer;

/// Of a question, the share that the caller must have heard: a yes to something else may come just
/// after it has begun.
pub(super) const HEARD: f32 = 0.5;

/// The playbook's question whether what it has understood is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    utterance: UtteranceId,
    is_heard: bool,
    /// It was said once more, since it had not been heard.
    again: bool,
}

impl Conversation {
    /// What was said as this utterance, if the playbook reads back in it what it has understood.
    pub(super) fn has_asked(&self, said: Option<UtteranceId>) -> Option<Asked> {
        let utterance = said.filter(|_| self.dialogue.is_confirming())?;
        Some(Asked { utterance, is_heard: false, again: false })
    }

    /// The caller has heard this share of an utterance.
    pub(super) fn utterance_heard(&mut self, utterance: UtteranceId, heard_fraction: f32) {
        self.thinking.utterance_heard(utterance, heard_fraction);
        if let Some(asked) = self.asked.as_mut().filter(|asked| asked.utterance == utterance) {
            asked.is_heard |= heard_fraction >= HEARD;
        }
    }

    /// A yes to the playbook's question that came before it could be heard: it is asked once more.
    pub(super) fn ask_unheard(&mut self, now: Instant, speech: &Speech) -> bool {
        let is_early = self.asked.is_some_and(|asked| !asked.is_heard && !asked.again)
            && self.dialogue.is_confirming()
            && self.dialogue.yes_or_no(speech) == Some(Answer::Yes);
        if !is_early {
            return false;
        }
        self.stop(self.voice.interruptible());
        self.ask_open(now, Vec::new(), Purpose::Reprompt);
        if let Some(asked) = &mut self.asked {
            asked.again = true;
        }
        true
    }

    /// Says `before` and then the question that is open, whoever has asked it. An answer to it counts
    /// from now on.
    pub(super) fn ask_open(&mut self, now: Instant, before: Vec<String>, purpose: Purpose) {
        let by_keys = self.recognizer != Engine::Up;
        let question = if by_keys { self.question_by_keys() } else { self.question() };
        // A yes to what comes before it would be taken for one to the question.
        if !before.is_empty() {
            self.thinking.forget_hearing();
            self.asked = None;
        }
        let parts = before.into_iter().chain(question.unwrap_or_default()).collect();
        self.say_question(now, parts, purpose);
    }

    /// Says the question that is open, in these words.
    pub(super) fn say_question(&mut self, now: Instant, parts: Vec<String>, purpose: Purpose) {
        let said = self.say(now, parts, true, purpose);
        // Without a voice something else is said.
        let said = said.filter(|_| self.synthesizer != Engine::Lost);
        if !self.thinking.asked_again(said) {
            let was_heard = self.asked.is_some_and(|asked| asked.is_heard);
            self.asked = self.has_asked(said).map(|asked| Asked { is_heard: was_heard, ..asked });
        }
    }

    fn question(&self) -> Option<Vec<String>> {
        let question = self.thinking.question().or_else(|| self.dialogue.question());
        question.map(|question| vec![question])
    }

    /// What the keys of a caller can answer: the question that is open, or the menu.
    pub(super) fn question_or_menu(&self) -> Vec<String> {
        let menu = || vec![self.playbook.prompts().keypad.clone()];
        self.question_by_keys().unwrap_or_else(menu)
    }

    /// `None` where keys cannot answer it.
    pub(super) fn question_by_keys(&self) -> Option<Vec<String>> {
        match self.thinking.question() {
            Some(question) => Some(vec![question, self.playbook.prompts().keypad_yes_no.clone()]),
            None => self.dialogue.question_by_keys(),
        }
    }
}
