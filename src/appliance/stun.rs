//! Where a STUN server sees us (RFC 8489): asked at start and from then on, for a router's public address
//! changes now and then.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rtc_stun::addr::MappedAddress;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, Setter, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// As often as a router's address may change unnoticed.
const EVERY: Duration = Duration::from_secs(300);
/// After no answer.
const AGAIN: Duration = Duration::from_secs(30);
/// Between two copies of a request, doubled each time (RFC 8489 section 6.2.1).
const FIRST_WAIT: Duration = Duration::from_millis(500);
const COPIES: u32 = 5;
/// Bytes of a response; one with an address has some 80.
const RESPONSE: usize = 1_500;

/// What is known of our public address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Public {
    Asked,
    /// Kept while the server does not answer later on.
    Is(IpAddr),
    /// Never answered so far.
    Unanswered,
}

/// Asks for as long as somebody wants to know. Must be called within a tokio runtime.
pub fn follow(host: String, port: u16) -> watch::Receiver<Public> {
    let (teller, told) = watch::channel(Public::Asked);
    tokio::spawn(async move {
        loop {
            let found = ask(&host, port, FIRST_WAIT).await;
            teller.send_if_modified(|known| {
                let next = match (found, *known) {
                    (Some(address), _) => Public::Is(address),
                    (None, Public::Is(address)) => Public::Is(address),
                    (None, Public::Asked | Public::Unanswered) => Public::Unanswered,
                };
                std::mem::replace(known, next) != next
            });
            let pause = if found.is_some() { EVERY } else { AGAIN };
            tokio::select! {
                () = sleep(pause) => (),
                () = teller.closed() => return,
            }
        }
    });
    told
}

/// By IPv4, where routers translate addresses. `None`: no server of this name, or no answer of use.
async fn ask(host: &str, port: u16, first_wait: Duration) -> Option<IpAddr> {
    let servers = timeout(FIRST_WAIT * COPIES, lookup_host((host, port))).await.ok()?.ok()?;
    let server = servers.into_iter().find(SocketAddr::is_ipv4)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    // Whatever comes from elsewhere is dropped by the system.
    socket.connect(server).await.ok()?;
    let id = TransactionId::new();
    let request = request(id)?;
    let mut wait = first_wait;
    for _ in 0..COPIES {
        // A refusal by the network (ICMP) may pass; the copies tell.
        let _ = socket.send(&request).await;
        if let Ok(address) = timeout(wait, answer(&socket, id)).await {
            return address;
        }
        wait *= 2;
    }
    None
}

/// A question that begins and ends here.
pub(super) fn request(id: TransactionId) -> Option<Vec<u8>> {
    let mut message = Message::new();
    BINDING_REQUEST.add_to(&mut message).ok()?;
    id.add_to(&mut message).ok()?;
    message.write_header();
    Some(message.raw)
}

/// Of the first datagram that answers this request; waits for one.
async fn answer(socket: &UdpSocket, id: TransactionId) -> Option<IpAddr> {
    let mut bytes = [0; RESPONSE];
    loop {
        let Ok(length) = socket.recv(&mut bytes).await else {
            // Nobody listens there just now; the next copy is due later.
            sleep(FIRST_WAIT).await;
            continue;
        };
        if let Some(answered) = read(&bytes[..length], id) {
            return answered.map(|seen| seen.ip());
        }
    }
}

/// `None`: it has nothing to do with our request; `Some(None)`: an answer without an address of use.
pub(super) fn read(bytes: &[u8], id: TransactionId) -> Option<Option<SocketAddr>> {
    let mut message = Message::new();
    message.unmarshal_binary(bytes).ok()?;
    if message.transaction_id != id {
        return None;
    }
    if message.typ != BINDING_SUCCESS {
        return Some(None);
    }
    let mut hidden = XorMappedAddress::default();
    let mut plain = MappedAddress::default();
    // The plain one is of servers by RFC 3489.
    let address = match hidden.get_from(&message) {
        Ok(()) => Some(SocketAddr::new(hidden.ip, hidden.port)),
        Err(_) => plain.get_from(&message).ok().map(|()| SocketAddr::new(plain.ip, plain.port)),
    };
    let is_one_machines = |at: &SocketAddr| !at.ip().is_unspecified() && !at.ip().is_multicast();
    Some(address.filter(is_one_machines))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each request by `script`, which is told how many came before.
    async fn server(script: impl Fn(u32, &Message) -> Vec<Vec<u8>> + Send + 'static) -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut bytes = [0; 1_500];
            for count in 0.. {
                let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
                let mut request = Message::new();
                request.unmarshal_binary(&bytes[..length]).unwrap();
                assert_eq!(request.typ, BINDING_REQUEST);
                for reply in script(count, &request) {
                    socket.send_to(&reply, from).await.unwrap();
                }
            }
        });
        port
    }

    fn success(id: TransactionId, ip: &str) -> Vec<u8> {
        let mut message = Message::new();
        let address = XorMappedAddress { ip: ip.parse().unwrap(), port: 40_000 };
        message.build(&[Box::new(BINDING_SUCCESS), Box::new(id), Box::new(address)]).unwrap();
        message.raw
    }

    const QUICK: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn the_address_that_a_server_sees_is_found_though_its_first_answers_are_lost() {
        let port = server(|count, request| match count {
            0 => vec![],
            // Of somebody else, and nonsense.
            1 => {
                vec![success(TransactionId([7; 12]), "192.0.2.66"), b"hello".to_vec(), vec![1; 20]]
            }
            _ => vec![success(request.transaction_id, "203.0.113.9")],
        })
        .await;
        assert_eq!(ask("127.0.0.1", port, QUICK).await, Some("203.0.113.9".parse().unwrap()));
        let mut told = follow("127.0.0.1".to_owned(), port);
        let known = *told.wait_for(|public| *public != Public::Asked).await.unwrap();
        assert_eq!(known, Public::Is("203.0.113.9".parse().unwrap()));
    }

    #[tokio::test]
    async fn an_answer_without_an_address_of_use_is_none() {
        for ip in ["0.0.0.0", "224.0.0.1"] {
            let port = server(move |_, request| vec![success(request.transaction_id, ip)]).await;
            assert_eq!(ask("127.0.0.1", port, QUICK).await, None, "{ip}");
        }
        let port = server(|_, request| {
            let mut refusal = success(request.transaction_id, "203.0.113.9");
            // A binding error in place of the success.
            refusal[..2].copy_from_slice(&[0x01, 0x11]);
            vec![refusal]
        })
        .await;
        assert_eq!(ask("127.0.0.1", port, QUICK).await, None);
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up() {
        let port = server(|_, _| vec![]).await;
        assert_eq!(ask("127.0.0.1", port, Duration::from_millis(2)).await, None);
        assert_eq!(ask("name.invalid", port, QUICK).await, None);
    }

    #[test]
    fn the_response_of_rfc_5769_is_read() {
        // Section 2.2: 192.0.2.1, port 32853.
        let mut bytes = vec![
            0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
            0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
        ];
        let id = TransactionId(bytes[8..].try_into().unwrap());
        bytes.extend(b"\x80\x22\x00\x0btest vector ");
        bytes.extend([0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        bytes[3] = (bytes.len() - 20) as u8;
        assert_eq!(read(&bytes, id), Some(Some("192.0.2.1:32853".parse().unwrap())));
        for length in 0..bytes.len() {
            assert!(!matches!(read(&bytes[..length], id), Some(Some(_))), "{length}");
        }
    }
}
