//! Two user agents in memory, joined by a network that loses, delays and reorders, under a clock
//! that the test sets. Everything is drawn from a seed.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::*;
use crate::base::Private;
use crate::sip::{EndCause, Invite};

/// What the network does to what it carries.
#[derive(Clone, Copy)]
struct Weather {
    loss_percent: u32,
    /// Each datagram takes up to this long, so later ones overtake.
    delay_ms: u32,
    transport: Transport,
}

enum Parcel {
    Datagram { flow: Flow, bytes: Vec<u8> },
    Opened { flow: Flow },
    Bytes { connection: ConnectionId, bytes: Vec<u8> },
    Closed { connection: ConnectionId },
    Command(Command),
}

struct End {
    agent: UserAgent,
    address: SocketAddr,
    events: Vec<Event>,
    deadline: Option<Instant>,
    /// How this end's call layer reacts, after how long.
    answer_after: Option<Duration>,
}

struct Network {
    now: Instant,
    ends: [End; 2],
    in_flight: BTreeMap<(Instant, u64), (usize, Parcel)>,
    /// The other end of a connection, and when the last bytes on it arrive.
    streams: HashMap<(usize, ConnectionId), (ConnectionId, Instant)>,
    weather: Weather,
    entropy: Entropy,
    count: u64,
}

impl Network {
    fn new(seed: u8, weather: Weather) -> Self {
        let mut entropy = Entropy::new([seed; 32]);
        let mut end = |address: &str| End {
            agent: UserAgent::new(Settings::default(), entropy.fork()),
            address: address.parse().unwrap(),
            events: Vec::new(),
            deadline: None,
            answer_after: Some(ms(300)),
        };
        let ends = [end("192.0.2.1:5060"), end("192.0.2.7:5060")];
        let now = Instant::now();
        let (in_flight, streams) = (BTreeMap::new(), HashMap::new());
        Self { now, ends, in_flight, streams, weather, entropy, count: 0 }
    }

    /// The first end calls the second.
    fn call(&mut self) -> LegId {
        let (local, peer) = (self.ends[0].address, self.ends[1].address);
        let leg = self.ends[0].agent.reserve_leg();
        let flow = Flow {
            transport: self.weather.transport,
            local,
            peer,
            connection: None,
            account: None,
        };
        let invite = Invite {
            flow,
            others: Vec::new(),
            target: Private::new(format!("sip:bob@{peer}")),
            from: None,
            display: None,
            sdp: Some(SDP.as_bytes().to_vec()),
            credentials: None,
            headers: Vec::new(),
        };
        self.command(0, Command::Invite { leg, invite: Box::new(invite) });
        leg
    }

    fn command(&mut self, end: usize, command: Command) {
        self.give(end, Parcel::Command(command));
    }

    fn later(&mut self, after: Duration, end: usize, parcel: Parcel) {
        self.count += 1;
        self.in_flight.insert((self.now + after, self.count), (end, parcel));
    }

    fn give(&mut self, end: usize, parcel: Parcel) {
        let now = self.now;
        let agent = &mut self.ends[end].agent;
        match parcel {
            Parcel::Datagram { flow, bytes } => {
                agent.handle(now, Input::Datagram { flow, bytes: &bytes });
            }
            Parcel::Opened { flow } => agent.handle(now, Input::StreamOpened { flow }),
            Parcel::Bytes { connection, bytes } => {
                agent.handle(now, Input::StreamBytes { connection, bytes: &bytes });
            }
            Parcel::Closed { connection } => {
                agent.handle(now, Input::StreamClosed { connection });
            }
            Parcel::Command(command) => agent.handle(now, Input::Command(command)),
        }
        self.drain(end);
    }

    fn drain(&mut self, end: usize) {
        loop {
            match self.ends[end].agent.poll_output() {
                Output::Transmit { flow, bytes } => self.carry(end, flow, bytes),
                Output::Connect { connection, transport, peer, .. } => {
                    self.connect(end, connection, transport, peer);
                }
                Output::Close { connection } => {
                    if let Some((other, _)) = self.streams.remove(&(end, connection)) {
                        self.streams.remove(&(1 - end, other));
                        self.later(ms(1), 1 - end, Parcel::Closed { connection: other });
                    }
                }
                Output::Event(event) => self.react(end, event),
                Output::Registration { .. } | Output::Presence { .. } | Output::Said { .. } => {
                    panic!("nobody registers here")
                }
                Output::Timeout(at) => {
                    self.ends[end].deadline = at;
                    return;
                }
            }
        }
    }

    fn carry(&mut self, end: usize, flow: Flow, bytes: Vec<u8>) {
        let other = 1 - end;
        let Some(connection) = flow.connection else {
            if self.entropy.next_u32() % 100 < self.weather.loss_percent {
                return;
            }
            if flow.peer == self.ends[other].address {
                let delay = u64::from(self.entropy.next_u32() % self.weather.delay_ms.max(1));
                let flow = Flow::udp(flow.peer, flow.local);
                self.later(ms(delay), other, Parcel::Datagram { flow, bytes });
            }
            return;
        };
        let Some((there, last)) = self.streams.get(&(end, connection)).copied() else { return };
        // In order, but in pieces.
        let mut at = last.max(self.now);
        let mut rest: VecDeque<u8> = bytes.into();
        while !rest.is_empty() {
            let size = (1 + self.entropy.next_u32() as usize % 400).min(rest.len());
            let piece: Vec<u8> = rest.drain(..size).collect();
            at += ms(u64::from(self.entropy.next_u32() % 20));
            self.count += 1;
            let parcel = Parcel::Bytes { connection: there, bytes: piece };
            self.in_flight.insert((at, self.count), (other, parcel));
        }
        self.streams.insert((end, connection), (there, at));
    }

    fn connect(&mut self, end: usize, here: ConnectionId, transport: Transport, peer: SocketAddr) {
        let other = 1 - end;
        assert_eq!(peer, self.ends[other].address, "nobody else exists");
        self.count += 1;
        let there = ConnectionId::Accepted(self.count);
        self.streams.insert((end, here), (there, self.now));
        self.streams.insert((other, there), (here, self.now));
        let local = self.ends[end].address;
        let ephemeral = SocketAddr::new(local.ip(), 40_000 + (self.count % 10_000) as u16);
        let accepted = Flow::stream(transport, peer, ephemeral, there);
        self.later(ms(5), other, Parcel::Opened { flow: accepted });
        let dialled = Flow::stream(transport, local, peer, here);
        self.later(ms(10), end, Parcel::Opened { flow: dialled });
    }

    fn react(&mut self, end: usize, event: Event) {
        match &event {
            Event::Incoming { leg, .. } => {
                let leg = *leg;
                let ring = Command::Ring { leg, status: 180, sdp: None };
                self.later(ms(50), end, Parcel::Command(ring));
                if let Some(after) = self.ends[end].answer_after {
                    let answer = Command::Answer { leg, sdp: ANSWER.to_vec() };
                    self.later(after, end, Parcel::Command(answer));
                }
            }
            Event::OfferReceived { leg, .. } => {
                let accept = Command::AcceptOffer { leg: *leg, sdp: ANSWER.to_vec() };
                self.later(ms(20), end, Parcel::Command(accept));
            }
            _ => {}
        }
        self.ends[end].events.push(event);
    }

    /// Lets time pass until `until`, or until nothing is left to happen.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let parcel_at = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let due = [parcel_at, self.ends[0].deadline, self.ends[1].deadline];
            let Some(at) = due.into_iter().flatten().min().filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if parcel_at == Some(at) {
                let (_, (end, parcel)) = self.in_flight.pop_first().unwrap();
                self.give(end, parcel);
                continue;
            }
            for end in [0, 1] {
                if self.ends[end].deadline == Some(at) {
                    self.ends[end].agent.handle(self.now, Input::Timeout);
                    self.drain(end);
                }
            }
        }
        self.now = until;
    }

    fn saw(&self, end: usize, what: impl Fn(&Event) -> bool) -> bool {
        self.ends[end].events.iter().any(what)
    }

    /// Everything is over at both ends, and every leg said so once.
    fn assert_quiet(&self, what: &str) {
        for end in &self.ends {
            let left = end.agent.occupancy();
            let said = &end.events;
            assert_eq!((left.legs, left.dialogs, left.transactions), (0, 0, 0), "{what}: {said:?}");
            assert_eq!((left.transaction_bytes, left.remembered), (0, 0), "{what}");
            let last_words = end.events.iter().filter(|event| {
                matches!(
                    event,
                    Event::Ended { .. } | Event::Refused { .. } | Event::Cancelled { .. }
                )
            });
            let began = end.events.iter().filter(|e| matches!(e, Event::Incoming { .. })).count();
            let began = began as u64 + end.agent.counters().calls_out;
            assert_eq!(last_words.count() as u64, began, "{what}: {:?}", end.events);
        }
    }
}

const FAIR: Weather = Weather { loss_percent: 0, delay_ms: 5, transport: Transport::Udp };
const STORM: Weather = Weather { loss_percent: 25, delay_ms: 700, transport: Transport::Udp };
const STREAM: Weather = Weather { loss_percent: 0, delay_ms: 5, transport: Transport::Tcp };

/// A call with a hold from each side, ended by `ender`.
fn whole_call(network: &mut Network, ender: usize) -> bool {
    let caller_leg = network.call();
    network.pass(seconds(35));
    let callee_leg = network.ends[1].events.iter().rev().find_map(|event| match event {
        Event::Established { leg, .. } => Some(*leg),
        _ => None,
    });
    let answered =
        network.saw(0, |e| matches!(e, Event::Answered { leg, .. } if *leg == caller_leg));
    let legs = [caller_leg, callee_leg.unwrap_or(LegId(0))];
    for end in [0, 1] {
        let sdp = b"v=0\r\nhold\r\n".to_vec();
        network.command(end, Command::Reoffer { leg: legs[end], sdp });
    }
    network.pass(seconds(60));
    network.command(ender, Command::Bye { leg: legs[ender], reason: None });
    network.command(0, Command::Cancel { leg: caller_leg });
    network.pass(seconds(70));
    answered && callee_leg.is_some()
}

#[test]
fn calls_in_fair_weather_and_over_streams() {
    for weather in [FAIR, STREAM] {
        for seed in 0..10 {
            let mut network = Network::new(seed, weather);
            for round in 0..10 {
                assert!(whole_call(&mut network, round % 2), "seed {seed} round {round}");
                for end in [0, 1] {
                    let offered = |e: &Event| matches!(e, Event::OfferAnswered { .. });
                    assert!(network.saw(end, offered), "seed {seed}");
                }
            }
            network.pass(seconds(200));
            network.assert_quiet(&format!("seed {seed}"));
            assert_eq!(network.ends[0].agent.occupancy().connections, 0, "idle ones are closed");
        }
    }
}

#[test]
fn calls_in_a_storm_end_cleanly_whatever_is_lost() {
    let (mut went_well, mut glares) = (0, 0);
    for seed in 0..100 {
        let mut network = Network::new(seed, STORM);
        went_well += u32::from(whole_call(&mut network, usize::from(seed % 2)));
        // A BYE that never got through leaves the other end up: its own one ends it.
        network.command(0, Command::EndAll { retry_after_s: None });
        network.command(1, Command::EndAll { retry_after_s: None });
        network.pass(seconds(300));
        network.assert_quiet(&format!("seed {seed}"));
        glares += network.ends[0].agent.counters().answered(491);
        glares += network.ends[1].agent.counters().answered(491);
    }
    assert!(went_well >= 90, "{went_well} of 100");
    assert!(glares > 0, "both offer at once: someone must meet a glare");
}

#[test]
fn a_cancel_races_the_answer_in_both_orders() {
    let (mut cancelled, mut answered) = (0, 0);
    for seed in 0..150 {
        let loss_percent = if seed % 2 == 0 { 0 } else { 20 };
        let mut network = Network::new(seed, Weather { loss_percent, delay_ms: 60, ..FAIR });
        network.ends[1].answer_after = Some(ms(200));
        let leg = network.call();
        // The answer comes at about 230 ms.
        network.pass(ms(130 + u64::from(seed)));
        network.command(0, Command::Cancel { leg });
        network.pass(seconds(200));
        network.assert_quiet(&format!("seed {seed}"));
        assert!(!network.saw(1, |e| matches!(e, Event::Ended { cause: EndCause::NoAck, .. })));
        if network.saw(1, |e| matches!(e, Event::Cancelled { .. })) {
            cancelled += 1;
            assert!(network.saw(0, |e| matches!(e, Event::Refused { status: 487, .. })), "{seed}");
        } else {
            answered += 1;
            assert!(network.saw(1, |e| matches!(e, Event::Ended { .. })), "seed {seed}");
        }
    }
    assert!(cancelled > 20 && answered > 20, "{cancelled} and {answered}");
}

#[test]
fn a_day_of_calls_leaves_nothing_behind() {
    let mut network = Network::new(3, FAIR);
    for _ in 0..24 {
        let leg = network.call();
        network.pass(seconds(3_600));
        assert_eq!(network.ends[1].agent.occupancy().legs, 1, "up for an hour");
        network.command(0, Command::Bye { leg, reason: None });
    }
    network.pass(seconds(200));
    network.assert_quiet("a day");
}

#[test]
fn a_call_that_nobody_answers_is_given_up_at_both_ends() {
    let mut network = Network::new(4, FAIR);
    network.ends[1].answer_after = None;
    network.call();
    network.pass(seconds(400));
    assert!(network.saw(0, |e| matches!(e, Event::Refused { status: 480, .. })));
    network.assert_quiet("unanswered");
}
