//! The IP address that the other side is told to send sound to (`media.address`).
//!
//! One that was found out (by STUN, or because a registrar tells where it sees us) is for peers beyond our
//! router only: a telephone beside us reaches our own address, and many routers bring nothing back in.

use std::net::{IpAddr, SocketAddr};

use tokio::sync::watch;

use super::stun::{self, Public};
use crate::base::address::is_private;
use crate::sip::Flow;

/// Where the address is from, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Our own on the way to the peer.
    Own,
    /// The owner's.
    Fixed(IpAddr),
    /// Where a registrar sees our signalling come from.
    Received,
    /// Where this server sees us; name or address, and port.
    Stun { host: String, port: u16 },
}

/// The same at work.
#[derive(Clone, Debug)]
pub enum MediaAddress {
    Own,
    Fixed(IpAddr),
    Received,
    Found(watch::Receiver<Public>),
}

impl MediaAddress {
    /// Begins to ask where a server is to be asked; within a tokio runtime.
    pub fn start(source: Source) -> Self {
        match source {
            Source::Own => Self::Own,
            Source::Fixed(address) => Self::Fixed(address),
            Source::Received => Self::Received,
            Source::Stun { host, port } => Self::Found(stun::follow(host, port)),
        }
    }

    /// Changes whenever [`Self::of`] and [`Self::fault`] may; never where nothing is asked.
    pub fn told(&self) -> watch::Receiver<Public> {
        match self {
            Self::Found(public) => public.clone(),
            Self::Own | Self::Fixed(_) | Self::Received => watch::channel(Public::Asked).1,
        }
    }

    /// For a call whose signalling goes this way; `seen_as` is what a registrar there has told of us.
    pub fn of(&self, flow: Flow, seen_as: Option<SocketAddr>) -> IpAddr {
        self.towards(flow.local.ip(), flow.peer.ip(), seen_as)
    }

    /// For a peer there, whom we reach from this address of ours.
    pub fn towards(&self, own: IpAddr, peer: IpAddr, seen_as: Option<SocketAddr>) -> IpAddr {
        let found = match self {
            Self::Own => None,
            Self::Fixed(address) => return *address,
            Self::Received => seen_as.map(|seen| seen.ip()),
            Self::Found(public) => match *public.borrow() {
                Public::Is(address) => Some(address),
                Public::Asked | Public::Unanswered => None,
            },
        };
        let is_of_use = |found: &IpAddr| found.is_ipv4() == own.is_ipv4() && !is_private(peer);
        found.filter(is_of_use).unwrap_or(own)
    }

    /// What the owner should know, if no address was found.
    pub fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Found(public) if *public.borrow() == Public::Unanswered => Some(
                "media.address: the STUN server does not answer: callers beyond the router are told \
                 our own address and may hear nothing",
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Transport;

    fn flow(local: &str, peer: &str) -> Flow {
        let [local, peer] = [local, peer].map(|text| text.parse().unwrap());
        Flow { transport: Transport::Udp, local, peer, connection: None, account: None }
    }

    #[test]
    fn what_was_found_out_is_told_beyond_the_router_only() {
        let (seen, public): (SocketAddr, IpAddr) =
            ("198.51.100.7:9000".parse().unwrap(), "203.0.113.9".parse().unwrap());
        let (_teller, told) = watch::channel(Public::Is(public));
        let far = flow("192.168.0.5:5060", "192.0.2.1:5060");
        let near = flow("192.168.0.5:5060", "192.168.0.77:5060");
        let v6 = flow("[2001:db8::5]:5060", "[2001:db8:1::1]:5060");
        let own = |flow: Flow| flow.local.ip();
        let found = MediaAddress::Found(told);
        for (address, way, seen_as, expected) in [
            (&MediaAddress::Own, far, Some(seen), own(far)),
            (&MediaAddress::Fixed(public), near, None, public),
            (&MediaAddress::Received, far, Some(seen), seen.ip()),
            (&MediaAddress::Received, far, None, own(far)),
            (&MediaAddress::Received, near, Some(seen), own(near)),
            (&found, far, None, public),
            (&found, near, None, own(near)),
            (&found, v6, None, own(v6)),
        ] {
            assert_eq!(address.of(way, seen_as), expected, "{address:?} {way:?}");
        }
        assert_eq!(found.fault(), None);
    }

    #[test]
    fn a_server_that_is_silent_is_told_to_the_owner_and_calls_go_on() {
        let far = flow("192.168.0.5:5060", "192.0.2.1:5060");
        let (teller, told) = watch::channel(Public::Asked);
        let address = MediaAddress::Found(told);
        assert_eq!((address.of(far, None), address.fault()), (far.local.ip(), None));
        teller.send_replace(Public::Unanswered);
        assert!(address.fault().is_some_and(|text| text.starts_with("media.address")));
        assert_eq!(address.of(far, None), far.local.ip());
    }
}
