//! RingCentral's REST interface and gateway, for the accounts that are extensions there.
//!
//! One task an account on the net thread's runtime drives its `trunk::ringcentral::Service`: sends its
//! requests, keeps its gateway, keeps what it was provisioned with on the disk. The net loop gives each task
//! inputs by a bounded queue, and takes news of all from another.
//!
//! Invariant: nothing here waits for the net loop but a full queue of news; it waits for nothing here.

mod gateway;
mod kept;
mod task;

use std::path::Path;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::config::{self, Config, RingCentralEvents};
use super::credentials;
use super::llm::http::Server;
use super::start_error::StartError;
use super::stream;
use super::trust::Roots;
use crate::base::{Entropy, Private, limits};
use crate::trunk::ringcentral::{
    Application, Dropped, Events, HookSettings, Input, PartyNews, Provision, Refusal, Request,
    Service, Settings,
};
use kept::Kept;

/// Inputs that wait for one task: it takes them at once.
const INPUTS: usize = limits::RINGCENTRAL_EVENTS;
const FILTER: &str = "/telephony/sessions?sipData=true";

/// What is new of one section `[[ringcentral]]`.
#[derive(Debug)]
pub struct News {
    pub section: usize,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// What the account registers with.
    Provisioned(Box<Provision>),
    /// A party of a telephony session.
    Party(Box<PartyNews>),
    /// What came of an action on a call.
    Controlled {
        ticket: u64,
        outcome: Result<(), Refusal>,
    },
    Faults(Vec<String>),
    Events(bool),
    /// Events that were not taken so far.
    Dropped(Dropped),
}

/// One account as the net loop has it.
#[derive(Debug)]
struct Held {
    inputs: mpsc::Sender<Input>,
    device: Private<Option<String>>,
}

/// What shows that an event which comes by HTTP is the platform's: a word for each section with a webhook, made at
/// this start.
#[derive(Clone, Debug, Default)]
pub struct Hooks(Arc<[(usize, Private<String>)]>);

impl Hooks {
    pub fn new(config: &Config, entropy: &mut Entropy) -> Self {
        let has_hook = |account: &config::RingCentral| {
            matches!(account.events, RingCentralEvents::Webhook { .. })
        };
        let sections = (0..).zip(&config.ringcentral).filter(|(_, account)| has_hook(account));
        let words = sections
            .map(|(section, _)| (section, Private::new(entropy.token() + &entropy.token())));
        Self(words.collect())
    }

    /// Nobody is to send any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The section whose word this is, in a time that does not tell how much of one is right.
    pub fn section(&self, word: &str) -> Option<usize> {
        let own = |(section, own): &(usize, Private<String>)| {
            is_same(word, own.reveal()).then_some(*section)
        };
        self.0.iter().map(own).fold(None, Option::or)
    }

    pub(crate) fn word(&self, section: usize) -> Private<String> {
        let own = self.0.iter().find(|(known, _)| *known == section);
        own.map(|(_, word)| word.clone()).unwrap_or_default()
    }
}

/// All of them. See the module.
#[derive(Debug, Default)]
pub struct RingCentral {
    all: Vec<Held>,
    next_ticket: u64,
}

/// What is needed to ask on behalf of one account.
pub struct Ask {
    settings: Settings,
    server: Arc<Server>,
    tls: TlsConnector,
    kept: Kept,
}

/// The accounts with their secrets, before anything is asked.
///
/// # Errors
/// If a secret is missing or unreadable, or the authorities are.
pub fn asks(
    config: &Config,
    state: &Path,
    roots: &Roots,
    hooks: &Hooks,
) -> Result<Vec<Ask>, StartError> {
    let applications = applications(config)?;
    let with_application = (0..).zip(config.ringcentral.iter().zip(applications));
    let asks = with_application.map(|(section, (account, application))| {
        ask(account, application, (state, roots), hooks.word(section))
    });
    Ok(asks.collect())
}

/// Who each account is to the platform.
///
/// # Errors
/// If a secret is missing or unreadable.
pub fn applications(config: &Config) -> Result<Vec<Application>, StartError> {
    config.ringcentral.iter().map(application).collect()
}

fn application(account: &config::RingCentral) -> Result<Application, StartError> {
    let name = &account.name;
    let secret = |which| {
        credentials::secret(&format!("ringcentral_{name}_{which}")).map_err(|source| {
            StartError::System { what: "cannot read a credential of RingCentral", source }
        })
    };
    let jwt = secret("jwt")?.ok_or_else(|| StartError::BadFile {
        key: "ringcentral",
        path: "(the configuration)".into(),
        reason: format!(
            "the JWT of {name} is neither the credential ringcentral_{name}_jwt nor in {}",
            credentials::variable(&format!("ringcentral_{name}_jwt"))
        ),
    })?;
    Ok(Application { client_id: account.client_id.clone(), secret: secret("secret")?, jwt })
}

fn ask(
    account: &config::RingCentral,
    application: Application,
    (state, roots): (&Path, &Roots),
    token: Private<String>,
) -> Ask {
    let whose = if account.is_account_wide { "account/~" } else { "account/~/extension/~" };
    let events = match &account.events {
        RingCentralEvents::Off => Events::Off,
        RingCentralEvents::WebSocket => Events::Gateway,
        RingCentralEvents::Webhook { address, check_every } => {
            Events::Hook(HookSettings { address: address.clone(), token, look_every: *check_every })
        }
    };
    let whom = whom(account, &application);
    Ask {
        settings: Settings {
            application,
            mode: account.mode,
            events,
            filters: vec![format!("/restapi/v1.0/{whose}{FILTER}")],
            is_local: account.is_local(),
        },
        server: Arc::new(Server::new(account.server.clone(), None, roots.clone())),
        tls: stream::connector(roots.clone()),
        kept: Kept::new(state.join(format!("ringcentral-{}.json", account.name)), whom),
    }
}

/// What tells that what was kept is this extension's: another JWT may be another user's.
fn whom(account: &config::RingCentral, application: &Application) -> String {
    use sha2::{Digest, Sha256};
    let Application { client_id, jwt, .. } = application;
    let text = format!("{}\n{client_id}\n{}", account.server.host, jwt.reveal());
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl RingCentral {
    /// Starts a task for each account. Within the runtime in which they shall run.
    pub fn start(asks: Vec<Ask>, entropy: &mut Entropy) -> (Self, mpsc::Receiver<News>) {
        let (news, receiver) = mpsc::channel(limits::RINGCENTRAL_EVENTS);
        let mut all = Vec::new();
        for (section, ask) in asks.into_iter().enumerate() {
            let (inputs, taken) = mpsc::channel(INPUTS);
            let service = Service::new(ask.settings.clone(), entropy.fork());
            tokio::spawn(task::run(service, ask, section, taken, news.clone()));
            all.push(Held { inputs, device: Private::default() });
        }
        (Self { all, next_ticket: 1 }, receiver)
    }

    /// One account whose inputs nobody but the test takes.
    #[cfg(test)]
    pub fn double() -> (Self, mpsc::Receiver<Input>) {
        let (inputs, taken) = mpsc::channel(INPUTS);
        (Self { all: vec![Held { inputs, device: Private::default() }], next_ticket: 1 }, taken)
    }

    /// The device of an account, by which Call Control has a call answered.
    pub fn set_device(&mut self, section: usize, device: Private<Option<String>>) {
        if let Some(held) = self.all.get_mut(section) {
            held.device = device;
        }
    }

    pub fn device(&self, section: usize) -> Option<Private<String>> {
        self.all.get(section)?.device.reveal().clone().map(Private::new)
    }

    /// Its registrar does not believe it.
    pub fn disbelieved(&self, section: usize) {
        // It is told again with the next refusal.
        let _ = self.give(section, Input::Disbelieved);
    }

    /// Does something to a call; the ticket comes back with what came of it. `None`: there is no room.
    pub fn control(&mut self, section: usize, request: Request) -> Option<u64> {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.give(section, Input::Control { ticket, request }).then_some(ticket)
    }

    /// An event of a section that came by HTTP. False: there is no room, and it may come again.
    pub fn event(&self, section: usize, event: serde_json::Value) -> bool {
        self.give(section, Input::Event(Box::new(event)))
    }

    /// The end: sessions are given back.
    pub fn stop(&self) {
        for section in 0..self.all.len() {
            // A task that is so busy ends with the runtime.
            let _ = self.give(section, Input::Stop);
        }
    }

    fn give(&self, section: usize, input: Input) -> bool {
        self.all.get(section).is_some_and(|held| held.inputs.try_send(input).is_ok())
    }
}

/// In a time that does not tell how much of it is right.
fn is_same(a: &str, b: &str) -> bool {
    use sha2::{Digest, Sha256};
    Sha256::digest(a).ct_eq(&Sha256::digest(b)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_of_the_section_whose_word_it_has() {
        let section = |name: &str, events: &str| {
            format!("[[ringcentral]]\nname = \"{name}\"\nclient_id = \"x\"\n{events}\n")
        };
        let hook = "events = \"webhook\"\nwebhook_address = \"https://box.example.net/x\"";
        let text = [section("one", ""), section("two", hook), section("three", hook)].concat();
        let config = config::from_text(&text).unwrap();
        let hooks = Hooks::new(&config, &mut Entropy::new([1; 32]));
        let words = [hooks.word(1).into_revealed(), hooks.word(2).into_revealed()];
        assert!(words[0] != words[1] && words[0].len() > 30);
        assert_eq!(words.map(|word| hooks.section(&word)), [Some(1), Some(2)]);
        let word = hooks.word(1).into_revealed();
        for foul in ["", &word[1..], &format!("{word} "), "word"] {
            assert_eq!(hooks.section(foul), None, "{foul}");
        }
        assert!(!hooks.is_empty() && hooks.word(0).reveal().is_empty());
        assert!(Hooks::default().is_empty() && Hooks::default().section("").is_none());
        assert!(!format!("{hooks:?}").contains(&word));
    }

    #[test]
    fn an_event_that_finds_no_room_may_come_again() {
        let (inputs, mut taken) = mpsc::channel(1);
        let all = vec![Held { inputs, device: Private::default() }];
        let platform = RingCentral { all, next_ticket: 1 };
        let event = serde_json::json!({ "body": {} });
        assert!(platform.event(0, event.clone()) && !platform.event(0, event.clone()));
        assert!(!platform.event(1, event));
        assert!(matches!(taken.try_recv(), Ok(Input::Event(_))));
    }
}
