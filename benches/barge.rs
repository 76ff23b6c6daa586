//! Barge-in: how soon we are silent, and what does not silence us.
//!
//! | file | what |
//! |---|---|
//! | `side` | our end of a call, with the starter model's ears |
//! | `line` | a simulated clock and line: echo, double talk, coughs, backchannels |
//! | `wire` | real time: the audio thread and RTP over loopback |

mod line;
mod side;
mod wire;

use std::sync::Arc;

use attendant::call::Shelf;
use attendant::converse::Playbook;

use crate::pauses::recogniser::Ears;
use crate::stopwatch::percentile;
use crate::support::sound;
use crate::table::{Table, Target};
use line::{Conditions, Heard};

/// Two minutes of our voice; in its middle there is a question.
const SENTENCES: &str = "We are open Monday to Friday from eight in the morning until six in the \
    evening, and on Saturday until noon. Your parcel is on its way and arrives tomorrow between \
    nine and eleven. You can change the delivery address until this evening. Our office is at \
    twelve Harbour Road, next to the old station, and there is room for cars behind it. Parcels \
    of up to thirty kilograms are delivered to your door, heavier ones to the kerb. ";
const VOICES: [&str; 5] = ["slt", "rms", "awb", "kal16", "espeak"];
const DELAYS_MS: [usize; 5] = [30, 90, 150, 220, 300];
const CALLERS: [&str; 3] = ["rms", "awb", "slt"];
const SPOKEN: [&str; 3] = [
    "Sorry, can you tell me the price of that please?",
    "Stop, stop, that is not what I asked you for.",
    "I would like to talk to a person now, please.",
];
const BACKCHANNELS: [&str; 4] = ["mm-hm", "okay", "uh-huh", "yeah"];
/// Level of either's speech.
const SPEECH_DBFS: f64 = -20.0;
/// The caller begins in this tick, and the ones after it a little later.
const FROM: usize = 150;
const TICKS_A_MINUTE: usize = 3_000;

pub fn measure(table: &mut Table) {
    let mut ears = Ears::open();
    let greeting = SENTENCES.repeat(4);
    let desks: Vec<(Playbook, Arc<Shelf>)> = VOICES
        .iter()
        .map(|voice| (side::playbook(&greeting), side::shelf(&greeting, |text| say(voice, text))))
        .collect();
    let callers = || CALLERS.iter().flat_map(|v| SPOKEN.iter().map(move |text| say(v, text)));
    let sentences: Vec<Vec<i16>> = callers().collect();
    on_the_wire(table, &desks[0], &sentences);
    own_voice(table, &desks, &mut ears);
    both_talk(table, &desks, &sentences, &mut ears);
    not_meant(table, &desks[0], &mut ears);
}

fn on_the_wire(table: &mut Table, desk: &(Playbook, Arc<Shelf>), sentences: &[Vec<i16>]) {
    let mut stops = Vec::new();
    for _ in 0..2 {
        stops.extend(wire::barge_in((&desk.0, &desk.1), sentences));
    }
    let asked = 2 * sentences.len();
    table.section(&format!("barge-in on RTP over loopback: {} of {asked} stopped", stops.len()));
    let of = |which: fn(&wire::Stop) -> f64, percent| {
        percentile(stops.iter().map(which).collect(), percent)
    };
    let confirmed: fn(&wire::Stop) -> f64 = |stop| stop.from_confirmed_ms;
    let first: fn(&wire::Stop) -> f64 = |stop| stop.from_first_packet_ms;
    let name = "from confirmed speech to our last packet with sound";
    table.figure(&format!("{name}, median"), of(confirmed, 50), "ms", Target::None);
    table.figure("the same, 95th percentile", of(confirmed, 95), "ms", Target::AtMost(60.0));
    let name = "from the caller's first packet with speech";
    table.figure(&format!("{name}, median"), of(first, 50), "ms", Target::None);
    table.figure("the same, 95th percentile", of(first, 95), "ms", Target::None);
}

fn own_voice(table: &mut Table, desks: &[(Playbook, Arc<Shelf>)], ears: &mut Ears) {
    for echo_db in [-15.0, -6.0] {
        let mut all = Heard::default();
        for (desk, delay_ms) in desks.iter().zip(DELAYS_MS) {
            for (noise_dbfs, delay_ms) in [(-60.0, delay_ms), (-50.0, 330 - delay_ms)] {
                let conditions = Conditions { delay_ms, echo_db: Some(echo_db), noise_dbfs };
                let desk = (desk.0.clone(), Arc::clone(&desk.1));
                let heard = line::run(desk, &conditions, (&[], 0), TICKS_A_MINUTE, ears);
                all.stops += heard.stops;
                all.decodes += heard.decodes;
                all.turns += heard.turns;
            }
        }
        table.section(&format!("10 minutes of our own voice at {echo_db} dB, 30 to 300 ms late"));
        table.figure("stops", Some(all.stops as f64), "", Target::AtMost(0.0));
        table.figure("decodes begun", Some(all.decodes as f64), "", Target::AtMost(0.0));
        table.figure("turns heard", Some(all.turns as f64), "", Target::AtMost(0.0));
    }
}

fn both_talk(
    table: &mut Table,
    desks: &[(Playbook, Arc<Shelf>)],
    sentences: &[Vec<i16>],
    ears: &mut Ears,
) {
    for echo_db in [None, Some(-15.0), Some(-6.0)] {
        let mut all: Vec<Heard> = Vec::new();
        for (desk, delay_ms) in desks.iter().zip(DELAYS_MS) {
            for (index, sentence) in sentences.iter().enumerate() {
                let conditions = Conditions { delay_ms, echo_db, noise_dbfs: -60.0 };
                let from = FROM + 13 * index;
                let desk = (desk.0.clone(), Arc::clone(&desk.1));
                all.push(line::run(desk, &conditions, (sentence, from), from + 200, ears));
            }
        }
        let echo = echo_db.map_or("no echo".to_owned(), |db: f32| format!("an echo at {db} dB"));
        table.section(&format!("{} callers speak over us, {echo}", all.len()));
        let stopped = all.iter().filter(|heard| heard.stops > 0).count();
        let share = 100.0 * stopped as f64 / all.len() as f64;
        table.figure("stopped us", Some(share), "%", Target::AtLeast(95.0));
        for (what, which) in [
            ("speech until it was confirmed", (|h| h.decided_ms) as fn(&Heard) -> Option<f64>),
            ("speech until our last packet with sound", |h| h.silent_ms),
        ] {
            let values: Vec<f64> = all.iter().filter(|h| h.stops > 0).filter_map(which).collect();
            let median = percentile(values.clone(), 50);
            table.figure(&format!("{what}, median"), median, "ms", Target::None);
            table.figure("the same, 95th percentile", percentile(values, 95), "ms", Target::None);
        }
    }
}

/// Sounds that do not want the floor.
fn not_meant(table: &mut Table, desk: &(Playbook, Arc<Shelf>), ears: &mut Ears) {
    let conditions = Conditions { delay_ms: 120, echo_db: Some(-15.0), noise_dbfs: -60.0 };
    let words = VOICES.iter().flat_map(|v| BACKCHANNELS.iter().map(move |text| say(v, text)));
    let coughs = (0..10).map(|index| cough(120 + 60 * index));
    for (what, sounds) in [
        ("backchannels (mm-hm, okay, uh-huh, yeah)", words.collect::<Vec<_>>()),
        ("coughs of 120 to 660 ms", coughs.collect()),
    ] {
        let all: Vec<Heard> = sounds
            .iter()
            .enumerate()
            .map(|(index, sound)| {
                let from = FROM + 17 * index;
                let desk = (desk.0.clone(), Arc::clone(&desk.1));
                line::run(desk, &conditions, (sound, from), from + 250, ears)
            })
            .collect();
        let count = |which: fn(&Heard) -> bool| all.iter().filter(|heard| which(heard)).count();
        let share = |count: usize| Some(100.0 * count as f64 / all.len() as f64);
        table.section(&format!("{} {what} over our statement", all.len()));
        table.figure("stopped us, for a moment", share(count(|h| h.stops > 0)), "%", Target::None);
        table.figure("we went on", share(count(|h| h.goes_on)), "%", Target::AtLeast(95.0));
        table.figure("taken for a turn", share(count(|h| h.turns > 0)), "%", Target::AtMost(5.0));
    }
}

/// `text` by one of the voices, at the level of a call.
fn say(voice: &str, text: &str) -> Vec<i16> {
    let samples = match voice {
        "espeak" => sound::speak(text),
        flite => sound::flite_voice(flite, text).samples,
    };
    levelled(sound::trimmed(&samples))
}

fn levelled(samples: &[i16]) -> Vec<i16> {
    let sound = sound::Sound { rate_hz: sound::SAMPLE_RATE_HZ, samples: samples.to_vec() };
    let gain = 10.0_f64.powf((SPEECH_DBFS + 3.0 - sound.speech_level_dbfs()) / 20.0);
    samples.iter().map(|sample| (f64::from(*sample) * gain) as i16).collect()
}

/// A burst of noise that dies away, through the throat's resonance.
fn cough(length_ms: usize) -> Vec<i16> {
    let (mut state, mut pole) = (1_u32, [0.0_f64; 2]);
    let count = length_ms * 16;
    let samples = (0..count).map(|index| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(state >> 8) / f64::from(1 << 23) - 1.0;
        let next = noise + 1.84 * pole[0] - 0.9 * pole[1];
        pole = [next, pole[0]];
        let share = index as f64 / count as f64;
        (next * 1_500.0 * (share * 12.0).min(1.0) * (1.0 - share)) as i16
    });
    samples.collect()
}

/// Level of a payload of G.711 mu-law (ITU-T G.711 table 2a).
fn payload_dbfs(payload: &[u8]) -> f32 {
    let sample = |byte: &u8| {
        let code = !byte;
        let value = ((i32::from(code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4);
        if code & 0x80 == 0 { value - 0x84 } else { 0x84 - value }
    };
    let samples: Vec<i16> = payload.iter().map(|byte| sample(byte) as i16).collect();
    attendant::base::pcm::level_dbfs(&samples)
}
