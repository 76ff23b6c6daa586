//! What the desk answers to what it understands: open talk, forms, confirmations and questions.
//!
//! No time here: [`Conversation`](super::Conversation) owns the clock and the floor. A `Dialogue`
//! is cheap to clone, which is how a reply is prepared for words that may not be the last.

mod answering;
mod by_keys;
mod completeness;
mod completing;
mod form;
mod likely;
mod looking_up;
mod misses;
mod model;
mod transferring;

use std::sync::Arc;

use super::alphabet::{Awaited, EndCause, Expectation, Message, Purpose, Speech};
use super::lookup::LookUp;
use super::matching::answers::{Answer, correction_start, yes_no};
use super::matching::belief::Belief;
use super::matching::score::{ACCEPT, DOUBTFUL, STRONG};
use super::matching::slots::{Found, SlotKind, Value, mentioned};
use super::matching::tokens::Token;
use super::people::{PersonId, WeekMinute};
use super::playbook::{Action, FollowUp, Intent, IntentId, Playbook, Slot};
use super::understanding::{Floor, Guess, guess};
use crate::base::Private;
use form::{Form, SlotValue};

/// Values remembered over a call.
const MEMORY: usize = 32;
/// Offers after misses before we give up.
const FALLBACKS: u32 = 3;
/// Misses in a row before something else is offered.
const MISSES: u32 = 2;
/// Times that a caller may reject what we understood before something else is offered.
const REFUSALS: u32 = 3;

#[derive(Clone, Debug)]
pub struct Dialogue {
    playbook: Arc<Playbook>,
    state: State,
    misses: u32,
    fallbacks: u32,
    memory: Vec<(String, Private<String>)>,
    /// The last form that was completed, for `no, I meant ...`.
    recent: Option<Form>,
    /// What was said last, for `repeat`.
    last: Vec<Private<String>>,
    channel: Channel,
    /// When the call began.
    began: WeekMinute,
}

/// By what the caller can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    WordsAndKeys,
    KeysOnly,
}

#[derive(Clone, Debug)]
enum State {
    Open,
    /// The slot with this index is asked for.
    Filling(Form, usize),
    /// The slot with this index, or all of the form, is read back.
    Confirming(Form, Confirm),
    Asked(Question),
    /// The owner's system is asked about this.
    LookingUp(Form),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Confirm {
    Slot(usize),
    All,
}

/// A yes-or-no question.
#[derive(Clone, Debug)]
struct Question {
    text: Private<String>,
    yes: Consequence,
    no: Consequence,
}

#[derive(Clone, Debug)]
enum Consequence {
    Start(Form),
    Listen,
}

/// What follows from one thing heard.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// Said one after the other; each is a whole text of the playbook.
    pub parts: Vec<String>,
    pub purpose: Purpose,
    pub message: Option<Message>,
    /// A message after the tone is recorded; what is known of it.
    pub record: Option<Message>,
    pub hang_up: Option<EndCause>,
    /// The caller is put through to them.
    pub transfer: Option<PersonId>,
    /// The owner's system is asked, and the answer follows.
    pub look_up: Option<LookUp>,
    pub understanding: Understanding,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Understanding {
    Intent {
        id: IntentId,
        score: f32,
    },
    /// An answer to our question.
    Answer,
    Missed,
}

/// One utterance with what it may mean.
struct Heard<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    guess: Option<Guess>,
    /// It is believed as a whole. What is taken from its words is judged by these.
    sure: bool,
}

impl Heard<'_> {
    /// The guess, if it is at least this good.
    fn guess_from(&self, score: f32) -> Option<&Guess> {
        self.guess.as_ref().filter(|guess| guess.score >= score)
    }
}

impl Reaction {
    fn say(parts: Vec<String>, understanding: Understanding) -> Self {
        let purpose = Purpose::Reply;
        Self {
            parts,
            purpose,
            message: None,
            record: None,
            hang_up: None,
            transfer: None,
            look_up: None,
            understanding,
        }
    }

    fn reprompt(parts: Vec<String>) -> Self {
        Self { purpose: Purpose::Reprompt, ..Self::say(parts, Understanding::Missed) }
    }
}

impl Dialogue {
    pub fn new(playbook: Arc<Playbook>) -> Self {
        Self {
            playbook,
            state: State::Open,
            misses: 0,
            fallbacks: 0,
            memory: Vec::new(),
            recent: None,
            last: Vec::new(),
            channel: Channel::WordsAndKeys,
            began: WeekMinute::default(),
        }
    }

    /// A call that began then, for who is there.
    #[must_use]
    pub fn beginning(self, began: WeekMinute) -> Self {
        Self { began, ..self }
    }

    /// The caller's words. Where they are less sure than the step demands the caller is asked again;
    /// in open talk, whether the wish was meant.
    pub fn hear(&mut self, speech: &Speech) -> Reaction {
        let mut tokens = self.playbook.lexicon().heard(speech);
        if tokens.is_empty() {
            return self.unclear();
        }
        let sure = is_sure(speech.confidence, &tokens, self.ask_again_below());
        if !sure {
            // Anything may be missing beside any word.
            let least = if speech.confidence.is_nan() { 0.0 } else { speech.confidence };
            tokens.iter_mut().for_each(|t| t.belief.beside = t.belief.beside.min(least));
        }
        let guess = guess(&self.playbook, &tokens, self.floor());
        let heard = Heard { text: speech.text.reveal().trim(), tokens, guess, sure };
        let reaction = match std::mem::replace(&mut self.state, State::Open) {
            State::Open => self.hear_open(&heard),
            State::Filling(form, slot) => self.hear_filling(form, slot, &heard),
            State::Confirming(form, confirm) => self.hear_confirming(form, confirm, &heard),
            State::LookingUp(form) => self.hear_waiting(form, &heard),
            State::Asked(question) if !sure => self.not_caught(State::Asked(question)),
            State::Asked(question) => self.hear_asked(question, &heard),
        };
        self.settle(reaction)
    }

    /// The caller said something without words.
    pub fn unclear(&mut self) -> Reaction {
        let state = std::mem::replace(&mut self.state, State::Open);
        let reaction = self.not_caught(state);
        self.settle(reaction)
    }

    /// A menu key was pressed.
    pub fn choose(&mut self, intent: IntentId) -> Reaction {
        let state = std::mem::replace(&mut self.state, State::Open);
        let guess = Guess { intent, score: 1.0, values: Vec::new(), person: None };
        let reaction = self.act(&guess, state);
        self.settle(reaction)
    }

    /// What is expected, with the patience of the step that is asked for.
    pub fn awaited(&self) -> Awaited {
        let patience = match &self.state {
            State::Open => Some(self.playbook.patience()),
            State::Filling(form, slot) => self.slot(form, *slot).map(Slot::patience),
            State::Confirming(form, _) => Some(self.playbook.intent(form.intent).patience),
            State::Asked(_) | State::LookingUp(_) => None,
        };
        Awaited { answer: self.expectation(), patience: patience.unwrap_or_default() }
    }

    pub fn expectation(&self) -> Expectation {
        match &self.state {
            State::Open | State::LookingUp(_) => Expectation::Anything,
            State::Confirming(..) | State::Asked(_) => Expectation::YesNo,
            State::Filling(form, slot) => match self.slot(form, *slot).map(|slot| &slot.kind) {
                Some(SlotKind::YesNo) => Expectation::YesNo,
                Some(SlotKind::Name | SlotKind::Text | SlotKind::Code { .. }) => Expectation::Text,
                Some(kind) => kind.digit_count().map_or(Expectation::Anything, |(min, max)| {
                    // Whoever has said a part may still key in all of it.
                    let min = min.saturating_sub(form.partial.text.len()).max(1);
                    Expectation::Digits { min, max }
                }),
                None => Expectation::Anything,
            },
        }
    }

    /// What was understood is being read back; a yes acts on it.
    pub const fn is_confirming(&self) -> bool {
        matches!(self.state, State::Confirming(..))
    }

    /// The question that is open, to be asked again after an interruption.
    pub fn question(&self) -> Option<String> {
        self.question_of(&self.state)
    }

    pub fn last(&self) -> Vec<String> {
        self.last.iter().map(|part| part.reveal().clone()).collect()
    }

    /// What is said outside the dialogue, such as the greeting, can be repeated too.
    pub fn said(&mut self, parts: &[String]) {
        self.last = parts.iter().cloned().map(Private::new).collect();
    }

    /// A question that we have begun the call with.
    pub fn ask_first(&mut self, follow_up: &FollowUp) {
        self.state = State::Asked(self.question_from(follow_up));
    }

    /// The confidence that what is heard now must have.
    fn ask_again_below(&self) -> f32 {
        let slot = match &self.state {
            State::Filling(form, slot) | State::Confirming(form, Confirm::Slot(slot)) => {
                self.slot(form, *slot)
            }
            State::Open
            | State::Confirming(_, Confirm::All)
            | State::Asked(_)
            | State::LookingUp(_) => None,
        };
        slot.map_or(self.playbook.ask_again_below(), |slot| slot.ask_again_below)
    }

    fn floor(&self) -> Floor {
        match self.state {
            State::Open | State::LookingUp(_) => Floor::Open,
            State::Filling(..) | State::Confirming(..) | State::Asked(_) => Floor::Asking,
        }
    }

    fn settle(&mut self, reaction: Reaction) -> Reaction {
        if !reaction.parts.is_empty() {
            self.said(&reaction.parts);
        }
        reaction
    }

    fn question_of(&self, state: &State) -> Option<String> {
        match state {
            State::Open | State::LookingUp(_) => None,
            State::Filling(form, slot) => {
                self.slot(form, *slot).map(|slot| self.fill(&slot.ask, form))
            }
            State::Confirming(form, confirm) => Some(self.read_back(form, *confirm)),
            State::Asked(question) => Some(question.text.reveal().clone()),
        }
    }

    fn slot(&self, form: &Form, slot: usize) -> Option<&Slot> {
        self.playbook.intent(form.intent).slots.get(slot)
    }

    fn fill(&self, template: &super::reply::Template, form: &Form) -> String {
        let intent = self.playbook.intent(form.intent);
        template.fill(|name| form.value(intent, name))
    }

    fn read_back(&self, form: &Form, confirm: Confirm) -> String {
        let intent = self.playbook.intent(form.intent);
        let template = match confirm {
            Confirm::All => intent.confirm.as_ref(),
            Confirm::Slot(slot) => {
                intent.slots.get(slot).and_then(|slot| slot.read_back.question())
            }
        };
        template.map(|template| self.fill(template, form)).unwrap_or_default()
    }

    /// Starts or answers what was meant. `state` is where we were, to come back to after a short
    /// answer.
    fn act(&mut self, guess: &Guess, state: State) -> Reaction {
        self.misses = 0;
        let playbook = Arc::clone(&self.playbook);
        let intent = playbook.intent(guess.intent);
        let understanding = Understanding::Intent { id: guess.intent, score: guess.score };
        let question = self.question_of(&state);
        let form_is_open = matches!(state, State::Filling(..) | State::Confirming(..));
        match intent.action {
            Action::Repeat => {
                self.state = state;
                let last = self.last();
                let parts =
                    if last.is_empty() { vec![playbook.prompts().listen.clone()] } else { last };
                Reaction::say(parts, understanding)
            }
            Action::Answer if intent.slots.is_empty() && form_is_open => {
                self.state = state;
                let mut parts = vec![intent.reply.fill(|_| None)];
                parts.extend(question);
                Reaction::say(parts, understanding)
            }
            Action::Answer
            | Action::Message
            | Action::Voicemail
            | Action::HangUp
            | Action::Abort => {
                let form = Form::new(guess.intent, intent, &guess.values).naming(guess.person);
                self.advance(form, understanding)
            }
        }
    }

    /// Asks for the next thing that the form needs, or completes it.
    fn advance(&mut self, mut form: Form, understanding: Understanding) -> Reaction {
        if let Some(reaction) = self.put_through(&form, understanding) {
            return reaction;
        }
        let playbook = Arc::clone(&self.playbook);
        let intent = playbook.intent(form.intent);
        for (index, slot) in intent.slots.iter().enumerate() {
            if form.values.get(index) == Some(&SlotValue::Empty) {
                let keyable = slot.kind.digit_count().is_some() || slot.kind == SlotKind::YesNo;
                if self.channel == Channel::KeysOnly && !keyable {
                    form.set(index, SlotValue::Skipped);
                    continue;
                }
                match self.remembered(slot).filter(|_| form.partial.text.is_empty()) {
                    Some(value) => form.set(index, SlotValue::Heard(Value::certain(value))),
                    None => return self.ask(form, index, understanding),
                }
            }
            if let Some(SlotValue::Heard(value)) = form.values.get(index) {
                if playbook.reads_back(slot, value) {
                    return self.confirm(form, Confirm::Slot(index), understanding);
                }
                let settled = SlotValue::Settled(value.text.clone());
                form.set(index, settled);
            }
        }
        if intent.confirm.is_some() {
            return self.confirm(form, Confirm::All, understanding);
        }
        self.complete(form, understanding)
    }

    fn ask(&mut self, form: Form, slot: usize, understanding: Understanding) -> Reaction {
        let text = if form.partial.text.is_empty() {
            self.slot(&form, slot).map(|s| self.fill(&s.ask, &form)).unwrap_or_default()
        } else {
            self.playbook.prompts().go_on.clone()
        };
        self.state = State::Filling(form, slot);
        Reaction::say(vec![text], understanding)
    }

    fn confirm(&mut self, form: Form, confirm: Confirm, understanding: Understanding) -> Reaction {
        let text = self.read_back(&form, confirm);
        self.state = State::Confirming(form, confirm);
        Reaction::say(vec![text], understanding)
    }
}

/// Whether a sentence is believed as a whole: if it is sure enough, or if all that makes it unsure
/// are fillers, while each word that says something is sure by itself.
fn is_sure(confidence: f32, tokens: &[Token], least: f32) -> bool {
    let Belief { own, beside } = Belief::of(tokens);
    confidence >= least || (own >= least && beside < least)
}
