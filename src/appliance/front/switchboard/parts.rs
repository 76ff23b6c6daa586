//! What the switchboard is made from, and what a call wants of its place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::appliance::accounts::Accounts;
use crate::appliance::associations::Associations;
use crate::appliance::front::agents::AgentRule;
use crate::appliance::front::dialler::Dialler;
use crate::appliance::front::errands::Errands;
use crate::appliance::media_address::MediaAddress;
use crate::appliance::places::Places;
use crate::appliance::recorder::Recorder;
use crate::appliance::ringcentral::RingCentral;
use crate::appliance::rings::Place;
use crate::appliance::rtp_socket::PortRange;
use crate::appliance::sip_line::SipLine;
use crate::appliance::visits::Visits;
use crate::appliance::voicemail::Voicemail;
use crate::appliance::ways::Ways;
use crate::base::{CallId, Entropy, Private};
use crate::call;
use crate::call::admission;
use crate::call::language::Rules;
use crate::call::media::Plan;
use crate::listen::answered::OnMachine;
use crate::store::flights::FlightLog;
use crate::trunk::Referrals;
use crate::web::Board;

/// How long a key is held that we press: twice what a receiver must take for one.
const KEY: Duration = Duration::from_millis(100);

/// What the switchboard is made from.
pub struct Parts {
    pub sip: SipLine,
    /// Legs that are no SIP.
    pub visits: Visits,
    pub places: Places,
    pub associations: Associations,
    pub ports: PortRange,
    pub errands: Errands,
    pub accounts: Accounts,
    pub ringcentral: RingCentral,
    pub dialler: Dialler,
    /// Which calls a remote agent holds.
    pub agent_rule: AgentRule,
    /// What becomes of calls of ours that a machine takes.
    pub on_machine: OnMachine,
    pub board: Arc<Board>,
    pub entropy: Entropy,
    pub call: call::Settings,
    pub admission: admission::Settings,
    /// `None`: our address on the way to the peer.
    pub media_address: MediaAddress,
    /// By which calls with ICE find us.
    pub ways: Ways,
    pub languages: Rules,
    /// Calls may be listened to.
    pub has_operators: bool,
    /// Whom callers may have us call in their place.
    pub referrals: Referrals,
    /// By this name the box calls itself; nobody else knows it.
    pub canary: Option<Private<String>>,
    /// `None`: no call is recorded for replay.
    pub flights: Option<FlightLog>,
    /// `None`: no call's sound is recorded.
    pub recorder: Option<Recorder>,
    /// Messages after the tone.
    pub voicemail: Voicemail,
}

impl Parts {
    /// What a call wants of its place.
    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        (id, place): (CallId, Place),
        output: call::Output,
    ) {
        match output {
            call::Output::Associate(association) => {
                self.associations.associate(now, (id, place), *association, &mut self.places);
            }
            call::Output::StartMedia(plan) => {
                self.keep_association(place, &plan);
                self.places.start(place, plan);
            }
            call::Output::ApplyMedia(plan) => {
                self.keep_association(place, &plan);
                self.places.apply(place, plan);
            }
            call::Output::StopMedia => self.stop(now, place),
            call::Output::Silence(through) => self.places.silence(place, through),
            call::Output::Work(work) => self.errands.ask(id, place, work),
            call::Output::SendDigits(digits) => {
                for digit in digits.reveal().chars() {
                    self.places.press(place, digit, KEY);
                }
            }
            call::Output::Sip(_)
            | call::Output::Invite { .. }
            | call::Output::PutThrough(_)
            | call::Output::Accepted
            | call::Output::GiveUpPerson
            | call::Output::NotHandedOver
            | call::Output::PartnerWaits(_)
            | call::Output::Message(_)
            | call::Output::Tape(_)
            | call::Output::Pressed(_)
            | call::Output::Stalled(_)
            | call::Output::Recorded
            | call::Output::Replied(_)
            | call::Output::Timeout(_) => (),
        }
    }

    /// A handshake is over where what was agreed has none.
    fn keep_association(&mut self, place: Place, plan: &Plan) {
        if plan.protection.handshake().is_none() {
            self.associations.forget(place);
        }
    }

    pub(super) fn stop(&mut self, now: Instant, place: Place) {
        self.associations.close(now, place, &mut self.places);
        self.places.stop(place);
    }
}
