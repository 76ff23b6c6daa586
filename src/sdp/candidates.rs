//! `a=candidate` lines (RFC 8839 section 5.1).

use std::net::IpAddr;

use super::description::MediaLine;
use crate::base::handshake::{Candidate, CandidateKind};
use crate::base::limits;

/// Those of a peer that a check may go to: UDP, by address. Names are not asked for: browsers hide their own
/// addresses behind such that only their network knows, and show them by their checks.
pub(super) fn candidates(line: MediaLine<'_>) -> Vec<Candidate> {
    let known = line.values("candidate").filter_map(read);
    known.take(limits::ICE_CANDIDATES).collect()
}

/// A candidate by the value of its line, as trickled ones come, too.
pub fn read(value: &str) -> Option<Candidate> {
    let mut words = value.split_whitespace();
    let _foundation = words.next()?;
    let component = words.next()?.parse().ok().filter(|component| (1..=2).contains(component))?;
    words.next().filter(|transport| transport.eq_ignore_ascii_case("udp"))?;
    let priority = words.next()?.parse().ok().filter(|priority| *priority < 1 << 31)?;
    let ip: IpAddr = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    words.next().filter(|word| *word == "typ")?;
    let kind = words.next()?;
    let kind = CandidateKind::ALL.into_iter().find(|of| of.name().eq_ignore_ascii_case(kind))?;
    let ip = ip.to_canonical();
    is_of_use(ip).then(|| Candidate { kind, component, priority, address: (ip, port).into() })
}

/// Whether a telephone may be there: not a multicast group, nor the services that a cloud's machines find at
/// link-local addresses.
fn is_of_use(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            !v4.is_unspecified() && !v4.is_multicast() && !v4.is_broadcast() && !v4.is_link_local()
        }
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast() && !v6.is_unicast_link_local(),
    }
}

/// The value of one of ours. Nobody is told by which way a server was found.
pub(super) fn value(candidate: &Candidate) -> String {
    let Candidate { kind, component, priority, address } = candidate;
    let (ip, port) = (address.ip(), address.port());
    // One for all that are of one kind and family: each has its base for itself.
    let foundation = 1 + 2 * (*kind as u8) + u8::from(ip.is_ipv6());
    let line = format!("{foundation} {component} UDP {priority} {ip} {port} typ {}", kind.name());
    match (kind, ip) {
        (CandidateKind::Host, _) => line,
        (_, IpAddr::V4(_)) => format!("{line} raddr 0.0.0.0 rport 9"),
        (_, IpAddr::V6(_)) => format!("{line} raddr :: rport 9"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_of_browsers_and_servers_are_read_and_the_rest_is_left_out() {
        let read = |text: &str| {
            let candidate = read(text)?;
            Some((candidate.kind.name(), candidate.component, candidate.address.to_string()))
        };
        let found = |kind, component, address: &str| Some((kind, component, address.to_owned()));
        for (text, expected) in [
            (
                "1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0 network-id 1",
                found("host", 1, "192.168.0.196:46243"),
            ),
            (
                "842163049 1 udp 1677729535 203.0.113.7 55232 typ srflx raddr 0.0.0.0 rport 0",
                found("srflx", 1, "203.0.113.7:55232"),
            ),
            (
                "1 2 UDP 2130706430 2001:db8::7 4001 typ host",
                found("host", 2, "[2001:db8::7]:4001"),
            ),
            (
                "1 1 UDP 16777215 192.0.2.3 5000 typ relay raddr 1.2.3.4 rport 9",
                found("relay", 1, "192.0.2.3:5000"),
            ),
            // Chromium's names, TCP, and what is no telephone's.
            ("1 1 udp 2113937151 8a1b-4c.local 51206 typ host", None),
            ("1 1 tcp 1518280447 192.168.0.196 9 typ host tcptype active", None),
            ("1 1 udp 5 169.254.169.254 80 typ host", None),
            ("1 1 udp 5 224.0.0.1 80 typ host", None),
            ("1 1 udp 5 255.255.255.255 80 typ host", None),
            ("1 1 udp 5 0.0.0.0 80 typ host", None),
            ("1 1 udp 5 fe80::1 80 typ host", None),
            ("1 1 udp 5 192.0.2.1 0 typ host", None),
            ("1 3 udp 5 192.0.2.1 80 typ host", None),
            ("1 1 udp 4294967295 192.0.2.1 80 typ host", None),
            ("1 1 udp 5 192.0.2.1 80", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for kind in [CandidateKind::Host, CandidateKind::ServerReflexive, CandidateKind::Relayed] {
            for address in ["192.0.2.1:4000", "[2001:db8::1]:4000"] {
                let candidate = Candidate::new(kind, 65_535, 1, address.parse().unwrap());
                assert_eq!(read(&value(&candidate)), Some(candidate));
            }
        }
    }
}
