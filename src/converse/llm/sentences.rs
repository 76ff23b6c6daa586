//! Text as it arrives to pieces that can be spoken, the first of them early.
//!
//! `speak` cuts again for the voice; here it is only decided how much must have come before the
//! caller may hear some of it. A model writes faster than anybody speaks, so that only the beginning
//! of an answer is in a hurry: there a piece may end at any comma, where a phrase begins, and with a
//! full stop before it is known what follows. What is cut before a phrase gets a comma, so that voice
//! and reader know that it goes on.

/// So many characters, 1.3 s of speech, are in a hurry: while they are spoken a model of 20 words a
/// second writes a sentence more.
const HURRIED_CHARS: usize = 20;
/// A first piece that ends before a phrase has so much: less sounds torn off.
const PHRASE_WORDS: usize = 3;
const PHRASE_CHARS: usize = 10;
/// A piece ends at a clause, or between words, from here on even without the end of a sentence.
const LONG_CHARS: usize = 160;
const ENDLESS_CHARS: usize = 240;
/// A full stop after so many letters ends a sentence, whatever follows.
const STOP_LETTERS: usize = 3;
/// What a full stop does not end.
const ABBREVIATIONS: [&str; 23] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "approx", "inc", "ltd",
    "tel", "ext", "www", "ул", "д", "г", "стр", "тел", "т.е", "им",
];
const CLOSERS: [char; 6] = ['"', '\'', ')', '”', '’', '»'];
/// What begins a phrase before which people pause, too.
#[rustfmt::skip]
const OPENERS: [&str; 42] = [
    "and", "but", "or", "because", "if", "when", "where", "which", "who", "while", "until", "from",
    "at", "on", "in", "by", "for", "with", "before", "after", "between", "during", "near", "behind",
    "и", "а", "но", "или", "что", "чтобы", "если", "когда", "где", "который", "с", "в", "на", "по",
    "до", "от", "для", "после",
];
/// What nobody pauses after.
#[rustfmt::skip]
const LEANING: [&str; 78] = [
    "a", "an", "the", "is", "are", "was", "were", "be", "been", "am", "i", "you", "he", "she", "it",
    "we", "they", "my", "your", "his", "her", "its", "our", "their", "this", "that", "these",
    "those", "there", "no", "not", "very", "too", "so", "as", "to", "of", "can", "could", "will",
    "would", "shall", "should", "may", "might", "must", "do", "does", "did", "have", "has", "had",
    "only", "just", "any", "some", "each", "every", "all", "mr", "mrs", "dr", "i'm", "we're", "it's",
    "you're", "я", "ты", "мы", "вы", "он", "она", "они", "не", "ни", "это", "наш", "ваш",
];

/// Collects text until a piece is whole.
#[derive(Clone, Default)]
pub struct Sentences {
    waiting: String,
    /// Characters of all pieces so far.
    given: usize,
}

impl Sentences {
    /// Some text more; `piece` gets each piece that is whole by now, trimmed, while it wants more.
    pub fn push(&mut self, text: &str, mut piece: impl FnMut(String) -> bool) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.push_str(text);
        let mut rest = waiting.as_str();
        while let Some(End { at, mark }) = end_of_piece(rest, self.haste()) {
            let (whole, after) = rest.split_at(at);
            rest = after.trim_start();
            if !self.give(&format!("{whole}{mark}"), &mut piece) {
                return;
            }
        }
        self.waiting = rest.to_owned();
    }

    /// The text has ended: what waits is the last piece.
    pub fn end(&mut self, mut piece: impl FnMut(String) -> bool) {
        let last = std::mem::take(&mut self.waiting);
        self.give(&last, &mut piece);
    }

    const fn haste(&self) -> Haste {
        match self.given {
            0 => Haste::First,
            1..HURRIED_CHARS => Haste::Soon,
            _ => Haste::None,
        }
    }

    /// Whether more is wanted.
    fn give(&mut self, text: &str, piece: &mut impl FnMut(String) -> bool) -> bool {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.chars().any(char::is_alphanumeric) {
            return true;
        }
        self.given += text.chars().count();
        piece(text)
    }
}

/// How soon the caller needs the next piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haste {
    /// Nothing can be heard yet.
    First,
    /// What can be heard is soon over.
    Soon,
    None,
}

/// Where a piece ends, and what it lacks to sound so.
#[derive(Clone, Copy, Debug)]
struct End {
    at: usize,
    mark: &'static str,
}

impl End {
    const fn at(at: usize) -> Option<Self> {
        Some(Self { at, mark: "" })
    }
}

/// Where the first piece of a text ends, if that is certain already.
fn end_of_piece(text: &str, haste: Haste) -> Option<End> {
    let mut last_word = None;
    for (count, (at, c)) in (1..).zip(text.char_indices()) {
        if c == '\n' {
            return End::at(at + 1);
        }
        // Not one space in all of it.
        if count > 2 * ENDLESS_CHARS {
            return End::at(last_word.unwrap_or(at));
        }
        if !c.is_whitespace() {
            continue;
        }
        let before = text.get(..at)?;
        let after = text.get(at..)?.trim_start();
        // Without the next character nobody knows whether `8 a.m.` goes on.
        let Some(next) = after.chars().next() else { break };
        let is_clause = match haste {
            Haste::First | Haste::Soon => !is_open(before),
            Haste::None => count > LONG_CHARS,
        };
        if ends_sentence(before, next) || (is_clause && ends_clause(before, next)) {
            return End::at(at);
        }
        if haste == Haste::First && begins_phrase(before, after) {
            return Some(End { at, mark: "," });
        }
        if count > ENDLESS_CHARS {
            return End::at(last_word.unwrap_or(at));
        }
        last_word = Some(at);
    }
    if haste != Haste::None && ends_surely(text) { End::at(text.len()) } else { None }
}

fn ends_sentence(before: &str, next: char) -> bool {
    let bare = before.trim_end_matches(CLOSERS);
    if bare.ends_with(['?', '!', '…', '。', '！', '？']) {
        return true;
    }
    let Some(bare) = bare.strip_suffix('.') else { return false };
    let word = last_word(bare);
    let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    let number = word.chars().all(|c| c.is_ascii_digit()) && word.len() <= 2 && bare == word;
    // `No. 5`, but `No. Sorry.`
    let numbered =
        next.is_ascii_digit() && ["no", "nr", "№"].contains(&word.to_lowercase().as_str());
    let known = ABBREVIATIONS.contains(&word.to_lowercase().as_str());
    !(next.is_lowercase() || initial || number || numbered || known)
}

/// A comma within a number is none.
fn ends_clause(before: &str, next: char) -> bool {
    let bare = before.trim_end_matches([',', ';', ':']);
    let digits = bare.ends_with(|c: char| c.is_ascii_digit()) && next.is_ascii_digit();
    !digits && before.ends_with([',', ';', ':', '—', '–'])
}

/// What was opened is not closed yet.
fn is_open(text: &str) -> bool {
    text.matches('"').count() % 2 == 1
        || text.matches(['(', '{', '[', '«', '“']).count()
            > text.matches([')', '}', ']', '»', '”']).count()
}

/// Sentence or clause have ended, whatever comes next.
fn ends_surely(text: &str) -> bool {
    let text = text.trim_end();
    let Some(mark) = text.chars().next_back().filter(|_| !is_open(text)) else { return false };
    let word = last_word(text.trim_end_matches(mark));
    let is_word = word.chars().all(char::is_alphabetic) && !word.is_empty();
    match mark {
        '?' | '!' | '…' | ',' | ';' => is_word,
        '.' => {
            let is_known = ABBREVIATIONS.contains(&word.to_lowercase().as_str());
            is_word && word.chars().count() >= STOP_LETTERS && !is_known
        }
        _ => false,
    }
}

/// `before` can be said by itself, and `after` begins what is said in another breath.
fn begins_phrase(before: &str, after: &str) -> bool {
    let word = |text: &str| {
        let word = text.split(char::is_whitespace).next().unwrap_or_default();
        word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
    };
    let words = before.split_whitespace().count();
    let last = last_word(before).to_lowercase().replace('’', "'");
    words >= PHRASE_WORDS
        && before.chars().count() >= PHRASE_CHARS
        && last.chars().all(char::is_alphabetic)
        && OPENERS.contains(&word(after).as_str())
        && !LEANING.contains(&last.as_str())
        && !OPENERS.contains(&last.as_str())
}

fn last_word(text: &str) -> &str {
    text.rsplit(char::is_whitespace).next().unwrap_or_default()
}
