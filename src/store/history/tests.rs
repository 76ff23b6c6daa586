//! The database with its threads, in a folder of the test's own.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::call::Cause;
use crate::call::record::{Direction, Progress, Turn as Said};

/// A temporary folder, gone with its owner.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let name = format!("attendant-history-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn database(&self) -> PathBuf {
        self.0.join(FILE)
    }

    fn settings(&self) -> Settings {
        Settings { folder: self.0.clone(), transcripts: true, days: None, most_calls: 1_000 }
    }

    pub fn open(&self) -> HistoryThreads {
        self.start().0
    }

    fn start(&self) -> (HistoryThreads, Receiver<Report>) {
        start(self.settings())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A state folder's database with so many calls.
pub fn filled(state: &Path, calls: u64) {
    let settings =
        Settings { folder: state.to_owned(), transcripts: true, days: None, most_calls: 1_000 };
    let (threads, _told) = start(settings);
    for id in 1..=calls {
        threads.history().note(None, &ended(call(id, "sip:7@gw"), "are you open"));
    }
}

/// A copy of a state folder's database.
pub fn copy(state: &Path, to: &Path) {
    super::copy(state, to).unwrap();
    check(to).unwrap();
}

/// The calls in a state folder's database.
pub fn count(state: &Path) -> u64 {
    let open = Connection::open(state.join(FILE)).unwrap();
    open.query_row("SELECT count(*) FROM calls", [], |row| row.get(0)).map(unsigned).unwrap()
}

fn start(settings: Settings) -> (HistoryThreads, Receiver<Report>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let tell = move |report| drop(tell.lock().unwrap().send(report));
    (HistoryThreads::start(settings, tell).unwrap(), told)
}

fn call(id: u64, peer: &str) -> CallRecord {
    CallRecord::new(CallId(id), Direction::Inbound, peer.into(), id * 1_000)
}

fn ended(mut record: CallRecord, said: &str) -> Arc<CallRecord> {
    record.push_turn(Said {
        caller_text: Private::new(said.into()),
        reply_text: Private::new("We are open.".into()),
        gap_ms: Some(180),
        ..Said::default()
    });
    record.progress = Progress::Ended {
        answered_at_ms: Some(record.started_at_ms + 10),
        ended_at_ms: record.started_at_ms + 60_010,
        ending: Cause::HungUp.into(),
    };
    Arc::new(record)
}

fn message(number: &str) -> converse::Message {
    converse::Message {
        topic: "call back".into(),
        name: Some(Private::new("Maria".into())),
        number: Some(Private::new(number.into())),
        fields: vec![("order".into(), Private::new("4729".into()))],
        ..converse::Message::default()
    }
}

fn page(query: Option<&str>, in_words: bool) -> Page {
    let query = query.map(|query| Private::new(query.to_owned()));
    Page { query, in_words, before: None, limit: 50 }
}

async fn found(history: &History, page: Page) -> Vec<u64> {
    let calls = history.ask(move |open| calls(open, &page)).await.unwrap();
    calls.iter().map(|call| call.call.0).collect()
}

#[tokio::test]
async fn a_call_is_there_with_its_words_and_messages_and_is_found_by_them() {
    let folder = Folder::new("call");
    let (threads, _told) = folder.start();
    let history = threads.history();
    for (id, peer, said) in [
        (1, "sip:+49301234@gw", "where is my order"),
        (2, "sip:maria@gw", "do you carry batteries"),
    ] {
        let begun = Arc::new(call(id, peer));
        history.note(None, &begun);
        if id == 1 {
            history.leave(Left {
                call: CallId(1),
                unix_ms: 7,
                message: message("0301 77"),
                sound: None,
            });
        }
        history.note(Some(&begun), &ended(call(id, peer), said));
    }
    assert!(history.flushed().await);
    assert_eq!(found(&history, page(None, true)).await, [2, 1]);
    for (query, in_words, ids) in [
        ("BATTERIES", true, &[2][..]),
        ("batteries", false, &[]),
        ("order open", true, &[1]),
        ("order batteries", true, &[]),
        ("4930", false, &[1]),
        ("+49 30 12", false, &[1]),
        ("0049 (30) 12-3", true, &[1]),
        ("+49 31", true, &[]),
        ("maria", false, &[2]),
        ("maria", true, &[2, 1]),
        ("4729", true, &[1]),
        ("\" NEAR(", true, &[]),
        ("-)(", true, &[]),
    ] {
        assert_eq!(found(&history, page(Some(query), in_words)).await, ids, "{query}");
    }
    let whole = history.ask(|open| whole(open, 1)).await.unwrap().unwrap();
    assert_eq!((whole.call.state, whole.call.cause.as_deref()), (State::Ended, Some("hung-up")));
    assert_eq!(whole.turns[0].caller.reveal(), "where is my order");
    assert_eq!(whole.turns[0].gap_ms, Some(180));
    assert_eq!(whole.messages[0].fields["order"].reveal(), "4729");
    let totals = history.ask(counters).await.unwrap();
    let of = |name: &str| totals.get(name).copied();
    assert_eq!(of("calls.inbound"), Some(2));
    assert_eq!((of("talk_ms"), of("messages"), of("runs")), (Some(120_000), Some(1), Some(1)));
    assert_eq!(history.ask(|open| super::whole(open, 9)).await, Ok(None));
}

#[tokio::test]
async fn pages_neither_double_nor_leave_out_what_is_there_while_others_come() {
    let folder = Folder::new("pages");
    let (threads, _told) = folder.start();
    let history = threads.history();
    for id in 1..=5 {
        history.note(None, &ended(call(id, "sip:a@b"), "x"));
    }
    assert!(history.flushed().await);
    let part = |before: Option<i64>| Page { query: None, in_words: true, before, limit: 2 };
    let first = history.ask(move |open| calls(open, &part(None))).await.unwrap();
    history.note(None, &ended(call(6, "sip:a@b"), "x"));
    assert!(history.flushed().await);
    let mut seen: Vec<u64> = first.iter().map(|call| call.call.0).collect();
    let mut before = first.last().map(|call| call.id);
    while let Some(at) = before {
        let more = history.ask(move |open| calls(open, &part(Some(at)))).await.unwrap();
        seen.extend(more.iter().map(|call| call.call.0));
        before = more.last().map(|call| call.id);
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_call_that_was_up_when_the_program_ended_shows_as_cut_off() {
    let folder = Folder::new("cut");
    for _ in 0..2 {
        let (threads, _told) = folder.start();
        threads.history().note(None, &Arc::new(call(1, "sip:a@b")));
        assert!(threads.history().flushed().await);
    }
    let (threads, _told) = folder.start();
    let history = threads.history();
    // The same number in another run is another call.
    history.note(None, &ended(call(1, "sip:a@b"), "x"));
    assert!(history.flushed().await);
    let calls = history.ask(|open| calls(open, &page(None, true))).await.unwrap();
    let states: Vec<_> = calls.iter().map(|call| (call.run, call.state)).collect();
    assert_eq!(states, [(3, State::Ended), (2, State::CutOff), (1, State::CutOff)]);
}

#[tokio::test]
async fn of_a_number_everything_is_deleted_and_of_others_nothing() {
    let folder = Folder::new("erase");
    let (threads, _told) = folder.start();
    let history = threads.history();
    history.note(None, &ended(call(1, "sip:+49301234@gw"), "secretword one"));
    history.note(None, &ended(call(2, "sip:+49309999@gw"), "two"));
    history.note(None, &Arc::new(call(3, "sip:0049301234@other")));
    history.leave(Left { call: CallId(1), unix_ms: 1, message: message("7"), sound: None });
    history.leave(Left {
        call: CallId(2),
        unix_ms: 2,
        message: message("+49 30 1234"),
        sound: None,
    });
    history.leave(Left { call: CallId(2), unix_ms: 3, message: message("8"), sound: None });
    // Of what cannot be looked through nobody can say whose it is.
    for name in [
        "history.damaged-1",
        "history.damaged-1-wal",
        "messages.unreadable",
        "history.db.before",
        "backup.db",
    ] {
        fs::write(folder.0.join(name), "secretword").unwrap();
    }
    let number = Private::new("0049 (30) 1234".to_owned());
    let erased = history.erase(number.clone()).await.unwrap();
    assert_eq!(erased, Erased { calls: 1, messages: 2, still_up: 1, campaign_numbers: 0 });
    assert_eq!(history.erase(number).await, Ok(Erased { still_up: 1, ..Erased::default() }));
    assert_eq!(history.erase(Private::new("@".into())).await, Ok(Erased::default()));
    assert_eq!(found(&history, page(None, true)).await, [3, 2]);
    assert!(found(&history, page(Some("secretword"), true)).await.is_empty());
    let left = MessagePage { limit: 9, ..MessagePage::default() };
    assert_eq!(history.ask(move |open| messages(open, left)).await.unwrap().len(), 1);
    drop(threads);
    // Nor is it in the bytes of any file.
    for entry in fs::read_dir(&folder.0).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(10).any(|part| part == b"secretword"));
    }
}

#[tokio::test]
async fn messages_are_read_once_and_may_be_unread_again() {
    let folder = Folder::new("messages");
    let (threads, _told) = folder.start();
    let history = threads.history();
    for unix_ms in [1, 2] {
        history.leave(Left { call: CallId(9), unix_ms, message: message("7"), sound: None });
    }
    assert_eq!(history.mark(1, Some(50)).await, Ok(true));
    assert_eq!(history.mark(1, Some(60)).await, Ok(true));
    assert_eq!(history.mark(7, Some(60)).await, Ok(false));
    let unread = MessagePage { only_unread: true, before: None, limit: 9 };
    let ids = |found: Vec<Message>| found.iter().map(|message| message.id).collect::<Vec<_>>();
    assert_eq!(ids(history.ask(move |open| messages(open, unread)).await.unwrap()), [2]);
    let one = history.ask(|open| one_message(open, 1)).await.unwrap().unwrap();
    assert_eq!(one.read_at_ms, Some(50));
    assert_eq!(history.mark(1, None).await, Ok(true));
    assert_eq!(ids(history.ask(move |open| messages(open, unread)).await.unwrap()), [2, 1]);
}

#[tokio::test]
async fn the_file_of_messages_of_before_is_taken_over_once() {
    let folder = Folder::new("import");
    let line = |n: u8| {
        format!(
            "{{\"unix_ms\":{n},\"call\":\"c{n}\",\"topic\":\"t\",\"number\":\"7\",\"fields\":{{\"order\":\"1\"}}}}\n"
        )
    };
    let write = |name: &str, text: String| fs::write(folder.0.join(name), text).unwrap();
    write("messages.jsonl.1", line(1));
    write("messages.jsonl", line(2) + "damaged\n" + &line(3));
    for _ in 0..2 {
        let (threads, _told) = folder.start();
        let history = threads.history();
        assert!(history.flushed().await);
        let all = MessagePage { limit: 9, ..MessagePage::default() };
        let found = history.ask(move |open| messages(open, all)).await.unwrap();
        let times: Vec<u64> = found.iter().map(|message| message.left_at_ms).collect();
        assert_eq!(times, [3, 2, 1]);
        assert_eq!(found[0].fields["order"].reveal(), "1");
    }
    assert!(
        !folder.0.join("messages.jsonl").exists() && !folder.0.join("messages.jsonl.1").exists()
    );
    assert!(folder.0.join("messages.unreadable").exists());
    // One that comes later is another one, as of a backup of an older version.
    write("messages.jsonl", line(4));
    let (threads, _told) = folder.start();
    let history = threads.history();
    assert!(history.flushed().await);
    let all = MessagePage { limit: 9, ..MessagePage::default() };
    let found = history.ask(move |open| messages(open, all)).await.unwrap();
    assert_eq!((found.len(), found[0].left_at_ms), (4, 4));
    assert!(!folder.0.join("messages.jsonl").exists());
}

#[tokio::test]
async fn a_file_of_messages_that_cannot_be_read_is_told_and_stays() {
    let folder = Folder::new("import-unreadable");
    fs::create_dir(folder.0.join("messages.jsonl")).unwrap();
    let (threads, told) = folder.start();
    assert!(threads.history().flushed().await, "what comes now is written");
    let report = told.try_iter().last().unwrap();
    assert_eq!(report.not_taken_over, Some("messages.jsonl"));
    assert!(report.sentences()[0].contains("the messages in messages.jsonl"), "{report:?}");
    assert!(folder.0.join("messages.jsonl").exists());
}

#[tokio::test]
async fn a_damaged_database_is_set_aside_and_told_once() {
    let folder = Folder::new("damaged");
    let (threads, _told) = folder.start();
    for id in 1..200 {
        threads.history().note(None, &ended(call(id, "sip:a@b"), "some words of a caller"));
    }
    assert!(threads.history().flushed().await);
    drop(threads);
    let mut bytes = fs::read(folder.database()).unwrap();
    assert!(bytes.len() > 30_000, "{}", bytes.len());
    bytes[8_192..24_576].fill(0x5A);
    fs::write(folder.database(), &bytes).unwrap();

    let (threads, told) = folder.start();
    let history = threads.history();
    history.note(None, &ended(call(1, "sip:new@b"), "x"));
    assert!(history.flushed().await);
    assert_eq!(found(&history, page(None, true)).await, [1]);
    let report = told.try_iter().last().unwrap();
    let name = report.set_aside.clone().unwrap();
    assert_eq!(fs::read(folder.0.join(&name)).unwrap(), bytes);
    assert!(report.fault.is_none() && report.sentences().len() == 1, "{report:?}");
    drop((threads, history));
    let (threads, told) = folder.start();
    assert!(threads.history().flushed().await);
    assert_eq!(told.try_iter().last().unwrap().set_aside, None);
}

#[tokio::test]
async fn what_a_full_disk_does_not_take_waits_and_is_written_when_there_is_room() {
    let folder = Folder::new("full");
    // A folder in the place of the database: it cannot be opened, as on a disk without room or rights.
    fs::create_dir(folder.database()).unwrap();
    let (threads, told) = folder.start();
    let history = threads.history();
    history.note(None, &ended(call(1, "sip:a@b"), "x"));
    assert!(!history.flushed().await);
    let report = told.try_iter().last().unwrap();
    assert!(report.fault.is_some() && report.waiting == 1 && report.lost == 0, "{report:?}");
    assert_eq!(history.ask(counters).await, Err(Unavailable));
    assert!(history.erase(Private::new("a".into())).await.is_err());
    fs::remove_dir(folder.database()).unwrap();
    // It is tried again by itself.
    let healed = |report: &Report| report.fault.is_none() && report.waiting == 0;
    assert!(told.iter().any(|report| healed(&report)));
    assert_eq!(found(&history, page(None, true)).await, [1]);
}

#[test]
fn a_database_that_is_full_or_read_only_fails_for_a_while_and_is_not_taken_for_damaged() {
    let folder = Folder::new("sqlite");
    let mut open = schema::open(&folder.database(), schema::Look::Whole).unwrap();
    let pages: i64 = open.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    for (pragma, value, back) in [("max_page_count", pages, 1_000_000), ("query_only", 1, 0)] {
        open.pragma_update(None, pragma, value).unwrap();
        let record = ended(call(1, "sip:a@b"), &"x y ".repeat(20_000));
        let change = write::Change::Call(record);
        let manner = write::Manner { run: 1, transcripts: true };
        let transaction = open.transaction().unwrap();
        let error = change.write(&transaction, manner).unwrap_err();
        assert!(!schema::is_damage(&error), "{pragma}: {error}");
        drop(transaction);
        open.pragma_update(None, pragma, back).unwrap();
    }
}

#[tokio::test]
async fn what_is_too_old_or_too_much_goes_and_words_stay_out_where_they_are_not_wanted() {
    let folder = Folder::new("old");
    let mut settings = folder.settings();
    settings.most_calls = 3;
    settings.transcripts = false;
    let (threads, _told) = start(settings.clone());
    for id in 1..=5 {
        threads.history().note(None, &ended(call(id, "sip:a@b"), "batteries"));
    }
    drop(threads);
    let (threads, _told) = start(settings.clone());
    let history = threads.history();
    assert!(history.flushed().await);
    assert_eq!(found(&history, page(None, true)).await, [5, 4, 3]);
    assert!(found(&history, page(Some("batteries"), true)).await.is_empty());
    let whole = history.ask(|open| whole(open, 5)).await.unwrap().unwrap();
    assert_eq!((whole.turns.len(), whole.turns[0].caller.reveal().as_str()), (1, ""));
    drop((threads, history));
    // They began in 1970, so the clock is not believed at once.
    settings.days = Some(30);
    let (threads, _told) = start(settings);
    assert!(threads.history().flushed().await);
    assert_eq!(found(&threads.history(), page(None, true)).await, [5, 4, 3]);
}

#[test]
fn by_age_only_what_is_old_goes() {
    let folder = Folder::new("age");
    let mut open = schema::open(&folder.database(), schema::Look::Whole).unwrap();
    let transaction = open.transaction().unwrap();
    let manner = write::Manner { run: 1, transcripts: true };
    for id in 1..=4 {
        write::Change::Call(ended(call(id, "sip:a@b"), "x")).write(&transaction, manner).unwrap();
    }
    let gone = |at_once| erase::old(&transaction, Some(3_000), 100, at_once).unwrap().len();
    assert_eq!(gone(1), 1);
    assert_eq!(gone(500), 1);
    assert_eq!(gone(500), 0);
    let left: i64 = transaction.query_row("SELECT count(*) FROM turns", [], |r| r.get(0)).unwrap();
    assert_eq!(left, 2);
}

#[test]
fn neither_a_report_nor_a_change_prints_a_word_or_a_number() {
    let record = ended(call(1, "sip:5550142@b"), "batteries");
    let left = Left { call: CallId(1), unix_ms: 1, message: message("4711"), sound: None };
    let orders = [
        writer::Order::Change(Change::Call(record)),
        writer::Order::Change(Change::Message(Arc::new(left))),
        writer::Order::Erase { number: Private::new("5550142".into()), told: oneshot::channel().0 },
    ];
    let printed = format!("{orders:?}");
    for secret in ["5550142", "batteries", "4711", "Maria", "4729"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
