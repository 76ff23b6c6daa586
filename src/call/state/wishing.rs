//! What a program of the owner's wants of a call: that it is answered, held, muted, given keys, put through.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use std::time::Instant;

use super::{Call, Output, State, Timer};
use crate::base::{self, Private, serial};
use crate::call::ending::Cause;
use crate::call::handover::Handover;
use crate::converse;
use crate::converse::people::{Address, HANDSET, Way};
use crate::sip;

/// As long as it may ring where the call is passed on to.
const TRANSFER_WITHIN: Duration = Duration::from_secs(60);

/// A wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// To answer at once a call that rings.
    Answer,
    /// To hold the other end, or not any more: neither hears the other, and nothing goes on.
    Hold(bool),
    /// To say nothing, or to speak again. The other end is heard meanwhile and gets no answer.
    Mute(bool),
    /// To press these keys.
    Press(#[serde(with = "serial::revealed")] Private<String>),
    /// To have the other end call somebody else, by a REFER; a handset of the box is called by us.
    Transfer(TransferTo),
    /// To say goodbye and hang up: the line closes. Who talks to somebody else by us is left alone.
    Leave,
}

/// Whom the other end is to call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferTo {
    /// A number with plus and country code.
    Number(#[serde(with = "serial::revealed")] Private<String>),
    /// A SIP URI, or `local:` for a handset of the box.
    Uri(#[serde(with = "serial::revealed")] Private<String>),
}

impl Call {
    /// Whether the call is at a point at which it can be fulfilled.
    pub fn can(&self, wish: &Wish) -> bool {
        let is_free = matches!(self.state, State::Active) && self.handover == Handover::None;
        match wish {
            Wish::Answer => matches!(self.state, State::Ringing { .. }),
            Wish::Press(_) => matches!(self.state, State::Active),
            Wish::Hold(_) | Wish::Mute(_) => is_free,
            // A visit has nobody of its own who could call somebody else.
            Wish::Transfer(to) => is_free && (!self.leg.is_visit() || self.is_called_by_us(to)),
            Wish::Leave => self.handover == Handover::None,
        }
    }

    pub(super) fn wish(&mut self, now: Instant, wish: Wish) {
        if !self.can(&wish) {
            return;
        }
        match wish {
            Wish::Answer => {
                self.timers.cancel(Timer::Answer);
                self.pick_up(now);
            }
            Wish::Hold(holds) => {
                self.agreement.hold(holds);
                self.audibility.hold(holds);
                let sdp = self.agreement.offer();
                self.command(sip::Command::Reoffer { leg: self.leg, sdp });
                self.tell_floor(now);
            }
            Wish::Mute(is_mute) => {
                self.audibility.mute(is_mute);
                self.record.is_muted = is_mute;
                self.tell_floor(now);
            }
            Wish::Leave if matches!(self.state, State::Active) && self.audibility.is_heard() => {
                self.floor.say_goodbye(now);
            }
            Wish::Leave => self.end(now, Cause::ShuttingDown.into()),
            Wish::Press(keys) => self.out.push_back(Output::SendDigits(keys)),
            Wish::Transfer(to) if self.is_called_by_us(&to) => {
                let to = match to {
                    TransferTo::Number(to) => Address::Number(to),
                    TransferTo::Uri(to) => Address::Uri(to),
                };
                // The two are joined with the answer: there is nothing to be offered.
                let (way, within, offer) = (Way::Bridge, TRANSFER_WITHIN, Private::default());
                // Who hears a ringback tone is neither talked to nor listened to.
                self.floor.give_way(now);
                self.put_through(converse::Transfer { to, way, within, offer });
                self.is_wished_away = true;
            }
            Wish::Transfer(to) => {
                self.handover = Handover::Asked;
                let to = match to {
                    TransferTo::Number(to) => sip::ReferTo::Number(to),
                    TransferTo::Uri(to) => sip::ReferTo::Uri(to),
                };
                let (leg, within) = (self.leg, TRANSFER_WITHIN);
                self.command(sip::Command::Refer { leg, to, within });
            }
        }
    }

    /// A handset of the box, or somebody whom one wants: nobody else could make that call.
    fn is_called_by_us(&self, to: &TransferTo) -> bool {
        let is_handset = |to: &Private<String>| to.reveal().starts_with(HANDSET);
        self.leg.way() == base::Way::Handset || matches!(to, TransferTo::Uri(to) if is_handset(to))
    }

    fn tell_floor(&mut self, now: Instant) {
        self.floor.held(now, !self.audibility.is_heard());
        self.out.push_back(Output::Recorded);
    }
}
