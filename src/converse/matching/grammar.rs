//! What one language knows of being understood. A language is one file that makes a [`Grammar`], and
//! one row in `GRAMMARS`; a playbook in a language without one is read with English words, so that
//! its phrases, digits and keys still work.

use std::fmt;

use super::answers::Answer;
use super::english::ENGLISH;
use super::numbers::Part;
use super::russian::RUSSIAN;
use super::tokens::Token;

/// Word lists hold their entries between `|`.
pub struct Grammar {
    pub code: &'static str,
    pub words: Words,
    pub answers: Answers,
    pub names: Names,
    pub corrections: Corrections,
    pub number: fn(&str) -> Option<Part>,
    /// Stands within a number after hundreds: `one hundred and five`.
    pub number_link: &'static str,
    /// Said for the signs between a number's groups: `four seven dash two nine`.
    pub number_marks: &'static [&'static str],
    /// The letter that a word stands for in a code: `bravo`.
    pub letter: fn(&str) -> Option<char>,
    /// Said between a letter and a word that begins with it: `B as in Berlin`.
    pub letter_links: &'static [&'static [&'static str]],
    /// The first day or time named, so that it can be said again.
    pub day: fn(&[Token]) -> Option<String>,
    pub time: fn(&[Token]) -> Option<String>,
}

pub struct Words {
    /// Carry no meaning and may stand anywhere, also inside a number.
    pub fillers: &'static [&'static str],
    /// Written with a full stop that ends no sentence.
    pub abbreviations: &'static [&'static str],
    /// The plain words of one written in small letters: `where's` gives `where` and `is`.
    pub expand: fn(&str) -> Vec<String>,
    /// Too common to tell one wish from another.
    pub common: &'static str,
    /// After these a sentence goes on.
    pub dangling: &'static str,
    /// What people say while they think; more follows. Phrases, split by `|`.
    pub thinking: &'static str,
    pub negations: &'static [&'static str],
    /// Whether the longer word is another form of the shorter.
    pub is_form: fn(&str, &str) -> bool,
    /// The part by which a word is looked up among the synonyms when it is not there itself.
    pub stem: fn(&str) -> &str,
    /// Synonyms are known by their stems too.
    pub inflects_synonyms: bool,
}

pub struct Answers {
    pub yes: &'static str,
    pub no: &'static str,
    pub do_not_know: &'static str,
    /// Beginnings of an answer that says the same, whatever follows.
    pub do_not_know_starts: &'static [&'static str],
    /// Said before an answer, and around what is not known.
    pub openers: &'static [&'static str],
    /// Said while the other speaks, to show that one listens. Fillers beside them do not count.
    pub backchannels: &'static str,
    pub padding: &'static [&'static str],
    pub excuses: &'static [&'static str],
    /// A first word that decides, whatever follows: `no, I meant ...`.
    pub leading: fn(&[&str]) -> Option<Answer>,
    /// Said in place of pressing 1 and 2.
    pub spoken_yes: &'static str,
    pub spoken_no: &'static str,
}

pub struct Names {
    /// Said before a bare name.
    pub openers: &'static [&'static str],
    /// Where a name that is introduced begins: after `my name is`.
    pub introduced: fn(&[Token]) -> Option<usize>,
    /// A name ends before these.
    pub stops: &'static [&'static str],
    /// Said after a name.
    pub tails: &'static [&'static str],
}

pub struct Corrections {
    /// After the last of these comes what counts.
    pub marks: &'static [&'static str],
    /// One of these alone says that something before is corrected.
    pub meant: &'static [&'static str],
    /// With one of these a number is begun again: `my number is`.
    pub restarts: &'static [&'static str],
    /// May stand beside numbers.
    pub links: &'static [&'static str],
}

static GRAMMARS: [&Grammar; 2] = [&ENGLISH, &RUSSIAN];

impl Grammar {
    /// For a tag such as `en` or `pt-br`.
    pub fn of(tag: &str) -> &'static Self {
        let code = tag.split(['-', '_']).next().unwrap_or_default();
        GRAMMARS.iter().find(|grammar| grammar.code == code).copied().unwrap_or(&ENGLISH)
    }

    pub fn is_common(&self, word: &str) -> bool {
        self.words.common.split_ascii_whitespace().any(|common| common == word)
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grammar({})", self.code)
    }
}

impl PartialEq for Grammar {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Grammar {}

/// Whether `text` is one of the entries between `|`.
pub fn is_one_of(list: &str, text: &str) -> bool {
    list.split('|').any(|entry| entry.trim() == text)
}
