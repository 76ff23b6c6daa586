//! The engine's end of the socket: one front at a time, the latest.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollFd, PollFlags, poll};

use super::EngineError;
use super::desk::Work;
use super::engine::{Engine, Reply, employ};
use super::protocol::{FromEngine, Inbox, Message, ProtocolError, ToEngine, VERSION};
use crate::appliance::caution::{STABLE_AFTER, Starts};
use crate::appliance::notify;
use crate::base::limits;

const READ_BYTES: usize = 64 * 1024;
/// The engine looks at itself this often, in milliseconds.
const LOOK_MS: u16 = 500;
/// A front that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// A socket that this engine alone listens on.
#[derive(Debug)]
pub struct Bound {
    path: PathBuf,
    listener: UnixListener,
    /// Held while the engine lives, however it ends.
    _lock: Option<Flock<File>>,
}

/// The socket that systemd listens on for this unit, if it does.
#[allow(unsafe_code)]
pub fn inherited() -> Option<Bound> {
    let descriptor = sd_notify::listen_fds().ok()?.next()?;
    // SAFETY: systemd has opened this descriptor for this very process, as LISTEN_PID says, and nobody else here
    // takes it: this is called once, at the start.
    let listener = UnixListener::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    let path = listener.local_addr().ok()?.as_pathname().map(Path::to_owned).unwrap_or_default();
    Some(Bound { path, listener, _lock: None })
}

/// Binds `path`, for its owner only. One that an engine left behind is replaced; asking a live one
/// by connecting would take its front away, so a lock on a file beside it tells them apart.
pub fn bind(path: &Path) -> Result<Bound, EngineError> {
    let failed = |source| EngineError::Socket { path: path.to_path_buf(), source };
    let beside = File::create(path.with_extension("lock")).map_err(failed)?;
    let lock = Flock::lock(beside, FlockArg::LockExclusiveNonblock);
    let lock = lock.map_err(|_| failed(io::ErrorKind::AddrInUse.into()))?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let owner_only = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, owner_only).map_err(failed)?;
    Ok(Bound { path: path.to_path_buf(), listener, _lock: Some(lock) })
}

/// The connection to which answers go, shared by reader and writer.
type Current = Arc<Mutex<Option<(u64, UnixStream)>>>;

/// Serves fronts until the listener fails. Tells systemd that the engine lives while requests are taken and work gets
/// somewhere, and forgets `starts` once it has for long enough.
pub fn serve(
    bound: &Bound,
    engine: &Engine,
    answers: Receiver<Reply>,
    starts: Option<&Starts>,
) -> Result<(), EngineError> {
    let current = Current::default();
    let for_writer = Arc::clone(&current);
    employ("writer", move || write_all(&answers, &for_writer))?;
    let failed = |source| EngineError::Socket { path: bound.path.clone(), source };
    let listener = &bound.listener;
    let mut connection: Option<Connection> = None;
    let mut number = 0;
    let mut life = Life::new(Instant::now(), starts);
    loop {
        let (new_front, readable) = wait(listener, connection.as_ref()).map_err(failed)?;
        life.look(Instant::now(), engine.moves());
        if new_front {
            let (stream, _) = listener.accept().map_err(failed)?;
            number += 1;
            let old =
                connection.replace(Connection::open(number, stream, &current).map_err(failed)?);
            if let Some(old) = old {
                old.close(engine, &current);
            }
        } else if readable {
            let ended = connection.as_mut().is_some_and(|open| !open.read(engine));
            if let Some(ended) = connection.take_if(|_| ended) {
                ended.close(engine, &current);
            }
        }
    }
}

/// What systemd is told, and until when the engine counts as unstable.
struct Life<'a> {
    starts: Option<&'a Starts>,
    begun: Instant,
    every: Option<Duration>,
    told: Instant,
    /// The desk's count when it last changed, or when nothing was at work.
    moved: (u64, Instant),
}

impl<'a> Life<'a> {
    fn new(now: Instant, starts: Option<&'a Starts>) -> Self {
        let every = notify::alive_interval();
        Self { starts, begun: now, every, told: now, moved: (0, now) }
    }

    /// `moves` is how much work was begun and ended; `None` where nothing is at work.
    fn look(&mut self, now: Instant, moves: Option<u64>) {
        let since = |at: Instant| now.saturating_duration_since(at);
        if since(self.begun) >= STABLE_AFTER
            && let Some(starts) = self.starts.take()
        {
            starts.forget();
        }
        if moves.is_none_or(|moves| moves != self.moved.0) {
            self.moved = (moves.unwrap_or(self.moved.0), now);
        }
        let is_stuck = since(self.moved.1) > limits::ENGINE_WORK;
        if !is_stuck && self.every.is_some_and(|every| since(self.told) >= every) {
            self.told = now;
            notify::alive();
        }
    }
}

/// Waits for a new front or for bytes of the present one, for a moment at most.
fn wait(listener: &UnixListener, connection: Option<&Connection>) -> io::Result<(bool, bool)> {
    let listening = PollFd::new(listener.as_fd(), PollFlags::POLLIN);
    let has_come = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
    let mut both;
    let mut one;
    let fds: &mut [PollFd<'_>] = match connection {
        Some(connection) => {
            both = [listening, PollFd::new(connection.stream.as_fd(), PollFlags::POLLIN)];
            &mut both
        }
        None => {
            one = [listening];
            &mut one
        }
    };
    match poll(fds, LOOK_MS) {
        Ok(0) => Ok((false, false)),
        Ok(_) => Ok((fds.first().is_some_and(has_come), fds.get(1).is_some_and(has_come))),
        Err(nix::errno::Errno::EINTR) => Ok((false, false)),
        Err(error) => Err(error.into()),
    }
}

/// The front that is served.
struct Connection {
    number: u64,
    stream: UnixStream,
    inbox: Inbox,
    greeted: bool,
}

impl Connection {
    fn open(number: u64, stream: UnixStream, current: &Current) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let for_writer = stream.try_clone()?;
        *current.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, for_writer));
        Ok(Self { number, stream, inbox: Inbox::default(), greeted: false })
    }

    /// Takes what has come; false when the connection has ended.
    fn read(&mut self, engine: &Engine) -> bool {
        let mut bytes = vec![0; READ_BYTES];
        let length = match self.stream.read(&mut bytes) {
            Ok(0) | Err(_) => return false,
            Ok(length) => length,
        };
        self.inbox.push(bytes.get(..length).unwrap_or_default());
        match self.take_messages(engine) {
            Ok(goes_on) => goes_on,
            Err(error) => {
                tracing::error!(%error, "the front does not speak our protocol");
                false
            }
        }
    }

    fn take_messages(&mut self, engine: &Engine) -> Result<bool, ProtocolError> {
        while let Some(message) = self.inbox.take()? {
            match message {
                ToEngine::Hello { version: VERSION } => {
                    self.greeted = true;
                    engine.reply(self.number, FromEngine::Ready(engine.ready()));
                }
                ToEngine::Hello { version } => {
                    tracing::error!(version, "the front speaks another version");
                    self.refuse();
                    return Ok(false);
                }
                _ if !self.greeted => return Ok(false),
                ToEngine::Transcribe { request, lane, wish, audio } => {
                    let work = Work::Transcribe { lane, wish, audio };
                    engine.transcribe(self.number, request, work);
                }
                ToEngine::Cancel { request } => engine.cancel(self.number, request),
                ToEngine::Speak { request, phrase } => engine.speak(self.number, request, phrase),
                ToEngine::Ping { nonce } => {
                    let waiting = engine.waiting();
                    engine.reply(self.number, FromEngine::Pong { nonce, waiting });
                }
            }
        }
        Ok(true)
    }

    /// Says goodbye without the writer, which must not come after the connection's end.
    fn refuse(&mut self) {
        let mut bytes = Vec::new();
        FromEngine::Mismatch { version: VERSION }.encode(&mut bytes);
        // The front finds out by the connection's end otherwise.
        let _ = self.stream.write_all(&bytes);
    }

    fn close(self, engine: &Engine, current: &Current) {
        engine.forget(self.number);
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        current.take_if(|(number, _)| *number == self.number);
        // It may be closed from the other side already.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Sends answers to the connection that they are for; those for an earlier one are dropped.
fn write_all(answers: &Receiver<Reply>, current: &Current) {
    let mut bytes = Vec::new();
    while let Ok((number, message)) = answers.recv() {
        let stream = {
            let current = current.lock().unwrap_or_else(PoisonError::into_inner);
            let this = current.as_ref().filter(|(open, _)| *open == number);
            this.and_then(|(_, stream)| stream.try_clone().ok())
        };
        let Some(mut stream) = stream else { continue };
        bytes.clear();
        message.encode(&mut bytes);
        if let Err(error) = stream.write_all(&bytes) {
            tracing::warn!(%error, "the front does not take its answers");
            // The reader sees the end and forgets the connection.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}
