//! What a model writes although nobody said it, by kind, so that it can be counted.
//!
//! Kinds and captions after Koenecke et al., "Careless Whisper" (2024), and Barański et al.,
//! "Investigation of Whisper ASR Hallucinations Induced by Non-Speech Audio" (2025). Where in the
//! sound a word lies is not told: whisper.cpp knows it only with timestamps among the tokens, which
//! cost a small model accuracy. The pace of all words together is what can be judged.

use super::{Chunk, key};

/// Why the model's text was not taken as it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// A remark on the sound: `[BLANK_AUDIO]`, `(music)`, notes.
    Remark,
    /// A caption of films, which models have learnt to write where nobody speaks.
    Caption,
    /// Little but a filler, and the model doubts that there was speech.
    Doubt,
    /// So unlikely that the words are a guess.
    Guess,
    /// Something was said over and over; it is taken once.
    Repetition,
    /// Hardly anything but one repetition.
    Loop,
    /// More words than can be said in that much speech.
    Pace,
    /// A word or less in sound without a voice: a cough, a breath.
    Breath,
}

impl Guard {
    pub const ALL: [Self; 8] = [
        Self::Remark,
        Self::Caption,
        Self::Doubt,
        Self::Guess,
        Self::Repetition,
        Self::Loop,
        Self::Pace,
        Self::Breath,
    ];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Remark => "remark",
            Self::Caption => "caption",
            Self::Doubt => "doubt",
            Self::Guess => "guess",
            Self::Repetition => "repetition",
            Self::Loop => "loop",
            Self::Pace => "pace",
            Self::Breath => "breath",
        }
    }
}

/// How often each guard has acted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards([u32; Guard::ALL.len()]);

impl Guards {
    pub fn note(&mut self, guard: Guard) {
        if let Some(count) = self.0.get_mut(guard as usize) {
            *count = count.saturating_add(1);
        }
    }

    pub fn add(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// Those that have acted, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (Guard, u32)> + '_ {
        let all = Guard::ALL.into_iter().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }

    pub fn is_empty(&self) -> bool {
        self.counts().next().is_none()
    }
}

/// Whole sentences of captions, as `key` leaves them.
const CAPTIONS: [&str; 20] = [
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "thank you very much for watching",
    "thanks for watching and see you next time",
    "i will see you in the next video",
    "see you in the next video",
    "dont forget to subscribe",
    "please subscribe",
    "please subscribe to my channel",
    "like and subscribe",
    "please like and subscribe",
    "transcription by castingwords",
    "спасибо за просмотр",
    "продолжение следует",
    "подписывайтесь на канал",
    "vielen dank fürs zuschauen",
    "merci davoir regardé cette vidéo",
    "gracias por ver el video",
    "grazie per la visione",
];
/// How captions that name somebody begin.
const CREDITS: [&str; 14] = [
    "subtitles by ",
    "subtitled by ",
    "captions by ",
    "captioned by ",
    "transcribed by ",
    "субтитры сделал",
    "субтитры создавал",
    "субтитры подготовил",
    "редактор субтитров ",
    "untertitel der amara",
    "untertitel im auftrag",
    "untertitelung des ",
    "soustitres réalisés par ",
    "subtítulos realizados por ",
];

/// What is left when sentences that are captions are taken out; nothing where none is one.
pub(super) fn without_captions(chunks: &[Chunk]) -> Option<Vec<Chunk>> {
    let ends = |chunk: &Chunk| chunk.text.ends_with(['.', '!', '?', '…']);
    if is_caption(chunks) {
        return Some(Vec::new());
    }
    let sentences = chunks.split_inclusive(ends).filter(|sentence| !is_caption(sentence));
    let kept: Vec<Chunk> = sentences.flatten().cloned().collect();
    (kept.len() < chunks.len()).then_some(kept)
}

fn is_caption(sentence: &[Chunk]) -> bool {
    let said = phrase(sentence);
    CAPTIONS.contains(&said.as_str()) || CREDITS.iter().any(|credit| said.starts_with(credit))
}

/// The words as they are compared.
pub(super) fn phrase(chunks: &[Chunk]) -> String {
    let keys = chunks.iter().map(|chunk| key(&chunk.text)).filter(|key| !key.is_empty());
    keys.collect::<Vec<_>>().join(" ")
}

/// Words that fit into any speech, however short the detector found it: it hears a "yes it is" at its
/// vowels only.
const FREE_WORDS: u64 = 3;
/// Words in a second beyond that, digits included. Fast talk has 5, auctioneers reach 7.
const WORDS_PER_SECOND: u64 = 8;

/// Whether nobody can have said so many words in `speech_ms` of speech.
pub(super) const fn is_too_fast(words: usize, speech_ms: u64) -> bool {
    words as u64 * 1_000 > FREE_WORDS * 1_000 + WORDS_PER_SECOND * speech_ms
}
