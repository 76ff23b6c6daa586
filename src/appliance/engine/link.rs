//! The speech link: the thread that owns the engine's child and its socket.
//!
//! ```text
//! callers ──▶ commands ──▶ Requests ──▶ socket ──▶ engine
//!         ◀── events   ◀── Requests ◀── socket ◀──
//! ```
//! Commands are bounded and refused when full. Events are bounded; when they are full the link
//! waits, the engine's answers wait in the socket, and nothing is lost. The thread lives as long as
//! the [`Link`]: the kernel ends an engine whose starter has ended.

// A shell: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command as Program};
use tokio::sync::{mpsc, watch};

use super::health::{BackOff, CAUTIOUS_AFTER, Health};
use super::load::{Figures, Load};
use super::requests::{Requests, Work};
use super::wire::{End, Wire};
use super::{Answer, Asker, Engine, EngineEvent, EngineState, Failure, Mode, Phrase, RequestId};
use crate::appliance::credentials;
use crate::appliance::pulse::{BEAT, Pulse};
use crate::base::{Private, limits};
use crate::listen::DecodeWish;
use crate::speech::protocol::{FromEngine, Ready, ToEngine, VERSION};

/// Room for events: a few seconds of five calls' sound.
const EVENTS: usize = 1_024;
/// An engine must be ready after this long: a large model from a slow disk takes a minute.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Between two attempts to connect to an engine that is starting.
const CONNECT_EVERY: Duration = Duration::from_millis(20);
/// Somebody else starts an engine of its own and waits as long as is right; asking costs nothing.
const RECONNECT_MOST: Duration = Duration::from_secs(1);
/// For an engine whose socket has ended to end itself, so that its exit status can be told.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// An engine that is to be another one is let do first what it has been asked for.
const EXCHANGED_WITHIN: Duration = Duration::from_secs(5);

/// Where the engine is.
#[derive(Clone, Debug)]
pub enum EnginePlace {
    /// A child of ours: `program` with all its `arguments`, which name `socket` and, by
    /// `--parent`, this process.
    Child { program: PathBuf, arguments: Vec<OsString>, variants: Variants, socket: PathBuf },
    /// A unit of its own that listens on this socket.
    Socket(PathBuf),
}

/// What differs from one start of an engine to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variants {
    /// Arguments that are added when two engines in a row have failed: the CPU instead of a GPU that may be what
    /// they failed of.
    pub cautious: Vec<OsString>,
    /// Those of [`Mode::Lean`]; none: it is as the usual one.
    pub lean: Vec<OsString>,
    /// Those of [`Mode::WithoutGpu`].
    pub without_gpu: Vec<OsString>,
    /// Its environment, besides ours.
    pub variables: Vec<(&'static str, String)>,
}

impl Variants {
    fn of(&self, mode: Mode) -> &[OsString] {
        match mode {
            Mode::Usual => &[],
            Mode::Lean => &self.lean,
            Mode::WithoutGpu => &self.without_gpu,
        }
    }
}

/// Asks the engine. Dropping the last one ends the engine.
#[derive(Debug)]
pub struct Link {
    next: AtomicU64,
    commands: mpsc::Sender<Command>,
    events: mpsc::Sender<EngineEvent>,
    state: watch::Receiver<EngineState>,
    pulse: Pulse,
    mode: watch::Sender<Mode>,
    load: watch::Receiver<Figures>,
    /// Of a child of ours: nobody else will ever use its name.
    socket: Option<PathBuf>,
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(socket) = &self.socket else { return };
        for left in [socket.clone(), socket.with_extension("lock")] {
            // An engine that never began has left nothing.
            let _ = std::fs::remove_file(left);
        }
    }
}

#[derive(Debug)]
enum Command {
    Ask { request: RequestId, asker: Asker, work: Work },
    Cancel(RequestId),
}

impl Link {
    /// Starts the link's thread, which starts the engine. The receiver gets all answers.
    pub fn start(place: EnginePlace) -> io::Result<(Self, mpsc::Receiver<EngineEvent>)> {
        let (commands, orders) = mpsc::channel(limits::ENGINE_REQUESTS);
        let (events, answers) = mpsc::channel(EVENTS);
        let (publish, state) = watch::channel(EngineState::Starting);
        let (mode, wished) = watch::channel(Mode::Usual);
        let (show_load, load) = watch::channel(Figures::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let socket = match &place {
            EnginePlace::Child { socket, .. } => Some(socket.clone()),
            EnginePlace::Socket(_) => None,
        };
        let pulse = Pulse::default();
        let thread = LinkThread {
            place,
            commands: orders,
            events: events.clone(),
            state: publish,
            requests: Requests::default(),
            back_off: BackOff::default(),
            restarts: 0,
            pulse: pulse.clone(),
            mode: Exchange { wished, running: Mode::Usual, until: None },
            load: Load::new(Instant::now()),
            show_load,
        };
        let name = "speech link".to_owned();
        std::thread::Builder::new().name(name).spawn(move || runtime.block_on(thread.run()))?;
        let next = AtomicU64::new(1);
        Ok((Self { next, commands, events, state, pulse, mode, load, socket }, answers))
    }

    /// Of the link's thread, however the engine is.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    fn ask(&self, asker: Asker, work: Work) -> RequestId {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        if self.commands.try_send(Command::Ask { request, asker, work }).is_err() {
            let answer = Answer::Failed(Failure::Overloaded);
            if self.events.try_send(EngineEvent { asker, request, answer }).is_err() {
                tracing::error!("nobody takes the engine's answers");
            }
        }
        request
    }
}

impl Engine for Link {
    fn transcribe_in(
        &self,
        asker: Asker,
        lane: u16,
        audio: Vec<i16>,
        wish: DecodeWish,
    ) -> RequestId {
        self.ask(asker, Work::Transcribe { lane, wish, audio: Private::new(audio) })
    }

    fn speak(&self, asker: Asker, phrase: Phrase) -> RequestId {
        self.ask(asker, Work::Speak(phrase))
    }

    fn cancel(&self, request: RequestId) {
        if self.commands.try_send(Command::Cancel(request)).is_err() {
            // Its answer comes and nobody waits for it.
            tracing::warn!("a cancellation found no room");
        }
    }

    fn state(&self) -> watch::Receiver<EngineState> {
        self.state.clone()
    }

    fn steer(&self, mode: Mode) {
        self.mode.send_if_modified(|wished| std::mem::replace(wished, mode) != mode);
    }

    fn load(&self) -> Figures {
        *self.load.borrow()
    }
}

struct LinkThread {
    place: EnginePlace,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<EngineEvent>,
    state: watch::Sender<EngineState>,
    requests: Requests,
    back_off: BackOff,
    restarts: u32,
    pulse: Pulse,
    mode: Exchange,
    load: Load,
    show_load: watch::Sender<Figures>,
}

/// How the engine is to work, and how this one does.
struct Exchange {
    wished: watch::Receiver<Mode>,
    running: Mode,
    /// When it is exchanged, whatever it is doing.
    until: Option<Instant>,
}

impl LinkThread {
    async fn run(mut self) {
        loop {
            let mut ready_since = None;
            let mut child = None;
            let end = match self.live(&mut child, &mut ready_since).await {
                Ok(never) => match never {},
                Err(end) => end,
            };
            let end = last_words(child, end).await;
            if matches!(end, End::FrontGone) {
                return;
            }
            let now = Instant::now();
            let reason = end.to_string();
            let is_exchanged = matches!(end, End::Exchanged);
            match is_exchanged {
                true => tracing::info!(mode = ?self.wished(), "the speech engine is exchanged"),
                false => {
                    tracing::error!(reason, restarts = self.restarts, "the speech engine is down");
                }
            }
            let restarts = self.restarts;
            let exit_code = end.exit_code();
            let down = EngineState::Down { since: now, reason, restarts, exit_code };
            self.state.send_replace(down);
            let ends = self.requests.lose_engine(now);
            self.deliver(ends).await;
            self.note_load();
            if is_exchanged {
                continue;
            }
            let wait = self.back_off.after(ready_since.map(|since: Instant| now - since));
            let wait = match self.place {
                EnginePlace::Child { .. } => wait,
                EnginePlace::Socket(_) => wait.min(RECONNECT_MOST),
            };
            if self.pass_time(now + wait).await.is_err() {
                return;
            }
            self.restarts = self.restarts.saturating_add(1);
        }
    }

    /// One engine's life, from its start to its end.
    async fn live(
        &mut self,
        child: &mut Option<Child>,
        ready_since: &mut Option<Instant>,
    ) -> Result<std::convert::Infallible, End> {
        let deadline = Instant::now() + START_TIMEOUT;
        let caution = self.back_off.failures() >= CAUTIOUS_AFTER;
        self.mode.running = self.wished();
        self.mode.until = None;
        if let Some(mut program) = program(&self.place, self.mode.running, caution) {
            *child = Some(program.spawn().map_err(End::Start)?);
        }
        let mut wire = Wire::new(self.connect(child, deadline).await?);
        wire.send(&ToEngine::Hello { version: VERSION });
        let mut health = None;
        loop {
            let now = Instant::now();
            let look = match &mut health {
                None if now >= deadline => return Err(End::NotReady),
                None => deadline,
                Some(health) => self.look_after(health, &mut wire, now)?,
            };
            if let Some(message) = self.step(&mut wire, child, look).await? {
                if let Some(health) = &mut health {
                    Health::heard(health);
                }
                match message {
                    FromEngine::Ready(ready) => {
                        let now = Instant::now();
                        health = Some(Health::new(now));
                        ready_since.get_or_insert(now);
                        tracing::info!(device = ready.device, model = ready.model, "engine ready");
                        self.load.set_decoders(ready.decoders);
                        self.state.send_replace(EngineState::Ready(ready));
                    }
                    FromEngine::Mismatch { version } => return Err(End::Mismatch(version)),
                    FromEngine::Voices(reports) => self.amend(|ready| ready.neural = reports),
                    FromEngine::Turn(report) => self.amend(|ready| ready.turn = Some(report)),
                    message => {
                        self.note_decoded(&message);
                        let event = self.requests.answer(Instant::now(), message);
                        self.deliver(event).await;
                    }
                }
            }
            if self.requests.is_stuck() {
                return Err(End::Stuck);
            }
            if self.is_to_be_exchanged(Instant::now()) {
                return Err(End::Exchanged);
            }
            if health.is_some() {
                self.requests.given_up().for_each(|message| wire.send(&message));
                self.requests.send(Instant::now()).for_each(|message| wire.send(&message));
            }
            self.note_load();
        }
    }

    fn wished(&self) -> Mode {
        *self.mode.wished.borrow()
    }

    /// Another mode is wished than that of the engine that runs, and means other arguments; and the engine has
    /// nothing more to do, or has had time for it. A lost GPU is not waited for.
    fn is_to_be_exchanged(&mut self, now: Instant) -> bool {
        let EnginePlace::Child { variants, .. } = &self.place else { return false };
        let wished = self.wished();
        if variants.of(wished) == variants.of(self.mode.running) {
            self.mode.until = None;
            return false;
        }
        let until = *self.mode.until.get_or_insert(now + EXCHANGED_WITHIN);
        wished == Mode::WithoutGpu || !self.requests.is_busy() || until <= now
    }

    fn note_load(&mut self) {
        self.load.note_turns(Instant::now(), self.requests.turns());
        self.show_load.send_replace(self.load.figures());
    }

    fn note_decoded(&mut self, message: &FromEngine) {
        if let FromEngine::Text { request, transcript } = message
            && let Some(heard_ms) = self.requests.sound_ms(*request)
        {
            self.load.note_decoded(heard_ms, transcript.decode_ms.into());
        }
    }

    /// What a ready engine says of a part of it. Not a change of the engine's state, after which calls
    /// would be told that it is back: who shows it looks by itself.
    fn amend(&self, change: impl FnOnce(&mut Ready)) {
        self.state.send_if_modified(|state| {
            if let EngineState::Ready(ready) = state {
                change(ready);
            }
            false
        });
    }

    /// Sends a ping that is due; says when to look again.
    fn look_after(
        &self,
        health: &mut Health,
        wire: &mut Wire,
        now: Instant,
    ) -> Result<Instant, End> {
        let busy = self.requests.is_busy();
        if health.is_dead(now, busy) {
            return Err(End::Silent);
        }
        if let Some(nonce) = health.ping(now) {
            wire.send(&ToEngine::Ping { nonce });
        }
        Ok(health.next_look(busy))
    }

    /// Waits for one thing: a message (returned), bytes, a command, the child's end or `until`.
    async fn step(
        &mut self,
        wire: &mut Wire,
        child: &mut Option<Child>,
        until: Instant,
    ) -> Result<Option<FromEngine>, End> {
        if let Some(message) = wire.inbox.take()? {
            return Ok(Some(message));
        }
        self.pulse.beat();
        let until = self.requests.next_expiry().map_or(until, |expiry| expiry.min(until));
        let until = until.min(Instant::now() + BEAT);
        tokio::select! {
            // What the engine has said counts before the time that it had for it.
            biased;
            length = wire.read.read(&mut wire.received) => match length {
                Ok(0) | Err(_) => return Err(End::Closed),
                Ok(length) => wire.inbox.push(wire.received.get(..length).unwrap_or_default()),
            },
            written = wire.write.write(&wire.unsent), if !wire.unsent.is_empty() => match written {
                Ok(0) | Err(_) => return Err(End::Closed),
                Ok(length) => drop(wire.unsent.drain(..length)),
            },
            command = self.commands.recv() => {
                if let Some(cancelled) = self.obey(command.ok_or(End::FrontGone)?).await {
                    wire.send(&ToEngine::Cancel { request: cancelled });
                }
            }
            status = exit_of(child) => return Err(status.map_or_else(End::Start, End::Exited)),
            Ok(()) = self.mode.wished.changed() => {}
            () = tokio::time::sleep_until(until.into()) => {}
        }
        self.expire().await;
        Ok(None)
    }

    /// Connects to an engine that may still be starting.
    async fn connect(
        &mut self,
        child: &mut Option<Child>,
        deadline: Instant,
    ) -> Result<UnixStream, End> {
        let socket = match &self.place {
            EnginePlace::Child { socket, .. } | EnginePlace::Socket(socket) => socket.clone(),
        };
        loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => return Ok(stream),
                // A unit of its own is started by somebody else, who needs to be told.
                Err(error) if child.is_none() => return Err(End::Start(error)),
                Err(_) if Instant::now() >= deadline => return Err(End::NotReady),
                Err(_) => {}
            }
            tokio::select! {
                status = exit_of(child) => return Err(status.map_or_else(End::Start, End::Exited)),
                waited = self.pass_time(Instant::now() + CONNECT_EVERY) => waited?,
            }
        }
    }

    /// Obeys and expires while there is no engine.
    async fn pass_time(&mut self, until: Instant) -> Result<(), End> {
        loop {
            self.pulse.beat();
            let next = self.requests.next_expiry().map_or(until, |expiry| expiry.min(until));
            let next = next.min(Instant::now() + BEAT);
            tokio::select! {
                command = self.commands.recv() => {
                    self.obey(command.ok_or(End::FrontGone)?).await;
                }
                () = tokio::time::sleep_until(next.into()) => self.expire().await,
            }
            if Instant::now() >= until {
                return Ok(());
            }
        }
    }

    /// Takes a command; returns what an engine must be told to stop.
    async fn obey(&mut self, command: Command) -> Option<RequestId> {
        match command {
            Command::Ask { request, asker, work } => {
                let asked = self.requests.ask(Instant::now(), (request, asker), work);
                self.deliver(asked.err()).await;
                None
            }
            Command::Cancel(request) => {
                let end = self.requests.cancel(request);
                self.deliver(end).await;
                self.requests.is_at_engine(request).then_some(request)
            }
        }
    }

    async fn expire(&mut self) {
        let ends = self.requests.expire(Instant::now());
        self.deliver(ends).await;
    }

    async fn deliver(&self, events: impl IntoIterator<Item = EngineEvent>) {
        for event in events {
            // Without a receiver the front is ending.
            let _ = self.events.send(event).await;
        }
    }
}

/// The engine as a child, if it is one. What systemd gave to this process alone is not
/// handed on, and no secret: the engine parses files of others and asks nobody.
fn program(place: &EnginePlace, mode: Mode, caution: bool) -> Option<Program> {
    let EnginePlace::Child { program, arguments, variants, .. } = place else { return None };
    let mut program = Program::new(program);
    let of_mode = variants.of(mode);
    program
        .args(arguments)
        .args(of_mode)
        // An argument may stand there once.
        .args(variants.cautious.iter().filter(|argument| caution && !of_mode.contains(argument)))
        .envs(variants.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    credentials::withhold(program.as_std_mut());
    Some(program)
}

/// The child's end; never, when there is no child.
async fn exit_of(child: &mut Option<Child>) -> io::Result<ExitStatus> {
    match child {
        Some(child) => child.wait().await,
        None => std::future::pending().await,
    }
}

/// Ends the child if it still lives. One that has just closed its socket may be ending by itself,
/// and its status says more than that.
async fn last_words(child: Option<Child>, end: End) -> End {
    let Some(mut child) = child else { return end };
    let closed = matches!(end, End::Closed);
    let own = match closed {
        true => tokio::time::timeout(LAST_WORDS, child.wait()).await,
        false => Ok(child.try_wait().and_then(|status| status.ok_or(io::ErrorKind::Other.into()))),
    };
    match own {
        Ok(Ok(status)) if closed => End::Exited(status),
        Ok(Ok(_)) => end,
        Ok(Err(_)) | Err(_) => {
            // By its own handle, so never another's pid. It may have ended meanwhile.
            let _ = child.kill().await;
            end
        }
    }
}

#[cfg(test)]
mod tests;
