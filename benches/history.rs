//! A database of 100,000 calls: how long the interface takes for what the page asks for when it is opened, for a part of the
//! list, for a search, for one call; the list to its end, and what an export takes of the memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use attendant::base::{CallId, Private};
use attendant::call::Cause;
use attendant::call::record::{CallRecord, Direction, Progress, Turn};
use attendant::store::history::{HistoryThreads, Report, Settings};

use crate::stopwatch;
use crate::support::appliance::{Appliance, Setup};
use crate::support::{counters, wait};
use crate::table::{Table, Target};

const CALLS: u64 = 100_000;
const TURNS: u64 = 4;
/// Below what the queue of the database holds.
const AT_ONCE: u64 = 500;
const TIMES: usize = 40;
const WANTED_MS: f64 = 200.0;
/// What an export may add to the memory of the front, whatever its length.
const EXPORT_MIB: f64 = 32.0;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(180);

pub fn measure(table: &mut Table) {
    table.section("100,000 calls in the database");
    let mut appliance = Setup::default().start();
    appliance.stop();
    let wrote = fill(&appliance.state());
    table.figure("written in a second", Some(CALLS as f64 / wrote), "calls", Target::None);
    let size = std::fs::metadata(appliance.state().join("history.db")).map(|file| file.len());
    table.figure("size", size.ok().map(|bytes| bytes as f64 / 1e6), "MB", Target::None);
    let began = Instant::now();
    appliance.crash_and_start_again();
    let opened = wait::within(PATIENCE, || {
        let (status, _) = appliance.get("/api/history?limit=1")?;
        (status == 200).then(|| began.elapsed().as_secs_f64())
    });
    table.figure("start until it is looked through and read", opened, "s", Target::None);
    for (what, path) in [
        ("the page itself", "/"),
        ("opened: who is here", "/api/session"),
        ("opened: how it is", "/health"),
        ("opened: calls that are up", "/api/calls"),
        ("opened: settings", "/api/settings"),
        ("opened: messages", "/api/messages"),
        ("opened: newest 50", "/api/history"),
        ("newest 200", "/api/history?limit=200"),
        ("50 in the middle", "/api/history?before=50000"),
        ("the oldest 50", "/api/history?before=51"),
        ("a word that is in every call", "/api/history?query=parcel"),
        ("the same, in the middle", "/api/history?query=parcel&before=50000"),
        ("two words, in one call of a thousand", "/api/history?query=number%20n777"),
        ("two that are never in one call", "/api/history?query=n1%20n3999"),
        ("one letter", "/api/history?query=n"),
        ("two letters", "/api/history?query=pa"),
        ("a letter and a digit, of a thousand words", "/api/history?query=n1"),
        ("a word that is nowhere", "/api/history?query=zebra"),
        ("a number by its beginning", "/api/history?query=%2B49301"),
        ("one digit", "/api/history?query=4"),
        ("one call", "/api/history/70000"),
        ("what is counted", "/api/history/totals"),
    ] {
        let took = took_ms(&appliance, path);
        let name = format!("{what}, 95th percentile of {TIMES}");
        let p95 = took.clone().and_then(|took| stopwatch::percentile(took, 95));
        table.figure(&name, p95, "ms", Target::AtMost(WANTED_MS));
        let (median, most) = took.map_or((None, None), |took| {
            (stopwatch::median(took.clone()), took.into_iter().reduce(f64::max))
        });
        let shown = |ms: Option<f64>| ms.map_or("none".to_owned(), |ms| format!("{ms:.1}"));
        table.note("  median, longest (ms)", &format!("{}, {}", shown(median), shown(most)));
    }
    to_the_end(table, &appliance);
    for (what, path) in [
        ("export, CSV", "/api/history/export?format=csv"),
        ("export, JSON", "/api/history/export?format=json"),
    ] {
        let before = counters::resident_kib(appliance.pid());
        let (bytes, took_s, most) = exported(&appliance, path);
        table.figure(&format!("{what}: size"), Some(bytes as f64 / 1e6), "MB", Target::None);
        table.figure(&format!("{what}: takes"), Some(took_s), "s", Target::None);
        let more = most.saturating_sub(before) as f64 / 1_024.0;
        let name = format!("{what}: the front is larger meanwhile by");
        table.figure(&name, Some(more), "MiB", Target::AtMost(EXPORT_MIB));
    }
}

fn took_ms(appliance: &Appliance, path: &str) -> Option<Vec<f64>> {
    let once = |_| {
        // Whoever asks more often than the interface lets anybody waits.
        wait::within(PATIENCE, || {
            let mut status = None;
            let took = stopwatch::timed(&mut || status = status_of(appliance, path));
            (status == Some(200)).then_some(took.as_secs_f64() * 1_000.0)
        })
    };
    (0..TIMES).map(once).collect()
}

fn request(appliance: &Appliance, path: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(appliance.web).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let host = appliance.web;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    Some(stream)
}

/// The status, once all of the answer is there.
fn status_of(appliance: &Appliance, path: &str) -> Option<u16> {
    let mut bytes = Vec::new();
    request(appliance, path)?.read_to_end(&mut bytes).ok()?;
    String::from_utf8_lossy(bytes.get(..64)?).split(' ').nth(1)?.parse().ok()
}

/// All parts of the list, one after the other.
fn to_the_end(table: &mut Table, appliance: &Appliance) {
    let (mut before, mut calls, mut took) = (String::new(), 0, Vec::new());
    loop {
        let path = format!("/api/history?limit=200{before}");
        let (page, ms) = wait::within(PATIENCE, || {
            let began = Instant::now();
            let (status, page) = appliance.get(&path)?;
            (status == 200).then(|| (page, began.elapsed().as_secs_f64() * 1_000.0))
        })
        .expect("a part of the list");
        took.push(ms);
        calls += page["calls"].as_array().map_or(0, Vec::len);
        match page["before"].as_i64() {
            Some(id) => before = format!("&before={id}"),
            None => break,
        }
    }
    table.figure("parts of 200 to the end: calls", Some(calls as f64), "", Target::None);
    let p95 = stopwatch::percentile(took, 95);
    table.figure("  each, 95th percentile", p95, "ms", Target::AtMost(WANTED_MS));
}

/// Bytes, seconds, and how large the front became meanwhile, in KiB.
fn exported(appliance: &Appliance, path: &str) -> (u64, f64, u64) {
    let began = Instant::now();
    let mut stream = request(appliance, path).expect("an export");
    let (mut bytes, mut most, mut piece) = (0, 0, vec![0; 1 << 20]);
    loop {
        match stream.read(&mut piece).expect("a piece of the export") {
            0 => return (bytes, began.elapsed().as_secs_f64(), most),
            read => bytes += read as u64,
        }
        most = most.max(counters::resident_kib(appliance.pid()));
    }
}

/// Seconds that it took.
fn fill(folder: &Path) -> f64 {
    let settings = Settings {
        folder: folder.to_owned(),
        transcripts: true,
        days: None,
        most_calls: 10 * CALLS,
    };
    let began = Instant::now();
    let threads = HistoryThreads::start(settings, drop::<Report>).expect("two threads");
    let history = threads.history();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for id in 1..=CALLS {
        history.note(None, &Arc::new(call(id)));
        if id % AT_ONCE == 0 {
            runtime.block_on(history.flushed());
        }
    }
    drop(threads);
    began.elapsed().as_secs_f64()
}

fn call(id: u64) -> CallRecord {
    let peer = format!("sip:+4930{:07}@gw.example.net", id * 7_919 % 10_000_000);
    let started = 1_700_000_000_000 + id * 60_000;
    let mut record = CallRecord::new(CallId(id), Direction::Inbound, peer, started);
    for turn in 0..TURNS {
        let words = format!("where is my parcel with the number n{} please", (id + turn) % 4_000);
        record.push_turn(Turn {
            caller_text: Private::new(words),
            reply_text: Private::new(
                "One moment. Your parcel is on its way and comes today.".into(),
            ),
            gap_ms: Some(180),
            heard_at_ms: turn * 5_000,
            ..Turn::default()
        });
    }
    record.progress = Progress::Ended {
        answered_at_ms: Some(started + 100),
        ended_at_ms: started + 40_000,
        ending: Cause::HungUp.into(),
    };
    record
}
