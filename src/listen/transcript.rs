//! Reads what the model wrote: words, or its ways of saying that there were none.
//!
//! Whisper models write `[BLANK_AUDIO]`, `(silence)`, notes of music, or film subtitles where nobody
//! spoke, and repeat themselves when they lose their way. A caller must never be answered for words
//! that he did not say.

use super::recognizer::Recognition;
use crate::base::{Private, limits};

/// What was heard in a segment, or in an utterance joined from several.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Nobody spoke.
    Nothing,
    /// Somebody spoke and was not understood.
    Unclear,
    /// Words, with the mean probability of their tokens, 0 to 1.
    Words { text: Private<String>, confidence: f32 },
}

/// The model's own doubt above which an unconvincing text is nothing.
const NO_SPEECH: f32 = 0.8;
/// What "unconvincing" means.
const DOUBTFUL: f32 = 0.5;
/// Below this the words are a guess.
const GUESS: f32 = 0.2;
/// Film subtitles: models have learnt to put these where nobody speaks.
const SUBTITLES: [&str; 8] = [
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "please subscribe",
    "like and subscribe",
    "please like and subscribe",
    "subtitles by the amara org community",
    "transcription by castingwords",
];
/// Said by people too: nothing only when the model doubts it.
const FILLERS: [&str; 6] = ["you", "thank you", "bye", "the", "so", "okay"];
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
/// Longest phrase, in words, whose repetition is looked for.
const LONGEST_PHRASE: usize = 8;
/// Repetitions of a phrase from which nobody said it.
const RUNAWAY: usize = 6;
const MUSIC: [char; 6] = ['♪', '♫', '♩', '♬', '🎵', '🎶'];
const NUMBERS: [&str; 17] = [
    "zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "double", "triple", "hundred", "thousand",
];

/// Reads one answer of the recogniser.
pub fn read(recognition: &Recognition) -> Heard {
    let (plain, has_speech_note) = without_notes(recognition.text.reveal());
    let words: Vec<&str> = plain.split_whitespace().filter(|word| !key(word).is_empty()).collect();
    let nothing = if has_speech_note { Heard::Unclear } else { Heard::Nothing };
    if words.is_empty() {
        return nothing;
    }
    let phrase = words.iter().map(|word| key(word)).collect::<Vec<_>>().join(" ");
    let Recognition { confidence, no_speech, .. } = *recognition;
    let is_doubtful = confidence < DOUBTFUL;
    if SUBTITLES.contains(&phrase.as_str())
        || (is_doubtful && (no_speech > NO_SPEECH || FILLERS.contains(&phrase.as_str())))
    {
        return nothing;
    }
    if confidence < GUESS {
        return Heard::Unclear;
    }
    match without_repetition(&words) {
        Repetition::None => words_heard(&plain, confidence),
        Repetition::Some(text) => words_heard(&text, confidence * 0.5),
        Repetition::Runaway => Heard::Unclear,
    }
}

/// Joins the segments of one utterance, in their order.
pub fn join<'a>(parts: impl IntoIterator<Item = &'a Heard>) -> Heard {
    let (mut text, mut weighted, mut weight) = (String::new(), 0.0, 0.0);
    let mut is_unclear = false;
    for part in parts {
        match part {
            Heard::Nothing => {}
            Heard::Unclear => is_unclear = true,
            Heard::Words { text: more, confidence } => {
                append(&mut text, more.reveal());
                weighted += confidence * more.reveal().len() as f32;
                weight += more.reveal().len() as f32;
            }
        }
    }
    match (text.is_empty(), is_unclear) {
        (false, _) => words_heard(&text, weighted / weight),
        (true, true) => Heard::Unclear,
        (true, false) => Heard::Nothing,
    }
}

/// The model ends each segment like a sentence; where the next one goes on in lower case it was
/// none.
fn append(text: &mut String, more: &str) {
    if more.chars().next().is_some_and(char::is_lowercase) {
        text.truncate(text.trim_end_matches(['.', '-', '…', ' ']).len());
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

fn words_heard(text: &str, confidence: f32) -> Heard {
    let mut bounded: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = bounded.char_indices().nth(limits::TRANSCRIPT_CHARS) {
        let whole_words = bounded[..end].rfind(' ').unwrap_or(end);
        bounded.truncate(whole_words);
    }
    Heard::Words { text: Private::new(bounded), confidence }
}

/// A word as it is compared: lower case, letters and digits.
fn key(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The text without annotations, and whether one of these said that somebody spoke. A bracket with
/// a digit in it is no annotation but a telephone number.
fn without_notes(text: &str) -> (String, bool) {
    let (mut plain, mut has_speech_note) = (String::with_capacity(text.len()), false);
    let mut rest = text;
    while let Some((at, open)) = rest.char_indices().find(|(_, c)| closing(*c).is_some()) {
        plain.push_str(&rest[..at]);
        let inner = &rest[at + open.len_utf8()..];
        let close = closing(open).unwrap_or(open);
        // An annotation without an end goes on to the end of the text.
        let (note, after) = inner.split_once(|c| is_closing(open, close, c)).unwrap_or((inner, ""));
        if note.chars().any(|c| c.is_ascii_digit()) {
            plain.push_str(note);
        } else {
            let lower = note.to_lowercase();
            has_speech_note |= SPEECH_NOTES.iter().any(|speech| lower.contains(speech));
            plain.push(' ');
        }
        rest = after;
    }
    plain.push_str(rest);
    (plain, has_speech_note)
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

enum Repetition {
    None,
    /// The text with each repetition said once.
    Some(String),
    /// Hardly anything but one repetition.
    Runaway,
}

fn without_repetition(words: &[&str]) -> Repetition {
    let keys: Vec<String> = words.iter().map(|word| key(word)).collect();
    let (mut kept, mut at, mut is_repeated) = (Vec::with_capacity(words.len()), 0, false);
    while at < words.len() {
        let Some((length, times)) = repetition(&keys[at..]) else {
            kept.push(words[at]);
            at += 1;
            continue;
        };
        if times >= RUNAWAY && 3 * length * times >= 2 * words.len() {
            return Repetition::Runaway;
        }
        is_repeated = true;
        kept.extend_from_slice(&words[at..at + length]);
        let after = at + length * times;
        // A repetition that the end of the text cut short.
        let is_cut_short = words.len() - after < length && keys[at..].starts_with(&keys[after..]);
        at = if is_cut_short { words.len() } else { after };
    }
    if is_repeated { Repetition::Some(kept.join(" ")) } else { Repetition::None }
}

/// Length in words and count of a repetition at the start that nobody says. People do say "no no
/// no no", and numbers repeat digits and groups.
fn repetition(keys: &[String]) -> Option<(usize, usize)> {
    (1..=LONGEST_PHRASE.min(keys.len())).find_map(|length| {
        let phrase = &keys[..length];
        let times = keys.chunks_exact(length).take_while(|chunk| *chunk == phrase).count();
        let is_number = phrase.iter().all(|word| is_number(word));
        let suspicious = match (is_number, length) {
            (true, 1) => 12,
            (true, _) => RUNAWAY,
            (false, 1) => 5,
            (false, _) => 3,
        };
        (times >= suspicious).then_some((length, times))
    })
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit()) || NUMBERS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognition(text: &str, confidence: f32, no_speech: f32) -> Recognition {
        Recognition { text: Private::new(text.to_owned()), confidence, no_speech }
    }

    fn heard(text: &str) -> Heard {
        read(&recognition(text, 0.9, 0.05))
    }

    fn words(text: &str, confidence: f32) -> Heard {
        Heard::Words { text: Private::new(text.to_owned()), confidence }
    }

    #[test]
    fn annotations_are_nothing_or_unclear_and_words_beside_them_stay() {
        let nothing = ["", " . ", "[BLANK_AUDIO]", "(silence)", "*coughs*", "♪ la la la ♪", "♪♪♪"];
        for text in nothing.into_iter().chain(["[ Music ]", "(door closes", "<|nospeech|>", "..."])
        {
            assert_eq!(heard(text), Heard::Nothing, "{text}");
        }
        for text in ["[INAUDIBLE]", "(speaking in foreign language)", "[unintelligible] ."] {
            assert_eq!(heard(text), Heard::Unclear, "{text}");
        }
        let kept = [
            (" Hello there. [BLANK_AUDIO]", "Hello there."),
            ("[INAUDIBLE] order four five", "order four five"),
            ("call (555) 0100 please", "call 555 0100 please"),
            ("what's up", "what's up"),
        ];
        for (text, plain) in kept {
            assert_eq!(heard(text), words(plain, 0.9), "{text}");
        }
    }

    #[test]
    fn subtitles_are_nothing_and_fillers_only_in_doubt() {
        assert_eq!(heard("Thanks for watching!"), Heard::Nothing);
        assert_eq!(heard("Thank you."), words("Thank you.", 0.9));
        assert_eq!(read(&recognition("Thank you.", 0.3, 0.4)), Heard::Nothing);
        assert_eq!(read(&recognition("My order please", 0.4, 0.9)), Heard::Nothing);
        assert_eq!(read(&recognition("My order please", 0.1, 0.2)), Heard::Unclear);
        assert_eq!(read(&recognition("My order please", 0.9, 0.9)), words("My order please", 0.9));
    }

    #[test]
    fn repetitions_that_nobody_says_are_taken_out() {
        let cases = [
            ("thank you thank you thank you", "thank you", 0.45),
            ("Thank you. Thank you. Thank you. Thank", "Thank you.", 0.45),
            ("I want to I want to I want to I want to go", "I want to go", 0.45),
            ("wait wait wait wait wait there", "wait there", 0.45),
            ("no no no no", "no no no no", 0.9),
            ("yes yes", "yes yes", 0.9),
            (
                "five five five one two one two one two",
                "five five five one two one two one two",
                0.9,
            ),
            ("0 0 0 0 0 0 0", "0 0 0 0 0 0 0", 0.9),
        ];
        for (text, expected, confidence) in cases {
            assert_eq!(heard(text), words(expected, confidence), "{text}");
        }
        assert_eq!(heard(&"thank you ".repeat(20)), Heard::Unclear);
        assert_eq!(heard(&"0 ".repeat(60)), Heard::Unclear);
    }

    #[test]
    fn a_long_text_is_cut_between_two_words() {
        let text: Vec<String> = (0..400).map(|n| format!("wört{n}")).collect();
        let Heard::Words { text: kept, .. } = heard(&text.join(" ")) else { panic!() };
        let kept = kept.reveal();
        assert!(kept.chars().count() <= limits::TRANSCRIPT_CHARS);
        assert!(text.join(" ").starts_with(kept.as_str()));
        assert!(text.contains(&kept.rsplit(' ').next().unwrap().to_owned()));
    }

    #[test]
    fn segments_join_without_the_full_stop_that_was_none() {
        let parts = [words("I would like to.", 0.5), Heard::Nothing, words("order a pallet.", 0.5)];
        assert_eq!(join(&parts), words("I would like to order a pallet.", 0.5));
        let parts = [words("Good morning.", 0.5), Heard::Unclear, words("My order.", 0.5)];
        assert_eq!(join(&parts), words("Good morning. My order.", 0.5));
        assert_eq!(join(&[Heard::Nothing, Heard::Unclear]), Heard::Unclear);
        assert_eq!(join(&[Heard::Nothing]), Heard::Nothing);
        assert_eq!(join([]), Heard::Nothing);
    }
}
