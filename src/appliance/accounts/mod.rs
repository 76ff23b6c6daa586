//! The accounts: their state machines joined with the SIP line, the resolver and the board.
//!
//! Everything is done on the net thread but the asking for names. Invariant: after each public
//! function all machines are drained; what they wanted of the SIP core is in it, and the caller
//! takes what comes of that.

mod names;
mod outgoing;
mod plan;
mod provisioned;
mod resolver;
mod shown;

pub use outgoing::{NoTrunk, Trunk};
pub use plan::{Plan, Platform, WhenFull, plans};
pub use resolver::{Resolved, Resolver};
pub use shown::Shown;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tokio::sync::oneshot;
use tokio_rustls::rustls::pki_types::ServerName;

use super::clock::unix_ms;
use super::sip_line::{AccountNews, SipLine};
use crate::base::Entropy;
use crate::base::handshake::IceSide;
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::{self, AccountId, Flow, FoundBy, Presence, RegistrationFailure, RegistrationNews};
use crate::trunk::{Account, Callers, Input, Output, Standing, Status};
use crate::web::AccountReport;
use provisioned::Telling;

struct Held {
    plan: Plan,
    machine: Account,
    deadline: Option<Instant>,
    /// Our address on the way to its server when it was registered last.
    local: Option<SocketAddr>,
    /// The names have been asked for.
    is_resolving: bool,
    /// When to ask for the names again.
    resolve_at: Option<Instant>,
    /// The log has said that it is registered.
    is_logged: bool,
    /// Calls of it that are up.
    calls: usize,
    /// Of one of RingCentral's: what else is known of it.
    telling: Telling,
    /// Who wants to know how it is.
    tried_for: Option<oneshot::Sender<AccountReport>>,
}

/// See the module. `Debug` shows no address.
pub struct Accounts {
    all: Vec<Held>,
    callers: Callers,
    resolver: Resolver,
    has_changed: bool,
    /// Accounts may register.
    is_started: bool,
    /// The account that a call without a wish went through last.
    last_taken: usize,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accounts({}, {:?})", self.all.len(), self.callers)
    }
}

impl Accounts {
    pub fn new(
        plans: Vec<Plan>,
        callers: Callers,
        resolver: Resolver,
        entropy: &mut Entropy,
    ) -> Self {
        let all = plans.into_iter().map(|plan| {
            let machine = Account::new(plan.settings(), entropy.fork());
            Held {
                plan,
                machine,
                deadline: None,
                local: None,
                is_resolving: false,
                resolve_at: None,
                is_logged: false,
                calls: 0,
                telling: Telling::new(entropy.fork()),
                tried_for: None,
            }
        });
        let all = all.collect();
        Self { all, callers, resolver, has_changed: true, is_started: false, last_taken: 0 }
    }

    /// No account, and anyone may call.
    #[cfg(test)]
    pub fn none() -> Self {
        let mut entropy = Entropy::new([0; 32]);
        let (resolver, _) = Resolver::new(entropy.fork());
        Self::new(Vec::new(), Callers::anyone(), resolver, &mut entropy)
    }

    /// Who may call before any name is known.
    pub fn open(&self) -> sip::Command {
        sip::Command::LetIn(self.callers.sources())
    }

    /// Whether a call from this address is encrypted, where that is the address of an account's server: of
    /// several accounts the one that wants it most decides.
    pub fn srtp_of(&self, address: IpAddr) -> Option<Srtp> {
        let accounts = self.callers.accounts_at(address);
        accounts.filter_map(|account| self.all.get(account)).map(|held| held.plan.srtp).max()
    }

    /// How a call to this address brings keys, where that is the address of an account's server: the first
    /// account decides.
    pub fn keys_of(&self, address: IpAddr) -> Option<OfferedKeys> {
        let mut accounts = self.callers.accounts_at(address);
        accounts.find_map(|account| self.all.get(account)?.plan.keys)
    }

    /// Whether a remote agent holds a call from this address, where that is the address of an account's server:
    /// the first account that says anything decides.
    pub fn agent_of(&self, address: IpAddr) -> Option<bool> {
        let mut accounts = self.callers.accounts_at(address);
        accounts.find_map(|account| self.all.get(account)?.plan.agent)
    }

    /// Our side of ICE in a call from or to this address; the same.
    pub fn ice_of(&self, address: IpAddr) -> Option<IceSide> {
        let mut accounts = self.callers.accounts_at(address);
        accounts.find_map(|account| self.all.get(account)?.plan.ice)
    }

    /// The soonest deadline of all.
    pub fn deadline(&self) -> Option<Instant> {
        let times = self.all.iter().flat_map(|held| [held.deadline, held.resolve_at]);
        times.flatten().min()
    }

    /// Whether the end of some is still to be waited for.
    pub fn are_leaving(&self) -> bool {
        self.all.iter().any(|held| held.machine.is_leaving())
    }

    /// All accounts, if anything has changed since the last time.
    pub fn take_change(&mut self) -> Option<Vec<Shown>> {
        std::mem::take(&mut self.has_changed).then(|| self.all.iter().map(Held::shown).collect())
    }

    /// Gives every account the same.
    pub fn all(&mut self, now: Instant, input: &Input, sip: &mut SipLine) {
        self.is_started |= matches!(input, Input::Start);
        for index in 0..self.all.len() {
            // What it registers with comes later.
            if self.all.get(index).is_some_and(|held| held.plan.is_provisioned()) {
                self.give(now, index, input.clone(), sip);
            }
        }
    }

    /// Finds out now how an account is, and tells it. Whoever wanted to know before is told nothing.
    pub fn try_line(
        &mut self,
        now: Instant,
        name: &str,
        told: oneshot::Sender<AccountReport>,
        sip: &mut SipLine,
    ) {
        let Some(index) = self.all.iter().position(|held| held.plan.name == name) else { return };
        if let Some(held) = self.all.get_mut(index) {
            held.tried_for = Some(told);
        }
        self.give(now, index, Input::Try, sip);
        let is_watched = |held: &Held| {
            let settings = held.plan.settings();
            settings.registers || !settings.keep_alive.is_zero()
        };
        if let Some(held) = self.all.get_mut(index).filter(|held| !is_watched(held)) {
            // Nothing is asked of a server that is not watched.
            held.tell(now);
        }
    }

    pub fn resolved(&mut self, now: Instant, answer: Resolved, sip: &mut SipLine) {
        let Resolved { account, servers, names, valid } = answer;
        let Some(held) = self.all.get_mut(account) else { return };
        held.is_resolving = false;
        held.resolve_at = Some(now + valid);
        let id = u32::try_from(account).ok().map(AccountId);
        for (server, name) in names {
            if let Ok(name) = ServerName::try_from(name) {
                sip.know(id, server, name);
            }
        }
        self.callers.learn(account, servers.iter().map(|server| server.address.ip()));
        sip.command(now, self.open());
        self.give(now, account, Input::Servers(servers), sip);
    }

    pub fn news(&mut self, now: Instant, id: AccountId, news: AccountNews, sip: &mut SipLine) {
        if let (AccountNews::Registration(news), Some(held)) =
            (&news, self.all.get_mut(id.0 as usize))
            && held.plan.platform.is_some()
        {
            held.telling.heard(*news);
        }
        let input = match news {
            AccountNews::Registration(news) => Input::News(news),
            AccountNews::Presence(server, presence, by) => Input::Presence(server, presence, by),
        };
        self.give(now, id.0 as usize, input, sip);
    }

    pub fn timeout(&mut self, now: Instant, sip: &mut SipLine) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        for index in 0..self.all.len() {
            if self.all.get(index).is_some_and(|held| due(held.resolve_at)) {
                self.resolve(index);
            }
            if self.all.get(index).is_some_and(|held| due(held.deadline)) {
                self.give(now, index, Input::Timeout, sip);
            }
        }
    }

    fn resolve(&mut self, index: usize) {
        let Some(held) = self.all.get_mut(index) else { return };
        held.resolve_at = None;
        if !std::mem::replace(&mut held.is_resolving, true) {
            self.resolver.ask(index, held.plan.places.clone(), held.plan.transports.clone());
        }
    }

    fn give(&mut self, now: Instant, index: usize, input: Input, sip: &mut SipLine) {
        let has_word = matches!(input, Input::News(_) | Input::Presence(..));
        self.carry(now, index, input, sip);
        let held = self.all.get_mut(index).filter(|held| has_word && !held.machine.is_trying());
        if let Some(held) = held {
            held.tell(now);
        }
    }

    fn carry(&mut self, now: Instant, index: usize, input: Input, sip: &mut SipLine) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let Some(held) = self.all.get_mut(index) else { return };
            held.machine.handle(now, input);
            while let Some(held) = self.all.get_mut(index) {
                match held.machine.poll_output() {
                    Output::Timeout(at) => {
                        held.deadline = at;
                        break;
                    }
                    output => inputs.extend(self.carry_out(now, index, output, sip)),
                }
            }
        }
    }

    /// What an account wants; gives what it is to be told of that at once.
    fn carry_out(
        &mut self,
        now: Instant,
        index: usize,
        output: Output,
        sip: &mut SipLine,
    ) -> Option<Input> {
        let held = self.all.get_mut(index)?;
        let id = AccountId(u32::try_from(index).ok()?);
        match output {
            Output::Resolve => self.resolve(index),
            Output::Register { server, contact } => {
                let Some(flow) = sip.flow_towards(Some(id), server) else {
                    let failure = RegistrationFailure::Unreachable;
                    let failed = RegistrationNews::Failed { failure, retry_after_s: None };
                    return Some(Input::News(failed));
                };
                held.local = Some(flow.local);
                let register = Box::new(held.plan.register(flow, contact)?);
                sip.command(now, sip::Command::Register { id, register });
            }
            Output::Ping { server } => {
                let flow = sip.flow_towards(Some(id), server);
                if flow.is_some_and(|flow| held.local != Some(flow.local)) {
                    return Some(Input::AddressChanged);
                }
                sip.command(now, sip::Command::Ping { id });
            }
            Output::Probe { server } => match sip.flow_towards(Some(id), server) {
                Some(flow) => {
                    let probe = Box::new(held.plan.probe(id, flow));
                    sip.command(now, sip::Command::Probe { probe });
                }
                None => {
                    return Some(Input::Presence(server, Presence::Unreachable, FoundBy::Probe));
                }
            },
            Output::Unregister => sip.command(now, sip::Command::Unregister { id }),
            Output::DropFlow => sip.command(now, sip::Command::DropFlow { id }),
            Output::Changed => {
                self.has_changed = true;
                held.log(now);
            }
            Output::Timeout(_) => {}
        }
        None
    }
}

impl Plan {
    fn probe(&self, account: AccountId, flow: Flow) -> sip::Probe {
        let (target, from) = (self.registrar.clone(), self.address_of_record.clone());
        sip::Probe { account, flow, target, from }
    }

    /// `None` without a password: such an account does not register.
    fn register(&self, flow: Flow, contact: Option<SocketAddr>) -> Option<sip::Register> {
        Some(sip::Register {
            flow,
            registrar: self.registrar.clone(),
            address_of_record: self.address_of_record.clone(),
            contact_user: self.user.clone(),
            contact,
            expires_s: self.expires_s,
            instance: self.instance.clone(),
            credentials: self.credentials.clone()?,
            dialect: self.dialect,
        })
    }
}

impl Held {
    fn shown(&self) -> Shown {
        Shown {
            name: self.plan.name.clone(),
            status: self.machine.status(),
            platform: self.telling.faults().to_vec(),
        }
    }

    fn tell(&mut self, now: Instant) {
        if let Some(told) = self.tried_for.take() {
            // Whoever asked may have gone.
            let _ = told.send(self.shown().report(now, unix_ms()));
        }
    }

    /// A registration that is renewed is no news.
    fn log(&mut self, now: Instant) {
        let account = &self.plan.name;
        let status = self.machine.status();
        let was_logged =
            std::mem::replace(&mut self.is_logged, matches!(status, Status::Registered { .. }));
        match status {
            Status::Registered { until } if !was_logged => {
                let seconds = until.saturating_duration_since(now).as_secs();
                let keeps_stream = self.machine.has_kept_stream();
                tracing::info!(trunk = account, seconds, keeps_stream, "registered");
            }
            Status::Failing { reason, .. } => {
                tracing::warn!(trunk = account, %reason, "not registered")
            }
            Status::Open(Standing { used, of, gone: 0 }) => {
                tracing::info!(trunk = account, server = used, of, "open");
            }
            Status::Open(Standing { used, of, gone }) => {
                tracing::warn!(
                    trunk = account,
                    server = used,
                    of,
                    gone,
                    "open, but not all servers answer"
                );
            }
            Status::Unreachable { reason, of, .. } => {
                tracing::warn!(trunk = account, %reason, of, "no server answers");
            }
            Status::Left => tracing::info!(trunk = account, "registration ended"),
            Status::Registered { .. } | Status::Registering => {}
        }
    }
}

#[cfg(test)]
mod tests;
