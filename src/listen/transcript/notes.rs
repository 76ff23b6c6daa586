//! Takes out what the model wrote of the sound instead of what was said: `[BLANK_AUDIO]`, `(music)`,
//! notes. What such a mark means is decided here, and only here.

/// Annotations that stand for speech.
const SPEECH_NOTES: [&str; 8] = [
    "inaudible",
    "unintelligible",
    "unclear",
    "indistinct",
    "foreign",
    "crosstalk",
    "mumbl",
    "speak",
];
const MUSIC: [char; 6] = ['♪', '♫', '♩', '♬', '🎵', '🎶'];

/// A text without annotations.
#[derive(Default)]
pub(super) struct Plain {
    pub(super) text: String,
    /// For each byte of `text` where it stood; `u32::MAX` for what was put in.
    pub(super) origins: Vec<u32>,
    /// Where in `text` annotations stood that said that somebody spoke.
    pub(super) missing: Vec<usize>,
    pub(super) has_notes: bool,
}

impl Plain {
    fn push(&mut self, text: &str, origin: Option<usize>) {
        self.text.push_str(text);
        let origin_of = |n| origin.and_then(|at| u32::try_from(at + n).ok()).unwrap_or(u32::MAX);
        self.origins.extend((0..text.len()).map(origin_of));
    }
}

/// Takes out the annotations. A bracket with a digit in it is none but a telephone number.
pub(super) fn without_notes(text: &str) -> Plain {
    let mut plain = Plain::default();
    let mut rest = text;
    while let Some((at, open)) = rest.char_indices().find(|(_, c)| closing(*c).is_some()) {
        let from = text.len() - rest.len();
        plain.push(&rest[..at], Some(from));
        let inner = &rest[at + open.len_utf8()..];
        let close = closing(open).unwrap_or(open);
        // An annotation without an end goes on to the end of the text.
        let (note, after) = inner.split_once(|c| is_closing(open, close, c)).unwrap_or((inner, ""));
        if note.chars().any(|c| c.is_ascii_digit()) {
            plain.push(note, Some(from + at + open.len_utf8()));
        } else {
            plain.has_notes = true;
            let lower = note.to_lowercase();
            if SPEECH_NOTES.iter().any(|speech| lower.contains(speech)) {
                plain.missing.push(plain.text.len());
            }
            plain.push(" ", None);
        }
        rest = after;
    }
    plain.push(rest, Some(text.len() - rest.len()));
    plain
}

fn closing(open: char) -> Option<char> {
    match open {
        '[' => Some(']'),
        '(' => Some(')'),
        '{' => Some('}'),
        '<' => Some('>'),
        '*' => Some('*'),
        note if MUSIC.contains(&note) => Some(note),
        _ => None,
    }
}

fn is_closing(open: char, close: char, candidate: char) -> bool {
    candidate == close || (MUSIC.contains(&open) && MUSIC.contains(&candidate))
}
