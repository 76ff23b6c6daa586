//! The power goes at any moment, for the whole program: no call that its caller saw finished is lost, what the box has once
//! shown as ended stays so, and the database is whole at each start.
//!
//! Callers of the test's own end calls all the time, and keep a journal of those whose end was acknowledged; a reader
//! keeps one of what the interface shows. The program is killed at random, while it starts, too.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::phone::Phone;
use support::{http, wait};

const USUAL_CUTS: u32 = 10;
const MANY_CUTS: u32 = 200;
const CALLERS: u32 = 4;
const CALL_MS: std::ops::Range<u64> = 200..1_400;
/// The program runs for so long once it takes calls.
const LONGEST_MS: u64 = 3_000;
/// One cut in so many comes while it starts.
const EARLY: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(30);
/// A call whose end was acknowledged in the last moment may show as cut off; the disk had no time for it.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// What those outside the box know.
#[derive(Debug, Default)]
struct Journal {
    /// When the box has acknowledged the end of this caller's call.
    finished: Mutex<BTreeMap<String, Instant>>,
    /// Calls that the interface has shown as ended, as it showed them.
    shown: Mutex<BTreeMap<i64, Value>>,
    is_over: AtomicBool,
}

/// Knuth's linear congruential generator: any spread will do.
struct Chance(u64);

impl Chance {
    fn new(of: u64) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Self(u64::from(since.subsec_nanos()) ^ of << 32)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

fn user_of(peer: &Value) -> String {
    peer.as_str().unwrap().split([':', '@']).nth(1).unwrap().to_owned()
}

/// Calls again and again, also a box that is not there.
fn calling(number: u32, uri: &str, at: SocketAddr, journal: &Journal) {
    let mut chance = Chance::new(u64::from(number));
    for call in 1.. {
        if journal.is_over.load(Ordering::Relaxed) {
            return;
        }
        let user = format!("caller{number}call{call}");
        let lasts = CALL_MS.start + chance.below(CALL_MS.end - CALL_MS.start);
        let mut phone = Phone::new(&user);
        if phone.completes(uri, at, Duration::from_millis(lasts), PATIENCE) {
            journal.finished.lock().unwrap().insert(user, Instant::now());
        } else {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The list as it is shown; `None` while nobody answers.
fn part(web: SocketAddr, asked: &str) -> Option<Value> {
    let answer = http::try_ask(web, &format!("GET /api/history?{asked}"))?;
    (answer.status == 200).then(|| answer.json())
}

fn reading(web: SocketAddr, journal: &Journal) {
    while !journal.is_over.load(Ordering::Relaxed) {
        for call in part(web, "limit=20").iter().flat_map(|page| page["calls"].as_array().unwrap())
        {
            if call["state"] == "ended" {
                journal.shown.lock().unwrap().insert(call["id"].as_i64().unwrap(), call.clone());
            }
        }
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// What the kill has left, as SQLite itself finds it: a copy, so that the program still has to mend it.
fn is_whole(state: &Path) {
    let folder = Folder::new("copy");
    for ending in ["", "-wal"] {
        let name = format!("history.db{ending}");
        if state.join(&name).exists() {
            std::fs::copy(state.join(&name), folder.at(&name)).unwrap();
        }
    }
    let copy = rusqlite::Connection::open(folder.at("history.db")).unwrap();
    let found: String = copy.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

fn all(web: SocketAddr) -> Vec<Value> {
    let (mut calls, mut before) = (Vec::new(), String::new());
    loop {
        let page =
            wait::until("a part of the list", SOON, || part(web, &format!("limit=200{before}")));
        calls.extend(page["calls"].as_array().unwrap().iter().cloned());
        match page["before"].as_i64() {
            Some(id) => before = format!("&before={id}"),
            None => return calls,
        }
    }
}

fn cut(cuts: u32) {
    let mut appliance = Setup::default().start();
    let journal = Arc::new(Journal::default());
    let (uri, sip, web) = (appliance.uri(), appliance.sip, appliance.web);
    let mut threads: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (journal, uri) = (Arc::clone(&journal), uri.clone());
            std::thread::spawn(move || calling(number, &uri, sip, &journal))
        })
        .collect();
    let read = Arc::clone(&journal);
    threads.push(std::thread::spawn(move || reading(web, &read)));
    let mut chance = Chance::new(77);
    let mut at = Vec::new();
    let mut early = 0;
    for _ in 0..cuts {
        std::thread::sleep(Duration::from_millis(chance.below(LONGEST_MS)));
        appliance.crash();
        at.push(Instant::now());
        is_whole(&appliance.state());
        appliance.begin_again();
        if chance.below(EARLY) == 0 {
            std::thread::sleep(Duration::from_millis(chance.below(1_000)));
            appliance.crash();
            is_whole(&appliance.state());
            appliance.begin_again();
            early += 1;
        }
        appliance.is_ready_again();
        let health = appliance.api("/health");
        let history = &health["history"];
        assert!(history["set_aside"].is_null() && history["fault"].is_null(), "{history}");
        assert_eq!(history["lost"], 0, "{history}");
    }
    journal.is_over.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    judge(&appliance, &journal, &at);
    println!("{cuts} cuts, {early} more while it started");
}

fn judge(appliance: &Appliance, journal: &Journal, cuts: &[Instant]) {
    let waits = || (appliance.api("/health")["history"]["waiting"] == 0).then_some(());
    wait::until("all is written", SOON, waits);
    // The end of a call is acknowledged before it is told to the history.
    let calls = wait::until("no call is up", SOON, || {
        let calls = all(appliance.web);
        calls.iter().all(|call| call["state"] != "up").then_some(calls)
    });
    let by_user: BTreeMap<String, &Value> =
        calls.iter().map(|call| (user_of(&call["peer"]), call)).collect();
    let by_id: BTreeMap<i64, &Value> =
        calls.iter().map(|call| (call["id"].as_i64().unwrap(), call)).collect();
    let finished = journal.finished.lock().unwrap();
    let lost: Vec<_> = finished.keys().filter(|user| !by_user.contains_key(*user)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), finished.len());
    let (mut last_moment, mut oldest) = (0, Duration::ZERO);
    for (user, at) in finished.iter().filter(|(user, _)| by_user[*user]["state"] != "ended") {
        let next = cuts.iter().find(|cut| *cut > at);
        let before = next.map(|cut| cut.saturating_duration_since(*at));
        assert_eq!(by_user[user]["state"], "cut-off", "{user}");
        assert!(before.is_some_and(|before| before < LAST_MOMENT), "{user}: {before:?}");
        (last_moment, oldest) = (last_moment + 1, oldest.max(before.unwrap_or_default()));
    }
    let shown = journal.shown.lock().unwrap();
    for (id, call) in shown.iter() {
        assert_eq!(by_id.get(id), Some(&call), "what was shown as ended");
    }
    // Each caller has one call at a time, so that something has ended and something was up.
    let cut_off = calls.iter().filter(|call| call["state"] == "cut-off").count();
    assert!(finished.len() >= cuts.len() / 2 && cut_off > 0, "{} {cut_off}", finished.len());
    println!(
        "{} calls were acknowledged as ended and all are there; {last_moment} of them show as cut off, acknowledged \
         {} ms before the cut at most; {} were shown as ended and are the same; {cut_off} of {} were cut off",
        finished.len(),
        oldest.as_millis(),
        shown.len(),
        calls.len()
    );
}

#[test]
fn no_finished_call_is_lost_by_ten_cuts() {
    cut(USUAL_CUTS);
}

#[test]
#[ignore = "half an hour; make nightly"]
fn no_finished_call_is_lost_by_two_hundred_cuts_of_the_program() {
    cut(MANY_CUTS);
}
