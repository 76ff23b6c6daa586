//! A page's end of a call by WebRTC, as light as one can be: full ICE that controls, DTLS by the library's own endpoint,
//! SRTP read by RFC 3711. Nothing of the program's ways to do these is in it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aes::Aes128;
use attendant::base::pcm::level_dbfs;
use attendant::codec::g711::Law;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, Mac};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{self, RTCCryptoProvider};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_stun::attributes::{
    ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME,
};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;
use sha2::{Digest, Sha256};

use super::http;

/// What can be heard.
const LOUD_DBFS: f32 = -45.0;
const CHECK_EVERY: Duration = Duration::from_millis(50);
const CONSENT_EVERY: Duration = Duration::from_secs(4);
/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(5);
const PASSWORD: &str = "a-password-of-22-characters";

type Cipher = ctr::Ctr128BE<Aes128>;

/// How a visitor calls.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// It begins the handshake; else the box does.
    pub is_client: bool,
    pub is_ipv6: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self { is_client: true, is_ipv6: false }
    }
}

/// See the module. What it has seen is in its fields.
pub struct Visitor {
    web: SocketAddr,
    socket: UdpSocket,
    name: String,
    /// The place of its session.
    pub place: String,
    box_name: String,
    box_password: String,
    /// Candidates of the box that a datagram of its socket can reach.
    pub candidates: Vec<SocketAddr>,
    /// The one that has answered.
    pub validated: Option<SocketAddr>,
    next_check: Instant,
    checks: u64,
    crypto: Arc<dyn RTCCryptoProvider>,
    is_client: bool,
    dtls: Endpoint,
    keys: Option<Keys>,
    /// Authentic packets, and those of them that can be heard.
    pub packets: u32,
    pub loud: u32,
    /// Packets that no key of ours opens.
    pub forged: u32,
    /// The box has said that nothing more comes.
    pub is_closed: bool,
    /// It makes checks of its own, beside answering those of the box.
    pub is_checking: bool,
}

impl std::fmt::Debug for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { validated, packets, loud, forged, is_closed, candidates, .. } = self;
        let has_keys = self.keys.is_some();
        write!(
            f,
            "{candidates:?} {validated:?} keys {has_keys} {packets} {loud} {forged} {is_closed}"
        )
    }
}

/// What the library calls the peer.
fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 9))
}

/// An address of this machine's network of that version, or its own.
pub fn own_address(is_ipv6: bool) -> Option<IpAddr> {
    let all = nix::ifaddrs::getifaddrs().unwrap().filter_map(|interface| interface.address);
    let mut of_network = all.filter_map(|address| {
        let v4 = address.as_sockaddr_in().map(|at| IpAddr::from(at.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|at| IpAddr::from(at.ip())))
    });
    match is_ipv6 {
        true => of_network.find(|ip| match ip {
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        }),
        false => Some(
            of_network
                .find(|ip| ip.is_ipv4() && !ip.is_loopback())
                .unwrap_or(Ipv4Addr::LOCALHOST.into()),
        ),
    }
}

impl Visitor {
    /// Offers a call; the answer's status and body, where none is taken.
    pub fn call(web: SocketAddr, number: u32, manner: Manner) -> Result<Self, (u16, String)> {
        let Manner { is_client, is_ipv6 } = manner;
        let own = own_address(is_ipv6).unwrap();
        let socket = UdpSocket::bind((own, 0)).unwrap();
        socket.set_read_timeout(Some(TICK)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let crypto = crypto_provider::default_provider().unwrap();
        let certificate =
            Certificate::generate_self_signed(vec!["visitor".to_owned()], crypto.crypto()).unwrap();
        let name = format!("v{number:05}");
        let setup = if is_client { "active" } else { "actpass" };
        let family = if is_ipv6 { "IP6 ::" } else { "IP4 0.0.0.0" };
        let offer = format!(
            "v=0\r\no=- 1 1 IN {family}\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 0 101\r\nc=IN {family}\r\na=mid:0\r\na=sendrecv\r\n\
             a=rtcp-mux\r\na=ice-ufrag:{name}\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {}\r\n\
             a=setup:{setup}\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=candidate:1 1 udp 2130706431 {own} {port} typ host\r\na=end-of-candidates\r\n",
            hash(&certificate.certificate[0])
        );
        let answer =
            http::ask(web, "POST /webrtc/offer", "Content-Type: application/sdp\r\n", &offer);
        if answer.status != 201 {
            return Err((answer.status, answer.body));
        }
        let of = |name: &str| {
            let start = format!("a={name}:");
            let line = answer.body.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_else(|| panic!("no {name}: {}", answer.body)).to_owned()
        };
        assert_eq!(of("setup"), if is_client { "passive" } else { "active" });
        let candidates = answer.body.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        let addresses = candidates.filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Some(SocketAddr::new(words[4].parse().ok()?, words[5].parse().ok()?))
        });
        let candidates = addresses.filter(|at| at.is_ipv6() == is_ipv6).collect();
        let place = answer.head.lines().find_map(|line| line.strip_prefix("location: "));
        let fingerprint = of("fingerprint").split_once(' ').unwrap().1.to_owned();
        let config = Arc::new(
            ConfigBuilder::default()
                .with_crypto_provider(Arc::clone(&crypto))
                .with_certificates(vec![certificate])
                .with_srtp_protection_profiles(vec![
                    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
                ])
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .with_verify_peer_certificate(Some(Arc::new(move |chain, _| {
                    match chain.first().is_some_and(|leaf| hash(leaf) == fingerprint) {
                        true => Ok(()),
                        false => Err(std::io::Error::other("another certificate").into()),
                    }
                })))
                .with_server_name("visitor".to_owned())
                .build(is_client, None)
                .unwrap(),
        );
        let mut dtls =
            Endpoint::new(peer(), Default::default(), (!is_client).then(|| Arc::clone(&config)));
        if is_client {
            // The first flight waits for the way.
            dtls.connect(Instant::now(), peer(), config, None).unwrap();
        }
        Ok(Self {
            web,
            socket,
            name,
            place: place.unwrap().trim().to_owned(),
            box_name: of("ice-ufrag"),
            box_password: of("ice-pwd"),
            candidates,
            validated: None,
            next_check: Instant::now(),
            checks: 0,
            crypto,
            is_client,
            dtls,
            keys: None,
            packets: 0,
            loud: 0,
            forged: 0,
            is_closed: false,
            is_checking: true,
        })
    }

    pub fn is_secure(&self) -> bool {
        self.keys.is_some()
    }

    /// Takes part until this is so; whether it was within that time.
    pub fn until(&mut self, within: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + within;
        while !is_so(self) {
            let now = Instant::now();
            if now >= end {
                return false;
            }
            self.go_on(now);
            self.receive();
        }
        true
    }

    /// As if it were not there: what comes is thrown away, and nothing is answered.
    pub fn away(&mut self, length: Duration) {
        let end = Instant::now() + length;
        let mut buffer = [0; 2_048];
        while Instant::now() < end {
            let _ = self.socket.recv_from(&mut buffer);
        }
    }

    /// Its router has given it another port.
    pub fn move_away(&mut self) {
        let own = self.socket.local_addr().unwrap().ip();
        self.socket = UdpSocket::bind((own, 0)).unwrap();
        self.socket.set_read_timeout(Some(TICK)).unwrap();
        self.next_check = Instant::now();
    }

    /// Status of the answer to a request of its session's place.
    pub fn asks(&self, method: &str) -> u16 {
        http::ask(self.web, &format!("{method} {}", self.place), "", "").status
    }

    fn go_on(&mut self, now: Instant) {
        if self.is_checking && self.next_check <= now {
            self.next_check = now + if self.is_secure() { CONSENT_EVERY } else { CHECK_EVERY };
            let to = match self.validated {
                Some(validated) => validated,
                None => self.candidates[self.checks as usize % self.candidates.len()],
            };
            self.check(to);
        }
        if self.dtls.poll_timeout(&peer()).is_some_and(|at| at <= now) {
            let _ = self.dtls.handle_timeout(peer(), now);
        }
        let Some(to) = self.validated else { return };
        while let Some(datagram) = self.dtls.poll_transmit() {
            let _ = self.socket.send_to(&datagram.message, to);
        }
    }

    fn check(&mut self, to: SocketAddr) {
        self.checks += 1;
        let mut message = Message::new();
        message.set_type(BINDING_REQUEST);
        message.transaction_id = TransactionId::new();
        message.write_header();
        message.add(ATTR_USERNAME, format!("{}:{}", self.box_name, self.name).as_bytes());
        message.add(ATTR_PRIORITY, &0x6E7F_00FF_u32.to_be_bytes());
        message.add(ATTR_ICE_CONTROLLING, &7_u64.to_be_bytes());
        message.add(ATTR_USE_CANDIDATE, &[]);
        let bytes = self.sealed(message, &self.box_password.clone());
        let _ = self.socket.send_to(&bytes, to);
    }

    fn sealed(&self, mut message: Message, password: &str) -> Vec<u8> {
        let key = password.as_bytes();
        let seal = MessageIntegrity::new_raw_integrity_with_provider(key, self.crypto.crypto());
        seal.add_to(&mut message).unwrap();
        FINGERPRINT.add_to(&mut message).unwrap();
        message.raw
    }

    fn receive(&mut self) {
        let mut buffer = [0; 2_048];
        // All that has come, so that no queue overflows.
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            let bytes = &buffer[..length];
            match bytes.first() {
                Some(0..=3) => self.take_stun(bytes, from),
                Some(20..=63) => self.take_dtls(bytes),
                Some(128..=191) => self.take_rtp(bytes),
                _ => (),
            }
            if self.next_check <= Instant::now() {
                return;
            }
        }
    }

    fn take_stun(&mut self, bytes: &[u8], from: SocketAddr) {
        let mut message = Message::new();
        message.unmarshal_binary(bytes).unwrap();
        let is_from = |password: &str, message: &mut Message| {
            MessageIntegrity::check(message, password.as_bytes(), self.crypto.crypto()).is_ok()
        };
        if message.typ == BINDING_SUCCESS && is_from(&self.box_password, &mut message) {
            self.validated.get_or_insert(from);
        } else if message.typ == BINDING_REQUEST && is_from(PASSWORD, &mut message) {
            let mut answer = Message::new();
            answer.transaction_id = message.transaction_id;
            answer.typ = BINDING_SUCCESS;
            answer.write_header();
            let seen = XorMappedAddress { ip: from.ip(), port: from.port() };
            seen.add_to(&mut answer).unwrap();
            let bytes = self.sealed(answer, PASSWORD);
            let _ = self.socket.send_to(&bytes, from);
        }
    }

    fn take_dtls(&mut self, bytes: &[u8]) {
        let Ok(events) = self.dtls.read(Instant::now(), peer(), None, bytes.into()) else { return };
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => self.keys = Some(self.made_keys()),
                EndpointEvent::PeerClosed => self.is_closed = true,
                _ => (),
            }
        }
        self.go_on(Instant::now());
    }

    /// RFC 5764 section 4.2.
    fn made_keys(&self) -> Keys {
        let state = self.dtls.get_connection_state(peer()).unwrap();
        let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], 60).unwrap();
        let material = material.into_bytes();
        let theirs = usize::from(self.is_client);
        let key = &material[16 * theirs..][..16];
        let salt = &material[32 + 14 * theirs..][..14];
        Keys::of(key.try_into().unwrap(), salt.try_into().unwrap())
    }

    fn take_rtp(&mut self, bytes: &[u8]) {
        // RTCP has types of 64 to 95 there (RFC 5761).
        let is_rtcp = bytes.get(1).is_some_and(|kind| (64..96).contains(&(kind & 0x7F)));
        let Some(keys) = self.keys.as_mut().filter(|_| !is_rtcp) else { return };
        match keys.open(bytes) {
            Some(payload) => {
                self.packets += 1;
                let samples: Vec<i16> = payload.iter().map(|code| Law::Mu.decode(*code)).collect();
                self.loud += u32::from(level_dbfs(&samples) > LOUD_DBFS);
            }
            None => self.forged += 1,
        }
    }
}

/// As descriptions write it (RFC 8122).
fn hash(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// The keys of one direction (RFC 3711 section 4.3), and how often its numbers have wrapped.
struct Keys {
    key: [u8; 16],
    salt: [u8; 14],
    authentication: [u8; 20],
    wraps: u32,
}

impl Keys {
    fn of(master: [u8; 16], salt: [u8; 14]) -> Self {
        let derived = |label: u8, out: &mut [u8]| {
            let mut start = [0; 16];
            start[..14].copy_from_slice(&salt);
            start[7] ^= label;
            Cipher::new(&master.into(), &start.into()).apply_keystream(out);
        };
        let mut keys = Self { key: [0; 16], salt: [0; 14], authentication: [0; 20], wraps: 0 };
        derived(0, &mut keys.key);
        derived(1, &mut keys.authentication);
        derived(2, &mut keys.salt);
        keys
    }

    /// The payload of a packet that is the peer's.
    fn open(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let (packet, tag) = packet.split_at_checked(packet.len().checked_sub(10)?)?;
        let is_of = |wraps: u32| {
            let mut code = Hmac::<sha1::Sha1>::new_from_slice(&self.authentication).unwrap();
            code.update(packet);
            code.update(&wraps.to_be_bytes());
            code.finalize().into_bytes()[..10] == *tag
        };
        self.wraps = [self.wraps, self.wraps + 1].into_iter().find(|wraps| is_of(*wraps))?;
        let head = 12 + 4 * usize::from(packet[0] & 15);
        let has_extension = packet[0] & 16 != 0;
        let words = packet.get(head + 2..head + 4).filter(|_| has_extension);
        let extension = words.map_or(0, |w| 4 + 4 * usize::from(u16::from_be_bytes([w[0], w[1]])));
        let mut payload = packet.get(head + extension..)?.to_vec();
        let mut start = [0; 16];
        start[..14].copy_from_slice(&self.salt);
        let number = [&self.wraps.to_be_bytes()[..], &packet[2..4]].concat();
        let mixed = packet[8..12].iter().chain(&number);
        start[4..14].iter_mut().zip(mixed).for_each(|(place, byte)| *place ^= byte);
        Cipher::new(&self.key.into(), &start.into()).apply_keystream(&mut payload);
        Some(payload)
    }
}

/// Many of them, some at a time: each of `numbers` is called by `work`, by so many threads.
pub fn some_at_once(numbers: std::ops::Range<u32>, threads: usize, work: impl Fn(u32) + Sync) {
    let next = Mutex::new(numbers);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(number) = { next.lock().unwrap().next() } {
                        work(number);
                    }
                })
            })
            .collect();
        for one in all {
            one.join().unwrap();
        }
    });
}
