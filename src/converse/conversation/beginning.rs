//! The first words: to a caller a greeting, to somebody whom we called who calls, and why.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::{Conversation, Timer};
use crate::base::{LanguageCode, Private, UtteranceId};
use crate::converse::alphabet::{EndCause, Purpose};
use crate::converse::playbook::Variables;
use crate::converse::reply::join;

/// The longest message: what is said of a call's reason has a bound, and machines have one.
const MESSAGE_GUARD: Duration = Duration::from_secs(120);

/// Who has begun the call.
#[derive(Clone, Debug)]
pub(super) enum Beginning {
    Called,
    /// We have, with these values.
    Dialled(Variables),
    /// We have, and a machine records what is said.
    Message(Variables),
    /// We have, to offer a caller who waits; what is said about that.
    Offered(Private<String>),
}

/// What the other end has heard to its end before anything else, of what it is told first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldFirst {
    /// The sentence of [`Settings::consent`](crate::converse::Settings::consent).
    pub consent: bool,
    /// That of [`Settings::announced`](crate::converse::Settings::announced).
    pub announced: bool,
}

/// See [`ToldFirst`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Telling {
    /// Nothing of it is being said, nor was.
    #[default]
    Nothing,
    Saying(UtteranceId, ToldFirst),
    Heard(ToldFirst),
}

impl Conversation {
    /// What of it was heard so far. What stood in its place for want of a voice is none of it.
    pub const fn told_first(&self) -> ToldFirst {
        match self.telling {
            Telling::Heard(told) => told,
            Telling::Nothing | Telling::Saying(..) => {
                ToldFirst { consent: false, announced: false }
            }
        }
    }

    /// This was played to its end.
    pub(super) fn is_told(&mut self, utterance: UtteranceId) {
        if let Telling::Saying(saying, told) = self.telling
            && saying == utterance
        {
            self.telling = Telling::Heard(told);
        }
    }

    pub(super) fn greet(&mut self, now: Instant) {
        let parts = match &self.beginning {
            Beginning::Called | Beginning::Offered(_) => self.greeting(),
            Beginning::Dialled(variables) => self.introduction(variables, true),
            Beginning::Message(variables) => self.introduction(variables, false),
        };
        let is_message = matches!(self.beginning, Beginning::Message(_));
        let sentences = self.first_sentences();
        let told = sentences.each_ref().map(Option::is_some);
        let is_told = told.contains(&true);
        let mut parts = parts;
        // After the greeting, before what may be long or wants an answer.
        let after = 1.min(parts.len());
        parts.splice(after..after, sentences.into_iter().flatten());
        self.dialogue.said(&parts);
        let is_whole = self.sayable(&parts).is_some_and(|text| text == join(&parts));
        let said = self.say(now, parts, !is_message && !is_told, Purpose::Greeting);
        if let Some(utterance) = said.filter(|_| is_whole) {
            let [consent, announced] = told;
            self.telling = Telling::Saying(utterance, ToldFirst { consent, announced });
        }
        if is_message {
            self.leave(now, EndCause::Goodbye);
            return self.timers.set(Timer::HangUp, now + MESSAGE_GUARD);
        }
        // To a caller who is heard by keys alone the menu was told instead.
        if let Beginning::Dialled(_) = self.beginning
            && matches!(self.recognizer, Engine::Up | Engine::Lost)
            && let Some(follow_up) = self.playbook.dial().and_then(|dial| dial.follow_up.as_ref())
        {
            self.dialogue.ask_first(follow_up);
            self.expect();
        }
    }

    /// What the other end must have heard before it is recorded or listened to. A machine is told nothing, and a person of
    /// the firm is neither.
    fn first_sentences(&self) -> [Option<String>; 2] {
        let language = match self.beginning {
            Beginning::Called | Beginning::Dialled(_) => {
                LanguageCode::of_tag(self.playbook.language())
            }
            Beginning::Message(_) | Beginning::Offered(_) => None,
        };
        let of_language =
            |sentences: &BTreeMap<String, String>| sentences.get(language?.as_str()).cloned();
        [&self.settings.consent, &self.settings.announced].map(of_language)
    }

    fn greeting(&self) -> Vec<String> {
        let prompts = self.playbook.prompts();
        match self.recognizer {
            Engine::Up | Engine::Lost => vec![prompts.greeting.clone()],
            Engine::Missing | Engine::Drowned => {
                vec![prompts.keys_greeting.clone(), prompts.keypad.clone()]
            }
        }
    }

    /// The greeting, which is rendered, then the reason of the call, which is not: without a voice
    /// that is left out. A playbook without `[dial]` makes no calls.
    fn introduction(&self, variables: &Variables, asks: bool) -> Vec<String> {
        let Some(dial) = self.playbook.dial() else { return self.greeting() };
        let has_voice = self.synthesizer != Engine::Lost;
        let reason = dial.reason(variables).filter(|_| has_voice);
        let prompts = self.playbook.prompts();
        let ask = match (self.recognizer, &dial.follow_up) {
            (Engine::Up | Engine::Lost, Some(follow_up)) => follow_up.ask.clone(),
            (Engine::Up | Engine::Lost, None) => prompts.listen.clone(),
            (Engine::Missing | Engine::Drowned, _) => prompts.keypad.clone(),
        };
        let ask = Some(ask).filter(|_| asks);
        [Some(dial.greeting.clone()), reason, ask].into_iter().flatten().collect()
    }
}
