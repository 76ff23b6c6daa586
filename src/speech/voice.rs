//! Which voice speaks a phrase, and what of its sound is sent.

use super::desk::Skill;
use super::flite::Flow;
use super::protocol::{Failure, Phrase};

pub const SLT: &str = "slt";
pub const ESPEAK: &str = "espeak";
/// A voice begins with about 0.2 s of silence, which a caller would wait through: what is quieter
/// than this at the start is not sent.
const ONSET: u16 = 200;
/// Kept before the onset: the attack of the first sound.
const ATTACK_SAMPLES: usize = 160;

/// Which voice speaks English when a phrase does not name one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnglishVoice {
    #[default]
    Slt,
    Espeak,
}

/// The voices that this engine has.
#[derive(Clone, Copy, Debug)]
pub struct Voices {
    pub english: EnglishVoice,
    /// espeak-ng is installed.
    pub has_espeak: bool,
}

impl Voices {
    pub fn names(&self) -> Vec<String> {
        let espeak = self.has_espeak.then_some(ESPEAK);
        [Some(SLT), espeak].into_iter().flatten().map(str::to_owned).collect()
    }

    /// Who speaks `phrase`. slt speaks English only; espeak-ng says itself which languages it has.
    pub fn skill_for(&self, phrase: &Phrase) -> Result<Skill, Failure> {
        let language = phrase.language.to_ascii_lowercase();
        let is_english = language == "en" || language.starts_with("en-");
        let skill = match (phrase.voice.as_str(), self.english) {
            (SLT, _) | ("", EnglishVoice::Slt) if is_english => Skill::Flite,
            ("" | ESPEAK, _) => Skill::Espeak,
            _ => return Err(Failure::NoVoice),
        };
        match skill {
            Skill::Espeak if !self.has_espeak => Err(Failure::NoVoice),
            skill => Ok(skill),
        }
    }
}

/// Sends sound from its first audible sample on, in chunks with their place.
pub struct Onset<F> {
    send: F,
    /// What came before the onset, as far back as the attack reaches.
    before: Vec<i16>,
    sent: u32,
    begun: bool,
}

impl<F: FnMut(u32, Vec<i16>) -> Flow> Onset<F> {
    pub const fn new(send: F) -> Self {
        Self { send, before: Vec::new(), sent: 0, begun: false }
    }

    /// Samples sent so far.
    pub const fn sent(&self) -> u32 {
        self.sent
    }

    pub fn push(&mut self, samples: &[i16]) -> Flow {
        if self.begun {
            return self.emit(samples.to_vec());
        }
        self.before.extend_from_slice(samples);
        let onset = self.before.iter().position(|sample| sample.unsigned_abs() >= ONSET);
        let keep_from = onset.unwrap_or(self.before.len()).saturating_sub(ATTACK_SAMPLES);
        self.before.drain(..keep_from);
        if onset.is_none() {
            return Flow::Continue;
        }
        self.begun = true;
        let first = std::mem::take(&mut self.before);
        self.emit(first)
    }

    fn emit(&mut self, samples: Vec<i16>) -> Flow {
        if samples.is_empty() {
            return Flow::Continue;
        }
        let at = self.sent;
        self.sent = at.saturating_add(u32::try_from(samples.len()).unwrap_or(u32::MAX));
        (self.send)(at, samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Private;

    #[test]
    fn every_language_has_the_voice_that_was_configured() {
        let skill = |english, has_espeak, language: &str, voice: &str| {
            let (language, voice) = (language.to_owned(), voice.to_owned());
            let text = Private::new(String::new());
            Voices { english, has_espeak }.skill_for(&Phrase { language, voice, text })
        };
        use EnglishVoice::{Espeak, Slt};
        assert_eq!(skill(Slt, true, "en", ""), Ok(Skill::Flite));
        assert_eq!(skill(Slt, false, "en-US", ""), Ok(Skill::Flite));
        assert_eq!(skill(Espeak, true, "en", ""), Ok(Skill::Espeak));
        assert_eq!(skill(Espeak, true, "en", "slt"), Ok(Skill::Flite));
        assert_eq!(skill(Slt, true, "en", "espeak"), Ok(Skill::Espeak));
        assert_eq!(skill(Slt, true, "de", ""), Ok(Skill::Espeak));
        assert_eq!(skill(Slt, true, "de", "slt"), Err(Failure::NoVoice));
        assert_eq!(skill(Slt, false, "de", ""), Err(Failure::NoVoice));
        assert_eq!(skill(Slt, true, "en", "amy"), Err(Failure::NoVoice));
    }

    #[test]
    fn silence_before_the_first_sound_is_not_sent_and_places_count_from_there() {
        let mut sent = Vec::new();
        let mut onset = Onset::new(|at, samples: Vec<i16>| {
            sent.push((at, samples.len()));
            Flow::Continue
        });
        for piece in [&[10; 1_000][..], &[0; 1_000], &[[0; 500], [900; 500]].concat(), &[0; 100]] {
            onset.push(piece);
        }
        assert_eq!(onset.sent(), 760);
        assert_eq!(sent, [(0, 660), (660, 100)]);
    }
}
