//! The adaptive jitter buffer: puts packets back in order and in time.
//!
//! It owns the packets between their arrival and their decoding. The media plane inserts what the
//! peer sends and polls whenever it has no sound left to play; a poll gives the next packet, says
//! that one is lost, or that there is nothing to play. Everything is preallocated; a full buffer
//! gives up its oldest packets.
//!
//! The first packet of a talkspurt is held until the target delay is reached. Within a talkspurt
//! sound is continuous: a packet that comes too late to be played is made up for and moves the
//! rest back. [`JitterBuffer::correction`] then says by how much the delay is off its target, and
//! the media plane stretches or shortens the sound; so are the clocks of the two ends held together.

mod delay;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::time::{Duration, Instant};

use super::sequence::{Extended, RtpTime};
use crate::base::limits;
use delay::DelayEstimate;

/// What a packet is for playing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sound,
    /// RFC 3389: the talker pauses after it.
    ComfortNoise,
    /// A telephone-event: it fills its place in the sequence and makes no sound.
    Event,
}

/// A packet that comes in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Extended by [`super::reception::Reception`].
    pub sequence: i64,
    pub timestamp: RtpTime,
    pub payload_type: u8,
    pub kind: Kind,
    /// Its sound in timestamp units; 0 unless `Sound`.
    pub units: u32,
    pub payload: &'a [u8],
    pub arrived: Instant,
}

/// A packet whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Played<'a> {
    pub payload_type: u8,
    pub kind: Kind,
    pub units: u32,
    pub payload: &'a [u8],
    pub arrived: Instant,
}

/// What to play next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due<'a> {
    Packet(Played<'a>),
    /// Sound of this many timestamp units is missing. `next` is the packet after it, if that is
    /// here, for in-band error correction; it will come by itself later.
    Lost {
        units: u32,
        next: Option<Played<'a>>,
    },
    /// The talker pauses, or has been cut off for so long that nothing sensible can be made up.
    Silence,
    /// Nothing of the stream has been played yet.
    Waiting,
}

/// How the sound in hand should be changed for the delay to reach its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    Keep,
    /// Play by about this much less; `urgent` also where the change may be heard.
    Shorten {
        by: Duration,
        urgent: bool,
    },
    /// Play by about this much more.
    Lengthen {
        by: Duration,
        urgent: bool,
    },
}

/// Figures since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterCounts {
    pub late: u64,
    pub duplicate: u64,
    /// Given up because the buffer was full or the delay had grown beyond all use.
    pub discarded: u64,
}

/// The buffer of one call.
pub struct JitterBuffer {
    slots: Box<[Slot]>,
    state: State,
    timeline: Option<Extended<RtpTime>>,
    clock_hz: u32,
    /// Sound in the newest packet, in timestamp units: the guess for a lost one.
    packet_units: u32,
    estimate: DelayEstimate,
    /// Delay beyond the target, smoothed.
    excess_us: i64,
    /// Delay at playout, smoothed.
    delay_us: i64,
    counts: JitterCounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was played yet; `next` is the earliest packet that came.
    Waiting { next: Option<i64> },
    /// Between talkspurts: the earliest packet from `next` on is held until it is due.
    Pausing { next: i64 },
    /// In a talkspurt. `time` is the timestamp at which `next` should begin; `starved` is how
    /// much was made up since the last packet while nothing was here at all.
    Playing { next: i64, time: i64, starved: i64 },
}

struct Slot {
    content: Content,
    sequence: i64,
    time: i64,
    payload_type: u8,
    kind: Kind,
    units: u32,
    arrived: Option<Instant>,
    length: usize,
    bytes: [u8; limits::RTP_DATAGRAM_BYTES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Empty,
    Held,
    Gone,
}

/// A head may be played this much early rather than a tick late.
const EARLY_US: i64 = 4_000;
/// Sound made up in one go while starved, so that a late packet is soon let in.
const STARVED_STEP: Duration = Duration::from_millis(10);
/// Made-up sound ends after this long: concealment has faded by then.
const STARVED_LIMIT: Duration = Duration::from_millis(100);
/// Delay beyond the target at which packets are thrown away rather than played faster.
const HOPELESS_US: i64 = 400_000;
/// The delay may be beyond its target by this much before it is corrected. It moves by whole ticks:
/// with less than 20 ms between this and the next value it would swing...
const SPARE_US: i64 = 19_000;
/// ...and below it by this much: too little costs sound.
const SHORT_US: i64 = 3_000;
/// Off by this much, the correction may be heard.
const URGENT_US: i64 = 40_000;

impl fmt::Debug for JitterBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JitterBuffer({:?}, {:.0} ms)", self.state, self.delay_ms())
    }
}

impl Slot {
    const fn new() -> Self {
        Self {
            content: Content::Empty,
            sequence: 0,
            time: 0,
            payload_type: 0,
            kind: Kind::Event,
            units: 0,
            arrived: None,
            length: 0,
            bytes: [0; limits::RTP_DATAGRAM_BYTES],
        }
    }

    fn fill(&mut self, arrival: &Arrival<'_>, time: i64) {
        // A longer datagram than the socket's buffer takes cannot be; its payload would be cut.
        let length = arrival.payload.len().min(self.bytes.len());
        for (kept, &byte) in self.bytes.iter_mut().zip(arrival.payload) {
            *kept = byte;
        }
        self.content = Content::Held;
        self.sequence = arrival.sequence;
        self.time = time;
        self.payload_type = arrival.payload_type;
        self.kind = arrival.kind;
        self.units = arrival.units;
        self.arrived = Some(arrival.arrived);
        self.length = length;
    }

    fn played(&self, now: Instant) -> Played<'_> {
        Played {
            payload_type: self.payload_type,
            kind: self.kind,
            units: self.units,
            payload: self.bytes.get(..self.length).unwrap_or(&[]),
            arrived: self.arrived.unwrap_or(now),
        }
    }
}

/// What a poll has decided; the borrow of the slot comes after.
enum Decision {
    Play(i64),
    Lose { units: u32, next: Option<i64> },
    Silence,
    Waiting,
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl JitterBuffer {
    /// Allocates all that the buffer will ever need: about 100 KiB.
    pub fn new() -> Self {
        Self {
            slots: (0..limits::JITTER_PACKETS).map(|_| Slot::new()).collect(),
            state: State::Waiting { next: None },
            timeline: None,
            clock_hz: 8_000,
            packet_units: 160,
            estimate: DelayEstimate::new(),
            excess_us: 0,
            delay_us: 0,
            counts: JitterCounts::default(),
        }
    }

    /// Forgets everything: for the next call.
    pub fn reset(&mut self) {
        self.restart(self.clock_hz);
        self.counts = JitterCounts::default();
        self.delay_us = 0;
    }

    /// Forgets the stream and keeps the counts: another stream begins, or a codec with another
    /// clock.
    pub fn restart(&mut self, clock_hz: u32) {
        for slot in &mut self.slots {
            slot.content = Content::Empty;
        }
        self.state = State::Waiting { next: None };
        self.timeline = None;
        self.clock_hz = clock_hz.max(1);
        self.packet_units = self.clock_hz / 50;
        self.estimate = DelayEstimate::new();
        self.excess_us = 0;
    }

    pub fn clock_hz(&self) -> u32 {
        self.clock_hz
    }

    pub fn counts(&self) -> JitterCounts {
        self.counts
    }

    /// From the undelayed arrival to playout, smoothed.
    pub fn delay_ms(&self) -> f32 {
        self.delay_us as f32 / 1_000.0
    }

    pub fn target_ms(&self) -> f32 {
        self.estimate.target_us() as f32 / 1_000.0
    }

    /// Takes a packet in, whatever its order.
    pub fn insert(&mut self, arrival: &Arrival<'_>) {
        let time = self.follow(arrival.timestamp);
        if arrival.kind == Kind::Sound {
            self.estimate.observe(self.to_us(time), arrival.arrived);
            if arrival.units > 0 {
                self.packet_units = arrival.units;
            }
        }
        match self.state {
            State::Waiting { next: None } => {
                self.state = State::Waiting { next: Some(arrival.sequence) };
            }
            State::Waiting { next: Some(next) } => {
                self.state = State::Waiting { next: Some(next.min(arrival.sequence)) };
            }
            State::Pausing { next } | State::Playing { next, .. } => {
                if arrival.sequence < next {
                    self.count_belated(arrival.sequence);
                    return;
                }
            }
        }
        self.make_room(arrival.sequence);
        if let Some(slot) = self.slot_mut(arrival.sequence) {
            match (slot.content, slot.sequence.cmp(&arrival.sequence)) {
                (Content::Held, Ordering::Equal) => self.counts.duplicate += 1,
                (Content::Held, _) => self.counts.discarded += 1,
                (Content::Empty | Content::Gone, _) => slot.fill(arrival, time),
            }
        }
    }

    /// What to play now.
    pub fn poll(&mut self, now: Instant) -> Due<'_> {
        match self.decide(now) {
            Decision::Play(sequence) => match self.slot(sequence) {
                Some(slot) => Due::Packet(slot.played(now)),
                None => Due::Silence,
            },
            Decision::Lose { units, next } => Due::Lost {
                units,
                next: next.and_then(|next| self.held(next)).map(|slot| slot.played(now)),
            },
            Decision::Silence => Due::Silence,
            Decision::Waiting => Due::Waiting,
        }
    }

    /// Whether the sound in hand should be shortened or lengthened. Whoever does so tells it by
    /// [`JitterBuffer::corrected`].
    pub fn correction(&self) -> Correction {
        let State::Playing { .. } = self.state else { return Correction::Keep };
        let by = Duration::from_micros(self.excess_us.unsigned_abs());
        let urgent = self.excess_us.abs() > URGENT_US;
        if self.excess_us > SPARE_US {
            Correction::Shorten { by, urgent }
        } else if self.excess_us < -SHORT_US {
            Correction::Lengthen { by, urgent }
        } else {
            Correction::Keep
        }
    }

    /// Sound was lengthened by `by_us` microseconds, or shortened where that is negative.
    pub fn corrected(&mut self, by_us: i64) {
        self.excess_us += by_us;
        self.delay_us += by_us;
    }

    fn decide(&mut self, now: Instant) -> Decision {
        // Each round but the last takes at least one packet or one step of state.
        for _ in 0..limits::JITTER_PACKETS * 4 {
            let decision = match self.state {
                State::Waiting { next: None } => Some(Decision::Waiting),
                State::Waiting { next: Some(next) } => {
                    (!self.begin(next, now)).then_some(Decision::Waiting)
                }
                State::Pausing { next } => (!self.begin(next, now)).then_some(Decision::Silence),
                State::Playing { next, time, starved } => self.go_on(next, time, starved, now),
            };
            if let Some(decision) = decision {
                return decision;
            }
        }
        Decision::Silence
    }

    /// Starts a talkspurt if its first packet is due.
    fn begin(&mut self, next: i64, now: Instant) -> bool {
        let Some(head) = self.earliest_from(next) else { return false };
        let Some(slot) = self.held(head) else { return false };
        let (time, kind) = (slot.time, slot.kind);
        if kind == Kind::Sound && !self.is_due(slot, now) {
            return false;
        }
        self.excess_us = 0;
        self.state = State::Playing { next: head, time, starved: 0 };
        true
    }

    fn is_due(&self, slot: &Slot, now: Instant) -> bool {
        let target_us = self.estimate.target_us();
        let by_path = self.estimate.delay_us(self.to_us(slot.time), now) >= target_us - EARLY_US;
        // However wrong the timestamps are, nothing waits for longer than this.
        let waited = slot.arrived.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        by_path || i64::try_from(waited.as_micros()).unwrap_or(i64::MAX) >= target_us
    }

    /// The next step within a talkspurt; `None` when the state has moved and is to be looked at
    /// again.
    fn go_on(&mut self, next: i64, time: i64, starved: i64, now: Instant) -> Option<Decision> {
        let units = i64::from(self.packet_units.max(1));
        if let Some(slot) = self.held(next) {
            let (begins, length, kind) = (slot.time, i64::from(slot.units), slot.kind);
            if kind == Kind::Sound && begins - time > units / 2 {
                self.state = State::Pausing { next };
                return None;
            }
            return self.play(next, begins, length, kind, now);
        }
        let Some(later) = self.earliest_from(next) else {
            return Some(self.starve(next, time, starved));
        };
        let missing = self.held(later).map_or(0, |slot| slot.time - time);
        if missing - starved > units / 2 {
            let time = time + units;
            self.state = State::Playing { next: next + 1, time, starved };
            let following = (later == next + 1).then_some(later);
            return Some(Decision::Lose { units: self.packet_units, next: following });
        }
        // Its time was made up already.
        let time = time + missing;
        self.state = State::Playing { next: later, time, starved: 0 };
        None
    }

    fn play(
        &mut self,
        sequence: i64,
        begins: i64,
        length: i64,
        kind: Kind,
        now: Instant,
    ) -> Option<Decision> {
        if let Some(slot) = self.slot_mut(sequence) {
            slot.content = Content::Gone;
        }
        let next = sequence + 1;
        match kind {
            Kind::Event => {
                self.state = State::Pausing { next };
                return None;
            }
            Kind::ComfortNoise => {
                self.state = State::Pausing { next };
                return Some(Decision::Play(sequence));
            }
            Kind::Sound => {}
        }
        self.state = State::Playing { next, time: begins + length, starved: 0 };
        let delay_us = self.estimate.delay_us(self.to_us(begins), now);
        let excess_us = delay_us - self.estimate.target_us();
        if excess_us > HOPELESS_US && self.held(next).is_some() {
            self.counts.discarded += 1;
            return None;
        }
        self.excess_us += (excess_us - self.excess_us) / 8;
        self.delay_us += (delay_us - self.delay_us) / 16;
        Some(Decision::Play(sequence))
    }

    /// Nothing is here: sound is made up for a while and then given up.
    fn starve(&mut self, next: i64, time: i64, starved: i64) -> Decision {
        if starved >= self.to_units(STARVED_LIMIT) {
            self.state = State::Pausing { next };
            return Decision::Silence;
        }
        let step = self.to_units(STARVED_STEP);
        self.state = State::Playing { next, time, starved: starved + step };
        Decision::Lose { units: u32::try_from(step).unwrap_or(0), next: None }
    }

    fn count_belated(&mut self, sequence: i64) {
        match self.slot(sequence) {
            Some(slot) if slot.sequence == sequence && slot.content == Content::Gone => {
                self.counts.duplicate += 1;
            }
            _ => self.counts.late += 1,
        }
    }

    /// Gives up the oldest packets so that `sequence` fits.
    fn make_room(&mut self, sequence: i64) {
        let next = match self.state {
            State::Waiting { next: Some(next) }
            | State::Pausing { next }
            | State::Playing { next, .. } => next,
            State::Waiting { next: None } => return,
        };
        let oldest = sequence - (limits::JITTER_PACKETS as i64 - 1);
        if oldest <= next {
            return;
        }
        let mut given_up = 0;
        for slot in &mut self.slots {
            if slot.content == Content::Held && slot.sequence < oldest {
                slot.content = Content::Empty;
                given_up += 1;
            }
        }
        self.counts.discarded += given_up;
        self.state = match self.state {
            State::Waiting { .. } => State::Waiting { next: Some(oldest) },
            State::Pausing { .. } | State::Playing { .. } => State::Pausing { next: oldest },
        };
    }

    fn follow(&mut self, timestamp: RtpTime) -> i64 {
        match &mut self.timeline {
            Some(timeline) if timeline.extend(timestamp) < timeline.value() => {
                timeline.extend(timestamp)
            }
            Some(timeline) => timeline.follow(timestamp),
            None => {
                self.timeline = Some(Extended::new(timestamp, 0));
                0
            }
        }
    }

    fn to_us(&self, units: i64) -> i64 {
        units.saturating_mul(1_000_000) / i64::from(self.clock_hz)
    }

    fn to_units(&self, span: Duration) -> i64 {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        ms.saturating_mul(i64::from(self.clock_hz)) / 1_000
    }

    fn earliest_from(&self, next: i64) -> Option<i64> {
        (next..next + limits::JITTER_PACKETS as i64).find(|&n| self.held(n).is_some())
    }

    fn held(&self, sequence: i64) -> Option<&Slot> {
        self.slot(sequence)
            .filter(|slot| slot.content == Content::Held && slot.sequence == sequence)
    }

    fn slot(&self, sequence: i64) -> Option<&Slot> {
        self.slots.get(place(sequence))
    }

    fn slot_mut(&mut self, sequence: i64) -> Option<&mut Slot> {
        self.slots.get_mut(place(sequence))
    }
}

fn place(sequence: i64) -> usize {
    sequence.rem_euclid(limits::JITTER_PACKETS as i64) as usize
}
