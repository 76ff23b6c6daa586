//! A database of 100,000 calls: how long the interface takes for a part of the list, for a search, for one call.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use attendant::base::{CallId, Private};
use attendant::call::Cause;
use attendant::call::record::{CallRecord, Direction, Progress, Turn};
use attendant::store::history::{HistoryThreads, Report, Settings};

use crate::stopwatch;
use crate::support::appliance::{Appliance, Setup};
use crate::support::wait;
use crate::table::{Table, Target};

const CALLS: u64 = 100_000;
const TURNS: u64 = 4;
/// Below what the queue of the database holds.
const AT_ONCE: u64 = 500;
const TIMES: usize = 20;
const WANTED_MS: f64 = 200.0;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

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
        ("newest 50", "/api/history"),
        ("newest 200", "/api/history?limit=200"),
        ("50 in the middle", "/api/history?before=50000"),
        ("a word that is in every call", "/api/history?query=parcel"),
        ("two words, in one call of a thousand", "/api/history?query=number%20n777"),
        ("a number by its beginning", "/api/history?query=49301"),
        ("one call", "/api/history/70000"),
        ("messages", "/api/messages"),
    ] {
        let name = format!("{what}, longest of {TIMES}");
        table.figure(&name, longest_ms(&appliance, path), "ms", Target::AtMost(WANTED_MS));
    }
}

fn longest_ms(appliance: &Appliance, path: &str) -> Option<f64> {
    let once = || {
        let took = stopwatch::timed(&mut || drop(appliance.get(path).filter(|(s, _)| *s == 200)));
        took.as_secs_f64() * 1_000.0
    };
    (0..TIMES).map(|_| once()).reduce(f64::max)
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
