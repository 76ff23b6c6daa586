//! One call with `attendant call`, and the box's record of it beside its report.

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::script::{Line, Recordings};
use crate::support::appliance::Appliance;

/// A call of ten turns takes half of it.
const LONGEST_S: &str = "110";

/// What became of a call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Made {
    pub answer_delay_ms: Option<f64>,
    pub greeting_delay_ms: Option<f64>,
    /// Those that were spoken.
    pub turns: Vec<Turn>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Turn {
    pub said: String,
    pub reply: String,
    /// On the wire; `None` without a reply.
    pub gap_ms: Option<f64>,
    pub has_pause: bool,
    /// More may well come after it, and is to be waited for: see [`may_go_on`].
    #[serde(default)]
    pub may_go_on: bool,
    pub is_understood: bool,
    /// What the box took for turns of the caller.
    pub pieces: Vec<Piece>,
}

impl Turn {
    /// The box heard something of it; else what the caller waited for is a prompt after silence.
    pub fn is_heard(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// The box took the floor before the caller had finished.
    pub fn is_cut_off(&self) -> bool {
        self.pieces.len() > 1 || self.gap_ms.is_some_and(|ms| ms < 0.0)
    }
}

/// One turn in the box's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Piece {
    pub heard: String,
    pub endpoint_ms: f64,
    pub decode_ms: f64,
    /// The box's own gap by its audio thread, and the sum of the parts that it explains it by.
    pub explained: Option<(f64, f64)>,
    pub parts: Vec<(String, f64)>,
}

/// Makes the call; `None` if there is no report of it.
pub fn make(appliance: &Appliance, script: &[Line], recordings: &Recordings) -> Option<Made> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attendant"));
    command.args(["call", &appliance.uri(), "--json", "--max-seconds", LONGEST_S]);
    command.args(["--api", &format!("http://{}", appliance.web)]);
    for line in script {
        if line.pause_ms > 0 {
            command.arg("--play").arg(recordings.path(line));
        } else {
            command.arg("--say").args(line.parts);
        }
        command.args(["--expect", line.expect]);
    }
    made(appliance, &mut command)
}

/// Runs the caller; its spoken turns, each with what the box made of it.
pub fn made(appliance: &Appliance, command: &mut Command) -> Option<Made> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let report: Value = serde_json::from_slice(&output.stdout).ok()?;
    let id = report["sip_call_id"].as_str()?.to_owned();
    let record = appliance.record(|call| call["sip_call_id"] == id.as_str())?;
    let mut pieces = pieces(&record).into_iter();
    let mut asked = "";
    let turns = report["turns"].as_array()?.iter();
    let turns = turns.map(|turn| {
        let question = std::mem::replace(&mut asked, turn["reply"].as_str().unwrap_or_default());
        (turn, may_go_on(turn, question))
    });
    let spoken = turns.filter(|(turn, _)| {
        turn["spoken"] == true && (turn["kind"] == "say" || turn["kind"] == "play")
    });
    let turns = spoken.map(|(turn, may_go_on)| {
        let wanted = turn["heard"].as_str().unwrap_or_default();
        let mut own: Vec<Piece> = Vec::new();
        // The report joins what was heard in one turn of ours.
        while joined(&own) != wanted {
            let Some(piece) = pieces.next() else { break };
            own.push(piece);
        }
        let said = turn["said"].as_str().unwrap_or_default().to_owned();
        let expected = turn["expected"].as_array().map(Vec::as_slice).unwrap_or_default();
        Turn {
            reply: turn["reply"].as_str().unwrap_or_default().to_owned(),
            gap_ms: turn["gap_ms"].as_f64(),
            has_pause: turn["kind"] == "play" || said.contains('['),
            may_go_on,
            is_understood: expected.iter().all(|expected| expected["met"] == true),
            pieces: own,
            said,
        }
    });
    Some(Made {
        turns: turns.collect(),
        answer_delay_ms: report["answer_delay_ms"].as_f64(),
        greeting_delay_ms: report["greeting_delay_ms"].as_f64(),
    })
}

/// The caller gives half of a number, has just paused for a second within one, or dictates: a desk that answers
/// at once cuts such callers off, and this is what its longer silences are for.
fn may_go_on(turn: &Value, asked: &str) -> bool {
    let expected = turn["expected"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_half = expected.iter().any(|expected| expected["pattern"] == "go on");
    let has_thought = turn["said"].as_str().is_some_and(|said| said.contains("[1000]"));
    let dictates = ["What is your message?", "What is it about?"];
    is_half || has_thought || dictates.iter().any(|question| asked.ends_with(question))
}

fn joined(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.heard.as_str()).collect::<Vec<_>>().join(" ")
}

/// Each part of a gap.
fn parts(latency: &Value) -> Vec<(String, f64)> {
    let parts = latency.as_object().into_iter().flatten();
    parts.filter_map(|(name, ms)| Some((name.clone(), ms.as_f64()?))).collect()
}

fn sum(latency: &Value) -> Option<f64> {
    latency.is_object().then(|| parts(latency).iter().map(|(_, ms)| ms).sum())
}

/// The turns in which somebody was heard.
fn pieces(record: &Value) -> Vec<Piece> {
    let turns = record["turns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let heard = turns.iter().filter(|turn| turn["caller"].as_str().is_some_and(|s| !s.is_empty()));
    let piece = |turn: &Value| Piece {
        heard: turn["caller"].as_str().unwrap_or_default().to_owned(),
        endpoint_ms: turn["endpoint_ms"].as_f64().unwrap_or(0.0),
        decode_ms: turn["decode_ms"].as_f64().unwrap_or(0.0),
        explained: turn["wire_gap_ms"].as_f64().zip(sum(&turn["latency"])),
        parts: parts(&turn["latency"]),
    };
    heard.map(piece).collect()
}
