//! RingCentral's extensions at the switchboard: what the platform tells of calls is joined with their SIP
//! dialogs, and what is done to calls goes there.
//!
//! ```text
//!  INVITE ─ P-Rc ─▶ 180, ReceiveConfirm ─▶ taken as any call
//!                     └ answered by Call Control: rings ─ event ─▶ answer ─▶ INVITE, Auto Answer ─▶ taken
//!  our INVITE ─ P-Rc-Api-Ids in a response ─▶ named ◀─ event of its party ─▶ answered, busy, ...
//! ```
//!
//! What a server and a telephone tell each other beside a call is in `telling`.
//!
//! Invariants: what waits here is bounded; a call that nobody answers by Call Control in time is answered
//! by SIP, so that no event that is lost loses a call; the newest event of a party says whether it rings.

mod telling;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Line, Switchboard};
use crate::appliance::ringcentral::{News, What};
use crate::base::{CallId, Private, limits};
use crate::call::record::{CallRecord, PlatformIds, Progress};
use crate::call::{self, Cause};
use crate::sip::{self, AccountId, Incoming, LegId};
use crate::trunk::AnswerPolicy;
use crate::trunk::dialling::Number;
use crate::trunk::ringcentral::{
    Action, AgentMessage, AgentWish, ApiIds, Direction, PartyNews, Refusal, Request, Target,
    Verdict,
};
use crate::web::{PartyOrder, PartyWish};
use telling::Offered;

/// How long the event of a call that rings, and its answer by Call Control, are waited for.
const CONTROL_WITHIN: Duration = Duration::from_secs(4);
/// An INVITE that the platform is to take back is refused after this time: nobody rings for ever. As soon as that, too, a
/// call that it puts through has left us.
const PASSED_ON_WITHIN: Duration = Duration::from_secs(10);

/// What an INVITE of the platform's says of its call.
#[derive(Clone)]
pub(super) struct Announced {
    account: AccountId,
    sip_call_id: Private<String>,
    message: Option<AgentMessage>,
    ids: Option<ApiIds>,
}

impl Announced {
    /// `None`: it says nothing of the kind.
    pub fn of(incoming: &Incoming) -> Option<Self> {
        let account = incoming.flow.account?;
        let message = header(incoming, "P-Rc").and_then(AgentMessage::parse);
        let ids = header(incoming, "P-Rc-Api-Ids").and_then(ApiIds::parse);
        let sip_call_id = incoming.sip_call_id.clone();
        let says = message.is_some() || ids.is_some();
        says.then_some(Self { account, sip_call_id, message, ids })
    }

    /// It was answered already, elsewhere, on our behalf.
    pub fn is_to_be_answered_at_once(incoming: &Incoming) -> bool {
        let alert = header(incoming, "Alert-Info").unwrap_or_default();
        incoming.flow.account.is_some() && alert.trim().eq_ignore_ascii_case("Auto Answer")
    }
}

fn header<'a>(incoming: &'a Incoming, name: &str) -> Option<&'a str> {
    let headers = incoming.headers.reveal();
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A call with its names at the REST interface.
#[derive(Debug)]
struct Named {
    call: CallId,
    account: AccountId,
    ids: ApiIds,
}

/// A call that rings until it is answered by Call Control.
struct Ringing {
    leg: LegId,
    incoming: Box<Incoming>,
    ids: ApiIds,
    until: Instant,
    /// It is somebody else's, or is over, and the platform is to take its INVITE back.
    is_elsewhere: bool,
}

/// Whoever has asked for an action on a call.
type Told = oneshot::Sender<Result<(), Refusal>>;

/// A request to the platform, for somebody who waits for what comes of it.
pub(super) struct Ordered {
    section: usize,
    request: Request,
    told: Told,
    /// The call of ours that is put through by it.
    passes_on: Option<CallId>,
}

impl Ordered {
    pub(super) fn refuse(self, why: Refusal) {
        // Whoever asked may have gone.
        let _ = self.told.send(Err(why));
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Platform {
    named: Vec<Named>,
    unclaimed: VecDeque<(AccountId, PartyNews)>,
    ringing: Vec<Ringing>,
    /// INVITEs that say how their server is told something about them.
    offered: VecDeque<Offered>,
    asked: VecDeque<(Option<u64>, ApiIds)>,
    /// Parties that ring at somebody, and whose INVITE has not come to us: most of an account's never do.
    heard: VecDeque<(AccountId, ApiIds)>,
    /// INVITEs that the platform is to take back, and when they are refused.
    passed_on: Vec<(LegId, Instant)>,
    waiting: HashMap<u64, (Told, Option<CallId>)>,
}

impl Platform {
    pub fn deadline(&self) -> Option<Instant> {
        let ringing = self.ringing.iter().map(|ringing| ringing.until);
        ringing.chain(self.passed_on.iter().map(|(_, until)| *until)).min()
    }

    pub fn forget(&mut self, call: CallId) {
        self.named.retain(|named| named.call != call);
        self.offered.retain(|offered| offered.call != Some(call));
    }

    /// A leg that no call has is gone.
    pub fn is_over(&mut self, leg: LegId) {
        self.ringing.retain(|ringing| ringing.leg != leg);
        self.passed_on.retain(|(passed, _)| *passed != leg);
        self.offered.retain(|offered| offered.leg != leg);
    }

    fn take_ringing(&mut self, is_it: impl Fn(&Ringing) -> bool) -> Vec<Ringing> {
        let (taken, left) = std::mem::take(&mut self.ringing).into_iter().partition(is_it);
        self.ringing = left;
        taken
    }
}

impl Line {
    /// The call's record with its names at the platform, and what it has cost.
    pub(super) fn record(&self) -> CallRecord {
        let mut record = self.call.record().clone();
        record.platform.clone_from(&self.named);
        record.gpu_energy_j = self.gpu_energy_j;
        record
    }
}

impl Switchboard {
    /// A call that was taken has this name.
    pub(super) fn name_announced(&mut self, now: Instant, call: CallId, announced: &Announced) {
        if let Some(ids) = announced.ids.clone() {
            self.name_call(now, call, announced.account, ids);
        }
    }

    pub(super) fn name_call(
        &mut self,
        now: Instant,
        call: CallId,
        account: AccountId,
        ids: ApiIds,
    ) {
        if let Some(line) = self.lines.get_mut(&call) {
            let (session, party) = (ids.session.clone(), ids.party.clone());
            line.named = Some(PlatformIds { session, party });
            self.platform.named.push(Named { call, account, ids });
            self.show(now, call);
        }
    }

    /// News of an extension.
    pub fn ringcentral(&mut self, now: Instant, news: News) {
        let News { section, what } = news;
        let Some(id) = self.parts.accounts.of_section(section) else { return };
        match what {
            What::Provisioned(provision) => {
                self.parts.ringcentral.set_device(section, provision.device_id.clone());
                self.parts.accounts.provision(now, id, &provision, &mut self.parts.sip);
                self.signals(now);
            }
            What::Party(news) => self.party(now, id, *news),
            What::Controlled { ticket, outcome } => self.controlled(now, ticket, outcome),
            What::Faults(faults) => self.parts.accounts.set_faults(id, faults),
            What::Events(has_events) => self.parts.accounts.set_events(id, has_events),
            What::Dropped(dropped) => {
                self.parts.accounts.set_dropped(id, dropped);
                self.show_dropped();
            }
        }
        self.settle(now);
    }

    /// Accounts whose way was lost and is there again, and those that are believed no more.
    pub(super) fn look_at_ways(&mut self, now: Instant) {
        for id in self.parts.accounts.take_disbelieved() {
            if let Some(platform) = self.parts.accounts.platform(id) {
                self.parts.ringcentral.disbelieved(platform.section);
            }
        }
        for id in self.parts.accounts.take_back() {
            let is_its = |account: Option<AccountId>| account == Some(id);
            let calls = self.lines.iter().filter(|(_, line)| is_its(line.account));
            for call in calls.map(|(call, _)| *call).collect::<Vec<_>>() {
                tracing::info!(call_id = %call, "the way to its server is there again");
                self.call(now, call, call::Input::WayBack);
            }
        }
    }

    /// Whether it came by an extension of RingCentral's.
    pub(super) fn is_platforms(&self, incoming: &Incoming) -> bool {
        incoming.flow.account.is_some_and(|account| self.parts.accounts.platform(account).is_some())
    }

    /// A call comes. The platform's is told that we have heard of it; what is to be answered by Call
    /// Control rings until then, and is nobody's yet.
    pub(super) fn announced(
        &mut self,
        now: Instant,
        leg: LegId,
        incoming: Box<Incoming>,
    ) -> Option<Box<Incoming>> {
        let Some(announced) = Announced::of(&incoming) else { return Some(incoming) };
        let Some(platform) = self.parts.accounts.platform(announced.account) else {
            return Some(incoming);
        };
        let by_control = platform.answers_by_control;
        self.commands.push_back(sip::Command::Ring { leg, status: 180, sdp: None });
        self.tell_agent(&announced, &AgentWish::ReceiveConfirm);
        self.platform.offer(leg, &announced);
        let waits = by_control
            && self.parts.accounts.has_events(announced.account)
            && self.has_room().is_ok()
            && !Announced::is_to_be_answered_at_once(&incoming);
        match announced.ids.filter(|_| waits) {
            Some(ids) => {
                let until = now + CONTROL_WITHIN;
                let named = (announced.account, ids.clone());
                let ringing = Ringing { leg, incoming, ids, until, is_elsewhere: false };
                self.platform.ringing.push(ringing);
                if self.platform.heard.contains(&named) {
                    self.answer_party(named.0, named.1);
                }
                None
            }
            None => Some(incoming),
        }
    }

    /// Calls that nobody has answered by Call Control.
    pub(super) fn answer_late(&mut self, now: Instant) {
        for ringing in self.platform.take_ringing(|ringing| ringing.until <= now) {
            match ringing.is_elsewhere {
                true => self.platform.passed_on.push((ringing.leg, now)),
                false => self.consider(now, ringing.leg, ringing.incoming),
            }
        }
        let (due, left) = std::mem::take(&mut self.platform.passed_on)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, until)| *until <= now);
        self.platform.passed_on = left;
        for (leg, _) in due {
            let status = Cause::Busy.wording().sip_status;
            let reject = sip::Command::Reject { leg, status, retry_after_s: None, warning: None };
            self.commands.push_back(reject);
        }
    }

    fn call_named(&mut self, now: Instant, account: AccountId, call: CallId, ids: ApiIds) {
        // A name of the dialog's own goes before one that was guessed.
        if self.platform.named.iter().any(|named| named.call == call && named.ids == ids) {
            return;
        }
        self.platform.named.retain(|named| named.call != call);
        let is_its = |(whose, news): &(AccountId, PartyNews)| {
            *whose == account && news.session == ids.session && news.party == ids.party
        };
        let all = std::mem::take(&mut self.platform.unclaimed);
        let (claimed, left): (VecDeque<_>, VecDeque<_>) = all.into_iter().partition(is_its);
        self.platform.unclaimed = left;
        self.name_call(now, call, account, ids);
        for (_, news) in claimed {
            self.decided(now, call, &news);
        }
    }

    fn party(&mut self, now: Instant, account: AccountId, news: PartyNews) {
        self.rings(now, account, &news);
        match self.whose(now, account, &news) {
            Whose::Call(call) => self.decided(now, call, &news),
            Whose::Nobody => {}
            Whose::NotKnown => {
                if self.platform.unclaimed.len() == limits::RINGCENTRAL_UNCLAIMED {
                    self.platform.unclaimed.pop_front();
                }
                self.platform.unclaimed.push_back((account, news));
            }
        }
    }

    /// By its names; without them by its Call-ID, or by whom it goes to.
    fn whose(&mut self, now: Instant, account: AccountId, news: &PartyNews) -> Whose {
        let of_session =
            |named: &&Named| named.account == account && named.ids.session == news.session;
        if let Some(named) = self.platform.named.iter().find(of_session) {
            return match named.ids.party == news.party {
                true => Whose::Call(named.call),
                false => Whose::Nobody,
            };
        }
        if news.direction != Direction::Outbound {
            return Whose::Nobody;
        }
        let platform = self.parts.accounts.platform(account);
        let is_account_wide = platform.is_none_or(|platform| platform.is_account_wide);
        let is_named = |call: &CallId| self.platform.named.iter().any(|named| named.call == *call);
        let mut open = self.lines.iter().filter(|(call, line)| {
            line.account == Some(account)
                && is_waiting(&line.call.record().progress)
                && !is_named(call)
        });
        let found = open.find(|(call, line)| {
            let dialled = self.parts.dialler.order(**call);
            let by_id =
                news.sip_call_id.reveal().as_ref().is_some_and(|id| {
                    dialled.is_some_and(|order| order.sip_call_id.reveal() == id)
                });
            // A colleague may be calling the same number.
            let to = news.to.reveal().as_deref().filter(|_| !is_account_wide);
            by_id || to.is_some_and(|to| line.call.record().peer.reveal() == to)
        });
        match found.map(|(call, _)| *call) {
            Some(call) => {
                let (session, party) = (news.session.clone(), news.party.clone());
                self.name_call(now, call, account, ApiIds { session, party });
                Whose::Call(call)
            }
            None => Whose::NotKnown,
        }
    }

    /// Of events that were not taken; `None` where there is no extension.
    pub(super) fn show_dropped(&self) {
        self.parts.board.set_dropped_events(self.parts.accounts.dropped());
    }

    /// A call of ours has come so far, by the word of its session.
    fn decided(&mut self, now: Instant, call: CallId, news: &PartyNews) {
        let waits = self.lines.get(&call).is_some_and(|l| is_waiting(&l.call.record().progress));
        let Some(verdict) = news.verdict().filter(|_| waits) else { return };
        if self.answer_policy(call) != Some(AnswerPolicy::TelephonySession) {
            return;
        }
        tracing::info!(call_id = %call, ?verdict, "by its telephony session");
        let input = match verdict {
            // Who has picked up is listened for as in any call.
            Verdict::Answered | Verdict::Machine => call::Input::PickedUp,
            Verdict::Busy => call::Input::HangUp(Cause::CalleeBusy),
            Verdict::NoAnswer => call::Input::HangUp(Cause::NoAnswer),
            Verdict::Declined => call::Input::HangUp(Cause::Refused(603)),
            Verdict::Failed => call::Input::HangUp(Cause::Refused(480)),
        };
        let is_answered = matches!(input, call::Input::PickedUp);
        self.call(now, call, input);
        if is_answered {
            self.join_at_once(now, call);
        }
    }

    /// Where it rings at somebody and its INVITE is here, it rings at us; where it rings no more, its INVITE is
    /// about to be taken back.
    fn rings(&mut self, now: Instant, account: AccountId, news: &PartyNews) {
        let ids = ApiIds { session: news.session.clone(), party: news.party.clone() };
        let rings = news.rings();
        let within = if rings { CONTROL_WITHIN } else { PASSED_ON_WITHIN };
        let its = self.platform.ringing.iter_mut().find(|ringing| ringing.ids == ids);
        let is_here = its.is_some();
        if let Some(ringing) = its {
            (ringing.is_elsewhere, ringing.until) = (!rings, now + within);
        }
        self.platform.heard.retain(|(whose, heard)| *whose != account || *heard != ids);
        match (rings, is_here) {
            (false, _) => return,
            (true, true) => return self.answer_party(account, ids),
            (true, false) => {}
        }
        if self.platform.heard.len() == limits::RINGCENTRAL_ASKED {
            self.platform.heard.pop_front();
        }
        self.platform.heard.push_back((account, ids));
    }

    /// It is answered by Call Control, once, where that is so wanted.
    fn answer_party(&mut self, account: AccountId, ids: ApiIds) {
        let platform = self.parts.accounts.platform(account);
        let Some(section) = platform.filter(|p| p.answers_by_control).map(|p| p.section) else {
            return;
        };
        if self.has_room().is_err() || self.platform.asked.iter().any(|(_, asked)| *asked == ids) {
            return;
        }
        let Some(device) = self.parts.ringcentral.device(section) else { return };
        let request = Action::Answer { device }.request(&ids.session, &ids.party);
        let ticket = request.and_then(|request| self.parts.ringcentral.control(section, request));
        if self.platform.asked.len() == limits::RINGCENTRAL_ASKED {
            self.platform.asked.pop_front();
        }
        self.platform.asked.push_back((ticket, ids));
    }

    fn controlled(&mut self, now: Instant, ticket: u64, outcome: Result<(), Refusal>) {
        if let Some((told, passes_on)) = self.platform.waiting.remove(&ticket) {
            if let Some(line) = passes_on.and_then(|call| self.lines.get_mut(&call)) {
                line.passed_on = outcome.is_ok().then_some(now);
            }
            // Whoever asked may have gone.
            let _ = told.send(outcome);
            return;
        }
        let Err(refusal) = outcome else { return };
        tracing::warn!(%refusal, "a call is answered by SIP, as Call Control does not");
        let is_it = |(asked, _): &&(Option<u64>, ApiIds)| *asked == Some(ticket);
        let Some(ids) = self.platform.asked.iter().find(is_it).map(|(_, ids)| ids.clone()) else {
            return;
        };
        let is_here = |ringing: &Ringing| ringing.ids == ids && !ringing.is_elsewhere;
        for ringing in self.platform.take_ringing(is_here) {
            self.consider(now, ringing.leg, ringing.incoming);
        }
    }

    /// The interface wants something done to a call.
    pub(super) fn control_party(&mut self, now: Instant, order: PartyOrder, told: Told) {
        let PartyOrder { account, session, party, wish } = order;
        let section = self.parts.accounts.section_of(&account);
        let mut action = match wish {
            PartyWish::Tell(wish) => {
                let outcome =
                    match section.and_then(|section| self.parts.accounts.of_section(section)) {
                        Some(account) => {
                            self.tell_party(now, account, &ApiIds { session, party }, &wish)
                        }
                        None => Err(Refusal::Unknown),
                    };
                // Whoever asked may have gone.
                let _ = told.send(outcome);
                return;
            }
            PartyWish::Control(action) => Some(action),
            PartyWish::Answer => section.and_then(|section| {
                let device = self.parts.ringcentral.device(section)?;
                Some(Action::Answer { device })
            }),
        };
        let number = match self.number_of(action.as_mut()) {
            Ok(number) => number,
            Err(why) => {
                let _ = told.send(Err(why));
                return;
            }
        };
        let is_transfer = matches!(action, Some(Action::Transfer(_)));
        let passes_on = section
            .filter(|_| is_transfer)
            .and_then(|section| self.named_call(section, &session, &party));
        let request = action.and_then(|action| action.request(&session, &party));
        let Some((section, request)) = section.zip(request) else {
            let _ = told.send(Err(Refusal::Unknown));
            return;
        };
        let ordered = Ordered { section, request, told, passes_on };
        match number {
            Some(number) => self.order_counted(now, &number, ordered),
            None => self.ask_platform(now, ordered),
        }
    }

    fn named_call(&self, section: usize, session: &str, party: &str) -> Option<CallId> {
        let account = self.parts.accounts.of_section(section)?;
        let is_it = |named: &&Named| {
            named.account == account && named.ids.session == session && named.ids.party == party
        };
        self.platform.named.iter().find(is_it).map(|named| named.call)
    }

    /// Whether a call whose other end has hung up was put through by the platform: who is put through there leaves us by
    /// a plain BYE, which may come before the platform's word that it is done.
    pub(super) fn is_passed_on(&self, now: Instant, id: CallId, event: &sip::Event) -> bool {
        let is_by_peer = matches!(event, sip::Event::Ended { cause: sip::EndCause::ByPeer, .. });
        let asked = self.lines.get(&id).and_then(|line| line.passed_on);
        is_by_peer && asked.is_some_and(|at| now.saturating_duration_since(at) <= PASSED_ON_WITHIN)
    }

    /// The number that a call is to go to, as it is from here on written: one that the owner lets the box call, for
    /// the extension pays for it.
    fn number_of(&self, action: Option<&mut Action>) -> Result<Option<Number>, Refusal> {
        let Some(
            Action::Forward(Target::PhoneNumber(text))
            | Action::Transfer(Target::PhoneNumber(text)),
        ) = action
        else {
            return Ok(None);
        };
        let number = self.parts.dialler.number(text.reveal());
        let number = number.map_err(|_| Refusal::Number)?;
        // What is counted is what is called, whatever the platform would make of another way to write it.
        *text = Private::new(number.reveal().to_owned());
        Ok(Some(number))
    }

    /// Whoever has gone meanwhile wants nothing any more.
    pub(super) fn ask_platform(&mut self, now: Instant, ordered: Ordered) {
        let Ordered { section, request, told, passes_on } = ordered;
        self.platform.waiting.retain(|_, (told, _)| !told.is_closed());
        if told.is_closed() {
            return;
        }
        match self.parts.ringcentral.control(section, request) {
            Some(ticket) => {
                if let Some(line) = passes_on.and_then(|call| self.lines.get_mut(&call)) {
                    line.passed_on = Some(now);
                }
                self.platform.waiting.insert(ticket, (told, passes_on));
            }
            None => drop(told.send(Err(Refusal::Busy))),
        }
    }
}

/// Whom news of a party concern.
enum Whose {
    Call(CallId),
    /// Another party of a call that is known.
    Nobody,
    /// Nobody yet.
    NotKnown,
}

/// A call of ours that nobody has answered yet.
const fn is_waiting(progress: &Progress) -> bool {
    matches!(progress, Progress::Dialling | Progress::Ringing | Progress::EarlyMedia)
}
