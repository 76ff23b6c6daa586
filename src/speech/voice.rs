//! Which voice speaks a phrase, and what of its sound is sent.

use super::desk::Skill;
use super::flite::Flow;
use super::neural::NeuralVoices;
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
#[derive(Clone, Debug)]
pub struct Voices {
    pub english: EnglishVoice,
    /// espeak-ng is installed.
    pub has_espeak: bool,
    pub neural: NeuralVoices,
}

impl Voices {
    pub fn names(&self) -> Vec<String> {
        let espeak = self.has_espeak.then_some(ESPEAK);
        let plain = [Some(SLT), espeak].into_iter().flatten().map(str::to_owned);
        let speaks = self.neural.all.iter().filter(|voice| voice.id().is_some());
        plain.chain(speaks.map(|voice| voice.name.clone())).collect()
    }

    /// Who speaks `phrase`. A neural voice that does not speak has the plain one of the language for
    /// a stand-in.
    pub fn skill_for(&self, phrase: &Phrase) -> Result<Skill, Failure> {
        match self.neural.named(phrase) {
            None => self.plain_skill(phrase, &phrase.voice),
            Some((_, voice)) if voice.id().is_none() => self.stand_in(phrase),
            Some((place, _)) => match self.neural.key(phrase) {
                Some((kept, key)) if kept.has(&key) => Ok(Skill::Kept),
                _ => Ok(Skill::Vits(place)),
            },
        }
    }

    /// Who speaks what a neural voice does not.
    pub fn stand_in(&self, phrase: &Phrase) -> Result<Skill, Failure> {
        self.plain_skill(phrase, "")
    }

    /// slt speaks English only; espeak-ng says itself which languages it has.
    fn plain_skill(&self, phrase: &Phrase, voice: &str) -> Result<Skill, Failure> {
        let language = phrase.language.to_ascii_lowercase();
        let is_english = language == "en" || language.starts_with("en-");
        let skill = match (voice, self.english) {
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
    use crate::speech::neural::Neural;

    #[test]
    fn every_language_has_the_voice_that_was_configured() {
        let skill = |english, has_espeak, language: &str, voice: &str| {
            let (language, voice) = (language.to_owned(), voice.to_owned());
            let text = Private::new(String::new());
            let voices = Voices { english, has_espeak, neural: NeuralVoices::default() };
            voices.skill_for(&Phrase { language, voice, text, is_known: false })
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
    fn a_neural_voice_speaks_and_the_plain_one_of_the_language_stands_in_for_one_that_does_not() {
        let voices = [
            Neural::new("amy".to_owned(), Ok(("cpu".to_owned(), [1; 32]))),
            Neural::new("joe".to_owned(), Err("it is missing".to_owned())),
        ];
        let neural = NeuralVoices { all: voices.into_iter().collect(), kept: None };
        let voices = Voices { english: EnglishVoice::Slt, has_espeak: true, neural };
        let skill = |language: &str, voice: &str| {
            let (language, voice) = (language.to_owned(), voice.to_owned());
            let text = Private::new("hello".to_owned());
            voices.skill_for(&Phrase { language, voice, text, is_known: false })
        };
        assert_eq!(skill("en", "amy"), Ok(Skill::Vits(0)));
        assert_eq!(skill("en", "joe"), Ok(Skill::Flite));
        assert_eq!(skill("de", "joe"), Ok(Skill::Espeak));
        assert_eq!(skill("en", "ann"), Err(Failure::NoVoice));
        assert_eq!(voices.names(), ["slt", "espeak", "amy"]);
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
