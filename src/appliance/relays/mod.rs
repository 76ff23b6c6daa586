//! Addresses that TURN servers lend (RFC 8656), so that calls pass routers that nothing else passes.
//!
//! ```text
//!                 media thread                       relays' thread
//!  the call's socket ◀─ 127.0.0.1 ─▶ door ─┐
//!                                    door ─┼─▶ Lease ─ TURN ─▶ server ─▶ peer
//! ```
//!
//! One lease is kept ready before any call wants it, so that no call waits for a server; a call takes it, and
//! the next one is asked for. A door is a socket on loopback, one for each of the peer's addresses: to the
//! audio thread it is one more source, and to ICE one more way. What goes through it is carried by a thread of
//! its own: the net thread's work is no delay for sound.
//!
//! Invariants: a lease ends with the sockets that it was lent to; a door takes datagrams of those sockets
//! alone; nothing waits without a bound.

mod lease;
mod machine;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};

use super::config::TurnServer;
use super::trust::Roots;
use crate::base::handshake::{Candidate, CandidateKind};
use crate::base::{Private, limits};

/// How the servers are asked.
#[derive(Clone)]
pub struct Settings {
    /// The first that answers is taken.
    pub servers: Vec<TurnServer>,
    pub user: Private<String>,
    pub password: Private<String>,
    /// Whom servers by TLS are believed.
    pub roots: Roots,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settings({:?})", self.servers)
    }
}

/// What a lease has to tell.
#[derive(Debug)]
pub enum News {
    /// A server lends this address.
    Ready { lease: u32, address: SocketAddr },
    /// What was lent is lost, or there is nothing to be had.
    Gone { lease: u32, why: String },
    /// What the call with this port sends to `through` goes to `peer`, and the other way round.
    Opened { port: u16, peer: SocketAddr, through: SocketAddr },
}

/// What a lease is asked for.
#[derive(Debug)]
enum Order {
    /// It is this port's from now on.
    Serve(u16),
    Open(SocketAddr),
}

/// An address that is lent to a call, for as long as this is kept.
#[derive(Debug)]
pub struct Lease(mpsc::Sender<Order>);

impl Lease {
    /// Wants a door to there; [`News::Opened`] follows, if the server agrees.
    pub fn open(&self, peer: SocketAddr) {
        // What is not asked for in a flood is one way less.
        let _ = self.0.try_send(Order::Open(peer));
    }
}

/// The net thread's end of all leases.
pub struct Relays {
    settings: Arc<Settings>,
    runtime: Handle,
    end: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    news: mpsc::Sender<News>,
    /// Those that no call has, with the address once there is one.
    free: HashMap<u32, (mpsc::Sender<Order>, Option<SocketAddr>)>,
    next: u32,
    fault: Option<String>,
}

impl std::fmt::Debug for Relays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relays({} free)", self.free.len())
    }
}

impl Relays {
    /// Begins to ask for the first lease.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub fn start(settings: Settings) -> io::Result<(Self, mpsc::Receiver<News>)> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build()?;
        let handle = runtime.handle().clone();
        let end = Arc::new(Notify::new());
        let ended = Arc::clone(&end);
        let thread = std::thread::Builder::new().name("relays".to_owned()).spawn(move || {
            runtime.block_on(ended.notified());
            // A name that is being looked up holds up nobody.
            runtime.shutdown_background();
        })?;
        let (news, told) = mpsc::channel(limits::TURN_NEWS);
        let mut relays = Self {
            settings: Arc::new(settings),
            runtime: handle,
            end,
            thread: Some(thread),
            news,
            free: HashMap::new(),
            next: 0,
            fault: None,
        };
        relays.ask();
        Ok((relays, told))
    }

    fn ask(&mut self) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let (orders, ordered) = mpsc::channel(limits::ICE_DOORS);
        let (settings, news) = (Arc::clone(&self.settings), self.news.clone());
        self.runtime.spawn(lease::run(number, settings, ordered, news));
        self.free.insert(number, (orders, None));
    }

    /// Lends an address to the call whose socket has this port, if there is one at this moment.
    pub fn lend(&mut self, port: u16) -> Option<(Lease, Candidate)> {
        let (number, address) =
            self.free.iter().find_map(|(number, (_, address))| Some((*number, (*address)?)))?;
        let (orders, _) = self.free.remove(&number)?;
        self.ask();
        orders.try_send(Order::Serve(port)).ok()?;
        Some((Lease(orders), Candidate::new(CandidateKind::Relayed, u16::MAX, 1, address)))
    }

    /// Whether the owner must know something else now.
    pub fn note(&mut self, news: &News) -> bool {
        let before = self.fault.clone();
        match news {
            News::Ready { lease, address } => {
                self.fault = None;
                if let Some((_, known)) = self.free.get_mut(lease) {
                    *known = Some(*address);
                }
            }
            News::Gone { lease, why } => {
                if let Some((_, known)) = self.free.get_mut(lease) {
                    *known = None;
                    self.fault = Some(format!(
                        "media.turn: no server lends an address, calls go without: {why}"
                    ));
                }
            }
            News::Opened { .. } => (),
        }
        self.fault != before
    }

    /// What the owner should know.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        self.end.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in there ends the process before it could be seen here.
            let _ = thread.join();
        }
    }
}
