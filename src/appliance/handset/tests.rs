//! A station with cards that do what the tests say.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rtrb::{Producer, RingBuffer};

use super::card::{Cards, Fault, Sink, Source};
use super::shared::{Shared, Side};
use super::station::{Order, Settings, Station, TICK, Talk};
use super::*;
use crate::base::pcm::{FRAME_SAMPLES, Frame};

const RATE: u32 = 48_000;
/// Samples of a tick at the card's rate.
const TICK_SAMPLES: usize = 960;

/// A sound card as the test has it.
#[derive(Debug, Default)]
struct World {
    is_unplugged: bool,
    has_no_bell: bool,
    is_paced: bool,
    /// What waits at the microphone.
    heard: VecDeque<i16>,
    /// What the loudspeaker has been given, and how much of that is still to be played.
    played: Vec<i16>,
    rung: Vec<i16>,
    queued: usize,
    /// The next access finds an overrun or an underrun.
    breaks: bool,
    opened: usize,
}

#[derive(Clone, Default)]
struct Room(Arc<Mutex<World>>);

impl Room {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn is_there(&self) -> Result<MutexGuard<'_, World>, Fault> {
        let mut world = self.world();
        if world.is_unplugged {
            return Err(Fault::Gone("No such device".to_owned()));
        }
        if std::mem::take(&mut world.breaks) {
            (world.queued, world.heard) = (0, VecDeque::new());
            return Err(Fault::Xrun);
        }
        Ok(world)
    }
}

struct Part {
    room: Room,
    is_bell: bool,
}

impl Cards for Room {
    fn source(&mut self, name: &str) -> Result<Box<dyn Source>, String> {
        assert_eq!(name, "mic");
        self.open("mic")
    }

    fn sink(&mut self, name: &str) -> Result<Box<dyn Sink>, String> {
        let mut world = self.world();
        world.opened += 1;
        let is_bell = name == "bell";
        match world.is_unplugged || (is_bell && world.has_no_bell) {
            true => Err("No such device".to_owned()),
            false => Ok(Box::new(Part { room: self.clone(), is_bell })),
        }
    }
}

impl Room {
    fn open(&mut self, _: &str) -> Result<Box<dyn Source>, String> {
        match self.world().is_unplugged {
            true => Err("No such device".to_owned()),
            false => Ok(Box::new(Part { room: self.clone(), is_bell: false })),
        }
    }
}

impl Source for Part {
    fn rate(&self) -> u32 {
        RATE
    }

    fn is_paced(&self) -> bool {
        self.room.world().is_paced
    }

    fn waiting(&mut self) -> Result<usize, Fault> {
        Ok(self.room.is_there()?.heard.len())
    }

    fn read(&mut self, samples: &mut [i16]) -> Result<usize, Fault> {
        let mut world = self.room.is_there()?;
        let count = samples.len().min(world.heard.len());
        samples.iter_mut().zip(world.heard.drain(..count)).for_each(|(to, from)| *to = from);
        Ok(count)
    }
}

impl Sink for Part {
    fn rate(&self) -> u32 {
        RATE
    }

    fn is_paced(&self) -> bool {
        self.room.world().is_paced
    }

    fn queued(&mut self) -> Result<usize, Fault> {
        let world = self.room.is_there()?;
        match self.is_bell && world.has_no_bell {
            true => Err(Fault::Gone("No such device".to_owned())),
            false => Ok(world.queued),
        }
    }

    fn write(&mut self, samples: &[i16]) -> Result<usize, Fault> {
        let mut world = self.room.is_there()?;
        if self.is_bell && world.has_no_bell {
            return Err(Fault::Gone("No such device".to_owned()));
        }
        match self.is_bell {
            true => world.rung.extend_from_slice(samples),
            false => {
                world.queued += samples.len();
                world.played.extend_from_slice(samples);
            }
        }
        Ok(samples.len())
    }
}

struct Desk {
    room: Room,
    station: Station,
    shared: Arc<Shared>,
    announced: Producer<i16>,
    now: Instant,
    /// The call's end.
    call: UdpSocket,
    line: websocket::Line,
}

impl Desk {
    fn new(bell: Option<&str>) -> Self {
        let room = Room::default();
        room.world().is_paced = true;
        let settings = Settings {
            name: "desk".to_owned(),
            microphone: "mic".to_owned(),
            loudspeaker: "speaker".to_owned(),
            bell: bell.map(str::to_owned),
            is_hands_free: false,
            cadence: tone::cadence("de").unwrap(),
            volume: 0.5,
        };
        let now = Instant::now();
        let shared = Arc::new(Shared::new(now));
        let (announced, heard) = RingBuffer::new(16_000);
        let cards = Box::new(room.clone());
        let station = Station::new(settings, cards, Arc::clone(&shared), heard);
        let call = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        call.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let line = websocket::Line::new(&mut Entropy::new([7; 32]));
        Self { room, station, shared, announced, now, call, line }
    }

    fn talk(&mut self) -> u16 {
        let socket = super::loopback().unwrap();
        let own = socket.local_addr().unwrap().port();
        let line = websocket::Line::new(&mut Entropy::new([8; 32]));
        let port = Some(self.call.local_addr().unwrap().port());
        self.station.order(Order::Talk(Box::new(Talk { socket, line, port, beeps: false })));
        own
    }

    /// 20 ms, in which the microphone hears this loudness.
    fn tick(&mut self, heard: i16) {
        {
            let mut world = self.room.world();
            world.queued = world.queued.saturating_sub(TICK_SAMPLES);
            if !world.is_unplugged {
                world.heard.extend([heard; TICK_SAMPLES]);
            }
        }
        self.now += TICK;
        self.station.tick(self.now);
    }

    /// The call says 20 ms.
    fn says(&mut self, to: u16, value: i16) {
        let datagram = self.line.send(&Frame([value; FRAME_SAMPLES]));
        self.call.send_to(&datagram, (Ipv4Addr::LOCALHOST, to)).unwrap();
    }

    /// What the call hears next.
    fn hears(&mut self) -> Frame {
        let mut datagram = [0; 1_500];
        let length = self.call.recv(&mut datagram).unwrap();
        let mut heard = None;
        self.line.hear(self.now, &datagram[..length], |frame| heard = Some(frame));
        heard.expect("a datagram is a frame")
    }
}

/// The loudest of the last tenth of a second.
fn peak(samples: &[i16]) -> u16 {
    samples.iter().rev().take(4_800).map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

#[test]
fn both_hear_each_other_and_the_card_keeps_what_it_should() {
    let mut desk = Desk::new(None);
    let to = desk.talk();
    let mut last = Frame::SILENCE;
    for _ in 0..150 {
        desk.says(to, 3_000);
        desk.tick(2_000);
        last = desk.hears();
    }
    assert!(last.0.iter().all(|sample| (1_990..2_010).contains(sample)), "{:?}", &last.0[..5]);
    let played = desk.room.world().played.clone();
    assert!((2_990..3_010).contains(&peak(&played)), "{}", peak(&played));
    let queued_ms = desk.room.world().queued / 48;
    assert!((30..70).contains(&queued_ms), "{queued_ms} ms are queued");
    let Figures { xruns, losses, lost_frames, .. } = desk.shared.figures();
    assert_eq!((xruns, losses, lost_frames), ([0; 3], [0; 3], 0));
    desk.station.order(Order::Rest);
    desk.says(to, 3_000);
    (0..10).for_each(|_| desk.tick(2_000));
    assert_eq!(peak(&desk.room.world().played), 0, "nothing of a call is heard after it");
}

#[test]
fn an_overrun_and_an_underrun_are_counted_and_the_call_goes_on() {
    let mut desk = Desk::new(None);
    let to = desk.talk();
    for tick in 0..200 {
        if tick == 50 || tick == 80 {
            desk.room.world().breaks = true;
        }
        desk.says(to, 3_000);
        desk.tick(2_000);
        desk.hears();
    }
    let figures = desk.shared.figures();
    assert_eq!(figures.xruns.iter().sum::<u64>(), 2, "{figures:?}");
    let played = desk.room.world().played.clone();
    assert!((2_990..3_010).contains(&peak(&played)), "{}", peak(&played));
    desk.tick(2_000);
    assert!(desk.hears().0[0] > 1_900);
}

#[test]
fn a_card_that_is_pulled_out_is_told_and_the_call_has_its_sound_again_once_it_is_back() {
    let mut desk = Desk::new(None);
    let to = desk.talk();
    for _ in 0..50 {
        desk.tick(2_000);
        desk.hears();
    }
    assert_eq!(desk.shared.fault(desk.now), None);
    desk.room.world().is_unplugged = true;
    for _ in 0..200 {
        desk.says(to, 3_000);
        desk.tick(2_000);
        // The call is sent silence meanwhile, so that it lasts.
        assert_eq!(desk.hears(), Frame::SILENCE);
    }
    let (why, since) = desk.shared.fault(desk.now).unwrap();
    assert!(why.contains("microphone: No such device") && why.contains("loudspeaker"), "{why}");
    assert!((3_900..=4_000).contains(&(desk.now - since).as_millis()));
    // It is looked for every two seconds, not all the time.
    assert!(desk.room.world().opened <= 4, "{}", desk.room.world().opened);
    desk.room.world().is_unplugged = false;
    desk.room.world().heard.clear();
    let mut last = Frame::SILENCE;
    for _ in 0..200 {
        desk.says(to, 3_000);
        desk.tick(2_000);
        last = desk.hears();
    }
    assert_eq!(desk.shared.fault(desk.now), None);
    assert!(last.0[0] > 1_900, "it is heard again");
    assert!(peak(&desk.room.world().played) > 2_900, "and hears");
    assert_eq!(desk.shared.figures().losses, [1, 1, 0]);
}

#[test]
fn a_card_without_a_clock_of_its_own_is_paced_by_the_tick() {
    let mut desk = Desk::new(None);
    desk.room.world().is_paced = false;
    desk.talk();
    let mut sent = Frame::SILENCE;
    for _ in 0..100 {
        // It has as much as anybody wants.
        desk.room.world().heard.extend([2_000; 10 * TICK_SAMPLES]);
        desk.tick(2_000);
        sent = desk.hears();
    }
    let played = desk.room.world().played.len();
    assert!((95_000..97_000).contains(&played), "{played} samples in two seconds");
    assert!(sent.0[0] > 1_900);
    assert_eq!(desk.shared.figures().xruns, [0; 3]);
}

#[test]
fn it_rings_at_its_bell_and_says_there_who_calls() {
    let mut desk = Desk::new(Some("bell"));
    desk.station.order(Order::Ring);
    (0..40).for_each(|_| desk.tick(0));
    assert!(peak(&desk.room.world().rung) > 2_000, "{}", peak(&desk.room.world().rung));
    assert_eq!(peak(&desk.room.world().played), 0, "nobody has it at the ear");
    // An announcement comes over the bell, which is softer meanwhile.
    let chunk = desk.announced.write_chunk_uninit(16_000).unwrap();
    chunk.fill_from_iter(std::iter::repeat_n(6_000, 16_000));
    (0..12).for_each(|_| desk.tick(0));
    let least = desk.room.world().rung.iter().rev().take(4_800).min().copied().unwrap();
    assert!(least > 5_000, "the bell takes {}", 6_000 - i32::from(least));
    // Whoever takes the call hears no more of it.
    desk.talk();
    (0..20).for_each(|_| desk.tick(0));
    let world = desk.room.world();
    assert_eq!((peak(&world.rung), peak(&world.played)), (0, 0));
}

#[test]
fn without_its_bell_a_handset_rings_at_its_loudspeaker_and_has_its_calls() {
    let (mut handsets, mut desk, _orders) = handsets_with("desk", Some("bell"));
    let (leg, _) = handsets.reserve("desk").unwrap();
    handsets.command(desk.now, &Command::Invite { leg, invite: Box::new(offered()) });
    desk.station.order(Order::Ring);
    desk.room.world().has_no_bell = true;
    (0..40).for_each(|_| desk.tick(0));
    assert!(peak(&desk.room.world().played) > 2_000, "{}", peak(&desk.room.world().played));
    assert_eq!(desk.shared.fault(desk.now), None);
    assert_eq!(handsets.answer("desk"), Ok(()));
    told(&mut handsets);
    (0..550).for_each(|_| desk.tick(0));
    let report = handsets.look(desk.now).remove(0);
    assert_eq!((report.fault, report.state), (None, "talking"));
    assert_eq!(report.lack.as_deref(), Some("bell: No such device"));
    assert!(told(&mut handsets).is_empty(), "its call goes on");
    assert_eq!(desk.shared.figures().losses, [0, 0, 1]);
    desk.room.world().has_no_bell = false;
    // It is tried again every two seconds.
    (0..120).for_each(|_| desk.tick(0));
    desk.station.order(Order::Ring);
    (0..40).for_each(|_| desk.tick(0));
    assert!(peak(&desk.room.world().rung) > 2_000);
    assert_eq!((peak(&desk.room.world().played), desk.shared.lack()), (0, None));
}

#[test]
fn who_talks_is_knocked_at_softly_and_too_much_is_thrown_away() {
    let mut desk = Desk::new(None);
    let to = desk.talk();
    (0..20).for_each(|_| desk.tick(0));
    desk.station.order(Order::Knock);
    (0..10).for_each(|_| desk.tick(0));
    let knock = peak(&desk.room.world().played);
    assert!((1_000..2_000).contains(&knock), "{knock}");
    (0..40).for_each(|_| desk.tick(0));
    assert_eq!(peak(&desk.room.world().played), 0);
    (0..20).for_each(|_| desk.says(to, 3_000));
    desk.tick(0);
    let lost = desk.shared.figures().lost_frames;
    assert_eq!(lost, 20 - limits::HANDSET_FRAMES as u64, "{lost}");
    assert_eq!(Side::ALL.map(Side::name), ["microphone", "loudspeaker", "bell"]);
}

fn handsets(name: &str) -> (Handsets, Desk, rtrb::Consumer<Order>) {
    handsets_with(name, None)
}

fn handsets_with(name: &str, bell: Option<&str>) -> (Handsets, Desk, rtrb::Consumer<Order>) {
    let desk = Desk::new(bell);
    let (orders, taken) = RingBuffer::new(16);
    let (announced, _) = RingBuffer::new(1_600);
    let shared = Arc::clone(&desk.shared);
    let sound = Settings {
        name: name.to_owned(),
        microphone: String::new(),
        loudspeaker: String::new(),
        bell: None,
        is_hands_free: false,
        cadence: tone::cadence("de").unwrap(),
        volume: 0.5,
    };
    let settings = super::Settings { sound, answers_itself: false, announces: true };
    let line = Line { orders, announced, shared };
    let mut handsets = Handsets::none(Entropy::new([1; 32]));
    handsets.all.push(Handset { settings, line, stage: Stage::Idle });
    (handsets, desk, taken)
}

fn offered() -> Invite {
    let mut offered = invite("desk");
    offered.sdp = Some(websocket::offer(40_000, 1, 1, false));
    offered
}

/// Names of what is told of legs.
fn told(handsets: &mut Handsets) -> Vec<String> {
    let name = |event: VisitEvent| match event {
        VisitEvent::Incoming { .. } => "incoming".to_owned(),
        VisitEvent::Candidates { .. } => "candidates".to_owned(),
        VisitEvent::Leg(Event::Progress { status, .. }) => format!("progress {status}"),
        VisitEvent::Leg(Event::Answered { .. }) => "answered".to_owned(),
        VisitEvent::Leg(Event::Established { .. }) => "established".to_owned(),
        VisitEvent::Leg(Event::Refused { status, .. }) => format!("refused {status}"),
        VisitEvent::Leg(Event::Ended { cause, .. }) => format!("ended {cause:?}"),
        VisitEvent::Leg(_) | VisitEvent::Observer { .. } => "another".to_owned(),
    };
    std::iter::from_fn(|| handsets.event()).map(name).collect()
}

#[test]
fn a_call_rings_until_it_is_answered_and_a_second_one_finds_it_busy() {
    let (mut handsets, desk, mut orders) = handsets("desk");
    let now = desk.now;
    assert!(handsets.reserve("shed").is_none());
    let (leg, _) = handsets.reserve("desk").unwrap();
    handsets.command(now, &Command::Invite { leg, invite: Box::new(offered()) });
    assert_eq!(told(&mut handsets), ["progress 180"]);
    assert_eq!(handsets.announces(leg), Some(0));
    assert_eq!(handsets.answer("desk"), Ok(()));
    assert_eq!(told(&mut handsets), ["answered"]);
    assert_eq!(handsets.answer("desk"), Err(NotDone::NotRinging));
    let (second, _) = handsets.reserve("desk").unwrap();
    handsets.command(now, &Command::Invite { leg: second, invite: Box::new(offered()) });
    assert_eq!(told(&mut handsets), ["refused 486"]);
    handsets.command(now, &Command::Bye { leg, reason: None });
    assert_eq!(told(&mut handsets), ["ended ByUs"]);
    let names: Vec<String> =
        std::iter::from_fn(|| orders.pop().ok()).map(|order| format!("{order:?}")).collect();
    assert_eq!(names, ["Ring", "Talk", "Knock", "Hush", "Rest"]);
    assert_eq!(handsets.hang_up("desk"), Err(NotDone::NoCall));
}

#[test]
fn who_gives_up_or_refuses_stops_the_bell() {
    let (mut handsets, desk, _orders) = handsets("desk");
    for by_hand in [false, true] {
        let (leg, _) = handsets.reserve("desk").unwrap();
        handsets.command(desk.now, &Command::Invite { leg, invite: Box::new(offered()) });
        match by_hand {
            true => handsets.hang_up("desk").unwrap(),
            false => handsets.command(desk.now, &Command::Cancel { leg }),
        }
        let status = if by_hand { BUSY } else { CANCELLED };
        assert_eq!(told(&mut handsets), ["progress 180".to_owned(), format!("refused {status}")]);
        assert_eq!(handsets.look(desk.now)[0].state, "idle");
    }
    let (leg, _) = handsets.reserve("desk").unwrap();
    let mut nothing = offered();
    nothing.sdp = Some(b"nothing that could be read".to_vec());
    handsets.command(desk.now, &Command::Invite { leg, invite: Box::new(nothing) });
    handsets.answer("desk").unwrap();
    assert_eq!(told(&mut handsets), ["progress 180", "refused 400"]);
}

#[test]
fn a_call_from_a_handset_is_ours_until_we_know_whom_it_wants() {
    let (mut handsets, desk, _orders) = handsets("desk");
    let wanted = Private::new("local:shed".to_owned());
    handsets.call(desk.now, "desk", Some(wanted.clone())).unwrap();
    assert_eq!(handsets.call(desk.now, "desk", None), Err(NotDone::Busy));
    assert_eq!(handsets.hearing(desk.now, Some("desk")), Err(NotDone::Busy));
    let leg = handsets.all[0].stage.leg().unwrap();
    assert_eq!((leg.way(), told(&mut handsets)), (Way::Handset, vec!["incoming".to_owned()]));
    assert_eq!(handsets.take_wanted(leg), None, "not before the call is up");
    let answer = websocket::offer(41_000, 2, 1, false);
    handsets.command(desk.now, &Command::Answer { leg, sdp: answer });
    assert_eq!(told(&mut handsets), ["established"]);
    assert_eq!(handsets.take_wanted(leg), Some(wanted));
    assert_eq!(handsets.take_wanted(leg), None);
}

#[test]
fn without_its_card_a_handset_is_not_called_and_a_call_that_loses_it_ends() {
    let (mut handsets, mut desk, _orders) = handsets("desk");
    let (leg, _) = handsets.reserve("desk").unwrap();
    handsets.command(desk.now, &Command::Invite { leg, invite: Box::new(offered()) });
    handsets.answer("desk").unwrap();
    told(&mut handsets);
    desk.room.world().is_unplugged = true;
    (0..5).for_each(|_| desk.tick(0));
    assert_eq!(handsets.look(desk.now)[0].state, "talking");
    (0..550).for_each(|_| desk.tick(0));
    let report = handsets.look(desk.now).remove(0);
    assert!(report.fault.unwrap().contains("No such device"));
    assert_eq!(told(&mut handsets), ["ended Unreachable"]);
    let (leg, _) = handsets.reserve("desk").unwrap();
    handsets.command(desk.now, &Command::Invite { leg, invite: Box::new(offered()) });
    assert_eq!(told(&mut handsets), ["refused 480"]);
    assert_eq!(handsets.call(desk.now, "desk", None), Err(NotDone::NotThere));
    assert_eq!(handsets.hearing(desk.now, None), Err(NotDone::NotThere));
    // A thread that hangs tells nothing more.
    desk.room.world().is_unplugged = false;
    (0..120).for_each(|_| desk.tick(0));
    assert_eq!(desk.shared.fault(desk.now), None);
    let later = desk.now + limits::HANDSET_SILENT + TICK;
    assert!(desk.shared.fault(later).unwrap().0.contains("driver"));
}
