//! Who may answer: people, machines with their beeps, telephones that ask who calls, fax machines, nobody;
//! and what a network sends before. Through G.711, and with noise.

use std::collections::HashMap;

use attendant::codec::Resampler;
use attendant::codec::g711::Law;
use attendant::listen::answered::Verdict;

use crate::support::sound;

/// One answer, or one stretch of early media.
pub struct Item {
    pub name: String,
    pub truth: Verdict,
    /// 16 kHz, from the answer on, or from the first packet of early media.
    pub sound: Vec<i16>,
    pub is_early: bool,
    /// When speech begins and ends, in milliseconds; a machine's beep ends where its own time says.
    pub said_ms: Option<(usize, usize)>,
    pub text: &'static str,
    pub beep_ended_ms: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Voice {
    Flite(&'static str),
    Espeak(&'static str),
}

const ENGLISH: [Voice; 5] = [
    Voice::Flite("slt"),
    Voice::Flite("rms"),
    Voice::Flite("awb"),
    Voice::Espeak("en-us+linda"),
    Voice::Espeak("en-gb-scotland"),
];
const RUSSIAN: [Voice; 2] = [Voice::Espeak("ru"), Voice::Espeak("ru+f3")];

const PEOPLE: [&str; 14] = [
    "Hello?",
    "Hi.",
    "Yes?",
    "Smith.",
    "Peter Jones.",
    "Maria Lopez speaking.",
    "Hello, this is Anna.",
    "Hello? Who is this?",
    "Reception, good morning.",
    "Acme logistics, good morning.",
    "Good afternoon, Acme logistics, Anna speaking.",
    "Yeah, hello? I can hardly hear you.",
    "Acme logistics, how can I help you?",
    "Good morning, Acme logistics, my name is Maria, how can I help you?",
];
const RUSSIAN_PEOPLE: [&str; 4] =
    ["Алло!", "Да, слушаю.", "Алло, кто это?", "Компания Акме, добрый день."];
const MACHINES: [&str; 8] = [
    "Hi, this is Tom. I can't come to the phone right now. Please leave a message after the beep.",
    "You have reached five five five, zero one two three. Please leave a message after the tone.",
    "Hello, you've reached the voicemail of Acme logistics. Our office is closed. \
     Please leave your name and number, and we will get back to you.",
    "Your call has been forwarded to an automatic voice messaging system. Maria Lopez \
     is not available. At the tone, please record your message.",
    "Hey, it's Anna, leave a message.",
    "The person you are calling is not available. Please try again later.",
    "Welcome to the mailbox of Peter Jones. Please speak after the tone.",
    "Thank you for calling Acme logistics. For sales, press one. For deliveries, press two.",
];
const RUSSIAN_MACHINES: [&str; 2] = [
    "Здравствуйте! Сейчас я не могу ответить на ваш звонок. Оставьте сообщение после сигнала.",
    "Аппарат абонента выключен или находится вне зоны действия сети.",
];
const SCREENING: [&str; 3] = [
    "Hi. If you record your name and reason for calling, I will see if this person is available.",
    "Hi, the person you are calling is using a screening service from Google, and will get a copy \
     of this conversation. Go ahead and say your name, and why you are calling.",
    "Please state your name after the tone, and I will connect you.",
];
const ANNOUNCEMENT: &str =
    "The number you have dialled is not in service. Please check the number.";

/// A beep: its sinusoids, each with a share of the level, and spans of tone and pause in milliseconds.
struct Kind {
    name: &'static str,
    parts: &'static [(f64, f64)],
    spans_ms: &'static [(usize, usize)],
    /// It dies away like a bell.
    fades: bool,
}

const BEEPS: [Kind; 6] = [
    Kind { name: "1 kHz", parts: &[(1_000.0, 1.0)], spans_ms: &[(500, 0)], fades: false },
    Kind { name: "440 Hz, long", parts: &[(440.0, 1.0)], spans_ms: &[(1_200, 0)], fades: false },
    Kind { name: "1.4 kHz, short", parts: &[(1_400.0, 1.0)], spans_ms: &[(200, 0)], fades: false },
    Kind {
        name: "850 Hz with its harmonics",
        parts: &[(850.0, 1.0), (1_700.0, 0.35)],
        spans_ms: &[(400, 0)],
        fades: false,
    },
    Kind {
        name: "three",
        parts: &[(1_200.0, 1.0)],
        spans_ms: &[(160, 140), (160, 140), (160, 0)],
        fades: false,
    },
    Kind { name: "a bell", parts: &[(1_050.0, 1.0)], spans_ms: &[(800, 0)], fades: true },
];

/// What the line adds.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub name: &'static str,
    pub noise_below_db: Option<f64>,
}

pub const LINES: [Line; 3] = [
    Line { name: "G.711", noise_below_db: None },
    Line { name: "G.711, noise 25 dB below", noise_below_db: Some(25.0) },
    Line { name: "G.711, noise 15 dB below", noise_below_db: Some(15.0) },
];

/// Makes the corpus, always the same.
#[derive(Default)]
pub struct Making {
    spoken: HashMap<(Voice, &'static str), Vec<i16>>,
    items: usize,
}

impl Making {
    pub fn items(&mut self, line: Line) -> Vec<Item> {
        let mut items = Vec::new();
        self.items = 0;
        for (voices, texts) in [(&ENGLISH[..], &PEOPLE[..]), (&RUSSIAN, &RUSSIAN_PEOPLE)] {
            for (voice, text) in each(voices, texts) {
                items.push(self.person(voice, text));
            }
        }
        for (voices, texts) in [(&ENGLISH[..], &MACHINES[..]), (&RUSSIAN, &RUSSIAN_MACHINES)] {
            for (voice, text) in each(voices, texts) {
                let beep = self.items % BEEPS.len();
                items.push(self.machine(voice, text, Verdict::Machine, Some(&BEEPS[beep])));
            }
        }
        for (voice, text) in each(&ENGLISH, &SCREENING) {
            items.push(self.machine(voice, text, Verdict::Screening, None));
        }
        items.extend(self.without_speech());
        items.extend(self.early());
        for (index, item) in items.iter_mut().enumerate() {
            item.sound = through(&item.sound, line, index as u32);
        }
        items
    }

    /// Says it, waits for us, and asks again.
    fn person(&mut self, voice: Voice, text: &'static str) -> Item {
        let said = self.speak(voice, text);
        let begin_ms = self.delay_ms();
        let mut sound = silence(begin_ms);
        sound.extend(&said);
        let end_ms = length_ms(&sound);
        sound.extend(silence(2_500));
        sound.extend(self.speak(voice, text));
        sound.extend(silence(1_000));
        Item {
            name: format!("{text} ({voice:?})"),
            truth: Verdict::Person,
            sound,
            is_early: false,
            said_ms: Some((begin_ms, end_ms)),
            text,
            beep_ended_ms: None,
        }
    }

    fn machine(
        &mut self,
        voice: Voice,
        text: &'static str,
        truth: Verdict,
        beep: Option<&Kind>,
    ) -> Item {
        let begin_ms = self.delay_ms();
        let mut sound = silence(begin_ms);
        sound.extend(self.speak(voice, text));
        let end_ms = length_ms(&sound);
        sound.extend(silence(300 + 100 * (self.items % 7)));
        let beep_ended_ms = beep.map(|kind| {
            let begin_ms = length_ms(&sound);
            sound.extend(kind.sound());
            begin_ms + kind.length_ms()
        });
        sound.extend(silence(6_000));
        let beep = beep.map_or("none", |kind| kind.name);
        Item {
            name: format!("{text} ({voice:?}, beep: {beep})"),
            truth,
            sound,
            is_early: false,
            said_ms: Some((begin_ms, end_ms)),
            text,
            beep_ended_ms,
        }
    }

    fn without_speech(&mut self) -> Vec<Item> {
        let calling = [silence(1_000), [tones(&[1_100.0], 500), silence(3_000)].concat().repeat(2)];
        let called = [silence(1_500), tones(&[2_100.0], 3_000), silence(1_000)].concat();
        let hello = self.speak(ENGLISH[0], PEOPLE[0]);
        let busy = [tones(&[425.0], 480), silence(480)].concat().repeat(6);
        vec![
            plain("a fax machine that calls", Verdict::Fax, false, calling.concat()),
            plain("a fax machine that is called", Verdict::Fax, false, called),
            plain("nobody", Verdict::Silence, false, silence(6_000)),
            plain("busy after the answer", Verdict::Busy, false, busy),
            Item {
                said_ms: None,
                text: PEOPLE[0],
                ..plain(
                    "it rings after the answer, then a person",
                    Verdict::Person,
                    false,
                    [ringing(2), hello, silence(2_000)].concat(),
                )
            },
        ]
    }

    fn early(&mut self) -> Vec<Item> {
        let special = [tones(&[950.0], 330), tones(&[1_400.0], 330), tones(&[1_800.0], 330)];
        let told = self.speak(ENGLISH[3], ANNOUNCEMENT);
        let reorder = [tones(&[480.0, 620.0], 250), silence(250)].concat().repeat(8);
        let busy = [tones(&[480.0, 620.0], 500), silence(500)].concat().repeat(5);
        let british = [tones(&[400.0, 450.0], 400), silence(200)].concat().repeat(2);
        vec![
            plain("ringback, Europe", Verdict::Ringback, true, ringing(2)),
            plain(
                "ringback, North America",
                Verdict::Ringback,
                true,
                [tones(&[440.0, 480.0], 2_000), silence(4_000)].concat(),
            ),
            plain(
                "ringback, Britain",
                Verdict::Ringback,
                true,
                [british, silence(2_000)].concat().repeat(2),
            ),
            plain("busy, North America", Verdict::Busy, true, busy),
            plain("reorder, North America", Verdict::Congestion, true, reorder),
            plain(
                "special information, then words",
                Verdict::SpecialInformation,
                true,
                [special.concat(), silence(300), told[..20_000.min(told.len())].to_vec()].concat(),
            ),
            plain("an announcement", Verdict::Announcement, true, [silence(500), told].concat()),
            plain("nothing", Verdict::Silence, true, silence(5_000)),
        ]
    }

    /// From the answer to the first word: 0.2 to 1.2 s.
    fn delay_ms(&mut self) -> usize {
        self.items += 1;
        200 + 250 * (self.items % 5)
    }

    fn speak(&mut self, voice: Voice, text: &'static str) -> Vec<i16> {
        let spoken = self.spoken.entry((voice, text)).or_insert_with(|| {
            let spoken = match voice {
                Voice::Flite(name) => sound::flite_voice(name, text),
                Voice::Espeak(name) => sound::espeak_voice(name, text),
            };
            assert_eq!(spoken.rate_hz, sound::SAMPLE_RATE_HZ, "{voice:?}");
            levelled(sound::trimmed(&spoken.samples))
        });
        spoken.clone()
    }
}

impl Kind {
    /// Until the bell is 20 dB softer, or to the end of the last tone.
    fn length_ms(&self) -> usize {
        let all: usize = self.spans_ms.iter().map(|(tone_ms, pause_ms)| tone_ms + pause_ms).sum();
        if self.fades { (all as f64 * 10.0_f64.ln() / FADING) as usize } else { all }
    }

    fn sound(&self) -> Vec<i16> {
        let mut sound = Vec::new();
        for (tone_ms, pause_ms) in self.spans_ms {
            let count = tone_ms * 16;
            sound.extend((0..count).map(|at| {
                let time = at as f64 / 16_000.0;
                let level =
                    if self.fades { (-FADING * at as f64 / count as f64).exp() } else { 1.0 };
                let wave = |(hz, share): &(f64, f64)| share * (TAU * hz * time).sin();
                (4_600.0 * level * self.parts.iter().map(wave).sum::<f64>()) as i16
            }));
            sound.extend(silence(*pause_ms));
        }
        sound
    }
}

/// A bell has lost 35 dB at its end.
const FADING: f64 = 4.0;
const TAU: f64 = std::f64::consts::TAU;
/// Of speech, as root mean square of its loud parts.
const SPEECH_DBFS: f64 = -20.0;

fn each<'a>(
    voices: &'a [Voice],
    texts: &'a [&'static str],
) -> impl Iterator<Item = (Voice, &'static str)> + 'a {
    texts.iter().flat_map(move |text| voices.iter().map(move |voice| (*voice, *text)))
}

fn plain(name: &str, truth: Verdict, is_early: bool, sound: Vec<i16>) -> Item {
    let name = name.to_owned();
    Item { name, truth, sound, is_early, said_ms: None, text: "", beep_ended_ms: None }
}

fn ringing(times: usize) -> Vec<i16> {
    [tones(&[425.0], 1_000), silence(4_000)].concat().repeat(times)
}

/// Sinusoids, together at -20 dBFS.
fn tones(hz: &[f64], length_ms: usize) -> Vec<i16> {
    let peak = 3_277.0 * (2.0 / hz.len() as f64).sqrt();
    let at = |index: usize| {
        let time = index as f64 / 16_000.0;
        hz.iter().map(|hz| peak * (TAU * hz * time).sin()).sum::<f64>() as i16
    };
    (0..length_ms * 16).map(at).collect()
}

fn silence(length_ms: usize) -> Vec<i16> {
    vec![0; length_ms * 16]
}

fn length_ms(sound: &[i16]) -> usize {
    sound.len() / 16
}

fn levelled(samples: &[i16]) -> Vec<i16> {
    let sound = sound::Sound { rate_hz: sound::SAMPLE_RATE_HZ, samples: samples.to_vec() };
    let gain = 10.0_f64.powf((SPEECH_DBFS - sound.speech_level_dbfs()) / 20.0);
    let louder = |sample: &i16| (f64::from(*sample) * gain).clamp(-32_768.0, 32_767.0) as i16;
    samples.iter().map(louder).collect()
}

/// What the media plane makes of it: noise is added, then 8 kHz, mu-law, and back.
fn through(sound: &[i16], line: Line, seed: u32) -> Vec<i16> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut white = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    let dbfs = line.noise_below_db.map_or(-70.0, |below_db| SPEECH_DBFS - below_db);
    // Evenly spread numbers from -1 to 1 have a third of their peak's power.
    let peak = 32_768.0 * 3.0_f64.sqrt() * 10.0_f64.powf(dbfs / 20.0);
    let noisy = sound.iter().map(|sample| (f64::from(*sample) + peak * white()) as i16);
    let noisy: Vec<i16> = noisy.collect();
    let mut narrow = vec![0; noisy.len()];
    let count = Resampler::new(16_000, 8_000).process(&noisy, &mut narrow);
    narrow.truncate(count);
    for sample in &mut narrow {
        *sample = Law::Mu.decode(Law::Mu.encode(*sample));
    }
    let mut wide = vec![0; noisy.len() + 2];
    let count = Resampler::new(8_000, 16_000).process(&narrow, &mut wide);
    wide.truncate(count);
    wide
}
