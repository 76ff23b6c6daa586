//! The words that the call and its conversation exchange.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::llm::{Chat, Event};
use super::lookup::{LookUp, LookedUp};
use super::people::{Address, PersonId, Way, WeekMinute};
use crate::base::patience::Patience;
use crate::base::{Private, UtteranceId, serial};

/// What happens to a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The caller can hear us: the greeting goes out, and the call's length is counted from here.
    Connected,
    /// In place of that: a remote agent has held the call so far.
    TakeOver(TakeOver),
    /// A closed turn of the caller.
    Heard(Speech),
    /// The caller pauses and has said this so far. Nothing is said to it, but an answer may be asked
    /// for ahead.
    Guessed(Speech),
    /// What was guessed is void: the caller goes on, or it was no speech.
    GoesOn,
    /// A part of the model's answer to `Output::Ask`.
    Thought {
        ask: AskId,
        event: Event,
    },
    /// The caller said something that gave no words.
    HeardUnclear,
    /// What speaks at the caller's end never ends: only keys are heard.
    TooLoud,
    /// It has ended: words are heard again.
    QuietAgain,
    /// Nothing of what the caller says comes here: only keys are heard, until `QuietAgain`.
    Deaf,
    /// What the caller has said is over and has not come yet.
    TextLate,
    /// Nothing was said to the caller's last turn for very long.
    NoReply,
    /// What was guessed came before a pause that is longer than those within words.
    Paused,
    /// The caller has paused for a moment, and what was said before is not known.
    PausedUnheard,
    /// This share of an utterance has been heard; it is silent now, and may go on.
    HeardPart {
        utterance: UtteranceId,
        heard_fraction: f32,
    },
    /// Speech of the caller has begun (confirmed, not a click).
    CallerSpeaking,
    /// Speech of the caller has ended at this time; its text may still follow.
    CallerSilent {
        since: Instant,
    },
    /// A key: `0` to `9`, `*`, `#`, `A` to `D`. Anything else is ignored.
    Digit(char),
    /// Our utterance was played to its end.
    Finished {
        utterance: UtteranceId,
    },
    /// Our utterance was stopped after this share of its sound, from 0 to 1.
    Interrupted {
        utterance: UtteranceId,
        heard_fraction: f32,
    },
    /// The recogniser is gone; words will not come until it is back.
    RecognizerLost,
    RecognizerBack,
    /// The voice is gone; only phrases that were rendered before can be said.
    SynthesizerLost,
    SynthesizerBack,
    /// What came of `Output::LookUp`.
    LookedUp(LookedUp),
    /// Nothing came of `Output::Transfer`. That somebody has answered is told to nobody: the call
    /// is over then.
    NotTransferred,
    /// As `NotTransferred`, after the caller was with somebody who is there no more.
    LeftBehind,
    /// A person of the firm has spoken in our place, and gives the call back.
    GivenBack,
    /// What came of `Output::RecordMessage`.
    Recorded(Recorded),
    /// The line closes: say goodbye and end the call.
    Close,
    /// The deadline of the last `Output::Timeout` has come.
    Timeout,
}

/// A call that a remote agent does not hold any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeOver {
    /// When the caller could hear us.
    pub since: Instant,
    pub why: Why,
    /// What the caller has told the agent: its longest words.
    pub told: Private<String>,
}

/// Why the agent does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was never there: the caller has heard nothing yet.
    NotThere,
    /// It was lost in the middle of the call.
    Gone,
    /// The call has lasted for as long as a call may.
    TimeIsOver,
    /// The caller is to be put through.
    Transfer(PersonId),
    /// A person of the firm speaks in its place; `Input::GivenBack` follows.
    Operator,
}

/// Words of the caller, and how far they can be believed; the playbook's `ask_again_below` and
/// `read_back_below` say what follows from that.
#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    pub text: Private<String>,
    /// How likely all of it is right and nothing is missing, 0 to 1.
    pub confidence: f32,
    /// Its words in their order; a digit is one. Where none are told, each is as likely as all.
    pub words: Vec<Word>,
    /// How likely the voice goes on after them, 0 to 1, where the recogniser tells.
    pub goes_on: Option<f32>,
}

/// A word's place in the text, and how likely it is right. One of no length stands where something
/// was said that was not understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// In bytes.
    pub range: Range<usize>,
    /// 0 to 1.
    pub confidence: f32,
}

impl Speech {
    /// Words that are as likely as their whole.
    pub fn evenly(text: &str, confidence: f32) -> Self {
        let text = Private::new(text.to_owned());
        Self { text, confidence, words: Vec::new(), goes_on: None }
    }

    /// Words that cannot be wrong, such as a key's.
    pub fn certain(text: &str) -> Self {
        Self::evenly(text, 1.0)
    }
}

/// What the conversation wants. Drain until `Timeout`.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Say this after what is being said already.
    Say(Say),
    /// Stop this utterance now and answer with `Input::Interrupted`, or with `Finished` if it had
    /// ended already.
    Stop(UtteranceId),
    /// Ask the model and answer with `Input::Thought` until its end.
    Ask { ask: AskId, chat: Box<Chat> },
    /// Stop asking the model, so that it stops working; its answer is ignored from here on.
    CancelAsk(AskId),
    /// This is likely to be said soon.
    Prepare(Private<String>),
    /// Press these keys.
    SendDigits(Private<String>),
    /// Ask the owner's system and answer with `Input::LookedUp`.
    LookUp(LookUp),
    /// The answer is not wanted any more; none must come.
    CancelLookUp,
    /// Have the caller put through, and answer with `Input::NotTransferred` if that comes to nothing
    /// within this time.
    Transfer(Transfer),
    /// Nothing has come of the transfer in time: it is not wanted any more.
    GiveUpTransfer,
    /// Whom we called takes the caller who waits. The last output but `Timeout`.
    Accepted,
    /// What the caller is likely to say next; for endpointing and the recogniser's bias.
    Expect(Awaited),
    /// A message for the firm's people.
    TakeMessage(Message),
    /// Have the caller's own voice recorded after a tone, and answer with `Input::Recorded`; nothing is heard meanwhile.
    RecordMessage(Box<Message>),
    /// For the call's record.
    Record(Record),
    /// Everything is said and heard: end the call now. The last output but `Timeout`.
    HangUp(EndCause),
    /// Nothing more; call again at this time with `Input::Timeout`.
    Timeout(Option<Instant>),
}

/// Whom a caller is put through to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub to: Address,
    pub way: Way,
    pub within: Duration,
    /// What the person is told before the caller is there, where we make the call.
    pub offer: Private<String>,
}

/// One answer that is asked of a model, numbered by the conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AskId(pub u32);

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    pub utterance: UtteranceId,
    /// Text with `<digits>4729</digits>` around what is read digit by digit; `speak::normalise`
    /// takes it as it is.
    pub text: Private<String>,
    /// Whether the caller's speech may stop it.
    pub interruptible: bool,
    pub purpose: Purpose,
}

/// Why something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    Greeting,
    Reply,
    /// We did not understand and ask again.
    Reprompt,
    /// The caller has been silent.
    SilencePrompt,
    /// The call will soon reach its longest duration.
    LengthWarning,
    /// Recognition or voice is lost or back.
    EngineNotice,
    Farewell,
}

/// What the caller is likely to say next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expectation {
    Anything,
    Digits {
        min: usize,
        max: usize,
    },
    YesNo,
    /// Free words, such as a message or a name: leave time to think.
    Text,
}

/// What the caller is likely to say next, and how long a pause in it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Awaited {
    pub answer: Expectation,
    /// Where the playbook's step has its own.
    pub patience: Patience,
}

impl From<Expectation> for Awaited {
    fn from(answer: Expectation) -> Self {
        Self { answer, patience: Patience::default() }
    }
}

/// What came of a message after the tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    Saved,
    /// Nobody has spoken.
    Nothing,
    /// It cannot be recorded; what there is of it is kept.
    Failed,
}

/// Why the conversation ends the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndCause {
    /// The caller said goodbye.
    Goodbye,
    /// The caller stayed silent through all prompts.
    Silence,
    /// The longest duration of a call was reached.
    MaxDuration,
    /// We did not understand the caller, again and again.
    NotUnderstood,
    /// The line closes.
    Closing,
}

/// What a caller leaves for the firm's people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What it is about, from the playbook: `cancel an order`.
    pub topic: String,
    pub name: Option<Private<String>>,
    /// The number to call back, digits only.
    pub number: Option<Private<String>>,
    pub text: Option<Private<String>>,
    /// The other slots of the playbook's intent by name.
    pub fields: Vec<(String, Private<String>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    Caller,
    Desk,
}

/// One turn of the history: what was said and heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub at: Instant,
    pub speaker: Speaker,
    /// Plain words. Of an interrupted utterance, what the caller heard of it.
    pub text: Private<String>,
}

/// An event for the call's record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A turn has come to its end and is in the history.
    Turn(Turn),
    /// The caller's words were understood as this intent of the playbook.
    Understood { intent: String, score: f32 },
    /// The caller's words were not understood.
    Missed,
}

/// What would be said if these words were all that the caller says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub completeness: Completeness,
    /// The very `Say::text` that `Input::Heard` would give.
    pub reply: Option<Private<String>>,
}

/// Whether the caller's thought sounds finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Completeness {
    Complete,
    /// Whole as it stands, but perhaps only the beginning: a greeting, a number of the usual length.
    Probable,
    /// Whole or not, more may well come.
    Doubtful,
    Incomplete,
    Unknown,
    /// The words are a guess, and will be asked for again.
    Unclear,
}

/// How long a conversation waits and how sure it must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Longest call, counted from `Connected`.
    #[serde(rename = "max_duration_ms", with = "serial::ms")]
    pub max_duration: Duration,
    /// The warning comes this long before the end, or at three quarters of a very short call.
    #[serde(rename = "length_warning_ms", with = "serial::ms")]
    pub length_warning: Duration,
    /// Silence of both sides, in all, before the first prompt, the second prompt and the end.
    #[serde(rename = "silence_ms", with = "serial::three_ms")]
    pub silence: [Duration; 3],
    /// A key sequence ends after this pause.
    #[serde(rename = "key_pause_ms", with = "serial::ms")]
    pub key_pause: Duration,
    /// There is a model; whether it answers, the playbook says.
    pub has_model: bool,
    /// When the call begins, for who is there to be put through to.
    pub began: WeekMinute,
    /// What is said after the greeting of a call that is recorded, by the playbook's language.
    #[serde(default)]
    pub consent: BTreeMap<String, String>,
    /// What is said there of people who may listen.
    #[serde(default)]
    pub announced: BTreeMap<String, String>,
    /// What is said when a person of the firm has given the call back; without a sentence the playbook's own.
    #[serde(default)]
    pub back: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            max_duration: seconds(300),
            length_warning: seconds(30),
            silence: [seconds(8), seconds(16), seconds(24)],
            key_pause: seconds(3),
            has_model: false,
            began: WeekMinute::default(),
            consent: BTreeMap::new(),
            announced: BTreeMap::new(),
            back: BTreeMap::new(),
        }
    }
}
