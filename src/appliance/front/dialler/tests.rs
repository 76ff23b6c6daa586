//! What becomes of calls that were asked for: waits, limits, costs, ends.

use super::*;
use crate::base::LanguageCode;
use crate::call::record::Direction;
use crate::trunk::dialling::{Limits, NumberPlan, Permission, Schedule, Tariff};

const ID: CallId = CallId(7);

struct Desk {
    dialler: Dialler,
    now: Instant,
    folder: std::path::PathBuf,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Desk {
    fn new(name: &str, per_day: u32) -> Self {
        let name = format!("attendant-dialler-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let seconds = Duration::from_secs;
        let settings = Settings {
            plan: NumberPlan::default(),
            permission: Permission { allow: vec!["49".to_owned()], deny: Vec::new() },
            tariff: Tariff { per_minute: Money::of_units(1.0).unwrap(), by_prefix: Vec::new() },
            limits: Limits { per_minute: 100, per_day, budget: Money::of_units(10.0) },
            schedule: Schedule { busy: vec![seconds(60), seconds(300)], no_answer: vec![] },
            ring: seconds(45),
            longest: seconds(165),
        };
        let kept = LedgerFile::open(&folder.join("dialled.json")).unwrap();
        Self { dialler: Dialler::new(settings, Some(kept)), now: Instant::now(), folder }
    }

    /// What [`Dialler::reserve`] says to another attempt.
    fn reserve(&mut self, order: Order) -> Option<LimitReached> {
        match self.dialler.reserve(ID, order) {
            Ok(()) => None,
            Err((_, Ok(limit))) => Some(limit),
            Err((_, Err(why))) => panic!("{why:?}"),
        }
    }

    /// A first attempt is under way.
    fn begin(&mut self) {
        assert_eq!(self.reserve(order(&self.dialler)), None);
        self.dialler.begun(ID);
    }

    fn ends(&mut self, cause: Cause, answered_at_ms: Option<u64>) -> CallRecord {
        let mut record = CallRecord::new(ID, Direction::Outbound, "+4930123456".into(), 1_000);
        record.dialled = Some(Dialled::default());
        let ending = cause.into();
        record.progress = Progress::Ended { answered_at_ms, ended_at_ms: 70_000, ending };
        self.dialler.show(self.now, record)
    }
}

fn order(dialler: &Dialler) -> Order {
    let number = dialler.number("+4930123456").unwrap();
    let choice = Choice::Language(LanguageCode::ENGLISH);
    let (told, _) = oneshot::channel();
    Order::new(number, (None, choice), Vec::new(), told)
}

#[test]
fn a_busy_number_waits_as_one_call_and_then_gives_up() {
    let mut desk = Desk::new("busy", 100);
    desk.begin();
    for (wait_s, earlier) in [(60, 1), (300, 2)] {
        let shown = desk.ends(Cause::CalleeBusy, None);
        assert!(matches!(shown.progress, Progress::Waiting { .. }));
        assert_eq!(shown.dialled.unwrap().earlier.len(), earlier);
        let shown = desk.ends(Cause::CalleeBusy, None);
        assert_eq!(shown.dialled.unwrap().earlier.len(), earlier, "it has ended once");
        let at = desk.now + Duration::from_secs(wait_s);
        assert_eq!(desk.dialler.deadline(), Some(at));
        assert!(desk.dialler.take_due(at - Duration::from_millis(1)).is_none());
        let (_, order) = desk.dialler.take_due(at).unwrap();
        desk.now = at;
        assert_eq!(desk.reserve(order), None);
        desk.dialler.begun(ID);
    }
    let shown = desk.ends(Cause::CalleeBusy, None);
    assert_eq!(shown.progress.ending(), Some(Cause::CalleeBusy.into()));
    desk.dialler.forget(ID);
    assert!(desk.dialler.order(ID).is_none() && desk.dialler.deadline().is_none());
}

#[test]
fn what_will_not_change_is_not_tried_again() {
    for cause in [
        Cause::NoAnswer,
        Cause::Refused(404),
        Cause::EndedByOwner,
        Cause::SignallingLost,
        Cause::HungUp,
    ] {
        let mut desk = Desk::new("final", 100);
        desk.begin();
        assert!(desk.ends(cause, None).progress.is_ended(), "{cause:?}");
        assert_eq!(desk.dialler.deadline(), None);
    }
}

#[test]
fn a_call_costs_what_it_took_and_an_attempt_nothing() {
    let mut desk = Desk::new("cost", 100);
    // 5 of 10 are set aside for each.
    for cause in [Cause::CalleeBusy, Cause::NoAnswer, Cause::Refused(404)] {
        desk.begin();
        desk.ends(cause, None);
    }
    // 69 s are two minutes.
    for _ in 0..3 {
        desk.begin();
        desk.ends(Cause::HungUp, Some(1_000));
    }
    assert_eq!(desk.reserve(order(&desk.dialler)), Some(LimitReached::Budget), "6 are spent");
}

#[test]
fn a_limit_of_the_day_ends_what_waits_with_what_it_had_come_to() {
    let mut desk = Desk::new("limit", 1);
    desk.begin();
    desk.ends(Cause::CalleeBusy, None);
    let (_, order) = desk.dialler.take_due(desk.now + Duration::from_secs(60)).unwrap();
    let Err((order, Ok(LimitReached::Day))) = desk.dialler.reserve(ID, order) else { panic!() };
    let record = order.ended(order.last_ending()).unwrap();
    assert_eq!(record.progress.ending(), Some(Cause::CalleeBusy.into()));
}

#[test]
fn one_that_waits_is_given_up_and_one_that_is_up_is_not() {
    let mut desk = Desk::new("give-up", 100);
    desk.begin();
    assert!(desk.dialler.give_up(ID, Cause::EndedByOwner).is_none());
    desk.ends(Cause::CalleeBusy, None);
    assert_eq!(desk.dialler.all_waiting(), [ID]);
    let record = desk.dialler.give_up(ID, Cause::EndedByOwner).unwrap();
    assert_eq!(record.progress.ending(), Some(Cause::EndedByOwner.into()));
    // The last attempt's leg, which is still being ended, changes nothing of that.
    let late = desk.ends(Cause::CalleeBusy, None);
    assert_eq!(late.progress.ending(), Some(Cause::EndedByOwner.into()));
    desk.dialler.forget(ID);
    assert!(desk.dialler.order(ID).is_none());
}

#[test]
fn where_calls_cannot_be_counted_none_is_made() {
    let desk = Desk::new("uncounted", 100);
    let dialler = Dialler::new(desk.dialler.settings().clone(), None);
    assert!(matches!(dialler.number("+4930123456"), Err(NotPlaced::Unavailable(_))));
    assert!(matches!(dialler.number("anna"), Err(NotPlaced::Wrong(_))));
}

#[test]
fn only_so_many_wait_at_once() {
    let mut desk = Desk::new("many", 1_000);
    for id in 0..limits::DIALLINGS as u64 {
        let order = order(&desk.dialler);
        let _ = desk.dialler.not_begun(CallId(id), None);
        desk.dialler.put_back(CallId(id), order, desk.now);
    }
    assert!(matches!(desk.dialler.number("+4930123456"), Err(NotPlaced::Limited(..))));
}
