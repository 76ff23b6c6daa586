//! What is written of a description has no keys: who gets hold of a record must not be able to decrypt
//! what somebody else recorded on the network.
//!
//! Each key keeps its length, so that a replay decides the same; it has no network to decrypt anything
//! from.

use crate::call::incoming::Incoming;
use crate::sdp::without_keys;
use crate::sip::Event;

/// The same event, without keys.
pub(super) fn event(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event {
        Event::Incoming { incoming, .. } => mask(&mut incoming.offer),
        Event::Established { answer: sdp, .. }
        | Event::OfferReceived { offer: sdp, .. }
        | Event::Progress { sdp, .. }
        | Event::Answered { sdp, .. } => mask(sdp),
        Event::OfferAnswered { sdp, .. } => *sdp = without_keys(sdp),
        Event::Cancelled { .. }
        | Event::OfferWithdrawn { .. }
        | Event::OfferFailed { .. }
        | Event::Refused { .. }
        | Event::Redirected { .. }
        | Event::Ended { .. }
        | Event::Dtmf { .. }
        | Event::Refer { .. }
        | Event::Referred { .. } => {}
    }
    event
}

/// The same call, without keys.
pub(super) fn incoming(incoming: &Incoming) -> Incoming {
    let mut incoming = incoming.clone();
    mask(&mut incoming.offer);
    incoming
}

fn mask(description: &mut Option<Vec<u8>>) {
    if let Some(description) = description {
        *description = without_keys(description);
    }
}
