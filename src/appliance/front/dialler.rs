//! The calls that we were asked to make: what each is for, what it has come to, and when it is tried
//! again; with the count of all that the owner's limits are about.
//!
//! ```text
//!  reserve ─▶ Reserved ─ on the disk ─▶ Up ─ busy, no answer ─▶ Waiting ─ due ─▶ reserve …
//!                                       └─ anything else, or no further wait ─▶ Over
//! ```
//!
//! Invariant: no call is begun that is not in the ledger on the disk.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::appliance::clock;
use crate::appliance::clock::unix_ms;
use crate::base::{CallId, Private, limits};
use crate::call::language::Choice;
use crate::call::record::{Attempt, CallRecord, Dialled, Progress};
use crate::call::{Cause, Ending};
use crate::converse::Variables;
use crate::listen::answered::OnMachine;
use crate::store::ledger::{LedgerFile, Written};
use crate::trunk::AnswerPolicy;
use crate::trunk::dialling::{
    Ledger, LimitReached, Money, Number, Redial, Refusal, Settings, Unanswered,
};
use crate::web::{NotPlaced, Placed};

/// What stood in the way of another attempt is looked at again after this.
pub const LATER: Duration = Duration::from_secs(5);

/// Who is told when the first attempt is under way, or why it is not.
pub type Told = oneshot::Sender<Result<Placed, NotPlaced>>;

/// One call that we were asked to make, over all its attempts.
#[derive(Debug)]
pub struct Order {
    pub number: Number,
    /// As it was asked for.
    pub trunk: Option<String>,
    pub choice: Choice,
    pub variables: Variables,
    /// `None`: as the configuration says.
    pub on_machine: Option<OnMachine>,
    /// Whether a remote agent holds it; `None`: as account, playbook and configuration say.
    pub agent: Option<bool>,
    pub answer: AnswerPolicy,
    pub dialled: Dialled,
    /// Of the attempt that is under way.
    pub sip_call_id: Private<String>,
    /// `None` once it is told.
    pub told: Option<Told>,
    redial: Redial,
    stage: Stage,
    /// The last attempt that has ended, as it is shown.
    last: Option<CallRecord>,
    /// It ends with this, whatever its last attempt ended with.
    given_up: Option<Ending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Until the ledger of this number is on the disk.
    Reserved(u64),
    Up,
    Waiting(Instant),
    Over,
}

impl Order {
    pub fn new(
        number: Number,
        (trunk, choice): (Option<String>, Choice),
        variables: Variables,
        told: Told,
    ) -> Self {
        Self {
            number,
            trunk,
            choice,
            variables,
            on_machine: None,
            agent: None,
            answer: AnswerPolicy::default(),
            dialled: Dialled::default(),
            sip_call_id: Private::default(),
            told: Some(told),
            redial: Redial::default(),
            stage: Stage::Over,
            last: None,
            given_up: None,
        }
    }

    fn waits(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_) | Stage::Reserved(_))
    }

    /// What it ended with when it was tried last.
    pub fn last_ending(&self) -> Ending {
        let last = self.last.as_ref().and_then(|record| record.progress.ending());
        last.unwrap_or_else(|| Cause::NoAnswer.into())
    }

    /// The record of its end, if it was tried.
    pub fn ended(&self, ending: Ending) -> Option<CallRecord> {
        let mut record = self.last.clone()?;
        let ended_at_ms = unix_ms();
        record.progress = Progress::Ended { answered_at_ms: None, ended_at_ms, ending };
        record.dialled = Some(self.dialled.clone());
        Some(record)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Dialler {
    settings: Settings,
    ledger: Ledger,
    /// `None`: dialling is off, or cannot be counted.
    file: Option<LedgerFile>,
    orders: HashMap<CallId, Order>,
    /// Numbers of people whom callers are put through to.
    persons: HashMap<CallId, Number>,
}

impl Dialler {
    pub fn new(settings: Settings, kept: Option<(Ledger, LedgerFile)>) -> Self {
        let (ledger, file) = kept.map_or((Ledger::default(), None), |(l, f)| (l, Some(f)));
        Self { settings, ledger, file, orders: HashMap::new(), persons: HashMap::new() }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What has become of the ledger; nothing comes where nobody is called.
    pub fn written(&self) -> watch::Receiver<Written> {
        let none = || watch::channel(Written::default()).1;
        self.file.as_ref().map_or_else(none, LedgerFile::written)
    }

    /// The number that is meant.
    ///
    /// # Errors
    /// Says why it is not called, whatever the time.
    pub fn number(&self, text: &str) -> Result<Number, NotPlaced> {
        let number = self.settings.number(text).map_err(not_placed)?;
        match (&self.file, self.orders.len()) {
            (None, _) => Err(NotPlaced::Unavailable(
                "calls that are made cannot be counted; see /health".to_owned(),
            )),
            (_, limits::DIALLINGS..) => Err(NotPlaced::Limited(
                format!("{} calls are being made or wait to be tried again", limits::DIALLINGS),
                None,
            )),
            (Some(_), _) => Ok(number),
        }
    }

    /// Counts an attempt of the order, which is put there. It may begin once `on_disk` says so.
    ///
    /// # Errors
    /// Names the limit, and gives the order back.
    pub fn reserve(
        &mut self,
        id: CallId,
        mut order: Order,
    ) -> Result<(), (Box<Order>, Result<LimitReached, NotPlaced>)> {
        let most = self.settings.most(&order.number);
        if let Err(limit) = self.ledger.reserve(clock::now(), &self.settings.limits, id, most) {
            return Err((Box::new(order), Ok(limit)));
        }
        let Some(number) = self.file.as_mut().and_then(|file| file.write(&self.ledger)) else {
            self.ledger.settle(clock::now(), id, Money::NONE);
            return Err((Box::new(order), Err(not_counted())));
        };
        order.stage = Stage::Reserved(number);
        self.orders.insert(id, order);
        Ok(())
    }

    /// Counts a call to a person; its number in the ledger, by which `written` tells of it.
    ///
    /// # Errors
    /// Names the limit.
    pub fn reserve_person(
        &mut self,
        id: CallId,
        number: Number,
    ) -> Result<Option<u64>, LimitReached> {
        let most = self.settings.most(&number);
        self.ledger.reserve(clock::now(), &self.settings.limits, id, most)?;
        self.persons.insert(id, number);
        Ok(self.file.as_mut().and_then(|file| file.write(&self.ledger)))
    }

    /// Counts a call that somebody else makes at the owner's cost, and whose length nobody tells us.
    ///
    /// # Errors
    /// Names the limit.
    pub fn count(&mut self, number: &Number) -> Result<Option<u64>, LimitReached> {
        let most = self.settings.most(number);
        self.ledger.spend(clock::now(), &self.settings.limits, most)?;
        Ok(self.file.as_mut().and_then(|file| file.write(&self.ledger)))
    }

    /// Whether a call to this number costs no more than what is set aside for that person's call.
    pub fn covers(&self, id: CallId, number: &Number) -> bool {
        let most = |number: &Number| self.settings.most(number);
        self.persons.get(&id).is_some_and(|first| most(number) <= most(first))
    }

    /// The call to a person is over, after so much talk; `None`: it was never made.
    pub fn settle_person(&mut self, id: CallId, talked: Option<Duration>) {
        let Some(number) = self.persons.remove(&id) else { return };
        let cost = talked.map_or(Money::NONE, |talked| self.settings.tariff.cost(&number, talked));
        self.settle(id, cost);
    }

    /// Orders that waited for the disk, and whether they may begin.
    pub fn on_disk(&self, written: Written) -> Vec<(CallId, bool)> {
        let is_told =
            |order: &Order| matches!(order.stage, Stage::Reserved(n) if n <= written.number);
        let told = self.orders.iter().filter(|(_, order)| is_told(order)).map(|(id, _)| *id);
        let mut told: Vec<CallId> = told.collect();
        told.sort_unstable();
        told.into_iter().map(|id| (id, written.is_kept)).collect()
    }

    /// Whether a call of this number is up or waits.
    pub fn has(&self, number: &Number) -> bool {
        self.orders.values().any(|order| order.number == *number)
    }

    pub fn order(&self, id: CallId) -> Option<&Order> {
        self.orders.get(&id)
    }

    pub fn order_mut(&mut self, id: CallId) -> Option<&mut Order> {
        self.orders.get_mut(&id)
    }

    /// The attempt is under way.
    pub fn begun(&mut self, id: CallId) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.stage = Stage::Up;
        }
    }

    /// The attempt could not begin: it costs nothing. Tried again later, or not at all.
    pub fn not_begun(&mut self, id: CallId, again_at: Option<Instant>) -> Option<Order> {
        self.settle(id, Money::NONE);
        match again_at {
            Some(at) => {
                self.wait_until(id, at);
                None
            }
            None => self.orders.remove(&id),
        }
    }

    pub fn wait_until(&mut self, id: CallId, at: Instant) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.stage = Stage::Waiting(at);
        }
    }

    /// Takes an order whose next attempt is due.
    pub fn take_due(&mut self, now: Instant) -> Option<(CallId, Order)> {
        let is_due = |order: &Order| matches!(order.stage, Stage::Waiting(at) if at <= now);
        let id = *self.orders.iter().find(|(_, order)| is_due(order))?.0;
        Some((id, self.orders.remove(&id)?))
    }

    /// Puts an order back that was taken.
    pub fn put_back(&mut self, id: CallId, mut order: Order, at: Instant) {
        order.stage = Stage::Waiting(at);
        self.orders.insert(id, order);
    }

    pub fn deadline(&self) -> Option<Instant> {
        let at = |order: &Order| match order.stage {
            Stage::Waiting(at) => Some(at),
            Stage::Reserved(_) | Stage::Up | Stage::Over => None,
        };
        self.orders.values().filter_map(at).min()
    }

    /// The record of an attempt as the owner sees it: with those before it, and waiting where it is
    /// tried again. At its end the call is paid, and it is decided whether it is.
    pub fn show(&mut self, now: Instant, mut record: CallRecord) -> CallRecord {
        let id = record.id;
        if let Progress::Ended { answered_at_ms, ended_at_ms, .. } = record.progress {
            let talked_ms = answered_at_ms.map_or(0, |at| ended_at_ms.saturating_sub(at));
            self.settle_person(id, Some(Duration::from_millis(talked_ms)));
        }
        let Some(order) = self.orders.get_mut(&id) else { return record };
        record.sip_call_id.clone_from(&order.sip_call_id);
        let Progress::Ended { answered_at_ms, ended_at_ms, ending } = record.progress else {
            return record;
        };
        if order.stage == Stage::Up {
            let began_at_ms = record.started_at_ms;
            // A campaign says itself when its number is called again.
            let is_tried_again = order.dialled.campaign_number.is_none();
            let wait = unanswered(ending)
                .filter(|_| is_tried_again)
                .and_then(|outcome| order.redial.after(&self.settings.schedule, outcome));
            order.stage = wait.map_or(Stage::Over, |wait| Stage::Waiting(now + wait));
            if wait.is_some() {
                order.dialled.earlier.push(Attempt { began_at_ms, ended_at_ms, ending });
            }
            order.last = Some(record.clone());
            let talked = answered_at_ms.map_or(0, |at| ended_at_ms.saturating_sub(at));
            let cost = self.settings.tariff.cost(&order.number, Duration::from_millis(talked));
            self.settle(id, cost);
        }
        self.dressed(now, record)
    }

    /// A call that waits is no ended one, and one that was given up ends with that.
    fn dressed(&self, now: Instant, mut record: CallRecord) -> CallRecord {
        let Some(order) = self.orders.get(&record.id) else { return record };
        record.dialled = Some(order.dialled.clone());
        if let Stage::Waiting(at) = order.stage {
            let left = at.saturating_duration_since(now);
            let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            let until_ms = unix_ms().saturating_add(left_ms);
            record.progress = Progress::Waiting { until_ms };
        }
        if let (Progress::Ended { ending, .. }, Some(given_up)) =
            (&mut record.progress, order.given_up)
        {
            *ending = given_up;
        }
        record
    }

    /// The record of an order that waits, as it is now.
    pub fn waiting(&self, now: Instant, id: CallId) -> Option<CallRecord> {
        let record = self.orders.get(&id)?.last.clone()?;
        Some(self.dressed(now, record))
    }

    /// Gives an order up that waits; gives the record of its end, if it was tried. It is to be
    /// forgotten when no leg of it is left.
    pub fn give_up(&mut self, id: CallId, cause: Cause) -> Option<CallRecord> {
        let order = self.orders.get_mut(&id).filter(|order| order.waits())?;
        order.stage = Stage::Over;
        order.given_up = Some(cause.into());
        if let Some(told) = order.told.take() {
            // Whoever asked may have gone.
            let _ = told.send(Err(NotPlaced::Unavailable("it was called off".to_owned())));
        }
        let record = order.ended(cause.into());
        self.settle(id, Money::NONE);
        record
    }

    /// The leg of the attempt is gone.
    pub fn forget(&mut self, id: CallId) {
        if self.orders.get(&id).is_some_and(|order| order.stage == Stage::Over) {
            self.orders.remove(&id);
        }
    }

    /// Every order that waits.
    pub fn all_waiting(&self) -> Vec<CallId> {
        self.orders.iter().filter(|(_, order)| order.waits()).map(|(id, _)| *id).collect()
    }

    fn settle(&mut self, id: CallId, cost: Money) {
        self.ledger.settle(clock::now(), id, cost);
        if let Some(file) = &mut self.file
            && file.write(&self.ledger).is_none()
        {
            // What was set aside stays counted until the next ledger is written.
            tracing::warn!(call_id = %id, "what it cost is not written down: the disk is too slow");
        }
    }
}

/// Whether somebody may be reached later.
fn unanswered(ending: Ending) -> Option<Unanswered> {
    match ending.cause {
        Cause::CalleeBusy => Some(Unanswered::Busy),
        Cause::NoAnswer => Some(Unanswered::NoAnswer),
        _ => None,
    }
}

pub fn not_placed(refusal: Refusal) -> NotPlaced {
    let text = refusal.to_string();
    match refusal {
        Refusal::NotANumber(_) => NotPlaced::Wrong(format!("phone_number: {text}")),
        Refusal::Forbidden(_) => NotPlaced::Forbidden(text),
        Refusal::Limit(LimitReached::Minute { again_in_s }) => {
            NotPlaced::Limited(text, Some(again_in_s))
        }
        Refusal::Limit(LimitReached::Day | LimitReached::Budget) => NotPlaced::Limited(text, None),
    }
}

pub fn not_counted() -> NotPlaced {
    NotPlaced::Unavailable("the call cannot be counted: the disk does not take it".to_owned())
}

#[cfg(test)]
mod tests;
