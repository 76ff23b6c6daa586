//! What both ends agree on for keys by DTLS (RFC 5763) and for the way that ICE finds (RFC 8445): signalling
//! writes it, the handshake works with it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

pub use super::candidate::{Candidate, CandidateKind};

use super::Private;
use super::address::is_nowhere;

/// Validated sources of one stream that are kept: some browsers send from two or three at once.
pub const ROUTE_SOURCES: usize = 8;

/// A hash that certificates are told by (RFC 8122 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FingerprintHash {
    /// Weak, and still better than no look at the certificate: old telephones know no other.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl FingerprintHash {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn of(self, certificate: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(certificate).to_vec(),
            Self::Sha256 => Sha256::digest(certificate).to_vec(),
            Self::Sha384 => Sha384::digest(certificate).to_vec(),
            Self::Sha512 => Sha512::digest(certificate).to_vec(),
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// The hash of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint {
    hash: FingerprintHash,
    value: Vec<u8>,
}

impl Fingerprint {
    /// SHA-256 of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        let hash = FingerprintHash::Sha256;
        Self { hash, value: hash.of(certificate) }
    }

    /// From the value of `a=fingerprint`; `None` for a hash that is not known.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let name = words.next()?;
        let hash =
            FingerprintHash::ALL.into_iter().find(|hash| name.eq_ignore_ascii_case(hash.name()))?;
        let text = words.next()?;
        if text.len() > 3 * hash.bytes() {
            return None;
        }
        let value: Option<Vec<u8>> = text.split(':').map(byte).collect();
        value.filter(|value| value.len() == hash.bytes()).map(|value| Self { hash, value })
    }

    fn is_of(&self, certificate: &[u8]) -> bool {
        self.hash.of(certificate) == self.value
    }
}

/// Of two hexadecimal digits.
fn byte(pair: &str) -> Option<u8> {
    let is_byte = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_byte { u8::from_str_radix(pair, 16).ok() } else { None }
}

/// The value of `a=fingerprint`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())?;
        for (index, byte) in self.value.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

/// What a peer says of its certificate: one hash or several of it, or of several certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints(Vec<Fingerprint>);

impl Fingerprints {
    /// In any order, each counted once.
    pub fn new(all: impl IntoIterator<Item = Fingerprint>) -> Self {
        let mut all: Vec<Fingerprint> = all.into_iter().collect();
        all.sort();
        all.dedup();
        Self(all)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they vouch for this certificate: by the strongest hash that they use, so that a weaker one
    /// beside it helps nobody (RFC 8122 section 5).
    pub fn vouch_for(&self, certificate: &[u8]) -> bool {
        let strongest = self.0.iter().map(|fingerprint| fingerprint.hash).max();
        self.0.iter().any(|of| Some(of.hash) == strongest && of.is_of(certificate))
    }
}

/// Who begins the handshake, from our side (RFC 4145, RFC 5763).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// We: the DTLS client.
    Active,
    /// The peer.
    Passive,
    /// Nobody, for the time being.
    HoldConnection,
}

/// Name and password of one end's ICE (RFC 8445 section 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    pub fragment: String,
    pub password: Private<String>,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceCredentials({})", self.fragment)
    }
}

/// Both ends of one ICE session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceTerms {
    pub ours: IceCredentials,
    pub theirs: IceCredentials,
    /// `None`: we are the lite side.
    pub full: Option<FullIce>,
}

/// Which side of ICE our end is (RFC 8445 section 2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceSide {
    /// It answers checks.
    #[default]
    Lite,
    /// It makes them, too.
    Full,
}

impl IceSide {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "lite" => Some(Self::Lite),
            "full" => Some(Self::Full),
            _ => None,
        }
    }
}

/// How one call's end is found.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalIce {
    pub side: IceSide,
    /// Addresses of this box beside that of the description.
    pub hosts: Vec<IpAddr>,
    /// What servers lend to RTP's socket, or see it as.
    pub others: Vec<Candidate>,
    /// Nothing but those is told.
    #[serde(default)]
    pub is_hidden: bool,
}

impl fmt::Debug for LocalIce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalIce({:?}, {} and {})", self.side, self.hosts.len(), self.others.len())
    }
}

impl LocalIce {
    /// All candidates of an end whose description tells `address` and `port`, the next one being RTCP's where
    /// there are two components.
    pub fn candidates(&self, address: IpAddr, port: u16, components: u8) -> Vec<Candidate> {
        let mut hosts: Vec<IpAddr> = Vec::new();
        for ip in std::iter::once(&address).chain(&self.hosts) {
            let is_a_servers = self.others.iter().any(|other| other.address.ip() == *ip);
            if !self.is_hidden && !ip.is_unspecified() && !is_a_servers && !hosts.contains(ip) {
                hosts.push(*ip);
            }
        }
        let mut all = Vec::new();
        for component in 1..=components {
            let port = port.saturating_add(u16::from(component) - 1);
            for (ip, preference) in hosts.iter().zip((0..=u16::MAX).rev()) {
                let at = SocketAddr::new(*ip, port);
                all.push(Candidate::new(CandidateKind::Host, preference, component, at));
            }
        }
        all.extend(self.others.iter().filter(|of| of.component <= components).cloned());
        all
    }
}

/// What the full side knows of both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullIce {
    /// We decide on the way, unless both ends think so.
    pub is_controlling: bool,
    /// As our description tells them.
    pub local: Vec<Candidate>,
    pub remote: Vec<Candidate>,
}

/// What was agreed on keys by DTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub setup: Setup,
    /// The peer's.
    pub fingerprints: Fingerprints,
    /// The peer's name for the association (RFC 8842), if it has one.
    pub tls_id: Option<String>,
    /// `None`: the peer is where its description says.
    pub ice: Option<IceTerms>,
    pub remote: Private<SocketAddr>,
    pub remote_rtcp: Private<SocketAddr>,
    /// RTP and RTCP share one port, and one association.
    pub rtcp_mux: bool,
}

impl Terms {
    /// The DTLS association of `before` goes on under these. A new way to the same certificate is none of its
    /// business where ICE finds it or a `tls-id` names the association (RFC 8842 section 4); else another
    /// address is another association (RFC 5763 section 6.6), but for none at all, the old way to hold.
    pub fn continue_association(&self, before: &Self) -> bool {
        let has_role = self.setup == before.setup || self.setup == Setup::HoldConnection;
        has_role
            && self.fingerprints == before.fingerprints
            && self.tls_id == before.tls_id
            && self.rtcp_mux == before.rtcp_mux
            && (self.tls_id.is_some() || self.ice.is_some() || self.has_address_of(before))
    }

    fn has_address_of(&self, before: &Self) -> bool {
        let both = [self.remote.reveal(), before.remote.reveal()];
        self.remote == before.remote || both.iter().any(|at| is_nowhere(**at))
    }
}

/// Where ICE lets a stream go, and from where it may come. RT safe.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Route {
    /// `None`: nowhere; the peer has not been found, or does not want anything any more.
    pub to: Option<SocketAddr>,
    pub sources: [Option<SocketAddr>; ROUTE_SOURCES],
}

impl Route {
    pub fn has_source(&self, source: SocketAddr) -> bool {
        self.sources.contains(&Some(source))
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.sources.iter().flatten().count();
        write!(f, "Route({} sources, open: {})", sources, self.to.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_in_each_hash_and_written_as_it_came() {
        for hash in FingerprintHash::ALL {
            let text = Fingerprint { hash, value: hash.of(b"certificate") }.to_string();
            let read = Fingerprint::parse(&text).unwrap();
            assert_eq!(read.to_string(), text);
            assert_eq!(Fingerprint::parse(&text.to_lowercase()), Some(read.clone()));
            assert!(Fingerprints::new([read]).vouch_for(b"certificate"), "{text}");
            assert_eq!(Fingerprint::parse(&text[..text.len() - 3]), None, "one byte short");
            assert_eq!(Fingerprint::parse(&format!("{text}:00")), None, "one byte more");
        }
        for text in ["", "sha-256", "md5 00:11", "sha-256 zz", "sha-1 +1:00", "sha-256 é:é"] {
            assert_eq!(Fingerprint::parse(text), None, "{text}");
        }
    }

    #[test]
    fn another_address_is_another_association_where_nothing_else_tells() {
        let fingerprints = Fingerprints::new([Fingerprint::of(b"theirs")]);
        let at = |address: &str, tls_id: Option<&str>| Terms {
            setup: Setup::Passive,
            fingerprints: fingerprints.clone(),
            tls_id: tls_id.map(str::to_owned),
            ice: None,
            remote: Private::new(address.parse().unwrap()),
            remote_rtcp: Private::new(address.parse().unwrap()),
            rtcp_mux: true,
        };
        for (before, after, tls_id, goes_on) in [
            ("192.0.2.1:4000", "192.0.2.1:4000", None, true),
            ("192.0.2.1:4000", "192.0.2.9:4000", None, false),
            ("192.0.2.1:4000", "192.0.2.9:4000", Some("name"), true),
            ("192.0.2.1:4000", "0.0.0.0:4000", None, true),
            ("0.0.0.0:4000", "192.0.2.1:4000", None, true),
        ] {
            let (before, after) = (at(before, tls_id), at(after, tls_id));
            assert_eq!(after.continue_association(&before), goes_on, "{after:?}");
        }
    }

    #[test]
    fn a_weak_hash_helps_nobody_who_fails_a_strong_one() {
        let of = |hash: FingerprintHash, certificate: &[u8]| Fingerprint {
            hash,
            value: hash.of(certificate),
        };
        let both = Fingerprints::new([
            of(FingerprintHash::Sha1, b"theirs"),
            of(FingerprintHash::Sha256, b"ours"),
            of(FingerprintHash::Sha256, b"another"),
        ]);
        assert!(both.vouch_for(b"ours") && both.vouch_for(b"another"));
        assert!(!both.vouch_for(b"theirs"));
        assert!(!Fingerprints::default().vouch_for(b"theirs"));
    }
}
