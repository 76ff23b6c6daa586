//! An account over real sockets, with a registrar of the test's own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::appliance::config::Place;
use crate::appliance::sip_socket::{Arrival, Listen, SipSockets, Tls};
use crate::appliance::trust::Roots;
use crate::base::Private;
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::digest::Credentials;
use crate::sip::message::Host;
use crate::sip::{Transport, UserAgent};

struct Desk {
    sip: SipLine,
    arrivals: Receiver<Arrival>,
    accounts: Accounts,
    answers: Receiver<Resolved>,
    registrar: UdpSocket,
}

impl Desk {
    async fn open(transport: Transport) -> Self {
        Self::open_as(transport, true, &[]).await
    }

    /// `further`: servers after the registrar.
    async fn open_as(transport: Transport, registers: bool, further: &[SocketAddr]) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = [Listen { transport: Transport::Udp, address: any }];
        let (sockets, arrivals) =
            SipSockets::open(&listen, Tls::client(Roots::default())).await.unwrap();
        let mut entropy = Entropy::new([1; 32]);
        let agent = UserAgent::new(sip::Settings::default(), entropy.fork());
        let registrar = UdpSocket::bind(any).await.unwrap();
        let address = registrar.local_addr().unwrap();
        let place = |at: SocketAddr| Place { host: Host::Ip(at.ip()), port: Some(at.port()) };
        let private = |text: &str| Private::new(text.to_owned());
        let plan = Plan {
            name: "office".to_owned(),
            transports: vec![transport],
            registrar: private("sip:example.net"),
            address_of_record: private("sip:1001@example.net"),
            user: private("1001"),
            credentials: Some(Credentials {
                username: private("1001"),
                password: private("hush"),
                realm: None,
                over: None,
            }),
            registers,
            number_prefix: "00".to_owned(),
            caller_id: Some(private("+4930123456")),
            answer: crate::trunk::AnswerPolicy::Sip200,
            expires_s: 300,
            keep_alive: Duration::from_secs(25),
            agent: None,
            instance: None,
            srtp: Srtp::Required,
            keys: Some(OfferedKeys::Dtls),
            ice: None,
            places: [&[address], further].concat().into_iter().map(place).collect(),
            dialect: sip::Dialect::Standard,
            pace: crate::trunk::Pace::STANDARD,
            platform: None,
        };
        let (resolver, answers) = Resolver::new(entropy.fork());
        let callers = Callers::new(false, true, Vec::new());
        let accounts = Accounts::new(vec![plan], callers, resolver, &mut entropy);
        let sip = SipLine::new(agent, sockets);
        Self { sip, arrivals, accounts, answers, registrar }
    }

    /// As the switchboard does it.
    fn settle(&mut self) {
        loop {
            assert!(self.sip.event().is_none());
            let Some((id, news)) = self.sip.account_news() else { return };
            self.accounts.news(Instant::now(), id, news, &mut self.sip);
        }
    }

    async fn start(&mut self) {
        self.accounts.all(Instant::now(), &Input::Start, &mut self.sip);
        let answer = self.answers.recv().await.unwrap();
        self.accounts.resolved(Instant::now(), answer, &mut self.sip);
        self.settle();
    }

    async fn asked(&self) -> (String, SocketAddr) {
        let mut bytes = vec![0; 4_096];
        let asked =
            tokio::time::timeout(Duration::from_secs(5), self.registrar.recv_from(&mut bytes));
        let (length, from) = asked.await.expect("a request").unwrap();
        (String::from_utf8_lossy(&bytes[..length]).into_owned(), from)
    }

    async fn answer(&mut self, request: &str, to: SocketAddr, status: &str) {
        let kept = ["Via", "From", "To", "Call-ID", "CSeq"];
        let kept = request.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
        let head = kept.fold(format!("SIP/2.0 {status}\r\n"), |all, line| all + line + "\r\n");
        let answer = head + "Content-Length: 0\r\n\r\n";
        self.registrar.send_to(answer.as_bytes(), to).await.unwrap();
        let arrival = self.arrivals.recv().await.unwrap();
        self.sip.arrival(Instant::now(), arrival);
        self.settle();
    }
}

#[tokio::test]
async fn it_registers_says_so_and_takes_it_away_in_the_end() {
    let mut desk = Desk::open(Transport::Udp).await;
    let fault = |desk: &mut Desk| desk.accounts.take_change().unwrap()[0].fault();
    assert_eq!(fault(&mut desk).unwrap(), "account office: it is not registered yet");
    let server = desk.registrar.local_addr().unwrap().ip();
    assert_eq!(desk.accounts.srtp_of(server), None);
    desk.start().await;
    assert_eq!(desk.accounts.srtp_of(server), Some(Srtp::Required));
    assert_eq!(desk.accounts.keys_of(server), Some(OfferedKeys::Dtls));
    assert_eq!(desk.accounts.srtp_of("192.0.2.9".parse().unwrap()), None);
    let (request, from) = desk.asked().await;
    assert!(request.starts_with("REGISTER sip:example.net SIP/2.0\r\n"), "{request}");
    assert!(request.contains(&format!("Contact: <sip:1001@{from}>;expires=300")), "{request}");
    desk.answer(&request, from, "200 OK").await;
    assert_eq!(fault(&mut desk), None);
    assert!(desk.accounts.take_change().is_none());
    assert!(desk.accounts.deadline().is_some());
    desk.accounts.all(Instant::now(), &Input::Stop, &mut desk.sip);
    desk.settle();
    assert!(desk.accounts.are_leaving());
    let (request, from) = desk.asked().await;
    assert!(request.contains(";expires=0\r\n"), "{request}");
    desk.answer(&request, from, "200 OK").await;
    assert!(!desk.accounts.are_leaving());
}

#[tokio::test]
async fn the_servers_of_accounts_may_call_once_their_addresses_are_known() {
    let mut desk = Desk::open(Transport::Udp).await;
    let admits = |desk: &Desk| match desk.accounts.open() {
        sip::Command::LetIn(sources) => sources.admit([127, 0, 0, 1].into()),
        _ => panic!(),
    };
    assert!(!admits(&desk));
    desk.start().await;
    assert!(admits(&desk));
    let anyone = matches!(Accounts::none().open(), sip::Command::LetIn(sip::Sources::Anyone));
    assert!(anyone, "without any configuration it is as before");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_a_transport_that_is_not_there_too() {
    let mut desk = Desk::open(Transport::Udp).await;
    desk.start().await;
    let (request, from) = desk.asked().await;
    desk.answer(&request, from, "403 Forbidden").await;
    let shown = desk.accounts.take_change().unwrap();
    let expected =
        "account office: it is not registered: its server has closed the account to us (403)";
    assert_eq!(shown[0].fault().unwrap(), expected);
    let mut deaf = Desk::open(Transport::Tcp).await;
    deaf.start().await;
    let shown = deaf.accounts.take_change().unwrap();
    assert!(shown[0].fault().unwrap().ends_with("its server cannot be reached"));
}

#[tokio::test]
async fn a_call_goes_out_with_the_accounts_address_and_number_once_it_is_registered() {
    let mut desk = Desk::open(Transport::Udp).await;
    let number = crate::trunk::dialling::NumberPlan::default().normalise("+43 1 234567").unwrap();
    let trunk = |desk: &mut Desk, name| desk.accounts.trunk(name, &number, &mut desk.sip);
    let not_ready = NoTrunk::NotReady("office".to_owned());
    assert_eq!(trunk(&mut desk, None).err(), Some(not_ready));
    desk.start().await;
    let (request, from) = desk.asked().await;
    desk.answer(&request, from, "200 OK").await;
    let unknown = trunk(&mut desk, Some("home\u{1b}")).err().unwrap();
    assert_eq!(unknown.to_string(), "no account is called home; there are: office");
    let Trunk { name, invite, .. } = trunk(&mut desk, Some("office")).ok().unwrap();
    assert_eq!((name.as_str(), invite.flow.peer), ("office", desk.registrar.local_addr().unwrap()));
    assert_eq!(invite.target.reveal(), "sip:00431234567@example.net");
    let shown = "sip:004930123456@example.net";
    assert_eq!(invite.from.as_ref().unwrap().reveal(), shown);
    let identity = ("P-Preferred-Identity".to_owned(), format!("<{shown}>"));
    assert_eq!(invite.headers, [identity]);
    assert!(invite.credentials.is_some() && invite.sdp.is_none());
    assert_eq!(Accounts::none().has_trunk(None), Err(NoTrunk::None));
}

#[tokio::test]
async fn a_call_goes_to_the_server_that_answers_and_may_go_on_to_the_others() {
    let second = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let at = second.local_addr().unwrap();
    let mut desk = Desk::open_as(Transport::Udp, false, &[at]).await;
    let number = crate::trunk::dialling::NumberPlan::default().normalise("+43 1 234567").unwrap();
    desk.start().await;
    let first = desk.registrar.local_addr().unwrap();
    let way = |desk: &mut Desk| {
        let Trunk { invite, .. } = desk.accounts.trunk(None, &number, &mut desk.sip).ok().unwrap();
        let others: Vec<SocketAddr> = invite.others.iter().map(|flow| flow.peer).collect();
        (invite.flow.peer, others)
    };
    assert_eq!(way(&mut desk), (first, vec![at]));
    let (request, from) = desk.asked().await;
    assert!(request.starts_with("OPTIONS sip:example.net SIP/2.0\r\n"), "{request}");
    desk.answer(&request, from, "503 Service Unavailable").await;
    assert_eq!(way(&mut desk), (at, vec![]));
    let shown = desk.accounts.take_change().unwrap();
    let expected = "account office: its server 2 of 2 is used, 1 does not answer";
    assert_eq!(shown[0].fault().unwrap(), expected);
    // It is asked again, and the second is silent meanwhile.
    let later = Instant::now() + Duration::from_secs(26);
    desk.accounts.timeout(later, &mut desk.sip);
    desk.settle();
    let (request, from) = desk.asked().await;
    desk.answer(&request, from, "200 OK").await;
    assert_eq!(way(&mut desk), (first, vec![]));
    assert_eq!(desk.accounts.take_change().unwrap()[0].fault(), None);
}
