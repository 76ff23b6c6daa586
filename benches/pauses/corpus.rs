//! What the callers say, and where they stop to think.

use std::collections::HashMap;

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

const WHOLE: [&str; 12] = [
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
];
const SHORT: [(&str, Asked); 12] = [
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
];
const PAUSED: [[&str; 2]; 6] = [
    ["I want to", "track my order"],
    ["can I speak to", "a person"],
    ["what are your", "opening hours"],
    ["I want to leave", "a message"],
    ["I would like to cancel", "my order"],
    ["where is", "my parcel"],
];
const HESITATION: [[&str; 2]; 4] = [
    ["um", "what are your opening hours"],
    ["wait", "I want to track my order"],
    ["let me see", "I want to speak to a person"],
    ["hello", "I want to cancel my order"],
];
const NUMBERS: [&str; 8] = [
    "four seven two nine",
    "eight zero five one",
    "one two three",
    "six six two eight four",
    "nine zero one five two seven",
    "it's three three nine zero",
    "my order number is five one four eight",
    "order number seven seven two zero",
];
const GROUPS: [(&[&str], Asked); 6] = [
    (&["four seven", "two nine"], Asked::Order),
    (&["one two three", "four five six"], Asked::Order),
    (&["eight", "zero", "five", "one"], Asked::Order),
    (&["nine zero", "one five", "two seven"], Asked::Order),
    (&["my order number is", "four seven two nine"], Asked::Anything),
    (&["order number", "eight zero five one"], Asked::Anything),
];

/// The whole corpus, always the same.
pub fn items() -> Vec<Item> {
    let mut voices = Voices::default();
    let mut items = Vec::new();
    for text in WHOLE {
        items.push(voices.item(Kind::Whole, Asked::Anything, &[text], 0));
    }
    for (text, asked) in SHORT {
        items.push(voices.item(Kind::Short, asked, &[text], 0));
    }
    for text in NUMBERS {
        items.push(voices.item(Kind::Number, Asked::Order, &[text], 0));
    }
    for pause_ms in PAUSES_MS {
        for parts in PAUSED {
            items.push(voices.item(Kind::Paused, Asked::Anything, &parts, pause_ms));
        }
        for parts in HESITATION {
            items.push(voices.item(Kind::Hesitation, Asked::Anything, &parts, pause_ms));
        }
        for (parts, asked) in GROUPS {
            items.push(voices.item(Kind::Groups, asked, parts, pause_ms));
        }
    }
    items
}

/// The voices take turns.
#[derive(Default)]
struct Voices {
    spoken: HashMap<(&'static str, String), Vec<i16>>,
    items: usize,
}

impl Voices {
    fn item(&mut self, kind: Kind, asked: Asked, parts: &[&str], pause_ms: u32) -> Item {
        let voice = ["slt", "rms", "awb"][self.items % 3];
        self.items += 1;
        let mut sound = Vec::new();
        for part in parts {
            if !sound.is_empty() {
                sound.extend(line_noise(pause_ms));
            }
            sound.extend_from_slice(self.speak(voice, part));
        }
        let name = format!("{} ({pause_ms} ms, {voice})", parts.join(" ... "));
        Item { kind, asked, name, sound }
    }

    fn speak(&mut self, voice: &'static str, text: &str) -> &[i16] {
        self.spoken.entry((voice, text.to_owned())).or_insert_with(|| {
            let spoken = sound::flite_voice(voice, text);
            assert_eq!(spoken.rate_hz, sound::SAMPLE_RATE_HZ, "{voice}");
            sound::trimmed(&spoken.samples).to_vec()
        })
    }
}

/// What is on the line while nobody speaks: hardly anything, but not nothing.
pub fn line_noise(length_ms: u32) -> Vec<i16> {
    let samples = sound::SAMPLE_RATE_HZ / 1_000 * length_ms;
    let noise = |n: u32| i16::try_from(n.wrapping_mul(2_654_435_761) >> 29).unwrap_or(0) - 3;
    (0..samples).map(noise).collect()
}
