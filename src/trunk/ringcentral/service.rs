//! One account at the platform: what its SIP side registers with, its events, and what is done to calls.
//!
//! ```text
//!  Start ─ kept? ─▶ Provisioned            Disbelieved ─▶ provisioned anew, not more than every ten minutes
//!     └─ none ─▶ sip-provision ─▶ Provisioned
//!  Gateway | Hook ─▶ Sessions ─▶ Party     Control ─▶ Controlled
//! ```
//!
//! Joins the machines beside it; decides nothing about calls. One input, then [`Service::poll_output`]
//! until `Timeout`.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{self, Client};
use super::events::{Dropped, PartyNews, Sessions};
use super::gateway::{self, Gateway};
use super::hook::{self, Hook, Step};
use super::provision::{self, Mode, Provision};
use super::refusal::Refusal;
use super::request::{Answer, Request};
use super::tokens::Application;
use crate::base::{Entropy, Private};

/// A caller hears it ring while an action waits for its turn: longer than this nobody waits.
const ACT_WITHIN: Duration = Duration::from_secs(15);
/// Between two provisionings because the registrar believes us no more.
const ANEW: Duration = Duration::from_secs(600);
/// The wait after one that failed, doubled up to the most.
const BACK_OFF: Duration = Duration::from_secs(30);
const BACK_OFF_MOST: Duration = Duration::from_secs(600);

/// Where telephony events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Events {
    Off,
    /// By the WebSocket gateway.
    Gateway,
    /// To a public address of ours.
    Hook(hook::Settings),
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub application: Application,
    pub mode: Mode,
    pub events: Events,
    /// What events are wanted.
    pub filters: Vec<String>,
    /// The interface is on this machine: its SIP servers need no TLS.
    pub is_local: bool,
}

pub enum Input {
    /// With what was kept of the last time, if anything.
    Start(Option<Box<Provision>>),
    /// The registrar does not believe what we register with.
    Disbelieved,
    /// `ticket` comes back with what came of it.
    Control {
        ticket: u64,
        request: Request,
    },
    /// To the request that is out; `None`: none came.
    Answered(Option<Answer>),
    GatewayOpened,
    /// Or it could not be made; `retry_after_s` as its server says.
    GatewayClosed {
        retry_after_s: Option<u32>,
    },
    Frame(String),
    /// What came by HTTP, from whom is known.
    Event(Box<Value>),
    Stop,
    Timeout,
}

#[derive(Debug)]
pub enum Output {
    Send(Request),
    /// Connect to the gateway; the address has a token in it.
    Connect(Private<String>),
    Frame(Private<String>),
    CloseGateway,
    /// To be kept and registered with.
    Provisioned {
        provision: Box<Provision>,
        is_new: bool,
    },
    Party(Box<PartyNews>),
    Controlled {
        ticket: u64,
        outcome: Result<(), Refusal>,
    },
    /// What is wrong from now on, in words for the owner.
    Faults(Vec<String>),
    /// Whether events come.
    Events(bool),
    /// Events that were not taken so far; told where there is one more.
    Dropped(Dropped),
    Timeout(Option<Instant>),
}

/// What a request is for.
#[derive(Clone, Debug)]
enum Purpose {
    Provision,
    Devices,
    Device(String),
    Token,
    Hook(Step),
    Control(u64),
}

/// What may be wrong, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Provisioning,
    Events,
    Control,
}

impl Part {
    const fn words(self) -> &'static str {
        match self {
            Self::Provisioning => "it cannot be provisioned",
            Self::Events => "no telephony events come",
            Self::Control => "calls cannot be controlled",
        }
    }
}

#[derive(Debug)]
enum Source {
    Off,
    Gateway(Box<Gateway>),
    Hook(Box<Hook>),
}

/// See the module.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    entropy: Entropy,
    client: Client<Purpose>,
    source: Source,
    sessions: Sessions,
    provision: Option<Provision>,
    /// When it is to be asked for, if so.
    ask_at: Option<Instant>,
    asked_at: Option<Instant>,
    failures: u32,
    faults: BTreeMap<Part, Refusal>,
    has_events: bool,
    is_stopped: bool,
    outputs: VecDeque<Output>,
}

impl Service {
    pub fn new(settings: Settings, entropy: Entropy) -> Self {
        Self {
            client: Client::new(settings.application.clone()),
            settings,
            entropy,
            source: Source::Off,
            sessions: Sessions::default(),
            provision: None,
            ask_at: None,
            asked_at: None,
            failures: 0,
            faults: BTreeMap::new(),
            has_events: false,
            is_stopped: false,
            outputs: VecDeque::new(),
        }
    }

    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Start(kept) => self.start(now, kept),
            Input::Disbelieved => {
                let may_ask = self.asked_at.is_none_or(|at| now >= at + ANEW);
                if may_ask && self.ask_at.is_none() {
                    self.ask_at = Some(now);
                }
            }
            Input::Control { ticket, request } => {
                self.client.ask(now, Purpose::Control(ticket), request, Some(ACT_WITHIN));
            }
            Input::Answered(answer) => self.client.answered(now, answer),
            Input::GatewayOpened => self.with_gateway(|gateway| gateway.opened(now)),
            Input::GatewayClosed { retry_after_s } => {
                self.with_gateway(|gateway| gateway.closed(now, retry_after_s));
            }
            Input::Frame(text) => self.with_gateway(|gateway| gateway.frame(now, &text)),
            Input::Event(event) => self.event(now, &event),
            Input::Stop => {
                self.is_stopped = true;
                self.source = Source::Off;
                self.ask_at = None;
                self.outputs.push_back(Output::CloseGateway);
                self.client.leave();
            }
            Input::Timeout => {
                self.client.timeout(now);
                self.with_gateway(|gateway| gateway.timeout(now));
            }
        }
        self.settle(now);
    }

    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    fn deadline(&mut self) -> Option<Instant> {
        let of_source = match &self.source {
            Source::Off => None,
            Source::Gateway(gateway) => gateway.deadline(),
            Source::Hook(hook) => hook.deadline(),
        };
        let of_client = match self.client.poll_output() {
            client::Output::Timeout(at) => at,
            // It was drained.
            client::Output::Send(_) | client::Output::Done { .. } => None,
        };
        [of_source, of_client, self.ask_at].into_iter().flatten().min()
    }

    fn start(&mut self, now: Instant, kept: Option<Box<Provision>>) {
        let kept = kept.filter(|kept| kept.mode == self.settings.mode);
        match kept {
            Some(provision) => {
                self.provision = Some((*provision).clone());
                self.outputs.push_back(Output::Provisioned { provision, is_new: false });
            }
            None => self.ask_at = Some(now),
        }
        let filters = self.settings.filters.clone();
        self.source = match &self.settings.events {
            Events::Off => Source::Off,
            Events::Gateway => {
                Source::Gateway(Box::new(Gateway::new(now, filters, self.entropy.fork())))
            }
            Events::Hook(settings) => {
                Source::Hook(Box::new(Hook::new(now, filters, settings.clone())))
            }
        };
        self.with_gateway(|gateway| gateway.timeout(now));
    }

    fn with_gateway(&mut self, act: impl FnOnce(&mut Gateway)) {
        if let Source::Gateway(gateway) = &mut self.source {
            act(gateway);
        }
    }

    /// Carries out what the machines want of each other, until they want nothing more.
    fn settle(&mut self, now: Instant) {
        loop {
            if self.ask_at.is_some_and(|at| at <= now) {
                self.ask_provision(now);
            }
            self.settle_source(now);
            match self.client.poll_output() {
                client::Output::Send(request) => self.outputs.push_back(Output::Send(request)),
                client::Output::Done { ticket, outcome } => self.done(now, ticket, outcome),
                client::Output::Timeout(_) => break,
            }
        }
        let has_events = match &self.source {
            Source::Off => false,
            Source::Gateway(gateway) => gateway.is_up(),
            Source::Hook(hook) => hook.is_up(),
        };
        if std::mem::replace(&mut self.has_events, has_events) != has_events {
            self.outputs.push_back(Output::Events(has_events));
            if has_events {
                self.works(Part::Events);
            }
        }
    }

    fn settle_source(&mut self, now: Instant) {
        if let Source::Hook(hook) = &mut self.source
            && let Some((step, request)) = hook.due(now)
        {
            self.client.ask(now, Purpose::Hook(step), request, None);
        }
        loop {
            let Source::Gateway(gateway) = &mut self.source else { return };
            let Some(output) = gateway.poll() else { return };
            match output {
                gateway::Output::AskToken(request) => {
                    self.client.ask(now, Purpose::Token, request, None);
                }
                gateway::Output::Connect(url) => self.outputs.push_back(Output::Connect(url)),
                gateway::Output::Send(frame) => self.outputs.push_back(Output::Frame(frame.into())),
                gateway::Output::Close => self.outputs.push_back(Output::CloseGateway),
                gateway::Output::Event(event) => self.event(now, &event),
                gateway::Output::Refused(refusal) => self.fails(Part::Events, refusal),
            }
        }
    }

    fn event(&mut self, now: Instant, event: &Value) {
        let before = self.sessions.dropped();
        let news = self.sessions.take(now, event);
        let dropped = self.sessions.dropped();
        self.outputs.extend((dropped != before).then_some(Output::Dropped(dropped)));
        self.outputs.extend(news.into_iter().map(|news| Output::Party(Box::new(news))));
    }

    fn ask_provision(&mut self, now: Instant) {
        self.ask_at = None;
        self.asked_at = Some(now);
        let device = self.provision.as_ref().and_then(|p| p.device_id.reveal().clone());
        let (purpose, request) = match self.settings.mode {
            Mode::WebPhone => (Purpose::Provision, provision::ask_web_phone(device.as_deref())),
            Mode::Device => (Purpose::Devices, provision::ask_devices()),
        };
        self.client.ask(now, purpose, request, None);
    }

    fn done(&mut self, now: Instant, purpose: Purpose, outcome: Result<Vec<u8>, Refusal>) {
        if self.is_stopped {
            return;
        }
        match purpose {
            Purpose::Provision => {
                let provision = outcome.and_then(|body| {
                    let read = Provision::of_web_phone(&body, self.settings.is_local);
                    read.map_err(|lacking| Refusal::Unreadable(lacking.0))
                });
                self.provisioned(now, provision);
            }
            Purpose::Devices => match outcome.map(|body| provision::device_of(&body)) {
                Ok(Some(id)) => {
                    let request = provision::ask_device(&id);
                    self.client.ask(now, Purpose::Device(id), request, None);
                }
                Ok(None) => self.provisioned(now, Err(Refusal::NoDevice)),
                Err(refusal) => self.provisioned(now, Err(refusal)),
            },
            Purpose::Device(id) => {
                let provision = outcome.and_then(|body| {
                    let read = Provision::of_device(&body, &id);
                    read.map_err(|lacking| Refusal::Unreadable(lacking.0))
                });
                self.provisioned(now, provision);
            }
            Purpose::Token => self.with_gateway(|gateway| gateway.token(now, outcome)),
            Purpose::Hook(step) => {
                let Source::Hook(hook) = &mut self.source else { return };
                let (next, refusal) = hook.answered(now, step, outcome);
                if let Some((step, request)) = next {
                    self.client.ask(now, Purpose::Hook(step), request, None);
                }
                if let Some(refusal) = refusal {
                    self.fails(Part::Events, refusal);
                }
            }
            Purpose::Control(ticket) => {
                match &outcome {
                    Ok(_) => self.works(Part::Control),
                    // A call that is gone or elsewhere is no fault of the account's.
                    Err(Refusal::Unknown | Refusal::Conflict) => {}
                    Err(refusal) => self.fails(Part::Control, refusal.clone()),
                }
                let outcome = outcome.map(drop);
                self.outputs.push_back(Output::Controlled { ticket, outcome });
            }
        }
    }

    fn provisioned(&mut self, now: Instant, provision: Result<Provision, Refusal>) {
        match provision {
            Ok(provision) => {
                self.failures = 0;
                self.provision = Some(provision.clone());
                let provision = Box::new(provision);
                self.outputs.push_back(Output::Provisioned { provision, is_new: true });
                self.works(Part::Provisioning);
            }
            Err(refusal) => {
                let wait = BACK_OFF.saturating_mul(1 << self.failures.min(10));
                self.failures = self.failures.saturating_add(1);
                self.ask_at = Some(now + wait.min(BACK_OFF_MOST));
                self.fails(Part::Provisioning, refusal);
            }
        }
    }

    fn works(&mut self, part: Part) {
        if self.faults.remove(&part).is_some() {
            self.tell_faults();
        }
    }

    fn fails(&mut self, part: Part, refusal: Refusal) {
        if self.faults.insert(part, refusal.clone()) != Some(refusal) {
            self.tell_faults();
        }
    }

    fn tell_faults(&mut self) {
        let told = self.faults.iter().map(|(part, why)| format!("{}: {why}", part.words()));
        self.outputs.push_back(Output::Faults(told.collect()));
    }
}

#[cfg(test)]
mod tests;
