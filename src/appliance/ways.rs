//! The ways by which a call with ICE is to find this box: what its description tells beside `media.address`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::outside::Outside;
use super::relays::{News, Relays};
use super::rtp_socket::{PortRange, PortsExhausted, RtpSockets};
use crate::base::handshake::{Candidate, CandidateKind, IceSide, LocalIce};
use crate::base::limits;

/// How long the addresses of this box are believed.
const LOOK: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub struct Ways {
    side: IceSide,
    relays: Option<Relays>,
    /// Nothing but what a relay lends is told.
    only_relays: bool,
    addresses: Vec<IpAddr>,
    looked: Option<Instant>,
    outside: Outside,
    /// Where a socket is bound that any peer of either version of IP may reach.
    everywhere: IpAddr,
}

/// What of a call decides on its ways.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Another side than that of all calls.
    pub side: Option<IceSide>,
    /// The address of the description.
    pub described: IpAddr,
    /// Our own on the way to the peer.
    pub own: IpAddr,
    /// ICE may come of it: the peer offers it, or we do.
    pub is_likely: bool,
    /// Where a server sees the socket.
    pub seen: Option<SocketAddr>,
}

impl Ways {
    pub fn new(side: IceSide, outside: Outside, relays: Option<Relays>, only_relays: bool) -> Self {
        let (addresses, looked) = (Vec::new(), None);
        let everywhere = everywhere();
        Self { side, relays, only_relays, addresses, looked, outside, everywhere }
    }

    /// For sockets that are to be found by both versions of IP, where this machine has both.
    pub fn everywhere(&self) -> IpAddr {
        self.everywhere
    }

    /// Sockets for a call, and where a server sees them.
    pub fn bind(
        &mut self,
        ports: &mut PortRange,
        any: IpAddr,
        is_likely: bool,
    ) -> Result<(RtpSockets, Option<SocketAddr>), PortsExhausted> {
        self.outside.bind(ports, any, is_likely)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.outside.deadline()
    }

    pub fn timeout(&mut self, now: Instant, ports: &mut PortRange) {
        self.outside.timeout(now, ports, self.everywhere);
    }

    /// Those of a call with these sockets, which borrow what a relay lends.
    pub fn of(&mut self, now: Instant, wanted: Wanted, sockets: &mut RtpSockets) -> LocalIce {
        let Wanted { side, described, own, is_likely, seen } = wanted;
        let side = side.unwrap_or(self.side);
        if side == IceSide::Lite || !is_likely {
            return LocalIce { side, ..LocalIce::default() };
        }
        let mut others = Vec::new();
        if let Some((lease, candidate)) =
            self.relays.as_mut().and_then(|relays| relays.lend(sockets.port()))
        {
            sockets.borrow(lease);
            others.push(candidate);
        }
        if self.only_relays {
            return LocalIce { side, hosts: Vec::new(), others, is_hidden: true };
        }
        let mut hosts = self.hosts(now, own, sockets.is_dual());
        // The router's, where a server has told of it, or the owner has the port passed on.
        let passed_on = SocketAddr::new(described, sockets.port());
        let seen = seen.filter(|seen| !hosts.contains(&seen.ip()));
        let is_known = hosts.contains(&described) || seen.is_some_and(|at| at.ip() == described);
        let outside = [seen, Some(passed_on).filter(|_| !is_known)];
        for (at, preference) in outside.into_iter().flatten().zip((0..=u16::MAX).rev()) {
            others.push(Candidate::new(CandidateKind::ServerReflexive, preference, 1, at));
        }
        hosts.retain(|ip| *ip != described);
        LocalIce { side, hosts, others, is_hidden: false }
    }

    /// Addresses of this box that a socket may be found at, of the family of `own` or of both, that first.
    fn hosts(&mut self, now: Instant, own: IpAddr, is_dual: bool) -> Vec<IpAddr> {
        if self.looked.is_none_or(|at| now.saturating_duration_since(at) >= LOOK) {
            self.looked = Some(now);
            self.addresses = addresses();
        }
        // Who is on this machine finds us by where it has called.
        let is_near = own.is_loopback();
        let fits =
            |ip: &&IpAddr| !is_near && (ip.is_ipv4() || own.is_ipv6() || is_dual) && **ip != own;
        let others = self.addresses.iter().filter(fits);
        std::iter::once(&own).chain(others).take(limits::ICE_HOSTS).copied().collect()
    }

    /// A relay has something to tell; whether the owner must know of it.
    pub fn note(&mut self, news: &News) -> bool {
        self.relays.as_mut().is_some_and(|relays| relays.note(news))
    }

    /// What the owner should know.
    pub fn fault(&self) -> Option<&str> {
        self.relays.as_ref().and_then(Relays::fault)
    }
}

fn everywhere() -> IpAddr {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    // A machine may have no IPv6, or keep the two apart.
    let has_both = UdpSocket::bind((any, 0)).is_ok_and(|socket| {
        let port = socket.local_addr().map_or(0, |at| at.port());
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_err()
    });
    if has_both { any } else { Ipv4Addr::UNSPECIFIED.into() }
}

/// Of interfaces that are up, but for those of one machine and one link.
fn addresses() -> Vec<IpAddr> {
    let Ok(all) = getifaddrs() else { return Vec::new() };
    let is_up = |flags: InterfaceFlags| {
        flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING)
            && !flags.contains(InterfaceFlags::IFF_LOOPBACK)
    };
    let mut found = Vec::new();
    for interface in all.filter(|interface| is_up(interface.flags)) {
        let address = interface.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|at| IpAddr::from(at.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|at| IpAddr::from(at.ip())))
        });
        let is_of_use = |ip: &IpAddr| match ip {
            IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_loopback(),
            IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback(),
        };
        found.extend(address.filter(is_of_use).filter(|ip| !found.contains(ip)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ways: &mut Ways, described: &str, own: &str, is_likely: bool) -> LocalIce {
        let mut sockets =
            PortRange::new(28_340..=28_349).bind("127.0.0.1".parse().unwrap()).unwrap();
        let [described, own] = [described, own].map(|text| text.parse().unwrap());
        let seen = Some("203.0.113.9:4444".parse().unwrap()).filter(|_| own != described);
        let wanted = Wanted { side: None, described, own, is_likely, seen };
        ways.of(Instant::now(), wanted, &mut sockets)
    }

    #[test]
    fn the_address_of_the_description_is_a_hosts_or_a_routers() {
        let mut ways = Ways::new(IceSide::Full, Outside::start(Vec::new()), None, false);
        ways.addresses =
            ["192.168.0.5", "10.8.0.2", "2001:db8::5"].map(|t| t.parse().unwrap()).into();
        ways.looked = Some(Instant::now() + Duration::from_secs(60));
        let plain = of(&mut ways, "192.168.0.5", "192.168.0.5", true);
        assert_eq!(plain.hosts, ["10.8.0.2".parse::<IpAddr>().unwrap()]);
        assert!(plain.others.is_empty());
        let routed = of(&mut ways, "203.0.113.9", "192.168.0.5", true);
        assert_eq!(routed.hosts.len(), 2);
        assert_eq!(routed.others[0].kind, CandidateKind::ServerReflexive);
        assert_eq!(routed.others[0].address.port(), 4_444, "as it was seen");
        let passed_on = of(&mut ways, "203.0.113.10", "192.168.0.5", true);
        assert_eq!(passed_on.others.len(), 2);
        let v6 = of(&mut ways, "2001:db8::5", "2001:db8::5", true);
        assert_eq!(v6.hosts.len(), 2, "a socket of IPv6 is one of IPv4, too");
        let mut dual = PortRange::new(28_336..=28_339).bind(ways.everywhere()).unwrap();
        assert!(dual.is_dual(), "this machine has IPv6");
        let [described, own] = ["192.168.0.5", "192.168.0.5"].map(|text| text.parse().unwrap());
        let wanted = Wanted { side: None, described, own, is_likely: true, seen: None };
        let both = ways.of(Instant::now(), wanted, &mut dual);
        assert_eq!(both.hosts.len(), 2, "of IPv4 and of IPv6");
        let near = of(&mut ways, "127.0.0.1", "127.0.0.1", true);
        assert!(near.hosts.is_empty() && near.side == IceSide::Full);
        assert!(of(&mut ways, "192.168.0.5", "192.168.0.5", false).hosts.is_empty());
        let mut lite = Ways::new(IceSide::Lite, Outside::start(Vec::new()), None, false);
        assert_eq!(of(&mut lite, "192.168.0.5", "192.168.0.5", true), LocalIce::default());
    }
}
