//! Offer and answer in one call (RFC 3264): what was agreed, and the plan for the media from it.
//!
//! Joins `sdp`, which knows descriptions, with `media`, which must know only the outcome.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::media::{DtmfPlan, PayloadTypes, Plan};
use crate::base::{Entropy, Private, SrtpSuite};
use crate::codec::EncoderSettings;
use crate::sdp::{self, Direction, Keys, Local, Negotiated, Offering, Refusal, Revision, Srtp};

/// Where the peer is to send to, and what is encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    pub address: IpAddr,
    /// Of RTP; RTCP has the next one.
    pub port: u16,
    /// The session id of our `o=` line.
    pub id: u64,
    /// Whether this call is encrypted; `None`: as the offering says.
    pub srtp: Option<Srtp>,
    /// What our keys are made from. A flight record has neither it nor the keys.
    #[serde(skip)]
    pub seed: Private<[u8; 32]>,
}

/// The offer and answer of one call.
#[derive(Debug)]
pub struct Agreement {
    offering: Offering,
    local: Local,
    revision: Revision,
    entropy: Entropy,
    /// The suite under which the call is encrypted.
    suite: Option<SrtpSuite>,
    /// Those that were, since the last description of ours: until the next one a branch may still answer to
    /// the keys that stand in it.
    given_up: Vec<SrtpSuite>,
}

impl Agreement {
    pub fn new(offering: Offering, media: &LocalMedia) -> Self {
        let mut entropy = Entropy::new(*media.seed.reveal());
        let keys = Keys::random(&mut entropy);
        let local = Local { address: media.address, port: media.port, id: media.id, keys };
        let offering = Offering { srtp: media.srtp.unwrap_or(offering.srtp), ..offering };
        Self {
            offering,
            local,
            revision: Revision::default(),
            entropy,
            suite: None,
            given_up: Vec::new(),
        }
    }

    /// What is to be agreed on with somebody else who takes the peer's place: the same media, and keys that
    /// nobody has had.
    pub fn with_another(&mut self) -> Self {
        let mut entropy = Entropy::new(self.entropy.seed());
        let keys = Keys::random(&mut entropy);
        Self {
            offering: self.offering.clone(),
            local: Local { keys, ..self.local.clone() },
            revision: Revision::default(),
            entropy,
            suite: None,
            given_up: Vec::new(),
        }
    }

    /// Our answer to the peer's offer.
    ///
    /// # Errors
    /// As [`sdp::answer`]; what was agreed before stays.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, Plan), Refusal> {
        self.renew();
        let answer = self.revision.answer(offer, &self.offering, &self.local, false)?;
        Ok((answer.body, self.agreed(&answer.negotiated)))
    }

    /// Our offer, where the peer made none.
    pub fn offer(&mut self) -> Vec<u8> {
        self.renew();
        self.revision.offer(&self.offering, &self.local, Direction::SendRecv)
    }

    /// The peer's answer to our offer.
    ///
    /// # Errors
    /// As [`sdp::accept`].
    pub fn accept(&mut self, answer: &[u8]) -> Result<Plan, Refusal> {
        let negotiated = sdp::accept(&self.offering, &self.local.keys, answer)?;
        Ok(self.agreed(&negotiated))
    }

    /// Keys of ours that are given up are not offered again.
    fn renew(&mut self) {
        for suite in std::mem::take(&mut self.given_up) {
            if self.suite != Some(suite) {
                self.local.keys.renew(suite, &mut self.entropy);
            }
        }
    }

    fn agreed(&mut self, negotiated: &Negotiated) -> Plan {
        let suite = negotiated.keying.as_ref().map(|keying| keying.suite);
        let before = std::mem::replace(&mut self.suite, suite);
        if let Some(before) = before.filter(|_| before != suite)
            && !self.given_up.contains(&before)
        {
            self.given_up.push(before);
        }
        plan(negotiated)
    }
}

fn plan(agreed: &Negotiated) -> Plan {
    Plan {
        remote: Private::new(agreed.remote),
        remote_rtcp: Private::new(agreed.remote_rtcp),
        rtcp_mux: agreed.has_rtcp_mux,
        codec: agreed.codec,
        encoder: EncoderSettings {
            bitrate_bps: agreed.opus.max_average_bitrate_bps,
            inband_fec: agreed.opus.has_inband_fec,
            ..EncoderSettings::default()
        },
        tx_payload_type: agreed.tx_payload_type,
        rx: agreed.rx_payload_types.iter().copied().collect::<PayloadTypes>(),
        dtmf: agreed.dtmf.map(|dtmf| DtmfPlan {
            tx_payload_type: dtmf.tx_payload_type,
            rx_payload_type: dtmf.rx_payload_type,
            clock_hz: dtmf.clock_rate_hz,
        }),
        ptime_ms: agreed.ptime_ms,
        sends: agreed.direction.sends(),
        receives: agreed.direction.receives(),
        keying: agreed.keying.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;

    const KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";

    fn agreement(srtp: Option<Srtp>) -> Agreement {
        let offering =
            Offering { codecs: vec![Codec::Pcmu], dtmf: true, ptime_ms: 20, srtp: Srtp::Optional };
        let address = "192.0.2.1".parse().unwrap();
        let seed = Private::new([7; 32]);
        Agreement::new(offering, &LocalMedia { address, port: 4_000, id: 1, srtp, seed })
    }

    fn offer(suite: Option<&str>) -> Vec<u8> {
        let crypto = suite.map(|suite| format!("a=crypto:1 {suite} inline:{KEY}\r\n"));
        let head = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 5000 RTP/AVP 0\r\n";
        format!("{head}{}", crypto.unwrap_or_default()).into_bytes()
    }

    #[test]
    fn our_key_stays_as_long_as_it_is_used_and_never_comes_back() {
        let (long, short) = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32");
        let mut agreement = agreement(None);
        let mut key = |suite: Option<&str>| {
            let (_, plan) = agreement.answer(&offer(suite)).unwrap();
            plan.keying.map(|keying| keying.tx)
        };
        let first = key(Some(long));
        assert!(first.is_some() && key(Some(long)) == first);
        let other = key(Some(short));
        let mut all = vec![first, other];
        for suite in [Some(long), None, Some(long), Some(short), Some(long)] {
            let next = key(suite);
            assert_eq!(next.is_some(), suite.is_some());
            assert!(next.is_none() || !all.contains(&next), "{suite:?}");
            all.push(next);
        }
    }

    #[test]
    fn what_one_call_wants_goes_before_what_all_want() {
        let plain = offer(None);
        assert!(agreement(None).answer(&plain).is_ok());
        assert_eq!(agreement(Some(Srtp::Required)).answer(&plain).unwrap_err().status, 488);
        let crypto = offer(Some("AES_CM_128_HMAC_SHA1_80"));
        let (_, plan) = agreement(Some(Srtp::Off)).answer(&crypto).unwrap();
        assert_eq!(plan.keying, None);
    }
}
