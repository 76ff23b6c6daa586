//! After its construction a call's media neither allocates nor releases memory, whatever happens
//! in the call: the audio thread must never wait for the allocator.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use attendant::appliance::audio::Audio;
use attendant::appliance::realtime;
use attendant::appliance::rings::{self, AudioCommand, AudioEventKind, NetSide, Place, Rings};
use attendant::appliance::rtp_socket::{Channel, PortRange, ReceiveBuffer};
use attendant::base::handshake::Route;
use attendant::base::pcm::{FRAME_SAMPLES, Frame};
use attendant::base::{
    CallId, Entropy, Keying, Private, Protection, SrtpKey, SrtpSuite, UtteranceId,
};
use attendant::call::media::{
    Datagram, DtmfPlan, Handshake, HeardFrame, Media, MediaEvent, Moment, Path, Plan, Played,
    Playout, Settings, Sink,
};
use attendant::codec::{Codec, EncoderSettings};
use attendant::listen::{Answered, VadScore};
use attendant::speak::PlayoutFrame;

/// Counts what this thread asks of the system's allocator.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // The thread's own storage is gone while it ends; nothing is measured then.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator can only be watched by being one")]
// SAFETY: every call goes unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = CALLS.with(Cell::get);
    work();
    CALLS.with(Cell::get) - before
}

const TICK: Duration = Duration::from_millis(20);
/// Datagrams on their way in one direction.
const FLYING: usize = 64;

/// Keeps datagrams in place for the other end.
struct Wire {
    datagrams: [([u8; 1_500], usize, Path); FLYING],
    count: usize,
    heard: u64,
    events: u64,
}

impl Wire {
    fn new() -> Self {
        let datagrams = [([0; 1_500], 0, Path::Rtp); FLYING];
        Self { datagrams, count: 0, heard: 0, events: 0 }
    }
}

impl Sink for Wire {
    fn handshake(&mut self, _: &Datagram<'_>, _: bool) {}

    fn datagram(&mut self, path: Path, _: SocketAddr, bytes: &[u8]) {
        if let Some((place, length, on)) = self.datagrams.get_mut(self.count) {
            place[..bytes.len()].copy_from_slice(bytes);
            (*length, *on) = (bytes.len(), path);
            self.count += 1;
        }
    }
    fn heard(&mut self, _: &HeardFrame) {
        self.heard += 1;
    }
    fn event(&mut self, _: MediaEvent) {
        self.events += 1;
    }
}

struct Buzz(u32);

impl Playout for Buzz {
    fn next(&mut self, out: &mut Frame) -> Played {
        for sample in &mut out.0 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (self.0 >> 19) as i16;
        }
        Played::Voice(UtteranceId(self.0 >> 24))
    }
}

fn plan(codec: Codec, ptime_ms: u32, remote: SocketAddr) -> Plan {
    let dynamic = |codec| if codec == Codec::L16 { 112 } else { 111 };
    let number = |codec: Codec| codec.static_payload_type().unwrap_or_else(|| dynamic(codec));
    Plan {
        remote: Private::new(remote),
        remote_rtcp: Private::new(SocketAddr::new(remote.ip(), remote.port() + 1)),
        rtcp_mux: false,
        codec,
        encoder: EncoderSettings::default(),
        tx_payload_type: number(codec),
        rx: Codec::ALL.into_iter().map(|codec| (number(codec), codec)).collect(),
        dtmf: Some(DtmfPlan {
            tx_payload_type: 101,
            rx_payload_type: 101,
            clock_hz: codec.clock_rate_hz(),
        }),
        ptime_ms,
        sends: true,
        receives: true,
        protection: Protection::Plain,
    }
}

/// The same, encrypted; `end` says whose side it is.
fn encrypted(plan: Plan, end: usize) -> Plan {
    let suite = SrtpSuite::ALL[plan.ptime_ms as usize / 10 % SrtpSuite::ALL.len()];
    let mut keys = [1, 2].map(|n| SrtpKey::random(suite, &mut Entropy::new([n; 32])));
    keys.rotate_left(end);
    let [tx, rx] = keys;
    Plan { protection: Protection::Keys(Keying { suite, tx, rx }), ..plan }
}

/// A call of both ends with `plan_of` each: loss, disorder, strangers, garbage, digits, hold,
/// another codec, and its end.
fn call(
    ends: &mut [Media; 2],
    wires: &mut [Wire; 2],
    start: Instant,
    (codec, ptime_ms): (Codec, u32),
    is_encrypted: bool,
) {
    let plan = |codec, ptime_ms, remote, end| {
        let plain = plan(codec, ptime_ms, remote);
        if is_encrypted { encrypted(plain, end) } else { plain }
    };
    let addresses = [4_000, 5_000].map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
    let stranger = SocketAddr::from(([203, 0, 113, 9], 9));
    for (end, media) in ends.iter_mut().enumerate() {
        media.start(start, &plan(codec, ptime_ms, addresses[1 - end], end));
    }
    let mut buzz = Buzz(1);
    for n in 0..600_u32 {
        let now = start + TICK * n;
        for end in [0, 1] {
            let moment = Moment { now, ntp: u64::from(n) << 32 };
            ends[end].tick(moment, &mut buzz, &mut wires[end]);
            let [a, b] = wires;
            let (from, to) = if end == 0 { (a, b) } else { (b, a) };
            for k in (0..from.count).rev() {
                let (bytes, length, path) = &from.datagrams[k];
                let port = addresses[end].port() + u16::from(*path == Path::Rtcp);
                let source = SocketAddr::new(addresses[end].ip(), port);
                let from = if n % 17 == 3 { stranger } else { source };
                let bytes = &bytes[..if n % 19 == 5 { length / 2 } else { *length }];
                let datagram = Datagram { path: *path, from, arrived: now, bytes };
                if n % 13 != 7 {
                    ends[1 - end].handle_datagram(datagram, to);
                }
            }
            // Every now and then nothing moves for a while, and then all of it.
            if n % 40 < 36 || from.count == FLYING {
                from.count = 0;
            }
        }
        match n {
            100 => assert!(ends[0].press('5', Duration::from_millis(200))),
            200 => ends[0].apply(now, &plan(Codec::Pcma, 30, addresses[1], 0)),
            300 => ends[0].apply(now, &Plan { sends: false, ..plan(codec, 20, stranger, 0) }),
            400 => ends[0].apply(now, &plan(codec, ptime_ms, addresses[1], 0)),
            _ => {}
        }
    }
    let moment = Moment { now: start + TICK * 600, ntp: 0 };
    for (media, wire) in ends.iter_mut().zip(wires) {
        media.stop(moment, wire);
        wire.count = 0;
    }
}

#[test]
fn a_whole_call_allocates_nothing_after_construction() {
    let settings = Settings { timeout: Some(Duration::from_secs(5)), timeout_on_hold: true };
    let mut ends = [1, 2].map(|seed| Media::new(settings, Entropy::new([seed; 32])));
    let mut wires = [Wire::new(), Wire::new()];
    let mut start = Instant::now();
    for codec in Codec::ALL {
        for ptime_ms in [10, 20, 60] {
            for is_encrypted in [false, true] {
                let sound = (codec, ptime_ms);
                let count = allocations(|| call(&mut ends, &mut wires, start, sound, is_encrypted));
                assert_eq!(count, 0, "{codec:?} {ptime_ms} ms, encrypted: {is_encrypted}");
                start += Duration::from_secs(60);
            }
        }
    }
    for (media, wire) in ends.iter().zip(&wires) {
        let report = media.report();
        assert!(report.received > 100 && report.sent > 100, "{report:?}");
        assert!(report.foreign > 0 && report.concealed_ms > 0, "{report:?}");
        assert!(report.srtp_failed > 0 && report.malformed == 0, "{report:?}");
        assert!(wire.heard == Codec::ALL.len() as u64 * 6 * 600 && wire.events > 12);
    }
}

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A far end that sends a packet of speech, or of what looks like it, and takes what comes.
struct Peer {
    socket: UdpSocket,
    packet: [u8; 172],
    sequence: u16,
}

impl Peer {
    fn new() -> Self {
        let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut packet = [0x55; 172];
        packet[..2].copy_from_slice(&[0x80, 0]);
        Self { socket, packet, sequence: 0 }
    }

    fn send(&mut self, port: u16) {
        self.sequence = self.sequence.wrapping_add(1);
        let timestamp = u32::from(self.sequence) * 160;
        self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        self.packet[20..60].fill(self.sequence as u8);
        let _ = self.socket.send_to(&self.packet, (LOCAL, port));
        let mut bytes = [0; 1_500];
        while self.socket.recv_from(&mut bytes).is_ok() {}
    }
}

/// Takes all that the audio thread has left, and counts frames and ends of utterances.
fn empty(net: &mut NetSide) -> (u64, u64) {
    let (mut frames, mut ends) = (0, 0);
    for place in &mut net.places {
        while place.heard.pop().is_ok() {
            frames += 1;
        }
    }
    while let Ok(event) = net.events.pop() {
        let is_end =
            matches!(event.kind, AudioEventKind::Finished { .. } | AudioEventKind::Silenced { .. });
        ends += u64::from(is_end);
    }
    (frames, ends)
}

#[test]
fn the_audio_thread_allocates_nothing_with_empty_and_with_full_rings() {
    const PLACES: usize = 2;
    let mut rings = rings::allocate(PLACES as u16).unwrap();
    rings.observable();
    let Rings { mut net, audio, wake: _wake, shared } = rings;
    let settings = Settings { timeout: Some(Duration::from_secs(5)), timeout_on_hold: false };
    let mut audio = Audio::new(audio, settings, &mut Entropy::new([3; 32]));
    let mut range = PortRange::new(28_400..=28_431);
    let mut peers: [Peer; PLACES] = std::array::from_fn(|_| Peer::new());
    let mut ports = [0; PLACES];
    let mut kept = Vec::new();
    for (n, (peer, port)) in peers.iter().zip(&mut ports).enumerate() {
        let sockets = Arc::new(range.bind(LOCAL).unwrap());
        *port = sockets.port();
        // As the net thread has them, too, which gives them up after the call.
        kept.push(Arc::clone(&sockets));
        // Without agreed events, so that keys are listened for in the sound.
        let plan = plan(Codec::Pcmu, 20, peer.socket.local_addr().unwrap());
        let plan = Plan { dtmf: None, ..plan };
        let (place, call) = (Place(n as u16), CallId(n as u64));
        net.commands.push(AudioCommand::Start { place, call, sockets, plan }).unwrap();
    }
    let mut moment = realtime::Moment::read();
    let (mut frames, mut ends, mut utterance, mut observed) = (0, 0, 0, 0_u64);
    let count = allocations(|| {
        for n in 0..1_200_u32 {
            moment.now += TICK;
            moment.wall += TICK;
            for (peer, port) in peers.iter_mut().zip(ports) {
                peer.send(port);
            }
            if n % 8 == 0 {
                utterance += 1;
            }
            for place in &mut net.places {
                let frame = Frame([800; FRAME_SAMPLES]);
                let last = n % 8 == 7;
                let frame = PlayoutFrame { utterance: UtteranceId(utterance), frame, last };
                let _ = place.playout.push(frame);
                if n % 50 == 3 {
                    place.silenced.store(utterance, Ordering::Release);
                }
            }
            // Somebody begins to listen to one call, and goes again.
            net.places[0].is_observed.store((100..1_100).contains(&n), Ordering::Relaxed);
            audio.tick(&moment);
            // For a part of the time nobody takes anything, until every ring is full.
            if !(400..1_000).contains(&n) {
                let (more_frames, more_ends) = empty(&mut net);
                (frames, ends) = (frames + more_frames, ends + more_ends);
                let ring = net.places[0].observed.as_mut().unwrap();
                observed += std::iter::from_fn(|| ring.pop().ok()).count() as u64;
            }
        }
        for place in 0..PLACES as u16 {
            let _ = net.commands.push(AudioCommand::Stop { place: Place(place) });
        }
        audio.tick(&moment);
        empty(&mut net);
    });
    assert_eq!(count, 0);
    assert!(frames > 1_000 && ends > 50, "{frames} frames, {ends} ends");
    assert!((400..=426).contains(&observed), "{observed}");
    assert!(shared.dropped.load(Ordering::Relaxed) > 1_000);
    assert!(
        shared.unobserved.load(Ordering::Relaxed) > 400,
        "who listens loses nothing of the call's"
    );
}

#[test]
fn a_handshake_is_handed_on_and_brings_keys_and_a_way_without_an_allocation() {
    let Rings { mut net, audio, wake: _wake, shared } = rings::allocate(1).unwrap();
    let settings = Settings { timeout: Some(Duration::from_secs(5)), timeout_on_hold: false };
    let mut audio = Audio::new(audio, settings, &mut Entropy::new([3; 32]));
    let sockets = Arc::new(PortRange::new(28_450..=28_459).bind(LOCAL).unwrap());
    let (peer, at) = (Peer::new(), SocketAddr::new(LOCAL, sockets.port()));
    let from = peer.socket.local_addr().unwrap();
    let protection = Protection::Handshake(Handshake { association: 1, has_ice: true });
    let plan = Plan { protection, rtcp_mux: true, ..plan(Codec::Pcmu, 20, from) };
    let (place, call) = (Place(0), CallId(0));
    net.commands.push(AudioCommand::Start { place, call, sockets, plan }).unwrap();
    let suite = SrtpSuite::AeadAes128Gcm;
    let [tx, rx] = [1, 2].map(|n| SrtpKey::random(suite, &mut Entropy::new([n; 32])));
    let keying = Keying { suite, tx, rx };
    let mut route = Route { to: Some(from), ..Route::default() };
    route.sources[0] = Some(from);
    let mut moment = realtime::Moment::read();
    let (mut taken, mut sent) = (0, 0);
    let count = allocations(|| {
        for n in 0..200_u32 {
            moment.now += TICK;
            // A part of them looks like STUN, the rest like DTLS.
            let datagram = [if n % 3 == 0 { 1 } else { 22 }; 1_200];
            for _ in 0..if n < 150 { 3 } else { 30 } {
                let _ = peer.socket.send_to(&datagram, at);
            }
            if n == 50 {
                let (association, path) = (1, Path::Rtp);
                let keying = keying.clone();
                let secure = AudioCommand::Secure { place, association, path, keying };
                net.commands.push(secure).unwrap();
                net.commands.push(AudioCommand::Steer { place, route }).unwrap();
            }
            audio.tick(&moment);
            let handshake = &mut net.places[0].handshake;
            while n < 150 && handshake.pop().is_ok_and(|datagram| datagram.bytes().len() == 1_200) {
                taken += 1;
            }
            let mut bytes = [0; 1_500];
            while peer.socket.recv_from(&mut bytes).is_ok() {
                sent += 1;
            }
            empty(&mut net);
        }
    });
    assert_eq!((count, taken), (0, 450));
    assert!((140..=160).contains(&sent), "packets from the keys on: {sent}");
    assert!(shared.dropped.load(Ordering::Relaxed) > 1_000, "of a flood");
}

#[test]
fn what_the_network_refuses_is_counted_without_an_allocation() {
    let mut range = PortRange::new(28_440..=28_447);
    let (sockets, gone) = (range.bind(LOCAL).unwrap(), range.bind(LOCAL).unwrap());
    let nobody = SocketAddr::new(LOCAL, gone.port());
    drop(gone);
    let mut buffer = ReceiveBuffer::default();
    let mut refusals = 0;
    let count = allocations(|| {
        for _ in 0..20 {
            sockets.send(Channel::Rtp, nobody, &[0x80; 172]);
            let moment = realtime::Moment::read();
            assert!(sockets.receive(Channel::Rtp, &moment, &mut buffer).is_none());
            refusals += sockets.refusals(&mut buffer);
        }
    });
    assert_eq!((count, refusals), (0, 20));
}

#[test]
fn who_answered_is_listened_for_without_an_allocation() {
    let mut answered = Answered::new(Default::default());
    let (mut now, mut verdicts) = (Instant::now(), 0);
    let count = allocations(|| {
        for phase in 0..2 {
            for n in 0..1_000_u32 {
                // Ringing, then noise that counts as speech, then a beep.
                let stage = n * 3 / 1_000;
                let is_on = n % 250 < 50 || stage == 2 && n % 250 > 200;
                let hz = if stage == 0 { 425.0 } else { 1_000.0 };
                let sample = |index: usize| {
                    let at = n * FRAME_SAMPLES as u32 + index as u32;
                    let wave = (std::f32::consts::TAU * hz * at as f32 / 16_000.0).sin();
                    let noise = (at.wrapping_mul(2_654_435_761) >> 20) as f32 - 2_048.0;
                    let sound = if stage == 1 { noise } else { 6_000.0 * wave };
                    if is_on { sound as i16 } else { 0 }
                };
                let speech = if stage == 1 && is_on { 0.9 } else { 0.0 };
                let score = VadScore { speech, tonal: false, voiced: false };
                now += TICK;
                let frame = Frame(std::array::from_fn(sample));
                verdicts += u32::from(answered.frame(now, &frame, score).is_some());
            }
            if phase == 0 {
                answered.connect();
            }
        }
    });
    assert_eq!(count, 0);
    assert!(verdicts >= 3, "{verdicts}");
}

#[test]
fn the_count_notices_an_allocation() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1_u8; 100]))) >= 2);
}

/// Page faults of this thread that needed no disk.
fn faults() -> i64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD);
    usage.unwrap().minor_page_faults()
}

/// As the audio thread begins, with all its memory locked; its places have calls from the first tick on, and their media
/// run through every codec.
#[test]
fn after_its_start_the_audio_thread_has_no_page_fault() {
    const PLACES: u16 = 2;
    let mut rings = rings::allocate(PLACES).unwrap();
    rings.observable();
    let Rings { mut net, audio, wake: _wake, shared: _ } = rings;
    // All calls are listened to.
    net.places.iter().for_each(|place| place.is_observed.store(true, Ordering::Relaxed));
    let settings = Settings { timeout: Some(Duration::from_secs(5)), timeout_on_hold: false };
    let mut range = PortRange::new(28_460..=28_479);
    let mut peers: [Peer; PLACES as usize] = std::array::from_fn(|_| Peer::new());
    let calls = peers.iter().enumerate().map(|(n, peer)| {
        let sockets = Arc::new(range.bind(LOCAL).unwrap());
        let plan = plan(Codec::Pcmu, 20, peer.socket.local_addr().unwrap());
        (Place(n as u16), CallId(n as u64), sockets, plan)
    });
    let calls: Vec<_> = calls.collect();
    let ports: Vec<u16> = calls.iter().map(|(.., sockets, _)| sockets.port()).collect();
    let (tick, ticks) = std::sync::mpsc::sync_channel::<()>(0);
    let (told, done) = std::sync::mpsc::sync_channel::<i64>(0);
    let thread = std::thread::spawn(move || {
        let mut audio = Audio::new(audio, settings, &mut Entropy::new([3; 32]));
        let refused = realtime::become_real_time(realtime::Wish { priority: None, core: None });
        audio.touch();
        let mut moment = realtime::Moment::read();
        // The thread's own way of waiting is none of the test's.
        let before = faults();
        while ticks.recv().is_ok() {
            moment.now += TICK;
            moment.wall += TICK;
            audio.tick(&moment);
            told.send(faults() - before).unwrap();
        }
        refused
    });
    for (place, call, sockets, plan) in calls {
        net.commands.push(AudioCommand::Start { place, call, sockets, plan }).unwrap();
    }
    let (mut utterance, mut seen) = (0, Vec::new());
    for n in 0..1_000_u32 {
        for (peer, port) in peers.iter_mut().zip(&ports) {
            peer.send(*port);
        }
        utterance += u32::from(n % 8 == 0);
        for place in &mut net.places {
            let frame = Frame([800; FRAME_SAMPLES]);
            let frame = PlayoutFrame { utterance: UtteranceId(utterance), frame, last: n % 8 == 7 };
            let _ = place.playout.push(frame);
        }
        if n % 100 == 50 {
            let codec = Codec::ALL[n as usize / 100 % Codec::ALL.len()];
            for (at, peer) in (0..PLACES).zip(&peers) {
                let plan = plan(codec, 20, peer.socket.local_addr().unwrap());
                net.commands.push(AudioCommand::Apply { place: Place(at), plan }).unwrap();
            }
        }
        tick.send(()).unwrap();
        let faults = done.recv().unwrap();
        if seen.last().is_none_or(|(_, last)| *last != faults) {
            seen.push((n, faults));
        }
        empty(&mut net);
        net.places.iter_mut().for_each(rings::NetPlace::forget_observed);
    }
    drop(tick);
    let refused = thread.join().unwrap();
    println!("faults by tick: {seen:?}; refused: {refused:?}");
    // Where the kernel locks nothing it may take pages back.
    if refused.is_empty() {
        assert_eq!(seen, [(0, 0)]);
    }
}
