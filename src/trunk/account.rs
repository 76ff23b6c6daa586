//! One account: when it registers, with which of its servers, and what the owner is told.
//!
//! ```text
//! Start ─▶ Resolve ─▶ Trying ─▶ Registered ─▶ Trying (refresh, other address, lost way) ─▶ …
//!                       │ next server, until all were tried
//!                       ▼
//!                    Waiting ─▶ Trying from the first server on
//! Stop  ─▶ Leaving ─▶ Over
//!
//! Without registration: Start ─▶ Resolve ─▶ Open, and its servers are watched
//! ```
//!
//! Invariants: between two REGISTERs that are wanted here lies a second; what is waited for, and
//! how often, is bounded; once `Over`, nothing is wanted any more.

mod api;
mod pace;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use api::{Input, Output, Settings, Status};
pub use pace::{Pace, Renewal};
pub use watch::Standing;

use super::reason::Reason;
use crate::base::{Entropy, TimerTable};
use crate::sip::{Outbound, RegistrationFailure, RegistrationNews, Server};
use watch::Watch;

/// Between two REGISTERs, whatever happens.
const APART: Duration = Duration::from_secs(1);
/// The wait after the first failure of all servers, doubled by each further one up to the most.
const BACK_OFF: Duration = Duration::from_secs(4);
const BACK_OFF_MOST: Duration = Duration::from_secs(300);
/// The wait after a refusal that will be one again: some servers lock an account that tries often.
const REFUSED: Duration = Duration::from_secs(1_200);
/// The longest that a server's Retry-After is obeyed.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(3_600);
/// How long a server may be silent where there is another one. The last is waited for by the SIP
/// core: 32 s (timer F).
const TRY_WITHIN: Duration = Duration::from_secs(10);
/// The same from the second failure on over a stream that the registrar keeps as the way to us (RFC 5626
/// section 4.5). The first wait is short there, too: a registrar that is restarted is back by then.
const OUTBOUND_BACK_OFF: Duration = Duration::from_secs(30);
const OUTBOUND_BACK_OFF_MOST: Duration = Duration::from_secs(1_800);
/// How long an answer to a ping over it is waited for: the SIP core closes the stream after 10 s.
const PONG_WITHIN: Duration = Duration::from_secs(12);
/// How long an answer to a ping is waited for: sent four times by then.
const ALIVE_WITHIN: Duration = Duration::from_secs(8);
/// Pings in a row that a server has not answered, though it has the REGISTER right after: it answers
/// none. They go on, for the routers between, and are no longer waited for.
const IGNORED: u8 = 2;
/// A server further back is left for the first one after this, where nobody says otherwise.
const BACK_TO_FIRST: Duration = Duration::from_secs(300);
/// Between two changes of our Contact to where we are seen: a network address translator that has
/// another port for every packet is not run after.
const REBIND: Duration = Duration::from_secs(30);
/// A connection that lived shorter than this after its registration was closed by a server that keeps
/// none open: each one in a row is waited for longer before it is made again.
const FLOW_LIVES: Duration = Duration::from_secs(120);
/// Answers of the name service in a row that do not have the server that we are registered with, until
/// it is left: many give another part of their servers each time.
const ABSENT: u8 = 3;
/// How long the registrar's word is waited for at the end.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// No address is known yet.
    Resolving,
    Trying,
    Registered,
    /// Nothing to register, and the server's address is known.
    Open,
    Waiting,
    Leaving,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// Register, refresh, or try again.
    Register,
    /// The server that is being tried is silent.
    NextServer,
    Ping,
    NotAlive,
    /// The connection to it is up, and it says nothing.
    Silent,
    /// A server of those that are not registered with is to be asked, or silent.
    Watch,
    Left,
}

/// See the module. `Debug` shows no address.
pub struct Account {
    settings: Settings,
    entropy: Entropy,
    phase: Phase,
    status: Status,
    servers: Vec<Server>,
    /// The same where nothing is registered.
    watch: Watch,
    /// The server that is tried or registered with.
    at: usize,
    /// Servers tried since the last success or wait.
    tried: usize,
    /// Rounds of all servers that failed.
    failures: u32,
    /// Connections in a row that did not live.
    short_flows: u32,
    /// Answers in a row without the server in use.
    absent: u8,
    contact: Option<SocketAddr>,
    rebound_at: Option<Instant>,
    asked_at: Option<Instant>,
    /// When the server in use was registered with first.
    with_server_since: Option<Instant>,
    /// Pings that were ignored so far, and whether the last one was not answered.
    ignored: u8,
    is_ping_missed: bool,
    /// A registrar has had our binding.
    is_bound: bool,
    /// The one in use keeps our stream as the way to us.
    outbound: Option<Outbound>,
    /// Calls of it are up.
    is_busy: bool,
    timers: TimerTable<Timer>,
    outputs: VecDeque<Output>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({:?}, {} servers)", self.phase, self.servers.len())
    }
}

impl Account {
    pub fn new(settings: Settings, entropy: Entropy) -> Self {
        Self {
            watch: Watch::new(settings.keep_alive),
            settings,
            entropy,
            phase: Phase::Idle,
            status: Status::Registering,
            servers: Vec::new(),
            at: 0,
            tried: 0,
            failures: 0,
            short_flows: 0,
            absent: 0,
            contact: None,
            rebound_at: None,
            asked_at: None,
            with_server_since: None,
            ignored: 0,
            is_ping_missed: false,
            is_bound: false,
            outbound: None,
            is_busy: false,
            timers: TimerTable::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Whether calls of it are up: their server is not left of our own accord meanwhile.
    pub const fn set_busy(&mut self, is_busy: bool) {
        self.is_busy = is_busy;
    }

    pub const fn status(&self) -> Status {
        self.status
    }

    /// Where its calls go, the first to be tried first; empty while that is not known to work.
    pub fn servers(&self) -> Vec<Server> {
        match self.status {
            Status::Registered { .. } => self.servers.get(self.at).copied().into_iter().collect(),
            Status::Open(_) | Status::Unreachable { .. } => self.watch.usable(),
            Status::Registering | Status::Failing { .. } | Status::Left => Vec::new(),
        }
    }

    /// Whether calls come over a stream of ours that the registrar keeps.
    pub fn has_kept_stream(&self) -> bool {
        matches!(self.status, Status::Registered { .. }) && self.outbound.is_some()
    }

    /// Whether it is still to be waited for in the end.
    pub fn is_leaving(&self) -> bool {
        self.phase == Phase::Leaving
    }

    /// One input; then drain [`Self::poll_output`] until it returns `Timeout`.
    pub fn handle(&mut self, now: Instant, input: Input) {
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Start => self.start(now),
            Input::Servers(servers) => self.resolved(now, servers),
            Input::News(news) => self.news(now, news),
            Input::Presence(server, presence, by) => {
                self.watch.found(now, server, presence, by);
                self.look(now);
            }
            Input::AddressChanged => {
                // Where we were seen was before.
                self.contact = None;
                self.register_anew(now);
            }
            Input::Try => self.try_now(now),
            Input::Stop => self.stop(now),
            Input::Timeout => {
                while let Some(timer) = self.timers.pop_due(now) {
                    self.due(now, timer);
                }
            }
        }
    }

    /// Whether it is not known yet how it is.
    pub fn is_trying(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Resolving | Phase::Trying)
    }

    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    /// The owner wants to know. What is under way goes on.
    fn try_now(&mut self, now: Instant) {
        match self.phase {
            Phase::Registered | Phase::Waiting => {
                self.tried = 0;
                self.attempt(now);
            }
            Phase::Open => {
                self.watch.ask_all(now);
                self.look(now);
            }
            Phase::Idle | Phase::Resolving | Phase::Trying | Phase::Leaving | Phase::Over => (),
        }
    }

    fn start(&mut self, now: Instant) {
        if self.phase != Phase::Idle {
            return;
        }
        match self.servers.is_empty() {
            true => self.resolve(),
            false => self.attempt(now),
        }
    }

    fn resolve(&mut self) {
        self.phase = Phase::Resolving;
        self.outputs.push_back(Output::Resolve);
    }

    fn resolved(&mut self, now: Instant, servers: Vec<Server>) {
        // An address that was right is better than none: names fail more often than servers. And among
        // equals the order is chance: the one that was stays.
        let current = self.servers.get(self.at).copied();
        let servers = self.with_current(servers, current);
        let is_other = servers.len() != self.servers.len()
            || servers.iter().any(|server| !self.servers.contains(server));
        if !servers.is_empty() && is_other {
            self.servers = servers;
            self.tried = self.tried.min(self.servers.len());
            let place = self.servers.iter().position(|server| Some(*server) == current);
            self.at = place.filter(|_| self.phase != Phase::Waiting).unwrap_or(0);
            if place.is_none() && self.phase == Phase::Registered {
                self.register_anew(now);
            }
        }
        if self.phase == Phase::Open {
            self.watch.take(now, &self.servers);
            self.look(now);
        }
        match (self.phase, self.servers.is_empty()) {
            (Phase::Resolving, false) => self.attempt(now),
            (Phase::Resolving, true) => self.wait(now, Reason::NoAddress, None),
            _ => {}
        }
    }

    /// A server that serves us is not left because one answer does not have it.
    fn with_current(&mut self, mut servers: Vec<Server>, current: Option<Server>) -> Vec<Server> {
        let missing = current.filter(|current| !servers.is_empty() && !servers.contains(current));
        let Some(missing) = missing.filter(|_| self.phase == Phase::Registered) else {
            self.absent = 0;
            return servers;
        };
        self.absent += 1;
        if self.absent < ABSENT {
            servers.insert(0, missing);
        }
        servers
    }

    /// Sends a REGISTER to the server at hand, as soon as one may be sent.
    fn attempt(&mut self, now: Instant) {
        let Some(server) = self.servers.get(self.at).copied() else { return self.resolve() };
        self.timers.clear();
        if !self.settings.registers {
            self.phase = Phase::Open;
            self.watch.take(now, &self.servers);
            return self.look(now);
        }
        self.phase = Phase::Trying;
        let not_before = self.asked_at.map_or(now, |at| at + APART);
        if now < not_before {
            return self.timers.set(Timer::Register, not_before);
        }
        self.asked_at = Some(now);
        self.tried += 1;
        if let Some(within) = self.settings.pace.silent_after {
            self.timers.set(Timer::Silent, now + within);
        }
        if self.tried < self.servers.len() {
            self.timers.set(Timer::NextServer, now + TRY_WITHIN);
        }
        self.outputs.push_back(Output::Register { server, contact: self.contact });
    }

    /// Asks the servers whose time it is, and tells how they are.
    fn look(&mut self, now: Instant) {
        if self.phase != Phase::Open {
            return;
        }
        let due = self.watch.due(now, &mut self.entropy);
        self.outputs.extend(due.into_iter().map(|server| Output::Probe { server }));
        match self.watch.next() {
            Some(at) => self.timers.set(Timer::Watch, at),
            None => self.timers.cancel(Timer::Watch),
        }
        let status = match self.watch.standing() {
            Ok(standing) => Status::Open(standing),
            Err(reason) => {
                let since = match self.status {
                    Status::Unreachable { since, .. } => since,
                    _ => now,
                };
                Status::Unreachable { since, reason, of: self.servers.len() }
            }
        };
        self.show(status);
    }

    /// What was registered may lead nowhere: at once, with the server at hand first.
    fn register_anew(&mut self, now: Instant) {
        if self.phase == Phase::Registered {
            self.tried = 0;
            self.attempt(now);
        }
    }

    fn news(&mut self, now: Instant, news: RegistrationNews) {
        match (self.phase, news) {
            (Phase::Leaving, RegistrationNews::Unregistered | RegistrationNews::Failed { .. }) => {
                self.leave();
            }
            (Phase::Trying, RegistrationNews::Registered { expires_s, seen, outbound }) => {
                self.outbound = outbound;
                self.registered(now, expires_s, seen);
            }
            (Phase::Trying, RegistrationNews::Failed { failure, retry_after_s }) => {
                self.failed(now, failure, retry_after_s);
            }
            (Phase::Registered, RegistrationNews::Alive { seen }) => {
                self.timers.cancel(Timer::NotAlive);
                self.ignored = 0;
                let _ = self.be_seen(now, seen);
            }
            (Phase::Registered, RegistrationNews::Silent) => self.not_alive(now),
            (Phase::Registered, RegistrationNews::FlowLost) => {
                // Where we were seen was the end of that connection.
                (self.contact, self.rebound_at) = (None, None);
                self.flow_lost(now);
            }
            _ => {}
        }
    }

    fn registered(&mut self, now: Instant, expires_s: u32, seen: Option<SocketAddr>) {
        self.phase = Phase::Registered;
        self.is_bound = true;
        self.timers.clear();
        let is_ignored = std::mem::take(&mut self.is_ping_missed);
        self.ignored = self.ignored.saturating_add(is_ignored.into());
        (self.tried, self.failures) = (0, 0);
        self.with_server_since.get_or_insert(now);
        let expires = Duration::from_secs(expires_s.max(1).into());
        match self.settings.pace.renew_after(expires) {
            Some(refresh) => self.timers.set(Timer::Register, now + refresh),
            None => {
                // Half of it leaves time for the other servers and for one that is restarted.
                let refresh = self.jittered(expires / 2, 0.8);
                self.timers.set(Timer::Register, now + refresh);
                let ping = self.jittered(self.ping_every(), 0.8);
                self.timers.set(Timer::Ping, now + ping);
            }
        }
        // Under a Contact that leads nowhere nobody can call.
        if !self.be_seen(now, seen) {
            self.show(Status::Registered { until: now + expires });
        }
    }

    /// As often as the owner wants, and as the registrar does.
    fn ping_every(&self) -> Duration {
        let flow_timer = self.outbound.and_then(|outbound| outbound.flow_timer_s);
        let wanted = flow_timer.map(|seconds| Duration::from_secs(seconds.into()));
        wanted.map_or(self.settings.keep_alive, |wanted| wanted.min(self.settings.keep_alive))
    }

    /// At once the first time; a server that closes after each answer would be asked for ever.
    fn flow_lost(&mut self, now: Instant) {
        let lived = self.asked_at.map(|at| now.saturating_duration_since(at));
        if lived.is_none_or(|lived| lived >= FLOW_LIVES) {
            self.short_flows = 0;
        }
        self.short_flows = self.short_flows.saturating_add(1);
        if self.short_flows == 1 {
            return self.register_anew(now);
        }
        let doubled = BACK_OFF.saturating_mul(1 << (self.short_flows - 2).min(10));
        let wait = self.jittered(doubled.min(BACK_OFF_MOST), 0.5);
        self.timers.cancel(Timer::Ping);
        self.timers.cancel(Timer::NotAlive);
        self.timers.set_sooner(Timer::Register, now + wait);
    }

    /// Puts the address that the registrar sees into our Contact; true if that is to be told to it.
    fn be_seen(&mut self, now: Instant, seen: Option<SocketAddr>) -> bool {
        let may_rebind = self.rebound_at.is_none_or(|at| now >= at + REBIND);
        if let Some(seen) = seen.filter(|seen| may_rebind && self.contact != Some(*seen)) {
            self.contact = Some(seen);
            self.rebound_at = Some(now);
            self.register_anew(now);
            return true;
        }
        false
    }

    fn failed(&mut self, now: Instant, failure: RegistrationFailure, retry_after_s: Option<u32>) {
        let reason = match (failure, self.settings.pace.full_again) {
            (RegistrationFailure::Refused(603), Some(again)) => {
                let asked = retry_after_s.map(|s| Duration::from_secs(s.into()));
                let again = asked.map_or(again, |asked| asked.max(again));
                let again = u32::try_from(again.as_secs()).ok();
                return self.wait(now, Reason::TooManyTelephones, again);
            }
            _ => Reason::Failed(failure),
        };
        if reason.is_passing() && self.tried < self.servers.len() {
            return self.try_next(now);
        }
        self.wait(now, reason, retry_after_s);
    }

    fn try_next(&mut self, now: Instant) {
        self.at = (self.at + 1) % self.servers.len().max(1);
        self.with_server_since = None;
        (self.ignored, self.is_ping_missed) = (0, false);
        self.attempt(now);
    }

    /// All servers have failed, or one has refused for good.
    fn wait(&mut self, now: Instant, reason: Reason, retry_after_s: Option<u32>) {
        let own = match (reason.is_passing(), self.outbound) {
            (true, Some(_)) if self.failures > 0 => {
                let doubled = OUTBOUND_BACK_OFF.saturating_mul(1 << (self.failures - 1).min(10));
                doubled.min(OUTBOUND_BACK_OFF_MOST)
            }
            (true, _) => {
                let pace = self.settings.pace;
                let doubled = pace.back_off.saturating_mul(1 << self.failures.min(10));
                doubled.min(pace.back_off_most)
            }
            (false, _) => REFUSED,
        };
        self.failures = self.failures.saturating_add(1);
        let asked = retry_after_s.map(|s| Duration::from_secs(s.into()).min(RETRY_AFTER_MOST));
        let wait = self.jittered(own, 0.5).max(asked.unwrap_or_default());
        self.phase = Phase::Waiting;
        (self.tried, self.at) = (0, 0);
        self.with_server_since = None;
        (self.ignored, self.is_ping_missed) = (0, false);
        self.timers.clear();
        self.timers.set(Timer::Register, now + wait);
        let since = match self.status {
            Status::Failing { since, .. } => since,
            _ => now,
        };
        self.show(Status::Failing { since, reason });
        if !self.servers.is_empty() {
            // They may have moved.
            self.outputs.push_back(Output::Resolve);
        }
    }

    fn due(&mut self, now: Instant, timer: Timer) {
        match (self.phase, timer) {
            (Phase::Registered, Timer::Register) => {
                let back_after = self.settings.pace.back_to_first;
                let is_long = self.with_server_since.is_some_and(|at| now >= at + back_after);
                if self.at > 0 && is_long && !self.is_busy {
                    (self.at, self.with_server_since) = (0, None);
                }
                self.tried = 0;
                self.attempt(now);
            }
            (Phase::Waiting | Phase::Trying, Timer::Register) => self.attempt(now),
            (Phase::Trying, Timer::NextServer) => self.try_next(now),
            (Phase::Registered, Timer::Ping) => {
                if let Some(server) = self.servers.get(self.at).copied() {
                    if self.ignored < IGNORED {
                        let within = self.outbound.map_or(ALIVE_WITHIN, |_| PONG_WITHIN);
                        self.timers.set(Timer::NotAlive, now + within);
                    }
                    self.outputs.push_back(Output::Ping { server });
                }
                let next = self.jittered(self.ping_every(), 0.8);
                // A registrar's Flow-Timer may be shorter than our patience: it is obeyed.
                let least = self.outbound.map_or(ALIVE_WITHIN + APART, |_| APART);
                self.timers.set(Timer::Ping, now + next.max(least));
            }
            (Phase::Registered, Timer::NotAlive) => self.not_alive(now),
            // What becomes of the REGISTER is told when the connection is gone.
            (Phase::Trying | Phase::Leaving, Timer::Silent) => {
                self.outputs.push_back(Output::DropFlow);
            }
            (Phase::Open, Timer::Watch) => self.look(now),
            (Phase::Leaving, Timer::Left) => self.leave(),
            _ => {}
        }
    }

    fn not_alive(&mut self, now: Instant) {
        if self.ignored < IGNORED {
            self.is_ping_missed = true;
            self.register_anew(now);
        }
    }

    fn stop(&mut self, now: Instant) {
        self.timers.clear();
        if !self.is_bound && self.phase != Phase::Trying {
            return self.leave();
        }
        if self.phase != Phase::Leaving {
            self.phase = Phase::Leaving;
            self.timers.set(Timer::Left, now + LEAVE_WITHIN);
            self.outputs.push_back(Output::Unregister);
        }
    }

    fn leave(&mut self) {
        self.phase = Phase::Over;
        self.timers.clear();
        self.show(Status::Left);
    }

    fn show(&mut self, status: Status) {
        if self.status != status {
            self.status = status;
            self.outputs.push_back(Output::Changed);
        }
    }

    /// Between this share of it and all, so that boxes that were started together do not stay
    /// together.
    fn jittered(&mut self, time: Duration, least: f64) -> Duration {
        jittered(&mut self.entropy, time, least)
    }
}

/// Between this share of a time and all of it.
pub(super) fn jittered(entropy: &mut Entropy, time: Duration, least: f64) -> Duration {
    let chance = f64::from(entropy.next_u32()) / f64::from(u32::MAX);
    time.mul_f64(least + (1.0 - least) * chance)
}

#[cfg(test)]
mod tests;
