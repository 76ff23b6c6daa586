//! One call on the switchboard, with what only the switchboard knows of it.

use std::sync::Arc;
use std::time::Instant;

use super::controlling;
use super::joining::Partner;
use super::recording;
use super::redirecting::Redirection;
use crate::appliance::rings::Place;
use crate::base::CallId;
use crate::call::flight::Tracked;
use crate::call::one_way::Why;
use crate::call::record::PlatformIds;
use crate::call::{CallRecord, OneWay};
use crate::sip::{self, AccountId};

#[derive(Debug)]
pub(super) struct Line {
    pub(super) call: Tracked,
    /// `None` once the audio thread has let go: the place may be another call's by then.
    pub(super) place: Option<Place>,
    /// Whose server its signalling goes to.
    pub(super) account: Option<AccountId>,
    /// At that server's own interface.
    pub(super) named: Option<PlatformIds>,
    /// The box has called itself: it is in no list, and nothing counts or records it.
    pub(super) is_own: bool,
    /// Whether its sockets are of IPv4.
    pub(super) is_ipv4: bool,
    pub(super) deadline: Option<Instant>,
    /// As the log has it.
    pub(super) one_way: Option<OneWay>,
    /// The other half of a caller who is put through.
    pub(super) partner: Option<Partner>,
    /// What the next `call::Output::Invite` sends.
    pub(super) invite: Option<Box<sip::Invite>>,
    /// Of a call that goes out.
    pub(super) redirection: Redirection,
    /// How often the other end has wanted somebody else called.
    pub(super) referrals: u32,
    /// What was told of it that its record does not show.
    pub(super) told: controlling::Told,
    pub(super) sound: recording::Sound,
    /// The platform was asked then to put it through to somebody else.
    pub(super) passed_on: Option<Instant>,
    /// Its part of what the GPU has used; `None` where that is not told.
    pub(super) gpu_energy_j: Option<f64>,
}

impl Line {
    pub(super) fn new(call: Tracked, place: Place, is_ipv4: bool) -> Self {
        Self {
            call,
            place: Some(place),
            account: None,
            named: None,
            is_own: false,
            is_ipv4,
            deadline: None,
            one_way: None,
            partner: None,
            invite: None,
            redirection: Redirection::default(),
            referrals: 0,
            told: controlling::Told::default(),
            sound: recording::Sound::default(),
            passed_on: None,
            gpu_energy_j: None,
        }
    }

    pub(super) fn shown(&self) -> Arc<CallRecord> {
        Arc::new(self.record())
    }

    /// Says once that one side hears nothing, without an address.
    pub(super) fn tell_one_way(&mut self, id: CallId) {
        let found = self.call.record().one_way;
        if found == self.one_way {
            return;
        }
        self.one_way = found;
        match found {
            None => (),
            Some(OneWay { why: Why::Muted, .. }) => {
                tracing::info!(call_id = %id, "the other end sends silence only");
            }
            Some(OneWay { side, why }) => {
                tracing::warn!(call_id = %id, side = side.name(), why = why.name(), "one-way audio");
            }
        }
    }
}
