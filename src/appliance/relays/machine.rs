//! One allocation as a machine: what the server sends and the time go in, what it is sent comes out.
//!
//! The library refreshes what is lent, permits peers and binds channels. It does not look at the integrity of
//! answers: who is not on the way to the server would have to guess the 96 bits of a request's name.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc_stun::message::TransactionId;
use rtc_turn::client::{Client, ClientConfig, Event};
use rtc_turn::crypto;
use sansio::Protocol;

use super::Settings;
use crate::base::limits;

/// A server that has lost an answer of ours, or changed its nonce, has several chances before what is lent ends.
const REFRESH: Duration = Duration::from_secs(60);
/// The type of a refusal to lend any longer (RFC 8656 section 17).
const REFRESH_REFUSED: [u8; 2] = [0x01, 0x14];

/// What has become of it.
pub(super) enum Told {
    Lent(SocketAddr),
    /// The server passes on what comes from this peer's address.
    Permitted(SocketAddr),
    Data(SocketAddr, Vec<u8>),
    /// There is nothing, or no more.
    Lost(String),
}

pub(super) struct Machine {
    client: Client,
    local: SocketAddr,
    server: SocketAddr,
    lent: Option<SocketAddr>,
    /// Permissions that were asked for and not answered yet, and how often.
    asked: HashMap<TransactionId, (SocketAddr, u32)>,
    /// All that ever were.
    wanted: usize,
    lost: Option<String>,
}

impl Machine {
    /// Asks for an address.
    pub fn new(
        now: Instant,
        (local, server): (SocketAddr, SocketAddr),
        is_stream: bool,
        settings: &Settings,
    ) -> Result<Self, String> {
        let provider = crypto::default_provider().map_err(|error| error.to_string())?;
        let config = ClientConfig {
            turn_serv_addr: server.to_string(),
            local_addr: local,
            transport_protocol: match is_stream {
                true => rtc_shared::TransportProtocol::TCP,
                false => rtc_shared::TransportProtocol::UDP,
            },
            username: settings.user.reveal().clone(),
            password: settings.password.reveal().clone(),
            allocation_refresh_interval_cap: Some(REFRESH),
            ..ClientConfig::default()
        };
        let mut client = Client::new(config, provider).map_err(|error| error.to_string())?;
        client.allocate(now).map_err(|error| error.to_string())?;
        let (lent, asked, wanted, lost) = (None, HashMap::new(), 0, None);
        Ok(Self { client, local, server, lent, asked, wanted, lost })
    }

    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        let message = rtc_shared::TransportMessage {
            now,
            transport: rtc_shared::TransportContext {
                local_addr: self.local,
                peer_addr: self.server,
                ..Default::default()
            },
            message: bytes.into(),
        };
        let refused = bytes.starts_with(&REFRESH_REFUSED);
        if let Err(error) = self.client.handle_read(message)
            && refused
        {
            self.lost = Some(error.to_string());
        }
    }

    /// Wants the server to pass on what this peer sends.
    pub fn permit(&mut self, now: Instant, peer: SocketAddr) {
        let is_asked = self.asked.values().any(|(asked, _)| *asked == peer);
        if !is_asked && self.wanted < limits::TURN_PERMISSIONS {
            self.wanted += 1;
            self.ask(now, peer, 0);
        }
    }

    fn ask(&mut self, now: Instant, peer: SocketAddr, times: u32) {
        let Some(mut relay) = self.lent.and_then(|lent| self.client.relay(lent).ok()) else {
            return;
        };
        if let Ok(Some(id)) = relay.create_permission(now, peer) {
            self.asked.insert(id, (peer, times));
        }
    }

    /// To a peer that is permitted; to another nothing goes.
    pub fn send(&mut self, now: Instant, bytes: &[u8], peer: SocketAddr) {
        if let Some(mut relay) = self.lent.and_then(|lent| self.client.relay(lent).ok()) {
            // As any network, it may lose a datagram.
            let _ = relay.send_to(now, bytes, peer);
        }
    }

    /// Gives back what was lent.
    pub fn close(&mut self, now: Instant) {
        if let Some(mut relay) = self.lent.and_then(|lent| self.client.relay(lent).ok()) {
            // What the server does not hear ends by itself.
            let _ = relay.close(now);
        }
    }

    pub fn timeout(&mut self, now: Instant) {
        // It fails never: what it finds out comes as an event.
        let _ = self.client.handle_timeout(now);
    }

    pub fn deadline(&mut self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    /// The next datagram for the server.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.client.poll_write().map(|message| message.message.to_vec())
    }

    /// What is new.
    pub fn poll(&mut self, now: Instant) -> Option<Told> {
        if let Some(why) = self.lost.take() {
            return Some(Told::Lost(why));
        }
        loop {
            match self.client.poll_event()? {
                Event::AllocateResponse(_, lent) => {
                    self.lent = Some(lent);
                    return Some(Told::Lent(lent));
                }
                Event::AllocateError(_, error) => return Some(Told::Lost(error.to_string())),
                Event::TransactionTimeout(id) => match self.asked.remove(&id) {
                    Some(_) => (),
                    None => return Some(Told::Lost("the server does not answer".to_owned())),
                },
                Event::CreatePermissionResponse(id, peer) => {
                    self.asked.remove(&id);
                    return Some(Told::Permitted(peer));
                }
                // The server has changed its nonce, and told it.
                Event::CreatePermissionError(id, _) => {
                    let again = self.asked.remove(&id).filter(|(_, times)| *times == 0);
                    again.into_iter().for_each(|(peer, times)| self.ask(now, peer, times + 1));
                }
                Event::DataIndicationOrChannelData(_, peer, bytes) => {
                    return Some(Told::Data(peer, bytes.to_vec()));
                }
                _ => (),
            }
        }
    }
}
