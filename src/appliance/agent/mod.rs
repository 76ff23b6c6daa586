//! Connects calls with remote agents: a signed address over HTTPS, then a WebSocket, one for each call.
//!
//! ```text
//!  Prepare ─▶ signed address ─────────────────────┐
//!  Connect ─▶ seconds set aside ─▶ on the disk ───┴─▶ WebSocket ─▶ Opened … Ended ─▶ settled
//! ```
//!
//! Each connection is a task of the net runtime. The address and the key never reach a log, and what is
//! said goes to the call alone. Invariants: before `Connect` nothing is connected, nothing is set aside, and few
//! addresses are asked for however many calls ring; no connection outlasts the seconds that were set aside for it;
//! what was set aside is settled once.

mod address;
mod connection;
mod control;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use crate::appliance::llm::Address;
use crate::appliance::llm::breaker::Breaker;
use crate::appliance::llm::http::Server;
use crate::appliance::stream;
use crate::appliance::trust::Roots;
use crate::base::day::Clock;
use crate::base::{CallId, Private, WorkId, limits};
use crate::converse::agent::allowance::{Allowance, Limits};
use crate::converse::agent::{Command, End, Event, Fault, Initiation};
use crate::store::ledger::LedgerFile;
use address::Place;
use connection::{Grant, Wanted};
use control::Control;

/// Events that wait for the net thread, with a second of sound each at most.
const EVENTS: usize = 64;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the provider's interface is.
    pub server: Address,
    /// The agent of calls whose playbook names none.
    pub agent: String,
    /// `None`: the agent is open to everybody, and connected without a signed address.
    pub key: Option<Private<String>>,
    pub roots: Roots,
    pub limits: Limits,
    pub patience: Patience,
}

/// How long is waited for an agent.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For an address, and for a connection.
    pub connect: Duration,
    /// Without a single message.
    pub silence: Duration,
    /// While it takes nothing.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: limits::AGENT_CONNECT,
            silence: limits::AGENT_SILENCE,
            stall: limits::AGENT_STALL,
        }
    }
}

/// Something of a connection, for the net thread.
#[derive(Debug)]
pub struct AgentEvent {
    connection: Connection,
    what: What,
}

/// One connection; calls that are dialled again number their work anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Connection(u64);

#[derive(Debug)]
enum What {
    Event(Event),
    /// The task is over; the connection was open for so long.
    Over {
        end: End,
        used: Duration,
    },
}

/// What there is to show of agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub used_today_s: u32,
    pub per_day_s: u32,
    /// The last that was wrong, until one works again.
    pub fault: Option<Fault>,
    /// Types that are not known here, and messages that cannot be read.
    pub unknown: u64,
    pub malformed: u64,
}

/// What the net thread holds of remote agents.
#[derive(Debug)]
pub struct Agents {
    shared: Arc<Shared>,
    limits: Limits,
    open: HashMap<Connection, Open>,
    last: Connection,
    /// Seconds that each call has used with connections that are over, until the call is.
    used: HashMap<CallId, u32>,
    allowance: Allowance,
    file: LedgerFile<Allowance>,
    clock: fn() -> Clock,
}

#[derive(Debug)]
struct Open {
    call: CallId,
    work: WorkId,
    control: Arc<Control>,
    granted: u32,
    /// The call wants nothing of it any more.
    is_dropped: bool,
}

struct Shared {
    server: Server,
    address: Address,
    agent: String,
    key: Option<Private<String>>,
    tls: TlsConnector,
    /// Addresses that were signed and not used.
    kept: Mutex<Vec<Place>>,
    breaker: Mutex<Breaker>,
    patience: Patience,
    figures: Mutex<Figures>,
    events: mpsc::Sender<AgentEvent>,
}

impl Agents {
    /// `kept`: the seconds that were used, and where they are written. To be used within the runtime that
    /// the connections shall run in.
    pub fn new(
        settings: Settings,
        kept: (Allowance, LedgerFile<Allowance>),
        clock: fn() -> Clock,
    ) -> (Self, mpsc::Receiver<AgentEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let Settings { server: address, agent, key, roots, limits, patience } = settings;
        let (mut allowance, file) = kept;
        let used_today_s = allowance.used(clock());
        let figures = Figures { used_today_s, per_day_s: limits.per_day, ..Figures::default() };
        let shared = Shared {
            server: Server::new(address.clone(), None, roots.clone()),
            address,
            agent,
            key,
            tls: stream::connector(roots),
            kept: Mutex::default(),
            breaker: Mutex::new(Breaker::default()),
            patience,
            figures: Mutex::new(figures),
            events,
        };
        let (open, used) = (HashMap::new(), HashMap::new());
        let (shared, last) = (Arc::new(shared), Connection(0));
        (Self { shared, limits, open, last, used, allowance, file, clock }, receiver)
    }

    pub fn figures(&mut self) -> Figures {
        let used_today_s = self.allowance.used((self.clock)());
        Figures { used_today_s, ..*lock(&self.shared.figures) }
    }

    pub fn ask(&mut self, call: CallId, work: WorkId, command: Command) {
        match (command, self.wanted(call, work)) {
            (Command::Prepare { agent }, _) => self.prepare(call, work, agent),
            (_, None) => (),
            (Command::Connect(initiation), Some(_)) => self.connect(call, work, initiation),
            (Command::Send(message), Some(open)) => open.control.send(message),
            (Command::Read(reads), Some(open)) => open.control.read(reads),
        }
    }

    /// The connection under this work that its call still wants.
    fn wanted(&mut self, call: CallId, work: WorkId) -> Option<&mut Open> {
        let is_it = |open: &&mut Open| open.call == call && open.work == work && !open.is_dropped;
        self.open.values_mut().find(is_it)
    }

    /// Finds out where the agent is; where nothing is left to talk to it with, nothing is found out.
    fn prepare(&mut self, call: CallId, work: WorkId, agent: Option<String>) {
        let used = *self.used.entry(call).or_default();
        let refused = match self.limits.per_call.saturating_sub(used) {
            0 => Some(Fault::CallSeconds),
            _ if self.allowance.left((self.clock)(), self.limits) == 0 => Some(Fault::DaySeconds),
            _ => None,
        };
        let control = Arc::new(Control::default());
        self.last = Connection(self.last.0 + 1);
        let open =
            Open { call, work, control: Arc::clone(&control), granted: 0, is_dropped: false };
        self.open.insert(self.last, open);
        let agent = agent.unwrap_or_else(|| self.shared.agent.clone());
        let wanted = Wanted { call, connection: self.last, agent, control, refused };
        tokio::spawn(connection::run(Arc::clone(&self.shared), wanted));
    }

    /// Sets aside what the connection may use, and lets it be made.
    fn connect(&mut self, call: CallId, work: WorkId, initiation: Box<Initiation>) {
        let used = self.used.get(&call).copied().unwrap_or_default();
        let left = self.limits.per_call.saturating_sub(used);
        let granted = match left {
            0 => Err(Fault::CallSeconds),
            left => {
                let granted = self.allowance.reserve((self.clock)(), self.limits, call, left);
                granted.ok_or(Fault::DaySeconds)
            }
        };
        let grant = granted.map(|seconds| Grant {
            seconds,
            // Seconds that are less than the call may have are the day's last ones.
            cap: if seconds < left { Fault::DaySeconds } else { Fault::CallSeconds },
            written: self.file.write(&self.allowance).map(|n| (n, self.file.written())),
        });
        if let Some(open) = self.wanted(call, work) {
            open.granted = granted.unwrap_or(0);
            open.control.connect((initiation, grant));
        }
    }

    /// Closes the connection. False if there is no such work.
    pub fn cancel(&mut self, call: CallId, work: WorkId) -> bool {
        match self.wanted(call, work) {
            Some(open) => {
                open.is_dropped = true;
                open.control.close();
                true
            }
            None => false,
        }
    }

    pub fn cancel_all(&mut self, call: CallId) {
        for open in self.open.values_mut().filter(|open| open.call == call) {
            open.is_dropped = true;
            open.control.close();
        }
        self.used.remove(&call);
    }

    /// What the event is to its call, if the call still wants it.
    pub fn event(&mut self, event: AgentEvent) -> Option<(CallId, WorkId, Event)> {
        let AgentEvent { connection, what } = event;
        let (open, event) = match what {
            What::Event(event) => {
                let Open { call, work, is_dropped, .. } = self.open.get(&connection)?;
                ((*call, *work, *is_dropped), event)
            }
            What::Over { end, used } => {
                let Open { call, work, granted, is_dropped, .. } = self.open.remove(&connection)?;
                self.settle(call, granted, used);
                ((call, work, is_dropped), Event::Ended(end))
            }
        };
        let (call, work, is_dropped) = open;
        (!is_dropped).then_some((call, work, event))
    }

    /// A second that was begun counts as one, and none beyond what was set aside: the connection was
    /// closed by then.
    fn settle(&mut self, call: CallId, granted: u32, used: Duration) {
        let begun = used.as_nanos().div_ceil(Duration::from_secs(1).as_nanos());
        let used = u32::try_from(begun).unwrap_or(u32::MAX).min(granted);
        if granted > 0 {
            self.allowance.settle((self.clock)(), call, granted, used);
            if self.file.write(&self.allowance).is_none() {
                // What was set aside stays counted until the next time.
                tracing::warn!(%call, "the agent's seconds are not written down: the disk is too slow");
            }
        }
        if let Some(sum) = self.used.get_mut(&call) {
            *sum = sum.saturating_add(used);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({:?})", self.address)
    }
}

impl Shared {
    fn admits(&self) -> bool {
        lock(&self.breaker).admits(Instant::now())
    }

    fn succeeded(&self) {
        lock(&self.breaker).succeeded();
        self.note(None);
    }

    fn failed(&self, fault: Fault) {
        if fault.is_the_agents() {
            lock(&self.breaker).failed(Instant::now(), fault.is_lasting());
            self.note(Some(fault));
        }
    }

    fn note(&self, fault: Option<Fault>) {
        lock(&self.figures).fault = fault;
    }

    fn count(&self, is_known: bool) {
        let mut figures = lock(&self.figures);
        match is_known {
            true => figures.malformed += 1,
            false => figures.unknown += 1,
        }
    }

    async fn give(&self, connection: Connection, what: What) {
        // The receiver lives as long as the program.
        let _ = self.events.send(AgentEvent { connection, what }).await;
    }
}

/// No one panics while holding one of these locks, and what they hold is sound at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
