//! Sockets that listen on an address that may not be there yet: a box that starts before its network has its addresses
//! listens on them as soon as they come (IP_FREEBIND, ip(7)).

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
    sockopt,
};

/// Connections that wait to be accepted, as many as tokio's listeners have.
const WAITING: i32 = 1_024;

/// A socket that does not block.
pub fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    bound(address, SockType::Datagram).map(UdpSocket::from)
}

/// A listener that does not block, also at a port of which the connections of an earlier one are just gone.
pub fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address, SockType::Stream)?;
    listen(&socket, Backlog::new(WAITING)?)?;
    Ok(socket.into())
}

fn bound(address: SocketAddr, kind: SockType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, kind, flags, None)?;
    setsockopt(&socket, sockopt::IpFreebind, &true)?;
    if kind == SockType::Stream {
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    if !is_here(address.ip()) {
        tracing::warn!("one of the addresses to listen on is none of this machine's so far");
    }
    Ok(socket)
}

/// Whether this machine has the address now.
fn is_here(address: IpAddr) -> bool {
    let refused = UdpSocket::bind((address, 0)).err();
    refused.is_none_or(|error| error.kind() != io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_there_yet_can_be_listened_on() {
        // Of documentation (RFC 5737, RFC 3849): no machine has one.
        for address in ["192.0.2.7:0", "[2001:db8::7]:0"] {
            let address: SocketAddr = address.parse().unwrap();
            let refused = UdpSocket::bind(address).unwrap_err().kind();
            if refused != io::ErrorKind::AddrNotAvailable {
                // A machine without IPv6.
                continue;
            }
            assert!(!is_here(address.ip()));
            assert_eq!(udp(address).unwrap().local_addr().unwrap().ip(), address.ip());
            assert_eq!(tcp(address).unwrap().local_addr().unwrap().ip(), address.ip());
        }
        let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
        assert!(is_here(here.ip()));
        let (a, b) = (tcp(here).unwrap(), udp(here).unwrap());
        let busy = |refused: io::Error| refused.kind() == io::ErrorKind::AddrInUse;
        assert!(busy(tcp(a.local_addr().unwrap()).unwrap_err()));
        assert!(busy(udp(b.local_addr().unwrap()).unwrap_err()));
    }
}
