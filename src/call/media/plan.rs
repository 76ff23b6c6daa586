//! What the audio thread must know of an agreed session description: fixed in size, so that a
//! re-INVITE reaches the tick through a ring without an allocation or a release on either side.

use std::net::SocketAddr;

use crate::base::{Private, Protection, limits};
use crate::codec::{Codec, EncoderSettings};

/// One call's media as agreed by offer and answer (RFC 3264), from our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the peer wants RTP.
    pub remote: Private<SocketAddr>,
    /// Where the peer wants RTCP; equal to `remote` under `rtcp_mux`.
    pub remote_rtcp: Private<SocketAddr>,
    /// RTP and RTCP share one port (RFC 5761).
    pub rtcp_mux: bool,
    /// The codec that we send.
    pub codec: Codec,
    /// What the peer wants of it.
    pub encoder: EncoderSettings,
    /// The payload type that the peer gave `codec`.
    pub tx_payload_type: u8,
    /// What the peer may send us.
    pub rx: PayloadTypes,
    /// RFC 4733 digits, when both sides speak them.
    pub dtmf: Option<DtmfPlan>,
    /// Milliseconds of sound in each packet we send: 10 to 60.
    pub ptime_ms: u32,
    /// False while the peer holds us or we are inactive.
    pub sends: bool,
    /// False while we hold the peer or are inactive; sound that comes all the same is heard.
    pub receives: bool,
    pub protection: Protection<Handshake>,
}

impl Plan {
    /// ICE says where the peer is, and not its description.
    pub fn has_ice(&self) -> bool {
        self.protection.handshake().is_some_and(|handshake| handshake.has_ice)
    }
}

/// A handshake that brings the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Another number is another association: the keys of before are none any more.
    pub association: u32,
    /// ICE says where the peer is.
    pub has_ice: bool,
}

/// The numbers of RFC 4733 telephone-events in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfPlan {
    pub tx_payload_type: u8,
    pub rx_payload_type: u8,
    /// Timestamp units a second of the events; equal to that of the codec in use.
    pub clock_hz: u32,
}

/// Which payload type carries which codec, as we offered or answered: at most
/// [`limits::RTP_PAYLOAD_TYPES`] of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadTypes {
    slots: [Option<(u8, Codec)>; limits::RTP_PAYLOAD_TYPES],
}

impl PayloadTypes {
    /// Adds a payload type; false when the table is full, which leaves the type unheard.
    pub fn push(&mut self, payload_type: u8, codec: Codec) -> bool {
        match self.slots.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => {
                *slot = Some((payload_type, codec));
                true
            }
            None => false,
        }
    }

    pub fn codec(&self, payload_type: u8) -> Option<Codec> {
        self.slots.iter().flatten().find(|(number, _)| *number == payload_type).map(|(_, c)| *c)
    }
}

impl FromIterator<(u8, Codec)> for PayloadTypes {
    fn from_iter<I: IntoIterator<Item = (u8, Codec)>>(types: I) -> Self {
        let mut table = Self::default();
        for (payload_type, codec) in types {
            table.push(payload_type, codec);
        }
        table
    }
}
