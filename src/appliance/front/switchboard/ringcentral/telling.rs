//! What RingCentral's server and the box tell each other beside a call: that its INVITE has come, where it is to
//! go if nobody answers here, and what has become of it.
//!
//! ```text
//!  full, or asked for ─ Voicemail, Forward, Reply, Reject ─▶ server ─ SessionClose, CANCEL ─▶ gone
//!                                                                  └ neither within 10 s ──▶ refused
//!  AlreadyProcessed by another telephone ─▶ nothing here answers it any more
//! ```

use std::time::{Duration, Instant};

use super::{Announced, PASSED_ON_WITHIN, Platform};
use crate::appliance::accounts::WhenFull;
use crate::appliance::front::switchboard::Switchboard;
use crate::base::{CallId, Private};
use crate::call::record::Progress;
use crate::call::{self, Cause};
use crate::converse::Message;
use crate::sip::{self, AccountId, LegId, Said};
use crate::trunk::ringcentral::agent::{self, AgentMessage, Wish, command};
use crate::trunk::ringcentral::{ApiIds, Refusal};
use crate::web::Event;

/// INVITEs that nobody has answered yet, or whose calls are up: more than there are calls.
const OFFERED: usize = 256;
/// The server says that a call is closed, and takes its INVITE back right after.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
/// How long a reply may be written while its caller holds on.
const REPLY_WITHIN: Duration = Duration::from_secs(60);

/// An INVITE with what its server is told about it by.
pub(super) struct Offered {
    pub leg: LegId,
    /// The call that it became, or would have become.
    pub call: Option<CallId>,
    announced: Announced,
}

impl Platform {
    pub(super) fn offer(&mut self, leg: LegId, announced: &Announced) {
        if self.offered.len() == OFFERED {
            self.offered.pop_front();
        }
        self.offered.push_back(Offered { leg, call: None, announced: announced.clone() });
    }

    /// An INVITE that was considered.
    pub(in super::super) fn became(&mut self, leg: LegId, call: CallId) {
        if let Some(offered) = self.offered.iter_mut().find(|offered| offered.leg == leg) {
            offered.call = Some(call);
        }
    }

    /// The platform is to take it back, and nothing here answers it meanwhile.
    fn give_back(&mut self, leg: LegId, until: Instant) {
        self.ringing.retain(|ringing| ringing.leg != leg);
        self.passed_on.retain(|(passed, _)| *passed != leg);
        self.passed_on.push((leg, until));
    }
}

impl Switchboard {
    /// What becomes of a call for which there is no room; false: it is refused.
    pub(in super::super) fn pass_on(
        &mut self,
        now: Instant,
        leg: LegId,
        announced: &Announced,
    ) -> bool {
        let Some(platform) = self.parts.accounts.platform(announced.account) else { return false };
        let wish = match platform.when_full.clone() {
            WhenFull::Refuse => Wish::Reject,
            WhenFull::Voicemail => Wish::Voicemail,
            WhenFull::Forward(to) if self.may_forward(&to) => Wish::Forward(to),
            WhenFull::Forward(_) => Wish::Reject,
            WhenFull::Reply(text) => Wish::Reply(text),
            WhenFull::CallBack { minutes } => Wish::CallBackIn { minutes },
        };
        let is_told = self.tell_agent(announced, &wish);
        if is_told {
            tracing::info!(?wish, "RingCentral is told what becomes of a call");
            self.platform.give_back(leg, now + PASSED_ON_WITHIN);
        }
        is_told
    }

    /// The interface wants a server told something about a call that rings here. One that was taken already
    /// goes on ringing until the server takes it back, and is answered if that is not in time.
    pub(super) fn tell_party(
        &mut self,
        now: Instant,
        account: AccountId,
        ids: &ApiIds,
        wish: &Wish,
    ) -> Result<(), Refusal> {
        let is_it = |offered: &&Offered| {
            offered.announced.account == account && offered.announced.ids.as_ref() == Some(ids)
        };
        let offered = self.platform.offered.iter().rfind(is_it).ok_or(Refusal::Unknown)?;
        let (leg, call, announced) = (offered.leg, offered.call, offered.announced.clone());
        let is_line = call.is_some_and(|call| self.lines.contains_key(&call));
        if is_line && !call.is_some_and(|call| self.is_ringing(call)) {
            return Err(Refusal::Conflict);
        }
        if !self.tell_agent(&announced, wish) {
            return Err(Refusal::Unknown);
        }
        match wish {
            Wish::StartReply => {
                let its = self.platform.ringing.iter_mut().filter(|ringing| ringing.leg == leg);
                its.for_each(|ringing| ringing.until = now + REPLY_WITHIN);
            }
            _ if !is_line => self.platform.give_back(leg, now + PASSED_ON_WITHIN),
            _ => {}
        }
        Ok(())
    }

    fn is_ringing(&self, call: CallId) -> bool {
        let line = self.lines.get(&call);
        line.is_some_and(|line| matches!(line.call.record().progress, Progress::Ringing))
    }

    pub(super) fn tell_agent(&mut self, announced: &Announced, wish: &Wish) -> bool {
        let Announced { account, sip_call_id, message, .. } = announced;
        let whose = self.parts.accounts.authorization_id(*account);
        let Some((message, whose)) = message.as_ref().zip(whose) else { return false };
        let (target, body) = message.reply(wish, whose);
        let telling = Box::new(sip::Telling {
            target,
            call_id: Some(sip_call_id.clone()),
            content_type: agent::CONTENT_TYPE.to_owned(),
            body,
        });
        self.commands.push_back(sip::Command::Tell { id: *account, telling });
        true
    }

    /// What a server tells beside calls.
    pub(in super::super) fn said(&mut self, now: Instant, account: AccountId, said: &Said) {
        match said {
            Said::Message(body) => {
                if let Some(message) = AgentMessage::parse(body.reveal()) {
                    self.told(now, account, &message);
                }
            }
            Said::CallNamed { leg, ids } => {
                let call = self.legs.get(leg).copied();
                let Some((call, ids)) = call.zip(ApiIds::parse(ids.reveal())) else { return };
                self.call_named(now, account, call, ids);
            }
        }
    }

    fn told(&mut self, now: Instant, account: AccountId, message: &AgentMessage) {
        let whose = self.parts.accounts.authorization_id(account).unwrap_or_default();
        let is_ours = message.is_for(whose);
        let is_about = |offered: &&Offered| {
            let announced = &offered.announced;
            let call = announced.message.as_ref().filter(|_| announced.account == account);
            call.is_some_and(|call| message.is_about(call))
        };
        let offered = self.platform.offered.iter().rfind(is_about);
        let Some((leg, call)) = offered.map(|offered| (offered.leg, offered.call)) else {
            return tracing::debug!(command = message.command, "RingCentral: a message");
        };
        match message.command {
            command::ALREADY_PROCESSED if !is_ours => {
                self.is_gone(now, (leg, call), Cause::TakenElsewhere);
            }
            command::SESSION_CLOSE if is_ours => {
                self.keep_reaction(call, message);
                self.is_gone(now, (leg, call), Cause::Cancelled);
            }
            command => tracing::debug!(command, is_ours, "RingCentral: a message about a call"),
        }
    }

    /// A call that rings here is somebody else's, or over: its INVITE is about to be taken back.
    fn is_gone(&mut self, now: Instant, (leg, call): (LegId, Option<CallId>), cause: Cause) {
        let line = call.filter(|call| self.lines.contains_key(call));
        match line {
            Some(call) if self.is_ringing(call) => {
                self.call(now, call, call::Input::HangUp(cause));
            }
            Some(_) => {}
            None => self.platform.give_back(leg, now + CLOSED_WITHIN),
        }
    }

    /// What a caller has said to a reply is a message for the firm's people.
    fn keep_reaction(&mut self, call: Option<CallId>, message: &AgentMessage) {
        let Some(reaction) = message.reaction() else { return };
        let text = |name: &str| message.value(name).filter(|text| !text.is_empty());
        let number = text("ExtNfo").or_else(|| text("Phn"));
        let number = number.map(|text| text.chars().filter(char::is_ascii_digit).collect());
        let message = Message {
            topic: "answer to a reply".to_owned(),
            name: text("Nm").map(|name| Private::new(name.to_owned())),
            number: number.map(Private::new),
            text: Some(Private::new(reaction.name().to_owned())),
            fields: Vec::new(),
        };
        let id = call.unwrap_or_else(|| self.new_call());
        self.parts.board.tell(Event::Message { call: id, message: message.clone() });
        self.messages.push((id, message));
    }
}
