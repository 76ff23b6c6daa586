//! The callers of `tests/scenarios`, over and over until there are turns enough: what they wait for,
//! and how often they are cut off or lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::call::{self, Made};
use super::{Side, conversations, idle, needs, parts};
use crate::Asked;
use crate::meter::Meter;
use crate::support::appliance::{Appliance, Setup};
use crate::table::Table;

const TURNS: usize = 200;
/// Where no other time is asked for: longer than 200 turns take.
const LONGEST: Duration = Duration::from_secs(2_400);
const LONGEST_CALL_S: &str = "120";
/// They talk to nobody, so their turns are none of a conversation.
const NO_CONVERSATION: [&str; 3] = ["machine", "foreign", "silent"];

pub fn measure(table: &mut Table, side: Side, asked: &Asked) {
    let kept = asked.keep.as_ref().map(|file| format!("{file}.{}", side.calls()));
    let mut calls = kept.as_deref().map(read).unwrap_or_default();
    let until = Instant::now() + asked.seconds.map_or(LONGEST, Duration::from_secs);
    let missing = TURNS.saturating_sub(turns(&calls));
    let appliance = Setup::default().start();
    let idle = idle(&appliance);
    let meter = Meter::start(&appliance);
    let new = converse(&appliance, side, missing, until);
    let used = meter.read();
    if let Some(file) = &kept {
        keep(file, &new);
    }
    calls.extend(new);
    let name = format!("scenarios, {}", side.name());
    conversations(table, &name, (&calls, TURNS), side.wanted());
    parts::print(table, &calls);
    needs(table, side, &used, &idle);
}

fn turns(calls: &[Made]) -> usize {
    calls.iter().map(|call| call.turns.len()).sum()
}

/// Calls until there are so many turns or it is late; a call that has begun is finished.
fn converse(appliance: &Appliance, side: Side, missing: usize, until: Instant) -> Vec<Made> {
    let scripts = scripts();
    let next = AtomicUsize::new(0);
    let calls = Mutex::new(Vec::new());
    let lock = || calls.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..side.calls() {
            scope.spawn(|| {
                while turns(&lock()) < missing && Instant::now() < until {
                    let at = next.fetch_add(1, Ordering::Relaxed) % scripts.len().max(1);
                    let Some(script) = scripts.get(at) else { return };
                    let made = call(appliance, script);
                    lock().extend(made);
                }
            });
        }
    });
    calls.into_inner().unwrap_or_default()
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let converses = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        path.extension().is_some_and(|end| end == "toml")
            && !NO_CONVERSATION.contains(&name.as_str())
    };
    let mut scripts: Vec<PathBuf> = entries.filter(converses).collect();
    scripts.sort();
    scripts
}

fn call(appliance: &Appliance, script: &Path) -> Option<Made> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attendant"));
    command.args(["call", &appliance.uri(), "--json", "--max-seconds", LONGEST_CALL_S]);
    command.args(["--api", &format!("http://{}", appliance.web), "--script"]).arg(script);
    call::made(appliance, &mut command)
}

fn read(file: &str) -> Vec<Made> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn keep(file: &str, calls: &[Made]) {
    let lines = calls.iter().filter_map(|call| serde_json::to_string(call).ok());
    let new: String = lines.map(|line| line + "\n").collect();
    let before = fs::read_to_string(file).unwrap_or_default();
    if let Err(error) = fs::write(file, before + &new) {
        eprintln!("{file}: {error}");
    }
}
