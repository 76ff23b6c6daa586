//! The form of a script file. Every fault of it is told at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use super::{
    Act, Background, End, Manner, MessageWanted, Reflex, Scenario, Speech, Turn, Wanted, When,
    pattern, utterance,
};
use crate::cli::call::noise;

/// Largest script file: the longest in use has 3 KiB.
pub(in crate::cli::call) const FILE_BYTES: u64 = 64 * 1024;
/// Turns of a caller: an hour of talk.
const TURNS: usize = 300;
const REFLEXES: usize = 50;
const MESSAGES: usize = 20;
/// Characters of one turn: two minutes of speech.
const TEXT_CHARS: usize = 2_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    about: String,
    voice: Option<String>,
    speed: Option<u16>,
    gain_db: Option<f32>,
    stutter: Option<f32>,
    hesitate: Option<f32>,
    seed: u64,
    noise: Option<NoiseSection>,
    turn: Vec<TurnSection>,
    whenever: Vec<ReflexSection>,
    expect: ExpectSection,
}

impl Default for File {
    fn default() -> Self {
        Self {
            about: String::new(),
            voice: None,
            speed: None,
            gain_db: None,
            stutter: None,
            hesitate: None,
            seed: 1,
            noise: None,
            turn: Vec::new(),
            whenever: Vec::new(),
            expect: ExpectSection::default(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoiseSection {
    kind: noise::Kind,
    snr_db: f32,
}

/// What is done, as it is written.
#[derive(Debug, Default)]
struct ActKeys {
    say: Option<String>,
    play: Option<std::path::PathBuf>,
    keys: Option<String>,
    sound: Option<noise::Kind>,
    seconds: Option<f64>,
    wait_s: Option<f64>,
    voice: Option<String>,
    speed: Option<u16>,
    gain_db: Option<f32>,
    stutter: Option<f32>,
    hesitate: Option<f32>,
}

// serde cannot flatten into what denies unknown keys, so the keys of an act are listed in both.
macro_rules! section {
    ($name:ident { $($field:ident: $type:ty,)* }) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct $name {
            $($field: $type,)*
            say: Option<String>,
            play: Option<std::path::PathBuf>,
            keys: Option<String>,
            sound: Option<noise::Kind>,
            seconds: Option<f64>,
            wait_s: Option<f64>,
            voice: Option<String>,
            speed: Option<u16>,
            gain_db: Option<f32>,
            stutter: Option<f32>,
            hesitate: Option<f32>,
        }

        impl $name {
            fn act(&mut self) -> ActKeys {
                ActKeys {
                    say: self.say.take(),
                    play: self.play.take(),
                    keys: self.keys.take(),
                    sound: self.sound.take(),
                    seconds: self.seconds.take(),
                    wait_s: self.wait_s.take(),
                    voice: self.voice.take(),
                    speed: self.speed.take(),
                    gain_db: self.gain_db.take(),
                    stutter: self.stutter.take(),
                    hesitate: self.hesitate.take(),
                }
            }
        }
    };
}

section!(TurnSection {
    pause_s: Option<f64>,
    over_s: Option<f64>,
    after: Option<String>,
    expect: Patterns,
    tries: Option<u32>,
    hang_up_s: Option<f64>,
    stops_within_s: Option<f64>,
});

section!(ReflexSection {
    hears: Option<String>,
    unless: Patterns,
    pause_s: Option<f64>,
    times: Option<u32>,
});

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExpectSection {
    greeting: Patterns,
    end: Option<End>,
    longest_silence_s: Option<f64>,
    at_most_s: Option<f64>,
    never: Patterns,
    messages: Option<Vec<BTreeMap<String, String>>>,
}

/// One pattern or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Patterns {
    One(String),
    Many(Vec<String>),
}

impl Default for Patterns {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// Reads a script; a relative name of a sound file counts from `folder`.
///
/// # Errors
/// Every fault, one a line.
pub(in crate::cli::call) fn read(text: &str, folder: &Path) -> Result<Scenario, Vec<String>> {
    let file: File = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
    let mut reader = Reader { folder, faults: Vec::new(), manner: Manner::default() };
    let scenario = reader.scenario(file);
    match reader.faults.is_empty() {
        true => Ok(scenario),
        false => Err(reader.faults),
    }
}

struct Reader<'a> {
    folder: &'a Path,
    faults: Vec<String>,
    /// Of the caller, where a turn has none of its own.
    manner: Manner,
}

impl Reader<'_> {
    fn scenario(&mut self, file: File) -> Scenario {
        let own = ActKeys {
            voice: file.voice,
            speed: file.speed,
            gain_db: file.gain_db,
            stutter: file.stutter,
            hesitate: file.hesitate,
            ..ActKeys::default()
        };
        self.manner = self.manner("the caller", &own);
        if file.turn.is_empty() || file.turn.len() > TURNS {
            self.fault("turn", format_args!("1 to {TURNS} sections, [[turn]]"));
        }
        if file.whenever.len() > REFLEXES {
            self.fault("whenever", format_args!("at most {REFLEXES} sections"));
        }
        let noise = file.noise.map(|noise| {
            self.within("noise.snr_db", noise.snr_db, -10.0..=60.0);
            Background { kind: noise.kind, snr_db: noise.snr_db }
        });
        let greeting = self.patterns("expect.greeting", &file.expect.greeting);
        let turns = file.turn.into_iter().zip(1..).map(|(turn, number)| self.turn(turn, number));
        let turns: Vec<Turn> = turns.collect();
        if turns.iter().rev().skip(1).any(|turn| turn.hang_up_after.is_some()) {
            self.fault("turn", "hang_up_s belongs to the last turn");
        }
        let reflexes = file.whenever.into_iter().zip(1..);
        let whenever = reflexes.filter_map(|(reflex, number)| self.reflex(reflex, number));
        let whenever = whenever.collect();
        let wanted = self.wanted(file.expect);
        Scenario {
            about: file.about,
            seed: file.seed,
            noise,
            greeting,
            patience: None,
            turns,
            whenever,
            wanted,
        }
    }

    fn turn(&mut self, mut section: TurnSection, number: usize) -> Turn {
        let place = format!("turn {number}");
        let keys = section.act();
        let act = self.act(&place, keys);
        let mut when = None;
        let mut given = 0;
        if let Some(s) = self.seconds(&place, "pause_s", section.pause_s, 600.0) {
            (when, given) = (Some(When::Silence(s)), given + 1);
        }
        if let Some(s) = self.seconds(&place, "over_s", section.over_s, 60.0) {
            (when, given) = (Some(When::Over(s)), given + 1);
        }
        if let Some(text) = &section.after {
            when = self.pattern(&place, "after", text).map(When::Heard);
            given += 1;
        }
        if given > 1 {
            self.fault(&place, "one of pause_s, over_s and after");
        }
        let expect = self.patterns(&format!("{place}: expect"), &section.expect);
        let tries = section.tries.unwrap_or(1);
        if !(1..=10).contains(&tries) {
            self.fault(&place, "tries: 1 to 10");
        }
        Turn {
            when: when.unwrap_or(When::Silence(Duration::ZERO)),
            act,
            expect,
            tries,
            hang_up_after: self.seconds(&place, "hang_up_s", section.hang_up_s, 600.0),
            stops_within: self.seconds(&place, "stops_within_s", section.stops_within_s, 60.0),
        }
    }

    fn reflex(&mut self, mut section: ReflexSection, number: usize) -> Option<Reflex> {
        let place = format!("whenever {number}");
        let keys = section.act();
        let act = self.act(&place, keys);
        let unless = self.patterns(&format!("{place}: unless"), &section.unless);
        let pause = self.seconds(&place, "pause_s", section.pause_s, 600.0).unwrap_or_default();
        let times = section.times.unwrap_or(3);
        if !(1..=100).contains(&times) {
            self.fault(&place, "times: 1 to 100");
        }
        let Some(hears) = &section.hears else {
            self.fault(&place, "hears: what the other end must have said");
            return None;
        };
        let hears = self.pattern(&place, "hears", hears)?;
        Some(Reflex { hears, unless, act, pause, times })
    }

    fn act(&mut self, place: &str, keys: ActKeys) -> Act {
        let manner = self.manner(place, &keys);
        let seconds = self.seconds(place, "seconds", keys.seconds, 600.0);
        let wait = self.seconds(place, "wait_s", keys.wait_s, 600.0);
        let mut acts = Vec::new();
        if let Some(text) = keys.say {
            if text.chars().count() > TEXT_CHARS {
                self.fault(place, format_args!("say: at most {TEXT_CHARS} characters"));
            }
            if let Err(fault) = utterance::check(&text) {
                self.fault(place, format_args!("say: {fault}"));
            }
            acts.push(Act::Say(Speech { text, manner }));
        }
        acts.extend(keys.play.map(|path| Act::Play(self.folder.join(path))));
        if let Some(keys) = keys.keys {
            match crate::cli::call::arguments::keys(&keys) {
                Ok(keys) => acts.push(Act::Press(keys)),
                Err(fault) => self.fault(place, format_args!("keys: {fault}")),
            }
        }
        match (keys.sound, seconds) {
            (Some(kind), Some(length)) => acts.push(Act::Sound(kind, length)),
            (None, None) => (),
            _ => self.fault(place, "sound and seconds belong together"),
        }
        acts.extend(wait.map(Act::Wait));
        match (acts.pop(), acts.is_empty()) {
            (Some(act), true) => act,
            (other, _) => {
                self.fault(place, "one of say, play, keys, sound and wait_s");
                other.unwrap_or(Act::Wait(Duration::ZERO))
            }
        }
    }

    fn manner(&mut self, place: &str, keys: &ActKeys) -> Manner {
        let manner = Manner {
            voice: keys.voice.clone().unwrap_or_else(|| self.manner.voice.clone()),
            words_per_minute: keys.speed.unwrap_or(self.manner.words_per_minute),
            gain_db: keys.gain_db.unwrap_or(self.manner.gain_db),
            stutter: keys.stutter.unwrap_or(self.manner.stutter),
            hesitate: keys.hesitate.unwrap_or(self.manner.hesitate),
        };
        if !(80..=450).contains(&manner.words_per_minute) {
            self.fault(place, "speed: 80 to 450 words a minute");
        }
        self.within(&format!("{place}: gain_db"), manner.gain_db, -40.0..=20.0);
        self.within(&format!("{place}: stutter"), manner.stutter, 0.0..=1.0);
        self.within(&format!("{place}: hesitate"), manner.hesitate, 0.0..=1.0);
        manner
    }

    fn wanted(&mut self, section: ExpectSection) -> Wanted {
        let place = "expect";
        let judges_messages = section.messages.is_some();
        let messages = section.messages.unwrap_or_default().into_iter().map(|message| {
            let parts = message.into_iter().filter_map(|(name, text)| {
                self.pattern("expect.messages", &name, &text).map(|regex| (name, regex))
            });
            MessageWanted { parts: parts.collect() }
        });
        let messages: Vec<_> = messages.collect();
        if messages.len() > MESSAGES {
            self.fault("expect.messages", format_args!("at most {MESSAGES}"));
        }
        Wanted {
            end: section.end,
            longest_silence: self.seconds(
                place,
                "longest_silence_s",
                section.longest_silence_s,
                600.0,
            ),
            at_most: self.seconds(place, "at_most_s", section.at_most_s, 86_400.0),
            never: self.patterns("expect.never", &section.never),
            messages: judges_messages.then_some(messages),
        }
    }

    fn patterns(&mut self, place: &str, patterns: &Patterns) -> Vec<Regex> {
        let texts = match patterns {
            Patterns::One(text) => std::slice::from_ref(text),
            Patterns::Many(texts) => texts.as_slice(),
        };
        texts.iter().filter_map(|text| self.pattern(place, "pattern", text)).collect()
    }

    fn pattern(&mut self, place: &str, key: &str, text: &str) -> Option<Regex> {
        let compiled = pattern(text);
        compiled.map_err(|error| self.fault(place, format_args!("{key}: {error}"))).ok()
    }

    fn seconds(
        &mut self,
        place: &str,
        key: &str,
        given: Option<f64>,
        most: f64,
    ) -> Option<Duration> {
        let given = given?;
        let sound = (0.0..=most).contains(&given);
        if !sound {
            self.fault(place, format_args!("{key}: 0 to {most} seconds"));
        }
        sound.then(|| Duration::from_secs_f64(given))
    }

    fn within(&mut self, what: &str, value: f32, range: std::ops::RangeInclusive<f32>) {
        if !range.contains(&value) {
            self.fault(what, format_args!("{} to {}", range.start(), range.end()));
        }
    }

    fn fault(&mut self, place: &str, what: impl std::fmt::Display) {
        self.faults.push(format!("{place}: {what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(text: &str) -> Result<Scenario, Vec<String>> {
        read(text, Path::new("/scripts"))
    }

    #[test]
    fn a_script_says_who_calls_what_they_do_and_what_must_come_of_it() {
        let scenario = scenario(
            r#"
            about = "leaves a message"
            speed = 140
            stutter = 0.2
            noise = { kind = "pink", snr_db = 12 }
            [[turn]]
            say = "take a message"
            expect = "your name"
            tries = 3
            [[turn]]
            over_s = 1.5
            say = "Maria"
            speed = 200
            stops_within_s = 2
            [[turn]]
            after = 'which number'
            play = "number.wav"
            [[turn]]
            wait_s = 12
            [[whenever]]
            hears = "is that right"
            unless = ["5 5 5"]
            say = "no"
            [expect]
            greeting = ["hello", "help"]
            end = "desk"
            messages = [{ topic = "message", number = "^555$" }]
            "#,
        )
        .unwrap();
        let [take, maria, play, wait] = &scenario.turns[..] else { panic!("{scenario:?}") };
        assert!(take.expect[0].is_match("What is your NAME?"));
        assert_eq!((take.tries, scenario.greeting.len()), (3, 2));
        let Act::Say(speech) = &maria.act else { panic!("{maria:?}") };
        assert_eq!((speech.manner.words_per_minute, speech.manner.stutter), (200, 0.2));
        assert!(matches!(maria.when, When::Over(after) if after.as_millis() == 1_500));
        assert!(matches!(play.when, When::Heard(_)));
        assert_eq!(play.act, Act::Play("/scripts/number.wav".into()));
        assert_eq!(wait.act, Act::Wait(Duration::from_secs(12)));
        let reflex = &scenario.whenever[0];
        assert!(reflex.hears.is_match("Is that right?") && reflex.unless.len() == 1);
        assert_eq!(scenario.wanted.messages.as_ref().unwrap()[0].parts.len(), 2);
        assert!(scenario.needs_words());
    }

    #[test]
    fn no_messages_at_all_is_another_wish_than_none_in_particular() {
        let none = scenario("expect.messages = []\n[[turn]]\nkeys = \"1\"").unwrap();
        assert_eq!(none.wanted.messages.map(|all| all.len()), Some(0));
        let any = scenario("[[turn]]\nkeys = \"1\"").unwrap();
        assert!(any.wanted.messages.is_none() && !any.needs_words());
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_place() {
        let faults = scenario(
            r#"
            speed = 20
            noise = { kind = "white", snr_db = 99 }
            [[turn]]
            say = "one"
            keys = "1"
            [[turn]]
            pause_s = -1
            say = "wait [x] here"
            [[turn]]
            over_s = 1
            after = "x"
            expect = "("
            wait_s = 1
            [[whenever]]
            say = "yes"
            "#,
        )
        .unwrap_err();
        let all = faults.join("\n");
        for words in [
            "the caller: speed",
            "noise.snr_db",
            "turn 1: one of say",
            "turn 2: pause_s",
            "turn 2: say: ",
            "turn 3: one of pause_s",
            "turn 3: expect",
            "whenever 1: hears",
        ] {
            assert!(all.contains(words), "{words} in {all}");
        }
        assert!(scenario("").is_err(), "a caller without a turn");
        assert!(scenario("spede = 1\n[[turn]]\nwait_s = 1").unwrap_err()[0].contains("spede"));
    }
}
