//! Sockets for the next call with ICE, bound ahead of it, and where a STUN server sees them (RFC 8489): so a call
//! need not wait for that. The question comes from the very socket, for a router has a port for each.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rtc_stun::message::TransactionId;
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::sleep;

use super::realtime::Moment;
use super::rtp_socket::{Channel, PortRange, PortsExhausted, ReceiveBuffer, RtpSockets};
use super::stun;
use crate::base::limits;

/// Between two questions, for as long as no call has the sockets: routers forget a port after half a minute.
const EVERY: Duration = Duration::from_secs(15);
/// Between two looks for the answer.
const LOOK: Duration = Duration::from_millis(20);
/// After so long the question is asked again.
const AGAIN: Duration = Duration::from_millis(250);
/// Between two questions for the server's own address.
const RESOLVE: Duration = Duration::from_secs(300);

/// See the module.
#[derive(Debug)]
pub struct Outside {
    server: watch::Receiver<Option<SocketAddr>>,
    ahead: Option<Ahead>,
    buffer: ReceiveBuffer,
    /// There was no port to be had.
    retry: Option<Instant>,
}

#[derive(Debug)]
struct Ahead {
    sockets: RtpSockets,
    question: Option<Question>,
    seen: Option<SocketAddr>,
    next: Instant,
}

#[derive(Debug)]
struct Question {
    id: TransactionId,
    again: Instant,
    copies: u32,
}

impl Outside {
    /// Begins to ask for the addresses of these servers, of which the first that has one is asked. Within a
    /// tokio runtime.
    pub fn start(servers: Vec<(String, u16)>) -> Self {
        let (teller, server) = watch::channel(None);
        if !servers.is_empty() {
            tokio::spawn(async move {
                loop {
                    let mut found = None;
                    for (host, port) in &servers {
                        let all = lookup_host((host.as_str(), *port)).await;
                        found =
                            found.or(all.ok().and_then(|mut all| all.find(SocketAddr::is_ipv4)));
                    }
                    // What is not found for a while is still where it was.
                    if found.is_some() {
                        teller.send_replace(found);
                    }
                    let wait = if found.is_some() { RESOLVE } else { EVERY };
                    tokio::select! {
                        () = sleep(wait) => (),
                        () = teller.closed() => return,
                    }
                }
            });
        }
        Self { server, ahead: None, buffer: ReceiveBuffer::default(), retry: None }
    }

    /// Sockets for a call, those that were bound ahead if it `is_likely` to use ICE, or if there are no others;
    /// and where they are seen.
    pub fn bind(
        &mut self,
        ports: &mut PortRange,
        any: IpAddr,
        is_likely: bool,
    ) -> Result<(RtpSockets, Option<SocketAddr>), PortsExhausted> {
        let fits =
            self.ahead.is_some() && any.is_unspecified() && (any.is_ipv4() || self.is_dual());
        if !(fits && is_likely) {
            match ports.bind(any) {
                Ok(sockets) => return Ok((sockets, None)),
                Err(error) if !fits => return Err(error),
                Err(_) => (),
            }
        }
        match self.ahead.take() {
            Some(Ahead { sockets, seen, .. }) => Ok((sockets, seen)),
            None => ports.bind(any).map(|sockets| (sockets, None)),
        }
    }

    fn is_dual(&self) -> bool {
        self.ahead.as_ref().is_some_and(|ahead| ahead.sockets.is_dual())
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.ahead {
            Some(ahead) => Some(ahead.next),
            // The server's address comes without a deadline of ours.
            None => self.retry,
        }
    }

    /// Sockets bound ahead are bound to `everywhere`.
    pub fn timeout(&mut self, now: Instant, ports: &mut PortRange, everywhere: IpAddr) {
        let Some(server) = *self.server.borrow() else {
            self.retry = self.server.has_changed().is_ok().then_some(now + AGAIN);
            return;
        };
        if self.ahead.is_none() && self.retry.is_none_or(|at| at <= now) {
            let bound = ports.bind(everywhere).ok();
            self.retry = Some(now + EVERY);
            self.ahead =
                bound.map(|sockets| Ahead { sockets, question: None, seen: None, next: now });
        }
        if let Some(ahead) = self.ahead.as_mut().filter(|ahead| ahead.next <= now) {
            ahead.go_on(now, server, &mut self.buffer);
        }
    }
}

impl Ahead {
    fn go_on(&mut self, now: Instant, server: SocketAddr, buffer: &mut ReceiveBuffer) {
        let answered = self.read(server, buffer);
        let question = match (&mut self.question, answered) {
            (_, Some(seen)) => {
                self.seen = seen;
                self.question = None;
                self.next = now + EVERY;
                return;
            }
            (Some(question), None) if question.again > now => {
                self.next = now + LOOK;
                return;
            }
            (Some(question), None) if question.copies >= limits::STUN_COPIES => {
                // What a router has kept may be another call's by now.
                (self.seen, self.question) = (None, None);
                self.next = now + EVERY;
                return;
            }
            (Some(question), None) => question,
            (question @ None, None) => {
                let id = TransactionId::new();
                question.insert(Question { id, again: now, copies: 0 })
            }
        };
        question.copies += 1;
        question.again = now + AGAIN * question.copies;
        let id = question.id;
        if let Some(request) = stun::request(id) {
            self.sockets.send(Channel::Rtp, server, &request);
        }
        self.next = now + LOOK;
    }

    /// What has come: an answer to the question, with where it sees us, or nothing of use.
    fn read(&self, server: SocketAddr, buffer: &mut ReceiveBuffer) -> Option<Option<SocketAddr>> {
        let moment = Moment::read();
        let mut answered = None;
        for _ in 0..limits::STUN_DATAGRAMS {
            let Some(received) = self.sockets.receive(Channel::Rtp, &moment, buffer) else { break };
            let asked = self.question.as_ref().filter(|_| received.from == server);
            answered = asked.and_then(|asked| stun::read(received.bytes, asked.id)).or(answered);
        }
        answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_stun::message::{BINDING_SUCCESS, Message, Setter};
    use rtc_stun::xoraddr::XorMappedAddress;
    use std::net::Ipv4Addr;

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    #[tokio::test]
    async fn the_next_call_knows_where_its_own_socket_is_seen() {
        let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let mut outside = Outside::start(vec![("127.0.0.1".to_owned(), port)]);
        outside.server.wait_for(Option::is_some).await.unwrap();
        let mut ports = PortRange::new(28_350..=28_353);
        let mut now = Instant::now();
        outside.timeout(now, &mut ports, ANY);
        let mut bytes = [0; 100];
        let (length, from) = server.recv_from(&mut bytes).await.unwrap();
        let mut request = Message::new();
        request.unmarshal_binary(&bytes[..length]).unwrap();
        let mut answer = Message::new();
        let mapped = XorMappedAddress { ip: "203.0.113.9".parse().unwrap(), port: 41_000 };
        let id = Box::new(request.transaction_id) as Box<dyn Setter>;
        answer.build(&[Box::new(BINDING_SUCCESS), id, Box::new(mapped)]).unwrap();
        // Of somebody else, and of the server.
        let other = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        other.send_to(&answer.raw, from).await.unwrap();
        server.send_to(&[0; 20], from).await.unwrap();
        for _ in 0..3 {
            now += LOOK;
            outside.timeout(now, &mut ports, ANY);
        }
        assert_eq!(outside.ahead.as_ref().unwrap().seen, None);
        server.send_to(&answer.raw, from).await.unwrap();
        now += LOOK;
        outside.timeout(now, &mut ports, ANY);
        let seen = "203.0.113.9:41000".parse().unwrap();
        // Who has no use for it leaves it, as long as there are others.
        let (first, nothing) = outside.bind(&mut ports, ANY, false).unwrap();
        assert!(nothing.is_none());
        let (second, told) = outside.bind(&mut ports, ANY, true).unwrap();
        assert_eq!((second.port(), told), (from.port(), Some(seen)));
        drop(second);
        outside.timeout(now + EVERY, &mut ports, ANY);
        assert!(outside.ahead.is_some());
        assert!(outside.bind(&mut ports, ANY, false).is_ok(), "the last ports are a call's");
        drop(first);
    }
}
