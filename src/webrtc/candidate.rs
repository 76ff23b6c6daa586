//! One ICE candidate as a line has it (RFC 8839 section 5.1).

use std::net::IpAddr;

use crate::base::limits;

/// What of a candidate can be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// `None` for a name, as browsers give those that they hide (mDNS).
    pub address: Option<IpAddr>,
    pub is_host: bool,
}

impl Candidate {
    /// The value of `a=candidate:`; `None` for what is none.
    pub fn parse(value: &str) -> Option<Self> {
        if value.len() > limits::WEBRTC_CANDIDATE_BYTES || !value.bytes().all(is_printing) {
            return None;
        }
        let mut words = value.split_ascii_whitespace();
        let foundation = words.next()?;
        let is_ice = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
        let is_foundation = (1..=32).contains(&foundation.len()) && foundation.chars().all(is_ice);
        let component: u16 = words.next()?.parse().ok()?;
        let transport = words.next()?;
        let priority: u32 = words.next()?.parse().ok()?;
        let address = words.next()?;
        let _port: u16 = words.next()?.parse().ok()?;
        let is_typed = words.next()? == "typ";
        let kind = words.next()?;
        let is_right = is_foundation
            && (1..=256).contains(&component)
            && (1..=0x7fff_ffff).contains(&priority)
            && is_token(transport)
            && is_typed
            && is_token(kind);
        let ip = address.parse().ok();
        (is_right && (ip.is_some() || is_name(address)))
            .then_some(Self { address: ip, is_host: kind == "host" })
    }
}

const fn is_printing(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

fn is_token(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_of_browsers_are_read_and_garbage_is_not() {
        let ip = |text: &str| text.parse().ok();
        for (value, expected) in [
            (
                "842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 4615",
                Some((ip("203.0.113.7"), false)),
            ),
            ("1 1 UDP 2130706431 2001:db8::7 8998 typ host", Some((ip("2001:db8::7"), true))),
            (
                "0 1 UDP 2122252543 e3d8f7c2-9f4a-4d9c-b7ae-5f0d6f7e0a11.local 50014 typ host",
                Some((None, true)),
            ),
            (
                "1 1 tcp 1518280447 192.0.2.4 9 typ host tcptype active generation 0",
                Some((ip("192.0.2.4"), true)),
            ),
            ("", None),
            ("1 1 UDP 2130706431 192.0.2.4 8998", None),
            ("1 1 UDP 2130706431 192.0.2.4 8998 type host", None),
            ("1 0 UDP 2130706431 192.0.2.4 8998 typ host", None),
            ("1 1 UDP 0 192.0.2.4 8998 typ host", None),
            ("1 1 UDP 99999999999 192.0.2.4 8998 typ host", None),
            ("1 1 UDP 2130706431 192.0.2.4 89980 typ host", None),
            ("1 1 UDP 2130706431 <script> 8998 typ host", None),
            ("1;2 1 UDP 2130706431 192.0.2.4 8998 typ host", None),
            ("1 1 UDP 2130706431 192.0.2.4 8998 typ host\u{0}", None),
        ] {
            let read = Candidate::parse(value).map(|read| (read.address, read.is_host));
            assert_eq!(read, expected, "{value}");
        }
        let long = format!("1 1 UDP 1 192.0.2.4 8998 typ host {}", "x".repeat(1_000));
        assert_eq!(Candidate::parse(&long), None);
    }
}
