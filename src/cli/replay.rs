//! `attendant replay`: a recorded call made again.

// A shell: the call begins now by the clock of this machine.
#![allow(clippy::disallowed_methods)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::exit::Exit;
use super::printable;
use crate::base::{LanguageCode, limits};
use crate::call::flight::{
    Certainty, Difference, Flight, FlightError, Head, NewTurn, Pair, Replayed, SetError, what_if,
};
use crate::call::record::Turn;
use crate::store::bounded;

/// Moments before the call's beginning that its record may speak of: no clock begins so late.
const BEFORE: Duration = Duration::from_secs(24 * 3_600);

/// Make a recorded call again and compare every decision, or see what other settings would have done.
///
/// A flight record is written for each call with `calls.flight_record = true`. It holds the call's
/// sound and words; so does what this prints. Without --set the call is made again from the recorded
/// inputs, and the first decision that is another one is printed.
///
/// With --set the caller's side stays as it was and ours is made anew. The engine's and the model's
/// answers are those of the record, after the time that they took then; where another question is
/// asked, an answer is put together from them ("~") or is not known ("?", as is all after it).
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The flight record.
    file: PathBuf,
    /// Another value of a setting, as in listen.close_complete_ms=200; converse.playbook=FILE or
    /// language.CODE.playbook=FILE for another playbook. An unknown key is answered with all there
    /// are.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error("{path}: {reason}")]
    Read { path: String, reason: String },
    #[error("{path}: {source}")]
    Flight { path: String, source: FlightError },
    #[error("--set {text}: KEY=VALUE")]
    NoValue { text: String },
    #[error("--set: {0}")]
    Set(#[from] SetError),
    #[error("--set: {path}: {reason}")]
    Playbook { path: String, reason: String },
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    match replay(arguments) {
        Ok((text, exit)) => {
            print!("{text}");
            exit
        }
        Err(error) => {
            eprintln!("attendant: {}", printable(&error.to_string()));
            match error {
                ReplayError::Read { .. } | ReplayError::Flight { .. } => Exit::NoFlight,
                ReplayError::NoValue { .. } | ReplayError::Set(_) => Exit::Usage,
                ReplayError::Playbook { .. } => Exit::BadConfig,
            }
        }
    }
}

fn replay(arguments: &Arguments) -> Result<(String, Exit), ReplayError> {
    let path = arguments.file.display().to_string();
    let file = bounded::bytes(&arguments.file, limits::FLIGHT_FILE_BYTES)
        .map_err(|error| ReplayError::Read { path: path.clone(), reason: error.to_string() })?;
    let wrong = |source| ReplayError::Flight { path: path.clone(), source };
    let flight = Flight::read(&file, Instant::now() + BEFORE).map_err(wrong)?;
    if arguments.set.is_empty() {
        let replayed = flight.replay().map_err(wrong)?;
        let exit = match replayed.difference {
            Some(_) => Exit::DecidesOtherwise,
            None => Exit::Done,
        };
        let text = match arguments.json {
            true => as_json(&replayed, &flight),
            false => as_text(&replayed, &flight),
        };
        return Ok((text, exit));
    }
    let mut changed = flight.head().clone();
    arguments.set.iter().try_for_each(|text| set(&mut changed, text))?;
    match what_if(&flight, &changed) {
        Ok(pairs) if arguments.json => Ok((pairs_as_json(&pairs), Exit::Done)),
        Ok(pairs) => Ok((pairs_as_text(&pairs), Exit::Done)),
        Err(FlightError::Differs) => {
            eprintln!("attendant: {path}: {}", FlightError::Differs);
            Ok((String::new(), Exit::DecidesOtherwise))
        }
        Err(error) => Err(wrong(error)),
    }
}

fn set(head: &mut Head, text: &str) -> Result<(), ReplayError> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(ReplayError::NoValue { text: text.to_owned() });
    };
    let language = key.strip_prefix("language.").and_then(|key| key.strip_suffix(".playbook"));
    let code = match (key, language) {
        ("converse.playbook", _) => None,
        (_, Some(code)) => Some(LanguageCode::new(code).ok_or_else(|| SetError::Value {
            key: key.to_owned(),
            reason: "a language has two or three small letters".to_owned(),
        })?),
        (_, None) => return Ok(head.set(key, value)?),
    };
    let text = bounded::text(Path::new(value), limits::PLAYBOOK_BYTES).map_err(|error| {
        ReplayError::Playbook { path: value.to_owned(), reason: error.to_string() }
    })?;
    Ok(head.set_playbook(code, &text)?)
}

fn as_text(replayed: &Replayed, flight: &Flight<'_>) -> String {
    let mut text = String::new();
    for (number, turn) in replayed.record.iter().flat_map(|record| record.turns()).enumerate() {
        let _ =
            writeln!(text, "{:>3}  {}", number + 1, spoken("caller", turn.caller_text.reveal()));
        let _ = writeln!(text, "     {}", spoken("desk", turn.reply_text.reveal()));
        if turn.gap_ms.is_some() {
            let _ = writeln!(text, "     gap     {}", gap(turn));
        }
    }
    let Replayed { inputs, decisions, frames, .. } = replayed;
    let _ = writeln!(text, "{inputs} inputs, {decisions} decisions, {frames} frames to play");
    let _ = writeln!(text, "{}", ending(flight));
    match &replayed.difference {
        None => text.push_str("every decision is the recorded one\n"),
        Some(Difference { at, input, recorded, replayed }) => {
            let _ = writeln!(text, "different after {} ms, at input {input}", at.as_millis());
            let _ = writeln!(text, "  recorded  {}", printable(recorded.reveal()));
            let _ = writeln!(text, "  replayed  {}", printable(replayed.reveal()));
        }
    }
    text
}

/// Whether the record is whole, and whose it is.
fn ending(flight: &Flight<'_>) -> String {
    let ours = env!("CARGO_PKG_VERSION");
    let program = &flight.head().program;
    let by = match program == ours {
        true => String::new(),
        false => format!(", recorded by version {} and replayed by {ours}", printable(program)),
    };
    match (flight.is_whole, flight.cut_at) {
        (true, _) => format!("the record is whole{by}"),
        (false, Some(at)) => {
            format!("the record was cut at byte {at} and is whole up to there{by}")
        }
        (false, None) => format!("the record ends before the call{by}"),
    }
}

fn spoken(who: &str, words: &str) -> String {
    let words = if words.is_empty() { "(nothing)" } else { words };
    format!("{who:<8}{}", printable(words).replace('\n', " "))
}

fn gap(turn: &Turn) -> String {
    let Some(ms) = turn.gap_ms else { return "none".to_owned() };
    let parts = turn.latency.iter().flat_map(|latency| latency.parts());
    let parts: Vec<String> =
        parts.filter(|(_, ms)| *ms > 0).map(|(name, ms)| format!("{name} {ms}")).collect();
    format!("{ms} ms = {}", parts.join(" + "))
}

fn pairs_as_text(pairs: &[Pair]) -> String {
    let mut text = String::new();
    for Pair { before, now } in pairs {
        let before_words = before.as_ref().map(|turn| turn.caller_text.reveal().as_str());
        let now_words = now.as_ref().map(|new| new.turn.caller_text.reveal().as_str());
        match (before_words, now_words) {
            (Some(before), Some(now)) if before == now => {
                let _ = writeln!(text, "  {}", spoken("caller", now));
            }
            _ => {
                let _ =
                    writeln!(text, "- {}", spoken("caller", before_words.unwrap_or("(no turn)")));
                let _ = writeln!(text, "+ {}", spoken("caller", now_words.unwrap_or("(no turn)")));
            }
        }
        replies(&mut text, before.as_ref(), now.as_ref());
        let mark = now.as_ref().map_or(' ', |new| mark(new.certainty));
        let before_gap = before.as_ref().map_or_else(|| "none".to_owned(), gap);
        let now_gap = now.as_ref().map_or_else(|| "none".to_owned(), |new| gap(&new.turn));
        let _ = writeln!(
            text,
            "  before  {before_gap}\n{mark} now     {now_gap}{}",
            change(before, now)
        );
    }
    text.push_str("~ estimated, ? not known from the record\n");
    text
}

fn replies(text: &mut String, before: Option<&Turn>, now: Option<&NewTurn>) {
    let before = before.map(|turn| turn.reply_text.reveal().as_str());
    let now = now.map(|new| new.turn.reply_text.reveal().as_str());
    match (before, now) {
        (Some(before), Some(now)) if before == now => {
            let _ = writeln!(text, "  {}", spoken("desk", now));
        }
        (before, now) => {
            for (sign, words) in [('-', before), ('+', now)] {
                if let Some(words) = words {
                    let _ = writeln!(text, "{sign} {}", spoken("desk", words));
                }
            }
        }
    }
}

const fn mark(certainty: Certainty) -> char {
    match certainty {
        Certainty::Recorded => ' ',
        Certainty::Estimated => '~',
        Certainty::Unknown => '?',
    }
}

fn change(before: &Option<Turn>, now: &Option<NewTurn>) -> String {
    let before = before.as_ref().and_then(|turn| turn.gap_ms);
    let now = now.as_ref().and_then(|new| new.turn.gap_ms);
    let change = before.zip(now).map(|(before, now)| i64::from(now) - i64::from(before));
    change.map_or_else(String::new, |ms| format!("  ({ms:+} ms)"))
}

fn as_json(replayed: &Replayed, flight: &Flight<'_>) -> String {
    let difference = replayed.difference.as_ref().map(|difference| {
        serde_json::json!({
            "at_ms": difference.at.as_millis() as u64,
            "input": difference.input,
            "recorded": difference.recorded.reveal(),
            "replayed": difference.replayed.reveal(),
        })
    });
    let turns = replayed.record.iter().flat_map(|record| record.turns());
    let value = serde_json::json!({
        "program": flight.head().program,
        "whole": flight.is_whole,
        "cut_at": flight.cut_at,
        "inputs": replayed.inputs,
        "decisions": replayed.decisions,
        "frames": replayed.frames,
        "difference": difference,
        "turns": turns.map(turn_as_json).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn turn_as_json(turn: &Turn) -> serde_json::Value {
    let parts = turn.latency.map(|latency| {
        let parts = latency.parts().map(|(name, ms)| (format!("{name}_ms"), ms.into()));
        parts.into_iter().collect::<serde_json::Map<_, _>>()
    });
    serde_json::json!({
        "caller": turn.caller_text.reveal(),
        "reply": turn.reply_text.reveal(),
        "heard_at_ms": turn.heard_at_ms,
        "gap_ms": turn.gap_ms,
        "latency": parts,
    })
}

fn pairs_as_json(pairs: &[Pair]) -> String {
    let pairs = pairs.iter().map(|Pair { before, now }| {
        let certainty = now.as_ref().map(|new| match new.certainty {
            Certainty::Recorded => "recorded",
            Certainty::Estimated => "estimated",
            Certainty::Unknown => "unknown",
        });
        serde_json::json!({
            "before": before.as_ref().map(turn_as_json),
            "now": now.as_ref().map(|new| turn_as_json(&new.turn)),
            "certainty": certainty,
        })
    });
    format!("{:#}\n", serde_json::json!({ "turns": pairs.collect::<Vec<_>>() }))
}
