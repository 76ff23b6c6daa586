//! One lease, from the first question until the call that has it is over.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::machine::{Machine, Told};
use super::wire::Wire;
use super::{News, Order, Settings};
use crate::base::address::plain;
use crate::base::limits;

/// After all servers have failed.
const AGAIN: Duration = Duration::from_secs(30);
/// The server has this long to hear that we give back what it lent.
const FAREWELL: Duration = Duration::from_millis(500);

/// Lends an address and keeps it until nobody gives orders any more.
pub(super) async fn run(
    number: u32,
    settings: Arc<Settings>,
    mut orders: mpsc::Receiver<Order>,
    news: mpsc::Sender<News>,
) {
    let mut port = None;
    // A call that has the address has its own, and no other.
    while port.is_none() {
        let mut why = String::new();
        for server in &settings.servers {
            let ended = match Wire::open(server, &settings.roots).await {
                Ok(wire) => match Carrier::new(number, wire, &settings) {
                    Ok(mut carrier) => carrier.carry(&mut orders, &news, &mut port).await,
                    Err(why) => Err(why),
                },
                Err(error) => Err(error.to_string()),
            };
            match ended {
                Ok(()) => return,
                Err(error) => why = format!("{server}: {error}"),
            }
            if port.is_some() {
                break;
            }
        }
        // Nobody listens at the end of the program.
        let _ = news.send(News::Gone { lease: number, why }).await;
        let until = Instant::now() + AGAIN;
        while port.is_none() {
            let pause = until.saturating_duration_since(Instant::now());
            tokio::select! {
                () = sleep(pause) => break,
                order = orders.recv() => match order {
                    None => return,
                    Some(Order::Serve(_) | Order::Open(_)) => (),
                },
            }
        }
    }
}

/// What one allocation carries.
struct Carrier {
    number: u32,
    wire: Wire,
    machine: Machine,
    doors: Vec<(SocketAddr, Arc<UdpSocket>)>,
    readers: JoinSet<()>,
    outgoing: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
    to_outgoing: mpsc::Sender<(SocketAddr, Vec<u8>)>,
}

impl Carrier {
    fn new(number: u32, wire: Wire, settings: &Settings) -> Result<Self, String> {
        let ends = (wire.local, wire.server);
        let machine = Machine::new(Instant::now(), ends, wire.is_stream(), settings)?;
        let (to_outgoing, outgoing) = mpsc::channel(limits::TURN_WAITING);
        let (doors, readers) = (Vec::new(), JoinSet::new());
        Ok(Self { number, wire, machine, doors, readers, outgoing, to_outgoing })
    }

    /// Until nobody has it any more; an error is its end before that.
    async fn carry(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        news: &mpsc::Sender<News>,
        port: &mut Option<u16>,
    ) -> Result<(), String> {
        let mut buffer = vec![0; limits::TURN_MESSAGE_BYTES];
        loop {
            self.flush().await.map_err(|error| error.to_string())?;
            while let Some(told) = self.machine.poll(Instant::now()) {
                self.told(told, news, *port).await?;
            }
            self.flush().await.map_err(|error| error.to_string())?;
            let deadline = self.machine.deadline();
            let pause = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Serve(served)) => *port = Some(served),
                    Some(Order::Open(peer)) => self.machine.permit(Instant::now(), plain(peer)),
                    None => {
                        self.machine.close(Instant::now());
                        // What it does not hear ends by itself.
                        let _ = tokio::time::timeout(FAREWELL, self.flush()).await;
                        return Ok(());
                    }
                },
                length = self.wire.receive(&mut buffer) => {
                    let length = length.map_err(|error| error.to_string())?;
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.machine.receive(Instant::now(), bytes);
                }
                Some((peer, bytes)) = self.outgoing.recv() => {
                    self.machine.send(Instant::now(), &bytes, peer);
                }
                () = sleep(pause.unwrap_or(AGAIN)) => self.machine.timeout(Instant::now()),
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.machine.poll_transmit() {
            self.wire.send(&bytes).await?;
        }
        Ok(())
    }

    async fn told(
        &mut self,
        told: Told,
        news: &mpsc::Sender<News>,
        port: Option<u16>,
    ) -> Result<(), String> {
        match told {
            Told::Lent(address) => {
                // Nobody listens at the end of the program.
                let _ = news.send(News::Ready { lease: self.number, address }).await;
            }
            Told::Lost(why) => return Err(why),
            Told::Permitted(peer) => {
                self.door(peer, news, port).await;
            }
            Told::Data(peer, bytes) => {
                let door = self.doors.iter().find(|(of, _)| *of == peer);
                if let Some((_, door)) = door {
                    // What the call's socket does not take is lost, as on any network.
                    let _ = door.try_send(&bytes);
                } else if port.is_some() {
                    // The server lets in the whole address: a router of the peer's has another port.
                    self.machine.permit(Instant::now(), peer);
                }
            }
        }
        Ok(())
    }

    /// Opens a door, if there is none and not too many.
    async fn door(&mut self, peer: SocketAddr, news: &mpsc::Sender<News>, port: Option<u16>) {
        let is_there = self.doors.iter().any(|(of, _)| *of == peer);
        let Some(port) = port.filter(|_| !is_there && self.doors.len() < limits::ICE_DOORS) else {
            return;
        };
        let Ok((door, through)) = bind(port).await else { return };
        let door = Arc::new(door);
        self.doors.push((peer, Arc::clone(&door)));
        let out = self.to_outgoing.clone();
        self.readers.spawn(read(door, peer, out));
        let _ = news.send(News::Opened { port, peer, through }).await;
    }
}

/// On this machine, for the socket with this port alone.
async fn bind(port: u16) -> io::Result<(UdpSocket, SocketAddr)> {
    let door = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    door.connect((Ipv4Addr::LOCALHOST, port)).await?;
    let through = door.local_addr()?;
    Ok((door, through))
}

/// Reads what the call sends through a door, for as long as there is the call's socket.
async fn read(door: Arc<UdpSocket>, peer: SocketAddr, out: mpsc::Sender<(SocketAddr, Vec<u8>)>) {
    let mut buffer = [0; limits::RTP_DATAGRAM_BYTES];
    loop {
        match door.recv(&mut buffer).await {
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                // What waits too long is late sound.
                let _ = out.try_send((peer, bytes));
            }
            // The call's socket was not there yet, or is gone; then this ends with the lease.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}
