//! The playbook: what the desk understands and says, from the owner's TOML file.
//!
//! [`Playbook::parse`] is strict and reports every fault at once; what it returns is consistent, so
//! that nothing can fail in a call. The manual is the commented default file, `logistics.toml`.

mod agent;
mod checks;
pub mod dial;
mod llm;
mod lookups;
mod patience;
pub mod phrase;
mod reader;
mod sections;
mod slots;
#[cfg(test)]
mod tests;
mod transfer;
mod voicemail;

pub use agent::{Agent, is_id, is_variable};
pub use dial::{Dial, Variables, VariablesError};
pub use llm::{Answers, Llm};
pub use transfer::Transfer;
pub use voicemail::Voicemail;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regex::Regex;

use super::lookup::Lookups;
use super::matching::score::{Lexicon, Variant};
use super::matching::slots::{SlotKind, Value};
use super::reply::Template;
use crate::base::LanguageCode;
use crate::base::patience::Patience;

/// The playbooks inside the program: a logistics firm's desk, by the language of its texts.
pub const SHIPPED: [(&str, &str); 2] =
    [("en", include_str!("logistics.toml")), ("ru", include_str!("logistics.ru.toml"))];

/// An intent by its place in the playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntentId(pub usize);

/// A checked playbook.
#[derive(Clone)]
pub struct Playbook {
    source: Box<str>,
    language: String,
    prompts: Prompts,
    intents: Vec<Intent>,
    /// Menu keys, used where no digits are expected.
    keys: Vec<(char, IntentId)>,
    patience: Patience,
    tables: BTreeMap<String, BTreeMap<String, String>>,
    /// Said after two misses in a row.
    fallback: FollowUp,
    /// For what is no slot's answer.
    /// Words and names of the firm that callers say.
    vocabulary: Vec<String>,
    ask_again_below: f32,
    read_back_below: f32,
    llm: Option<Llm>,
    agent: Option<Agent>,
    dial: Option<Dial>,
    transfer: Option<Transfer>,
    voicemail: Option<Voicemail>,
    names: transfer::Names,
    lookups: Lookups,
    lexicon: Lexicon,
    fixed: BTreeSet<String>,
}

/// The phrases that belong to no intent.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    pub greeting: String,
    /// Said instead where the caller's words cannot be understood; the keys are told after it.
    pub keys_greeting: String,
    pub listen: String,
    pub miss: String,
    pub unclear: String,
    /// With `{title}`.
    pub did_you_mean: Template,
    pub go_on: String,
    pub give_up: String,
    pub silence: Silence,
    pub length: Length,
    pub engine: EnginePhrases,
    pub keypad: String,
    /// Said to whoever is in a call when the program is stopped.
    pub closing: String,
    /// Before the keys, to a caller who cannot be heard among others; empty says nothing.
    pub too_loud: String,
    /// Once that is over; empty says nothing.
    pub quiet_again: String,
    /// After a yes-or-no question; empty says nothing.
    pub keypad_yes_no: String,
}

#[derive(Clone, Debug, Default)]
pub struct Silence {
    pub first: String,
    pub second: String,
    pub end: String,
}

#[derive(Clone, Debug, Default)]
pub struct Length {
    pub warning: String,
    pub end: String,
}

#[derive(Clone, Debug, Default)]
pub struct EnginePhrases {
    pub recognizer_lost: String,
    pub recognizer_back: String,
    pub synthesizer_lost: String,
}

/// One thing that callers want.
#[derive(Clone, Debug)]
pub struct Intent {
    pub name: String,
    /// What it is about, for `did_you_mean` and for messages: `cancel an order`.
    pub title: String,
    pub scope: Scope,
    /// A pleasantry: gives way to any other intent in the same utterance.
    pub weak: bool,
    pub phrases: Vec<Variant>,
    pub patterns: Vec<Regex>,
    pub slots: Vec<Slot>,
    /// Asked with yes or no when all slots are filled.
    pub confirm: Option<Template>,
    /// Silence that ends an answer to it, or to a value that is read back.
    pub patience: Patience,
    pub lookup: Option<Lookup>,
    pub reply: Template,
    pub action: Action,
    pub follow_up: Option<FollowUp>,
}

/// Where an intent is listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Where no question is open, and as a clear change of subject elsewhere.
    Open,
    /// Everywhere, questions included.
    Always,
    /// Only while something is being asked.
    Asking,
}

/// What an intent does besides its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Answer,
    /// Leaves its slots as a message for the firm.
    Message,
    /// Has the caller leave a message after a tone.
    Voicemail,
    HangUp,
    /// Says the last thing again.
    Repeat,
    /// Drops what was being asked.
    Abort,
}

#[derive(Clone, Debug)]
pub struct Slot {
    pub name: String,
    pub kind: SlotKind,
    pub ask: Template,
    pub reask: Template,
    pub read_back: ReadBack,
    pub optional: bool,
    /// Taken over from earlier in the call without being asked again.
    pub remember: bool,
    /// An answer whose confidence is below this is asked for again, 0 to 1.
    pub ask_again_below: f32,
    /// Counts of digits that most values have.
    pub usual: Vec<usize>,
    /// Silence that ends an answer to its question.
    pub patience: Patience,
}

/// When a value is read back before anything is done with it, and the question that does it.
#[derive(Clone, Debug)]
pub enum ReadBack {
    Never,
    /// When one of its words is less sure than `Playbook::read_back_below`.
    InDoubt(Template),
    Always(Template),
}

impl ReadBack {
    pub const fn question(&self) -> Option<&Template> {
        match self {
            Self::Never => None,
            Self::InDoubt(question) | Self::Always(question) => Some(question),
        }
    }
}

/// A code is said in groups like a number, with pauses between.
const CODE_PAUSE_MS: u64 = 800;

impl Slot {
    pub fn patience(&self) -> Patience {
        let is_code = matches!(self.kind, SlotKind::Code { .. });
        let unknown_ms = self.patience.unknown_ms.or(is_code.then_some(CODE_PAUSE_MS));
        Patience { unknown_ms, ..self.patience }
    }

    /// Whether a value need not be asked for again.
    pub fn believes(&self, value: &Value) -> bool {
        value.belief.own >= self.ask_again_below
    }
}

/// Data of the owner that an answer depends on.
#[derive(Clone, Debug)]
pub struct Lookup {
    pub source: Source,
    /// Said when there is an entry, with `{status}` or the fields that the system gives back.
    pub found: Template,
}

/// Where an answer is looked up.
#[derive(Clone, Debug)]
pub enum Source {
    /// The playbook's own table, by the value of a slot.
    Table { table: String, slot: usize },
    /// The owner's system.
    Remote(Remote),
}

/// A question to the owner's system, as `attendant.toml` knows it by name.
#[derive(Clone, Debug)]
pub struct Remote {
    pub name: String,
    /// Its parameters and the slots whose values they get.
    pub with: Vec<(String, usize)>,
    /// What `found` needs of what comes back.
    pub fields: Vec<String>,
    pub not_found: Template,
    pub failed: Template,
    /// Said when it takes long.
    pub wait: String,
}

/// A yes-or-no question after a reply.
#[derive(Clone, Debug, Default)]
pub struct FollowUp {
    pub ask: String,
    /// What yes starts; without it we ask what we can do.
    pub yes: Option<IntentId>,
    /// What no starts; without it we listen on.
    pub no: Option<IntentId>,
}

/// One fault of a playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Path of the key: `intent.cancel.slot.order.min`.
    pub key: String,
    /// The value found, shortened; empty when it is missing.
    pub value: String,
    /// What it should be.
    pub allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            write!(f, "{}: {}", self.key, self.allowed)
        } else {
            write!(f, "{} = {}: {}", self.key, self.value, self.allowed)
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PlaybookError {
    #[error("the playbook is not valid TOML")]
    Syntax(#[from] toml::de::Error),
    #[error("the playbook has {} fault(s):\n{}", .0.len(), lines(.0))]
    Faults(Vec<Fault>),
}

fn lines(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    lines.join("\n")
}

/// Short, for it stands in every conversation.
impl fmt::Debug for Playbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Playbook({}, {} intents)", self.language, self.intents.len())
    }
}

impl Playbook {
    /// # Errors
    /// `Syntax` if it is no TOML, else every fault of its content.
    pub fn parse(text: &str) -> Result<Self, PlaybookError> {
        let table: toml::Table = text.parse()?;
        let playbook = sections::playbook(&table).map_err(PlaybookError::Faults)?;
        Ok(Self { source: text.into(), ..playbook })
    }

    /// The text that it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The default playbook.
    pub fn logistics() -> Self {
        Self::shipped(LanguageCode::ENGLISH).expect("it is inside the program")
    }

    /// The playbook inside the program for a language, if there is one.
    pub fn shipped(language: LanguageCode) -> Option<Self> {
        let (_, text) = SHIPPED.iter().find(|(code, _)| *code == language.as_str())?;
        Some(Self::parse(text).expect("a test parses the shipped files"))
    }

    /// Silence that ends what callers say where nothing is asked.
    pub const fn patience(&self) -> Patience {
        self.patience
    }

    /// Language of all texts, as in `en` or `de`.
    pub fn language(&self) -> &str {
        &self.language
    }

    pub fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    pub fn intent(&self, id: IntentId) -> &Intent {
        self.intents.get(id.0).expect("ids are made from this list only")
    }

    pub fn intents(&self) -> impl Iterator<Item = (IntentId, &Intent)> {
        self.intents.iter().enumerate().map(|(index, intent)| (IntentId(index), intent))
    }

    pub fn by_key(&self, key: char) -> Option<IntentId> {
        self.keys.iter().find(|(k, _)| *k == key).map(|(_, id)| *id)
    }

    /// Words and names of the firm that callers say and a recogniser may not know.
    pub fn vocabulary(&self) -> &[String] {
        &self.vocabulary
    }

    /// The confidence below which an answer that is no slot's is asked for again.
    pub fn ask_again_below(&self) -> f32 {
        self.ask_again_below
    }

    /// Whether the value is to be read back before anything is done with it.
    pub fn reads_back(&self, slot: &Slot, value: &Value) -> bool {
        match slot.read_back {
            ReadBack::Never => false,
            ReadBack::InDoubt(_) => value.belief.weakest() < self.read_back_below,
            ReadBack::Always(_) => true,
        }
    }

    /// How a model takes part, if it does.
    pub fn llm(&self) -> Option<&Llm> {
        self.llm.as_ref()
    }

    /// How a remote agent takes part, where the playbook says anything of it.
    pub fn agent(&self) -> Option<&Agent> {
        self.agent.as_ref()
    }

    /// What is said where a remote agent is lost in the middle of a call.
    pub fn takes_over(&self) -> Vec<String> {
        let own = self.agent.as_ref().and_then(|agent| agent.takes_over.clone());
        let usual =
            || vec![self.prompts.engine.recognizer_lost.clone(), self.prompts.listen.clone()];
        own.map_or_else(usual, |own| vec![own])
    }

    pub fn fallback(&self) -> &FollowUp {
        &self.fallback
    }

    pub fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// The owner's entry for `key`.
    pub fn look_up(&self, table: &str, key: &str) -> Option<&str> {
        self.tables.get(table)?.get(key).map(String::as_str)
    }

    /// Whether `text` is said without any slot, so that it can be rendered before a call.
    pub fn is_fixed(&self, text: &str) -> bool {
        self.fixed.contains(text)
    }
}

/// Everything that can be rendered before a call: greeting, prompts, and the replies, questions and
/// confirmations that need no slot. A `Say::text` is made of these, joined by a space, wherever it
/// holds no slot; rendering phrase by phrase finds them again.
pub fn fixed_phrases(playbook: &Playbook) -> Vec<String> {
    playbook.fixed.iter().cloned().collect()
}

fn collect_fixed(
    (prompts, fallback, intents): (&Prompts, &FollowUp, &[Intent]),
    llm: Option<&Llm>,
    dial: Option<&Dial>,
    agent: Option<&Agent>,
    voicemail: Option<&Voicemail>,
) -> BTreeSet<String> {
    let mut texts: Vec<&str> = vec![
        &prompts.greeting,
        &prompts.keys_greeting,
        &prompts.listen,
        &prompts.miss,
        &prompts.unclear,
        &prompts.go_on,
        &prompts.give_up,
        &prompts.silence.first,
        &prompts.silence.second,
        &prompts.silence.end,
        &prompts.length.warning,
        &prompts.length.end,
        &prompts.closing,
        &prompts.engine.recognizer_lost,
        &prompts.engine.recognizer_back,
        &prompts.engine.synthesizer_lost,
        &prompts.keypad,
        &fallback.ask,
    ];
    texts.extend(llm.into_iter().flat_map(Llm::texts));
    texts.extend(dial.into_iter().flat_map(Dial::texts));
    texts.extend(voicemail.into_iter().flat_map(Voicemail::texts));
    texts.extend(agent.and_then(|agent| agent.takes_over.as_deref()));
    for intent in intents {
        texts.extend(intent.reply.fixed());
        texts.extend(intent.confirm.as_ref().and_then(Template::fixed));
        texts.extend(intent.lookup.iter().flat_map(Lookup::texts));
        texts.extend(intent.follow_up.as_ref().map(|follow_up| follow_up.ask.as_str()));
        for slot in &intent.slots {
            texts.extend(slot.ask.fixed());
            texts.extend(slot.reask.fixed());
            texts.extend(slot.read_back.question().and_then(Template::fixed));
        }
    }
    texts.iter().map(|text| text.trim()).filter(|t| !t.is_empty()).map(str::to_owned).collect()
}
