//! Barge-in with the real audio thread, its rings and RTP over loopback, in real time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use attendant::appliance::audio;
use attendant::appliance::realtime::Wish;
use attendant::appliance::rings::{self, AudioCommand, AudioEventKind, NetSide, Place};
use attendant::appliance::rtp_socket::PortRange;
use attendant::base::{CallId, Entropy};
use attendant::call::media::Settings;
use attendant::call::{Input, Shelf};
use attendant::codec::{Codec, CodecSet, Resampler};
use attendant::converse::Playbook;

use super::payload_dbfs;
use super::side::{Fixed, Order, Side};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PACKET: Duration = Duration::from_millis(20);
const BYTES: usize = 160;
/// The callers begin so long after the greeting, each a little later than the one before.
const BEGIN_MS: u64 = 1_500;
const APART_MS: u64 = 83;
const LONGEST: Duration = Duration::from_secs(5);
const AUDIBLE_DBFS: f32 = -50.0;

/// One barge-in: when things happened.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    pub from_first_packet_ms: f64,
    pub from_confirmed_ms: f64,
}

/// A caller with one sentence.
struct Peer {
    socket: UdpSocket,
    to: SocketAddr,
    packets: Vec<[u8; BYTES]>,
    begins: Instant,
    sequence: u16,
    first_packet: Option<Instant>,
    last_sound: Option<Instant>,
}

impl Peer {
    fn send(&mut self, now: Instant) {
        let at = now.checked_duration_since(self.begins);
        let at = at.map(|since| (since.as_millis() / PACKET.as_millis()) as usize);
        let sound = at.and_then(|at| self.packets.get(at));
        if sound.is_some() {
            self.first_packet = self.first_packet.or(Some(now));
        }
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = [0xff; 12 + BYTES];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        let timestamp = u32::from(self.sequence) * BYTES as u32;
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&[1, 2, 3, 4]);
        if let Some(sound) = sound {
            packet[12..].copy_from_slice(sound);
        }
        let _ = self.socket.send_to(&packet, self.to);
    }

    /// The sound that comes counts until a silence of 200 ms.
    fn receive(&mut self) {
        let mut bytes = [0; 1_500];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            let now = Instant::now();
            let is_audible = length > 12 && payload_dbfs(&bytes[12..length]) > AUDIBLE_DBFS;
            let is_over = self.last_sound.is_some_and(|last| {
                self.first_packet.is_some_and(|first| last > first)
                    && now.duration_since(last) > Duration::from_millis(200)
            });
            if is_audible && !is_over {
                self.last_sound = Some(now);
            }
        }
    }
}

fn encoded(sound: &[i16]) -> Vec<[u8; BYTES]> {
    let mut codecs = CodecSet::new().expect("memory for codecs");
    let mut narrow = vec![0; sound.len()];
    let count = Resampler::new(16_000, 8_000).process(sound, &mut narrow);
    let packets = narrow[..count].chunks_exact(BYTES).map(|samples| {
        let mut packet = [0; BYTES];
        codecs.encoder(Codec::Pcmu).encode(samples, &mut packet);
        packet
    });
    packets.collect()
}

/// One call for each sentence, all at once.
pub fn barge_in((playbook, shelf): (&Playbook, &Arc<Shelf>), sentences: &[Vec<i16>]) -> Vec<Stop> {
    // A decode on this thread would hold up the other calls.
    let ears = &mut Fixed("I would like to talk to a person.");
    let places = u16::try_from(sentences.len()).unwrap_or(1);
    let rings::Rings { mut net, audio: side, .. } = rings::allocate(places).expect("descriptors");
    let settings = Settings { timeout: None, timeout_on_hold: false };
    let (thread, _) =
        audio::spawn(side, settings, Entropy::new([5; 32]), Wish::unbound()).expect("a thread");
    let mut range = PortRange::new(28_500..=28_699);
    let start = Instant::now();
    let (mut sides, mut peers) = (Vec::new(), Vec::new());
    for (index, sentence) in sentences.iter().enumerate() {
        let socket = UdpSocket::bind((LOCAL, 0)).expect("a port");
        socket.set_nonblocking(true).expect("a socket option");
        let peer = socket.local_addr().expect("a bound socket");
        let sockets = Arc::new(range.bind(LOCAL).expect("a port pair"));
        let to = SocketAddr::new(LOCAL, sockets.port());
        let desk = (playbook.clone(), Arc::clone(shelf));
        let mut side = Side::connected(start, desk, (to.port(), peer), ears);
        let place = Place(index as u16);
        for order in std::mem::take(&mut side.orders) {
            if let Order::Start(plan) = order {
                let call = CallId(index as u64);
                let command = AudioCommand::Start { place, call, sockets, plan };
                net.commands.push(command).expect("an empty ring");
                break;
            }
        }
        let begins = start + Duration::from_millis(BEGIN_MS + APART_MS * index as u64);
        sides.push((side, None));
        peers.push(Peer {
            socket,
            to,
            packets: encoded(sentence),
            begins,
            sequence: 0,
            first_packet: None,
            last_sound: None,
        });
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (is_over, peers) = (&is_over, &mut peers);
        scope.spawn(move || talk(peers, start, is_over));
        while start.elapsed() < LONGEST {
            serve(&mut net, &mut sides, ears);
            thread::sleep(Duration::from_micros(500));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    drop(thread);
    let stops = sides.iter().zip(&peers).filter_map(|((_, decided), peer)| {
        let (decided, last) = ((*decided)?, peer.last_sound?);
        let ms = |from: Instant| last.saturating_duration_since(from).as_secs_f64() * 1_000.0;
        let from_first_packet_ms = ms(peer.first_packet?);
        Some(Stop { from_first_packet_ms, from_confirmed_ms: ms(decided) })
    });
    stops.collect()
}

fn talk(peers: &mut [Peer], start: Instant, is_over: &AtomicBool) {
    let mut next = start;
    while !is_over.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= next {
            peers.iter_mut().for_each(|peer| peer.send(now));
            next += PACKET;
        }
        peers.iter_mut().for_each(Peer::receive);
        thread::sleep(Duration::from_micros(500));
    }
}

/// What the net thread does, once.
fn serve(net: &mut NetSide, sides: &mut [(Side, Option<Instant>)], ears: &mut Fixed) {
    while let Ok(event) = net.events.pop() {
        let Some((side, _)) = sides.get_mut(usize::from(event.place.0)) else { continue };
        let input = match event.kind {
            AudioEventKind::Media(event) => Input::Media(event),
            AudioEventKind::Finished { utterance } => Input::Finished(utterance),
            AudioEventKind::Silenced { through, utterance, frames } => {
                Input::Silenced { through, utterance, frames }
            }
            AudioEventKind::Report(report) => Input::Report(report),
            AudioEventKind::Alive { .. } | AudioEventKind::Stopped { .. } => continue,
        };
        side.handle(Instant::now(), input, ears);
    }
    for ((side, decided), ends) in sides.iter_mut().zip(&mut net.places) {
        while let Ok(frame) = ends.heard.pop() {
            side.handle(Instant::now(), Input::Heard(&frame), ears);
        }
        side.advance(Instant::now(), ears);
        for order in std::mem::take(&mut side.orders) {
            if let Order::Silence(through) = order {
                ends.silenced.fetch_max(through.0, Ordering::Release);
                *decided = decided.or(Some(Instant::now()));
            }
        }
        let now = Instant::now();
        while !ends.playout.is_full()
            && let Some(frame) = side.call().next_frame(now)
        {
            let _ = ends.playout.push(frame);
        }
    }
}
