//! The web thread: its socket, its small runtime, its end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::access::{Access, Gate, Passwords, Peer, Scope};
use super::board::Board;
use super::command::Command;
use super::listener::Bounded;
use super::settings::Settings;
use super::trials::Trials;
use super::updates::{self, Updates};
use super::{ctrl_tcp, routes};
use crate::appliance::audio_legs::Door;
use crate::appliance::campaigns::Desk;
use crate::appliance::config;
use crate::appliance::listener;
use crate::appliance::pulse::Pulse;
use crate::appliance::realtime;
use crate::appliance::ringcentral::Hooks;
use crate::base::{Entropy, Private, limits};

/// Takes the address, so that a busy port is known before anything else starts.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    listener::tcp(address)
}

/// The running web thread; it stops when this is dropped.
#[derive(Debug)]
pub struct WebThread {
    address: SocketAddr,
    pulse: Pulse,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WebThread {
    /// The address in use, with the port that the system chose for port 0.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Beats in the loop that accepts connections, which turns also while nobody comes.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }
}

impl Drop for WebThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there ends the program before it could be seen here.
            let _ = thread.join();
        }
    }
}

/// What the thread is made from.
#[derive(Debug)]
pub struct Parts {
    /// Made by `bind`.
    pub listener: TcpListener,
    pub board: Arc<Board>,
    /// What it is asked to do goes there.
    pub commands: mpsc::Sender<Command>,
    pub access: Access,
    pub passwords: Passwords,
    /// Names by which it is asked, besides that of the machine, addresses and localhost.
    pub hosts: Vec<String>,
    pub entropy: Entropy,
    /// For programs that were written for baresip, and the socket on which they come.
    pub ctrl_tcp: Option<(TcpListener, ctrl_tcp::Settings)>,
    /// Where the sockets of calls by WebSocket go.
    pub door: Door,
    pub settings: Settings,
    /// Who may send events of RingCentral's.
    pub hooks: Hooks,
    /// Calls may be listened to; if not, nobody has the scope for it.
    pub listens: bool,
    /// Where the box calls itself, as a SIP URI; `None`: nowhere.
    pub own: Option<Private<String>>,
    /// How campaigns are made.
    pub campaigns: Desk,
    /// When updates may begin.
    pub updates: config::Updates,
}

/// Starts the thread.
pub fn start(parts: Parts) -> io::Result<WebThread> {
    let Parts {
        listener,
        board,
        commands,
        access,
        passwords,
        mut hosts,
        entropy,
        ctrl_tcp,
        door,
        settings,
        hooks,
        listens,
        own,
        campaigns,
        updates,
    } = parts;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pulse = Pulse::default();
    let listener = {
        let _context = runtime.enter();
        Bounded::new(
            tokio::net::TcpListener::from_std(listener)?,
            limits::WEB_CONNECTIONS,
            limits::WEB_CONNECTION_IDLE,
            pulse.clone(),
        )
    };
    let for_ctrl_tcp = (Arc::clone(&board), commands.clone());
    let listening = {
        let _context = runtime.enter();
        let listening = |(listener, settings)| {
            tokio::net::TcpListener::from_std(listener).map(|listener| (listener, settings))
        };
        ctrl_tcp.map(listening).transpose()?
    };
    hosts.extend(own_name());
    let gate = {
        let gate = Gate::new(access, passwords, hosts, entropy);
        Arc::new(if listens { gate } else { gate.withholding(Scope::Listen) })
    };
    let updates = Arc::new(Updates::new(settings.runtime(), updates));
    let following = (Arc::clone(&updates), Arc::clone(&board));
    let router = routes::router(routes::Interface {
        board,
        commands,
        gate,
        keys: Arc::default(),
        campaigns,
        campaign_keys: Arc::default(),
        followers: Arc::default(),
        listeners: Arc::new(Semaphore::new(limits::EVENTS_LISTENERS)),
        door,
        settings: Arc::new(settings),
        hooks,
        live: Arc::default(),
        trials: Arc::new(Trials::new(own)),
        updates,
    });
    let service = router.into_make_service_with_connect_info::<Peer>();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("web".to_owned()).spawn(move || {
        realtime::become_background();
        runtime.block_on(async {
            if let Some((listener, settings)) = listening {
                let (board, commands) = for_ctrl_tcp;
                tokio::spawn(ctrl_tcp::serve(listener, board, commands, settings));
            }
            let (updates, board) = following;
            tokio::spawn(updates::follow(updates, board));
            // A page that is being loaded when the program stops is cut off; it asks again.
            tokio::select! {
                served = axum::serve(listener, service) => served.unwrap_or_else(|error| {
                    tracing::error!(%error, "the status page is gone");
                }),
                _ = stopped => {}
            }
        });
    })?;
    Ok(WebThread { address, pulse, stop: Some(stop), thread: Some(thread) })
}

fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim_end().to_owned())
}
