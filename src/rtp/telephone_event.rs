//! Digits as RFC 4733 telephone-events, from the peer and to it.
//!
//! An event is named by SSRC, timestamp and number: it counts once however many of its packets
//! come, and also if only one of them comes. It is told when it has ended.

use std::fmt;
use std::time::{Duration, Instant};

use super::packet::Header;
use super::sequence::RtpTime;
use crate::base::limits;

/// Bytes of an event's payload.
pub const EVENT_BYTES: usize = 4;
/// Digits that may wait to be sent.
pub const QUEUED_DIGITS: usize = 32;

const DIGITS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
const END: u8 = 0x80;
/// RFC 4733 has no recommendation of power; -10 dBm0 is what telephones send.
const VOLUME: u8 = 10;
/// The duration field's end; longer events go on in segments (RFC 4733 section 2.5.2.3).
const SEGMENT_UNITS: u32 = 0xFFFF;
/// Events are refreshed every 50 ms at the least; after this long without one it has ended.
const LOST_END: Duration = Duration::from_millis(200);
/// A packet of an event may come this much after the next event began.
const STRAGGLER: Duration = Duration::from_secs(10);
/// How often the end of an event is told (RFC 4733 section 2.5.1.4).
const END_PACKETS: u8 = 3;
/// Silence between two digits (Q.24 wants at least 40 ms).
const GAP: Duration = Duration::from_millis(50);

/// A digit that the peer pressed and let go. What people press may be a secret: it does not print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    pub digit: char,
    pub duration: Duration,
}

/// The character of an event number below 16.
pub fn digit_of(event: u8) -> Option<char> {
    DIGITS.get(usize::from(event)).copied()
}

/// The event number of a digit; letters in either case.
pub fn event_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    DIGITS.iter().position(|&d| d == digit).and_then(|n| u8::try_from(n).ok())
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digit({:?})", self.duration)
    }
}

/// Receives the events of one call.
#[derive(Clone)]
pub struct EventReceiver {
    clock_hz: u32,
    pressed: Option<Press>,
    /// A digit has been pressed and that was not asked for yet.
    has_begun: bool,
    /// The event that ended last; packets of it, and of those before it, mean nothing new.
    ended: Option<(u32, RtpTime, u8)>,
    /// Digits to be told, oldest first.
    told: [Option<Digit>; 2],
    /// When the last digits ended, as a ring, for the limit on their rate.
    times: [Option<Instant>; limits::DTMF_PER_SECOND as usize],
    next_time: usize,
    dropped: u64,
}

#[derive(Clone, Copy)]
struct Press {
    ssrc: u32,
    event: u8,
    segment: RtpTime,
    earlier_segments: u64,
    duration: u32,
    heard: Instant,
}

impl Press {
    /// The packet is of this event.
    fn has(&self, header: &Header, event: u8) -> bool {
        (self.ssrc, self.segment, self.event) == (header.ssrc, header.timestamp, event)
    }

    /// The packet begins the next segment of this event.
    fn goes_on_in(&self, header: &Header, event: u8) -> bool {
        let since = header.timestamp.since(self.segment);
        let since = u32::try_from(since).unwrap_or(0);
        self.ssrc == header.ssrc
            && self.event == event
            && !header.marker
            && self.duration > SEGMENT_UNITS / 2
            && (since == SEGMENT_UNITS || since == self.duration)
    }
}

impl fmt::Debug for EventReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventReceiver({} Hz, {} dropped)", self.clock_hz, self.dropped)
    }
}

impl EventReceiver {
    pub fn new(clock_hz: u32) -> Self {
        Self {
            clock_hz: clock_hz.max(1),
            pressed: None,
            has_begun: false,
            ended: None,
            told: [None; 2],
            times: [None; limits::DTMF_PER_SECOND as usize],
            next_time: 0,
            dropped: 0,
        }
    }

    /// Digits that came faster than [`limits::DTMF_PER_SECOND`] and were not told.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a telephone-event packet. What it completes is told by [`EventReceiver::poll`].
    /// Numbers above 15 (flash, tones) and short payloads mean nothing.
    pub fn receive(&mut self, header: &Header, payload: &[u8], arrived: Instant) {
        let Some((&[event, flags, high, low], _)) = payload.split_first_chunk::<EVENT_BYTES>()
        else {
            return;
        };
        if digit_of(event).is_none() || self.is_old(header, event) {
            return;
        }
        let duration = u32::from(u16::from_be_bytes([high, low]));
        match &mut self.pressed {
            Some(press) if press.has(header, event) => {
                press.duration = press.duration.max(duration);
                press.heard = arrived;
            }
            Some(press) if press.goes_on_in(header, event) => {
                press.earlier_segments += u64::from(SEGMENT_UNITS);
                press.segment = header.timestamp;
                press.duration = duration;
                press.heard = arrived;
            }
            Some(press) if header.ssrc == press.ssrc && is_before(header, press, self.clock_hz) => {
                return;
            }
            _ => {
                self.end(arrived);
                self.has_begun = true;
                self.pressed = Some(Press {
                    ssrc: header.ssrc,
                    event,
                    segment: header.timestamp,
                    earlier_segments: 0,
                    duration,
                    heard: arrived,
                });
            }
        }
        if flags & END != 0 {
            self.end(arrived);
        }
    }

    /// Whether a digit has begun since this was asked last, or several have; which one is told at its
    /// end, if it is told at all.
    pub fn poll_begun(&mut self) -> bool {
        std::mem::take(&mut self.has_begun)
    }

    /// The next digit that has ended, by word of the peer or by its silence.
    pub fn poll(&mut self, now: Instant) -> Option<Digit> {
        let is_forgotten = |press: &Press| now.saturating_duration_since(press.heard) >= LOST_END;
        if self.pressed.as_ref().is_some_and(is_forgotten) {
            self.end(now);
        }
        let [first, second] = self.told;
        self.told = [second, None];
        first
    }

    fn is_old(&self, header: &Header, event: u8) -> bool {
        let Some((ssrc, timestamp, last_event)) = self.ended else { return false };
        if ssrc != header.ssrc {
            return false;
        }
        let since = i64::from(header.timestamp.since(timestamp));
        let straggler_units = STRAGGLER.as_secs() as i64 * i64::from(self.clock_hz);
        (since == 0 && event == last_event) || (-straggler_units..0).contains(&since)
    }

    fn end(&mut self, now: Instant) {
        let Some(press) = self.pressed.take() else { return };
        self.ended = Some((press.ssrc, press.segment, press.event));
        let Some(digit) = digit_of(press.event) else { return };
        if !self.may_tell(now) {
            self.dropped += 1;
            return;
        }
        let units = press.earlier_segments + u64::from(press.duration);
        let duration = Duration::from_millis(units * 1_000 / u64::from(self.clock_hz));
        if let Some(place) = self.told.iter_mut().find(|place| place.is_none()) {
            *place = Some(Digit { digit, duration });
        }
    }

    fn may_tell(&mut self, now: Instant) -> bool {
        let Some(oldest) = self.times.get_mut(self.next_time) else { return false };
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < Duration::from_secs(1);
        if oldest.as_ref().is_some_and(is_recent) {
            return false;
        }
        *oldest = Some(now);
        self.next_time = (self.next_time + 1) % self.times.len();
        true
    }
}

fn is_before(header: &Header, press: &Press, clock_hz: u32) -> bool {
    let since = i64::from(header.timestamp.since(press.segment));
    (-(STRAGGLER.as_secs() as i64) * i64::from(clock_hz)..0).contains(&since)
}

/// One event packet to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    pub marker: bool,
    pub timestamp: RtpTime,
    pub payload: [u8; EVENT_BYTES],
}

impl fmt::Debug for EventPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventPacket(at {})", self.timestamp.0)
    }
}

/// What the event side does in a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// An event packet goes instead of sound.
    Packet(EventPacket),
    /// Silence goes, between two digits or after the last.
    Gap,
    /// Sound goes.
    Idle,
}

/// Sends the digits of one call.
#[derive(Clone)]
pub struct EventSender {
    queue: [Option<Wanted>; QUEUED_DIGITS],
    state: Sending,
}

#[derive(Clone, Copy)]
struct Wanted {
    event: u8,
    duration: Duration,
}

#[derive(Clone, Copy)]
enum Sending {
    Idle,
    Pressed { event: u8, segment: RtpTime, passed: u64, earlier_segments: u64, wanted: u64 },
    Ending { event: u8, segment: RtpTime, duration: u16, left: u8 },
    Gap { left: Duration },
}

impl fmt::Debug for EventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventSender(busy: {})", self.is_busy())
    }
}

impl Default for EventSender {
    fn default() -> Self {
        Self::new()
    }
}

impl EventSender {
    pub const fn new() -> Self {
        Self { queue: [None; QUEUED_DIGITS], state: Sending::Idle }
    }

    /// Queues a digit; false if it is none or the queue is full. Durations below 40 ms are
    /// lengthened to that.
    pub fn press(&mut self, digit: char, duration: Duration) -> bool {
        let Some(event) = event_of(digit) else { return false };
        let Some(place) = self.queue.iter_mut().find(|place| place.is_none()) else {
            return false;
        };
        *place = Some(Wanted { event, duration: duration.max(Duration::from_millis(40)) });
        true
    }

    /// A digit is being sent or waits.
    pub fn is_busy(&self) -> bool {
        !matches!(self.state, Sending::Idle) || self.queue.first().is_some_and(Option::is_some)
    }

    /// Forgets everything that is not yet sent.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// What goes in the tick that begins at `timestamp` and lasts `tick`, at a clock of `clock_hz`.
    pub fn turn(&mut self, timestamp: RtpTime, tick: Duration, clock_hz: u32) -> Turn {
        if let Sending::Idle = self.state
            && let Some(wanted) = self.queue.first_mut().and_then(Option::take)
        {
            self.queue.rotate_left(1);
            self.state = Sending::Pressed {
                event: wanted.event,
                segment: timestamp,
                passed: 0,
                earlier_segments: 0,
                wanted: units(wanted.duration, clock_hz),
            };
        }
        match self.state {
            Sending::Idle => Turn::Idle,
            Sending::Gap { left } if left > tick => {
                self.state = Sending::Gap { left: left - tick };
                Turn::Gap
            }
            Sending::Gap { .. } => {
                self.state = Sending::Idle;
                Turn::Gap
            }
            Sending::Ending { event, segment, duration, left } => {
                self.state = match left {
                    0 | 1 => Sending::Gap { left: GAP },
                    _ => Sending::Ending { event, segment, duration, left: left - 1 },
                };
                Turn::Packet(packet(false, segment, event, END, duration))
            }
            Sending::Pressed { .. } => self.press_on(units(tick, clock_hz)),
        }
    }

    fn press_on(&mut self, tick_units: u64) -> Turn {
        let Sending::Pressed { event, segment, passed, earlier_segments, wanted } = self.state
        else {
            return Turn::Idle;
        };
        let marker = passed == 0;
        let passed = passed + tick_units;
        let in_segment = passed - earlier_segments;
        let segment_units = u64::from(SEGMENT_UNITS);
        if in_segment > segment_units {
            self.state = Sending::Pressed {
                event,
                segment: segment.plus(SEGMENT_UNITS),
                passed,
                earlier_segments: earlier_segments + segment_units,
                wanted,
            };
            return Turn::Packet(packet(false, segment, event, 0, u16::MAX));
        }
        let duration = u16::try_from(in_segment).unwrap_or(u16::MAX);
        if passed < wanted {
            self.state = Sending::Pressed { event, segment, passed, earlier_segments, wanted };
            return Turn::Packet(packet(marker, segment, event, 0, duration));
        }
        self.state = Sending::Ending { event, segment, duration, left: END_PACKETS - 1 };
        Turn::Packet(packet(marker, segment, event, END, duration))
    }
}

fn packet(marker: bool, timestamp: RtpTime, event: u8, end: u8, duration: u16) -> EventPacket {
    let [high, low] = duration.to_be_bytes();
    EventPacket { marker, timestamp, payload: [event, end | VOLUME, high, low] }
}

fn units(span: Duration, clock_hz: u32) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).saturating_mul(u64::from(clock_hz)) / 1_000
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests;
