//! What a session itself reads in offers: the peer's address, and the name of its ICE session.

use std::net::IpAddr;

use super::candidate::Candidate;
use crate::base::Private;

/// The first address among the candidates of an offer, a host's before others: where the peer seems to be.
/// `None` where it has given none yet, or hides them behind names.
pub fn first_address(offer: &[u8]) -> Option<IpAddr> {
    let text = String::from_utf8_lossy(offer);
    let values = text.lines().filter_map(|line| line.trim().strip_prefix("a=candidate:"));
    let known: Vec<Candidate> = values.filter_map(Candidate::parse).collect();
    let of_use = |candidate: &&Candidate| {
        let mut ipv4 = candidate.address.into_iter().filter(IpAddr::is_ipv4);
        ipv4.any(|address| !address.is_unspecified() && !address.is_loopback())
    };
    let host = known.iter().find(|candidate| candidate.is_host && of_use(candidate));
    host.or_else(|| known.iter().find(of_use)).and_then(|candidate| candidate.address)
}

/// The peer's name in its ICE session.
pub(super) fn ice_name(offer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(offer);
    let name = text.lines().find_map(|line| line.trim().strip_prefix("a=ice-ufrag:"));
    name.map(str::to_owned)
}

/// The same offer with another name and password, and without the candidates of the way before.
pub(super) fn restarted(offer: &[u8], name: &str, password: &Private<String>) -> Vec<u8> {
    let text = String::from_utf8_lossy(offer);
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let attribute = line.trim().strip_prefix("a=").unwrap_or_default();
        match attribute.split(':').next().unwrap_or_default() {
            "candidate" | "end-of-candidates" => continue,
            "ice-ufrag" => out.push_str(&format!("a=ice-ufrag:{name}")),
            "ice-pwd" => out.push_str(&format!("a=ice-pwd:{}", password.reveal())),
            _ => out.push_str(line),
        }
        out.push_str("\r\n");
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:aaaa\r\n\
        a=ice-pwd:0123456789012345678901\r\na=candidate:1 1 udp 1 203.0.113.4 9 typ srflx\r\n\
        a=candidate:2 1 udp 1 a.local 9 typ host\r\na=candidate:3 1 udp 1 127.0.0.1 9 typ host\r\n\
        a=candidate:4 1 udp 1 192.168.1.4 9 typ host\r\na=end-of-candidates\r\na=mid:0\r\n";

    #[test]
    fn the_peer_seems_to_be_at_its_own_address_or_at_the_one_that_is_seen_of_it() {
        assert_eq!(first_address(OFFER.as_bytes()), "192.168.1.4".parse().ok());
        let far = OFFER.replace("192.168.1.4", "b.local");
        assert_eq!(first_address(far.as_bytes()), "203.0.113.4".parse().ok());
        assert_eq!(first_address(b"v=0\r\na=candidate:rubbish\r\n"), None);
    }

    #[test]
    fn a_restart_is_the_same_offer_under_other_names() {
        assert_eq!(ice_name(OFFER.as_bytes()).as_deref(), Some("aaaa"));
        let password = Private::new("9876543210987654321098".to_owned());
        let offer = String::from_utf8(restarted(OFFER.as_bytes(), "bbbb", &password)).unwrap();
        assert_eq!(
            offer,
            "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:bbbb\r\n\
             a=ice-pwd:9876543210987654321098\r\na=mid:0\r\n"
        );
    }
}
