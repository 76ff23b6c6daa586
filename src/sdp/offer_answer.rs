//! The three moves of RFC 3264: answer an offer, make one, accept the answer to ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::crypto::{Crypto, Keys};
use super::description::{Description, MediaLine, Profile};
use super::formats::{self, Formats};
use super::handshake::Wishes;
use super::write::{AudioLine, SilentLine, Text};
use super::{
    Answer, Direction, Dtmf, Local, LocalHandshake, Negotiated, OfferedKeys, Offering, Refusal,
    Srtp,
};
use crate::base::handshake::Terms;
use crate::base::{Keying, Protection};
use crate::codec::Codec;

/// Answers `offer` with the first audio line that we can speak, with one of our IP version and one that is
/// encrypted if there is any; the others are kept with port 0.
/// `is_held`: we hold the call and send only. `version` is that of `o=`; see [`super::Revision`].
///
/// # Errors
/// 400 for what is not a description, 488 when no line fits.
pub fn answer(
    offer: &[u8],
    offering: &Offering,
    local: &Local,
    version: u64,
    is_held: bool,
) -> Result<Answer, Refusal> {
    let offer = Description::parse(offer)?;
    let mut refusal = Refusal::unacceptable(304, "no audio offered");
    let mut chosen: Option<(usize, Agreement)> = None;
    for (index, line) in offer.lines().enumerate() {
        if !line.is_audio() || !line.is_offered() {
            continue;
        }
        match agree(line, offering, local, is_held) {
            Ok(agreement) => {
                if chosen.as_ref().is_none_or(|(_, best)| agreement.rank() > best.rank()) {
                    chosen = Some((index, agreement));
                }
            }
            Err(fault) => refusal = fault,
        }
    }
    let (chosen, agreement) = chosen.ok_or(refusal)?;
    let body = write_answer(&offer, chosen, &agreement, local, version);
    Ok(Answer { body, negotiated: agreement.negotiated })
}

/// What one audio line of an offer and we have in common.
struct Agreement {
    negotiated: Negotiated,
    events: Vec<(u8, u32)>,
    /// Ours.
    crypto: Option<Crypto>,
    /// Described by an address of our IP version, or by a name.
    is_reachable: bool,
}

impl Agreement {
    /// The larger the better.
    fn rank(&self) -> (bool, bool) {
        (self.is_reachable, self.negotiated.protection != Protection::Plain)
    }
}

fn agree(
    line: MediaLine<'_>,
    offering: &Offering,
    local: &Local,
    is_held: bool,
) -> Result<Agreement, Refusal> {
    let described = remote(line)?;
    let remote = reachable(described, local.address.to_canonical());
    let theirs = offered_key(line, offering.srtp, local, remote)?;
    let protection = protection(&theirs, &local.keys);
    let has_ice = protection.handshake().is_some_and(|terms| terms.ice.is_some());
    let formats = Formats::of(line);
    let codecs = formats.shared(offering);
    let &(tx_payload_type, codec) =
        codecs.first().ok_or(Refusal::unacceptable(305, "no codec in common"))?;
    let dtmf = offering.dtmf.then(|| formats.events_for(codec)).flatten();
    let flow = line.direction();
    let direction = Direction::from_flow(flow.receives(), flow.sends() && !is_held);
    // Comfort noise at 8 kHz goes with a codec of that clock only (RFC 3389 section 4).
    let at_8_khz = codecs.iter().any(|(_, codec)| codec.clock_rate_hz() == 8_000);
    let events = dtmf.iter().map(|d| (d.rx_payload_type, d.clock_rate_hz)).collect();
    let has_rtcp_mux = line.has_rtcp_mux();
    let negotiated = Negotiated {
        remote,
        remote_rtcp: if has_rtcp_mux { remote } else { line.remote_rtcp(remote) },
        has_rtcp_mux,
        codec,
        tx_payload_type,
        rx_payload_types: codecs,
        dtmf,
        has_comfort_noise: formats.has_comfort_noise && at_8_khz,
        ptime_ms: ptime(line, offering),
        direction,
        opus: formats::opus_wishes(line, tx_payload_type),
        protection,
    };
    let ours = |theirs: Crypto| Crypto { key: local.keys.of(theirs.suite).clone(), ..theirs };
    let crypto = match theirs {
        Theirs::Key(theirs) => Some(ours(theirs)),
        Theirs::Nothing | Theirs::Handshake(_) => None,
    };
    // ICE finds the way where there is one.
    let is_reachable = described.ip().is_unspecified() || described == remote || has_ice;
    Ok(Agreement { negotiated, events, crypto, is_reachable })
}

/// What protects a line, from the peer's side.
enum Theirs {
    Nothing,
    Key(Crypto),
    Handshake(Box<Terms>),
}

/// The peer's key for an encrypted line, the first that we can use, or its handshake.
fn offered_key(
    line: MediaLine<'_>,
    srtp: Srtp,
    local: &Local,
    remote: SocketAddr,
) -> Result<Theirs, Refusal> {
    let profile = line.profile().ok_or(Refusal::unacceptable(302, "only RTP is spoken"))?;
    if srtp == Srtp::Off {
        return match profile {
            Profile::Plain => Ok(Theirs::Nothing),
            Profile::Secure | Profile::Handshake => {
                Err(Refusal::unacceptable(302, "only plain RTP is spoken"))
            }
        };
    }
    let key = match profile {
        Profile::Plain | Profile::Secure => Crypto::usable(line, |_| true).map(Theirs::Key),
        Profile::Handshake => None,
    };
    let handshake = || {
        let terms = Wishes::offered(line)?.answered(line, local, remote)?;
        Some(Theirs::Handshake(Box::new(terms)))
    };
    match (key.or_else(handshake), profile, srtp) {
        (Some(theirs), ..) => Ok(theirs),
        (None, Profile::Plain, Srtp::Off | Srtp::Optional) => Ok(Theirs::Nothing),
        (None, Profile::Plain, Srtp::Required) => {
            Err(Refusal::unacceptable(302, "only encrypted RTP is spoken"))
        }
        (None, Profile::Secure | Profile::Handshake, _) => {
            Err(Refusal::unacceptable(306, "no key that can be used"))
        }
    }
}

fn protection(theirs: &Theirs, ours: &Keys) -> Protection<Box<Terms>> {
    match theirs {
        Theirs::Nothing => Protection::Plain,
        Theirs::Key(theirs) => Protection::Keys(keying(theirs, ours)),
        Theirs::Handshake(terms) => Protection::Handshake(terms.clone()),
    }
}

fn keying(theirs: &Crypto, ours: &Keys) -> Keying {
    let suite = theirs.suite;
    Keying { suite, tx: ours.of(suite).clone(), rx: theirs.key.clone() }
}

/// Where we can send. A telephone with both IP versions may describe itself by the one that it does not
/// call by: its sound will come from an address that we can answer, so none is known until then.
fn reachable(remote: SocketAddr, ours: IpAddr) -> SocketAddr {
    let nowhere = match ours {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    match remote.is_ipv4() == ours.is_ipv4() {
        true => remote,
        false => SocketAddr::new(nowhere, remote.port()),
    }
}

fn remote(line: MediaLine<'_>) -> Result<SocketAddr, Refusal> {
    line.remote().ok_or(Refusal::unacceptable(399, "no usable address"))
}

/// The peer's `ptime` within its `maxptime` and our 10 to 60 ms, in whole steps of 10.
fn ptime(line: MediaLine<'_>, offering: &Offering) -> u32 {
    let wish = line.number("ptime").filter(|ptime| *ptime > 0).unwrap_or(offering.ptime_ms);
    let most = line.number("maxptime").filter(|most| *most > 0).unwrap_or(60);
    wish.min(most).clamp(10, 60) / 10 * 10
}

fn write_answer(
    offer: &Description,
    chosen: usize,
    agreement: &Agreement,
    local: &Local,
    version: u64,
) -> Vec<u8> {
    let mid_of = |line: MediaLine<'_>| line.values("mid").next().map(str::to_owned);
    let line = offer.lines().nth(chosen);
    let terms = agreement.negotiated.protection.handshake().map(AsRef::as_ref);
    let handshake = local.handshake.as_ref().zip(terms);
    let handshake = handshake.map(|(ours, terms)| ours.lines(local, Some(terms)));
    let is_lite = terms.is_some_and(|terms| ours_is_lite(local, Some(terms)));
    // Refused, it would take its transport with it, and the sound (RFC 9143 section 7.3.3).
    let carrier = line.and_then(|line| line.carrier());
    let carrier = carrier.filter(|of| handshake.is_some() && of.profile().is_some());
    let bundled = carrier.into_iter().chain(line).filter_map(mid_of);
    let members = offer.bundle().unwrap_or_default();
    let bundled: Vec<String> = bundled.filter(|mid| members.contains(&&**mid)).collect();
    let bundle = (!bundled.is_empty()).then(|| bundled.join(" "));
    let mut text = Text::begin(local, version, bundle.as_deref(), is_lite);
    let handshake = handshake.unwrap_or_default();
    for (index, line) in offer.lines().enumerate() {
        let media = line.media;
        let mid = mid_of(line);
        if carrier.is_some_and(|carrier| std::ptr::eq(carrier.media, media)) {
            text.silent(&silent(line, &handshake, mid.as_deref()));
            continue;
        }
        if index != chosen {
            text.rejected(&media.media, &media.proto, &media.fmt, mid.as_deref());
            continue;
        }
        let Negotiated { has_comfort_noise, ptime_ms, direction, has_rtcp_mux, .. } =
            agreement.negotiated;
        text.audio(&AudioLine {
            proto: &media.proto,
            crypto: agreement.crypto.as_slice(),
            handshake: &handshake,
            codecs: &agreement.negotiated.rx_payload_types,
            events: &agreement.events,
            has_comfort_noise,
            ptime_ms,
            direction,
            has_rtcp_mux,
            mid: mid.as_deref(),
            has_msid: line.has("msid"),
        });
    }
    text.finish()
}

fn silent<'a>(
    line: MediaLine<'a>,
    handshake: &'a [String],
    mid: Option<&'a str>,
) -> SilentLine<'a> {
    let format = line.media.fmt.split_ascii_whitespace().next().unwrap_or_default();
    let is_its = |value: &&str| value.split_ascii_whitespace().next() == Some(format);
    SilentLine {
        media: &line.media.media,
        proto: &line.media.proto,
        format,
        rtpmap: line.values("rtpmap").find(is_its),
        handshake,
        mid,
    }
}

fn ours_is_lite(local: &Local, terms: Option<&Terms>) -> bool {
    local.handshake.as_ref().is_some_and(|ours| ours.is_lite(terms))
}

/// Our offer: one audio line with everything that we can do.
pub fn offer(offering: &Offering, local: &Local, version: u64, direction: Direction) -> Vec<u8> {
    let ours = offered_handshake(offering, local);
    let handshake = ours.map(|ours| ours.lines(local, None)).unwrap_or_default();
    let is_lite = ours.is_some_and(|ours| ours.is_lite(None));
    let mut text = Text::begin(local, version, None, is_lite);
    let (proto, crypto) = match offering.srtp {
        _ if ours.is_some() => ("UDP/TLS/RTP/SAVP", Vec::new()),
        Srtp::Off => ("RTP/AVP", Vec::new()),
        // RFC 4568 speaks of secure profiles only; a plain one with keys is what telephone systems
        // understand by optional, and one that does not know the lines has nothing to refuse.
        Srtp::Optional => ("RTP/AVP", Crypto::offered(&local.keys)),
        Srtp::Required => ("RTP/SAVP", Crypto::offered(&local.keys)),
    };
    text.audio(&AudioLine {
        proto,
        crypto: &crypto,
        handshake: &handshake,
        codecs: &offered_codecs(offering),
        events: &formats::offered_events(offering),
        has_comfort_noise: false,
        ptime_ms: offering.ptime_ms,
        direction,
        has_rtcp_mux: true,
        mid: None,
        has_msid: false,
    });
    text.finish()
}

/// What our offers say of a handshake, if they offer one.
fn offered_handshake<'a>(offering: &Offering, local: &'a Local) -> Option<&'a LocalHandshake> {
    let is_offered = offering.srtp != Srtp::Off && offering.keys == OfferedKeys::Dtls;
    local.handshake.as_ref().filter(|_| is_offered)
}

fn offered_codecs(offering: &Offering) -> Vec<(u8, Codec)> {
    let number = |codec: &Codec| (formats::offered_payload_type(*codec), *codec);
    offering.codecs.iter().map(number).collect()
}

/// Reads the answer to our [`offer`] of `offered` from `local`. The peer's order decides; we send its numbers
/// and receive ours, and its own too where they mean nothing else here.
///
/// # Errors
/// 400 for what is not a description, 488 when it refuses the line or answers what was not offered.
pub fn accept(offered: &Offering, local: &Local, answer: &[u8]) -> Result<Negotiated, Refusal> {
    let answer = Description::parse(answer)?;
    let line = answer.lines().find(MediaLine::is_audio);
    let line = line.ok_or(Refusal::unacceptable(304, "no audio answered"))?;
    if line.media.port == 0 {
        return Err(Refusal::unacceptable(304, "audio was refused"));
    }
    let remote = remote(line)?;
    let theirs = match offered_handshake(offered, local) {
        Some(_) => answered_handshake(line, local, remote)?,
        None => answered_key(line, offered.srtp)?.map_or(Theirs::Nothing, Theirs::Key),
    };
    let formats = Formats::of(line);
    let agreed = formats.codecs.iter().filter(|(_, codec)| offered.codecs.contains(codec));
    let agreed: Vec<(u8, Codec)> = agreed.copied().collect();
    let &(tx_payload_type, codec) =
        agreed.first().ok_or(Refusal::unacceptable(305, "no offered codec answered"))?;
    let has_rtcp_mux = line.has_rtcp_mux();
    Ok(Negotiated {
        remote,
        remote_rtcp: if has_rtcp_mux { remote } else { line.remote_rtcp(remote) },
        has_rtcp_mux,
        codec,
        tx_payload_type,
        rx_payload_types: received(offered, &agreed),
        dtmf: offered.dtmf.then(|| events(offered, &formats, codec)).flatten(),
        has_comfort_noise: false,
        ptime_ms: ptime(line, offered),
        direction: line.direction().reversed(),
        opus: formats::opus_wishes(line, tx_payload_type),
        protection: protection(&theirs, &local.keys),
    })
}

/// The peer's side of a handshake that we have offered.
fn answered_handshake(
    line: MediaLine<'_>,
    local: &Local,
    remote: SocketAddr,
) -> Result<Theirs, Refusal> {
    let terms = Wishes::of(line).and_then(|wishes| wishes.accepted(line, local, remote));
    let terms = terms.filter(|_| line.profile() == Some(Profile::Handshake));
    let terms = terms.ok_or(Refusal::unacceptable(306, "the handshake is not answered"))?;
    Ok(Theirs::Handshake(Box::new(terms)))
}

/// The peer's key in an answer. Who answers with a key encrypts, whatever the profile is called, so one
/// that we cannot use must not be taken for plain sound.
fn answered_key(line: MediaLine<'_>, srtp: Srtp) -> Result<Option<Crypto>, Refusal> {
    let profile = line
        .profile()
        .ok_or(Refusal::unacceptable(302, "another protocol than RTP is answered"))?;
    if profile == Profile::Handshake {
        return Err(Refusal::unacceptable(302, "no handshake was offered"));
    }
    if srtp == Srtp::Off {
        return match profile {
            Profile::Plain => Ok(None),
            Profile::Secure | Profile::Handshake => {
                Err(Refusal::unacceptable(302, "only plain RTP was offered"))
            }
        };
    }
    let key = Crypto::usable(line, Crypto::answers_ours);
    let is_plain = profile == Profile::Plain && !line.has("crypto");
    match key {
        None if is_plain && srtp == Srtp::Optional => Ok(None),
        None => Err(Refusal::unacceptable(306, "no offered key is answered")),
        key => Ok(key),
    }
}

/// Our numbers of the agreed codecs, then the peer's numbers for them.
fn received(offered: &Offering, agreed: &[(u8, Codec)]) -> Vec<(u8, Codec)> {
    let ours = offered_codecs(offered);
    let is_agreed = |codec: Codec| agreed.iter().any(|(_, other)| *other == codec);
    let mut all: Vec<_> = ours.iter().copied().filter(|(_, codec)| is_agreed(*codec)).collect();
    for &(number, codec) in agreed {
        let is_taken = ours.iter().any(|(other, _)| *other == number)
            || formats::offered_events(offered).iter().any(|(other, _)| *other == number);
        if !is_taken {
            all.push((number, codec));
        }
    }
    all
}

fn events(offered: &Offering, formats: &Formats, codec: Codec) -> Option<Dtmf> {
    let theirs = formats.events_for(codec)?;
    let ours = formats::offered_events(offered);
    let (rx_payload_type, _) =
        ours.into_iter().find(|(_, clock)| *clock == theirs.clock_rate_hz)?;
    Some(Dtmf { rx_payload_type, ..theirs })
}
