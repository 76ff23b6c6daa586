use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use super::*;
use crate::appliance::rings::{self, Rings};
use crate::appliance::rtp_socket::PortRange;
use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::base::{Private, Protection, UtteranceId};
use crate::call::media::Plan;
use crate::codec::{Codec, EncoderSettings};
use crate::speak::PlayoutFrame;

const CALL: CallId = CallId(1);
const PLACE: Place = Place(0);

/// One place with a call in it, and the far end's socket.
struct Seated {
    audio: Audio,
    net: rings::NetSide,
    peer: UdpSocket,
    port: u16,
    moment: Moment,
}

impl Seated {
    fn new(ports: u16) -> Self {
        let Rings { mut net, audio, .. } = rings::allocate(1).unwrap();
        let settings = media::Settings { timeout: None, timeout_on_hold: false };
        let audio = Audio::new(audio, settings, &mut Entropy::new([1; 32]));
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let sockets = PortRange::new(ports..=ports + 7).bind(local).unwrap();
        let peer = UdpSocket::bind((local, 0)).unwrap();
        let (port, remote) = (sockets.port(), peer.local_addr().unwrap());
        let start = AudioCommand::Start {
            place: PLACE,
            call: CALL,
            sockets: Arc::new(sockets),
            plan: plan(remote),
        };
        net.commands.push(start).unwrap();
        Self { audio, net, peer, port, moment: Moment::read() }
    }

    fn play(&mut self, utterance: u32, last: bool) {
        let frame = Frame([1_000; FRAME_SAMPLES]);
        let frame = PlayoutFrame { utterance: UtteranceId(utterance), frame, last };
        self.net.places[0].playout.push(frame).unwrap();
    }

    fn fill_events(&mut self) {
        let kind = || AudioEventKind::Media(MediaEvent::DigitsSent);
        while self.audio.events.push(AudioEvent { place: PLACE, call: CALL, kind: kind() }).is_ok()
        {
        }
    }

    fn tick(&mut self) {
        self.moment.now += TICK;
        self.audio.tick(&self.moment);
    }

    /// All events that wait.
    fn events(&mut self) -> Vec<AudioEventKind> {
        std::iter::from_fn(|| self.net.events.pop().ok()).map(|event| event.kind).collect()
    }

    /// The utterances whose ends wait.
    fn ends(&mut self) -> Vec<(&'static str, u32)> {
        let ends = self.events().into_iter().filter_map(|kind| match kind {
            AudioEventKind::Finished { utterance } => Some(("finished", utterance.0)),
            AudioEventKind::Silenced { utterance, .. } => Some(("silenced", utterance.0)),
            _ => None,
        });
        ends.collect()
    }
}

fn plan(remote: SocketAddr) -> Plan {
    Plan {
        remote: Private::new(remote),
        remote_rtcp: Private::new(SocketAddr::new(remote.ip(), remote.port().wrapping_add(1))),
        rtcp_mux: false,
        codec: Codec::Pcmu,
        encoder: EncoderSettings::default(),
        tx_payload_type: 0,
        rx: [(0, Codec::Pcmu)].into_iter().collect(),
        dtmf: None,
        ptime_ms: 20,
        sends: true,
        receives: true,
        protection: Protection::Plain,
    }
}

#[test]
fn the_ends_of_utterances_wait_for_room_and_keep_their_order() {
    let mut call = Seated::new(28_350);
    call.tick();
    call.play(1, true);
    call.play(2, false);
    call.play(2, true);
    call.fill_events();
    for _ in 0..10 {
        call.tick();
    }
    assert_eq!(call.ends(), []);
    call.tick();
    assert_eq!(call.ends(), [("finished", 1)]);

    call.fill_events();
    for _ in 0..10 {
        call.tick();
    }
    call.net.places[0].silenced.store(3, Ordering::Release);
    call.play(3, true);
    assert_eq!(call.ends(), []);
    call.tick();
    call.tick();
    assert_eq!(call.ends(), [("finished", 2), ("silenced", 3)]);
}

#[test]
fn a_call_that_ends_while_the_ring_is_full_gives_its_sockets_back_later() {
    let mut call = Seated::new(28_360);
    call.tick();
    call.fill_events();
    call.net.commands.push(AudioCommand::Stop { place: PLACE }).unwrap();
    call.tick();
    let stopped = |events: &[AudioEventKind]| {
        events.iter().filter(|kind| matches!(kind, AudioEventKind::Stopped { .. })).count()
    };
    assert_eq!(stopped(&call.events()), 0);
    call.tick();
    assert_eq!(stopped(&call.events()), 1);
}

#[test]
fn a_peer_with_ever_new_streams_has_one_event_a_tick() {
    let mut call = Seated::new(28_370);
    call.tick();
    let mut packet = [0_u8; 172];
    packet[0] = 0x80;
    let mut changes = 0;
    for n in 0..12_u16 {
        for k in 0..24_u16 {
            packet[2..4].copy_from_slice(&(24 * n + k).to_be_bytes());
            // Every stream gets two packets, without which nobody believes in it.
            packet[11] = ((24 * n + k) / 2) as u8;
            call.peer.send_to(&packet, (Ipv4Addr::LOCALHOST, call.port)).unwrap();
        }
        call.tick();
        let changed =
            |kind: &AudioEventKind| matches!(kind, AudioEventKind::Media(MediaEvent::SsrcChanged));
        let told = call.events().iter().filter(|kind| changed(kind)).count();
        assert!(told <= 1, "{told} in one tick");
        changes += told;
    }
    assert!(changes > 3, "{changes}");
}

#[test]
fn what_is_given_between_the_halves_of_a_tick_leaves_in_that_tick() {
    let mut call = Seated::new(28_380);
    call.tick();
    call.events();
    call.moment.now += TICK;
    assert!(call.audio.hear(&call.moment), "there is a frame for the net thread");
    call.play(1, false);
    let speaks_at = Moment { now: call.moment.now + SPEAK_AFTER, ..call.moment };
    assert!(call.audio.speak(&speaks_at), "the net thread is told");
    let told = call.events();
    let [AudioEventKind::Media(MediaEvent::UtteranceAudible { at, .. })] = told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(at, speaks_at.now);
    call.moment.now += TICK;
    call.audio.hear(&call.moment);
    assert!(!call.audio.speak(&call.moment), "nobody is woken for nothing");
}

/// What another thread gives, which is waited for no longer than ten seconds.
fn soon<T>(mut next: impl FnMut() -> Option<T>) -> T {
    let until = Moment::read().now + Duration::from_secs(10);
    loop {
        if let Some(given) = next() {
            return given;
        }
        assert!(Moment::read().now < until, "the audio thread gives nothing");
        std::thread::yield_now();
    }
}

/// The thread itself leaves the time between. One try in two hundred will find the machine idle enough.
#[test]
fn a_reply_to_a_frame_leaves_before_the_next_frame_is_heard() {
    let Rings { mut net, audio, .. } = rings::allocate(1).unwrap();
    let settings = media::Settings { timeout: None, timeout_on_hold: false };
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let sockets = Arc::new(PortRange::new(28_390..=28_397).bind(local).unwrap());
    let peer = UdpSocket::bind((local, 0)).unwrap();
    let plan = plan(peer.local_addr().unwrap());
    net.commands.push(AudioCommand::Start { place: PLACE, call: CALL, sockets, plan }).unwrap();
    let entropy = Entropy::new([1; 32]);
    let (_thread, _) = spawn(audio, settings, entropy, realtime::Wish::unbound()).unwrap();
    let is_soon = (1..200).any(|number| {
        let place = &mut net.places[0];
        // What was heard until now is too old to reply to.
        while place.heard.pop().is_ok() {}
        let heard_at = soon(|| place.heard.pop().ok()).at;
        let utterance = UtteranceId(number);
        let frame = PlayoutFrame { utterance, frame: Frame([9_000; FRAME_SAMPLES]), last: true };
        place.playout.push(frame).unwrap();
        let left_at = soon(|| match net.events.pop().ok()?.kind {
            AudioEventKind::Media(MediaEvent::UtteranceAudible { at, .. }) => Some(at),
            _ => None,
        });
        // A reply that waits for the next frame to be heard leaves a tick later, at the soonest.
        (SPEAK_AFTER..SPEAK_AFTER + Duration::from_millis(10))
            .contains(&left_at.saturating_duration_since(heard_at))
    });
    assert!(is_soon);
}

#[test]
fn wall_clock_time_becomes_ntp_time() {
    let moment = Moment { now: Moment::read().now, wall: Duration::new(1, 500_000_000) };
    assert_eq!(at(&moment).ntp, ((NTP_EPOCH_S + 1) << 32) | 0x8000_0000);
}

/// Hellos of strangers fill their own part of the ring, and a peer that is yet to show itself has room.
#[test]
fn a_flood_of_hellos_leaves_room_for_checks_and_both_for_who_is_known() {
    let mut seated = Seated::new(28_470);
    let remote = seated.peer.local_addr().unwrap();
    let handshake = media::Handshake { association: 1, has_ice: false };
    let plan = Plan { protection: Protection::Handshake(handshake), ..plan(remote) };
    seated.net.commands.push(AudioCommand::Apply { place: PLACE, plan }).unwrap();
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ours = (Ipv4Addr::LOCALHOST, seated.port);
    let send = |from: &UdpSocket, first: u8, count: usize| {
        (0..count).for_each(|_| assert_eq!(from.send_to(&[first; 40], ours).unwrap(), 40));
    };
    send(&stranger, 22, 15);
    send(&stranger, 0, 10);
    send(&seated.peer, 22, 5);
    seated.tick();
    let ring = &mut seated.net.places[0].handshake;
    let all: Vec<(bool, u8)> = std::iter::from_fn(|| ring.pop().ok())
        .map(|datagram| (datagram.from == remote, datagram.bytes()[0]))
        .collect();
    let count = |of: (bool, u8)| all.iter().filter(|known| **known == of).count();
    let for_strangers = limits::HANDSHAKE_DATAGRAMS - limits::HANDSHAKE_DATAGRAMS_KNOWN;
    let hellos = for_strangers - limits::HANDSHAKE_DATAGRAMS_CHECKS;
    assert_eq!(count((false, 22)), hellos);
    assert_eq!(count((false, 0)), limits::HANDSHAKE_DATAGRAMS_CHECKS);
    assert_eq!(count((true, 22)), 5);
}
