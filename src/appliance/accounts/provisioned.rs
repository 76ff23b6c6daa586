//! Accounts of RingCentral's among the others: what they register with comes from the platform, several
//! are used in turn, and each has a few calls only.

use std::time::{Duration, Instant};

use super::outgoing::NoTrunk;
use super::{Accounts, Held, Plan, Platform};
use crate::appliance::config::{self, Place};
use crate::appliance::sip_line::SipLine;
use crate::base::{Entropy, Private, limits};
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::digest::Credentials;
use crate::sip::message::{Uri, host_and_port};
use crate::sip::{AccountId, Dialect, RegistrationFailure, RegistrationNews, Transport};
use crate::trunk::ringcentral::{Mode, Provision};
use crate::trunk::{Account, Input, Pace, Settings};

/// What is known of an account besides its registration.
#[derive(Debug)]
pub(super) struct Telling {
    entropy: Entropy,
    faults: Vec<String>,
    has_events: bool,
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
        let keys = match account.mode {
            Mode::WebPhone => OfferedKeys::Dtls,
            Mode::Device => OfferedKeys::Sdes,
        };
        let (dialect, pace, expires_s) = match account.mode {
            Mode::WebPhone => (Dialect::WebPhone, Pace::WEB_PHONE, 60),
            Mode::Device => (Dialect::Standard, Pace::SOFTPHONE, 3_600),
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
            expires_s,
            keep_alive: Duration::from_secs(25),
            instance: None,
            srtp: Srtp::Required,
            keys: Some(keys),
            places: Vec::new(),
            dialect,
            pace,
            platform: Some(Platform {
                is_provisioned: false,
                section,
                answers_by_control: account.answers_by_control,
                when_full: account.when_full.clone(),
            }),
        }
    }

    fn provision(&mut self, provision: &Provision) {
        let Provision { mode, domain, username, password, authorization_id, proxies, .. } =
            provision;
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
        held.plan.provision(provision);
        let settings = held.plan.settings();
        held.machine = Account::new(settings, held.telling.entropy.fork());
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
            self.last_taken = id.map_or(0, |id| id.0 as usize);
        }
    }

    /// It is over.
    pub fn call_ends(&mut self, id: Option<AccountId>) {
        if let Some(held) = id.and_then(|id| self.all.get_mut(id.0 as usize)) {
            held.calls = held.calls.saturating_sub(1);
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
