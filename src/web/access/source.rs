//! From where somebody asks, as limits count it.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

/// The network that a request comes from: an address of IPv4, or the 64 bits of IPv6 that one customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The other end of the connection; where that is on this machine and says for whom it asks, as a proxy does, the
    /// last address that it names. A proxy adds there whom it sees, and what stands before that anybody may have written.
    pub fn of(peer: IpAddr, headers: &HeaderMap) -> Self {
        let peer = peer.to_canonical();
        let named = peer.is_loopback().then(|| last_forwarded(headers)).flatten();
        Self(network(named.unwrap_or(peer)))
    }

    pub fn network(self) -> IpAddr {
        self.0
    }
}

/// Of the header field X-Forwarded-For.
fn last_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(super::guard::FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    let last = last.rsplit(',').next()?.trim();
    let bare = last.trim_start_matches('[').split(']').next()?;
    let address =
        bare.parse().or_else(|_| bare.rsplit_once(':').map_or(bare, |(ip, _)| ip).parse());
    address.ok().map(|address: IpAddr| address.to_canonical())
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Without an address, as in tests of paths alone, all are one.
impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().copied();
        Ok(known.unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_this_machine_says_for_whom_it_asks_and_nobody_else_does() {
        for (peer, forwarded, expected) in [
            ("203.0.113.5", &[][..], "203.0.113.5"),
            ("203.0.113.5", &["198.51.100.1"], "203.0.113.5"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["10.9.9.9", "198.51.100.2:4711"], "198.51.100.2"),
            ("127.0.0.1", &["[2001:db8:1:2:3:4:5:6]:80"], "2001:db8:1:2::"),
            ("127.0.0.1", &["unknown"], "127.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(super::super::guard::FORWARDED_FOR, value.parse().unwrap());
            }
            let source = Source::of(peer.parse().unwrap(), &headers);
            assert_eq!(
                source.network(),
                expected.parse::<IpAddr>().unwrap(),
                "{peer} {forwarded:?}"
            );
        }
    }
}
