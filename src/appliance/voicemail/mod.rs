//! The thread of messages after the tone: writes what callers say, has it recognised, and tells people of it.
//!
//! ```text
//!  net thread ─ begin, sound, end ─ bounded ─▶ Taping ─ Opus, a page a second ─▶ store::recordings
//!             ◀─ ready, failed ─────────────────┘ └─▶ store::history: the message waits for its words
//!  store::history ─ the oldest that waits ─▶ Transcribing ─ piece by piece ─▶ engine
//!                 ◀─ the words ──────────────┘          └─▶ Event::Voicemail ─▶ webhooks, e-mail, page
//! ```
//!
//! What waits for its words is known by the database alone, so that neither an engine's end nor the program's loses one. Files
//! without a message, as of a power cut in the middle of one, become messages at the start.

// A thread of its own: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

mod taping;
mod transcribing;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::clock::unix_ms;
use super::engine::{Engine, EngineEvent};
use super::realtime;
use crate::base::pcm::Frame;
use crate::base::{CallId, limits};
use crate::call::TapeNews;
use crate::converse::Message;
use crate::store::history::Calendar;
use crate::store::recordings::{Name, Settings};
use crate::web::Board;
use taping::Taping;
use transcribing::Transcribing;

/// How often what waits for its words is looked for, while nothing is known to wait.
const LOOK: Duration = Duration::from_secs(2);
/// How often what is old is looked for.
const TEND: Duration = Duration::from_secs(60);

/// How messages are, for the owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// That are being recorded.
    pub recording: usize,
    /// Of all files.
    pub bytes: u64,
    /// That were left since the start.
    pub left: u64,
    /// That could not be recorded, or not to their end.
    pub failed: u64,
    /// Of the words of messages since the start: had, and given up.
    pub transcribed: u64,
    pub without_words: u64,
    /// Why the last one failed, until one is whole again.
    pub fault: Option<String>,
}

impl Report {
    /// What is wrong, as a sentence.
    pub fn sentence(&self) -> Option<String> {
        let fault = self.fault.as_ref()?;
        Some(format!("voicemail: no message can be recorded: {fault}"))
    }
}

/// What the net thread is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    pub call: CallId,
    pub news: TapeNews,
}

#[derive(Debug)]
enum Order {
    Begin { name: Name, message: Box<Message> },
    Sound { call: CallId, frame: Box<Frame> },
    End { call: CallId, is_spoken: bool },
    Text(EngineEvent),
}

/// What it works with.
#[derive(Clone)]
pub struct Parts {
    pub files: Settings,
    /// The longest message.
    pub longest: Duration,
    pub engine: Arc<dyn Engine>,
    pub board: Arc<Board>,
}

/// The running thread; it finishes what is open when this is dropped.
#[derive(Debug)]
pub struct Voicemail {
    /// `None` at the end.
    orders: Option<mpsc::Sender<Order>>,
    /// The place in the queue for the end of each message that was begun: none is lost, however full the queue is.
    ends: HashMap<CallId, mpsc::OwnedPermit<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Voicemail {
    /// # Errors
    /// There is no thread to be had.
    pub fn start(parts: Parts) -> io::Result<(Self, mpsc::Receiver<News>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (orders, ordered) = mpsc::channel(limits::VOICEMAIL_ORDERS);
        let (tell, news) = mpsc::channel(limits::VOICEMAIL_ORDERS);
        let thread = std::thread::Builder::new().name("voicemail".to_owned()).spawn(move || {
            realtime::become_background();
            runtime.block_on(Work::new(parts, tell).run(ordered));
        })?;
        Ok((Self { orders: Some(orders), ends: HashMap::new(), thread: Some(thread) }, news))
    }

    /// One without a thread: no message can be begun.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { orders: None, ends: HashMap::new(), thread: None }
    }

    /// The disk is asked; `News` answers. False: it does not.
    pub fn begin(&mut self, name: Name, message: Box<Message>) -> bool {
        let place = self.orders.clone().and_then(|orders| orders.try_reserve_owned().ok());
        let Some(place) = place else { return false };
        let is_begun = self.order(Order::Begin { name, message });
        if is_begun {
            self.ends.insert(name.call, place);
        }
        is_begun
    }

    /// The next 20 ms. What finds the queue full is lost.
    pub fn sound(&self, call: CallId, frame: &Frame) {
        self.order(Order::Sound { call, frame: Box::new(*frame) });
    }

    pub fn end(&mut self, call: CallId, is_spoken: bool) {
        // Without a place there is nothing that was begun.
        if let Some(place) = self.ends.remove(&call) {
            place.send(Order::End { call, is_spoken });
        }
    }

    /// What the engine has to say to a piece of a message. What finds the queue full is asked for again.
    pub fn text(&self, event: EngineEvent) {
        self.order(Order::Text(event));
    }

    fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.try_send(order).is_ok())
    }
}

impl Drop for Voicemail {
    fn drop(&mut self) {
        // Its end is the thread's: nothing may keep the queue open.
        self.ends.clear();
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there was told when it happened.
            let _ = thread.join();
        }
    }
}

struct Work {
    taping: Taping,
    transcribing: Transcribing,
    board: Arc<Board>,
    tell: mpsc::Sender<News>,
    calendar: Calendar,
    tend_at: Instant,
    report: Report,
    told: Option<Report>,
}

impl Work {
    fn new(parts: Parts, tell: mpsc::Sender<News>) -> Self {
        let Parts { files, longest, engine, board } = parts;
        Self {
            transcribing: Transcribing::new(files.clone(), engine, Arc::clone(&board)),
            taping: Taping::new(files, longest, Arc::clone(&board)),
            board,
            tell,
            calendar: Calendar::default(),
            tend_at: Instant::now(),
            report: Report::default(),
            told: None,
        }
    }

    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            self.tend().await;
            self.show();
            let wait = self.transcribing.wait(Instant::now()).min(LOOK);
            match tokio::time::timeout(wait, orders.recv()).await {
                Ok(Some(order)) => self.order(order),
                Ok(None) => return self.taping.end_all(&mut self.report),
                Err(_) => (),
            }
            while let Ok(order) = orders.try_recv() {
                self.order(order);
            }
            self.taping.write(&mut self.report, &self.tell);
            self.transcribing.look(Instant::now(), &mut self.report).await;
        }
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Begin { name, message } => {
                let news = match self.taping.begin(name, *message, &mut self.report) {
                    true => TapeNews::Ready,
                    false => TapeNews::Failed,
                };
                // A call that is not told waits for its own limit.
                let _ = self.tell.try_send(News { call: name.call, news });
            }
            Order::Sound { call, frame } => self.taping.sound(call, *frame),
            Order::End { call, is_spoken } => {
                if self.taping.end(call, is_spoken, &mut self.report) {
                    self.transcribing.wake();
                }
            }
            Order::Text(event) => self.transcribing.text(Instant::now(), event),
        }
    }

    async fn tend(&mut self) {
        let now = Instant::now();
        if now < self.tend_at {
            return;
        }
        self.tend_at = now + TEND;
        let believed = self.calendar.look(now, unix_ms());
        self.taping.tend(believed, &mut self.report);
        if self.taping.take_over().await {
            self.transcribing.wake();
        }
    }

    fn show(&mut self) {
        self.report.recording = self.taping.len();
        self.report.bytes = self.taping.bytes();
        if self.told.as_ref() != Some(&self.report) {
            self.told = Some(self.report.clone());
            self.board.set_voicemail(self.report.clone());
        }
    }
}

#[cfg(test)]
mod tests;
