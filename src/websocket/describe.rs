//! The description that a session offers for its call, and what it reads of the answer (RFC 4566, RFC 3264).
//!
//! Both ends are ours, on loopback: one codec, telephone-events, one port for RTP and RTCP.

use std::net::Ipv4Addr;

use crate::codec::Codec;

/// The one codec of these calls.
pub const CODEC: Codec = Codec::L16;
/// Its payload type, in both directions, and that of keys.
pub const SOUND: u8 = 112;
pub const KEYS: u8 = 101;

/// Our offer. `version` counts offers; `is_held`: nobody listens or speaks at our end.
pub fn offer(port: u16, id: u64, version: u32, is_held: bool) -> Vec<u8> {
    let address = Ipv4Addr::LOCALHOST;
    let clock = CODEC.clock_rate_hz();
    let name = CODEC.name();
    let direction = if is_held { "inactive" } else { "sendrecv" };
    format!(
        "v=0\r\no=- {id} {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {SOUND} {KEYS}\r\na=rtpmap:{SOUND} {name}/{clock}\r\n\
         a=rtpmap:{KEYS} telephone-event/{clock}\r\na=fmtp:{KEYS} 0-15\r\na=ptime:20\r\n\
         a=rtcp-mux\r\na={direction}\r\n"
    )
    .into_bytes()
}

/// The port of the call's media in its answer.
pub fn port_of(answer: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(answer).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    line.split(' ').next()?.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{self, Keys, Local, OfferedKeys, Offering, Revision, Srtp};

    #[test]
    fn the_call_answers_our_offer_with_sound_and_keys_at_its_port() {
        let offering = Offering {
            codecs: vec![CODEC],
            dtmf: true,
            ptime_ms: 20,
            srtp: Srtp::Off,
            keys: OfferedKeys::Sdes,
        };
        let local = Local {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 4_002,
            id: 1,
            keys: Keys::random(&mut crate::base::Entropy::new([1; 32])),
            handshake: None,
        };
        for (is_held, flows) in [(false, true), (true, false)] {
            let offer = offer(4_000, 7, 2, is_held);
            let answer = Revision::default().answer(&offer, &offering, &local, false).unwrap();
            let agreed: &sdp::Negotiated = &answer.negotiated;
            assert_eq!((agreed.codec, agreed.tx_payload_type), (CODEC, SOUND));
            assert_eq!(agreed.remote, "127.0.0.1:4000".parse::<std::net::SocketAddr>().unwrap());
            let keys = agreed.dtmf.unwrap();
            assert_eq!((keys.tx_payload_type, keys.clock_rate_hz), (KEYS, 16_000));
            assert_eq!((agreed.direction.sends(), agreed.direction.receives()), (flows, flows));
            assert!(agreed.has_rtcp_mux);
            assert_eq!(port_of(&answer.body), Some(4_002));
        }
    }

    #[test]
    fn what_is_no_answer_has_no_port() {
        for text in ["", "m=audio", "m=audio x RTP/AVP 0", "m=audio 0 RTP/AVP 0", "m=video 9 X 0"] {
            assert_eq!(port_of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(port_of(&[0xFF]), None);
    }
}
