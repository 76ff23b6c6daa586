//! The front without threads, models and network: SIP by datagrams, the audio thread and the engine
//! played by the test, time as input.

mod dialling;
mod operating;
mod succeeding;
mod visiting;

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::appliance::accounts::Accounts;
use crate::appliance::associations::Associations;
use crate::appliance::engine::Engine;
use crate::appliance::engine::double::Scripted;
use crate::appliance::front::agents::AgentRule;
use crate::appliance::front::dialler::Dialler;
use crate::appliance::front::errands::{Errands, Speaker, Speakers};
use crate::appliance::media_address::MediaAddress;
use crate::appliance::outside::Outside;
use crate::appliance::places::Places;
use crate::appliance::ringcentral::RingCentral;
use crate::appliance::rings::{self, AudioCommand, AudioSide, Place};
use crate::appliance::rtp_socket::{PortRange, RtpSockets};
use crate::appliance::sip_line::SipLine;
use crate::appliance::sip_socket::{Listen, SipSockets, Tls};
use crate::appliance::trust::Roots;
use crate::appliance::visits::Visits;
use crate::appliance::ways::Ways;
use crate::association::Identity;
use crate::base::handshake::IceSide;
use crate::base::{Entropy, limits};
use crate::call::admission::{self, WhenFull};
use crate::call::media::Report;
use crate::codec::Codec;
use crate::listen::answered::OnMachine;
use crate::sdp::{OfferedKeys, Offering, Srtp};
use crate::sip::{Flow, Transport, UserAgent};

/// A switchboard of one place, and a telephone that its datagrams come to.
struct Desk {
    switchboard: Switchboard,
    audio: AudioSide,
    phone: tokio::net::UdpSocket,
    flow: Flow,
    now: Instant,
    /// Of the call in the place.
    playing: Option<(CallId, Arc<RtpSockets>)>,
    /// Of those who listen.
    listening: HashMap<Place, (CallId, Arc<RtpSockets>)>,
}

impl Desk {
    async fn open(ports: u16) -> Self {
        let dialler = Dialler::new(crate::appliance::config::Config::default().dial, None);
        Self::with(ports, crate::appliance::accounts::Accounts::none(), dialler).await
    }

    async fn with(ports: u16, accounts: Accounts, dialler: Dialler) -> Self {
        let now = Instant::now();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = [Listen { transport: Transport::Udp, address: any }];
        let (sockets, _) = SipSockets::open(&listen, Tls::client(Roots::default())).await.unwrap();
        let local = sockets.listening()[0].address;
        let phone = tokio::net::UdpSocket::bind(any).await.unwrap();
        let flow = Flow::udp(local, phone.local_addr().unwrap());
        let mut rings = rings::allocate(1 + limits::OPERATORS as u16).unwrap();
        rings.observable();
        let (engine, _answers) = Scripted::new(16);
        let engine: Arc<dyn Engine> = Arc::new(engine);
        let code = crate::base::LanguageCode::ENGLISH;
        let speaker = Speaker { code, language: "en".into(), voice: String::new() };
        let parts = Parts {
            sip: SipLine::new(UserAgent::new(sip::Settings::default(), entropy(1)), sockets),
            visits: Visits::new(MediaAddress::Own, entropy(3), 5),
            places: Places::new(rings.net).with_lines(1),
            ways: Ways::new(IceSide::Full, Outside::start(Vec::new()), None, false),
            associations: Associations::new(Identity::new().unwrap(), Entropy::new([3; 32])),
            ports: PortRange::new(ports..=ports + 19),
            errands: Errands::new(engine, Speakers::new(vec![speaker])),
            accounts,
            ringcentral: RingCentral::default(),
            dialler,
            agent_rule: AgentRule::default(),
            on_machine: OnMachine::Talk,
            board: Arc::default(),
            entropy: entropy(2),
            call: call::Settings {
                offering: Offering {
                    codecs: vec![Codec::Pcmu],
                    dtmf: true,
                    ptime_ms: 20,
                    srtp: Srtp::Off,
                    keys: OfferedKeys::Sdes,
                },
                answer_after: Duration::ZERO,
                listen: crate::listen::Settings::default(),
                converse: crate::converse::Settings::default(),
                tongues: call::language::Tongues::only(crate::converse::Playbook::logistics()),
                hold: call::HoldSound::default(),
                voicemail: call::VoicemailSettings::default(),
            },
            admission: admission::Settings {
                max: 1,
                when_full: WhenFull::Busy,
                retry_after_s: 5,
                max_load: 0.7,
            },
            media_address: MediaAddress::Own,
            languages: call::language::Rules::only(call::language::Choice::Language(code)),
            has_operators: true,
            referrals: crate::trunk::Referrals::default(),
            flights: None,
            canary: None,
            recorder: None,
            voicemail: crate::appliance::voicemail::Voicemail::none(),
        };
        let switchboard = Switchboard::new(now, parts);
        Self {
            switchboard,
            audio: rings.audio,
            phone,
            flow,
            now,
            playing: None,
            listening: HashMap::new(),
        }
    }

    async fn ready() -> Self {
        static PORTS: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(28_400);
        let ports = PORTS.fetch_add(20, std::sync::atomic::Ordering::Relaxed);
        let mut desk = Self::open(ports).await;
        desk.switchboard.set_readiness(desk.now, Readiness::Ready);
        desk
    }

    fn sends(&mut self, message: &str) {
        let bytes = message.replace('\n', "\r\n").into_bytes();
        self.now += Duration::from_millis(1);
        self.switchboard.arrival(self.now, Arrival::Datagram { flow: self.flow, bytes });
        self.play();
    }

    /// The next message that the telephone gets, provisional responses left out.
    async fn gets(&self) -> String {
        let mut bytes = vec![0; 4_096];
        loop {
            let received =
                tokio::time::timeout(Duration::from_secs(5), self.phone.recv(&mut bytes));
            let length = received.await.expect("a message").unwrap();
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if !text.starts_with("SIP/2.0 1") {
                return text;
            }
        }
    }

    /// The audio thread's part: takes its commands.
    fn play(&mut self) {
        while let Ok(command) = self.audio.commands.pop() {
            match command {
                AudioCommand::Start { place: Place(0), call, sockets, .. } => {
                    self.playing = Some((call, sockets));
                }
                AudioCommand::Start { place, call, sockets, .. } => {
                    self.listening.insert(place, (call, sockets));
                }
                AudioCommand::Stop { place } => {
                    let playing = match place {
                        Place(0) => self.playing.take(),
                        place => self.listening.remove(&place),
                    };
                    let (call, sockets) = playing.expect("something plays");
                    let report = Report { sent: 7, ..Report::default() };
                    let kind = AudioEventKind::Stopped { sockets, report };
                    self.audio.events.push(AudioEvent { place, call, kind }).unwrap();
                    self.switchboard.audio(self.now);
                }
                AudioCommand::Apply { .. }
                | AudioCommand::Secure { .. }
                | AudioCommand::Steer { .. }
                | AudioCommand::Press { .. } => (),
            }
        }
    }

    /// A call up to its ACK; gives the 200 to the INVITE.
    async fn calls(&mut self, id: &str) -> String {
        self.sends(&self.invite(id));
        let ok = self.gets().await;
        assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
        self.sends(&self.request("ACK", id, 1, &tag(&ok)));
        ok
    }

    fn invite(&self, id: &str) -> String {
        let sdp = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n\
            m=audio 40000 RTP/AVP 0\n";
        let length = sdp.replace('\n', "\r\n").len();
        let head = self.request("INVITE", id, 1, "");
        let head = head.replace(
            "Content-Length: 0\n\n",
            &format!("Content-Type: application/sdp\nContent-Length: {length}\n\n"),
        );
        head + sdp
    }

    fn request(&self, method: &str, id: &str, number: u32, to_tag: &str) -> String {
        let (us, phone) = (self.flow.local, self.flow.peer);
        format!(
            "{method} sip:desk@{us} SIP/2.0\nVia: SIP/2.0/UDP {phone};branch=z9hG4bK{id}{method}\n\
             Max-Forwards: 70\nFrom: <sip:phone@{phone}>;tag=of{id}\nTo: <sip:desk@{us}>{to_tag}\n\
             Call-ID: {id}\nCSeq: {number} {method}\nContact: <sip:phone@{phone}>\n\
             Content-Length: 0\n\n"
        )
    }
}

fn entropy(seed: u8) -> Entropy {
    Entropy::new([seed; 32])
}

/// `;tag=...` of the To header field.
fn tag(response: &str) -> String {
    let to = response.lines().find(|line| line.starts_with("To:")).unwrap();
    to[to.find(";tag=").unwrap()..].trim_end().to_owned()
}

/// The response to a request that we got.
fn ok_to(request: &str) -> String {
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let kept = request.lines().filter(|line| copied.iter().any(|name| line.starts_with(name)));
    let head: String = kept.map(|line| format!("{}\n", line.trim_end())).collect();
    format!("SIP/2.0 200 OK\n{head}Content-Length: 0\n\n")
}

#[tokio::test]
async fn nobody_is_answered_before_the_engine_is_ready() {
    let mut desk = Desk::open(28_380).await;
    desk.sends(&desk.invite("early"));
    let refused = desk.gets().await;
    assert!(refused.starts_with("SIP/2.0 503"), "{refused}");
    assert!(refused.contains("Retry-After: 5"), "{refused}");
}

#[tokio::test]
async fn the_call_after_the_last_place_is_refused_and_a_free_place_is_given_again() {
    let mut desk = Desk::ready().await;
    let ok = desk.calls("one").await;
    desk.sends(&desk.invite("two"));
    assert!(desk.gets().await.starts_with("SIP/2.0 486"));
    desk.sends(&desk.request("ACK", "two", 1, ""));
    desk.sends(&desk.request("BYE", "one", 2, &tag(&ok)));
    assert!(desk.gets().await.starts_with("SIP/2.0 200"));
    assert_eq!(desk.switchboard.calls(), 0);
    desk.calls("three").await;
    assert!(desk.playing.is_some());
}

#[tokio::test]
async fn an_ended_call_that_awaits_its_last_answer_leaves_the_next_call_in_its_place_alone() {
    let mut desk = Desk::ready().await;
    desk.calls("one").await;
    desk.switchboard.hang_up_all(desk.now, Cause::Goodbye);
    desk.play();
    let bye = desk.gets().await;
    assert!(bye.starts_with("BYE"), "{bye}");
    assert!(desk.playing.is_none());
    desk.calls("two").await;
    let (second, _) = desk.playing.as_ref().expect("the second call plays");
    let second = *second;
    desk.sends(&ok_to(&bye));
    assert_eq!(desk.playing.as_ref().map(|(call, _)| *call), Some(second));
    assert_eq!(desk.switchboard.calls(), 1);
    let first = desk.switchboard.parts.board.call(CallId(1)).unwrap();
    assert_eq!(first.rtp.packets_sent, 7, "the last report is in the record");
}

#[tokio::test]
async fn a_call_of_the_box_to_itself_leaves_nothing_and_a_name_alone_makes_none() {
    let mut desk = Desk::ready().await;
    let invite = desk.invite("one").replace("sip:desk@", "sip:unlisted@");
    desk.sends(&invite);
    assert!(desk.gets().await.starts_with("SIP/2.0 200"));
    assert_eq!((desk.switchboard.calls(), desk.switchboard.parts.board.calls().len()), (1, 0));
    // From another machine it is a call as any other.
    let mut desk = Desk::ready().await;
    let away = SocketAddr::from(([192, 0, 2, 7], 5060));
    let invite = desk.invite("two").replace("sip:desk@", "sip:unlisted@");
    let bytes = invite.replace('\n', "\r\n").into_bytes();
    let flow = Flow::udp(desk.flow.local, away);
    desk.switchboard.arrival(desk.now, Arrival::Datagram { flow, bytes });
    desk.play();
    assert_eq!((desk.switchboard.calls(), desk.switchboard.parts.board.calls().len()), (1, 1));
}

/// The same request with another header field.
fn with(request: &str, header: &str) -> String {
    request.replace("Max-Forwards: 70\n", &format!("Max-Forwards: 70\n{header}\n"))
}

#[tokio::test]
async fn a_call_is_taken_over_by_another_leg_although_no_place_is_free() {
    let mut desk = Desk::ready().await;
    let ok = desk.calls("one").await;
    let (call, _) = desk.playing.as_ref().expect("it plays");
    let call = *call;
    let replaces = format!("Replaces: one;to-{};from-tag=ofone", &tag(&ok)[1..]);
    desk.sends(&with(&desk.invite("two"), &replaces));
    let taken = desk.gets().await;
    assert!(taken.starts_with("SIP/2.0 200"), "{taken}");
    desk.sends(&desk.request("ACK", "two", 1, &tag(&taken)));
    let bye = desk.gets().await;
    assert!(bye.starts_with("BYE") && bye.contains("Call-ID: one\r\n"), "{bye}");
    desk.sends(&ok_to(&bye));
    assert_eq!(desk.playing.as_ref().map(|(playing, _)| *playing), Some(call), "the same call");
    assert_eq!(desk.switchboard.calls(), 1);
    desk.sends(&desk.request("BYE", "two", 2, &tag(&taken)));
    assert!(desk.gets().await.starts_with("SIP/2.0 200"));
    assert_eq!(desk.switchboard.calls(), 0);
    assert!(desk.switchboard.legs.is_empty(), "no leg is remembered");
}
