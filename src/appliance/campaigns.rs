//! Has the box call the numbers of campaigns: asks the database what is due, the scheduler whether now, and the
//! dialler, as the interface does, for the call.
//!
//! ```text
//!  history ─ what is due ─▶ Scheduler ─ this one ─▶ claimed on the disk ─ Command::Dial ─▶ net thread
//!     ▲                                                                                        │
//!     └──────────────── the record of the call: how it ended, when it is tried again ◀─────────┘
//! ```
//!
//! A thread of its own that holds nothing: what it knows is in the database, and what ends it loses nothing.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::clock::{self, unix_ms};
use super::config::{Campaigns as Settings, Config};
use crate::listen::answered::OnMachine;
use crate::store::history::campaigns::{self, Call};
use crate::store::history::{History, Unavailable};
use crate::trunk::campaign::{Refusal, Scheduler, Seen, Step};
use crate::trunk::dialling;
use crate::web::{Board, Command, DialOrder, NotPlaced};

/// The database is asked again after this where it cannot be used.
const AGAIN: Duration = Duration::from_secs(5);

/// What the interface makes campaigns by.
#[derive(Clone, Debug)]
pub struct Desk {
    pub dial: dialling::Settings,
    pub settings: Settings,
    /// Calls at once, whoever calls.
    pub lines: usize,
    /// There is something new to do.
    pub news: Arc<Notify>,
}

impl Desk {
    pub fn of(config: &Config) -> Self {
        Self {
            dial: config.dial.clone(),
            settings: config.campaigns.clone(),
            lines: config.calls.max.count(),
            news: Arc::default(),
        }
    }
}

/// The running thread; it stops when this is dropped.
#[derive(Debug)]
pub struct Campaigns {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Campaigns {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in there ends the program before it could be seen here.
            let _ = thread.join();
        }
    }
}

/// Starts the thread; what is to be called goes to `commands`.
pub fn start(
    desk: Desk,
    board: Arc<Board>,
    commands: mpsc::Sender<Command>,
) -> io::Result<Campaigns> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, mut stopped) = watch::channel(false);
    let thread = std::thread::Builder::new().name("campaigns".to_owned()).spawn(move || {
        let scheduler = Scheduler::new(desk.settings.at_once);
        let mut runner = Runner { desk, history: board.past(), board, commands, scheduler };
        runtime.block_on(async {
            tokio::select! {
                // Nobody sends anything but that.
                _ = stopped.wait_for(|stopped| *stopped) => {}
                () = runner.run() => {}
            }
        });
    })?;
    Ok(Campaigns { stop, thread: Some(thread) })
}

struct Runner {
    desk: Desk,
    history: History,
    board: Arc<Board>,
    commands: mpsc::Sender<Command>,
    scheduler: Scheduler,
}

impl Runner {
    async fn run(&mut self) {
        loop {
            let wait = self.turn().await.unwrap_or(AGAIN);
            tokio::select! {
                () = self.desk.news.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// How long there is nothing to do.
    async fn turn(&mut self) -> Result<Duration, Unavailable> {
        let now_ms = unix_ms();
        let work = self.history.ask(move |open| campaigns::work(open, now_ms)).await?;
        let in_ms = |at_ms: u64| Duration::from_millis(at_ms.saturating_sub(now_ms));
        let free_lines = match self.board.health().takes_calls() {
            true => self.desk.lines.saturating_sub(self.board.live_calls()),
            false => 0,
        };
        let seen = Seen {
            calling: work.calling,
            due: work.due,
            next_in: work.next_at_ms.map(in_ms),
            is_open: self.desk.settings.hours.has(clock::week_minute()),
            free_lines,
        };
        let number = match self.scheduler.step(now(), seen) {
            Step::Wait(wait) => return Ok(wait),
            Step::Dial(number) => number,
        };
        let claimed = self.history.change(move |open| campaigns::claim(open, now_ms, number));
        if let Some(call) = claimed.await? {
            self.call(call).await?;
        }
        Ok(Duration::ZERO)
    }

    async fn call(&mut self, call: Call) -> Result<(), Unavailable> {
        let number = call.number;
        let why = match self.place(call).await {
            Some(Ok(())) => {
                self.scheduler.placed();
                return Ok(());
            }
            Some(Err(why)) => why,
            // The program ends: whether it was called the next start cannot know either.
            None => return Ok(()),
        };
        let again = self.scheduler.refused(now(), refusal(&why));
        let refuse = move |open: &rusqlite::Transaction<'_>| {
            campaigns::refused(open, unix_ms(), (number, again))
        };
        // As long as this is not on the disk it counts as being called, and nobody calls it.
        while self.history.change(refuse).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    /// Waits as long as the dialler needs: to go away would leave open whether somebody is called.
    async fn place(&self, call: Call) -> Option<Result<(), NotPlaced>> {
        let (told, answer) = oneshot::channel();
        let order = DialOrder {
            phone_number: call.peer,
            trunk: call.trunk,
            playbook: call.playbook,
            variables: call.variables.into_iter().collect(),
            on_machine: call.on_machine.as_deref().and_then(OnMachine::from_name),
            agent: None,
            campaign_number: Some(call.number),
        };
        self.commands.send(Command::Dial { order, told }).await.ok()?;
        Some(answer.await.ok()?.map(drop))
    }
}

fn refusal(why: &NotPlaced) -> Refusal {
    match why {
        NotPlaced::Wrong(_) | NotPlaced::Forbidden(_) => Refusal::Never,
        NotPlaced::Limited(_, again_in_s) => {
            Refusal::Limit(again_in_s.map(|s| Duration::from_secs(s.max(1).into())))
        }
        NotPlaced::Unavailable(_) => Refusal::Now,
    }
}

fn now() -> Instant {
    Instant::now()
}
