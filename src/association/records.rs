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
//! hears, keeps a repeated hello for ever and makes a new cookie for it: so it hears of nothing that does not
//! bring it on, and of a second hello only with the cookie. Numbers of records in epoch 0 are given out
//! anew, for what was put together from several has none.

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
    /// Bytes of the ClientHello that was let through last.
    hello: Option<usize>,
    /// What the client has drawn, which tells its hellos from others'.
    random: Option<Random>,
    /// What our HelloVerifyRequest asks for.
    cookie: Option<Vec<u8>>,
    /// The first hello came again in this datagram.
    has_repeated: bool,
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
    /// Of the peer of `side`; a client's hellos are those with this random.
    pub fn new(side: Side, random: Option<Random>) -> Self {
        Self {
            side,
            random,
            cookie: None,
            has_repeated: false,
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
        self.has_repeated = false;
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

    pub fn random(&self) -> Option<Random> {
        self.random
    }

    /// The first hello came again in the datagram that was taken last: our answer to it was lost.
    pub fn has_repeated(&self) -> bool {
        self.has_repeated
    }

    /// The client has shown that it hears us.
    pub fn is_proved(&self) -> bool {
        self.side == Side::Client || self.next > 1
    }

    /// Whole messages that came.
    pub fn messages_taken(&self) -> u16 {
        self.next
    }

    /// A second hello counts with this only.
    pub fn expect(&mut self, cookie: &[u8]) {
        self.cookie = Some(cookie.to_vec());
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
            let is_first = kind == CLIENT_HELLO && number == 0 && fragment.offset == 0;
            let is_awaited = self.next == 1 && self.hello == Some(whole);
            self.has_repeated |= is_first && is_awaited;
            return;
        }
        if number - self.next >= AHEAD || number >= limits::HANDSHAKE_MESSAGES {
            return;
        }
        if kind == CLIENT_HELLO && whole > limits::HANDSHAKE_HELLO_BYTES {
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

    /// Whether a whole message is one of this handshake, as far as can be seen.
    fn is_fitting(&self, partial: &Partial) -> bool {
        if partial.kind != CLIENT_HELLO {
            return self.side == Side::Client || self.next > 1;
        }
        let Some(hello) = Hello::of(&partial.data) else { return false };
        let is_known = self.random.is_none_or(|random| random == *hello.random);
        let has_cookie = self.next == 0 || self.cookie.as_deref() == Some(hello.cookie);
        is_known && has_cookie && self.next < 2
    }

    /// The next message is whole.
    fn message(&mut self, partial: &Partial, out: &mut Vec<u8>) {
        if !self.is_fitting(partial) {
            return;
        }
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
                self.hello = (partial.kind == CLIENT_HELLO).then_some(partial.data.len());
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

/// What a client draws for a handshake (RFC 5246 section 7.4.1.2).
pub(super) type Random = [u8; 32];

/// The part of a ClientHello that is looked at here (RFC 6347 section 4.2.1).
struct Hello<'a> {
    random: &'a Random,
    cookie: &'a [u8],
}

impl<'a> Hello<'a> {
    /// `None` for none, and for one with more extensions than anybody has: the library looks long at each.
    fn of(data: &'a [u8]) -> Option<Self> {
        let (_version, rest) = data.split_first_chunk::<2>()?;
        let (random, rest) = rest.split_first_chunk::<32>()?;
        let (_session, rest) = short(rest)?;
        let (cookie, rest) = short(rest)?;
        let (_suites, rest) = long(rest)?;
        let (_compression, rest) = short(rest)?;
        let (mut extensions, _) = long(rest)?;
        let mut count = 0;
        while !extensions.is_empty() {
            let (_kind, rest) = extensions.split_first_chunk::<2>()?;
            (_, extensions) = long(rest)?;
            count += 1;
        }
        (count <= limits::HANDSHAKE_EXTENSIONS).then_some(Self { random, cookie })
    }
}

/// A value of at most 255 bytes behind its length.
fn short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// One of at most 65,535.
fn long(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Of whom a handshake is that begins with this datagram; `None` where none does.
pub(super) fn beginning(datagram: &[u8]) -> Option<Random> {
    let (record, _) = record(datagram)?;
    let (fragment, _) = fragment(record.content)?;
    let is_hello = record.kind == HANDSHAKE && record.epoch == 0 && fragment.kind == CLIENT_HELLO;
    let is_first = is_hello && fragment.number == 0 && fragment.offset == 0;
    let random = fragment.data.get(2..)?.first_chunk::<32>()?;
    is_first.then_some(*random)
}

/// The cookie in a datagram of ours that asks for one.
pub(super) fn cookie_asked(datagram: &[u8]) -> Option<&[u8]> {
    let (record, _) = record(datagram)?;
    let (fragment, _) = fragment(record.content)?;
    let is_ours = record.kind == HANDSHAKE && fragment.kind == HELLO_VERIFY_REQUEST;
    let (cookie, _) = short(fragment.data.get(2..)?)?;
    is_ours.then_some(cookie)
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
