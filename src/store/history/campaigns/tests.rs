//! Campaigns on the disk: nobody is called twice at once, whatever ends the program.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::CallId;
use crate::call::record::{CallRecord, Dialled, Direction, Progress};
use crate::call::{Cause, Ending};
use crate::listen::answered::Verdict;
use crate::store::history::tests::Folder;
use crate::store::history::{History, HistoryThreads};

const NOW: u64 = 1_700_000_000_000;
const RULES: Rules = Rules {
    attempts: 3,
    busy: Duration::from_secs(300),
    no_answer: Duration::from_secs(3_600),
    machine: Duration::from_secs(7_200),
};

struct Desk {
    folder: Folder,
    threads: Option<HistoryThreads>,
    calls: u64,
}

impl Desk {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let threads = Some(folder.open());
        Self { folder, threads, calls: 0 }
    }

    fn history(&self) -> History {
        self.threads.as_ref().unwrap().history()
    }

    /// The program ends, and is started again.
    async fn start_again(&mut self) {
        self.threads = None;
        self.threads = Some(self.folder.open());
        assert!(self.history().flushed().await);
    }

    async fn campaign(&self, numbers: &[&str]) -> i64 {
        let number = |text: &&str| NewNumber {
            number: Private::new((*text).to_owned()),
            is_allowed: text.starts_with("+49"),
        };
        let new = New {
            name: "spring".to_owned(),
            playbook: Some("en".to_owned()),
            trunk: None,
            on_machine: None,
            variables: vec![("subject".to_owned(), Private::new("your order".to_owned()))],
            rules: RULES,
            numbers: numbers.iter().map(number).collect(),
        };
        self.history().change(move |open| create(open, NOW, &new)).await.unwrap().unwrap()
    }

    async fn work(&self, now_ms: u64) -> Work {
        self.history().ask(move |open| work(open, now_ms)).await.unwrap()
    }

    async fn claim(&self, now_ms: u64, id: i64) -> Option<Call> {
        self.history().change(move |open| claim(open, now_ms, id)).await.unwrap()
    }

    /// Whoever is due is called, and it comes to this.
    async fn calls(&mut self, now_ms: u64, cause: Cause, answered: bool) -> i64 {
        let id = self.work(now_ms).await.due.expect("a number is due");
        self.claim(now_ms, id).await.expect("it may be called");
        self.calls += 1;
        let mut record =
            CallRecord::new(CallId(self.calls), Direction::Outbound, "+49301".into(), now_ms);
        record.dialled = Some(Dialled { campaign_number: Some(id), ..Dialled::default() });
        self.history().note(None, &Arc::new(record.clone()));
        record.progress = Progress::Ended {
            answered_at_ms: answered.then_some(now_ms),
            ended_at_ms: now_ms,
            ending: Ending::from(cause),
        };
        self.history().note(Some(&record.clone()), &Arc::new(record));
        assert!(self.history().flushed().await);
        id
    }

    async fn shown(&self, campaign: i64) -> (Standing, Vec<(String, u32)>) {
        let wanted = Numbers { campaign, after: 0, limit: 50 };
        let numbers = self.history().ask(move |open| numbers(open, wanted)).await.unwrap();
        let shown = self.history().ask(move |open| one(open, campaign)).await.unwrap().unwrap();
        assert_eq!(shown.counts.values().sum::<u64>(), numbers.len() as u64);
        (shown.standing, numbers.into_iter().map(|n| (n.state, n.attempts)).collect())
    }

    async fn states(&self, campaign: i64) -> Vec<String> {
        self.shown(campaign).await.1.into_iter().map(|(state, _)| state).collect()
    }

    async fn control(&self, id: i64, wish: Wish) -> Option<(Standing, bool)> {
        self.history().change(move |open| control(open, NOW, (id, wish))).await.unwrap()
    }
}

#[tokio::test]
async fn each_number_is_called_until_it_has_come_to_something_and_then_the_campaign_is_done() {
    let mut desk = Desk::new("campaign-outcomes");
    let id = desk.campaign(&["+49301", "0049301", "+49302", "+43301"]).await;
    assert_eq!(desk.states(id).await, ["waiting", "waiting", "refused"], "each number once");
    let first = desk.calls(NOW, Cause::CalleeBusy, false).await;
    desk.calls(NOW, Cause::HungUp, true).await;
    assert_eq!(desk.states(id).await, ["waiting", "reached", "refused"]);
    let then = desk.work(NOW).await;
    assert_eq!((then.due, then.next_at_ms), (None, Some(NOW + 300_000)));
    assert_eq!(desk.claim(NOW, first).await, None, "not before its time");
    assert_eq!(desk.calls(NOW + 300_000, Cause::CalleeBusy, false).await, first);
    assert_eq!(desk.calls(NOW + 600_000, Cause::CalleeBusy, false).await, first);
    let done = vec![("busy".to_owned(), 3), ("reached".to_owned(), 1), ("refused".to_owned(), 0)];
    assert_eq!(desk.shown(id).await, (Standing::Done, done));
    assert_eq!(desk.work(u64::MAX).await, Work::default());
}

#[tokio::test]
async fn whoever_was_being_called_when_the_program_ended_is_called_once_more_and_no_third_time() {
    let mut desk = Desk::new("campaign-cut-off");
    let id = desk.campaign(&["+49301"]).await;
    let number = desk.work(NOW).await.due.unwrap();
    let call = desk.claim(NOW, number).await.unwrap();
    assert_eq!((call.peer.reveal().as_str(), call.playbook.as_deref()), ("+49301", Some("en")));
    assert_eq!(call.variables["subject"].reveal(), "your order");
    // Neither by this campaign nor by another one, which has the same number.
    let other = desk.campaign(&["+49301"]).await;
    assert_eq!(desk.work(NOW).await, Work { calling: 1, ..Work::default() });
    assert_eq!(desk.claim(NOW, number).await, None);
    assert_eq!(desk.claim(NOW, number + 1).await, None);
    desk.control(other, Wish::Cancel).await;
    desk.start_again().await;
    assert_eq!(desk.shown(id).await.1, [("waiting".to_owned(), 1)]);
    assert_eq!(desk.claim(u64::MAX, number).await.map(|call| call.number), Some(number));
    desk.start_again().await;
    assert_eq!(desk.shown(id).await, (Standing::Done, vec![("failed".to_owned(), 2)]));
}

#[tokio::test]
async fn what_comes_of_a_call_after_its_end_is_not_taken_for_the_next_call() {
    let mut desk = Desk::new("campaign-late");
    let id = desk.campaign(&["+49301"]).await;
    let number = desk.calls(NOW, Cause::CalleeBusy, false).await;
    desk.claim(NOW + 300_000, number).await.unwrap();
    let mut late = CallRecord::new(CallId(desk.calls), Direction::Outbound, "+49301".into(), NOW);
    late.dialled = Some(Dialled { campaign_number: Some(number), ..Dialled::default() });
    late.progress = Progress::Ended {
        answered_at_ms: None,
        ended_at_ms: NOW,
        ending: Ending::from(Cause::CalleeBusy),
    };
    desk.history().note(Some(&late.clone()), &Arc::new(late));
    assert!(desk.history().flushed().await);
    assert_eq!(desk.shown(id).await.1, [("calling".to_owned(), 2)]);
}

#[tokio::test]
async fn what_the_dialler_refuses_waits_and_counts_no_attempt_or_is_over() {
    let desk = Desk::new("campaign-refused");
    let id = desk.campaign(&["+49301"]).await;
    let number = desk.work(NOW).await.due.unwrap();
    for again in [Some(Duration::from_secs(5)), None] {
        desk.claim(NOW + 5_000, number).await.unwrap();
        let refuse = move |open: &Transaction<'_>| refused(open, NOW, (number, again));
        desk.history().change(refuse).await.unwrap();
        let state = if again.is_some() { "waiting" } else { "refused" };
        assert_eq!(desk.shown(id).await.1, [(state.to_owned(), 0)]);
    }
    assert_eq!(desk.shown(id).await.0, Standing::Done);
}

#[tokio::test]
async fn a_paused_campaign_calls_nobody_and_a_cancelled_one_never_again() {
    let mut desk = Desk::new("campaign-control");
    let id = desk.campaign(&["+49301", "+49302"]).await;
    assert_eq!(desk.control(id, Wish::Pause).await, Some((Standing::Paused, true)));
    assert_eq!(desk.work(NOW).await, Work::default());
    assert_eq!(desk.claim(NOW, 1).await, None);
    assert_eq!(
        desk.control(id, Wish::Pause).await,
        Some((Standing::Paused, true)),
        "twice is once"
    );
    assert_eq!(desk.control(id, Wish::Resume).await, Some((Standing::Running, true)));
    let up = desk.work(NOW).await.due.unwrap();
    desk.claim(NOW, up).await.unwrap();
    assert_eq!(desk.control(id, Wish::Cancel).await, Some((Standing::Cancelled, true)));
    assert_eq!(desk.states(id).await, ["calling", "withdrawn"]);
    // Whoever is being called is not called again, whatever comes of it.
    desk.start_again().await;
    assert_eq!(desk.states(id).await, ["failed", "withdrawn"]);
    assert_eq!(desk.control(id, Wish::Resume).await, Some((Standing::Cancelled, false)));
    assert_eq!(desk.control(99, Wish::Pause).await, None);
}

#[tokio::test]
async fn a_number_that_is_not_to_be_called_is_not_called_even_after_all_of_it_was_deleted() {
    let desk = Desk::new("campaign-unwanted");
    let private = |text: &str| Private::new(text.to_owned());
    let id = desk.campaign(&["+49301", "+49302", "+49303"]).await;
    let unwanted = private("0049 302");
    let add = move |open: &Transaction<'_>| leave_alone(open, NOW, &unwanted);
    assert_eq!(desk.history().change(add).await, Ok(true));
    assert_eq!(desk.states(id).await, ["waiting", "withdrawn", "waiting"]);
    // While the first is being called all of it is to go: it is the last call of it.
    let up = desk.work(NOW).await.due.unwrap();
    desk.claim(NOW, up).await.unwrap();
    for (number, gone) in [("+49301", 0), ("+49302", 1), ("+49303", 1)] {
        let erased = desk.history().erase(private(number)).await.unwrap();
        assert_eq!(erased.campaign_numbers, gone, "{number}");
    }
    assert_eq!(desk.states(id).await, ["calling"]);
    let end = move |open: &Transaction<'_>| refused(open, NOW, (up, Some(Duration::ZERO)));
    desk.history().change(end).await.unwrap();
    assert_eq!(desk.shown(id).await, (Standing::Done, vec![("withdrawn".to_owned(), 0)]));
    let later = desk.campaign(&["+49302"]).await;
    assert_eq!(desk.states(later).await, ["withdrawn"]);
    let number = private("+49302");
    let take = move |open: &Transaction<'_>| allow_again(open, &number);
    assert_eq!(desk.history().change(take).await, Ok(true));
    let after = desk.campaign(&["+49302"]).await;
    assert_eq!(desk.states(after).await, ["waiting"]);
}

#[tokio::test]
async fn old_campaigns_go_with_their_numbers_and_so_do_those_beyond_the_limit() {
    let desk = Desk::new("campaign-old");
    let id = desk.campaign(&["+49301"]).await;
    let forget = |before: u64| move |open: &Transaction<'_>| old(open, signed(before));
    desk.history().change(forget(NOW)).await.unwrap();
    assert_eq!(desk.states(id).await, ["waiting"]);
    desk.history().change(forget(NOW + 1)).await.unwrap();
    assert_eq!(desk.history().ask(move |open| one(open, id)).await, Ok(None));
    let sql = "SELECT count(*) FROM campaign_numbers";
    let left = desk.history().ask(move |open| open.query_row(sql, [], |row| row.get(0))).await;
    assert_eq!(left, Ok(0_u32));
    // Those that are over make room, and others do not.
    let fill = |state: &'static str| {
        move |open: &Transaction<'_>| {
            open.execute("DELETE FROM campaigns", [])?;
            for _ in 0..limits::CAMPAIGNS {
                let sql = "INSERT INTO campaigns VALUES (NULL, 'x', NULL, NULL, NULL, '{}', ?1, 1, 1, 1, 1, 1, 1)";
                open.execute(sql, [state])?;
            }
            let new = New {
                name: "one more".into(),
                playbook: None,
                trunk: None,
                on_machine: None,
                variables: Vec::new(),
                rules: RULES,
                numbers: Vec::new(),
            };
            create(open, NOW, &new)
        }
    };
    assert!(desk.history().change(fill("done")).await.unwrap().is_some());
    assert_eq!(desk.history().change(fill("paused")).await, Ok(None));
    let shown = desk.history().ask(|open| list(open, None, 3)).await.unwrap();
    assert_eq!(shown.len(), 3);
}

#[tokio::test]
async fn in_the_database_of_a_backup_campaigns_wait_for_the_owner() {
    let mut desk = Desk::new("campaign-backup");
    let id = desk.campaign(&["+49301", "+49302"]).await;
    let up = desk.work(NOW).await.due.unwrap();
    desk.claim(NOW, up).await.unwrap();
    desk.threads = None;
    crate::store::history::pause_campaigns(&desk.folder.database()).unwrap();
    desk.start_again().await;
    assert_eq!(desk.work(u64::MAX).await, Work::default());
    assert_eq!(desk.shown(id).await.0, Standing::Paused);
    assert_eq!(desk.states(id).await, ["waiting", "waiting"]);
}

#[tokio::test]
async fn what_a_call_came_to_is_known_by_its_end() {
    let mut desk = Desk::new("campaign-causes");
    for (cause, answered, state) in [
        (Cause::HungUp, true, "reached"),
        (Cause::Goodbye, true, "reached"),
        (Cause::NoPerson, true, "waiting"),
        (Cause::NoAnswer, false, "waiting"),
        (Cause::Refused(480), false, "waiting"),
        (Cause::Refused(404), false, "refused"),
        (Cause::Refused(603), false, "refused"),
        (Cause::Refused(503), false, "waiting"),
        (Cause::EndedByOwner, false, "withdrawn"),
        (Cause::SignallingLost, false, "waiting"),
        (Cause::ShuttingDown, true, "waiting"),
    ] {
        let id = desk.campaign(&["+49301"]).await;
        desk.calls(NOW, cause, answered).await;
        assert_eq!(desk.states(id).await, [state], "{cause:?}");
        desk.control(id, Wish::Cancel).await;
    }
}

#[test]
fn a_machine_with_a_message_is_no_person_and_is_not_called_again() {
    let mut record = CallRecord::new(CallId(1), Direction::Outbound, "+49301".into(), NOW);
    record.answered_by = Some(Verdict::Machine);
    assert_eq!(super::calling::outcome(&record), None, "it is up");
    record.progress = Progress::Ended {
        answered_at_ms: Some(NOW),
        ended_at_ms: NOW,
        ending: Ending::from(Cause::Goodbye),
    };
    let outcome = super::calling::outcome(&record);
    assert_eq!(outcome, Some((crate::trunk::campaign::Outcome::MessageLeft, NOW)));
}
