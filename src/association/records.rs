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
//! hears, and keeps a repeated hello for ever: so it hears of nothing that does not bring it on. A client is
//! asked for its cookie without it, and without a memory of who was asked (RFC 6347 section 4.2.1): a handshake
//! begins with the hello that has the cookie, and the library is given the one before as it must have been.
//! Numbers of records in epoch 0 are given out anew, for what was put together from several has none.

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
    /// Of a client: whose hello counts.
    client: Option<Client>,
    /// The client's first hello, without the cookie, for the library.
    first_hello: Vec<u8>,
    /// Something of epoch 0 was let through of the datagram that was taken last.
    has_plain: bool,
    change: Change,
    /// Encrypted records that wait for it.
    held: Vec<Vec<u8>>,
    /// Of the next record in epoch 0.
    number: u64,
}

/// A client that has shown that it hears us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// What it has drawn, which tells its hellos from others'.
    pub random: Random,
    pub cookie: Cookie,
}

/// What a client is asked to say again.
pub(super) type Cookie = [u8; 20];

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
    /// Of a server's handshake with this client, or of a client's.
    pub fn new(client: Option<Client>) -> Self {
        let side = if client.is_some() { Side::Server } else { Side::Client };
        Self {
            side,
            client,
            first_hello: Vec::new(),
            has_plain: false,
            // A client's first hello has been answered.
            next: u16::from(client.is_some()),
            partial: BTreeMap::new(),
            flight: Vec::new(),
            change: Change::NotYet,
            held: Vec::new(),
            number: 0,
        }
    }

    /// What the library is to get after this datagram; empty where it is to get nothing.
    pub fn take(&mut self, datagram: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = datagram;
        self.has_plain = false;
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
        self.client.map(|client| client.random)
    }

    /// Something of the datagram that was taken last had come in the clear, and brought us on.
    pub fn has_plain(&self) -> bool {
        self.has_plain
    }

    /// What the library must get before what was taken last.
    pub fn first_hello(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.first_hello)
    }

    /// Whole messages that came.
    pub fn messages_taken(&self) -> u16 {
        self.next
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
        let Some(client) = self.client else { return true };
        if partial.kind != CLIENT_HELLO {
            return self.next > 1;
        }
        let hello = Hello::of(&partial.data).filter(Hello::is_bounded);
        let is_its = |hello: Hello<'_>| {
            client.random == *hello.random && client.cookie == *hello.cookie && self.next == 1
        };
        hello.is_some_and(is_its)
    }

    /// The next message is whole.
    fn message(&mut self, partial: &Partial, out: &mut Vec<u8>) {
        if !self.is_fitting(partial) {
            return;
        }
        self.has_plain = true;
        if partial.kind == CLIENT_HELLO
            && let Some(first) = Hello::of(&partial.data).map(|hello| hello.without_cookie())
        {
            let mut record = Vec::new();
            self.write(HANDSHAKE, &whole(CLIENT_HELLO, 0, &first), &mut record);
            self.first_hello = record;
        }
        let content = whole(partial.kind, self.next, &partial.data);
        self.next += 1;
        let mut flight = std::mem::take(&mut self.flight);
        self.write(HANDSHAKE, &content, &mut flight);
        match partial.kind {
            CLIENT_HELLO | HELLO_VERIFY_REQUEST | SERVER_HELLO_DONE | CERTIFICATE_VERIFY => {
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
        // After the hello of a client something else must have come.
        let least = if self.client.is_some() { 2 } else { 1 };
        let is_due = self.next > least && self.flight.is_empty();
        match self.change {
            Change::Done => {}
            Change::NotYet | Change::Early if !is_due => self.change = Change::Early,
            Change::NotYet | Change::Early => {
                self.change = Change::Done;
                self.has_plain = true;
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

/// The beginning of a ClientHello (RFC 6347 section 4.2.1).
pub(super) struct Hello<'a> {
    pub random: &'a Random,
    pub cookie: &'a [u8],
    before: &'a [u8],
    after: &'a [u8],
}

impl<'a> Hello<'a> {
    /// `after` may be cut.
    fn of(data: &'a [u8]) -> Option<Self> {
        let (_version, rest) = data.split_first_chunk::<2>()?;
        let (random, rest) = rest.split_first_chunk::<32>()?;
        let (_session, rest) = short(rest)?;
        let (before, _) = data.split_at_checked(data.len() - rest.len())?;
        let (cookie, after) = short(rest)?;
        Some(Self { random, cookie, before, after })
    }

    /// Who has more extensions than anybody is none that the library is to look at: it looks long at each.
    fn is_bounded(&self) -> bool {
        let count = || {
            let (_suites, rest) = long(self.after)?;
            let (_compression, rest) = short(rest)?;
            let (mut extensions, _) = long(rest)?;
            let mut count = 0;
            while !extensions.is_empty() {
                let (_kind, rest) = extensions.split_first_chunk::<2>()?;
                (_, extensions) = long(rest)?;
                count += 1;
            }
            Some(count)
        };
        count().is_some_and(|count| count <= limits::HANDSHAKE_EXTENSIONS)
    }

    fn without_cookie(&self) -> Vec<u8> {
        [self.before, &[0], self.after].concat()
    }
}

/// A handshake message in one piece.
fn whole(kind: u8, number: u16, data: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (data.len() as u32).to_be_bytes();
    let mut content = Vec::with_capacity(MESSAGE_HEADER + data.len());
    content.push(kind);
    content.extend_from_slice(&length);
    content.extend_from_slice(&number.to_be_bytes());
    content.extend_from_slice(&[0; 3]);
    content.extend_from_slice(&length);
    content.extend_from_slice(data);
    content
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

/// The hello that a datagram begins with; `None` where there is none, or only a later part of one.
pub(super) fn beginning(datagram: &[u8]) -> Option<Hello<'_>> {
    let (record, _) = record(datagram)?;
    let (fragment, _) = fragment(record.content)?;
    let is_hello = record.kind == HANDSHAKE && record.epoch == 0 && fragment.kind == CLIENT_HELLO;
    let is_first = is_hello && fragment.number < 2 && fragment.offset == 0;
    Hello::of(fragment.data).filter(|_| is_first)
}

/// What a client is told that says hello without this cookie (RFC 6347 section 4.2.1). It is shorter than any
/// hello.
pub(super) fn verify_request(cookie: &Cookie) -> Vec<u8> {
    let body = [&[0xFE, 0xFD, cookie.len() as u8][..], cookie].concat();
    let content = whole(HELLO_VERIFY_REQUEST, 0, &body);
    let [_, _, length @ ..] = (content.len() as u32).to_be_bytes();
    [&[HANDSHAKE, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0][..], &length, &content].concat()
}

/// Whether a datagram is one that asks for a cookie.
pub(super) fn asks_for_cookie(datagram: &[u8]) -> bool {
    let of = |datagram| {
        let (record, _) = record(datagram)?;
        let (fragment, _) = fragment(record.content)?;
        Some(record.kind == HANDSHAKE && fragment.kind == HELLO_VERIFY_REQUEST)
    };
    of(datagram).unwrap_or_default()
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
