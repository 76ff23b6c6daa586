//! Whom to hear and where to send: symmetric RTP without RTP bleed.
//!
//! The rule:
//!
//! 1. Sound goes to the address of the session description until another is learnt.
//! 2. A packet from the described address is the peer's. The first one locks the latch.
//! 3. Another source may be learnt only while the window is open: during the first
//!    [`limits::RTP_LEARN_PACKETS`] packets, or during [`limits::RTP_LEARN_WINDOW`] after the first
//!    packet, whichever ends later. It needs three packets of one SSRC whose sequence numbers
//!    follow each other. What it sends before is not heard.
//! 4. Once locked, packets from elsewhere are counted and ignored. A window that ends without a
//!    decision locks onto the described address.
//! 5. If a source was learnt and then the described address sends three packets that follow each
//!    other, that one is taken, whenever it is: who sends there has the signalling on its side, so
//!    a stranger that was faster than the peer is put out, and sound never goes to a stranger.
//! 6. Only a new description with another address opens the window again.
//!
//! Where ICE finds the peer all this is left to it: the sources that it has validated are heard, and
//! sound goes where it says (RFC 8445 section 12).
//!
//! Packets count that are well-formed RTP of an agreed payload type; the caller sees to that.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::packet::Header;
use super::sequence::Sequence;
use crate::base::address::plain;
use crate::base::handshake::Route;
use crate::base::limits;

/// Sound that goes there is not sent.
pub const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Packets in a row that make a source plausible.
const RUN: u8 = 3;
/// Steps of the sequence that still count as following: two lost packets are not a stranger.
const FOLLOWING: std::ops::RangeInclusive<i16> = 1..=3;
/// Sources that are watched at once while the window is open; more are ignored.
const CANDIDATES: usize = 8;

/// What the latch says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// Accept; from now on sound goes to this packet's source.
    Learnt,
    Ignore,
}

/// Follows one peer.
#[derive(Clone)]
pub struct Latch {
    described: SocketAddr,
    state: State,
    foreign: u64,
    other_port: u64,
    /// When it was told last that the peer is heard.
    told: Option<Instant>,
}

/// Between two times that it is told.
const TELL: Duration = Duration::from_secs(1);

#[derive(Clone)]
enum State {
    /// Nothing came yet.
    Fresh,
    Learning {
        since: Instant,
        packets: u32,
        candidates: [Option<Candidate>; CANDIDATES],
    },
    /// Onto the described address.
    Described,
    /// Onto another one. `rival` is what the described address sends.
    Learnt {
        source: SocketAddr,
        rival: Option<Candidate>,
    },
    /// By ICE.
    Steered(Route),
}

#[derive(Clone, Copy)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    last: Sequence,
    run: u8,
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Fresh => "fresh",
            State::Learning { .. } => "learning",
            State::Described => "described",
            State::Learnt { .. } => "learnt",
            State::Steered(_) => "steered",
        };
        write!(f, "Latch({state}, {} ignored)", self.foreign)
    }
}

impl Candidate {
    fn new(source: SocketAddr, header: &Header) -> Self {
        Self { source, ssrc: header.ssrc, last: header.sequence, run: 1 }
    }

    fn add(&mut self, header: &Header) {
        let follows = FOLLOWING.contains(&header.sequence.since(self.last));
        self.run = if follows && header.ssrc == self.ssrc { self.run + 1 } else { 1 };
        self.ssrc = header.ssrc;
        self.last = header.sequence;
    }

    fn is_plausible(&self) -> bool {
        self.run >= RUN
    }
}

impl Latch {
    pub fn new(described: SocketAddr) -> Self {
        Self {
            described: plain(described),
            state: State::Fresh,
            foreign: 0,
            other_port: 0,
            told: None,
        }
    }

    /// ICE says where the peer is, from here on until a description says otherwise.
    pub fn steer(&mut self, route: Route) {
        self.state = State::Steered(route);
    }

    /// A new description: another address opens the window again, the same one changes nothing.
    pub fn describe(&mut self, described: SocketAddr) {
        let described = plain(described);
        if described != self.described {
            self.described = described;
            self.state = State::Fresh;
        }
    }

    /// Where sound goes.
    pub fn destination(&self) -> SocketAddr {
        match self.state {
            State::Learnt { source, .. } => source,
            State::Steered(route) => route.to.unwrap_or(NOWHERE),
            State::Fresh | State::Learning { .. } | State::Described => self.described,
        }
    }

    /// Whether a report may be believed that came from this address: RTCP has another port than
    /// RTP, which a NAT may have changed as well.
    pub fn is_peer(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        match &self.state {
            State::Steered(route) => route.sources.iter().flatten().any(|source| source.ip() == ip),
            State::Fresh | State::Learning { .. } | State::Described | State::Learnt { .. } => {
                ip == self.destination().ip()
            }
        }
    }

    /// Whether a datagram's source is where the peer is, as far as that is known.
    pub fn is_known(&self, source: SocketAddr) -> bool {
        let source = plain(source);
        match &self.state {
            State::Steered(route) => route.has_source(source),
            State::Learnt { source: learnt, .. } => source == *learnt || source == self.described,
            State::Fresh | State::Learning { .. } | State::Described => source == self.described,
        }
    }

    /// Whether it is time to tell that ICE's peer was heard, from a source that ICE has found.
    pub fn is_to_tell(&mut self, now: Instant, source: SocketAddr) -> bool {
        let is_due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL);
        let is_found =
            matches!(&self.state, State::Steered(route) if route.has_source(plain(source)));
        if is_due && is_found {
            self.told = Some(now);
        }
        is_due && is_found
    }

    /// Packets that were ignored.
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Those of them that came from the peer's address, but from another port.
    pub fn other_port(&self) -> u64 {
        self.other_port
    }

    /// Counts a datagram that was ignored without a look at its header.
    pub fn count_foreign(&mut self) {
        self.foreign += 1;
    }

    pub fn receive(&mut self, now: Instant, source: SocketAddr, header: &Header) -> Verdict {
        let verdict = self.judge(now, plain(source), header);
        if verdict == Verdict::Ignore {
            self.foreign += 1;
            self.other_port += u64::from(self.is_peer(source.ip()));
        }
        verdict
    }

    fn judge(&mut self, now: Instant, source: SocketAddr, header: &Header) -> Verdict {
        if let State::Steered(route) = &self.state {
            return if route.has_source(source) { Verdict::Accept } else { Verdict::Ignore };
        }
        if source == self.described {
            return self.hear_described(header);
        }
        match &mut self.state {
            State::Steered(_) | State::Described => Verdict::Ignore,
            State::Learnt { source: learnt, .. } if *learnt == source => Verdict::Accept,
            State::Learnt { .. } => Verdict::Ignore,
            State::Fresh => {
                let mut candidates = [None; CANDIDATES];
                candidates[0] = Some(Candidate::new(source, header));
                self.state = State::Learning { since: now, packets: 1, candidates };
                Verdict::Ignore
            }
            State::Learning { since, packets, candidates } => {
                *packets = packets.saturating_add(1);
                let has_time = now.saturating_duration_since(*since) <= limits::RTP_LEARN_WINDOW;
                if *packets > limits::RTP_LEARN_PACKETS && !has_time {
                    self.state = State::Described;
                    return Verdict::Ignore;
                }
                if !watch(candidates, source, header) {
                    return Verdict::Ignore;
                }
                self.state = State::Learnt { source, rival: None };
                Verdict::Learnt
            }
        }
    }

    fn hear_described(&mut self, header: &Header) -> Verdict {
        let described = self.described;
        match &mut self.state {
            State::Steered(_) | State::Described => Verdict::Accept,
            State::Fresh | State::Learning { .. } => {
                self.state = State::Described;
                Verdict::Accept
            }
            State::Learnt { rival, .. } => {
                let rival = match rival {
                    Some(rival) => {
                        rival.add(header);
                        rival
                    }
                    None => rival.insert(Candidate::new(described, header)),
                };
                if !rival.is_plausible() {
                    return Verdict::Ignore;
                }
                self.state = State::Described;
                Verdict::Learnt
            }
        }
    }
}

/// Notes a packet of a source; true when the source has become plausible.
fn watch(
    candidates: &mut [Option<Candidate>; CANDIDATES],
    source: SocketAddr,
    header: &Header,
) -> bool {
    let known = candidates.iter_mut().flatten().find(|candidate| candidate.source == source);
    if let Some(candidate) = known {
        candidate.add(header);
        return candidate.is_plausible();
    }
    if let Some(place) = candidates.iter_mut().find(|place| place.is_none()) {
        *place = Some(Candidate::new(source, header));
    }
    false
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests;
