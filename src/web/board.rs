//! The board: what the page and the API show, written by the rest of the program.
//!
//! One mutex, held for a copy of a few words or of one pointer; nobody waits for a socket under it.
//! Invariant: at most `limits::ENDED_CALLS` ended and `limits::SIP_DIALOGS` live calls.

mod handsets;
mod keeping;
mod upkeep;

pub use keeping::Erasure;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::broadcast;

use crate::appliance::agent::Figures;
use crate::appliance::engine::LoadFigures;
use crate::appliance::gpu::Sample;
use crate::appliance::handset;
use crate::appliance::lateness::BOUNDS_US;
use crate::appliance::{recorder, voicemail, webhooks};
use crate::base::{CallId, limits};
use crate::call::Stage;
use crate::call::admission::Limit;
use crate::call::record::CallRecord;
use crate::sip;
use crate::speech::protocol::{TurnReport, VoiceReport};
use crate::store::history::{self, History};
use crate::store::knowledge;
use crate::store::recordings::Shelf;
use crate::trunk::ringcentral::Dropped;

use super::events::{Event, Events, changes};
use super::metrics::Totals;

/// Whether the box takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Calls are refused with 503 until what is named here is there.
    Starting {
        waiting_for: Vec<String>,
    },
    Ready,
    /// Calls are taken, with less than the usual; each reason is a sentence for the owner.
    Degraded {
        reasons: Vec<String>,
    },
    /// Calls are answered with a recorded sentence, and that is all.
    Safe {
        reasons: Vec<String>,
    },
    /// Running calls end, new ones are refused.
    Stopping,
}

impl Health {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Starting { .. } => "starting",
            Self::Ready => "ready",
            Self::Degraded { .. } => "degraded",
            Self::Safe { .. } => "safe",
            Self::Stopping => "stopping",
        }
    }

    /// What is waited for or what is wrong.
    pub fn reasons(&self) -> &[String] {
        match self {
            Self::Starting { waiting_for } => waiting_for,
            Self::Degraded { reasons } | Self::Safe { reasons } => reasons,
            Self::Ready | Self::Stopping => &[],
        }
    }

    pub const fn takes_calls(&self) -> bool {
        matches!(self, Self::Ready | Self::Degraded { .. })
    }
}

/// How the audio thread has kept time since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioFigures {
    /// Ticks that were late by at most each of [`BOUNDS_US`], and by more than the last of them.
    pub late_counts: [u64; BOUNDS_US.len() + 1],
    /// Lateness of all ticks together, in microseconds.
    pub late_sum_us: u64,
    /// In microseconds, rounded up to a bound; `None` beyond the last one.
    pub late_p50_us: Option<u64>,
    pub late_p999_us: Option<u64>,
    /// Frames and events that found their ring full.
    pub dropped: u64,
    /// Frames that whoever listened to a call was too slow to take.
    pub unobserved: u64,
}

/// What the SIP core has counted since the start, and what it holds.
#[derive(Clone, Debug, Default)]
pub struct SipFigures {
    pub counters: sip::Counters,
    pub held: sip::Occupancy,
}

/// How GPU, box and engine were at the last look.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    pub sample: Sample,
    pub load: LoadFigures,
    /// What one more call would be too many for.
    pub limit: Option<Limit>,
    /// The engine works with less than it was configured with.
    pub is_lean: bool,
}

/// Where the engine that is ready hears, and with which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// In words, with the reason if it is not where it was wanted.
    pub device: String,
    pub model: String,
    /// The neural voices, whether they speak or not, then the plain ones.
    pub voices: Vec<VoiceReport>,
    /// The turn model, if one is configured.
    pub turn: Option<TurnReport>,
}

/// Whether an account is registered. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountReport {
    pub name: String,
    /// `registering`, `registered`, `failing`, `open`, `unreachable` or `ended`.
    pub state: &'static str,
    /// Since when it is failing or unreachable.
    pub since_ms: Option<u64>,
    /// How long the registration is good without a renewal.
    pub until_ms: Option<u64>,
    /// What the registrar has answered, where it has refused.
    pub status: Option<u16>,
    /// Why that is, or which of its servers is used where not all answer, in words.
    pub reason: Option<String>,
}

/// How a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookReport {
    pub name: String,
    /// Events that wait to be delivered.
    pub waiting: usize,
    pub delivered: u64,
    /// Events for which there was no room.
    pub lost: u64,
    /// It has said that it wants nothing any more.
    pub is_gone: bool,
    /// Why the last attempt failed.
    pub fault: Option<String>,
}

impl WebhookReport {
    pub fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, waiting: 0, delivered: 0, lost: 0, is_gone: false, fault: None }
    }

    /// What is wrong, as a sentence.
    fn sentence(&self) -> Option<String> {
        let (name, fault) = (&self.name, self.fault.as_ref()?);
        // Without a count: each change of it would be one more event for it.
        Some(format!("webhook {name}: {fault}"))
    }
}

/// How the line to a bridge is that the box connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeReport {
    pub name: String,
    /// A call can come.
    pub is_open: bool,
    /// Attempts in a row that came to nothing.
    pub failures: u32,
}

impl BridgeReport {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), is_open: false, failures: 0 }
    }

    /// What is wrong, as a sentence. Without a count: each change of it would be an event.
    fn sentence(&self) -> Option<String> {
        let is_down = !self.is_open && self.failures > 0;
        is_down.then(|| format!("bridge {}: it cannot be reached; it is tried again", self.name))
    }
}

/// What the last call of our own has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryReport {
    /// Unix milliseconds.
    pub at_ms: u64,
    pub greeted_ms: u64,
    pub answered_ms: u64,
    /// Why it was not well.
    pub fault: Option<String>,
    /// How many there were since the start, counted by the board.
    pub well: u64,
    pub failed: u64,
}

impl CanaryReport {
    pub fn told(&self) -> String {
        match &self.fault {
            None => format!(
                "a call of our own was greeted after {} ms and answered after {} ms",
                self.greeted_ms, self.answered_ms
            ),
            Some(fault) => format!("a call of our own was not well: {fault}"),
        }
    }
}

/// Written by the call shells and the supervisor, read by the web thread.
#[derive(Debug)]
pub struct Board {
    shown: Mutex<Shown>,
    /// What happens is told from here, where it is shown.
    events: Arc<Events>,
    /// And kept from here; without it nothing is.
    history: OnceLock<History>,
    recordings: OnceLock<Shelf>,
    /// By which the owner tries who is told what happens.
    doors: OnceLock<Vec<webhooks::Door>>,
    voicemail: OnceLock<Shelf>,
    /// Which call is shown otherwise than before, for those who follow one.
    changed: broadcast::Sender<CallId>,
    erased: broadcast::Sender<Arc<Erasure>>,
}

#[derive(Debug)]
struct Shown {
    health: Health,
    audio: AudioFigures,
    /// `None` while no engine is ready.
    hearing: Option<Hearing>,
    /// `None` without a folder of knowledge, and until it has been read.
    knowledge: Option<knowledge::Report>,
    accounts: Vec<AccountReport>,
    webhooks: Vec<WebhookReport>,
    bridges: Vec<BridgeReport>,
    handsets: Vec<handset::Report>,
    history: history::Report,
    /// `None`: no call is recorded.
    recordings: Option<recorder::Report>,
    voicemail: voicemail::Report,
    live: BTreeMap<CallId, Arc<CallRecord>>,
    /// Oldest first.
    ended: VecDeque<Arc<CallRecord>>,
    /// Of the ended calls that newer ones have pushed out.
    forgotten: Totals,
    sip: SipFigures,
    /// `None`: there is no remote agent.
    agent: Option<Figures>,
    /// `None` until there was one.
    canary: Option<CanaryReport>,
    /// The wall clock has stepped.
    is_clock_doubted: bool,
    /// Times that a stage of a call stood still, in the order of `Stage::ALL`.
    stalls: [u64; Stage::ALL.len()],
    /// `None` in the first second.
    watch: Option<Watch>,
    /// `None`: there is no extension of RingCentral's.
    dropped_events: Option<Dropped>,
}

impl Shown {
    /// With what is wrong with webhooks, bridges, handsets, the database and recording.
    fn health(&self) -> Health {
        let canary = self.canary.iter().filter(|canary| canary.fault.is_some());
        let canary = canary.map(CanaryReport::told);
        let bridges = self.bridges.iter().filter_map(BridgeReport::sentence);
        let webhooks = self.webhooks.iter().filter_map(WebhookReport::sentence);
        let recordings = self.recordings.as_ref().and_then(recorder::Report::sentence);
        let handsets = self.handsets.iter().filter_map(handset::Report::sentence);
        let clock = self.is_clock_doubted.then(|| upkeep::CLOCK.to_owned());
        let faults = webhooks.chain(bridges).chain(handsets).chain(canary).chain(clock);
        let faults = faults.chain(self.history.sentences()).chain(recordings);
        let faults = faults.chain(self.voicemail.sentence());
        match &self.health {
            Health::Ready => {
                let reasons: Vec<String> = faults.collect();
                if reasons.is_empty() { Health::Ready } else { Health::Degraded { reasons } }
            }
            Health::Degraded { reasons } => {
                Health::Degraded { reasons: reasons.iter().cloned().chain(faults).collect() }
            }
            health @ (Health::Starting { .. } | Health::Safe { .. } | Health::Stopping) => {
                health.clone()
            }
        }
    }
}

impl Default for Board {
    fn default() -> Self {
        Self {
            events: Arc::new(Events::new(super::unix_ms())),
            history: OnceLock::new(),
            recordings: OnceLock::new(),
            doors: OnceLock::new(),
            voicemail: OnceLock::new(),
            changed: broadcast::channel(limits::WEBRTC_CHANGES).0,
            erased: broadcast::channel(limits::ERASURES).0,
            shown: Mutex::new(Shown {
                health: Health::Starting { waiting_for: vec!["the speech engine".to_owned()] },
                audio: AudioFigures::default(),
                hearing: None,
                knowledge: None,
                accounts: Vec::new(),
                webhooks: Vec::new(),
                bridges: Vec::new(),
                handsets: Vec::new(),
                history: history::Report::default(),
                recordings: None,
                voicemail: voicemail::Report::default(),
                live: BTreeMap::new(),
                ended: VecDeque::new(),
                forgotten: Totals::default(),
                sip: SipFigures::default(),
                agent: None,
                canary: None,
                is_clock_doubted: false,
                stalls: [0; Stage::ALL.len()],
                watch: None,
                dropped_events: None,
            }),
        }
    }
}

impl Board {
    /// Everything that happens.
    pub fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// The calls that change from now on, each as often as it does.
    pub fn changes(&self) -> broadcast::Receiver<CallId> {
        self.changed.subscribe()
    }

    /// Tells what no record shows.
    pub fn tell(&self, event: Event) {
        self.events.tell(super::unix_ms(), event);
    }

    pub fn set_health(&self, health: Health) {
        self.change_health(|shown| shown.health = health);
    }

    pub fn health(&self) -> Health {
        self.lock().health()
    }

    /// What is wrong with a webhook is a reason of the health, too.
    pub fn set_webhooks(&self, reports: Vec<WebhookReport>) {
        self.change_health(|shown| shown.webhooks = reports);
    }

    /// What is wrong with a bridge is a reason of the health, too.
    pub fn set_bridges(&self, reports: Vec<BridgeReport>) {
        self.change_health(|shown| shown.bridges = reports);
    }

    pub fn bridges(&self) -> Vec<BridgeReport> {
        self.lock().bridges.clone()
    }

    pub fn webhooks(&self) -> Vec<WebhookReport> {
        self.lock().webhooks.clone()
    }

    /// Writes something that the health may depend on, and tells that where it is another one then.
    fn change_health(&self, change: impl FnOnce(&mut Shown)) {
        let (before, now) = {
            let mut shown = self.lock();
            let before = shown.health();
            change(&mut shown);
            (before, shown.health())
        };
        if before != now {
            self.tell(Event::Health(now));
        }
    }

    /// How the box is, in one line for `systemctl status`: no private words.
    pub fn status_line(&self) -> String {
        let shown = self.lock();
        let calls = match shown.live.len() {
            0 => "no call is up".to_owned(),
            1 => "1 call is up".to_owned(),
            calls => format!("{calls} calls are up"),
        };
        let accounts = match shown.accounts.len() {
            0 => String::new(),
            all => {
                let is_fine =
                    |report: &&AccountReport| ["registered", "open"].contains(&report.state);
                let fine = shown.accounts.iter().filter(is_fine).count();
                format!(", {fine} of {all} accounts work")
            }
        };
        let health = shown.health();
        let state = match health {
            Health::Starting { .. } => "Starting, waits for",
            Health::Ready => "Answers calls",
            Health::Degraded { .. } => "Answers calls, with less than the usual",
            Health::Safe { .. } => "Safe mode, a recorded sentence answers",
            Health::Stopping => "Stopping",
        };
        match health.reasons() {
            [] => format!("{state}; {calls}{accounts}"),
            [reason] => format!("{state}: {reason}; {calls}{accounts}"),
            [reason, rest @ ..] => {
                format!("{state}: {reason}, and {} more; {calls}{accounts}", rest.len())
            }
        }
    }

    pub fn set_audio(&self, figures: AudioFigures) {
        self.lock().audio = figures;
    }

    pub fn audio(&self) -> AudioFigures {
        self.lock().audio
    }

    pub fn set_hearing(&self, hearing: Option<Hearing>) {
        self.lock().hearing = hearing;
    }

    pub fn hearing(&self) -> Option<Hearing> {
        self.lock().hearing.clone()
    }

    pub fn set_knowledge(&self, report: knowledge::Report) {
        self.lock().knowledge = Some(report);
    }

    pub fn knowledge(&self) -> Option<knowledge::Report> {
        self.lock().knowledge.clone()
    }

    pub fn set_accounts(&self, accounts: Vec<AccountReport>) {
        let before = std::mem::replace(&mut self.lock().accounts, accounts.clone());
        changes::of_accounts(&before, &accounts).into_iter().for_each(|event| self.tell(event));
    }

    pub fn accounts(&self) -> Vec<AccountReport> {
        self.lock().accounts.clone()
    }

    /// Shows the call as it is now; once it has ended it stays until newer ones push it out.
    pub fn update_call(&self, record: CallRecord) {
        let record = Arc::new(record);
        let before = self.show(Arc::clone(&record));
        if let Some(history) = self.history.get() {
            history.note(before.as_deref(), &record);
        }
        // Nobody may follow one.
        let _ = self.changed.send(record.id);
        let changes = changes::of_call(before.as_deref(), &record);
        changes.into_iter().for_each(|event| self.tell(event));
    }

    /// Gives what was shown of it before.
    fn show(&self, record: Arc<CallRecord>) -> Option<Arc<CallRecord>> {
        let mut shown = self.lock();
        let before = shown.live.get(&record.id).cloned();
        let known = before
            .clone()
            .or_else(|| shown.ended.iter().rev().find(|known| known.id == record.id).cloned());
        if let Some(before) = before.filter(|before| is_next_attempt(before, &record)) {
            shown.forgotten.add_sound(&before);
        }
        if record.progress.is_ended() {
            shown.live.remove(&record.id);
            shown.ended.retain(|known| known.id != record.id);
            if shown.ended.len() == limits::ENDED_CALLS
                && let Some(oldest) = shown.ended.pop_front()
            {
                shown.forgotten.add(&oldest);
            }
            shown.ended.push_back(record);
        } else {
            if shown.live.len() == limits::SIP_DIALOGS && !shown.live.contains_key(&record.id) {
                shown.live.pop_first();
            }
            shown.live.insert(record.id, record);
        }
        known
    }

    /// Live calls, newest first, then ended ones, newest first.
    pub fn calls(&self) -> Vec<Arc<CallRecord>> {
        let shown = self.lock();
        let live = shown.live.values().rev();
        live.chain(shown.ended.iter().rev()).cloned().collect()
    }

    pub fn call(&self, id: CallId) -> Option<Arc<CallRecord>> {
        let shown = self.lock();
        let ended = || shown.ended.iter().find(|record| record.id == id);
        shown.live.get(&id).or_else(ended).cloned()
    }

    /// Sums over all calls since the start. A call's figures only grow, so that these do.
    pub fn totals(&self) -> Totals {
        let (mut totals, calls) = {
            let shown = self.lock();
            let calls = shown.live.values().chain(&shown.ended).cloned();
            (shown.forgotten.clone(), calls.collect::<Vec<_>>())
        };
        calls.iter().for_each(|record| totals.add(record));
        totals
    }

    pub fn set_sip(&self, figures: SipFigures) {
        self.lock().sip = figures;
    }

    /// As they were within the last second.
    pub fn sip(&self) -> SipFigures {
        self.lock().sip.clone()
    }

    pub fn set_watch(&self, watch: Watch) {
        self.lock().watch = Some(watch);
    }

    pub fn watch(&self) -> Option<Watch> {
        self.lock().watch.clone()
    }

    /// Events of RingCentral's that were not taken.
    pub fn set_dropped_events(&self, dropped: Option<Dropped>) {
        self.lock().dropped_events = dropped;
    }

    /// `None`: there is no extension of theirs.
    pub fn dropped_events(&self) -> Option<Dropped> {
        self.lock().dropped_events
    }

    pub fn set_agent(&self, figures: Option<Figures>) {
        self.lock().agent = figures;
    }

    /// `None`: there is no remote agent.
    pub fn agent(&self) -> Option<Figures> {
        self.lock().agent
    }

    /// Calls that have not ended.
    pub fn live_calls(&self) -> usize {
        self.lock().live.len()
    }

    /// A writer that panicked left whole values behind: each write is one assignment.
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is dialled again keeps its id, and its packets are counted anew.
fn is_next_attempt(before: &CallRecord, now: &CallRecord) -> bool {
    let counts = |record: &CallRecord| [record.rtp.packets_sent, record.rtp.packets_received];
    counts(before).into_iter().zip(counts(now)).any(|(before, now)| now < before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ending::Cause;
    use crate::call::record::{Direction, Progress};

    fn record(id: u64) -> CallRecord {
        CallRecord::new(CallId(id), Direction::Inbound, "sip:a@example.net".into(), id)
    }

    fn ended(id: u64) -> CallRecord {
        let mut record = record(id);
        record.progress = Progress::Ended {
            answered_at_ms: None,
            ended_at_ms: id,
            ending: Cause::Cancelled.into(),
        };
        record
    }

    #[test]
    fn a_call_moves_from_live_to_ended_and_is_shown_once() {
        let board = Board::default();
        board.update_call(record(1));
        board.update_call(record(2));
        board.update_call(ended(1));
        board.update_call(ended(1));
        let ids: Vec<u64> = board.calls().iter().map(|record| record.id.0).collect();
        assert_eq!(ids, [2, 1]);
        assert_eq!(board.live_calls(), 1);
        assert!(board.call(CallId(1)).is_some_and(|record| record.progress.is_ended()));
        assert!(board.call(CallId(3)).is_none());
    }

    #[test]
    fn the_oldest_ended_call_is_forgotten_first() {
        let board = Board::default();
        for id in 0..=limits::ENDED_CALLS as u64 {
            board.update_call(ended(id));
        }
        assert_eq!(board.calls().len(), limits::ENDED_CALLS);
        assert!(board.call(CallId(0)).is_none());
        assert!(board.call(CallId(1)).is_some());
        let ended: u64 = board.totals().endings().map(|(_, count)| count).sum();
        assert_eq!(ended, limits::ENDED_CALLS as u64 + 1);
    }

    #[test]
    fn packets_of_an_attempt_stay_counted_when_the_call_is_dialled_again() {
        let board = Board::default();
        let with = |mut record: CallRecord, packets| {
            record.rtp.packets_sent = packets;
            record
        };
        let mut sums = Vec::new();
        for record in [
            with(record(1), 30),
            with(record(1), 50),
            record(1),
            with(record(1), 20),
            with(ended(1), 25),
        ] {
            board.update_call(record);
            sums.push(board.totals().packets_sent);
        }
        assert_eq!(sums, [30, 50, 50, 70, 75]);
    }

    #[test]
    fn a_new_board_does_not_claim_to_take_calls() {
        assert!(!Board::default().health().takes_calls());
    }
}
