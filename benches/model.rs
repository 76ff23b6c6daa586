//! The whole box beside a stand-in of a model's server: the gap at the pace of a small one, and for
//! each fault of the server what the caller heard in place of the answer.
//!
//! Measured on the wire, by `attendant call` and on its recording.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::stopwatch::percentile;
use crate::support::appliance::{Appliance, Setup};
use crate::support::folder::Folder;
use crate::support::model::{ANSWERS, Manner, StandIn, open_playbook};
use crate::table::{Table, Target};

const FIRST_TOKEN: Duration = Duration::from_millis(150);
/// 20 tokens a second.
const TOKEN: Duration = Duration::from_millis(50);
const CALLS: usize = 6;
const QUESTIONS: [&str; 6] = [
    "what are your opening hours",
    "what is your address",
    "when are you open",
    "where are you",
    "what are your opening hours",
    "what is your address",
];
/// Between a faulty answer and the next question: all that will be said of it has been said by then.
const PATIENCE_MS: &str = "6000";

pub fn measure(table: &mut Table) {
    let model = StandIn::start(FIRST_TOKEN, TOKEN);
    let folder = Folder::new("model");
    let playbook = open_playbook(&folder);
    let appliance = Setup::default()
        .with("llm", &model.keys())
        .with("converse", &format!("playbook = \"{playbook}\""))
        .start();
    gaps(table, &appliance, &model);
    table.section("a server that fails: first sound after the question, longest silence, end");
    for (fault, manner) in [
        ("none", Manner::Well),
        ("a stall in mid-stream", Manner::Stalls),
        ("no byte at all", Manner::Hangs),
        ("a 500", Manner::Status500),
        ("an empty reply", Manner::Empty),
        ("an unknown tool", Manner::UnknownTool),
        ("a runaway of 10,000 tokens", Manner::Runaway),
        // Opens the circuit breaker at once.
        ("invalid JSON", Manner::InvalidJson),
    ] {
        model.behave(manner);
        faulty(table, &appliance, &folder, fault);
    }
    let sent = model.most_tokens().to_string();
    table.note("tokens of the runaway that were taken", &sent);
}

fn call(appliance: &Appliance, arguments: &[&str]) -> Option<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--json", "--max-seconds", "170"])
        .args(["--api", &format!("http://{}", appliance.web)])
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn gaps(table: &mut Table, appliance: &Appliance, model: &StandIn) {
    let asked = model.chats().len();
    let mut turns: Vec<Value> = Vec::new();
    for _ in 0..CALLS {
        let says = QUESTIONS.iter().flat_map(|question| ["--say", *question]);
        let arguments: Vec<&str> = says.chain(["--say", "thank you goodbye"]).collect();
        let Some(report) = call(appliance, &arguments) else { continue };
        let own = report["turns"].as_array().map(Vec::as_slice).unwrap_or_default();
        turns.extend(own.iter().take(QUESTIONS.len()).cloned());
    }
    let asked = model.chats().len() - asked;
    let wanted = CALLS * QUESTIONS.len();
    table.section(&format!(
        "a model of 20 tokens/s, 150 ms to the first: {} of {wanted} turns, {asked} chats",
        turns.len()
    ));
    let gaps: Vec<f64> = turns.iter().filter_map(|turn| turn["gap_ms"].as_f64()).collect();
    table.figure("turn gap, median", percentile(gaps.clone(), 50), "ms", Target::AtMost(500.0));
    table.figure("turn gap, 95th percentile", percentile(gaps.clone(), 95), "ms", Target::None);
    table.figure("turn gap, longest", percentile(gaps, 100), "ms", Target::AtMost(1_000.0));
    by_answer(table, &turns);
    let fillers = turns.iter().filter(|turn| reply(turn).contains("have a look")).count();
    table.note("turns with the filler", &format!("{fillers} of {}", turns.len()));
}

/// What an answer's first words have to do with its gap, and where that went.
fn by_answer(table: &mut Table, turns: &[Value]) {
    for answer in ANSWERS {
        let own = || turns.iter().filter(|turn| same_words(reply(turn), answer));
        let median =
            |ms: &dyn Fn(&Value) -> Option<f64>| percentile(own().filter_map(ms).collect(), 50);
        let first = answer.split_inclusive(['.', '?', '!']).next().unwrap_or_default();
        let words = first.split_whitespace().count();
        let parts = PARTS.map(|part| {
            let ms = median(&|turn| turn["far_end"]["latency"][format!("{part}_ms")].as_f64());
            format!("{part} {:.0}", ms.unwrap_or(-1.0))
        });
        let what = format!("{words} words in the first sentence, {} turns", own().count());
        table.figure(&what, median(&|turn| turn["gap_ms"].as_f64()), "ms", Target::None);
        table.remark(format!("{first:?}: {}", parts.join(" + ")));
    }
}

/// But for the commas that a cut adds.
fn same_words(said: &str, answer: &str) -> bool {
    let bare = |text: &str| text.replace(',', "");
    bare(said).starts_with(&bare(answer))
}

const PARTS: [&str; 6] = ["jitter", "endpoint", "decode", "think", "voice", "pacing"];

fn reply(turn: &Value) -> &str {
    turn["reply"].as_str().unwrap_or_default()
}

fn faulty(table: &mut Table, appliance: &Appliance, folder: &Folder, fault: &str) {
    let wav = folder.at("call.wav");
    let _ = std::fs::remove_file(&wav);
    let record = wav.to_str().unwrap_or_default();
    let report = call(
        appliance,
        &[
            "--record",
            record,
            "--say",
            QUESTIONS[0],
            "--pause",
            PATIENCE_MS,
            "--say",
            QUESTIONS[1],
            "--say",
            "thank you goodbye",
        ],
    );
    let (Some(report), Some(heard)) = (report, Heard::read(&wav)) else {
        return table.figure(fault, None, "ms", Target::AtMost(1_000.0));
    };
    table.figure(fault, Some(heard.first_ms), "ms", Target::AtMost(1_000.0));
    let ending = &report["ending"];
    let word = |name: &str| ending[name].as_str().unwrap_or("?").to_owned();
    let said = report["turns"][0]["reply"].as_str().unwrap_or_default();
    let said: String = said.chars().take(90).collect();
    let longest = heard.longest_ms;
    let words = format!("{longest:.0} ms, {} {}", word("by"), word("cause"));
    table.note(&format!("{fault}: longest silence, end"), &words);
    table.remark(format!("{fault}: {said:?}"));
}

/// What the caller heard between the first question and the second.
struct Heard {
    first_ms: f64,
    /// Before the last sound.
    longest_ms: f64,
}

/// One look at the recording.
const WINDOW_MS: usize = 10;
const RATE: usize = 16_000;
/// -40 dBFS, in the loudest sample of a window.
const LOUD: u16 = 328;
/// Silence in a question is shorter.
const WITHIN_MS: usize = 1_500;

impl Heard {
    /// Left is what the caller says, right what the caller hears.
    fn read(wav: &Path) -> Option<Self> {
        let bytes = std::fs::read(wav).ok()?;
        let samples = bytes.get(44..)?.chunks_exact(2);
        let samples: Vec<u16> =
            samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs()).collect();
        let windows = samples.chunks(2 * RATE * WINDOW_MS / 1_000);
        let is_loud = |window: &[u16], side: usize| {
            window.iter().skip(side).step_by(2).any(|sample| *sample >= LOUD)
        };
        let loud: Vec<[bool; 2]> =
            windows.map(|window| [is_loud(window, 0), is_loud(window, 1)]).collect();
        let mut end = loud.iter().position(|[said, _]| *said)?;
        let mut next = end;
        for (at, [said, _]) in loud.iter().enumerate().skip(end) {
            next = at;
            if *said && at - end > WITHIN_MS / WINDOW_MS {
                break;
            }
            if *said {
                end = at;
            }
        }
        let reply = loud.get(end + 1..next)?;
        let (mut first, mut longest, mut silent) = (None, 0, 0);
        for (at, [_, heard]) in reply.iter().enumerate() {
            if *heard {
                first = first.or(Some(at));
                longest = longest.max(silent);
                silent = 0;
            } else {
                silent += 1;
            }
        }
        let ms = |windows: usize| (windows * WINDOW_MS) as f64;
        Some(Self { first_ms: ms(first?), longest_ms: ms(longest) })
    }
}
