//! A caller who is put through: by the caller's own side, or by us.

use std::time::Instant;

use super::{Call, Output};
use crate::call::ending::Cause;
use crate::call::handover::{Handover, PutThrough};
use crate::converse;
use crate::converse::people::{Address, Way};
use crate::sip;

impl Call {
    pub(super) fn put_through(&mut self, transfer: converse::Transfer) {
        let converse::Transfer { to, way, within, offer } = transfer;
        match way {
            Way::Refer => {
                self.handover = Handover::Asked;
                let to = match to {
                    Address::Uri(uri) => sip::ReferTo::Uri(uri),
                    Address::Number(number) => sip::ReferTo::Number(number),
                };
                self.command(sip::Command::Refer { leg: self.leg, to, within });
            }
            Way::Bridge => {
                self.handover = Handover::Bridging;
                self.floor.ring_back();
                self.out.push_back(Output::PutThrough(PutThrough { to, within, offer }));
            }
        }
    }

    /// What has come of it. A success is one also when it comes late: the caller talks to somebody else.
    pub(super) fn referred(&mut self, now: Instant, news: sip::ReferNews) {
        match news {
            sip::ReferNews::Accepted => self.handover = Handover::Accepted,
            sip::ReferNews::Done => self.end(now, Cause::Transferred.into()),
            sip::ReferNews::Failed(_) => {
                self.handover = Handover::None;
                self.floor.stop_ringing_back();
                self.floor.not_transferred(now);
            }
        }
    }

    /// The conversation has waited for long enough.
    pub(super) fn give_up_person(&mut self) {
        if self.handover == Handover::Bridging {
            self.handover = Handover::None;
            self.floor.stop_ringing_back();
            self.out.push_back(Output::GiveUpPerson);
        }
    }

    /// From here on this call and another one hear each other.
    pub(super) fn join(&mut self) {
        self.handover = Handover::Joined;
        self.record.is_joined = true;
        self.floor.join();
        self.out.push_back(Output::Recorded);
    }
}
