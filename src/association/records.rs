//! What of a datagram the DTLS library is given: whole handshake messages, each once and in their order,
//! and what comes after them when its time has come (RFC 6347 section 4.2).
//!
//! ```text
//!  records ─▶ well-formed? ─┬─ epoch 0: handshake ─▶ put together ─▶ in order ─▶ whole flights ─▶ out
//!                           ├─ epoch 0: ChangeCipherSpec ─────────▶ after the flight ──────────▶ out
//!                           └─ epoch 1: Finished, alerts ─────────▶ after ChangeCipherSpec ────▶ out
//! ```
//!
//! Nothing of epoch 0 is authenticated: an alert there may be anybody's, so it ends nothing, and
//! every size and number has a bound. The library gives up repeating its own flight with anything that it
//! hears, so it hears of nothing that does not bring it on. Numbers of records in epoch 0 are given out anew,
//! for what was put together from several has none.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Side;
use crate::base::limits;

const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;
/// Encrypted records that may come before what they follow.
const HELD_RECORDS: usize = 4;
/// Messages ahead of the next one that are kept.
const AHEAD: u16 = 8;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;
const SERVER_HELLO_DONE: u8 = 14;
const CERTIFICATE_VERIFY: u8 = 15;

/// Messages that a server sends in the clear, and a client.
const OF_SERVER: [u8; 6] = [2, HELLO_VERIFY_REQUEST, 11, 12, 13, SERVER_HELLO_DONE];
const OF_CLIENT: [u8; 4] = [CLIENT_HELLO, 11, CERTIFICATE_VERIFY, 16];

/// Of one handshake.
#[derive(Debug)]
pub(super) struct Records {
    side: Side,
    /// Of the next message.
    next: u16,
    partial: BTreeMap<u16, Partial>,
    /// Whole messages of a flight that is not whole yet.
    flight: Vec<u8>,
    /// The ClientHello that was let through last, as a record's content.
    hello: Option<Vec<u8>>,
    change: Change,
    /// Encrypted records that wait for it.
    held: Vec<Vec<u8>>,
    /// Of the next record in epoch 0.
    number: u64,
}

/// The peer's ChangeCipherSpec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    NotYet,
    /// Before the flight that it follows.
    Early,
    Done,
}

#[derive(Debug)]
struct Partial {
    kind: u8,
    data: Vec<u8>,
    /// What is there of it, in order and apart.
    there: Vec<Range<usize>>,
}

/// One fragment of a message.
struct Fragment<'a> {
    kind: u8,
    number: u16,
    whole: usize,
    offset: usize,
    data: &'a [u8],
}

struct Record<'a> {
    kind: u8,
    epoch: u16,
    bytes: &'a [u8],
    content: &'a [u8],
}

impl Records {
    /// Of the peer of `side`.
    pub fn new(side: Side) -> Self {
        Self {
            side,
            next: 0,
            partial: BTreeMap::new(),
            flight: Vec::new(),
            hello: None,
            change: Change::NotYet,
            held: Vec::new(),
            number: 0,
        }
    }

    /// What the library is to get after this datagram; empty where it is to get nothing.
    pub fn take(&mut self, datagram: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = datagram;
        while let Some((record, after)) = record(rest) {
            rest = after;
            match (record.epoch, record.kind) {
                (0, HANDSHAKE) => self.messages(record.content, &mut out),
                (0, CHANGE_CIPHER_SPEC) if record.content == [1] => self.change(&mut out),
                (1, HANDSHAKE | ALERT) => self.encrypted(record.bytes, &mut out),
                _ => {}
            }
        }
        out
    }

    fn messages(&mut self, mut content: &[u8], out: &mut Vec<u8>) {
        while let Some((fragment, rest)) = fragment(content) {
            content = rest;
            let expected: &[u8] = match self.side {
                Side::Client => &OF_SERVER,
                Side::Server => &OF_CLIENT,
            };
            if !expected.contains(&fragment.kind) {
                continue;
            }
            self.fragment(&fragment, out);
        }
    }

    fn fragment(&mut self, fragment: &Fragment<'_>, out: &mut Vec<u8>) {
        let Fragment { kind, number, whole, .. } = *fragment;
        if number < self.next {
            // Our answer to it was lost: the library answers a first hello again.
            let is_first = kind == CLIENT_HELLO && number == 0 && self.next == 1;
            if let Some(hello) = self.hello.clone().filter(|_| is_first && fragment.offset == 0) {
                self.write(HANDSHAKE, &hello, out);
            }
            return;
        }
        if number - self.next >= AHEAD || number >= limits::HANDSHAKE_MESSAGES {
            return;
        }
        let new = || Partial { kind, data: vec![0; whole], there: Vec::new() };
        let partial = self.partial.entry(number).or_insert_with(new);
        if partial.kind != kind || partial.data.len() != whole {
            // One of the two is not the peer's: its repetition decides.
            *partial = new();
        }
        partial.add(fragment);
        while self.partial.get(&self.next).is_some_and(Partial::is_whole) {
            if let Some(partial) = self.partial.remove(&self.next) {
                self.message(&partial, out);
            }
        }
    }

    /// The next message is whole.
    fn message(&mut self, partial: &Partial, out: &mut Vec<u8>) {
        let mut content = Vec::with_capacity(MESSAGE_HEADER + partial.data.len());
        let [_, length @ ..] = (partial.data.len() as u32).to_be_bytes();
        content.push(partial.kind);
        content.extend_from_slice(&length);
        content.extend_from_slice(&self.next.to_be_bytes());
        content.extend_from_slice(&[0; 3]);
        content.extend_from_slice(&length);
        content.extend_from_slice(&partial.data);
        self.next += 1;
        let mut flight = std::mem::take(&mut self.flight);
        self.write(HANDSHAKE, &content, &mut flight);
        match partial.kind {
            CLIENT_HELLO | HELLO_VERIFY_REQUEST | SERVER_HELLO_DONE | CERTIFICATE_VERIFY => {
                self.hello = (partial.kind == CLIENT_HELLO).then_some(content);
                out.append(&mut flight);
                if self.change == Change::Early {
                    self.change(out);
                }
            }
            _ => self.flight = flight,
        }
    }

    /// The peer encrypts from here on.
    fn change(&mut self, out: &mut Vec<u8>) {
        let is_due = self.next > 1 && self.flight.is_empty() && self.hello.is_none();
        match self.change {
            Change::Done => {}
            Change::NotYet | Change::Early if !is_due => self.change = Change::Early,
            Change::NotYet | Change::Early => {
                self.change = Change::Done;
                self.write(CHANGE_CIPHER_SPEC, &[1], out);
                self.held.drain(..).for_each(|record| out.extend(record));
            }
        }
    }

    fn encrypted(&mut self, record: &[u8], out: &mut Vec<u8>) {
        match self.change {
            Change::Done => out.extend_from_slice(record),
            Change::NotYet | Change::Early if self.held.len() < HELD_RECORDS => {
                self.held.push(record.to_vec());
            }
            Change::NotYet | Change::Early => {}
        }
    }

    /// A record of epoch 0.
    fn write(&mut self, kind: u8, content: &[u8], out: &mut Vec<u8>) {
        let [_, _, number @ ..] = self.number.to_be_bytes();
        self.number += 1;
        out.push(kind);
        out.extend_from_slice(&[0xFE, 0xFD, 0, 0]);
        out.extend_from_slice(&number);
        out.extend_from_slice(&(content.len() as u16).to_be_bytes());
        out.extend_from_slice(content);
    }
}

impl Partial {
    fn add(&mut self, fragment: &Fragment<'_>) {
        let range = fragment.offset..fragment.offset + fragment.data.len();
        if let Some(place) = self.data.get_mut(range.clone()) {
            place.copy_from_slice(fragment.data);
            self.there.push(range);
            self.there.sort_by_key(|range| range.start);
            let mut joined: Vec<Range<usize>> = Vec::new();
            for range in self.there.drain(..) {
                match joined.last_mut() {
                    Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                    _ => joined.push(range),
                }
            }
            self.there = joined;
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.there.as_slice(), [only] if *only == (0..self.data.len()))
    }
}

/// The first record of a datagram; `None` where nothing follows that is one.
fn record(datagram: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER>()?;
    let [kind, major, minor, e0, e1, _, _, _, _, _, _, l0, l1] = *header;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let is_sound = matches!(kind, CHANGE_CIPHER_SPEC..=23)
        && major == 0xFE
        && matches!(minor, 0xFD | 0xFF)
        && length > 0;
    let content = rest.get(..length).filter(|_| is_sound)?;
    let (bytes, after) = datagram.split_at(RECORD_HEADER + length);
    Some((Record { kind, epoch: u16::from_be_bytes([e0, e1]), bytes, content }, after))
}

/// The first fragment of a record's content.
fn fragment(content: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (header, rest) = content.split_first_chunk::<MESSAGE_HEADER>()?;
    let [kind, w0, w1, w2, n0, n1, o0, o1, o2, f0, f1, f2] = *header;
    let number = |bytes: [u8; 3]| {
        let [a, b, c] = bytes;
        u32::from_be_bytes([0, a, b, c]) as usize
    };
    let (whole, offset, length) =
        (number([w0, w1, w2]), number([o0, o1, o2]), number([f0, f1, f2]));
    let (data, after) = rest.split_at_checked(length)?;
    let is_last = offset + length == whole;
    let is_sound = whole <= limits::HANDSHAKE_MESSAGE_BYTES
        && offset + length <= whole
        && (is_last || length >= limits::HANDSHAKE_FRAGMENT_BYTES);
    let number = u16::from_be_bytes([n0, n1]);
    is_sound.then_some((Fragment { kind, number, whole, offset, data }, after))
}
