//! Tells the owner's systems what happens: outgoing webhooks, signed as Standard Webhooks has it.
//!
//! ```text
//!  Events ─▶ a task for each webhook: wanted? ─▶ Outbox ─▶ Queue ─▶ POST ─ 2xx ─▶ over
//!                                                  (disk)     ▲             └ else ─▶ again, up to a day
//! ```
//!
//! E-mail is one more receiver, with the same queue: `mail`. A thread of its own, so that a disk or a resolver that hangs holds up neither calls nor the page. `queue` and
//! `signing` are pure. Redirects are not followed. What is in a message that a caller left, and that a call has ended, is
//! kept on the disk until it is delivered; everything else is lost with the program.

pub mod mail;
mod outbox;
mod queue;
mod signing;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{mpsc, oneshot, watch};

use super::clock::unix_ms;
use super::llm::Address;
use super::llm::http::Server;
use super::trust::Roots;
use super::url::bracketed;
use crate::base::{Private, limits};
use crate::web::{Board, Erasure, Happened, WebhookReport, covers};
use outbox::Outbox;
use queue::{Attempted, Delivery, Fate, Queue};
pub use signing::Secret;

/// Of types whose deliveries outlive the program: what a caller left, and that a call is over.
const KEPT: [&str; 3] = ["message.left", "voicemail.left", "call.closed"];
const CONNECT: Duration = Duration::from_secs(5);
/// The loop looks at its queue this often at least.
const LOOK: Duration = Duration::from_secs(60);

/// The type of what a receiver is sent that the owner tries.
pub const TRIAL: &str = "trial";

/// Where the outcome of a trial goes: what is wrong, in words.
pub type Tried = oneshot::Sender<Option<String>>;
/// Has a receiver, by its name, be tried.
pub type Door = (String, mpsc::Sender<Tried>);

/// One webhook, or the owner's mailbox.
#[derive(Clone, Debug)]
pub struct Settings {
    pub name: String,
    pub receiver: Receiver,
    /// Types of events, or what they begin with.
    pub events: Vec<String>,
    /// What was said and left is in them.
    pub words: bool,
}

/// Who is told.
#[derive(Clone, Debug)]
pub enum Receiver {
    Http(Hook),
    Mail(Box<mail::Settings>),
}

/// A system that events are posted to.
#[derive(Clone, Debug)]
pub struct Hook {
    pub address: Address,
    /// Path and query, as they are asked for; a secret may stand there.
    pub target: Private<String>,
    pub secret: Secret,
}

/// The way to it.
enum Way {
    Http { hook: Hook, server: Server },
    Mail(Box<mail::Mailer>),
}

impl Way {
    fn of(receiver: &Receiver, roots: &Roots) -> io::Result<Self> {
        Ok(match receiver {
            Receiver::Http(hook) => Self::Http {
                hook: hook.clone(),
                server: Server::new(hook.address.clone(), None, roots.clone()),
            },
            Receiver::Mail(settings) => Self::Mail(Box::new(mail::Mailer::new(settings)?)),
        })
    }
}

/// The running thread; it stops when this is dropped.
#[derive(Debug)]
pub struct Webhooks {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in there ends the program before it could be seen here.
            let _ = thread.join();
        }
    }
}

/// Starts the thread; `folder` keeps what is not delivered.
pub fn start(
    webhooks: Vec<Settings>,
    roots: &Roots,
    folder: &std::path::Path,
    board: &Arc<Board>,
) -> io::Result<Webhooks> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reports = Arc::new(Reports {
        all: Mutex::new(webhooks.iter().map(|webhook| WebhookReport::new(&webhook.name)).collect()),
        board: Arc::clone(board),
    });
    reports.show(|_| ());
    let (stop, stopped) = watch::channel(false);
    let (mut senders, mut doors) = (Vec::new(), Vec::new());
    for (index, settings) in webhooks.into_iter().enumerate() {
        let (outbox, left) = Outbox::open(folder.join(&settings.name))?;
        let mut queue = Queue::default();
        left.into_iter().for_each(|delivery| drop(queue.push(delivery)));
        let way = Way::of(&settings.receiver, roots)?;
        let coming = board.events().listen(None).coming;
        let erased = board.erasures();
        let (try_it, wanted) = mpsc::channel(1);
        doors.push((settings.name.clone(), try_it));
        let (board, reports) = (Arc::clone(board), Arc::clone(&reports));
        senders.push(Sender {
            index,
            settings,
            way,
            outbox,
            queue,
            board,
            reports,
            coming,
            erased,
            tried: wanted,
            stopped: stopped.clone(),
            last: 0,
        });
    }
    board.keep_doors(doors);
    let thread = std::thread::Builder::new().name("webhooks".to_owned()).spawn(move || {
        runtime.block_on(async {
            let tasks: Vec<_> =
                senders.into_iter().map(|sender| tokio::spawn(sender.run())).collect();
            for task in tasks {
                // A panic in there ends the program before it could be seen here.
                let _ = task.await;
            }
        });
        runtime.shutdown_background();
    })?;
    Ok(Webhooks { stop, thread: Some(thread) })
}

/// How all of them are, for the owner.
#[derive(Debug)]
struct Reports {
    all: Mutex<Vec<WebhookReport>>,
    board: Arc<Board>,
}

impl Reports {
    fn show(&self, change: impl FnOnce(&mut Vec<WebhookReport>)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut all);
        self.board.set_webhooks(all.clone());
    }

    fn show_one(&self, index: usize, change: impl FnOnce(&mut WebhookReport)) {
        self.show(|all| {
            if let Some(report) = all.get_mut(index) {
                change(report);
            }
        });
    }
}

/// One webhook at work.
struct Sender {
    index: usize,
    settings: Settings,
    way: Way,
    outbox: Outbox,
    queue: Queue,
    board: Arc<Board>,
    reports: Arc<Reports>,
    coming: tokio::sync::broadcast::Receiver<Arc<Happened>>,
    erased: tokio::sync::broadcast::Receiver<Arc<Erasure>>,
    /// The owner tries it.
    tried: mpsc::Receiver<Tried>,
    stopped: watch::Receiver<bool>,
    /// The last event that was looked at.
    last: u64,
}

impl Sender {
    async fn run(mut self) {
        loop {
            let now = unix_ms();
            let wait = self
                .queue
                .due_ms()
                .map_or(LOOK, |at| Duration::from_millis(at.saturating_sub(now)).min(LOOK));
            tokio::select! {
                biased;
                _ = self.stopped.changed() => return self.keep_the_rest(),
                Ok(erasure) = self.erased.recv() => self.forget(&erasure),
                Some(told) = self.tried.recv() => self.try_now(told).await,
                came = self.coming.recv() => match came {
                    Ok(happened) => self.take(&happened),
                    Err(RecvError::Lagged(_)) => self.catch_up(),
                    Err(RecvError::Closed) => return,
                },
                () = tokio::time::sleep(wait) => self.deliver().await,
            }
        }
    }

    /// What has happened up to the end is kept for the next start, where it is to be.
    fn keep_the_rest(&mut self) {
        loop {
            match self.coming.try_recv() {
                Ok(happened) => self.take(&happened),
                Err(TryRecvError::Lagged(_)) => self.catch_up(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Of a number nothing waits any more, whether its receiver can be reached or not.
    fn forget(&mut self, erasure: &Erasure) {
        // What was told before it is of it, too.
        self.keep_the_rest();
        let gone = self.queue.take_where(|one| erasure.covers(&one.id, &one.body));
        gone.iter().for_each(|delivery| self.outbox.forget(delivery));
        let waiting = self.queue.len();
        self.reports.show_one(self.index, |report| report.waiting = waiting);
    }

    /// While something was delivered more has happened than is remembered for who listens.
    fn catch_up(&mut self) {
        let listening = self.board.events().listen(Some(&self.board.events().id(self.last)));
        self.coming = listening.coming;
        listening.missed.iter().for_each(|happened| self.take(happened));
    }

    fn take(&mut self, happened: &Happened) {
        self.last = happened.number;
        let name = happened.event.name();
        if !self.settings.events.iter().any(|wanted| covers(wanted, name)) {
            return;
        }
        let events = self.board.events();
        let delivery = Delivery {
            id: events.id(happened.number),
            body: Private::new(events.json(happened, self.settings.words)),
            is_kept: KEPT.contains(&name),
            attempts: 0,
            due_ms: happened.at_ms,
        };
        self.outbox.keep(&delivery);
        if let Some(lost) = self.queue.push(delivery) {
            self.outbox.forget(&lost);
            if !self.queue.is_gone() {
                tracing::warn!(
                    webhook = self.settings.name,
                    "too much waits: an event is not delivered"
                );
                self.reports.show_one(self.index, |report| report.lost += 1);
            }
        }
    }

    /// Sends something that says that it is a trial, once; what waits goes on waiting.
    async fn try_now(&mut self, told: Tried) {
        let at_ms = unix_ms();
        let body = serde_json::json!({
            "type": TRIAL,
            "at_ms": at_ms,
            "data": { "text": "The owner of the box has tried whether this arrives." },
        });
        let delivery = Delivery {
            id: format!("trial-{at_ms}"),
            body: Private::new(body.to_string()),
            is_kept: false,
            attempts: 0,
            due_ms: at_ms,
        };
        let mut stopped = self.stopped.clone();
        let attempt = tokio::time::timeout(limits::WEBHOOK_TIME, self.attempt(&delivery));
        let attempt = tokio::select! {
            attempt = attempt => attempt,
            _ = stopped.changed() => return,
        };
        let (_, fault) = attempt.unwrap_or_else(|_| (FAILED, Some("it took too long".to_owned())));
        // Whoever asked may have gone.
        let _ = told.send(fault);
    }

    async fn deliver(&mut self) {
        let Some(delivery) = self.queue.take(unix_ms()) else { return };
        let mut stopped = self.stopped.clone();
        let attempt = tokio::time::timeout(limits::WEBHOOK_TIME, self.attempt(&delivery));
        let attempt = tokio::select! {
            attempt = attempt => attempt,
            // The end waits for nobody's answer; the receiver knows it again by its id.
            _ = stopped.changed() => return drop(self.queue.push(delivery)),
        };
        let (outcome, fault) =
            attempt.unwrap_or_else(|_| (FAILED, Some("it took too long".to_owned())));
        let was_failing = self.queue.failures() > 0;
        match self.queue.attempted(unix_ms(), delivery, outcome) {
            Fate::Again(delivery) => self.outbox.keep(&delivery),
            Fate::Over(delivery) => {
                self.outbox.forget(&delivery);
                if matches!(outcome, Attempted::Failed { .. }) {
                    tracing::error!(
                        webhook = self.settings.name,
                        "an event is given up after a day"
                    );
                }
            }
        }
        if self.queue.is_gone() {
            self.queue.drain().iter().for_each(|delivery| self.outbox.forget(delivery));
        }
        let name = &self.settings.name;
        match (&fault, was_failing) {
            (Some(fault), false) => tracing::warn!(webhook = name, fault, "not delivered"),
            (None, true) => tracing::info!(webhook = name, "delivered again"),
            _ => (),
        }
        let (waiting, is_gone) = (self.queue.len(), self.queue.is_gone());
        let delivered = u64::from(outcome == Attempted::Delivered);
        self.reports.show_one(self.index, |report| {
            report.waiting = waiting;
            report.is_gone = is_gone;
            report.fault = fault;
            report.delivered += delivered;
        });
    }

    /// What came of it, and what is wrong in words.
    async fn attempt(&self, delivery: &Delivery) -> (Attempted, Option<String>) {
        let failed = |text: &str| (FAILED, Some(text.to_owned()));
        let (hook, server) = match &self.way {
            Way::Http { hook, server } => (hook, server),
            Way::Mail(mailer) => {
                return match mailer.send(delivery, self.board.voicemail_shelf()).await {
                    Ok(()) => (Attempted::Delivered, None),
                    Err(fault) => (FAILED, Some(fault)),
                };
            }
        };
        let Some(request) = request(hook, delivery) else {
            return failed("the request cannot be made");
        };
        let Ok(connection) = server.connect(CONNECT).await else {
            return failed("it cannot be reached");
        };
        let Ok(answer) = connection.exchange(request).await else {
            return failed("it gave no answer");
        };
        match answer.status() {
            200..=299 => (Attempted::Delivered, None),
            410 => (Attempted::Gone, Some("it wants nothing any more (410)".to_owned())),
            status => {
                let retry_after_s = answer.retry_after_s();
                (
                    Attempted::Failed { retry_after_s },
                    Some(format!("it answered with status {status}")),
                )
            }
        }
    }
}

fn request(hook: &Hook, delivery: &Delivery) -> Option<Request<Full<Bytes>>> {
    let Address { host, port, .. } = &hook.address;
    let host = bracketed(host);
    let unix_s = unix_ms() / 1_000;
    let body = delivery.body.reveal();
    let signature = hook.secret.sign(&delivery.id, unix_s, body.as_bytes());
    let request = Request::post(hook.target.reveal())
        .header(HOST, format!("{host}:{port}"))
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "attendant")
        .header("webhook-id", &delivery.id)
        .header("webhook-timestamp", unix_s)
        .header("webhook-signature", signature);
    request.body(Full::new(Bytes::from(body.clone()))).ok()
}

const FAILED: Attempted = Attempted::Failed { retry_after_s: None };

/// Where the webhooks of this state folder keep what is not delivered.
pub fn folder(state: &std::path::Path) -> PathBuf {
    state.join("webhooks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::CallId;
    use crate::call::record::{CallRecord, Direction};
    use crate::converse::Message;

    fn with_message(id: u64, number: &str) -> CallRecord {
        let mut record = CallRecord::new(CallId(id), Direction::Inbound, "sip:8@gw".into(), id);
        record.push_message(Message {
            topic: "order".to_owned(),
            name: None,
            number: Some(Private::new(number.to_owned())),
            text: None,
            fields: Default::default(),
        });
        record
    }

    #[tokio::test]
    async fn nothing_of_a_number_waits_for_a_webhook_that_is_down() {
        let folder = std::env::temp_dir().join(format!("webhook-down-{}", std::process::id()));
        // Nobody listens there any more.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = "127.0.0.1".to_owned();
        let hook = Hook {
            address: Address { tls: false, host, port, prefix: String::new() },
            target: Private::new("/".to_owned()),
            secret: Secret::read("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3").unwrap(),
        };
        let settings = Settings {
            name: "crm".to_owned(),
            receiver: Receiver::Http(hook),
            events: vec!["message.left".to_owned()],
            words: true,
        };
        let board = Arc::new(Board::default());
        let (_stop, stopped) = watch::channel(false);
        let reports =
            Reports { all: Mutex::new(vec![WebhookReport::new("crm")]), board: Arc::clone(&board) };
        let mut sender = Sender {
            index: 0,
            way: Way::of(&settings.receiver, &Roots::default()).unwrap(),
            settings,
            outbox: Outbox::open(folder.clone()).unwrap().0,
            queue: Queue::default(),
            coming: board.events().listen(None).coming,
            erased: board.erasures(),
            tried: mpsc::channel(1).1,
            board: Arc::clone(&board),
            reports: Arc::new(reports),
            stopped,
            last: 0,
        };
        let files = || std::fs::read_dir(&folder).unwrap().count();
        board.update_call(with_message(1, "0049 301"));
        board.update_call(with_message(2, "7"));
        sender.keep_the_rest();
        sender.deliver().await;
        assert_eq!((sender.queue.len(), files()), (2, 2));
        // What was told and not looked at yet is of it, too.
        board.update_call(with_message(3, "+49301"));
        board.forget_number(&Private::new("+49 301".to_owned()));
        let erasure = sender.erased.try_recv().unwrap();
        sender.forget(&erasure);
        assert_eq!((sender.queue.len(), files()), (1, 1));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
