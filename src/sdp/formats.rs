//! Payload types: what the numbers on a media line mean, and which of them we share.

use super::description::MediaLine;
use super::{Dtmf, Offering, OpusWishes};
use crate::codec::Codec;

/// Payload type of comfort noise at 8 kHz (RFC 3389).
pub const COMFORT_NOISE: u8 = 13;

/// The numbers on a line that we know, in the peer's order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Formats {
    /// One number for each codec, the first.
    pub codecs: Vec<(u8, Codec)>,
    /// Telephone events: number and clock.
    pub events: Vec<(u8, u32)>,
    pub has_comfort_noise: bool,
}

impl Formats {
    pub fn of(line: MediaLine<'_>) -> Self {
        let mut formats = Self::default();
        let mut seen = [false; 128];
        for word in line.media.fmt.split_whitespace() {
            let Ok(number) = word.parse::<u8>() else { continue };
            let Some(seen) = seen.get_mut(usize::from(number)) else { continue };
            // 72 to 76 read as RTCP once the marker is set (RFC 5761 section 4).
            if std::mem::replace(seen, true) || (72..=76).contains(&number) {
                continue;
            }
            match meaning(line, number) {
                Some(Meaning::Speech(codec)) if formats.speaks(codec) => {}
                Some(Meaning::Speech(codec)) => formats.codecs.push((number, codec)),
                Some(Meaning::Events(clock)) => formats.events.push((number, clock)),
                Some(Meaning::Noise) => formats.has_comfort_noise = number == COMFORT_NOISE,
                None => {}
            }
        }
        formats
    }

    fn speaks(&self, codec: Codec) -> bool {
        self.codecs.iter().any(|(_, known)| *known == codec)
    }

    /// The shared codecs in our order of preference.
    pub fn shared(&self, offering: &Offering) -> Vec<(u8, Codec)> {
        let find = |codec: &Codec| self.codecs.iter().find(|(_, theirs)| theirs == codec).copied();
        offering.codecs.iter().filter_map(find).collect()
    }

    /// Telephone events for `codec`: those at its clock (RFC 4733 section 2.1), else any.
    pub fn events_for(&self, codec: Codec) -> Option<Dtmf> {
        let at_clock = self.events.iter().find(|(_, clock)| *clock == codec.clock_rate_hz());
        let (number, clock_rate_hz) = *at_clock.or(self.events.first())?;
        Some(Dtmf { tx_payload_type: number, rx_payload_type: number, clock_rate_hz })
    }
}

enum Meaning {
    Speech(Codec),
    /// With its clock.
    Events(u32),
    Noise,
}

/// By `a=rtpmap`, else by the static number of RFC 3551.
fn meaning(line: MediaLine<'_>, number: u8) -> Option<Meaning> {
    let map = line.values("rtpmap").find_map(|value| {
        let (n, map) = value.split_once([' ', '\t'])?;
        (n.trim().parse() == Ok(number)).then(|| map.trim())
    });
    let Some(map) = map else {
        if number == COMFORT_NOISE {
            return Some(Meaning::Noise);
        }
        let codec = Codec::ALL.into_iter().find(|c| c.static_payload_type() == Some(number));
        return codec.map(Meaning::Speech);
    };
    let mut parts = map.split('/').map(str::trim);
    let (name, clock, channels) = (parts.next()?, parts.next()?.parse().ok()?, parts.next());
    if name.eq_ignore_ascii_case("telephone-event") {
        return matches!(clock, 8_000 | 16_000 | 48_000).then_some(Meaning::Events(clock));
    }
    if name.eq_ignore_ascii_case("CN") {
        return (clock == 8_000).then_some(Meaning::Noise);
    }
    let codec = Codec::from_name(name)?;
    let right_clock = match codec {
        // The true rate, which some peers write in spite of RFC 3551 section 4.5.2.
        Codec::G722 => matches!(clock, 8_000 | 16_000),
        _ => clock == codec.clock_rate_hz(),
    };
    let right_channels = match codec {
        Codec::Opus => matches!(channels, None | Some("1" | "2")),
        _ => matches!(channels, None | Some("1")),
    };
    (right_clock && right_channels).then_some(Meaning::Speech(codec))
}

/// The peer's wishes in `a=fmtp:<number>`; values out of range are none.
pub fn opus_wishes(line: MediaLine<'_>, number: u8) -> OpusWishes {
    let mut wishes = OpusWishes::default();
    let params = line.values("fmtp").find_map(|value| {
        let (n, params) = value.split_once([' ', '\t'])?;
        (n.trim().parse() == Ok(number)).then_some(params)
    });
    for param in params.unwrap_or_default().split(';') {
        let Some((name, value)) = param.split_once('=') else { continue };
        let Ok(value) = value.trim().parse::<u32>() else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "maxaveragebitrate" => {
                let fits = (6_000..=510_000).contains(&value);
                wishes.max_average_bitrate_bps = fits.then_some(value);
            }
            "maxplaybackrate" => {
                let fits = (8_000..=48_000).contains(&value);
                wishes.max_playback_rate_hz = fits.then_some(value);
            }
            "useinbandfec" => wishes.has_inband_fec = value == 1,
            "cbr" => wishes.is_constant_rate = value == 1,
            _ => {}
        }
    }
    wishes
}

/// The numbers of our own offers: static where there is one.
pub const fn offered_payload_type(codec: Codec) -> u8 {
    match (codec.static_payload_type(), codec) {
        (Some(number), _) => number,
        (None, Codec::L16) => 112,
        (None, _) => 111,
    }
}

/// The numbers and clocks of the telephone events in our own offers.
pub fn offered_events(offering: &Offering) -> Vec<(u8, u32)> {
    let clocks = [(101, 8_000), (110, 48_000)];
    let needed = |clock: u32| offering.codecs.iter().any(|codec| codec.clock_rate_hz() == clock);
    clocks.into_iter().filter(|(_, clock)| offering.dtmf && needed(*clock)).collect()
}
