//! Cuts a text into clauses, which espeak-ng turns into phonemes one by one. Pure.
//!
//! espeak-ng ends a clause at the same marks, but its IPA leaves them out, and the voices were
//! trained with them: so they are taken off here and put back behind the phonemes.

/// Bytes of a clause at most; espeak-ng reads a line of less than 1,000.
const CLAUSE_BYTES: usize = 400;
/// What stands around words without being spoken.
const AROUND: [char; 14] = ['"', '\'', '(', ')', '«', '»', '„', '“', '”', '‘', '’', '*', '_', '…'];

/// A part of a sentence without pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    pub words: Words,
    /// The mark that follows it: one of `. ? ! , : ;`.
    pub end: Option<char>,
}

/// What a clause consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    Text(String),
    /// Written as phonemes, `[[...]]`.
    Phonemes(String),
}

impl Clause {
    /// A sentence ends with it.
    pub fn ends_sentence(&self) -> bool {
        matches!(self.end, Some('.' | '?' | '!'))
    }
}

/// The clauses of `text`. What has neither words nor phonemes is left out.
pub fn clauses(text: &str) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut rest = text;
    while let Some((before, phonemes, after)) = raw_phonemes(rest) {
        of_text(before, &mut clauses);
        let (end, after) = mark_at_start(after);
        clauses.push(Clause { words: Words::Phonemes(phonemes.trim().to_owned()), end });
        rest = after;
    }
    of_text(rest, &mut clauses);
    clauses
}

/// What stands before, in and after the first `[[...]]`.
fn raw_phonemes(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("[[")?;
    let (phonemes, after) = rest.split_once("]]")?;
    Some((before, phonemes, after))
}

fn mark_at_start(text: &str) -> (Option<char>, &str) {
    let rest = text.trim_start();
    match rest.chars().next().and_then(mark) {
        Some(end) => (Some(end), rest.get(1..).unwrap_or_default()),
        None => (None, text),
    }
}

const fn mark(c: char) -> Option<char> {
    match c {
        '.' | '?' | '!' | ',' | ':' | ';' => Some(c),
        _ => None,
    }
}

fn of_text(text: &str, clauses: &mut Vec<Clause>) {
    let mut words = String::new();
    for (at, c) in text.char_indices() {
        let after = text.get(at + c.len_utf8()..).unwrap_or_default();
        let end = match c {
            '…' => Some('.'),
            '。' | '．' => Some('.'),
            '？' => Some('?'),
            '！' => Some('!'),
            '，' | '、' => Some(','),
            // A dash between words, not one within a word or before a number.
            '–' | '—' => Some(','),
            '-' if words.ends_with(char::is_whitespace) && after.starts_with(' ') => Some(','),
            // `3.50`, `10:30` and `www.` go on; `.)` and `."` end.
            c if mark(c).is_some() && ends_here(after) => mark(c),
            '\n' if !words.trim().is_empty() => Some('.'),
            _ => None,
        };
        match end {
            Some(end) => push(&mut words, Some(end), clauses),
            None => words.push(c),
        }
    }
    push(&mut words, None, clauses);
}

fn ends_here(after: &str) -> bool {
    let bare = after.trim_start_matches(AROUND).trim_start_matches(|c| mark(c).is_some());
    bare.chars().next().is_none_or(char::is_whitespace)
}

/// Takes the words so far as a clause. Marks without words belong to the clause before, where the
/// last of them counts if it ends a sentence: `Really?!`, `Wait...`.
fn push(words: &mut String, end: Option<char>, clauses: &mut Vec<Clause>) {
    let bare = words.trim_matches(|c: char| c.is_whitespace() || AROUND.contains(&c)).to_owned();
    words.clear();
    if bare.chars().any(char::is_alphanumeric) {
        let mut rest = bare.as_str();
        while let Some(at) = cut(rest) {
            let (head, tail) = rest.split_at(at);
            clauses.push(Clause { words: Words::Text(head.trim().to_owned()), end: None });
            rest = tail.trim_start();
        }
        clauses.push(Clause { words: Words::Text(rest.to_owned()), end });
    } else if let (Some(last), Some('.' | '?' | '!')) = (clauses.last_mut(), end)
        && !last.ends_sentence()
    {
        last.end = end;
    }
}

/// Where a clause that is too long for a line is cut: at a space if there is one.
fn cut(text: &str) -> Option<usize> {
    if text.len() <= CLAUSE_BYTES {
        return None;
    }
    let most = text.floor_char_boundary(CLAUSE_BYTES);
    let head = text.get(..most)?;
    Some(head.rfind(char::is_whitespace).filter(|&at| at > 0).unwrap_or(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `words|end` of each.
    fn cuts(text: &str) -> String {
        let one = |clause: Clause| {
            let words = match clause.words {
                Words::Text(words) => words,
                Words::Phonemes(phonemes) => format!("/{phonemes}/"),
            };
            format!("{words}|{}", clause.end.map_or(String::new(), String::from))
        };
        clauses(text).into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn marks_end_clauses_where_a_reader_pauses() {
        for (text, expected) in [
            ("Hello, world. How are you?", "Hello|, world|. How are you|?"),
            ("no end", "no end|"),
            ("It costs 3.50 at 10:30.", "It costs 3.50 at 10:30|."),
            ("He said \"Stop.\" (Really?)", "He said \"Stop|. Really|?"),
            ("Wait... what?!", "Wait|. what|?"),
            ("so – well — yes", "so|, well|, yes|"),
            ("well-known - and loved", "well-known|, and loved|"),
            ("one\ntwo", "one|. two|"),
            ("first; second: third!", "first|; second|: third|!"),
            ("...", ""),
            ("", ""),
            ("Да, конечно.", "Да|, конечно|."),
            ("call [[ həlˈoʊ ]], please", "call| /həlˈoʊ/|, please|"),
            ("[[ a", "[[ a|"),
        ] {
            assert_eq!(cuts(text), expected, "{text}");
        }
    }

    #[test]
    fn a_clause_fits_the_line_that_espeak_reads() {
        let all = clauses(&"слово ".repeat(400));
        assert!(all.len() > 5);
        for clause in all {
            let Words::Text(words) = clause.words else { panic!("text") };
            assert!(words.len() <= CLAUSE_BYTES && !words.is_empty());
        }
        assert_eq!(clauses(&"x".repeat(1_000)).len(), 3);
    }
}
