//! The dialogue beside a model: what is left to it, and what follows its answers.

use super::*;
use crate::converse::playbook::{Answers, Llm, Scope};

impl Dialogue {
    /// What the playbook makes of words that a model may answer, and how it is after that; `None`
    /// if they are the playbook's: an answer to its question, words that are not sure, or an intent
    /// that it keeps to itself.
    pub fn leaves(&self, llm: &Llm, speech: &Speech) -> Option<(Self, Reaction)> {
        let is_open = matches!(self.state, State::Open | State::Asked(_))
            && self.channel == Channel::WordsAndKeys;
        if !is_open || !self.believes(speech) {
            return None;
        }
        let mut after = self.clone();
        let reaction = after.hear(speech);
        let leaves = match reaction.understanding {
            Understanding::Missed => true,
            Understanding::Answer => false,
            Understanding::Intent { id, .. } => {
                let intent = self.playbook.intent(id);
                llm.answers == Answers::Open
                    && intent.action == Action::Answer
                    && intent.scope == Scope::Open
                    && intent.slots.is_empty()
                    && !intent.weak
            }
        };
        leaves.then_some((after, reaction))
    }

    /// A model has answered with this; a question that was open before is not any more.
    pub fn answered(&mut self, parts: &[String]) {
        self.state = State::Open;
        self.misses = 0;
        self.fallbacks = 0;
        self.said(parts);
    }

    /// Nobody could answer: offers what is left, a message, and does not say that nothing was
    /// understood.
    pub fn give_way(&mut self) -> Reaction {
        self.state = State::Open;
        let playbook = Arc::clone(&self.playbook);
        let offer = playbook.llm().and_then(|llm| llm.offer.clone());
        let reaction = match offer {
            Some(ask) => self.fall_back_to(&FollowUp { ask, ..playbook.fallback().clone() }),
            None => self.fall_back(),
        };
        self.settle(reaction)
    }

    /// A message was left, and nobody else says so: what the playbook says after one.
    pub fn message_left(&mut self) -> Reaction {
        let playbook = Arc::clone(&self.playbook);
        let taking = playbook.fallback().yes.map(|id| playbook.intent(id));
        let taking = taking.filter(|intent| intent.action == Action::Message);
        let Some((intent, thanks)) = taking.and_then(|i| Some((i, i.reply.fixed()?))) else {
            return self.listen();
        };
        (self.state, self.misses) = (State::Open, 0);
        let mut parts = vec![thanks.to_owned()];
        if let Some(follow_up) = &intent.follow_up {
            parts.push(follow_up.ask.clone());
            self.state = State::Asked(self.question_from(follow_up));
        }
        self.settle(Reaction::say(parts, Understanding::Answer))
    }

    /// Nothing is left of what was talked about: asks what else there is.
    pub fn listen(&mut self) -> Reaction {
        (self.state, self.misses) = (State::Open, 0);
        let listen = self.playbook.prompts().listen.clone();
        self.settle(Reaction::say(vec![listen], Understanding::Answer))
    }

    /// What is said when the caller leaves, from the intent that hangs up.
    pub fn farewell(&self) -> Option<String> {
        let mut intents = self.playbook.intents();
        let (_, leaving) = intents.find(|(_, intent)| intent.action == Action::HangUp)?;
        leaving.reply.fixed().map(str::to_owned)
    }

    /// Yes or no, if it is one of them and is believed.
    pub fn yes_or_no(&self, speech: &Speech) -> Option<Answer> {
        let said = yes_no(&self.playbook.lexicon().heard(speech));
        said.filter(|_| self.believes(speech))
    }

    /// There are words, and they are sure enough to be acted upon.
    pub fn believes(&self, speech: &Speech) -> bool {
        let tokens = self.playbook.lexicon().heard(speech);
        !tokens.is_empty() && is_sure(speech.confidence, &tokens, self.ask_again_below())
    }
}
