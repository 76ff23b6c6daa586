//! What the callers say, and where they stop to think.

use std::collections::HashMap;
use std::ops::Range;

use crate::support::sound;

/// Pauses within an utterance, in milliseconds.
const PAUSES_MS: [u32; 6] = [200, 400, 600, 800, 1_000, 1_200];

/// What the desk has asked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// "How can I help you?"
    Anything,
    /// "What is your order number?"
    Order,
    /// "Is that right?"
    YesNo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Whole,
    Short,
    Paused,
    Hesitation,
    Number,
    Groups,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Whole, Self::Short, Self::Paused, Self::Hesitation, Self::Number, Self::Groups];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "sentences in one go",
            Self::Short => "short answers",
            Self::Paused => "sentences with a pause",
            Self::Hesitation => "hesitations",
            Self::Number => "numbers in one go",
            Self::Groups => "numbers in groups",
        }
    }
}

/// One utterance.
#[derive(Debug)]
pub struct Item {
    pub kind: Kind,
    pub asked: Asked,
    pub name: String,
    /// 16 kHz, from the first speech to the end of the last.
    pub sound: Vec<i16>,
}

/// Sentences, short answers, sentences with pauses, hesitations, numbers, and numbers in groups.
struct Texts {
    whole: &'static [&'static str],
    short: &'static [(&'static str, Asked)],
    paused: &'static [(&'static [&'static str], Asked)],
    hesitation: &'static [(&'static [&'static str], Asked)],
    numbers: &'static [&'static str],
    groups: &'static [(&'static [&'static str], Asked)],
}

const TEXTS: Texts = Texts {
    whole: &[
        "what are your opening hours",
        "what is your address",
        "where is my order",
        "I want to track my order",
        "I want to speak to a person",
        "can I leave a message",
        "I want to cancel my order",
        "are you open on Monday",
        "what can you do",
        "say that again please",
        "thank you very much",
        "good morning",
    ],
    short: &[
        ("yes", Asked::YesNo),
        ("no", Asked::YesNo),
        ("okay", Asked::YesNo),
        ("yeah", Asked::YesNo),
        ("correct", Asked::YesNo),
        ("that's right", Asked::YesNo),
        ("yes please", Asked::YesNo),
        ("no thank you", Asked::YesNo),
        ("hello", Asked::Anything),
        ("help", Asked::Anything),
        ("goodbye", Asked::Anything),
        ("sorry", Asked::Anything),
    ],
    paused: &[
        (&["I want to", "track my order"], Asked::Anything),
        (&["can I speak to", "a person"], Asked::Anything),
        (&["what are your", "opening hours"], Asked::Anything),
        (&["I want to leave", "a message"], Asked::Anything),
        (&["I would like to cancel", "my order"], Asked::Anything),
        (&["where is", "my parcel"], Asked::Anything),
    ],
    hesitation: &[
        (&["um", "what are your opening hours"], Asked::Anything),
        (&["wait", "I want to track my order"], Asked::Anything),
        (&["let me see", "I want to speak to a person"], Asked::Anything),
        (&["hello", "I want to cancel my order"], Asked::Anything),
    ],
    numbers: &[
        "four seven two nine",
        "eight zero five one",
        "one two three",
        "six six two eight four",
        "nine zero one five two seven",
        "it's three three nine zero",
        "my order number is five one four eight",
        "order number seven seven two zero",
    ],
    groups: &[
        (&["four seven", "two nine"], Asked::Order),
        (&["one two three", "four five six"], Asked::Order),
        (&["eight", "zero", "five", "one"], Asked::Order),
        (&["nine zero", "one five", "two seven"], Asked::Order),
        (&["my order number is", "four seven two nine"], Asked::Anything),
        (&["order number", "eight zero five one"], Asked::Anything),
    ],
};

/// Others of the same kinds, which nobody looked at while the rule was made.
const UNSEEN: Texts = Texts {
    whole: &[
        "when do you close",
        "where are you located",
        "track my parcel please",
        "I'd like to leave a message",
        "can I talk to an agent",
        "cancel my order please",
        "are you open on the weekend",
        "my parcel did not arrive",
        "can you help me",
        "please repeat that",
        "what is the status of my order",
        "I have a complaint",
    ],
    short: &[
        ("yep", Asked::YesNo),
        ("sure", Asked::YesNo),
        ("that is correct", Asked::YesNo),
        ("no thanks", Asked::YesNo),
        ("exactly", Asked::YesNo),
        ("no that's wrong", Asked::YesNo),
        ("nope", Asked::YesNo),
        ("right", Asked::YesNo),
        ("hi", Asked::Anything),
        ("stop", Asked::Anything),
        ("bye", Asked::Anything),
        ("cancel", Asked::Anything),
    ],
    paused: &[
        (&["when will my", "parcel arrive"], Asked::Anything),
        (&["I'd like to", "leave a message"], Asked::Anything),
        (&["I am calling about", "my order"], Asked::Anything),
        (&["how do I", "get to you"], Asked::Anything),
        (&["are you open", "on Saturday"], Asked::Anything),
        (&["can someone", "call me back"], Asked::Anything),
    ],
    hesitation: &[
        (&["uh", "where is my order"], Asked::Anything),
        (&["hold on", "I want to leave a message"], Asked::Anything),
        (&["well", "I want to speak to someone"], Asked::Anything),
        (&["good morning", "where is my parcel"], Asked::Anything),
    ],
    numbers: &[
        "three eight one six",
        "seven two zero nine",
        "five four eight",
        "two nine three one seven",
        "eight one four six zero three",
        "it's nine two five zero",
        "my order number is two six eight one",
        "order number four zero three nine",
    ],
    groups: &[
        (&["three eight", "one six"], Asked::Order),
        (&["seven two zero", "nine one four"], Asked::Order),
        (&["two", "nine", "three", "one"], Asked::Order),
        (&["five four", "eight one", "six zero"], Asked::Order),
        (&["it's", "nine two five zero"], Asked::Order),
        (&["track order", "four zero three nine"], Asked::Anything),
    ],
};

/// How an utterance with pauses is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// The voice reads all of it, with a comma where the caller stops; the pause is put there. So the
    /// melody goes on, as a caller's does who has not finished.
    Read,
    /// Each part is read by itself and ends like a sentence, which no caller's does.
    Joined,
}

/// Voices of which nothing is in the starter model's training.
const VOICES: [Voice; 3] =
    [Voice::Flite("slt"), Voice::Espeak("en-gb-scotland+f4"), Voice::Espeak("en-us+linda")];
/// Two of these three are in it.
const JOINED_VOICES: [Voice; 3] = [Voice::Flite("slt"), Voice::Flite("rms"), Voice::Flite("awb")];

/// The corpus that the rule was made with, always the same.
pub fn items(making: Making) -> Vec<Item> {
    let voices = if making == Making::Read { VOICES } else { JOINED_VOICES };
    all_of(&TEXTS, Speaker::new(making, voices))
}

/// As many other sentences, to show what the rule is worth where it was not looked at.
pub fn unseen() -> Vec<Item> {
    all_of(&UNSEEN, Speaker::new(Making::Read, VOICES))
}

fn all_of(texts: &Texts, mut speaker: Speaker) -> Vec<Item> {
    let mut items = Vec::new();
    for text in texts.whole {
        items.push(speaker.item(Kind::Whole, Asked::Anything, &[text], 0));
    }
    for (text, asked) in texts.short {
        items.push(speaker.item(Kind::Short, *asked, &[text], 0));
    }
    for text in texts.numbers {
        items.push(speaker.item(Kind::Number, Asked::Order, &[text], 0));
    }
    for pause_ms in PAUSES_MS {
        let kinds = [
            (Kind::Paused, texts.paused),
            (Kind::Hesitation, texts.hesitation),
            (Kind::Groups, texts.groups),
        ];
        for (kind, lines) in kinds {
            for (parts, asked) in lines {
                items.push(speaker.item(kind, *asked, parts, pause_ms));
            }
        }
    }
    items
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Voice {
    Flite(&'static str),
    Espeak(&'static str),
}

/// The voices take turns.
struct Speaker {
    making: Making,
    voices: [Voice; 3],
    spoken: HashMap<(Voice, String), Vec<i16>>,
    items: usize,
}

impl Speaker {
    fn new(making: Making, voices: [Voice; 3]) -> Self {
        Self { making, voices, spoken: HashMap::new(), items: 0 }
    }

    fn item(&mut self, kind: Kind, asked: Asked, parts: &[&str], pause_ms: u32) -> Item {
        let voice = self.voices[self.items % self.voices.len()];
        self.items += 1;
        let sound = match self.making {
            Making::Read => self.read(voice, parts, pause_ms),
            Making::Joined => self.joined(voice, parts, pause_ms),
        };
        let name = format!("{} ({pause_ms} ms, {voice:?})", parts.join(" ... "));
        Item { kind, asked, name, sound }
    }

    fn joined(&mut self, voice: Voice, parts: &[&str], pause_ms: u32) -> Vec<i16> {
        let mut sound = Vec::new();
        for part in parts {
            if !sound.is_empty() {
                sound.extend(line_noise(pause_ms));
            }
            sound.extend_from_slice(self.speak(voice, part));
        }
        sound
    }

    fn read(&mut self, voice: Voice, parts: &[&str], pause_ms: u32) -> Vec<i16> {
        let whole = self.speak(voice, &parts.join(", ")).to_vec();
        let (mut sound, mut from) = (Vec::new(), 0);
        for count in 1..parts.len() {
            // Read alone the beginning is about as long as within the whole.
            let about = self.speak(voice, &format!("{},", parts[..count].join(", "))).len();
            let quiet = quietest(&whole, about);
            sound.extend(faded(&whole[from..quiet.start]));
            sound.extend(line_noise(pause_ms));
            from = quiet.end;
        }
        sound.extend_from_slice(&whole[from..]);
        sound
    }

    fn speak(&mut self, voice: Voice, text: &str) -> &[i16] {
        self.spoken.entry((voice, text.to_owned())).or_insert_with(|| {
            let spoken = match voice {
                Voice::Flite(name) => sound::flite_voice(name, text),
                Voice::Espeak(name) => sound::espeak_voice(name, text),
            };
            assert_eq!(spoken.rate_hz, sound::SAMPLE_RATE_HZ, "{voice:?}");
            sound::trimmed(&spoken.samples).to_vec()
        })
    }
}

/// Where words part near `about`: the silence there, or the quietest moment if there is none.
fn quietest(sound: &[i16], about: usize) -> Range<usize> {
    let step = sound::SAMPLE_RATE_HZ as usize / 100;
    let reach = 25;
    let level = |at: usize| -> u64 {
        let part = sound.get(at * step..(at + 1) * step).unwrap_or(&[]);
        part.iter().map(|sample| u64::from(sample.unsigned_abs()).pow(2)).sum()
    };
    let loudest = (0..sound.len() / step).map(level).max().unwrap_or(0);
    let middle = (about / step).min(sound.len() / step);
    let around = middle.saturating_sub(reach)..(middle + reach).min(sound.len() / step);
    let Some(lowest) = around.min_by_key(|at| level(*at)) else { return about..about };
    // 40 dB below the loudest moment.
    let is_silent = |at: &usize| level(*at) <= loudest / 10_000;
    let first = (0..=lowest).rev().take_while(is_silent).last().unwrap_or(lowest);
    let last = (lowest..sound.len() / step).take_while(is_silent).last().unwrap_or(lowest);
    first * step..(last + 1) * step
}

/// Its last 10 ms die away, so that a cut makes no click.
fn faded(sound: &[i16]) -> Vec<i16> {
    let length = sound::SAMPLE_RATE_HZ as usize / 100;
    let (count, start) = (sound.len(), sound.len().saturating_sub(length));
    let gain = |at: usize| (count - at).min(length) as f32 / length as f32;
    let fade = |(at, sample): (usize, &i16)| {
        if at < start { *sample } else { (f32::from(*sample) * gain(at)) as i16 }
    };
    sound.iter().enumerate().map(fade).collect()
}

/// What is on the line while nobody speaks: hardly anything, but not nothing.
pub fn line_noise(length_ms: u32) -> Vec<i16> {
    let samples = sound::SAMPLE_RATE_HZ / 1_000 * length_ms;
    let noise = |n: u32| i16::try_from(n.wrapping_mul(2_654_435_761) >> 29).unwrap_or(0) - 3;
    (0..samples).map(noise).collect()
}
