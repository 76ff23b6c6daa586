//! The three moves of RFC 3264: answer an offer, make one, accept the answer to ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::crypto::{Crypto, Keys};
use super::description::{Description, MediaLine, Profile};
use super::formats::{self, Formats};
use super::write::{AudioLine, Text};
use super::{Answer, Direction, Dtmf, Local, Negotiated, Offering, Refusal, Srtp};
use crate::base::Keying;
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
        if !line.is_audio() || line.media.port == 0 {
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
    const fn rank(&self) -> (bool, bool) {
        (self.is_reachable, self.crypto.is_some())
    }
}

fn agree(
    line: MediaLine<'_>,
    offering: &Offering,
    local: &Local,
    is_held: bool,
) -> Result<Agreement, Refusal> {
    let theirs = offered_key(line, offering.srtp)?;
    let described = remote(line)?;
    let remote = reachable(described, local.address.to_canonical());
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
        keying: theirs.as_ref().map(|theirs| keying(theirs, &local.keys)),
    };
    let ours = |theirs: Crypto| Crypto { key: local.keys.of(theirs.suite).clone(), ..theirs };
    let is_reachable = described.ip().is_unspecified() || described == remote;
    Ok(Agreement { negotiated, events, crypto: theirs.map(ours), is_reachable })
}

/// The peer's key for an encrypted line, the first that we can use; `None` for a plain one.
fn offered_key(line: MediaLine<'_>, srtp: Srtp) -> Result<Option<Crypto>, Refusal> {
    let key = || Crypto::usable(line, |_| true);
    match (line.profile(), srtp) {
        (Some(Profile::Plain), Srtp::Off) => Ok(None),
        (Some(Profile::Plain), Srtp::Optional) => Ok(key()),
        (Some(Profile::Plain), Srtp::Required) => match key() {
            Some(key) => Ok(Some(key)),
            None => Err(Refusal::unacceptable(302, "only encrypted RTP is spoken")),
        },
        (Some(Profile::Secure), Srtp::Optional | Srtp::Required) => match key() {
            Some(key) => Ok(Some(key)),
            None => Err(Refusal::unacceptable(306, "no key that can be used")),
        },
        (Some(Profile::Secure) | None, Srtp::Off) => {
            Err(Refusal::unacceptable(302, "only plain RTP is spoken"))
        }
        (None, Srtp::Optional | Srtp::Required) => {
            Err(Refusal::unacceptable(302, "only RTP with keys in the description is spoken"))
        }
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
    let mid = offer.lines().nth(chosen).and_then(mid_of);
    let bundle = offer.bundle();
    let is_member = |mid: &&str| bundle.as_ref().is_some_and(|members| members.contains(mid));
    let mut text = Text::begin(local, version, mid.as_deref().filter(is_member));
    for (index, line) in offer.lines().enumerate() {
        let media = line.media;
        let mid = mid_of(line);
        if index != chosen {
            text.rejected(&media.media, &media.proto, &media.fmt, mid.as_deref());
            continue;
        }
        let Negotiated { has_comfort_noise, ptime_ms, direction, has_rtcp_mux, .. } =
            agreement.negotiated;
        text.audio(&AudioLine {
            proto: &media.proto,
            crypto: agreement.crypto.as_slice(),
            codecs: &agreement.negotiated.rx_payload_types,
            events: &agreement.events,
            has_comfort_noise,
            ptime_ms,
            direction,
            has_rtcp_mux,
            mid: mid.as_deref(),
        });
    }
    text.finish()
}

/// Our offer: one audio line with everything that we can do.
pub fn offer(offering: &Offering, local: &Local, version: u64, direction: Direction) -> Vec<u8> {
    let mut text = Text::begin(local, version, None);
    let (proto, crypto) = match offering.srtp {
        Srtp::Off => ("RTP/AVP", Vec::new()),
        // RFC 4568 speaks of secure profiles only; a plain one with keys is what telephone systems
        // understand by optional, and one that does not know the lines has nothing to refuse.
        Srtp::Optional => ("RTP/AVP", Crypto::offered(&local.keys)),
        Srtp::Required => ("RTP/SAVP", Crypto::offered(&local.keys)),
    };
    text.audio(&AudioLine {
        proto,
        crypto: &crypto,
        codecs: &offered_codecs(offering),
        events: &formats::offered_events(offering),
        has_comfort_noise: false,
        ptime_ms: offering.ptime_ms,
        direction,
        has_rtcp_mux: true,
        mid: None,
    });
    text.finish()
}

fn offered_codecs(offering: &Offering) -> Vec<(u8, Codec)> {
    let number = |codec: &Codec| (formats::offered_payload_type(*codec), *codec);
    offering.codecs.iter().map(number).collect()
}

/// Reads the answer to our [`offer`] of `offered` with `keys`. The peer's order decides; we send its numbers
/// and receive ours, and its own too where they mean nothing else here.
///
/// # Errors
/// 400 for what is not a description, 488 when it refuses the line or answers what was not offered.
pub fn accept(offered: &Offering, keys: &Keys, answer: &[u8]) -> Result<Negotiated, Refusal> {
    let answer = Description::parse(answer)?;
    let line = answer.lines().find(MediaLine::is_audio);
    let line = line.ok_or(Refusal::unacceptable(304, "no audio answered"))?;
    if line.media.port == 0 {
        return Err(Refusal::unacceptable(304, "audio was refused"));
    }
    let theirs = answered_key(line, offered.srtp)?;
    let remote = remote(line)?;
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
        keying: theirs.as_ref().map(|theirs| keying(theirs, keys)),
    })
}

/// The peer's key in an answer. Who answers with a key encrypts, whatever the profile is called, so one
/// that we cannot use must not be taken for plain sound.
fn answered_key(line: MediaLine<'_>, srtp: Srtp) -> Result<Option<Crypto>, Refusal> {
    let profile = line
        .profile()
        .ok_or(Refusal::unacceptable(302, "another protocol than RTP is answered"))?;
    if srtp == Srtp::Off {
        return match profile {
            Profile::Plain => Ok(None),
            Profile::Secure => Err(Refusal::unacceptable(302, "only plain RTP was offered")),
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
