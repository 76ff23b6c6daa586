//! Text as it arrives to pieces that can be spoken, the first of them early.
//!
//! `speak` cuts again for the voice; here it is only decided how much must have come before the
//! caller may hear some of it.

/// The first piece may end at a clause from here on: shorter ones sound torn off.
const FIRST_CHARS: usize = 20;
/// A piece ends at a clause, or between words, from here on even without the end of a sentence.
const LONG_CHARS: usize = 160;
const ENDLESS_CHARS: usize = 240;
/// What a full stop does not end.
const ABBREVIATIONS: [&str; 22] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "approx", "inc", "ltd",
    "tel", "ext", "ул", "д", "г", "стр", "тел", "т.е", "им",
];
const CLOSERS: [char; 6] = ['"', '\'', ')', '”', '’', '»'];

/// Collects text until a piece is whole.
#[derive(Clone, Default)]
pub struct Sentences {
    waiting: String,
    pieces: usize,
}

impl Sentences {
    /// Some text more; `piece` gets each piece that is whole by now, trimmed, while it wants more.
    pub fn push(&mut self, text: &str, mut piece: impl FnMut(String) -> bool) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.push_str(text);
        let mut rest = waiting.as_str();
        while let Some(end) = end_of_piece(rest, self.pieces == 0) {
            let (whole, after) = rest.split_at(end);
            rest = after.trim_start();
            if !self.give(whole, &mut piece) {
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

    /// Whether more is wanted.
    fn give(&mut self, text: &str, piece: &mut impl FnMut(String) -> bool) -> bool {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.chars().any(char::is_alphanumeric) {
            return true;
        }
        self.pieces += 1;
        piece(text)
    }
}

/// Where the first piece of a text ends, if that is certain already.
fn end_of_piece(text: &str, is_first: bool) -> Option<usize> {
    let clause = if is_first { FIRST_CHARS } else { LONG_CHARS };
    let mut last_word = None;
    for (count, (at, c)) in (1..).zip(text.char_indices()) {
        if c == '\n' {
            return Some(at + 1);
        }
        // Not one space in all of it.
        if count > 2 * ENDLESS_CHARS {
            return Some(last_word.unwrap_or(at));
        }
        if !c.is_whitespace() {
            continue;
        }
        let before = text.get(..at)?;
        let after = text.get(at..)?.trim_start();
        // Without the next character nobody knows whether `8 a.m.` goes on.
        let next = after.chars().next()?;
        if ends_sentence(before, next) || (count > clause && ends_clause(before, next)) {
            return Some(at);
        }
        if count > ENDLESS_CHARS {
            return Some(last_word.unwrap_or(at));
        }
        last_word = Some(at);
    }
    None
}

fn ends_sentence(before: &str, next: char) -> bool {
    let bare = before.trim_end_matches(CLOSERS);
    if bare.ends_with(['?', '!', '…', '。', '！', '？']) {
        return true;
    }
    let Some(bare) = bare.strip_suffix('.') else { return false };
    let word = bare.rsplit(char::is_whitespace).next().unwrap_or_default();
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
