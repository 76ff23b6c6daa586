//! The power goes at any moment: no call that had ended before is lost, one that was up shows as cut off, and the database is whole.
//!
//! A process of this test's own program writes calls to the real database and says each that is on the disk; it is killed at
//! random, again and again, over the same file.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use attendant::base::{CallId, Private};
use attendant::call::Cause;
use attendant::call::record::{CallRecord, Direction, Progress, Turn};
use attendant::store::history::{self, HistoryThreads, Page, Report, Settings, State};
use support::folder::Folder;

const FOLDER: &str = "ATTENDANT_TEST_POWER_CUT";
const USUAL_ROUNDS: u32 = 12;
const MANY_ROUNDS: u32 = 200;
/// A start, its check of the whole file, and some calls.
const LONGEST_MS: u64 = 250;

fn settings(folder: PathBuf) -> Settings {
    Settings { folder, transcripts: true, days: None, most_calls: 1_000_000 }
}

fn peer(process: u32, number: u64) -> String {
    format!("sip:{process}x{number}@a")
}

/// What is killed.
#[test]
#[ignore = "the other tests of this file run it as a process of its own"]
fn writing() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let threads = HistoryThreads::start(settings(folder.into()), drop::<Report>).unwrap();
    let history = threads.history();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in 1.. {
        let name = peer(std::process::id(), number);
        let mut call = CallRecord::new(CallId(number), Direction::Inbound, name.clone(), number);
        history.note(None, &Arc::new(call.clone()));
        call.push_turn(Turn { caller_text: Private::new("a word".into()), ..Turn::default() });
        call.progress = Progress::Ended {
            answered_at_ms: Some(number),
            ended_at_ms: number + 1,
            ending: Cause::HungUp.into(),
        };
        // The next one begins before this one ends.
        let next = peer(std::process::id(), number + 1);
        let next = CallRecord::new(CallId(number + 1), Direction::Inbound, next, number);
        history.note(None, &Arc::new(next));
        history.note(None, &Arc::new(call));
        assert!(runtime.block_on(history.flushed()));
        println!("\nwritten {name}");
        std::io::stdout().flush().unwrap();
    }
}

/// Runs it for so long; the calls that it has said.
fn killed_after(folder: &Path, ms: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writing", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let (told, lines) = channel();
    let reading = std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            told.send(line).unwrap();
        }
    });
    // The first call says that it works; what is left of the time is chance.
    let first = lines.recv_timeout(Duration::from_secs(60));
    std::thread::sleep(Duration::from_millis(ms));
    child.kill().unwrap();
    child.wait().unwrap();
    reading.join().unwrap();
    let said = first.into_iter().chain(lines.try_iter());
    said.filter_map(|line| Some(line.strip_prefix("written ")?.to_owned())).collect()
}

fn cut(rounds: u32) {
    let folder = Folder::new("power");
    let mut written: BTreeSet<String> = BTreeSet::new();
    for _ in 0..rounds {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let said = killed_after(folder.path(), u64::from(since.subsec_nanos()) % LONGEST_MS);
        written.extend(said);
    }
    assert!(written.len() > rounds as usize, "{}", written.len());
    let report = Arc::new(Mutex::new(Report::default()));
    let shown = Arc::clone(&report);
    let tell = move |report| *shown.lock().unwrap() = report;
    let threads = HistoryThreads::start(settings(folder.path().to_owned()), tell).unwrap();
    let history = threads.history();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut ended, mut cut_off, mut before) = (BTreeSet::new(), 0, None);
    assert!(runtime.block_on(history.flushed()));
    loop {
        let page = Page { before, limit: 200, ..Page::default() };
        let asked = history.ask(move |open| history::calls(open, &page));
        let calls = runtime.block_on(asked).unwrap();
        let Some(last) = calls.last() else { break };
        before = Some(last.id);
        for call in calls {
            match call.state {
                State::Ended => {
                    assert_eq!(call.turns, 1);
                    ended.insert(call.peer.reveal().clone());
                }
                State::CutOff => cut_off += 1,
                State::Up => panic!("{} is up", call.id),
            }
        }
    }
    let lost: Vec<_> = written.difference(&ended).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), written.len());
    assert!(cut_off >= rounds / 2, "{cut_off}");
    let report = report.lock().unwrap().clone();
    assert!(report.set_aside.is_none() && report.fault.is_none() && report.lost == 0, "{report:?}");
    println!("{rounds} cuts: {} calls had ended, all are there; {cut_off} were up", written.len());
}

#[test]
fn no_call_that_had_ended_is_lost() {
    cut(USUAL_ROUNDS);
}

#[test]
#[ignore = "minutes; make nightly"]
fn no_call_that_had_ended_is_lost_in_two_hundred_cuts() {
    cut(MANY_ROUNDS);
}
