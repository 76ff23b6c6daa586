//! Which of our addresses a peer sees.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Peers whose route is remembered.
const ROUTES: usize = 1_024;

/// Which of our addresses the route to a peer starts from.
#[derive(Debug, Default)]
pub(super) struct Routes(HashMap<IpAddr, IpAddr>);

impl Routes {
    /// As the kernel chooses now; `None`: there is no way to the peer.
    pub(super) fn ask_again(&mut self, peer: SocketAddr) -> Option<IpAddr> {
        self.0.remove(&peer.ip());
        let local = route(peer).ok()?;
        self.0.insert(peer.ip(), local);
        Some(local)
    }

    pub(super) fn local_towards(&mut self, peer: SocketAddr) -> IpAddr {
        if let Some(local) = self.0.get(&peer.ip()) {
            return *local;
        }
        if self.0.len() >= ROUTES {
            self.0.clear();
        }
        let local = route(peer).unwrap_or(match peer {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
        self.0.insert(peer.ip(), local);
        local
    }
}

/// Connecting a UDP socket sends nothing; the kernel only chooses the route.
fn route(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}
