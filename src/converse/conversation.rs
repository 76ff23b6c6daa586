//! One call's conversation: the floor, the timers and the history around the dialogue.
//!
//! Input comes from the call; the call drains [`Conversation::poll_output`] after each. Silence is
//! counted only while neither side speaks. The farewell is played before `HangUp` comes out.

mod backchannel;
mod beginning;
mod engine;
mod keys;
mod leaving;
mod looking_up;
mod offering;
mod question;
mod recording;
mod taking_over;
mod thinking;
mod timing;
mod transferring;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::alphabet::{
    Awaited, EndCause, Expectation, Input, Message, Output, Preview, Purpose, Record, Say,
    Settings, Speaker, Speech, Turn,
};
use super::dialogue::{Dialogue, Reaction, Understanding};
use super::people::PersonId;
use super::playbook::{Playbook, Variables};
use super::reply::{join, plain};
use super::voice::{History, Voice};
use crate::base::{Private, TimerTable, UtteranceId, limits};
pub use beginning::ToldFirst;
use beginning::{Beginning, Telling};
use engine::Engine;
use leaving::{FAREWELL_GUARD, SECOND_THOUGHT};
use looking_up::{Held, Wait};
use offering::OFFERED_WITHIN;
use question::Asked;
use thinking::Thinking;
use timing::{Patience, Timer};
use transferring::Stage;

/// Outputs that wait to be drained; the contract is to drain after each input.
const OUTPUTS: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody hears us yet.
    Waiting,
    Talking,
    /// The caller is being put through to somebody.
    Transferring(PersonId, Stage),
    /// The caller leaves a message after the tone.
    Recording(recording::Stage),
    /// Somebody whom we have called is asked to take a caller; so often.
    Offering {
        asked: u8,
        until: Instant,
    },
    /// The farewell is being said.
    Leaving(EndCause),
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Quiet,
    Speaking,
}

/// The conversation of one call.
#[derive(Debug)]
pub struct Conversation {
    playbook: Arc<Playbook>,
    settings: Settings,
    dialogue: Dialogue,
    phase: Phase,
    beginning: Beginning,
    telling: Telling,
    caller: Caller,
    /// The caller has paused after digits of the utterance that is being said.
    has_paused_in_number: bool,
    /// There are numbers in what was guessed last.
    guessed_number: bool,
    /// When the caller's last words ended, if they were spoken.
    spoke_until: Option<Instant>,
    patience: Patience,
    recognizer: Engine,
    synthesizer: Engine,
    keys: Private<String>,
    /// When the last key was pressed.
    keyed_at: Option<Instant>,
    /// When keys were taken whose rest may still come.
    keys_taken_at: Option<Instant>,
    /// The playbook's yes-or-no question that was said last.
    asked: Option<Asked>,
    /// Until when a farewell waits for a caller who speaks.
    last_words_until: Option<Instant>,
    voice: Voice,
    history: History,
    thinking: Thinking,
    /// The caller's longest turn: what it has most likely called for.
    told: Private<String>,
    /// What is known of a message that is about to be recorded.
    message: Option<Box<Message>>,
    /// Times that the caller was put through.
    transfers: u32,
    /// The owner's system is being asked.
    looking: Option<Wait>,
    /// What came while the caller spoke, to be told once that is over.
    held: Option<Held>,
    /// Times that the owner's system was asked.
    look_ups: u32,
    timers: TimerTable<Timer>,
    awaited: Awaited,
    outputs: VecDeque<Output>,
}

impl Conversation {
    pub fn new(playbook: Arc<Playbook>, settings: Settings) -> Self {
        Self {
            thinking: Thinking::new(&playbook),
            dialogue: Dialogue::new(Arc::clone(&playbook)).beginning(settings.began),
            playbook,
            settings,
            phase: Phase::Waiting,
            beginning: Beginning::Called,
            telling: Telling::Nothing,
            caller: Caller::Quiet,
            has_paused_in_number: false,
            guessed_number: false,
            spoke_until: None,
            patience: Patience::Fresh,
            recognizer: Engine::Up,
            synthesizer: Engine::Up,
            keys: Private::new(String::new()),
            keyed_at: None,
            keys_taken_at: None,
            asked: None,
            last_words_until: None,
            voice: Voice::default(),
            history: History::default(),
            told: Private::default(),
            message: None,
            transfers: 0,
            looking: None,
            held: None,
            look_ups: 0,
            timers: TimerTable::default(),
            awaited: Expectation::Anything.into(),
            outputs: VecDeque::new(),
        }
    }

    /// The beginning that what is asked of a model has in every call by this playbook.
    pub fn model_beginning(playbook: &Playbook) -> super::llm::Chat {
        Thinking::new(playbook).beginning(playbook)
    }

    /// A conversation with a caller whose words cannot be understood: it is held by keys, and what
    /// keys cannot answer is not asked.
    #[must_use]
    pub fn by_keys(self) -> Self {
        Self { recognizer: Engine::Missing, dialogue: self.dialogue.by_keys(), ..self }
    }

    /// A conversation that we have begun: the other end is told who calls, and why.
    #[must_use]
    pub fn dialled(self, variables: Variables) -> Self {
        Self { beginning: Beginning::Dialled(variables), ..self }
    }

    /// A conversation with somebody whom we have called to take a caller who waits.
    #[must_use]
    pub fn offering(self, offer: Private<String>) -> Self {
        Self { beginning: Beginning::Offered(offer), ..self }
    }

    /// A machine records what a conversation that we have begun says first: nothing is asked, and then it
    /// is over.
    pub fn leave_message(&mut self) {
        if let Beginning::Dialled(variables) = &self.beginning {
            self.beginning = Beginning::Message(variables.clone());
        }
    }

    /// The caller speaks another language: from here on `playbook` counts, and nothing that was
    /// being asked. What is being said stops.
    pub fn switch(&mut self, playbook: Arc<Playbook>) {
        self.stop_thinking();
        self.stop(self.voice.interruptible());
        self.forget_keys();
        self.asked = None;
        // That nobody was reached is news in any language.
        self.held = self.held.take().filter(|held| matches!(held, Held::NotTransferred(_)));
        self.thinking.switch(&playbook);
        self.dialogue = Dialogue::new(Arc::clone(&playbook)).beginning(self.settings.began);
        self.playbook = playbook;
    }

    pub fn handle(&mut self, now: Instant, input: Input) {
        match (self.phase, input) {
            (Phase::Ended, _) => {}
            (Phase::Waiting, Input::Connected) => self.connected(now),
            (Phase::Waiting, Input::TakeOver(over)) => self.take_over(now, over),
            (_, Input::RecognizerLost) => self.recognizer_lost(now),
            (_, Input::RecognizerBack) => self.recognizer_back(now),
            (_, Input::SynthesizerLost) => self.synthesizer = Engine::Lost,
            (_, Input::SynthesizerBack) => self.synthesizer = Engine::Up,
            (Phase::Waiting, _) | (_, Input::Connected | Input::TakeOver(_)) => {}
            (Phase::Offering { .. }, Input::Close) => self.hang_up(EndCause::Closing),
            (_, Input::Close) => self.close_down(now),
            (_, Input::Recorded(outcome)) => self.recorded(now, outcome),
            // Nobody answers a caller who speaks to a tape.
            (
                Phase::Recording(_),
                Input::Heard(_)
                | Input::HeardUnclear
                | Input::Guessed(_)
                | Input::Digit(_)
                | Input::TooLoud
                | Input::QuietAgain,
            ) => self.caller = Caller::Quiet,
            (Phase::Transferring(..), Input::Heard(speech)) => self.heard_waiting(now, &speech),
            (Phase::Offering { .. }, Input::Heard(speech)) => self.offer_answered(now, &speech),
            (Phase::Offering { .. }, Input::HeardUnclear) => {
                self.caller = Caller::Quiet;
                self.await_offer(now);
            }
            (Phase::Offering { .. }, Input::Digit(digit)) => self.offer_keyed(digit),
            (
                Phase::Offering { .. },
                Input::Guessed(_) | Input::TooLoud | Input::QuietAgain | Input::Deaf,
            ) => {}
            (_, Input::Heard(speech)) => self.heard(now, &speech),
            (Phase::Talking, Input::HeardUnclear) => self.heard_unclear(now),
            (_, Input::TooLoud) => self.too_loud(now),
            (_, Input::Deaf) => self.deaf(now),
            (_, Input::TextLate) => self.text_late(now),
            (_, Input::NoReply) => self.no_reply(now),
            (_, Input::QuietAgain) => self.quiet_again(now),
            (Phase::Transferring(..), Input::HeardUnclear) => self.caller = Caller::Quiet,
            (Phase::Leaving(_), Input::HeardUnclear) => {}
            (_, Input::CallerSpeaking) => {
                self.caller = Caller::Speaking;
                (self.has_paused_in_number, self.guessed_number) = (false, false);
            }
            (_, Input::CallerSilent { since }) => self.caller_silent(now, since),
            (Phase::Talking, Input::Guessed(speech)) => {
                self.guessed_number = self.dialogue.has_numbers(&speech);
                self.think_ahead(now, &speech);
            }
            (Phase::Leaving(_) | Phase::Transferring(..), Input::Guessed(_)) => {}
            (_, Input::GoesOn) => self.forget_ahead(),
            (_, Input::Thought { ask, event }) => self.thought(now, ask, event),
            (Phase::Talking, Input::Digit(digit)) => self.digit(now, digit),
            (Phase::Leaving(EndCause::Silence), Input::Digit(digit)) => {
                self.stay();
                self.digit(now, digit);
            }
            (Phase::Leaving(_) | Phase::Transferring(..), Input::Digit(_)) => {}
            (_, Input::LookedUp(outcome)) => self.looked_up(now, outcome),
            (_, Input::NotTransferred) => self.transfer_failed(now),
            (_, Input::LeftBehind) => self.left_behind(now),
            (_, Input::GivenBack) => self.given_back(now),
            (_, Input::Finished { utterance }) => self.finished(now, utterance),
            (_, Input::Interrupted { utterance, heard_fraction }) => {
                self.interrupted(utterance);
                self.utterance_ended(utterance, heard_fraction);
                match self.phase {
                    Phase::Leaving(_) if self.voice.is_silent() => {
                        self.timers.set(Timer::HangUp, now + SECOND_THOUGHT);
                    }
                    Phase::Transferring(..) => self.ask_transfer_if_heard(now),
                    Phase::Recording(_) => self.record_if_heard(),
                    Phase::Offering { .. } => self.await_offer(now),
                    _ => (),
                }
            }
            (_, Input::HeardPart { utterance, heard_fraction }) => {
                self.utterance_heard(utterance, heard_fraction);
            }
            (_, Input::Paused) => self.has_paused_in_number |= self.guessed_number,
            (_, Input::PausedUnheard) => self.has_paused_in_number = true,
            (_, Input::Timeout) => self.expire(now),
        }
        self.watch_look_up();
        self.watch_silence(now);
        self.watch_lull(now);
    }

    /// The caller has heard all of it.
    fn finished(&mut self, now: Instant, utterance: UtteranceId) {
        self.utterance_ended(utterance, 1.0);
        self.is_told(utterance);
        match self.phase {
            Phase::Leaving(cause) if self.voice.is_silent() => self.part(now, cause),
            // A model's farewell may be many sentences long.
            Phase::Leaving(_) => self.timers.set(Timer::HangUp, now + FAREWELL_GUARD),
            Phase::Transferring(..) => self.ask_transfer_if_heard(now),
            Phase::Recording(_) => self.record_if_heard(),
            Phase::Offering { .. } => self.await_offer(now),
            Phase::Waiting | Phase::Talking | Phase::Ended => (),
        }
    }

    /// Drain until `Output::Timeout`.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    /// What would be said if `speech` were the caller's whole turn. Nothing changes.
    pub fn preview(&self, speech: &Speech) -> Preview {
        let text = cut(speech.text.reveal());
        let reply = match self.phase {
            Phase::Talking if self.is_beyond_playbook(speech) => None,
            Phase::Talking => Some(self.dialogue.clone().hear(speech)),
            Phase::Leaving(cause) => self.second_thought(cause, speech),
            Phase::Transferring(..)
            | Phase::Recording(_)
            | Phase::Offering { .. }
            | Phase::Waiting
            | Phase::Ended => None,
        };
        let reply = reply.and_then(|reaction| self.sayable(&reaction.parts));
        let reply = reply.or_else(|| self.thinking.first_piece(text));
        let completeness = self.dialogue.completeness(speech, self.has_paused_in_number);
        Preview { completeness, reply: reply.map(Private::new) }
    }

    /// What was said and heard so far, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &Turn> {
        self.history.turns()
    }

    /// A model or the owner's system is answering the last turn: more may be said without an input of the caller.
    pub fn is_thinking(&self) -> bool {
        self.thinking.is_answering() || self.looking.is_some()
    }

    /// Phrases that the caller is likely to say next, the likeliest first.
    pub fn likely(&self) -> Vec<String> {
        self.dialogue.likely()
    }

    pub fn expectation(&self) -> Expectation {
        self.awaited().answer
    }

    fn awaited(&self) -> Awaited {
        let asked = self.thinking.expectation().map(Awaited::from);
        asked.unwrap_or_else(|| self.dialogue.awaited())
    }

    fn connected(&mut self, now: Instant) {
        if matches!(self.beginning, Beginning::Offered(_)) {
            self.awaited.answer = Expectation::YesNo;
            self.outputs.push_back(Output::Expect(self.awaited));
            return self.offer_caller(now, 0, now + OFFERED_WITHIN);
        }
        self.phase = Phase::Talking;
        self.begin_length(now);
        self.awaited = self.awaited();
        self.outputs.push_back(Output::Expect(self.awaited));
        self.greet(now);
    }

    fn heard(&mut self, now: Instant, speech: &Speech) {
        let text = cut(speech.text.reveal());
        self.caller = Caller::Quiet;
        if let Phase::Leaving(cause) = self.phase {
            let Some(reaction) = self.second_thought(cause, speech) else { return };
            self.stay();
            let _ = self.dialogue.hear(speech);
            self.caller_turn(now, text);
            self.react(now, reaction);
            return;
        }
        self.patience = Patience::Fresh;
        if self.is_keying() {
            return;
        }
        self.forget_keys();
        self.caller_turn(now, text);
        if self.wait_on(now, speech)
            || self.think(now, speech)
            || self.tell_held(now, speech)
            || self.ask_unheard(now, speech)
        {
            return;
        }
        let reaction = self.dialogue.hear(speech);
        self.react(now, reaction);
    }

    fn heard_unclear(&mut self, now: Instant) {
        self.caller = Caller::Quiet;
        // Whoever waits for an answer or keys in a number has not said what is to be said again.
        if self.held.is_some() {
            return self.tell_held_news(now);
        }
        if self.is_thinking() || self.is_keying() || self.confirm_again(now) {
            return;
        }
        let reaction = self.dialogue.unclear();
        self.react(now, reaction);
    }

    fn react(&mut self, now: Instant, reaction: Reaction) {
        self.stop_thinking();
        self.stop(self.voice.interruptible());
        self.follow(now, reaction);
    }

    /// Carries a reaction out after what is being said.
    fn follow(&mut self, now: Instant, reaction: Reaction) {
        let record = match reaction.understanding {
            Understanding::Intent { id, score } => {
                let intent = self.playbook.intent(id).name.clone();
                Some(Record::Understood { intent, score })
            }
            Understanding::Missed => Some(Record::Missed),
            Understanding::Answer => None,
        };
        self.outputs.extend(record.map(Output::Record));
        self.outputs.extend(reaction.message.map(Output::TakeMessage));
        let interruptible =
            reaction.hang_up.is_none() && reaction.transfer.is_none() && reaction.record.is_none();
        let said = self.say(now, reaction.parts, interruptible, reaction.purpose);
        self.asked = self.has_asked(said);
        if let Some(cause) = reaction.hang_up {
            self.leave(now, cause);
        }
        if let Some(person) = reaction.transfer {
            self.transfer(now, person);
        }
        if let Some(message) = reaction.record {
            self.begin_message(now, message);
        }
        if let Some(asked) = reaction.look_up {
            self.begin_look_up(now, asked);
        }
        self.expect();
    }

    fn say(
        &mut self,
        now: Instant,
        parts: Vec<String>,
        interruptible: bool,
        purpose: Purpose,
    ) -> Option<UtteranceId> {
        let text = self.sayable(&parts)?;
        let utterance = self.voice.begin(now, plain(&text), interruptible);
        let text = Private::new(text);
        self.outputs.push_back(Output::Say(Say { utterance, text, interruptible, purpose }));
        while self.outputs.len() > OUTPUTS {
            self.outputs.pop_front();
        }
        Some(utterance)
    }

    /// The text that can be said now: without a voice only what was rendered before.
    fn sayable(&self, parts: &[String]) -> Option<String> {
        let lost = self.synthesizer == Engine::Lost;
        let rendered = |part: &String| self.playbook.is_fixed(part.trim());
        let text = if lost && !parts.iter().all(rendered) {
            self.playbook.prompts().engine.synthesizer_lost.clone()
        } else {
            join(parts)
        };
        (!text.is_empty()).then_some(text)
    }

    fn stop(&mut self, utterances: Vec<UtteranceId>) {
        self.outputs.extend(utterances.into_iter().map(Output::Stop));
    }

    fn expect(&mut self) {
        let awaited = self.awaited();
        if awaited != self.awaited {
            self.awaited = awaited;
            // Half a number is no answer to anything else.
            if !matches!(awaited.answer, Expectation::Digits { .. })
                && !self.keys.reveal().is_empty()
            {
                self.forget_keys();
            }
            self.outputs.push_back(Output::Expect(awaited));
        }
    }

    fn caller_turn(&mut self, now: Instant, text: &str) {
        let text = Private::new(text.trim().to_owned());
        if text.reveal().len() > self.told.reveal().len() {
            self.told = text.clone();
        }
        let turn = Turn { at: now, speaker: Speaker::Caller, text };
        self.thinking.note_turn(&turn, &self.playbook);
        self.turn(turn);
    }

    fn utterance_ended(&mut self, utterance: UtteranceId, heard_fraction: f32) {
        self.utterance_heard(utterance, heard_fraction);
        let Some(turn) = self.voice.end(utterance, heard_fraction) else { return };
        let is_told = self.thinking.was_heard(utterance, &turn.text);
        if turn.text.reveal().is_empty() {
            return;
        }
        if !is_told {
            self.thinking.note_turn(&turn, &self.playbook);
        }
        self.turn(turn);
    }

    fn turn(&mut self, turn: Turn) {
        self.history.push(turn.clone());
        self.outputs.push_back(Output::Record(Record::Turn(turn)));
    }
}

/// No recogniser hears more in one utterance.
fn cut(text: &str) -> &str {
    match text.char_indices().nth(limits::TRANSCRIPT_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}
