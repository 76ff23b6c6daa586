//! Offer and answer in one call (RFC 3264): what was agreed, and the plan for the media from it.
//!
//! Joins `sdp`, which knows descriptions, with `media`, which must know only the outcome.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::media::{DtmfPlan, PayloadTypes, Plan};
use crate::base::Private;
use crate::codec::EncoderSettings;
use crate::sdp::{self, Direction, Local, Negotiated, Offering, Refusal, Revision};

/// Where the peer is to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    pub address: IpAddr,
    /// Of RTP; RTCP has the next one.
    pub port: u16,
    /// The session id of our `o=` line.
    pub id: u64,
}

/// The offer and answer of one call.
#[derive(Debug)]
pub struct Agreement {
    offering: Offering,
    local: Local,
    revision: Revision,
}

impl Agreement {
    pub fn new(offering: Offering, media: LocalMedia) -> Self {
        let local = Local { address: media.address, port: media.port, id: media.id };
        Self { offering, local, revision: Revision::default() }
    }

    /// Our answer to the peer's offer.
    ///
    /// # Errors
    /// As [`sdp::answer`]; what was agreed before stays.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, Plan), Refusal> {
        let answer = self.revision.answer(offer, &self.offering, &self.local, false)?;
        Ok((answer.body, plan(&answer.negotiated)))
    }

    /// Our offer, where the peer made none.
    pub fn offer(&mut self) -> Vec<u8> {
        self.revision.offer(&self.offering, &self.local, Direction::SendRecv)
    }

    /// The peer's answer to our offer.
    ///
    /// # Errors
    /// As [`sdp::accept`].
    pub fn accept(&self, answer: &[u8]) -> Result<Plan, Refusal> {
        sdp::accept(&self.offering, answer).map(|negotiated| plan(&negotiated))
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
    }
}
