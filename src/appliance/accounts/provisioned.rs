//! Accounts of RingCentral's among the others: what they register with comes from the platform, several
//! are used in turn, and each has a few calls only.

use std::time::{Duration, Instant};

use super::outgoing::NoTrunk;
use super::{Accounts, Held, Plan, Platform};
use crate::appliance::config::{self, Place};
use crate::appliance::sip_line::SipLine;
use crate::base::handshake::IceSide;
use crate::base::{Entropy, Private, limits};
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::digest::Credentials;
use crate::sip::message::{Uri, host_and_port};
use crate::sip::{AccountId, Dialect, RegistrationFailure, RegistrationNews, Transport};
use crate::trunk::ringcentral::{Dropped, Mode, Provision};
use crate::trunk::{Account, Input, Pace, Settings};

/// Within these a first server is gone back to, whatever the platform says.
const SWITCH_BACK_LEAST_S: u32 = 10;
const DAY_S: u32 = 86_400;

/// What is known of an account besides its registration.
#[derive(Debug)]
pub(super) struct Telling {
    entropy: Entropy,
    faults: Vec<String>,
    has_events: bool,
    /// Events of it that were not taken.
    dropped: Dropped,
    /// The way to it was lost since it was registered last.
    was_lost: bool,
    /// It is registered again after that, and nobody knows yet.
    is_back: bool,
    /// The registrar does not believe it, and nobody knows yet.
    is_disbelieved: bool,
}

impl Telling {
    pub const fn new(entropy: Entropy) -> Self {
        Self {
            entropy,
            faults: Vec::new(),
            has_events: false,
            dropped: Dropped { stale: 0, unreadable: 0 },
            was_lost: false,
            is_back: false,
            is_disbelieved: false,
        }
    }

    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    pub const fn has_events(&self) -> bool {
        self.has_events
    }

    pub fn heard(&mut self, news: RegistrationNews) {
        use RegistrationFailure as F;
        match news {
            RegistrationNews::Registered { .. } => {
                self.is_back |= std::mem::take(&mut self.was_lost);
            }
            RegistrationNews::FlowLost
            | RegistrationNews::Failed { failure: F::Unreachable | F::Unanswered, .. } => {
                self.was_lost = true;
            }
            RegistrationNews::Failed {
                failure: F::Disbelieved | F::NotForUs | F::Refused(403 | 404),
                ..
            } => self.is_disbelieved = true,
            RegistrationNews::Failed { .. }
            | RegistrationNews::Unregistered
            | RegistrationNews::Alive { .. }
            | RegistrationNews::Silent => {}
        }
    }
}

impl Held {
    pub(super) fn is_full(&self) -> bool {
        self.plan.platform.is_some() && self.calls >= limits::RINGCENTRAL_CALLS
    }
}

impl Plan {
    pub(super) fn is_provisioned(&self) -> bool {
        self.platform.as_ref().is_none_or(|platform| platform.is_provisioned)
    }

    pub(super) const fn settings(&self) -> Settings {
        Settings { keep_alive: self.keep_alive, registers: self.registers, pace: self.pace }
    }

    /// An account of RingCentral's before anything is known of it.
    pub(super) fn awaiting(section: usize, account: &config::RingCentral) -> Self {
        // Its media servers are found by checks of ours, wherever the box is.
        let (keys, ice) = match account.mode {
            Mode::WebPhone => (OfferedKeys::Dtls, Some(IceSide::Full)),
            Mode::Device => (OfferedKeys::Sdes, None),
        };
        let (dialect, pace, expires_s) = match account.mode {
            Mode::WebPhone => (Dialect::WebPhone, Pace::WEB_PHONE, 60),
            Mode::Device => (Dialect::Softphone, Pace::SOFTPHONE, 3_600),
        };
        Self {
            name: account.name.clone(),
            transports: Vec::new(),
            registrar: Private::default(),
            address_of_record: Private::default(),
            user: Private::default(),
            credentials: None,
            registers: true,
            number_prefix: account.number_prefix.clone(),
            caller_id: account.caller_id.clone(),
            answer: account.answered_by,
            agent: None,
            expires_s,
            keep_alive: Duration::from_secs(25),
            instance: None,
            srtp: Srtp::Required,
            keys: Some(keys),
            ice,
            places: Vec::new(),
            dialect,
            pace,
            platform: Some(Platform {
                is_provisioned: false,
                section,
                answers_by_control: account.answers_by_control,
                is_account_wide: account.is_account_wide,
                when_full: account.when_full.clone(),
            }),
        }
    }

    fn provision(&mut self, provision: &Provision, entropy: &mut Entropy) {
        let Provision { mode, domain, username, password, authorization_id, proxies, .. } =
            provision;
        if let Some(seconds) = provision.switch_back_s {
            let wait = Duration::from_secs(seconds.clamp(SWITCH_BACK_LEAST_S, DAY_S).into());
            // Those that came together to the backup do not go back together.
            let chance = f64::from(entropy.next_u32()) / f64::from(u32::MAX);
            self.pace.back_to_first = wait.mul_f64(1.0 + chance / 2.0);
        }
        let Some((host, port)) = host_and_port(domain) else { return };
        let registrar = Uri::sip(None, host.clone(), port);
        self.registrar = Private::new(registrar.to_string());
        let address = Uri::sip(Some(username.reveal()), host, port);
        self.address_of_record = Private::new(address.to_string());
        self.user = username.clone();
        self.credentials = Some(Credentials {
            username: authorization_id.clone(),
            password: password.clone(),
            realm: Some(domain.clone()),
            over: Some(self.registrar.clone()),
        });
        let is_secure = proxies.iter().all(|proxy| proxy.is_secure);
        self.transports = vec![match mode {
            Mode::WebPhone if is_secure => Transport::Wss,
            Mode::WebPhone => Transport::Ws,
            Mode::Device => Transport::Tls,
        }];
        let places = proxies.iter().filter_map(|proxy| host_and_port(&proxy.place));
        self.places = places.map(|(host, port)| Place { host, port }).collect();
        if let Some(platform) = &mut self.platform {
            platform.is_provisioned = true;
        }
    }
}

impl Accounts {
    /// The account of a section `[[ringcentral]]`.
    pub fn of_section(&self, section: usize) -> Option<AccountId> {
        let is_it = |held: &Held| {
            held.plan.platform.as_ref().is_some_and(|platform| platform.section == section)
        };
        let at = self.all.iter().position(is_it)?;
        u32::try_from(at).ok().map(AccountId)
    }

    /// The number of the section `[[ringcentral]]` of this name.
    pub fn section_of(&self, name: &str) -> Option<usize> {
        let held = self.all.iter().find(|held| held.plan.name == name)?;
        held.plan.platform.as_ref().map(|platform| platform.section)
    }

    /// What is RingCentral's of an account; `None`: it is not one of those.
    pub fn platform(&self, id: AccountId) -> Option<&Platform> {
        self.all.get(id.0 as usize)?.plan.platform.as_ref()
    }

    /// Who we are to its registrar, and so to whom messages are for.
    pub fn authorization_id(&self, id: AccountId) -> Option<&str> {
        let credentials = self.all.get(id.0 as usize)?.plan.credentials.as_ref()?;
        Some(credentials.username.reveal())
    }

    /// What an account registers with has come, for the first time or anew.
    pub fn provision(
        &mut self,
        now: Instant,
        id: AccountId,
        provision: &Provision,
        sip: &mut SipLine,
    ) {
        let index = id.0 as usize;
        let Some(held) = self.all.get_mut(index) else { return };
        held.plan.provision(provision, &mut held.telling.entropy);
        let settings = held.plan.settings();
        held.machine = Account::new(settings, held.telling.entropy.fork());
        held.machine.set_busy(held.calls > 0);
        (held.deadline, held.is_resolving, held.resolve_at) = (None, false, None);
        self.has_changed = true;
        if self.is_started {
            self.give(now, index, Input::Start, sip);
        }
    }

    /// What the platform does not do for an account.
    pub fn set_faults(&mut self, id: AccountId, faults: Vec<String>) {
        if let Some(held) = self.all.get_mut(id.0 as usize) {
            let account = &held.plan.name;
            faults.iter().for_each(|fault| tracing::warn!(account, fault, "RingCentral"));
            held.telling.faults = faults;
            self.has_changed = true;
        }
    }

    /// Whether its telephony events come.
    pub fn set_events(&mut self, id: AccountId, has_events: bool) {
        if let Some(held) = self.all.get_mut(id.0 as usize) {
            let account = &held.plan.name;
            tracing::info!(account, has_events, "RingCentral's telephony events");
            held.telling.has_events = has_events;
        }
    }

    /// How many of its events were not taken so far.
    pub fn set_dropped(&mut self, id: AccountId, dropped: Dropped) {
        if let Some(held) = self.all.get_mut(id.0 as usize) {
            held.telling.dropped = dropped;
        }
    }

    /// The same of all accounts together; `None`: there is none of RingCentral's.
    pub fn dropped(&self) -> Option<Dropped> {
        let all = self.all.iter().filter(|held| held.plan.platform.is_some());
        all.map(|held| held.telling.dropped).reduce(|a, b| Dropped {
            stale: a.stale + b.stale,
            unreadable: a.unreadable + b.unreadable,
        })
    }

    pub fn has_events(&self, id: AccountId) -> bool {
        self.all.get(id.0 as usize).is_some_and(|held| held.telling.has_events)
    }

    /// Accounts that are registered again after the way to them was lost, told once.
    pub fn take_back(&mut self) -> Vec<AccountId> {
        self.take(|telling| std::mem::take(&mut telling.is_back))
    }

    /// Accounts whose registrar does not believe them, told once.
    pub fn take_disbelieved(&mut self) -> Vec<AccountId> {
        self.take(|telling| std::mem::take(&mut telling.is_disbelieved))
    }

    fn take(&mut self, is_it: impl Fn(&mut Telling) -> bool) -> Vec<AccountId> {
        let all = (0..).map(AccountId).zip(&mut self.all);
        all.filter_map(|(id, held)| is_it(&mut held.telling).then_some(id)).collect()
    }

    /// A call of an account begins.
    pub fn call_begins(&mut self, id: Option<AccountId>) {
        if let Some(held) = id.and_then(|id| self.all.get_mut(id.0 as usize)) {
            held.calls += 1;
            held.machine.set_busy(true);
            self.last_taken = id.map_or(0, |id| id.0 as usize);
        }
    }

    /// It is over.
    pub fn call_ends(&mut self, id: Option<AccountId>) {
        if let Some(held) = id.and_then(|id| self.all.get_mut(id.0 as usize)) {
            held.calls = held.calls.saturating_sub(1);
            held.machine.set_busy(held.calls > 0);
        }
    }

    /// The account of this name. Without one the first; where that is one of RingCentral's, those are used
    /// in turn, and one that has no room or is not registered is passed over while another can be had.
    pub(super) fn in_turn(&self, name: Option<&str>) -> Result<(AccountId, &Held), NoTrunk> {
        let (id, first) = self.find(name)?;
        if name.is_some() || first.plan.platform.is_none() {
            return Ok((id, first));
        }
        let pool = (0..).map(AccountId).zip(&self.all);
        let pool = pool.filter(|(_, held)| held.plan.platform.is_some());
        let usable = pool.filter(|(_, held)| !held.machine.servers().is_empty() && !held.is_full());
        let (after, before): (Vec<_>, Vec<_>) =
            usable.partition(|(id, _)| id.0 as usize > self.last_taken);
        Ok(after.into_iter().chain(before).next().unwrap_or((id, first)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use super::*;
    use crate::appliance::accounts::Resolver;
    use crate::appliance::config::from_text;
    use crate::appliance::sip_line::AccountNews;
    use crate::appliance::sip_socket::{Listen, SipSockets, Tls};
    use crate::appliance::trust::Roots;
    use crate::sip::{self, Server, UserAgent};
    use crate::trunk::Callers;
    use crate::trunk::dialling::NumberPlan;
    use crate::trunk::ringcentral::Proxy;

    const ONE: AccountId = AccountId(0);
    const TWO: AccountId = AccountId(1);

    fn provision(number: &str) -> Provision {
        let private = |text: &str| Private::new(text.to_owned());
        Provision {
            mode: Mode::WebPhone,
            domain: "sip.ringcentral.com".to_owned(),
            username: private(&format!("17205550100*{number}")),
            password: private("hush"),
            authorization_id: private(number),
            proxies: vec![Proxy { place: "127.0.0.1:9".to_owned(), is_secure: false }],
            switch_back_s: None,
            device_id: Private::new(None),
        }
    }

    async fn desk(rest: &str) -> (Accounts, SipLine) {
        let listen =
            Listen { transport: Transport::Udp, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let (sockets, _arrivals) =
            SipSockets::open(&[listen], Tls::client(Roots::default())).await.unwrap();
        let mut entropy = Entropy::new([1; 32]);
        let agent = UserAgent::new(sip::Settings::default(), entropy.fork());
        let text = ["one", "two"]
            .map(|name| format!("[[ringcentral]]\nname = \"{name}\"\nclient_id = \"x\"\n{rest}\n"));
        let config = from_text(&text.concat()).unwrap();
        let plans = (0..).zip(&config.ringcentral);
        let plans = plans.map(|(section, account)| Plan::awaiting(section, account)).collect();
        let (resolver, _resolved) = Resolver::new(entropy.fork());
        let callers = Callers::new(false, true, Vec::new());
        (Accounts::new(plans, callers, resolver, &mut entropy), SipLine::new(agent, sockets))
    }

    fn register(accounts: &mut Accounts, id: AccountId, sip: &mut SipLine) {
        let now = Instant::now();
        accounts.provision(now, id, &provision("101"), sip);
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let server = Server { transport: Transport::Ws, address };
        accounts.give(now, id.0 as usize, Input::Servers(vec![server]), sip);
        let registered = RegistrationNews::Registered { expires_s: 50, seen: None, outbound: None };
        accounts.news(now, id, AccountNews::Registration(registered), sip);
    }

    #[tokio::test]
    async fn extensions_are_used_in_turn_and_none_has_more_calls_than_it_may() {
        let (mut accounts, mut sip) = desk("answered_by = \"sip-200\"").await;
        let number = NumberPlan::default().normalise("+1 650 5550111").unwrap();
        accounts.all(Instant::now(), &Input::Start, &mut sip);
        let none = accounts.trunk(None, &number, &mut sip).err();
        assert_eq!(none, Some(NoTrunk::NotReady("one".to_owned())));
        register(&mut accounts, TWO, &mut sip);
        let mut next = |accounts: &mut Accounts, name: Option<&str>| {
            let trunk = accounts.trunk(name, &number, &mut sip)?;
            accounts.call_begins(trunk.invite.flow.account);
            Ok::<_, NoTrunk>(trunk)
        };
        let trunk = next(&mut accounts, None).ok().unwrap();
        assert_eq!((trunk.name.as_str(), trunk.invite.flow.account), ("two", Some(TWO)));
        assert_eq!(trunk.invite.target.reveal(), "sip:+16505550111@sip.ringcentral.com");
        let credentials = trunk.invite.credentials.unwrap();
        assert_eq!(credentials.over.unwrap().reveal(), "sip:sip.ringcentral.com");
        register(&mut accounts, ONE, &mut sip);
        let mut next = |accounts: &mut Accounts, name: Option<&str>| {
            let trunk = accounts.trunk(name, &number, &mut sip)?;
            accounts.call_begins(trunk.invite.flow.account);
            Ok::<_, NoTrunk>(trunk.name)
        };
        let mut used = Vec::new();
        while let Ok(name) = next(&mut accounts, None) {
            used.push(name);
        }
        assert_eq!(used.len(), 2 * limits::RINGCENTRAL_CALLS - 1);
        assert_eq!(used[..4], ["one", "two", "one", "two"]);
        let full = NoTrunk::Full("two".to_owned());
        assert_eq!(next(&mut accounts, Some("two")), Err(full));
        accounts.call_ends(Some(TWO));
        assert_eq!(next(&mut accounts, None).as_deref(), Ok("two"));
    }

    #[tokio::test]
    async fn without_events_no_call_is_made_that_only_they_would_call_answered() {
        let (mut accounts, mut sip) = desk("").await;
        let number = NumberPlan::default().normalise("+1 650 5550111").unwrap();
        accounts.all(Instant::now(), &Input::Start, &mut sip);
        register(&mut accounts, ONE, &mut sip);
        let told = accounts.trunk(None, &number, &mut sip).err();
        assert_eq!(told, Some(NoTrunk::NoEvents("one".to_owned())));
        accounts.set_events(ONE, true);
        assert!(accounts.trunk(None, &number, &mut sip).is_ok());
    }

    #[tokio::test]
    async fn a_way_that_was_lost_and_a_registrar_that_does_not_believe_are_told_once() {
        let (mut accounts, mut sip) = desk("").await;
        accounts.all(Instant::now(), &Input::Start, &mut sip);
        register(&mut accounts, ONE, &mut sip);
        assert!(accounts.take_back().is_empty());
        let mut news = |accounts: &mut Accounts, news| {
            accounts.news(Instant::now(), ONE, AccountNews::Registration(news), &mut sip);
        };
        news(&mut accounts, RegistrationNews::FlowLost);
        assert!(accounts.take_back().is_empty());
        let again = RegistrationNews::Registered { expires_s: 50, seen: None, outbound: None };
        news(&mut accounts, again);
        assert_eq!(accounts.take_back(), [ONE]);
        assert!(accounts.take_back().is_empty() && accounts.take_disbelieved().is_empty());
        let failure = RegistrationFailure::Disbelieved;
        news(&mut accounts, RegistrationNews::Failed { failure, retry_after_s: None });
        assert_eq!(accounts.take_disbelieved(), [ONE]);
        assert!(accounts.take_disbelieved().is_empty());
    }
}
