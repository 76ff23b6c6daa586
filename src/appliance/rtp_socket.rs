//! The pair of UDP sockets of one call, RTP on an even port and RTCP on the next, and the range
//! that they are taken from.
//!
//! The net thread binds and drops them; in between the audio thread reads and writes.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};

use super::realtime::Moment;
use super::relays::Lease;
use crate::base::address::plain;
use crate::base::limits::RTP_DATAGRAM_BYTES;
use crate::call::media::Path;

/// Which of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Rtp,
    Rtcp,
}

impl From<Path> for Channel {
    fn from(path: Path) -> Self {
        match path {
            Path::Rtp => Self::Rtp,
            Path::Rtcp => Self::Rtcp,
        }
    }
}

/// A call's two sockets.
#[derive(Debug)]
pub struct RtpSockets {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// The kernel has told of a datagram that could not be delivered.
    has_refusal: AtomicBool,
    /// An address that a server lends them.
    lease: Option<Lease>,
}

/// A datagram as it came from the kernel.
#[derive(Debug)]
pub struct Received<'a> {
    pub bytes: &'a [u8],
    pub from: SocketAddr,
    pub arrived: Instant,
}

/// What the kernel says of a datagram.
struct Head {
    length: usize,
    from: Option<SocketAddr>,
    stamp: Option<Duration>,
}

/// Refusals that are taken in one tick: each of ours may bring one, and one leaves in a tick.
const REFUSALS_PER_TICK: u32 = 8;

/// Memory for one receive call, reused for all.
#[derive(Debug)]
pub struct ReceiveBuffer {
    datagram: Box<[u8; RTP_DATAGRAM_BYTES]>,
    control: Vec<u8>,
}

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self {
            datagram: Box::new([0; RTP_DATAGRAM_BYTES]),
            control: nix::cmsg_space!(nix::sys::time::TimeSpec),
        }
    }
}

impl RtpSockets {
    fn bind(address: IpAddr, port: u16) -> io::Result<Self> {
        let rtp = open(SocketAddr::new(address, port))?;
        // Many peers have no socket for RTCP: that it cannot be delivered says nothing.
        match address {
            IpAddr::V4(_) => setsockopt(&rtp, sockopt::Ipv4RecvErr, &true)?,
            IpAddr::V6(_) => {
                setsockopt(&rtp, sockopt::Ipv6RecvErr, &true)?;
                // Of IPv4, which it has, too; without it refusals are not known.
                let _ = setsockopt(&rtp, sockopt::Ipv4RecvErr, &true);
            }
        }
        let rtcp = open(SocketAddr::new(address, port + 1))?;
        Ok(Self { rtp, rtcp, has_refusal: AtomicBool::new(false), lease: None })
    }

    /// The port of RTP; RTCP has the next one.
    pub fn port(&self) -> u16 {
        self.rtp.local_addr().map_or(0, |a| a.port())
    }

    /// They are reached by both versions of IP.
    pub fn is_dual(&self) -> bool {
        self.rtp.local_addr().is_ok_and(|at| at.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    }

    /// What a server lends is theirs until they are dropped.
    pub fn borrow(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// One waiting datagram, with the time at which the kernel took it from the network. RT safe.
    pub fn receive<'a>(
        &self,
        channel: Channel,
        moment: &Moment,
        buffer: &'a mut ReceiveBuffer,
    ) -> Option<Received<'a>> {
        let head = match self.head(channel, buffer) {
            // What could not be delivered is told by an error, before the next datagram.
            Err(error) if error != Errno::EAGAIN => {
                self.has_refusal.store(true, Ordering::Relaxed);
                self.head(channel, buffer).ok()?
            }
            head => head.ok()?,
        };
        let arrived = head.stamp.map_or(moment.now, |stamp| moment.arrival(stamp));
        Some(Received { bytes: buffer.datagram.get(..head.length)?, from: head.from?, arrived })
    }

    /// Fills the buffer.
    fn head(&self, channel: Channel, buffer: &mut ReceiveBuffer) -> Result<Head, Errno> {
        let mut parts = [IoSliceMut::new(buffer.datagram.as_mut_slice())];
        let message = recvmsg::<SockaddrStorage>(
            self.socket(channel).as_raw_fd(),
            &mut parts,
            Some(&mut buffer.control),
            MsgFlags::MSG_DONTWAIT,
        )?;
        let stamp = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|m| match m {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            })
        });
        let from = message.address.as_ref().and_then(socket_address);
        Ok(Head { length: message.bytes, from, stamp })
    }

    /// Datagrams of RTP that the network could not deliver, since the last time (ICMP, by ip(7)'s IP_RECVERR).
    /// A system call only where there are any. RT safe.
    pub fn refusals(&self, buffer: &mut ReceiveBuffer) -> u32 {
        if !self.has_refusal.swap(false, Ordering::Relaxed) {
            return 0;
        }
        let mut count = 0;
        while count < REFUSALS_PER_TICK {
            let mut parts = [IoSliceMut::new(buffer.datagram.as_mut_slice())];
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_ERRQUEUE;
            if recvmsg::<SockaddrStorage>(self.rtp.as_raw_fd(), &mut parts, None, flags).is_err() {
                break;
            }
            count += 1;
        }
        count
    }

    /// Sends without waiting; a full socket buffer loses the datagram, as a network would. RT safe.
    pub fn send(&self, channel: Channel, to: SocketAddr, bytes: &[u8]) -> bool {
        let sent = self.socket(channel).send_to(bytes, to);
        if sent.is_err() && channel == Channel::Rtp {
            self.has_refusal.store(true, Ordering::Relaxed);
        }
        sent.is_ok()
    }

    fn socket(&self, channel: Channel) -> &UdpSocket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    Ok(socket)
}

/// An address of IPv4 is one, whichever socket it came to.
fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::from((a.ip(), a.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| plain(SocketAddr::from((a.ip(), a.port())))))
}

/// The port range of all calls, used in turn so that a port rests as long as possible before its
/// next call: late packets of the last call then find nobody.
#[derive(Debug)]
pub struct PortRange {
    ports: RangeInclusive<u16>,
    next: u16,
}

/// No pair of ports in the range could be bound.
#[derive(Debug, thiserror::Error)]
#[error("no free pair of ports in media.ports {first}-{last}")]
pub struct PortsExhausted {
    first: u16,
    last: u16,
}

impl PortRange {
    /// `ports` holds at least one even port and the odd one after it.
    pub fn new(ports: RangeInclusive<u16>) -> Self {
        let next = even(*ports.start());
        Self { ports, next }
    }

    /// How many calls fit.
    pub fn pairs(&self) -> usize {
        let first = even(*self.ports.start());
        (usize::from(*self.ports.end()) + 1).saturating_sub(usize::from(first)) / 2
    }

    /// Binds the next free pair on `address`.
    pub fn bind(&mut self, address: IpAddr) -> Result<RtpSockets, PortsExhausted> {
        for _ in 0..self.pairs() {
            let port = self.next;
            self.next = match port.checked_add(2) {
                Some(next) if next < *self.ports.end() => next,
                _ => even(*self.ports.start()),
            };
            if let Ok(sockets) = RtpSockets::bind(address, port) {
                return Ok(sockets);
            }
        }
        Err(PortsExhausted { first: *self.ports.start(), last: *self.ports.end() })
    }
}

fn even(port: u16) -> u16 {
    port.saturating_add(port % 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn pairs_are_even_and_a_full_range_is_an_error_that_names_the_key() {
        let mut range = PortRange::new(28_301..=28_305);
        assert_eq!(range.pairs(), 2);
        let a = range.bind(LOCAL).unwrap();
        let b = range.bind(LOCAL).unwrap();
        assert_eq!((a.port(), b.port()), (28_302, 28_304));
        let error = range.bind(LOCAL).unwrap_err().to_string();
        assert!(error.contains("media.ports 28301-28305"), "{error}");
        drop(a);
        assert_eq!(range.bind(LOCAL).unwrap().port(), 28_302);
    }

    #[test]
    fn a_datagram_carries_its_sender_and_an_arrival_in_the_past() {
        let mut range = PortRange::new(28_310..=28_319);
        let (a, b) = (range.bind(LOCAL).unwrap(), range.bind(LOCAL).unwrap());
        let mut buffer = ReceiveBuffer::default();
        assert!(b.receive(Channel::Rtp, &Moment::read(), &mut buffer).is_none());
        assert!(a.send(Channel::Rtp, SocketAddr::new(LOCAL, b.port()), b"hello"));
        let moment = Moment::read();
        let received = b.receive(Channel::Rtp, &moment, &mut buffer).unwrap();
        assert_eq!(received.bytes, b"hello");
        assert_eq!(received.from, SocketAddr::new(LOCAL, a.port()));
        assert!(received.arrived <= moment.now);
    }

    #[test]
    fn what_cannot_be_delivered_is_counted_and_hides_no_datagram() {
        let mut range = PortRange::new(28_320..=28_329);
        let (a, b, gone) =
            (range.bind(LOCAL).unwrap(), range.bind(LOCAL).unwrap(), range.bind(LOCAL).unwrap());
        let nobody = SocketAddr::new(LOCAL, gone.port());
        drop(gone);
        let mut buffer = ReceiveBuffer::default();
        let mut refusals = 0;
        for _ in 0..3 {
            a.send(Channel::Rtp, nobody, b"hello");
            assert!(b.send(Channel::Rtp, SocketAddr::new(LOCAL, a.port()), b"there"));
            let received = a.receive(Channel::Rtp, &Moment::read(), &mut buffer).unwrap();
            assert_eq!(received.bytes, b"there");
            assert!(a.receive(Channel::Rtp, &Moment::read(), &mut buffer).is_none());
            refusals += a.refusals(&mut buffer);
        }
        assert_eq!(refusals, 3);
        assert_eq!(a.refusals(&mut buffer), 0);
        a.send(Channel::Rtcp, nobody, b"hello");
        assert!(a.receive(Channel::Rtcp, &Moment::read(), &mut buffer).is_none());
        assert_eq!(a.refusals(&mut buffer), 0);
    }
}
