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
    /// Some text more; `piece` gets each piece that is whole by now, trimmed.
    pub fn push(&mut self, text: &str, mut piece: impl FnMut(String)) {
        self.waiting.push_str(text);
        while let Some(end) = self.end_of_piece() {
            let rest = self.waiting.split_off(end);
            let whole = std::mem::replace(&mut self.waiting, rest.trim_start().to_owned());
            self.give(&whole, &mut piece);
        }
    }

    /// The text has ended: what waits is the last piece.
    pub fn end(&mut self, mut piece: impl FnMut(String)) {
        let last = std::mem::take(&mut self.waiting);
        self.give(&last, &mut piece);
    }

    fn give(&mut self, text: &str, piece: &mut impl FnMut(String)) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().any(char::is_alphanumeric) {
            self.pieces += 1;
            piece(text);
        }
    }

    /// Where the first piece ends, if that is certain already.
    fn end_of_piece(&self) -> Option<usize> {
        let mut count = 0;
        let mut last_word = None;
        for (at, c) in self.waiting.char_indices() {
            count += 1;
            if c == '\n' {
                return Some(at + 1);
            }
            if !c.is_whitespace() {
                continue;
            }
            let before = self.waiting.get(..at)?;
            let after = self.waiting.get(at..)?.trim_start();
            // Without the next character nobody knows whether `8 a.m.` goes on.
            let next = after.chars().next()?;
            let clause = if self.pieces == 0 { FIRST_CHARS } else { LONG_CHARS };
            if ends_sentence(before, next) || (count > clause && ends_clause(before, next)) {
                return Some(at);
            }
            if count > ENDLESS_CHARS {
                return Some(last_word.unwrap_or(at));
            }
            last_word = Some(at);
        }
        // Not one space in all of it.
        (count > 2 * ENDLESS_CHARS).then_some(self.waiting.len())
    }
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
