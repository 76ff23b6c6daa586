//! In which language a call is held: a rule before the call, and once a model has heard the caller.
//!
//! The rule looks at what says most about the call first: the number that was called, then the
//! caller's own number, then the address that the call came in on, then the default.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::{LanguageCode, Private};
use crate::converse::Playbook;
use crate::sip::Transport;

/// Turns of the caller by which the language is settled, whatever was heard.
const TURNS: u8 = 3;
/// From this share on one turn is enough.
const SURE: f32 = 0.8;
/// From this share on two turns in a row are enough.
const LIKELY: f32 = 0.5;
/// Digits of a number without a plus from which it is taken as international, as most trunks send
/// it: 11 are North America's with its 1. Shorter ones are extensions and national numbers; a national
/// number that is as long cannot be told from them. E.164 has 15 at most.
const INTERNATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 11..=15;

/// What the rule gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Language(LanguageCode),
    /// The model finds out; the call begins in the default language.
    Detect,
}

/// The owner's table.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// User parts of called addresses, small letters.
    pub called: Vec<(String, Choice)>,
    /// Digits that a caller's international number begins with; the longest that fits wins.
    pub callers: Vec<(String, Choice)>,
    /// An unspecified address stands for every address of its port.
    pub listen: Vec<(Transport, SocketAddr, Choice)>,
    pub otherwise: Choice,
}

/// What is known of a call before it is taken.
#[derive(Clone, Debug)]
pub struct Known {
    /// User parts of the addresses that were called.
    pub called: Private<Vec<String>>,
    pub caller: Private<Option<String>>,
    /// Where the call came in; `None` for a visit, which comes in by no address of `sip.listen`.
    pub local: Option<(Transport, SocketAddr)>,
}

impl Rules {
    /// Every call in one language.
    pub const fn only(choice: Choice) -> Self {
        Self { called: Vec::new(), callers: Vec::new(), listen: Vec::new(), otherwise: choice }
    }

    pub fn choose(&self, known: &Known) -> Choice {
        self.by_called(known)
            .or_else(|| self.by_caller(known))
            .or_else(|| self.by_listen(known))
            .unwrap_or(self.otherwise)
    }

    fn by_called(&self, known: &Known) -> Option<Choice> {
        known.called.reveal().iter().find_map(|user| {
            let user = user.to_lowercase();
            let digits = international(&user);
            let is_number = |rule: &str| {
                rule.strip_prefix('+').is_some_and(|number| digits.as_deref() == Some(number))
            };
            let is = |rule: &str| rule == user || is_number(rule);
            self.called.iter().find(|(rule, _)| is(rule)).map(|(_, choice)| *choice)
        })
    }

    fn by_caller(&self, known: &Known) -> Option<Choice> {
        let digits = international(known.caller.reveal().as_deref()?)?;
        let fitting = self.callers.iter().filter(|(prefix, _)| digits.starts_with(prefix.as_str()));
        fitting.max_by_key(|(prefix, _)| prefix.len()).map(|(_, choice)| *choice)
    }

    fn by_listen(&self, known: &Known) -> Option<Choice> {
        let (transport, local) = known.local?;
        let is = |rule: &SocketAddr| {
            rule.port() == local.port() && (rule.ip() == local.ip() || rule.ip().is_unspecified())
        };
        let found = self.listen.iter().find(|(t, rule, _)| *t == transport && is(rule));
        found.map(|(.., choice)| *choice)
    }
}

/// The digits of an international number: after `+` or `00`, or so many that it must be one.
fn international(user: &str) -> Option<String> {
    let plain: String =
        user.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect();
    let (marked, digits) = match plain.strip_prefix('+').or_else(|| plain.strip_prefix("00")) {
        Some(digits) => (true, digits),
        None => (false, plain.as_str()),
    };
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let long = INTERNATIONAL_DIGITS.contains(&digits.len()) && !digits.starts_with('0');
    (all_digits && (marked || long)).then(|| digits.to_owned())
}

/// One language that calls are held in.
#[derive(Clone, Debug)]
pub struct Tongue {
    pub code: LanguageCode,
    pub playbook: Arc<Playbook>,
}

/// The languages that calls are held in; the first is the default.
#[derive(Clone, Debug)]
pub struct Tongues(Arc<[Tongue]>);

impl Tongues {
    pub fn new(first: Tongue, others: impl IntoIterator<Item = Tongue>) -> Self {
        Self(std::iter::once(first).chain(others).collect())
    }

    /// One language, that of the playbook.
    pub fn only(playbook: Playbook) -> Self {
        let code = LanguageCode::of_tag(playbook.language()).unwrap_or(LanguageCode::ENGLISH);
        Self::new(Tongue { code, playbook: Arc::new(playbook) }, [])
    }

    pub fn default_one(&self) -> &Tongue {
        self.0.first().expect("`new` takes one at least")
    }

    pub fn iter(&self) -> impl Iterator<Item = &Tongue> {
        self.0.iter()
    }

    /// The default where there is no such language.
    pub fn find(&self, code: LanguageCode) -> &Tongue {
        self.0.iter().find(|tongue| tongue.code == code).unwrap_or_else(|| self.default_one())
    }
}

/// How a call is held, as far as it is known at its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    pub language: LanguageCode,
    pub ears: Ears,
    /// A remote agent holds it.
    #[serde(default)]
    pub agent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ears {
    /// The language of the call is listened for.
    Open,
    /// The model tells which of these is spoken.
    Detecting(Vec<LanguageCode>),
    /// The model does not know the language: the call is held by keys.
    Closed,
}

/// What can be done about a choice, by what the engine has.
#[derive(Clone, Debug, Default)]
pub struct Abilities {
    /// Languages that the model hears.
    pub heard: Vec<LanguageCode>,
    /// Languages without a voice.
    pub mute: Vec<LanguageCode>,
}

impl Abilities {
    /// A language without a voice becomes the default; one that is not heard is held by keys.
    pub fn manner(&self, choice: Choice, tongues: &Tongues) -> Manner {
        let default = tongues.default_one().code;
        let language = match choice {
            Choice::Language(code) if !self.mute.contains(&code) => tongues.find(code).code,
            Choice::Language(_) | Choice::Detect => default,
        };
        let can_be_spoken =
            |code: &LanguageCode| self.heard.contains(code) && !self.mute.contains(code);
        let among: Vec<LanguageCode> = match choice {
            Choice::Detect => tongues.iter().map(|t| t.code).filter(can_be_spoken).collect(),
            Choice::Language(_) => Vec::new(),
        };
        let ears = match among.len() {
            2.. => Ears::Detecting(among),
            _ if self.heard.contains(&language) => Ears::Open,
            _ => Ears::Closed,
        };
        Manner { language, ears, agent: false }
    }
}

impl Manner {
    /// A language that is heard.
    pub const fn plain(language: LanguageCode) -> Self {
        Self { language, ears: Ears::Open, agent: false }
    }
}

/// The language of a call, while it is being found out and after.
///
/// One turn of which the model is sure settles it, for a change as for the language that it began
/// in; a likely one needs a second turn that says the same. After three turns it stays as it is,
/// and a call changes its language once at most: a caller who drops a foreign word is not answered
/// in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    current: LanguageCode,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Settled,
    Open { among: Vec<LanguageCode>, turns: u8, likely: Option<LanguageCode> },
}

impl Detection {
    pub fn new(manner: &Manner) -> Self {
        let state = match &manner.ears {
            Ears::Detecting(among) => State::Open { among: among.clone(), turns: 0, likely: None },
            Ears::Open | Ears::Closed => State::Settled,
        };
        Self { current: manner.language, state }
    }

    pub const fn current(&self) -> LanguageCode {
        self.current
    }

    /// What the next utterance may be in.
    pub fn languages(&self) -> Vec<LanguageCode> {
        match &self.state {
            State::Settled => vec![self.current],
            State::Open { among, .. } => among.clone(),
        }
    }

    /// Whether a turn that is heard so would change the language.
    pub fn would_change(&self, detected: Option<(LanguageCode, f32)>) -> bool {
        self.clone().turn(detected).is_some()
    }

    /// A turn of the caller; the language that the call changes to.
    pub fn turn(&mut self, detected: Option<(LanguageCode, f32)>) -> Option<LanguageCode> {
        let State::Open { turns, likely, .. } = &mut self.state else { return None };
        *turns += 1;
        let again = |language| *likely == Some(language);
        let settled = detected
            .filter(|(language, share)| *share >= SURE || (*share >= LIKELY && again(*language)));
        *likely = detected.filter(|(_, share)| *share >= LIKELY).map(|(language, _)| language);
        if settled.is_some() || *turns >= TURNS {
            self.state = State::Settled;
        }
        let (language, _) = settled.filter(|(language, _)| *language != self.current)?;
        self.current = language;
        Some(language)
    }
}

#[cfg(test)]
mod tests;
