//! Asks a model's server: Ollama, or one that speaks OpenAI's protocol.
//!
//! ```text
//!  call ─ Chat ─▶ breaker ─▶ slot ─▶ http ─ bytes ─▶ Reader ─ Event ─▶ net thread ─▶ call
//!              warm-up: learns what the model can, loads it, fills its prompt cache
//! ```
//!
//! Every answer is a task of the net runtime with a connection of its own. Cancelling drops both,
//! and a server whose connection is closed stops generating. Invariant: what is asked ends in one
//! `Done` or `Failed`, unless it was cancelled.

pub mod breaker;
pub mod http;
#[cfg(test)]
pub mod stand_in;
#[cfg(test)]
mod tests;
mod warm;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::AbortHandle;

use crate::appliance::open_work::OpenWork;
use crate::appliance::trust::Roots;
use crate::base::{CallId, Private, WorkId, limits};
use crate::converse::llm::{Chat, Event, Fault, Fields, Model, Protocol, Reader, body};
use breaker::Breaker;
use http::{Answer, Server};

/// Events that wait for the net thread: it takes them at once.
const EVENTS: usize = 1_024;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// What stands before the protocol's own paths; empty or with a slash in front.
    pub prefix: String,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub address: Address,
    pub key: Option<Private<String>>,
    /// Who may vouch for the server, where it is asked by TLS.
    pub roots: Roots,
    pub model: Model,
    /// Answers that the server makes at once.
    pub at_once: usize,
    pub patience: Patience,
}

/// How long is waited for a server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub connect: Duration,
    pub first_token: Duration,
    /// While it may be loading the model: all of a warm-up.
    pub cold: Duration,
    /// A model that is loaded and needs longer for a warm-up is too slow for calls.
    pub warm: Duration,
    pub between_tokens: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: limits::LLM_CONNECT,
            first_token: limits::LLM_FIRST_TOKEN,
            cold: limits::LLM_COLD,
            warm: limits::LLM_FIRST_TOKEN,
            between_tokens: limits::LLM_BETWEEN_TOKENS,
        }
    }
}

/// A part of an answer, for the call that asked.
#[derive(Debug)]
pub struct ModelEvent {
    pub call: CallId,
    pub work: WorkId,
    pub event: Event,
}

/// What the net thread holds of the model.
#[derive(Debug)]
pub struct Llm {
    shared: Arc<Shared>,
    open: OpenWork,
    warming: AbortHandle,
    health: watch::Receiver<Option<Fault>>,
}

#[derive(Debug)]
struct Shared {
    server: Server,
    /// With what was learnt of it.
    model: Mutex<Model>,
    breaker: Mutex<Breaker>,
    slots: Semaphore,
    /// A warm-up waits for the server to load the model.
    is_loading: AtomicBool,
    /// A call was not answered by a model that may have been unloaded.
    missed: Notify,
    patience: Patience,
    health: watch::Sender<Option<Fault>>,
    events: mpsc::Sender<ModelEvent>,
}

/// For whom a model is asked.
#[derive(Clone, Copy, Debug)]
enum Asker {
    Call(CallId, WorkId),
    /// For nobody: to warm it.
    WarmUp,
}

/// Why an answer broke off, and whether some of it had come.
#[derive(Debug)]
struct Broken {
    fault: Fault,
    has_begun: bool,
    /// The server has refused a field by name: what it may take in its place.
    instead: Option<Fields>,
}

impl Broken {
    const fn new(fault: Fault, has_begun: bool) -> Self {
        Self { fault, has_begun, instead: None }
    }
}

impl Llm {
    /// Begins to warm the model with the beginning that every call will have. To be called within
    /// the runtime that answers shall run in.
    pub fn start(settings: Settings, beginning: Chat) -> (Self, mpsc::Receiver<ModelEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let (publish, health) = watch::channel(None);
        let shared = Arc::new(Shared {
            server: Server::new(settings.address, settings.key, settings.roots),
            model: Mutex::new(settings.model),
            breaker: Mutex::new(Breaker::default()),
            slots: Semaphore::new(settings.at_once),
            is_loading: AtomicBool::new(false),
            missed: Notify::new(),
            patience: settings.patience,
            health: publish,
            events,
        });
        let warming = tokio::spawn(warm::keep_warm(Arc::clone(&shared), beginning)).abort_handle();
        (Self { shared, open: OpenWork::default(), warming, health }, receiver)
    }

    /// What is wrong with the server, now and at each change.
    pub fn health(&self) -> watch::Receiver<Option<Fault>> {
        self.health.clone()
    }

    pub fn ask(&mut self, call: CallId, work: WorkId, chat: Chat) {
        self.open.begin(call, work, Arc::clone(&self.shared).answer(call, work, chat));
    }

    /// False if there is no such work.
    pub fn cancel(&mut self, call: CallId, work: WorkId) -> bool {
        self.open.cancel(call, work)
    }

    pub fn cancel_all(&mut self, call: CallId) {
        self.open.cancel_all(call);
    }

    /// Whether the event is still wanted; after its end nothing is kept of it.
    pub fn takes(&mut self, event: &ModelEvent) -> bool {
        match event.event.is_end() {
            true => self.open.end(event.call, event.work),
            false => self.open.is_open(event.call, event.work),
        }
    }
}

impl Drop for Llm {
    fn drop(&mut self) {
        self.warming.abort();
    }
}

impl Shared {
    async fn answer(self: Arc<Self>, call: CallId, work: WorkId, chat: Chat) {
        let asker = Asker::Call(call, work);
        let outcome = self.try_to_answer(&chat, asker).await;
        match &outcome {
            Ok(()) => self.succeeded(),
            Err(fault) => {
                self.failed(*fault);
                self.missed.notify_one();
            }
        }
        if let Err(fault) = outcome {
            self.give(asker, Event::Failed(fault)).await;
        }
    }

    async fn give(&self, asker: Asker, event: Event) {
        if let Asker::Call(call, work) = asker {
            // The receiver lives as long as the program.
            let _ = self.events.send(ModelEvent { call, work, event }).await;
        }
    }

    async fn try_to_answer(&self, chat: &Chat, asker: Asker) -> Result<(), Fault> {
        if !lock(&self.breaker).admits(Instant::now()) {
            return Err(Fault::Resting);
        }
        // Minutes may pass until it answers, and the playbook can now.
        if self.is_loading.load(Ordering::Relaxed) {
            return Err(Fault::Loading);
        }
        let until = Instant::now() + self.patience.first_token;
        let slot = tokio::time::timeout_at(until.into(), self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else { return Err(Fault::Full) };
        let mut failed = 0;
        loop {
            let broken = match self.once(chat, until, asker).await {
                Ok(()) => return Ok(()),
                Err(broken) => broken,
            };
            failed += 1;
            match broken.fault.retry_after(failed) {
                Some(pause) if !broken.has_begun && Instant::now() + pause < until => {
                    tokio::time::sleep(pause).await
                }
                _ => return Err(broken.fault),
            }
        }
    }

    /// One attempt, and others at once where the server refuses a field by name: it is remembered what
    /// the server takes, unless it did not help.
    async fn once(&self, chat: &Chat, until: Instant, asker: Asker) -> Result<(), Broken> {
        let known = lock(&self.model).fields;
        // Each field is given up once.
        loop {
            let Err(broken) = self.attempt(chat, until, asker).await else { return Ok(()) };
            match broken.instead {
                Some(fields) => lock(&self.model).fields = fields,
                None => {
                    if matches!(broken.fault, Fault::Refused(_)) {
                        lock(&self.model).fields = known;
                    }
                    return Err(broken);
                }
            }
        }
    }

    /// One request, whose first words must come before `until`. Its `Failed` is the error, not an
    /// event.
    async fn attempt(&self, chat: &Chat, until: Instant, asker: Asker) -> Result<(), Broken> {
        let before = |fault| Broken::new(fault, false);
        let (protocol, fields, body) = {
            let model = lock(&self.model);
            (model.protocol, model.fields, body(&model, chat))
        };
        let path = match protocol {
            Protocol::Ollama => "/api/chat",
            Protocol::OpenAi => "/v1/chat/completions",
        };
        let left = until.saturating_duration_since(Instant::now());
        let connect = self.patience.connect.min(left);
        let connection = self.server.connect(connect).await.map_err(before)?;
        let asked = connection.ask(path, body);
        let answer = tokio::time::timeout_at(until.into(), asked).await;
        let mut answer = answer.map_err(|_| before(Fault::Late))?.map_err(before)?;
        if answer.status() != 200 {
            return Err(self.refused(answer, fields, until).await);
        }
        let mut reader = Reader::new(protocol);
        let mut events = Vec::new();
        let mut has_begun = false;
        loop {
            // Comments and what a model only thinks are no beginning.
            let patience =
                if has_begun { Instant::now() + self.patience.between_tokens } else { until };
            let part = tokio::time::timeout_at(patience.into(), answer.next()).await;
            let late = if has_begun { Fault::Stalled } else { Fault::Late };
            match part {
                Err(_) => return Err(Broken::new(late, has_begun)),
                Ok(Some(Ok(bytes))) => reader.push(&bytes, &mut events),
                Ok(None | Some(Err(_))) => reader.end(&mut events),
            }
            for event in events.drain(..) {
                match event {
                    Event::Failed(fault) => return Err(Broken::new(fault, has_begun)),
                    Event::Done(_) => {
                        self.give(asker, event).await;
                        return Ok(());
                    }
                    Event::Text(_) | Event::Call(_) => {
                        has_begun = true;
                        if matches!(asker, Asker::WarmUp) {
                            return Ok(());
                        }
                        self.give(asker, event).await;
                    }
                }
            }
        }
    }

    /// What the server says of its refusal is looked through for names of fields and not kept: it may
    /// quote the request.
    async fn refused(&self, answer: Answer, sent: Fields, until: Instant) -> Broken {
        let status = answer.status();
        let mut broken = Broken::new(Fault::of_status(status), false);
        if matches!(status, 400 | 422) && lock(&self.model).protocol == Protocol::OpenAi {
            let until = until.min(Instant::now() + self.patience.between_tokens);
            let told = tokio::time::timeout_at(until.into(), answer.whole()).await;
            broken.instead = told.ok().and_then(Result::ok).and_then(|text| sent.after(&text));
        }
        broken
    }

    fn succeeded(&self) {
        lock(&self.breaker).succeeded();
        self.tell(None);
    }

    fn failed(&self, fault: Fault) {
        if fault.is_the_servers() {
            lock(&self.breaker).failed(Instant::now(), fault.is_lasting());
            self.tell(Some(fault));
        }
    }

    fn tell(&self, fault: Option<Fault>) {
        self.health.send_if_modified(|known| {
            let has_changed = *known != fault;
            if has_changed {
                match fault {
                    Some(fault) => tracing::warn!(%fault, "the model does not answer"),
                    None => tracing::info!("the model answers"),
                }
                *known = fault;
            }
            has_changed
        });
    }
}

/// No one panics while holding one of these locks, and what they hold is sound at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
