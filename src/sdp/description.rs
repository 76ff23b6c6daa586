//! The peer's description, read leniently: only the lines that matter, cleaned, through sdp-types.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sdp_types::{Attribute, Connection, Media, Session};

use super::{Direction, Refusal};
use crate::base::limits;

/// A description with at least one media line.
pub struct Description {
    session: Session,
}

/// One media line with what it inherits from the session.
#[derive(Clone, Copy)]
pub struct MediaLine<'a> {
    session: &'a Session,
    pub media: &'a Media,
    /// The line that describes the transport of all lines of its bundle (RFC 9143 section 7.2).
    tagged: Option<&'a Media>,
}

/// Whether a line's sound is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Only if there are keys that both know.
    Plain,
    Secure,
    /// By keys of a handshake (RFC 5764).
    Handshake,
}

impl Description {
    /// Lines of no use here (`o= s= b= t= k=` and the rest) are left out first: a fault in them is
    /// no reason to refuse a call.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > limits::SDP_BYTES {
            return Err(Refusal::malformed("session description too large"));
        }
        let text = String::from_utf8_lossy(bytes);
        let mut kept = String::with_capacity(text.len());
        let mut has_media = false;
        let mut has_connection = false;
        for (count, line) in text.lines().enumerate() {
            if count >= limits::SDP_LINES {
                return Err(Refusal::malformed("session description has too many lines"));
            }
            let line = line.trim();
            let Some((key, value)) = line.split_once('=') else { continue };
            match key {
                "c" if !has_media && has_connection => continue,
                "c" => has_connection = true,
                "m" => has_media = true,
                "v" | "a" => {}
                _ => continue,
            }
            keep(&mut kept, key, value);
        }
        let session = Session::parse(kept.as_bytes())
            .map_err(|_| Refusal::malformed("malformed session description"))?;
        if session.medias.is_empty() {
            return Err(Refusal::unacceptable(304, "no media offered"));
        }
        if session.medias.len() > limits::SDP_MEDIA_LINES {
            return Err(Refusal::malformed("session description has too many media lines"));
        }
        Ok(Self { session })
    }

    pub fn lines(&self) -> impl Iterator<Item = MediaLine<'_>> {
        let session = &self.session;
        let members = self.bundle().unwrap_or_default();
        let mid = |media: &'_ Media| values(&media.attributes, "mid").next().map(str::to_owned);
        let is_member = move |media: &Media| mid(media).is_some_and(|mid| members.contains(&&*mid));
        let tagged = session.medias.iter().find(|media| media.port != 0 && is_member(media));
        session.medias.iter().map(move |media| {
            let tagged = tagged.filter(|_| is_member(media));
            MediaLine { session, media, tagged }
        })
    }

    /// The members of the first `a=group:BUNDLE`.
    pub fn bundle(&self) -> Option<Vec<&str>> {
        let groups = values(&self.session.attributes, "group");
        groups
            .map(str::split_whitespace)
            .find_map(|mut words| (words.next()? == "BUNDLE").then(|| words.collect()))
    }
}

/// Appends a line without control characters; fields of `m=` and `c=` stand one space apart.
fn keep(out: &mut String, key: &str, value: &str) {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    out.push_str(key);
    out.push('=');
    if matches!(key, "m" | "c") {
        out.push_str(&value.split_whitespace().collect::<Vec<_>>().join(" "));
    } else {
        out.push_str(value.trim());
    }
    out.push_str("\r\n");
}

fn values<'a>(attributes: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a str> {
    let named = attributes.iter().filter(move |a| a.attribute.eq_ignore_ascii_case(name));
    named.map(|a| a.value.as_deref().unwrap_or("").trim())
}

impl<'a> MediaLine<'a> {
    /// The values of a media attribute, `""` for a flag.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        values(&self.media.attributes, name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    pub fn is_audio(&self) -> bool {
        self.media.media.eq_ignore_ascii_case("audio")
    }

    /// It is offered, also where it has a port only together with the others of its bundle.
    pub fn is_offered(&self) -> bool {
        self.media.port != 0 || (self.has("bundle-only") && self.tagged.is_some())
    }

    /// The line whose transport this one has, where that is another one's: it is offered within its bundle alone, or
    /// both have one name in ICE. Whoever offers so has nothing else to send it by (`max-bundle`).
    pub fn carrier(&self) -> Option<MediaLine<'a>> {
        let tagged = self.tagged.filter(|tagged| !std::ptr::eq(*tagged, self.media))?;
        let line = MediaLine { session: self.session, media: tagged, tagged: None };
        let name = |line: &MediaLine<'a>| line.values("ice-ufrag").next().map(str::to_owned);
        let is_one = name(&line).is_some_and(|theirs| name(self) == Some(theirs));
        (is_one || self.has("bundle-only")).then_some(line)
    }

    /// The values of an attribute of the transport: of the line, else of its bundle's, else of the session.
    pub fn inherited(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let has = |attributes: &[Attribute]| values(attributes, name).next().is_some();
        let own = &self.media.attributes[..];
        let bundled = self.tagged.map(|tagged| &tagged.attributes[..]);
        let found = [Some(own), bundled].into_iter().flatten().find(|known| has(known));
        values(found.unwrap_or(&self.session.attributes), name)
    }

    /// `None` for what is not RTP. The feedback of AVPF and SAVPF (RFC 4585) we may ignore.
    pub fn profile(&self) -> Option<Profile> {
        let named =
            |names: [&str; 2]| names.iter().any(|n| self.media.proto.eq_ignore_ascii_case(n));
        match () {
            () if named(["RTP/AVP", "RTP/AVPF"]) => Some(Profile::Plain),
            () if named(["RTP/SAVP", "RTP/SAVPF"]) => Some(Profile::Secure),
            () if named(["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"]) => Some(Profile::Handshake),
            () => None,
        }
    }

    /// `c=` of the line, else of the session.
    fn connection(&self) -> Option<&'a Connection> {
        self.media.connections.first().or(self.session.connection.as_ref())
    }

    /// Where the peer wants RTP. Unspecified for a host name; `None` without `c=` or for multicast.
    pub fn remote(&self) -> Option<SocketAddr> {
        let connection = self.connection()?;
        let text = connection.connection_address.as_str();
        let address = match address(text) {
            Some(address) => address,
            None if text.is_empty() => return None,
            None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        (!address.is_multicast()).then(|| SocketAddr::new(address, self.media.port))
    }

    /// Where the peer wants RTCP: `a=rtcp` (RFC 3605), else the next port.
    pub fn remote_rtcp(&self, rtp: SocketAddr) -> SocketAddr {
        let next = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
        let Some(value) = self.values("rtcp").next() else { return next };
        let mut words = value.split_whitespace();
        let port = words.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0);
        let Some(port) = port else { return next };
        let elsewhere = words.nth(2).and_then(address);
        SocketAddr::new(elsewhere.unwrap_or(rtp.ip()), port)
    }

    pub fn has_rtcp_mux(&self) -> bool {
        let has = |name: &str| self.inherited(name).next().is_some();
        has("rtcp-mux") || has("rtcp-mux-only")
    }

    /// The peer's direction from its own side: the line's attribute, else the session's.
    /// `c=0.0.0.0` says that the peer takes nothing (RFC 2543 hold), but not when ICE will find the
    /// address (RFC 8840 section 4.1.1).
    pub fn direction(&self) -> Direction {
        let all =
            [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
        let named = |attributes: &[Attribute]| {
            let mut found = attributes.iter().filter_map(|a| {
                all.into_iter().find(|d| a.attribute.eq_ignore_ascii_case(d.name()))
            });
            found.next()
        };
        let said = named(&self.media.attributes).or_else(|| named(&self.session.attributes));
        let said = said.unwrap_or_default();
        let is_ice = self.inherited("ice-ufrag").next().is_some();
        let text = self.connection().map(|c| c.connection_address.as_str());
        let is_nowhere = text.and_then(address).is_some_and(|address| address.is_unspecified());
        if is_nowhere && !is_ice {
            return Direction::from_flow(said.sends(), false);
        }
        said
    }

    /// A number from `a=<name>:`, of the line or the session.
    pub fn number(&self, name: &str) -> Option<u32> {
        let session = values(&self.session.attributes, name);
        // Some peers write `ptime:20.0`.
        let whole = |value: &str| value.split('.').next()?.parse().ok();
        self.values(name).chain(session).find_map(whole)
    }
}

/// An address without a multicast suffix; an IPv4 address in IPv6 clothes as IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.split('/').next()?;
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}
