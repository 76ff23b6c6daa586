//! Numbers that somebody is put through to: they cost as a call of ours does, and are counted with those.
//!
//! ```text
//!  put through, REFER, succession, Call Control ─ a number? ─▶ Dialler ─ within the limits ─▶ held ─ on the disk ─▶ carried out
//!                                                  └ none ─▶ carried out      └ not ─▶ it has failed
//! ```
//!
//! Invariant: nothing that is held leaves before its count is on the disk.

use std::time::Instant;

use super::Switchboard;
use super::controlling::number_in;
use super::ringcentral::Ordered;
use super::succeeding::Granted;
use crate::base::{CallId, Private};
use crate::call::{self, PutThrough};
use crate::converse::people::Address;
use crate::sip::message::Uri;
use crate::sip::{self, LegId, ReferNews, ReferTo};
use crate::store::ledger::Written;
use crate::trunk::dialling::{LimitReached, Number};
use crate::trunk::ringcentral::Refusal;

/// The owner's limits do not allow it.
const FORBIDDEN: u16 = 403;
/// The disk does not take the count.
const UNAVAILABLE: u16 = 503;

/// Something that waits for its count to be on the disk.
pub(super) struct Held {
    /// The count's number.
    number: u64,
    what: Waiting,
}

enum Waiting {
    /// Something that a call wants.
    Call(CallId, What),
    /// A server is asked to send one of its calls on to a number.
    Platform(Ordered),
}

enum What {
    /// A person is called, under this id.
    Person(CallId, PutThrough),
    /// The other end of a call is asked to call somebody.
    Refer(sip::Command),
    /// Somebody is called because the other end of this leg wants it.
    Succession(LegId, Granted),
}

impl Switchboard {
    /// The number that an address costs something by, where such are counted.
    fn counted(&self, to: &Address) -> Option<Number> {
        let (Address::Uri(text) | Address::Number(text)) = to;
        let settings = self.parts.dialler.settings();
        settings.permission.is_on().ok()?;
        let written = match to {
            Address::Number(_) => text.reveal().clone(),
            // The configuration and `control` take no address that cannot be read.
            Address::Uri(uri) => number_in(&Uri::parse(uri.reveal())?).ok()??,
        };
        settings.plan.normalise(&written).ok()
    }

    /// A caller wants somebody, who is to be called.
    pub(super) fn put_through(&mut self, now: Instant, caller: CallId, wanted: PutThrough) {
        self.begins_transfer(caller, &wanted.to);
        // One at a time: whoever was asked before is not any more.
        self.give_up_person(now, caller);
        let id = self.new_call();
        let Some(number) = self.counted(&wanted.to) else {
            return self.call_person(now, caller, id, wanted);
        };
        match self.parts.dialler.reserve_person(id, number) {
            Ok(number) => self.hold(now, number, Waiting::Call(caller, What::Person(id, wanted))),
            Err(limit) => {
                tell(caller, limit);
                self.not_put_through(now, caller, FORBIDDEN);
            }
        }
    }

    /// A call wants its other end to call somebody.
    pub(super) fn ask_to_call(&mut self, now: Instant, id: CallId, command: sip::Command) {
        let to = match &command {
            sip::Command::Refer { to: ReferTo::Uri(to), .. } => Some(Address::Uri(to.clone())),
            sip::Command::Refer { to: ReferTo::Number(to), .. } => {
                Some(Address::Number(to.clone()))
            }
            _ => None,
        };
        let Some(number) = to.and_then(|to| self.counted(&to)) else {
            return self.commands.push_back(command);
        };
        match self.parts.dialler.count(&number) {
            Ok(number) => self.hold(now, number, Waiting::Call(id, What::Refer(command))),
            Err(limit) => {
                tell(id, limit);
                self.not_put_through(now, id, FORBIDDEN);
            }
        }
    }

    /// Whether a server may call this number in place of a call for which there is no room: it is counted as one of ours. The
    /// disk is not waited for, as the caller's telephone rings.
    pub(super) fn may_forward(&mut self, to: &Private<String>) -> bool {
        if self.parts.dialler.settings().permission.is_on().is_err() {
            return true;
        }
        let Ok(number) = self.parts.dialler.number(to.reveal()) else { return false };
        let counted = self.parts.dialler.count(&number);
        if let Err(limit) = &counted {
            tracing::warn!(%limit, "a call is not sent on");
        }
        counted.is_ok()
    }

    /// The other end of a leg has somebody called in its place; else the status of the refusal.
    pub(super) fn succeed_counted(
        &mut self,
        now: Instant,
        leg: LegId,
        granted: Granted,
    ) -> Result<(), u16> {
        let Some(number) = self.counted(&granted.to) else {
            self.succeed(now, granted);
            return Ok(());
        };
        let id = granted.id;
        match self.parts.dialler.count(&number) {
            Ok(number) => {
                self.hold(now, number, Waiting::Call(id, What::Succession(leg, granted)));
                Ok(())
            }
            Err(limit) => {
                tell(id, limit);
                Err(FORBIDDEN)
            }
        }
    }

    /// Whether a person whose call is sent on to this address costs no more than what is set aside for it.
    pub(super) fn is_covered(&self, id: CallId, to: &Address) -> bool {
        self.counted(to).is_none_or(|number| self.parts.dialler.covers(id, &number))
    }

    /// A server is to send one of its calls on to a number, at the cost of the owner.
    pub(super) fn order_counted(&mut self, now: Instant, number: &Number, ordered: Ordered) {
        match self.parts.dialler.count(number) {
            Ok(number) => self.hold(now, number, Waiting::Platform(ordered)),
            Err(limit) => {
                tracing::warn!(%limit, "no call is sent on");
                ordered.refuse(Refusal::Limit(limit));
            }
        }
    }

    fn hold(&mut self, now: Instant, number: Option<u64>, what: Waiting) {
        match number {
            Some(number) => self.held.push(Held { number, what }),
            // The disk takes nothing.
            None => self.set_free(now, what, false),
        }
    }

    /// The counts up to this one are on the disk, or will not be.
    pub(super) fn release(&mut self, now: Instant, written: Written) {
        let is_told = |held: &Held| held.number <= written.number;
        let (told, rest) =
            std::mem::take(&mut self.held).into_iter().partition::<Vec<_>, _>(is_told);
        self.held = rest;
        for Held { what, .. } in told {
            self.set_free(now, what, written.is_kept);
        }
    }

    fn set_free(&mut self, now: Instant, what: Waiting, is_kept: bool) {
        match what {
            Waiting::Call(call, what) => self.carry_on(now, call, what, is_kept),
            Waiting::Platform(ordered) if is_kept => self.ask_platform(now, ordered),
            Waiting::Platform(ordered) => ordered.refuse(Refusal::NotCounted),
        }
    }

    fn carry_on(&mut self, now: Instant, id: CallId, what: What, is_kept: bool) {
        let line = self.lines.get(&id);
        let is_up = line.is_some_and(|line| !line.call.record().progress.is_ended());
        match what {
            What::Person(person, wanted) => {
                let waits = is_up && line.is_some_and(|line| line.call.awaits_person());
                match waits && is_kept {
                    true => self.call_person(now, id, person, wanted),
                    false => {
                        self.parts.dialler.settle_person(person, None);
                        if waits {
                            self.not_put_through(now, id, UNAVAILABLE);
                        }
                    }
                }
            }
            What::Refer(command) if is_up && is_kept => self.commands.push_back(command),
            What::Refer(_) => self.not_put_through(now, id, UNAVAILABLE),
            What::Succession(_, granted) if is_up && is_kept => self.succeed(now, granted),
            What::Succession(leg, _) => {
                self.commands.push_back(sip::Command::AnswerRefer { leg, status: UNAVAILABLE });
            }
        }
    }

    /// The caller waits for nobody any more.
    pub(super) fn forget_held_person(&mut self, caller: CallId) {
        let is_it = |held: &mut Held| matches!(held.what, Waiting::Call(call, What::Person(..)) if call == caller);
        for held in self.held.extract_if(.., is_it) {
            if let Waiting::Call(_, What::Person(person, _)) = held.what {
                self.parts.dialler.settle_person(person, None);
            }
        }
    }

    /// The other end did not call anybody, or nobody could be called.
    pub(super) fn not_put_through(&mut self, now: Instant, caller: CallId, status: u16) {
        let Some(line) = self.lines.get(&caller) else { return };
        let leg = line.call.leg();
        let event = sip::Event::Refer { leg, news: ReferNews::Failed(status) };
        self.call(now, caller, call::Input::Sip(event));
    }
}

/// Names the limit, and no number.
fn tell(call: CallId, limit: LimitReached) {
    tracing::warn!(%call, %limit, "nobody is called");
}
